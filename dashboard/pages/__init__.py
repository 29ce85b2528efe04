"""The pages, in the order of the navigation."""

from typing import Final

from dashboard.pages.alerts import PAGE as ALERTS
from dashboard.pages.base import Page
from dashboard.pages.capacity import PAGE as CAPACITY
from dashboard.pages.errors import PAGE as ERRORS
from dashboard.pages.health import PAGE as HEALTH
from dashboard.pages.jobs import PAGE as JOBS
from dashboard.pages.performance import PAGE as PERFORMANCE
from dashboard.pages.replay import PAGE as REPLAY

PAGES: Final[tuple[Page, ...]] = (HEALTH, PERFORMANCE, ERRORS, CAPACITY, JOBS, REPLAY, ALERTS)
