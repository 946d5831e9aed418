"""What an exception is worth to its caller: copies of it, its message, and its cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest
from observations import (
    FAILED,
    FOREVER,
    GOT_RESULT,
    TASK_FAILED,
    TASK_ID,
    TIMED_OUT,
    Play,
    contract,
    fails,
    judged,
    observe,
    passes,
    scenario,
    verdict,
)
from waitproof.judge import Status, Verdict
from waitproof.judge.observation import Seen

FAILS = scenario(FAILED, expect={"raises": {"kind": "task"}})


def judge_of(check: str, *seen: Seen) -> Verdict:
    waits = [{"wait": {}, "expect": {"raises": {"kind": "task"}}} for _ in seen]
    plays = [Play(each, [float(n)], sent_s=float(n), call=n) for n, each in enumerate(seen)]
    told = scenario(FAILED, calls=waits)
    return judged(contract(check), told, observe(told, *plays))


# --- exception_survives_copying -----------------------------------------------------------------------

EQUAL = "an exception whose copies are equal to it"
COPIED = replace(TASK_FAILED, copies={"pickle": True, "copy": True})


def test_an_exception_whose_copies_are_equal_passes_with_the_ways_that_were_tried() -> None:
    assert judge_of("exception_survives_copying", COPIED) == passes(EQUAL, "pickle and copy")


def test_a_copy_that_cannot_be_made_fails_with_what_went_wrong() -> None:
    broken = replace(COPIED, copies={"copy": True, "pickle": "TypeError: missing 'version'"})

    assert judge_of("exception_survives_copying", COPIED, broken) == fails(
        EQUAL, "pickle of TaskError: TypeError: missing 'version'"
    )


@pytest.mark.parametrize("copies", [None, {}])
def test_an_adapter_that_tries_no_copies_is_not_judged_by_them(
    copies: Mapping[str, Literal[True] | str] | None,
) -> None:
    assert judge_of("exception_survives_copying", replace(COPIED, copies=copies)) == verdict(
        Status.NOT_APPLICABLE, seen="the adapter reports no exception.copies"
    )


@pytest.mark.parametrize("check", ["exception_survives_copying", "exception_has_a_message"])
def test_a_call_that_raises_nothing_has_no_exception_to_judge(check: str) -> None:
    assert judge_of(check, GOT_RESULT).seen == 'nothing was raised: the call returned {"channels": 2}'


# --- exception_has_a_message --------------------------------------------------------------------------

MESSAGE = "an exception with a message"


def test_a_message_of_any_text_is_one() -> None:
    assert judge_of("exception_has_a_message", TASK_FAILED) == passes(MESSAGE, '"it failed"')


@pytest.mark.parametrize(("message", "shown"), [("", '""'), (" \n", '" \\n"'), (None, "null")])
def test_a_message_without_text_is_none(message: str | None, shown: str) -> None:
    seen = judge_of("exception_has_a_message", replace(TASK_FAILED, message=message))

    assert seen == fails(MESSAGE, f"the message of TaskError is {shown}")


# --- what is on record --------------------------------------------------------------------------------


def record(check: str, seen: Seen, told: Mapping[str, Any] = FAILED) -> str:
    played = scenario(told, expect={"raises": {"kind": "task"}})
    return judged(contract(check, level="INFO"), played, observe(played, Play(seen, [0.0]))).seen


@pytest.mark.parametrize(
    ("message", "names"),
    [
        ("it failed", "names no field"),
        (f"task {TASK_ID}", "names task_id"),
        (f"task {TASK_ID} failed: export_failed (v3.142.0)", "names task_id, error_type and version"),
    ],
)
def test_a_message_is_on_record_with_the_fields_that_it_names(message: str, names: str) -> None:
    assert record("record_message", replace(TASK_FAILED, message=message)) == f'{names}: "{message}"'


def test_the_message_of_a_timeout_can_name_the_task_alone() -> None:
    seen = replace(TIMED_OUT, message=f"{TASK_ID}: export_failed")

    assert record("record_message", seen, FOREVER).startswith("names task_id: ")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, "not reported: the adapter reports no exception.cause"),
        ("", "no cause: TransportError is all there is"),
        ("ReadError", "a cause: TransportError was raised for ReadError"),
    ],
)
def test_a_cause_is_on_record_with_its_type(cause: str | None, words: str) -> None:
    dropped = {"fault": {"drop": "reset"}, "times": "forever"}

    assert record("record_cause", replace(TIMED_OUT, cause=cause), dropped) == words
