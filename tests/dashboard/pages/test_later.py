from __future__ import annotations

import re

import pytest

from dashboard.html import render
from dashboard.pages.base import Page
from dashboard.pages.later import LATER


@pytest.mark.parametrize("page", LATER, ids=lambda page: page.name)
def test_a_page_to_come_says_so_without_any_number(page: Page) -> None:
    text = render(page.layout(), 0)
    assert "Not connected yet" in text
    assert not re.search(r">\s*\d+", text)
    assert page.view(None, 0).as_of is None
