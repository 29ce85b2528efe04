"""Loggers of one test alone.

``logging`` keeps a logger for as long as the process lives, with the stream it was first made with: a name used twice,
also by the ``id()`` of an object that is gone by then, would write into another test's stream.
"""

from __future__ import annotations

import itertools
from io import StringIO
from typing import IO

from aws_lambda_powertools import Logger

from backend.logs import make_logger

_numbers = itertools.count()


def fresh_logger(stream: IO[str] | None = None) -> Logger:
    """A logger nobody else writes to; without ``stream`` its lines go nowhere."""
    return make_logger(f"test-{next(_numbers)}", stream or StringIO())
