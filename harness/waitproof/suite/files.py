"""Finds, reads and checks the files of a suite: one contract and its scenarios.

An edge: it opens files and hands their text to the pure core. All mistakes of all files are reported
at once. `lint` is what a suite must be beyond being readable: every promise proved, every expectation read.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from waitproof.errors import InputError, Mistake, nearest
from waitproof.suite.contract import Contract, Requirement, StatusMeaning, parse_contract
from waitproof.suite.scenario import Call, Scenario, cross_check, parse_scenario
from waitproof.suite.task import render_body
from waitproof.suite.template import at_path
from waitproof.suite.yaml import Json, Node, build, mistake_at, read

if TYPE_CHECKING:
    from waitproof.judge import Check

__all__ = [
    "CONTRACT",
    "MAX_FILE_BYTES",
    "Suite",
    "bundled_suite",
    "contract_file",
    "id_of",
    "lint",
    "lint_scenario",
    "load_contract",
    "load_scenario",
    "load_suite",
    "proves_line",
    "read_file",
    "read_suite",
    "scenario_paths",
    "suite_above",
]

MAX_FILE_BYTES = 512 * 1024  # the largest payload a person writes by hand; ${text:2MiB} makes larger ones
CONTRACT = "contract.yaml"
MAX_READERS = 6  # requirements in a message about what none of a scenario's reads
SOME_TASK: dict[str, Json] = {"task_id": "t", "token": "t", "n": 1}  # to see what an answer has
MIN_TIMEOUT_INTERVALS = 5  # fewer, and a helper that is one interval off still looks right


@dataclass(frozen=True)
class Suite:
    """A contract and its scenarios.

    Attributes:
        folder: Where they lie.
        scenarios: In the order of their ids.
        files: The file of each scenario by its id; in what `read_suite` returns, also of those that cannot
            be read.
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
    raise InputError(
        Mistake(
            option,
            f"no suite is called '{name}'",
            expected=f"a folder that holds a {CONTRACT}, or the name of a suite that comes with waitproof",
        )
    )


def scenario_paths(folder: Path) -> list[Path]:
    """Return a suite's scenario files: every YAML file below its contract, hidden ones aside."""
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
    """Return the nearest folder above a file that is a suite, None where there is none."""
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
        size = status.st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                Mistake(
                    place,
                    f"the file has {size:,} bytes",
                    expected=f"{MAX_FILE_BYTES:,} or fewer",
                    fix="a large payload is written ${text:2MiB}",
                )
            )
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(Mistake(place, f"the file cannot be read: {reason.lower()}")) from None
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
    if mistakes:
        raise InputError(mistakes)
    return suite


def read_suite(folder: Path) -> tuple[Suite, list[Mistake]]:
    """Return what can be read of the suite in `folder`, and every mistake of the files that cannot be.

    For whoever looks at one scenario: another's mistake is no reason to show nothing.

    Raises:
        InputError: There is no suite, or its contract cannot be read; with every mistake of every file.
    """
    file = contract_file(folder)
    mistakes: list[Mistake] = []
    contract: Contract | None = None
    try:
        contract = load_contract(file)
    except InputError as error:
        mistakes += error.mistakes
    scenarios: list[Scenario] = []
    files: dict[str, Path] = {}
    for path in scenario_paths(folder):
        first = files.setdefault(id_of(path, folder), path)
        if first != path:
            fact = f"{shown_path(first)} has the same id"
            mistakes.append(Mistake(shown_path(path), fact, fix="rename it"))
            continue
        try:
            scenarios.append(load_scenario(path, folder, contract))
        except InputError as error:
            mistakes += error.mistakes
    if contract is not None and contract.example is not None and contract.example not in files:
        fact = f"the example '{contract.example}' is no scenario of this suite"
        fix = nearest(contract.example, files)
        mistakes.append(Mistake(shown_path(file), fact, fix=fix))
    if not mistakes and not scenarios:
        mistakes.append(Mistake(shown_path(folder), "the suite has no scenario", fix="add a YAML file"))
    if contract is None:
        raise InputError(mistakes)
    ordered = tuple(sorted(scenarios, key=lambda scenario: scenario.id))
    return Suite(folder, contract, ordered, files), mistakes


def contract_file(folder: Path) -> Path:
    """Return the file of a suite's contract.

    Raises:
        InputError: The folder is no suite.
    """
    file = folder / CONTRACT
    if not file.is_file():
        raise InputError(
            Mistake(
                shown_path(folder),
                "this is no suite",
                expected=f"a folder that holds a {CONTRACT}",
                fix="name the folder itself, such as scenarios/stream",
            )
        )
    return file


def load_contract(path: Path, *, with_checks: bool = True) -> Contract:
    """Return the contract in a file.

    Args:
        path: The file.
        with_checks: Whether its checks and their arguments must be right; who only serves needs none.

    Raises:
        InputError: With every mistake.
    """
    place = shown_path(path)
    node = read(read_file(path), place)
    contract = parse_contract(node, place)
    mistakes = [
        mistake
        for number, requirement in enumerate(contract.requirements if with_checks else ())
        for mistake in _check_mistakes(requirement, node, place, number)
    ]
    if mistakes:
        raise InputError(mistakes)
    return contract


def _checks() -> dict[str, Check]:
    """Return the judge's checks; only who looks at requirements has to wait for their import."""
    from waitproof.judge import checks  # noqa: PLC0415

    return checks()


def _check_mistakes(requirement: Requirement, node: Node, place: str, number: int) -> Iterator[Mistake]:
    known = _checks()
    if requirement.check not in known:
        fact = f"no check is called '{requirement.check}'"
        at = ("requirements", number, "check")
        fix = nearest(requirement.check, known)
        yield mistake_at(node, at, place, fact, expected=", ".join(known), fix=fix)
        return
    written, _ = node.find(("requirements", number))
    assert isinstance(written.value, dict)
    given = written.value.get("with", Node({}, written.line, written.column, source=written.source))
    try:
        build(known[requirement.check].arguments, given, place)
    except InputError as error:
        yield from error.mistakes


def load_scenario(path: Path, folder: Path, contract: Contract | None) -> Scenario:
    """Return the scenario in a file, held against its contract where there is one.

    Raises:
        InputError: With every mistake.
    """
    place = shown_path(path)
    node = read(read_file(path), place)
    scenario = parse_scenario(node, place, id_of(path, folder))
    if contract is not None:
        cross_check(scenario, contract, node, place)
    return scenario


def id_of(path: Path, folder: Path) -> str:
    """Return the id of the scenario in a file of the suite in `folder`."""
    return path.relative_to(folder).with_suffix("").as_posix()


def proves_line(path: Path, requirement: str) -> int:
    """Return the line, from 0, of a requirement's name under a scenario's `proves`; 0 if the file is gone."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # it was there when the run began
        return 0
    proves = next((number for number, line in enumerate(lines) if line.startswith("proves")), 0)
    whole = re.compile(rf"(?<![\w-]){re.escape(requirement)}(?![\w-])")
    return next((n for n, line in enumerate(lines) if n >= proves and whole.search(line)), proves)


def lint(suite: Suite) -> list[Mistake]:
    """Return what is wrong with a suite that can be read; empty when nothing is."""
    proved = {name for scenario in suite.scenarios for name in scenario.proves}
    contract_place = shown_path(suite.folder / CONTRACT)
    mistakes = [
        Mistake(
            contract_place,
            f"no scenario proves the requirement '{requirement.id}'",
            fix=f"add '{requirement.id}' under 'proves' of a scenario that shows it",
        )
        for requirement in suite.contract.requirements
        if requirement.id not in proved
    ]
    for scenario in suite.scenarios:
        mistakes += lint_scenario(suite, scenario)
    return mistakes


def lint_scenario(suite: Suite, scenario: Scenario) -> Iterator[Mistake]:
    """Yield what is wrong with one scenario that can be read."""
    known = _checks()
    place = suite.place(scenario.id)
    proved = [suite.contract.requirement(name) for name in scenario.proves]
    readable = {part for requirement in proved for part in known[requirement.check].reads}
    for number, call in enumerate(scenario.calls, 1):
        for part in call.expect.parts():
            if part not in readable:
                readers = [each.id for each in suite.contract.requirements if part in known[each.check].reads]
                yield Mistake(
                    place,
                    f"call {number} expects '{part}', but no requirement that it proves reads that",
                    expected=f"a requirement whose check reads it, or no '{part}'",
                    fix=f"it is read by {', '.join(readers[:MAX_READERS])}" if readers else "",
                )
    expected = {part for call in scenario.calls for part in call.expect.parts()}
    for requirement in proved:
        reads = known[requirement.check].reads
        if reads and not expected.intersection(reads):
            fact = f"'{requirement.id}' is proved, but no call expects anything that shows it"
            yield Mistake(place, fact, expected=f"{_either(reads)} under 'expect' of a call")
        arguments = known[requirement.check].arguments.model_validate(requirement.with_, strict=False)
        if {"field", "from"} <= requirement.with_.keys():
            yield from _lint_field(suite, scenario, requirement)
        option = getattr(arguments, "option", None)
        name = {"interval_kept": "poll_interval", "timeout_kept": "timeout"}.get(requirement.check)
        if option is None or name is None:
            continue
        for call in scenario.calls:
            if call.wait is not None:
                yield from _lint_option(
                    suite, scenario, call, requirement, name, is_passed=option == "passed"
                )


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)


def _lint_field(suite: Suite, scenario: Scenario, requirement: Requirement) -> Iterator[Mistake]:
    """Yield where an exception's field is proved by an answer that has nothing there, as every SDK's has."""
    field, source = str(requirement.with_["field"]), str(requirement.with_["from"])
    raising = [call.expect.raises for call in scenario.calls if call.expect.raises is not None]
    if all(field in raises.fields for raises in raising):
        return  # what it must say is written there; without any, another law says so
    place, proved = suite.place(scenario.id), f"'{requirement.id}' is proved by"
    ending = next((step for step in scenario.task if suite.contract.ends_the_wait(step.status)), None)
    status = None if ending is None else ending.status
    if ending is None or status is None or suite.contract.meaning(status) is not StatusMeaning.RAISE_TASK:
        failing = [name for name, each in suite.contract.statuses.items() if each is StatusMeaning.RAISE_TASK]
        expected = f"a step that says {_either(failing) or 'that it failed'}, with '{source}'"
        yield Mistake(place, f"{proved} a task that does not fail", expected=expected)
    elif at_path(render_body(suite.contract, ending, SOME_TASK), source) is None:
        expected = f"'{source}' in the step that says '{status}'"
        if field in suite.contract.exception_fields:
            expected += f", or '{field}' under 'raises: fields'"
        yield Mistake(place, f"{proved} an answer that has no '{source}'", expected=expected)


def _lint_option(
    suite: Suite, scenario: Scenario, call: Call, requirement: Requirement, name: str, *, is_passed: bool
) -> Iterator[Mistake]:
    assert call.wait is not None
    place = suite.place(scenario.id)
    if (getattr(call.wait, name) is not None) != is_passed:
        fact = f"'{requirement.id}' is proved by a wait that {'lacks' if is_passed else 'passes'} '{name}'"
        yield Mistake(place, fact, expected=f"a wait {'with' if is_passed else 'without'} '{name}'")
    if name != "timeout":
        return
    defaults = suite.contract.defaults
    interval_s = call.wait.interval_s(defaults)
    timeout_s = call.wait.timeout_s(defaults)
    if timeout_s < MIN_TIMEOUT_INTERVALS * interval_s:
        fact = f"'{requirement.id}' is proved by a timeout of {timeout_s / interval_s:.1f} intervals"
        yield Mistake(place, fact, expected=f"{MIN_TIMEOUT_INTERVALS} or more, so that an interval off shows")
    ends = [step.status for step in scenario.task if suite.contract.ends_the_wait(step.status)]
    if ends:
        fact = f"'{requirement.id}' is proved by a task that ends ('{ends[0]}')"
        yield Mistake(place, fact, expected="a task that never ends, so that only the deadline ends the wait")
