from __future__ import annotations

from dash import dcc, html
from hypothesis import given
from hypothesis import strategies as st

from dashboard.components.times import ago
from dashboard.html import Element, fill, render

HOSTILE = "<script>alert('x')</script>\" onload=\"alert(1)"


def test_it_renders_elements_attributes_and_text() -> None:
    node = html.Div(
        [html.P("3 < 4 & 5", className="note"), html.Br(), 7, None],
        id="a",
        hidden=True,
        style={"maxWidth": "3rem", "--spark": "none"},
        **{"data-state": "ok", "aria-label": "b"},
    )
    assert render(node, 0) == (
        '<div id="a" hidden aria-label="b" data-state="ok" style="max-width:3rem;--spark:none">'
        '<p class="note">3 &lt; 4 &amp; 5</p><br>7</div>'
    )


@given(st.text())
def test_no_text_can_open_a_tag_or_leave_its_attribute(text: str) -> None:
    drawn = render([html.P(title=text), html.P(text)], 0)
    attribute, content = drawn.split("</p><p>")
    assert attribute.count('"') == 2
    assert drawn.count("<") == drawn.count(">") == 4
    assert content.endswith("</p>")


def test_hostile_text_and_addresses_are_harmless() -> None:
    drawn = render(html.A(HOSTILE, href="javascript:alert(1)", title=HOSTILE), 0)
    assert "<script" not in drawn
    assert "javascript:" not in drawn
    assert drawn.split(">")[0].count('"') == 2


def test_hostile_style_stays_inside_its_attribute() -> None:
    drawn = render(html.P(style={"width": '1px" onclick="x'}), 0)
    assert drawn == '<p style="width:1px&quot; onclick=&quot;x"></p>'


def test_what_only_dash_can_draw_leaves_its_place() -> None:
    assert render(html.Div(dcc.Graph(id="chart-load")), 0) == '<div><div id="chart-load"></div></div>'


def test_ages_are_written_as_of_the_moment_of_drawing() -> None:
    assert ">12 s ago</time>" in render(ago(1_000_000), 1_000_012)


def test_elements_that_dash_lacks_can_be_drawn_by_the_server() -> None:
    assert render(Element("input", {"type": "datetime-local", "id": "x"}), 0) == '<input type="datetime-local" id="x">'


def test_a_view_fills_the_layout_by_id_at_any_depth() -> None:
    layout = html.Div([html.Section(html.P("loading", id="inner"), id="outer")])
    filled = fill(layout, {"inner": {"children": "done", "data-status": "healthy"}, "absent": {"children": "x"}})
    assert render(filled, 0) == '<div><section id="outer"><p id="inner" data-status="healthy">done</p></section></div>'
