"""A limit that only runs while this process does.

The one fact to know: a process that was stopped, or that got no processor, has read nothing in the meantime.
What it waits for may have come long ago, so a clock alone must not say that it never came.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Limit"]

LOOK_S = 0.5
LATE_S = 0.1


class Limit:
    """How long to wait for others, in the time that this process was there to see them.

    It is counted in looks of half a second. A look that takes longer counts as half a second, too, and the
    first late one after one in time not at all: whatever has come can still be read.

    Attributes:
        was_late: The last look took longer than it should have.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Create a limit of so many seconds, which begins with the first look."""
        self._left_s = limit_s
        self._clock = clock
        self.was_late = False

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self._left_s <= 0

    def look(self, wait: Callable[[float], object]) -> bool:
        """Wait for half a second or what is left; return whether it has come.

        Args:
            wait: Waits for as many seconds as it is passed, and returns something true once it has come.
        """
        look_s = max(0.0, min(LOOK_S, self._left_s))
        began_s = self._clock()
        if wait(look_s):
            return True
        was_late, self.was_late = self.was_late, self._clock() - began_s > look_s + LATE_S
        if was_late or not self.was_late:
            self._left_s -= look_s
        return False

    def wait(self, wait: Callable[[float], object]) -> bool:
        """Look until it has come, and return True, or until no time is left."""
        while not self.look(wait):
            if self.is_over:
                return False
        return True
