"""`waitproof serve`: the mock task server in a terminal, until it is ended.

Its own business is options, what is printed, and signals. It listens before it has read the scenarios, and
imports nothing that a server does not need.

One fact to know before reading on: only a thread of its own writes to the terminal. One that is held
(Ctrl-S), or a pager that nobody pages, takes nothing for as long as it likes, and may hold up neither the
server nor its end.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import shutil
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from waitproof.errors import InputError, Mistake, WaitproofError
from waitproof.mock.server import raise_file_limit
from waitproof.serve.server import DEFAULT_JOURNAL, ServeOptions, serving
from waitproof.serve.tasks import Keeper, Limits, TaskView
from waitproof.signals import heard
from waitproof.suite.catalog import SCENARIO_HEADER, Change
from waitproof.suite.files import CONTRACT, bundled_suite
from waitproof.suite.scenario import WaitOptions

__all__ = ["Terminal", "add_options", "main", "serve"]

DEFAULT_PORT = 8080
DEFAULT_SUITE = "stream"
WRONG_USE = 2
SIGNAL_PAUSE_S = 0.1  # until a signal is seen, at most
SWITCH_S = 0.0005  # how long a thread that judges or draws may keep the one that answers polls waiting
MAX_WIDTH = 110
HANGING = 12
MAX_WAITING = 1000  # texts for a terminal that takes none: a screen of verdicts each, some 2 MB in all
FAREWELL_S = 1.0  # for the terminal to take what waits at the end
MAX_COUNT = 10**9  # of whatever an option counts: thirty years of seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options to a parser."""
    defaults = Limits()
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="0 for a free one; default: %(default)s"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; default: %(default)s")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name under which requests may come, such as host.docker.internal; may be repeated",
    )
    parser.add_argument(
        "--scenarios",
        default=DEFAULT_SUITE,
        metavar="DIR",
        help="folder with a contract.yaml, or a suite that comes with waitproof; default: %(default)s",
    )
    parser.add_argument(
        "--default-scenario",
        default="",
        metavar="NAME",
        help="what an operation begins that names none; default: the contract's example",
    )
    parser.add_argument("--judge", action="store_true", help="print verdicts about each wait when it is over")
    parser.add_argument(
        "--poll-interval",
        metavar="DURATION",
        help="what your code passes, such as 1s; default: the scenario's",
    )
    parser.add_argument(
        "--timeout", metavar="DURATION", help="what your code passes; default: the scenario's"
    )
    parser.add_argument(
        "--max-tasks",
        type=_count,
        default=defaults.tasks,
        metavar="N",
        help="tasks kept; default: %(default)s",
    )
    parser.add_argument(
        "--keep",
        type=_count,
        default=round(defaults.finished_s),
        metavar="S",
        help="seconds that a finished task is kept, an unfinished one six times; default: %(default)s",
    )
    parser.add_argument(
        "--journal",
        type=_count,
        default=DEFAULT_JOURNAL,
        metavar="N",
        help="requests kept; default: %(default)s",
    )


def main(argv: Sequence[str]) -> int:
    """Serve until a signal comes, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="waitproof serve", description="The mock task server for whoever develops an SDK."
    )
    add_options(parser)
    options = parser.parse_args(argv)
    try:
        return serve(options)
    except WaitproofError as error:
        print(_plain(str(error)), file=sys.stderr)
        return WRONG_USE


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        number = int(text)
        if 1 <= number <= MAX_COUNT:
            return number
    raise argparse.ArgumentTypeError(f"a whole number from 1 to {MAX_COUNT:,} is needed, not '{text[:100]}'")


def _suite(named: str) -> Path:
    """Return the folder of a suite: one with a contract, else one that comes with waitproof.

    Somebody's folder may well be called as a bundled suite is, and be none.

    Raises:
        InputError: It is neither.
    """
    folder = Path(named)
    if (folder / CONTRACT).is_file():
        return folder
    try:
        return bundled_suite(named, option="--scenarios")
    except InputError:
        if folder.is_dir():
            return folder  # the catalog says what it lacks
        raise


def serve(options: argparse.Namespace) -> int:
    """Serve until a signal comes, and return the exit code."""
    finished_s = float(options.keep)
    told = ServeOptions(
        folder=_suite(options.scenarios),
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
    say = _Printer(terminal)
    ended: list[bool] = []  # an Event's lock may be held by the very thread that the signal interrupts
    with (
        heard(lambda: ended.append(True)),
        serving(told, on_over=say.judged if options.judge else None, on_change=say.changed) as service,
    ):
        gc.freeze()  # what was loaded stays: no collection has to look at it
        gc.enable()
        say.hello(service.base_url, service.keeper)
        for entry in service.keeper.catalog.entries():
            if entry.mistakes:
                say.changed(Change(entry.id, entry))
        while not ended:
            time.sleep(SIGNAL_PAUSE_S)
    if not terminal.finish():
        os._exit(0)  # the interpreter would wait for the thread that holds stdout
    return 0


def _wait_options(options: argparse.Namespace) -> WaitOptions | None:
    given = {"poll_interval": options.poll_interval, "timeout": options.timeout}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        return None
    try:
        return WaitOptions.model_validate(given)
    except ValueError:
        names = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in given.items())
        raise InputError(
            Mistake(names, "this is no duration", expected="a number above 0 with ms, s or m, such as 200ms")
        ) from None


class Terminal:
    """A stream that is written to by a thread of its own, so that nobody waits for whoever reads it."""

    def __init__(self, out: TextIO, *, most: int = MAX_WAITING) -> None:
        """Begin to write.

        Args:
            out: Where to.
            most: How many texts may wait; what comes then is left out, and the gap is told.
        """
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="backslashreplace")
        self._out = out
        self._most = most
        self._waiting: deque[str] = deque()
        self._missed = 0  # lines that came after those that wait, and found no room
        self._is_over = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="terminal", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[str]) -> None:
        """Have a text written when its turn has come; return at once."""
        with self._news:
            if len(self._waiting) >= self._most:
                self._missed += len(lines)
                return
            if self._missed:
                self._waiting.append(self._gap())
            self._waiting.append("\n".join(lines))
            self._news.notify()

    def finish(self, within_s: float = FAREWELL_S) -> bool:
        """Return whether everything was written, that many seconds from now at the latest."""
        with self._news:
            self._is_over = True
            self._news.notify()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _gap(self) -> str:
        missed, self._missed = self._missed, 0
        return f"… {missed} {'line was' if missed == 1 else 'lines were'} not shown"

    def _next(self) -> str | None:
        """Return what is to be written next, None at the end."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._missed or self._is_over)
            if self._waiting:
                return self._waiting.popleft()
            return self._gap() if self._missed else None

    def _write_all(self) -> None:
        while (text := self._next()) is not None:
            try:
                print(text, file=self._out, flush=True)
            except BrokenPipeError:
                self._write_nowhere()
            except OSError:
                continue  # the disk is full, say; there may be room for what comes next
        try:
            self._out.flush()
        except OSError:  # the interpreter would try again, and call it a failure
            self._write_nowhere()

    def _write_nowhere(self) -> None:
        """Let a stream whose reader has gone take whatever is written."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._out.fileno())
        os.close(nowhere)


class _Printer:
    """What the terminal shows; several threads have something to say."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._width = min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH)

    def hello(self, base_url: str, keeper: Keeper) -> None:
        """Print what is served, and how to use it."""
        ids = keeper.catalog.ids()
        topics: dict[str, list[str]] = {}
        for scenario_id in ids:
            topic, _, name = scenario_id.rpartition("/")
            topics.setdefault(topic, []).append(name)
        lines = [
            f"{len(ids)} scenarios of {keeper.contract.title}; a task id that names one behaves like it:",
            "",
        ]
        for topic, names in topics.items():
            lines += self._wrapped(topic, ", ".join(names))
        lines.append("")
        for language, text in keeper.catalog.calls(base_url).items():
            first, *rest = text.splitlines()
            lines += [f"  {language:<{HANGING - 2}}{first}", *(f"{'':<{HANGING}}{line}" for line in rest)]
        lines += [
            "",
            *self._wrapped(
                "",
                f"Whatever follows a ~ makes another task. Operations begin one too: of the "
                f"scenario that a cid or user id names, or the header {SCENARIO_HEADER}.",
            ),
            "",
            f"  {'page':<{HANGING - 2}}{base_url}/",
            f"  {'control':<{HANGING - 2}}{base_url}/_waitproof/openapi.json",
            f"  {'base URL':<{HANGING - 2}}{base_url}   (Ctrl-C ends it)",
        ]
        self._print(lines)

    def changed(self, change: Change) -> None:
        """Print what became of a scenario file."""
        entry = change.entry
        if entry is None:
            self._print([f"{_now()} {change.id}: gone; tasks that it made go on"])
        elif not entry.mistakes:
            self._print([f"{_now()} {change.id}: read again; it takes effect for the next task"])
        else:
            kept = "the version before it stays" if entry.scenario is not None else "it makes no task"
            lines = [line for mistake in entry.mistakes for line in str(mistake).splitlines()]
            self._print([f"{_now()} {change.id}: this cannot be read; {kept}", *lines])

    def judged(self, view: TaskView) -> None:
        """Print the verdicts about a wait."""
        from waitproof.serve.witness import told  # noqa: PLC0415 - with the judge, which serving alone does not need

        counted = ", ".join(f"{count} {status.value}" for status, count in view.counts.items())
        first, *rest = told(view, counted)
        self._print([f"{_now()} {first}", *rest])

    def _wrapped(self, head: str, text: str) -> list[str]:
        return textwrap.wrap(
            text,
            self._width,
            initial_indent=f"  {head:<{HANGING - 1}} " if head else "  ",
            subsequent_indent=" " * (HANGING + 2) if head else "  ",
            break_on_hyphens=False,
        )

    def _print(self, lines: Sequence[str]) -> None:
        self._terminal.write([_plain(line) for line in lines])


def _plain(text: str) -> str:
    """Return text with everything escaped that a terminal would act on; it may come from any client."""
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def _now() -> str:
    return time.strftime("%H:%M:%S")
