"""A view survives its way through Redis, and nothing else is taken for one."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.data.shared_views import dump_view, load_view
from dashboard.data.views import EncodedView

VIEWS = st.builds(
    EncodedView,
    etag=st.text(max_size=24),
    raw=st.binary(max_size=40),
    brotli=st.binary(max_size=40),
    gzip=st.binary(max_size=40),
    made_at=st.floats(0, 4e9),
    data_as_of=st.none() | st.floats(0, 4e9),
    error=st.none() | st.text(max_size=20),
    stale_since=st.none() | st.floats(0, 4e9),
    late=st.booleans(),
)


@settings(max_examples=30)
@given(VIEWS)
def test_a_view_comes_back_as_it_was(view: EncodedView) -> None:
    assert load_view(dump_view(view)) == view


@settings(max_examples=30)
@given(VIEWS, st.integers(0, 60), st.binary(max_size=3))
def test_a_damaged_view_is_none_or_raises_nothing(view: EncodedView, at: int, patch: bytes) -> None:
    whole = dump_view(view)
    assert load_view(whole[: max(len(whole) - 1 - at, 0)]) is None
    damaged = whole[:at] + patch + whole[at + len(patch) :]
    assert isinstance(load_view(damaged), EncodedView | None)


@settings(max_examples=30)
@given(st.none() | st.binary(max_size=60))
def test_what_is_no_view_is_none(data: bytes | None) -> None:
    assert load_view(data) is None
    assert data is None or load_view(b"pbv1" + data) is None
