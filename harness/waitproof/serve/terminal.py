"""What `waitproof serve` prints: its greeting, verdicts, and what became of scenario files.

One fact to know before reading on: only one thread writes to the terminal, and nobody waits for it. A
terminal that is stopped (Ctrl-S), or a pager, may take nothing for hours; that must delay neither the server
nor its end.
"""

from __future__ import annotations

import io
import os
import shutil
import textwrap
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TextIO
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from waitproof.serve.manager import TaskManager
from waitproof.serve.task import TaskView
from waitproof.signals import discard_output
from waitproof.suite import SCENARIO_HEADER, Change
from waitproof.text import escape, plural

__all__ = ["Printer", "Terminal", "proxy_hint"]

MAX_WIDTH = 110
HANGING = 12
MAX_WAITING = 1000  # texts for a terminal that takes none: a screen of verdicts each, some 2 MB in all
FINISH_S = 1.0  # for the terminal to take what waits at the end


class Terminal:
    """A stream with a thread that writes to it, so that nobody else waits for its reader."""

    def __init__(self, out: TextIO, *, most: int = MAX_WAITING) -> None:
        """Begin to write; at most so many texts wait, and the lines of those left out are counted."""
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="backslashreplace")
        self._out = out
        self._most = most
        self._waiting: deque[str] = deque()
        self._missed = 0  # lines for which there was no room
        self._is_over = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="terminal", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[str]) -> None:
        """Queue a text, and return at once."""
        with self._news:
            if len(self._waiting) >= self._most:
                self._missed += len(lines)
                return
            if self._missed:
                self._waiting.append(self._gap())
            self._waiting.append("\n".join(lines))
            self._news.notify()

    def finish(self, within_s: float = FINISH_S) -> bool:
        """Wait until everything has been written; return whether it was within that time."""
        with self._news:
            self._is_over = True
            self._news.notify()
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _gap(self) -> str:
        missed, self._missed = self._missed, 0
        return f"… {plural(missed, 'line')} not shown"

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
                discard_output(self._out)
            except OSError:
                continue  # the disk is full, say; there may be room for what comes next
        try:
            self._out.flush()
        except OSError:  # the interpreter would try again, and call it a failure
            discard_output(self._out)


class Printer:
    """What the terminal shows; any thread may call it."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._width = min(shutil.get_terminal_size((MAX_WIDTH, 24)).columns, MAX_WIDTH)

    def hello(self, base_url: str, manager: TaskManager) -> None:
        """Print what is served, and how to use it."""
        ids = manager.catalog.ids()
        topics: dict[str, list[str]] = {}
        for scenario_id in ids:
            topic, _, name = scenario_id.rpartition("/")
            topics.setdefault(topic, []).append(name)
        how = (
            "Make a task of one at the page, or by the control API, and wait on its number:"
            if manager.has_numbers
            else "A task id that names one behaves like it:"
        )
        lines = [f"{len(ids)} scenarios of {manager.contract.title}. {how}", ""]
        for topic, names in topics.items():
            lines += self._wrapped(topic, ", ".join(names))
        lines.append("")
        for language, text in manager.calls().items():
            first, *rest = text.splitlines()
            lines += [f"  {language:<{HANGING - 2}}{first}", *(f"{'':<{HANGING}}{line}" for line in rest)]
        lines += [
            "",
            *self._wrapped("", _hint(manager)),
            "",
            f"  {'page':<{HANGING - 2}}{base_url}/",
            f"  {'control':<{HANGING - 2}}{base_url}/_waitproof/openapi.json",
            f"  {'base URL':<{HANGING - 2}}{base_url}   (Ctrl-C stops it)",
            *proxy_hint(urlsplit(base_url).hostname or ""),
        ]
        self._print(lines)

    def changed(self, change: Change) -> None:
        """Print that a scenario file has changed."""
        entry = change.entry
        if entry is None:
            self._print([f"{_now()} {change.id}: deleted; tasks made from it keep working"])
        elif not entry.mistakes:
            self._print([f"{_now()} {change.id}: reloaded; new tasks use it"])
        else:
            rest = "the previous version stays in use" if entry.scenario else "no task can be made from it"
            lines = [line for mistake in entry.mistakes for line in str(mistake).splitlines()]
            self._print([f"{_now()} {change.id}: failed to load; {rest}", *lines])

    def judged(self, view: TaskView) -> None:
        """Print the verdicts about a wait."""
        from waitproof.serve.verdicts import report_lines  # noqa: PLC0415 - imports the judge

        first, *rest = report_lines(view)
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
        self._terminal.write([escape(line) for line in lines])


def _hint(manager: TaskManager) -> str:
    """Return how to get other tasks than the one that the calls wait on."""
    if manager.has_numbers:
        hint = f"Task {manager.example_id} is one of {manager.catalog.example}."
    else:
        hint = "Add ~ and any text to the id for another task of the same scenario."
    operations = manager.contract.operations.items()
    if not operations:
        return hint
    places = "".join(f", or {each.place} of {name}" for name, each in operations if each.place)
    return f"{hint} Operations begin tasks too: the header {SCENARIO_HEADER}{places} names the scenario."


def proxy_hint(host: str) -> list[str]:
    """Return what to set where a proxy of the environment would take the requests for this server."""
    proxies = getproxies_environment()
    name = next((name for name in ("http", "all") if name in proxies), "")
    if not name or proxy_bypass(host):
        return []
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = [*([known] if known else []), *(["127.0.0.1", "localhost"] if host == "127.0.0.1" else [host])]
    fact = f"{name.upper()}_PROXY takes requests for {host} too, unless your client has"
    return [
        f"  {'proxy':<{HANGING - 2}}{fact}",
        f"{'':<{HANGING}}NO_PROXY={','.join(hosts)}",
    ]


def _now() -> str:
    return time.strftime("%H:%M:%S")
