"""One client's connection, and what each event does to it.

    state      bytes come               can be written      its time is over         the client leaves, or
                                                                                     the loop is stopped
    IDLE       RECEIVING, or SERVING                        CLOSED, if it shall      CLOSED
               once a request is whole                      close when idle
    RECEIVING  SERVING once it is whole                     refused: 408             CLOSED
    DELAYED    kept for later                               SERVING                  CLOSED, and `then(False)`
    WRITING    not read                 rest of the answer, CLOSED, `then(False)`    CLOSED, and `then(False)`
                                        then SERVING
    IN_THREAD  not read                                                              CLOSED when the job ends
    LINGERING  discarded                                    CLOSED                   CLOSED

While a connection is SERVING, the handler has its request, and calls exactly one of `finish`, `send`,
`delay`, `run_in_thread`, `break_off` and `close`. What was passed as `then` is called in SERVING again.

One fact to know before reading on: everything here runs in the loop's thread, unless it says otherwise, and
nothing may wait; only the job of `run_in_thread` may.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from waitproof.mock.http1 import Reader, Request

if TYPE_CHECKING:
    from waitproof.mock.loop import Loop

__all__ = ["Connection", "State", "Timer"]

RECEIVE_BYTES = 16 * 1024  # at once: many times a poll
LINGER_S = 1.0  # for a client to read a last answer, which an early close could destroy
LINGER_BYTES = 16 * 1024 * 1024
MAX_AHEAD_BYTES = 1024 * 1024  # that a client may send before its last request is answered

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # SO_LINGER on, for no time


class State(Enum):
    """See the table at the top of the module."""

    IDLE = 1  # no byte of the next request has come
    RECEIVING = 2
    SERVING = 3
    DELAYED = 4
    WRITING = 5  # the client has not taken the whole answer
    IN_THREAD = 6
    LINGERING = 7  # our side is closed, the client's is not
    CLOSED = 8


_READING = (State.DELAYED, State.LINGERING)  # what comes does not begin a request now


class Timer:
    """One deadline; without a callback it has been cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class Connection:
    """One client's connection.

    Attributes:
        sock: Its socket.
        number: From 1, in order of arrival on this loop.
        reader: What came over it.
        state: See the table at the top of the module.
        fresh: It has carried no request that is on record.
        task_id: For the handler: the task of the latest poll or operation.
        request: For the handler: the latest request on record.
    """

    __slots__ = (
        "_discardable",
        "_loop",
        "_rest",
        "_then",
        "_timer",
        "_watched",
        "fresh",
        "number",
        "reader",
        "request",
        "sock",
        "state",
        "task_id",
    )

    def __init__(self, loop: Loop, sock: socket.socket, number: int, reader: Reader) -> None:
        self.sock = sock
        self.number = number
        self.reader = reader
        self.state = State.IDLE
        self.fresh = True
        self.task_id: str | None = None
        self.request: Request | None = None
        self._loop = loop
        self._watched = 0  # events that the selector reports
        self._timer: Timer | None = None
        self._then: Callable[[bool], None] | None = None  # what a delay or an answer is waited for by
        self._rest = memoryview(b"")  # of the answer
        self._discardable = LINGER_BYTES

    @property
    def is_open(self) -> bool:
        """Whether its client can use it, as far as is known."""
        return self.state is not State.CLOSED

    # --- for the handler, while the state is SERVING

    def send(self, data: bytes, then: Callable[[bool], None]) -> None:
        """Send an answer.

        Args:
            data: All of it.
            then: Called with True when the kernel has taken the last byte; with False when the connection is
                closed, because the client left, took nothing for as long as it may, or the loop is stopped.
        """
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._loop.failed(error)
            self.close()
            then(False)
            return
        if sent == len(data):
            then(True)
            return
        self.state = State.WRITING
        self._rest = memoryview(data)[sent:]
        self._then = then
        self.start_timer(self._loop.send_limit_s, self._give_up)
        self.watch(_WRITE)

    def delay(self, seconds: float, then: Callable[[bool], None]) -> None:
        """Wait before the answer; `then` is called with True after that time, with False as in `send`."""
        self.state = State.DELAYED
        self._then = then
        self.start_timer(seconds, lambda: self._end(ok=True))

    def run_in_thread(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Run a job that may wait; the loop does not touch the connection in the meantime.

        Args:
            job: May use `sock`, whose operations raise TimeoutError when the client takes nothing for as long
                as it may, and OSError once the loop is stopped.
            then: Called in the loop's thread with what the job returned; not when the job raised or the loop
                was stopped, after which the connection is closed.

        Raises:
            RuntimeError: The system cannot start another thread.
        """

        def work() -> Callable[[], None]:
            self.sock.settimeout(self._loop.send_limit_s)
            result = job()
            return lambda: take_back(result)

        def take_back(result: Any) -> None:
            self.sock.setblocking(False)  # fails where the job has closed the socket
            self.state = State.SERVING
            self.watch(_READ)
            then(result)

        self.watch(0)
        self.state = State.IN_THREAD
        try:
            self._loop.start_thread(self, work)
        except RuntimeError:
            self.state = State.SERVING
            self.watch(_READ)
            raise

    def finish(self, *, keep: bool) -> None:
        """End the request: go on with the next one, or linger."""
        if keep:
            self.state = State.IDLE
            return
        # Closing a socket that has unread bytes resets the connection, which can destroy an answer that the
        # client has not read yet: so only our side is closed, and the client closes its own.
        self.state = State.LINGERING
        self.shut(socket.SHUT_WR)
        self.start_timer(LINGER_S, self.close)

    def close_when_idle(self, seconds: float) -> None:
        """Close unless another request has begun by then; to be called after `finish`."""
        self.start_timer(seconds, self._close_unread)

    def break_off(self, *, by_reset: bool = False) -> None:
        """Close at once, even if the client has not been sent everything."""
        if by_reset:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            self.shut(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        """Close; may be called again, in any state."""
        self.state = State.CLOSED
        self.cancel_timer()
        self.watch(0)
        self._loop.forget(self)
        self.sock.close()

    # --- for the loop

    def receive(self) -> bytes | None:
        """Return what has come: b"" when the client has left, None when nothing has come after all."""
        try:
            return self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError as error:
            self._loop.failed(error)
            return b""

    def on_ready(self) -> None:
        """Read or write, in any state in which no request is awaited."""
        if self.state is State.WRITING:
            self._write()
        elif self.state in _READING and (data := self.receive()) is not None:
            if self.state is State.LINGERING:
                self._discard(data)
            else:
                self._keep(data)

    def stop(self) -> None:
        """Close because the loop is stopped; a thread that uses the connection is shut out first."""
        if self.state is State.IN_THREAD:
            self.shut(socket.SHUT_RDWR)
        elif self._then is not None:
            self._give_up()
        else:
            self.close()

    def shut(self, how: int) -> None:
        """Shut down one or both sides; for any thread."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(how)

    def watch(self, events: int) -> None:
        """Let the selector report these events, 0 for none."""
        if events != self._watched:
            self._loop.watch(self, self._watched, events)
            self._watched = events

    def start_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        """Have a function called later, in place of any other; a connection has one timer."""
        self.cancel_timer()
        self._timer = self._loop.start_timer(seconds, callback)

    def cancel_timer(self) -> None:
        """Cancel the connection's timer, if there is one."""
        if self._timer is not None:
            self._loop.cancel_timer(self._timer)
            self._timer = None

    # --- inside

    def _keep(self, data: bytes) -> None:
        if not data:
            self._give_up()
            return
        self.reader.feed(data)
        if self.reader.held > MAX_AHEAD_BYTES:
            self.watch(0)  # what else it sends can wait

    def _discard(self, data: bytes) -> None:
        self._discardable -= len(data)
        if not data or self._discardable < 0:
            self.close()

    def _write(self) -> None:
        try:
            sent = self.sock.send(self._rest)
        except BlockingIOError:
            return
        except OSError as error:
            self._loop.failed(error)
            self._give_up()
            return
        self._rest = self._rest[sent:]
        if self._rest:
            self.start_timer(self._loop.send_limit_s, self._give_up)
        else:
            self._end(ok=True)

    def _close_unread(self) -> None:
        """Close unless something waits to be read: that would reset the connection of a client in time."""
        try:
            is_idle = not self.sock.recv(1, socket.MSG_PEEK)
        except OSError:  # nothing has come, or the client has gone
            is_idle = True
        if is_idle:
            self.close()

    def _give_up(self) -> None:
        self._end(ok=False)

    def _end(self, *, ok: bool) -> None:
        """End a delay or an answer, and call what waited for that."""
        self.cancel_timer()
        self._rest = memoryview(b"")
        then, self._then = self._then, None
        assert then is not None
        if ok:
            self.state = State.SERVING
            self.watch(_READ)
        else:
            self.close()
        self._loop.resume(self, lambda: then(ok))
