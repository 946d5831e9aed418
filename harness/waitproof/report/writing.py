"""Writes files so that no report is taken for another run's, and half of one for the whole.

An edge. A command removes the reports of an earlier run first of all; a new one is written beside its place
and renamed once it is whole. The one fact to know: not every place allows that. Standard output, a device or
a FIFO is only written to, and a file whose folder is read-only, or that is a mount point, is emptied first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
from pathlib import Path

from waitproof.errors import InputError, Mistake, why

__all__ = ["is_stream", "remove_file", "target_of", "write_file"]

_STANDARD = {"-": 1, "/dev/stdout": 1, "/dev/stderr": 2}  # their descriptors
_IN_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV}  # but the file may be writable


def is_stream(path: Path) -> bool:
    """Say whether a path is standard output ("-" too), a device or a FIFO, and not a file of its own."""
    return str(path) in _STANDARD or (path.exists() and not path.is_file() and not path.is_dir())


def target_of(path: Path) -> Path:
    """Return the file that a path leads to, which need not exist.

    Raises:
        OSError: Symbolic links lead nowhere: to one another.
    """
    if not path.is_symlink():
        return path.absolute()
    try:
        return path.resolve()
    except RuntimeError:  # a loop, in Python 3.11 and 3.12
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None


def remove_file(path: Path) -> None:
    """Remove a file, or empty it where that is not allowed; a stream and what isn't there are left alone.

    Raises:
        OSError: Neither is possible.
    """
    if is_stream(path):
        return
    target = target_of(path)
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in _IN_PLACE:
            raise
        os.truncate(target, 0)


def write_file(path: Path, text: str, what: str = "report") -> None:
    """Write a file in UTF-8, all of it or nothing; half of a surrogate pair is written out.

    Args:
        path: The file; "-" is standard output.
        text: What it will hold.
        what: What that is, for the message.

    Raises:
        InputError: The file cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        if is_stream(path):
            _send(path, data)
        else:
            _replace(target_of(path), data)
    except OSError as error:
        raise InputError(Mistake(str(path), f"the {what} cannot be written: {why(error)}")) from None


def _send(path: Path, data: bytes) -> None:
    """Write to a stream; a reader that has gone away misses it."""
    with contextlib.suppress(BrokenPipeError):
        if str(path) not in _STANDARD:
            path.write_bytes(data)
            return
        sys.stdout.flush()
        with open(_STANDARD[str(path)], "wb", closefd=False) as stream:
            stream.write(data)


def _replace(target: Path, data: bytes) -> None:
    new = target.with_name(f".waitproof-{secrets.token_hex(8)}")
    try:
        with new.open("xb") as file:
            file.write(data)
        if target.exists():
            shutil.copymode(target, new)
        os.replace(new, target)
    except OSError as error:
        if error.errno not in _IN_PLACE or not target.exists():
            raise
        _overwrite(target, data)
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)


def _overwrite(target: Path, data: bytes) -> None:
    try:
        target.write_bytes(data)
    except OSError:
        os.truncate(target, 0)
        raise
