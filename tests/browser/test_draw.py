"""What assets/draw.js makes of components, in a real browser: text stays text, and what a reader did stays."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Error, Page

from tests.browser.conftest import ready

pytestmark = pytest.mark.browser


def spec(kind: str, children: Any = None, **props: Any) -> dict[str, Any]:
    """A component as a view carries it."""
    return {"type": kind, "namespace": "dash_html_components", "props": {"children": children, **props}}


def box(ident: str, **attributes: Any) -> dict[str, Any]:
    """A plain input as a view carries it."""
    return {"tag": "input", "attributes": {"id": ident, **attributes}}


def draw(tab: Page, *children: Any) -> str:
    """Draws into a region of its own; returns what is there now."""
    html: str = tab.evaluate(
        """(children) => {
            const region = document.getElementById("region")
                ?? document.body.appendChild(Object.assign(document.createElement("div"), { id: "region" }));
            window.pulseboard.draw(region, children);
            return region.innerHTML;
        }""",
        list(children),
    )
    return html


@pytest.fixture
def page(tab: Page) -> Page:
    tab.goto("/?theme=light")
    ready(tab)
    return tab


def test_texts_are_text_and_addresses_are_held_to_safe_schemes(page: Page) -> None:
    drawn = draw(
        page,
        spec("P", ["<b>bold</b>", None, 7], title="it's", className="one"),
        spec("A", "bad", href="javascript:alert(1)"),
        spec("A", "good", href="?tab=audit", **{"data-set": "{}"}),
    )
    assert drawn == (
        '<p title="it\'s" class="one">&lt;b&gt;bold&lt;/b&gt;7</p><a>bad</a><a href="?tab=audit" data-set="{}">good</a>'
    )


def test_what_was_typed_stays_until_the_view_says_otherwise(page: Page) -> None:
    draw(page, box("entity", value="order-1"))
    page.locator("#entity").fill("order-2")
    draw(page, spec("P", "new above"), box("entity", value="order-1"))
    assert page.locator("#entity").input_value() == "order-2"
    draw(page, box("entity", value=""))
    assert page.locator("#entity").input_value() == ""


def test_a_choice_follows_the_view_after_somebody_chose_otherwise(page: Page) -> None:
    def options(chosen: str) -> dict[str, Any]:
        return spec("Select", [spec("Option", v, value=v, selected=v == chosen or None) for v in "abc"], id="s")

    draw(page, options("b"))
    assert page.locator("#s").input_value() == "b"
    page.locator("#s").select_option("c")
    draw(page, options("a"))
    assert page.locator("#s").input_value() == "a"


def test_rows_keep_their_state_when_they_move_and_go_when_they_are_gone(page: Page) -> None:
    def row(name: str) -> dict[str, Any]:
        return spec("Div", [box(f"tick-{name}", type="checkbox"), spec("Details", [spec("Summary", name)])], id=name)

    draw(page, row("one"), row("two"))
    page.locator("#tick-two").check()
    page.locator("#two summary").click()
    draw(page, row("zero"), row("two"), row("three"))
    assert page.locator("#region > div").evaluate_all("rows => rows.map(row => row.id)") == ["zero", "two", "three"]
    assert page.locator("#region :checked").evaluate_all("boxes => boxes.map(box => box.id)") == ["tick-two"]
    assert page.locator("#region details[open]").count() == 1


def test_a_loading_look_is_replaced_not_reused(page: Page) -> None:
    draw(page)
    page.evaluate("document.getElementById('region').innerHTML = '<div class=skeleton role=status></div>'")
    assert draw(page, spec("Div", "here", className="rows")) == '<div class="rows">here</div>'


def test_a_component_that_needs_dash_is_refused_by_name(page: Page) -> None:
    with pytest.raises(Error, match="Graph can't be drawn"):
        draw(page, {"type": "Graph", "namespace": "dash_core_components", "props": {}})
