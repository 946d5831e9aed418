"""Errors of waitproof itself: reported in five lines, with the whole traceback in a file.

Nothing in here may fail, whatever the machine lacks: memory, disk space, descriptors.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from waitproof.errors import Mistake, WaitproofError
from waitproof.text import escape, installed_version, on_one_line, shorten

__all__ = ["errors_in", "noted_threads", "report_failure"]

DEBUG = "WAITPROOF_DEBUG"
SHOWN_CHARS = 300  # of the error's text
_SHORTAGES = {errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EAGAIN}
_PACKAGE = Path(__file__).parents[1]


def errors_in(error: BaseException) -> list[BaseException]:
    """Return the errors of a group, those of groups in it included; any other error is its only one."""
    if isinstance(error, BaseExceptionGroup):
        return [inner for each in error.exceptions for inner in errors_in(each)]
    return [error]


def report_failure(error: BaseException) -> None:
    """Report an error that nobody expected on stderr: where, what, and how to pass it on."""
    with contextlib.suppress(BaseException):
        print(escape(str(_mistake(error))), file=sys.stderr, flush=True)
        return
    with contextlib.suppress(OSError):  # no memory to say more
        os.write(2, b"waitproof: an error in waitproof itself, which cannot be described\n")


@contextlib.contextmanager
def noted_threads() -> Iterator[list[BaseException]]:
    """Report errors that end a thread of ours, and note them in this list, while the context lasts."""
    seen: list[BaseException] = []

    def note(ended: threading.ExceptHookArgs) -> None:
        error = ended.exc_value
        if error is not None and not isinstance(error, SystemExit):
            seen.append(error)
            report_failure(error)

    before, threading.excepthook = threading.excepthook, note
    try:
        yield seen
    finally:
        threading.excepthook = before


def _mistake(error: BaseException) -> Mistake:
    found = errors_in(error)
    unexpected = [each for each in found if not isinstance(each, WaitproofError)]
    first = (unexpected or found)[0]
    fact, fix = (
        "an error in waitproof itself, not in an SDK or its adapter",
        "report it to waitproof's authors",
    )
    if _is_shortage(first):
        fact = "this machine has no more memory, disk space, files or processes for waitproof"
        fix = "free some, then run it again"
    what = shorten(on_one_line(f"{type(first).__name__}: {first}"), SHOWN_CHARS)
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return Mistake(
        "waitproof",
        fact,
        found=f"{what}, in {_place(first)}{more}",
        fix=f"{fix}; {_keep(traceback.format_exception(error))}",
    )


def _is_shortage(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in _SHORTAGES
    return isinstance(error, MemoryError) or "can't start new thread" in str(error)


def _place(error: BaseException) -> str:
    """Return where an error comes from: the innermost line of ours."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)] or frames[-1:]
    if not ours:
        return "no known place"
    path = Path(ours[-1].filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else path
    return f"{shown}:{ours[-1].lineno}"


def _keep(lines: list[str]) -> str:
    """Write a traceback to a file, or print it where the variable asks for that; return where it is."""
    import platform  # noqa: PLC0415 - takes a while, and `serve` starts quickly
    import tempfile  # noqa: PLC0415

    about = f"waitproof {installed_version()}, Python {platform.python_version()}, {platform.platform()}"
    if os.environ.get(DEBUG):
        print(escape(f"{about}\n{''.join(lines)}"), end="", file=sys.stderr)
        return "the traceback is above"
    with contextlib.suppress(OSError):
        file = Path(tempfile.gettempdir(), f"waitproof-error-{time.time_ns()}.txt")
        with file.open("x", encoding="utf-8", errors="backslashreplace") as out:
            out.write(f"{about}\n{''.join(lines)}")
        return f"the traceback is in {file}"
    return f"the traceback is printed with {DEBUG}=1"
