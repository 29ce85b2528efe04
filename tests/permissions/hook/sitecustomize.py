"""Python imports this by its name at its start, when this folder is on PYTHONPATH: processes are recorded from within.

Functions are known by their own name, other programs by ``RECORD_PRINCIPAL``.
"""

import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = os.environ.get("RECORD_CALLS")
PRINCIPAL = os.environ.get("AWS_LAMBDA_FUNCTION_NAME") or os.environ.get("RECORD_PRINCIPAL")


@cache
def recorder() -> Any:
    """Made with the first call: by then a function has imported its own package, and this repository's does not
    take its place."""
    from tests.permissions.recorder import Recorder

    return Recorder(Path(str(FOLDER)), str(PRINCIPAL))


def write_down(params: Any, model: Any, **_: Any) -> None:
    """Handler of botocore's event."""
    recorder()(params, model)


if FOLDER and PRINCIPAL:
    from botocore.handlers import BUILTIN_HANDLERS

    sys.path.append(str(Path(__file__).parents[3]))
    handler: Any = ("provide-client-params", write_down)
    BUILTIN_HANDLERS.append(handler)
