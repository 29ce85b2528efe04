"""Parameters of the API's searches, as Powertools checks and describes them."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

from backend.contract.event_query import MAX_TEXT

MOST_LISTED: Final = 1_000
_NOT_READ: Final = ("limit", "token")


class EventParameters(BaseModel):
    """Filters of events: all that are given must hold."""

    entity_id: str | None = Field(None, max_length=MAX_TEXT)
    event_type: str | None = Field(None, max_length=MAX_TEXT)
    source: str | None = Field(None, max_length=MAX_TEXT)
    status: str | None = Field(None, description="received, processed or failed")
    error_type: str | None = Field(None, description="why the last try failed, such as parse_error")
    operator: str | None = Field(None, max_length=MAX_TEXT)
    correlation_id: str | None = Field(None, max_length=MAX_TEXT)
    event_ids: str | None = Field(None, description="ids with commas between them")
    from_: str | None = Field(None, alias="from", description="epoch s or ms, ISO 8601 with a zone, or now-1h")
    to: str | None = Field(None, description="as from; its own instant is not included")
    time: str | None = Field(None, description="received (the default) or occurred")
    limit: int = Field(100, ge=1, le=MOST_LISTED)
    token: str | None = Field(None, description="next_token of the page before")

    def values(self) -> dict[str, Any]:
        """The filters as ``parse_query`` takes them."""
        return {name: value for name, value in self.model_dump(by_alias=True).items() if name not in _NOT_READ}


class RecentParameters(BaseModel):
    """How many replays are listed."""

    limit: int = Field(50, ge=1, le=MOST_LISTED)
