"""Whether a caller has its outcome as soon as the SDK has read that the task has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FAILED,
    GOT_RESULT,
    RUNNING,
    TASK_FAILED,
    TIMED_OUT,
    Play,
    contract,
    fails,
    judged,
    observe,
    passes,
    scenario,
)
from waitproof.journal import Ended
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.observation import Seen, StillWaiting
from waitproof.suite.scenario import Scenario

OF = contract("outcome_not_late")
WITHIN = "an outcome within 0.60 s of the answer that ends the task"
WAIT = {"poll_interval": "2s", "timeout": "10s"}


def completing() -> Scenario:
    return scenario(RUNNING, COMPLETED, wait=WAIT)


def after(late_s: float, seen: Seen = GOT_RESULT, told: Scenario | None = None, **more: Any) -> Verdict:
    """Judge a wait whose last poll is answered after 2.001 s, three times alike."""
    told = told or completing()
    play = Play(seen, (0.0, 2.0), received_s=2.001 + late_s, **more)
    return judged(OF, told, *[observe(told, play)] * 3)


@pytest.mark.parametrize(("late_s", "words"), [(0.0, "0 ms"), (0.05, "50 ms"), (0.59, "0.59 s")])
def test_an_outcome_that_follows_the_answer_is_in_time(late_s: float, words: str) -> None:
    assert after(late_s) == passes(WITHIN, f"it came {words} after that answer")


@pytest.mark.parametrize(
    ("seen", "task"), [(GOT_RESULT, (RUNNING, COMPLETED)), (TASK_FAILED, (RUNNING, FAILED))]
)
def test_an_outcome_an_interval_after_the_answer_is_late(seen: Seen, task: tuple[Any, ...]) -> None:
    assert after(2.0, seen, scenario(*task, wait=WAIT)) == fails(
        WITHIN, "it came 2.00 s after that answer", "reproduced in 2 isolated re-runs", alone_runs=2
    )


def test_a_late_outcome_is_a_suspicion_until_it_is_reproduced() -> None:
    told = completing()
    late = observe(told, Play(GOT_RESULT, (0.0, 2.0), received_s=4.0))
    in_time = observe(told, Play(GOT_RESULT, (0.0, 2.0)), alone=True)

    assert is_suspicious(OF, told, [late])
    assert judged(OF, told, late, in_time).status is Status.PASS


def test_the_bound_grows_with_the_interval() -> None:
    def status(interval: str) -> Status:
        return after(0.4, told=scenario(RUNNING, COMPLETED, wait={"poll_interval": interval})).status

    assert (status("1s"), status("2s")) == (Status.FAIL, Status.PASS)


def test_each_wait_has_to_be_in_time() -> None:
    told = scenario(RUNNING, COMPLETED, calls=[{"wait": WAIT}, {"wait": WAIT}])
    first = Play(GOT_RESULT, (0.0, 2.0))
    second = Play(GOT_RESULT, (3.0,), call=1, sent_s=2.9, received_s=5.001)

    assert judged(OF, told, *[observe(told, first, second)] * 3).seen == "it came 2.00 s after that answer"


def test_the_time_that_an_adapter_takes_to_write_a_result_is_not_the_helpers() -> None:
    assert after(2.0, elapsed_s=2.01).seen == "it came 9 ms after that answer"


def test_an_answer_that_a_busy_server_stamps_too_late_is_no_reason() -> None:
    assert after(-0.3) == passes(WITHIN, "it came 0 ms after that answer")


def test_the_time_of_a_poll_too_many_is_another_requirements_business() -> None:
    told = completing()
    seen = observe(told, Play(GOT_RESULT, (0.0, 2.0, 4.0), received_s=4.01))

    assert judged(OF, told, seen) == passes(WITHIN, "it came 9 ms after that answer")


def test_a_poll_that_comes_after_the_outcome_does_not_excuse_a_late_one() -> None:
    told = completing()
    seen = observe(told, Play(GOT_RESULT, (0.0, 2.0, 6.0), received_s=4.001))

    assert judged(OF, told, *[seen] * 3).seen == "it came 2.00 s after that answer"


def test_a_wait_that_never_ends_has_no_outcome_in_time() -> None:
    played = completing()

    assert judged(OF, played, observe(played, Play(StillWaiting(70.0), [0.0]))) == fails(
        WITHIN, "the call was still waiting after 70.00 s, long past its deadline"
    )


def test_an_outcome_before_the_end_of_the_task_is_not_late() -> None:
    played = completing()

    assert judged(OF, played, observe(played, Play(TIMED_OUT, [0.0]))).status is Status.PASS


@pytest.mark.parametrize("end", [{"ended": Ended.ABANDONED}, {"answered_s": None}])
def test_an_answer_that_was_not_seen_to_end_says_nothing_about_the_time_after_it(end: dict[str, Any]) -> None:
    told = completing()
    left = observe(told, Play(GOT_RESULT, (0.0, 2.0), received_s=9.0, poll={2: end}))

    assert judged(OF, told, left).status is Status.PASS


def test_a_scenario_without_a_wait_has_nothing_to_hand_over() -> None:
    told = completing()

    assert judged(OF, told, replace(observe(told), calls=())) == fails(
        "an outcome as soon as the task has ended", "no call was made"
    )
