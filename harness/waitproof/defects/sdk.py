"""The model client as an SDK with an adapter: what the simulator plays, and what a live adapter serves.

Two drivers carry out the steps of a call on a machine: one blocks, the other is a coroutine. The machine
may be the simulator's or a live one of the same methods.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from waitproof.defects.client import Fork, ModelClient, Print, Send, Sleep, Steps
from waitproof.defects.defect import CLEAN, EQUAL_COPIES, Defect
from waitproof.defects.wire import ModelError, Task, Wire
from waitproof.protocol import OPTIONS, JsonObject
from waitproof.simulate import (
    Answer,
    Machine,
    Request,
    SimulatedCancelError,
    SimulatedDropError,
    SimulatedTimeoutError,
)
from waitproof.suite import Contract

__all__ = ["LiveMachine", "ModelSdk"]


class LiveMachine(Protocol):
    """What a client does to the world: the simulator's `Machine`, or one with a real clock and network.

    Only what does not block can be cancelled on a live one.
    """

    def now(self) -> float:
        """Return the monotonic clock, in seconds."""

    def unix_s(self) -> float:
        """Return the time of day, in seconds since 1970."""

    def sleep(self, seconds: float, *, deaf: bool = False) -> None:
        """Block for so long."""

    def send(self, request: Request, timeout_s: float, *, blind: bool = False, deaf: bool = False) -> Answer:
        """Exchange a request for its answer; errors are the simulator's."""

    def print(self, line: str) -> None:
        """Write a line to stderr."""

    def start(self, body: Any) -> None:
        """Run `body` in the background, and ignore what it raises."""

    async def sleep_async(self, seconds: float, *, deaf: bool = False) -> None:
        """Let others run for so long."""

    async def send_async(
        self, request: Request, timeout_s: float, *, blind: bool = False, deaf: bool = False
    ) -> Answer:
        """Exchange a request for its answer, and let others run in the meantime."""


@dataclass(frozen=True)
class _Connected:
    client: ModelClient
    machine: LiveMachine | Machine


class ModelSdk:
    """The model client of one contract in one process, with or without a defect: a simulator's `Sdk`."""

    def __init__(self, contract: Contract, defect: Defect = CLEAN) -> None:
        self._contract = contract
        self._wire = Wire(contract)
        self._defect = defect
        self._memory: dict[str, Any] = {}

    def sign_with(self, api_secret: str) -> None:
        """Sign with a secret, in place of the simulator's."""
        self._wire = Wire(self._contract, api_secret=api_secret)

    @property
    def non_blocking(self) -> bool:
        """Whether its calls are coroutines."""
        return self._defect.is_async

    def hello(self) -> JsonObject:
        """Return its introduction."""
        defect = self._defect
        return {
            "sdk": {
                "name": defect.name,
                "version": "1",
                "language": defect.language,
                "runtime": "the model client",
            },
            "helper": "wait",
            "result_path": defect.result_path,
            "capabilities": {
                "max_concurrency": 0,
                "options": list(OPTIONS),
                "schedules": True,
                "end": True,
                "non_blocking": defect.is_async,
                "cancel": defect.is_async,
                "operations": sorted(self._contract.operations),
                "variants": sorted(self._contract.variants),
                **defect.capabilities,
            },
        }

    def connect(self, machine: LiveMachine | Machine) -> _Connected:
        """Return a client on that machine."""
        client = ModelClient(self._wire, machine.now, self._defect.hooks, self._memory, machine.unix_s)
        return _Connected(client, machine)

    def call(self, connected: _Connected, request: JsonObject) -> Any:
        """Carry out a request of the protocol: return what the call returns, or a coroutine that does."""
        steps = _steps(connected.client, request)
        if self.non_blocking:
            return _drive_async(connected.machine, steps, self._defect)
        return _drive(connected.machine, steps, self._defect)

    def returned(self, request: JsonObject, value: Any) -> JsonObject:
        """Return the answer's members for what a call returned."""
        match request["op"]:
            case "wait":
                for step in filter(None, self._defect.result_path.split(".")):
                    value = value[step]
                return {"outcome": "returned", "result": value}
            case "get_task":
                assert isinstance(value, Task)
                names = ("task_id", "status", "result", "error")
                return {"outcome": "returned", "task": {name: getattr(value, name) for name in names}}
            case _:
                return {"outcome": "returned", "task_id": value}

    def raised(self, request: JsonObject, error: BaseException) -> JsonObject:  # noqa: ARG002 - Sdk's
        """Return the answer's members for what a call raised."""
        if isinstance(error, SimulatedCancelError):
            return {"outcome": "cancelled"}
        exception: JsonObject = {
            "kind": "other",
            "type": type(error).__name__,
            "message": str(error),
            "fields": {},
            "native_stack_frames": self._defect.native_stack_frames,
        }
        if isinstance(error, ModelError):
            exception |= {"kind": error.kind.value, "type": error.type_name, "fields": error.fields}
        if self._defect.copies is not None:
            cause = "" if error.__cause__ is None else type(error.__cause__).__name__
            is_about = self._defect.copies_of in {None, exception["kind"]}
            exception |= {"cause": cause, "copies": self._defect.copies if is_about else EQUAL_COPIES}
        return {"outcome": "raised", "exception": exception}

    def elapsed_s(self, seconds: float) -> float:
        """Return how long its adapter says that a wait took."""
        return seconds + self._defect.adds_to_elapsed_s


def _steps(client: ModelClient, request: JsonObject) -> Steps:
    match request["op"]:
        case "wait":
            return client.wait(request["task_id"], request["options"], request.get("variant"))
        case "get_task":
            return client.get_task(request["task_id"])
        case _:
            return client.begin(request["operation"], request["arguments"])


_OUTSIDE_ERRORS = (SimulatedTimeoutError, SimulatedDropError, SimulatedCancelError)


def _drive(machine: Any, steps: Steps, defect: Defect) -> Any:
    answer: Answer | None = None
    error: Exception | None = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                match step:
                    case Sleep(seconds):
                        machine.sleep(seconds, deaf="sleep" in defect.deaf)
                    case Send(request, timeout_s):
                        deaf = "send" in defect.deaf
                        answer = machine.send(request, timeout_s, blind=defect.is_blind, deaf=deaf)
                    case Print(line):
                        machine.print(line)
                    case Fork(others):
                        machine.start(lambda others=others: _drive(machine, others, defect))
            except _OUTSIDE_ERRORS as raised:
                error = raised
    except StopIteration as end:
        return end.value


async def _drive_async(machine: Any, steps: Steps, defect: Defect) -> Any:
    answer: Answer | None = None
    error: Exception | None = None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer = error = None
            try:
                match step:
                    case Sleep(seconds) if "sleep" in defect.blocks:
                        machine.sleep(seconds)
                    case Sleep(seconds):
                        await machine.sleep_async(seconds, deaf="sleep" in defect.deaf)
                    case Send(request, timeout_s) if "send" in defect.blocks:
                        answer = machine.send(request, timeout_s, blind=defect.is_blind)
                    case Send(request, timeout_s):
                        deaf = "send" in defect.deaf
                        answer = await machine.send_async(
                            request, timeout_s, blind=defect.is_blind, deaf=deaf
                        )
                    case Print(line):
                        machine.print(line)
                    case Fork(others):  # in a thread, as a blocking client does: only the traffic matters
                        machine.start(lambda others=others: _drive(machine, others, defect))
            except _OUTSIDE_ERRORS as raised:
                error = raised
    except StopIteration as end:
        return end.value
