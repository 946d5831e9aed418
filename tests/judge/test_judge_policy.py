"""Which rounds a driver is asked to play, with observations typed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from observations import FOREVER, HELLO, STREAM, TIMED_OUT, TIMEOUT, Play, hello, observe, raised, scenario
from waitproof.judge import Status, Verdict
from waitproof.judge.observation import Observation, StillWaiting
from waitproof.judge.policy import rounds
from waitproof.judge.trial import Round, RoundKind, Trial, TrialState
from waitproof.protocol import Hello
from waitproof.suite.contract import Contract, Level, Requirement
from waitproof.suite.scenario import Scenario


def promises(**checks: str) -> Contract:
    """Return Stream's contract with a MUST for each check, by the requirement's name."""
    told = [
        {"id": name, "level": "MUST", "quote": "It is.", "check": check} for name, check in checks.items()
    ]
    requirements = tuple(Requirement.model_validate(each, strict=False) for each in told)
    return STREAM.model_copy(update={"requirements": requirements})


CONTRACT = promises(late="timeout_not_late", turns="waits_interleave")
WAIT = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=["late"])
TWO = scenario(FOREVER, calls=[{"wait": {}, "parallel": 2}], proves=["turns"])
ASYNC = hello(non_blocking=True)


def run(took_s: float) -> Observation:
    """Return a wait that timed out after that long; 2.2 s is the most that is right."""
    return observe(WAIT, Play(TIMED_OUT, [0.0], received_s=took_s))


def two(first: Sequence[float], second: Sequence[float]) -> Observation:
    return observe(TWO, Play(raised("api"), first, copy=1), Play(raised("api"), second, copy=2))


IN_TURN = two((0.0, 1.0, 2.0, 3.0, 4.0), (0.5, 1.5, 2.5, 3.5))
BLOCKED = two((0.0, 1.0, 3.0, 5.0), (0.001, 2.0, 4.0, 6.0))


def trial(played: Scenario) -> Trial:
    return Trial(CONTRACT, played)


def kinds(plan: list[Round]) -> list[tuple[RoundKind, int]]:
    return [(each.kind, len(each.trials)) for each in plan]


def play(trials: list[Trial], by: Hello, seen: dict[str, list[Observation]]) -> list[Round]:
    """Drive the policy; each scenario shows its observations one after another."""
    plan = []
    for each in rounds(CONTRACT, trials, by):
        plan.append(each)
        for one in each.trials:
            one.add(seen[one.scenario.proves[0]].pop(0))
    return plan


def test_what_is_settled_by_its_first_run_is_not_re_run() -> None:
    trials = [trial(WAIT), trial(WAIT)]

    plan = play(trials, HELLO, {"late": [run(2.1), run(2.1)]})

    assert kinds(plan) == [(RoundKind.SCHEDULED, 2)]
    assert [each.state for each in trials] == [TrialState.SETTLED] * 2
    assert [each.verdicts[0].status for each in trials] == [Status.PASS] * 2


def test_what_cannot_be_played_is_in_no_round() -> None:
    closed, played = trial(TWO), trial(WAIT)
    closed.close([Verdict("two", "turns", Level.MUST, Status.UNSUPPORTED)])

    plan = play([closed, played], ASYNC, {"late": [run(2.1)]})

    assert kinds(plan) == [(RoundKind.SCHEDULED, 1)]


def test_a_suspicion_is_re_run_in_isolation_until_it_is_settled() -> None:
    suspect = trial(WAIT)

    plan = play([suspect], HELLO, {"late": [run(2.5), run(2.5), run(2.5)]})

    assert kinds(plan) == [(RoundKind.SCHEDULED, 1), (RoundKind.ISOLATED, 1), (RoundKind.ISOLATED, 1)]
    assert len(suspect.observations) == 3
    assert suspect.verdicts[0].status is Status.FAIL


def test_a_known_deviation_is_not_re_run() -> None:
    known = Trial(CONTRACT, WAIT, {"late"})

    assert kinds(play([known], HELLO, {"late": [run(2.5)]})) == [(RoundKind.SCHEDULED, 1)]


def test_interleaving_is_settled_before_anything_else_is_played() -> None:
    turns = trial(TWO)

    plan = play([trial(WAIT), turns], ASYNC, {"late": [run(2.1)], "turns": [BLOCKED, IN_TURN]})

    assert kinds(plan) == [(RoundKind.INTERLEAVING, 1), (RoundKind.ISOLATED, 1), (RoundKind.SCHEDULED, 1)]
    assert turns.verdicts[0].status is Status.PASS
    assert [each.hello for each in plan] == [ASYNC] * 3


def test_scenarios_about_interleaving_are_played_and_re_run_together_and_twice_at_once() -> None:
    trials = [trial(TWO), trial(TWO), trial(WAIT)]
    plan = []
    for each in rounds(CONTRACT, trials, ASYNC):
        plan.append((each.kind, len(each.trials), each.copies))
        for one in each.trials:
            one.add(*[run(2.1) if one is trials[2] else BLOCKED] * each.copies)

    assert plan == [
        (RoundKind.INTERLEAVING, 2, 1),
        (RoundKind.ISOLATED, 2, 2),
        (RoundKind.SCHEDULED, 1, 1),
    ]
    assert [each.verdicts[0].status for each in trials] == [Status.FAIL, Status.FAIL, Status.PASS]


def test_an_adapter_whose_waits_block_has_one_call_in_flight_from_then_on() -> None:
    seen = {"late": [run(2.1)], "turns": [BLOCKED, BLOCKED, BLOCKED]}

    plan = play([trial(WAIT), trial(TWO)], ASYNC, seen)

    assert [each.hello.capabilities.max_concurrency for each in plan] == [0, 0, 0, 1]


def test_waits_that_hang_together_are_taken_to_block_and_re_run_only_at_the_end() -> None:
    hung = observe(TWO, *(Play(StillWaiting(71.0), (0.0,), copy=copy) for copy in (1, 2)), watched_s=71.0)
    seen = {"late": [run(2.1)], "turns": [hung, hung, hung]}
    trials = [trial(WAIT), trial(TWO)]
    plan = []
    for each in rounds(CONTRACT, trials, ASYNC):
        plan.append((each.kind, each.hello.capabilities.max_concurrency, each.copies))
        for one in each.trials:
            one.add(*(seen[one.scenario.proves[0]].pop(0) for _ in range(each.copies)))

    assert plan == [
        (RoundKind.INTERLEAVING, 0, 1),
        (RoundKind.SCHEDULED, 1, 1),
        (RoundKind.ISOLATED, 0, 2),
    ]
    assert trials[1].verdicts[0].status is Status.FAIL


def test_an_adapter_that_may_block_is_not_asked_first() -> None:
    plan = play([trial(TWO), trial(WAIT)], HELLO, {"late": [run(2.1)], "turns": [IN_TURN]})

    assert kinds(plan) == [(RoundKind.SCHEDULED, 2)]


def test_a_trial_that_was_closed_is_not_re_run() -> None:
    suspect = trial(WAIT)
    plan = rounds(CONTRACT, [suspect], HELLO)
    next(plan)
    suspect.add(run(2.5))
    next(plan)

    suspect.close(suspect.verdicts)

    assert list(plan) == []
    assert suspect.state is TrialState.SETTLED
    with pytest.raises(ValueError, match="topic/name is settled"):
        suspect.add(run(2.1))
