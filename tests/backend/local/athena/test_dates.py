from __future__ import annotations

import pytest

from backend.local.athena.dates import strftime
from backend.local.athena.errors import QueryError


@pytest.mark.parametrize(
    ("java", "written"),
    [
        ("yyyy/MM/dd/HH", "%Y/%m/%d/%H"),
        ("yyyy-MM-dd'T'HH:mm:ss", "%Y-%m-%dT%H:%M:%S"),
        ("'day' dd'''s', 100%", "day %d's, 100%%"),
    ],
)
def test_patterns_keep_their_quoted_texts(java: str, written: str) -> None:
    assert strftime(java) == written


@pytest.mark.parametrize("java", ["EEE", "yyyy-M-d", "yy", "HH:mm:ss.SSS"])
def test_letters_that_are_not_known_are_refused_not_passed_on_as_text(java: str) -> None:
    with pytest.raises(QueryError, match="is not served"):
        strftime(java)


def test_letters_that_only_one_caller_knows_are_its_own() -> None:
    assert strftime("ss.SSS", SSS="%g") == "%S.%g"
