"""The matchers of pytest-httpserver: they answer what is neither a poll nor an operation.

They are a WSGI application, whose handlers may wait. So a request is answered in a thread that has the
connection's socket to itself, as `Connection.run_in_thread` gives it.
"""

from __future__ import annotations

import io
import itertools
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

from waitproof.journal import Ended
from waitproof.mock import http1
from waitproof.mock.handler import After, error_text
from waitproof.mock.http1 import MAX_SHOWN_CHARS, Request
from waitproof.mock.tasks import ServerState, write_answer
from waitproof.text import shorten

__all__ = ["NEAREST", "Matchers"]

NEAREST = "waitproof.nearest"  # in the environ of a request that no matcher handles: the nearest route


class Matchers:
    """Answers requests by pytest-httpserver's matchers; for any thread."""

    def __init__(
        self,
        server: BaseWSGIServer,
        state: ServerState,
        on_error: Callable[[Exception], None],
        how_lost: Callable[[], Ended],
    ) -> None:
        """Make the answerer of a server.

        Args:
            server: Its `app` are the matchers.
            state: The journal, and the words of an error.
            on_error: Called with what a matcher's handler raised.
            how_lost: Returns how a request ends whose client can no longer be reached.
        """
        self._server = server
        self._state = state
        self._on_error = on_error
        self._how_lost = how_lost

    def answer(self, sock: socket.socket, request: Request) -> After:
        """Answer a request that is on record, and note how it ended."""
        try:
            environ = _Environ(sock, self._server, request).make_environ()
        except ValueError as error:  # such as a target that begins as an address does, and is none
            fact = f"the target {shorten(request.head.target, MAX_SHOWN_CHARS)} is not a URL: {error}"
            return self._answer_error(sock, request, 400, fact)
        except OSError:
            return self._end(request, self._how_lost())
        http: int | None = None
        keep = False
        try:
            for http, keep, data in self._pieces(environ, request):  # noqa: B007 - the last
                try:
                    sock.sendall(data)
                except OSError:
                    return self._end(request, self._how_lost(), http)
        except ConnectionError:  # a handler's way to drop the connection
            return self._end(request, Ended.DROPPED, http)
        except Exception as error:  # noqa: BLE001 - a matcher's handler may raise anything
            if http is not None:
                return self._end(request, Ended.DROPPED, http)
            self._on_error(error)
            return self._answer_error(sock, request, 500, error_text(error))
        if request.task_id is None:
            request.nearest = str(environ.get(NEAREST, ""))
        return self._end(request, Ended.ANSWERED, http, After.KEEP if keep else After.LINGER)

    def _pieces(self, environ: dict[str, Any], request: Request) -> Iterator[tuple[int, bool, bytes]]:
        """Yield status, whether the connection is kept, and the next bytes: head and first piece are one."""
        head = request.head
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []  # WSGI has two ways to hand over a body

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: object = None, /
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return written.append

        pieces = self._server.app(environ, start_response)
        try:
            status, headers = started[-1]
            http = int(status.split(None, 1)[0])
            by_name = {name.lower(): value for name, value in headers}
            sized = "content-length" in by_name or not http1.has_body(http) or head.method == "HEAD"
            chunked = not sized and head.minor >= 1
            closes = by_name.get("connection", "").lower() == "close"
            keep = head.keeps_alive and not closes and (sized or chunked)
            out = http1.head(http, headers, keep=keep, minor=head.minor, chunked=chunked)
            for piece in itertools.chain(written, pieces):
                yield http, keep, out + (http1.chunk(piece) if chunked else piece)
                out = b""
            if out or chunked:
                yield http, keep, out + (b"0\r\n\r\n" if chunked else b"")
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _answer_error(self, sock: socket.socket, request: Request, http: int, fact: str) -> After:
        written = write_answer(self._state.error(http, fact), request.head)
        try:
            sock.sendall(written.data)
        except OSError:
            return self._end(request, self._how_lost())
        return self._end(request, Ended.ANSWERED, http, After.KEEP if written.keep else After.LINGER)

    def _end(
        self, request: Request, ended: Ended, http: int | None = None, after: After = After.CLOSE
    ) -> After:
        self._state.journal.end(request, ended, http)
        return after


class _Environ(WSGIRequestHandler):
    """What werkzeug's own handler would know of a request, to write it in WSGI's terms.

    Its input is the body that has been read already.
    """

    def __init__(self, sock: socket.socket, server: BaseWSGIServer, request: Request) -> None:
        head = request.head
        self.headers = HTTPMessage()
        for name, value in head.headers.items():
            if name not in {"transfer-encoding", "content-length"}:
                self.headers[name] = value
        if request.body:
            self.headers["content-length"] = str(len(request.body))
        self.connection = sock
        self.client_address = sock.getpeername()
        self.server = server
        self.command, self.path = head.method, head.target
        self.request_version = f"HTTP/1.{head.minor}"
        self.rfile = io.BytesIO(request.body)
