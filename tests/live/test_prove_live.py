"""The model client over real sockets: every correct client, and a defect of each kind that needs a wire."""

from __future__ import annotations

import pytest
from fakes import MINI
from waitproof.defects import Line, Outcome, library
from waitproof.judge import Status
from waitproof.run import Runner
from waitproof.run.prove import live_command, prove_live
from waitproof.suite.files import Suite, bundled_suite, load_suite
from waitproof.suite.selection import select


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


def test_every_correct_client_passes_live_too() -> None:
    mini = load_suite(MINI)
    reported: list[Line] = []

    lines = prove_live(mini, list(library(mini.contract).equivalents.values()), reported.append)

    assert {line.name: line.also_by for line in lines if line.outcome is not Outcome.CORRECT} == {}
    assert reported == lines
    assert len(lines) == 37


@pytest.mark.parametrize(
    "name",
    [
        "native_stack_trace_is_apart.overrides-the-runtimes",
        "record_connections.one-each",
        "outcome_expected.blind-to-closed-connections",
        "one_poll_in_flight.hedged",
        "waits_interleave.sleeps-blocking",
    ],
)
def test_a_defect_is_caught_live_too(suite: Suite, name: str) -> None:
    lines = prove_live(suite, [library(suite.contract).named(name)], lambda _line: None)

    assert [(line.name, line.outcome) for line in lines] == [(name, Outcome.CAUGHT)]


def test_an_adapter_that_exaggerates_its_time_does_so_live_too(suite: Suite) -> None:
    command = live_command(suite, library(suite.contract).named("timeout_not_early.adapter-exaggerates"))
    scenarios = select(suite.scenarios, ["overrides/timeout-below-a-second"])

    adapter = Runner(suite, [command], scenarios=scenarios).run().adapters[0]

    assert {verdict.status for verdict in adapter.verdicts()} == {Status.ERROR}
