"""The SDK of the made-up Mini API: a wait helper that keeps its promises, and its async twin."""

import json
import socket
import threading
import time
from typing import Any

LIMIT_S = 10.0


class GaveUp(Exception):
    """The helper's time was up."""


class Connection:
    """HTTP as far as the Mini API has it: http.client would take longer to import than most tests do."""

    def __init__(self, server: str) -> None:
        host, _, port = server.partition(":")
        self._sock = socket.create_connection((host, int(port)), LIMIT_S)
        self._file = self._sock.makefile("rb")
        self._server = server

    def request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
        sent = {"Host": self._server, **headers}
        if body:
            sent["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        self._sock.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("the server closed the connection")
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return self._file.read(length)


class Client:
    """One connection for each thread, kept open."""

    def __init__(self, base_url: str, key: str) -> None:
        self._server = base_url.partition("//")[2]
        self._headers = {"X-Mini-Key": key} if key else {}
        self._local = threading.local()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = Connection(self._server)
        data = b"" if body is None else json.dumps(body).encode()
        return json.loads(connection.request(method, path, data, self._headers))

    def look(self, job: int) -> Any:
        return self.request("GET", f"/jobs/{job:d}/state")

    def print_label(self, parcel: str) -> Any:
        return self.request("POST", "/parcels/labels", {"parcel": parcel})

    def wait(self, job: int, poll_interval: float = 0.1, timeout: float = 0.6) -> Any:
        end = time.monotonic() + timeout
        while True:
            state = self.look(job)
            if state["phase"] in {"done", "broken"}:
                return state
            if time.monotonic() >= end:
                raise GaveUp(f"job {job} still goes on")
            self.pause(min(poll_interval, max(0.0, end - time.monotonic())))

    def pause(self, seconds: float) -> None:
        time.sleep(seconds)


class AsyncClient(Client):
    """The same, on an event loop."""

    async def wait_async(self, job: int, poll_interval: float = 0.1, timeout: float = 0.6) -> Any:
        import asyncio  # noqa: PLC0415 - most of these processes have no use for it

        end = time.monotonic() + timeout
        while True:
            state = await asyncio.to_thread(self.look, job)
            if state["phase"] in {"done", "broken"}:
                return state
            if time.monotonic() >= end:
                raise GaveUp(f"job {job} still goes on")
            await self.pause_async(min(poll_interval, max(0.0, end - time.monotonic())))

    async def pause_async(self, seconds: float) -> None:
        import asyncio  # noqa: PLC0415 - as above

        await asyncio.sleep(seconds)
