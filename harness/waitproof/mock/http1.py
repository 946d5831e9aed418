"""Bytes into HTTP/1 requests, and answers into bytes.

`Reader` takes what came over one connection, in whatever pieces, and returns whole requests; h11 parses
their heads and bodies. `whole`, `head` and `chunk` write answers. No socket, clock or thread is used here:
the caller says when bytes were read, and sends what `Reader` asks for.

One fact to know before reading on: a client that polls sends the same bytes again and again. So heads that
have been parsed are kept by their bytes in `Heads`, which all connections of a server share. Such a poll
costs one look-up, and what was found out about its head (`Head.route`) is found out once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import h11

from waitproof.journal import Ended, path_of
from waitproof.text import shorten

__all__ = [
    "MAX_SHOWN_CHARS",
    "Head",
    "Heads",
    "Reader",
    "Refused",
    "Request",
    "chunk",
    "has_body",
    "head",
    "whole",
]

MAX_HEAD_BYTES = 64 * 1024
MAX_KEPT_HEADS = 4096
MAX_KEPT_HEAD_BYTES = 2048  # a poll's has some hundred; 4096 of them cost 8 MB and their headers as much
MAX_SHOWN_CHARS = 200  # of a client's text, when it is repeated to people

_HIGH_BYTE = re.compile(rb"[\x80-\xff]")  # raw in a target: h11 refuses it, most servers do not
_BYTES = re.compile(r"""bytearray\(b(['"].*?['"])\)""")  # in the messages of h11
_TOO_LARGE = f"the request's header is larger than {MAX_HEAD_BYTES} bytes"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(eq=False)
class Refused(Exception):
    """A request that cannot be read: what its client is answered before the connection closes.

    Attributes:
        http: Status code to answer.
        message: What is wrong.
        line: As much of its first line as there is.
        arrived_ns: When that line had been read.
    """

    http: int
    message: str
    line: str = ""
    arrived_ns: int = 0


@dataclass(slots=True, eq=False)
class Head:
    """What a request says before its body; requests of the same bytes share one.

    Attributes:
        method: HTTP method.
        target: As it is in the request line.
        path: Raw path, without an origin and query.
        minor: 0 or 1, of its HTTP version.
        headers: Names in lower case; a repeated header's values are joined by ", ". Not to be changed.
        keeps_alive: Whether the connection may carry another request.
        has_body: Whether a body follows.
        route: For the handler: what requests with this head are about.
    """

    method: str
    target: str
    path: str
    minor: int
    headers: dict[str, str]
    keeps_alive: bool
    has_body: bool = False
    route: Any = None


@dataclass(slots=True, eq=False)
class Request:
    """One request, from its arrival to its end: the only shape that a request has in this server.

    `Reader` makes it with its head and body; the journal numbers it, the handler says what it concerns, and
    it changes once more when it ends. The attributes from `serial` on are those of `JournalEntry`.

    Attributes:
        head: Its lines.
        arrived_ns: When its first line had been read.
        body: As it came, without the framing; dropped when the request ends.
    """

    head: Head
    arrived_ns: int
    body: bytes = b""
    serial: int = 0
    task_id: str | None = None
    kind: str = "other"
    connection: int = 0
    fresh: bool = False
    n: int = 0
    step: int = 0
    status: str = ""
    repeat: bool = False
    nearest: str = ""
    by_path: bool = True
    open: int = 1
    answered_ns: int | None = None
    ended: Ended = Ended.IN_FLIGHT
    http: int | None = None


class Heads(dict[bytes, Head]):
    """Parsed heads by their bytes, the line that ends them included; bounded."""

    def keep(self, data: bytes, head: Head) -> None:
        """Keep a head, if it is a small one."""
        if len(data) > MAX_KEPT_HEAD_BYTES:
            return
        if len(self) >= MAX_KEPT_HEADS:
            self.clear()  # the heads of clients that still poll are back at once
        self[data] = head


class Reader:
    """One connection's bytes, returned request by request."""

    __slots__ = (
        "_arrived_ns",
        "_body",
        "_buffer",
        "_fed",
        "_head",
        "_heads",
        "_line",
        "_parser",
        "_raw_head",
        "max_body_bytes",
    )

    def __init__(self, heads: Heads, max_body_bytes: int) -> None:
        """Make a reader for a new connection.

        Args:
            heads: Those that the server has parsed so far.
            max_body_bytes: Larger requests are refused.
        """
        self.max_body_bytes = max_body_bytes
        self._heads = heads
        self._fed = b""  # the latest bytes, while there are no others
        self._buffer: bytearray | None = None  # thousands of connections are idle and have none
        self._parser: h11.Connection | None = None  # of the request that has begun, from its first line on
        self._line = ""
        self._arrived_ns = 0
        self._raw_head = bytearray()
        self._head: Head | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        if self._buffer is None and not self._fed:
            self._fed = data
        else:
            self._bytes().extend(data)

    @property
    def held(self) -> int:
        """How many bytes have been fed and not looked at."""
        return len(self._fed) + len(self._buffer or b"")

    @property
    def has_begun(self) -> bool:
        """Whether a request has come in part; to be asked after `next` has returned None."""
        return self._parser is not None or bool(self._buffer)

    def next(self, at_ns: int) -> Request | None:
        """Return the next request, or None while it is not whole.

        Args:
            at_ns: When the bytes were read that came since the last call; where none came, and the next
                request had to wait for the answer to the one before, now.

        Raises:
            Refused: It is not a request, or too large; the connection cannot be used any more.
        """
        if self._fed:
            fed = self._fed
            head = self._heads.get(fed)
            if head is not None and not head.has_body and self._parser is None:
                self._fed = b""
                return Request(head, at_ns)
        elif self._buffer is None:
            return None
        try:
            request = self._parse(self._bytes(), at_ns)
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                raise self.refused(431, _TOO_LARGE) from error
            raise self.refused(error.error_status_hint, _malformed(error)) from error
        except ValueError as error:  # int(), in h11 before 0.16
            raise self.refused(400, "malformed request: bad Content-Length") from error
        if not self._buffer:
            self._buffer = None
        return request

    def go_on(self) -> bytes:
        """Return what a client is sent that waits for it before it sends the body, else nothing; once."""
        if self._parser is None or not self._parser.they_are_waiting_for_100_continue:
            return b""
        return self._parser.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def refused(self, http: int, message: str) -> Refused:
        """Return that the request which has begun is given up."""
        line = self._line or bytes(self._bytes()[:MAX_SHOWN_CHARS]).decode("latin-1")
        return Refused(http, message, line, self._arrived_ns)

    def _parse(self, buffer: bytearray, at_ns: int) -> Request | None:
        if self._parser is None:
            self._arrived_ns = at_ns
            if not self._begin(buffer):
                return None
            head_end = buffer.find(b"\r\n\r\n") + 4
            head = self._heads.get(bytes(buffer[:head_end]))
            if head is not None and not head.has_body:
                del buffer[:head_end]
                self._line = ""
                return Request(head, at_ns)
            self._parser = h11.Connection(h11.SERVER, MAX_HEAD_BYTES)
            first, newline, rest = bytes(buffer).partition(b"\n")
            self._parser.receive_data(_HIGH_BYTE.sub(_escape, first) + newline + rest)
        elif buffer:  # nothing would mean the end of the connection
            self._parser.receive_data(bytes(buffer))
        if self._head is None:
            self._raw_head += buffer
        buffer.clear()
        return self._run(self._parser)

    def _begin(self, buffer: bytearray) -> bool:
        """Say whether the first line has come; clients may send blank ones before it."""
        del buffer[: len(buffer) - len(buffer.lstrip(b"\r\n"))]
        newline = buffer.find(b"\n")
        if newline < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise self.refused(431, _TOO_LARGE)
            return False
        self._line = buffer[:newline].rstrip(b"\r").decode("latin-1")
        # h11 would wait for the whole head, which somebody who speaks no HTTP never sends.
        if self._line.count(" ") != 2 or not self._line.rpartition(" ")[2].startswith("HTTP/1."):
            raise self.refused(400, "malformed request line: it must read 'GET /path HTTP/1.1'")
        return True

    def _run(self, parser: h11.Connection) -> Request | None:
        """Take what the parser has found out; return the request where that was all of it."""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Request):
                self._head = self._take_head(event, len(parser.trailing_data[0]))
                self._check_body(int(self._head.headers.get("content-length", "0")))
            elif isinstance(event, h11.Data):
                self._body += event.data
                self._check_body(len(self._body))
            else:
                assert self._head is not None
                request = Request(self._head, self._arrived_ns, bytes(self._body))
                self._bytes().extend(parser.trailing_data[0])
                self._parser, self._head, self._line = None, None, ""
                self._raw_head.clear()
                self._body.clear()
                return request

    def _take_head(self, request: h11.Request, trailing: int) -> Head:
        data = bytes(self._raw_head[: len(self._raw_head) - trailing])
        if len(data) > MAX_HEAD_BYTES:
            raise self.refused(431, _TOO_LARGE)
        head = self._heads.get(data)
        if head is None:
            head = _head(request, self._line.split(" ")[1])
            self._heads.keep(data, head)
        return head

    def _check_body(self, length: int) -> None:
        if length > self.max_body_bytes:
            raise self.refused(413, f"the request's body is larger than {self.max_body_bytes} bytes")

    def _bytes(self) -> bytearray:
        if self._buffer is None:
            self._buffer = bytearray(self._fed)
            self._fed = b""
        return self._buffer


def _head(request: h11.Request, target: str) -> Head:
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    minor = int(request.http_version[-1:])
    return Head(
        request.method.decode(),
        target,
        path_of(target),
        minor,
        headers,
        _keeps_alive(headers.get("connection"), minor),
        "transfer-encoding" in headers or headers.get("content-length", "0").strip("0") != "",
    )


def _keeps_alive(options: str | None, minor: int) -> bool:
    if options is None:
        return minor >= 1
    words = {word.strip() for word in options.lower().split(",")}
    return "close" not in words if minor >= 1 else "keep-alive" in words


def _malformed(error: h11.RemoteProtocolError) -> str:
    return f"malformed request: {shorten(_BYTES.sub(lambda found: found[1], str(error)), MAX_SHOWN_CHARS)}"


def _escape(byte: re.Match[bytes]) -> bytes:
    return b"%%%02X" % byte[0][0]


# --- answers ------------------------------------------------------------------------------------------


def whole(
    http: int, headers: Mapping[str, str], body: bytes, *, keep: bool, minor: int, bodiless: bool = False
) -> bytes:
    """Return an answer.

    Args:
        http: Status code.
        headers: Content-Length and Connection among them are ignored.
        body: Its bytes, which a 204 and a 304 do not have.
        keep: Whether the connection can carry another request.
        minor: Of the request's HTTP version.
        bodiless: Write the length of the body, and leave the body out.
    """
    items = [item for item in headers.items() if item[0].lower() != "content-length"]
    if not has_body(http):
        return head(http, items, keep=keep, minor=minor)
    items.append(("Content-Length", str(len(body))))
    first = head(http, items, keep=keep, minor=minor)
    return first if bodiless else first + body


def has_body(http: int) -> bool:
    """Return whether answers with a status code have a body."""
    return http not in {204, 304}


def head(
    http: int, headers: Iterable[tuple[str, str]], *, keep: bool, minor: int, chunked: bool = False
) -> bytes:
    """Return an answer's head, including the empty line; a Connection among the headers is ignored."""
    lines = [f"HTTP/1.1 {http} {_REASONS.get(http, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() != "connection"]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    if not keep:
        lines.append("Connection: close")
    elif minor == 0:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def chunk(data: bytes) -> bytes:
    """Return a piece of a body as a chunk; nothing for an empty one, which would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
