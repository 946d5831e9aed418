"""What a wait leaves behind: how long its process lives on after the end of its stdin."""

from __future__ import annotations

import math
from dataclasses import replace

from observations import (
    COMPLETED,
    GOT_RESULT,
    Play,
    contract,
    fails,
    hello,
    judged,
    observe,
    passes,
    scenario,
    verdict,
)
from waitproof.judge import Observation, Status, Verdict
from waitproof.judge.observation import StillWaiting

TOLD = scenario(COMPLETED, expect={"returns": {"channels": 2}})
EXPECTED = "the process ends within 3.00 s of the end of its stdin"
ENDS = contract("process_ends")


def run(ended_s: float | None, *, lag_s: float = 0.0, end: bool = True) -> Observation:
    seen = observe(TOLD, Play(GOT_RESULT, [0.0]), by=hello(end=end), lag_s=lag_s)
    return replace(seen, ended_s=ended_s)


def judge_of(*runs: Observation) -> Verdict:
    return judged(ENDS, TOLD, *runs)


def test_a_process_that_ends_soon_passes() -> None:
    assert judge_of(run(0.4)) == passes(EXPECTED, "it ended after 0.40 s")


def test_a_process_that_has_to_be_ended_in_each_re_run_fails() -> None:
    assert judge_of(run(math.inf), run(math.inf), run(math.inf)) == fails(
        EXPECTED,
        "it had to be ended after 5.00 s",
        "reproduced in 2 isolated re-runs",
        alone_runs=2,
    )


def test_two_re_runs_in_which_it_ends_late_by_different_times_are_the_same() -> None:
    assert judge_of(run(3.1), run(4.9), run(3.2)).status is Status.FAIL


def test_a_busy_machine_can_make_an_end_late_but_not_in_isolation() -> None:
    assert judge_of(run(3.5, lag_s=0.6), run(0.1)).status is Status.PASS
    assert judge_of(run(3.5, lag_s=0.6)).status is Status.INCONCLUSIVE


def test_an_adapter_that_calls_exit_shows_nothing_of_what_is_left_behind() -> None:
    assert judge_of(run(None, end=False)) == verdict(
        Status.NOT_APPLICABLE, seen="the adapter does not say that it calls no exit (end)"
    )


def test_a_process_that_died_before_its_stdin_ended_says_nothing_about_the_sdk() -> None:
    assert judge_of(run(None)) == verdict(Status.ERROR, seen="the process ended before its stdin did")


def test_a_call_that_never_ends_is_what_keeps_its_process_alive() -> None:
    seen = observe(TOLD, Play(StillWaiting(70.0), [0.0]), by=hello(end=True))

    assert judge_of(replace(seen, ended_s=math.inf)).seen == (
        "the call was still waiting after 70.00 s, long past its deadline"
    )
