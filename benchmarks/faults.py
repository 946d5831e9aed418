"""Lets system calls of the harness and of its mock server fail at random moments, and counts how runs end.

    python benchmarks/faults.py                    # 500 runs of the mini suite; a quarter of an hour
    python benchmarks/faults.py --runs 20 --seed 7 --processes 1
    python benchmarks/faults.py --only 'main os.write 17 28 once'

A run plays scenarios that take less than a second with a correct adapter, or with one whose helper gives up
after half of its time. In each, one call fails, once or from then on: no disk space, descriptors, memory or
threads, a reader that has gone, an interrupt. Whatever fails, a run must end within two minutes, without a
traceback, with

- the right verdict: exit code 0 for the correct adapter, 1 for the other one, and a report that agrees; or
- an honest 2 (a report cannot be written), 3 (not verified) or 4 (an error of the harness).

It exits with 1 if that is not so, and prints what failed in each run that was wrong.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
MINI = ROOT / "tests" / "suites" / "mini"
ADAPTER = ROOT / "tests" / "fake_adapters" / "mini_adapter.py"
KIT = ROOT / "adapters" / "kits" / "python"
LIMIT_S = 120.0  # a run takes two seconds on a quiet machine
MODES = {"MiniAdapter": ("outcomes", 0), "HalfTheTime": ("gives-up-when-told:own-timeout", 1)}
INTERRUPT = -1
_DISK = (errno.ENOSPC, errno.EIO)
_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_SOCKET = (errno.ENOBUFS, errno.ENOMEM)  # a reset or ECONNABORTED would mean that the client has left
ERRORS: Mapping[str, Sequence[int]] = {
    "open": (*_FILES, *_DISK),
    "io.open": (*_FILES, *_DISK),
    "os.open": (*_FILES, *_DISK),
    "os.read": (errno.EIO, errno.ENOMEM, INTERRUPT),
    "os.write": (*_DISK, errno.EPIPE, INTERRUPT),
    "os.pipe": _FILES,
    "os.replace": _DISK,
    "os.unlink": _DISK,
    "os.stat": (errno.ENOMEM, errno.EIO),
    "os.waitid": (errno.EINVAL, INTERRUPT),
    "os.set_blocking": (errno.EBADF,),
    "os.killpg": (errno.EPERM,),
    "os.posix_spawn": (*_FILES, errno.EAGAIN),
    "fork_exec": (errno.EAGAIN, errno.ENOMEM),
    "thread": (errno.EAGAIN,),
    "poll": (errno.ENOMEM, INTERRUPT, 0),
    "epoll": (errno.ENOMEM, errno.EBADF, INTERRUPT, 0),
    "register": (errno.ENOSPC, errno.ENOMEM),
    "accept": (*_FILES, errno.ENOBUFS),
    "recv": _SOCKET,
    "send": (*_SOCKET, INTERRUPT),
}


@dataclass(frozen=True)
class Ended:
    """How one run ended.

    Attributes:
        code: Its exit code, None if it hung.
        wrong: What must not be, "" if nothing.
    """

    fault: str
    mode: str
    code: int | None
    wrong: str
    text: str = ""


def play(mode: str, fault: str) -> Ended:
    """Run the mini suite with an adapter while something fails."""
    only, right = MODES[mode]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        report.write_text("of an earlier run", encoding="ascii")
        adapter = f"{sys.executable} -S {ADAPTER} {mode}"
        argv = [sys.executable, "-m", "waitproof", "run", "--adapter", adapter, "--suite", str(MINI)]
        paths = os.pathsep.join(map(str, (ROOT / "benchmarks" / "faulty", KIT)))
        environment = {**os.environ, "PYTHONPATH": paths, "WAITPROOF_FAULT": fault, "TMPDIR": folder}
        process = subprocess.Popen(
            [*argv, "-k", only, "--json", str(report)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            text, _ = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            text, _ = process.communicate()
            return Ended(fault, mode, None, "it hung", text)
        wrong = what_is_wrong(process.returncode, right, text, report)
    return Ended(fault, mode, process.returncode, wrong, text)


def what_is_wrong(code: int, right: int, text: str, report: Path) -> str:
    """Return what must not be of a run that ended, "" if nothing."""
    if code not in {right, 2, 3, 4}:
        return f"exit code {code}"
    if "\nTraceback" in f"\n{text}":  # of the harness; its message may show what its mock server wrote
        return "a traceback"
    if code in {2, 4} and "  found: " not in text and ": " not in text:
        return f"exit code {code} without a reason"
    if not report.exists():
        return "" if code != right else "no report"
    try:
        seen = json.loads(report.read_bytes())
    except ValueError:
        left = report.read_bytes()[:17] == b"of an earlier run"
        return "" if left and code in {2, 4} else "a report that is not whole"
    verdicts = [each for adapter in seen["adapters"] for each in adapter["verdicts"]]
    if right == 0 and any(each["status"] in {"FAIL", "WARN"} for each in verdicts):
        return "a correct adapter is accused"
    if right == 1 and any(each["status"] == "PASS" for each in verdicts):
        return "a defect has passed"
    return "" if seen["exit_code"] == code or code in {2, 4} else f"exit {code}, report {seen['exit_code']}"


def calls(mode: str) -> list[tuple[str, str, int]]:
    """Return how often a run without a fault makes each call, in each process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "counts")
        ended = play(mode, f"count {file}")
        if ended.wrong or ended.code != MODES[mode][1]:
            raise SystemExit(f"a run without a fault: {ended.wrong or ended.code}\n{ended.text}")
        rows = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
    return [(where, name, int(count)) for where, name, count in rows]


def draw(seed: int, known: Mapping[str, Sequence[tuple[str, str, int]]]) -> tuple[str, str]:
    """Return the adapter and the fault of the run with this number."""
    chance = random.Random(seed)
    mode = chance.choice(sorted(known))
    where, name, count = chance.choice(sorted(known[mode]))
    number = chance.choice(ERRORS[name])
    how = "once" if number == INTERRUPT else chance.choice(("once", "once", "lasting"))
    return mode, f"{where} {name} {chance.randint(1, count)} {number} {how}"


def main() -> int:
    """Play the runs, and print how they ended."""
    parser = argparse.ArgumentParser(description="How runs end while system calls fail.")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="number of the first run")
    parser.add_argument("--processes", type=int, default=2, help="how many runs at once")
    parser.add_argument("--only", metavar="FAULT", help="play this fault alone, with each adapter")
    options = parser.parse_args()
    if options.only:
        plays = [(mode, options.only) for mode in MODES]
    else:
        known = {mode: calls(mode) for mode in MODES}
        plays = [draw(options.seed + number, known) for number in range(options.runs)]
    ends: Counter[str] = Counter()
    wrong = 0
    with ThreadPoolExecutor(options.processes) as pool:
        for ended in pool.map(lambda each: play(*each), plays):
            right = MODES[ended.mode][1]
            ends["right" if ended.code == right else str(ended.code)] += 1
            if ended.wrong or options.only:
                wrong += bool(ended.wrong)
                print(f"{ended.wrong or ended.code}: {ended.mode}, {ended.fault}\n{ended.text}", flush=True)
    told = ", ".join(f"{count} {what}" for what, count in sorted(ends.items()))
    print(f"{len(plays)} runs: {told}; {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
