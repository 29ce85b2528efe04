"""One case after another: a fault under load, the recovery, and the ledger's balance."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from chaos.evidence import Evidence, replayed
from chaos.faults import Kind
from chaos.ledger import FLOWS, Balance, Ledger, balance
from chaos.product import Product
from chaos.prune import prune_alerts, prune_events
from chaos.senders import Senders, Target
from chaos.viewers import Look, Seen, Viewers, judge

FRESH_SECONDS: Final = 20.0
"""Data on Health younger than this counts as fresh: sources are read each 5 s, pages each 2 s."""
RECOVER_SECONDS: Final = 240.0
SETTLE_SECONDS: Final = 240.0
"""After the load has ended: messages of killed functions come back after a minute, three times."""
KILLS: Final = 3
"""In one case."""
POLL_SECONDS: Final = 1.0
TELL_SECONDS: Final = 20.0
"""Between two lines that say what is still missing."""
LETTERS: Final = ("log-processor-dlq", "event-processor-dlq", "alert-consumer-dlq")


@dataclass(frozen=True, slots=True)
class Case:
    """``kind`` of a dependency's fault, or ``killed`` of a process of ours."""

    target: str
    kind: Kind | str

    def __str__(self) -> str:
        return f"{self.target}/{self.kind}"


@dataclass(slots=True)
class Result:
    """What became of a case. ``recovery`` is seconds from the fault's end by what recovered, None where it did not.

    ``hits`` are requests that met the fault, by what became of them. ``dead_letters`` were redriven, by queue.
    ``unwritten`` are samples that a killed agent had not yet written to its disk.
    """

    case: Case
    balances: dict[str, Balance] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    recovery: dict[str, float | None] = field(default_factory=dict)
    hits: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    probes: Mapping[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    unwritten: int = 0
    miscounted: int = 0

    @property
    def total(self) -> Balance:
        """All flows together."""
        return sum(self.balances.values(), Balance())

    @property
    def even(self) -> bool:
        """Nothing lost, nothing doubled, and the aggregates count what is there."""
        return self.total.even and not self.miscounted


class Campaign:
    """Runs cases against a product that is up, with its load. ``say`` is told how it goes."""

    def __init__(
        self, product: Product, target: Target, ledger: Ledger, senders: Senders, viewers: Viewers,
        say: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._product = product
        self._target = target
        self._ledger = ledger
        self._senders = senders
        self._viewers = viewers
        self._evidence = Evidence(product)
        self._say = say
        self._pruned = 0

    def run(self, case: Case, seconds: float) -> Result:
        """One case: load, fault for ``seconds``, recovery, balance."""
        self._ledger.close()
        self._viewers.taken()
        before, result = self._viewers.newest(), Result(case)
        began, scraped = time.time(), self._target.scrapes
        self._senders.resume()
        result.hits = self._fault(case, seconds)
        ended = time.monotonic()
        result.recovery = self._recovered(ended)
        self._senders.pause()
        self._wait(lambda: self._senders.busy == 0, RECOVER_SECONDS)
        self._settle(result, began, scraped, self._target.scrapes)
        looks, result.probes = self._viewers.taken()
        result.seen = judge(_expected(case, looks), before)
        result.refusals = self._ledger.refusals()
        counted, marked = self._evidence.aggregated()
        result.miscounted = abs(counted - marked - self._pruned)
        if result.even:
            self._prune()
        return result

    def _prune(self) -> None:
        """What is settled goes; a case that is not even leaves everything there to look at."""
        dynamodb, settings = self._product.client("dynamodb"), self._product.settings
        prune_alerts(dynamodb, settings)
        self._pruned += prune_events(dynamodb, settings, self._senders.recent())

    def _fault(self, case: Case, seconds: float) -> Mapping[str, int]:
        if case.kind == "killed":
            killed = 0
            for _ in range(KILLS):
                time.sleep(seconds / KILLS)
                killed += self._kill(case.target, seconds)
            return {"killed": killed}
        self._product.switch.set(case.target, case.kind)  # type: ignore[arg-type]
        try:
            time.sleep(seconds)
        finally:
            hits = self._product.switch.set(case.target, None)
        return hits

    def _kill(self, name: str, seconds: float) -> int:
        """A function has a worker only while it has something to do: it is caught at its next work."""
        deadline = time.monotonic() + seconds
        while not (killed := self._product.kill(name)) and time.monotonic() < deadline:
            time.sleep(0.02)
        return killed

    def _recovered(self, ended: float) -> dict[str, float | None]:
        """Seconds from ``ended`` to fresh data on Health, an event processed, an alert told: each new since then."""
        looks: dict[str, Callable[[], bool]] = {
            "pages": self._fresh,
            "event": lambda: self._event_processed(ended),
            "alert": lambda: self._alert_told(ended),
        }
        found: dict[str, float | None] = dict.fromkeys(looks)
        told = ended
        while time.monotonic() - ended < RECOVER_SECONDS and None in found.values():
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                missing = ", ".join(name for name, seconds in found.items() if seconds is None)
                self._say(f"  waiting for {missing}; queues {self._evidence.depths()}")
            for name, look in looks.items():
                if found[name] is None and look():
                    found[name] = round(time.monotonic() - ended, 1)
            time.sleep(POLL_SECONDS)
        return found

    def _fresh(self) -> bool:
        look = self._viewers.newest().get("health")
        recent = look is not None and time.time() - look.at < FRESH_SECONDS / 2
        return look is not None and recent and look.stale is None and look.age < FRESH_SECONDS

    def _event_processed(self, since: float) -> bool:
        new, items = self._ledger.accepted("events", since), self._evidence.events()
        return any(entry in items and items[entry]["status"]["S"] == "processed" for entry in new)

    def _alert_told(self, since: float) -> bool:
        new = self._ledger.accepted("slack", since)
        slack, pagerduty = self._evidence.slack(), self._evidence.pagerduty()
        return any(slack[name] and pagerduty[name] for name in new)

    def _settle(self, result: Result, began: float, first: int, last: int) -> None:
        """Waits until the ledger is even, or nothing more can come; dead letters are sent back as a person would."""

        def look() -> bool:
            result.balances, result.unwritten = self._balances(result.case, began, first, last)
            return all(entry.even for entry in result.balances.values())

        deadline, told = time.monotonic() + SETTLE_SECONDS, time.monotonic()
        while not look() and time.monotonic() < deadline:
            self._redrive(result)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                missing = ", ".join(
                    f"{flow}: {len(entry.lost)} missing, {len(entry.doubled)} doubled"
                    for flow, entry in result.balances.items()
                    if not entry.even
                )
                self._say(f"  {result.case} is not even yet ({missing}); queues {self._evidence.depths()}")
            time.sleep(POLL_SECONDS)

    def _redrive(self, result: Result) -> None:
        for queue, depth in self._evidence.depths().items():
            if queue not in LETTERS or not depth:
                continue
            words = ("replay", "dlq", "redrive", queue, "--all", "--reason", "the fault is over", "--watch")
            done = subprocess.run(
                self._product.command(*words), env=self._product.exports(), capture_output=True, text=True, timeout=120,
                check=False,
            )  # fmt: skip
            result.dead_letters[queue] = result.dead_letters.get(queue, 0) + depth
            self._say(f"  {depth} dead letters of {queue} sent back: {(done.stdout or done.stderr).strip()[-160:]}")

    def _balances(self, case: Case, began: float, first: int, last: int) -> tuple[dict[str, Balance], int]:
        """Each flow's, and how many samples a killed agent had in memory only."""
        evidence, accepted = self._evidence, {flow: self._ledger.accepted(flow) for flow in FLOWS}
        scraped = {str(number) for number in range(first + 1, last + 1)}
        written = evidence.spooled() & scraped
        unwritten = len(scraped - written) if case == Case("agent", "killed") and not evidence.waiting() else 0
        events = evidence.events()
        processed = Counter(
            {e: i["copies"] for e, i in events.items() if i["status"]["S"] == "processed" and "aggregated_in" in i}
        )
        found: Mapping[str, Mapping[str, int]] = {
            "agent": evidence.scrapes(began - 60),
            "samples": evidence.samples(began - 60),
            "quarantine": evidence.quarantine(),
            "events": processed,
            "replays": replayed(events),
            "slack": evidence.slack(),
            "pagerduty": evidence.pagerduty(),
        }
        accepted["agent"] = sorted(written if unwritten else scraped, key=int)
        return {flow: balance(accepted[flow], found[flow]) for flow in FLOWS}, unwritten

    def _wait(self, look: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not look() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS / 5)


def _expected(case: Case, looks: list[Look]) -> list[Look]:
    """The looks that count: while the dashboard itself is down nobody answers, and once it is up again a page is made
    before it is shown (503). Browsers keep what they show meanwhile."""
    return [look for look in looks if look.status not in (0, 503)] if case.target == "dashboard" else looks
