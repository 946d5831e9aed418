"""Preparing an adapter: checks that its programs are there and runs its `prepare` commands if they are due.

A stamp in the folder says what was prepared, a log holds the commands' output, and a lock file lets one run
at a time prepare; `inputs` says what the stamp holds of files. A missing program or a failed command is an
`InputError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from waitproof.adapter.command import without_ci
from waitproof.adapter.folder import AdapterSpec, resolve_argv
from waitproof.adapter.inputs import GENERATED_FILES, digests
from waitproof.errors import InputError, Mistake
from waitproof.guardian import guard, release
from waitproof.signals import on_termination
from waitproof.text import plural, shorten

__all__ = ["prepare"]

_STAMP_NAME, _LOG_NAME, _LOCK_NAME = GENERATED_FILES
_FIRST = "it was not prepared before"
_COMMAND_LIMIT_S = 15 * 60.0  # a first Maven or Gradle build downloads a lot
_TAIL_BYTES = 16 * 1024
_TAIL_LINES = 15
_SHOWN_CHARS = 100


def prepare(
    spec: AdapterSpec,
    on_progress: Callable[[str], None],
    *,
    again: bool = False,
    limit_s: float = _COMMAND_LIMIT_S,
) -> None:
    """Check that an adapter's programs are there, and run its `prepare` commands if anything has changed.

    Two runs that prepare one folder at once take turns, and the second one finds it done.

    Args:
        spec: The adapter.
        on_progress: Called with one line before anything that may take long, and where nothing is done.
        again: Run the commands although nothing has changed.
        limit_s: How long each command may run, in seconds.

    Raises:
        InputError: A program is missing, or a command failed; the message has the end of its output.
    """
    missing = [
        Mistake(str(spec.folder), f"'{need.program}' is not on PATH; to get it: {need.get}")
        for need in spec.needs
        if shutil.which(need.program) is None
    ]
    if missing:
        raise InputError(missing)
    if not spec.prepare:
        return
    if not again and not _what_changed(spec):
        on_progress(f"{spec.folder}: prepared earlier; --prepare repeats it")
        return
    try:
        with _locked(spec, on_progress, limit_s * len(spec.prepare)):
            if reason := "--prepare" if again else _what_changed(spec):
                _prepare(spec, on_progress, reason, limit_s)
    except OSError as error:
        raise InputError(Mistake(str(spec.folder), f"the folder cannot be prepared: {error}")) from None


def _what_changed(spec: AdapterSpec) -> str:
    """Return why an adapter must be prepared, "" if it need not be."""
    file = spec.folder / _STAMP_NAME
    stamp: object = None
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if file.is_file():
            stamp = json.loads(file.read_bytes())
    if not isinstance(stamp, dict):
        return _FIRST
    program = resolve_argv(spec.command, spec.folder)[0]
    if "/" in program and not Path(program).exists():
        return f"{program} is missing"
    facts = _facts(spec)
    changed = [name for name in {**facts, **stamp} if facts.get(name) != stamp.get(name)]
    if not changed:
        return ""
    name = changed[0]
    what = "is new" if name not in stamp else "is gone" if name not in facts else "has changed"
    more = f", and {plural(len(changed) - 1, 'other change')}" if len(changed) > 1 else ""
    return f"{name} {what}{more}"


def _facts(spec: AdapterSpec) -> dict[str, str]:
    """Return everything known that the result of `prepare` depends on, by what messages call it."""
    others = {
        "its place": str(spec.folder.absolute()),  # a virtual environment cannot be moved
        "'needs'": json.dumps([dataclasses.astuple(need) for need in spec.needs]),
        "'prepare'": json.dumps(spec.prepare),
        "waitproof's Python": f"{sys.version} {sys.executable}",
    }
    return {**others, **digests(spec)}


@contextlib.contextmanager
def _locked(spec: AdapterSpec, on_progress: Callable[[str], None], limit_s: float) -> Iterator[None]:
    """Hold the folder's lock file; the lock ends with this process, and no command inherits it."""
    lock = FileLock(spec.folder / _LOCK_NAME)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_progress(f"{spec.folder}: waiting for another run that prepares it")
            lock.acquire(timeout=limit_s)
    except Timeout:
        fact = f"another run has been preparing the folder for more than {limit_s:g} s"
        raise InputError(Mistake(str(spec.folder), fact, fix="end that run, then try again")) from None
    try:
        yield
    finally:
        lock.release()


def _prepare(spec: AdapterSpec, on_progress: Callable[[str], None], reason: str, limit_s: float) -> None:
    stamp = spec.folder / _STAMP_NAME
    if reason != _FIRST:
        on_progress(f"{spec.folder}: prepared again: {reason}")
    stamp.unlink(missing_ok=True)  # from here to the end the folder is half prepared
    with (spec.folder / _LOG_NAME).open("wb") as log:
        for command in spec.prepare:
            argv = resolve_argv(command, spec.folder)
            on_progress(f"{spec.folder}: {shlex.join(command)}")
            log.write(f"$ {shlex.join(argv)}\n".encode("utf-8", "backslashreplace"))
            log.flush()
            problem = _run(argv, spec.folder, log, limit_s)
            if problem:
                raise InputError(_failed(spec.folder, command, problem))
    new = stamp.with_name(f"{_STAMP_NAME}.new")
    new.write_text(
        json.dumps(_facts(spec), indent=1) + "\n", encoding="utf-8"
    )  # what `prepare` has made is in it
    new.replace(stamp)


def _run(argv: tuple[str, ...], folder: Path, log: BinaryIO, limit_s: float) -> str:
    """Run one command and return what went wrong, "" if nothing."""
    signals: list[None] = []
    try:
        with on_termination(lambda: signals.append(None)):  # while nobody has the process to kill it
            process = subprocess.Popen(
                argv,
                cwd=folder,
                env=without_ci(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            guard(process.pid)
    except (OSError, ValueError) as error:
        return f"cannot be started: {error}"
    try:
        if signals:
            raise KeyboardInterrupt  # noqa: TRY301 - as if it had come while we wait
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"took more than {limit_s:g} s and was ended"
    except BaseException:  # an interrupt: the command is in another session and did not get the signal
        _kill(process)
        raise
    finally:
        release(process.pid)
    return f"failed with exit code {code}" if code else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failed(folder: Path, command: tuple[str, ...], problem: str) -> Mistake:
    log = folder / _LOG_NAME
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
    shown = (
        "".join(char if char.isprintable() else " " for char in shorten(line, _SHOWN_CHARS)) for line in lines
    )
    return Mistake(
        str(folder),
        f"`{shlex.join(command)}` {problem}",
        found="\n            ".join(shown),
        fix=f"run it by hand in {folder}; its whole output is in {log}",
    )
