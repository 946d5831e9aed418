"""What an adapter's folder says, and making it ready to run.

`find_adapter` turns what a user typed into an `AdapterSpec`, `prepare` installs what the adapter needs, and
`AdapterSpec.launch` is the command for `adapter_process`. Nothing here starts the adapter itself. A missing
runtime or a failed installation is an `InputError`: the machine is not as it must be.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar

from pydantic import BeforeValidator, Field, StringConstraints

from waitproof.adapter.process import AdapterCommand
from waitproof.errors import InputError, Mistake, nearest
from waitproof.run.baseline import Baseline, parse_baseline
from waitproof.suite.files import read_file
from waitproof.suite.yaml import Format, Model, build, invalid, read, shown

if sys.platform != "win32":  # adapters do not run there, but this module is imported
    import fcntl

__all__ = [
    "FILE_NAME",
    "AdapterSpec",
    "Need",
    "adapters_in",
    "baseline_file",
    "find_adapter",
    "load_baseline",
    "parse_adapter",
    "prepare",
    "read_adapter",
    "unique_names",
]

FILE_NAME = "adapter.yaml"
_BASELINE_NAME = "deviations.yaml"
_STAMP_NAME = ".prepared"
_LOG_NAME = ".prepare.log"
_COMMAND_LIMIT_S = 15 * 60.0  # a first Maven or Gradle build fetches half the world
_LOCK_PAUSE_S = 0.1
_TAIL_BYTES = 16 * 1024
_TAIL_LINES = 15
_SHOWN_CHARS = 100


def _words(value: object) -> object:
    """Refuse what looks like a command; that it is a list of text is pydantic's to see."""
    if isinstance(value, str):
        fix = ""
        with contextlib.suppress(ValueError):
            fix = f"write it as a list: [{', '.join(shlex.split(value))}]"
        raise invalid(f"{shown(value)} is not a list of a program and its arguments", fix=fix)
    if not isinstance(value, list):
        return value
    if value[:1] == [""]:
        raise invalid("a command without a program", expected="[program, argument, ...]")
    return tuple(value)


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Command = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_words)]


class NeedEntry(Model):
    """A need as it is written."""

    noun: ClassVar[str] = "need"
    program: _Text
    get: _Text


class AdapterFile(Model):
    """An adapter.yaml as it is written; see `AdapterSpec`."""

    noun: ClassVar[str] = "adapter"
    format: Format
    name: _Text
    summary: _Text = ""
    needs: tuple[NeedEntry, ...] = ()
    inputs: tuple[_Text, ...] = ()
    prepare: tuple[_Command, ...] = ()
    command: _Command
    env: dict[str, str] = {}
    baseline: _Text | None = None


@dataclass(frozen=True)
class Need:
    """A program that must be there before anything is prepared, and how to get it."""

    program: str
    get: str


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter as its folder, or a command line, describes it.

    Attributes:
        folder: Its folder as the user named it, and the working directory of all its commands.
        command: The program to start and its arguments, with `{python}` still in them.
        inputs: Files, relative to the folder, after whose change it is prepared again.
        prepare: Commands to run beforehand, one after another.
        env: Variables of the adapter alone; the commands of `prepare` do not get them.
        baseline: The file of its known deviations, None when it has none.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    summary: str = ""
    needs: tuple[Need, ...] = ()
    inputs: tuple[str, ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    baseline: Path | None = None

    def launch(self) -> AdapterCommand:
        """Return the command that starts the adapter; its paths are absolute."""
        return AdapterCommand(
            self.name, _argv(self.command, self.folder), self.folder.absolute(), dict(self.env)
        )


def find_adapter(argument: str) -> AdapterSpec:
    """Return the adapter that `--adapter ARGUMENT` means: a folder with adapter.yaml, else a command.

    Raises:
        InputError: It is neither, or its adapter.yaml is wrong.
    """
    if argument and Path(argument).is_dir():
        return read_adapter(Path(argument))
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise InputError(Mistake("--adapter", f"the command cannot be read: {error}", argument)) from None
    if not words:
        fix = "--adapter FOLDER, or --adapter 'PROGRAM ARGUMENT...'"
        raise InputError(Mistake("--adapter", "it names neither a folder nor a program", fix=fix))
    if shutil.which(words[0]) is None:
        fact = "no such folder or program" if len(words) == 1 else f"no such program: '{words[0]}'"
        fix = _similar_folder(Path(argument)) if len(words) == 1 else "install it, or put it on PATH"
        raise InputError(Mistake("--adapter", fact, found=argument, fix=fix))
    return AdapterSpec(name=Path(words[0]).name, folder=Path.cwd(), command=tuple(words))


def read_adapter(folder: Path) -> AdapterSpec:
    """Read a folder's adapter.yaml.

    Raises:
        InputError: There is none, or it is wrong; every mistake of the file is in it.
    """
    file = folder / FILE_NAME
    if not os.path.lexists(file):
        inside = adapters_in(folder)
        fix = f"write {file} with at least format, name and command, or pass a command instead"
        if inside:
            fix = f"name one of those in it: {', '.join(str(each) for each in inside)}"
        raise InputError(Mistake(str(folder), f"the folder has no {FILE_NAME}", fix=fix))
    spec = parse_adapter(read_file(file), str(file))
    if spec.baseline is None:
        usual = folder / _BASELINE_NAME
        return dataclasses.replace(spec, baseline=usual) if usual.is_file() else spec
    if not spec.baseline.is_file():
        fix = f"write it, or leave the key out: {_BASELINE_NAME} is found by itself"
        raise InputError(Mistake(str(file), f"its baseline {spec.baseline} is missing", fix=fix))
    return spec


def adapters_in(folder: Path) -> list[Path]:
    """Return the adapters that lie in a folder which is none itself, as one that holds kits."""
    return sorted(file.parent for file in folder.glob(f"*/{FILE_NAME}"))


def parse_adapter(text: str, place: str) -> AdapterSpec:
    """Return what an adapter.yaml says, without looking at any other file.

    Args:
        text: The file's text.
        place: The file's path, for messages; its parent is the adapter's folder.

    Raises:
        InputError: The text is wrong; every mistake is in it, at its position.
    """
    file = build(AdapterFile, read(text, place), place)
    folder = Path(place).parent
    return AdapterSpec(
        name=file.name,
        folder=folder,
        command=file.command,
        summary=file.summary,
        needs=tuple(Need(need.program, need.get) for need in file.needs),
        inputs=file.inputs,
        prepare=file.prepare,
        env=file.env,
        baseline=None if file.baseline is None else folder / file.baseline,
    )


def baseline_file(argument: str) -> tuple[str, Path]:
    """Return an adapter's name and the file of its known deviations, which need not be there yet.

    Args:
        argument: The adapter's folder as its user typed it; a command has no place for such a file.

    Raises:
        InputError: It is no folder of an adapter.
    """
    folder = Path(argument)
    if not folder.is_dir():
        fact = "no such folder; a baseline lies in an adapter's folder"
        raise InputError(Mistake(argument, fact, fix=_similar_folder(folder)))
    if not (folder / FILE_NAME).is_file():
        read_adapter(folder)  # says why there is none
    spec = parse_adapter(read_file(folder / FILE_NAME), str(folder / FILE_NAME))
    return spec.name, spec.baseline or folder / _BASELINE_NAME


def load_baseline(spec: AdapterSpec) -> Baseline:
    """Return the known deviations of an adapter, those that have expired marked.

    Raises:
        InputError: The file is wrong.
    """
    if spec.baseline is None:
        return Baseline()
    return parse_baseline(read_file(spec.baseline), str(spec.baseline), date.today())


def unique_names(specs: Sequence[AdapterSpec]) -> list[AdapterSpec]:
    """Return the adapters under names that differ: a command given twice is `python3` and `python3-2`."""
    seen: dict[str, int] = {}
    named = []
    for spec in specs:
        seen[spec.name] = seen.get(spec.name, 0) + 1
        number = seen[spec.name]
        named.append(spec if number == 1 else dataclasses.replace(spec, name=f"{spec.name}-{number}"))
    return named


def prepare(
    spec: AdapterSpec, on_progress: Callable[[str], None], *, limit_s: float = _COMMAND_LIMIT_S
) -> None:
    """Check that an adapter's programs are there, and run its `prepare` commands unless nothing has changed.

    Two runs that prepare one folder at once do it one after the other, and the second finds it done.

    Args:
        spec: The adapter.
        on_progress: Called with one line before whatever may take long.
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


def _similar_folder(path: Path) -> str:
    if path.name == FILE_NAME and path.is_file():
        return f"name its folder: '{path.parent}'"
    with contextlib.suppress(OSError):
        return nearest(str(path), [str(file.parent) for file in path.parent.glob(f"*/{FILE_NAME}")])
    return ""


def _argv(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Fill in `{python}`, and find a program that is given by its path in the folder.

    Its links are not followed: a virtual environment is known by the link that started it.
    """
    program, *arguments = (word.replace("{python}", sys.executable) for word in words)
    if "/" in program:
        program = str(folder.absolute() / program)  # an absolute one stays as it is
    return (program, *arguments)


def _is_prepared(spec: AdapterSpec) -> bool:
    try:
        stamp = (spec.folder / _STAMP_NAME).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        stamp = ""
    program = _argv(spec.command, spec.folder)[0]
    return stamp == _fingerprint(spec) and ("/" not in program or Path(program).exists())


def _fingerprint(spec: AdapterSpec) -> str:
    """Return a digest of all that the result of `prepare` depends on, as far as it can be known."""
    facts = {
        "folder": str(spec.folder.absolute()),  # a virtual environment cannot be moved
        "needs": [dataclasses.astuple(need) for need in spec.needs],
        "prepare": spec.prepare,
        "python": [sys.version, sys.executable],
        "inputs": {name: _digest(spec.folder, name) for name in spec.inputs},
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _digest(folder: Path, name: str) -> str:
    try:
        return hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except (OSError, ValueError) as error:  # a ValueError where the name holds a NUL
        fact = f"its input '{name}' cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(Mistake(str(folder / FILE_NAME), fact, fix="correct 'inputs'")) from None


@contextlib.contextmanager
def _locked(spec: AdapterSpec, on_progress: Callable[[str], None], limit_s: float) -> Iterator[None]:
    """Hold the folder's log locked; the lock ends with this process, and no command inherits it."""
    with (spec.folder / _LOG_NAME).open("ab") as log:
        deadline = time.monotonic() + limit_s
        waited = False
        while not _lock(log):
            if not waited:
                on_progress(f"{spec.folder}: waiting for another run that prepares it")
            waited = True
            if time.monotonic() > deadline:
                fact = f"another run has been preparing the folder for more than {limit_s:g} s"
                raise InputError(Mistake(str(spec.folder), fact, fix="end that run, then try again"))
            time.sleep(_LOCK_PAUSE_S)
        yield


def _lock(file: BinaryIO) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _prepare(spec: AdapterSpec, on_progress: Callable[[str], None], limit_s: float) -> None:
    stamp = spec.folder / _STAMP_NAME
    stamp.unlink(missing_ok=True)  # from here to the end the folder is half prepared
    with (spec.folder / _LOG_NAME).open("wb") as log:
        for command in spec.prepare:
            argv = _argv(command, spec.folder)
            on_progress(f"{spec.folder}: {shlex.join(command)}")
            log.write(f"$ {shlex.join(argv)}\n".encode("utf-8", "backslashreplace"))
            log.flush()
            trouble = _run(argv, spec.folder, log, limit_s)
            if trouble:
                raise InputError(_failed(spec.folder, command, trouble))
    new = stamp.with_name(f"{_STAMP_NAME}.new")
    new.write_text(_fingerprint(spec), encoding="utf-8")
    new.replace(stamp)


def _run(argv: tuple[str, ...], folder: Path, log: BinaryIO, limit_s: float) -> str:
    """Run one command and return what went wrong, "" when nothing did."""
    try:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot be started: {error}"
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"took more than {limit_s:g} s and was ended"
    except BaseException:  # Ctrl-C: the command has a session of its own and did not hear it
        _kill(process)
        raise
    return f"failed with exit code {code}" if code else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _failed(folder: Path, command: tuple[str, ...], trouble: str) -> Mistake:
    log = folder / _LOG_NAME
    lines = log.read_bytes()[-_TAIL_BYTES:].decode("utf-8", "replace").splitlines()[-_TAIL_LINES:]
    shown = ("".join(char if char.isprintable() else " " for char in line[:_SHOWN_CHARS]) for line in lines)
    return Mistake(
        str(folder),
        f"`{shlex.join(command)}` {trouble}",
        found="\n            ".join(shown),
        fix=f"run it by hand in {folder}; its whole output is in {log}",
    )
