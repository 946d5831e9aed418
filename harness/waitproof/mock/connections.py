"""The mock server's connections: one thread that accepts, reads and writes for all of them.

`Loop` hands each whole request to its `Service` and does with the connection what the service says: send,
wait, break it off, or lend it to a thread. It knows HTTP's framing from `http_wire` and nothing of tasks.

One fact to know before reading on: whatever waits (for a request, a delay, a client that reads slowly or
takes its leave) is a deadline in one heap and costs no thread; only `Connection.lend` starts one, for code
that may block. So everything in this module runs in the loop's thread, unless it says otherwise, and nothing
that the loop calls may wait.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from waitproof.mock.http1 import Heads, Reader, Refused, Request

__all__ = ["Connection", "Loop", "Service"]

RECEIVE_BYTES = 16 * 1024  # at once: many times a poll
ACCEPT_AT_ONCE = 128  # before those that are connected have their turn
ACCEPT_PAUSE_S = 0.05  # when the process can open no more sockets: until others have closed theirs
LINGER_S = 1.0  # for a client to read a last answer before an early close could destroy it
LINGER_BYTES = 16 * 1024 * 1024
MAX_AHEAD_BYTES = 1024 * 1024  # that a client may send before its last request is answered
MAX_CANCELLED = 1000  # timers that are kept until their time has come
# What select() can watch; epoll and kqueue have no such limit.
MAX_CONNECTIONS = 480 if sys.platform == "win32" else sys.maxsize

_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # SO_LINGER on, for no time
_GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"


class Service(Protocol):
    """What answers the requests."""

    def serve(self, connection: Connection, request: Request) -> bool:
        """Answer a request, or see to it that it will be.

        Returns:
            True when it is answered and the connection can carry the next one; False where one of the
            connection's methods has been called that says how it goes on.
        """

    def refuse(self, connection: Connection, refused: Refused) -> None:
        """Tell a client what is wrong, and take leave."""

    def gone(self, connection: Connection) -> None:
        """Take note that a connection has been closed, for its client has gone."""

    def went_wrong(self, connection: Connection, error: Exception) -> None:
        """Take note of a mistake of the service's own; the connection is closed. Any thread."""


class _Timer:
    """One deadline; without a callback it has been cancelled."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback


class Connection:
    """One client's connection.

    Attributes:
        number: From 1, in order of arrival on this loop.
        fresh: It has carried no request before; whoever puts the first one on record says so.
        sock: For whom it is lent to.
        carried: For the service: the task of the latest poll or operation that came here.
        latest: For the service: what it has put on record of the latest request.
    """

    __slots__ = (
        "_discardable",
        "_done",
        "_has_begun",
        "_is_lent",
        "_loop",
        "_on_readable",
        "_reader",
        "_timer",
        "_watched",
        "_writing",
        "carried",
        "fresh",
        "latest",
        "number",
        "sock",
    )

    def __init__(self, loop: Loop, sock: socket.socket, number: int, reader: Reader) -> None:
        self.sock = sock
        self.number = number
        self.fresh = True
        self.carried: str | None = None
        self.latest: Any = None
        self._loop = loop
        self._reader = reader
        self._watched = 0  # events that the selector tells of
        self._timer: _Timer | None = None
        self._on_readable: Callable[[], None] | None = None  # None where the next request is awaited
        self._done: Callable[[bool], None] | None = None  # told of the end of a delay or an answer
        self._writing = memoryview(b"")
        self._discardable = 0  # bytes that may still come after our last
        self._has_begun = False  # a request has, and its time is running
        self._is_lent = False

    # --- for the service; after each of these but `send` and `close_when_idle`, `serve` returns False

    def send(self, data: bytes) -> int:
        """Send what the kernel takes at once, and return how many bytes that were.

        Raises:
            OSError: The client has gone.
        """
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def send_rest(self, data: bytes, done: Callable[[bool], None]) -> None:
        """Send what `send` left over, as the client takes it.

        Args:
            data: What is left.
            done: Told True when the last byte is the kernel's; False when the client has gone, has taken
                nothing for the time it has, or the loop is stopped.
        """
        self._writing = memoryview(data)
        self._done = done
        self._start_timer(self._loop.send_limit_s, self._give_up)
        self._watch(selectors.EVENT_WRITE)

    def pause(self, seconds: float, done: Callable[[bool], None]) -> None:
        """Wait before the answer.

        Args:
            seconds: How long.
            done: Told True after that time; False at once when the client leaves or the loop is stopped.
        """
        self._done = done
        self._on_readable = self._read_ahead
        self._start_timer(seconds, self._end_pause)

    def go_on(self) -> None:
        """Take up the next request, where `serve` has returned False for the one before."""
        self._loop._advance(self, time.monotonic_ns())

    def close_when_idle(self, seconds: float) -> None:
        """Close unless another request has begun by then; a late loop has not seen all that have."""
        self._start_timer(seconds, self._close_unread)

    def take_leave(self) -> None:
        """End our side, and read on until the client ends its own.

        Closing a socket that has unread bytes resets the connection, which can destroy an answer that the
        client has not read yet.
        """
        _shut(self.sock, socket.SHUT_WR)
        self._discardable = LINGER_BYTES
        self._on_readable = self._discard
        self._start_timer(LINGER_S, self.close)

    def break_off(self, *, by_reset: bool = False) -> None:
        """Close at once, whatever the client has not been sent."""
        if by_reset:
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        else:
            _shut(self.sock, socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        """Close; may be called again."""
        self._cancel_timer()
        self._watch(0)
        self._on_readable = None
        self._loop._forget(self)
        self.sock.close()

    def lend(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Have a thread do what may block; meanwhile the loop does not touch the connection.

        Args:
            job: May use `sock`, whose operations raise TimeoutError when the client takes nothing for the
                time it has, and OSError once the loop is stopped.
            done: Told in the loop's thread what the job returned; not when the job raised or the loop was
                stopped, after which the connection is closed.

        Raises:
            RuntimeError: The system lets no further thread begin.
        """
        self._watch(0)
        self._is_lent = True
        try:
            self._loop._start_thread(f"mock server connection {self.number}", lambda: self._work(job, done))
        except RuntimeError:
            self._is_lent = False
            self._watch(selectors.EVENT_READ)
            raise

    # --- inside

    def _work(self, job: Callable[[], Any], done: Callable[[Any], None]) -> None:
        try:
            self.sock.settimeout(self._loop.send_limit_s)
            result = job()
        except Exception as error:  # noqa: BLE001 - it must end this connection and no other
            self._loop.service.went_wrong(self, error)
            self._loop.call(self._end_loan)
        else:
            self._loop.call(lambda: self._end_loan(lambda: done(result)))

    def _end_loan(self, then: Callable[[], None] | None = None) -> None:
        self._is_lent = False
        if then is None or self._loop.is_stopping:
            self.close()
            return

        def take_back() -> None:
            self.sock.setblocking(False)  # fails where the job has done away with the socket
            self._watch(selectors.EVENT_READ)
            then()

        self._loop._guarded(take_back, self)

    def _receive(self) -> bytes | None:
        """Return what has come: nothing when the client has left, None when nothing has come after all."""
        try:
            return self.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _read_ahead(self) -> None:
        data = self._receive()
        if data is None:
            return
        if not data:
            self._end(kept=False)
            return
        self._reader.feed(data)
        if self._reader.held > MAX_AHEAD_BYTES:
            self._watch(0)  # what else it sends can wait

    def _discard(self) -> None:
        data = self._receive()
        if data is None:
            return
        self._discardable -= len(data)
        if not data or self._discardable < 0:
            self.close()

    def _write_on(self) -> None:
        try:
            sent = self.sock.send(self._writing)
        except BlockingIOError:
            return
        except OSError:
            self._end(kept=False)
            return
        self._writing = self._writing[sent:]
        if self._writing:
            self._start_timer(self._loop.send_limit_s, self._give_up)
        else:
            self._end(kept=True)

    def _close_unread(self) -> None:
        """Close unless something waits to be read: that would reset the connection of a client in time."""
        try:
            is_idle = not self.sock.recv(1, socket.MSG_PEEK)
        except OSError:  # nothing has come, or the client has gone
            is_idle = True
        if is_idle:
            self.close()

    def _end_pause(self) -> None:
        self._end(kept=True)

    def _give_up(self) -> None:
        self._end(kept=False)

    def _end(self, *, kept: bool) -> None:
        """End a delay or an answer, and tell who waits for that."""
        self._cancel_timer()
        self._on_readable = None
        self._writing = memoryview(b"")
        done, self._done = self._done, None
        assert done is not None
        if kept:
            self._watch(selectors.EVENT_READ)
        else:
            self.close()
        self._loop._guarded(lambda: done(kept), self)

    def _watch(self, events: int) -> None:
        selector = self._loop._selector
        if events == self._watched:
            return
        if not self._watched:
            selector.register(self.sock, events, self)
        elif not events:
            selector.unregister(self.sock)
        else:
            selector.modify(self.sock, events, self)
        self._watched = events

    def _start_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = self._loop._timers.start(seconds, callback)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._loop._timers.cancel(self._timer)
            self._timer = None


class Loop:
    """Connections of one listening socket, from `run` until `stop`.

    Attributes:
        service: What answers.
        send_limit_s: See `__init__`.
        is_stopping: Nothing may be answered any more.
    """

    def __init__(
        self,
        listener: socket.socket,
        service: Service,
        *,
        max_body_bytes: int,
        request_limit_s: float,
        send_limit_s: float,
    ) -> None:
        """Make a loop that does not run yet.

        Args:
            listener: A socket that listens; whoever made it closes it.
            service: What answers.
            max_body_bytes: Larger requests are refused.
            request_limit_s: How long a request may take from its first byte to its last.
            send_limit_s: How long a client may take nothing of its answer.
        """
        self.service = service
        self.send_limit_s = send_limit_s
        self.is_stopping = False
        self._listener = listener
        self._listener.setblocking(False)
        self._heads = Heads()
        self._max_body_bytes = max_body_bytes
        self._request_limit_s = request_limit_s
        self._numbers = itertools.count(1)
        self._selector = selectors.DefaultSelector()
        self._timers = _Timers()
        self._calls: deque[Callable[[], None]] = deque()
        self._waker, self._wakes = socket.socketpair()
        for each in (self._waker, self._wakes):
            each.setblocking(False)
        self._lock = threading.Lock()  # for what other threads look at: the next three
        self._connections: set[Connection] = set()
        self._threads: set[threading.Thread] = set()
        self._is_over = False

    # --- for any thread

    def stop(self) -> None:
        """Let `run` return soon, and let no further byte out."""
        self.is_stopping = True
        with self._lock:
            for connection in self._connections:
                _shut(connection.sock, socket.SHUT_RDWR)
            if not self._is_over:
                self._wake()

    def call(self, callback: Callable[[], None]) -> None:
        """Have the loop's thread call a function; once the loop is over, this thread does."""
        with self._lock:
            if not self._is_over:
                self._calls.append(callback)
                self._wake()
                return
        callback()

    def join_threads(self, deadline: float) -> None:
        """Wait for the threads that connections are lent to, until a time of the monotonic clock."""
        with self._lock:
            threads = self._threads - {threading.current_thread()}
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    # --- for the loop's thread

    def run(self) -> None:
        """Serve until the loop is stopped."""
        self._selector.register(self._wakes, selectors.EVENT_READ, self._woken)
        self._listen()
        try:
            while not self.is_stopping:
                self._turn(self._selector.select(self._timers.until_next_s()))
        finally:
            self._close_all()

    def _turn(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        arrived: list[tuple[Connection, int]] = []
        # All are read before the first is answered: so each is stamped as early as can be.
        for key, events in ready:
            connection = key.data
            if connection.__class__ is not Connection:
                connection()
            elif connection._on_readable is not None:
                connection._on_readable()
            elif events & connection._watched & selectors.EVENT_WRITE:
                connection._write_on()
            elif (data := connection._receive()) is not None:
                if data:
                    at_ns = time.monotonic_ns()
                    connection._reader.feed(data)
                    arrived.append((connection, at_ns))
                else:
                    connection.close()
        for connection, at_ns in arrived:
            self._advance(connection, at_ns)
        if self._timers:
            self._timers.run_due()
        while self._calls:
            self._calls.popleft()()

    def _advance(self, connection: Connection, at_ns: int) -> None:
        """Serve the requests that have come whole."""
        reader = connection._reader
        try:
            while (request := reader.next(at_ns)) is not None:
                if connection._timer is not None:
                    connection._cancel_timer()
                connection._has_begun = False
                if self.is_stopping or not self.service.serve(connection, request):
                    return
                at_ns = time.monotonic_ns()
        except Refused as refused:
            self._refuse(connection, refused)
            return
        except Exception as error:  # noqa: BLE001 - it must end this connection and no other
            connection.close()
            self.service.went_wrong(connection, error)
            return
        if reader.has_begun and not connection._has_begun:
            connection._has_begun = True
            connection._start_timer(self._request_limit_s, lambda: self._refuse_late(connection))
        if reader.asks_to_go_on():
            with contextlib.suppress(OSError):  # the next read tells that the client has gone
                connection.send(_GO_ON)

    def _refuse_late(self, connection: Connection) -> None:
        try:
            connection._reader.refuse(408, f"the request was not whole within {self._request_limit_s:g} s")
        except Refused as refused:
            self._refuse(connection, refused)

    def _refuse(self, connection: Connection, refused: Refused) -> None:
        connection._cancel_timer()
        if not self.is_stopping:
            self._guarded(lambda: self.service.refuse(connection, refused), connection)

    def _guarded(self, call: Callable[[], None], connection: Connection) -> None:
        try:
            call()
        except OSError:  # the client has gone
            connection.close()
            self.service.gone(connection)
        except Exception as error:  # noqa: BLE001 - it must end this connection and no other
            connection.close()
            self.service.went_wrong(connection, error)

    def _listen(self) -> None:
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            if len(self._connections) >= MAX_CONNECTIONS:
                self._pause_accepting()
                return
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptor is left, or no memory
                self._pause_accepting()
                return
            self._take_in(sock)

    def _pause_accepting(self) -> None:
        """Let the kernel keep new clients waiting until others have left."""
        self._selector.unregister(self._listener)
        self._timers.start(ACCEPT_PAUSE_S, self._listen)

    def _take_in(self, sock: socket.socket) -> None:
        reader = Reader(self._heads, self._max_body_bytes)
        connection = Connection(self, sock, next(self._numbers), reader)
        with self._lock:
            self._connections.add(connection)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
            connection._watch(selectors.EVENT_READ)
        except OSError:  # it has gone already, or the selector is full
            connection.close()
        if self.is_stopping:
            connection.close()

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.discard(connection)

    def _start_thread(self, name: str, body: Callable[[], None]) -> None:
        def work() -> None:
            try:
                body()
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=work, name=name, daemon=True)
        with self._lock:  # so that it is added before it ends
            thread.start()
            self._threads.add(thread)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # enough wakes are on their way
            self._waker.send(b"\0")

    def _woken(self) -> None:
        self._wakes.recv(RECEIVE_BYTES)

    def _close_all(self) -> None:
        with self._lock:
            self._is_over = True
            connections = sorted(self._connections, key=lambda each: each.number)
        self.is_stopping = True
        for connection in connections:
            if connection._is_lent:
                _shut(connection.sock, socket.SHUT_RDWR)
            elif connection._done is not None:
                connection._end(kept=False)
            else:
                connection.close()
        while self._calls:
            self._calls.popleft()()
        self._selector.close()
        self._waker.close()
        self._wakes.close()


class _Timers:
    """What shall happen later, soonest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, _Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def start(self, seconds: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._heap, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def cancel(self, timer: _Timer) -> None:
        if timer.callback is None:
            return
        timer.callback = None
        self._cancelled += 1
        if self._cancelled > MAX_CANCELLED and self._cancelled > len(self._heap) // 2:
            self._heap = [each for each in self._heap if each[2].callback is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def until_next_s(self) -> float | None:
        """Return how long nothing need happen, None for ever."""
        return max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None

    def run_due(self) -> None:
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            _, _, timer = heapq.heappop(self._heap)
            callback, timer.callback = timer.callback, None
            if callback is None:
                self._cancelled -= 1
            else:
                callback()


def _shut(sock: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(how)
