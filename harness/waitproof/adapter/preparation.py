"""Preparing an adapter: checks that its programs are there and runs its `prepare` commands, once.

A stamp in the folder says what was prepared, a log holds the commands' output, and a lock file lets one run
at a time prepare. A missing program or a failed command is an `InputError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from waitproof.adapter.folder import FILE_NAME, AdapterSpec, resolve_argv
from waitproof.errors import InputError, Mistake
from waitproof.guardian import guard, release
from waitproof.signals import on_termination

__all__ = ["GENERATED_FILES", "prepare"]

_MADE = {".git", ".venv", "__pycache__", "node_modules"}  # in a folder of inputs: not what people write
_STAMP_NAME = ".prepared"
_LOG_NAME = ".prepare.log"
_LOCK_NAME = ".prepare.lock"
GENERATED_FILES = (_STAMP_NAME, _LOG_NAME, _LOCK_NAME)
_COMMAND_LIMIT_S = 15 * 60.0  # a first Maven or Gradle build downloads a lot
_TAIL_BYTES = 16 * 1024
_TAIL_LINES = 15
_SHOWN_CHARS = 100


def prepare(
    spec: AdapterSpec, on_progress: Callable[[str], None], *, limit_s: float = _COMMAND_LIMIT_S
) -> None:
    """Check that an adapter's programs are there, and run its `prepare` commands if anything has changed.

    Two runs that prepare one folder at once take turns, and the second one finds it done.

    Args:
        spec: The adapter.
        on_progress: Called with one line before anything that may take long.
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
    if not spec.prepare or _is_prepared(spec):
        return
    try:
        with _locked(spec, on_progress, limit_s * len(spec.prepare)):
            if not _is_prepared(spec):
                _prepare(spec, on_progress, limit_s)
    except OSError as error:
        raise InputError(Mistake(str(spec.folder), f"the folder cannot be prepared: {error}")) from None


def _is_prepared(spec: AdapterSpec) -> bool:
    try:
        file = spec.folder / _STAMP_NAME
        stamp = file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError):
        stamp = ""
    program = resolve_argv(spec.command, spec.folder)[0]
    return stamp == _fingerprint(spec) and ("/" not in program or Path(program).exists())


def _fingerprint(spec: AdapterSpec) -> str:
    """Return a digest of everything known that the result of `prepare` depends on."""
    facts = {
        "folder": str(spec.folder.absolute()),  # a virtual environment cannot be moved
        "needs": [dataclasses.astuple(need) for need in spec.needs],
        "prepare": spec.prepare,
        "python": [sys.version, sys.executable],
        "inputs": {name: _digest(spec.folder, name) for name in spec.inputs},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(folder: Path, name: str) -> str:
    """Return the digest of a file, or of all files in a folder but those that its tools make."""
    try:
        top = folder / name
        if not top.is_dir():
            return _content(top)
        digest = hashlib.sha256()
        for parent, folders, files in os.walk(top):
            folders[:] = sorted(set(folders) - _MADE)
            for each in sorted(files):
                file = Path(parent, each)
                digest.update(f"{file.relative_to(top)}\0".encode(errors="surrogateescape"))
                digest.update(_content(file).encode())
        return digest.hexdigest()
    except (OSError, ValueError) as error:  # a ValueError where the name holds a NUL
        fact = f"its input '{name}' cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(Mistake(str(folder / FILE_NAME), fact, fix="correct 'inputs'")) from None


def _content(file: Path) -> str:
    """Return the digest of a file; reading a device or a FIFO may never end, so that is an OSError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


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


def _prepare(spec: AdapterSpec, on_progress: Callable[[str], None], limit_s: float) -> None:
    stamp = spec.folder / _STAMP_NAME
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
    new.write_text(_fingerprint(spec), encoding="utf-8")
    new.replace(stamp)


def _run(argv: tuple[str, ...], folder: Path, log: BinaryIO, limit_s: float) -> str:
    """Run one command and return what went wrong, "" if nothing."""
    signals: list[None] = []
    try:
        with on_termination(lambda: signals.append(None)):  # while nobody has the process to kill it
            process = subprocess.Popen(
                argv,
                cwd=folder,
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
    shown = ("".join(char if char.isprintable() else " " for char in line[:_SHOWN_CHARS]) for line in lines)
    return Mistake(
        str(folder),
        f"`{shlex.join(command)}` {problem}",
        found="\n            ".join(shown),
        fix=f"run it by hand in {folder}; its whole output is in {log}",
    )
