"""How long a run with a defect takes: its first round and its re-runs, in virtual time.

What is modelled is what waits: lanes that play one scenario after another, and the rounds of re-runs. The
start of a process is not.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence

import pytest
from waitproof.cli.plan import QUICK_S
from waitproof.defects import Bench, Defect, clean, library
from waitproof.judge import Observation, Round, RoundKind, checks
from waitproof.run.rerun import QUIET_WAITS
from waitproof.run.schedule import plan_processes
from waitproof.simulate import forecast, is_timed
from waitproof.suite import Scenario, Suite, bundled_suite, load_suite

SUITE = load_suite(bundled_suite())
TIMED = [each for each in SUITE.scenarios if is_timed(SUITE.contract, each)]  # all others are short
LONGEST_S = max(forecast(SUITE.contract, each).length_s for each in TIMED)
QUICK = [each for each in TIMED if forecast(SUITE.contract, each).length_s < QUICK_S]
BENCH = Bench(SUITE)
# Starts of processes, on a machine with two cores: of the first round, and of three rounds of re-runs.
STARTS_S = 30.0


def defects(suite: Suite) -> Iterator[Defect]:
    """Yield the defects that a check of time finds, or one that looks at what comes after the outcome."""
    for defect in library(suite.contract).defects.values():
        check = checks()[defect.check]
        if check.timed or check.watches:
            yield defect


def makespan_s(lengths_s: Iterable[float], slots: int) -> float:
    """Return how long it takes to play these one after another, so many at a time."""
    ends_s = [0.0] * slots
    for length_s in lengths_s:
        heapq.heapreplace(ends_s, ends_s[0] + length_s)
    return max(ends_s)


def first_round_s(each: Round, seen: Sequence[Observation]) -> float:
    """Return how long the slowest process takes."""
    scenarios = [trial.scenario for trial in each.trials if trial.observations]
    took_s = {scenario.id: one.watched_s for scenario, one in zip(scenarios, seen, strict=True)}
    limit = each.hello.capabilities.max_concurrency
    plans = plan_processes(
        SUITE.contract, scenarios, lambda one: forecast(SUITE.contract, one).length_s, limit
    )
    return max(
        makespan_s((took_s[one.id] for one in plan.lanes[0]), len(plan.lanes))
        if plan.lanes[0] is plan.lanes[-1]
        else max(sum(took_s[one.id] for one in lane) for lane in plan.lanes)
        for plan in plans
    )


def length_s(defect: Defect, scenarios: Sequence[Scenario] = TIMED) -> float:
    """Return how long a run of some scenarios takes without the starts of its processes."""
    rounds_s = []

    def note(each: Round, seen: Sequence[Observation]) -> None:
        if each.kind is RoundKind.SCHEDULED:
            rounds_s.append(first_round_s(each, seen))
        else:
            took_s = sorted((one.watched_s for one in seen), reverse=True)
            rounds_s.append(makespan_s(took_s, QUIET_WAITS))

    BENCH.simulate(defect, scenarios, note)
    return sum(rounds_s)


def test_a_correct_client_takes_hardly_longer_than_the_longest_scenario() -> None:
    assert length_s(clean(is_async=False)) <= LONGEST_S + 1.0


@pytest.mark.parametrize("defect", list(defects(SUITE)), ids=lambda defect: defect.name)
def test_a_defect_takes_at_most_twice_the_longest_scenario(defect: Defect) -> None:
    assert length_s(defect) + STARTS_S <= 2 * LONGEST_S


@pytest.mark.parametrize(
    "name",
    [
        "interval_kept.option-ignored",
        "interval_kept.option-used-once",
        "interval_kept.grows-slowly",
        "timeout_kept.option-ignored",
        "timeout_kept.option-in-milliseconds",
    ],
)
def test_a_quick_run_with_a_defect_takes_at_most_twice_its_longest_scenario(name: str) -> None:
    assert length_s(library(SUITE.contract).named(name), QUICK) <= 2 * QUICK_S
