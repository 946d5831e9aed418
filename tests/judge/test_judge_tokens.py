"""Tokens of polls: each is valid when it arrives, and how long it is valid is on record."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from observations import (
    COMPLETED,
    GOT_RESULT,
    RUNNING,
    Play,
    contract,
    fails,
    judged,
    observe,
    passes,
    scenario,
    verdict,
)
from waitproof.judge import Observation, Status, Verdict, is_suspicious

NOW = 1_800_000_000.0
AT = (0.0, 1.0, 2.0, 3.0)
TOLD = scenario({**RUNNING, "times": 3}, COMPLETED, expect={"returns": {"channels": 2}})
EXPECTED = "every poll carries a token in Authorization that is valid"
Claims = Mapping[str, Any]


def token(claims: Any) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256'})}.{part(claims)}.signature"


def carrying(values: Sequence[str], lag_s: float = 0.0) -> Observation:
    headers = {n: {"headers": {"authorization": value}} for n, value in enumerate(values, 1)}
    seen = observe(TOLD, Play(GOT_RESULT, AT[: len(values)], poll=headers), lag_s=lag_s)
    return replace(seen, began_unix_s=NOW)


def judge_of(*claims: Claims) -> Verdict:
    values = [token(each) for each in (claims * 4 if len(claims) == 1 else claims)]
    return judged(contract("polls_carry_valid_token"), TOLD, carrying(values))


@pytest.mark.parametrize(
    "claims",
    [
        {"server": True},
        {"exp": NOW + 1, "iat": NOW, "nbf": NOW},
        {"exp": "soon", "iat": None, "nbf": True},
        {"exp": 10**400},
    ],
)
def test_a_token_without_an_end_or_within_the_leeway_of_it_is_valid(claims: Claims) -> None:
    assert judge_of(claims) == passes(EXPECTED, "all did")


def test_a_token_that_is_signed_once_and_expires_within_the_wait_is_a_suspicion() -> None:
    assert judge_of({"exp": NOW + 0.5}) == replace(
        fails(EXPECTED, "the token of poll 4 had expired 2.50 s before it came"),
        status=Status.INCONCLUSIVE,
        explanation="could not be settled by isolated re-runs; worst scheduling delay: 0 ms",
    )


def test_it_is_a_fact_once_two_re_runs_have_reproduced_it() -> None:
    run = carrying([token({"exp": NOW - 1})] * 4)

    assert judged(contract("polls_carry_valid_token"), TOLD, run, run, run).status is Status.FAIL


def test_a_new_token_for_each_poll_is_judged_by_its_own_poll() -> None:
    claims = [{"exp": NOW + at_s + 0.5} for at_s in AT]

    assert judge_of(*claims) == passes(EXPECTED, "all did")


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_that_is_not_valid_yet_is_a_suspicion(claim: str) -> None:
    seen = carrying([token({claim: NOW + 60})] * 4)
    words = f"the token of poll 1 is valid from 60.00 s later on ({claim})"

    assert is_suspicious(contract("polls_carry_valid_token"), TOLD, [seen])
    assert judged(contract("polls_carry_valid_token"), TOLD, *[seen] * 3) == fails(
        EXPECTED, words, "reproduced in 2 isolated re-runs", alone_runs=2
    )


@pytest.mark.parametrize("value", ["key", "a.b.c", "a.é.c", token([1]), "Bearer " + token("x"), "..."])
def test_what_is_not_a_token_fails(value: str) -> None:
    seen = judged(contract("polls_carry_valid_token"), TOLD, carrying([token({}), value]))

    assert seen == fails(EXPECTED, "poll 2 came with something in Authorization that is not a JSON Web Token")


def test_a_poll_without_a_token_is_not_judged_by_it_unless_all_are() -> None:
    of = contract("polls_carry_valid_token")

    assert judged(of, TOLD, carrying([token({}), ""])) == passes(EXPECTED, "all did")
    assert judged(of, TOLD, carrying(["", ""])) == verdict(Status.NOT_APPLICABLE, seen="no token came")


def test_a_scheme_before_the_token_belongs_to_the_header() -> None:
    seen = carrying([f"Bearer {token({'iat': NOW})}"] * 4)

    assert judged(contract("polls_carry_valid_token"), TOLD, seen).status is Status.PASS


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([token({})] * 4, "one token, without an end: 1 for 4 polls"),
        ([token({"exp": NOW + 60})] * 4, "one token, with an end: 1 for 4 polls, the first for 60 s"),
        (
            [token({"exp": NOW + at_s + 9}) for at_s in AT],
            "several tokens, with an end: 4 for 4 polls, the first for 9 s",
        ),
        (["key"], "nothing: no token came"),
    ],
)
def test_the_life_of_a_token_is_on_record(values: Sequence[str], words: str) -> None:
    assert judged(contract("record_token", level="INFO"), TOLD, carrying(values)).seen == words
