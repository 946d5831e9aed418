"""Defects of requests: the endpoint, credentials, operations, looks by hand, connections, and timeouts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from waitproof.defects.client import REQUEST_TIMEOUT_S, Hooks, ModelClient, Reaction, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.outcomes import without_failures
from waitproof.defects.wire import Cause, ModelError, Task, TaskId
from waitproof.simulate import Request
from waitproof.suite import Contract

__all__ = ["traffic_defects"]


def traffic_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _endpoint(contract)
    yield from _credentials(contract)
    yield from _operations(contract)
    yield from _looks(contract)
    yield from _connections()
    yield from _after_timeouts()


def with_headers(request: Request, more: Mapping[str, str]) -> Request:
    """Return a request with more headers."""
    return replace(request, headers={**request.headers, **more})


# --- the endpoint and its credentials -----------------------------------------------------------------


def _endpoint(contract: Contract) -> Iterator[Defect]:
    check = "polls_endpoint"
    other_method = "GET" if contract.endpoint.method == "POST" else "POST"
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "asks-for-settings",
            "The helper sends an extra request besides its polls.",
            Hooks(after_poll=_ask_for_settings),
        ),
        (
            "other-path",
            "The helper polls a path that is not the documented one.",
            Hooks(on_request=lambda _wait, request: replace(request, target=f"/v0{request.target}")),
        ),
        (
            "other-method",
            f"The helper polls with {other_method}.",
            Hooks(on_request=lambda _wait, request: replace(request, method=other_method)),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks)
    yield Defect(
        "record_escaping.not-escaped",
        "record_escaping",
        "The task id is put into the path without being escaped.",
        Hooks(on_request=_unescaped(contract)),
        ending=Ending.RECORDED,
    )


def _ask_for_settings(wait: Wait, _task: Task) -> Steps:
    if wait.polls == 1:
        yield from wait.client.send(wait.client.wire.request("GET", "/settings"), REQUEST_TIMEOUT_S)


def _unescaped(contract: Contract) -> Callable[[Wait | None, Request], Request]:
    def on_request(wait: Wait | None, request: Request) -> Request:
        if wait is None:
            return request
        plain = str(wait.task_id).replace(" ", "%20").encode("ascii", "ignore").decode()
        path = contract.endpoint.path.replace("{task_id}", plain)
        return replace(request, target=wait.client.wire.target(path))

    return on_request


def _credentials(contract: Contract) -> Iterator[Defect]:
    check = "polls_carry_credentials"

    def later(change: Callable[[Request], Request]) -> Hooks:
        return Hooks(on_request=lambda wait, request: change(request) if wait and wait.polls else request)

    for name in contract.credentials.headers:
        yield Defect(
            f"{check}.{name.lower()}-once",
            check,
            f"Only the first poll carries the header {name}.",
            later(lambda request, name=name: without_header(request, name)),  # type: ignore[misc]
        )
    for name in contract.credentials.query:
        yield Defect(
            f"{check}.{name}-once",
            check,
            f"Only the first poll carries {name} in its query.",
            later(lambda request, name=name: _without_query(request, name)),  # type: ignore[misc]
        )


def without_header(request: Request, name: str) -> Request:
    """Return a request without a header."""
    return replace(request, headers={key: value for key, value in request.headers.items() if key != name})


def _without_query(request: Request, name: str) -> Request:
    path, _, query = request.target.partition("?")
    others = [(key, value) for key, value in parse_qsl(query) if key != name]
    return replace(request, target=f"{path}?{urlencode(others)}" if others else path)


# --- operations and looks by hand ---------------------------------------------------------------------


def _operations(contract: Contract) -> Iterator[Defect]:
    check = "begin_returns_task_id"
    every: tuple[tuple[str, str, Callable[[TaskId], Any]], ...] = (
        ("shortened", "Operations return only a part of the task id.", lambda task_id: str(task_id)[:-1]),
        ("capitals", "Operations return the task id in capitals.", lambda task_id: str(task_id).upper()),
        (
            "a-duration",
            "Operations return another field of the answer instead of the task id.",
            lambda _id: "1.20ms",
        ),
    )
    for name, sentence, change in every:
        on_task_id = Hooks(on_task_id=lambda _name, _arguments, task_id, change=change: change(task_id))  # type: ignore[misc]
        yield Defect(f"{check}.{name}", check, sentence, on_task_id)
    for name in contract.operations:
        where = {"operations": name}
        yield Defect(
            f"{check}.{name}-returns-nothing",
            check,
            f"{name} returns nothing.",
            _of_operation(name, lambda _arguments: None),
            where,
        )
        yield Defect(
            f"{check}.{name}-returns-its-argument",
            check,
            f"{name} returns its argument and not the task id.",
            _of_operation(name, lambda arguments: next(iter(arguments.values()), None)),
            where,
        )
        yield Defect(
            f"{check}.missing-{name}",
            check,
            f"The SDK has no {name}.",
            where=where,
            capabilities={"operations": sorted(contract.operations.keys() - {name})},
        )


def _of_operation(name: str, change: Callable[[Mapping[str, Any]], Any]) -> Hooks:
    return Hooks(on_task_id=lambda begun, args, task_id: change(args) if begun == name else task_id)


def _looks(contract: Contract) -> Iterator[Defect]:
    check = "one_request_per_call"

    def twice(client: ModelClient, task_id: TaskId, steps: Steps) -> Steps:
        yield from steps
        return (yield from client.look(task_id, REQUEST_TIMEOUT_S))

    def raising(client: ModelClient, _task_id: TaskId, steps: Steps) -> Steps:
        task = yield from steps
        if contract.fails(task.status):
            raise client.wire.task_failed(task)
        return task

    def known(_client: ModelClient, _task_id: TaskId, steps: Steps) -> Steps:
        task = yield from steps
        return (
            task if task.status in contract.statuses else replace(task, status=next(iter(contract.statuses)))
        )

    def remembering(client: ModelClient, task_id: TaskId, steps: Steps) -> Steps:
        key = f"task {task_id}"
        if key not in client.memory:
            client.memory[key] = yield from steps
        steps.close()
        return client.memory[key]

    yield Defect(
        f"{check}.raises-for-a-failed-task",
        check,
        "Fetching a task that has failed raises.",
        Hooks(on_look=raising),
        not_applicable=without_failures(contract),
    )
    yield Defect(
        f"{check}.missing",
        check,
        "The SDK has no method that fetches a task.",
        capabilities={"get_task": False},
    )
    every = (
        ("twice", "Fetching a task sends two requests.", twice),
        (
            "unknown-status-is-replaced",
            "Fetching a task replaces a status that the SDK does not know.",
            known,
        ),
        ("remembers", "Fetching a task a second time returns the first answer again.", remembering),
    )
    for name, sentence, on_look in every:
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_look=on_look))


# --- connections --------------------------------------------------------------------------------------


def _connections() -> Iterator[Defect]:
    check = "outcome_expected"

    def repairs_once(wait: Wait, error: ModelError) -> Exception | Reaction:
        if error.cause is not Cause.DROPPED or wait.client.memory.setdefault("repaired", False):
            return error
        wait.client.memory["repaired"] = True
        return Reaction.REPEAT

    yield Defect(
        f"{check}.blind-to-closed-connections",
        check,
        "The next poll is sent on a connection that the server has closed.",
        is_blind=True,
    )
    yield Defect(
        f"{check}.repairs-one-connection",
        check,
        "A connection that the server has closed is replaced once, and not a second time.",
        Hooks(on_poll_error=repairs_once),
        is_blind=True,
    )
    yield Defect(
        "record_connections.one-each",
        "record_connections",
        "Each request opens a connection.",
        Hooks(on_request=lambda _wait, request: with_headers(request, {"Connection": "close"})),
        ending=Ending.RECORDED,
    )


# --- after a timeout ----------------------------------------------------------------------------------


def _after_timeouts() -> Iterator[Defect]:
    check = "only_polls_are_sent"

    def deletes(wait: Wait) -> Steps:
        path = wait.client.wire.poll(wait.task_id).target.partition("?")[0]
        yield from wait.client.send(wait.client.wire.request("DELETE", path), REQUEST_TIMEOUT_S)

    def cancels(wait: Wait) -> Steps:
        path = wait.client.wire.poll(wait.task_id).target.partition("?")[0]
        yield from wait.client.send(wait.client.wire.request("POST", f"{path}/cancel", {}), REQUEST_TIMEOUT_S)

    def remembers(wait: Wait, error: ModelError) -> Exception:
        wait.client.memory[f"timed out {wait.task_id}"] = error
        return error

    def raises_again(wait: Wait, timeout_s: float) -> float:
        if f"timed out {wait.task_id}" in wait.client.memory:
            raise wait.timed_out()
        return timeout_s

    every = (
        ("deletes", "The helper deletes the task at its timeout.", Hooks(at_timeout=deletes)),
        ("cancels", "The helper cancels the task at its timeout.", Hooks(at_timeout=cancels)),
        (
            "remembers",
            "A second wait for the same task raises the timeout of the first.",
            Hooks(on_timeout=remembers, on_poll=raises_again),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks)
