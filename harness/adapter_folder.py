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
from typing import Any, BinaryIO

import yaml

from harness.adapter_process import AdapterCommand
from harness.baseline import Baseline, parse_baseline
from harness.errors import InputError, Mistake, nearest
from harness.suite import read_file

if sys.platform != "win32":  # adapters do not run there, but this module is imported
    import fcntl

__all__ = [
    "AdapterSpec",
    "Need",
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
_FORMAT = 1
_MAX_FILE_BYTES = 512 * 1024
_COMMAND_LIMIT_S = 15 * 60.0  # a first Maven or Gradle build fetches half the world
_LOCK_PAUSE_S = 0.1
_TAIL_BYTES = 16 * 1024
_TAIL_LINES = 15
_SHOWN_CHARS = 100

_KEYS = ("format", "name", "summary", "needs", "inputs", "prepare", "command", "env", "baseline")


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
        mend = "--adapter FOLDER, or --adapter 'PROGRAM ARGUMENT...'"
        raise InputError(Mistake("--adapter", "it names neither a folder nor a program", mend=mend))
    if shutil.which(words[0]) is None:
        fact = "no such folder or program" if len(words) == 1 else f"no such program: '{words[0]}'"
        mend = _similar_folder(Path(argument)) if len(words) == 1 else "install it, or put it on PATH"
        raise InputError(Mistake("--adapter", fact, found=argument, mend=mend))
    return AdapterSpec(name=Path(words[0]).name, folder=Path.cwd(), command=tuple(words))


def read_adapter(folder: Path) -> AdapterSpec:
    """Read a folder's adapter.yaml.

    Raises:
        InputError: There is none, or it is wrong; every mistake of the file is in it.
    """
    file = folder / FILE_NAME
    try:
        if file.stat().st_size > _MAX_FILE_BYTES:
            raise InputError(Mistake(str(file), f"the file is over {_MAX_FILE_BYTES // 1024} KiB"))
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        mend = f"write {file} with at least format, name and command, or pass a command instead"
        raise InputError(Mistake(str(folder), f"the folder has no {FILE_NAME}", mend=mend)) from None
    except UnicodeDecodeError as error:
        raise InputError(Mistake(str(file), f"the file is not UTF-8: {error.reason}")) from None
    except OSError as error:
        raise InputError(Mistake(str(file), f"the file cannot be read: {error.strerror}")) from None
    spec = parse_adapter(text, str(file))
    if spec.baseline is None:
        usual = folder / _BASELINE_NAME
        return dataclasses.replace(spec, baseline=usual) if usual.is_file() else spec
    if not spec.baseline.is_file():
        mend = f"write it, or leave the key out: {_BASELINE_NAME} is found by itself"
        raise InputError(Mistake(str(file), f"its baseline {spec.baseline} is missing", mend=mend))
    return spec


def parse_adapter(text: str, place: str) -> AdapterSpec:
    """Return what an adapter.yaml says, without looking at any other file.

    Args:
        text: The file's text.
        place: The file's path, for messages; its parent is the adapter's folder.

    Raises:
        InputError: The text is wrong; every mistake is in it, in the order of the documented keys.
    """
    reader = _Reader(place)
    spec = reader.spec(_load(text, place))
    if reader.mistakes or spec is None:
        raise InputError(reader.mistakes)
    return spec


def load_baseline(spec: AdapterSpec) -> Baseline:
    """Return the deviations that excuse an adapter's verdicts today.

    Raises:
        InputError: The file is wrong, or one of them has expired.
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
    missing = [need for need in spec.needs if shutil.which(need.program) is None]
    if missing:
        raise InputError(
            [
                Mistake(str(spec.folder), f"'{need.program}' is not on PATH; to get it: {need.get}")
                for need in missing
            ]
        )
    if not spec.prepare or _is_prepared(spec):
        return
    try:
        with _locked(spec, on_progress, limit_s * len(spec.prepare)):
            if not _is_prepared(spec):
                _prepare(spec, on_progress, limit_s)
    except OSError as error:
        raise InputError(Mistake(str(spec.folder), f"the folder cannot be prepared: {error}")) from None


class _Reader:
    """Checks the value of an adapter.yaml and collects its mistakes."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.mistakes: list[Mistake] = []

    def spec(self, raw: object) -> AdapterSpec | None:
        if not isinstance(raw, dict):
            self._wrong("the file is no mapping", raw, expected="keys and values: format, name, command, ...")
            return None
        self._known(raw, _KEYS, "an adapter")
        if "format" not in raw:
            self._wrong("'format' is missing", expected=f"format: {_FORMAT}")
        elif type(raw["format"]) is not int or raw["format"] != _FORMAT:
            mend = "use the waitproof that this adapter was written for"
            self._wrong("its format is unknown", raw["format"], expected=f"format: {_FORMAT}", mend=mend)
        folder = Path(self.place).parent
        baseline = self._text(raw, "baseline")
        return AdapterSpec(
            name=self._text(raw, "name", required=True),
            folder=folder,
            summary=self._text(raw, "summary"),
            needs=tuple(self._need(item) for item in self._list(raw, "needs")),
            inputs=tuple(self._item(item, "inputs") for item in self._list(raw, "inputs")),
            prepare=tuple(
                self._command(item, "a command of 'prepare'") for item in self._list(raw, "prepare")
            ),
            command=self._command(raw["command"], "'command'") if "command" in raw else self._no_command(),
            env=self._env(raw.get("env", {})),
            baseline=folder / baseline if baseline else None,
        )

    def _known(self, raw: dict[Any, Any], keys: Sequence[str], owner: str) -> None:
        for key in raw:
            if key not in keys:
                expected = ", ".join(keys)
                self._wrong(f"{owner} has no key '{key}'", expected=expected, mend=nearest(str(key), keys))

    def _text(self, raw: dict[Any, Any], key: str, *, required: bool = False) -> str:
        if key not in raw:
            if required:
                self._wrong(f"'{key}' is missing")
            return ""
        return self._item(raw[key], key)

    def _list(self, raw: dict[Any, Any], key: str) -> list[Any]:
        value = raw.get(key, [])
        if isinstance(value, list):
            return value
        self._wrong(f"'{key}' is no list", value)
        return []

    def _item(self, value: object, key: str) -> str:
        if isinstance(value, str) and value.strip():
            return value
        mend = f'quote it: "{value}"' if isinstance(value, int | float) else ""
        self._wrong(f"'{key}' holds something else than text", value, mend=mend)
        return ""

    def _need(self, value: object) -> Need:
        if not isinstance(value, dict):
            expected = "{program: java, get: how to install it}"
            self._wrong("'needs' holds something else than a program", value, expected=expected)
            return Need("", "")
        self._known(value, ("program", "get"), "a need")
        return Need(self._text(value, "program", required=True), self._text(value, "get", required=True))

    def _command(self, value: object, what: str) -> tuple[str, ...]:
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                mend = f"write it as a list: [{', '.join(shlex.split(value))}]"
                self._wrong(f"{what} is no list of a program and its arguments", value, mend=mend)
                return ()
        if not isinstance(value, list) or not value:
            self._wrong(f"{what} is no list of a program and its arguments", value)
            return ()
        for item in value:
            if not isinstance(item, str):
                mend = f'quote it: "{item}"' if isinstance(item, int | float) else ""
                self._wrong(f"{what} holds something else than text", item, mend=mend)
        if value[0] == "":
            self._wrong(f"{what} has an empty program", value)
        return tuple(str(item) for item in value)

    def _no_command(self) -> tuple[str, ...]:
        self._wrong("'command' is missing", expected="command: [program, argument, ...]")
        return ()

    def _env(self, value: object) -> dict[str, str]:
        if not isinstance(value, dict):
            self._wrong("'env' is no mapping", value, expected="env: {NAME: value}")
            return {}
        for name, text in value.items():
            if not isinstance(name, str) or not isinstance(text, str):
                mend = f'quote it: "{text}"' if isinstance(text, int | float) else ""
                self._wrong(f"'env' holds something else than text for '{name}'", text, mend=mend)
        return {str(name): str(text) for name, text in value.items()}

    def _wrong(self, fact: str, found: object = "", *, expected: str = "", mend: str = "") -> None:
        text = found if isinstance(found, str) else json.dumps(found, default=str)
        shown = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
        self.mistakes.append(Mistake(self.place, fact, found=shown, expected=expected, mend=mend))


def _load(text: str, place: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f"{place}:{mark.line + 1}:{mark.column + 1}" if mark else place
        raise InputError(Mistake(at, f"the file is no YAML: {error.problem}")) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # 2024-13-45 is a date to YAML, and no date
        raise InputError(Mistake(place, f"the file is no YAML: {error}")) from None


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
    except OSError as error:
        fact = f"its input '{name}' cannot be read: {error.strerror}"
        raise InputError(Mistake(str(folder / FILE_NAME), fact, mend="correct 'inputs'")) from None


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
                raise InputError(Mistake(str(spec.folder), fact, mend="end that run, then try again"))
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
        mend=f"run it by hand in {folder}; its whole output is in {log}",
    )
