"""Whatever ends a run, its reports are written, hold what was known by then, and say how it ended."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from fakes import LIMIT_S, MINI, Mark, clean_env, running, wait_for_line
from waitproof.cli import main

NAMES = {"json": "r.json", "html": "r.html", "markdown": "r.md", "junit": "r.xml", "badge": "b.json"}


def asked_for(folder: Path) -> list[str]:
    """Return the options for every report, each with a file of yesterday."""
    for name in NAMES.values():
        (folder / name).write_text("yesterday's")
    return [word for option, name in NAMES.items() for word in (f"--{option}", str(folder / name))]


def left_behind(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def kill_server(parent: int) -> None:
    listed = subprocess.run(
        ["ps", "-ww", "--ppid", str(parent), "-o", "pid=,args="],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    (pid,) = [line.split()[0] for line in listed.stdout.splitlines() if "waitproof.mock." in line]
    os.kill(int(pid), signal.SIGKILL)


def test_a_killed_mock_leaves_reports_with_the_verdicts_that_were_known(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "NeverGivesUp")
    with running("run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)) as process:
        wait_for_line(process, "NeverGivesUp: outcomes/completes: ")
        kill_server(process.pid)
        _, err = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, err.splitlines()[0]) == (4, "the mock server was killed by SIGKILL")
    report: dict[str, Any] = json.loads((tmp_path / "r.json").read_text())
    assert (report["exit_code"], report["interrupted"]) == (4, True)
    assert report["error"].startswith("the mock server was killed by SIGKILL")
    assert {each["status"] for each in report["adapters"][0]["verdicts"]} <= {
        "PASS",
        "INFO",
        "NOT_APPLICABLE",
    }
    reason = "waitproof itself failed, the mock server was killed by SIGKILL: this is what was known by then"
    for name in ("r.html", "r.md"):
        assert reason in (tmp_path / name).read_text()
    problem = ET.parse(tmp_path / "r.xml").find(".//testcase[@name='the run comes to its end']/error")
    assert problem is not None
    assert problem.get("message") == "the mock server was killed by SIGKILL"
    assert json.loads((tmp_path / "b.json").read_text())["color"] == "lightgrey"
    assert left_behind(tmp_path) == set(NAMES.values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_reports_with_the_verdicts_that_were_known(
    number: signal.Signals, mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "NeverGivesUp")
    with running("run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)) as process:
        wait_for_line(process, "NeverGivesUp: outcomes/completes: ")
        process.send_signal(number)
        _, err = process.communicate(timeout=LIMIT_S)

    assert (process.returncode, err) == (130, "")
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["exit_code"], report["interrupted"], report["error"]) == (130, True, "")
    assert report["adapters"][0]["verdicts"]
    assert "the run comes to its end" in (tmp_path / "r.xml").read_text()
    assert left_behind(tmp_path) == set(NAMES.values())


_SIGNALLED = """
import os, signal, sys
from waitproof.cli import main, run

def signalled(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    {then}

{patch} = signalled
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("patch", "then", "code"),
    [
        ("run.add_causes", "", 130),
        ("run.report.report_of", "return report_of(*_, **__)", 1),
    ],
    ids=["while causes are looked for", "while the reports are written"],
)
def test_a_signal_after_the_last_verdict_does_not_lose_one(
    patch: str, then: str, code: int, mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    program = _SIGNALLED.format(patch=patch, then=then)
    program = program.replace("def signalled", "report_of = run.report.report_of\ndef signalled")
    ended = subprocess.run(
        [sys.executable, "-c", program, "run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=clean_env(),
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (code, "")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["exit_code"] == code
    assert "FAIL" in {each["status"] for each in report["adapters"][0]["verdicts"]}
    assert left_behind(tmp_path) == set(NAMES.values())


def test_an_error_after_the_last_verdict_does_not_lose_one(
    mark: Mark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("waitproof.cli.run.add_causes", fail)
    folder = mark.folder(tmp_path, "MiniAdapter")

    assert main(["run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)]) == 4

    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["exit_code"], report["error"]) == (4, "MemoryError")
    assert "PASS" in {each["status"] for each in report["adapters"][0]["verdicts"]}
    assert "mini: interrupted" in capsys.readouterr().out


def test_a_report_that_finds_no_room_leaves_nothing_and_the_others_are_whole(
    mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_000, 16_000))

    ended = subprocess.run(
        [sys.executable, "-m", "waitproof", "run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        env=clean_env(),
        preexec_fn=small_files,
        check=False,
    )

    lost = {"r.json", "r.html"}
    assert ended.returncode == 2
    errors = {f"{tmp_path / name}: the report cannot be written: file too large" for name in lost}
    assert set(ended.stderr.split("\n\n")) == {*errors} or set(ended.stderr.strip().split("\n\n")) == errors
    assert left_behind(tmp_path) == {*NAMES.values()} - lost
    assert json.loads((tmp_path / "b.json").read_text())["color"] == "brightgreen"


def test_a_run_that_is_killed_leaves_no_report_of_yesterday(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "NeverGivesUp")
    with running("run", str(folder), "--suite", str(MINI), *asked_for(tmp_path)) as process:
        wait_for_line(process, "NeverGivesUp: outcomes/completes: ")
        process.kill()
        process.communicate(timeout=LIMIT_S)

    assert left_behind(tmp_path) == set()
