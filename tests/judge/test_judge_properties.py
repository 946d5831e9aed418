"""Properties of the interval: lateness accuses nobody, and no interval that is short gets away."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from observations import FOREVER, GOT_RESULT, TIMED_OUT, TIMEOUT, Play, contract, observe, scenario
from waitproof.judge import Status, is_suspicious, judge
from waitproof.judge.observation import Observation
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Scenario

OF = contract("interval_kept", option="passed")
quickly = settings(derandomize=True, max_examples=100, deadline=None)

intervals_ms = st.integers(200, 2000)
# Mostly what an idle machine does, sometimes a stop that lasts longer than an interval.
lateness_s = st.one_of(st.just(0.0), st.floats(0.0, 0.03), st.floats(0.0, 5.0))
answers_s = st.one_of(st.just(0.001), st.floats(0.0, 0.03), st.floats(0.0, 5.0))


def arrivals(
    interval_s: float,
    sends_late_s: Sequence[float],
    arrives_late_s: Sequence[float],
    took_s: Sequence[float],
    *,
    counts_from: str,
    first_waits: bool = False,
) -> list[float]:
    """Return when the polls arrive of a helper that sends each one an interval after the last, or later.

    A ticker (`counts_from="call"`) keeps to the grid of its first poll and makes up for what it missed, but
    never sends a poll before the last one has its answer.
    """
    at: list[float] = []
    first_s = interval_s if first_waits else 0.0
    due_s, free_s = first_s, 0.0
    for number, (send_s, arrive_s, answer_s) in enumerate(
        zip(sends_late_s, arrives_late_s, took_s, strict=True), 1
    ):
        sent_s = max(due_s, free_s) + send_s
        at.append(sent_s + arrive_s)
        free_s = at[-1] + answer_s
        due_s = {
            "request": sent_s + interval_s,
            "response": free_s + interval_s,
            "call": first_s + number * interval_s,
        }[counts_from]
    return at


def waited(interval_ms: int, at: Sequence[float], took_s: Any) -> tuple[Scenario, Observation]:
    told = scenario(FOREVER, wait={"poll_interval": f"{interval_ms}ms", "timeout": "10m"})
    return told, observe(told, Play(GOT_RESULT, at, took_s))


def status(of: Contract, told: Scenario, seen: Observation) -> Status:
    (verdict,) = judge(of, told, [seen])
    return verdict.status


@st.composite
def delays(draw: st.DrawFn) -> tuple[list[float], list[float], list[float]]:
    count = draw(st.integers(1, 12))
    lists = (lateness_s, lateness_s, answers_s)
    late = [draw(st.lists(each, min_size=count, max_size=count)) for each in lists]
    return late[0], late[1], late[2]


@given(intervals_ms, delays(), st.sampled_from(["request", "response", "call"]), st.booleans())
@quickly
def test_a_helper_that_keeps_its_interval_is_never_accused_by_one_observation(
    interval_ms: int, delay: tuple[list[float], list[float], list[float]], counts_from: str, first_waits: bool
) -> None:
    at = arrivals(interval_ms / 1000, *delay, counts_from=counts_from, first_waits=first_waits)
    told, seen = waited(interval_ms, at, delay[2])

    found = status(OF, told, seen)

    assert found in {Status.PASS, Status.INCONCLUSIVE}
    assert is_suspicious(OF, told, [seen]) == (found is Status.INCONCLUSIVE)


@given(
    intervals_ms,
    st.lists(st.floats(0.0, 0.009), min_size=5, max_size=40),
    st.sampled_from(["request", "response", "call"]),
    st.booleans(),
)
@quickly
def test_on_an_idle_machine_a_helper_that_keeps_its_interval_passes_at_once(
    interval_ms: int, late_s: list[float], counts_from: str, first_waits: bool
) -> None:
    answers = [0.001] * len(late_s)
    at = arrivals(
        interval_ms / 1000,
        late_s,
        [0.0] * len(late_s),
        answers,
        counts_from=counts_from,
        first_waits=first_waits,
    )

    assert status(OF, *waited(interval_ms, at, answers)) is Status.PASS


@given(
    intervals_ms,
    st.integers(5, 40),
    st.floats(0.1, 0.95),
    st.lists(st.floats(0.0, 0.004), min_size=40, max_size=40),
    st.booleans(),
)
@quickly
def test_an_interval_ten_percent_short_never_passes(
    interval_ms: int, count: int, short: float, late_s: list[float], first_waits: bool
) -> None:
    kept_s = interval_ms / 1000 * (1 - short)
    answers = [0.0] * count
    at = arrivals(
        kept_s, [0.0] * count, late_s[:count], answers, counts_from="request", first_waits=first_waits
    )

    assert status(OF, *waited(interval_ms, at, answers)) in {Status.FAIL, Status.INCONCLUSIVE}


@given(intervals_ms, st.integers(5, 40), st.floats(1.6, 10.0), st.booleans())
@quickly
def test_an_interval_far_too_long_never_passes(
    interval_ms: int, count: int, ratio: float, first_waits: bool
) -> None:
    slow_s = interval_ms / 1000 * ratio
    answers = [0.001] * count
    none = [0.0] * count
    at = arrivals(slow_s, none, none, answers, counts_from="response", first_waits=first_waits)

    assert status(OF, *waited(interval_ms, at, answers)) is Status.INCONCLUSIVE


@given(
    intervals_ms,
    st.integers(5, 12),
    st.floats(0.0, 1.0),
    st.lists(st.floats(0.0, 0.009), min_size=14, max_size=14),
    st.booleans(),
    st.floats(0.0, 0.004),
)
@quickly
def test_a_last_sleep_that_is_clamped_to_the_deadline_is_never_held_against_a_helper(
    interval_ms: int, whole: int, rest: float, late_s: list[float], counts_from_request: bool, early_s: float
) -> None:
    interval_s = interval_ms / 1000
    timeout_ms = int(interval_ms * (whole + rest))
    of = "request" if counts_from_request else "response"
    answers = [0.001] * (whole + 2)
    regular = arrivals(interval_s, late_s[: whole + 2], [0.0] * (whole + 2), answers, counts_from=of)
    before = [arrived_s for arrived_s in regular if arrived_s < timeout_ms / 1000 - early_s]
    # The sleep may wake a little early, see that time is left, and sleep again.
    at = [*before, timeout_ms / 1000 - early_s, timeout_ms / 1000 + 0.001]
    told = scenario(
        FOREVER, wait={"poll_interval": f"{interval_ms}ms", "timeout": f"{timeout_ms}ms"}, expect=TIMEOUT
    )

    assert status(OF, told, observe(told, Play(TIMED_OUT, at, 0.0))) is Status.PASS
