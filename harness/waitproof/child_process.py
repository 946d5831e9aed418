"""A program that speaks JSON Lines over its pipes: started, written to, read from, and ended with its group.

`ChildProcess` owns the process and four threads: one writes stdin, one reads stdout, one reads stderr, one
waits for the exit. A child that does not read delays no caller, and no child can stop the harness. What a
line means, and what a failure means, is up to the owner, which is called back.

One fact to know before reading on: a pipe can outlive its process, when a grandchild that left the process
group has inherited it. So every thread waits for its pipe or for a stop pipe, whichever comes first.
"""

from __future__ import annotations

import contextlib
import os
import queue
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol, Self

from waitproof.guardian import guard, release
from waitproof.lines import Digest, LineSplitter, LineTooLongError, Tail

__all__ = ["ChildOwner", "ChildProcess", "LineTooLongError", "Owner", "exit_text"]

CHUNK_BYTES = 64 * 1024  # the capacity of a pipe on Linux
DRAIN_S = 1.0  # to read what a dead process left in its pipes; only a grandchild can write any more
TERM_S = 1.0  # between SIGTERM and SIGKILL
KILL_S = 5.0  # for the kernel to end a killed process, and for our threads to stop


class Owner(Protocol):
    """What is called back, each time by one of the child's own threads and without a lock."""

    def on_line(self, line: bytes, received_ns: int) -> None:
        """Handle a line of stdout.

        Args:
            line: Without its LF.
            received_ns: `time.monotonic_ns()` when its last bytes had been read.

        An exception stops the reading of stdout and goes to `on_trouble`.
        """

    def on_trouble(self, error: Exception) -> None:
        """Handle an exception of `on_line`, a `LineTooLongError`, or a pipe that failed."""

    def on_closed(self, pipe: str) -> None:
        """Handle a child that closed its `stdin` or `stdout` and still runs."""

    def on_exit(self, code: int) -> None:
        """Handle a child that ended by itself, after its output has been read; not called after `close`.

        Args:
            code: Its exit code, or minus the number of the signal that killed it.
        """


class ChildProcess:
    """A running child process, the leader of its own process group.

    Attributes:
        pid: The id of the process and of its group; after its end the system may use it again.
        exit_code: Its exit code, minus the number of the signal that killed it, or None while it runs.
        died: It ended before the end of its stdin, or by a signal that was not ours; known once it has ended.
        unfinished: What stdout ended with after its last LF.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        owner: Owner,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start the process; nothing is written or read before `start`.

        Args:
            name: What our threads are named after.
            argv: The program and its arguments.
            owner: What is called back.
            cwd: The working directory, None for ours.
            env: The environment, None for ours.

        Raises:
            OSError: The program cannot be started.
            ValueError: An argument or a variable contains a NUL, or a variable's name a `=`.
        """
        self.unfinished = b""
        self.died = False
        self._owner = owner
        self._closing = False
        self._closed = False
        self._input_ended = False
        self._signals: set[int] = set()  # those that we sent while it ran
        self._close_lock = threading.Lock()
        self.exit_code: int | None = None
        self._exited = threading.Event()
        self._signal_lock = threading.Lock()  # a group is signalled only while its leader is not reaped
        self._outbox: queue.SimpleQueue[tuple[bytes, Callable[[], object]] | None] = queue.SimpleQueue()
        self._tail = Tail()
        self._process = subprocess.Popen(  # noqa: S603 - the owner decides what runs
            argv,
            cwd=cwd,
            env=env,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a terminal sends Ctrl-C to a whole group, and we decide who ends
        )
        self.pid = self._process.pid
        guard(self.pid)
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None and stdout is not None and stderr is not None  # noqa: PT018 - for mypy
        self._stdin, self._stdout, self._stderr = self._pipes = stdin, stdout, stderr
        self._stop_read, self._stop_write = os.pipe()
        self._readers = [
            self._thread(f"{name} stdout", self._read_stdout),
            self._thread(f"{name} stderr", self._read_stderr),
        ]
        self._threads = [
            *self._readers,
            self._thread(f"{name} stdin", self._write_stdin),
            self._thread(f"{name} exit", self._wait_for_exit),
        ]

    def start(self) -> None:
        """Begin to write, to read and to call the owner; call it once, right after the constructor.

        It is separate so that the owner can keep the child before it is called back.
        """
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self._exited.is_set()

    def stderr_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines of stderr, the oldest first, an unfinished one included."""
        return self._tail.lines(lines)

    def stderr_digest(self) -> Digest:
        """Return how much it wrote to stderr, in short."""
        return self._tail.digest()

    def send(self, line: bytes, before_write: Callable[[], object] = lambda: None) -> None:
        """Queue a line, and return at once.

        Args:
            line: With its LF.
            before_write: Called just before the first byte is written, by the thread that writes.
        """
        self._outbox.put((line, before_write))

    def end_input(self) -> None:
        """Close the child's stdin once the queued lines have been written; may be called again."""
        self._input_ended = True
        self._outbox.put(None)

    def finish(self, limit_s: float) -> bool:
        """Close the child's stdin, and return whether it has ended by itself within so many seconds."""
        self._closing = True
        self.end_input()
        return self._exited.wait(limit_s)

    def kill(self) -> None:
        """Kill the process group, without waiting for its end."""
        self._signal(signal.SIGKILL)

    def close(self, grace_s: float, term_s: float = TERM_S) -> None:
        """End stdin, then the process and everything in its group; never raises, and may be called again.

        Args:
            grace_s: How long the process may go on after the end of its stdin, before SIGTERM.
            term_s: How long it may go on after SIGTERM, before SIGKILL; 0 to kill it at once.
        """
        with self._close_lock:  # a second caller waits for the first; after an interrupt it starts again
            if self._closed:
                return
            self._closing = True
            self.end_input()
            if not self._exited.wait(grace_s) and term_s:
                self._signal(signal.SIGTERM)
                self._exited.wait(term_s)
            self.kill()
            self._exited.wait(KILL_S)
            _join(self._readers, DRAIN_S)
            if self._stop_write >= 0:
                os.close(self._stop_write)
                self._stop_write = -1
            if _join(self._threads, KILL_S):
                os.close(self._stop_read)
                for pipe in self._pipes:
                    pipe.close()
                self._closed = True

    def _thread(self, name: str, body: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                body()
            except Exception as error:  # noqa: BLE001 - a thread that ends silently looks like a mute child
                self._owner.on_trouble(error)

        return threading.Thread(target=run, name=name, daemon=True)

    def _read_stdout(self) -> None:
        splitter = LineSplitter()
        with _Pipe(self._stdout, selectors.EVENT_READ, self._stop_read) as pipe:
            while chunk := pipe.read():
                received_ns = time.monotonic_ns()
                for line in splitter.feed(chunk):
                    self._owner.on_line(line, received_ns)
        self.unfinished = splitter.rest
        if not pipe.stopped:
            self._report_closed("stdout")

    def _read_stderr(self) -> None:
        with _Pipe(self._stderr, selectors.EVENT_READ, self._stop_read) as pipe:
            while chunk := pipe.read():
                self._tail.feed(chunk)

    def _write_stdin(self) -> None:
        is_open = True
        with _Pipe(self._stdin, selectors.EVENT_WRITE, self._stop_read) as pipe:
            while is_open and (item := self._outbox.get()) is not None and pipe.wait():
                line, before_write = item
                before_write()
                is_open = pipe.write(line)
        self._stdin.close()
        if not is_open and not pipe.stopped:
            self._report_closed("stdin")

    def _report_closed(self, pipe: str) -> None:
        """Report a pipe that ended, unless the process ended too: `on_exit` says more."""
        if not self._exited.wait(DRAIN_S) and not self._closing:
            self._owner.on_closed(pipe)

    def _wait_for_exit(self) -> None:
        if hasattr(os, "waitid"):  # it leaves the dead leader in place, and with it the group's number
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        is_expected, is_expected_to_end = self._closing, self._input_ended
        with self._signal_lock:
            self._signal_group(signal.SIGKILL)  # children that it left behind
            release(self.pid)
            code = self.exit_code = self._process.wait()
            self.died = not is_expected_to_end or (code < 0 and -code not in self._signals)
            self._exited.set()
        _join(self._readers, DRAIN_S)
        if not is_expected:
            self._owner.on_exit(code)

    def _signal(self, number: signal.Signals) -> None:
        with self._signal_lock:
            if not self._exited.is_set():
                self._signals.add(number)
                self._signal_group(number)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
            os.killpg(self.pid, number)


class ChildOwner:
    """What a child is to those who work with its owner; also a context manager that closes it."""

    _child: ChildProcess

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        """The process's id, also that of its group; after its end the system may give it to another."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child.alive

    @property
    def exit_code(self) -> int | None:
        """The exit code, minus the number of the signal that killed it, or None while the process runs."""
        return self._child.exit_code

    @property
    def died(self) -> bool:
        """Whether it ended before the end of its stdin, or by a signal that was not ours."""
        return self._child.died

    def stderr_digest(self) -> Digest:
        """Return how much it wrote to stderr, in short."""
        return self._child.stderr_digest()

    def stderr_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines of stderr, the oldest first, an unfinished one included."""
        return self._child.stderr_tail(lines)


def exit_text(code: int) -> str:
    """Return how a process ended: `exited with code 3` or `was killed by SIGKILL`."""
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


class _Pipe:
    """Our end of a pipe, made non-blocking, and the wait for it or for the stop pipe."""

    def __init__(self, pipe: IO[bytes], event: int, stop: int) -> None:
        self.stopped = False
        self._descriptor = pipe.fileno()
        os.set_blocking(self._descriptor, False)  # of our end alone: the child's is as it expects
        self._selector = selectors.PollSelector()  # select() ends at descriptor 1023
        self._selector.register(self._descriptor, event)
        self._selector.register(stop, selectors.EVENT_READ)
        self._stop = stop

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    def wait(self) -> bool:
        """Wait until the pipe is ready; return False when it was stopped instead."""
        self.stopped = any(key.fd == self._stop for key, _ in self._selector.select())
        return not self.stopped

    def read(self) -> bytes:
        """Return the next bytes, or b"" at the end or when stopped."""
        while self.wait():
            with contextlib.suppress(BlockingIOError):
                return os.read(self._descriptor, CHUNK_BYTES)
        return b""

    def write(self, line: bytes) -> bool:
        """Write the whole line; return False when stopped, or when nobody reads any more."""
        rest = memoryview(line)
        while rest and self.wait():
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return not rest


def _join(threads: Collection[threading.Thread], limit_s: float) -> bool:
    """Wait for all threads together, except the calling one; return whether all have ended."""
    deadline = time.monotonic() + limit_s
    for thread in threads:
        if thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)
