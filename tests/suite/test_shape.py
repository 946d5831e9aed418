"""What differs in kind from vendor to vendor: failures that are returned, and how a timeout is told."""

from __future__ import annotations

import re

import pytest
from fakes import KILN
from waitproof.errors import InputError
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT
from waitproof.suite.model import build
from waitproof.suite.shape import Returns, StatusMeaning, TimeoutPromise
from waitproof.suite.step import Step
from waitproof.suite.task import render_body

WHOLE = (KILN / CONTRACT).read_text(encoding="utf-8")
VALUES = {"task_id": 7, "token": "t", "n": 1}


def contract(old: str = "", new: str = "") -> Contract:
    assert not old or WHOLE.count(old) == 1
    return build(Contract, Document(WHOLE.replace(old, new) if old else WHOLE, "contract.yaml"))


def mistakes(old: str, new: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        contract(old, new)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_failing_status_may_be_returned_and_the_status_for_a_result_is_a_success() -> None:
    kiln = contract()

    assert kiln.meaning("cracked") is StatusMeaning.RETURN_RESULT
    assert [kiln.fails(status) for status in ("cracked", "fired", "never heard of")] == [True, False, False]
    assert (kiln.status_for(StatusMeaning.RETURN_RESULT), kiln.failing_status) == ("fired", "cracked")


def test_a_status_that_raises_fails_and_comes_first_among_those_that_do() -> None:
    assert contract("cold: keep_polling", "cold: keep_polling\n  lost: raise_task").failing_status == "lost"


def test_a_contract_without_failures_has_no_failing_status() -> None:
    harmless = contract("cracked: {means: return_result, fails: true}", "cracked: return_result")

    assert harmless.model_copy(update={"variants": {}}).failing_status is None


def test_a_returned_failure_answers_with_the_contracts_error_unless_the_step_has_another() -> None:
    kiln = contract()

    bodies = [
        render_body(kiln, Step.model_validate(step), VALUES)
        for step in ({"status": "cracked"}, {"status": "cracked", "error": None}, {"status": "fired"})
    ]

    assert [body["damage"] for body in bodies] == [{"crack": "left", "of": 7}, None, None]


def test_exception_fields_and_a_timeout_may_be_left_out() -> None:
    kiln = contract('timeout: {type: "^Kiln(Late|Gone)$"}\n', "")

    assert (kiln.exception_fields, kiln.timeout) == ({}, TimeoutPromise())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{means: return_result, fails: true}",
            "{means: keep_polling, fails: true}",
            "3: a task that has failed is not polled on\n"
            "  found:    cracked: {means: keep_polling, fails: true}\n"
            "  expected: return_result or raise_task",
        ),
        (
            "{means: return_result, fails: true}",
            "{means: return_result, fail: true}",
            "35: a status has no key 'fail'\n"
            "  found:    cracked: {means: return_result, fail: true}\n"
            "  expected: means or fails\n"
            "  fix:      did you mean 'fails'?",
        ),
        (
            "{means: return_result, fails: true}",
            "{means: returns, fails: true}",
            "13: 'means' cannot be \"returns\"\n"
            "  found:    cracked: {means: returns, fails: true}\n"
            "  expected: 'keep_polling', 'return_result' or 'raise_task'\n"
            "  fix:      did you mean 'return_result'?",
        ),
        (
            '{type: "^Kiln(Late|Gone)$"}',
            "{type: 7}",
            "11: 'type' cannot be 7\n"
            "  found:    timeout: {type: 7}\n"
            "  expected: a regular expression, or one for each language: {python: …, go: …}",
        ),
        (
            '{type: "^Kiln(Late|Gone)$"}',
            '{type: {go: "("}}',
            '11: the pattern "(" cannot be read: missing ), unterminated subpattern at position 0\n'
            '  found:    timeout: {type: {go: "("}}',
        ),
        (
            "{cracked: raise_task}",
            "{craked: raise_task}",
            "55: there is no status 'craked'\n"
            "  found:    strict: {options: {raise_cracked: true}, statuses: {craked: raise_task}}\n"
            "  expected: cold, firing, cracked, fired",
        ),
        (
            "{raise_cracked: true}",
            "{timeout: 3}",
            "22: a variant has no 'timeout'\n"
            "  found:    strict: {options: {timeout: 3}, statuses: {cracked: raise_task}}\n"
            "  fix:      let the scenarios pass it",
        ),
        (
            "returns: task\n",
            "returns: all\n",
            "1: 'returns' cannot be \"all\"\n"
            "  found:    returns: all\n"
            "  expected: 'task', 'result' or 'nothing'",
        ),
        (
            "returns: task\n",
            "",
            "1: 'returned' is a part of a task, but a wait does not return one\n"
            '  found:    returned: {firing: "${task_id}", heat: "${status}", glaze: "${result}"}\n'
            "  expected: returns: task",
        ),
        (
            'glaze: "${result}"}\n\n',
            'glaze: "${results}"}\n\n',
            "1: ${results} is not a placeholder\n"
            '  found:    returned: {firing: "${task_id}", heat: "${status}", glaze: "${results}"}\n'
            "  fix:      use ${error}, ${n}, ${result}, ${status}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            "check: returns_result\n  - id: cracked",
            "check: returns_result\n    applies_to: {language: 7}\n  - id: cracked",
            "18: a condition cannot be 7\n"
            "  found:    applies_to: {language: 7}\n"
            "  expected: a text, or a list of texts",
        ),
        (
            "check: returns_result\n  - id: cracked",
            "check: returns_result\n    applies_to: {not: {returns: [all]}}\n  - id: cracked",
            '24: a condition cannot be ["all"]\n'
            "  found:    applies_to: {not: {returns: [all]}}\n"
            "  expected: a text of task, result, nothing, or a list of texts",
        ),
        (
            "check: returns_result\n  - id: cracked",
            "check: returns_result\n    applies_to: {not: {not: {}}}\n  - id: cracked",
            "24: a condition of a requirement has no key 'not'\n"
            "  found:    applies_to: {not: {not: {}}}\n"
            "  expected: language, non_blocking, cancel, no_timeout, variant or returns",
        ),
    ],
)
def test_a_wrong_shape_is_reported_at_its_place(old: str, new: str, message: str) -> None:
    (mistake,) = mistakes(old, new)

    assert re.sub(r"^contract.yaml:[0-9]+:", "", mistake) == message


@pytest.mark.parametrize(
    ("promise", "fits"),
    [
        (TimeoutPromise(kind="transport"), {("transport", "X"), ("transport", "KilnLate")}),
        (TimeoutPromise(type="Late$"), {("transport", "KilnLate"), ("task", "KilnLate")}),
        (TimeoutPromise(kind="transport", type="Late$"), {("transport", "KilnLate")}),
        (TimeoutPromise(type={"Python": "Late$"}), {("transport", "KilnLate"), ("task", "KilnLate")}),
        (TimeoutPromise(type={"go": "Late$"}), {("transport", "X"), ("transport", "KilnLate")}),
        (TimeoutPromise(), {("transport", "X"), ("transport", "KilnLate")}),
    ],
)
def test_a_timeout_is_told_by_kind_and_type_as_far_as_promised(
    promise: TimeoutPromise, fits: set[tuple[str, str]]
) -> None:
    every = [(kind, name) for kind in ("transport", "task") for name in ("X", "KilnLate")]

    assert {each for each in every if promise.fits(*each, "python")} == fits


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("^Kiln(Late|Gone)$", "KilnLate"),
        (r"^\*?kiln[.]Late$", "kiln.Late"),
        ("Timeout|TimeOut", "Timeout"),
        ("^(Exception|Error)$", "Exception"),
        (r"\w+Late", "wLate"),
        ("^[A-Z][a-z]{4,}Late$", "^[A-Z][a-z]{4,}Late$"),
    ],
)
def test_a_name_that_fits_is_made_from_the_patterns_own_words_else_is_the_pattern(
    pattern: str, name: str
) -> None:
    promise = TimeoutPromise(type=pattern)

    assert promise.a_type("python") == name
    assert promise.fits("other", name, "python")


def scenario_mistakes(of: Contract, returns: str) -> list[str]:
    text = (
        "summary: A test.\nproves: [ends-as-written]\ntask: [{status: fired}]\n"
        f"calls: [{{wait: {{}}, expect: {{returns: {returns}}}}}]\n"
    )
    try:
        parse_scenario(Document(text, "s.yaml"), "s", of)
    except InputError as error:
        return [f"{mistake.fact}: {mistake.expected}" for mistake in error.mistakes]
    return []


def test_an_expected_value_is_one_that_a_wait_of_the_contract_can_return() -> None:
    task = contract()
    bare = contract('returned: {firing: "${task_id}", heat: "${status}", glaze: "${result}"}\n', "")
    nothing = bare.model_copy(update={"returns": Returns.NOTHING})

    assert [scenario_mistakes(task, each) for each in ("{}", "{glaze: blue}", "blue")] == [
        [],
        [],
        ['a wait of this contract returns a task, not "blue": a mapping with what the task must have'],
    ]
    assert scenario_mistakes(bare, "{}") == [
        "any task has what is expected here: what the task must have, or 'returned' in the contract"
    ]
    assert [scenario_mistakes(nothing, each) for each in ("null", "blue")] == [
        [],
        ['a wait of this contract returns nothing, not "blue": null, which says that the wait returns'],
    ]


def variant_mistakes(*waits: str) -> list[str]:
    calls = ", ".join(f"{{wait: {wait}, expect: {{returns: {{glaze: blue}}}}}}" for wait in waits)
    text = f"summary: A test.\nproves: [ends-as-written]\ntask: [{{status: fired}}]\ncalls: [{calls}]\n"
    with pytest.raises(InputError) as caught:
        parse_scenario(Document(text, "s.yaml"), "s", contract())
    return [f"{mistake.fact}; {mistake.expected}; {mistake.fix}" for mistake in caught.value.mistakes]


def test_a_scenario_names_a_variant_of_its_contract_and_only_one() -> None:
    assert variant_mistakes("{variant: strickt}") == [
        "the contract has no variant 'strickt'; strict; did you mean 'strict'?"
    ]
    assert variant_mistakes("{variant: strict}", "{}") == [
        "a scenario has one variant of the helper; ; give each 'wait' the same 'variant'"
    ]
