"""The progress of a run: bars and polls on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Self, TypeAlias

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape as escape_markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from waitproof.judge import Status, Verdict
from waitproof.report.text import STYLES
from waitproof.run import LivePoll, SilentListener, count
from waitproof.suite import Scenario, StatusMeaning
from waitproof.text import escape, on_one_line

__all__ = ["BarListener", "LineListener"]

SHOWN_RUNNING = 5  # scenarios whose polls are shown: nobody can follow more at once
REFRESHES_PER_S = 5  # often enough to see polls arrive; each costs a few milliseconds of a core

_Play: TypeAlias = tuple[str, str]  # an adapter's name and a scenario's id


class LineListener(SilentListener, ExitStack):
    """Prints one line for each scenario as its verdicts become known."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._lock = threading.Lock()

    def phase(self, adapter: str, text: str) -> None:
        """Print the phase of an adapter's run."""
        self._print(f"{on_one_line(adapter)}: {text}")

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Print the verdicts of a scenario."""
        note = "" if final else " (suspicious: to be re-run in isolation)"
        counts = ", ".join(f"{number} {status.value}" for status, number in sorted(count(verdicts).items()))
        self._print(f"{on_one_line(adapter)}: {scenario.id}: {counts}{note}")

    def _print(self, line: str) -> None:
        with self._lock:
            self._console.print(escape(line), markup=False, highlight=False, soft_wrap=True)


class BarListener(ExitStack):
    """Shows a bar for each adapter, and the polls of running scenarios as they arrive.

    `polled` only queues a poll; a separate thread draws the queue a few times a second. So no stamp and no
    verdict ever waits for a terminal.
    """

    def __init__(
        self,
        console: Console,
        adapters: Sequence[str],
        scenarios: int,
        statuses: Mapping[str, StatusMeaning] | None = None,
    ) -> None:
        """Make a listener that shows nothing yet.

        Args:
            console: A terminal.
            adapters: Their names.
            scenarios: How many each of them plays.
            statuses: What the contract's statuses mean, for the signs of polls.
        """
        super().__init__()
        self._console = console
        self._lock = threading.Lock()
        self._progress = Progress(
            TextColumn("{task.fields[adapter]}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=20, table_column=Column(no_wrap=True, min_width=10)),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn(
                "{task.fields[counts]}",
                table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),  # only this one shrinks
            ),
            console=console,
            auto_refresh=False,
            expand=True,
        )
        self._bars: dict[str, TaskID] = {
            name: self._progress.add_task(
                "", total=scenarios, adapter=escape_markup(escape(on_one_line(name))), counts=""
            )
            for name in adapters
        }
        self._phases = dict.fromkeys(adapters, "")
        self._verdicts: dict[str, dict[str, Sequence[Verdict]]] = {name: {} for name in adapters}
        self._suspicious: set[_Play] = set()
        self._signs = _Signs(statuses or {}, ascii_only=console.options.ascii_only)
        self._arrived: deque[LivePoll] = deque()
        self._running: dict[_Play, list[str]] = {}  # the signs of each, in the order of the starts
        self._shown: list[_Play] = []
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=REFRESHES_PER_S, transient=True
        )

    def __enter__(self) -> Self:
        self.enter_context(self._live)
        return self

    def phase(self, adapter: str, text: str) -> None:
        """Show the phase of an adapter's run."""
        with self._lock:
            self._phases[adapter] = text

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:  # noqa: ARG002
        """Show that a scenario is running."""
        with self._lock:
            self._running[adapter, scenario.id] = []

    def polled(self, poll: LivePoll) -> None:
        """Queue a poll; takes no lock and no time."""
        self._arrived.append(poll)

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Show the verdicts of a scenario."""
        with self._lock:
            play = (adapter, scenario.id)
            self._running.pop(play, None)
            self._verdicts[adapter][scenario.id] = verdicts
            (self._suspicious.discard if final else self._suspicious.add)(play)

    def _render(self) -> RenderableType:
        with self._lock:
            self._take_polls()
            for adapter, bar in self._bars.items():
                self._progress.update(
                    bar, completed=len(self._verdicts[adapter]), counts=self._counts(adapter)
                )
            return Group(self._progress.get_renderable(), *self._timelines())

    def _take_polls(self) -> None:
        while self._arrived:
            poll = self._arrived.popleft()
            signs = self._running.get((poll.adapter, poll.scenario))
            if signs is not None and poll.copy == 1:  # only the first of several parallel waits is shown
                signs.append(poll.status)

    def _counts(self, adapter: str) -> str:
        counts = count(verdict for verdicts in self._verdicts[adapter].values() for verdict in verdicts)
        parts = [
            f"[{STYLES[status]}]{counts[status]} {status.value}[/]"
            for status in (Status.FAIL, Status.ERROR, Status.WARN, Status.INCONCLUSIVE, Status.PASS)
            if counts[status]
        ]
        suspicious = sum(name == adapter for name, _ in self._suspicious)
        if suspicious:
            parts.append(f"[magenta]{suspicious} to re-run[/]")
        if self._phases[adapter] not in {"", "running"}:
            parts.append(f"[dim]{escape_markup(escape(self._phases[adapter]))}[/dim]")
        return " ".join(parts)

    def _timelines(self) -> list[Text]:
        """Return a line for some of the running scenarios; each keeps its place until it ends."""
        room = min(SHOWN_RUNNING, self._console.height - len(self._bars) - 2)
        still_running = [play for play in self._shown if play in self._running]
        self._shown = list(dict.fromkeys([*still_running, *self._running]))[: max(room, 0)]
        if not self._shown:
            return []
        titles = [self._title(play) for play in self._shown]
        column = min(max(map(len, titles)), self._console.width * 5 // 8)
        space = self._console.width - column - 3
        lines = [
            Text.assemble(
                (f"  {self._signs.tail(title, column):<{column}} ", "dim"),
                self._signs.line(self._running[play], space),
                no_wrap=True,
            )
            for title, play in zip(titles, self._shown, strict=True)
        ]
        more = len(self._running) - len(self._shown)
        return [*lines, Text(f"  {self._signs.legend(more)}", style="dim", no_wrap=True, overflow="ellipsis")]

    def _title(self, play: _Play) -> str:
        adapter, scenario = play
        return escape(f"{scenario} ({adapter})" if len(self._bars) > 1 else scenario)


class _Signs:
    """One sign for each status of a contract, and one for everything else."""

    def __init__(self, statuses: Mapping[str, StatusMeaning], *, ascii_only: bool) -> None:
        first, later, done, failed = ".>+x" if ascii_only else "·▸✓✗"
        self._other = ("!", "red")
        self._more = "..." if ascii_only else "…"
        styles = {first: "dim", later: "cyan", done: "green", failed: "red"}
        self._of: dict[str, tuple[str, str]] = {}
        going_on = [name for name, means in statuses.items() if means is StatusMeaning.KEEP_POLLING]
        for name, meaning in statuses.items():
            if meaning is StatusMeaning.KEEP_POLLING:  # the last of them is nearest to the end
                sign = later if name == going_on[-1] else first
            else:
                sign = done if meaning is StatusMeaning.RETURN_RESULT else failed
            self._of[name] = (sign, styles[sign])

    def line(self, statuses: Sequence[str], width: int) -> Text:
        """Return the last polls that fit, oldest first."""
        room = max(1, width // 2)
        shown = statuses if len(statuses) <= room else statuses[-room + 2 :]
        text = Text("" if shown is statuses else f"{self._more} ", no_wrap=True)
        for status in shown:
            sign, style = self._of.get(status, self._other)
            text.append(f"{sign} ", style)
        return text

    def tail(self, text: str, width: int) -> str:
        """Return the end of a text that is too long, because that is where scenarios and adapters differ."""
        return text if len(text) <= width else self._more + text[len(text) - width + len(self._more) :]

    def legend(self, more: int) -> str:
        names: dict[str, list[str]] = {}
        for name, (sign, _) in self._of.items():
            names.setdefault(sign, []).append(escape(name))
        parts = [f"{sign} {', '.join(each)}" for sign, each in names.items()]
        parts.append(f"{self._other[0]} other")
        return "  ".join(parts) + (f"   and {more} more" if more else "")
