"""An adapter's folder: `find_adapter` turns what a user typed into an `AdapterSpec`.

`prepare` installs what it needs, and `AdapterSpec.launch` is the command for `process`; nothing here starts a
program. Every mistake of the files and of the command line is an `InputError`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from waitproof.adapter.command import AdapterCommand
from waitproof.errors import InputError, Mistake, closest
from waitproof.suite import Document, Format, Model, build, bundled_suite, invalid, is_suite, read_file, shown
from waitproof.text import escape

__all__ = [
    "BASELINE_NAME",
    "FILE_NAME",
    "AdapterSpec",
    "Need",
    "adapters_in",
    "baseline_file",
    "find_adapter",
    "given_name",
    "parse_adapter",
    "read_adapter",
    "resolve_argv",
    "unique_names",
]

FILE_NAME = "adapter.yaml"
BASELINE_NAME = "deviations.yaml"
_MOST_NAMES = 5  # in a message
_INTERPRETERS = {".js": "node", ".mjs": "node", ".php": "php", ".py": "python3", ".rb": "ruby"}
_NUMBER = re.compile(r"#\d+$")


def _words(value: object) -> object:
    """Refuse a command that is written as one text; pydantic checks that it is a list of texts."""
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


def _given_name(name: str) -> str:
    if _NUMBER.search(name):
        raise invalid(f"'{name}' ends as only the second adapter of one name does", fix="write no '#'")
    return name


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
_Command = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_words)]


class NeedEntry(Model):
    """A need as it is in the file."""

    noun: ClassVar[str] = "need"
    program: _Text
    get: _Text


class AdapterFile(Model):
    """The content of an adapter.yaml; see `AdapterSpec`."""

    noun: ClassVar[str] = "adapter"
    format: Format
    name: Annotated[_Text, AfterValidator(_given_name)]
    summary: _Text = ""
    needs: tuple[NeedEntry, ...] = ()
    inputs: tuple[_Text, ...] = ()
    watch: tuple[_Text, ...] = ()
    prepare: tuple[_Command, ...] = ()
    command: _Command
    suite: _Text | None = None
    env: dict[str, str] = {}
    baseline: _Text | None = None


@dataclass(frozen=True)
class Need:
    """A program that must be on PATH before anything is prepared, and how to get it."""

    program: str
    get: str


@dataclass(frozen=True)
class AdapterSpec:
    """An adapter as its folder, or a command line, describes it.

    Attributes:
        folder: Its folder as the user named it, and the working directory of all its commands.
        command: The program to start and its arguments, with `{python}` still in them.
        inputs: Files, folders and globs, relative to the folder, after whose change it is prepared again;
            empty for everything in the folder.
        watch: Files, folders and globs of the SDK that is used where it is: `run --watch` looks at them, too.
        prepare: Commands to run beforehand, one after another.
        suite: What its SDK is judged by: a bundled suite's name, or a folder relative to the adapter's.
        env: Variables of the adapter alone; the commands of `prepare` do not get them.
        baseline: The file of its known deviations, None when it has none.
        argument: What its user typed to name it, "" where nobody did.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    summary: str = ""
    needs: tuple[Need, ...] = ()
    inputs: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    prepare: tuple[tuple[str, ...], ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    baseline: Path | None = None
    argument: str = ""
    suite: str | None = None

    def suite_folder(self) -> Path | None:
        """Return the folder of the suite that its adapter.yaml names, None if it names none.

        Raises:
            InputError: There is no such suite.
        """
        if self.suite is None:
            return None
        beside = self.folder / self.suite
        if is_suite(beside):
            return beside
        try:
            return bundled_suite(self.suite)
        except InputError as error:
            document = Document(read_file(self.folder / FILE_NAME), str(self.folder / FILE_NAME))
            mistake = error.mistakes[0]
            raise InputError(
                document.mistake(
                    ("suite",),
                    mistake.fact,
                    expected="a suite's folder, relative to this file, or a bundled suite's name",
                    fix=mistake.fix,
                )
            ) from None

    def launch(self) -> AdapterCommand:
        """Return the command that starts the adapter; its paths are absolute."""
        argv = resolve_argv(self.command, self.folder)
        return AdapterCommand(self.name, argv, self.folder.absolute(), dict(self.env), self.argument)


def find_adapter(argument: str) -> AdapterSpec:
    """Return the adapter that `--adapter ARGUMENT` means: a folder with adapter.yaml, else a command.

    Raises:
        InputError: It is neither, or its adapter.yaml has mistakes.
    """
    if argument and Path(argument).is_dir():
        return dataclasses.replace(read_adapter(Path(argument)), argument=argument)
    is_file = argument and Path(argument).is_file()
    words = [_program(Path(argument))] if is_file else _command_words(argument)
    return AdapterSpec(Path(words[0]).name, Path.cwd(), tuple(words), argument=argument)


def _command_words(argument: str) -> list[str]:
    """Return the program and the arguments of a command as it was typed.

    Raises:
        InputError: It cannot be read, or there is no such program.
    """
    try:
        words = shlex.split(argument)
    except ValueError as error:
        raise InputError(Mistake("adapter", f"the command cannot be read: {error}", argument)) from None
    if not words:
        fix = "--adapter FOLDER, or --adapter 'PROGRAM ARGUMENT...'"
        raise InputError(Mistake("adapter", "it names neither a folder nor a program", fix=fix))
    if shutil.which(words[0]) is None:
        if Path(words[0]).is_file():
            return [_program(Path(words[0])), *words[1:]]
        if len(words) == 1:
            fix = _similar_folder(Path(argument)) or "'waitproof new adapter' creates one"
            raise InputError(Mistake(argument, "there is no such folder or program", fix=fix))
        fix = "install it, or put it on PATH"
        raise InputError(Mistake(words[0], "there is no such program", found=argument, fix=fix))
    return words


def _program(file: Path) -> str:
    """Return a file as a program to start: no search along PATH finds it.

    Raises:
        InputError: It is no program; the message says what to name in place of it.
    """
    folder = file.parent
    if (folder / FILE_NAME).is_file():
        fix = f"name its folder: {shlex.quote(str(folder))}"
        raise InputError(Mistake(str(file), "this is a file in an adapter's folder", fix=fix))
    path = str(file) if "/" in str(file) else f"./{file}"
    if not os.access(file, os.X_OK):
        command = shlex.join([_INTERPRETERS.get(file.suffix, "PROGRAM"), str(file)])
        fix = f"{shlex.join(['chmod', '+x', path])}; or name what runs it: --adapter {shlex.quote(command)}"
        raise InputError(Mistake(str(file), "the file is not executable", fix=fix))
    return path


def read_adapter(folder: Path) -> AdapterSpec:
    """Read a folder's adapter.yaml.

    Raises:
        InputError: There is none, or it has mistakes, all of which are in the error.
    """
    file = folder / FILE_NAME
    if not os.path.lexists(file):
        fix = f"write {file} with at least format, name and command, or pass a command instead"
        if inside := adapters_in(folder):
            fix = f"name one of those in it: {', '.join(map(str, inside))}"
        raise InputError(Mistake(str(folder), f"the folder has no {FILE_NAME}", fix=fix))
    spec = parse_adapter(read_file(file), str(file))
    spec.suite_folder()  # raises where there is none
    if spec.baseline is None:
        usual = folder / BASELINE_NAME
        return dataclasses.replace(spec, baseline=usual) if usual.is_file() else spec
    if not spec.baseline.is_file():
        fix = f"write it, or leave the key out: {BASELINE_NAME} is found by itself"
        raise InputError(Mistake(str(file), f"its baseline {spec.baseline} is missing", fix=fix))
    return spec


def adapters_in(folder: Path) -> list[Path]:
    """Return the adapters in the subfolders of a folder, such as the one that holds the kits."""
    return sorted(file.parent for file in folder.glob(f"*/{FILE_NAME}"))


def parse_adapter(text: str, place: str) -> AdapterSpec:
    """Return what an adapter.yaml says, without looking at any other file.

    Args:
        text: The file's text.
        place: The file's path, for messages; its parent is the adapter's folder.

    Raises:
        InputError: The text has mistakes; all are in the error, each with its position.
    """
    file = build(AdapterFile, Document(text, place))
    folder = Path(place).parent
    return AdapterSpec(
        name=file.name,
        folder=folder,
        command=file.command,
        summary=file.summary,
        needs=tuple(Need(need.program, need.get) for need in file.needs),
        inputs=file.inputs,
        watch=file.watch,
        prepare=file.prepare,
        env=file.env,
        suite=file.suite,
        baseline=None if file.baseline is None else folder / file.baseline,
    )


def baseline_file(argument: str) -> tuple[str, Path]:
    """Return an adapter's name and the file of its known deviations, which need not exist yet.

    Args:
        argument: The adapter's folder as its user typed it; a command has no place for such a file.

    Raises:
        InputError: It is not the folder of an adapter.
    """
    folder = Path(argument)
    if not folder.is_dir():
        fact = "no such folder; a baseline is in an adapter's folder"
        raise InputError(Mistake(argument, fact, fix=_similar_folder(folder)))
    if not (folder / FILE_NAME).is_file():
        read_adapter(folder)  # says why there is none
    spec = parse_adapter(read_file(folder / FILE_NAME), str(folder / FILE_NAME))
    return spec.name, spec.baseline or folder / BASELINE_NAME


def unique_names(specs: Sequence[AdapterSpec]) -> list[AdapterSpec]:
    """Return the adapters under names that differ: a command given twice is `python3` and `python3#2`.

    A name that was given stays as it is, and no other adapter gets it.
    """
    taken = {escape(spec.name) for spec in specs}  # as reports have them
    seen: set[str] = set()
    named = []
    for spec in specs:
        name = spec.name
        if escape(name) in seen:
            numbered = (f"{spec.name}#{number}" for number in count(2))
            name = next(each for each in numbered if escape(each) not in taken)
        seen.add(escape(name))
        taken.add(escape(name))
        named.append(dataclasses.replace(spec, name=name))
    return named


def given_name(name: str) -> str:
    """Return what an adapter calls itself that `unique_names` may have given a number."""
    return _NUMBER.sub("", name)


def _similar_folder(path: Path) -> str:
    """Return which of the adapters nearby may be meant by a path, "" if there are none."""
    found: dict[str, str] = {}  # by what may have been typed
    with contextlib.suppress(OSError):
        for folder in (path.parent, Path("adapters"), Path()):
            for each in adapters_in(folder):
                found.setdefault(str(each), str(each))
                found.setdefault(each.name, str(each))
    close = found.get(path.name) or found.get(closest(str(path), found), "")
    if close:
        return f"did you mean '{close}'?"
    names = [*dict.fromkeys(found.values())]
    return f"the adapters here: {', '.join(names)}" if 0 < len(names) <= _MOST_NAMES else ""


def resolve_argv(words: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Replace `{python}`, and make a program that is a path in the folder absolute.

    Symbolic links are not followed: a virtual environment is recognized by the link that started it.
    """
    # The one executable of `make binary` is no Python that runs a file.
    python = "python3" if hasattr(sys, "frozen") else sys.executable
    program, *arguments = (word.replace("{python}", python) for word in words)
    if "/" in program:
        program = str(folder.absolute() / program)  # an absolute one stays as it is
    return (program, *arguments)
