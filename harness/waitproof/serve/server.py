"""The server, its keeper and its control API, put together."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from werkzeug import Request, Response

from waitproof.mock.server import TaskServer
from waitproof.serve.control import Control
from waitproof.serve.tasks import Keeper, Limits, TaskView
from waitproof.suite.catalog import Catalog, Change
from waitproof.suite.contract import Answer, Contract, ErrorAnswer
from waitproof.suite.scenario import Step, WaitOptions
from waitproof.suite.task import TaskState

__all__ = ["DEFAULT_JOURNAL", "ServeOptions", "Service", "serving"]

_T = TypeVar("_T", Answer, ErrorAnswer)

DEFAULT_JOURNAL = 20_000  # requests: twenty seconds of a thousand clients, hours of a few
MAX_BODY_BYTES = 64 * 1024
CONTROL_PATHS = re.compile(r"/(_waitproof(/.*)?)?\Z", re.DOTALL)
ANY_PAGE = {"Access-Control-Allow-Origin": "*"}  # may read the answer
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class ServeOptions:
    """What to serve, and where.

    Attributes:
        folder: The suite.
        allowed_hosts: Names under which requests may come, besides this machine's own and `host`.
        default_scenario: Which one an operation begins that names none, "" for the contract's example.
        options: What clients pass to their helpers, None for what each scenario's own wait passes.
        journal: How many requests are remembered.
    """

    folder: Path
    host: str = "127.0.0.1"
    port: int = 0
    allowed_hosts: tuple[str, ...] = ()
    default_scenario: str = ""
    options: WaitOptions | None = None
    limits: Limits = field(default_factory=Limits)
    journal: int = DEFAULT_JOURNAL


@dataclass(frozen=True)
class Service:
    """A server that listens, and the keeper of its tasks."""

    server: TaskServer
    keeper: Keeper

    @property
    def base_url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self.server.base_url


@contextlib.contextmanager
def serving(
    options: ServeOptions,
    *,
    on_over: Callable[[TaskView], None] | None = None,
    on_change: Callable[[Change], None] | None = None,
) -> Iterator[Service]:
    """Serve a suite while the context lasts.

    Args:
        options: What to serve, and where.
        on_over: Called when a wait is over, and again when more came after it.
        on_change: Called when a scenario file has changed.

    Raises:
        InputError: There is no such suite or scenario, or nothing can listen there.
    """
    catalog = Catalog(options.folder)
    keeper = Keeper(
        catalog,
        default_scenario=options.default_scenario,
        options=options.options,
        limits=options.limits,
        on_over=on_over,
        on_change=on_change,
    )
    names = {*LOCAL_NAMES, TaskServer.format_host(options.host).lower()}
    names |= {name.lower() for name in options.allowed_hosts}
    server = _OpenServer(
        _for_browsers(catalog.contract),
        host=options.host,
        port=options.port,
        on_entry=keeper.on_entry,
        journal_limit=options.journal,
        task_factory=keeper,
        allowed_hosts=names,
        max_body_bytes=MAX_BODY_BYTES,
        off_record=CONTROL_PATHS,
    )
    control = Control(keeper, base_url=lambda: server.base_url, version=_version)
    server.expect_request(CONTROL_PATHS).respond_with_handler(control)
    api = catalog.contract.task_path_pattern().pattern, *_operation_paths(catalog.contract)
    preflights = re.compile(rf"(?:{'|'.join(api)})\Z", re.DOTALL)
    server.expect_request(preflights, method="OPTIONS").respond_with_handler(_allow)
    server.start()
    keeper.attach(server)
    try:
        yield Service(server, keeper)
    finally:
        keeper.close()
        server.stop()


class _OpenServer(TaskServer):
    """A server of tasks whose answers in text, with no header of the contract, any page may read too."""

    def create(self, task_id: str | int, steps: Sequence[Step], *, token: str = "", n: int = 1) -> None:
        """Make a task."""
        super().create(task_id, _opened(steps), token=token, n=n)

    def change(self, task_id: str | int, change: Callable[[TaskState], TaskState]) -> bool:
        """Change how far a task is; the steps may be others afterwards."""

        def opened(state: TaskState) -> TaskState:
            after = change(state)
            return replace(after, steps=_opened(after.steps))

        return super().change(task_id, opened)


def _opened(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps, those that need no header as the same objects: the server caches by identity."""
    return tuple(_opened_step(step) for step in steps)


def _opened_step(step: Step) -> Step:
    fault = step.fault
    if fault is None or fault.text is None:
        return step
    if {name.lower() for name in fault.headers} & {name.lower() for name in ANY_PAGE}:
        return step
    return step.model_copy(
        update={"fault": fault.model_copy(update={"headers": {**fault.headers, **ANY_PAGE}})}
    )


def _for_browsers(contract: Contract) -> Contract:
    """Return a contract whose answers a page of another site may read: SDKs run in browsers too."""

    def opened(answer: _T) -> _T:
        return answer.model_copy(update={"headers": {**answer.headers, **ANY_PAGE}})

    update = {"answer": opened(contract.answer), "http_error": opened(contract.http_error)}
    return contract.model_copy(update=update)


def _operation_paths(contract: Contract) -> Iterator[str]:
    return (re.escape(operation.path) for operation in contract.operations.values())


def _allow(request: Request) -> Response:
    """Answer a browser that asks whether a page may poll, or begin an operation: it may."""
    asked = request.headers.get("Access-Control-Request-Headers", "")
    method = request.headers.get("Access-Control-Request-Method", "GET")
    return Response(
        status=204,
        headers={
            **ANY_PAGE,
            "Access-Control-Allow-Methods": method,
            "Access-Control-Allow-Headers": asked,
            "Access-Control-Allow-Private-Network": "true",
            "Access-Control-Max-Age": "600",
        },
    )


def _version() -> str:
    try:
        return version("waitproof")
    except PackageNotFoundError:
        return "0"
