"""A real clock and a real network for the model client, with the methods of the simulator's `Machine`."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import select
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from waitproof.simulate import (
    Answer,
    Request,
    SimulatedCancelError,
    SimulatedDropError,
    SimulatedTimeoutError,
)

__all__ = ["RealMachine"]

LONGEST_TIMEOUT_S = 86_400.0  # sockets refuse a timeout of 25 days
MOST_AT_ONCE = 256  # requests of coroutines: no wait may queue for another's thread

_T = TypeVar("_T")


class _Http10(http.client.HTTPConnection):
    _http_vsn = 10
    _http_vsn_str = "HTTP/1.0"


class RealMachine:
    """The clock and the connections of one client.

    Errors of the network are the simulator's, so that the client has one kind to know. The cancelling of an
    asyncio task is the simulator's, too; what blocks cannot be cancelled.
    """

    def __init__(self, base_url: str, *, is_http_10: bool = False) -> None:
        self._host = urlsplit(base_url).netloc
        self._kind = _Http10 if is_http_10 else http.client.HTTPConnection
        self._idle: list[http.client.HTTPConnection] = []
        self._left_open: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="request")

    def now(self) -> float:
        """Return the monotonic clock, in seconds."""
        return time.monotonic()

    def unix_s(self) -> float:
        """Return the time of day, in seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float, *, deaf: bool = False) -> None:  # noqa: ARG002 - it is always deaf
        """Block for so long."""
        time.sleep(seconds)

    def print(self, line: str) -> None:
        """Write a line to stderr."""
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def start(self, body: Callable[[], object]) -> None:
        """Run `body` in another thread, and ignore what it raises."""

        def run() -> None:
            with contextlib.suppress(Exception):
                body()

        threading.Thread(target=run, daemon=False).start()  # it keeps the process alive

    async def sleep_async(self, seconds: float, *, deaf: bool = False) -> None:
        """Let the event loop run for so long."""
        await _unless_cancelled(asyncio.ensure_future(asyncio.sleep(seconds)), deaf=deaf)

    async def send_async(
        self, request: Request, timeout_s: float, *, blind: bool = False, deaf: bool = False
    ) -> Answer:
        """Exchange a request for its answer in a thread, and let the event loop run in the meantime."""
        loop = asyncio.get_running_loop()
        sent = loop.run_in_executor(self._threads, lambda: self.send(request, timeout_s, blind=blind))
        return await _unless_cancelled(sent, deaf=deaf)

    def send(
        self,
        request: Request,
        timeout_s: float,
        *,
        blind: bool = False,
        deaf: bool = False,  # noqa: ARG002 - it is always deaf
    ) -> Answer:
        """Exchange a request for its answer, within the timeout as a whole.

        Args:
            request: What to send.
            timeout_s: When to give up.
            blind: Use the last connection again even when the server has closed it.
            deaf: Nothing here: no thread can be cancelled.

        Raises:
            SimulatedTimeoutError: No answer came in time.
            SimulatedDropError: The connection was dropped, or could not be opened.
        """
        deadline_s = time.monotonic() + min(timeout_s, LONGEST_TIMEOUT_S)
        connection = self._kind(self._host) if request.leaves_open else self._connection(is_blind=blind)
        try:
            answer, is_reusable = _exchange(connection, request, deadline_s)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline_s:
                raise SimulatedTimeoutError("no answer in time") from error
            raise SimulatedDropError(repr(error)) from error
        if is_reusable:
            with self._lock:
                (self._left_open if request.leaves_open else self._idle).append(connection)
        else:
            connection.close()
        return answer

    def _connection(self, *, is_blind: bool) -> http.client.HTTPConnection:
        while True:
            with self._lock:
                if not self._idle:
                    return self._kind(self._host)
                connection = self._idle.pop()
            if is_blind or not _is_closed(connection):
                return connection
            connection.close()


async def _unless_cancelled(operation: asyncio.Future[_T], *, deaf: bool) -> _T:
    """Return what an operation comes to; where it is deaf to a cancellation, that is raised after its end."""
    try:
        return await asyncio.shield(operation)
    except asyncio.CancelledError as error:
        if deaf:
            await asyncio.wait([operation])
        operation.cancel()
        raise SimulatedCancelError("the caller has cancelled the call") from error


def _is_closed(connection: http.client.HTTPConnection) -> bool:
    """Say whether the server has closed an idle connection: nothing else makes it readable."""
    return connection.sock is None or bool(select.select([connection.sock], [], [], 0)[0])


def _exchange(
    connection: http.client.HTTPConnection, request: Request, deadline_s: float
) -> tuple[Answer, bool]:
    """Return the answer, and whether the connection can carry another request."""

    def left_s() -> float:
        seconds = deadline_s - time.monotonic()
        if seconds <= 0:
            raise TimeoutError("the time for this request is over")
        return seconds

    connection.timeout = left_s()
    if connection.sock is None:
        connection.connect()
    sock = connection.sock
    sock.settimeout(left_s())
    # Without its own Accept-Encoding, a connection would send one that no client here has asked for.
    connection.putrequest(request.method, request.target, skip_accept_encoding=True)
    if request.body is not None:
        connection.putheader("Content-Length", str(len(request.body)))
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.endheaders(request.body)
    sock.settimeout(left_s())
    response = connection.getresponse()
    with contextlib.suppress(OSError):  # closed already where the answer ends the connection
        sock.settimeout(left_s())
    pieces = tuple(iter(response.read1, b"")) if response.chunked else ()
    body = b"".join(pieces) or response.read()
    return Answer(response.status, dict(response.getheaders()), body, pieces), not response.will_close
