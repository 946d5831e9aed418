"""`waitproof serve`: the mock task server in a terminal, until a signal ends it.

This module has the options and the signals; `terminal` prints. The server listens before it has read the
scenarios, and nothing is imported that a server does not need.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.mock import TaskServer, raise_file_limit
from waitproof.serve.server import DEFAULT_JOURNAL, ServeOptions, serving
from waitproof.serve.task import Limits
from waitproof.serve.terminal import Printer, Terminal, proxy_hint
from waitproof.signals import on_termination
from waitproof.suite import DEFAULT_SUITE, Catalog, Change, WaitOptions, bundled_names, is_suite, suite_folder
from waitproof.text import escape

__all__ = ["add_options", "execute"]

DEFAULT_PORT = 8080
SIGNAL_PAUSE_S = 0.1  # until a signal is seen, at most
SWITCH_S = 0.0005  # for which a thread that judges may delay the one that answers polls
MAX_COUNT = 10**9  # thirty years of seconds
# A name or an IPv4 address, or an IPv6 address, with brackets or without.
_HOST = re.compile(r"[^\s/:\[\]]+|\[?[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F.:]*(%[^\s/\]]+)?\]?")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    defaults = Limits()
    parser.add_argument(
        "--port",
        type=int,
        default=DEFAULT_PORT,
        help="port to listen on, 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host", type=_host, default="127.0.0.1", help="address to listen on (default: %(default)s)"
    )
    parser.add_argument(
        "--allow-host",
        type=_host,
        action="append",
        default=[],
        metavar="NAME",
        help="another name that a request's Host header may have, such as host.docker.internal; repeatable",
    )
    parser.add_argument(
        "--suite",
        metavar="DIR",
        help=f"folder with a contract.yaml, or the name of a bundled suite (default: {DEFAULT_SUITE})",
    )
    parser.add_argument(
        "--scenarios",
        action="append",
        default=[],
        metavar="DIR",
        help="folder with more scenario files for the suite, or one such file; repeatable",
    )
    parser.add_argument(
        "--default-scenario",
        default="",
        metavar="NAME",
        help="scenario for operations whose request names none (default: the contract's example)",
    )
    parser.add_argument(
        "--record",
        metavar="URL",
        help="pass all requests on to a real API instead, and write a scenario for each task that ends",
    )
    parser.add_argument(
        "--record-to",
        type=Path,
        default=Path("recorded"),
        metavar="DIR",
        help="folder for those scenarios (default: %(default)s)",
    )
    parser.add_argument("--judge", action="store_true", help="print verdicts on each wait when it is over")
    parser.add_argument(
        "--poll-interval",
        metavar="DURATION",
        help="interval that your code passes (default: the scenario's, or the API's with --timeout)",
    )
    parser.add_argument(
        "--timeout",
        metavar="DURATION",
        help="timeout that your code passes (default: the scenario's, or the API's with --poll-interval)",
    )
    parser.add_argument(
        "--max-tasks",
        type=_count,
        default=defaults.tasks,
        metavar="N",
        help="maximum number of tasks to keep (default: %(default)s)",
    )
    parser.add_argument(
        "--keep",
        type=_count,
        default=round(defaults.finished_s),
        metavar="S",
        help="seconds to keep a finished task; six times as long for others (default: %(default)s)",
    )
    parser.add_argument(
        "--journal",
        type=_count,
        default=DEFAULT_JOURNAL,
        metavar="N",
        help="maximum number of requests to keep (default: %(default)s)",
    )


def _host(text: str) -> str:
    """Return a host; "" is a variable of the shell that is not set, and would listen on every address."""
    if _HOST.fullmatch(text):
        return text
    raise argparse.ArgumentTypeError(f"expected a name or an address without a port, not '{text[:100]}'")


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        number = int(text)
        if 1 <= number <= MAX_COUNT:
            return number
    raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {MAX_COUNT:,}, not '{text[:100]}'")


def execute(options: argparse.Namespace) -> int:
    """Serve until a signal comes, and return the exit code.

    Raises:
        InputError: An option is wrong.
        HarnessError: The server ended by a mistake of ours.
    """
    finished_s = float(options.keep)
    folder, scenarios = _suite(options)
    settings = ServeOptions(
        folder=folder,
        scenarios=scenarios,
        host=options.host,
        port=options.port,
        allowed_hosts=tuple(options.allow_host),
        default_scenario=options.default_scenario,
        options=_wait_options(options),
        limits=Limits(tasks=options.max_tasks, finished_s=finished_s, idle_s=6 * finished_s),
        journal=options.journal,
    )
    raise_file_limit()
    sys.setswitchinterval(SWITCH_S)
    terminal = Terminal(sys.stdout)
    ended: list[bool] = []  # not an Event: the thread that a signal interrupts may hold its lock
    serve = _recorded if options.record is not None else _served
    with on_termination(lambda: ended.append(True)), serve(options, settings, terminal) as server:
        while not ended and server.is_running():
            time.sleep(SIGNAL_PAUSE_S)
        failure = server.failure
    finished = terminal.finish()
    if failure is not None:
        raise HarnessError(f"the server's loop has ended because of a defect in waitproof: {failure!r}")
    if not finished:
        os._exit(0)  # the interpreter would wait for the thread that holds stdout
    return 0


@contextlib.contextmanager
def _served(options: argparse.Namespace, settings: ServeOptions, terminal: Terminal) -> Iterator[TaskServer]:
    printer = Printer(terminal)
    on_over = printer.judged if options.judge else None
    with serving(settings, on_over=on_over, on_change=printer.changed) as service:
        gc.freeze()  # what has been imported is never garbage
        gc.enable()
        printer.hello(service.base_url, service.manager)
        for entry in service.manager.catalog.entries():
            if entry.mistakes:
                printer.changed(Change(entry.id, entry))
        yield service.server


@contextlib.contextmanager
def _recorded(
    options: argparse.Namespace, settings: ServeOptions, terminal: Terminal
) -> Iterator[TaskServer]:
    from waitproof.serve.record import Recorder, recording, upstream_url  # noqa: PLC0415 - seldom used

    url = upstream_url(options.record)
    catalog = Catalog(settings.folder, settings.scenarios)
    recorder = Recorder(catalog, url, options.record_to, terminal.write)
    with recording(recorder, catalog, settings) as server:
        terminal.write(
            [
                f"Passes every request on to {escape(url)}, and writes the tasks of {catalog.contract.title}",
                f"to {escape(str(options.record_to))}/ when they have ended. Point your client at:",
                "",
                f"  base URL  {server.base_url}   (Ctrl-C stops it)",
                *proxy_hint("127.0.0.1" if settings.host in {"127.0.0.1", "localhost"} else settings.host),
            ]
        )
        yield server


def _suite(options: argparse.Namespace) -> tuple[Path, tuple[Path, ...]]:
    """Return the suite's folder and the further scenarios.

    `--scenarios` alone named a suite before there was `--suite`, and still does.
    """
    named, more = options.suite, list(options.scenarios)
    path = Path(more[0]) if more else None
    is_old = path is not None and (is_suite(path) or more[0] in bundled_names() or not path.exists())
    if named is None and len(more) == 1 and is_old:
        return suite_folder(more[0], option="--scenarios"), ()
    return suite_folder(named or DEFAULT_SUITE), tuple(map(Path, more))


def _wait_options(options: argparse.Namespace) -> WaitOptions | None:
    values = {"poll_interval": options.poll_interval, "timeout": options.timeout}
    values = {name: value for name, value in values.items() if value is not None}
    try:
        return WaitOptions.model_validate(values) if values else None
    except ValueError:
        names = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in values.items())
        expected = "a number above 0 with its unit (ms, s or m), such as 200ms"
        raise InputError(Mistake(names, "this is not a duration", expected=expected)) from None
