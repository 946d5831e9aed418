"""A time of day that jumps while adapters run, so that a helper which waits by it is found.

libfaketime stands between an adapter's process and the C library: `time()` and the realtime clock jump on by
an hour again and again, while the monotonic clock, sleeps and all of the harness keep their time. The one
fact to know: it cannot do that to every language (see `_ABLE`), and an adapter of another one is not judged.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from waitproof.adapter import AdapterCommand
from waitproof.errors import InputError, Mistake

__all__ = ["jumping_clock", "reason_against", "sees_a_jump", "under_clock"]

JUMP_S = 3600  # longer than any timeout of a suite that is waited for
EVERY_S = 0.4  # so that the shortest waits of a suite see a jump
LIBRARY = "libfaketimeMT.so.1"
FOLDERS = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/lib64/faketime", "/usr/local/lib/faketime")
_FILE = "FAKETIME_TIMESTAMP_FILE"
# Where sleeps and timeouts were seen to stay as they are. Python's `time.sleep` and the JVM's break, Go does
# not ask the C library for the time, and nobody has tried the others.
_ABLE = {"php", "ruby", "javascript"}


@contextlib.contextmanager
def jumping_clock(*, jumps: bool) -> Iterator[dict[str, str]]:
    """Let the clock jump until the end of the block; yield the variables of the processes that are to see it.

    Args:
        jumps: False to leave it alone, and yield no variables.

    Raises:
        InputError: libfaketime is not installed.
    """
    if not jumps:
        yield {}
        return
    library = next((file for folder in FOLDERS for file in Path("/").glob(f"{folder[1:]}/{LIBRARY}")), None)
    if library is None:
        fix = "install it, such as with apt install libfaketime"
        raise InputError(Mistake("--clock-jump", f"{LIBRARY} of libfaketime is not on this machine", fix=fix))
    stopped = threading.Event()
    with tempfile.TemporaryDirectory(prefix="waitproof-clock-") as folder:
        file = Path(folder) / "offset"
        _set(file, 0)
        thread = threading.Thread(target=_jump, args=(file, stopped), name="jumping clock", daemon=True)
        thread.start()
        try:
            yield {
                "LD_PRELOAD": str(library),
                _FILE: str(file),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "DONT_FAKE_MONOTONIC": "1",  # as it was called before libfaketime 0.9.8
            }
        finally:
            stopped.set()
            thread.join()


def _jump(file: Path, stopped: threading.Event) -> None:
    offset_s = 0
    while not stopped.wait(EVERY_S):
        offset_s += JUMP_S  # never back: a helper must not get its right time again by chance
        _set(file, offset_s)


def _set(file: Path, offset_s: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(f"+{offset_s}\n", encoding="ascii")
    os.replace(new, file)  # no process reads half of it


def under_clock(command: AdapterCommand, clock: dict[str, str]) -> AdapterCommand:
    """Return the command of an adapter that sees the clock of these variables; none are for the real one."""
    return dataclasses.replace(command, env={**command.env, **clock})


def reason_against(command: AdapterCommand, language: str) -> str:
    """Return why an adapter cannot be judged under a clock that jumps, "" where it can or there is none."""
    if language.casefold() in _ABLE or not sees_a_jump(command):
        return ""
    return f"libfaketime is only known to work with PHP, Ruby and JavaScript, not with {language}"


def sees_a_jump(command: AdapterCommand) -> bool:
    """Say whether an adapter's time of day is not the harness's."""
    return _FILE in command.env
