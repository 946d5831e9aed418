"""A failure that only follows from another one of its scenario names it, and stays a failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from observations import (
    COMPLETED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    STREAM,
    TIMED_OUT,
    TIMEOUT,
    Play,
    observe,
    raised,
    scenario,
)
from waitproof.judge import Status, judge
from waitproof.judge.observation import Observation, StillWaiting
from waitproof.suite import Contract, Requirement, Scenario

FAILED = {"status": "failed", "error": {"type": "x"}}
TASK_FAILS = {"raises": {"kind": "task"}}
HUNG = StillWaiting(9.0)
Promise: TypeAlias = tuple[str, Mapping[str, Any]]  # a kind of check and its arguments


def promises(*, should: tuple[str, ...] = (), **checks: Promise) -> Contract:
    """Return a contract with a MUST for each check, or a SHOULD."""
    told = [
        {"id": name, "level": "SHOULD", "reason": "Why.", "check": check, "with": arguments}
        if name in should
        else {"id": name, "level": "MUST", "quote": "It.", "check": check, "with": arguments}
        for name, (check, arguments) in checks.items()
    ]
    requirements = tuple(Requirement.model_validate(each, strict=False) for each in told)
    return STREAM.model_copy(update={"requirements": requirements})


FIELD: Promise = ("exception_field", {"field": "description", "from": "error.description"})
END: Promise = ("raises_timeout", {})
INTERVAL: Promise = ("interval_kept", {"option": "default"})
NOT_EARLY: Promise = ("timeout_not_early", {})


def follows(of: Contract, played: Scenario, *observations: Observation) -> dict[str, str]:
    """Return what each failure follows from, "" for nothing; what did not fail is left out."""
    verdicts = judge(of, played, observations)
    return {
        each.requirement: each.follows_from for each in verdicts if each.status in {Status.FAIL, Status.WARN}
    }


def test_two_waits_that_never_end_do_not_block_each_other_besides() -> None:
    of = promises(turns=("waits_interleave", {}), independent=("waits_are_independent", {}))
    returns = {"returns": {"channels": 2}}
    calls = [{"wait": {"timeout": "2s"}, "parallel": 2, "expect": returns}]
    played = scenario(RUNNING, COMPLETED, calls=calls, proves=["turns", "independent"])

    seen = observe(played, Play(HUNG, [0.0], copy=1), Play(HUNG, [0.0], copy=2))

    assert follows(of, played, seen, seen, seen) == {"independent": "", "turns": "independent"}


def test_what_a_call_that_never_ends_fails_follows_from_its_missing_end() -> None:
    of = promises(field=FIELD, early=NOT_EARLY, end=END)
    played = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=["field", "early", "end"])

    seen = observe(played, Play(HUNG, [0.0]))

    assert follows(of, played, seen) == {"field": "end", "early": "end", "end": ""}


def test_an_interval_of_too_few_polls_follows_from_the_outcome_that_came_too_soon() -> None:
    of = promises(interval=INTERVAL, end=END)
    played = scenario(FOREVER, wait={"timeout": "20s"}, expect=TIMEOUT, proves=["interval", "end"])
    seen = observe(played, Play(GOT_RESULT, [0.0, 1.0]))

    assert follows(of, played, seen, seen, seen) == {"interval": "end", "end": ""}


def test_an_interval_that_was_judged_by_its_polls_is_a_separate_failure() -> None:
    of = promises(interval=INTERVAL, end=END)
    played = scenario(FOREVER, wait={"timeout": "20s"}, expect=TIMEOUT, proves=["interval", "end"])
    seen = observe(played, Play(raised("api"), [0.0, 0.3, 0.6, 0.9, 1.2, 1.5]))

    assert follows(of, played, seen) == {"interval": "", "end": ""}


def test_without_a_failure_about_the_outcome_each_one_stays_separate() -> None:
    of = promises(interval=INTERVAL, field=FIELD)
    played = scenario(FAILED, expect=TASK_FAILS, proves=["interval", "field"])
    seen = observe(played, Play(HUNG, [0.0]))

    assert follows(of, played, seen, seen, seen) == {"interval": "", "field": ""}


def test_a_timeout_at_the_wrong_time_is_a_separate_failure() -> None:
    of = promises(early=NOT_EARLY, end=END)
    played = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=["early", "end"])

    assert follows(of, played, observe(played, Play(TIMED_OUT, [0.0], received_s=1.0))) == {"early": ""}
    nothing_raised = observe(played, Play(GOT_RESULT, [0.0]))
    assert follows(of, played, nothing_raised) == {"early": "end", "end": ""}


def test_a_must_never_follows_from_a_should() -> None:
    of = promises(should=("end",), early=NOT_EARLY, end=END)
    played = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=["end", "early"])

    assert follows(of, played, observe(played, Play(HUNG, [0.0]))) == {"end": "early", "early": ""}


def test_failures_about_different_calls_do_not_follow_from_one_another() -> None:
    of = promises(end=END, field=FIELD)
    played = scenario(
        FOREVER,
        calls=[
            {"wait": {"timeout": "2s"}, "expect": TIMEOUT},
            {"wait": {"timeout": "3s"}, "expect": TIMEOUT},
        ],
        proves=["end", "field"],
    )
    first = Play(raised("api"), [0.0], received_s=1.0)
    second = Play(GOT_RESULT, [2.0], sent_s=1.5, call=1)

    verdicts = follows(of, played, observe(played, first, second))

    assert verdicts == {"end": "", "field": ""}


def test_an_outcome_that_never_came_is_late_because_the_wait_went_on() -> None:
    of = promises(should=("late",), late=("outcome_not_late", {}), end=("polls_until_terminal", {}))
    told = scenario(RUNNING, COMPLETED, expect={"polls": 2}, proves=["late", "end"])
    seen = observe(told, Play(HUNG, [0.0]))

    assert follows(of, told, seen) == {"late": "end", "end": ""}
