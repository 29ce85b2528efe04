"""The canary's events are no business of replays and findings unless somebody names them."""

from __future__ import annotations

import pytest

from backend.contract.checks import CANARY_SOURCE, CANARY_TYPE
from backend.contract.events import EventQuery
from backend.events.findings import findings_of
from backend.replay.selection import business
from tests.backend.events.index_world import NOW, record

CANARY = record("canary", source=CANARY_SOURCE, event_type=CANARY_TYPE, entity_id=CANARY_SOURCE, late=True)
ORDER = record("order", late=True)


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        ({}, [ORDER]),
        ({"status": "received"}, [ORDER]),
        ({"source": CANARY_SOURCE}, [ORDER, CANARY]),
        ({"event_type": CANARY_TYPE}, [ORDER, CANARY]),
        ({"event_ids": (CANARY.event_id,)}, [ORDER, CANARY]),
    ],
)
def test_a_replay_takes_the_canary_along_only_where_it_is_named(named: dict[str, object], taken: list[object]) -> None:
    query = EventQuery(NOW - 3600, NOW, **named)  # type: ignore[arg-type]
    assert list(business([[ORDER, CANARY]], query)) == [taken]


def test_findings_leave_the_canary_out_unless_its_source_is_asked_for() -> None:
    everything, canaries = EventQuery(NOW - 3600, NOW), EventQuery(NOW - 3600, NOW, source=CANARY_SOURCE)
    assert findings_of([ORDER, CANARY], everything, {}, NOW).late == (ORDER,)
    assert findings_of([CANARY], canaries, {}, NOW).late == (CANARY,)
