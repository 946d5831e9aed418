"""Finds and reads the files of a suite: one contract and its scenarios.

The only module of this room that opens files: it hands their text to the pure ones. All mistakes of all
files are reported at once. `lint` is stricter than loading: every promise is proved, every expectation read.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from waitproof.errors import InputError, Mistake, nearest, why
from waitproof.suite.checks import CheckSpec, known_checks
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import check_contract, parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.model import build
from waitproof.suite.scenario import Scenario

__all__ = [
    "CONTRACT",
    "MAX_FILE_BYTES",
    "Suite",
    "bundled_suite",
    "contract_file",
    "id_of",
    "lint_file",
    "lint_suite",
    "load_contract",
    "load_scenario",
    "load_suite",
    "read_file",
    "read_suite",
    "scenario_paths",
    "shown_path",
    "suite_above",
    "suite_folder",
]

MAX_FILE_BYTES = 512 * 1024  # the largest payload a person writes by hand; ${text:2MiB} makes larger ones
CONTRACT = "contract.yaml"


@dataclass(frozen=True)
class Suite:
    """A contract and its scenarios.

    Attributes:
        folder: Its folder.
        scenarios: In the order of their ids.
        files: The file of each scenario by its id; in what `read_suite` returns, this includes the files
            that cannot be read.
    """

    folder: Path
    contract: Contract
    scenarios: tuple[Scenario, ...]
    files: dict[str, Path]

    @property
    def name(self) -> str:
        """The contract's name."""
        return self.contract.name

    def place(self, scenario_id: str) -> str:
        """Return a scenario's file for messages."""
        return shown_path(self.files[scenario_id])


def bundled_suite(name: str = "stream", *, option: str = "--suite") -> Path:
    """Return the folder of a suite that comes with waitproof: in the installed package, else in a checkout.

    Args:
        name: The suite's.
        option: Which option named it, for the message.

    Raises:
        InputError: There is no suite of that name.
    """
    package = Path(__file__).resolve().parents[1]
    for root in (package / "_scenarios", package.parents[1] / "scenarios"):
        if (root / name / CONTRACT).is_file():
            return root / name
    expected = f"a folder that holds a {CONTRACT}, or the name of a suite that comes with waitproof"
    raise InputError(Mistake(option, f"no suite is called '{name}'", expected=expected))


def suite_folder(argument: str, *, option: str = "--suite") -> Path:
    """Return the folder of a suite: a folder with a contract, else the bundled suite of that name.

    Another folder that has the name of a bundled suite is not meant.

    Args:
        argument: A path, or the name of a suite that comes with waitproof.
        option: Which option named it, for the message.

    Raises:
        InputError: It is neither. A folder without a contract is returned: its reader says what is missing.
    """
    folder = Path(argument)
    if (folder / CONTRACT).is_file():
        return folder
    try:
        return bundled_suite(argument, option=option)
    except InputError:
        if folder.is_dir():
            return folder
        raise


def scenario_paths(folder: Path) -> list[Path]:
    """Return a suite's scenario files: every YAML file below its contract, except hidden ones."""
    found = [*folder.rglob("*.yaml"), *folder.rglob("*.yml")]
    return sorted(
        path
        for path in found
        if path != folder / CONTRACT
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def shown_path(path: Path) -> str:
    """Return a path as a person would type it here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError, RuntimeError):  # elsewhere; the last two where links lead in a circle
        return str(path)


def suite_above(path: Path) -> Path | None:
    """Return the nearest folder above a file that is a suite, None if there is none."""
    return next((folder for folder in path.parents if (folder / CONTRACT).is_file()), None)


def read_file(path: Path) -> str:
    """Return a file's text.

    Raises:
        InputError: It cannot be opened, is too large, or is not UTF-8.
    """
    place = shown_path(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise InputError(Mistake(place, "this is not a file"))
        if status.st_size > MAX_FILE_BYTES:
            fact, expected = f"the file has {status.st_size:,} bytes", f"{MAX_FILE_BYTES:,} or fewer"
            fix = "a large payload is written ${text:2MiB}"
            raise InputError(Mistake(place, fact, expected=expected, fix=fix))
        data = path.read_bytes()
    except OSError as error:
        raise InputError(Mistake(place, f"the file cannot be read: {why(error)}")) from None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        fact = f"byte 0x{data[error.start]:02x} is not UTF-8"
        fix = "save the file as UTF-8"
        raise InputError(Mistake(f"{place}:{line}:{column}", fact, fix=fix)) from None


def load_suite(folder: Path) -> Suite:
    """Return the suite in `folder`.

    Raises:
        InputError: With every mistake of every file.
    """
    suite, mistakes = read_suite(folder)
    _raise(mistakes)
    return suite


def read_suite(folder: Path) -> tuple[Suite, list[Mistake]]:
    """Return what can be read of the suite in `folder`, and every mistake of the files that cannot be.

    For those who look at one scenario: a mistake in another is no reason to show nothing.

    Raises:
        InputError: There is no suite, or its contract cannot be read; with every mistake of every file.
    """
    return _read(folder, None)


def lint_suite(folder: Path) -> tuple[Suite, list[Mistake]]:
    """Return the same as `read_suite`, the mistakes including those that only `lint` looks for.

    Raises:
        InputError: As `read_suite` does.
    """
    return _read(folder, known_checks())


def lint_file(path: Path) -> Suite:
    """Check one scenario file against the contract above it, or that contract; return a suite of it alone.

    Raises:
        InputError: With every mistake of the file and of its contract.
    """
    whole = path.absolute()
    folder = suite_above(whole)
    if folder is None:
        read_file(path)  # a file that does not exist is reported as that
        fix = "put it below the folder of a suite"
        raise InputError(Mistake(shown_path(path), f"there is no {CONTRACT} above this file", fix=fix))
    mistakes: list[Mistake] = []
    contract: Contract | None = None
    scenarios: list[Scenario] = []
    with _collected(mistakes):
        contract = load_contract(folder / CONTRACT)
    with _collected(mistakes):
        if whole != folder / CONTRACT:
            scenarios.append(load_scenario(whole, folder, contract, known_checks()))
    _raise(mistakes)
    assert contract is not None
    return Suite(folder, contract, tuple(scenarios), {each.id: whole for each in scenarios})


def contract_file(folder: Path) -> Path:
    """Return the file of a suite's contract.

    Raises:
        InputError: The folder is not a suite.
    """
    file = folder / CONTRACT
    if not file.is_file():
        place, expected = shown_path(folder), f"a folder that holds a {CONTRACT}"
        fix = "name the folder itself, such as scenarios/stream"
        raise InputError(Mistake(place, "this is not a suite", expected=expected, fix=fix))
    return file


def load_contract(path: Path, *, with_checks: bool = True) -> Contract:
    """Return the contract in a file.

    Args:
        path: The file.
        with_checks: Whether its checks and their arguments must be right; a server of tasks needs none.

    Raises:
        InputError: With every mistake.
    """
    return _contract(_document(path), known_checks() if with_checks else {})


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
    return parse_scenario(_document(path), id_of(path, folder), contract, checks)


def id_of(path: Path, folder: Path) -> str:
    """Return the id of the scenario in a file of the suite in `folder`."""
    return path.relative_to(folder).with_suffix("").as_posix()


def _document(path: Path) -> Document:
    return Document(read_file(path), shown_path(path))


def _contract(document: Document, checks: Mapping[str, CheckSpec]) -> Contract:
    return build(Contract, document, lambda: check_contract(document, checks) if checks else None)


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


def _read(folder: Path, checks: Mapping[str, CheckSpec] | None) -> tuple[Suite, list[Mistake]]:
    """Read a suite; `checks` are given to lint it, too."""
    file = contract_file(folder)
    mistakes: list[Mistake] = []
    document: Document | None = None
    contract: Contract | None = None
    with _collected(mistakes):
        document = _document(file)
        contract = _contract(document, known_checks())
    scenarios: list[Scenario] = []
    files: dict[str, Path] = {}
    for path in scenario_paths(folder):
        first = files.setdefault(id_of(path, folder), path)
        if first != path:
            fact = f"{shown_path(first)} has the same id"
            mistakes.append(Mistake(shown_path(path), fact, fix="rename it"))
            continue
        with _collected(mistakes):
            scenarios.append(load_scenario(path, folder, contract, checks))
    if contract is None or document is None:
        raise InputError(mistakes)
    if not mistakes and not scenarios:
        mistakes.append(Mistake(shown_path(folder), "the suite has no scenario", fix="add a YAML file"))
    of_contract: list[Mistake] = []
    if contract.example is not None and contract.example not in files:
        fact = f"the example '{contract.example}' is not a scenario of this suite"
        of_contract.append(document.mistake(("example",), fact, fix=nearest(contract.example, files)))
    ordered = tuple(sorted(scenarios, key=lambda scenario: scenario.id))
    if checks is not None and len(ordered) == len(files):  # a file that can't be read may prove the rest
        of_contract += _unproved(document, contract, ordered)
    return Suite(folder, contract, ordered, files), [*of_contract, *mistakes]


def _unproved(document: Document, contract: Contract, scenarios: tuple[Scenario, ...]) -> list[Mistake]:
    proved = {name for scenario in scenarios for name in scenario.proves}
    return [
        document.mistake(
            ("requirements", number, "id"),
            f"no scenario proves the requirement '{requirement.id}'",
            fix=f"add '{requirement.id}' under 'proves' of a scenario that shows it",
        )
        for number, requirement in enumerate(contract.requirements)
        if requirement.id not in proved
    ]
