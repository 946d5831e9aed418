from __future__ import annotations

from collections.abc import Mapping

from fakes import MINI
from waitproof.run.schedule import ProcessPlan, plan_processes
from waitproof.suite.files import load_suite

SUITE = load_suite(MINI)
SCENARIOS = {scenario.id: scenario for scenario in SUITE.scenarios}
TIMED = {"timing/gives-up": 1.0, "timing/gives-up-when-told": 0.5}
UNTIMED = {"outcomes/begun": 0.2, "outcomes/broken": 0.2, "together/two-take-turns": 0.3}


def plans(lengths: Mapping[str, float], max_concurrency: int) -> list[ProcessPlan]:
    scenarios = [SCENARIOS[name] for name in lengths]
    return list(
        plan_processes(SUITE.contract, scenarios, lambda scenario: lengths[scenario.id], max_concurrency)
    )


def names(plan: ProcessPlan) -> list[list[str]]:
    return [[scenario.id for scenario in queue] for queue in plan.lanes]


def test_timed_scenarios_share_no_process_with_others() -> None:
    timed, others = plans({**TIMED, **UNTIMED}, 0)

    assert set(timed.clients) == set(TIMED)
    assert set(others.clients) == set(UNTIMED)


def test_without_a_limit_all_lanes_take_from_one_queue_the_longest_first() -> None:
    (plan,) = plans(TIMED, 0)

    first, second = plan.lanes
    assert first is second
    assert names(plan)[0] == ["timing/gives-up", "timing/gives-up-when-told"]
    assert plan.clients == ["timing/gives-up", "timing/gives-up-when-told"]


def test_what_a_slow_helper_can_make_long_starts_before_what_takes_as_long_at_most() -> None:
    (plan,) = plans({"timing/gives-up": 0.5, "timing/gives-up-when-told": 0.55}, 0)

    assert plan.clients == ["timing/gives-up", "timing/gives-up-when-told"]


def test_a_process_has_no_more_calls_in_flight_than_its_adapter_takes() -> None:
    assert [names(plan) for plan in plans(TIMED, 1)] == [
        [["timing/gives-up"]],
        [["timing/gives-up-when-told"]],
    ]
    assert [names(plan) for plan in plans(TIMED, 2)] == [[["timing/gives-up"], ["timing/gives-up-when-told"]]]


def test_parallel_calls_of_one_scenario_count_each() -> None:
    found = [names(plan) for plan in plans({"together/two-take-turns": 0.25, "outcomes/broken": 0.2}, 2)]

    assert found == [[["together/two-take-turns"]], [["outcomes/broken"]]]
