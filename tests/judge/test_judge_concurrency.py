"""Checks of waits that go on at the same time. Those of `waits_interleave` are in test_judge_timing."""

from __future__ import annotations

from collections.abc import Sequence

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
    raised,
    scenario,
)
from waitproof.judge import Seen, Status, Verdict

RETURNS = {"returns": {"channels": 2}}


def waits(*at: Sequence[float], seen: Seen = GOT_RESULT) -> Verdict:
    """Return what waits on one client come to that were made at once, and polled then."""
    told = scenario(RUNNING, COMPLETED, calls=[{"wait": {}, "parallel": len(at), "expect": RETURNS}])
    plays = [Play(seen, each, copy=copy) for copy, each in enumerate(at, 1)]
    return judged(contract("waits_are_independent"), told, observe(told, *plays))


def test_waits_that_begin_only_when_another_one_has_ended_wait_for_each_other() -> None:
    assert waits([2.0, 2.9], [0.0, 0.9], [1.0, 1.9]) == fails(
        "waits that go on at the same time",
        "each of 3 waits sent its first poll after the last one of another",
    )


@pytest.mark.parametrize(
    "at",
    [
        ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.9], [1.0, 1.9], [1.8, 2.7]),
        ([0.0, 0.9], [1.0, 1.9]),
        ([0.0], [1.0], [2.0]),
    ],
    ids=["together", "two of them together", "only two, which a machine may keep apart", "of one poll each"],
)
def test_waits_that_may_have_gone_on_at_the_same_time_are_right(at: Sequence[Sequence[float]]) -> None:
    assert waits(*at).status is Status.PASS


def test_waits_must_end_as_the_scenario_says_too() -> None:
    assert waits([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], seen=raised("api")).status is Status.FAIL
