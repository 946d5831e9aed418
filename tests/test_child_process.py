"""What `ChildProcess` reports of a child, whatever the child does.

How the harness ends hostile children, and what they leave behind, is also tested with each of its owners.
"""

from __future__ import annotations

import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitproof.child_process import ChildProcess, exit_text
from waitproof.lines import MAX_LINE_BYTES, LineSplitter, LineTooLongError

LIMIT_S = 10.0  # for what takes milliseconds on a quiet machine

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
READ_ALL = "import sys; sys.stdin.read()"


class Recorder:
    """Keeps everything that a child calls its owner with."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.events: list[str] = []
        self.errors: list[Exception] = []
        self.changed = threading.Condition()

    def on_line(self, line: bytes, received_ns: int) -> None:
        assert received_ns <= time.monotonic_ns()
        if line == b"refused":
            raise ValueError("refused")
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def on_trouble(self, error: Exception) -> None:
        self.errors.append(error)
        self._note(f"trouble: {error}")

    def on_closed(self, pipe: str) -> None:
        self._note(f"closed {pipe}")

    def on_exit(self, code: int) -> None:
        self._note(exit_text(code))

    def _note(self, event: str) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def wait_for(self, *, lines: int = 0, events: int = 0) -> None:
        def have_come() -> bool:
            return len(self.lines) >= lines and len(self.events) >= events

        with self.changed:
            assert self.changed.wait_for(have_come, LIMIT_S), f"only {self.lines} and {self.events} came"


class Started:
    """Starts children that are closed after the test."""

    def __init__(self) -> None:
        self.children: list[ChildProcess] = []

    def __call__(self, program: str) -> tuple[ChildProcess, Recorder]:
        owner = Recorder()
        self.children.append(ChildProcess("test", [sys.executable, "-S", "-c", program], owner))
        self.children[-1].start()
        return self.children[-1], owner


@pytest.fixture
def start() -> Iterator[Started]:
    started = Started()
    yield started
    for child in started.children:
        child.close(grace_s=0, term_s=0)


def test_lines_are_written_in_order_and_read_as_they_come(start: Started) -> None:
    child, owner = start(ECHO)
    written_ns: list[int] = []

    for number in range(100):
        child.send(b"%d\n" % number, lambda: written_ns.append(time.monotonic_ns()))
    owner.wait_for(lines=100)
    child.close(grace_s=LIMIT_S)

    assert owner.lines == [b"%d" % number for number in range(100)]
    assert written_ns == sorted(written_ns)
    assert len(written_ns) == 100
    assert (child.alive, child.exit_code, owner.events) == (False, 0, [])


def test_a_child_that_ends_by_itself_is_reported_after_its_output(start: Started) -> None:
    child, owner = start("import sys; print('one\\ntwo'); print('thr', end=''); sys.exit('no\\nroom')")

    owner.wait_for(events=1)

    assert (owner.lines, child.unfinished) == ([b"one", b"two"], b"thr")
    assert owner.events == ["exited with code 1"]
    assert (child.stderr_tail(), child.stderr_tail(1)) == (("no", "room"), ("room",))


def test_a_line_that_its_owner_cannot_handle_stops_the_reading(start: Started) -> None:
    child, owner = start(ECHO)
    for line in (b"one\n", b"refused\n", b"three\n"):
        child.send(line)

    owner.wait_for(events=1)
    child.kill()
    owner.wait_for(events=2)

    assert owner.lines == [b"one"]
    assert owner.events == ["trouble: refused", "was killed by SIGKILL"]


def test_a_line_without_end_is_reported_at_its_limit(start: Started) -> None:
    _, owner = start("import sys\nwhile True: sys.stdout.write('x' * 65536)")

    owner.wait_for(events=1)

    (error,) = owner.errors
    assert isinstance(error, LineTooLongError)
    assert (error.limit_bytes, error.start) == (MAX_LINE_BYTES, b"x" * 1000)


@pytest.mark.parametrize("pipe", ["stdin", "stdout"])
def test_a_pipe_that_a_running_child_closes_is_reported(start: Started, pipe: str) -> None:
    number = ("stdin", "stdout").index(pipe)
    child, owner = start(f"import os, time; os.close({number}); os.write(2, b'closed'); time.sleep(60)")
    deadline = time.monotonic() + LIMIT_S
    while not child.stderr_tail():
        assert time.monotonic() < deadline, "the child did not start"
        time.sleep(0.001)

    child.send(b"line\n")
    owner.wait_for(events=1)

    assert owner.events == [f"closed {pipe}"]


def test_a_child_that_ignores_the_end_of_its_stdin_and_sigterm_is_killed(start: Started) -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); "
    child, owner = start(f"{program}time.sleep(60)")
    owner.wait_for(lines=1)

    child.close(grace_s=0.1, term_s=0.1)

    assert (child.exit_code, owner.events) == (-signal.SIGKILL, [])


def test_a_child_that_does_not_read_delays_no_caller_and_its_end_stops_every_thread(start: Started) -> None:
    child, _ = start("import time; time.sleep(60)")

    began = time.monotonic()
    for _ in range(5):
        child.send(b"x" * 2_000_000 + b"\n")
    took_s = time.monotonic() - began
    child.close(grace_s=0)

    assert took_s < 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("test ")]


def test_a_child_can_be_closed_twice_and_from_its_own_callback(start: Started) -> None:
    child, owner = start(ECHO)
    closed = threading.Event()

    def close(line: bytes, received_ns: int) -> None:
        child.close(grace_s=LIMIT_S)
        closed.set()

    owner.on_line = close  # type: ignore[method-assign]
    child.send(b"line\n")

    assert closed.wait(LIMIT_S)
    child.close(grace_s=LIMIT_S)
    assert (child.alive, child.exit_code, owner.events) == (False, 0, [])


def test_a_signal_without_a_name_is_a_number() -> None:
    assert [exit_text(code) for code in (3, -9, -40)] == [
        "exited with code 3",
        "was killed by SIGKILL",
        "was killed by signal 40",
    ]


# --- lines ---


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_lines_are_the_same_however_they_arrive(stream: bytes, cuts: list[int]) -> None:
    splitter = LineSplitter()
    edges = [0, *sorted(cuts), len(stream)]

    lines = [line for start, end in itertools.pairwise(edges) for line in splitter.feed(stream[start:end])]

    assert [*lines, splitter.rest] == stream.split(b"\n")


def test_a_line_over_the_limit_is_refused_after_the_lines_before_it_were_yielded() -> None:
    lines: list[bytes] = []

    with pytest.raises(LineTooLongError, match="a line on stdout is longer than 4 bytes"):
        lines.extend(LineSplitter(limit_bytes=4).feed(b"1234\n12345"))

    assert list(LineSplitter(limit_bytes=4).feed(b"1234\n1234\n")) == [b"1234", b"1234"]
