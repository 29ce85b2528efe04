"""Ports, and what a process of the demo that ends at once leads to."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from backend.contract.errors import InvalidInput
from backend.local.child import Child
from backend.local.engine import HOST, free_port, port_is_free
from backend.local.processes import (
    DemoError,
    Options,
    Ports,
    Processes,
    checked_api_port,
    chosen_ports,
    places,
    wait_until_ready,
)


def test_a_port_that_was_asked_for_and_is_taken_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match="PULSEBOARD_API_PORT"):
            checked_api_port(Options(api_port=port))


def test_the_dashboards_port_is_not_the_apis() -> None:
    port = free_port()
    with pytest.raises(InvalidInput, match="is taken"):
        checked_api_port(Options(port=port, api_port=port))
    assert checked_api_port(Options(port=8051)) != 8051


def test_without_a_wish_some_free_port_is_taken() -> None:
    assert port_is_free(checked_api_port(Options()))


def test_no_two_parts_of_the_demo_get_one_port() -> None:
    for port in (8050, 8051, 8052, 8053, 8054):
        ports = chosen_ports(Options(port=port))
        assert len({port, ports.api, ports.slack, ports.pagerduty, ports.athena}) == 5


def test_a_process_that_ends_at_once_is_named_with_its_last_words(tmp_path: Path) -> None:
    def child(name: str, code: str) -> Child:
        return Child(name, [sys.executable, "-c", code], {}, tmp_path / f"{name}.log")

    stay = "import time; time.sleep(60)"
    processes = Processes(
        child("dashboard", stay), child("agent", stay), child("api", "raise SystemExit('port is taken')"),
        child("orders", stay), child("stand-ins", stay), child("jobs", stay), child("athena", stay),
    )  # fmt: skip
    for process in processes.all:
        process.start()
    try:
        ports = Ports(free_port(), free_port(), free_port(), free_port())
        with pytest.raises(DemoError, match=r"^the api ended at once \(port is taken\); see .*api\.log"):
            wait_until_ready(places(Options(port=free_port()), ports), processes.all)
    finally:
        for process in processes.all:
            process.stop()
