"""The command `waitproof prove`, and the model client over real sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import MINI
from waitproof.cli.entry import main
from waitproof.suite.files import Suite, bundled_suite, load_suite

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
    assert out[2] == "not caught by this suite: outcome_expected (latin-1)"
    assert out[3].endswith(" s: 1 missed, 1 not applicable")


def test_a_pattern_that_matches_no_name_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prove", "-k", "no-such-defect"]) == 2
    assert capsys.readouterr().err.startswith("-k: no defect or correct client matches 'no-such-defect'\n")
