"""The calls that doctor makes on an adapter: each about a task of its own, and each with a limit."""

from __future__ import annotations

from waitproof.adapter import AdapterProcess, PendingCall
from waitproof.errors import AdapterError
from waitproof.judge import CallRecord, Observation, Poll, TaskRecord
from waitproof.mock import ServerProcess, TaskPlan
from waitproof.protocol import Capabilities, Hello, Outcome, Unsupported
from waitproof.run.example import RAISES
from waitproof.run.player import new_task_id
from waitproof.simulate import needed_options
from waitproof.suite import Contract, Json, Step

__all__ = ["Exchanges"]

LIMIT_S = 15.0  # for one call whose task needs less than a second


class Exchanges:
    """The calls on one adapter.

    Attributes:
        options: What is passed to a wait that is not about options.
    """

    def __init__(self, process: AdapterProcess, contract: Contract, server: ServerProcess) -> None:
        self._process = process
        self._contract = contract
        self._server = server
        self.options: dict[str, Json] = {}

    def wait(self, task_id: str | int, variant: str | None = None) -> PendingCall:
        """Wait for a task, with the options that this SDK demands; return the call that has its answer."""
        more: dict[str, Json] = {"options": self.options}
        if variant is not None:
            options = {**self.options, **self._contract.variants[variant].options}
            more = {"options": options, "variant": variant}
        call = self._process.send("wait", client="doctor", task_id=task_id, **more)
        if not isinstance(self.answer(call), Unsupported) or self.options:
            return call
        silent = Capabilities(required_options=("poll_interval", "timeout"))  # it may not say so
        self.options = needed_options(self._contract, silent)
        again = self.wait(task_id, variant)
        if isinstance(self.answer(again), Unsupported):
            self.options = {}
        return again

    def answer(self, call: PendingCall) -> Outcome:
        """Return what a call came to.

        Raises:
            AdapterError: No answer came.
        """
        if not call.wait(LIMIT_S):
            fact = f"{call.op.value}: no answer to call {call.id} within {LIMIT_S:g} s"
            raise AdapterError(f"{fact}; answer with the id of the call, and flush")
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer.outcome

    def task(self, *steps: Step, token: str = "", begun_by: str = "") -> str | int:
        """Create a task and return its id."""
        task_id = new_task_id(self._contract)
        self._server.create([TaskPlan(task_id, steps, token, begun_by=begun_by)])
        return task_id

    def observed(self, hello: Hello, call: PendingCall) -> Observation:
        """Return what was seen of a wait that has raised, as the judge wants to know it."""
        assert call.answer is not None
        task_id, sent_ns = call.request["task_id"], call.sent_ns or 0
        self._server.settle()
        entries = (each for each in self._server.entries(str(task_id)) if each.kind == "poll")
        record = CallRecord(
            index=0,
            copy=1,
            call=RAISES,
            sent_s=0.0,
            received_s=((call.received_ns or sent_ns) - sent_ns) / 1e9,
            seen=call.answer.outcome,
            elapsed_s=call.answer.elapsed_s,
        )
        polls = tuple(Poll.of(entry, sent_ns) for entry in entries)
        return Observation(hello, (record,), (TaskRecord(1, task_id, polls=polls),))
