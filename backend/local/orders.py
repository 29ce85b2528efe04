"""A shop's order stream that exists only here, sent to the ingest API over HTTP. Every payload says ``synthetic``.

What is sent when is a pure function of seed and time, as with the synthetic source: nothing is remembered, so seeded
history joins the live stream, and a sender that was away or restarted sends the same events again, under the same ids.

An order is placed, paid and shipped, under one correlation id. Some events come twice, some come late, and now and
then an amount is not a number. With the demo's incidents the shop's app gets a release that calls ``customer_id``
``cust_id``. The app tries an unconfirmed order again, so the release costs more events than it has orders. At the same
time some tills send amounts with a decimal comma: trouble seldom comes alone, and no alias mends that one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Any, Final
from urllib.parse import urlsplit

from backend.collector.sources.incidents import DEMO_EVERY, DEMO_FIRST, DEMO_LASTS

PLACED, PAID, SHIPPED = "order_placed", "order_paid", "order_shipped"
WEB, APP, TILL = "shop-web", "shop-app", "pos"
SPACING_SECONDS: Final = 2.0
"""Between two orders; each gives three events, hence about 1.5 events a second."""
LATE_SECONDS: Final = 120.0
"""The demo's limit, above which an event is late."""
STORY_SECONDS: Final = 600.0
"""Within this time of its order's beginning every event of it has been sent."""
_DUPLICATES: Final = 0.02
_LATE: Final = 0.03
_NOT_A_NUMBER: Final = 0.0015
_ABANDONED: Final = 0.04

EXTRA_SECONDS: Final = {APP: 1.6, TILL: 5.0}
"""During an incident, between two more orders of that source: who was refused comes back."""
RETRIES: Final = (0.0, 7.0, 18.0)
"""When the app sends an order that is not confirmed, seconds after it was placed."""

PRODUCTS: Final = (
    ("espresso-beans-1kg", 18.9), ("filter-papers-100", 4.5), ("hand-grinder", 64.0), ("pour-over-set", 39.5),
    ("milk-jug", 16.0), ("descaler", 8.9), ("travel-mug", 24.9), ("scale", 32.0), ("gift-card-25", 25.0),
)  # fmt: skip
CARRIERS: Final = ("DHL", "UPS", "DPD", "GLS")
METHODS: Final = ("card", "card", "paypal", "invoice", "sepa")


@dataclass(frozen=True, slots=True)
class Sending:
    """One event as it leaves the shop at ``at`` (epoch s). The same event sent again has the same ``event``."""

    at: float
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shop:
    """The stream. ``started`` (epoch s) is the demo's start: the incidents count from there."""

    seed: int
    started: float

    def between(self, begin: float, end: float) -> list[Sending]:
        """What is sent from ``begin`` to before ``end`` (epoch s), in order."""
        found = [s for order in self._orders(begin, end) for s in order if begin <= s.at < end]
        return sorted(found, key=lambda sending: sending.at)

    def history(self, begin: float, end: float, every: int) -> list[Sending]:
        """The same for one order of ``every``: a thinner past."""
        first, last = int(begin // SPACING_SECONDS), int(end // SPACING_SECONDS)
        orders = (self._regular(number) for number in range(first, last + 1) if number % every == 0)
        found = [s for order in orders for s in order if begin <= s.at < end]
        return sorted(found, key=lambda sending: sending.at)

    def incident(self, at: float) -> int | None:
        """The number of the incident that lasts at ``at``; None in quiet times."""
        number, inside = divmod(at - self.started - DEMO_FIRST, DEMO_EVERY)
        return int(number) if number >= 0 and inside < DEMO_LASTS else None

    # ------------------------------------------------------------------------------------------- orders
    def _orders(self, begin: float, end: float) -> Iterator[tuple[Sending, ...]]:
        first, last = int((begin - STORY_SECONDS) // SPACING_SECONDS), int(end // SPACING_SECONDS)
        yield from (self._regular(number) for number in range(first, last + 1))
        earliest = (begin - STORY_SECONDS - DEMO_LASTS - self.started - DEMO_FIRST) // DEMO_EVERY
        latest = (end - self.started - DEMO_FIRST) // DEMO_EVERY
        for number in range(max(0, int(earliest)), int(latest) + 1):
            begun = self.started + DEMO_FIRST + number * DEMO_EVERY
            for source, spacing in EXTRA_SECONDS.items():
                for extra in range(int(DEMO_LASTS / spacing)):
                    order = f"ORD-{int(self.started)}-{number}{source[-1]}{extra}"
                    yield _story(self, source, order, begun + extra * spacing)

    def _regular(self, number: int) -> tuple[Sending, ...]:
        random = Random(f"{self.seed}/{number}")
        source = random.choices((WEB, APP, TILL), (50, 30, 20))[0]
        return _story(self, source, f"ORD-{number}", (number + random.random()) * SPACING_SECONDS)


@lru_cache(maxsize=4096)
def _story(shop: Shop, source: str, order: str, at: float) -> tuple[Sending, ...]:
    """Everything that one order sends. What is bought does not depend on what goes wrong."""
    random = Random(f"{shop.seed}/{order}")
    basket: list[dict[str, Any]] = [
        {"sku": sku, "quantity": random.choice((1, 1, 1, 2, 3)), "price": price}
        for sku, price in random.sample(PRODUCTS, random.choice((1, 1, 2, 3)))
    ]
    total = round(sum(item["quantity"] * item["price"] for item in basket), 2)
    money = {"order_id": order, "amount": total, "currency": "EUR", "synthetic": True}
    customer = f"C-{10_000 + int(random.paretovariate(0.6)) % 4_000}"
    placed = {**money, "customer_id": customer, "items": basket, "country": random.choice(("DE", "AT", "NL", "FR"))}
    steps: list[tuple[str, float, dict[str, Any]]] = [(PLACED, at, placed)]
    # An order that the release broke is never confirmed, so nobody pays for it.
    if random.random() > _ABANDONED and not (source == APP and shop.incident(at) is not None):
        steps.append((PAID, at + random.uniform(3, 20), {**money, "method": random.choice(METHODS)}))
        parcel = {"order_id": order, "carrier": random.choice(CARRIERS), "parcels": 1, "synthetic": True}
        steps.append((SHIPPED, at + random.uniform(30, 90), parcel))
    correlation = f"checkout-{random.getrandbits(64):016x}"
    return tuple(
        sending
        for event_type, happened, payload in steps
        for sending in _sendings(shop, random, source, event_type, happened, payload, correlation)
    )


def _sendings(
    shop: Shop, random: Random, source: str, event_type: str, at: float, payload: dict[str, Any], correlation: str
) -> Iterator[Sending]:
    """An event with its retries, its repetition and its delay."""
    again, late, wrong, delay = (random.random() for _ in range(4))
    incident = shop.incident(at) is not None
    content = _troubled(payload, source, event_type, incident, wrong)
    tries = RETRIES if incident and source == APP and event_type == PLACED else RETRIES[:1]
    for attempt, after in enumerate(tries, 1):
        event = {
            "source": source,
            "event_type": event_type,
            "entity_id": payload["order_id"],
            "occurred_at": datetime.fromtimestamp(at + after, UTC).isoformat(timespec="milliseconds"),
            "correlation_id": correlation,
            "payload": content if attempt == 1 else {**content, "attempt": attempt},
        }
        left = at + after + 0.2 + delay + (LATE_SECONDS * (1.2 + 2 * delay) if late < _LATE else 0.0)
        yield Sending(left, event)
        if again < _DUPLICATES:
            yield Sending(left + 1 + 3 * delay, event)


def _troubled(payload: dict[str, Any], source: str, event_type: str, incident: bool, wrong: float) -> dict[str, Any]:
    """The payload as it really leaves the shop. ``wrong`` is from 0 to 1, evenly spread over the events."""
    if incident and source == APP and event_type == PLACED:
        return {("cust_id" if name == "customer_id" else name): value for name, value in payload.items()}
    if "amount" in payload and wrong < (0.9 if incident and source == TILL else _NOT_A_NUMBER):
        return {**payload, "amount": f"{payload['amount']:.2f}".replace(".", ",")}
    return payload


# ----------------------------------------------------------------------------------------------------- sending
TICK_SECONDS: Final = 2.0
"""What is due meanwhile goes as one array: each request leaves items with the ingest's own metrics behind."""
HEADERS: Final = {"Content-Type": "application/json", "User-Agent": "pulseboard-orders (synthetic)"}
"""They are kept with each event, so its headers say too that nobody ordered anything."""
BATCH: Final = 100
RETRY_SECONDS: Final = 1.0
CATCH_UP_SECONDS: Final = 120.0
"""After a longer absence the stream goes on from here instead of sending all that was missed."""


class Sender:
    """Posts events on one kept connection: one by one in calm times, as arrays when several are due."""

    def __init__(self, url: str, timeout: float = 30.0) -> None:
        self._place = urlsplit(url)
        self._timeout = timeout
        self._connection: HTTPConnection | None = None

    def post(self, events: Sequence[dict[str, Any]]) -> int:
        """Sends what is due; returns how many were taken or known already. Raises OSError where nobody answers."""
        taken = 0
        for index in range(0, len(events), BATCH):
            part = events[index : index + BATCH]
            body: Any = part[0] if len(part) == 1 else part
            status, answer = self._request(json.dumps(body).encode())
            if status >= 500 or status == 429:
                raise OSError(f"the API answers {status}")
            results = answer.get("results", [answer])
            if any(_unavailable(result) for result in results):
                raise OSError("the API could not take every event")
            taken += sum("event_id" in result and "error" not in result for result in results)
        return taken

    def _request(self, body: bytes) -> tuple[int, dict[str, Any]]:
        try:
            if self._connection is None:
                self._connection = HTTPConnection(self._place.hostname or "", self._place.port, timeout=self._timeout)
            self._connection.request("POST", "/ingest", body, HEADERS)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise OSError(f"the API does not answer: {error!r}") from error

    def close(self) -> None:
        """Ends the connection; the next post makes another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _unavailable(result: dict[str, Any]) -> bool:
    error = result.get("error")
    return isinstance(error, dict) and error.get("code") == "unavailable"


def stream(
    shop: Shop,
    post: Callable[[Sequence[dict[str, Any]]], int],
    say: Callable[[str], None],
    *,
    clock: Callable[[], float] = time.time,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Sends what is due until it is interrupted. What could not be sent is due again: its ids stay the same."""
    sent_until = clock()
    failing = False
    while True:
        now = clock()
        begin = max(sent_until, now - CATCH_UP_SECONDS)
        try:
            if due := [sending.event for sending in shop.between(begin, now)]:
                post(due)
        except OSError as error:
            if not failing:
                say(f"orders wait: {error}")
            failing = True
            wait(RETRY_SECONDS)
            continue
        if failing:
            say("orders are sent again")
            failing = False
        sent_until = now
        wait(TICK_SECONDS)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Streams until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=os.environ.get("PULSEBOARD_API_URL"), help="where POST /ingest is")
    parser.add_argument("--started", type=float, default=time.time(), help="epoch seconds the incidents count from")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    stream(Shop(arguments.seed, arguments.started), Sender(arguments.url).post, _say)


if __name__ == "__main__":
    main()
