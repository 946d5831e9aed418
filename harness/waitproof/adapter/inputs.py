"""The files that the result of `prepare` depends on: what `inputs` names, else an adapter's whole folder.

Names in `inputs` are files, folders and globs, relative to the adapter's folder; they may lead out of it, as
to a checkout of the SDK. In a folder, what tools make is left out.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from waitproof.adapter.folder import BASELINE_NAME, FILE_NAME, AdapterSpec
from waitproof.errors import InputError, Mistake

__all__ = ["GENERATED_FILES", "digests", "input_files", "watched_files"]

GENERATED_FILES = (".prepared", ".prepare.log", ".prepare.lock")  # what preparing writes into the folder
_MADE = {  # folders that tools make, hidden ones aside
    "__pycache__", "bin", "build", "dist", "node_modules", "obj", "target", "venv",
}  # fmt: skip
_MADE_FILES = (".pyc", ".log")


def digests(spec: AdapterSpec) -> dict[str, str]:
    """Return a digest of each file that the result of `prepare` depends on, by its name.

    Raises:
        InputError: An input is missing or cannot be read.
    """
    found = {}
    for name in input_files(spec):
        try:
            found[name] = _digest(spec.folder / name)
        except (OSError, ValueError) as error:  # a ValueError where the name holds a NUL
            if spec.inputs:
                raise _unreadable(spec, name, error) from None
            found[name] = "unreadable"  # such as a link that leads nowhere
    return found


def input_files(spec: AdapterSpec) -> list[str]:
    """Return the names of these files, relative to the adapter's folder.

    Raises:
        InputError: An input is missing or cannot be read.
    """
    if not spec.inputs:
        own = {
            FILE_NAME,
            BASELINE_NAME,
            *GENERATED_FILES,
        }  # the stamp has `prepare` and `needs`
        if spec.baseline is not None:
            own.add(os.path.relpath(spec.baseline, spec.folder))
        return [name for name in _in_folder(spec.folder, "") if name not in own]
    return _all_named(spec, spec.inputs, "inputs")


def watched_files(spec: AdapterSpec) -> list[str]:
    """Return the names of the files that `watch` means, relative to the adapter's folder.

    Raises:
        InputError: One of them is missing or cannot be read.
    """
    for name in spec.watch:
        if not glob.has_magic(name) and not (spec.folder / name).exists():
            raise _unreadable(spec, name, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "watch")
    return _all_named(spec, spec.watch, "watch")


def _all_named(spec: AdapterSpec, inputs: Iterable[str], key: str) -> list[str]:
    names: list[str] = []
    for name in inputs:
        try:
            names += _named(spec, name)
        except OSError as error:
            raise _unreadable(spec, name, error, key) from None
    return list(dict.fromkeys(names))


def _named(spec: AdapterSpec, name: str) -> Iterator[str]:
    """Yield the files that one input means."""
    top = spec.folder / name
    if top.is_dir():
        yield from _in_folder(spec.folder, name)
    elif not glob.has_magic(name) or os.path.lexists(top):
        yield name
    else:
        made = _MADE - set(Path(name).parts)
        matches = sorted(glob.glob(name, root_dir=spec.folder, recursive=True))
        files = [each for each in matches if not made & set(Path(each).parts)]
        if not files:
            raise OSError(errno.ENOENT, "no file matches")
        yield from (each for each in files if not (spec.folder / each).is_dir())


def _in_folder(root: Path, name: str) -> Iterator[str]:
    """Yield the files below a folder, relative to the root; not what tools make there."""
    for parent, folders, files in os.walk(root / name):
        folders[:] = sorted(each for each in folders if each not in _MADE and not each.startswith("."))
        for each in sorted(files):
            if not each.endswith(_MADE_FILES):
                yield os.path.relpath(os.path.join(parent, each), root)


def _digest(file: Path) -> str:
    """Return the digest of a file; reading a device or a FIFO may never end, so that is an OSError."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError(errno.EINVAL, "it is not a file")
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unreadable(spec: AdapterSpec, name: str, error: Exception, key: str = "inputs") -> InputError:
    what = "input" if key == "inputs" else "watched file"
    fact = f"its {what} '{name}' cannot be read: {getattr(error, 'strerror', None) or error}"
    return InputError(Mistake(str(spec.folder / FILE_NAME), fact, fix=f"correct '{key}'"))
