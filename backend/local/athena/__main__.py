"""The local Athena endpoint by itself: ``python -m backend.local.athena --port N``.

``AWS_ENDPOINT_URL`` says where the embedded engine is.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from backend.contract.errors import InvalidInput
from backend.local.athena.server import AthenaServer


def main() -> None:
    """Serves until SIGTERM or SIGINT. Raises InvalidInput without an engine to read from."""
    parser = argparse.ArgumentParser(prog="python -m backend.local.athena", description="Athena on this machine.")
    parser.add_argument("--port", type=int, required=True, help="port on loopback")
    port = parser.parse_args().port
    engine = os.environ.get("AWS_ENDPOINT_URL", "")
    if not engine:
        raise InvalidInput("AWS_ENDPOINT_URL", engine, "must be the embedded engine's URL")

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with TemporaryDirectory(prefix="pulseboard-athena-") as directory:
        server = AthenaServer(port, engine, Path(directory).resolve())
        try:
            server.serve_forever(poll_interval=0.1)
        finally:
            server.executions.close()


if __name__ == "__main__":
    try:
        main()
    except InvalidInput as problem:
        sys.exit(f"athena: {problem}")
