"""Load `waitproof serve` as a team does in a day, in less time, and watch its memory.

    python benchmarks/serve_day.py --minutes 60
    python benchmarks/serve_day.py --minutes 6 --share 0.1

A day is 100,000 tasks, 200 waits at any time, 20 open pages, and scenario files that are edited all the time.
Exits with 1 if memory grows by more than a tenth from the first quarter of the time to the end, if a poll or
a page is answered wrongly, or if an edited file is not used.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from waitproof.suite.files import bundled_suite

TASKS, WAITS, PAGES = 100_000, 200, 20
GROWTH = 0.10
LINES = 12  # of the curve
POLL_S = 0.2  # the interval that the scenario's own wait passes
STATUSES = ("pending", "running", "completed")
LIMIT_S = 120.0


class Day:
    """The clients of one server, and what they have seen."""

    def __init__(self, port: int, tasks: int) -> None:
        self.port = port
        self.tasks = tasks
        self.begun = 0
        self.done = 0
        self.wrong: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.events = 0
        self.edits = 0

    async def get(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str
    ) -> tuple[int, bytes]:
        """Return the status code and the body of an answer."""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return int(head.split()[1]), await reader.readexactly(length)

    async def client(self, until_s: float, pause_s: float) -> None:
        """Wait on one task after another."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        loop = asyncio.get_running_loop()
        while self.begun < self.tasks and loop.time() < until_s:
            self.begun += 1
            due_s = loop.time() + pause_s
            task_id = f"completes-after-3-polls~{self.begun}"
            for status in STATUSES:
                asked_s = loop.time()
                http, body = await asyncio.wait_for(
                    self.get(reader, writer, f"/api/v2/tasks/{task_id}"), LIMIT_S
                )
                self.slowest_s = max(self.slowest_s, loop.time() - asked_s)
                if http != 200 or json.loads(body)["status"] != status:
                    self.wrong[f"{http} {body[:80]!r} in place of {status}"] += 1
                if status != STATUSES[-1]:
                    await asyncio.sleep(min(POLL_S, pause_s / len(STATUSES)))
            self.done += 1
            await asyncio.sleep(max(0.0, due_s - loop.time()))
        writer.close()

    async def page(self, search: str) -> None:
        """Watch the events, as a page does, until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        writer.write(f"GET /_waitproof/events{search} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            self.wrong[f"a page: {head[:40]!r}"] += 1
        with contextlib.suppress(asyncio.CancelledError):
            while line := await reader.readline():
                self.events += line.startswith(b"event: ")
            self.wrong["a page: the stream ended"] += 1

    async def editor(self, file: Path, every_s: float) -> None:
        """Edit a scenario file again and again, and see that a new task uses it."""
        text = file.read_text(encoding="utf-8")
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(every_s)
                self.edits += 1
                status = f"edit-{self.edits}"
                file.write_text(text.replace("{status: pending}", f"{{status: {status}}}"), encoding="utf-8")
                http, body = await self.get(reader, writer, f"/api/v2/tasks/{file.stem}~{self.edits}")
                if json.loads(body).get("status") != status:
                    self.wrong[f"{http} {body[:80]!r} after an edit"] += 1


def memory_mib(pid: int) -> float:
    """Return how much memory a process has."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def computed_s(pid: int) -> float:
    """Return for how long a process has computed, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(pid: int, port: int, file: Path, options: argparse.Namespace) -> int:
    """Play the day, print what came of it, and return the exit code."""
    loop = asyncio.get_running_loop()
    day = Day(port, round(TASKS * options.share))
    length_s = options.minutes * 60
    began_s = loop.time()
    pages = [asyncio.create_task(day.page("" if n % 2 else f"?find={n}")) for n in range(PAGES)]
    pages.append(asyncio.create_task(day.editor(file, max(1.0, length_s / 600))))
    each_s = length_s * WAITS / day.tasks
    clients = asyncio.gather(
        *(day.client(began_s + 2 * length_s, each_s) for _ in range(WAITS))  # a busy machine takes longer
    )
    samples: list[tuple[int, float]] = []
    while not clients.done():
        await asyncio.wait([asyncio.ensure_future(asyncio.sleep(1)), clients], return_when="FIRST_COMPLETED")
        samples.append((day.begun, memory_mib(pid)))
    for each in pages:
        each.cancel()
    await asyncio.gather(*pages, return_exceptions=True)
    await clients
    took_s = loop.time() - began_s
    print(
        f"{day.done:,} tasks, {WAITS} waits at a time, {PAGES} pages ({day.events:,} events), "
        f"{day.edits} edits in {took_s / 60:.1f} min; slowest answer {day.slowest_s:.2f} s; "
        f"{computed_s(pid):.0f} s computed by the server, {time.process_time():.0f} s by its clients"
    )
    for index in range(LINES + 1):
        tasks, mib = samples[min(len(samples) - 1, index * len(samples) // LINES)]
        print(f"  {tasks:>9,} tasks {mib:7.1f} MiB")
    quarter = statistics.median(mib for tasks, mib in samples if day.tasks / 4 <= tasks <= day.tasks / 3)
    end = statistics.median(mib for _, mib in samples[-max(5, len(samples) // 10) :])
    print(f"  memory from the first quarter to the end: {end / quarter - 1:+.1%}")
    for fact, count in day.wrong.most_common(10):
        print(f"  {count} x {fact}")
    return 1 if day.wrong or end > (1 + GROWTH) * quarter or day.done < day.tasks else 0


def main() -> int:
    """Start a server, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="default: %(default)s")
    parser.add_argument("--share", type=float, default=1.0, help="of the day's tasks; default: %(default)s")
    parser.add_argument("serve", nargs="*", help="options of `waitproof serve`, after --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "stream"
        shutil.copytree(bundled_suite(), suite)
        file = suite / "outcomes" / "look-alike-of-the-day.yaml"
        shutil.copy(suite / "outcomes" / "completes-after-3-polls.yaml", file)
        command = [sys.executable, "-m", "waitproof", "serve", "--port", "0", "--suite", str(suite)]
        with subprocess.Popen(
            [*command, *options.serve],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        ) as process:
            try:
                assert process.stdout is not None
                line = next(line for line in process.stdout if "base URL" in line)
                port = int(line.split()[2].rpartition(":")[2])
                drain = ["cat"]  # the terminal of somebody who reads everything
                with subprocess.Popen(drain, stdin=process.stdout, stdout=subprocess.DEVNULL):
                    try:
                        return asyncio.run(run(process.pid, port, file, options))
                    finally:
                        process.kill()
            finally:
                process.kill()


if __name__ == "__main__":
    sys.exit(main())
