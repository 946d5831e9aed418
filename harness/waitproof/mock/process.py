"""The mock server in a separate process: the harness's end.

A server in a thread beside a Python thread that computes stamps its polls late, by hundreds of milliseconds
at worst. So a run starts a `ServerProcess`. Its child (`child`) serves, and sends every request twice, on
arrival and at its end, and what its lag meter measures.

One fact to know before reading on: the end of its stdin ends the child, so it never outlives the harness,
however that dies. The child also ends when its own loop does: a server that is alive answers.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from waitproof.child_process import ChildOwner, ChildProcess, exit_text
from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.journal import Ended, JournalEntry
from waitproof.limit import Limit
from waitproof.mock.lag import MAX_SAMPLES, worst_lag_s
from waitproof.suite import Contract, Step

__all__ = ["ServerProcess", "TaskPlan"]

ACKNOWLEDGE_LIMIT_S = 10.0  # a running child takes a millisecond, a stopped one would take forever
END_S = 1.2  # for a child to end by itself, before it is killed
MAX_UNNAMED_BYTES = 16 * 1024 * 1024  # of the messages about requests that name no task: an adapter may flood
ENTRY_BYTES = 1000  # what an entry takes beside its texts, about
MAX_HEADS = 1000  # different headers that are kept once for all the entries that have them
CONTRACT_OPTIONS: Any = {"mode": "json", "by_alias": True, "exclude_unset": True}  # as its author wrote it

# Not `-m`: a file of the user's folder that is named like one of our modules would be imported in its place.
# Without the collector, which would look through all that is imported, again and again, and find no garbage.
_PROGRAM = (
    "import gc, sys; gc.disable(); sys.path.append(sys.argv[1]); "
    "from waitproof.mock.child import main; sys.exit(main())"
)


@dataclass(frozen=True)
class TaskPlan:
    """One task to serve.

    Attributes:
        task_id: Its id; a whole number stays one in bodies.
        steps: What it answers, at least one step; the last repeats.
        token: What an operation's body or path must contain to start this task; "" where none does.
        n: Number of the copy, for `${n}`.
        begun_by: The operation that starts it, "" for none; see `TaskServer.create`.
    """

    task_id: str | int
    steps: tuple[Step, ...]
    token: str = ""
    n: int = 1
    begun_by: str = ""


class ServerProcess(ChildOwner):
    """A mock server in a separate process; also a context manager that closes it.

    Every method except `close` raises HarnessError once the child has died; what it has sent until then is
    discarded, because a journal that may lack polls must not be judged.
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
        self._entries: dict[int, JournalEntry] = {}
        self._serials: dict[str | None, dict[int, None]] = {}  # by task; sets that keep their order
        self._unnamed: dict[int, None] = {}  # requests that name no task
        self._unnamed_bytes = 0
        self._unnamed_left_out = 0
        self._heads: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self._tasks_on: dict[int, set[str]] = {}  # which tasks a connection's requests have named
        self._lags: deque[tuple[int, float]] = deque(maxlen=MAX_SAMPLES)
        self._callbacks: list[Callable[[JournalEntry], None]] = []
        self._requests = 0
        self._acknowledged: dict[int, str] = {}  # by number of the request: why it was refused, or ""
        self._port: int | None = None
        self._refused: InputError | HarnessError | None = None
        self._failure: HarnessError | None = None
        self._closing = False
        self._is_over = False  # nothing more will come in
        self._host = host
        root = str(Path(__file__).resolve().parents[2])
        try:
            self._child = ChildProcess("mock server", [sys.executable, "-P", "-c", _PROGRAM, root], self)
        except OSError as error:
            raise HarnessError(f"the mock server cannot be started: {error}") from error
        self._child.start()
        self._send({"contract": contract.model_dump(**CONTRACT_OPTIONS), "host": host, "port": port})
        try:
            self._wait_for_start(start_limit_s)
        except BaseException:
            self.close()
            raise

    @property
    def base_url(self) -> str:
        """Where the server listens: `http://127.0.0.1:8080`, without a slash at the end."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def failure(self) -> HarnessError | None:
        """Why the server can no longer be used, or None; a close is not a failure."""
        return self._failure

    def create(self, tasks: Sequence[TaskPlan]) -> None:
        """Let tasks begin with their next polls, and return when the server knows them.

        Raises:
            HarnessError: The server died or did not acknowledge them in time.
        """
        self._request({"op": "create", "tasks": [_plan_to_json(task) for task in tasks]})

    def forget(self, task_ids: Iterable[str | int]) -> None:
        """Let the server drop tasks, whose ids are unknown from now on; their entries stay."""
        self._request({"op": "forget", "task_ids": [str(task_id) for task_id in task_ids]})

    def settle(self) -> None:
        """Return when everything has come in that the server had put on record by now.

        A poll is put on record before it is answered, its end a moment after: so the poll whose answer a
        caller has just seen is among `entries`, but may be shown as in flight for a moment longer.
        """
        self._request({"op": "settle"})

    def entries(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        """Return all requests of a task, in order of arrival, each entry in its newest state."""
        return self._entries_of(str(task_id))

    def unnamed(self) -> tuple[JournalEntry, ...]:
        """Return the requests that name no task, the strays among them."""
        with self._changed:
            self._check()
            return tuple(self._entries[serial] for serial in self._unnamed)

    @property
    def unnamed_left_out(self) -> int:
        """How many more requests named no task, after so many that nothing was kept of them."""
        return self._unnamed_left_out

    def tasks_on(self, connection: int) -> frozenset[str]:
        """Return the ids of the tasks that a connection's requests have named."""
        with self._changed:
            return frozenset(self._tasks_on.get(connection, ()))

    def wait_for(self, holds: Callable[[], bool], within_s: float) -> bool:
        """Wait until a condition holds; it is evaluated again after each change of an entry.

        A close ends the wait.

        Args:
            holds: Looks at `entries` or `unnamed`; called with the lock held that they take.
            within_s: How long to wait at most.

        Returns:
            Whether it holds.
        """
        with self._changed:
            held = self._changed.wait_for(lambda: self._is_over or holds(), within_s)
            self._check()
            return held and holds()

    def subscribe(self, callback: Callable[[JournalEntry], None]) -> None:
        """Call a function for each arrival and end of a request, from now on.

        It is called by the thread that reads, without a lock; nothing comes in while it runs.
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
        self._child.close(END_S, term_s=0)
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    # --- called by the child process, see `waitproof.child_process.Owner`

    def on_line(self, line: bytes, _received_ns: int) -> None:
        """Handle a message of the child."""
        message = json.loads(line)
        event = message.pop("event")
        if event == "entry":
            headers = self._shared(message["headers"])
            entry = JournalEntry(**{**message, "headers": headers, "ended": Ended(message["ended"])})
            self._keep(entry, len(line) + ENTRY_BYTES)
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

    def on_trouble(self, error: Exception) -> None:
        """End a child whose messages cannot be read."""
        self._fail(f"a message of the mock server cannot be read: {error!r}")
        self._child.kill()

    def on_closed(self, pipe: str) -> None:
        """Fail: a child that cannot be talked to is of no use."""
        self._fail(f"the mock server closed its {pipe}, but still runs")

    def on_exit(self, code: int) -> None:
        """Fail: the child ended by itself."""
        self._fail(f"the mock server {exit_text(code)}")

    # --- inside

    def _wait_for_start(self, limit_s: float) -> None:
        with self._changed:
            over = Limit(limit_s).wait(
                partial(self._changed.wait_for, lambda: self._port or self._refused or self._is_over)
            )
            if self._refused is not None:
                raise self._refused
            self._check()
        if not over:
            raise HarnessError(self._with_stderr(f"the mock server did not start within {limit_s:g} s"))

    def _request(self, message: dict[str, Any]) -> None:
        op = message["op"]
        with self._changed:
            self._check()
            if self._closing:
                raise HarnessError("the mock server was closed before this call")
            self._requests += 1
            number = self._requests
            self._send({**message, "id": number})
            done = Limit(ACKNOWLEDGE_LIMIT_S).wait(
                partial(self._changed.wait_for, lambda: number in self._acknowledged or self._is_over)
            )
            self._check()
            refusal = self._acknowledged.pop(number, None)
        if refusal:
            raise HarnessError(f"the mock server refused '{op}': {refusal}")
        if refusal is not None:
            return
        if done:
            raise HarnessError(f"the mock server was closed during '{op}'")
        fact = f"the mock server did not acknowledge '{op}' within {ACKNOWLEDGE_LIMIT_S:g} s"
        raise HarnessError(self._with_stderr(f"{fact}; its process is {'alive' if self.alive else 'dead'}"))

    def _send(self, message: dict[str, Any]) -> None:
        self._child.send(json.dumps(message, separators=(",", ":")).encode() + b"\n")

    def _shared(self, headers: dict[str, str]) -> dict[str, str]:
        """Return equal headers as one object: a client sends the same with every request."""
        if len(self._heads) >= MAX_HEADS:
            self._heads.clear()
        return self._heads.setdefault(tuple(headers.items()), headers)

    def _keep(self, entry: JournalEntry, size: int) -> None:
        with self._changed:
            if entry.names_no_task and entry.serial not in self._entries:
                if self._unnamed_bytes + size > MAX_UNNAMED_BYTES:
                    self._unnamed_left_out += entry.ended is Ended.IN_FLIGHT  # and once more at its end
                    return
                self._unnamed_bytes += size
            self._entries[entry.serial] = entry
            self._serials.setdefault(entry.task_id, {})[entry.serial] = None
            if entry.names_no_task:
                self._unnamed[entry.serial] = None
            elif entry.task_id is not None:
                self._tasks_on.setdefault(entry.connection, set()).add(entry.task_id)
            self._changed.notify_all()
            callbacks = self._callbacks
        for callback in callbacks:
            callback(entry)

    def _entries_of(self, task_id: str | None) -> tuple[JournalEntry, ...]:
        with self._changed:
            self._check()
            return tuple(self._entries[serial] for serial in sorted(self._serials.get(task_id, ())))

    def _check(self) -> None:
        if self._failure is not None:
            raise HarnessError(str(self._failure))

    def _with_stderr(self, fact: str) -> str:
        return "\n".join([fact, *(f"  stderr:   {line}" for line in self.stderr_tail())])

    def _fail(self, fact: str) -> None:
        with self._changed:
            if self._failure is None and not self._closing:
                self._failure = HarnessError(self._with_stderr(fact))
            self._is_over = True
            self._changed.notify_all()


def _plan_to_json(task: TaskPlan) -> dict[str, Any]:
    # Only what its author wrote: whether a step has a result, were it null, makes a difference.
    steps = [step.model_dump(**CONTRACT_OPTIONS) for step in task.steps]
    return {**vars(task), "steps": steps}
