"""The SDK of the made-up Mini API: a wait helper that keeps its promises, and its async twin."""

import http.client
import json
import threading
import time
from typing import Any
from urllib.parse import urlsplit

LIMIT_S = 10.0


class GaveUp(Exception):
    """The helper's time was up."""


class Client:
    """One connection for each thread, kept open."""

    def __init__(self, base_url: str, key: str) -> None:
        self._server = urlsplit(base_url).netloc
        self._headers = {"X-Mini-Key": key} if key else {}
        self._local = threading.local()

    def request(self, method: str, path: str, body: Any = None) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = http.client.HTTPConnection(self._server, timeout=LIMIT_S)
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, self._headers)
        return json.loads(connection.getresponse().read())

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
