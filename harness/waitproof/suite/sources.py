"""Which files a suite is made of: its own, those of the suites that it extends, and loose ones.

`read_source` reads the contracts of a suite; a `Source` lists the suite's scenario files and reads one of
them. A file that is inherited is read for what the suite still promises. If it does not fit the contract that
extends its own, that contract has the mistake, and not the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waitproof.errors import InputError, Mistake, nearest
from waitproof.suite.checks import CheckSpec
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import check_contract, parse_scenario
from waitproof.suite.document import Document, shown
from waitproof.suite.extending import EXTENDS, check_without, fill_in, names_left_out
from waitproof.suite.folders import (
    CONTRACT,
    bundled_names,
    bundled_suite,
    contract_file,
    id_of,
    is_suite,
    read_file,
    scenario_paths,
    shown_path,
)
from waitproof.suite.model import build
from waitproof.suite.scenario import Scenario

__all__ = ["ScenarioFile", "Source", "loose_files", "read_document", "read_source"]


@dataclass(frozen=True)
class ScenarioFile:
    """One scenario's file.

    Attributes:
        base: The suite that it is inherited from, None for one of the suite's own and for a loose one.
    """

    id: str
    path: Path
    base: Source | None = None


@dataclass(frozen=True)
class Source:
    """A suite's contract and where its scenarios are.

    Attributes:
        document: The contract's file, with what it inherits filled in.
        base: The suite that it extends, None for most.
        loose: Further scenario files, each with its id.
    """

    folder: Path
    document: Document
    contract: Contract
    base: Source | None = None
    loose: tuple[ScenarioFile, ...] = ()

    def files(self) -> tuple[dict[str, ScenarioFile], list[Mistake]]:
        """Return the scenario files by id, in order, and a mistake for each whose id another one has."""
        files = {each.id: each for each in self._inherited()}
        mistakes = []
        for path in scenario_paths(self.folder):
            own = ScenarioFile(id_of(path, self.folder), path)
            first = files.setdefault(own.id, own)
            if first != own:
                mistakes.append(self._same_id(own, first))
        for loose in self.loose:
            first = files.setdefault(loose.id, loose)
            if first != loose:
                mistakes.append(self._same_id(loose, first))
        return dict(sorted(files.items())), mistakes

    def inherited(self) -> list[ScenarioFile]:
        """Return the scenario files of the suites that this one extends."""
        return [each for each in self.files()[0].values() if each.base is not None]

    def read(self, file: ScenarioFile, checks: Mapping[str, CheckSpec] | None = None) -> Scenario:
        """Return the scenario in a file; if it is inherited, it may prove nothing that this suite promises.

        Args:
            file: One of `files`.
            checks: Given to find out, too, whether the scenario can show what it proves.

        Raises:
            InputError: With every mistake.
        """
        document = read_document(file.path)
        if file.base is None:
            return parse_scenario(document, file.id, self.contract, checks)
        promised = {each.id for each in self.contract.requirements}
        removed = [each for each in file.base.contract.requirements if each.id not in promised]
        known = self.contract.model_copy(update={"requirements": (*self.contract.requirements, *removed)})
        try:
            scenario = parse_scenario(document, file.id, known, checks)
        except InputError as error:
            parse_scenario(read_document(file.path), file.id, file.base.contract, checks)
            raise InputError([self._misfit(file, each) for each in error.mistakes]) from None
        proves = tuple(name for name in scenario.proves if name in promised)
        return scenario.model_copy(update={"proves": proves})

    def blame(self, file: ScenarioFile, fact: str, *, found: str = "", expected: str = "") -> Mistake:
        """Return the mistake that an inherited scenario and this contract do not go together."""
        return Mistake(
            self.document.mistake((EXTENDS,), "").place,
            f"the inherited scenario {file.id} does not fit this contract: {fact}",
            found=found,
            expected=expected,
            fix=f"put '{file.id}' under 'without', or change what this contract writes itself",
        )

    def _misfit(self, file: ScenarioFile, mistake: Mistake) -> Mistake:
        found = f"{mistake.place}: {mistake.found}"
        return self.blame(file, mistake.fact, found=found, expected=mistake.expected)

    def _inherited(self) -> Iterator[ScenarioFile]:
        """Yield the files of the suite that is extended, except those that this one leaves out."""
        if self.base is None:
            return
        left_out = names_left_out(self.document.root)
        files, _ = self.base.files()
        for each in files.values():
            if each.id not in left_out:
                yield ScenarioFile(each.id, each.path, each.base or self.base)

    def _same_id(self, file: ScenarioFile, first: ScenarioFile) -> Mistake:
        fact = f"{shown_path(first.path)} has the same id"
        fix = "rename it"
        if first.base is not None:
            fact = f"'{first.base.contract.name}' has a scenario of the same id"
            fix = f"rename it, or put '{file.id}' under 'without' of {self.document.place} to replace it"
        return Mistake(shown_path(file.path), fact, fix=fix)


def read_document(path: Path) -> Document:
    """Return a file's values.

    Raises:
        InputError: It can't be read.
    """
    return Document(read_file(path), shown_path(path))


def read_source(
    folder: Path,
    checks: Mapping[str, CheckSpec],
    *,
    loose: tuple[ScenarioFile, ...] = (),
    within: Sequence[Path] = (),
) -> Source:
    """Return the source of the suite in a folder.

    Args:
        folder: The suite's.
        checks: The checks that its contract may name; none if that does not matter.
        loose: Further scenario files.
        within: The folders of the suites that extend this one, the outermost first.

    Raises:
        InputError: With every mistake of its contract, or of one that it extends.
    """
    document = read_document(contract_file(folder))
    base: Source | None = None
    if document.root.has(EXTENDS):
        extended = _extended(document, folder, within)
        base = read_source(extended, checks, within=(*within, folder))
        requirements = [each.id for each in base.contract.requirements]
        named = str(document.root.get(EXTENDS).value)
        argument = shown_path(extended) if is_suite(folder / named) else named
        check_without(document, [*requirements, *base.files()[0]], base.contract.name, argument)
        fill_in(document, base.document.root)
    contract = build(Contract, document, lambda: check_contract(document, checks) if checks else None)
    return Source(folder, document, contract, base, loose)


def _extended(document: Document, folder: Path, within: Sequence[Path]) -> Path:
    """Return the folder of the suite that a contract extends.

    Raises:
        InputError: There is none, or it extends this one.
    """
    named = document.root.get(EXTENDS).plain()
    found = folder / str(named)
    if not is_suite(found):
        try:
            found = bundled_suite(str(named))
        except InputError:
            expected = f"a folder with a {CONTRACT}, relative to this file, or {', '.join(bundled_names())}"
            fix = nearest(str(named), bundled_names())
            document.add_wrong_value(
                (EXTENDS,), f"no suite is called {shown(named)}", expected=expected, fix=fix
            )
            document.check()
    circle = [*within, folder]
    if found.resolve() in {each.resolve() for each in circle}:
        names = " extends ".join(shown_path(each / CONTRACT) for each in [*circle, found])
        document.add_wrong_value((EXTENDS,), f"suites cannot extend each other in a circle: {names}")
        document.check()
    return found


def loose_files(paths: Sequence[Path], *, option: str = "--scenarios") -> tuple[ScenarioFile, ...]:
    """Return the scenario files that are added to a suite: those in folders, and single ones.

    A file's id is its path below the folder that was named, without its ending.

    Raises:
        InputError: There is no such folder or file, it is a suite itself, or it has no scenario.
    """
    files: list[ScenarioFile] = []
    mistakes: list[Mistake] = []
    for path in paths:
        is_folder = os.path.isdir(path)
        if is_folder and is_suite(path):
            fact = f"{path} is a suite itself: it has a {CONTRACT}"
            mistakes.append(Mistake(option, fact, fix=f"--suite {path}; {option} adds files that have none"))
        elif is_folder and (found := scenario_paths(path)):
            files += [ScenarioFile(id_of(each, path), each) for each in found]
        elif is_folder:
            mistakes.append(Mistake(option, f"{path} has no scenario", expected="a folder with YAML files"))
        elif path.suffix in {".yaml", ".yml"} and os.path.isfile(path):
            files.append(ScenarioFile(path.stem, path))
        else:
            expected = "a folder with scenario files, or one such file"
            mistakes.append(Mistake(option, f"there is no folder or scenario file {path}", expected=expected))
    if mistakes:
        raise InputError(mistakes)
    return tuple(files)
