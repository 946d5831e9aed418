"""Intervals: fixed ones, and schedules that grow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from waitproof.suite.contract import Defaults
from waitproof.suite.intervals import Intervals
from waitproof.suite.model import NO_TIMEOUT_S
from waitproof.suite.scenario import WaitOptions

BY_200_MS = Intervals(0.2, add_s=0.2, most_s=5.0)
DOUBLING = Intervals(0.1, times=2.0, most_s=1.0)


def defaults(**told: Any) -> Defaults:
    return Defaults.model_validate_json(json.dumps(told))


def options(**told: Any) -> WaitOptions:
    return WaitOptions.model_validate_json(json.dumps(told))


def test_a_fixed_interval_is_a_schedule_that_does_not_grow() -> None:
    fixed = Intervals(0.5)

    assert fixed.is_constant
    assert [fixed.pause_s(number) for number in (1, 2, 100)] == [0.5] * 3
    assert (fixed.sum_s(4), fixed.fitting(2.2), fixed.after(3)) == (2.0, 4, fixed)


def test_pauses_grow_by_addition_up_to_the_longest() -> None:
    pauses = [BY_200_MS.pause_s(number) for number in (1, 2, 3, 24, 25, 26, 100)]

    assert pauses == pytest.approx([0.2, 0.4, 0.6, 4.8, 5.0, 5.0, 5.0])
    assert BY_200_MS.sum_s(99) == pytest.approx(435.0)


def test_pauses_grow_by_multiplication_up_to_the_longest() -> None:
    assert [DOUBLING.pause_s(number) for number in range(1, 7)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    assert DOUBLING.after(2).pause_s(1) == 0.4


@given(
    first_ms=st.integers(1, 2_000),
    grows=st.one_of(st.integers(1, 2_000), st.floats(1.01, 10.0)),
    longer_ms=st.integers(0, 60_000),
    count=st.integers(0, 300),
)
def test_a_sum_is_that_of_its_pauses_and_as_many_fit_into_it(
    first_ms: int, grows: float, longer_ms: int, count: int
) -> None:
    first_s, most_s = first_ms / 1000, (first_ms + longer_ms) / 1000
    more = {"add_s": grows / 1000} if isinstance(grows, int) else {"times": grows}
    intervals = Intervals(first_s, most_s=most_s, **more)

    assert intervals.sum_s(count) == pytest.approx(sum(map(intervals.pause_s, range(1, count + 1))))
    assert intervals.fitting(intervals.sum_s(count) + first_s / 2) == count
    assert all(intervals.pause_s(n) <= intervals.pause_s(n + 1) <= most_s for n in range(1, count))


def test_a_contract_may_have_a_schedule_a_limit_of_polls_and_no_timeout() -> None:
    told = defaults(poll_interval={"first": "200ms", "add": "200ms", "most": "5s"}, max_polls=100)
    passed = options(poll_interval={"first": "100ms", "times": 2, "most": "1s"}, max_polls=4)

    assert (told.intervals, told.timeout, told.max_polls) == (BY_200_MS, None, 100)
    assert WaitOptions().timeout_s(told) == NO_TIMEOUT_S
    assert WaitOptions().lasts_s(told) == pytest.approx(435.0)
    assert WaitOptions().interval_s(told) == 5.0
    assert (passed.intervals(told), passed.polls_limit(told)) == (DOUBLING, 4)
    assert passed.interval_s(told) == 0.4  # the longest that a wait of 4 polls comes to
    assert passed.model_dump(exclude_none=True) == {
        "poll_interval": {"first": "100ms", "times": 2.0, "most": "1s"},
        "max_polls": 4,
    }


@pytest.mark.parametrize(
    ("told", "fact"),
    [
        ({"first": "200ms"}, '{"first": "200ms"} is not a schedule of pauses'),
        ({"first": "1s", "add": "1s", "times": 2, "most": "5s"}, "is not a schedule of pauses"),
        ({"first": "1s", "add": "1s", "longest": "5s"}, "a schedule has no key 'longest'"),
        ({"first": "6s", "add": "1s", "most": "5s"}, "'most' is 5s, and 'first' is 6s"),
        ({"first": "1s", "times": 1, "most": "5s"}, "'times' cannot be 1"),
        ({"first": "1s", "times": True, "most": "5s"}, "'times' cannot be true"),
        ({"first": "1s", "add": "0s", "most": "5s"}, "0s is too short"),
        ({"first": 1, "add": "1s", "most": "5s"}, "1 is not a duration"),
    ],
)
def test_what_is_no_schedule_is_reported(told: dict[str, Any], fact: str) -> None:
    with pytest.raises(ValidationError) as caught:
        defaults(poll_interval=told)

    assert fact in str(caught.value)
