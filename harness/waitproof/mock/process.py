"""The mock server as a process of its own, and both ends of the JSON Lines between it and the harness.

A server that is a thread beside a Python thread that computes stamps its polls late, by hundreds of
milliseconds at worst. So a run starts `ServerProcess`; its child is this module run as a program, which
serves, pushes every request twice (on arrival and at its end) and what its lag meter sees.

One fact to know before reading on: the end of its stdin ends the child, so it never outlives the harness,
however that dies. In both processes one thread writes, fed by a queue: a slow reader never holds up whoever
has something to say.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.judge.journal import Ended, JournalEntry
from waitproof.mock.lag import LagMeter, worst_lag_s
from waitproof.mock.server import TaskServer, is_stray, raise_file_limit
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Step

__all__ = ["ServerProcess", "TaskPlan", "main"]

ACKNOWLEDGE_LIMIT_S = 10.0  # a child that is alive takes a millisecond, a stopped one would take for ever
END_S = 1.2  # for a child to end by itself, before it is killed
JOIN_S = 0.3  # for threads whose pipes have ended
FLUSH_S = 0.3  # for a parent to read the last lines of a child that ends
BATCH = 200  # lines written at once
CHILD_JOURNAL = 1_000  # the parent keeps the journal, the child only what it is just serving
MAX_LAGS = 10_000
MAX_STDERR_LINES = 20
MAX_LINE_CHARS = 2_000
FAILED_TO_START = 3

# Not `-m`: it would let a file of the user's folder, named like one of ours, be imported in its place.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); from waitproof.mock.process import main; sys.exit(main())"
)


@dataclass(frozen=True)
class TaskPlan:
    """One task to serve.

    Attributes:
        task_id: Its id; a whole number stays one in bodies.
        steps: What it answers, one step at least; the last repeats.
        token: What an operation's body must contain to be given this task; "" where none begins it.
        n: Number of the copy, for `${n}`.
    """

    task_id: str | int
    steps: tuple[Step, ...]
    token: str = ""
    n: int = 1


# --- the harness's end --------------------------------------------------------------------------------


class ServerProcess:
    """A mock server in a process of its own; also a context manager that closes it.

    Every method but `close` raises HarnessError once the child has died; what it has sent until then is
    lost with it, for a journal that may lack polls must not be judged.
    """

    def __init__(
        self, contract: Contract, *, host: str = "127.0.0.1", port: int = 0, start_limit_s: float = 20.0
    ) -> None:
        """Start the server and wait until it listens.

        Args:
            contract: What the API looks like.
            host: Address to listen on.
            port: Port, 0 for one that the system chooses.
            start_limit_s: How long the start may take.

        Raises:
            InputError: Nothing can listen on that host and port.
            HarnessError: The child does not start, in time or at all.
        """
        self._changed = threading.Condition()
        self._changes = 0
        self._entries: dict[int, JournalEntry] = {}
        self._serials: dict[str | None, dict[int, None]] = {}  # by task; sets that keep their order
        self._lags: deque[tuple[int, float]] = deque(maxlen=MAX_LAGS)
        self._callbacks: list[Callable[[JournalEntry], None]] = []
        self._requests = 0
        self._acknowledged: dict[int, str] = {}  # by number of the request: why it was refused, or ""
        self._port: int | None = None
        self._refused: InputError | HarnessError | None = None
        self._failure: HarnessError | None = None
        self._closing = False
        self._is_over = False  # nothing comes in any more
        self._stderr: deque[str] = deque(maxlen=MAX_STDERR_LINES)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

        self._host = host
        self._process = _start_child()
        self._stderr_thread = self._thread("stderr", self._read_stderr)
        self._reader = self._thread("stdout", self._read_stdout)
        self._writer = self._thread("stdin", self._write_stdin)
        text = contract.model_dump(mode="json", by_alias=True, exclude_unset=True)
        self._outbox.put(_line({"contract": text, "host": host, "port": port}))
        try:
            self._await_start(start_limit_s)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def base_url(self) -> str:
        """Where the server listens: `http://127.0.0.1:8080`, without a slash at the end."""
        return f"http://{TaskServer.format_host(self._host)}:{self._port}"

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process.poll() is None

    @property
    def failure(self) -> HarnessError | None:
        """Why the server is of no use any more, or None; a close is no failure."""
        return self._failure

    def create(self, tasks: Sequence[TaskPlan]) -> None:
        """Let tasks begin with their next polls, and return when the server knows them.

        Raises:
            HarnessError: The server died or did not acknowledge them in time.
        """
        self._request({"op": "create", "tasks": [_plan_to_json(task) for task in tasks]})

    def forget(self, task_ids: Iterable[str | int]) -> None:
        """Let the server drop tasks, whose ids it does not know from now on; what was seen of them stays."""
        self._request({"op": "forget", "task_ids": [str(task_id) for task_id in task_ids]})

    def settle(self) -> None:
        """Return when everything has come in that the server had put on record by now.

        A poll is put on record before it is answered, its end a moment after: so the poll whose answer a
        caller has just seen is among `entries`, but may stand there as in flight for a moment longer.
        """
        self._request({"op": "settle"})

    def entries(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        """Return all that concerns a task, in order of arrival, each entry in its newest state."""
        with self._changed:
            self._check()
            return tuple(self._entries[serial] for serial in sorted(self._serials.get(str(task_id), ())))

    def strays(self) -> tuple[JournalEntry, ...]:
        """Return the requests that concern no task and that nothing was there to answer."""
        with self._changed:
            self._check()
            entries = [self._entries[serial] for serial in sorted(self._serials.get(None, ()))]
        return tuple(entry for entry in entries if is_stray(entry))

    def wait_for(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until something holds; it is asked again after each change of an entry.

        A close ends the wait.

        Args:
            holds: Looks at `entries` or `strays`; called with the lock held that they take.
            within_s: How long to wait at most.

        Returns:
            Whether it holds.
        """
        with self._changed:
            held = self._changed.wait_for(lambda: self._is_over or holds(), within_s)
            self._check()
            return held and holds()

    def wait_for_entry_change(self, timeout_s: float) -> bool:
        """Wait for the next arrival or end of a request; return False when there was none in time."""
        with self._changed:
            before = self._changes
        return self.wait_for(lambda: self._changes != before, timeout_s)

    def subscribe(self, callback: Callable[[JournalEntry], None]) -> None:
        """Have a function called for each arrival and end of a request, from now on.

        It is called by the thread that reads, without a lock; while it runs, nothing comes in.
        """
        with self._changed:
            self._callbacks = [*self._callbacks, callback]

    def worst_lag_s(self, start_ns: int, end_ns: int) -> float:
        """Return by how much the server's process woke too late in a span of time, 0.0 for never.

        Args:
            start_ns: Start of the span, in nanoseconds of the monotonic clock.
            end_ns: Its end.
        """
        with self._changed:
            self._check()
            return worst_lag_s(tuple(self._lags), start_ns, end_ns)

    def close(self) -> None:
        """End the server within two seconds; never raises, and may be called again."""
        with self._changed:
            self._closing = True
        self._outbox.put(None)
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for thread in (self._reader, self._stderr_thread, self._writer):
            if thread is not threading.current_thread():  # a subscriber may close us
                thread.join(JOIN_S)

    # --- inside

    def _thread(self, what: str, body: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=body, name=f"mock server {what}", daemon=True)
        thread.start()
        return thread

    def _await_start(self, limit_s: float) -> None:
        def is_over() -> bool:
            return self._port is not None or self._refused is not None or self._is_over

        with self._changed:
            over = self._changed.wait_for(is_over, limit_s)
            if self._refused is not None:
                raise self._refused
            self._check()
        if not over:
            raise HarnessError(self._told(f"the mock server did not start within {limit_s:g} s"))

    def _request(self, message: dict[str, Any]) -> None:
        with self._changed:
            self._check()
            if self._closing:
                raise HarnessError("the mock server was closed before this call")
            self._requests += 1
            number = self._requests
            self._outbox.put(_line({**message, "id": number}))
            done = self._changed.wait_for(
                lambda: number in self._acknowledged or self._is_over, ACKNOWLEDGE_LIMIT_S
            )
            self._check()
            refusal = self._acknowledged.pop(number, None)
        if refusal:
            raise HarnessError(f"the mock server cannot do '{message['op']}': {refusal}")
        if refusal is not None:
            return
        if done:
            raise HarnessError(f"the mock server was closed during '{message['op']}'")
        fact = f"the mock server did not acknowledge '{message['op']}' within {ACKNOWLEDGE_LIMIT_S:g} s"
        raise HarnessError(self._told(f"{fact}; its process is {'alive' if self.alive else 'dead'}"))

    def _check(self) -> None:
        if self._failure is not None:
            raise HarnessError(str(self._failure))

    def _told(self, fact: str) -> str:
        return "\n".join([fact, *(f"  stderr:   {line}" for line in list(self._stderr))])

    def _fail(self, fact: str) -> None:
        with self._changed:
            if self._failure is None and not self._closing:
                self._failure = HarnessError(self._told(fact))
            self._is_over = True
            self._changed.notify_all()

    def _read_stdout(self) -> None:
        assert self._process.stdout is not None
        try:
            with self._process.stdout as pipe:
                for line in pipe:
                    self._take(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing comes in any more
            self._fail(f"what the mock server says cannot be taken in: {error!r}")
            self._process.kill()
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(JOIN_S)
        self._stderr_thread.join(JOIN_S)
        code = self._process.poll()
        self._fail(
            "the mock server closed its stdout, but runs on"
            if code is None
            else f"the mock server {_died(code)}"
        )

    def _take(self, message: dict[str, Any]) -> None:
        event = message.pop("event")
        if event == "entry":
            self._take_entry(JournalEntry(**{**message, "ended": Ended(message["ended"])}))
            return
        with self._changed:
            if event == "lag":
                self._lags.append((message["at_ns"], message["late_s"]))
                return
            if event == "ready":
                self._port = message["port"]
            elif event == "failed":
                mistakes = [Mistake(**mistake) for mistake in message["mistakes"]]
                self._refused = InputError(mistakes) if mistakes else HarnessError(message["message"])
            else:
                self._acknowledged[message["id"]] = message.get("message", "")
            self._changed.notify_all()

    def _take_entry(self, entry: JournalEntry) -> None:
        with self._changed:
            self._entries[entry.serial] = entry
            self._serials.setdefault(entry.task_id, {})[entry.serial] = None
            self._changes += 1
            self._changed.notify_all()
            callbacks = self._callbacks
        for callback in callbacks:
            callback(entry)

    def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            for line in pipe:
                self._stderr.append(line.decode("utf-8", "replace").rstrip()[:MAX_LINE_CHARS])

    def _write_stdin(self) -> None:
        assert self._process.stdin is not None
        # A child that has gone is told by the end of its stdout.
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            while (line := self._outbox.get()) is not None:
                pipe.write(line)
                pipe.flush()


def _start_child() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    try:
        return subprocess.Popen(  # noqa: S603 - our own interpreter, and a text that stands here
            [sys.executable, "-P", "-c", _PROGRAM, root],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a terminal's Ctrl-C goes to a whole group, and we decide
        )
    except OSError as error:
        raise HarnessError(f"the mock server cannot be started: {error}") from error


def _died(code: int) -> str:
    if code >= 0:
        return f"died with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-code).name}"
    return f"was killed by signal {-code}"


def _plan_to_json(task: TaskPlan) -> dict[str, Any]:
    # Only what its author wrote: whether a step has a result, were it null, makes a difference.
    steps = [step.model_dump(mode="json", by_alias=True, exclude_unset=True) for step in task.steps]
    return {"task_id": task.task_id, "token": task.token, "n": task.n, "steps": steps}


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


# --- the server's end ---------------------------------------------------------------------------------


class _Outlet:
    """Lines for the parent, written by a thread of their own."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._queue: queue.SimpleQueue[JournalEntry | dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="outlet", daemon=True)
        self._thread.start()

    def put(self, message: JournalEntry | dict[str, Any]) -> None:
        self._queue.put(message)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(FLUSH_S)

    def _write(self) -> None:
        open_ = True
        with contextlib.suppress(OSError):  # the parent has gone: the end of stdin will say so
            while open_:
                batch = [self._queue.get()]
                while len(batch) < BATCH and not self._queue.empty():
                    batch.append(self._queue.get())
                open_ = None not in batch
                data = b"".join(_line(_as_message(item)) for item in batch if item is not None)
                while data:
                    data = data[os.write(self._descriptor, data) :]


def _as_message(item: JournalEntry | dict[str, Any]) -> dict[str, Any]:
    return {"event": "entry", **vars(item)} if isinstance(item, JournalEntry) else item


def main() -> int:
    """Serve until stdin ends; see the module. Return the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it was started by hand, within a terminal's group
    outlet = _Outlet(os.dup(1))
    raise_file_limit()
    os.dup2(2, 1)  # a stray print must not stand between our lines
    server: TaskServer | None = None
    try:
        server = _serve(outlet)
        if server is None:
            return FAILED_TO_START
        with LagMeter(lambda at_ns, late_s: outlet.put({"event": "lag", "at_ns": at_ns, "late_s": late_s})):
            for line in sys.stdin.buffer:
                outlet.put(_obey(server, json.loads(line)))
        return 0
    finally:
        if server is not None:
            server.stop()
        outlet.close()


def _serve(outlet: _Outlet) -> TaskServer | None:
    order = json.loads(sys.stdin.buffer.readline())
    contract = Contract.model_validate_json(json.dumps(order["contract"]))
    server = TaskServer(
        contract, host=order["host"], port=order["port"], on_entry=outlet.put, journal_limit=CHILD_JOURNAL
    )
    try:
        server.start()
    except InputError as error:
        mistakes = [asdict(mistake) for mistake in error.mistakes]
        outlet.put({"event": "failed", "message": str(error), "mistakes": mistakes})
        return None
    gc.collect()
    gc.freeze()  # what has been imported stays: no pass of the collector needs to look at it while we serve
    outlet.put({"event": "ready", "port": server.port})
    return server


def _obey(server: TaskServer, request: dict[str, Any]) -> dict[str, Any]:
    """Do what the parent asks, and return the acknowledgement."""
    match request["op"]:
        case "create":
            try:
                plans = [(task, [_step(step) for step in task["steps"]]) for task in request["tasks"]]
                for task, steps in plans:
                    server.create(task["task_id"], steps, token=task["token"], n=task["n"])
            except ValueError as error:  # one scenario's steps should not end the run
                return {"event": "refused", "id": request["id"], "message": str(error) or repr(error)}
            return {"event": "created", "id": request["id"]}
        case "forget":
            for task_id in request["task_ids"]:
                server.forget(task_id)
            return {"event": "forgotten", "id": request["id"]}
        case _:
            return {"event": "settled", "id": request["id"]}


def _step(text: dict[str, Any]) -> Step:
    return Step.model_validate_json(json.dumps(text))


if __name__ == "__main__":
    sys.exit(main())
