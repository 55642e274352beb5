"""Stops asking a store that does not answer, and says when it answers again."""

import threading
from collections.abc import Callable


class CircuitBreaker:
    """Opens after `threshold` failures in a row; closes on the first success.

    After Nygard, "Release It!" (2007). Whoever holds it probes while it is open, so that no
    request of a client pays for finding out.
    """

    def __init__(self, threshold: int, opened: Callable[[], None]) -> None:
        """`opened` is called once each time that it opens, outside the lock."""
        self._threshold, self._opened = threshold, opened
        self._lock = threading.Lock()
        self._failures = 0
        self._code: str | None = None

    @property
    def code(self) -> str | None:
        """Why it is open; None while it is closed."""
        return self._code

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._code = 0, None

    def failed(self, code: str) -> None:
        with self._lock:
            self._failures += 1
            opens = self._code is None and self._failures >= self._threshold
            if opens:
                self._code = code
        if opens:
            self._opened()
