from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from waitproof.adapter import starvation

SPIN = "while True: pass"
NO_PROCESS = 2**22 + 1  # more than a Linux process id can be


@contextlib.contextmanager
def spinning(count: int) -> Iterator[int]:
    """Keep processors busy; the value is the id of one of the processes."""
    spinners = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(count)]
    try:
        yield spinners[0].pid
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="the system does not say it")
def test_a_process_that_shares_a_processor_waits_for_it() -> None:
    with spinning(4 * (os.cpu_count() or 1)) as pid, starvation(pid) as starved:
        time.sleep(1.0)

    assert starved.seconds > 0.3  # of a second, in which it ran for a quarter


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system does not say it")
def test_a_process_that_is_stopped_is_kept_from_its_work() -> None:
    with spinning(1) as pid, starvation(pid) as starved:
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.5)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)

    assert 0.3 < starved.stopped_s < 0.9


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="the system does not say it")
def test_a_program_whose_name_is_cut_off_within_a_character_is_looked_at(tmp_path: Path) -> None:
    program = tmp_path / f"{'a' * 14}ü"  # Linux keeps 15 bytes of its name
    program.symlink_to(sys.executable)
    spinner = subprocess.Popen([program, "-S", "-c", SPIN])
    try:
        with starvation(spinner.pid) as starved:
            os.kill(spinner.pid, signal.SIGSTOP)
            time.sleep(0.2)
    finally:
        spinner.kill()
        spinner.wait()

    assert starved.stopped_s > 0.1


def test_nothing_is_known_of_a_process_that_is_gone() -> None:
    with starvation(NO_PROCESS) as starved:
        pass

    assert (starved.seconds, starved.stopped_s) == (0.0, 0.0)
