"""What `waitproof lint` finds by playing scenarios with a correct client."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fakes import MINI
from waitproof.cli.entry import main
from waitproof.run import impossible_expectations
from waitproof.suite.files import bundled_suite, load_suite

HEAD = "format: 1\nsummary: It is wrong.\nproves: [returns-output]\n"
CALLS = "calls:\n  - wait: {poll_interval: 50ms, timeout: 500ms}\n    expect: {returns: {total: 3}}\n"
FIX = "change the task or the expectation, so that they agree"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(MINI, tmp_path / "mini")


def lint(
    path: Path, text: str, capsys: pytest.CaptureFixture[str], *, whole: bool = False
) -> tuple[int, list[str]]:
    path.write_text(text, encoding="utf-8")
    code = main(["lint", str(path.parents[1] if whole else path)])
    return code, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["stream", "mini"])
def test_a_correct_client_can_keep_what_our_suites_expect(name: str) -> None:
    folder = MINI if name == "mini" else bundled_suite(name)

    assert impossible_expectations(load_suite(folder)) == []


@pytest.mark.parametrize("whole", [False, True])
def test_a_wrong_result_is_a_mistake_of_the_scenario(
    folder: Path, capsys: pytest.CaptureFixture[str], whole: bool
) -> None:
    path = folder / "outcomes" / "wrong.yaml"
    task = "task:\n  - {status: done, result: {total: 4}}\n"

    code, lines = lint(path, HEAD + task + CALLS, capsys, whole=whole)

    assert code == 2
    assert lines == [
        f"{path}:3: no correct client can pass 'returns-output' here",
        '  found:    with the model client: it returned {"total": 4}',
        '  expected: the call returns {"total": 3}',
        f"  fix:      {FIX}",
    ]


def test_a_task_that_never_reaches_its_last_step_is_a_mistake(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = "task:\n  - {status: working, times: forever}\n"

    code, lines = lint(folder / "outcomes" / "wrong.yaml", HEAD + task + CALLS, capsys)

    assert code == 2
    assert lines[3] == f"  fix:      {FIX}"


def test_a_misspelt_status_is_named_with_the_one_that_was_meant(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = "task:\n  - {status: doone, result: {total: 3}}\n"

    code, lines = lint(folder / "outcomes" / "wrong.yaml", HEAD + task + CALLS, capsys)

    assert code == 2
    assert lines[3] == "  fix:      the task's status 'doone' is not documented: did you mean 'done'?"
