"""The model client as a live adapter: `python -m waitproof.run.model_adapter SUITE NAME`.

NAME is a defect or an equivalent of the suite in the folder SUITE; `waitproof prove --live` starts it. The
client is the one that the simulator plays: only the protocol, a real clock and a real network are added.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from waitproof.defects import ModelSdk, library
from waitproof.protocol import PROTOCOL_VERSION, JsonObject
from waitproof.run.live_machine import RealMachine
from waitproof.suite import CONTRACT, load_contract

__all__ = ["ModelAdapter", "main"]


class ModelAdapter:
    """Answers the lines of one harness.

    Args:
        sdk: What is called.
        stdin: Where requests come from.
        stdout: Where answers go.
        is_http_10: Speak HTTP/1.0.
    """

    def __init__(self, sdk: ModelSdk, stdin: BinaryIO, stdout: BinaryIO, *, is_http_10: bool = False) -> None:
        self._sdk = sdk
        self._stdin = stdin
        self._stdout = stdout
        self._is_http_10 = is_http_10
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._base_url = ""
        self._tasks: dict[str, asyncio.Task[Any] | None] = {}  # by the id of their call

    def serve(self) -> None:
        """Answer until stdin ends, and finish what is in flight then."""
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="event loop", daemon=True).start()
        in_flight: list[Callable[[], object]] = []
        for line in self._stdin:
            request = json.loads(line)
            if request["op"] == "hello":
                self._base_url = request["base_url"]
                self._sdk.sign_with(request["api_secret"])
                self._write({"op": "hello", "protocol": PROTOCOL_VERSION, **self._sdk.hello()})
            elif request["op"] == "ping":
                self._write({"id": request["id"], "outcome": "returned"})
            elif request["op"] == "cancel":
                loop.call_soon_threadsafe(self._cancel, request)
            elif self._sdk.non_blocking:
                in_flight.append(asyncio.run_coroutine_threadsafe(self._call_async(request), loop).result)
            else:
                thread = threading.Thread(target=self._call, args=(request,), daemon=True)
                thread.start()
                in_flight.append(thread.join)
        for finish in in_flight:
            finish()

    def _client(self, name: str) -> Any:
        with self._lock:
            if name not in self._clients:
                machine = RealMachine(self._base_url, is_http_10=self._is_http_10)
                self._clients[name] = self._sdk.connect(machine)
            return self._clients[name]

    def _call(self, request: JsonObject) -> None:
        client = self._client(request.get("client", "default"))
        began_s = time.monotonic()
        try:
            value = self._sdk.call(client, request)
        except Exception as error:  # noqa: BLE001 - what the call raised is what the caller sees
            self._answer(request, time.monotonic() - began_s, self._sdk.raised(request, error))
        else:
            self._answer(request, time.monotonic() - began_s, self._sdk.returned(request, value))

    async def _call_async(self, request: JsonObject) -> None:
        client = self._client(request.get("client", "default"))
        began_s = time.monotonic()
        self._tasks[request["id"]] = asyncio.current_task()
        try:
            value = await self._sdk.call(client, request)
        except Exception as error:  # noqa: BLE001 - as above
            self._answer(request, time.monotonic() - began_s, self._sdk.raised(request, error))
        else:
            self._answer(request, time.monotonic() - began_s, self._sdk.returned(request, value))

    def _cancel(self, request: JsonObject) -> None:
        task = self._tasks.get(request["call"])
        if task is not None:
            task.cancel()
        self._write({"id": request["id"], "outcome": "returned"})

    def _answer(self, request: JsonObject, seconds: float, members: JsonObject) -> None:
        elapsed = {"elapsed": round(self._sdk.elapsed_s(seconds), 6)} if request["op"] == "wait" else {}
        self._write({"id": request["id"], **members, **elapsed})

    def _write(self, message: JsonObject) -> None:
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._stdout.write(line)
            self._stdout.flush()


def main(folder: str, name: str) -> None:
    """Serve one defect or equivalent until the end of stdin."""
    contract = load_contract(Path(folder) / CONTRACT)
    defect = library(contract).named(name)
    sdk = ModelSdk(contract, defect)
    ModelAdapter(sdk, sys.stdin.buffer, sys.stdout.buffer, is_http_10=defect.is_http_10).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
