"""The limit of polls: a wait is given up after as many as documented, and raises."""

from __future__ import annotations

from typing import Any

import pytest
from observations import (
    FOREVER,
    GOT_RESULT,
    HELLO,
    TIMED_OUT,
    Play,
    contract,
    fails,
    hello,
    judged,
    observe,
    passes,
    scenario,
)
from waitproof.judge import Status, Verdict, journal_verdicts, judge_by_journal
from waitproof.judge.observation import Seen, StillWaiting
from waitproof.protocol import OPTIONS, Hello

LIMITED = hello(options=OPTIONS)
RAISES = {"raises": {"kind": "transport"}}


def after(polls: int, seen: Seen = TIMED_OUT, *, by: Hello = LIMITED, **arguments: Any) -> Verdict:
    played = scenario(FOREVER, wait={"max_polls": 5, "poll_interval": "100ms"}, expect=RAISES)
    at = [0.1 * number for number in range(polls)]
    arguments = {"option": "passed", **arguments}
    return judged(
        contract("gives_up_after_polls", **arguments), played, observe(played, Play(seen, at), by=by)
    )


def test_a_wait_that_gives_up_after_so_many_polls_passes() -> None:
    assert after(5) == passes(
        "the call raises after 5 polls",
        '5 polls, then the call raised TransportError (kind transport): "gave up"',
    )


@pytest.mark.parametrize("polls", [4, 6])
def test_one_poll_more_or_less_fails_and_is_final(polls: int) -> None:
    assert after(polls) == fails(
        "the call raises after 5 polls",
        f'{polls} polls, then the call raised TransportError (kind transport): "gave up"',
    )


@pytest.mark.parametrize(("polls", "status"), [(5, Status.PASS), (6, Status.PASS), (7, Status.FAIL)])
def test_where_the_limit_counts_retries_the_first_poll_may_be_none(polls: int, status: Status) -> None:
    verdict = after(polls, or_more=1)

    assert (verdict.status, verdict.expected) == (status, "the call raises after 5 polls, 6 at most")


def test_a_wait_that_returns_at_its_limit_fails() -> None:
    assert after(5, GOT_RESULT) == fails(
        "the call raises after 5 polls",
        'nothing was raised: 5 polls, then the call returned {"channels": 2}',
    )


def test_a_wait_that_goes_on_fails() -> None:
    assert after(5, StillWaiting(30.0)).status is Status.FAIL


def test_a_helper_without_the_option_fails() -> None:
    assert after(5, by=HELLO).seen == "the SDK has no option max_polls"


def test_without_any_limit_there_is_nothing_to_keep() -> None:
    played = scenario(FOREVER, wait={"timeout": "1s"}, expect=RAISES)
    seen = observe(played, Play(TIMED_OUT, [0.0]), by=LIMITED)

    verdict = judged(contract("gives_up_after_polls", option="default"), played, seen)

    assert verdict == fails("a limit of polls", "neither the wait nor the contract has one")


# --- of a client that has no adapter ------------------------------------------------------------------


@pytest.mark.parametrize(("polls", "status"), [(5, Status.PASS), (6, Status.FAIL), (4, None)])
def test_the_journal_alone_shows_a_client_that_polls_beyond_the_limit(
    polls: int, status: Status | None
) -> None:
    played = scenario(FOREVER, wait={"max_polls": 5, "poll_interval": "100ms"}, expect=RAISES)
    of = contract("gives_up_after_polls", option="passed")
    (task,) = observe(played, Play(TIMED_OUT, [0.1 * number for number in range(polls)])).tasks

    sighting = judge_by_journal(of, played, task, now_s=60.0)

    verdicts = journal_verdicts(of, played, [sighting])
    assert [verdict.status for verdict in verdicts] == ([] if status is None else [status])
