"""Runs of a part of a suite: what is played, and what is said of the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import MINI, Mark
from waitproof.cli import main

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """Call the command line in an empty folder: what it returns, prints, and prints to stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*argv: str | Path) -> tuple[int, str, str]:
        code = main([str(each) for each in argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def played(file: Path) -> list[str]:
    (adapter,) = json.loads(file.read_text())["adapters"]
    return [f"{each['scenario']}:{each['requirement']}" for each in adapter["verdicts"]]


def test_an_expression_and_an_exclusion_choose_what_is_played(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    chosen = ["-k", "outcomes and returns-output or broken", "--exclude", "begun"]

    code, out, _ = cli("run", folder, "--suite", MINI, *chosen, "--json", tmp_path / "r.json")

    assert code == 0
    assert out.splitlines()[-1].startswith("mini: 2 scenarios in ")
    assert played(tmp_path / "r.json") == [
        "outcomes/broken:broken-is-returned",
        "outcomes/completes:returns-output",
    ]
    assert json.loads((tmp_path / "r.json").read_text())["whole"] is False


def test_a_quick_run_says_what_it_leaves_out(
    mark: Mark, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.cli.plan.QUICK_S", 0.6)
    folder = mark.folder(tmp_path, "MiniAdapter")

    code, out, _ = cli("run", folder, "--suite", MINI, "-k", "timing or completes", "--quick")
    none = cli("run", folder, "--suite", MINI, "-k", "usual-timeout", "--quick")

    assert code == 0
    assert out.splitlines()[-1].startswith("mini: 2 scenarios in ")
    assert out.splitlines()[-1].endswith("; --quick left out timing/gives-up")
    assert none == (
        2,
        "",
        "--quick: all that is selected takes 0.6 s or longer\n  fix:      run it without --quick\n",
    )
