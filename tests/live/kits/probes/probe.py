"""The probe of the Python kit: `python probe.py sync|async`. See test_kit_conformance.py."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import math
import os
import subprocess
import sys
import threading
import time
from collections import UserDict, namedtuple
from collections.abc import Callable
from typing import Any

from waitproof_kit import Adapter, Unsupported, fields_of, run, run_async


class TaskFailed(Exception):
    def __init__(self, **fields: Any) -> None:
        super().__init__("the task failed")
        vars(self).update(task_id="1", description="", stack_trace=None)
        vars(self).update(fields)


class TaskFailedBrokenly(TaskFailed):
    @property
    def version(self) -> str:
        raise LookupError("no version")


class TaskFailedForgetfully(TaskFailed):
    def __reduce__(self) -> Any:
        return type(self), ()


class Opaque:
    pass


class TaskFailedWithAnObject(TaskFailed):
    def __reduce__(self) -> Any:
        return type(self)._again, (dict(vars(self)),)

    @classmethod
    def _again(cls, fields: dict[str, Any]) -> Any:
        return cls(**fields)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise self


class Throws(dict[str, Any]):
    def items(self) -> Any:
        raise LookupError("a lazy body")


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


class BrokenResponse:
    @property
    def data(self) -> Any:
        raise ValueError("not JSON")


LOOP: list[Any] = []
LOOP.append(LOOP)
Pair = namedtuple("Pair", "left right")

PAYLOADS: dict[str, Any] = {
    "nan": {"a": {"b": [1, math.nan]}},
    "infinity": -math.inf,
    "foreign": {"a": [UserDict()]},
    "throws": {"a": [Throws(x=1)]},
    "bytes": {"a": b"x"},
    "key": {"a": {1: "x"}},
    "loop": LOOP,
    "long-int": {"a": 10**5000},
    "null": None,
    "text": {"text": 'é\u2028\x7f\n"\\'},
    "numbers": [0.1, -0.5, 1.5e300, 9007199254740993],
    "surrogate": {"text": "\ud800 and é"},
    "datetime": {"a": [dt.datetime(2026, 1, 2, tzinfo=dt.UTC)]},
    "own-types": {"plain": ErrorResult("a"), "own": WireError("b"), "pair": (1, 2), "named": Pair(1, 2)},
}


def caused() -> TaskFailed:
    error = TaskFailed()
    error.__cause__ = ZeroDivisionError()
    return error


EXCEPTIONS: dict[str, Callable[[], BaseException]] = {
    "fails": TaskFailed,
    "fails-oddly": lambda: TaskFailed(description=math.nan),
    "fails-brokenly": lambda: TaskFailedBrokenly(description=Throws()),
    "fails-forgetfully": lambda: TaskFailedForgetfully(description="no disk"),
    "fails-with-an-object": lambda: TaskFailedWithAnObject(description=Opaque()),
    "caused": caused,
    "language-error": lambda: ZeroDivisionError("no \udfff divisor"),
    "exit": lambda: SystemExit(3),
    "interrupt": KeyboardInterrupt,
    "cancelled": asyncio.CancelledError,
    "stop-iteration": lambda: StopIteration(1),
    "unprintable": Unprintable,
    "unsupported": lambda: Unsupported("no overload with the interval alone"),
    "undescribable": lambda: OSError("describe is broken"),
    "undescribable-unprintable": lambda: OSError("unprintable"),
}


def deep(levels: int) -> list[Any]:
    return [deep(levels - 1)] if levels > 1 else []


class Probe(Adapter):
    task_path = "data"
    task_id_path = "data.id"

    def __init__(self) -> None:
        self.built = 0
        self.gates: dict[str, threading.Event] = {}

    def hello(self) -> dict[str, Any]:
        return {
            "sdk": {"name": "fake", "version": "1.2.3"},
            "helper": "Fake.wait",
            "result_path": "data.result",
            "capabilities": {"max_concurrency": 0, "operations": ["open"]},
        }

    def connect(self, base_url: str, api_key: str, api_secret: str) -> dict[str, Any]:
        if api_key == "refused":
            raise PermissionError("this key builds no client")
        if api_key == "unprintable":
            raise Unprintable
        time.sleep(0.01)  # a thread that looks now must not build another
        self.built += 1
        return {"number": self.built, "url": base_url, "key": api_key, "secret": api_secret}

    def gate(self, name: str) -> threading.Event:
        return self.gates.setdefault(name, threading.Event())

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if str(task_id).startswith("gate:"):
            assert self.gate(task_id).wait(10), f"{task_id} was not opened within 10 s"
        return self.outcome(client, task_id, options)

    def outcome(self, client: Any, task_id: Any, options: dict[str, Any]) -> Any:
        text = str(task_id)
        if text.startswith("block:"):
            with open(text.removeprefix("block:"), "rb", buffering=0) as fifo:
                fifo.read(1)
        if task_id in EXCEPTIONS:
            raise EXCEPTIONS[task_id]()
        if task_id == "nothing":
            return None
        if task_id == "broken-response":
            return BrokenResponse()
        if task_id == "sleeps":
            time.sleep(0.03)
        if task_id == "leaves-a-thread":
            threading.Thread(target=time.sleep, args=[1.0], daemon=False).start()
        if task_id == "stdin":
            return Response({"result": os.read(0, 1).decode()})
        if text.startswith("prints:"):
            line = text.removeprefix("prints:")
            print(line)  # noqa: T201 - an SDK that prints
            os.write(1, f"{line}\n".encode())
            subprocess.run(["sh", "-c", 'cat; echo "$0"', line], check=True)
        payload = {"task_id": task_id, "options": options, "client": client}
        return Response({"result": self.payload(text, payload)})

    def payload(self, name: str, otherwise: Any) -> Any:
        if name.startswith("deep:"):
            return deep(int(name.removeprefix("deep:")))
        return PAYLOADS.get(name, otherwise)

    def get_task(self, client: Any, task_id: Any) -> Any:
        if task_id == "mapping":
            return Response({"task_id": task_id, "status": "running"})
        return Response(Task(task_id, "failed", self.payload(task_id, None), ErrorResult("timeout")))

    def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        self.gate(arguments["gate"]).set()
        return Response({"id": arguments["gate"]})

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        if isinstance(exception, OSError):
            raise LookupError("describe is broken") if "broken" in str(exception) else Unprintable
        if isinstance(exception, TaskFailed):
            names = ["task_id", "description", "stack_trace", "version"]
            return {"kind": "task", "fields": fields_of(exception, names)}
        return None


class AsyncProbe(Probe):
    """Waits on the loop, except for `block:…`, which blocks it."""

    def __init__(self) -> None:
        super().__init__()
        self.async_gates: dict[str, asyncio.Event] = {}

    def async_gate(self, name: str) -> asyncio.Event:
        return self.async_gates.setdefault(name, asyncio.Event())

    async def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        if str(task_id).startswith("gate:"):
            await asyncio.wait_for(self.async_gate(task_id).wait(), 10)
        if str(task_id).startswith("until-cancelled"):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                if task_id.endswith("-own"):
                    raise TaskFailed from None
                raise
        return self.outcome(client, task_id, options)

    async def get_task(self, client: Any, task_id: Any) -> Any:
        return super().get_task(client, task_id)

    async def begin(self, client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        self.async_gate(arguments["gate"]).set()
        return super().begin(client, operation, arguments)


if __name__ == "__main__":
    if sys.argv[1] == "async":
        run_async(AsyncProbe())
    else:
        run(Probe())
