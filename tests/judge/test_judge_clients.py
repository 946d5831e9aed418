"""Polls that are not all from the SDK's HTTP client, and clients that only look as if they were two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from observations import (
    COMPLETED,
    CREDENTIALS,
    GOT_RESULT,
    PENDING,
    RUNNING,
    STREAM,
    TARGET,
    Play,
    observe,
    scenario,
)
from waitproof.judge import Ended
from waitproof.judge.verdicts import Status, judge

COMPLETES = scenario(
    {**PENDING, "times": 2}, {**RUNNING, "times": 1}, COMPLETED, wait={}, proves=["polls-until-terminal"]
)
TWO = [1, 2, 1, 2]  # connections of polls that take turns


def seen(connections: Sequence[int], heads: Sequence[Mapping[str, str]], **more: Any) -> tuple[Status, str]:
    """Return the verdict on four polls with these headers besides the credentials."""
    poll = {number: {"headers": {**CREDENTIALS, **head}, **more} for number, head in enumerate(heads, 1)}
    play = Play(GOT_RESULT, at=[0.0, 1.0, 2.0, 3.0], connections=connections, poll=poll)
    (verdict,) = judge(STREAM, COMPLETES, [observe(COMPLETES, play)])
    return verdict.status, verdict.seen


def agents(*names: str) -> list[dict[str, str]]:
    return [{"user-agent": name} if name else {} for name in names]


def tokens(*values: str) -> list[dict[str, str]]:
    return [{"stream-auth-type": value} for value in values]


@pytest.mark.parametrize(
    ("connections", "heads", "what"),
    [
        (
            TWO,
            agents("sdk/1 httpx/0.27", "Python-urllib/3.11") * 2,
            "User-Agent 'sdk/1 httpx/0.27' on connection 1, User-Agent 'Python-urllib/3.11' on 2",
        ),
        (
            [1, 1, 2, 3],
            agents("sdk/1", "sdk/1", "", ""),
            "User-Agent 'sdk/1' on connection 1, no User-Agent on 2",
        ),
        (
            TWO,
            tokens("a", "b", "a", "b"),
            "an older value of 'Stream-Auth-Type' came after a newer one, on another connection",
        ),
    ],
)
def test_polls_of_a_second_client_make_nothing_pass(
    connections: Sequence[int], heads: Sequence[Mapping[str, str]], what: str
) -> None:
    assert seen(connections, heads) == (
        Status.ERROR,
        f"polls of one wait came from two HTTP clients: {what}",
    )


@pytest.mark.parametrize(
    ("connections", "heads"),
    [
        ([1, 2, 3, 4], agents(*["sdk/1 httpx/0.27"] * 4)),
        ([1, 2, 3, 4], agents("sdk/1 (attempt 1)", "sdk/1 (attempt 2)", "sdk/1 (3; a)", "sdk/1 (4; b)")),
        ([1, 2, 3, 4], agents("sdk/1 n-1", "sdk/1 n-2", "sdk/1 id:ab3", "sdk/1.0")),
        ([1, 1, 2, 2], agents("sdk", "other", "sdk", "other")),  # one that says it in turn
        ([1, 1, 1, 1], agents("sdk", "other", "sdk", "sdk")),
        ([1, 1, 2, 2], tokens("a", "a", "b", "b")),  # replaced, when the connection was opened again
        ([1, 2, 3, 4], tokens("a", "b", "c", "d")),  # a signature for each poll
        (TWO, [{"authorization": f"token-{n}"} for n in "abab"]),  # a JSON Web Token may be anything
        (TWO, [{"traceparent": n} for n in "abab"]),
    ],
)
def test_one_client_may_change_what_it_says(
    connections: Sequence[int], heads: Sequence[Mapping[str, str]]
) -> None:
    assert seen(connections, heads)[0] is Status.PASS


def test_a_key_in_the_query_is_looked_at_too() -> None:
    poll = {
        number: {"target": TARGET.replace("key=key", f"key={key}")} for number, key in enumerate("abab", 1)
    }
    play = Play(GOT_RESULT, at=[0.0, 1.0, 2.0, 3.0], connections=TWO, poll=poll)

    (verdict,) = judge(STREAM, COMPLETES, [observe(COMPLETES, play)])

    assert verdict.seen.endswith("an older value of 'api_key' came after a newer one, on another connection")


def test_a_poll_that_an_http_library_repeats_or_redirects_is_not_another_clients() -> None:
    heads = agents("sdk", "library", "sdk", "sdk")

    repeats: dict[int, dict[str, Any]] = {2: {"repeat": True}, 1: {"ended": Ended.DROPPED}}
    redirected: dict[int, dict[str, Any]] = {2: {"n": 1}}
    for special in (repeats, redirected):
        poll = {
            number: {"headers": {**CREDENTIALS, **head}, **special.get(number, {})}
            for number, head in enumerate(heads, 1)
        }
        play = Play(GOT_RESULT, at=[0.0, 1.0, 2.0, 3.0], connections=[1, 2, 3, 3], poll=poll)
        (verdict,) = judge(STREAM, COMPLETES, [observe(COMPLETES, play)])
        assert verdict.status is Status.PASS


def test_a_promise_that_is_broken_stays_broken() -> None:
    play = Play(
        GOT_RESULT,
        at=[0.0, 1.0],
        connections=[1, 2],
        poll={2: {"headers": {**CREDENTIALS, "user-agent": "x"}}},
    )
    proves = scenario(RUNNING, RUNNING, COMPLETED, wait={}, proves=["polls-until-terminal"])

    (verdict,) = judge(STREAM, proves, [observe(proves, play)])

    assert verdict.status is Status.FAIL
