"""Where the elements of a JSON array begin and end, found in a stream without holding or decoding it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_OUTER: Final = re.compile(rb'["\[\]{},]')
_INNER: Final = re.compile(rb'["\[\]{}]')
_QUOTED: Final = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_FLAT: Final = rb'\{(?:[^{}\[\]"]++|' + _QUOTED + rb")*+\}"
_SAMPLE: Final = re.compile(rb'\{(?:[^{}\[\]"]++|' + _QUOTED + rb"|" + _FLAT + rb")*+\}", re.DOTALL)
"""A whole element such as most samples are: an object that holds at most flat objects. One match skips it."""
_STRING: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)


class ArrayScanner:
    """Fed with an array's bytes in chunks of any size, it gives the offsets of the commas between its elements.

    ``opened`` and ``closed`` are the offsets of the brackets once they were met. It counts brackets and skips strings
    and checks nothing else: what lies between two commas may still be invalid JSON.
    """

    def __init__(self, *, opened: bool = False) -> None:
        """``opened`` starts inside the array: the bytes are elements without their opening bracket."""
        self.opened: int | None = -1 if opened else None
        self.closed: int | None = None
        self._depth = 1 if opened else 0
        self._in_string = False
        self._offset = 0
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[int]:
        """Offsets (from the stream's start) of the commas between elements that this chunk holds."""
        chunk = self._rest + chunk
        base = self._offset - len(self._rest)
        self._offset = base + len(chunk)
        self._rest = b""
        position = 0
        while self.closed is None and position < len(chunk):
            if self._in_string:
                position = self._leave_string(chunk, position)
                continue
            token = (_OUTER if self._depth <= 1 else _INNER).search(chunk, position)
            if token is None:
                return
            position = token.end()
            if self._depth == 1 and token[0] == b"{" and (whole := _SAMPLE.match(chunk, token.start())):
                position = whole.end()
                continue
            match token[0]:
                case b'"':
                    self._in_string = True
                case b",":
                    if self._depth == 1:
                        yield base + token.start()
                case b"[" | b"{":
                    self._open(base + token.start())
                case _:
                    self._close(base + token.start())

    def _leave_string(self, chunk: bytes, position: int) -> int:
        """The position behind the string's closing quote; a backslash that ends the chunk waits for the next one."""
        end = _STRING.match(chunk, position).end()  # type: ignore[union-attr]
        if end == len(chunk):
            return end
        if chunk[end] == 0x5C:
            self._rest = chunk[end:]
            return len(chunk)
        self._in_string = False
        return end + 1

    def _open(self, offset: int) -> None:
        if self._depth == 0 and self.opened is None:
            self.opened = offset
        self._depth += 1

    def _close(self, offset: int) -> None:
        self._depth -= 1
        if self._depth <= 0:
            self.closed = offset
