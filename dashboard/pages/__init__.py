"""The pages, in the order of the navigation."""

from typing import Final

from dashboard.pages.base import Page
from dashboard.pages.health import PAGE as HEALTH
from dashboard.pages.later import LATER
from dashboard.pages.replay import PAGE as REPLAY

PAGES: Final[tuple[Page, ...]] = (HEALTH, *LATER, REPLAY)
