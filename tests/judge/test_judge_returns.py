"""What a wait should hand over: the result exactly, a part of the task, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from observations import (
    COMPLETED,
    GOT_RESULT,
    PENDING,
    TASK_ID,
    Play,
    contract,
    fails,
    got,
    got_task,
    hello,
    judged,
    observe,
    passes,
    raised,
    scenario,
)
from waitproof.judge import Status, Verdict
from waitproof.protocol import Returned
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Scenario
from waitproof.suite.shape import Returns

TASK = {"task_id": TASK_ID, "status": "completed", "result": {"channels": 2}, "more": 1}
RETURNED = {"task_id": "${task_id}", "status": "${status}", "result": "${result}"}
WANTED = f'{{"task_id": "{TASK_ID}", "status": "completed", "result": {{"channels": 2}}}}'


def returning(shape: str, check: str = "returns_result", **more: Any) -> Contract:
    update = {"returns": Returns(shape), "returned": RETURNED if shape == "task" else None}
    return contract(check, **more).model_copy(update=update)


def waited(returns: Any = None, *steps: Any) -> Scenario:
    return scenario(*(steps or [COMPLETED]), expect={"returns": returns})


def verdict_of(of: Contract, played: Scenario, seen: Any, **capabilities: Any) -> Verdict:
    return judged(of, played, observe(played, Play(seen, at=[0.0]), by=hello(**capabilities)))


def test_a_task_has_what_the_contract_promises_and_may_have_more() -> None:
    assert verdict_of(returning("task"), waited({}), got(TASK)) == passes(
        f"the call returns a task with {WANTED}", "it did"
    )


def test_a_task_that_lacks_a_promised_member_is_wrong() -> None:
    seen = {name: value for name, value in TASK.items() if name != "result"}

    verdict = verdict_of(returning("task"), waited({}), got(seen))

    assert (verdict.status, verdict.explanation) == (
        Status.FAIL,
        'the first difference is at result: expected {"channels": 2}, seen nothing',
    )


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"more": 1}, Status.PASS),
        ({"more": 2}, Status.FAIL),
        ({"result": {}}, Status.PASS),
        ({"result": {"channels": 3}}, Status.FAIL),
    ],
)
def test_what_a_scenario_expects_of_a_task_comes_before_the_contracts_template(
    wanted: dict[str, Any], status: Status
) -> None:
    assert verdict_of(returning("task"), waited(wanted), got(TASK)).status is status


def test_what_an_answer_leaves_out_is_not_promised_of_the_task() -> None:
    played = waited({}, {"status": "completed", "omit": ["result"]})
    seen = {"task_id": TASK_ID, "status": "completed"}

    assert verdict_of(returning("task"), played, got(seen)).status is Status.PASS


def test_lists_in_a_task_are_compared_item_by_item() -> None:
    played = waited({}, {"status": "completed", "result": [{"a": 1}, {"b": 2}]})
    more, fewer = [{"a": 1, "c": 3}, {"b": 2}], [{"a": 1}]

    statuses = [
        verdict_of(returning("task"), played, got({**TASK, "result": result})).status
        for result in (more, fewer)
    ]

    assert statuses == [Status.PASS, Status.FAIL]


@pytest.mark.parametrize("shape", ["task", "result", "nothing"])
def test_only_the_return_is_judged_of_a_helper_that_returns_nothing(shape: str) -> None:
    played = waited({})
    by = {} if shape == "nothing" else {"returns": "nothing"}

    returned = verdict_of(returning(shape), played, got(None), **by)
    failed = verdict_of(returning(shape), played, raised("other"), **by)

    assert returned == passes("the call returns", "it did; this helper returns no value to compare")
    assert failed == fails("the call returns", 'it raised KeyError (kind other): "it failed"')


def test_a_helper_that_returns_the_result_where_others_return_the_task_returns_the_answers_result() -> None:
    played, of = waited({"status": "completed"}), returning("task")

    assert verdict_of(of, played, GOT_RESULT, returns="result") == passes(
        'the call returns {"channels": 2}', "it did"
    )
    assert verdict_of(of, played, got(TASK), returns="result").status is Status.FAIL


def test_a_capability_never_makes_more_of_what_the_contract_promises() -> None:
    assert verdict_of(returning("result"), waited({"channels": 2}), GOT_RESULT, returns="task") == passes(
        'the call returns {"channels": 2}', "it did"
    )


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({}, Status.PASS),
        ({"error": {"message": ""}}, Status.PASS),
        ({"error": {"message": "no"}}, Status.FAIL),
    ],
)
def test_a_member_of_a_task_that_should_be_null_may_be_zero_or_absent_and_nothing_else(
    error: dict[str, Any], status: Status
) -> None:
    seen = {name: value for name, value in TASK.items() if name != "error"} | error
    of = returning("task")

    assert verdict_of(of, waited({"error": None}), got(seen), zero_values=True).status is status


@pytest.mark.parametrize(
    ("wanted", "seen", "status"),
    [
        ({"a": None, "b": 2}, {"a": 0, "b": 2}, Status.PASS),
        ({"a": None, "b": 2}, {"b": 2, "c": "", "d": {"e": False}, "f": []}, Status.PASS),
        ({"a": None, "b": 2}, {"a": 1, "b": 2}, Status.FAIL),
        ({"a": None, "b": 2}, {"a": None, "b": 0}, Status.FAIL),
        (None, {}, Status.PASS),
        (None, {"a": 1}, Status.FAIL),
        ([0, 1], [None, 1], Status.PASS),
        ([0, 1], [1], Status.FAIL),
    ],
)
def test_types_without_null_may_have_zero_in_its_place_and_nothing_else(
    wanted: Any, seen: Any, status: Status
) -> None:
    assert verdict_of(returning("result"), waited(wanted), got(seen), zero_values=True).status is status


def test_a_null_and_a_zero_are_two_values_for_every_other_sdk() -> None:
    assert verdict_of(returning("result"), waited({"a": None}), got({"a": 0})).status is Status.FAIL


@pytest.mark.parametrize(("zero_values", "status"), [(True, Status.PASS), (False, Status.WARN)])
def test_a_task_seen_by_hand_has_zeros_only_where_types_lack_null(zero_values: bool, status: Status) -> None:
    call = {"get_task": {}, "expect": {"task": {"status": "pending", "result": None, "error": None}}}
    played = scenario(PENDING, calls=[call])
    seen = got_task({"status": "pending", "result": {"channels": 0}})
    by = hello(zero_values=zero_values)

    verdict = judged(
        contract("one_request_per_call", level="SHOULD"), played, observe(played, Play(seen, at=[0.0]), by=by)
    )

    assert verdict.status is status


def test_integers_of_a_helper_that_returns_nothing_are_not_recorded() -> None:
    verdict = verdict_of(
        returning("result", "record_integers", level="INFO"), waited(7), Returned(), returns="nothing"
    )

    assert (verdict.status, verdict.seen) == (Status.INFO, "nothing: the helper returns no value")
