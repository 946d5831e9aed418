"""A program that polls tasks as many waiting clients do, and says what the server added to each poll.

    python benchmarks/mock/poller.py PORT IDS.txt --pollers 1000 --seconds 15 --idle 2000

Each poller polls its own task once a second, their phases evenly spread, on a connection of its own that it
keeps while the server lets it. Added is the time from before the request is sent (before the connect, where
the server has closed the connection) until the last byte of the answer has come. A poll that is never
answered counts as long as it was waited for, so that nothing slow is hidden. The last line of stdout is JSON.

One fact to know before reading on: this is one loop over one epoll and nothing else, for each microsecond
spent here is taken for the server's. `floor.py` is the server that shows how many those are.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import re
import select
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PATH = "/api/v2/tasks/"
INTERVAL_S = 1.0
GRACE_S = 5.0  # for the answers of the last polls
CHUNK_BYTES = 64 * 1024

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_CLOSES = re.compile(rb"^HTTP/1\.0 (?!.*\r\nconnection: *keep-alive)|\r\nconnection: *close", re.I | re.S)


def request_for(task_id: str, port: int) -> bytes:
    """Return the bytes of one poll."""
    return (
        f"GET {PATH}{task_id} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json\r\n\r\n"
    ).encode()


def is_whole(data: bytes | bytearray, *, ended: bool) -> bool:
    """Say whether an answer has come to its end; `ended` is whether the server has closed its side."""
    head_end = data.find(b"\r\n\r\n")
    if head_end < 0:
        return False
    if (length := _LENGTH.search(data, 0, head_end)) is not None:
        return len(data) - head_end - 4 >= int(length[1])
    if _CHUNKED.search(data, 0, head_end) is not None:
        return data.endswith(b"0\r\n\r\n")
    return ended


def closes(data: bytes | bytearray) -> bool:
    """Say whether the server will close the connection after this answer."""
    return _CLOSES.search(data, 0, data.find(b"\r\n\r\n")) is not None


def ask(port: int, task_id: str, limit_s: float, sock: socket.socket | None = None) -> bytes:
    """Poll once and return the whole answer.

    Args:
        port: Where the server listens.
        task_id: The task.
        limit_s: How long each step may take, in seconds.
        sock: A connection, which stays open; a new one, which is closed, where there is none.

    Raises:
        OSError: There is no answer, or only a part of one.
    """
    with contextlib.ExitStack() as stack:
        if sock is None:
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), limit_s))
        sock.sendall(request_for(task_id, port))
        data = bytearray()
        while not is_whole(data, ended=False):
            more = sock.recv(CHUNK_BYTES)
            if not more:
                if is_whole(data, ended=True):
                    break
                raise ConnectionError("the server closed the connection before its answer was whole")
            data += more
    return bytes(data)


class Poller:
    """One waiting client."""

    __slots__ = ("data", "is_connecting", "is_fresh", "request", "sent_s", "sock")

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.sock: socket.socket | None = None
        self.data = bytearray()
        self.sent_s = 0.0  # of the poll in flight, 0 while there is none
        self.is_connecting = False
        self.is_fresh = False  # the connection has carried no answer yet


class Crowd:
    """Pollers of one server, and what they have seen."""

    def __init__(self, port: int, requests: Sequence[bytes]) -> None:
        self.address = "127.0.0.1", port
        self.pollers = [Poller(request) for request in requests]
        self.epoll = select.epoll()  # before any connection: select takes no number over 1023
        self.by_fd: dict[int, Poller] = {}
        self.added_s: list[float] = []
        self.errors = 0  # answers that are not 200, and connections that broke before their answer
        self.missed = 0  # polls not sent because the poll before was still in flight
        self.connections = 0
        self.in_flight = 0

    def run(self, seconds: float) -> None:
        """Poll for that long, and wait for the last answers."""
        gap_s = INTERVAL_S / len(self.pollers)
        slots = round(seconds / gap_s)
        slot = 0
        wake = [self.epoll.fileno()]
        began_s = time.monotonic()
        end_s = began_s + seconds + GRACE_S
        while slot < slots or self.in_flight:
            now_s = time.monotonic()
            while slot < slots and began_s + slot * gap_s <= now_s:
                self._poll(self.pollers[slot % len(self.pollers)])
                slot += 1
            if now_s >= end_s:
                break
            due_s = began_s + slot * gap_s if slot < slots else end_s
            # epoll's own time limit is in whole milliseconds; that of a select on it is not.
            if select.select(wake, (), (), max(0.0, due_s - time.monotonic()))[0]:
                for fd, events in self.epoll.poll(0, 64):
                    self._hear(self.by_fd[fd], events)
        now_s = time.monotonic()
        self.added_s += [now_s - poller.sent_s for poller in self.pollers if poller.sent_s]

    def _poll(self, poller: Poller) -> None:
        if poller.sent_s:
            self.missed += 1
            return
        poller.sent_s = time.monotonic()
        self.in_flight += 1
        if poller.sock is None:
            self._connect(poller)
        else:
            self._send(poller)

    def _connect(self, poller: Poller) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        sock.connect_ex(self.address)
        poller.sock, poller.is_connecting, poller.is_fresh = sock, True, True
        self.connections += 1
        self.by_fd[sock.fileno()] = poller
        self.epoll.register(sock.fileno(), select.EPOLLOUT)

    def _send(self, poller: Poller) -> None:
        assert poller.sock is not None
        poller.data.clear()
        try:
            poller.sock.send(poller.request)
        except OSError:
            self._broken(poller)

    def _hear(self, poller: Poller, events: int) -> None:
        sock = poller.sock
        assert sock is not None
        if poller.is_connecting:
            poller.is_connecting = False
            self.epoll.modify(sock.fileno(), select.EPOLLIN)
            self._send(poller)
            return
        try:
            more = sock.recv(CHUNK_BYTES) if events & select.EPOLLIN else b""
        except OSError:
            more = b""
        poller.data += more
        if poller.sent_s and is_whole(poller.data, ended=not more):
            self.added_s.append(time.monotonic() - poller.sent_s)
            poller.sent_s, poller.is_fresh = 0.0, False
            self.in_flight -= 1
            self.errors += poller.data[9:12] != b"200"
            if not more or closes(poller.data):
                self._close(poller)
        elif not more:
            self._broken(poller)

    def _broken(self, poller: Poller) -> None:
        """Go on after the server has closed a connection: a poll that met an old one is sent again."""
        was_fresh = poller.is_fresh
        self._close(poller)
        if not poller.sent_s:
            return
        if was_fresh:
            self.errors += 1
            self.added_s.append(time.monotonic() - poller.sent_s)
            poller.sent_s = 0.0
            self.in_flight -= 1
        else:
            self._connect(poller)

    def _close(self, poller: Poller) -> None:
        assert poller.sock is not None
        del self.by_fd[poller.sock.fileno()]
        poller.sock.close()  # which takes it out of the epoll, too
        poller.sock = None


def idle_connections(port: int, task_ids: Sequence[str], count: int) -> list[socket.socket]:
    """Open connections that carry one poll each and then stay silent."""
    socks = []
    for number in range(count):
        sock = socket.create_connection(("127.0.0.1", port), GRACE_S)
        ask(port, task_ids[number % len(task_ids)], GRACE_S, sock)
        sock.setblocking(False)
        socks.append(sock)
    return socks


def is_open(sock: socket.socket) -> bool:
    """Say whether the server has left a silent connection open."""
    try:
        return bool(sock.recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except OSError:
        return False


def share(ordered: Sequence[float], part: float) -> float:
    """Return the value below which that part of the values lies."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def main() -> int:
    """Poll, and print what it was like."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("ids", type=Path, help="a file with a task id on each line")
    parser.add_argument("--pollers", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--idle", type=int, default=0, help="silent connections beside the pollers")
    options = parser.parse_args()

    ids = options.ids.read_text().split()
    chosen = [ids[number % len(ids)] for number in range(options.pollers)]
    crowd = Crowd(options.port, [request_for(task_id, options.port) for task_id in chosen])
    idle = idle_connections(options.port, ids, options.idle)
    gc.freeze()
    gc.disable()
    cpu_s = time.process_time()
    crowd.run(options.seconds)
    cpu_s = time.process_time() - cpu_s
    added_ms = sorted(seconds * 1000 for seconds in crowd.added_s)
    told = {
        "polls": len(added_ms),
        "p50_ms": share(added_ms, 0.5),
        "p99_ms": share(added_ms, 0.99),
        "max_ms": added_ms[-1],
        "errors": crowd.errors,
        "missed": crowd.missed,
        "unanswered": crowd.in_flight,
        "connections": crowd.connections,
        "idle_open": sum(map(is_open, idle)),
        "poller_cpu_s": cpu_s,
    }
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
