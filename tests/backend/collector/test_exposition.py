"""Reading Prometheus text: every form real programs write, and lines that are none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.collector.exposition import Series, parse_exposition


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x 1", Series("x", {}, 1)),
        ('x{a="b",} 1.5', Series("x", {"a": "b"}, 1.5)),
        ('x{a="b", c="d"}\t-9.223372036854776E18', Series("x", {"a": "b", "c": "d"}, -9.223372036854776e18)),
        ('x{a="with } and , and \\" and \\\\ and \\n"} 1', Series("x", {"a": 'with } and , and " and \\ and \n'}, 1)),
        ("x 12.47 1395066363000", Series("x", {}, 12.47)),
        ('x_total 3 # {trace_id="a"} 0.5', Series("x_total", {}, 3)),
        ('x{a=" # {b} 1"} 3 # {c="d"} 0.5 1', Series("x", {"a": " # {b} 1"}, 3)),
        ("x +Inf", Series("x", {}, math.inf)),
        ("  x   7  \r", Series("x", {}, 7)),
    ],
)
def test_it_reads_what_programs_write(line: str, expected: Series) -> None:
    parsed = parse_exposition(f"# HELP x it\n# TYPE x counter\n{line}\n# EOF\n", {"x", "x_total"})
    assert (parsed.series, parsed.lines, parsed.bad) == ([expected], 1, 0)


def test_it_reads_nan() -> None:
    (series,) = parse_exposition("x NaN", {"x"}).series
    assert math.isnan(series.value)


@pytest.mark.parametrize(
    "line", ["x", "x one", '{a="b"} 1', "9x 1", 'x{a="b} 1', "x{a=b} 1", "x 1 2 3 4", "<html>", "\x00"]
)
def test_a_bad_line_costs_only_itself(line: str) -> None:
    parsed = parse_exposition(f"x 1\n{line}\nx 2\n", {"x"})
    assert [s.value for s in parsed.series] == [1, 2]
    assert (parsed.lines, parsed.bad, parsed.first_bad) == (3, 1, (2, line))


def test_bad_lines_of_metrics_nobody_asked_for_are_counted_too() -> None:
    parsed = parse_exposition("y 1\ny one\n", {"x"})
    assert (parsed.series, parsed.good, parsed.bad) == ([], 1, 1)


@given(st.text())
def test_no_text_breaks_it(text: str) -> None:
    parsed = parse_exposition(text, {"x"})
    assert 0 <= parsed.bad <= parsed.lines


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.text(st.characters(codec="utf-8")), max_size=4
    ),
    st.floats(allow_nan=False),
)
def test_any_labels_and_value_survive(labels: dict[str, str], value: float) -> None:
    escaped = {k: v.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"') for k, v in labels.items()}
    line = "x{" + "".join(f'{k}="{v}",' for k, v in escaped.items()) + "} " + repr(value)
    assert parse_exposition(line, {"x"}).series == [Series("x", labels, value)]
