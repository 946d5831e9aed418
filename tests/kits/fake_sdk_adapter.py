"""An adapter of an SDK that does no network: what a call comes to is in its task id.

`python fake_sdk_adapter.py sync|async`. So that tests order calls by events and not by sleeping, a task named
`gate:…` waits until the operation `open` opens it, and `block:<fifo>` blocks until a byte can be read there.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import math
import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from waitproof_kit import Adapter, Unsupported, fields_of, run, run_async


class TaskFailed(Exception):
    """The fake's documented exception; `stack_trace` is set by some tasks only."""

    def __init__(self, **fields: Any) -> None:
        super().__init__("the task failed")
        vars(self).update(fields)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@dataclasses.dataclass
class ErrorResult:
    type: str


@dataclasses.dataclass
class WireError(ErrorResult):
    def to_dict(self) -> dict[str, str]:
        return {"wire_type": self.type}


@dataclasses.dataclass
class Task:
    task_id: str
    status: str
    result: Any
    error: ErrorResult | None


@dataclasses.dataclass
class Response:
    data: Any


def the_loop() -> dict[str, Any]:
    payload: dict[str, Any] = {}
    payload["self"] = payload
    return payload


PAYLOADS: dict[str, Any] = {
    "nan": {"a": {"b": [1, math.nan]}},
    "infinity": -math.inf,
    "datetime": {"a": [dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]},
    "bytes": {"a": b"x"},
    "key": {"a": {1: "x"}},
    "loop": the_loop(),
    "long-int": {"a": 10**5000},
    "surrogate": {"text": "\ud800 and é"},
    "dataclasses": {"plain": ErrorResult("a"), "own": WireError("b"), "pair": (1, 2)},
    "null": None,
}

EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "fails": lambda: TaskFailed(task_id="1", description="", stack_trace=None),
    "fails-without": lambda: TaskFailed(task_id="1"),
    "fails-oddly": lambda: TaskFailed(task_id=dt.timedelta(seconds=2), description=math.nan),
    "language-error": lambda: ZeroDivisionError("no \udfff divisor"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "stop-iteration": lambda: StopIteration(1),
    "unprintable": Unprintable,
    "unsupported": lambda: Unsupported("no overload with the interval alone"),
    "undescribable": lambda: OSError("describe() breaks on this one"),
}


class FakeAdapter(Adapter):
    """The blocking variant."""

    task_path = "data"
    task_id_path = "data.id"

    def __init__(self) -> None:
        self.built = 0
        self.gates: dict[str, threading.Event] = defaultdict(threading.Event)

    def hello(self) -> dict[str, Any]:
        return {
            "sdk": {"name": "fake", "version": "1.2.3"},
            "helper": "Fake.wait",
            "result_path": "data.result",
            "capabilities": {"max_concurrency": 0, "operations": ["open"]},
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> dict[str, Any]:
        print("a client is built")  # noqa: T201 - an SDK that prints, to sys.stdout and to the descriptor
        os.write(1, b'{"id": "printed by C"}\n')
        if api_key == "refused":
            raise PermissionError("this key builds no client")
        self.built += 1
        return {"number": self.built, "url": base_url, "key": api_key, "secret": api_secret}

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if isinstance(task_id, str) and task_id.startswith("gate:"):
            assert self.gates[task_id].wait(10), f"{task_id} was not opened within 10 s"
        return self.outcome(client, task_id, options)

    def outcome(self, client: Any, task_id: Any, options: dict[str, Any]) -> Any:
        if isinstance(task_id, str) and task_id.startswith("block:"):
            with open(task_id.removeprefix("block:"), "rb", buffering=0) as fifo:
                fifo.read(1)
        if task_id in EXCEPTIONS:
            raise EXCEPTIONS[task_id]()
        if task_id == "nothing":
            return None
        if task_id in PAYLOADS:
            return Response({"result": PAYLOADS[task_id]})
        if task_id == "stdin":
            return Response({"result": os.read(0, 1).decode()})
        return Response({"result": {"task_id": task_id, "options": options, "client": client}})

    def get_task(self, client: Any, task_id: Any) -> Any:
        if task_id == "mapping":
            return Response({"task_id": task_id, "status": "running"})
        return Response(Task(task_id, "failed", PAYLOADS.get(task_id), WireError("timeout")))

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        self.gates[arguments["gate"]].set()
        return Response({"id": arguments["gate"]})

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        if isinstance(exception, OSError):
            raise LookupError("describe is broken")  # noqa: TRY004 - any fault will do
        if isinstance(exception, TaskFailed):
            names = ["task_id", "description", "stack_trace"]
            return {"kind": "task", "fields": fields_of(exception, names)}
        return None


class AsyncFakeAdapter(FakeAdapter):
    """Waits on the loop, except for `block:…`, which blocks it."""

    def __init__(self) -> None:
        super().__init__()
        self.async_gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if isinstance(task_id, str) and task_id.startswith("gate:"):
            await asyncio.wait_for(self.async_gates[task_id].wait(), 10)
        return self.outcome(client, task_id, options)

    async def get_task(self, client: Any, task_id: Any) -> Any:
        return super().get_task(client, task_id)

    async def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        self.async_gates[arguments["gate"]].set()
        return super().begin(client, operation, arguments)


if __name__ == "__main__":
    if sys.argv[1] == "async":
        run_async(AsyncFakeAdapter())
    else:
        run(FakeAdapter())
