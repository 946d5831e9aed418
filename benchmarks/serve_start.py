"""Start `waitproof serve` many times on a busy machine, and poll it from its first millisecond.

    python benchmarks/serve_start.py --starts 300 --spinners 2

A client that was started beside the server (a docker-compose file, a test fixture) polls before the server
listens. Its first answers must be its task's: anything else, and any listed task that nobody polled, is
counted as wrong. Exits with 1 if there was any.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

SCENARIO = "completes-after-3-polls"
STATUSES = ("pending", "running", "completed")
LIMIT_S = 60.0  # from a start to its first answer
RETRY_S = 0.001  # between two attempts to connect


def spin() -> None:
    """Keep a core busy."""
    while True:
        pass


@contextlib.contextmanager
def busy(spinners: int) -> Iterator[None]:
    """Keep that many processes computing."""
    processes = [multiprocessing.Process(target=spin, daemon=True) for _ in range(spinners)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def get(port: int, path: str) -> tuple[int, Any]:
    """Return the status code and the JSON of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def first_answer(port: int, path: str) -> tuple[int, Any]:
    """Return the first answer of a server that may not listen yet."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        try:
            return get(port, path)
        except ConnectionRefusedError:
            time.sleep(RETRY_S)
    raise TimeoutError(f"no answer within {LIMIT_S:g} s")


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def start(number: int) -> tuple[float, list[str]]:
    """Start a server once; return the seconds to its first answer, and what was wrong."""
    port, task_id = free_port(), f"{SCENARIO}~{number}"
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "waitproof", "serve", "--port", str(port)], stdout=subprocess.DEVNULL
    ) as process:
        try:
            first = first_answer(port, f"/api/v2/tasks/{task_id}")
            took_s = time.monotonic() - began_s
            answers = [first, *(get(port, f"/api/v2/tasks/{task_id}") for _ in STATUSES[1:])]
            _, listed = get(port, "/_waitproof/tasks")
        finally:
            process.kill()
    wrong = [
        f"{http} {body.get('message', body.get('status'))!r}"
        for (http, body), status in zip(answers, STATUSES, strict=True)
        if (http, body.get("status")) != (200, status)
    ]
    tasks = [(task["task_id"], task["count"]) for task in listed["tasks"]]
    if tasks != [(task_id, len(STATUSES))]:
        wrong.append(f"listed tasks: {tasks}")
    return took_s, wrong


def main() -> int:
    """Start servers, print what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--starts", type=int, default=300, help="default: %(default)s")
    parser.add_argument("--spinners", type=int, default=2, help="busy processes; default: %(default)s")
    options = parser.parse_args()
    results: list[tuple[float, list[str]]] = []
    with busy(options.spinners), contextlib.suppress(KeyboardInterrupt):  # then what is known by now counts
        for number in range(options.starts):
            results.append(start(number))  # noqa: PERF401 - see above
    seconds = sorted(took_s for took_s, _ in results)
    wrong = Counter(fact for _, facts in results for fact in facts)
    affected = sum(bool(facts) for _, facts in results)
    print(
        f"{len(results)} starts beside {options.spinners} busy processes: {affected} with a wrong answer; "
        f"first answer after {statistics.median(seconds):.2f} s (median), {seconds[-1]:.2f} s (longest)"
    )
    for fact, count in wrong.most_common(10):
        print(f"  {count} x {fact}")
    return 1 if affected else 0


if __name__ == "__main__":
    sys.exit(main())
