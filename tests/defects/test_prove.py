"""The command `waitproof prove`, and the model client over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import MINI
from waitproof.cli.entry import main
from waitproof.defects import Line, Outcome, library
from waitproof.judge import Status
from waitproof.run import Runner
from waitproof.run.prove import live_command, prove_live
from waitproof.suite.files import Suite, bundled_suite, load_suite
from waitproof.suite.selection import select

NATIVE = "native_stack_trace_is_apart"


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(bundled_suite())


def test_the_command_prints_a_line_for_each_client_and_writes_the_page(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "proof.md"

    code = main(["prove", "-k", "native", "--markdown", str(page)])

    out = capsys.readouterr().out.splitlines()
    assert code == 0
    assert out[:3] == [
        f"caught  {NATIVE}.overrides-the-runtimes  by java-stack-trace-accessor in 1 scenario",
        f"caught  {NATIVE}.is-the-runtimes  by java-stack-trace-accessor in 1 scenario; "
        "also by exception-stack-trace",
        "correct equivalent.native-accessor",
    ]
    assert out[3].startswith("simulated: 3 clients in ")
    assert out[3].endswith(" s: 2 caught, 1 correct")
    lines = page.read_text(encoding="utf-8").splitlines()
    assert lines[lines.index(f"## {NATIVE}") :] == [
        f"## {NATIVE}",
        "",
        "| defect | what is wrong | outcome | caught by | in |",
        "|---|---|---|---|---|",
        "| overrides-the-runtimes "
        "| The exception overrides the runtime's own stack trace, which is empty then. "
        "| caught | java-stack-trace-accessor | 1: fields/stack-trace-beside-the-runtimes-own |",
        "| is-the-runtimes | The accessor for the server's stack trace gives the runtime's own. "
        "| caught | java-stack-trace-accessor | 1: fields/stack-trace-beside-the-runtimes-own |",
        "",
        "## Correct clients",
        "",
        "| client | what differs | outcome | accused by |",
        "|---|---|---|---|",
        "| equivalent.native-accessor "
        "| Has an accessor for the server's stack trace beside the runtime's own. "
        "| correct |  |",
    ]


def test_a_missed_defect_is_printed_with_its_sentence_and_fails_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(["prove", "--suite", str(MINI), "-k", "latin-1", "-k", "deletes"])

    out = capsys.readouterr().out.splitlines()
    assert code == 1
    assert out[:2] == [
        "not applicable, no requirement is judged by only_polls_are_sent: only_polls_are_sent.deletes",
        "missed  outcome_expected.latin-1  Answers are decoded as Latin-1 and not as UTF-8.",
    ]
    assert out[2].endswith(" s: 1 missed, 1 not applicable")


def test_a_pattern_that_matches_no_name_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "-k", "no-such-defect"]) == 2
    assert capsys.readouterr().err.startswith("-k: no defect or correct client matches no-such-defect\n")


# --- over real sockets ---------------------------------------------------------------------------------


def test_every_correct_client_passes_live_too() -> None:
    mini = load_suite(MINI)
    reported: list[Line] = []

    lines = prove_live(mini, list(library(mini.contract).equivalents.values()), reported.append)

    assert {line.name: line.also_by for line in lines if line.outcome is not Outcome.CORRECT} == {}
    assert reported == lines
    assert len(lines) == 14


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
