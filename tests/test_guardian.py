"""What we have started ends with us, whatever ends us."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from fakes import LIMIT_S, MINI, Mark, running

PROGRAM = """
import subprocess, sys, time
from waitproof.guardian import guard, release
argv = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
both = [subprocess.Popen([*argv, sys.argv[1] + name], start_new_session=True) for name in ("-held", "-free")]
for each in both:
    guard(each.pid)
release(both[1].pid)
print(both[1].pid, flush=True)
time.sleep(600)
"""
COMMAND = """
import subprocess, sys, time
if sys.argv[-1] == "outer":
    subprocess.Popen([*sys.orig_argv[:-1], "inner"])
time.sleep(600)
"""


def wait_for(mark: Mark, word: str) -> int:
    """Wait for a process of ours with that word on its command line, and return its id."""
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        listed = subprocess.run(
            ["ps", "-A", "-ww", "-o", "pid=,args="], capture_output=True, text=True, check=True
        )
        for line in listed.stdout.splitlines():
            pid, _, args = line.strip().partition(" ")
            if mark.text in args and word in args and "waitproof" not in args:
                return int(pid)
        time.sleep(0.02)
    raise AssertionError(f"no process {word!r}")


def test_a_group_that_is_guarded_ends_with_its_owner_and_one_that_was_released_does_not(mark: Mark) -> None:
    argv = [sys.executable, "-c", PROGRAM, mark.text]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        free = int(owner.stdout.readline())
        owner.kill()
    until_s = time.monotonic() + LIMIT_S
    while len(mark.processes()) > 1 and time.monotonic() < until_s:
        time.sleep(0.02)

    remaining = mark.processes()

    os.kill(free, signal.SIGKILL)
    assert [line.split()[-1] for line in remaining] == [f"{mark.text}-free"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_a_command_of_prepare_ends_with_the_program(
    number: signal.Signals, mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    spec = yaml.safe_load((folder / "adapter.yaml").read_text(encoding="utf-8"))
    spec["prepare"] = [[sys.executable, "-S", "-c", COMMAND, mark.text, "outer"]]
    (folder / "adapter.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")

    with running("run", str(folder), "--suite", str(MINI)) as process:
        wait_for(mark, "inner")
        process.send_signal(number)
        _, err = process.communicate(timeout=LIMIT_S)

    assert process.returncode == (-9 if number is signal.SIGKILL else 130)
    assert err == ""
    mark.assert_gone(LIMIT_S)


def test_an_adapter_that_is_stopped_ends_with_the_program(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "NeverGivesUp")

    with running("run", str(folder), "--suite", str(MINI)) as process:
        pid = wait_for(mark, "NeverGivesUp")
        os.kill(pid, signal.SIGSTOP)
        process.kill()
        process.wait(LIMIT_S)

    mark.assert_gone(LIMIT_S)
