"""Trace context: valid headers are continued, the rest starts anew."""

from __future__ import annotations

import pytest

from backend.events.tracing import continued, trace_id_of, xray_id_of

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GIVEN = f"00-{TRACE}-00f067aa0ba902b7-00"


def test_a_valid_header_is_continued_in_a_span_of_its_own() -> None:
    version, trace, span, flags = continued(GIVEN).split("-")
    assert (version, trace, flags) == ("00", TRACE, "00")
    assert span != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"{GIVEN}-more",
    ],
)
def test_an_invalid_header_starts_a_new_trace(header: str | None) -> None:
    assert trace_id_of(header) is None
    new = continued(header)
    assert trace_id_of(new) not in (None, TRACE)
    assert continued(header) != new


def test_a_later_version_may_say_more() -> None:
    assert trace_id_of(f"01-{TRACE}-00f067aa0ba902b7-01-more") == TRACE


@pytest.mark.parametrize(
    ("header", "root"),
    [
        (
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "1-5759e988-bd862e3fe1be46a994272793",
        ),
        ("Self=1-6;Root=1-5759e988-bd862e3fe1be46a994272793", "1-5759e988-bd862e3fe1be46a994272793"),
        ("Root=1-5759e988", ""),
        (None, ""),
    ],
)
def test_the_xray_root_is_found(header: str | None, root: str) -> None:
    assert xray_id_of(header) == root
