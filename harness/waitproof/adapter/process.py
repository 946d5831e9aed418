"""The harness's side of the adapter protocol: one running adapter, whatever it does.

Each process has four threads: one reads stdout, one reads stderr, one writes stdin, one waits for the
exit. So an adapter that does not read delays no caller, and none can stop the harness. What a line means
is `protocol`'s business; how long a call may take, and what its answer is worth, is the caller's.

The first trouble marks the process as failed, for good: every call in flight and every later one gets an
`AdapterError`, and stdout is read no further, so that a babbling adapter costs no computing time.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import os
import queue
import selectors
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from waitproof.errors import AdapterError, HarnessError, Mistake
from waitproof.protocol import (
    Answer,
    BrokenAdapterError,
    Hello,
    LineSplitter,
    LogLine,
    Op,
    check_answer,
    read_answer,
    read_hello,
    shortened,
    write_hello,
    write_request,
)

__all__ = ["AdapterCommand", "AdapterProcess", "PendingCall", "clean_environment", "close_all"]

_CHUNK_BYTES = 64 * 1024  # what a pipe holds on Linux
_MAX_LOG_LINES = 100  # the last of them is the error
_MAX_STDERR_LINES = 200
_MAX_TEXT_CHARS = 2000  # kept of each line that is only shown to people
_DRAIN_S = 1.0  # for output of a dead process: nobody writes any more, unless a child left its group
_TERM_S = 1.0  # between SIGTERM and SIGKILL
_END_S = 5.0  # for the kernel to end a killed process, and for threads that have been told to stop


@dataclass(frozen=True)
class AdapterCommand:
    """How to start an adapter.

    Attributes:
        name: What messages call it.
        argv: The program and its arguments.
        cwd: The working directory, the adapter's folder.
        env: Variables on top of the cleaned environment.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)


class PendingCall:
    """One call that was sent, and what became of it.

    Attributes:
        id: The call's id, drawn by the process.
        request: The request as it is written.
        sent_ns: `time.monotonic_ns()` just before its first byte was written, None until then.
        received_ns: The same when the answer's last bytes had been read, None until then.
        answer: The answer, None until there is one.
        error: Why no answer will come any more, None while one may.
    """

    def __init__(self, call_id: str, op: Op, request: dict[str, Any]) -> None:
        self.id = call_id
        self.op = op
        self.request = request
        self.sent_ns: int | None = None
        self.received_ns: int | None = None
        self.answer: Answer | None = None
        self.error: AdapterError | HarnessError | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the answer or the error; return False when neither came within `timeout_s`."""
        return self._done.wait(timeout_s)

    def succeed(self, answer: Answer, received_ns: int) -> None:
        """Set the answer; only the process does that."""
        self.answer = answer
        self.received_ns = received_ns
        self._done.set()

    def fail(self, error: AdapterError | HarnessError) -> None:
        """Set the error; only the process does that."""
        self.error = error
        self._done.set()


class AdapterProcess:
    """A running adapter; also a context manager that closes it."""

    def __init__(
        self, command: AdapterCommand, *, clean: Collection[str] = (), start_limit_s: float = 30.0
    ) -> None:
        """Start the adapter.

        Args:
            command: What to start.
            clean: Names of variables to remove, besides those of every `clean_environment`.
            start_limit_s: How long after its start the adapter may take to answer hello.

        Raises:
            AdapterError: The program cannot be started.
        """
        self.command = command
        self._lock = threading.Lock()
        self._ids = 0
        self._pending: dict[str, PendingCall] = {}
        self._failure: AdapterError | HarnessError | None = None
        self._closing = False
        self._log: list[str] = []
        self._hello_sent = False
        self._hello: Hello | None = None
        self._greeted = threading.Event()  # hello was answered, or never will be
        self._exit_code: int | None = None
        self._exited = threading.Event()
        self._close_lock = threading.Lock()
        self._closed = False
        self._outbox: queue.SimpleQueue[tuple[PendingCall | None, bytes] | None] = queue.SimpleQueue()
        self._stderr = _Tail()
        self._unfinished = b""  # what stdout ended with, after its last LF
        self._signal_lock = threading.Lock()  # a group is signalled only while its leader is not reaped
        self._start_limit_s = start_limit_s
        # Reads and writes wait for their pipe or for this one: closing its other end stops them all. A
        # pipe can outlive the process, when a child that left the group has inherited it.
        self._stop_read, self._stop_write = os.pipe()
        try:
            self._process = _start(command, clean_environment(os.environ, clean, command.env))
        except AdapterError:
            os.close(self._stop_read)
            os.close(self._stop_write)
            raise
        self._hello_deadline = time.monotonic() + start_limit_s
        self._readers = [
            self._thread("stdout", self._read_stdout),
            self._thread("stderr", self._read_stderr),
        ]
        self._threads = [
            *self._readers,
            self._thread("stdin", self._write_stdin),
            self._thread("exit", self._wait_for_exit),
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self._exited.is_set()

    @property
    def pid(self) -> int:
        """The process's id, also that of its group; after its end the system may give it to another."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code, minus a signal's number, or None while the process runs."""
        return self._exit_code

    @property
    def failure(self) -> AdapterError | HarnessError | None:
        """The first trouble, or None; `BrokenAdapterError` has the last lines of stderr at that time."""
        return self._failure

    @property
    def log_lines(self) -> tuple[str, ...]:
        """Lines of stdout that were no objects, the oldest first; at most a hundred, each cut."""
        with self._lock:
            return tuple(self._log)

    def stderr_tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines of stderr, the oldest first, an unfinished one included."""
        return self._stderr.lines(lines)

    def hello(self, *, base_url: str, api_key: str, api_secret: str) -> Hello:
        """Introduce the harness, once, and return the adapter's answer.

        Raises:
            AdapterError: The process failed, or did not answer within its start limit.
        """
        with self._lock:
            if self._hello_sent:
                raise HarnessError(f"{self.command.name}: hello was sent twice")
            self._hello_sent = True
        line = write_hello(base_url=base_url, api_key=api_key, api_secret=api_secret)
        self._outbox.put((None, line))
        if not self._greeted.wait(max(0.0, self._hello_deadline - time.monotonic())):
            said = self.log_lines or self.stderr_tail(1)
            self._fail(
                Mistake(
                    "",
                    f"no answer to hello within {self._start_limit_s:g} s; the process is alive",
                    found=_row(said[-1]) if said else "",
                    expected='one line {"op":"hello","protocol":1,...}, flushed',
                    fix=self._by_hand(),
                )
            )
        if self._failure is None and self._hello is not None:
            return self._hello
        raise self._failure or HarnessError(f"{self.command.name}: neither a hello nor a failure came")

    def send(self, op: str, **members: Any) -> PendingCall:
        """Hand a call to the writer and return at once; a failed process fails the call at once.

        Args:
            op: One of `Op`.
            members: The request's other members, as the protocol names them.
        """
        with self._lock:
            self._ids += 1
            call_id = str(self._ids)
        request, line = write_request(call_id, Op(op), members)
        call = PendingCall(call_id, Op(op), request)
        with self._lock:
            if self._failure is not None:
                call.fail(self._failure)
            elif self._closing:
                call.fail(self._error(Mistake("", f"was ended by the harness before call {call_id}")))
            else:
                self._pending[call_id] = call
                self._outbox.put((call, line))
        return call

    def close(self, grace_s: float = 2.0) -> None:
        """End the adapter and everything in its process group; never raises, and may be called again.

        Args:
            grace_s: How long the adapter may take to finish what is in flight after the end of its stdin;
                a failed one gets none.
        """
        with self._close_lock:  # a second closer waits for the first; after an interrupt it starts again
            if self._closed:
                return
            with self._lock:
                self._closing = True
                if self._hello is None and self._failure is None:  # somebody may be waiting for it
                    self._failure = self._error(
                        Mistake("", "was ended by the harness before it answered hello")
                    )
            self._greeted.set()
            self._outbox.put(None)
            self._end(grace_s if self._failure is None else 0)
            _join(self._readers, _DRAIN_S)
            if self._stop_write >= 0:
                os.close(self._stop_write)
                self._stop_write = -1
            if _join(self._threads, _END_S):
                os.close(self._stop_read)
                for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
                    _close(pipe)
            self._closed = True
        with self._lock:
            calls = list(self._pending.values())
            self._pending.clear()
        for call in calls:
            fact = f"was ended by the harness before it answered call {call.id}"
            call.fail(self._failure or self._error(Mistake("", fact)))

    def _end(self, grace_s: float) -> None:
        if not self._exited.wait(grace_s):
            self._signal(signal.SIGTERM)
            if not self._exited.wait(_TERM_S):
                self._signal(signal.SIGKILL)
                self._exited.wait(_END_S)

    def _signal(self, number: signal.Signals) -> None:
        with self._signal_lock:
            if not self._exited.is_set():
                _signal_group(self._process.pid, number)

    def _thread(self, what: str, body: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                body()
            except Exception as error:  # noqa: BLE001 - a thread that dies silently would be taken for a mute SDK
                self._fail(HarnessError(f"{self.command.name}: reading its {what} failed: {error!r}"))

        return threading.Thread(target=run, name=f"{self.command.name} {what}", daemon=True)

    def _read_stdout(self) -> None:
        splitter = LineSplitter()
        with _Pipe(self._process.stdout, selectors.EVENT_READ, self._stop_read) as pipe:
            while chunk := pipe.read():
                received_ns = time.monotonic_ns()
                try:
                    for line in splitter.feed(chunk):
                        self._take(line, received_ns)
                except BrokenAdapterError as error:
                    self._fail(error.mistake)
                if self._failure is not None:
                    return
        self._unfinished = splitter.rest
        if not pipe.stopped:
            self._gone("closed its stdout, but runs on")

    def _read_stderr(self) -> None:
        with _Pipe(self._process.stderr, selectors.EVENT_READ, self._stop_read) as pipe:
            while chunk := pipe.read():
                self._stderr.feed(chunk)

    def _write_stdin(self) -> None:
        broken = False
        with _Pipe(self._process.stdin, selectors.EVENT_WRITE, self._stop_read) as pipe:
            while (item := self._outbox.get()) is not None and self._failure is None and pipe.wait():
                call, line = item
                if call is not None:
                    call.sent_ns = time.monotonic_ns()
                if broken := not pipe.write(line):
                    break
        _close(self._process.stdin)
        if broken and not pipe.stopped:
            self._gone("closed its stdin, but runs on")

    def _wait_for_exit(self) -> None:
        if hasattr(os, "waitid"):  # it leaves the dead leader in place, and with it the group's number
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        died = not self._closing
        with self._signal_lock:
            _signal_group(self._process.pid, signal.SIGKILL)  # children that it left behind
            self._exit_code = self._process.wait()
            self._exited.set()
        _join(self._readers, _DRAIN_S)
        if died:
            self._fail_by_exit(self._exit_code)

    def _take(self, line: bytes, received_ns: int) -> None:
        if self._hello is None:
            message = read_hello(line)
            if isinstance(message, Hello):
                self._hello = message
                self._greeted.set()
                return
        else:
            answer = read_answer(line)
            if isinstance(answer, Answer):
                self._owed(answer, line).succeed(answer, received_ns)
                return
            message = answer
        self._keep(message, line)

    def _owed(self, answer: Answer, line: bytes) -> PendingCall:
        """Strike out the call that this answers, once the answer is known to fit it."""
        with self._lock:
            call = self._pending.pop(answer.id, None)
            last_id = self._ids
        if call is None:
            known = answer.id in map(str, range(1, last_id + 1))
            fact = f"answered call {answer.id} twice" if known else "answered a call that was never made"
            raise BrokenAdapterError(
                Mistake(
                    "",
                    fact,
                    found=shortened(line),
                    expected="one answer to each call, with the id of that call",
                )
            )
        try:
            check_answer(call.op, answer, line)
        except BrokenAdapterError:
            with self._lock:
                self._pending[call.id] = call  # to fail with the others
            raise
        return call

    def _keep(self, message: LogLine, line: bytes) -> None:
        with self._lock:
            self._log.append(_cut(message.text))
            too_many = len(self._log) >= _MAX_LOG_LINES
        if too_many:
            raise BrokenAdapterError(
                Mistake(
                    "",
                    f"printed {_MAX_LOG_LINES} lines to stdout that are no answers",
                    found=shortened(line),
                    expected="answers alone on stdout; a few lines that an SDK prints are tolerated",
                    fix="print to stderr",
                )
            )

    def _gone(self, fact: str) -> None:
        """Fail with `fact`, unless a pipe ended because its process did: then the exit says more."""
        if not self._exited.wait(_DRAIN_S) and not self._closing:
            found = shortened(self._unfinished)
            self._fail(Mistake("", fact, found=found, expected="both pipes open until the end of stdin"))

    def _fail_by_exit(self, code: int) -> None:
        end = _end_text(code)
        stderr = self.stderr_tail(1)
        found = shortened(self._unfinished) or (_row(stderr[-1]) if stderr else "")

        def mistake(what: str) -> Mistake:
            return Mistake("", f"{end} {what}", found=found, fix=self._by_hand())

        with self._lock:
            waiting = next(iter(self._pending), None)
        if self._hello is None:
            self._fail(mistake("before it answered hello"))
        elif waiting is None:
            self._fail(mistake("with no call in flight"))
        else:
            self._fail(
                mistake(f"before it answered call {waiting}"),
                lambda call: mistake(f"before it answered call {call.id}"),
            )

    def _fail(
        self, trouble: Mistake | HarnessError, each: Callable[[PendingCall], Mistake] | None = None
    ) -> None:
        """Fail the process, unless it has failed, and with it every call in flight."""
        own = trouble if isinstance(trouble, HarnessError) else self._error(trouble)
        with self._lock:
            self._failure = error = self._failure or own
            calls = list(self._pending.values())
            self._pending.clear()
        for call in calls:
            call.fail(error if each is None else self._error(each(call)))
        self._greeted.set()
        self._outbox.put(None)

    def _error(self, mistake: Mistake) -> BrokenAdapterError:
        return BrokenAdapterError(
            dataclasses.replace(mistake, place=self.command.name), stderr=self.stderr_tail()
        )

    def _by_hand(self) -> str:
        return f"run it by hand: cd {shlex.quote(str(self.command.cwd))} && {shlex.join(self.command.argv)}"


class _Pipe:
    """Our end of a pipe, made non-blocking, and the wait for it or for the stop."""

    def __init__(self, pipe: IO[bytes] | None, event: int, stop: int) -> None:
        if pipe is None:
            raise HarnessError("an adapter was started without its pipes")
        self.stopped = False
        self._descriptor = pipe.fileno()
        self._stop = stop
        os.set_blocking(self._descriptor, False)  # of our end alone: the adapter's is as it expects
        self._selector = selectors.PollSelector()  # select() ends at descriptor 1023
        self._selector.register(self._descriptor, event)
        self._selector.register(stop, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._selector.close()

    def wait(self) -> bool:
        """Wait until the pipe is ready; return False when it was stopped instead."""
        self.stopped = any(key.fd == self._stop for key, _ in self._selector.select())
        return not self.stopped

    def read(self) -> bytes:
        """Return the next bytes, or b"" at the end or when stopped."""
        while self.wait():
            with contextlib.suppress(BlockingIOError):
                return os.read(self._descriptor, _CHUNK_BYTES)
        return b""

    def write(self, line: bytes) -> bool:
        """Write all of it; return False when stopped, or when nobody reads any more."""
        rest = memoryview(line)
        while rest and self.wait():
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return not rest


class _Tail:
    """The last lines of a stream, in bounded memory whatever comes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: collections.deque[str] = collections.deque(maxlen=_MAX_STDERR_LINES)
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        head, *others = chunk.split(b"\n")
        with self._lock:
            self._rest = _start_of(self._rest + head)
            for other in others:
                self._lines.append(_text(self._rest))
                self._rest = _start_of(other)

    def lines(self, count: int) -> tuple[str, ...]:
        with self._lock:
            lines = (*self._lines, _text(self._rest)) if self._rest else tuple(self._lines)
        return lines[max(0, len(lines) - count) :]


def clean_environment(
    environment: Mapping[str, str], clean: Collection[str], extra: Mapping[str, str]
) -> dict[str, str]:
    """Return an adapter's environment.

    Args:
        environment: What is inherited, less every `*_proxy` in any case, JAVA_TOOL_OPTIONS (the JVM
            announces it on stderr, and it changes any program) and `clean`.
        clean: More names to remove: the SDK's own settings, as the contract lists them.
        extra: What the adapter's folder sets; it wins.
    """
    removed = {"JAVA_TOOL_OPTIONS", *clean}
    kept = {
        name: value
        for name, value in environment.items()
        if name not in removed and not name.lower().endswith("_proxy")
    }
    return {**kept, **extra}


def close_all(processes: Iterable[AdapterProcess], grace_s: float = 2.0) -> None:
    """Close processes, all at once: it takes as long as the slowest."""
    threads = [threading.Thread(target=process.close, args=(grace_s,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _start(command: AdapterCommand, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    program = command.argv[0] if command.argv else ""
    if not program:
        raise _cannot_start(command, "its command is empty", "")
    if not command.cwd.is_dir():
        raise _cannot_start(command, f"its folder {str(command.cwd)!r} is missing", "")
    try:
        return subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=environment,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        fact = f"no such program: {program!r}"
        raise _cannot_start(command, fact, "install it, or the program that its #! line names") from None
    except PermissionError:
        fix = f"make it executable: chmod +x {shlex.quote(program)}"
        raise _cannot_start(command, f"{program!r} is not executable", fix) from None
    except (OSError, ValueError) as error:  # no #! line; a NUL in an argument; a '=' in a variable's name
        raise _cannot_start(command, str(error), "") from None


def _cannot_start(command: AdapterCommand, why: str, fix: str) -> BrokenAdapterError:
    fact = f"cannot be started: {why}"
    return BrokenAdapterError(Mistake(command.name, fact, found=shlex.join(command.argv), fix=fix))


def _join(threads: Collection[threading.Thread], limit_s: float) -> bool:
    """Wait for all of them together; return whether all have ended."""
    deadline = time.monotonic() + limit_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM when only zombies are left
        os.killpg(group, number)


def _end_text(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal has no name
        return f"was killed by signal {-code}"


def _start_of(line: bytes) -> bytes:
    return line[
        : 4 * _MAX_TEXT_CHARS + 4
    ]  # four bytes a character at most, and one more shows that it was cut


def _text(line: bytes) -> str:
    return _cut(line.rstrip(b"\r").decode("utf-8", "replace"))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[:_MAX_TEXT_CHARS]}…"


def _row(text: str) -> str:
    return shortened(text.encode("utf-8", "backslashreplace"))


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()
