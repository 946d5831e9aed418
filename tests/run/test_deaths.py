from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import MINI, Mark
from test_runner import CORRECT, run, statuses
from waitproof.cli import main
from waitproof.run import Death
from waitproof.suite.files import Suite, load_suite


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(MINI)


def test_a_crash_whose_scenarios_are_replayed_is_a_death(suite: Suite, mark: Mark, tmp_path: Path) -> None:
    (adapter,) = run(suite, mark.command("CrashesOnce", str(tmp_path / "crashed")))

    assert statuses(adapter) == CORRECT
    (death,) = adapter.deaths
    assert (death.how, death.in_flight) == ("was killed by SIGSEGV", True)
    assert death.stderr_tail == ("heap corruption",)
    assert death.scenarios != ()
    assert set(death.scenarios) <= set(adapter.scenarios)


def test_a_death_with_no_call_in_flight_names_the_last_scenario(
    suite: Suite, mark: Mark, tmp_path: Path
) -> None:
    only = ["outcomes/broken", "timing/gives-up:"]

    (adapter,) = run(suite, mark.command("DiesAfterItsAnswer", str(tmp_path / "died")), only=only)

    assert statuses(adapter) == {name: CORRECT[name] for name in statuses(adapter)}
    words = "a late error that nobody catches"
    assert adapter.deaths == (Death("exited with code 3", False, ("outcomes/broken",), (words,)),)


def test_a_signal_after_the_end_of_stdin_that_was_not_ours_is_a_death(suite: Suite, mark: Mark) -> None:
    (adapter,) = run(suite, mark.command("CrashesAtItsEnd"), only=["outcomes/broken"])

    assert statuses(adapter) == {"outcomes/broken:broken-is-returned": "PASS"}
    assert adapter.deaths[-1] == Death("was killed by SIGABRT", scenarios=("outcomes/broken",))


@pytest.mark.parametrize("mode", ["MiniAdapter", "FailsAtItsEnd", "NeverGivesUp", "hundred_log_lines"])
def test_the_end_that_the_harness_asks_for_is_not_a_death(
    suite: Suite, mark: Mark, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waitproof.simulate.script.ANSWER_LIMIT_S", 0.6)

    (adapter,) = run(suite, mark.command(mode), only=["timing/gives-up:"])

    assert adapter.deaths == ()


def test_lines_on_stderr_are_counted_over_all_processes(suite: Suite, mark: Mark) -> None:
    (adapter,) = run(suite, mark.command("Warns"), only=["outcomes/broken", "timing/gives-up:"])

    assert adapter.stderr.first == "loading"
    assert adapter.stderr.first_warning == f"(node:7) MaxListenersExceededWarning: {200 * 'x'}"
    assert adapter.stderr.lines == 3 * 2, "three lines from each process, timed and untimed"


def test_a_death_rules_out_exit_0_and_is_in_every_report(
    mark: Mark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = mark.folder(tmp_path, "CrashesOnce", str(tmp_path / "crashed"))
    files = {kind: tmp_path / f"r.{kind}" for kind in ("json", "junit", "markdown", "html")}
    options = [text for kind, file in files.items() for text in (f"--{kind}", str(file))]

    code = main(["run", str(folder), "--suite", str(MINI), *options])
    out, err = capsys.readouterr()

    assert (code, err) == (3, "")
    sentence = "a process was killed by SIGSEGV during "
    assert f"CrashesOnce: {sentence}" in out
    assert "; its last line on stderr: heap corruption\n" in out
    assert "CrashesOnce: 1 line on stderr: heap corruption\n" in out
    report = json.loads(files["json"].read_text())
    (death,) = report["adapters"][0]["deaths"]
    assert (report["schema"], report["exit_code"], death["how"]) == (2, 3, "was killed by SIGSEGV")
    assert report["adapters"][0]["stderr"] == {"lines": 1, "first": "heap corruption", "first_warning": ""}
    markdown = files["markdown"].read_text()
    assert "Nothing failed, but a process of CrashesOnce died" in markdown
    assert f"**CrashesOnce**: {sentence}" in markdown
    assert '<testcase classname="CrashesOnce" name="no process dies"' in files["junit"].read_text()
    assert sentence in files["html"].read_text()


def test_the_first_warning_on_stderr_is_cut_and_escaped_in_the_summary(
    mark: Mark, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = mark.folder(tmp_path, "Warns")

    code = main(["run", str(folder), "--suite", str(MINI), "-k", "broken"])

    (line,) = [line for line in capsys.readouterr().out.splitlines() if "on stderr" in line]
    assert code == 0
    start = "Warns: 3 lines on stderr, the first warning: (node:7) MaxListenersExceededWarning: xxx"
    assert line.startswith(start)
    assert line.endswith("x…")
