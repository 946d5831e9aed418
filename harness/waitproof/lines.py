"""Lines out of a stream of bytes, in bounded memory whatever comes: each line, or the few that say most."""

from __future__ import annotations

import collections
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from waitproof.text import shorten

__all__ = ["MAX_LINE_BYTES", "MAX_TAIL_LINES", "Digest", "LineSplitter", "LineTooLongError", "Tail"]

MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_TAIL_LINES = 200
MAX_TAIL_CHARS = 2000  # kept of each line of a tail, which is only shown to people
SHOWN_BYTES = 1000  # of a line that is too long, for the message
_WARNING = re.compile("warning|deprecat|never awaited|MaxListeners", re.IGNORECASE)


class LineTooLongError(Exception):
    """The child wrote a line that is longer than allowed; `start` is how it begins."""

    def __init__(self, limit_bytes: int, start: bytes) -> None:
        super().__init__(f"a line on stdout is longer than {limit_bytes} bytes")
        self.limit_bytes = limit_bytes
        self.start = start


class LineSplitter:
    """Splits a stream of chunks into lines, and never holds more than one line's limit and one chunk."""

    def __init__(self, limit_bytes: int = MAX_LINE_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield every line that this chunk completes, without its LF; exhaust it before the next chunk.

        Raises:
            LineTooLongError: A line is longer than the limit; the lines before it have been yielded.
        """
        head, *others = chunk.split(b"\n")
        self._rest += head
        for other in others:
            self._check()
            line, self._rest = bytes(self._rest), bytearray(other)
            yield line
        self._check()

    @property
    def rest(self) -> bytes:
        """What came after the last LF."""
        return bytes(self._rest)

    def _check(self) -> None:
        if len(self._rest) > self._limit_bytes:
            start = bytes(self._rest[:SHOWN_BYTES])
            self._rest = bytearray()
            raise LineTooLongError(self._limit_bytes, start)


@dataclass(frozen=True)
class Digest:
    """How much a stream had, in short; blank lines are ignored.

    Attributes:
        lines: How many lines.
        first: The first of them, "" if there is none.
        first_warning: The first that looks like a warning, "" if none does.
    """

    lines: int = 0
    first: str = ""
    first_warning: str = ""

    def __add__(self, later: Digest) -> Digest:
        """Return the digest of this stream followed by another."""
        return Digest(
            self.lines + later.lines, self.first or later.first, self.first_warning or later.first_warning
        )

    def with_line(self, line: str) -> Digest:
        """Return the digest of this stream with one more line."""
        if not line.strip():
            return self
        is_warning = not self.first_warning and _WARNING.search(line) is not None
        return self + Digest(1, line, line if is_warning else "")


class Tail:
    """The last lines of a stream and its digest, in bounded memory whatever comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: collections.deque[str] = collections.deque(maxlen=MAX_TAIL_LINES)
        self._rest = b""
        self._digest = Digest()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        head, *others = chunk.split(b"\n")
        with self._lock:
            self._rest = _start_of(self._rest + head)
            for other in others:
                line = _text(self._rest)
                self._lines.append(line)
                self._digest = self._digest.with_line(line)
                self._rest = _start_of(other)

    def lines(self, count: int) -> tuple[str, ...]:
        """Return the last lines, the oldest first, an unfinished one included."""
        with self._lock:
            lines = (*self._lines, _text(self._rest)) if self._rest else tuple(self._lines)
        return lines[max(0, len(lines) - count) :]

    def digest(self) -> Digest:
        """Return the digest of everything so far, an unfinished line included."""
        with self._lock:
            return self._digest.with_line(_text(self._rest))


def _start_of(line: bytes) -> bytes:
    return line[: 4 * MAX_TAIL_CHARS + 4]  # at most four bytes a character, and one to show that it was cut


def _text(line: bytes) -> str:
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return shorten(text, MAX_TAIL_CHARS)
