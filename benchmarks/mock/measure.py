"""Starts one engine, asks it, loads it, and reads what that cost its processes.

Every figure is of one launch; `__main__` repeats them and makes the table.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import CHECKED, HERE, POLLED, START, STATUSES, Engine
from poller import PATH, ask

__all__ = [
    "Launch",
    "Load",
    "Requests",
    "WrongAnswerError",
    "await_quiet",
    "launched",
    "poll",
    "requests_a_second",
    "warm",
]

START_LIMIT_S = 60.0
ASK_LIMIT_S = 10.0
END_S = 5.0  # for an engine to end by itself, before it is killed
SETTLE_S = 0.5  # what a start leaves to do
SAMPLE_S = 0.25
WARM_S = 3.0  # before anything is counted: a Java machine compiles in that time
WARM_POLLERS = 100
TAIL_CHARS = 2000
QUIET_CORES = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_WRK = """
local paths = {%s}
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
done = function(summary)
  local e = summary.errors
  print(string.format("TOLD %%d %%d %%d %%d", summary.requests, summary.duration, e.status,
    e.connect + e.read + e.write + e.timeout))
end
"""


class WrongAnswerError(Exception):
    """An engine that is here does not play the tasks."""


@dataclass(frozen=True)
class Usage:
    """What a process and all below it hold at one moment."""

    rss_mb: float
    cpu_s: float
    threads: int


@dataclass(frozen=True)
class Requests:
    """What wrk saw."""

    per_s: float
    wrong: int  # answers that are not 200
    broken: int  # connections refused or broken, and requests without an answer in 2 s


@dataclass(frozen=True)
class Load:
    """What the pollers saw, and what they cost; up to `poller_cpu_s` these are `poller`'s words.

    Attributes:
        others_cores: Processor time a second that went to neither the engine nor the pollers.
    """

    polls: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: int
    missed: int
    unanswered: int
    connections: int
    idle_open: int
    poller_cpu_s: float
    cpu_s: float
    peak_mb: float
    threads: int
    others_cores: float


@dataclass(frozen=True)
class Launch:
    """An engine that answers.

    Attributes:
        start_s: From before its command was run until the first answer to a poll.
    """

    port: int
    process: subprocess.Popen[bytes]
    start_s: float

    def usage(self) -> Usage:
        """Return what its processes hold now."""
        tree = _tree(self.process.pid)
        return Usage(
            rss_mb=sum(int(fields[21]) for fields in tree) * PAGE_BYTES / 1e6,
            cpu_s=sum(int(fields[11]) + int(fields[12]) for fields in tree) / TICKS,
            threads=sum(int(fields[17]) for fields in tree),
        )

    def idle_mb(self) -> float:
        """Return the memory that it holds soon after its start, in 10^6 bytes."""
        time.sleep(SETTLE_S)
        return self.usage().rss_mb

    def check(self) -> None:
        """Poll tasks in turns and hold every answer against the scenario.

        Raises:
            WrongAnswerError: An answer differs, or there is none.
        """
        one, other, later = CHECKED[:3]
        turns = [(task_id, status) for status in (*STATUSES, STATUSES[-1]) for task_id in (one, other)]
        for task_id, expected in [*turns, (later, STATUSES[0])]:
            body = self._asked(task_id)
            if (body.get("task_id"), body.get("status")) != (task_id, expected):
                raise WrongAnswerError(f"{task_id}: it should be {expected} now, and the answer is {body}")
        if (body := self._asked(POLLED[0])).get("task_id") != POLLED[0]:
            raise WrongAnswerError(f"{POLLED[0]}: the answer is {body}")

    def _asked(self, task_id: str) -> dict[str, Any]:
        try:
            return _body(ask(self.port, task_id, ASK_LIMIT_S))
        except (OSError, ValueError, TypeError) as error:
            raise WrongAnswerError(f"{task_id}: no answer: {error}") from error


def _tree(pid: int) -> list[list[str]]:
    """Return the fields of `/proc/PID/stat`, from the state on, of a process and all below it."""
    stats: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            stats[int(path.parent.name)] = path.read_text().rpartition(") ")[2].split()
    found = [pid]
    for parent in found:
        found += [child for child, fields in stats.items() if int(fields[1]) == parent]
    return [stats[each] for each in found if each in stats]


def _body(answer: bytes) -> dict[str, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    if not re.match(rb"HTTP/1\.[01] 200 ", head):
        raise ValueError(f"it says {head.splitlines()[:1]}")
    if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE):
        body = b"".join(body.split(b"\r\n")[1::2])  # these bodies hold no line break of their own
    told = json.loads(body)
    if not isinstance(told, dict):
        raise TypeError(f"its body is not an object: {body!r}")
    return told


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def launched(engine: Engine) -> Iterator[Launch]:
    """Run an engine until its first answer, give it, and end it.

    Raises:
        WrongAnswerError: It ends, or does not answer a poll with 200 in a minute.
    """
    with tempfile.TemporaryDirectory(prefix="mock-benchmark-", ignore_cleanup_errors=True) as name:
        folder, port = Path(name), _free_port()
        command = engine.command(port, folder)
        log = folder / "log.txt"
        with log.open("wb") as out:
            began_s = time.monotonic()
            process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            _await_answer(process, port, began_s, log)
            yield Launch(port, process, time.monotonic() - began_s)
        finally:
            _end(process)


def _await_answer(process: subprocess.Popen[bytes], port: int, began_s: float, log: Path) -> None:
    said = ""
    while process.poll() is None and time.monotonic() - began_s < START_LIMIT_S:
        try:
            _body(ask(port, START, ASK_LIMIT_S))
        except (OSError, ValueError, TypeError) as error:
            said = str(error)
            time.sleep(0.002)
        else:
            return
    fact = "is alive" if process.returncode is None else f"ended with {process.returncode}"
    tail = log.read_text(errors="replace")[-TAIL_CHARS:].strip()
    raise WrongAnswerError(f"no answer to the first poll ({said}); it {fact}, and wrote:\n{tail}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
            break
    with contextlib.suppress(ProcessLookupError):  # children that outlived it
        os.killpg(process.pid, signal.SIGKILL)


def requests_a_second(launch: Launch, wrk: str, seconds: int) -> Requests:
    """Ask for one task after another as fast as 16 connections can, after a warm-up."""
    with tempfile.TemporaryDirectory(prefix="mock-benchmark-") as folder:
        script = Path(folder) / "tasks.lua"
        script.write_text(_WRK % ",".join(f'"{PATH}{task_id}"' for task_id in POLLED))
        url = f"http://127.0.0.1:{launch.port}"
        for duration_s in (max(1, round(min(WARM_S, seconds))), seconds):
            command = [wrk, "-t1", "-c16", f"-d{duration_s}s", "-s", str(script), url]
            out = subprocess.run(command, capture_output=True, text=True, check=False)
    told = re.search(r"TOLD (\d+) (\d+) (\d+) (\d+)", out.stdout)
    if told is None:
        raise WrongAnswerError(f"wrk says: {(out.stdout + out.stderr).strip()}")
    requests, micros, wrong, broken = map(int, told.groups())
    return Requests((requests - wrong) / (micros / 1e6), wrong, broken)


def poll(
    launch: Launch, *, seconds: float, pollers: int = len(POLLED), idle: int = 0, ids: Sequence[str] = POLLED
) -> Load:
    """Let pollers ask once a second each, and watch what the engine's processes hold meanwhile."""
    with tempfile.TemporaryDirectory(prefix="mock-benchmark-") as folder:
        file = Path(folder) / "ids.txt"
        file.write_text("\n".join(ids))
        command = [sys.executable, str(HERE / "poller.py"), str(launch.port), str(file)]
        command += ["--pollers", str(pollers), "--seconds", str(seconds), "--idle", str(idle)]
        over = threading.Event()
        usages = [launch.usage()]
        began_s, busy_s = time.monotonic(), _machine_busy_s()

        def watch() -> None:
            while not over.wait(SAMPLE_S):
                usages.append(launch.usage())

        watcher = threading.Thread(target=watch, name="usage")
        watcher.start()
        try:
            out = subprocess.run(command, capture_output=True, text=True, check=False)
        finally:
            over.set()
            watcher.join()
    if out.returncode:
        raise WrongAnswerError(f"the pollers met: {out.stderr.strip().rpartition(chr(10))[2]}")
    usages.append(launch.usage())
    busy_s, took_s = _machine_busy_s() - busy_s, time.monotonic() - began_s
    told = json.loads(out.stdout)
    cpu_s = usages[-1].cpu_s - usages[0].cpu_s
    return Load(
        **told,
        cpu_s=cpu_s,
        peak_mb=max(usage.rss_mb for usage in usages),
        threads=max(usage.threads for usage in usages),
        others_cores=max(0.0, busy_s - cpu_s - told["poller_cpu_s"]) / took_s,
    )


def _machine_busy_s() -> float:
    """Return the processor time that this machine has spent so far, on whatever."""
    first, _, _ = Path("/proc/stat").read_text().partition("\n")
    user, nice, system, _idle, _wait, irq, softirq = map(int, first.split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def await_quiet(within_s: float) -> None:
    """Wait until other programs leave the machine nearly to us, but no longer than that."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        busy_s = _machine_busy_s()
        time.sleep(1.0)
        if _machine_busy_s() - busy_s < QUIET_CORES:
            return


def warm(launch: Launch) -> None:
    """Load an engine a little with tasks that nobody counts."""
    poll(launch, seconds=WARM_S, pollers=WARM_POLLERS, ids=CHECKED)
