"""The harness's side of the adapter protocol: one running adapter, whatever it does.

`ChildProcess` owns the process and its pipes, `protocol` knows what a line means; this module matches answers
to calls. How long a call may take, and what its answer is worth, is up to the caller.

The first failure marks the process as failed, for good: every call in flight and every later one gets an
`AdapterError`, and stdout is read no further, so that a babbling adapter costs no computing time.
"""

from __future__ import annotations

import dataclasses
import math
import os
import shlex
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

from waitproof.adapter.answers import AnswersBudget
from waitproof.adapter.command import AdapterCommand, clean_environment, start_child
from waitproof.child_process import ChildOwner, LineTooLongError, exit_text
from waitproof.errors import AdapterError, HarnessError, Mistake
from waitproof.limit import Limit
from waitproof.lines import MAX_TAIL_LINES
from waitproof.protocol import (
    Answer,
    BrokenAdapterError,
    Hello,
    LogLine,
    Op,
    as_row,
    check_answer,
    check_log_line,
    line_too_long,
    read_answer,
    read_hello,
    write_hello,
    write_request,
)
from waitproof.text import shorten

__all__ = ["AdapterProcess", "PendingCall", "close_all"]

_MAX_LOG_LINES = 100  # the last of them is the error
_MAX_LOG_CHARS = 2000  # kept of each


class PendingCall:
    """One call that was sent, and what became of it.

    Attributes:
        id: The call's id, chosen by the process.
        request: The request as it is written.
        sent_ns: `time.monotonic_ns()` just before its first byte was written, None until then.
        received_ns: The same when the answer's last bytes had been read, None until then.
        was_cancelled: The adapter has been asked to cancel it.
        answer: The answer, None until there is one.
        error: Why no answer will come, None while one may.
    """

    def __init__(self, call_id: str, op: Op, request: dict[str, Any]) -> None:
        self.id = call_id
        self.op = op
        self.request = request
        self.sent_ns: int | None = None
        self.received_ns: int | None = None
        self.was_cancelled = False
        self.answer: Answer | None = None
        self.error: AdapterError | HarnessError | None = None
        self._done = threading.Event()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the answer or the error; return False when neither came within `timeout_s`."""
        return self._done.wait(timeout_s)

    def mark_sent(self) -> None:
        """Note the time just before the first byte is written; only `AdapterProcess` does that."""
        self.sent_ns = time.monotonic_ns()

    def succeed(self, answer: Answer, received_ns: int) -> None:
        """Set the answer; only `AdapterProcess` does that."""
        self.answer = answer
        self.received_ns = received_ns
        self._done.set()

    def fail(self, error: AdapterError | HarnessError) -> None:
        """Set the error; only `AdapterProcess` does that."""
        self.error = error
        self._done.set()


class AdapterProcess(ChildOwner):
    """A running adapter; also a context manager that closes it."""

    def __init__(
        self,
        command: AdapterCommand,
        *,
        clean: Collection[str] = (),
        start_limit_s: float = 30.0,
        answers: AnswersBudget | None = None,
    ) -> None:
        """Start the adapter.

        Args:
            command: What to start.
            clean: Names of variables to remove, besides those of every `clean_environment`.
            start_limit_s: How long after its start the adapter may take to answer hello.
            answers: What its answers may take, together with those of other processes; by default its own.

        Raises:
            AdapterError: The program cannot be started.
        """
        self.command = command
        self._answers = answers or AnswersBudget()
        self._lock = threading.Lock()
        self._ids = 0
        self._pending: dict[str, PendingCall] = {}
        self._failure: AdapterError | HarnessError | None = None
        self._closing = False
        self._log: list[tuple[int, str]] = []  # when each line had come
        self._last_client = ""
        self._clients_in_flight: tuple[str, ...] = ()  # when the process died
        self._hello_sent = False
        self._hello: Hello | None = None
        self._greeted = threading.Event()  # hello was answered, or never will be
        self._start_limit_s = start_limit_s
        self._child = start_child(command, clean_environment(os.environ, clean, command.env), self)
        self._hello_deadline = time.monotonic() + start_limit_s
        self._child.start()

    @property
    def failure(self) -> AdapterError | HarnessError | None:
        """The first failure, or None; `BrokenAdapterError` has the last lines of stderr at that time."""
        return self._failure

    @property
    def log_lines(self) -> tuple[str, ...]:
        """Lines of stdout that were not objects, the oldest first; at most a hundred, each shortened."""
        with self._lock:
            return tuple(line for _, line in self._log)

    def logged_since(self, from_ns: int) -> tuple[str, ...]:
        """Return those that have come since a time of the monotonic clock, in nanoseconds."""
        with self._lock:
            return tuple(line for received_ns, line in self._log if received_ns >= from_ns)

    def printed(self) -> tuple[str, ...]:
        """Return the last lines that it wrote to stdout, answers left out, and to stderr."""
        return (*self.log_lines, *self.stderr_tail(MAX_TAIL_LINES))

    @property
    def clients_in_flight(self) -> tuple[str, ...]:
        """The clients whose calls were in flight when the process died."""
        return self._clients_in_flight

    @property
    def last_client(self) -> str:
        """The client of the latest call, "" where there was none."""
        return self._last_client

    def hello(self, *, base_url: str, api_key: str, api_secret: str) -> Hello:
        """Introduce the harness, once, and return the adapter's answer.

        Raises:
            AdapterError: The process failed, or did not answer within its start limit.
        """
        with self._lock:
            if self._hello_sent:
                raise HarnessError(f"{self.command.name}: hello was sent twice")
            self._hello_sent = True
        self._child.send(write_hello(base_url=base_url, api_key=api_key, api_secret=api_secret))
        if not Limit(self._hello_deadline - time.monotonic()).wait(self._greeted.wait):
            output = self.log_lines or self.stderr_tail(1) or ("",)
            fact = f"no answer to hello within {self._start_limit_s:g} s; the process is alive"
            expected = 'one line {"op":"hello","protocol":1,...}, flushed'
            self._fail(Mistake("", fact, as_row(output[-1]), expected, self._by_hand()))
        if self._failure is None and self._hello is not None:
            return self._hello
        raise self._failure or HarnessError(f"{self.command.name}: neither a hello nor a failure came")

    def send(self, op: str, **members: Any) -> PendingCall:
        """Queue a call and return at once; a failed process fails the call at once.

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
                self._last_client = request.get("client", "")
                self._child.send(line, call.mark_sent)
        return call

    def cancel(self, call: PendingCall) -> PendingCall:
        """Queue that a call of this process is to be cancelled; that it has ended by then is no mistake."""
        call.was_cancelled = True
        return self.send(Op.CANCEL, call=call.id)

    def finish(self, limit_s: float) -> float | None:
        """End its stdin, with no call in flight; return after how many seconds it ended by itself.

        Returns:
            Infinite if it still runs after `limit_s`, None if it had failed before.
        """
        with self._lock:
            self._closing = True
        if self._failure is not None:
            return None
        began_s = time.monotonic()
        return time.monotonic() - began_s if self._child.finish(limit_s) else math.inf

    def close(self, grace_s: float = 2.0) -> None:
        """End the adapter and everything in its process group; never raises, and may be called again.

        Args:
            grace_s: How long the adapter may take to finish what is in flight after the end of its stdin;
                a failed one gets none.
        """
        with self._lock:
            self._closing = True
            if self._hello is None and self._failure is None:  # a caller may be waiting for it
                self._failure = self._error(Mistake("", "was ended by the harness before it answered hello"))
        self._greeted.set()
        self._child.close(grace_s if self._failure is None else 0)
        with self._lock:
            calls = list(self._pending.values())
            self._pending.clear()
        for call in calls:
            fact = f"was ended by the harness before it answered call {call.id}"
            call.fail(self._failure or self._error(Mistake("", fact)))

    # --- what the child reports, from its threads ---

    def on_line(self, line: bytes, received_ns: int) -> None:
        """Read a line of stdout.

        Raises:
            BrokenAdapterError: It breaks the protocol.
        """
        if self._failure is not None:
            raise self._failure  # stdout is read no further
        if self._hello is None:
            message = read_hello(line)
            if isinstance(message, Hello):
                self._hello = message
                self._greeted.set()
                return
        else:
            self._answers.take(line)
            answer = read_answer(line)
            if isinstance(answer, Answer):
                self._take_call(answer, line).succeed(answer, received_ns)
                return
            message = answer
        self._add_to_log(message, line, received_ns)

    def on_trouble(self, error: Exception) -> None:
        """Fail: a line broke the protocol, or a pipe broke."""
        if isinstance(error, LineTooLongError):
            error = line_too_long(error.limit_bytes, error.start)
        if isinstance(error, BrokenAdapterError):
            self._fail(error.mistake)
        elif not isinstance(error, AdapterError | HarnessError):
            self._fail(HarnessError(f"{self.command.name}: one of its pipes failed: {error!r}"))

    def on_closed(self, pipe: str) -> None:
        """Fail: the adapter closed a pipe and runs on."""
        fact, expected = f"closed its {pipe} but is still running", "both pipes open until the end of stdin"
        self._fail(Mistake("", fact, as_row(self._child.unfinished), expected))

    def on_exit(self, code: int) -> None:
        """Fail: the process ended by itself."""
        found = as_row(self._child.unfinished) or as_row("".join(self.stderr_tail(1)))

        def mistake(what: str) -> Mistake:
            return Mistake("", f"{exit_text(code)} {what}", found=found, fix=self._by_hand())

        def before(call: PendingCall) -> Mistake:
            return mistake(f"before it answered call {call.id}")

        with self._lock:
            first = next(iter(self._pending.values()), None)
            clients = (call.request.get("client", "") for call in self._pending.values())
            self._clients_in_flight = tuple(dict.fromkeys(client for client in clients if client))
        if self._hello is None:
            self._fail(mistake("before it answered hello"))
        elif first is None:
            self._fail(mistake("with no call in flight"))
        else:
            self._fail(before(first), before)

    def _take_call(self, answer: Answer, line: bytes) -> PendingCall:
        """Return the call that this answers, which is in flight no longer."""
        with self._lock:
            call = self._pending.pop(answer.id, None)
            last_id = self._ids
        if call is None:
            known = answer.id in map(str, range(1, last_id + 1))
            fact = f"answered call {answer.id} twice" if known else "answered a call that was never made"
            expected = "one answer to each call, with the id of that call"
            raise BrokenAdapterError(Mistake("", fact, found=as_row(line), expected=expected))
        try:
            check_answer(call.op, answer, line, was_cancelled=call.was_cancelled)
        except BrokenAdapterError:
            with self._lock:
                self._pending[call.id] = call  # to fail with the others
            raise
        return call

    def _add_to_log(self, message: LogLine, line: bytes, received_ns: int) -> None:
        with self._lock:
            in_flight = None if self._hello is None else tuple(self._pending)
        check_log_line(line, in_flight)
        with self._lock:
            self._log.append((received_ns, shorten(message.text, _MAX_LOG_CHARS)))
            too_many = len(self._log) >= _MAX_LOG_LINES
        if too_many:
            fact = f"printed {_MAX_LOG_LINES} lines to stdout that are not answers"
            expected = "only answers on stdout; a few lines that an SDK prints are tolerated"
            raise BrokenAdapterError(Mistake("", fact, as_row(line), expected, fix="print to stderr"))

    def _fail(
        self, reason: Mistake | HarnessError, each: Callable[[PendingCall], Mistake] | None = None
    ) -> None:
        """Fail the process, unless it has failed, and with it every call in flight."""
        own = reason if isinstance(reason, HarnessError) else self._error(reason)
        with self._lock:
            self._failure = error = self._failure or own
            calls = list(self._pending.values())
            self._pending.clear()
        for call in calls:
            call.fail(error if each is None else self._error(each(call)))
        self._greeted.set()
        self._child.end_input()

    def _error(self, mistake: Mistake) -> BrokenAdapterError:
        return BrokenAdapterError(
            dataclasses.replace(mistake, place=self.command.name), stderr=self.stderr_tail()
        )

    def _by_hand(self) -> str:
        return f"run it by hand: cd {shlex.quote(str(self.command.cwd))} && {shlex.join(self.command.argv)}"


def close_all(processes: Iterable[AdapterProcess], grace_s: float = 2.0) -> None:
    """Close processes, all at once: it takes as long as the slowest."""
    threads = [threading.Thread(target=process.close, args=(grace_s,)) for process in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
