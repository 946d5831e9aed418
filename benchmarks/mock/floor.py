"""The least that a server can do: one loop that answers a fixed body. Its figures are the poller's own share.

    python benchmarks/mock/floor.py PORT

It keeps no state and no journal, and reads nothing of a request but its end.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys

BODY = (
    b'{"task_id":"completes-after-3-polls~p0000","status":"completed","created_at":1795505939000000000,'
    b'"updated_at":1795505939000000000,"duration":"1.20ms","result":{"channels":2},"error":null}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)


def main() -> None:
    """Answer until the process is ended."""
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=1024)
    epoll = select.epoll()
    epoll.register(listener.fileno(), select.EPOLLIN)
    socks: dict[int, socket.socket] = {}
    while True:
        for fd, _ in epoll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
                socks[sock.fileno()] = sock
                epoll.register(sock.fileno(), select.EPOLLIN)
                continue
            data = b""
            with contextlib.suppress(OSError):
                data = socks[fd].recv(65536)
                if data.endswith(b"\r\n\r\n"):
                    socks[fd].send(ANSWER)
            if not data:
                socks.pop(fd).close()


if __name__ == "__main__":
    main()
