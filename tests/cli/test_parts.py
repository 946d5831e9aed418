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
    assert out.splitlines()[-1].startswith("mini: 2 of 6 scenarios in ")
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
    assert out.splitlines()[-1].startswith("mini: 2 of 6 scenarios in ")
    assert out.splitlines()[-1].endswith("; --quick left out timing/gives-up")
    assert none == (
        2,
        "",
        "--quick: all that is selected takes 0.6 s or longer\n  fix:      run it without --quick\n",
    )


def test_a_run_stops_at_the_first_failure_if_asked(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")

    code, out, _ = cli("run", folder, "--suite", MINI, "-x", "--json", "r.json")

    report = json.loads((tmp_path / "r.json").read_text())
    (adapter,) = report["adapters"]
    statuses = [each["status"] for each in adapter["verdicts"]]
    assert (code, report["exit_code"], report["whole"], report["interrupted"]) == (1, 1, False, False)
    assert "FAIL" in statuses
    assert "INCONCLUSIVE" not in statuses  # what was to be re-run has no verdict
    assert adapter["deaths"] == []
    last = out.splitlines()[-1]
    assert last.startswith("mini: stopped at the first failure (-x) after ")
    assert last.endswith(" of 6 scenarios")


def test_an_excused_failure_stops_no_run(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    known = [
        {"deviation": name, "reason": "issue 7"}
        for name in ("own-timeout", "usual-timeout", "usual-interval")
    ]
    folder = mark.folder(tmp_path, "HalfTheTime", deviations=known)

    code, out, _ = cli("run", folder, "--suite", MINI, "-x", "-k", "gives-up-when-told", "--json", "r.json")

    assert (code, played(tmp_path / "r.json")) == (
        0,
        ["timing/gives-up-when-told:own-timeout", "timing/gives-up-when-told:gives-up"],
    )
    assert "stopped" not in out


def test_what_failed_is_run_again_until_it_passes(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    argv = ["run", folder, "--suite", MINI, "--json", "r.json"]
    failed = ["timing/gives-up-when-told:own-timeout"]

    cli(*argv, "-k", "own-timeout or completes")
    again = cli(*argv, "--last-failed"), played(tmp_path / "r.json")
    text = (folder / "adapter.yaml").read_text()
    (folder / "adapter.yaml").write_text(text.replace("- HalfTheTime", "- MiniAdapter"))
    fixed = cli(*argv, "--lf"), played(tmp_path / "r.json")

    assert (again[0][0], again[1]) == (1, failed)
    assert "--last-failed: a WARN is run again only with --fail-on should" in again[0][1].splitlines()
    assert (fixed[0][0], fixed[1]) == (0, failed)
    state = json.loads((tmp_path / ".waitproof_cache" / "last-failed.json").read_text())
    assert state == {}
    assert (tmp_path / ".waitproof_cache" / ".gitignore").read_text().endswith("*\n")


def test_a_cache_that_cannot_be_read_or_written_changes_nothing(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    (tmp_path / ".waitproof_cache").write_text("a file")

    code, out, err = cli("run", folder, "--suite", MINI, "-k", "own-timeout", "--lf")

    assert (code, err) == (1, "")
    nothing = "--last-failed: nothing that is selected failed last time, so all of it is run"
    assert out.splitlines()[0] == nothing


def test_a_good_run_leaves_no_cache(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")

    cli("run", folder, "--suite", MINI, "-k", "completes")

    assert not (tmp_path / ".waitproof_cache").exists()
