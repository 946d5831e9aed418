"""Checks of what the caller saw: each kept, and each broken in every way that it can be."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FAILED,
    FOREVER,
    GOT_RESULT,
    PENDING,
    RUNNING,
    TASK_FAILED,
    TASK_ID,
    TIMED_OUT,
    TIMEOUT,
    Play,
    contract,
    fails,
    got,
    got_task,
    got_task_id,
    judged,
    observe,
    passes,
    raised,
    scenario,
    verdict,
)
from waitproof.journal import Ended
from waitproof.judge import Status, Verdict
from waitproof.judge.intervals import EARLY_SLACK_S
from waitproof.judge.observation import Seen, StillWaiting
from waitproof.protocol import Given, Returned
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Scenario

THREE = (0.0, 1.0, 2.0)


def played(of: Contract, told: Scenario, seen: Seen, **more: Any) -> Verdict:
    return judged(of, told, observe(told, Play(seen, **more)))


# --- helper_is_shipped, begin_returns_task_id ---------------------------------------------------------


def test_a_helper_that_asks_is_shipped() -> None:
    told = scenario(COMPLETED)

    assert played(contract("helper_is_shipped"), told, GOT_RESULT, at=[0.0]) == passes(
        "a helper that waits for a task", "Stream.wait_for_task"
    )


def test_a_helper_that_raises_without_a_request_cannot_be_called() -> None:
    assert played(contract("helper_is_shipped"), scenario(COMPLETED), raised("other")) == fails(
        "a helper that waits for a task", 'it sent no request, and raised KeyError (kind other): "it failed"'
    )


BEGIN: Mapping[str, Any] = {"begin": "delete_users", "arguments": {"user_ids": ["${token}"]}}


def begun(seen: Seen, *, operations: list[str], task_id: str | int = TASK_ID) -> Verdict:
    told = scenario(COMPLETED, calls=[BEGIN])
    of = contract("begin_returns_task_id", operations=operations)
    return judged(of, told, observe(told, Play(seen), task_id=task_id))


def test_an_operation_that_hands_on_its_task_id_is_right() -> None:
    assert begun(got_task_id(TASK_ID), operations=["delete_users"]) == passes(
        f'delete_users returns the task id "{TASK_ID}"', "it did"
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got_task_id(None), "it returned null"),
        (got_task_id("another"), 'it returned the task id "another"'),
        (raised("api"), 'it raised ApiError (kind api): "it failed"'),
        (
            Returned(Given.UNENCODABLE, unencodable="a pointer"),
            "it returned a value that JSON cannot carry: a pointer",
        ),
    ],
)
def test_an_operation_that_loses_its_task_id_is_found_out(seen: Seen, told: str) -> None:
    assert begun(seen, operations=["delete_users"]) == fails(
        f'delete_users returns the task id "{TASK_ID}"', told
    )


def test_a_task_id_that_is_a_number_is_not_a_text_of_its_digits() -> None:
    assert begun(got_task_id("7"), operations=["delete_users"], task_id=7) == fails(
        "delete_users returns the task id 7", 'it returned the task id "7"'
    )


def test_an_operation_that_the_requirement_does_not_name_proves_nothing() -> None:
    assert begun(got_task_id(TASK_ID), operations=["export_users"]) == fails(
        "an operation of the scenario to judge", "there was none"
    )


# --- returns_result -----------------------------------------------------------------------------------


def returned(seen: Seen, wanted: Any) -> Verdict:
    told = scenario(COMPLETED, expect={"returns": wanted})
    return played(contract("returns_result"), told, seen, at=[0.0])


@pytest.mark.parametrize("wanted", [{"n": 2}, None, 0, False, "", [], {}, [1.5, None]])
def test_the_result_itself_is_right(wanted: Any) -> None:
    assert returned(got(wanted), wanted).status is Status.PASS


def test_the_same_number_in_another_spelling_is_the_same_result() -> None:
    assert returned(got({"n": 2.0}), {"n": 2}) == passes('the call returns {"n": 2}', "it did")


def test_placeholders_of_an_expected_result_are_filled_in() -> None:
    assert returned(got({"of": TASK_ID, "n": 1}), {"of": "${task_id}", "n": "${n}"}).status is Status.PASS


@pytest.mark.parametrize(
    ("wanted", "result", "explanation"),
    [
        ({"n": 1}, {"n": True}, "the first difference is at n: expected 1, seen true"),
        ({"n": None}, {}, "the first difference is at n: expected null, seen nothing"),
        ({}, {"n": None}, "the first difference is at n: expected nothing, seen null"),
        (
            {"a.b": 1, "a": {"b": 1}},
            {"a.b": 2, "a": {"b": 1}},
            'the first difference is at ["a.b"]: expected 1, seen 2',
        ),
        (0, False, ""),
        (None, {}, ""),
        ({}, None, ""),
        ("7", 7, ""),
    ],
)
def test_another_result_is_found_out_and_told_where_it_differs(
    wanted: Any, result: Any, explanation: str
) -> None:
    assert returned(got(result), wanted) == fails(
        f"the call returns {json.dumps(wanted)}", f"it returned {json.dumps(result)}", explanation
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (TASK_FAILED, 'it raised TaskError (kind task): "it failed"'),
        (StillWaiting(70.0), "it was still waiting after 70.00 s, long past its deadline"),
        (
            Returned(Given.UNENCODABLE, unencodable="NaN at a"),
            "it returned a value that JSON cannot carry: NaN at a",
        ),
    ],
)
def test_what_is_no_result_is_found_out(seen: Seen, told: str) -> None:
    assert returned(seen, None) == fails("the call returns null", told)


@pytest.mark.parametrize(("first", "second"), [(GOT_RESULT, got(None)), (got(None), GOT_RESULT)])
def test_each_of_two_waits_is_held_to_its_result(first: Seen, second: Seen) -> None:
    wait = {"wait": {}, "expect": {"returns": {"channels": 2}}}
    told = scenario(COMPLETED, calls=[wait, wait])
    seen = observe(told, Play(first, [0.0]), Play(second, [1.0], sent_s=1.0, call=1))

    assert judged(contract("returns_result"), told, seen) == fails(
        'the call returns {"channels": 2}', "it returned null"
    )


def test_a_wait_that_could_not_be_made_names_the_one_that_did_not_end() -> None:
    told = scenario(COMPLETED, calls=[{"wait": {}}, {"wait": {}}, {"wait": {}, "expect": {"returns": 1}}])
    seen = observe(told, Play(GOT_RESULT, [0.0]), Play(StillWaiting(71.0), [1.0], sent_s=1.0, call=1))

    assert judged(contract("returns_result"), told, seen) == fails(
        "a wait that returns",
        "it was not made: the call before it was still waiting after 71.00 s, long past its deadline",
    )


def test_a_scenario_that_expects_no_result_proves_none() -> None:
    told = scenario(COMPLETED)

    assert played(contract("returns_result"), told, GOT_RESULT, at=[0.0]) == fails(
        "a wait that returns", "no call was made"
    )


# --- raises_kind, raises_timeout ----------------------------------------------------------------------


def of_kind(seen: Seen, *kinds: str) -> Verdict:
    told = scenario(FAILED, expect={"raises": {"kind": "task"}})
    return played(contract("raises_kind", kinds=list(kinds)), told, seen, at=[0.0])


def test_an_exception_of_a_documented_kind_is_right() -> None:
    assert of_kind(raised("api"), "task", "api") == passes(
        "the call raises an exception of kind task or api", 'it raised ApiError (kind api): "it failed"'
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (raised("other"), 'it raised KeyError (kind other): "it failed"'),
        (raised("transport"), 'it raised TransportError (kind transport): "it failed"'),
        (got(None), "it returned null"),
        (StillWaiting(70.0), "it was still waiting after 70.00 s, long past its deadline"),
    ],
)
def test_an_exception_of_another_kind_or_none_is_found_out(seen: Seen, told: str) -> None:
    assert of_kind(seen, "task") == fails("the call raises an exception of kind task", told)


def test_a_scenario_that_expects_no_exception_proves_none() -> None:
    told = scenario(FAILED)

    assert played(contract("raises_kind", kinds=["task"]), told, TASK_FAILED, at=[0.0]) == fails(
        "the call raises an exception of kind task", "no call was made"
    )


def timed_out(seen: Seen) -> Verdict:
    told = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
    return played(contract("raises_timeout"), told, seen, at=THREE)


TIMEOUT_PROMISED = 'the call raises an exception of kind transport, error_type "timeout"'


def test_the_timeouts_exception_is_right() -> None:
    assert timed_out(TIMED_OUT) == passes(
        TIMEOUT_PROMISED, 'it raised TransportError (kind transport): "gave up"'
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (raised("transport", error_type="TIMEOUT"), 'error_type is "TIMEOUT"'),
        (raised("transport", error_type=None), "error_type is null"),
        (raised("transport", error_type=""), 'error_type is ""'),
        (raised("transport"), "TransportError has no error_type"),
        (raised("task", error_type="timeout"), 'it raised TaskError (kind task): "it failed"'),
        (raised("other"), 'it raised KeyError (kind other): "it failed"'),
        (got(None), "it returned null"),
        (StillWaiting(13.0), "it was still waiting after 13.00 s, long past its deadline"),
    ],
)
def test_what_is_not_the_timeouts_exception_is_found_out(seen: Seen, told: str) -> None:
    assert timed_out(seen) == fails(TIMEOUT_PROMISED, told)


def test_a_timeouts_field_that_must_be_null_must_be_there() -> None:
    of = contract("raises_timeout")
    promise = of.timeout.model_copy(update={"fields": {"error_type": None}})
    told = scenario(FOREVER, expect={"raises": {"kind": "transport"}})
    seen = observe(told, Play(raised("transport"), [0.0]))

    assert judged(of.model_copy(update={"timeout": promise}), told, seen) == fails(
        "the call raises an exception of kind transport, error_type null", "TransportError has no error_type"
    )


def test_a_timeout_that_nobody_waited_for_was_not_raised() -> None:
    told = scenario(FOREVER)

    assert judged(contract("raises_timeout"), told, observe(told)) == fails(
        TIMEOUT_PROMISED, "no call was made"
    )


# --- exception_field, native_stack_trace_is_apart ----------------------------------------------------


SENT = " (error.type in the server's answer)"


def field_of(
    seen: Seen,
    *task: Mapping[str, Any],
    field: str = "error_type",
    source: str = "error.type",
    fields: Mapping[str, Any] | None = None,
    at: tuple[float, ...] = (0.0,),
) -> Verdict:
    told = scenario(*(task or (FAILED,)), expect={"raises": {"kind": "task", "fields": fields or {}}})
    of = contract("exception_field", **{"field": field, "from": source})
    return judged(of, told, observe(told, Play(seen, at)))


@pytest.mark.parametrize(
    ("field", "source"),
    [
        ("task_id", "task_id"),
        ("error_type", "error.type"),
        ("description", "error.description"),
        ("stack_trace", "error.stacktrace"),
        ("version", "error.version"),
    ],
)
def test_a_field_that_says_what_the_server_said_is_right(field: str, source: str) -> None:
    verdict = field_of(TASK_FAILED, field=field, source=source)

    assert (verdict.status, verdict.seen) == (Status.PASS, "it is")


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (raised(error_type=None), "error_type is null"),
        (raised(error_type=""), 'error_type is ""'),
        (raised(), "TaskError has no error_type"),
        (raised(error_type="unknown"), 'error_type is "unknown"'),
        (got(None), "nothing was raised: the call returned null"),
        (
            StillWaiting(70.0),
            "nothing was raised: the call was still waiting after 70.00 s, long past its deadline",
        ),
    ],
)
def test_null_empty_missing_and_other_values_are_told_apart(seen: Seen, told: str) -> None:
    assert field_of(seen) == fails(f'error_type is "export_failed"{SENT}', told)


def test_a_long_value_that_differs_at_its_end_is_told_where() -> None:
    error = {"type": "a" * 400 + "!", "description": ""}

    verdict = field_of(raised(error_type="a" * 400 + "?"), {"status": "failed", "error": error})

    assert verdict.explanation == 'the first difference is at character 401: expected "!", seen "?"'


def test_a_field_is_that_of_the_answer_that_failed_and_not_of_one_before() -> None:
    task = (
        {"status": "running", "error": {"type": "first"}},
        {"status": "failed", "error": {"type": "last"}},
    )

    assert field_of(raised(error_type="last"), *task, at=(0.0, 1.0)) == passes(
        f'error_type is "last"{SENT}', "it is"
    )
    assert field_of(raised(error_type="first"), *task, at=(0.0, 1.0)) == fails(
        f'error_type is "last"{SENT}', 'error_type is "first"'
    )


def test_an_empty_exception_that_comes_before_the_task_has_failed_is_not_what_the_server_said() -> None:
    assert field_of(raised(error_type=None), RUNNING, FAILED, at=(0.0,)) == fails(
        f'error_type is "export_failed"{SENT}', "error_type is null"
    )


def test_a_field_that_the_server_left_out_is_null_and_not_missing() -> None:
    task = {"status": "failed", "error": {"description": "no type"}}

    assert field_of(raised(error_type=None), task) == passes(f"error_type is null{SENT}", "it is")
    assert field_of(raised(), task) == fails(f"error_type is null{SENT}", "TaskError has no error_type")


def test_what_the_scenario_expects_of_a_field_goes_before_what_the_server_said() -> None:
    fields = {"error_type": "of ${task_id}"}

    assert field_of(raised(error_type=f"of {TASK_ID}"), fields=fields).status is Status.PASS
    assert field_of(raised(error_type="export_failed"), fields=fields) == fails(
        f'error_type is "of {TASK_ID}"{SENT}', 'error_type is "export_failed"'
    )


def test_a_field_has_its_own_verdict_whatever_the_exceptions_kind() -> None:
    assert field_of(raised("other", error_type="export_failed")).status is Status.PASS


def test_where_the_task_never_ends_the_last_answer_counts() -> None:
    seen = raised(version="running")

    assert field_of(seen, PENDING, FOREVER, field="version", source="status", at=(0.0, 1.0)) == passes(
        'version is "running" (status in the server\'s answer)', "it is"
    )


def test_without_a_step_that_has_a_status_nothing_was_said() -> None:
    assert field_of(raised("api"), {"fault": {"http": 500}}) == fails(
        f"error_type is null{SENT}", "ApiError has no error_type"
    )


def test_a_field_of_a_call_that_was_not_made_is_missing() -> None:
    told = scenario(FAILED)

    assert judged(
        contract("exception_field", **{"field": "version", "from": "error.version"}), told, observe(told)
    ) == fails("an exception with version", "no call was made")


def apart(seen: Seen) -> Verdict:
    told = scenario(FAILED, expect={"raises": {"kind": "task"}})
    of = contract("native_stack_trace_is_apart", **{"field": "stack_trace", "from": "error.stacktrace"})
    return played(of, told, seen, at=[0.0])


def test_the_servers_stack_trace_beside_the_runtimes_own_is_right() -> None:
    assert apart(replace(TASK_FAILED, native_stack_frames=12)).status is Status.PASS


def test_a_runtimes_stack_trace_without_frames_was_overwritten() -> None:
    assert apart(replace(TASK_FAILED, native_stack_frames=0)) == fails(
        "the runtime's own stack trace has frames", "it has none"
    )


def test_an_adapter_that_does_not_count_the_frames_is_at_fault_itself() -> None:
    assert apart(TASK_FAILED) == verdict(
        Status.ERROR, seen="the adapter does not report exception.native_stack_frames"
    )


def test_a_missing_stack_trace_has_no_accessor() -> None:
    verdict = apart(raised(frames=12))

    assert (verdict.status, verdict.seen) == (Status.FAIL, "TaskError has no stack_trace")


# --- polls_until_terminal -----------------------------------------------------------------------------


def until_terminal(seen: Seen, at: tuple[float, ...], *, polls: Any = 3, **more: Any) -> Verdict:
    told = scenario(PENDING, RUNNING, COMPLETED, expect={"polls": polls} if polls else {})
    return played(contract("polls_until_terminal"), told, seen, at=at, **more)


def test_a_helper_that_polls_until_the_task_is_done_is_right() -> None:
    assert until_terminal(GOT_RESULT, THREE) == passes("polls until the task is done", "it did")


def test_a_poll_too_many_is_another_requirements_business() -> None:
    assert until_terminal(GOT_RESULT, (*THREE, 3.0)).status is Status.PASS


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got(None), "2 polls, then the call returned null"),
        (raised("task"), '2 polls, then the call raised TaskError (kind task): "it failed"'),
        (TIMED_OUT, '2 polls, then the call raised TransportError (kind transport): "gave up"'),
        (
            StillWaiting(70.0),
            "2 polls, then the call was still waiting after 70.00 s, long past its deadline",
        ),
    ],
)
def test_a_wait_that_ends_before_the_task_is_found_out(seen: Seen, told: str) -> None:
    assert until_terminal(seen, (0.0, 1.0)) == fails("3 polls until the task is done", told)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got(None), "the call returned null although the last answer was 'running'"),
        (
            raised("task"),
            "the call raised TaskError (kind task): \"it failed\" although the last answer was 'running'",
        ),
    ],
)
def test_an_outcome_before_the_end_is_found_out_where_no_number_is_expected(seen: Seen, told: str) -> None:
    assert until_terminal(seen, (0.0, 1.0), polls=None) == fails("polls until the task is done", told)


def test_an_answer_that_the_client_did_not_wait_for_has_not_ended_the_wait() -> None:
    left = {3: {"ended": Ended.ABANDONED}}

    assert until_terminal(got(None), THREE, poll=left) == fails(
        "polls until the task is done", "the call returned null although the last answer was 'completed'"
    )


def test_a_poll_that_takes_the_place_of_one_given_up_is_no_poll_after_the_end() -> None:
    assert (
        until_terminal(GOT_RESULT, (*THREE, 3.0), polls=4, poll={3: {"ended": Ended.ABANDONED}}).status
        is Status.PASS
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (TIMED_OUT, 'raised TransportError (kind transport): "gave up"'),
        (StillWaiting(70.0), "was still waiting after 70.00 s, long past its deadline"),
    ],
)
def test_a_helper_that_polls_on_after_the_end_until_its_deadline_missed_it(seen: Seen, told: str) -> None:
    assert until_terminal(seen, (*THREE, 3.0, 4.0), polls=None) == fails(
        "polls until the task is done", f"polls went on after the answer 'completed', and the call {told}"
    )


@pytest.mark.parametrize("seen", [raised("other"), raised("api"), raised("transport")])
def test_a_poll_too_many_before_another_exception_is_another_requirements_business(seen: Seen) -> None:
    assert until_terminal(seen, (*THREE, 3.0)).status is Status.PASS


def test_a_deadline_that_passes_as_the_end_is_answered_is_no_poll_after_it() -> None:
    assert until_terminal(TIMED_OUT, THREE).status is Status.PASS


@pytest.mark.parametrize("kind", ["api", "other", "transport"])
def test_where_a_timeout_is_another_exception_a_task_exception_says_that_the_task_is_done(kind: str) -> None:
    of = contract("polls_until_terminal")
    other = of.model_copy(update={"timeout": of.timeout.model_copy(update={"kind": kind})})

    assert played(other, scenario(RUNNING, FAILED), TASK_FAILED, at=[0.0]).status is Status.FAIL


def test_where_a_timeout_is_a_task_exception_one_may_come_at_any_poll() -> None:
    of = contract("polls_until_terminal")
    promise = of.timeout.model_copy(update={"kind": "task"})
    told = scenario(FOREVER)

    assert judged(
        of.model_copy(update={"timeout": promise}), told, observe(told, Play(raised("task"), [0.0]))
    ) == passes("polls until the task is done", "it did")


# --- outcome_expected ---------------------------------------------------------------------------------


def as_expected(
    expect: Mapping[str, Any], seen: Seen, at: tuple[float, ...] = THREE, call: str = "wait"
) -> Verdict:
    told = scenario(PENDING, RUNNING, COMPLETED, calls=[{call: {}, "expect": expect}])
    return played(contract("outcome_expected"), told, seen, at=at)


RAISES = {
    "raises": {"kind": ["api", "task"], "fields": {"error_type": "quota", "task_id": "${task_id}"}},
    "polls": 3,
}


@pytest.mark.parametrize(
    ("expect", "seen", "call"),
    [
        ({"returns": {"channels": 2}, "polls": 3}, GOT_RESULT, "wait"),
        ({"returns": None}, got(None), "wait"),
        (RAISES, raised("api", error_type="quota", task_id=TASK_ID), "wait"),
        ({"polls": {"at_least": 2}}, TIMED_OUT, "wait"),
        (
            {"task": {"status": "pending"}, "polls": {"at_most": 3}},
            got_task({"status": "pending", "x": 1}),
            "get_task",
        ),
        ({}, raised("other"), "wait"),
    ],
)
def test_an_outcome_as_expected_is_right_in_every_part(
    expect: Mapping[str, Any], seen: Seen, call: str
) -> None:
    verdict = as_expected(expect, seen, call=call)

    assert (verdict.status, verdict.explanation) == (Status.PASS, "")


@pytest.mark.parametrize(
    ("expect", "seen", "expected", "told", "explanation"),
    [
        (
            {"returns": {"a": 1}},
            got({"a": 2}),
            'the call returns {"a": 1}',
            'it returned {"a": 2}',
            "the first difference is at a: expected 1, seen 2",
        ),
        (
            {"returns": {"channels": 2}, "polls": 2},
            GOT_RESULT,
            "2 polls",
            '3 polls, then the call returned {"channels": 2}',
            "",
        ),
        ({"polls": 1}, got(None), "1 poll", "3 polls, then the call returned null", ""),
        (
            {"polls": {"at_least": 4}},
            got(None),
            "4 polls or more",
            "3 polls, then the call returned null",
            "",
        ),
        ({"polls": {"at_most": 2}}, got(None), "0 to 2 polls", "3 polls, then the call returned null", ""),
        (RAISES, got(None), "the call raises an exception of kind api or task", "it returned null", ""),
        (
            RAISES,
            raised("other"),
            "the call raises an exception of kind api or task",
            'it raised KeyError (kind other): "it failed"',
            "",
        ),
        (RAISES, raised("api"), 'error_type is "quota"', "ApiError has no error_type", ""),
        (
            RAISES,
            raised("api", error_type="quota", task_id=None),
            f'task_id is "{TASK_ID}"',
            "task_id is null",
            "",
        ),
        (
            {"returns": None},
            StillWaiting(70.0),
            "the call returns null",
            "it was still waiting after 70.00 s, long past its deadline",
            "",
        ),
    ],
)
def test_an_outcome_that_differs_in_any_part_is_found_out(
    expect: Mapping[str, Any], seen: Seen, expected: str, told: str, explanation: str
) -> None:
    assert as_expected(expect, seen) == fails(expected, told, explanation)


@pytest.mark.parametrize(
    ("seen", "told", "explanation"),
    [
        (got_task({"status": "pending"}), "result is nothing", ""),
        (
            got_task({"status": "pending", "result": {"n": 2}}),
            'result is {"n": 2}',
            "the first difference is at n: expected 1, seen 2",
        ),
        (got_task("pending"), 'the call returned the task "pending"', ""),
        (got_task(None), "the call returned null", ""),
        (raised("api"), 'the call raised ApiError (kind api): "it failed"', ""),
    ],
)
def test_another_task_than_expected_is_found_out(seen: Seen, told: str, explanation: str) -> None:
    expect = {"task": {"status": "pending", "result": {"n": 1}}}

    assert as_expected(expect, seen, (0.0,), "get_task") == fails(
        'a task with {"status": "pending", "result": {"n": 1}}', told, explanation
    )


@pytest.mark.parametrize("wrong", [1, 2, 3])
def test_one_copy_of_many_that_goes_wrong_is_found_out(wrong: int) -> None:
    told = scenario(COMPLETED, calls=[{"wait": {}, "parallel": 3, "expect": {"returns": "${n}"}}])
    seen = observe(told, *(Play(got(0 if n == wrong else n), [0.0], copy=n) for n in (1, 2, 3)))

    assert judged(contract("outcome_expected"), told, seen) == fails(
        f"the call returns {wrong}", "it returned 0"
    )


def test_without_a_call_nothing_went_as_expected() -> None:
    told = scenario(COMPLETED)

    assert judged(contract("outcome_expected"), told, observe(told)) == fails("a call", "no call was made")


# --- fault_surfaces -----------------------------------------------------------------------------------

BEFORE_DEADLINE = "an exception of kind api before the deadline"
HTTP_500 = {"fault": {"http": 500}, "times": "forever"}
DROP = {"fault": {"drop": "before-response"}}


def surfaced(seen: Seen, at: tuple[float, ...], polls: Any = None, **more: Any) -> Verdict:
    expect = {"raises": {"kind": "api"}, **({"polls": polls} if polls else {})}
    told = scenario(RUNNING, HTTP_500, wait={"timeout": "5s"}, expect=expect)
    return played(contract("fault_surfaces", kinds=["api"]), told, seen, at=at, **more)


def test_a_fault_that_reaches_the_caller_at_once_is_right() -> None:
    assert surfaced(raised("api"), (0.0, 1.0)) == passes(
        BEFORE_DEADLINE, 'the call raised ApiError (kind api): "it failed"'
    )


def redirected(seen: Seen, count: int, lag_s: float = 0.0, polls: int = 1) -> Verdict:
    """Return what three runs come to of a wait of 5 s whose polls from the second on are redirected.

    Args:
        seen: How each wait ends, at its deadline.
        count: How many redirects are followed.
        lag_s: How late the machine was.
        polls: How many polls they are of.
    """
    moved = {"fault": {"http": 302, "headers": {"Location": "/api/v2/tasks/${task_id}"}}, "times": "forever"}
    told = scenario(RUNNING, moved, wait={"timeout": "5s"}, expect={"raises": {"kind": "api"}})
    at = [0.0, *(1.0 + 4.0 * hop / count for hop in range(count + 1))]
    hops = {number: {"n": 2 + number % polls, "http": 302} for number in range(2, len(at) + 1)}
    observed = observe(told, Play(seen, at, poll=hops, received_s=5.0), lag_s=lag_s)
    of = contract("fault_surfaces", kinds=["api", "transport"])
    return judged(of, told, observed, observed, observed)


@pytest.mark.parametrize("seen", [TIMED_OUT, raised("api")])
def test_redirects_that_end_are_no_fault_of_the_sdk_where_the_machine_was_as_slow(seen: Seen) -> None:
    assert redirected(seen, 30, lag_s=0.2).status is Status.INCONCLUSIVE
    assert redirected(seen, 30, lag_s=0.1).status is Status.FAIL
    assert redirected(seen, 100, lag_s=0.2).status is Status.FAIL
    assert redirected(seen, 30, lag_s=0.2, polls=2).status is Status.FAIL


@pytest.mark.parametrize("kind", ["task", "api"])
def test_a_failure_that_cannot_be_read_may_surface_as_the_failure_or_as_an_error(kind: str) -> None:
    told = scenario(RUNNING, {**FAILED, "error": "out of space"}, expect={"raises": {"kind": "task"}})
    of = contract("fault_surfaces", kinds=["task", "api"])

    assert played(of, told, raised(kind), at=(0.0, 1.0)).status is Status.PASS
    assert played(of, told, raised(kind), at=[0.0]).seen.endswith(" before any answer went wrong")


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("StreamException", True),
        ("io.getstream.exceptions.StreamException", True),
        ("GetStream\\Exceptions\\StreamException", True),
        ("StreamDecodingError", True),
        ("KeyError", False),
        ("UpstreamException", False),
        ("StreamExceptionLike", False),
    ],
)
def test_where_any_exception_of_the_sdks_own_will_do_its_name_tells(name: str, is_own: bool) -> None:
    told = scenario(RUNNING, {"fault": {"text": "<p>"}}, expect={"raises": {"kind": "api"}})
    arguments: dict[str, Any] = {"kinds": ["api"]}
    other = replace(raised("other"), type=name)

    seen = played(contract("fault_surfaces", or_own=True, **arguments), told, other, at=(0.0, 1.0))
    strict = played(contract("fault_surfaces", **arguments), told, other, at=(0.0, 1.0))

    expected = "an exception of kind api, or another of the SDK's own, before the deadline"
    words = f'the call raised {name} (kind other): "it failed"'
    assert seen == (passes(expected, words) if is_own else fails(expected, words))
    assert strict.status is Status.FAIL


@pytest.mark.parametrize(("ended_s", "shown"), [(5.001, "5.00 s"), (5.0 - EARLY_SLACK_S, "4.98 s")])
def test_a_fault_that_surfaces_at_the_deadline_has_been_swallowed_until_then(
    ended_s: float, shown: str
) -> None:
    told = surfaced(raised("api"), (0.0, 1.0, 2.0, 3.0, 4.0), received_s=ended_s)

    assert told == fails(
        BEFORE_DEADLINE,
        f'the call raised ApiError (kind api): "it failed" after {shown}, at its deadline',
    )


def test_a_lasting_fault_may_be_tried_again_before_it_reaches_the_caller() -> None:
    assert surfaced(raised("api"), (0.0, 1.0, 2.0, 3.0), {"at_least": 2}).status is Status.PASS


def test_a_fault_that_comes_after_more_polls_than_the_scenario_allows_is_found_out() -> None:
    assert surfaced(raised("api"), (0.0, 1.0, 2.0, 3.0), 2) == fails(
        f"{BEFORE_DEADLINE}: 2 polls", '4 polls, then the call raised ApiError (kind api): "it failed"'
    )


@pytest.mark.parametrize(
    ("seen", "at", "told"),
    [
        (raised("other"), (0.0, 1.0), 'the call raised KeyError (kind other): "it failed"'),
        (
            TIMED_OUT,
            (0.0, 1.0, 2.0, 3.0, 4.0, 5.0),
            'the call raised TransportError (kind transport): "gave up"',
        ),
        (got(None), (0.0, 1.0), "the call returned null"),
        (
            raised("api"),
            (0.0,),
            'the call raised ApiError (kind api): "it failed" before any answer went wrong',
        ),
        (StillWaiting(16.0), (0.0, 1.0), "the call was still waiting after 16.00 s, long past its deadline"),
    ],
)
def test_a_fault_that_does_not_reach_the_caller_as_what_it_is_is_found_out(
    seen: Seen, at: tuple[float, ...], told: str
) -> None:
    assert surfaced(seen, at) == fails(BEFORE_DEADLINE, told)


def dropped(seen: Seen, at: tuple[float, ...], connections: tuple[int, ...]) -> Verdict:
    told = scenario(
        RUNNING,
        {**DROP, "times": "forever"},
        wait={"timeout": "5s"},
        expect={"raises": {"kind": "transport"}, "polls": {"at_least": 2}},
    )
    return played(contract("fault_surfaces", kinds=["transport"]), told, seen, at=at, connections=connections)


@pytest.mark.parametrize("at", [(0.0, 1.0), (0.0, 1.0, 1.01), (0.0, 1.0, 2.0, 3.0)])
def test_a_lasting_drop_may_be_repeated_and_forgiven_a_few_times(at: tuple[float, ...]) -> None:
    assert dropped(raised("transport"), at, tuple(range(1, len(at) + 1))) == passes(
        BEFORE_DEADLINE.replace("api", "transport"),
        'the call raised TransportError (kind transport): "it failed"',
    )


@pytest.mark.parametrize(
    ("at", "connections", "count"),
    [((0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (1, 1, 1, 1, 1, 1), 6), ((0.0, 1.0), (1, 2), 2)],
)
def test_the_timeouts_exception_in_place_of_the_faults_is_found_out(
    at: tuple[float, ...], connections: tuple[int, ...], count: int
) -> None:
    assert dropped(TIMED_OUT, at, connections) == fails(
        BEFORE_DEADLINE.replace("api", "transport"),
        f"the timeout's exception after {count} polls",
        "the caller cannot tell the fault from a deadline",
    )


@pytest.mark.parametrize(
    ("polls", "ended_s", "status"),
    [
        ((0.0, 1.0), 1.01, Status.PASS),
        ((0.0, 1.0), 4.979, Status.PASS),
        ((0.0, 1.0, 2.0, 3.0, 4.0), 5.0 - EARLY_SLACK_S, Status.FAIL),
        ((0.0, 1.0, 2.0, 3.0, 4.0), 4.981, Status.FAIL),
    ],
)
def test_a_timeout_without_fields_of_its_own_is_told_from_a_fault_by_its_time(
    polls: tuple[float, ...], ended_s: float, status: Status
) -> None:
    of = contract("fault_surfaces", kinds=["transport"])
    plain = of.model_copy(update={"timeout": of.timeout.model_copy(update={"fields": {}})})
    told = scenario(RUNNING, HTTP_500, wait={"timeout": "5s"}, expect={"raises": {"kind": "transport"}})
    seen = observe(told, Play(raised("transport"), polls, received_s=ended_s))

    assert judged(plain, told, seen).status is status


@pytest.mark.parametrize("kind", ["api", "task", "transport"])
def test_an_exception_of_another_kind_is_no_timeout_whatever_its_fields(kind: str) -> None:
    of = contract("fault_surfaces", kinds=[kind])
    promise = of.timeout.model_copy(update={"kind": "other"})
    told = scenario(RUNNING, HTTP_500, expect={"raises": {"kind": kind}})
    seen = raised(kind, error_type="timeout")

    assert played(of.model_copy(update={"timeout": promise}), told, seen, at=(0.0, 1.0)).status is Status.PASS


def test_a_fault_in_a_look_by_hand_surfaces_too() -> None:
    told = scenario(HTTP_500, calls=[{"get_task": {}, "expect": {"raises": {"kind": "api"}}}])
    of = contract("fault_surfaces", kinds=["api"])

    assert played(of, told, raised("api"), at=[0.0]).status is Status.PASS


def test_a_fault_that_surfaces_the_second_time_alone_has_been_missed_once() -> None:
    look = {"get_task": {}, "expect": {"raises": {"kind": "api"}}}
    told = scenario(HTTP_500, calls=[look, look])
    seen = observe(told, Play(got_task(None), [0.0]), Play(raised("api"), [1.0], sent_s=1.0, call=1))

    assert judged(contract("fault_surfaces", kinds=["api"]), told, seen) == fails(
        BEFORE_DEADLINE, "the call returned null"
    )


def test_a_fault_that_nobody_polled_for_has_not_surfaced() -> None:
    told = scenario(HTTP_500)

    assert judged(contract("fault_surfaces", kinds=["api"]), told, observe(told)) == fails(
        BEFORE_DEADLINE, "no call was made"
    )
