"""How much memory an adapter's answers may take, whatever it sends.

A run keeps every answer until its end, because re-runs are judged together with the first. The one fact to
know: a line takes many times its length where it is a list of small things.
"""

from __future__ import annotations

import threading

from waitproof.errors import Mistake
from waitproof.protocol import BrokenAdapterError, as_row

__all__ = ["AnswersBudget"]

_MAX_ANSWERS_BYTES = 512 * 1024 * 1024  # of memory for the answers of all processes of an adapter, about
_ITEM_BYTES = 64  # of an object, a list or a member, in addition to its text
_WIDE = 4  # bytes of a character beyond ASCII in memory, and of all others in its text


class AnswersBudget:
    """How much memory the answers of one adapter may take together: a run keeps them until its end."""

    def __init__(self, most_bytes: int = _MAX_ANSWERS_BYTES) -> None:
        self._remaining = self._most_bytes = most_bytes
        self._lock = threading.Lock()

    def take(self, line: bytes) -> None:
        """Take what an answer will need.

        Raises:
            BrokenAdapterError: There is not so much left.
        """
        items = sum(line.count(sign) for sign in (b",", b"{", b"["))
        is_narrow = line.isascii() and b"\\u" not in line
        with self._lock:
            self._remaining -= len(line) * (1 if is_narrow else _WIDE) + items * _ITEM_BYTES
            is_over = self._remaining < 0
        if is_over:
            fact = f"its answers take more than {self._most_bytes // 2**20} MiB of memory together"
            raise BrokenAdapterError(Mistake("", fact, as_row(line), "results of a few megabytes"))
