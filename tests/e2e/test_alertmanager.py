"""Debian's Alertmanager as a real sender: what fires and resolves there arrives as signals of the same alert."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sns import sns_backends

from backend.alerts.parsing import read
from backend.contract.alerts import Signal, fingerprint
from backend.events.api import build
from backend.local.api_server import ApiServer
from backend.local.engine import free_port
from tests.backend.events.ingest_world import World, running_world
from tests.loggers import fresh_logger

UNPACKED = Path(__file__).parents[2] / "build" / "alertmanager" / "usr" / "bin" / "prometheus-alertmanager"
PROGRAM = shutil.which("prometheus-alertmanager") or (str(UNPACKED) if UNPACKED.exists() else None)
CONFIG = """
route:
  receiver: pulseboard
  group_by: [alertname]
  group_wait: 50ms
  group_interval: 200ms
receivers:
  - name: pulseboard
    webhook_configs:
      - {{url: "{url}/alerts", send_resolved: true, max_alerts: {most}}}
"""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as made:
        made.now = time.time()
        yield made


@pytest.fixture(scope="module")
def alertmanager(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Alertmanager that sends its webhooks to the API."""
    if PROGRAM is None:
        pytest.skip("prometheus-alertmanager is not here: tests/e2e/alertmanager.sh fetches it from Debian's archive")
    directory = tmp_path_factory.mktemp("alertmanager")
    handle = build(world.settings, world.clients(), fresh_logger(world.log))
    with ApiServer(0, handle) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        config = directory / "alertmanager.yml"
        config.write_text(CONFIG.format(url=f"http://127.0.0.1:{server.port}", most=2), "utf-8")
        url = f"http://127.0.0.1:{(port := free_port())}"
        command = [PROGRAM, f"--config.file={config}", f"--storage.path={directory}",
                   f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]  # fmt: skip
        log = (directory / "log").open("wb")
        with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                eventually(lambda: answers(url))
                yield url
            finally:
                process.terminate()
        server.shutdown()


def answers(url: str) -> bool:
    with suppress(requests.ConnectionError):
        return requests.get(f"{url}/-/ready", timeout=2).ok
    return False


def eventually(look: Callable[[], Any], seconds: float = 30.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def say(url: str, *alerts: dict[str, Any]) -> None:
    requests.post(f"{url}/api/v2/alerts", json=list(alerts), timeout=5).raise_for_status()


def signals(world: World) -> list[Signal]:
    """What the alert consumer makes of everything that was published."""
    topics = sns_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].topics
    messages = [sent for topic in topics.values() for sent in topic.sent_notifications]
    records = [{"messageId": str(number), "body": message[1]} for number, message in enumerate(messages)]
    found = (read(record, world.settings.catalogue, "production", time.time()) for record in records)
    return [signal for signal in found if signal is not None]


def test_what_fires_and_resolves_there_is_one_alert_here(alertmanager: str, world: World) -> None:
    labels = {"alertname": "DiskFull", "severity": "page", "instance": "db-1", "environment": "staging"}
    begun = datetime.now(UTC) - timedelta(seconds=30)
    alert = {"labels": labels, "annotations": {"summary": "Disk of db-1 is full"}, "startsAt": begun.isoformat(),
             "generatorURL": "http://prometheus.example/graph"}  # fmt: skip
    say(alertmanager, alert)
    (firing,) = eventually(lambda: [s for s in signals(world) if s.rule == "alertmanager:DiskFull"])
    theirs = requests.get(f"{alertmanager}/api/v2/alerts", timeout=5).json()[0]["fingerprint"]
    assert (firing.state, firing.severity, firing.title) == ("firing", "CRITICAL", "Disk of db-1 is full")
    assert firing.fingerprint == fingerprint("alertmanager", theirs)
    assert firing.environment == "staging"
    assert firing.at == pytest.approx(begun.timestamp(), abs=0.01)

    say(alertmanager, {**alert, "endsAt": datetime.now(UTC).isoformat()})
    resolved = eventually(lambda: [s for s in signals(world) if s.state == "resolved"])[0]
    assert (resolved.fingerprint, resolved.at > firing.at) == (firing.fingerprint, True)


def test_a_group_that_alertmanager_cuts_says_that_there_is_more(alertmanager: str, world: World) -> None:
    storm = [{"labels": {"alertname": "Storm", "severity": "warning", "instance": f"web-{n}"}} for n in range(5)]
    say(alertmanager, *storm)
    told = eventually(lambda: [s for s in signals(world) if s.rule == "alertmanager:truncated"])[0]
    assert (told.title, told.severity) == ("Alertmanager left out 3 alerts of a group", "MEDIUM")
    assert len({s.fingerprint for s in signals(world) if s.rule == "alertmanager:Storm"}) == 2


def test_every_webhook_was_taken(alertmanager: str, world: World) -> None:
    metrics = requests.get(f"{alertmanager}/metrics", timeout=5).text
    failed = [line for line in metrics.splitlines() if line.startswith("alertmanager_notifications_failed_total{")]
    assert sum(float(line.split()[-1]) for line in failed) == 0
    assert not [line for line in world.logged() if line["level"] == "ERROR"], json.dumps(world.logged()[-1])
