"""Reads a suite: one contract and its scenarios.

All mistakes of all files are reported at once. `lint` is stricter than loading: every promise is proved,
every expectation read. `sources` says which files a suite has, and `folders` where they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from waitproof.errors import InputError, Mistake, nearest
from waitproof.suite.checks import CheckSpec, known_checks
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.folders import (
    CONTRACT,
    DEFAULT_SUITE,
    MAX_FILE_BYTES,
    bundled_names,
    bundled_suite,
    contract_file,
    id_of,
    is_suite,
    name_from,
    read_file,
    scenario_paths,
    shown_path,
    suite_above,
    suite_folder,
)
from waitproof.suite.scenario import Scenario
from waitproof.suite.sources import ScenarioFile, Source, loose_files, read_document, read_source

__all__ = [
    "CONTRACT",
    "DEFAULT_SUITE",
    "MAX_FILE_BYTES",
    "Suite",
    "bundled_names",
    "bundled_suite",
    "contract_file",
    "id_of",
    "is_suite",
    "lint_file",
    "lint_suite",
    "load_contract",
    "load_scenario",
    "load_source",
    "load_suite",
    "name_from",
    "read_file",
    "read_suite",
    "scenario_paths",
    "shown_path",
    "suite_above",
    "suite_folder",
]


@dataclass(frozen=True)
class Suite:
    """A contract and its scenarios.

    Attributes:
        folder: Its folder.
        scenarios: In the order of their ids.
        files: The file of each scenario by its id; in what `read_suite` returns, this includes the files
            that cannot be read.
        left_out: Inherited scenarios that prove nothing of what this suite promises.
        source: Where all this is from; None for a suite that was not read from its folder.
    """

    folder: Path
    contract: Contract
    scenarios: tuple[Scenario, ...]
    files: dict[str, Path]
    left_out: tuple[str, ...] = ()
    source: Source | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The contract's name."""
        return self.contract.name

    def place(self, scenario_id: str) -> str:
        """Return a scenario's file for messages."""
        return shown_path(self.files[scenario_id])

    def misfit(self, scenario_id: str, fact: str, *, found: str = "", expected: str = "") -> Mistake | None:
        """Return the mistake that an inherited scenario does not fit this contract; None for any other."""
        if self.source is None:
            return None
        file = self.source.files()[0].get(scenario_id)
        if file is None or file.base is None:
            return None
        return self.source.blame(file, fact, found=found, expected=expected)


def load_suite(folder: Path, loose: Sequence[Path] = ()) -> Suite:
    """Return the suite in `folder`.

    Args:
        folder: The suite's.
        loose: Folders with further scenarios, and further scenario files.

    Raises:
        InputError: With every mistake of every file.
    """
    suite, mistakes = read_suite(folder, loose)
    _raise(mistakes)
    return suite


def read_suite(folder: Path, loose: Sequence[Path] = ()) -> tuple[Suite, list[Mistake]]:
    """Return what can be read of the suite in `folder`, and every mistake of the files that cannot be.

    For those who look at one scenario: a mistake in another is no reason to show nothing.

    Raises:
        InputError: There is no suite, or its contract cannot be read; with every mistake of every file.
    """
    return _read(folder, loose, None)


def lint_suite(folder: Path, loose: Sequence[Path] = ()) -> tuple[Suite, list[Mistake]]:
    """Return the same as `read_suite`, the mistakes including those that only `lint` looks for.

    Raises:
        InputError: As `read_suite` does.
    """
    return _read(folder, loose, known_checks())


def lint_file(path: Path, folder: Path | None = None) -> Suite:
    """Check one scenario file, or a contract; return a suite of it alone.

    Args:
        path: The file.
        folder: The suite that a scenario is for; None for the one above the file.

    Raises:
        InputError: With every mistake of the file and of its contract.
    """
    whole = path.absolute()
    above = suite_above(whole)
    if folder is None:
        folder = above
    if folder is None:
        read_file(path)  # a file that does not exist is reported as that
        fix = "put it below the folder of a suite, or name that suite: --suite NAME"
        raise InputError(Mistake(shown_path(path), f"there is no {CONTRACT} above this file", fix=fix))
    mistakes: list[Mistake] = []
    source: Source | None = None
    scenarios: list[Scenario] = []
    with _collected(mistakes):
        source = read_source(folder, known_checks())
    with _collected(mistakes):
        if whole != folder.absolute() / CONTRACT:
            is_below = above is not None and above.absolute() == folder.absolute()
            scenario_id = id_of(whole, folder.absolute()) if is_below else path.stem
            contract = None if source is None else source.contract
            scenarios.append(parse_scenario(read_document(path), scenario_id, contract, known_checks()))
    _raise(mistakes)
    assert source is not None
    files = {each.id: whole for each in scenarios}
    return Suite(folder, source.contract, tuple(scenarios), files, source=source)


def load_contract(path: Path, *, with_checks: bool = True) -> Contract:
    """Return the contract in a file, with what it inherits.

    Args:
        path: The file.
        with_checks: Whether its checks and their arguments must be right; a server of tasks needs none.

    Raises:
        InputError: With every mistake.
    """
    return read_source(path.parent, known_checks() if with_checks else {}).contract


def load_source(folder: Path, loose: Sequence[Path] = ()) -> Source:
    """Return the contract in a folder with the list of its scenario files, for who reads them one by one.

    Raises:
        InputError: With every mistake of the contract.
    """
    return read_source(folder, known_checks(), loose=loose_files(loose))


def load_scenario(
    path: Path, folder: Path, contract: Contract | None, checks: Mapping[str, CheckSpec] | None = None
) -> Scenario:
    """Return the scenario in a file, checked against its contract where there is one.

    Args:
        path: The file.
        folder: The suite's folder.
        contract: The suite's contract.
        checks: Given to find out, too, whether the scenario can show what it proves.

    Raises:
        InputError: With every mistake.
    """
    return parse_scenario(read_document(path), id_of(path, folder), contract, checks)


@contextlib.contextmanager
def _collected(mistakes: list[Mistake]) -> Iterator[None]:
    """Go on after an InputError, whose mistakes are added to these."""
    try:
        yield
    except InputError as error:
        mistakes += error.mistakes


def _raise(mistakes: list[Mistake]) -> None:
    if mistakes:
        raise InputError(mistakes)


def _read(
    folder: Path, loose: Sequence[Path], checks: Mapping[str, CheckSpec] | None
) -> tuple[Suite, list[Mistake]]:
    """Read a suite; `checks` are given to lint it, too."""
    contract_file(folder)
    mistakes: list[Mistake] = []
    more: tuple[ScenarioFile, ...] = ()
    with _collected(mistakes):
        more = loose_files(loose)
    try:
        source = read_source(folder, known_checks(), loose=more)
    except InputError as error:
        _without_contract(folder, more, [*error.mistakes, *mistakes])
    files, same = source.files()
    mistakes += same
    scenarios: list[Scenario] = []
    left_out: list[str] = []
    for file in files.values():
        with _collected(mistakes):
            scenario = source.read(file, checks)
            if scenario.proves:
                scenarios.append(scenario)
            else:
                left_out.append(file.id)
    if not mistakes and not scenarios:
        mistakes.append(Mistake(shown_path(folder), "the suite has no scenario", fix="add a YAML file"))
    of_contract: list[Mistake] = []
    contract = source.contract
    if contract.example is not None and contract.example not in files:
        fact = f"the example '{contract.example}' is not a scenario of this suite"
        fix = nearest(contract.example, files) or "remove it, or name one that 'waitproof list' shows"
        of_contract.append(source.document.mistake(("example",), fact, fix=fix))
    if checks is not None and len(scenarios) + len(left_out) == len(files):  # any other may prove the rest
        of_contract += _unproved(source, scenarios)
    paths = {each.id: each.path for each in files.values() if each.id not in left_out}
    suite = Suite(folder, contract, tuple(scenarios), paths, tuple(left_out), source)
    return suite, [*of_contract, *mistakes]


def _without_contract(folder: Path, loose: Sequence[ScenarioFile], mistakes: list[Mistake]) -> NoReturn:
    """Raise with these mistakes of a contract, and with those of the scenarios that don't depend on it."""
    own = [ScenarioFile(id_of(path, folder), path) for path in scenario_paths(folder)]
    for file in (*own, *loose):
        with _collected(mistakes):
            parse_scenario(read_document(file.path), file.id)
    raise InputError(mistakes)


def _unproved(source: Source, scenarios: Sequence[Scenario]) -> list[Mistake]:
    proved = {name for scenario in scenarios for name in scenario.proves}
    inherited = set() if source.base is None else {each.id for each in source.base.contract.requirements}
    return [
        source.document.mistake(
            ("requirements", number, "id"),
            f"no scenario proves the requirement '{requirement.id}'",
            fix=f"add '{requirement.id}' under 'proves' of a scenario that shows it"
            + (", or under 'without'" if requirement.id in inherited else ""),
        )
        for number, requirement in enumerate(source.contract.requirements)
        if requirement.id not in proved
    ]
