"""After a run with failures, its causes are found in processes; the others cost nothing."""

from __future__ import annotations

import time

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


def test_a_run_with_failures_gets_its_causes_in_time() -> None:
    defect = library(SUITE.contract).named("returns_result.nothing")
    run = run_of(defect)

    began_s = time.monotonic()
    add_causes(run, limit_s=60)

    found = run.adapters[0].causes
    assert found is not None
    assert [[each.name for each in cause.defects] for cause in found.causes] == [[defect.name]]
    assert found.unexplained == ()
    assert time.monotonic() - began_s < 60


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
