"""Bytes into HTTP/1 requests, and answers into bytes.

`Reader` is fed what came over one connection, in whatever pieces, and gives out whole requests; `whole`,
`head` and `chunk` write answers. No socket, clock or thread lives here: the caller says when bytes were
read, and sends what `Reader` asks for.

One fact to know before reading on: a client that polls sends the same bytes again and again. Heads that
have been read are kept by their bytes in `Heads`, which all connections of a server share, so that such a
poll costs one look-up, and what was found out about its head (`Head.note`) is found out once.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

__all__ = [
    "MAX_HEAD_BYTES",
    "Head",
    "Heads",
    "Reader",
    "Refused",
    "Request",
    "chunk",
    "has_body",
    "head",
    "read_head",
    "shortened",
    "whole",
]

MAX_HEAD_BYTES = 64 * 1024
MAX_KEPT_HEADS = 4096
MAX_KEPT_HEAD_BYTES = 2048  # a poll's has some hundred; 4096 of them cost 8 MB and their headers as much

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of a target as proxies are sent it
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_HEAD_END_BYTES = 4
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_CHUNKED = -1  # the length of a body that says its length itself
_BODILESS = {204, 304}
_REASONS = {status.value: status.phrase for status in HTTPStatus}


class Refused(Exception):
    """A request that cannot be read: what it is told before its connection closes.

    Attributes:
        http: Status code to answer.
        message: What is wrong.
        line: As much of its first line as there is.
        arrived_ns: When that line had been read.
    """

    def __init__(self, http: int, message: str, line: str = "", arrived_ns: int = 0) -> None:
        super().__init__(message)
        self.http = http
        self.message = message
        self.line = line
        self.arrived_ns = arrived_ns


@dataclass(slots=True, eq=False)
class Head:
    """What a request says before its body; requests of the same bytes share one.

    Attributes:
        method: HTTP method.
        target: As it stood in the request line.
        path: Raw path, without an origin and query.
        minor: 0 or 1, of its HTTP version.
        headers: Names in lower case; a repeated header's values are joined by ", ". Not to be changed.
        keeps_alive: Whether the connection may carry another request.
        length: Bytes of its body; -1 where it comes in chunks.
        note: Whatever its reader wants to remember.
    """

    method: str
    target: str
    path: str
    minor: int
    headers: dict[str, str]
    keeps_alive: bool
    length: int = 0
    note: Any = None


@dataclass(slots=True, eq=False)
class Request:
    """One request, whole.

    Attributes:
        head: Its lines.
        arrived_ns: When its first line had been read.
        body: As it came; chunks are joined.
        lines: What its head was read from, as it came, for a parser that wants to see it itself.
    """

    head: Head
    arrived_ns: int
    body: bytes = b""
    lines: bytes = b""


class Heads(dict[bytes, Head]):
    """Heads by their bytes, the line that ends them included; bounded."""

    def keep(self, data: bytes, head: Head) -> None:
        """Remember a head, if it is a small one."""
        if len(data) > MAX_KEPT_HEAD_BYTES:
            return
        if len(self) >= MAX_KEPT_HEADS:
            self.clear()  # whoever still polls is back at once
        self[data] = head


class Reader:
    """One connection's bytes, given out request by request."""

    __slots__ = (
        "_arrived_ns",
        "_asks",
        "_at_ns",
        "_buffer",
        "_fed",
        "_heads",
        "_line",
        "_steps",
        "max_body_bytes",
    )

    def __init__(self, heads: Heads, max_body_bytes: int) -> None:
        """Make a reader for a new connection.

        Args:
            heads: Those that the server has read so far.
            max_body_bytes: Larger requests are refused.
        """
        self.max_body_bytes = max_body_bytes
        self._heads = heads
        self._fed = b""  # the latest bytes, while there are no others
        self._buffer: bytearray | None = None  # thousands of connections are idle and have none
        self._steps: Generator[None, None, Request] | None = None
        self._asks = False
        self._line = ""
        self._arrived_ns = 0
        self._at_ns = 0

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        if self._buffer is None and not self._fed:
            self._fed = data
        else:
            self._bytes().extend(data)

    @property
    def held(self) -> int:
        """How many bytes wait to be given out."""
        return len(self._fed) + len(self._buffer or b"")

    @property
    def has_begun(self) -> bool:
        """Whether a request has come in part; to be asked after `next` has returned None."""
        return self._steps is not None

    def next(self, at_ns: int) -> Request | None:
        """Return the next request, or None while it is not whole.

        Args:
            at_ns: When the bytes were read that came since the last call; where none came, and earlier
                requests were in the way of the next one, now.

        Raises:
            Refused: It is no request, or too large; the connection is of no use afterwards.
        """
        if self._fed:
            fed = self._fed
            head = self._heads.get(fed)
            if head is not None and not head.length:
                self._fed = b""
                return Request(head, at_ns, b"", fed)
        elif self._buffer is None:
            return None
        self._at_ns = at_ns
        if self._steps is None:
            self._steps = self._read()
        try:
            next(self._steps)
        except StopIteration as whole_request:
            self._line, self._arrived_ns, self._steps = "", 0, None
            self._let_go()
            request: Request = whole_request.value
            return request
        if not self._line and not self._buffer:  # there was a blank line and no more
            self._steps = None
            self._let_go()
        return None

    def asks_to_go_on(self) -> bool:
        """Say, once a request, whether its client waits for `100 Continue` before it sends the body."""
        asks, self._asks = self._asks, False
        return asks

    def refuse(self, http: int, message: str) -> NoReturn:
        """Give up the request that has begun.

        Raises:
            Refused: Always.
        """
        line = self._line or bytes(self._bytes()[:200]).decode("latin-1")
        raise Refused(http, message, line, self._arrived_ns or self._at_ns)

    # --- one request; each of these stops with a `yield` wherever more bytes are needed

    def _read(self) -> Generator[None, None, Request]:
        yield from self._read_line()
        if _REQUEST_LINE.fullmatch(self._line) is None:
            self.refuse(400, "malformed request line: it must read 'GET /path HTTP/1.1'")
        buffer = self._bytes()
        searched = 0
        while (end := _HEAD_END.search(buffer, searched)) is None:
            self._check_head(len(buffer))
            searched = max(0, len(buffer) - _HEAD_END_BYTES)
            yield
        self._check_head(end.start())
        data = bytes(buffer[: end.end()])
        del buffer[: end.end()]
        head = self._heads.get(data)
        if head is None:
            try:
                head = read_head(data)
            except ValueError as error:
                self.refuse(400, str(error))
            self._heads.keep(data, head)
        arrived_ns = self._arrived_ns
        if head.length == 0:
            return Request(head, arrived_ns, b"", data)
        if head.length == _CHUNKED:
            self._ask(head)
            return Request(head, arrived_ns, (yield from self._read_chunks()), data)
        self._check_body(head.length)
        if len(buffer) < head.length:
            self._ask(head)
        return Request(head, arrived_ns, (yield from self._take(head.length)), data)

    def _read_line(self) -> Generator[None, None, None]:
        """Wait for a line that is not blank; clients may send blank ones between requests."""
        buffer = self._bytes()
        while True:
            newline = buffer.find(b"\n")
            if newline < 0:
                self._check_head(len(buffer))
                yield
                continue
            line = buffer[:newline].rstrip(b"\r").decode("latin-1")
            if line:
                self._line, self._arrived_ns = line, self._at_ns
                return
            del buffer[: newline + 1]

    def _read_chunks(self) -> Generator[None, None, bytes]:
        body = bytearray()
        while True:
            size = _CHUNK_SIZE.fullmatch((yield from self._take_line()))
            if size is None:
                self.refuse(400, "malformed size of a chunk")
            length = int(size[1], 16)
            if length == 0:
                break
            self._check_body(len(body) + length)
            data = yield from self._take(length + 2)
            if not data.endswith(b"\r\n"):
                self.refuse(400, "a chunk is longer or shorter than its size")
            body += data[:-2]
        trailer = 0
        while line := (yield from self._take_line()):  # it ends with an empty line
            trailer += len(line)
            self._check_head(trailer)
        return bytes(body)

    def _take_line(self) -> Generator[None, None, bytes]:
        buffer = self._bytes()
        while (newline := buffer.find(b"\n")) < 0:
            self._check_head(len(buffer))
            yield
        line = bytes(buffer[:newline]).rstrip(b"\r")
        del buffer[: newline + 1]
        return line

    def _take(self, length: int) -> Generator[None, None, bytes]:
        buffer = self._bytes()
        while len(buffer) < length:
            yield
        taken = bytes(buffer[:length])
        del buffer[:length]
        return taken

    def _ask(self, head: Head) -> None:
        self._asks = head.minor >= 1 and head.headers.get("expect", "").lower() == "100-continue"

    def _check_head(self, length: int) -> None:
        if length > MAX_HEAD_BYTES:
            self.refuse(431, f"the request's header is larger than {MAX_HEAD_BYTES} bytes")

    def _check_body(self, length: int) -> None:
        if length > self.max_body_bytes:
            self.refuse(413, f"the request's body is larger than {self.max_body_bytes} bytes")

    def _bytes(self) -> bytearray:
        if self._buffer is None:
            self._buffer = bytearray(self._fed)
            self._fed = b""
        return self._buffer

    def _let_go(self) -> None:
        if not self._buffer:
            self._buffer = None


def read_head(data: bytes) -> Head:
    """Return what a request's head says.

    Args:
        data: Its request line, which is well-formed, and its header lines, and the empty line after them.

    Raises:
        ValueError: Its header lines are not well-formed, or do not say how long the body is.
    """
    text = data.decode("latin-1").rstrip("\r\n")
    first, *lines = text.replace("\r\n", "\n").split("\n")
    line = _REQUEST_LINE.fullmatch(first.rstrip("\r"))
    assert line is not None
    method, target, minor = line[1], line[2], int(line[3])
    path = _ORIGIN.sub("", target, count=1) if target[0] != "/" else target
    headers = _headers(lines)
    return Head(
        method,
        target,
        path.partition("?")[0] or "/",
        minor,
        headers,
        _keeps_alive(headers.get("connection"), minor),
        _length(headers),
    )


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[0] in " \t" and name:  # a value that goes on, as it was once allowed to
            headers[name] += " " + line.strip(" \t")
            continue
        name, colon, value = line.partition(":")
        if not colon or not name or name[-1] in " \t" or name[0] in " \t":
            raise ValueError(f"malformed header line: {shortened(line)}")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _keeps_alive(options: str | None, minor: int) -> bool:
    if options is None:
        return minor >= 1
    words = {word.strip() for word in options.lower().split(",")}
    return "close" not in words if minor >= 1 else "keep-alive" in words


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        if headers["transfer-encoding"].lower() != "chunked":
            raise ValueError("a body can be sent chunked or with a Content-Length, in no other way")
        return _CHUNKED
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit() and len(length) <= 19):
        raise ValueError(f"Content-Length cannot be {shortened(length)}")
    return int(length)


def shortened(text: str) -> str:
    """Return a client's text as it is repeated to people: 200 characters at most."""
    return text if len(text) <= 200 else text[:200] + "…"


# --- answers ------------------------------------------------------------------------------------------


def whole(
    http: int, headers: Mapping[str, str], body: bytes, *, keep: bool, minor: int, bodiless: bool = False
) -> bytes:
    """Return an answer.

    Args:
        http: Status code.
        headers: Content-Length and Connection among them do not count.
        body: Its bytes, which a 204 and a 304 do not have.
        keep: Whether the connection can carry another request.
        minor: Of the request's HTTP version.
        bodiless: Say how long the body is, and leave it out.
    """
    items = [item for item in headers.items() if item[0].lower() != "content-length"]
    if http in _BODILESS:
        return head(http, items, keep=keep, minor=minor)
    items.append(("Content-Length", str(len(body))))
    first = head(http, items, keep=keep, minor=minor)
    return first if bodiless else first + body


def has_body(http: int) -> bool:
    """Say whether answers with a status code have a body."""
    return http not in _BODILESS


def head(
    http: int, headers: Iterable[tuple[str, str]], *, keep: bool, minor: int, chunked: bool = False
) -> bytes:
    """Return an answer's head, down to the empty line; a Connection among the headers does not count."""
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
    """Return a piece of a body as a chunk; an empty piece is none, for an empty chunk would be the end."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
