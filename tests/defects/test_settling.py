"""Hangs and state from wait to wait, played in virtual time as a run plays them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from waitproof.defects import Bench, Library, ModelSdk, library
from waitproof.judge import Observation, Status, StillWaiting, judge
from waitproof.simulate import Simulator
from waitproof.suite import Suite, bundled_suite, load_suite

TWO_WAITS = "-then-"  # in the names of the scenarios with two waits on one client


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


@pytest.fixture(scope="module")
def known(suite: Suite) -> Library:
    return library(suite.contract)


def test_state_of_the_process_is_found_by_re_runs_after_the_same_earlier_waits(
    suite: Suite, known: Library
) -> None:
    """A re-run in a fresh process is right each time, and no scenario here makes two waits."""
    scenarios = [each for each in suite.scenarios if TWO_WAITS not in each.id and each.topic == "overrides"]
    longest_first = sorted(scenarios, key=lambda each: -each.wait_options.interval_s(suite.contract.defaults))

    verdicts = Bench(suite).simulate(known.named("interval_kept.first-option-for-the-process"), longest_first)

    of_intervals = [each for each in verdicts if each.requirement == "override-poll-interval"]
    wrong = [each for each in of_intervals if each.status is not Status.PASS]
    assert len(wrong) >= 3
    assert {each.status for each in wrong} == {Status.FAIL}
    assert all(each.explanation.endswith("the SDK keeps state from wait to wait") for each in wrong)


def test_a_wait_that_is_given_up_early_gets_the_verdicts_of_the_whole_wait(
    suite: Suite, known: Library
) -> None:
    simulator = Simulator(suite.contract)
    sdk = ModelSdk(suite.contract, known.named("raises_timeout.hangs-after-a-poll"))
    hello = simulator.hello(sdk)
    for scenario in suite.scenarios:
        whole = simulator.play(sdk, hello, scenario)

        statuses = [each.status for each in judge(suite.contract, scenario, [whole])]
        early = [each.status for each in judge(suite.contract, scenario, [given_up(whole)])]

        assert early == statuses, scenario.id


def given_up(whole: Observation) -> Observation:
    """Return what is seen of the same play when its waits are given up after 3 s of silence."""
    early = StillWaiting(3.0, ("a", "b", "c"))
    calls = [
        replace(call, seen=early) if isinstance(call.seen, StillWaiting) else call for call in whole.calls
    ]
    return replace(whole, calls=tuple(calls))
