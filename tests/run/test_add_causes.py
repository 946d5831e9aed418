"""After a run with failures, its causes are found; a run without costs nothing."""

from __future__ import annotations

import pytest
from fakes import MINI
from made_reports import result, verdict
from waitproof.defects import Bench, Defect, ModelSdk, library
from waitproof.judge import Status
from waitproof.run import RunResult, add_causes
from waitproof.simulate import Simulator
from waitproof.suite.files import load_suite

SUITE = load_suite(MINI)


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
    assert [[each.name for each in cause.defects] for cause in found.causes] == [[defect.name]]
    assert found.unexplained == ()


def test_when_the_time_is_up_nobody_says_that_there_is_no_cause() -> None:
    run = run_of(library(SUITE.contract).named("returns_result.nothing"))

    add_causes(run, limit_s=0)

    assert run.adapters[0].causes is None


def test_a_run_without_failures_or_one_that_was_interrupted_gets_none() -> None:
    good = result(verdict("returns-output", Status.PASS))
    bad = result(verdict("returns-output", Status.FAIL))
    bad.interrupted = True

    add_causes(good)
    add_causes(bad)

    assert (good.adapters[0].causes, bad.adapters[0].causes) == (None, None)
