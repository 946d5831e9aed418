"""waitproof itself is stopped for longer than a call may take, as by Ctrl-Z and `fg`: nobody is accused."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from fakes import LIMIT_S, MINI, Mark, running, wait_for_line

STOPPED_S = 11.0  # a call is given up ten seconds after it should have ended


@pytest.mark.parametrize(
    ("scenario", "line"),
    [("timing/gives-up", "Async: running"), ("together/two-take-turns", "Async: two waits at once")],
)
def test_a_run_that_was_stopped_accuses_no_correct_client(
    mark: Mark, tmp_path: Path, scenario: str, line: str
) -> None:
    report = tmp_path / "report.json"
    folder = mark.folder(tmp_path, "Async")
    with running("run", str(folder), "--suite", str(MINI), "-k", scenario, "--json", str(report)) as process:
        wait_for_line(process, line)
        time.sleep(0.3)  # in the middle of the wait, or just before it
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(process.pid, signal.SIGCONT)
        _, err = process.communicate(timeout=LIMIT_S)

    verdicts = json.loads(report.read_text())["adapters"][0]["verdicts"]
    assert {each["status"] for each in verdicts} <= {"PASS", "INFO", "NOT_APPLICABLE", "INCONCLUSIVE"}, err
