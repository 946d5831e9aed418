"""`waitproof serve` as its user meets it: a process, its terminal, and signals."""

from __future__ import annotations

import contextlib
import io
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import requests
from waitproof.cli import main
from waitproof.serve.terminal import Terminal
from waitproof.suite.files import bundled_suite, scenario_paths

LIMIT_S = 30.0  # for a line that comes at once: long enough for a machine whose cores are busy
EXAMPLE = "completes-after-3-polls"


class Program:
    """A server in a process of its own, and the lines that it prints."""

    def __init__(self, *arguments: str, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "waitproof", "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=os.environ | {"COLUMNS": "100", "PYTHONUNBUFFERED": "1"},
            # A shell's background job ignores SIGINT, and so would what these tests start in one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - takes no lock
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._seen: list[str] = []
        self.errors = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self._reader.join()
        self.errors = self.process.communicate()[1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            self.lines.put(line.rstrip("\n"))

    def line(self, pattern: str) -> str:
        """Return the next line that a pattern is found in."""
        while True:
            try:
                line = self.lines.get(timeout=LIMIT_S)
            except queue.Empty:
                pytest.fail(f"no line came that has {pattern!r}; the last ones: {self._seen[-5:]}")
            self._seen.append(line)
            if re.search(pattern, line):
                return line

    @property
    def base_url(self) -> str:
        return self.line("base URL").split()[2]


def poll(base_url: str, task_id: str) -> dict[str, str]:
    headers = {"Authorization": "jwt", "Stream-Auth-Type": "jwt"}
    answer = requests.get(f"{base_url}/api/v2/tasks/{task_id}?api_key=k", headers=headers, timeout=LIMIT_S)
    told: dict[str, str] = answer.json()
    return told


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    folder = tmp_path / "stream"
    shutil.copytree(bundled_suite(), folder)
    return folder


@pytest.fixture
def program() -> Iterator[Program]:
    with Program() as program:
        yield program


def test_it_says_what_it_serves_and_how_to_call_it(program: Program) -> None:
    assert program.line("scenarios of").startswith(f"{len(scenario_paths(bundled_suite()))} scenarios of ")
    assert EXAMPLE in program.line("completes-after")
    curl = program.line("curl").split()[-1]
    base_url = program.base_url

    assert re.fullmatch(rf"{re.escape(base_url)}/api/v2/tasks/{EXAMPLE}~[a-z0-9]{{4}}", curl)
    assert requests.get(curl, timeout=LIMIT_S).json()["status"] == "pending"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_ends_it_whatever_hangs(name: str) -> None:
    with Program() as program:
        base_url = program.base_url
        requests.post(
            f"{base_url}/_waitproof/tasks", json={"scenario": EXAMPLE, "task_id": "t"}, timeout=LIMIT_S
        )
        requests.post(f"{base_url}/_waitproof/tasks/t/actions/stall", timeout=LIMIT_S)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{base_url}/api/v2/tasks/t", timeout=0.1)
        with requests.get(f"{base_url}/_waitproof/events", stream=True, timeout=LIMIT_S):
            program.process.send_signal(getattr(signal, name))

            assert program.process.wait(LIMIT_S) == 0
    assert program.errors == ""


def test_verdicts_are_printed_when_a_wait_is_over() -> None:
    with Program("--judge") as program:
        base_url = program.base_url
        for _ in range(4):  # one too many
            poll(base_url, f"{EXAMPLE}~1")

        told = program.line(f"{EXAMPLE}~1")
        assert re.search(r"\(outcomes/completes-after-3-polls\): done after 4 polls in .*: .*1 WARN", told)
        assert program.line("WARN no-poll-after-outcome") == "  WARN no-poll-after-outcome (SHOULD)"
        assert program.line("seen:").endswith("1 poll after the answer that ended the wait")
        program.line("polls:.*pending.*running.*completed.*completed")


def test_a_changed_scenario_takes_effect_and_a_broken_one_is_told_and_the_old_one_stays(suite: Path) -> None:
    file = suite / "outcomes" / f"{EXAMPLE}.yaml"
    text = file.read_text()
    with Program("--scenarios", str(suite)) as program:
        base_url = program.base_url
        assert poll(base_url, f"{EXAMPLE}~1")["status"] == "pending"

        file.write_text(text.replace("{status: pending}", "{status: waiting}"))
        program.line(f"{EXAMPLE}: reloaded")
        assert poll(base_url, f"{EXAMPLE}~2")["status"] == "waiting"

        file.write_text(text.replace("{status: pending}", "{stauts: pending}"))
        program.line(f"{EXAMPLE}: failed to load; the previous version stays in use")
        program.line(r"completes-after-3-polls\.yaml:\d+:\d+: a step has no key 'stauts'")
        program.line("did you mean 'status'")
        assert poll(base_url, f"{EXAMPLE}~3")["status"] == "waiting"

        file.write_text(text)
        program.line(f"{EXAMPLE}: reloaded")
        assert poll(base_url, f"{EXAMPLE}~4")["status"] == "pending"


def test_what_a_client_sends_reaches_the_terminal_escaped() -> None:
    with Program("--judge") as program:
        base_url = program.base_url
        for _ in range(3):
            poll(base_url, f"{EXAMPLE}~%1b%5b2J")

        assert program.line("done after").count("\x1b") == 0


# --- a terminal that takes nothing, or has gone -------------------------------------------------------


def full_pipe() -> tuple[int, int]:
    """Return the ends of a pipe that takes no byte more."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        for size in (4096, 1):
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(writer, b"." * size)
    os.set_blocking(writer, True)
    return reader, writer


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def served_into(stdout: int, port: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "waitproof", "serve", "--port", str(port), *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until_done(base_url: str, task_id: str) -> None:
    """Ask until a task's wait is over; what asks judges it, and has its verdicts printed."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):  # it does not listen yet
            poll(base_url, task_id)
            break
    while time.monotonic() < deadline:
        told = requests.get(f"{base_url}/_waitproof/tasks", timeout=LIMIT_S).json()["tasks"]
        if [task["progress"] for task in told if task["task_id"] == task_id] == ["done"]:
            return
    pytest.fail(f"the wait for {task_id} was not over within {LIMIT_S:g} s")


def test_a_terminal_that_takes_nothing_holds_up_neither_the_server_nor_its_end() -> None:
    reader, writer = full_pipe()
    port = free_port()
    try:
        with served_into(writer, port, "--judge") as process:
            until_done(f"http://127.0.0.1:{port}", "already-completed~1")

            process.terminate()

            assert process.wait(LIMIT_S) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
    finally:
        os.close(reader)
        os.close(writer)


class Held(io.StringIO):
    """A terminal that takes nothing until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = threading.Event()
        self.goes_on = threading.Event()

    def write(self, text: str) -> int:
        self.is_asked.set()
        assert self.goes_on.wait(LIMIT_S)
        return super().write(text)


def test_a_terminal_that_goes_on_is_told_how_much_it_has_missed() -> None:
    held = Held()
    terminal = Terminal(held, most=2)
    terminal.write(["one"])
    assert held.is_asked.wait(LIMIT_S)
    for lines in (["two"], ["three"], ["four", "five"], ["six"]):
        terminal.write(lines)
    assert not terminal.finish(within_s=0.01)

    held.goes_on.set()

    assert terminal.finish(within_s=LIMIT_S)
    assert held.getvalue().splitlines() == ["one", "two", "three", "… 3 lines not shown"]


def test_a_server_whose_reader_has_gone_goes_on(suite: Path) -> None:
    file = suite / "outcomes" / f"{EXAMPLE}.yaml"
    text = file.read_text()
    reader, writer = os.pipe()
    port = free_port()
    with served_into(writer, port, "--judge", "--scenarios", str(suite)) as process:
        os.close(writer)
        os.close(reader)
        base_url = f"http://127.0.0.1:{port}"
        until_done(base_url, "already-completed~1")
        with requests.get(f"{base_url}/_waitproof/events", stream=True, timeout=LIMIT_S) as events:
            told = (line for line in events.iter_lines() if line.startswith(b"data: ["))
            assert next(told) == b"data: []"
            file.write_text("summary: 7\n")
            assert EXAMPLE.encode() in next(told)
            file.write_text(text)
            assert next(told) == b"data: []"

        process.terminate()

        assert process.wait(LIMIT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


# --- wrong use ----------------------------------------------------------------------------------------


def test_a_folder_that_is_called_as_a_bundled_suite_is_and_is_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "stream").mkdir()
    with Program(cwd=tmp_path) as program:
        assert program.line("scenarios of").startswith(
            f"{len(scenario_paths(bundled_suite()))} scenarios of "
        )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--default-scenario", "completes-aftr"],
            "--default-scenario: no scenario is called 'completes-aftr'",
        ),
        (["--port", "70000"], "there is no such port"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_wrong_use_is_told_without_a_traceback(arguments: list[str], told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "waitproof", "serve", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--scenarios", "nowhere"], "--scenarios: no suite is called 'nowhere'"),
        (["--suite", "tests"], "tests: this is not a suite"),
        (["--suite", "nowhere"], "--suite: no suite is called 'nowhere'"),
        (["--suite", "stream", "--scenarios", "docs"], "--scenarios: docs has no scenario"),
        (["--poll-interval", "1"], "--poll-interval 1: this is not a duration"),
        (["--host", ""], "--host: expected a name or an address without a port, not ''"),
        (["--host", "127.0.0.1:80"], "--host: expected a name or an address without a port"),
        (["--allow-host", ""], "--allow-host: expected a name or an address without a port, not ''"),
        (["--allow-host", "http://api"], "--allow-host: expected a name or an address without a port"),
        (["--max-tasks", "0"], "--max-tasks: expected a whole number from 1 to 1,000,000,000, not '0'"),
        (["--keep", "abc"], "--keep: expected a whole number from 1 to 1,000,000,000, not 'abc'"),
        (["--keep", "1" + 400 * "0"], "--keep: expected a whole number from 1 to"),
    ],
)
def test_an_option_that_cannot_be_read_is_told_before_anything_starts(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code: object = main(["serve", "--port", "0", *arguments])
    except SystemExit as ended:
        code = ended.code

    err = capsys.readouterr().err
    assert code == 2
    assert told in err
    assert "Traceback" not in err
