"""What an adapter says that it cannot call, held against what it has called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from observations import FOREVER, GOT_RESULT, HELLO, STREAM, TIMED_OUT, Play, observe, scenario
from waitproof.judge import NoAnswer, Observation, Seen, StillWaiting, disproved, is_refused
from waitproof.judge.observation import CallRecord, TaskRecord
from waitproof.judge.verdicts import Status, judge
from waitproof.protocol import AdapterFault, Cancelled, Unsupported
from waitproof.suite.scenario import Call, WaitOptions

UUID = "11111111-1111-4111-8111-111111111111"
REFUSED = Unsupported("no overload")


def call(seen: Seen, *, parallel: int = 1, cancelled: bool = False, **request: Any) -> CallRecord:
    """Return a call as it was written: a wait on a task with a UUID unless `request` says otherwise."""
    written = {"op": "wait", "task_id": UUID, "options": {}, **request}
    answer = {"outcome": "unsupported" if isinstance(seen, Unsupported) else "returned"}
    made = Call(wait=WaitOptions(), parallel=parallel)
    return CallRecord(
        0, 1, made, 0.0, 1.0, seen, request=written, answer=answer, cancelled_s=0.1 if cancelled else None
    )


def played(*calls: CallRecord) -> list[Observation]:
    return [Observation(HELLO, calls, (TaskRecord(1, UUID),))]


def reason(made: Mapping[str, Any], refused: Mapping[str, Any], seen: Seen = GOT_RESULT) -> str:
    return disproved({"a": played(call(seen, **made)), "b": played(call(REFUSED, **refused))}).get("b", "")


BOTH = {"poll_interval": 0.2, "timeout": 2}


@pytest.mark.parametrize("seen", [GOT_RESULT, TIMED_OUT, StillWaiting(9.0), Cancelled()])
@pytest.mark.parametrize(
    ("made", "refused"),
    [
        ({}, {}),
        ({"options": BOTH}, {"options": {"poll_interval": 0.3, "timeout": 5}}),
        ({"task_id": 17}, {"task_id": 2**31 - 1}),
        ({"op": "get_task"}, {"op": "get_task", "task_id": UUID.replace("1", "a")}),
        (
            {"op": "begin", "operation": "x", "arguments": {"ids": ["a"], "hard": True}},
            {"op": "begin", "operation": "x", "arguments": {"ids": ["b", "c"], "hard": True}},
        ),
    ],
)
def test_a_call_that_is_refused_although_its_like_was_made_is_the_adapters_error(
    made: dict[str, Any], refused: dict[str, Any], seen: Seen
) -> None:
    assert "as unsupported (no overload), but made it in a" in reason(made, refused, seen)


@pytest.mark.parametrize(
    ("made", "refused"),
    [
        ({"options": BOTH}, {"options": {"timeout": 2}}),  # an overload takes both or none
        ({"options": {"timeout": 2}}, {"options": {"timeout": 2.5}}),  # whole seconds
        ({"options": {"timeout": 2}}, {"options": {"timeout": 2_592_000}}),  # an int of milliseconds
        ({"options": {"timeout": 2}}, {"options": {"timeout": 0}}),
        ({"options": {"timeout": 2}}, {"options": {"timeout": -1}}),
        ({"options": {"timeout": 2}}, {"options": {"timeout": None}}),  # no way to wait without one
        ({"options": {"poll_interval": 1}}, {"options": {"poll_interval": {"first": 1, "most": 2}}}),
        ({"options": {"poll_interval": 0.1}}, {"options": {"poll_interval": 0.0001}}),
        ({"variant": "sync"}, {"variant": "async"}),
        ({"task_id": UUID}, {"task_id": "a/b c"}),  # a type for UUIDs
        ({"task_id": 17}, {"task_id": 2**53 + 1}),
        ({"op": "begin", "operation": "x"}, {"op": "begin", "operation": "y"}),
        (
            {"op": "begin", "operation": "x", "arguments": {"hard": True}},
            {"op": "begin", "operation": "x", "arguments": {"hard": False}},  # a flag without a value
        ),
        ({}, {"parallel": 5}),  # an SDK that has one client for a process
    ],
)
def test_what_a_signature_can_tell_apart_may_be_refused(
    made: dict[str, Any], refused: dict[str, Any]
) -> None:
    assert reason(made, refused) == ""


@pytest.mark.parametrize("seen", [AdapterFault("x"), NoAnswer("x"), REFUSED])
def test_a_call_that_was_not_made_disproves_nothing(seen: Seen) -> None:
    assert reason({}, {}, seen) == ""


def test_an_sdk_of_which_only_one_variant_can_be_cancelled_is_believed() -> None:
    made = played(call(Cancelled(), cancelled=True, variant="async"), call(GOT_RESULT, variant="sync"))
    refused = call(GOT_RESULT, cancelled=True, variant="sync")
    mixed = {"a": made, "b": played(replace(refused, seen=REFUSED))}

    assert disproved(mixed) == {}
    assert is_refused(mixed["b"][0])
    again = {**mixed, "c": played(call(Cancelled(), cancelled=True, variant="sync"))}
    assert disproved(again) == {
        "b": "the adapter reports the cancelling of a wait with no option as unsupported (no overload), "
        "but made it in c"
    }


def test_a_call_that_the_harness_did_not_make_is_not_refused_by_the_adapter() -> None:
    (planned,) = played(replace(call(REFUSED), request={}, answer=None))

    assert not is_refused(planned)


def test_a_refused_call_whose_task_was_polled_was_made() -> None:
    one = scenario(FOREVER, wait={}, proves=["default-timeout"])
    polled = observe(one, Play(REFUSED, at=[0.0, 1.0]))
    silent = observe(one, Play(REFUSED))

    seen = [judge_one(one, each) for each in (polled, silent)]

    assert seen == [
        (Status.ERROR, "the adapter reports that it cannot make the call, but the server saw 2 polls"),
        (Status.UNSUPPORTED, "no overload"),
    ]


def judge_one(one: Any, observation: Observation) -> tuple[Status, str]:

    calls = tuple(replace(each, answer={"outcome": "unsupported"}) for each in observation.calls)
    (verdict,) = judge(STREAM, one, [replace(observation, calls=calls)])
    return verdict.status, verdict.seen
