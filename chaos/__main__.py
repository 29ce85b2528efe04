"""``python -m chaos``: every dependency at fault in turn, every process killed, and the table of what came of it.

Exit code 1 when anything was lost or doubled.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from backend.aws import Clients
from backend.contract.errors import InvalidInput
from chaos.campaign import Campaign, Case, Result
from chaos.faults import KINDS, SERVICES
from chaos.ledger import Ledger
from chaos.product import KILLED, Product
from chaos.report import PAGE, line, render, write
from chaos.senders import Senders, Target
from chaos.viewers import Viewers

SECONDS: Final = 60.0
WARM_SECONDS: Final = 45.0
"""Before the first fault: every page has been drawn from data by then."""


def cases(only: Sequence[str]) -> list[Case]:
    """All cases, or those whose name begins with one of ``only``. Raises InvalidInput for a word that names none."""
    every = [Case(service, kind) for service in SERVICES for kind in KINDS]
    every += [Case(name, "killed") for name in KILLED]
    for word in only:
        if not any(str(case).startswith(word) for case in every):
            raise InvalidInput("only", word, f"names no case; there are {', '.join(map(str, every))}")
    return [case for case in every if not only or any(str(case).startswith(word) for word in only)]


def run(given: argparse.Namespace) -> int:
    """The whole campaign; the exit code."""
    wanted, started = cases(given.only), time.time()
    target, ledger, results = Target(), Ledger(), list[Result]()
    threading.Thread(target=target.serve_forever, args=(0.05,), daemon=True).start()
    say("Starting the product with the proxy between it and what it depends on")
    with Product(given.directory, target.url) as product:
        os.environ.update({name: value for name, value in product.environment.items() if name.startswith("AWS_")})
        senders = Senders(ledger, product.api_url, Clients(product.settings.region).s3, product.settings.bucket)
        viewers = Viewers(product.url)
        campaign = Campaign(product, target, ledger, senders, viewers, say)
        senders.start()
        viewers.start()
        time.sleep(WARM_SECONDS)
        for number, case in enumerate(wanted, 1):
            if case.target == "redis" and not product.redis.program:
                say(f"[{number}/{len(wanted)}] {case}: left out, there is no redis-server or no Python client for it")
                continue
            results.append(campaign.run(case, given.seconds))
            say(f"[{number}/{len(wanted)}] {line(results[-1])}")
        senders.stop()
        viewers.stop()
    text = render(results, given.seconds, started, time.time())
    print(text)
    if given.write:
        write(PAGE, text)
    return 0 if results and all(result.even for result in results) else 1


def say(text: str) -> None:
    """One line of progress."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Reads the command line and runs."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each fault")
    parser.add_argument(
        "--only", action="append", default=[], help="cases by the beginning of their names: dynamodb/slow"
    )
    parser.add_argument("--write", action="store_true", help=f"render the table into {PAGE}")
    parser.add_argument("--directory", type=Path, default=Path("build/chaos"), help="the product's files and logs")

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(130)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        sys.exit(run(parser.parse_args()))
    except InvalidInput as problem:
        sys.exit(f"chaos: {problem}")


if __name__ == "__main__":
    main()
