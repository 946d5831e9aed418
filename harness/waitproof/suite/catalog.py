"""A suite's scenarios by name, read when they are needed and read again when their files change.

A server starts before it has read a hundred files, and runs for days while its user edits them. So a file is
read at its first use and after each change. If it can't be read, its last good version stays in use, with the
mistakes beside it.

One fact to know before reading on: a file counts as changed if its time or size has changed, which is checked
at each look. That takes a few milliseconds for a hundred files, on any file system; a library that watches
files would only say when to look.
"""

from __future__ import annotations

import contextlib
import difflib
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from waitproof.errors import InputError, Mistake
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import check_words, parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.folders import bundled_suite, shown_path
from waitproof.suite.model import Format, Model, build
from waitproof.suite.operation import BeginRequest
from waitproof.suite.scenario import Scenario
from waitproof.suite.sources import ScenarioFile, loose_files, read_source
from waitproof.suite.step import Step
from waitproof.suite.template import fill
from waitproof.suite.yaml import Json
from waitproof.text import shorten

__all__ = ["SCENARIO_HEADER", "SEPARATOR", "Catalog", "Change", "Entry", "one_line"]

SCENARIO_HEADER = "x-waitproof-scenario"
SEPARATOR = "~"  # in a task id, between a scenario's name and what distinguishes its tasks
MAX_NEAREST = 3
MAX_SHOWN = 100  # characters of a name that a client sent
_MARK = "abcdefghijkmnpqrstuvwxyz23456789"  # characters that do not look alike
_MARK_LENGTH = 4  # a million marks: after a restart, a client never meets an old task
INLINE = "inline"  # the place of a text that is not in a file
_OUTDATED = (-1, -1)  # a stamp that no file has: the file must be read, and counts as changed


@dataclass(frozen=True)
class Entry:
    """One scenario file.

    Attributes:
        scenario: Its last good version, None while there has been none.
        mistakes: What is wrong with the file as it is now.
    """

    file: ScenarioFile
    scenario: Scenario | None = None
    mistakes: tuple[Mistake, ...] = ()

    @property
    def id(self) -> str:
        """Path below the suite without its ending: `outcomes/completes-after-3-polls`."""
        return self.file.id

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.file.path

    @property
    def name(self) -> str:
        """The last part of its id."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True)
class Change:
    """A file that has changed since the last look; its entry is None if the file is gone."""

    id: str
    entry: Entry | None


class _Bare(Model):
    """How a task behaves, without what a caller must see."""

    noun: ClassVar[str] = "task"
    format: Format = 1
    summary: str = "A task that was written by hand."
    task: Annotated[tuple[Step, ...], Field(min_length=1)]


class Catalog:
    """The scenarios of one suite; safe to use from any thread."""

    def __init__(self, folder: Path | None = None, loose: Sequence[Path] = ()) -> None:
        """Read the contract and list the scenario files.

        Args:
            folder: A suite's folder; None for the one that comes with waitproof.
            loose: Folders with further scenarios, and further scenario files.

        Raises:
            InputError: There is no suite, its contract cannot be read, or a folder has no scenarios.
        """
        self.folder = bundled_suite() if folder is None else folder
        self._loose = tuple(loose)
        self._source = read_source(self.folder, {}, loose=loose_files(self._loose))
        self.contract: Contract = self._source.contract
        self._mark = "".join(secrets.choice(_MARK) for _ in range(_MARK_LENGTH))
        self._lock = threading.RLock()
        self._entries: dict[str, Entry] = {}
        self._stamps: dict[str, tuple[int, int]] = {}  # of the version that was read; no entry: not read yet
        self._changes: dict[str, Change] = {}  # the last of each file that `refresh` has not returned yet
        self._list()

    def ids(self) -> list[str]:
        """Return the ids of all scenarios, read or not, in their order."""
        with self._lock:
            return sorted(self._entries)

    def entries(self) -> list[Entry]:
        """Return all scenarios in the order of their ids, after reading every file that has changed."""
        with self._lock:
            return [self._read(scenario_id) for scenario_id in sorted(self._entries)]

    def known(self) -> list[Entry]:
        """Return the same as they were last read, without looking at the files."""
        with self._lock:
            return [self._entries[scenario_id] for scenario_id in sorted(self._entries)]

    def refresh(self) -> list[Change]:
        """Look at every file again, and return what has changed since the last call, in the order of ids.

        This includes changes that another call has found in the meantime; of several changes to one file only
        the last is returned. Reading a file for the first time is not a change.
        """
        with self._lock:
            before = self._entries.keys()
            self._list()
            self._stamps |= dict.fromkeys(self._entries.keys() - before, _OUTDATED)
            for scenario_id in self._entries:
                self._read(scenario_id)
            changes, self._changes = self._changes, {}
            return sorted(changes.values(), key=lambda change: change.id)

    def get(self, name: str) -> Scenario:
        """Return the scenario with that id, or with that last part of an id; the file as it is now.

        Raises:
            InputError: No scenario has that name, several have it, or its file has never been valid.
        """
        with self._lock:
            fitting = self._fitting(name)
            if len(fitting) != 1:
                raise InputError(self._unknown(name, fitting))
            entry = self._read(fitting[0])
            if entry.scenario is None:
                raise InputError(entry.mistakes)
            return entry.scenario

    def named_by(self, task_id: str) -> Scenario:
        """Return the scenario that a task id names: `completes-after-3-polls`, `completes-after-3-polls~7`.

        In an id, `.` stands for the `/` of a scenario's id, since a task id is one part of a path.

        Raises:
            InputError: As `get` does.
        """
        name = _named_in(task_id)
        with self._lock:
            if not self._fitting(name) and not self._nearest(name):
                # Most of these never meant a scenario: the task is gone, or is another server's.
                fact = f"no task has the id '{_short(task_id)}', and no scenario has that name"
                raise InputError(Mistake("", fact))
            return self.get(name)

    def begun_by(
        self, begins: BeginRequest, headers: Mapping[str, str], body: bytes, default: str = ""
    ) -> Scenario:
        """Return the scenario of the task that a request begins.

        It is the one that the header names, else the one that the request names in place of a token, be it
        after a colon, else the default. A name of the user's own names none; a request that names a scenario
        never gets another one.

        Args:
            begins: The operation, and what its path says.
            headers: The request's headers, their names in lower case.
            body: The request's body, as it was received.
            default: Name of a scenario, "" for the contract's example or, without one, the first.

        Raises:
            InputError: The header names no scenario, the scenario cannot be read, or several have its name.
        """
        named = headers.get(SCENARIO_HEADER)
        if named:
            return self.get(named)
        text = begins.named(body)
        if text is not None:
            name = _named_in(text.rpartition(":")[2])
            with self._lock:
                if self._fitting(name):
                    return self.get(name)
        return self.get(default or self.example)

    @property
    def example(self) -> str:
        """Name of the scenario that is used where none is named: the contract's example, else the first.

        Raises:
            InputError: There is none.
        """
        if name := self.contract.example or next(iter(self.ids()), ""):
            return name
        raise InputError(Mistake(shown_path(self.folder), "the suite has no scenario", fix="add a YAML file"))

    def example_id(self) -> str:
        """Return a task id that names the example, and that no other catalog uses."""
        return f"{self.example.rpartition('/')[2]}{SEPARATOR}{self._mark}"

    def calls(self, base_url: str, task_id: str | int) -> dict[str, str]:
        """Return the contract's calls to paste, by language, filled in for a server and a task."""
        values: dict[str, Json] = {"base_url": base_url, "task_id": task_id, "token": "", "n": 1}
        return {
            language: str(fill(text, values)).rstrip() for language, text in self.contract.snippets.items()
        }

    def inline(self, text: str) -> Scenario:
        """Return the scenario in a text, checked against the contract; a `task` alone is enough.

        Raises:
            InputError: With every mistake; their places read `inline:line:column`.
        """
        document = Document(text, INLINE)
        if {"proves", "calls"}.intersection(document.root.names()):
            return parse_scenario(document, INLINE, self.contract)
        bare = build(_Bare, document, lambda: check_words(document, self.contract))
        scenario = Scenario.model_construct(
            format=1, summary=bare.summary, proves=(), cold=False, task=bare.task, calls=()
        )
        return scenario.named(INLINE)

    def _list(self) -> None:
        with contextlib.suppress(InputError):  # a folder that has gone is as before, and its files are gone
            self._source = replace(self._source, loose=loose_files(self._loose))
        found, _ = self._source.files()
        for gone in self._entries.keys() - found.keys():
            self._stamps.pop(gone, None)
            self._changes[gone] = Change(gone, None)
        listed: dict[str, Entry] = {}
        for scenario_id, file in found.items():
            entry = self._entries.get(scenario_id) or Entry(file)
            if entry.path != file.path:  # renamed, such as x.yaml to x.yml: same time and size, other place
                entry = replace(entry, file=file)
                if scenario_id in self._stamps:
                    self._stamps[scenario_id] = _OUTDATED
            listed[scenario_id] = entry
        self._entries = listed

    def _read(self, scenario_id: str) -> Entry:
        """Return an entry in its newest version, and note for `refresh` what has changed."""
        entry = before = self._entries[scenario_id]
        try:
            status = entry.path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:  # deleted since the folder was listed; reading it will report that
            stamp = (0, 0)
        was_read = scenario_id in self._stamps
        if self._stamps.get(scenario_id) == stamp:
            return entry
        try:
            scenario = self._source.read(entry.file)
            entry = replace(entry, scenario=scenario, mistakes=())
        except InputError as error:
            entry = replace(entry, mistakes=error.mistakes)
        self._stamps[scenario_id] = stamp
        self._entries[scenario_id] = entry
        if was_read and entry != before:
            self._changes[scenario_id] = Change(scenario_id, entry)
        return entry

    def _fitting(self, name: str) -> list[str]:
        """Return the ids that a name may mean: the same id, else those that end with it."""
        if name in self._entries:
            return [name]
        return [each for each in self._entries if each.rpartition("/")[2] == name]

    def _unknown(self, name: str, fitting: list[str]) -> Mistake:
        if fitting:
            fix = f"use one of the full ids: {' or '.join(sorted(fitting))}"
            return Mistake("", f"{len(fitting)} scenarios are called '{_short(name)}'", fix=fix)
        near = ", ".join(self._nearest(name))
        fix = f"similar names: {near}" if near else ""
        return Mistake("", f"no scenario is called '{_short(name)}'", fix=fix)

    def _nearest(self, name: str) -> list[str]:
        names = sorted({each.rpartition("/")[2] for each in self._entries})
        return difflib.get_close_matches(_short(name), names, n=MAX_NEAREST, cutoff=0.4)


def one_line(error: InputError) -> str:
    """Return the first mistake of an error in one line."""
    first = error.mistakes[0]
    place = f"{first.place}: " if first.place else ""
    return f"{place}{first.fact}{'; ' if first.fix else ''}{first.fix}"


def _named_in(task_id: str) -> str:
    return task_id.partition(SEPARATOR)[0].replace(".", "/")


def _short(name: str) -> str:
    return shorten(name, MAX_SHOWN)
