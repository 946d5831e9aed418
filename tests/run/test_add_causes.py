"""After a run with failures, its causes are found; a run without costs nothing."""

from __future__ import annotations

import itertools

import pytest
from fakes import MINI
from made_reports import result, verdict
from waitproof.defects import Bench, Causes, Defect, ModelSdk, library
from waitproof.judge import Status
from waitproof.run import RunResult, add_causes
from waitproof.simulate import Simulator
from waitproof.suite.files import load_suite

SUITE = load_suite(MINI)


def named(found: Causes) -> list[list[str]]:
    return [[each.name for each in cause.defects] for cause in found.causes]


def run_of(defect: Defect) -> RunResult:
    """Return a run of the model client with a defect, played in virtual time."""
    hello = Simulator(SUITE.contract).hello(ModelSdk(SUITE.contract, defect))
    return result(*Bench(SUITE).simulate(defect), hello=hello)


@pytest.mark.parametrize("few", [0, 10_000])
def test_a_run_with_failures_gets_its_causes_with_and_without_processes(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.run.causes.FEW", few)
    defect = library(SUITE.contract).named("returns_result.nothing")
    run = run_of(defect)

    add_causes(run, limit_s=60)

    found = run.adapters[0].causes
    assert found is not None
    assert named(found) == [[defect.name]]
    assert found.unexplained == ()


def test_when_the_time_is_up_nobody_says_that_there_is_no_cause() -> None:
    run = run_of(library(SUITE.contract).named("returns_result.nothing"))

    add_causes(run, limit_s=0)

    assert run.adapters[0].causes is None


def test_a_run_without_failures_or_one_that_was_interrupted_gets_none() -> None:
    good = result(verdict("returns-output", Status.PASS))
    bad = result(verdict("returns-output", Status.FAIL))
    bad.interrupted = True

    searches: list[str] = []

    add_causes(good, lambda: searches.append("good"))
    add_causes(bad, lambda: searches.append("bad"))

    assert (good.adapters[0].causes, bad.adapters[0].causes, searches) == (None, None, [])


def test_a_search_is_announced_before_it_begins() -> None:
    run = run_of(library(SUITE.contract).named("returns_result.nothing"))
    known: list[Causes | None] = []

    add_causes(run, lambda: known.append(run.adapters[0].causes))

    assert known == [None]


def test_other_processes_on_the_machine_take_no_time_from_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(library(SUITE.contract).named("returns_result.nothing"))
    now_s = iter(range(0, 1_000_000, 2))  # two seconds pass at each look at the clock, none of them ours
    monkeypatch.setattr("waitproof.run.causes.FEW", 10_000)
    monkeypatch.setattr("waitproof.run.causes.time.time", lambda: float(next(now_s)))

    add_causes(run, limit_s=200)

    assert run.adapters[0].causes is not None


def test_each_of_three_adapters_gets_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    defect = library(SUITE.contract).named("returns_result.nothing")
    run = run_of(defect)
    run.adapters += [*run_of(defect).adapters, *run_of(defect).adapters]
    spent_s = itertools.count()  # a second of processor time for each of some 150 suspects
    monkeypatch.setattr("waitproof.run.causes.FEW", 10_000)
    monkeypatch.setattr("waitproof.run.causes.os.cpu_count", lambda: 1)
    monkeypatch.setattr("waitproof.run.causes.time.process_time", lambda: float(next(spent_s)))

    add_causes(run, limit_s=120)

    assert [each.causes and named(each.causes) for each in run.adapters] == [[[defect.name]]] * 3
