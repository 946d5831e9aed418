"""The player against a server and an adapter made of a few lines: what it makes of what they report."""

import itertools
import json
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest
from fakes import MINI
from waitproof.adapter.process import AdapterProcess, PendingCall
from waitproof.journal import Ended, JournalEntry
from waitproof.judge.observation import CallRecord, NoAnswer, StillWaiting
from waitproof.mock.process import ServerProcess, TaskPlan
from waitproof.protocol import (
    AdapterFault,
    Cancelled,
    Capabilities,
    Given,
    Hello,
    LogLine,
    Op,
    Returned,
    Unsupported,
    read_answer,
)
from waitproof.run import player as player_module
from waitproof.run.player import Player
from waitproof.simulate import script
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT, load_contract
from waitproof.suite.scenario import Scenario

CONTRACT_OF_MINI = load_contract(MINI / CONTRACT)
HELLO = Hello("mini", "1", "python", "3", "wait", "")
WARM, OTHER = 1, 2


class Server:
    """Reports what it has seen only when the harness asks for something, as a busy child does."""

    def __init__(self) -> None:
        self.seen: list[JournalEntry] = []
        self.reported: list[JournalEntry] = []
        self.serials = itertools.count(1)

    def request(self, connection: int, task_id: str | None, target: str = "/") -> None:
        now_ns = time.monotonic_ns()
        self.seen.append(
            JournalEntry(
                serial=next(self.serials),
                task_id=task_id,
                kind="other" if task_id is None else "poll",
                method="GET",
                target=target,
                headers={},
                arrived_ns=now_ns,
                connection=connection,
                fresh=False,
                answered_ns=now_ns,
                ended=Ended.ANSWERED,
                http=404 if task_id is None else 200,
                nearest="GET /jobs/{task_id}/state" if task_id is None else "",
            )
        )

    def create(self, _tasks: Sequence[TaskPlan]) -> None:
        self.settle()

    def forget(self, _task_ids: Collection[str | int]) -> None:
        self.settle()

    def settle(self) -> None:
        self.reported = list(self.seen)

    def entries(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self.reported if entry.task_id == str(task_id))

    def unnamed(self) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self.reported if entry.names_no_task)

    def tasks_on(self, connection: int) -> frozenset[str]:
        found = (entry for entry in self.reported if entry.connection == connection)
        return frozenset(entry.task_id for entry in found if entry.task_id and not entry.names_no_task)

    def worst_lag_s(self, _from_ns: int, _until_ns: int) -> float:
        return 0.0


class Process:
    """An adapter of one connection: it polls on it when asked for a status; a wait takes a wrong path."""

    alive = True

    def __init__(self, server: Server) -> None:
        self.server = server

    def send(self, op: str, **members: Any) -> PendingCall:
        call = PendingCall("1", Op(op), {"op": op, **members})
        call.sent_ns = time.monotonic_ns()
        self.server.request(WARM, str(members["task_id"]) if op == "get_task" else None)
        member = {"task": {"phase": "done"}} if op == "get_task" else {"result": 7}
        answer = read_answer(json.dumps({"id": "1", "outcome": "returned", **member}).encode())
        assert not isinstance(answer, LogLine)
        call.succeed(answer, time.monotonic_ns())
        return call


def scenario(call: str = "wait") -> Scenario:
    text = f"summary: It ends.\nproves: [returns-output]\ntask: [{{status: done}}]\ncalls: [{{{call}: {{}}}}]"
    return parse_scenario(Document(text, "s.yaml"), "test/s")


def test_a_stray_on_a_warm_connection_is_its_clients_however_late_the_server_reports() -> None:
    server = Server()
    process = cast("AdapterProcess", Process(server))
    player = Player(CONTRACT_OF_MINI, cast("ServerProcess", server), threading.Event())

    assert player.warm(process, HELLO.capabilities, "client")
    server.request(OTHER, None)
    seen = player.play(process, HELLO, scenario(), client="client")

    assert [other.connection for other in seen.tasks[0].others] == [WARM]
    assert seen.calls[0].seen == Returned(Given.RESULT, result=7)
    assert seen.tasks[0].doubtful == ()


@pytest.mark.parametrize(("clients", "shares"), [(["client"], False), (["client", "another"], True)])
def test_a_connection_of_several_scenarios_is_known_to_be_shared(clients: list[str], shares: bool) -> None:
    server = Server()
    process = cast("AdapterProcess", Process(server))
    player = Player(CONTRACT_OF_MINI, cast("ServerProcess", server), threading.Event())
    for client in clients:
        assert player.warm(process, HELLO.capabilities, client)

    seen = player.play(process, HELLO, scenario("get_task"), client="client")

    assert seen.shares_connections is shares


def test_a_stray_on_a_connection_of_two_scenarios_clients_may_be_either_ones() -> None:
    server = Server()
    process = cast("AdapterProcess", Process(server))
    player = Player(CONTRACT_OF_MINI, cast("ServerProcess", server), threading.Event())

    assert player.warm(process, HELLO.capabilities, "client")
    assert player.warm(process, HELLO.capabilities, "another")
    seen = player.play(process, HELLO, scenario(), client="client")

    assert seen.tasks[0].others == ()
    assert [each.connection for each in seen.tasks[0].doubtful] == [WARM]
    assert player.claimed == set()


def test_a_poll_of_another_scenarios_wait_that_goes_on_is_not_this_ones() -> None:
    server = Server()
    process = cast("AdapterProcess", Process(server))
    player = Player(CONTRACT_OF_MINI, cast("ServerProcess", server), threading.Event())
    older = player.play(process, HELLO, scenario(), client="older").tasks[0].task_id

    assert player.warm(process, HELLO.capabilities, "client")
    assert player.warm(process, HELLO.capabilities, "another")
    server.request(WARM, None, target=f"/jobs/{older}/state")
    seen = player.play(process, HELLO, scenario(), client="client")

    assert [each.target for each in seen.tasks[0].doubtful] == ["/"]


class Cancellable(Process):
    """An adapter whose wait never ends by itself; `answers` says what it makes of a cancellation."""

    def __init__(self, server: Server, answers: dict[str, dict[str, Any]]) -> None:
        super().__init__(server)
        self.answers = answers
        self.waits: list[PendingCall] = []

    def logged_since(self, from_ns: int) -> tuple[str, ...]:
        return ()

    def send(self, op: str, **members: Any) -> PendingCall:
        call = PendingCall(op, Op(op), {"op": op, **members})
        call.sent_ns = time.monotonic_ns()
        if op == "wait":
            self.waits.append(call)
        elif op == "ping":
            self.answer(call, {"outcome": "returned"})
        return call

    def cancel(self, wait: PendingCall) -> PendingCall:
        call = PendingCall("cancel", Op.CANCEL, {"op": "cancel", "call": wait.id})
        call.sent_ns = time.monotonic_ns()
        for each, op in ((call, "cancel"), (wait, "wait")):
            if op in self.answers:
                self.answer(each, self.answers[op])
        return call

    def answer(self, call: PendingCall, members: dict[str, Any]) -> None:
        answer = read_answer(json.dumps({"id": call.id, **members}).encode())
        assert not isinstance(answer, LogLine)
        call.succeed(answer, time.monotonic_ns())


def cancelled(answers: dict[str, dict[str, Any]]) -> CallRecord:
    """Play a wait that is cancelled after 50 ms and has a timeout of 100 ms, with an adapter like that."""
    server = Server()
    process = cast("AdapterProcess", Cancellable(server, answers))
    player = Player(CONTRACT_OF_MINI, cast("ServerProcess", server), threading.Event())
    call = "{wait: {timeout: 100ms}, cancel_after: 50ms, expect: {cancelled: true}}"
    text = f"summary: It ends.\nproves: [returns-output]\ntask: [{{status: done}}]\ncalls: [{call}]"
    hello = replace(HELLO, capabilities=Capabilities(cancel=True))
    played = parse_scenario(Document(text, "s.yaml"), "test/s")
    return player.play(process, hello, played, client="client").calls[0]


def test_a_wait_is_cancelled_so_long_after_it_was_written() -> None:
    call = cancelled({"cancel": {"outcome": "returned"}, "wait": {"outcome": "cancelled"}})

    assert call.seen == Cancelled()
    assert call.cancelled_s is not None
    assert 0.05 <= call.cancelled_s < 5.0
    assert call.received_s is not None
    assert call.cancelled_s <= call.received_s


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ({"outcome": "unsupported", "reason": "no token"}, Unsupported("no token")),
        ({"outcome": "adapter_error", "message": "oh"}, AdapterFault("oh")),
    ],
)
def test_an_adapter_that_does_not_cancel_a_wait_is_believed(
    answer: dict[str, Any], seen: Unsupported | AdapterFault
) -> None:
    assert cancelled({"cancel": answer, "wait": {"outcome": "cancelled"}}).seen == seen


def test_an_adapter_that_does_not_answer_a_cancel_is_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "ANSWER_LIMIT_S", 0.1)
    monkeypatch.setattr(player_module, "PING_LIMIT_S", 0.1)

    assert cancelled({}).seen == NoAnswer("no answer to call cancel, which cancels call wait")
    assert isinstance(cancelled({"cancel": {"outcome": "returned"}}).seen, StillWaiting)
