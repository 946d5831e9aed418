"""How an answer travels, by what its step wants and what its request allows.

HTTP lets a client say what it can read: only one that accepts gzip gets it, and only one that names the
version of an answer that it has (`If-None-Match`) is told that nothing has changed. Pieces are small, so that
what a client takes for the whole body, or for a whole character, is not one. No socket or clock is used here.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass

from waitproof.suite.step import Step

__all__ = ["Response", "merged", "sent"]

PIECE_BYTES = 7  # odd, and no multiple of 3: pieces end inside characters of any length in UTF-8
NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, ready to be written.

    Attributes:
        http: Status code.
        headers: Without Content-Length and Connection, which are the server's.
        body: Its bytes.
        pieces: The chunks that the body is sent in; empty for one that is sent whole.
    """

    http: int
    headers: Mapping[str, str]
    body: bytes
    pieces: tuple[bytes, ...] = ()


def merged(headers: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return headers with others on top of them, whatever the case of their names."""
    names = {name.lower() for name in more}
    return {**{name: text for name, text in headers.items() if name.lower() not in names}, **more}


def sent(response: Response, step: Step, request: Mapping[str, str]) -> Response:
    """Return an answer as its step has it sent to a request with these headers, names in lower case."""
    if step.is_plain:
        return response
    headers, body = dict(response.headers), response.body
    tags = [text for name, text in headers.items() if name.lower() == "etag"]
    if tags and tags[0] in _items(request.get("if-none-match", "")):
        return Response(NOT_MODIFIED, headers, b"")
    if step.encoding is not None:
        headers = merged(headers, {"Vary": "Accept-Encoding"})
        if _accepts(request.get("accept-encoding", ""), step.encoding):
            headers = merged(headers, {"Content-Encoding": step.encoding})
            body = gzip.compress(body, mtime=0)
    pieces: tuple[bytes, ...] = ()
    if step.chunked:
        pieces = tuple(body[at : at + PIECE_BYTES] for at in range(0, len(body), PIECE_BYTES))
    return Response(response.http, headers, body, pieces)


def _items(header: str) -> list[str]:
    return [item.strip() for item in header.split(",")]


def _accepts(header: str, encoding: str) -> bool:
    """Say whether an Accept-Encoding allows an encoding, by its name or by `*`, and not with `q=0`."""
    allowed = {}
    for item in _items(header.lower()):
        name, _, parameter = item.partition(";")
        weight = parameter.replace(" ", "").removeprefix("q=")
        allowed[name.strip()] = not parameter or weight.strip("0.") != ""
    return allowed.get(encoding, allowed.get("*", False))
