"""The server, its tasks and its control API, put together."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from werkzeug import Request, Response

from waitproof.errors import InputError
from waitproof.mock import TaskServer
from waitproof.serve.manager import ANY_PAGE, TaskManager
from waitproof.serve.task import Limits, TaskView
from waitproof.serve.waits import Waits
from waitproof.serve.watch import Watcher
from waitproof.suite import Answer, Catalog, Change, Contract, ErrorAnswer, WaitOptions

if TYPE_CHECKING:
    from waitproof.serve.control import Control

__all__ = ["DEFAULT_JOURNAL", "ServeOptions", "Service", "serving"]

_T = TypeVar("_T", Answer, ErrorAnswer)

DEFAULT_JOURNAL = 20_000  # requests: twenty seconds of a thousand clients, hours of a few
MAX_BODY_BYTES = 64 * 1024
CONTROL_PATHS = re.compile(r"/(_waitproof(/.*)?)?\Z", re.DOTALL)
IPV4_LOOPBACK = ("127.0.0.1", "localhost")  # Node takes `localhost` for ::1
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class ServeOptions:
    """What to serve, and where.

    Attributes:
        folder: The suite.
        scenarios: Folders with further scenarios, and further scenario files.
        allowed_hosts: Names that a Host header may have, besides this machine's own and `host`.
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
    scenarios: tuple[Path, ...] = ()

    @property
    def more_hosts(self) -> tuple[str, ...]:
        """The addresses to listen on beside `host`, where this machine has them."""
        return ("::1",) if self.host in IPV4_LOOPBACK else ()

    @property
    def names(self) -> set[str]:
        """The names that a Host header may have."""
        return {
            *LOCAL_NAMES,
            *(TaskServer.format_host(each).lower() for each in (self.host, *self.allowed_hosts)),
        }


@dataclass(frozen=True)
class Service:
    """A server that listens, and what works behind it."""

    server: TaskServer
    manager: TaskManager
    waits: Waits
    watcher: Watcher

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
    catalog = Catalog(options.folder, options.scenarios)
    manager = TaskManager(
        catalog,
        default_scenario=options.default_scenario,
        options=options.options,
        limits=options.limits,
    )
    waits = Waits(manager, on_over)
    watcher = Watcher(manager, waits, on_change)
    server = manager.server = TaskServer(
        _for_browsers(catalog.contract),
        host=options.host,
        port=options.port,
        more_hosts=options.more_hosts,
        on_entry=manager.on_entry,
        journal_limit=options.journal,
        task_factory=manager,
        allowed_hosts=options.names,
        max_body_bytes=MAX_BODY_BYTES,
        off_record=CONTROL_PATHS,
    )

    @cache
    def control() -> Control:
        from waitproof.serve.control import Control  # noqa: PLC0415 - its models would delay the first poll's answer

        return Control(manager, waits, watcher.closing)

    def answer(request: Request) -> Response:
        return control()(request)

    server.expect_request(CONTROL_PATHS).respond_with_handler(answer)
    operations = (operation.pattern().pattern for operation in catalog.contract.operations.values())
    api = catalog.contract.task_path_pattern().pattern, *operations
    preflights = re.compile(rf"(?:{'|'.join(api)})\Z", re.DOTALL)
    server.expect_request(preflights, method="OPTIONS").respond_with_handler(_allow)
    watcher.start()
    try:
        if manager.has_numbers:
            with contextlib.suppress(InputError):  # its file cannot be read, which is reported on its own
                manager.add(catalog.get(catalog.example), manager.example_id)
        server.start()  # last: everything that a request needs is there when the first one comes
        yield Service(server, manager, waits, watcher)
    finally:
        watcher.close()
        if server.is_running():
            server.stop()


def _for_browsers(contract: Contract) -> Contract:
    """Return a contract whose answers a page of any site may read: SDKs run in browsers too."""

    def opened(answer: _T) -> _T:
        return answer.model_copy(update={"headers": {**answer.headers, **ANY_PAGE}})

    update = {"answer": opened(contract.answer), "http_error": opened(contract.http_error)}
    return contract.model_copy(update=update)


def _allow(request: Request) -> Response:
    """Answer a browser's preflight: a page of any site may poll and begin operations."""
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
