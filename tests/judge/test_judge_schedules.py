"""Intervals that grow: documented growth is not accused, and growth that is wrong is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observations import (
    FOREVER,
    GOT_RESULT,
    STREAM,
    TIMED_OUT,
    Play,
    contract,
    fails,
    judged,
    observe,
    scenario,
)
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.check import Case
from waitproof.judge.machine import interferences
from waitproof.suite.intervals import Intervals

SCHEDULE = {"first": "200ms", "add": "200ms", "most": "1s"}
DOCUMENTED = [0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
OF = contract("interval_kept", option="passed")
ANSWER_S = 0.001


def arrivals(pauses_s: Sequence[float], first_s: float = 0.0) -> list[float]:
    steps = (pause_s + ANSWER_S for pause_s in pauses_s)
    return list(itertools.accumulate(steps, initial=first_s))


def judged_three_times(pauses_s: Sequence[float], first_s: float = 0.0, **more: Any) -> Verdict:
    told = scenario(FOREVER, wait={"poll_interval": SCHEDULE, "timeout": "10m"})
    seen = observe(told, Play(GOT_RESULT, arrivals(pauses_s, first_s), **{"took_s": ANSWER_S, **more}))
    return judged(OF, told, seen, seen, seen)


def passes_at_once(pauses_s: Sequence[float], first_s: float = 0.0) -> bool:
    told = scenario(FOREVER, wait={"poll_interval": SCHEDULE, "timeout": "10m"})
    seen = observe(told, Play(GOT_RESULT, arrivals(pauses_s, first_s), took_s=ANSWER_S))
    return judged(OF, told, seen).status is Status.PASS and not is_suspicious(OF, told, [seen])


# --- what is right ------------------------------------------------------------------------------------


def test_pauses_that_grow_as_documented_pass() -> None:
    verdict = judged_three_times(DOCUMENTED)

    assert verdict.status is Status.PASS
    assert verdict.expected == "pauses of 0.20 s, 0.20 s longer each time, up to 1.00 s"
    assert verdict.seen == "the pauses were 0.20, 0.40, 0.60, 0.80, 1.00, 1.00, 1.00, 1.00, 1.00, 1.00 s"


@settings(max_examples=50)
@given(late_s=st.lists(st.floats(0.0, 0.015), min_size=10, max_size=10))
def test_a_machine_that_is_late_by_a_few_milliseconds_accuses_nobody(late_s: list[float]) -> None:
    assert passes_at_once([pause_s + each for pause_s, each in zip(DOCUMENTED, late_s, strict=True)])


def test_a_first_pause_that_is_used_up_before_the_first_poll_is_right() -> None:
    assert passes_at_once(DOCUMENTED[1:], first_s=0.2)


def test_pauses_that_begin_again_after_a_sleep_before_the_first_poll_are_right() -> None:
    assert passes_at_once(DOCUMENTED, first_s=0.2)


def test_pauses_that_are_counted_from_the_request_are_right() -> None:
    answer_s = 0.1
    at = list(itertools.accumulate(DOCUMENTED, initial=0.0))
    told = scenario(FOREVER, wait={"poll_interval": SCHEDULE, "timeout": "10m"})
    seen = observe(told, Play(GOT_RESULT, at, took_s=answer_s))

    assert judged(OF, told, seen).status is Status.PASS
    assert not is_suspicious(OF, told, [seen])


# --- what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pauses_s",
    [
        [0.2] * 12,
        [1.0] * 10,
        [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0],
        [0.0, *DOCUMENTED],
        DOCUMENTED[1:],
        [0.2, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
        [0.2, 0.2, 0.4, 0.4, 0.6, 0.6, 0.8, 0.8],
        [0.2, 0.4, 0.8, 1.6, 3.2, 6.4],
        [0.2 * n for n in range(1, 13)],
        [1.15 * pause_s for pause_s in DOCUMENTED],
        [0.9 * pause_s for pause_s in DOCUMENTED],
    ],
    ids=[
        "never grows",
        "is as long as it may become at once",
        "is cut down to whole seconds",
        "begins with none",
        "begins with the second",
        "grows too fast",
        "grows too slowly",
        "doubles",
        "grows beyond the longest",
        "is a little too long",
        "is a little too short",
    ],
)
def test_growth_that_is_not_the_documented_one_fails(pauses_s: list[float]) -> None:
    assert judged_three_times(pauses_s).status is Status.FAIL


def test_pauses_that_are_each_too_long_by_a_fifth_are_no_noise_of_a_machine() -> None:
    told = scenario(FOREVER, wait={"poll_interval": {"first": "100ms", "add": "100ms", "most": "300ms"}})
    seen = observe(told, Play(GOT_RESULT, arrivals([0.12, 0.24, *6 * [0.36]]), took_s=ANSWER_S))

    assert judged(OF, told, seen, seen, seen).status is Status.FAIL


def test_five_polls_at_once_are_shown_with_their_pauses() -> None:
    assert judged_three_times([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]) == fails(
        "pauses of 0.20 s, 0.20 s longer each time, up to 1.00 s: poll 2 at least 0.18 s after the call",
        "poll 2 came 1 ms after the call; the pauses were 0.00, 0.00, 0.00, 0.00, 1.00, 1.00, 1.00 s",
    )


def test_growth_beyond_the_longest_pause_is_shown_with_the_pauses() -> None:
    verdict = judged_three_times([0.2 * n for n in range(1, 16)])

    assert verdict.status is Status.FAIL
    assert "; the pauses were 0.20, 0.40, 0.60, 0.80, 1.00, 1.20, …, " in verdict.seen


# --- what reads an interval ---------------------------------------------------------------------------


def a_wait(count: int, timeout: str) -> Case:
    told = scenario(FOREVER, wait={"poll_interval": SCHEDULE, "timeout": timeout})
    at = arrivals(DOCUMENTED[: count - 1])
    seen = observe(told, Play(TIMED_OUT, at, received_s=5.0, took_s=ANSWER_S))
    return Case(STREAM, told, seen)


@pytest.mark.parametrize(("polls", "is_held_up"), [(8, False), (7, False), (4, True)])
def test_polls_are_missing_only_where_the_schedule_has_time_for_them(polls: int, is_held_up: bool) -> None:
    assert bool(interferences(a_wait(polls, "5s"))) is is_held_up


def test_the_interval_of_a_record_is_that_of_the_poll_it_is_about() -> None:
    told = scenario(
        {"status": "running", "times": 4},
        {"fault": {"http": 503}},
        FOREVER,
        wait={"poll_interval": SCHEDULE, "timeout": "10m"},
    )
    at = arrivals([0.2, 0.4, 0.6, 0.8, 0.3])
    seen = observe(told, Play(GOT_RESULT, at, took_s=ANSWER_S))

    verdict = judged(contract("record_after_fault", level="INFO"), told, seen)

    assert verdict.seen.startswith("tries again at once")  # 0.3 s, where a pause of 1 s was due


def test_a_wait_that_has_no_timeout_is_not_held_up() -> None:
    no_timeout = STREAM.defaults.model_copy(update={"timeout": None, "poll_interval": Intervals(1.0)})
    told = scenario(FOREVER, wait={"max_polls": 3})
    seen = observe(told, Play(TIMED_OUT, [0.0, 1.0, 2.0]))
    case = Case(STREAM.model_copy(update={"defaults": no_timeout}), told, seen)

    assert interferences(case) == []
