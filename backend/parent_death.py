"""A signal from the kernel for a child process whose parent is gone, also where the parent could run no code."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """What the child runs between fork and exec, as ``preexec_fn`` of ``subprocess.Popen``: ask the kernel for
    ``number`` when the parent ends, or, more exactly, the thread that made the child. None where there is no such thing
    (only Linux has it).

    Nothing is imported or allocated there beyond one C call, so threads of the parent can't have left a lock behind
    that it needs. The parent may already be gone when the call is made; then the child ends at once.
    """
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask
