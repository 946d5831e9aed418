"""Checks of time: what no machine can cause is final, everything else is a suspicion."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    TIMED_OUT,
    TIMEOUT,
    Play,
    contract,
    fails,
    got,
    hello,
    judged,
    observe,
    passes,
    raised,
    scenario,
    verdict,
)
from waitproof.journal import Ended
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S
from waitproof.judge.observation import Observation, Seen, StillWaiting
from waitproof.judge.timing import late_bound_s
from waitproof.protocol import Unsupported

FINAL = contract("interval_kept", option="passed")


def polled(
    at: Sequence[float],
    *,
    interval: str = "1s",
    timeout: str = "60s",
    seen: Seen = GOT_RESULT,
    sent_s: float = 0.0,
    **more: Any,
) -> tuple[Any, Observation]:
    """Return a wait whose polls arrived then; it is not over before they are."""
    told = scenario(FOREVER, wait={"poll_interval": interval, "timeout": timeout})
    return told, observe(told, Play(seen, at, sent_s=sent_s, **more))


def interval_of(at: Sequence[float], **more: Any) -> tuple[Verdict, bool]:
    """Return the verdict about the interval, and whether a run alone could change it."""
    told, seen = polled(at, **more)
    return judged(FINAL, told, seen), is_suspicious(FINAL, told, [seen])


def test_a_poll_after_the_outcome_does_not_count_for_the_interval() -> None:
    at = [0.0, 1.0, 2.0, 3.0, 4.0, 4.4]

    assert interval_of(at, received_s=4.1) == (
        passes("a poll every 1.00 s", "a median period of 1.00 s"),
        False,
    )
    assert interval_of(at)[0].status is Status.FAIL


def settled(at: Sequence[float], **more: Any) -> Status:
    """Return what becomes of an interval where every run is like this one."""
    told, seen = polled(at, **more)
    return judged(FINAL, told, seen, seen, seen).status


KEPT = "a poll every 1.00 s"


def suspected(expected: str, seen: str) -> tuple[Verdict, bool]:
    lag = "could not be settled by isolated re-runs; worst scheduling delay: 0 ms"
    return verdict(Status.INCONCLUSIVE, expected, seen, lag), True


def test_polls_that_are_close_are_no_ticker_where_two_share_a_tick_or_a_third_is_late() -> None:
    bound = f"{KEPT}: 0.98 s or more"

    shared = interval_of((0.0, 1.0, 2.0, 4.3, 4.9, 6.0, 7.0, 8.0, 9.0))
    a_third_is_late = interval_of((0.0, 1.0, 2.3, 3.0, 4.0, 5.3))
    not_from_the_call = interval_of((1.0, 1.5, 2.5, 3.5, 4.5))

    assert shared == suspected(bound, "poll 5 came 0.60 s after poll 4; the median period was 1.00 s")
    assert a_third_is_late == suspected(
        bound, "poll 4 came 0.70 s after poll 3; half of the periods were 0.85 s to 1.30 s"
    )
    assert not_from_the_call == suspected(
        bound, "poll 2 came 0.50 s after poll 1; half of the periods were 0.62 s to 1.00 s"
    )


@pytest.mark.parametrize("began_s", [0.0, 7.3])
@pytest.mark.parametrize(("interval", "interval_s"), [("1s", 1.0), ("200ms", 0.2), ("4s", 4.0)])
@pytest.mark.parametrize(
    ("ticks", "is_ticker"),
    [
        ((0.0, 1.3, 2.0, 3.0), True),
        ((0.24, 1.5, 2.24, 3.24), True),  # it began a quarter of an interval after the call
        ((0.26, 1.5, 2.26, 3.26), False),
        ((0.0, 1.3, 2.0, 3.3, 4.0, 5.0, 6.0), True),  # five of seven on time
        ((0.0, 1.3, 2.0, 3.3, 4.0, 5.0), False),  # four of six
        ((0.4, 1.0, 2.0, 3.0, 4.4, 5.0), False),
        ((1.4, 2.0, 3.0, 4.0, 5.0), True),  # the first that is tried is late
        ((0.0, 1.0, 2.0, 3.3, 3.9, 5.0, 6.0, 7.0), False),  # two share a tick
        ((0.0, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0), False),
        ((0.0, 3.0, 4.3, 4.9, 6.0, 7.0, 8.0, 9.0, 10.0), False),
        ((0.0, 3.3, 4.0, 5.0, 6.0, 6.0, 7.0, 8.0), False),
    ],
)
def test_a_ticker_is_one_whatever_its_interval_and_whenever_it_was_called(
    ticks: Sequence[float], is_ticker: bool, interval: str, interval_s: float, began_s: float
) -> None:
    whole = [*ticks, *(int(ticks[-1]) + ticks[-1] % 1 + n for n in range(1, 6 - len(ticks)))]
    at = [began_s + tick * interval_s for tick in whole]

    told, _ = interval_of(at, interval=interval, sent_s=began_s, took_s=0.0)

    assert (told.status is Status.PASS) == is_ticker


@pytest.mark.parametrize(("late_s", "is_ticker"), [(0.017, True), (0.019, False)])
def test_a_tick_is_on_time_up_to_18_ms_after_one_that_is(late_s: float, is_ticker: bool) -> None:
    at = (0.0, 1.0 + late_s, 2.0, 3.0 + late_s, 4.3, 5.0, 6.0)

    assert interval_of(at)[1] is not is_ticker


# --- interval_kept: helpers that are right ------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "period"),
    [
        ((0.0, 1.0, 2.0, 3.0, 4.0), "1.00"),
        ((1.0, 2.0, 3.0, 4.0, 5.0), "1.00"),  # its first poll waits an interval
        ((0.0, 1.004, 2.009, 3.013, 4.018), "1.00"),
        ((0.04, 1.0, 2.0, 3.0, 4.0), "1.00"),  # a ticker that had to connect first
        ((0.49, 1.0, 2.0, 3.0, 4.0), "1.00"),
        ((0.45, 1.05, 2.15, 3.25, 4.35), "1.10"),  # one that is no ticker
        ((0.0, 1.019, 2.0, 3.019, 4.0), "1.00"),  # a ticker with polls that are late
        ((0.0, 1.3, 2.0, 3.0, 4.0), "1.00"),  # and with one that is much later
        ((0.9, 1.0, 2.4, 3.0, 4.0, 5.0, 6.0, 7.0), "1.00"),
        ((0.0, 1.0, 2.0, 6.0, 7.0, 8.0, 9.0, 10.0), "1.00"),  # a stop of three seconds
        ((0.0, 1.0, 2.0, 5.7, 6.0, 7.0, 8.0, 9.0, 10.0), "1.00"),  # one in the middle of an interval
    ],
)
def test_a_helper_that_keeps_its_interval_is_right(at: Sequence[float], period: str) -> None:
    assert interval_of(at) == (passes(KEPT, f"a median period of {period} s"), False)


@pytest.mark.parametrize("took_s", [0.15, 0.9, 1.0])
def test_an_interval_may_be_counted_from_the_request_where_answers_are_slow(took_s: float) -> None:
    assert interval_of((0.0, 1.0, 2.0, 3.0, 4.0), took_s=took_s) == (
        passes(KEPT, "a median period of 1.00 s"),
        False,
    )


def test_an_interval_may_be_counted_from_the_response_where_answers_are_slow() -> None:
    assert interval_of([1.9 * n for n in range(5)], took_s=0.9) == (
        passes(KEPT, "a median period of 1.90 s"),
        False,
    )


def test_a_ticker_whose_answers_take_longer_than_the_interval_polls_when_they_come() -> None:
    assert interval_of([2.5 * n for n in range(5)], took_s=2.5)[0].status is Status.PASS


def test_the_interval_is_counted_from_the_call_and_not_from_the_scenarios_start() -> None:
    assert interval_of((10.0, 11.0, 12.0, 13.0, 14.0), sent_s=10.0)[0].status is Status.PASS
    assert interval_of((10.4, 11.0, 12.0, 13.0, 14.0), sent_s=10.0)[0].status is Status.PASS


def test_the_documented_interval_holds_where_none_is_passed() -> None:
    told = scenario(RUNNING, RUNNING, RUNNING, RUNNING, COMPLETED)
    of = contract("interval_kept", option="default")

    assert judged(of, told, observe(told, Play(GOT_RESULT, (0.0, 1.0, 2.0, 3.0, 4.0)))).status is Status.PASS
    assert judged(of, told, observe(told, Play(GOT_RESULT, (0.0, 0.5, 1.0, 1.5, 2.0)))).status is Status.FAIL


def test_what_comes_after_the_end_is_not_held_against_the_interval() -> None:
    told = scenario(RUNNING, RUNNING, RUNNING, RUNNING, COMPLETED, wait={"poll_interval": "1s"})
    seen = observe(told, Play(GOT_RESULT, (0.0, 1.0, 2.0, 3.0, 4.0, 4.001)))

    assert judged(FINAL, told, seen) == passes(KEPT, "a median period of 1.00 s")


def test_a_request_that_the_http_stack_repeats_makes_no_period() -> None:
    told = scenario(
        RUNNING, {"fault": {"drop": "reset"}}, FOREVER, wait={"poll_interval": "1s", "timeout": "60s"}
    )
    at, connections = (0.0, 1.0, 1.002, 2.0, 3.0, 4.0), (1, 1, 2, 2, 2, 2)
    seen = observe(told, Play(GOT_RESULT, at, took_s=0.0, connections=connections))

    assert [poll.repeat for poll in seen.tasks[0].polls] == [False, False, True, False, False, False]
    assert judged(FINAL, told, seen) == passes(KEPT, "a median period of 1.00 s")


# --- interval_kept: the deadline ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 8.0),  # the last sleep is clamped to the deadline
        (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 7.981),
        (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 8.05),
        (0.0, 1.5, 3.0, 4.5, 6.0, 7.5),  # no poll at the deadline
        (1.5, 3.0, 4.5, 6.0, 7.5, 8.0),
        (
            0.0,
            1.5,
            3.0,
            4.5,
            6.0,
            7.5,
            7.999,
            8.0,
        ),  # a clamped sleep that woke a tick early, and the rest of it
        (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0),  # it looks at the clock only after its sleep
    ],
)
def test_a_last_poll_at_the_deadline_is_exempt(at: Sequence[float]) -> None:
    assert interval_of(at, interval="1500ms", timeout="8s", seen=TIMED_OUT) == (
        passes("a poll every 1.50 s", "a median period of 1.50 s"),
        False,
    )


def test_a_last_poll_at_the_deadline_is_exempt_whatever_came_of_it() -> None:
    at = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 8.0 - EARLY_SLACK_S)

    assert interval_of(at, interval="1500ms", timeout="8s", seen=GOT_RESULT)[0].status is Status.PASS


def test_a_short_period_before_the_last_one_exempts_no_poll_at_the_deadline() -> None:
    assert interval_of((0.0, 1.1, 2.3, 3.1, 4.1), timeout="4s", seen=TIMED_OUT) == suspected(
        f"{KEPT}: 0.98 s or more",
        "poll 4 came 0.80 s after poll 3; half of the periods were 0.85 s to 1.17 s",
    )


def test_a_short_period_before_a_helper_gives_up_is_not_exempt() -> None:
    at = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 7.9, 8.0)

    assert interval_of(at, interval="1500ms", timeout="20s", seen=TIMED_OUT)[0].status is Status.FAIL


def test_a_last_poll_before_the_deadline_is_not_exempt() -> None:
    assert interval_of((0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 7.979), interval="1500ms", timeout="8s") == (
        fails(
            "a poll every 1.50 s: poll 7 at least 8.98 s after the call",
            "poll 7 came 7.98 s after the call; half of the periods were 1.24 s to 1.50 s",
        ),
        False,
    )


def test_only_a_clamped_poll_is_exempt_and_no_burst_before_the_deadline() -> None:
    at = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 7.985, 7.99, 7.995, 8.0)

    assert interval_of(at, interval="1500ms", timeout="8s")[0].status is Status.FAIL


@pytest.mark.parametrize(("more", "status"), [((7.99, 8.0), Status.PASS), ((7.985, 7.99, 8.0), Status.FAIL)])
def test_two_polls_at_the_deadline_are_exempt_and_no_third(more: tuple[float, ...], status: Status) -> None:
    at = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, *more)

    assert interval_of(at, interval="1500ms", timeout="8s")[0].status is status


@pytest.mark.parametrize(
    ("answered_s", "status"),
    [(8.249, Status.PASS), (8.25 - LATE_SLACK_S, Status.PASS), (8.149, Status.FAIL), (None, Status.FAIL)],
)
def test_where_a_helper_gives_up_too_soon_its_last_poll_is_exempt_if_it_gave_up_at_once(
    answered_s: float | None, status: Status
) -> None:
    at, last = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 8.0), {7: {"answered_s": answered_s}}
    seen: Mapping[str, Any] = {"seen": TIMED_OUT, "received_s": 8.25, "poll": last}

    assert interval_of(at, interval="1500ms", timeout="20s", **seen)[0].status is status


def test_a_regular_poll_at_the_deadline_counts_as_a_period() -> None:
    assert interval_of((1.0, 2.0, 3.0, 4.0, 5.0), timeout="5s", seen=TIMED_OUT)[0].status is Status.PASS
    last_period_is_the_bound = (0.3125, 0.625, 0.9375, 1.25, 1.5)  # 270 ms less 20 ms are 250 ms
    verdict, _ = interval_of(last_period_is_the_bound, interval="270ms", timeout="1500ms", seen=TIMED_OUT)
    assert verdict.status is Status.PASS


# --- interval_kept: what is final ---------------------------------------------------------------------


def test_a_poll_before_its_time_after_the_call_is_final() -> None:
    assert interval_of((0.0, 1.0, 1.979, 3.0, 4.0)) == (
        fails(
            "a poll every 1.00 s: poll 3 at least 1.98 s after the call",
            "poll 3 came 1.98 s after the call; the median period was 1.00 s",
        ),
        False,
    )


def test_twenty_milliseconds_are_a_timers_business() -> None:
    assert interval_of((0.0, 0.981, 1.981, 2.981, 3.981))[0].status is Status.PASS


def test_half_the_interval_is_final_at_the_second_poll() -> None:
    assert interval_of((0.0, 0.5, 1.0, 1.5, 2.0)) == (
        fails(
            "a poll every 1.00 s: poll 2 at least 0.98 s after the call",
            "poll 2 came 0.50 s after the call; the median period was 0.50 s",
        ),
        False,
    )


def test_half_the_interval_is_final_where_the_first_poll_waits() -> None:
    assert interval_of((0.5, 1.0, 1.5, 2.0, 2.5)) == (
        fails(
            "a poll every 1.00 s: poll 3 at least 1.98 s after the call",
            "poll 3 came 1.50 s after the call; the median period was 0.50 s",
        ),
        False,
    )


def test_a_poll_too_early_is_final_among_few_polls_too() -> None:
    assert interval_of((0.0, 0.1))[0].status is Status.FAIL


def test_two_requests_in_place_of_one_are_too_early() -> None:
    assert interval_of((0.0, 0.001, 1.0, 1.001, 2.0, 2.001))[0].status is Status.FAIL


def test_the_worse_of_two_waits_is_told() -> None:
    wait = {"wait": {"poll_interval": "1s"}}
    told = scenario(FOREVER, calls=[wait, wait])
    seen = observe(
        told,
        Play(GOT_RESULT, (0.0, 1.0, 2.0, 3.0, 4.0)),
        Play(GOT_RESULT, (10.0, 10.3, 12.0, 13.0, 14.0), sent_s=10.0, call=1),
    )

    assert judged(FINAL, told, seen) == fails(
        "a poll every 1.00 s: poll 2 at least 0.98 s after the call",
        "poll 2 came 0.30 s after the call; half of the periods were 0.48 s to 1.52 s",
    )


# --- interval_kept: what is a suspicion ---------------------------------------------------------------


def test_a_single_short_period_is_a_suspicion() -> None:
    assert interval_of((0.0, 1.3, 2.1, 3.1, 4.1)) == suspected(
        f"{KEPT}: 0.98 s or more",
        "poll 3 came 0.80 s after poll 2; half of the periods were 0.85 s to 1.23 s",
    )


def test_a_first_poll_after_half_the_interval_has_waited_and_begins_a_period() -> None:
    assert interval_of((0.5, 1.2, 2.4, 3.6, 4.8)) == suspected(
        f"{KEPT}: 0.98 s or more",
        "poll 2 came 0.70 s after poll 1; half of the periods were 0.82 s to 1.20 s",
    )


def test_a_first_period_that_is_short_is_a_suspicion_where_the_first_poll_waits() -> None:
    assert interval_of((1.0, 1.5, 2.5, 3.5, 4.5)) == suspected(
        f"{KEPT}: 0.98 s or more",
        "poll 2 came 0.50 s after poll 1; half of the periods were 0.62 s to 1.00 s",
    )


def test_periods_that_are_all_a_little_short_add_up() -> None:
    at = [0.1 + 0.085 * n for n in range(5)]

    assert interval_of(at, interval="100ms") == suspected(
        "a poll every 0.10 s: 0.18 s or more", "poll 3 came 0.17 s after poll 1; the median period was 85 ms"
    )


def test_periods_that_are_all_a_little_short_add_up_from_the_poll_that_was_latest() -> None:
    at = (0.0, 0.2, 0.4, 0.9, 1.085, 1.27)

    assert interval_of(at, interval="200ms") == suspected(
        "a poll every 0.20 s: 0.38 s or more",
        "poll 6 came 0.37 s after poll 4; half of the periods were 0.18 s to 0.35 s",
    )


def test_the_bounds_of_an_interval_are_still_kept() -> None:
    assert interval_of((0.0, 1.0 - EARLY_SLACK_S, 2.0, 3.0, 4.0))[0].status is Status.PASS
    assert interval_of((1.0, 1.0 + (1.0 - EARLY_SLACK_S), 3.0, 4.0, 5.0))[0].status is Status.PASS
    assert interval_of([4.25 * n for n in range(5)], interval="4s", took_s=0.0)[0].status is Status.PASS
    assert interval_of([4.26 * n for n in range(5)], interval="4s", took_s=0.0)[1]


def test_a_ticker_that_makes_up_for_a_stop_is_no_more_than_a_suspicion() -> None:
    assert interval_of((0.0, 1.0, 4.2, 4.21, 4.22, 5.0, 6.0)) == suspected(
        f"{KEPT}: 0.98 s or more", "poll 4 came 10 ms after poll 3; half of the periods were 10 ms to 1.55 s"
    )


def test_a_median_pause_that_is_too_long_is_a_suspicion() -> None:
    assert interval_of([1.102 * n for n in range(5)]) == suspected(
        f"{KEPT}: a median pause of 1.10 s or less",
        "a median pause of 1.10 s from an answer to the next poll",
    )


def test_a_median_pause_may_be_50_ms_and_5_percent_over_the_interval() -> None:
    assert interval_of([1.1 * n for n in range(5)])[0].status is Status.PASS
    assert interval_of([4.25 * n for n in range(5)], interval="4s")[0].status is Status.PASS
    assert interval_of([4.252 * n for n in range(5)], interval="4s")[0].status is Status.INCONCLUSIVE


def stopped(*stops_s: float) -> Observation:
    """Return a wait that polls once a second, and whose machine stood still for so long in each pause."""
    return polled(list(itertools.accumulate((1.0 + stop_s for stop_s in stops_s), initial=0.0)))[1]


def test_stops_of_the_machine_that_make_a_median_differ_from_run_to_run_and_an_sdk_does_not() -> None:
    told, _ = polled(())
    stops = [stopped(0.0, 0.0, stop_s, stop_s) for stop_s in (0.3, 0.45, 0.28, 0.33, 0.4)]
    sdks = [stopped(0.0, 0.8, 0.0, 0.8, 0.8), stopped(0.0, 0.802, 0.0, 0.8, 0.8)]

    assert is_suspicious(FINAL, told, stops[:3])
    assert judged(FINAL, told, *stops[:3]).status is Status.INCONCLUSIVE
    assert judged(FINAL, told, *stops).status is Status.FAIL
    assert judged(FINAL, told, sdks[0], sdks[1], sdks[0]).status is Status.FAIL


def test_a_helper_that_slows_down_after_half_of_its_polls_is_a_suspicion() -> None:
    assert interval_of((0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 11.0, 19.0, 35.0)) == suspected(
        f"{KEPT}: pauses that grow by no more than 100 ms",
        "pauses from an answer to the next poll that grew from 999 ms to 4.00 s",
    )


@pytest.mark.parametrize(
    ("at", "count"), [((), 0), ((0.0,), 0), ((0.0, 1.0, 2.0, 3.0), 3), ((1.0, 2.0, 3.0, 4.0), 3)]
)
def test_fewer_than_four_periods_show_no_interval(at: Sequence[float], count: int) -> None:
    assert interval_of(at, seen=raised("other")) == suspected(
        f"{KEPT}, 4 periods or more",
        f'{count} periods, then the call raised KeyError (kind other): "it failed"',
    )


def test_a_helper_that_goes_on_for_ever_keeps_its_interval_all_the_same() -> None:
    assert interval_of((0.0, 1.0, 2.0, 3.0, 4.0, 5.0), timeout="5s", seen=StillWaiting(16.0))[0] == passes(
        KEPT, "a median period of 1.00 s"
    )


@pytest.mark.parametrize(
    "at",
    [
        (1.0, 1.5, 2.5, 3.5, 4.5),
        [1.2 * n for n in range(6)],
        (0.0, 1.0, 2.0),
        (0.0, 1.0, 2.0, 3.0, 8.0, 9.0, 10.0, 15.0),
    ],
)
def test_what_is_seen_three_times_is_a_fact(at: Sequence[float]) -> None:
    assert settled(at) is Status.FAIL


def test_without_a_wait_there_is_no_interval() -> None:
    told = scenario(COMPLETED, calls=[{"get_task": {}}])

    assert judged(FINAL, told, observe(told)) == fails("a wait of the scenario to judge", "there was none")


# --- timeouts -----------------------------------------------------------------------------------------


def timed(
    check: str,
    took_s: float,
    *,
    interval: str = "300ms",
    timeout: str = "2s",
    seen: Seen = TIMED_OUT,
    at: Sequence[float] = (0.0,),
    answers_s: Any = 0.001,
    elapsed: bool = False,
    task: Any = FOREVER,
    **arguments: Any,
) -> tuple[Verdict, bool]:
    of = contract(check, **arguments)
    told = scenario(task, wait={"poll_interval": interval, "timeout": timeout}, expect=TIMEOUT)
    play = Play(seen, at, answers_s, received_s=took_s + elapsed, elapsed_s=took_s if elapsed else None)
    observed = observe(told, play)
    return judged(of, told, observed), is_suspicious(of, told, [observed])


def after(seconds: str) -> str:
    return f"the call raised TransportError after {seconds}"


@pytest.mark.parametrize("elapsed", [False, True])
@pytest.mark.parametrize(
    ("check", "took_s"),
    [
        ("timeout_kept", 1.681),
        ("timeout_kept", 2.399),
        ("timeout_not_early", 2.0 - EARLY_SLACK_S),
        ("timeout_not_early", 9.0),
        ("timeout_not_late", 0.1),
        ("timeout_not_late", late_bound_s(2.0)),
    ],
)
def test_a_timeout_within_its_bounds_is_right(check: str, took_s: float, elapsed: bool) -> None:
    arguments: dict[str, Any] = {"option": "passed"} if check == "timeout_kept" else {}
    verdict, suspicious = timed(check, took_s, elapsed=elapsed, **arguments)

    assert (verdict.status, verdict.explanation, suspicious) == (Status.PASS, "", False)


def test_a_timeout_an_interval_too_early_is_final() -> None:
    assert timed("timeout_kept", 1.679, option="passed") == (
        fails("a timeout after 2.00 s: 1.68 s or more", after("1.68 s")),
        False,
    )


def test_a_timeout_that_is_shorter_than_two_intervals_may_be_half_as_long() -> None:
    early, late = (
        timed("timeout_kept", took_s, interval="5s", option="passed")[0] for took_s in (0.979, 0.981)
    )

    assert early == fails("a timeout after 2.00 s: 0.98 s or more", after("0.98 s"))
    assert late == passes("a timeout after 2.00 s", after("0.98 s"))


def test_a_timeout_an_interval_too_late_is_a_suspicion() -> None:
    assert timed("timeout_kept", 2.401, option="passed") == suspected(
        "a timeout after 2.00 s: 2.40 s or less", after("2.40 s")
    )


def test_a_timeout_before_its_time_is_final() -> None:
    assert timed("timeout_not_early", 1.979) == (
        fails("a timeout after 2.00 s, not before: 1.98 s or more", after("1.98 s")),
        False,
    )


def test_a_timeout_five_percent_and_100_ms_late_is_a_suspicion() -> None:
    assert timed("timeout_not_late", 2.201) == suspected(
        "a timeout after 2.00 s, and not much later: 2.20 s or less", after("2.20 s")
    )


def test_the_adapters_own_time_counts_where_it_gives_one() -> None:
    of = contract("timeout_not_late")
    told = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
    seen = observe(told, Play(TIMED_OUT, [0.9], received_s=3.0, elapsed_s=2.1))

    assert judged(of, told, seen) == passes("a timeout after 2.00 s, and not much later", after("2.10 s"))


def test_the_documented_timeout_holds_where_none_is_passed() -> None:
    of = contract("timeout_kept", option="default")
    told = scenario(FOREVER, expect=TIMEOUT)
    early, kept = (observe(told, Play(TIMED_OUT, [0.0], received_s=took_s)) for took_s in (30.0, 60.01))

    assert judged(of, told, early) == fails("a timeout after 60.00 s: 58.98 s or more", after("30.00 s"))
    assert judged(of, told, kept) == passes("a timeout after 60.00 s", after("60.01 s"))


# A poll at 1.8 s is answered 1 s later, after the deadline at 2 s: D is that second.
@pytest.mark.parametrize(
    ("check", "took_s", "status"),
    [
        ("timeout_kept", 3.399, Status.PASS),
        ("timeout_kept", 3.401, Status.INCONCLUSIVE),
        ("timeout_not_late", 3.199, Status.PASS),
        ("timeout_not_late", 3.201, Status.INCONCLUSIVE),
    ],
)
def test_the_poll_in_flight_at_the_deadline_may_end(check: str, took_s: float, status: Status) -> None:
    arguments: dict[str, Any] = {"option": "passed"} if check == "timeout_kept" else {}

    assert timed(check, took_s, at=(0.0, 1.8), answers_s=(0.001, 1.0), **arguments)[0].status is status


@pytest.mark.parametrize("last_s", [0.9, 1.0])
def test_a_poll_that_is_answered_by_the_deadline_prolongs_nothing(last_s: float) -> None:
    assert (
        timed("timeout_not_late", 2.201, at=(0.0, last_s), answers_s=(0.001, 1.0))[0].status
        is Status.INCONCLUSIVE
    )


def test_a_poll_that_begins_long_after_the_deadline_prolongs_nothing() -> None:
    assert (
        timed("timeout_not_late", 3.15, at=(0.0, 2.101), answers_s=(0.001, 1.0))[0].status
        is Status.INCONCLUSIVE
    )


@pytest.mark.parametrize("last_s", [2.05, 2.0 + LATE_SLACK_S])
def test_a_last_poll_that_begins_at_the_deadline_may_end(last_s: float) -> None:
    assert timed("timeout_not_late", 3.15, at=(0.0, last_s), answers_s=(0.001, 1.0))[0].status is Status.PASS


def test_a_poll_that_is_never_answered_lasts_until_the_outcome() -> None:
    assert timed("timeout_not_late", 5.0, at=(0.0, 1.8), answers_s=(0.001, None))[0].status is Status.PASS


STALL = {"status": "running", "delay": "10s", "times": "forever"}
BOUNDED = "a timeout after 2.00 s although a poll is stalled"


def test_a_stalled_poll_that_is_cut_off_at_the_deadline_is_right() -> None:
    assert timed("deadline_bounds_stalled_poll", 2.19, answers_s=2.18, task=STALL) == (
        passes(BOUNDED, after("2.19 s")),
        False,
    )


def test_a_stalled_poll_does_not_prolong_the_deadline() -> None:
    assert timed("deadline_bounds_stalled_poll", 5.0, answers_s=4.99, task=STALL) == suspected(
        f"{BOUNDED}: 2.20 s or less", after("5.00 s")
    )


def test_a_wait_that_ends_before_a_poll_is_stalled_proves_no_bound() -> None:
    told = scenario(RUNNING, STALL, wait={"timeout": "2s"}, expect=TIMEOUT)
    of = contract("deadline_bounds_stalled_poll")
    seen = observe(told, Play(TIMED_OUT, [0.0], received_s=0.1))

    assert (judged(of, told, seen), is_suspicious(of, told, [seen])) == suspected(
        BOUNDED, f"the wait ended before a poll was stalled: {after('0.10 s')}"
    )


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("timeout_kept", "a timeout after 2.00 s"),
        ("timeout_not_early", "a timeout after 2.00 s, not before"),
        ("timeout_not_late", "a timeout after 2.00 s, and not much later"),
        ("deadline_bounds_stalled_poll", BOUNDED),
    ],
)
@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got(None), "the call returned null"),
        (StillWaiting(13.0), "the call was still waiting after 13.00 s, long past its deadline"),
    ],
)
def test_where_nothing_was_raised_no_timeout_is_kept(
    check: str, expected: str, seen: Seen, told: str
) -> None:
    arguments: dict[str, Any] = {"option": "passed"} if check == "timeout_kept" else {}
    of = contract(check, **arguments)
    scene = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
    observed = observe(scene, Play(seen, [0.0]))

    assert judged(of, scene, observed) == fails(expected, f"nothing was raised: {told}")


@pytest.mark.parametrize("check", ["timeout_not_early", "timeout_not_late", "deadline_bounds_stalled_poll"])
def test_a_wait_that_expects_no_exception_shows_no_timeout(check: str) -> None:
    told = scenario(COMPLETED)
    seen = observe(told, Play(GOT_RESULT, [0.0]))

    assert judged(contract(check), told, seen) == fails("a wait of the scenario to judge", "there was none")


# --- parameters_kept ----------------------------------------------------------------------------------


def both(at: Sequence[float], took_s: float) -> Verdict:
    told = scenario(FOREVER, wait={"poll_interval": "200ms", "timeout": "1500ms"}, expect=TIMEOUT)
    return judged(contract("parameters_kept"), told, observe(told, Play(TIMED_OUT, at, received_s=took_s)))


EIGHT = [0.2 * n for n in range(8)]


def test_both_options_are_kept() -> None:
    assert both([*EIGHT, 1.5], 1.505) == passes("a poll every 0.20 s", "a median period of 0.20 s")


def test_an_async_helper_with_another_interval_is_found_out() -> None:
    assert both((0.0, 0.1, 0.2, 0.3, 0.4, 0.5), 1.505) == fails(
        "a poll every 0.20 s: poll 2 at least 0.18 s after the call",
        "poll 2 came 0.10 s after the call; the median period was 0.10 s",
    )


def test_an_async_helper_with_another_timeout_is_found_out() -> None:
    assert both(EIGHT[:6], 1.01) == fails("a timeout after 1.50 s: 1.28 s or more", after("1.01 s"))


@pytest.mark.parametrize("lacking", ["poll_interval", "timeout"])
def test_an_async_helper_without_one_of_the_options_is_found_out(lacking: str) -> None:
    options = tuple({"poll_interval", "timeout"} - {lacking})
    told = scenario(FOREVER, wait={"poll_interval": "200ms", "timeout": "1500ms"}, expect=TIMEOUT)
    seen = observe(told, Play(TIMED_OUT), by=hello(options=options))

    assert judged(contract("parameters_kept"), told, seen) == fails(
        f"an SDK with the documented option {lacking}, and an adapter whose hello says so",
        f"the SDK has no option {lacking}",
    )


# --- waits_interleave ---------------------------------------------------------------------------------


def two(first: Sequence[float], second: Sequence[float], *, lag_s: float = 0.0) -> tuple[Verdict, bool]:
    of = contract("waits_interleave")
    told = scenario(FOREVER, calls=[{"wait": {}, "parallel": 2}])
    seen = observe(
        told,
        Play(raised("api"), first, copy=1),
        Play(raised("api"), second, copy=2, sent_s=0.001),
        lag_s=lag_s,
    )
    return judged(of, told, seen), is_suspicious(of, told, [seen])


def test_two_waits_that_poll_in_turn_do_not_block() -> None:
    assert two((0.0, 1.0, 2.0), (0.5, 1.5, 2.5)) == (passes("both waits poll in turn", "they did"), False)
    assert two((0.0, 1.0, 2.0), (0.001, 1.001, 2.001))[0].status is Status.PASS


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            (0.0, 1.0, 2.0),
            (2.003, 3.0, 4.0),
            "the first poll of wait 2 came 3 ms after the last poll of wait 1",
        ),
        (
            (0.0, 1.0, 2.0),
            (2.0, 3.0, 4.0),
            "the first poll of wait 2 came 0 ms after the last poll of wait 1",
        ),
        (
            (2.003, 3.0, 4.0),
            (0.002, 1.0, 2.0),
            "the first poll of wait 1 came 3 ms after the last poll of wait 2",
        ),
    ],
)
def test_a_wait_that_begins_when_the_other_has_ended_was_blocked(
    first: Sequence[float], second: Sequence[float], told: str
) -> None:
    assert two(first, second) == suspected("both waits poll in turn", f"{told}: it blocked")


@pytest.mark.parametrize(("second", "count"), [((), "no poll"), ((0.5,), "one poll")])
def test_a_wait_without_two_polls_shows_no_turns(second: Sequence[float], count: str) -> None:
    assert two((0.0, 1.0, 2.0), second) == suspected(
        "both waits poll in turn, two polls or more each",
        f'wait 2 sent {count}, and raised ApiError (kind api): "it failed"',
    )


@pytest.mark.parametrize(
    ("first", "second", "is_kept"),
    [
        ((0.0, 1.0, 2.0), (0.05, 1.05, 2.05), True),  # each answer takes 0.1 s
        ((0.0, 1.0, 2.0), (0.1, 1.1, 2.1), False),
        ((0.1, 1.1, 2.1), (0.0, 1.0, 2.0), False),
    ],
)
def test_waits_whose_slow_requests_never_overlap_block_each_other(
    first: Sequence[float], second: Sequence[float], is_kept: bool
) -> None:
    of = contract("waits_interleave")
    told = scenario({"status": "running", "delay": "100ms"}, calls=[{"wait": {}, "parallel": 2}])

    def play(arrivals: Sequence[float], copy: int) -> Play:
        answered = {n: {"answered_s": at + 0.1} for n, at in enumerate(arrivals, 1)}
        return Play(raised("api"), arrivals, copy=copy, poll=answered)

    seen = observe(told, play(first, 1), play(second, 2))

    if is_kept:
        assert judged(of, told, seen) == passes("both waits poll in turn", "they did")
    else:
        assert (judged(of, told, seen), is_suspicious(of, told, [seen])) == suspected(
            "both waits poll in turn",
            "answers took 0.10 s, and no two polls were in flight at once: a request blocked",
        )


def test_three_waits_that_poll_in_turn_do_not_block_either() -> None:
    told = scenario(FOREVER, calls=[{"wait": {}, "parallel": 3}])
    plays = [Play(raised("api"), (0.3 * n, 1.0 + 0.3 * n), copy=n) for n in (1, 2, 3)]

    assert judged(contract("waits_interleave"), told, observe(told, *plays)).status is Status.PASS


def test_a_wait_that_sleeps_only_after_the_other_one_has_slept_is_blocked() -> None:
    assert two((0.0, 1.0, 3.0, 5.0, 7.0), (0.001, 2.0, 4.0, 6.0, 8.0)) == suspected(
        "both waits poll in turn: a median pause of 1.10 s or less",
        "wait 1 has a median pause of 2.00 s from an answer to the next poll, and 8 of 8 polls came an "
        "interval after one of the other wait: its sleep blocks",
    )


def test_a_blocking_sleep_is_found_on_a_machine_that_is_late_now_and_then() -> None:
    late = two((0.0, 1.01, 3.05, 5.4, 7.42), (0.001, 2.03, 4.05, 6.41, 8.45))[0]

    assert late.seen.endswith("8 of 8 polls came an interval after one of the other wait: its sleep blocks")


def test_a_blocking_sleep_is_found_on_a_machine_that_is_late_all_the_time() -> None:
    late = (0.0, 1.7, 5.1, 8.5, 11.9), (0.001, 3.4, 6.8, 10.2, 13.6)

    assert two(*late)[0].status is Status.PASS
    assert two(*late, lag_s=0.3)[1] is True


@pytest.mark.parametrize(
    ("what", "first"),
    [
        ("half as often", (0.0, 2.0, 4.0, 6.0, 8.0)),
        ("one and a half intervals", (0.0, 1.5, 3.0, 4.5, 6.0)),
        ("grows", (0.0, 1.6, 4.16, 8.26, 14.81)),
        ("alternates", (0.0, 1.0, 2.8, 3.8, 5.6, 6.6)),
    ],
)
def test_a_slow_interval_of_two_waits_at_once_is_not_blocking(what: str, first: Sequence[float]) -> None:
    second = [at + 0.002 * n for n, at in enumerate(first, 1)]

    assert two(first, second) == (passes("both waits poll in turn", "they did"), False), what


def test_jitter_in_two_waits_at_once_is_not_blocking() -> None:
    varied = two((0.0, 1.9, 3.1, 5.9, 8.0), (0.001, 1.2, 4.0, 5.5, 8.3))

    assert varied == (passes("both waits poll in turn", "they did"), False)


@pytest.mark.parametrize(
    ("second", "is_kept"),
    [((0.002,), True), ((1.001,), True), ((1.004,), False)],
)
def test_one_poll_is_enough_of_a_wait_whose_interval_fills_its_timeout(
    second: Sequence[float], is_kept: bool
) -> None:
    told = scenario(FOREVER, calls=[{"wait": {"poll_interval": "200ms", "timeout": "1s"}, "parallel": 2}])
    plays = [
        Play(TIMED_OUT, (0.0,), copy=1, received_s=1.003),
        Play(TIMED_OUT, second, copy=2, received_s=second[0] + 1.0),
    ]
    seen = observe(told, *plays)
    of = contract("waits_interleave")

    if is_kept:
        assert judged(of, told, seen) == passes("both waits poll in turn", "they did")
    else:
        assert (judged(of, told, seen), is_suspicious(of, told, [seen])) == suspected(
            "both waits poll in turn",
            "the first poll of wait 2 came 1 ms after the end of wait 1: it blocked",
        )


def test_a_poll_without_an_answer_does_not_show_two_in_flight() -> None:
    told = scenario({"status": "running", "delay": "100ms"}, calls=[{"wait": {}, "parallel": 2}])
    first = Play(raised("api"), (0.0, 1.0, 2.0), 0.1, copy=1)
    second = Play(StillWaiting(9.0), (0.1, 1.1, 2.1), (0.1, 0.1, None), copy=2)

    assert is_suspicious(contract("waits_interleave"), told, [observe(told, first, second)])


def test_a_wait_that_got_no_answer_before_its_timeout_was_not_blocked_by_a_request() -> None:
    told = scenario({"status": "running", "delay": "100ms"}, calls=[{"wait": {}, "parallel": 2}])
    plays = [
        Play(TIMED_OUT, (at,), (None,), copy=n, received_s=at + 0.005) for n, at in ((1, 0.0), (2, 0.002))
    ]

    assert judged(contract("waits_interleave"), told, observe(told, *plays)).status is Status.PASS


def test_one_wait_alone_shows_no_turns() -> None:
    told = scenario(FOREVER)
    seen = observe(told, Play(raised("api"), (0.0, 1.0)))

    assert judged(contract("waits_interleave"), told, seen) == fails("two waits at once", "there was one")
    assert judged(contract("waits_interleave"), told, observe(told)) == fails(
        "two waits at once", "there was none"
    )


def test_an_abandoned_poll_in_the_journal_still_counts_as_one_in_flight_at_the_deadline() -> None:
    told = scenario(STALL, wait={"timeout": "2s"}, expect=TIMEOUT)
    seen = observe(told, Play(TIMED_OUT, [0.0], 2.9, received_s=2.901, poll={1: {"ended": Ended.ABANDONED}}))

    assert judged(contract("timeout_not_late"), told, seen).status is Status.PASS


# --- long timeouts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (TIMED_OUT, 'raised TransportError (kind transport): "gave up", 1.00 s after it was made'),
        (raised("other"), 'raised KeyError (kind other): "it failed", 1.00 s after it was made'),
        (StillWaiting(13.0), "was still waiting after 13.00 s"),
    ],
)
def test_a_wait_that_ends_before_its_long_timeout_and_its_task_is_final(seen: Seen, words: str) -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})

    assert judged(of, told, observe(told, Play(seen, [0.0], received_s=1.0))) == fails(
        "a timeout of 2592000.00 s does not end the wait before its task ends", f"the call {words}"
    )


def test_a_wait_that_returns_before_its_task_ends_has_not_lasted() -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})

    assert judged(of, told, observe(told, Play(GOT_RESULT, [0.0]))).status is Status.FAIL


@pytest.mark.parametrize(("timeout", "status"), [("30d", Status.NOT_APPLICABLE), ("61s", Status.FAIL)])
def test_only_a_timeout_of_hours_may_be_refused_before_the_first_poll(timeout: str, status: Status) -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": timeout})
    refused = observe(told, Play(raised("other")))

    assert judged(of, told, refused, refused, refused).status is status


@pytest.mark.parametrize("polls", [[], [0.0]], ids=["before-it-arrives", "after-it-arrived"])
@pytest.mark.parametrize("kind", ["transport", "api"])
def test_a_first_poll_that_is_aborted_is_no_refusal_of_a_long_timeout(kind: str, polls: list[float]) -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})

    assert judged(of, told, observe(told, Play(raised(kind), polls))).status is Status.FAIL


@pytest.mark.parametrize(
    ("polls_of_reruns", "status"),
    [
        ([], Status.INCONCLUSIVE),
        ([[]], Status.INCONCLUSIVE),
        ([[], []], Status.NOT_APPLICABLE),
        ([[0.0]], Status.FAIL),
        ([[], [0.0]], Status.FAIL),
    ],
)
def test_a_refusal_holds_if_no_rerun_has_a_poll(polls_of_reruns: list[list[float]], status: Status) -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})
    seen = [observe(told, Play(raised("other"), polls)) for polls in [[], *polls_of_reruns]]

    assert judged(of, told, *seen).status is status


def test_a_helper_without_a_timeout_lacks_what_is_documented() -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "61s"})
    unsupported = Play(Unsupported("the helper takes no timeout"))

    verdict = judged(of, told, observe(told, unsupported, by=hello(options=("poll_interval",))))

    assert verdict.status is Status.FAIL


def test_a_wait_that_outlasts_its_task_is_right() -> None:
    of = contract("timeout_outlasts_task")
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})

    assert judged(of, told, observe(told, Play(GOT_RESULT, [0.0, 1.0]))).status is Status.PASS
