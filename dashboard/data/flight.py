"""Single flight: however many callers want a thing at once, it is made once and shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """``do(key, make)``: the first caller makes it, callers that come meanwhile wait for the same result or error."""

    def __init__(self) -> None:
        self._flights: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def do(self, key: str, make: Callable[[], T], timeout: float | None = None) -> T:
        """The result of ``make``, made by one caller per key at a time.

        Raises what ``make`` raised, or TimeoutError for a caller that waited ``timeout`` seconds for another's.
        """
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not mine:
            return flight.result(timeout)
        try:
            flight.set_result(make())
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flights[key]
        return flight.result()
