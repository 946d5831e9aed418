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


def waits(*at: Sequence[float], seen: Seen = GOT_RESULT, lag_s: float = 0.0) -> Verdict:
    """Return what three runs come to whose waits on one client were made at once, and polled then."""
    told = scenario(RUNNING, COMPLETED, calls=[{"wait": {}, "parallel": len(at), "expect": RETURNS}])
    plays = [Play(seen, each, copy=copy) for copy, each in enumerate(at, 1)]
    observed = observe(told, *plays, lag_s=lag_s)
    return judged(contract("waits_are_independent"), told, observed, observed, observed)


IN_TURN = [2.0, 2.9], [0.0, 0.9], [1.0, 1.9]


def test_waits_that_begin_only_when_another_one_has_ended_wait_for_each_other() -> None:
    assert waits(*IN_TURN) == fails(
        "waits that go on at the same time",
        "no two of 3 waits were under way at the same time",
        "reproduced in 2 isolated re-runs",
        alone_runs=2,
    )
    assert waits(*IN_TURN[:2]).status is Status.FAIL


def test_a_machine_that_was_as_late_as_the_other_waits_take_may_have_kept_them_apart() -> None:
    assert waits(*IN_TURN, lag_s=1.9).status is Status.INCONCLUSIVE
    assert waits(*IN_TURN, lag_s=1.7).status is Status.FAIL


@pytest.mark.parametrize(
    "at",
    [
        ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0]),
        ([0.0, 0.9], [1.0, 1.9], [1.8, 2.7]),
        ([0.0], [1.0], [2.0]),
    ],
    ids=["together", "two of them together", "of one poll each"],
)
def test_waits_that_may_have_gone_on_at_the_same_time_are_right(at: Sequence[Sequence[float]]) -> None:
    assert waits(*at).status is Status.PASS


def test_waits_must_end_as_the_scenario_says_too() -> None:
    assert waits([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], seen=raised("api")).status is Status.FAIL
