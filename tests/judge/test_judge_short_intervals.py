"""Short intervals: a fifth too slow or too fast is seen, and nothing that a busy machine does is accused."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from observations import (
    FOREVER,
    GOT_RESULT,
    TIMED_OUT,
    TIMEOUT,
    Play,
    contract,
    fails,
    judged,
    observe,
    passes,
    scenario,
)
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.check import Case
from waitproof.judge.intervals import EARLY_SLACK_S
from waitproof.judge.machine import Interference, interferences
from waitproof.judge.pauses import TICK_S, slow_bound_s

OF = contract("interval_kept", option="passed")
ANSWER_S = 0.001


def seen_three_times(at: Sequence[float], interval_ms: int, *, lag_s: float = 0.0, **more: Any) -> Verdict:
    """Return the verdict where each run's polls arrive then."""
    told = scenario(FOREVER, wait={"poll_interval": f"{interval_ms}ms", "timeout": "10m"})
    seen = observe(told, Play(GOT_RESULT, at, **{"took_s": ANSWER_S, **more}), lag_s=lag_s)
    return judged(OF, told, seen, seen, seen)


def polls_at_once(at: Sequence[float], interval_ms: int, **more: Any) -> bool:
    """Return whether one run passes, without a suspicion."""
    told = scenario(FOREVER, wait={"poll_interval": f"{interval_ms}ms", "timeout": "10m"})
    seen = observe(told, Play(GOT_RESULT, at, **{"took_s": ANSWER_S, **more}))
    return judged(OF, told, seen).status is Status.PASS and not is_suspicious(OF, told, [seen])


def paused(pauses_s: Sequence[float], answers_s: Sequence[float] | None = None) -> list[float]:
    """Return when the polls arrive that come so long after each answer."""
    answers = answers_s or [ANSWER_S] * len(pauses_s)
    steps = (pause_s + answer_s for pause_s, answer_s in zip(pauses_s, answers, strict=True))
    return list(itertools.accumulate(steps, initial=0.0))


# --- what is found ------------------------------------------------------------------------------------


@pytest.mark.parametrize("slept_ms", [60, 80, 100, 48, 45, 40, 25])
def test_a_sleep_that_is_not_50_ms_is_a_failure_at_an_interval_of_50_ms(slept_ms: int) -> None:
    at = [slept_ms / 1000 * n for n in range(41)]

    assert seen_three_times(at, 50).status is Status.FAIL


@pytest.mark.parametrize("interval_ms", [20, 50, 100, 200, 1000, 4000, 10_000])
@pytest.mark.parametrize("answer_share", [0.0, 0.02])
def test_a_growth_of_two_percent_a_poll_is_a_failure_at_any_interval(
    interval_ms: int, answer_share: float
) -> None:
    interval_s = interval_ms / 1000
    pauses = [interval_s * 1.02**n for n in range(30)]
    answers = [answer_share * interval_s] * 30

    verdict = seen_three_times(paused(pauses, answers), interval_ms, took_s=[*answers, 0.0])

    assert verdict.status is Status.FAIL


def test_a_slow_sleep_is_shown_by_what_three_quarters_of_the_pauses_were() -> None:
    assert seen_three_times(paused([0.060] * 40), 50) == fails(
        "a poll every 50 ms: at least a quarter of the pauses 57 ms or less",
        "three quarters of the pauses from an answer to the next poll were 60 ms or more",
        "reproduced in 2 isolated re-runs",
        alone_runs=2,
    )


def test_a_growing_sleep_is_shown_by_its_first_third_and_its_last() -> None:
    assert seen_three_times(paused([0.050] * 10 + [0.053] * 10 + [0.058] * 10), 50) == fails(
        "a poll every 50 ms: pauses that grow by no more than 7 ms",
        "pauses from an answer to the next poll that grew from 50 ms to 58 ms",
        "reproduced in 2 isolated re-runs",
        alone_runs=2,
    )


@pytest.mark.parametrize(
    ("interval_s", "bound_s"), [(0.02, 0.027), (0.05, 0.057), (0.2, 0.22), (1.0, 1.1), (4.0, 4.25)]
)
def test_the_bound_of_slow_sleeps_is_a_tenth_7_ms_at_least_and_never_above_the_medians(
    interval_s: float, bound_s: float
) -> None:
    assert slow_bound_s(interval_s) == pytest.approx(bound_s)


def test_a_slow_sleep_is_a_failure_on_a_busy_machine_too() -> None:
    late = [0.061, 0.062, 0.061, 0.063, 0.075] * 8

    assert seen_three_times(paused(late), 50, lag_s=0.010).status is Status.FAIL


# --- what is not --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lag_s", "status"), [(0.003, Status.INCONCLUSIVE), (0.001, Status.FAIL), (0.0, Status.FAIL)]
)
def test_pauses_that_differ_are_not_held_against_an_sdk_if_the_machine_was_as_late(
    lag_s: float, status: Status
) -> None:
    starved = paused([0.060, 0.060, 0.062, 0.064, 0.066, 0.070, 0.072, 0.068] * 5)

    assert seen_three_times(starved, 50, lag_s=lag_s).status is status


@pytest.mark.parametrize(("lag_s", "status"), [(0.011, Status.INCONCLUSIVE), (0.009, Status.FAIL)])
def test_pauses_that_hardly_differ_are_held_against_an_sdk_unless_the_machine_was_late_by_twice_that(
    lag_s: float, status: Status
) -> None:
    assert seen_three_times(paused([0.060] * 40), 50, lag_s=lag_s).status is status


@pytest.mark.parametrize("interval_ms", [20, 50, 100])
def test_a_timer_that_ticks_every_15_ms_is_right(interval_ms: int) -> None:
    ticks = [0.0]
    for _ in range(40):
        ticks.append(-(-(ticks[-1] + ANSWER_S + interval_ms / 1000) // TICK_S) * TICK_S)
    at = [tick + 0.001 * (n % 3) for n, tick in enumerate(ticks)]

    assert polls_at_once(at, interval_ms)


def test_polls_at_ticks_that_are_more_than_one_tick_too_late_are_a_failure() -> None:
    assert seen_three_times([6 * TICK_S * n for n in range(40)], 50).status is Status.FAIL


def test_answers_that_take_less_and_less_time_make_no_growth_where_the_request_counts() -> None:
    answers = [0.045 - 0.001 * n for n in range(40)]

    assert polls_at_once([0.05 * n for n in range(40)], 50, took_s=answers)


def test_answers_that_take_more_and_more_time_make_no_growth_where_the_response_counts() -> None:
    answers = [0.001 + 0.002 * n for n in range(40)]

    assert polls_at_once(paused([0.05] * 40, answers), 50, took_s=[*answers, 0.0])


def test_of_many_polls_one_in_twenty_may_be_late_and_the_next_one_on_time() -> None:
    on_time = [0.0501 * n for n in range(41)]
    two_late = [t + (0.030 if n in {10, 25} else 0.0) for n, t in enumerate(on_time)]
    four_late = [t + (0.030 if n in {10, 20, 25, 30} else 0.0) for n, t in enumerate(on_time)]

    assert polls_at_once([t + 0.02 for t in two_late], 50)
    assert not polls_at_once([t + 0.02 for t in four_late], 50)


def test_a_timer_that_rounds_each_sleep_down_to_a_millisecond_is_right() -> None:
    assert polls_at_once([0.0191 * n for n in range(100)], 20)
    assert not polls_at_once([0.0189 * n for n in range(100)], 20)


def test_a_sleep_that_is_clamped_twice_at_the_deadline_is_exempt_at_any_interval() -> None:
    told = scenario(FOREVER, wait={"poll_interval": "21ms", "timeout": "200ms"}, expect=TIMEOUT)
    at = [*(0.021 * n for n in range(10)), 0.1995, 0.2]

    seen = observe(told, Play(TIMED_OUT, at))

    assert judged(OF, told, seen) == passes("a poll every 21 ms", "a median period of 21 ms")


# --- what a busy machine took of a wait ---------------------------------------------------------------


def taken(at: Sequence[float], interval: str, timeout: str) -> list[Interference]:
    """Return what the machine may have done to a wait that gave up at its timeout."""
    told = scenario(FOREVER, wait={"poll_interval": interval, "timeout": timeout}, expect=TIMEOUT)
    seen = observe(told, Play(TIMED_OUT, at, elapsed_s=float(timeout.removesuffix("s"))))
    return interferences(Case(OF, told, seen))


@pytest.mark.parametrize("polls", [91, 94, 97])
def test_a_period_a_little_over_a_short_interval_takes_no_polls_from_a_wait(polls: int) -> None:
    assert taken([5.0 / polls * n for n in range(polls)], "50ms", "5s") == []


def test_a_stop_takes_polls_from_a_wait_of_many() -> None:
    stopped = [0.052 * n + (0.4 if n > 40 else 0.0) for n in range(88)]

    assert [each.is_extreme for each in taken(stopped, "50ms", "5s")] == [False]


def test_one_poll_of_ten_that_is_missing_was_taken() -> None:
    assert len(taken([0.2 * n for n in range(9)], "200ms", "2s")) == 1
    assert taken([0.2 * n for n in range(10)], "200ms", "2s") == []


# --- properties ---------------------------------------------------------------------------------------

quickly = settings(derandomize=True, max_examples=60, deadline=None)
intervals_ms = st.integers(20, 10_000)
short_ms = st.integers(20, 200)
counted_from = st.sampled_from(["request", "response", "call"])


@st.composite
def machines(draw: st.DrawFn, *, most_s: float) -> list[float]:
    """Draw how late each of many polls is sent: by a millisecond or three, and one in twenty by far more."""
    late_s = draw(st.lists(st.floats(0.0, 0.003), min_size=41, max_size=41))
    for _ in range(2):
        late_s[draw(st.integers(1, 40))] = draw(st.floats(0.0, most_s))
    return late_s


def arrivals(interval_s: float, late_s: Sequence[float], counts_from: str) -> list[float]:
    """Return when the polls arrive of a helper whose machine sends each one so late."""
    at: list[float] = []
    due_s = 0.0
    for each_s in late_s:
        at.append(due_s + each_s)
        answered_s = at[-1] + ANSWER_S
        match counts_from:
            case "request":
                due_s = at[-1] + interval_s
            case "response":
                due_s = answered_s + interval_s
            case _:
                due_s = (answered_s // interval_s + 1) * interval_s
    return at


@given(short_ms, machines(most_s=0.5), counted_from)
@quickly
def test_a_helper_that_keeps_a_short_interval_passes_although_some_polls_are_late(
    interval_ms: int, late_s: list[float], counts_from: str
) -> None:
    assert polls_at_once(arrivals(interval_ms / 1000, late_s, counts_from), interval_ms)


@given(short_ms, st.lists(st.floats(0.0, 0.4), min_size=5, max_size=41), counted_from)
@quickly
def test_no_lateness_whatever_makes_a_short_interval_a_failure_at_once(
    interval_ms: int, late_s: list[float], counts_from: str
) -> None:
    told = scenario(FOREVER, wait={"poll_interval": f"{interval_ms}ms", "timeout": "10m"})
    at = arrivals(interval_ms / 1000, late_s, counts_from)

    found = judged(OF, told, observe(told, Play(GOT_RESULT, at, ANSWER_S))).status

    assert found in {Status.PASS, Status.INCONCLUSIVE}


@given(st.integers(160, 10_000), machines(most_s=0.5), counted_from, st.booleans())
@quickly
def test_a_fifth_too_slow_or_too_fast_never_passes_where_no_tick_is_as_long(
    interval_ms: int, late_s: list[float], counts_from: str, is_slow: bool
) -> None:
    slept_s = interval_ms / 1000 * (1.2 if is_slow else 0.8)
    late_s = [min(each_s, EARLY_SLACK_S) for each_s in late_s]

    assert seen_three_times(arrivals(slept_s, late_s, counts_from), interval_ms).status is not Status.PASS
