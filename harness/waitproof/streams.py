"""The program's stdin, stdout and stderr, which may be closed, full, or without a reader: no print fails.

`guard_streams` comes first in the program, so that nothing else has to think of it. What was lost is known at
the end (`lost_output`): a reader that has gone away wanted no more, but a full disk is a mistake to report.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import Any, TextIO, cast

from waitproof.errors import why

__all__ = ["guard_streams", "lost_output"]


class _Output(io.FileIO):
    """A descriptor whose writes never fail; what cannot be written is discarded."""

    error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write some of the data, and return how much is done with."""
        try:
            while (written := super().write(data)) is None:  # another program made the pipe non-blocking
                waiting = select.poll()
                waiting.register(self, select.POLLOUT)
                waiting.poll()
        except OSError as error:
            self.error = self.error or error
            return len(data)
        return written


def guard_streams() -> None:
    """Replace the standard streams by ones that nothing can break.

    A descriptor that is closed is opened on the null device: the next file or socket would get its number,
    and what is printed would go there.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - open as long as the program
    sys.stdout = _guarded(sys.stdout, 1)
    sys.stderr = _guarded(sys.stderr, 2)


def lost_output() -> str:
    """Return why some of what was printed to stdout was lost, "" if it was not or if its reader has gone."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, _Output) else None
    return "" if error is None or error.errno == errno.EPIPE else why(error)


def _guarded(stream: TextIO | None, descriptor: int) -> TextIO:
    if stream is not None:
        stream.flush()
    raw = _Output(descriptor, "wb", closefd=False)
    return io.TextIOWrapper(
        cast("Any", io.BufferedWriter)(raw),
        encoding=None if stream is None else stream.encoding,
        errors="backslashreplace",  # a terminal that only knows ASCII is no reason to give up
        line_buffering=descriptor == 2 or raw.isatty(),
    )
