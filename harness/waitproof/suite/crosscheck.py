"""A contract against the judge's checks, and a scenario against its contract.

`parse_scenario` takes a scenario's file from its values to all of its mistakes. `check_contract` and
`check_words` find names that the other side does not know. `check_proof` finds what is written correctly but
shows nothing: an expectation that no requirement reads, a requirement that the scenario cannot prove. They
work on the values of a file, so that they run however many mistakes it already has; only what builds on a
part that is wrong is left out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from waitproof.errors import nearest
from waitproof.suite.checks import CheckSpec
from waitproof.suite.contract import Contract, Requirement
from waitproof.suite.document import Document, shown
from waitproof.suite.model import MAX_DURATION_S, Model, build, validate
from waitproof.suite.operation import Operation
from waitproof.suite.scenario import Call, Scenario, WaitOptions
from waitproof.suite.shape import Returns, StatusMeaning
from waitproof.suite.step import Step
from waitproof.suite.task import render_body
from waitproof.suite.template import at_path, check, dotted, placeholders, walk
from waitproof.suite.yaml import Json, Node, Path

__all__ = ["MIN_TIMEOUT_INTERVALS", "check_contract", "check_proof", "check_words", "parse_scenario"]

MAX_READERS = 6  # requirements in a message about an expectation that none of a scenario's reads
CANCEL_ROOM_S = 1.0  # less, and a wait that ends at its deadline looks like one that was cancelled
MIN_TIMEOUT_INTERVALS = 5  # fewer, and a helper that is one interval off still looks right
_SOME_TASK: dict[str, Json] = {"task_id": "t", "token": "t", "n": 1}  # to see what an answer has
_M = TypeVar("_M", bound=Model)
_OPTIONS = {  # which option a check is about
    "interval_kept": "poll_interval",
    "timeout_kept": "timeout",
    "gives_up_after_polls": "max_polls",
}
MIN_MAX_POLLS = 3  # fewer, and a helper that is one poll off looks as if it did not wait at all


def parse_scenario(
    document: Document,
    scenario_id: str,
    contract: Contract | None = None,
    checks: Mapping[str, CheckSpec] | None = None,
) -> Scenario:
    """Return the scenario in a document.

    Args:
        document: Its file.
        scenario_id: Its id.
        contract: What its words must be found in, if there is one.
        checks: Given to find out, too, whether the scenario can show what it proves.

    Raises:
        InputError: With every mistake of the file.
    """

    def check_all() -> None:
        if contract is not None:
            varied = _varied(document, contract)
            check_words(document, varied)
            if checks is not None:
                check_proof(document, varied, checks)

    return build(Scenario, document, check_all).named(scenario_id, document.root)


def _varied(document: Document, contract: Contract) -> Contract:
    """Return the contract for the variant that the scenario's waits name, and report unknown ones."""
    for number, call in enumerate(document.root.items("calls")):
        variant = call.get("wait").get("variant").value
        if isinstance(variant, str):
            fact = f"the contract has no variant '{variant}'"
            _check_name(document, ("calls", number, "wait", "variant"), variant, contract.variants, fact)
            if variant in contract.variants:
                return contract.varied(variant)
    return contract


def check_contract(document: Document, checks: Mapping[str, CheckSpec]) -> None:
    """Report each check that does not exist, and wrong arguments of the others."""
    for number, requirement in enumerate(document.root.items("requirements")):
        path: Path = ("requirements", number)
        kind = requirement.get("check").value
        if isinstance(kind, str) and kind in checks:
            validate(checks[kind].arguments, document, (*path, "with"))
        elif isinstance(kind, str):
            fact, fix = f"no check is called '{kind}'", nearest(kind, checks)
            document.add((*path, "check"), fact, expected=", ".join(checks), fix=fix)


# --- words --------------------------------------------------------------------------------------------


def check_words(document: Document, contract: Contract) -> None:
    """Report what a scenario names and its contract does not know, and wrong placeholders."""
    root = document.root
    requirements = [requirement.id for requirement in contract.requirements]
    seen: set[str] = set()
    for number, name in _texts(root.items("proves")):
        if document.is_full:
            return
        if name in seen:
            document.add(("proves", number), f"'{name}' appears twice", fix="remove one of them")
        elif name not in requirements and name in contract.without:
            fact = f"the requirement '{name}' is left out of this suite, under 'without' of its contract"
            document.add(("proves", number), fact, fix="remove it here or there")
        elif name not in requirements:
            fix = nearest(name, requirements) or "'waitproof explain' lists them"
            document.add(("proves", number), f"no requirement is called '{name}'", fix=fix)
        seen.add(name)
    for number, step in enumerate(root.items("task")):
        for item, field in _texts(step.items("omit")):
            fact = f"an answer has no field '{field}' to leave out"
            _check_name(document, ("task", number, "omit", item), field, contract.answer.body, fact)
    for number, call in enumerate(root.items("calls")):
        operation = call.get("begin").value
        if isinstance(operation, str):
            fact = f"no operation is called '{operation}'"
            _check_name(document, ("calls", number, "begin"), operation, contract.operations, fact)
            _check_token(document, ("calls", number), call, contract.operations.get(operation))
        path: Path = ("calls", number, "expect", "raises", "fields")
        documented = sorted({*contract.exception_fields, *contract.timeout.fields})
        for field in call.names("expect", "raises", "fields"):
            fact = f"an exception has no documented field '{field}'"
            _check_name(document, (*path, field), field, documented, fact)
        _check_returns(document, number, call.get("expect"), contract)
    for path, keys in _templates(root):
        _check_placeholders(document, path, keys)
    _check_ends(document, contract)


def _check_token(document: Document, path: Path, call: Node, operation: Operation | None) -> None:
    """Report arguments without a token, where a request of the operation should have it."""
    if operation is None or not operation.names_its_task:
        return
    if "token" not in placeholders(call.get("arguments").plain()):
        example = json.dumps(operation.arguments, ensure_ascii=False)
        fix = f"add, as the contract has it: arguments: {example}"
        document.add(path, "the arguments of 'begin' have no ${token}", fix=fix)


def _check_returns(document: Document, number: int, expect: Node, contract: Contract) -> None:
    """Report a value that no wait of this contract can return, or that every wait returns."""
    if "returns" not in expect.names() or document.is_full:
        return
    path: Path = ("calls", number, "expect", "returns")
    value = expect.get("returns").plain()
    if contract.returns is Returns.NOTHING and value is not None:
        fact = f"a wait of this contract returns nothing, not {shown(value)}"
        document.add(path, fact, expected="null, which says that the wait returns")
    elif contract.returns is Returns.TASK and not isinstance(value, dict):
        fact = f"a wait of this contract returns a task, not {shown(value)}"
        document.add(path, fact, expected="a mapping with what the task must have")
    elif contract.returns is Returns.TASK and not value and not contract.returned:
        fact = "any task has what is expected here"
        document.add(path, fact, expected="what the task must have, or 'returned' in the contract")


def _check_ends(document: Document, contract: Contract) -> None:
    """Report a wait of more than ten minutes where the task does not end before it."""
    if any(contract.ends_the_wait(step.status) for step in _parts(document, "task", Step)):
        return
    for number, call in enumerate(_parts(document, "calls", Call)):
        if call.wait is None or call.cancel_after or call.wait.lasts_s(contract.defaults) <= MAX_DURATION_S:
            continue
        path: Path = ("calls", number, "wait")
        if call.wait.timeout is None:
            expected = "'timeout' or 'max_polls', or a step that ends the wait"
            document.add(path, "a task that never ends is waited on without a limit", expected=expected)
            continue
        found = document.root.get("calls").plain()[number]["wait"]["timeout"]
        expected = "10m or less, or a step that ends the wait before"
        fact = f"a task that never ends is waited on for {found}"
        document.add((*path, "timeout"), fact, expected=expected)


def _texts(nodes: Iterable[Node]) -> Iterator[tuple[int, str]]:
    return ((number, node.value) for number, node in enumerate(nodes) if isinstance(node.value, str))


def _check_name(document: Document, path: Path, name: str, known: Iterable[str], fact: str) -> None:
    names = list(known)
    if name not in names and not document.is_full:
        expected = ", ".join(names) or "none: this contract has none"
        document.add(path, fact, expected=expected, fix=nearest(name, names))


def _check_placeholders(document: Document, path: Path, keys: Sequence[str]) -> None:
    """Report wrong placeholders under each of these keys, else texts that are too long together."""
    node = document.root.at(path) or Node(None)
    values = {key: node.get(key).plain() for key in keys}
    mistakes = [((*path, key), mistake) for key in keys if (mistake := _template_mistake(values[key], key))]
    if not mistakes and (together := _template_mistake(values, "headers" if "headers" in keys else "")):
        mistakes = [(path, together)]
    for at, mistake in mistakes:
        fact, _, fix = mistake.rpartition(": ")
        document.add(at, fact, fix=fix)


def _template_mistake(value: Json, key: str) -> str:
    try:
        check(value, ("n", "task_id", "token", *(["date"] if key == "headers" else [])))
    except ValueError as error:
        return str(error)
    return ""


def _templates(root: Node) -> Iterator[tuple[Path, Sequence[str]]]:
    for number in range(len(root.items("task"))):
        yield ("task", number), ("result", "error", "body", "headers")
        yield ("task", number, "fault"), ("text", "body", "headers")
    for number in range(len(root.items("calls"))):
        yield ("calls", number), ("arguments",)
        yield ("calls", number), ("task_id",)
        yield ("calls", number, "expect"), ("returns", "task", "raises")


# --- proofs -------------------------------------------------------------------------------------------


def check_proof(document: Document, contract: Contract, checks: Mapping[str, CheckSpec]) -> None:
    """Report where a scenario cannot show what it proves, as far as its parts are right."""
    _Proof(
        document,
        [each for each in contract.requirements if each.check in checks],
        contract,
        checks,
        _parts(document, "calls", Call),
        _parts(document, "task", Step),
    ).check()


def _parts(document: Document, key: str, model: type[_M]) -> tuple[_M, ...]:
    """Return a list of the scenario as models; nothing if there is a mistake in it."""
    if not document.is_clean((key,)):
        return ()
    return tuple(model.model_validate_json(json.dumps(each.plain())) for each in document.root.items(key))


@dataclass(frozen=True)
class _Proof:
    """A scenario's parts that are right, and what they are compared with; requirements have a known check."""

    document: Document
    requirements: Sequence[Requirement]
    contract: Contract
    checks: Mapping[str, CheckSpec]
    calls: Sequence[Call]
    steps: Sequence[Step]

    def check(self) -> None:
        known = {each.id: each for each in self.requirements}
        listed = _texts(self.document.root.items("proves"))
        proved = [(number, known[name]) for number, name in listed if name in known]
        if self.document.is_clean(("proves",)):
            self._check_readers({part for _, each in proved for part in self.checks[each.check].reads})
        self._check_cancellations()
        expected = {part for call in self.calls for part in call.expect.parts()}
        for number, requirement in proved:
            path: Path = ("proves", number)
            reads = self.checks[requirement.check].reads
            if self.calls and reads and not expected.intersection(reads):
                fact = f"'{requirement.id}' is under 'proves', but no call expects anything that shows it"
                self.document.add(path, fact, expected=f"{_either(reads)} under 'expect' of a call")
            if self.calls and self.steps and {"field", "from"} <= requirement.with_.keys():
                self._check_field(path, requirement)
            option = requirement.with_.get("option")
            if requirement.check in _OPTIONS and option is not None:
                self._check_option(requirement, is_passed=option == "passed")
            if requirement.check == "timeout_kept" and option is not None:
                self._check_timeout(requirement)
            if requirement.check == "gives_up_after_polls":
                self._check_max_polls(requirement)

    def _waits(self) -> Iterator[tuple[Path, WaitOptions]]:
        for number, call in enumerate(self.calls):
            if call.wait is not None:
                yield ("calls", number, "wait"), call.wait

    def _check_readers(self, readable: Collection[str]) -> None:
        """Report expectations that no check of the scenario's requirements reads."""
        for number, call in enumerate(self.calls):
            for part in call.expect.parts():
                if part not in readable:
                    readers = [each.id for each in self.requirements if part in self.checks[each.check].reads]
                    self.document.add(
                        ("calls", number, "expect", part),
                        f"call {number + 1} expects '{part}', but no requirement under 'proves' checks that",
                        expected=f"a requirement under 'proves' that checks it, or no '{part}'",
                        fix=f"add to 'proves' one of {', '.join(readers[:MAX_READERS])}" if readers else "",
                    )

    def _check_cancellations(self) -> None:
        """Report a wait that may have ended by itself when it is cancelled, or soon after."""
        for number, call in enumerate(self.calls):
            if call.wait is None or call.cancel_after is None:
                continue
            timeout_s = call.wait.timeout_s(self.contract.defaults)
            if timeout_s < call.cancel_after + CANCEL_ROOM_S:
                fact = f"the wait is cancelled after {call.cancel_after:g} s, and ends after {timeout_s:g} s"
                expected = f"a timeout at least {CANCEL_ROOM_S:g} s after the cancellation"
                self.document.add(("calls", number, "cancel_after"), fact, expected=expected)

    def _check_field(self, path: Path, requirement: Requirement) -> None:
        """Report a field of an exception that is proved by an answer without it: every SDK would pass."""
        contract = self.contract
        field, source = str(requirement.with_["field"]), str(requirement.with_["from"])
        raising = [call.expect.raises for call in self.calls if call.expect.raises is not None]
        if all(field in raises.fields for raises in raising):
            return  # the scenario itself says what it must be; without any, `reads` has been reported
        fact = f"'{requirement.id}' is proved by"
        ending = next((step for step in self.steps if contract.ends_the_wait(step.status)), None)
        status = None if ending is None else ending.status
        if ending is None or status is None or contract.meaning(status) is not StatusMeaning.RAISE_TASK:
            failing = [name for name, each in contract.meanings.items() if each is StatusMeaning.RAISE_TASK]
            expected = f"a step that says {_either(failing) or 'that it failed'}, with '{source}'"
            self.document.add(path, f"{fact} a task that does not fail", expected=expected)
        elif at_path(body := render_body(contract, ending, _SOME_TASK), source) is None:
            expected = f"'{source}' in the step that says '{status}'"
            if field in contract.exception_fields:
                expected += f", or '{field}' under 'raises: fields'"
            paths = (dotted(place) for place, _ in walk(body))
            ends = [each for each in paths if each.endswith(f".{source}")]
            fix = f"did the contract mean '{ends[0]}'?" if ends else ""
            self.document.add(path, f"{fact} an answer that has no '{source}'", expected=expected, fix=fix)

    def _check_option(self, requirement: Requirement, *, is_passed: bool) -> None:
        """Report a wait that passes an option whose default is proved, or the other way round."""
        name = _OPTIONS[requirement.check]
        fact = f"'{requirement.id}' is proved by a wait that {'lacks' if is_passed else 'passes'} '{name}'"
        for path, wait in self._waits():
            value = getattr(wait, name)
            if (value is not None) != is_passed:
                expected = f"a wait {'with' if is_passed else 'without'} '{name}'"
                self.document.add(path, fact, expected=expected)
            elif isinstance(value, int | float) and value <= 0:
                open_question = f"'{requirement.id}' is proved by a '{name}' of 0 or less"
                self.document.add(path, open_question, expected="a value that means the same to all")

    def _check_timeout(self, requirement: Requirement) -> None:
        """Report a timeout that is too short to show, or that the task's end comes before."""
        defaults = self.contract.defaults
        for path, wait in self._waits():
            steps, timeout_s = wait.intervals(defaults), wait.timeout_s(defaults)
            intervals = timeout_s / steps.first_s if steps.is_constant else steps.fitting(timeout_s)
            if intervals < MIN_TIMEOUT_INTERVALS:
                fact = f"'{requirement.id}' is proved by a timeout of {intervals:.1f} intervals"
                expected = f"{MIN_TIMEOUT_INTERVALS} or more, so that being one interval off shows"
                self.document.add(path, fact, expected=expected)
        self._check_goes_on(requirement, "deadline")

    def _check_max_polls(self, requirement: Requirement) -> None:
        """Report a limit of polls that is too low to show, or that something else comes before."""
        for path, wait in self._waits():
            limit = wait.polls_limit(self.contract.defaults)
            fact = f"'{requirement.id}' is proved by a wait"
            if limit is None or limit < MIN_MAX_POLLS:
                count = "without a limit of polls" if limit is None else f"of at most {limit}"
                expected = f"'max_polls' of {MIN_MAX_POLLS} or more, so that being one poll off shows"
                self.document.add(path, f"{fact} {count}", expected=expected)
            elif wait.timeout_s(self.contract.defaults) <= wait.lasts_s(self.contract.defaults):
                expected = "a limit of polls that comes before the deadline"
                self.document.add(path, f"{fact} that ends at its timeout", expected=expected)
        self._check_goes_on(requirement, "limit of polls")

    def _check_goes_on(self, requirement: Requirement, limit: str) -> None:
        ends = [n for n, step in enumerate(self.steps) if self.contract.ends_the_wait(step.status)]
        if ends and any(self._waits()):
            fact = f"'{requirement.id}' is proved by a task that ends ('{self.steps[ends[0]].status}')"
            expected = f"a task that never ends, so that only the {limit} ends the wait"
            self.document.add(("task", ends[0], "status"), fact, expected=expected)


def _either(names: Sequence[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
