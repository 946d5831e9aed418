"""Checks and records of the HTTP below a wait: connections, redirects, and Retry-After."""

from typing import Any

import pytest
from observations import (
    COMPLETED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    TASK_ID,
    Play,
    contract,
    fails,
    judged,
    observe,
    passes,
    raised,
    scenario,
)
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.observation import StillWaiting

# --- connections_bounded ------------------------------------------------------------------------------

BOUNDED = "at most 250 connections open at once, and fewer where polls are few"


def opened(*counts: int) -> Verdict:
    """Judge a wait whose polls find so many connections open."""
    told = scenario(FOREVER)
    polls = {number: {"open": count} for number, count in enumerate(counts, 1)}
    seen = observe(told, Play(GOT_RESULT, tuple(map(float, range(len(counts)))), poll=polls))
    return judged(contract("connections_bounded"), told, seen)


def test_connections_that_are_used_again_or_closed_are_right() -> None:
    assert opened(1, 1, 1) == passes(BOUNDED, "1 at most")
    assert opened(1, 49, 50, 2) == passes(BOUNDED, "50 at most")
    assert opened(*[250] * 500) == passes(BOUNDED, "250 at most")


def test_connections_that_add_up_are_found_out() -> None:
    assert opened(*[251] * 502) == fails(BOUNDED, "251 open, for 502 polls one after another")
    assert opened(*range(1, 121)) == fails(BOUNDED, "120 open, for 120 polls one after another")


# --- ends_by_deadline ---------------------------------------------------------------------------------

BY_DEADLINE = "an exception within 2.00 s, whatever the server asks for"
ASKS = {"fault": {"http": 429, "headers": {"Retry-After": "3600"}}, "times": "forever"}


def pausing(seen: Any, received_s: float | None) -> tuple[Verdict, bool]:
    """Judge a wait of 2 s that has this outcome after that time."""
    told = scenario(RUNNING, ASKS, wait={"timeout": "2s"}, expect={"raises": {"kind": ["api", "transport"]}})
    of = contract("ends_by_deadline")
    watched = observe(told, Play(seen, (0.0, 1.0), received_s=received_s))
    return judged(of, told, watched), is_suspicious(of, told, [watched])


@pytest.mark.parametrize(("kind", "received_s"), [("api", 1.0), ("transport", 2.0), ("other", 2.15)])
def test_any_exception_by_the_deadline_is_right(kind: str, received_s: float) -> None:
    verdict, is_suspected = pausing(raised(kind), received_s)

    assert (verdict.status, is_suspected) == (Status.PASS, False)


def test_an_exception_after_the_deadline_is_a_suspicion() -> None:
    verdict, is_suspected = pausing(raised("api"), 2.3)

    assert is_suspected
    assert verdict.expected == f"{BY_DEADLINE}: 2.20 s or less"
    assert verdict.seen == "the call raised ApiError after 2.30 s"


def test_a_wait_that_sleeps_on_is_found_out() -> None:
    verdict, _ = pausing(StillWaiting(12.2), None)

    assert verdict.status is Status.FAIL
    assert (
        verdict.seen == "nothing was raised: the call was still waiting after 12.20 s, long past its deadline"
    )


# --- record_redirect ----------------------------------------------------------------------------------

MOVED = {"fault": {"http": 307, "headers": {"Location": "/api/v2/tasks/${task_id}?moved=yes"}}}
MOVED_TARGET = f"/api/v2/tasks/{TASK_ID}?moved=yes&api_key=key"


def redirected(seen: Any, *at: float, **poll: Any) -> str:
    """Return what is on record of a wait whose second poll is redirected."""
    told = scenario(RUNNING, MOVED, RUNNING, COMPLETED)
    watched = observe(told, Play(seen, at, poll={3: poll} if poll else {}))
    return judged(contract("record_redirect", level="INFO"), told, watched).seen


def test_a_client_that_goes_where_a_redirect_leads_follows_it() -> None:
    seen = redirected(GOT_RESULT, 0.0, 1.0, 1.01, 2.0, target=MOVED_TARGET)

    assert seen == 'follows them: returned {"channels": 2}'


def test_a_client_that_raises_for_a_redirect_reports_it() -> None:
    assert redirected(raised("api"), 0.0, 1.0) == (
        'surfaces at once: raised ApiError (kind api): "it failed"'
    )


def test_a_client_that_asks_the_old_place_again_polls_on() -> None:
    assert redirected(GOT_RESULT, 0.0, 1.0, 2.0, 3.0).startswith("polls on: the next poll 1.00 s later")


def test_a_poll_that_followed_a_redirect_is_one_poll_from_the_redirect_on() -> None:
    told = scenario(RUNNING, MOVED, RUNNING, COMPLETED)
    seen = observe(told, Play(GOT_RESULT, (0.0, 1.0, 1.01, 2.0)))

    polls = seen.polls_of(seen.calls[0])

    assert [(poll.n, poll.arrived_s, poll.status) for poll in polls] == [
        (1, 0.0, "running"),
        (2, 1.0, "running"),
        (3, 2.0, "completed"),
    ]
    assert len(seen.requests_of(seen.calls[0])) == 4


# --- record_retry_after -------------------------------------------------------------------------------


def after(header: str, pause_s: float | None, seen: Any = GOT_RESULT) -> str:
    """Return what is on record where this Retry-After is followed by the next poll after that time."""
    told = scenario(
        {"fault": {"http": 429, "headers": {"Retry-After": header}}},
        COMPLETED,
        wait={"poll_interval": "200ms"},
    )
    at = (0.0,) if pause_s is None else (0.0, 0.001 + pause_s)
    verdict = judged(contract("record_retry_after", level="INFO"), told, observe(told, Play(seen, at)))
    return verdict.seen.partition(":")[0]


@pytest.mark.parametrize(
    ("header", "pause_s", "words"),
    [
        ("1", 0.2, "polls sooner than it asks for"),
        ("1", 0.97, "polls sooner than it asks for"),
        ("1", 0.99, "waits as long as it asks for"),
        ("1", 1.29, "waits as long as it asks for"),
        ("1", 1.31, "waits longer than it asks for"),
        ("0.8", 0.8, "waits as long as it asks for"),
        ("0.8", 0.0, "polls sooner than it asks for"),
        ("${date:2s}", 0.9, "polls sooner than it asks for"),
        ("${date:2s}", 1.1, "waits as long as it asks for"),
        ("${date:2s}", 2.0, "waits as long as it asks for"),
        ("${date:2s}", 2.5, "waits longer than it asks for"),
        ("${date:0s}", 0.2, "waits as long as it asks for"),
        ("later", 0.2, "polls on"),
        ("1", None, "ends the wait"),
    ],
)
def test_the_pause_is_held_against_what_the_server_asked_for(
    header: str, pause_s: float | None, words: str
) -> None:
    assert after(header, pause_s) == words


def test_a_client_that_raises_for_a_429_reports_it() -> None:
    assert after("1", None, raised("api")) == "surfaces at once"
