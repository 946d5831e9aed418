"""Which values are secret, where they are found, and that nothing of them is left in an observation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from observations import (
    FAILED,
    STREAM,
    TASK_FAILED,
    Play,
    contract,
    fails,
    got,
    judged,
    observe,
    passes,
    scenario,
)
from waitproof.judge import Observation, secrets_of, without_secrets
from waitproof.judge.observation import NoAnswer, Seen

SECRET = "0123456789abcdef"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzZXJ2ZXIiOnRydWV9.c2lnbmF0dXJl"
TOLD = scenario(FAILED, expect={"raises": {"kind": "task"}})
EXPECTED = "no secret in an exception, on stdout or on stderr"


def seen(outcome: Seen, *printed: str, authorization: str = TOKEN) -> Observation:
    """Return the observation of a wait, as a run passes it to the judge."""
    headers = {"authorization": authorization, "stream-auth-type": "jwt"}
    raw = observe(TOLD, Play(outcome, [0.0], poll={1: {"headers": headers}}))
    return without_secrets(raw, secrets_of(STREAM, raw, SECRET), printed)


def message(text: str) -> Seen:
    return replace(TASK_FAILED, message=text)


@pytest.mark.parametrize(
    ("observation", "leak"),
    [
        (seen(message(f"cannot sign with {SECRET}")), "the API secret in the message of TaskError: "
            '"cannot sign with ***"'),
        (seen(message(f"GET with {TOKEN}")), "the value of Authorization in the message of TaskError: "
            '"GET with ***"'),
        (seen(message(f"GET with {TOKEN}"), authorization=f"Bearer {TOKEN}"),
            'the value of Authorization in the message of TaskError: "GET with ***"'),
        (seen(replace(TASK_FAILED, fields={"client": {"s": SECRET}})), "the API secret in client "
            r'of TaskError: "{\"s\": \"***\"}"'),
        (seen(TASK_FAILED, "hello", f"DEBUG Authorization: {TOKEN}"),
            'the value of Authorization in what it printed: "DEBUG Authorization: ***"'),
    ],
)  # fmt: skip
def test_a_secret_that_can_be_seen_is_reported_without_it(observation: Observation, leak: str) -> None:
    assert judged(contract("secrets_stay_out"), TOLD, observation) == fails(EXPECTED, leak)


@pytest.mark.parametrize(
    "observation",
    [
        seen(TASK_FAILED, "jwt", "GET /tasks?api_key=key", "authorization: ***"),
        seen(message("a Bearer token of type jwt"), authorization="Bearer short"),
    ],
)
def test_what_is_public_or_too_short_to_be_a_secret_is_not_one(observation: Observation) -> None:
    verdict = judged(contract("secrets_stay_out"), TOLD, observation)

    assert replace(verdict, seen="") == passes(EXPECTED)


@pytest.mark.parametrize(
    "outcome",
    [
        message(f"{SECRET} {TOKEN}"),
        replace(TASK_FAILED, fields={SECRET: [TOKEN]}, type=f"Error({SECRET})"),
        got({"a": [SECRET, 1, None]}),
        NoAnswer(f"died with {TOKEN}"),
    ],
)
def test_no_outcome_has_a_secret_in_it_any_more(outcome: Seen) -> None:
    (call,) = seen(outcome).calls

    assert SECRET not in repr(call.seen)
    assert TOKEN not in repr(call.seen)
    assert "***" in repr(call.seen)
    assert type(call.seen) is type(outcome)
