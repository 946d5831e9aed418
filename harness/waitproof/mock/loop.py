"""The loop that serves all connections: one thread that accepts, reads and writes.

`Loop` hands each whole request to its `Handler`. It knows the framing of HTTP from `http1`, the states of a
connection from `connections`, and nothing about tasks.

One fact to know before reading on: every wait (for a request, a delay, a client that reads slowly) is a
deadline in one heap and costs no thread. So nothing that the loop calls may wait. An exception of one
connection or of the handler ends that connection alone; any other one ends the loop, and leaves `run`.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import selectors
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from waitproof.journal import Ended
from waitproof.mock.connections import RECEIVE_BYTES, Connection, State, Timer
from waitproof.mock.http1 import Heads, Reader, Refused, Request

__all__ = ["Handler", "Loop"]

ACCEPT_AT_ONCE = 128  # before those that are connected have their turn
ACCEPT_PAUSE_S = 0.05  # when the process can open no more sockets: until others have closed theirs
MAX_BODY_BYTES = 1024 * 1024
REQUEST_LIMIT_S = 30.0
SEND_LIMIT_S = 30.0
MAX_CANCELLED = 1000  # timers that are kept until their time has come
# What select() can watch; epoll and kqueue have no such limit.
MAX_CONNECTIONS = 480 if sys.platform == "win32" else sys.maxsize

# What says that a client, or the way to it, has gone, or that our side has closed already.
_LEFT = {errno.ENOTCONN, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EBADF, errno.EINVAL}
_IDLE, _RECEIVING, _SERVING = State.IDLE, State.RECEIVING, State.SERVING  # looked up for every request


class Handler(Protocol):
    """What answers the requests."""

    def serve(self, connection: Connection, request: Request) -> None:
        """Answer a request, or see to it that it will be, by one of the connection's methods."""

    def refuse(self, connection: Connection, refused: Refused) -> None:
        """Answer a client whose bytes are not a request, and `finish` the connection."""

    def on_gone(self, connection: Connection) -> None:
        """Note that a connection has been closed because its client has gone."""

    def on_failure(self, connection: Connection, error: Exception) -> None:
        """Note a mistake of the handler's own; the connection is closed. Called by any thread."""


class Loop:
    """The connections of listening sockets, from `run` until `stop`.

    Attributes:
        handler: What answers.
        send_limit_s: See `__init__`.
        is_stopping: Nothing may be answered any more.
    """

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        handler: Handler,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        request_limit_s: float = REQUEST_LIMIT_S,
        send_limit_s: float = SEND_LIMIT_S,
        on_shortage: Callable[[OSError], None] = lambda _error: None,
    ) -> None:
        """Make a loop that does not run yet.

        Args:
            listeners: Sockets that listen; their owner closes them.
            handler: What answers.
            max_body_bytes: Larger requests are refused.
            request_limit_s: How long a request may take from its first byte to its last.
            send_limit_s: How long a client may take nothing of its answer.
            on_shortage: Called before a connection is dropped for which this machine lacks memory, say.
        """
        self.handler = handler
        self.send_limit_s = send_limit_s
        self.is_stopping = False
        self._on_shortage = on_shortage
        self._listeners = tuple(listeners)
        for listener in self._listeners:
            listener.setblocking(False)
        self._heads = Heads()
        self._max_body_bytes = max_body_bytes
        self._request_limit_s = request_limit_s
        self._numbers = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []  # a heap, the soonest first
        self._timer_numbers = itertools.count()
        self._cancelled = 0
        self._calls: deque[Callable[[], None]] = deque()
        self._wake_reader, self._wake_writer = socket.socketpair()
        for each in (self._wake_reader, self._wake_writer):
            each.setblocking(False)
        self._lock = threading.Lock()  # for what other threads look at: the next three
        self._connections: set[Connection] = set()
        self._threads: set[threading.Thread] = set()
        self._is_over = False

    def failed(self, error: OSError) -> None:
        """Note that a socket failed: if not because its client has left, it is this machine's fault."""
        if not isinstance(error, ConnectionError | TimeoutError) and error.errno not in _LEFT:
            self._on_shortage(error)

    # --- for any thread

    def stop(self) -> None:
        """Let `run` return soon, and send nothing more."""
        self.is_stopping = True
        with self._lock:
            for connection in self._connections:
                connection.shut(socket.SHUT_RDWR)
            if not self._is_over:
                self._wake()

    def call(self, callback: Callable[[], None]) -> None:
        """Call a function in the loop's thread; in this one, once the loop is over."""
        with self._lock:
            if not self._is_over:
                self._calls.append(callback)
                self._wake()
                return
        callback()

    def how_lost(self) -> Ended:
        """Return how a request ends whose client can no longer be reached."""
        return Ended.STOPPED if self.is_stopping else Ended.ABANDONED

    def join_threads(self, deadline: float) -> None:
        """Wait for the threads of `Connection.run_in_thread`, until a time of the monotonic clock."""
        with self._lock:
            threads = self._threads - {threading.current_thread()}
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- for the loop's thread

    def run(self) -> None:
        """Serve until the loop is stopped."""
        drain = partial(self._wake_reader.recv, RECEIVE_BYTES)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, drain)
        for listener in self._listeners:
            self._listen(listener)
        try:
            while not self.is_stopping:
                wait_s = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
                self._turn(self._selector.select(wait_s))
        finally:
            self._close_all()

    def _turn(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        arrived: list[tuple[Connection, int]] = []
        # All are read before the first is answered: so each is stamped as early as can be.
        for key, _ in ready:
            connection = key.data
            if connection.__class__ is not Connection:
                connection()
            elif connection.state is _IDLE or connection.state is _RECEIVING:
                data = connection.receive()
                if data:
                    at_ns = time.monotonic_ns()
                    connection.reader.feed(data)
                    arrived.append((connection, at_ns))
                elif data is not None:
                    connection.close()
            else:
                connection.on_ready()
        for connection, at_ns in arrived:
            self._advance(connection, at_ns)
        if self._timers:
            self._run_due_timers()
        while self._calls:
            self._calls.popleft()()

    def _advance(self, connection: Connection, at_ns: int) -> None:
        """Serve the requests that have come whole."""
        reader = connection.reader
        try:
            while (request := reader.next(at_ns)) is not None:
                connection.cancel_timer()
                if self.is_stopping:
                    return
                connection.state = _SERVING
                self.handler.serve(connection, request)
                if connection.state is not _IDLE:
                    return
                at_ns = time.monotonic_ns()
        except Refused as refused:
            self._refuse(connection, refused)
            return
        except Exception as error:  # noqa: BLE001 - it must end this connection and no other
            connection.close()
            self.handler.on_failure(connection, error)
            return
        if connection.state is _IDLE and reader.has_begun:
            connection.state = _RECEIVING
            connection.start_timer(self._request_limit_s, lambda: self._refuse_late(connection))
        if go_on := reader.go_on():
            with contextlib.suppress(OSError):  # the next read reports that the client has gone
                connection.sock.send(go_on)

    def _refuse_late(self, connection: Connection) -> None:
        message = f"the request was not whole within {self._request_limit_s:g} s"
        self._refuse(connection, connection.reader.refused(408, message))

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        connection.cancel_timer()
        if not self.is_stopping:
            connection.state = _SERVING
            self.resume(connection, lambda: self.handler.refuse(connection, refused))

    # --- for the connections

    def resume(self, connection: Connection, callback: Callable[[], None]) -> None:
        """Call what waited for a connection, then serve the requests that have come."""
        try:
            callback()
        except OSError:  # the client has gone
            connection.close()
            self.handler.on_gone(connection)
        except Exception as error:  # noqa: BLE001 - it must end this connection and no other
            connection.close()
            self.handler.on_failure(connection, error)
        if connection.state is _IDLE:
            self._advance(connection, time.monotonic_ns())

    def start_thread(self, connection: Connection, job: Callable[[], Callable[[], None] | None]) -> None:
        """Run a job in a thread, then the function it returned, as `resume` does; close where it raised."""

        def work() -> None:
            then = None
            try:
                then = job()
            except Exception as error:  # noqa: BLE001 - it must end this connection and no other
                self.handler.on_failure(connection, error)
            self.call(lambda: self._end_thread(connection, then))
            with self._lock:
                self._threads.discard(thread)

        thread = threading.Thread(
            target=work, name=f"mock server connection {connection.number}", daemon=True
        )
        with self._lock:  # so that it is added before it ends
            thread.start()
            self._threads.add(thread)

    def _end_thread(self, connection: Connection, then: Callable[[], None] | None) -> None:
        if then is None or self.is_stopping:
            connection.close()
        else:
            self.resume(connection, then)

    def watch(self, connection: Connection, before: int, events: int) -> None:
        """Let the selector report other events than before, 0 for none."""
        if not before:
            self._selector.register(connection.sock, events, connection)
        elif not events:
            self._selector.unregister(connection.sock)
        else:
            self._selector.modify(connection.sock, events, connection)

    def forget(self, connection: Connection) -> None:
        """Take note that a connection is closed."""
        with self._lock:
            self._connections.discard(connection)

    def start_timer(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Have a function called later."""
        timer = Timer(callback)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._timer_numbers), timer))
        return timer

    def cancel_timer(self, timer: Timer) -> None:
        """Cancel that; it may have been called already."""
        if timer.callback is None:
            return
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > MAX_CANCELLED and self._cancelled > len(self._timers) // 2:
            self._timers = [each for each in self._timers if each[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0

    # --- inside

    def _run_due_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            _, _, timer = heapq.heappop(self._timers)
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()

    def _listen(self, listener: socket.socket) -> None:
        self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            if len(self._connections) >= MAX_CONNECTIONS:
                break
            try:
                sock, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no file descriptor is left, or no memory
                self.failed(error)
                break
            self._add(sock)
        else:
            return
        # The kernel keeps new clients waiting until others have left.
        self._selector.unregister(listener)
        self.start_timer(ACCEPT_PAUSE_S, partial(self._listen, listener))

    def _add(self, sock: socket.socket) -> None:
        connection = Connection(self, sock, next(self._numbers), Reader(self._heads, self._max_body_bytes))
        with self._lock:
            self._connections.add(connection)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            connection.watch(selectors.EVENT_READ)
        except OSError as error:  # it has gone already, or the selector is full
            self.failed(error)
            connection.close()
        if self.is_stopping:
            connection.close()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # enough wakes are on their way
            self._wake_writer.send(b"\0")

    def _close_all(self) -> None:
        with self._lock:
            self._is_over = True
            connections = sorted(self._connections, key=lambda each: each.number)
        self.is_stopping = True
        for connection in connections:
            connection.stop()
        while self._calls:
            self._calls.popleft()()
        for each in (self._selector, self._wake_reader, self._wake_writer):
            each.close()
