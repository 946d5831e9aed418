from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitproof.mock.http1 import MAX_HEAD_BYTES, MAX_KEPT_HEADS, Heads, Reader, Refused, Request, whole

POLL = b"GET /v1/jobs/7/state?key=k HTTP/1.1\r\nHost: here\r\nX-One: 1\r\nx-one: 2\r\n\r\n"
SIZED = b"POST /v1/parcels HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\nbody"
CHUNKS = b"2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nT: t\r\n\r\n"
CHUNKED = b"POST /v1/parcels HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
OLD = b"\r\nGET http://here:80/old HTTP/1.0\nConnection: Keep-Alive\n\n"


def reader(max_body_bytes: int = 1000) -> Reader:
    return Reader(Heads(), max_body_bytes)


def given_out(wire: Reader, at_ns: int = 1) -> list[Request]:
    """Return every request that is whole by now."""
    requests = []
    while (request := wire.next(at_ns)) is not None:
        requests.append(request)
    return requests


def seen_of(request: Request) -> tuple[str, str, int, dict[str, str], bool, bytes]:
    head = request.head
    return head.method, head.path, head.minor, head.headers, head.keeps_alive, request.body


SEEN = {
    POLL: ("GET", "/v1/jobs/7/state", 1, {"host": "here", "x-one": "1, 2"}, True, b""),
    SIZED: ("POST", "/v1/parcels", 1, {"host": "here", "content-length": "4"}, True, b"body"),
    CHUNKED: ("POST", "/v1/parcels", 1, {"host": "here", "transfer-encoding": "chunked"}, True, b"body"),
    OLD: ("GET", "/old", 0, {"connection": "Keep-Alive"}, True, b""),
}


@given(st.lists(st.sampled_from(list(SEEN)), max_size=6), st.data())
def test_however_bytes_come_they_are_the_same_requests(sent: list[bytes], data: st.DataObject) -> None:
    text = b"".join(sent)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=20)) if text else []
    edges = [0, *sorted(cuts), len(text)]
    wire = reader()

    requests = []
    for start, end in itertools.pairwise(edges):
        wire.feed(text[start:end])
        requests += given_out(wire)

    assert [seen_of(request) for request in requests] == [SEEN[each] for each in sent]
    assert (wire.held, wire.has_begun) == (0, False)


def test_bytes_that_come_while_an_earlier_request_is_served_wait_for_their_turn() -> None:
    wire = reader()
    wire.feed(POLL)
    first = wire.next(1)
    wire.feed(SIZED)
    wire.feed(POLL)

    assert wire.held == len(SIZED) + len(POLL)
    assert first is not None
    assert [seen_of(each) for each in [first, *given_out(wire, 9)]] == [SEEN[POLL], SEEN[SIZED], SEEN[POLL]]


def test_a_request_has_arrived_when_its_first_line_has_been_read() -> None:
    wire = reader()
    for at_ns, piece in enumerate(
        (b"\r\nPOST", b" /a HTTP/1.1\r", b"\nHost: here\r\nContent-Length: 1", b"\r\n\r\n", b"x"), 1
    ):
        wire.feed(piece)
        request = wire.next(at_ns)

    assert request is not None
    assert request.arrived_ns == 3


def test_connections_that_send_the_same_head_share_it() -> None:
    heads = Heads()
    wires = [Reader(heads, 0), Reader(heads, 0)]
    for wire in wires:
        wire.feed(POLL)
    first, second = (given_out(wire) for wire in wires)

    assert first[0].head is second[0].head


def test_the_heads_that_are_kept_are_bounded_in_number_and_size() -> None:
    heads = Heads()
    wire = Reader(heads, 0)
    for number in range(MAX_KEPT_HEADS + 10):
        wire.feed(b"GET /%d HTTP/1.1\r\nHost: here\r\n\r\n" % number)
        given_out(wire)
    assert len(heads) <= MAX_KEPT_HEADS

    wire.feed(b"GET /large HTTP/1.1\r\nHost: here\r\nX: %b\r\n\r\n" % (b"x" * 10_000))
    (request,) = given_out(wire)

    assert request.head.path == "/large"
    assert max(len(data) for data in heads) < 10_000


@pytest.mark.parametrize(("minor", "asks"), [(1, True), (0, False)])
def test_a_client_that_waits_before_its_body_is_told_once_to_go_on(minor: int, asks: bool) -> None:
    wire = reader()
    wire.feed(b"POST / HTTP/1.%d\r\nHost: here\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n" % minor)
    assert wire.next(1) is None

    expected = b"HTTP/1.1 100 Continue\r\n\r\n" if asks else b""
    assert (wire.go_on(), wire.go_on()) == (expected, b"")
    wire.feed(b"body")
    assert len(given_out(wire)) == 1
    assert wire.go_on() == b""


def test_a_refusal_knows_the_line_and_when_it_came() -> None:
    wire = reader(max_body_bytes=3)
    wire.feed(b"POST /a HTTP/1.1\r\nHost: here")
    assert wire.next(5) is None
    wire.feed(b"\r\nContent-Length: 4\r\n\r\n")

    with pytest.raises(Refused, match="the request's body is larger than 3 bytes") as caught:
        wire.next(6)

    assert (caught.value.http, caught.value.line, caught.value.arrived_ns) == (413, "POST /a HTTP/1.1", 5)


def test_a_head_without_end_is_refused_at_its_limit() -> None:
    wire = reader()
    line = b"X: " + b"x" * 1000 + b"\r\n"
    wire.feed(b"GET / HTTP/1.1\r\n")
    for _ in range(MAX_HEAD_BYTES // len(line)):
        wire.feed(line)
        assert wire.next(1) is None
    wire.feed(line)

    with pytest.raises(Refused, match="header is larger"):
        wire.next(1)


def test_an_answer_names_its_length_once_and_its_connection_as_it_is() -> None:
    headers = {"content-length": "7", "Connection": "close", "X": "y"}

    assert whole(200, headers, b"body", keep=True, minor=0) == (
        b"HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\nbody"
    )
    assert whole(204, headers, b"body", keep=False, minor=1) == (
        b"HTTP/1.1 204 No Content\r\nX: y\r\nConnection: close\r\n\r\n"
    )
