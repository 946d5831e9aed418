"""Compares waitproof's mock task server with its peers, and prints a table.

    python benchmarks/mock --wiremock wiremock.jar --mockserver mockserver.jar --mockoon mockoon-cli
    python benchmarks/mock --quick --only waitproof --only pytest

It downloads nothing: an engine that is not here is left out, and it says how to get it. Linux only.

Each engine is first held against the scenario (a task pending, running, then completed, each on its own).
Then come, all on fresh processes and in turns, so that a noisy minute hits all of them:

- start: from before the command is run until the first answer to a poll (5 times);
- requests a second: `wrk` with 16 connections that ask for 1,000 tasks in turn, for 5 s;
- 1,000 pollers that ask once a second each, for 15 s: what a poll takes, connects included; memory,
  processor time and threads of all the engine's processes meanwhile;
- the same beside 2,000 connections that have carried a poll and are silent now.

A figure is the median of the rounds, with the range in brackets. It exits with 1 if an engine that is here
gives wrong answers, else with 0, whatever the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from engines import Engine, engines
from measure import Load, Requests, WrongAnswerError, await_quiet, launched, poll, requests_a_second, warm

IDLE = 2000
OPEN_FILES = 16_384
OURS = "waitproof"


@dataclass(frozen=True)
class Plan:
    """How long and how often everything is measured."""

    rounds: int
    starts: int
    wrk: str | None
    wrk_s: int
    polling_s: float
    quiet_within_s: float = 0.0


@dataclass
class Row:
    """What one engine's launches have come to; lists have an item a round."""

    engine: Engine
    start_s: list[float] = field(default_factory=list)
    idle_mb: list[float] = field(default_factory=list)
    requests: list[Requests] = field(default_factory=list)
    alone: list[Load] = field(default_factory=list)
    beside_idle: list[Load] = field(default_factory=list)
    idle_lack: str = ""  # why there are no pollers beside silent connections
    wrong: str = ""

    def figures(self) -> dict[str, object]:
        """Return every single figure."""
        told = asdict(self)
        told["engine"] = self.engine.name
        return told


@dataclass(frozen=True)
class Target:
    """What we want of ourselves.

    Attributes:
        limit: The worst figure that keeps it.
        values: The figures of a row; none where it was not measured.
    """

    name: str
    unit: str
    limit: float
    values: Callable[[Row], list[float]]
    is_least: bool = False  # the limit is the least figure, not the greatest

    def is_met(self, value: float) -> bool:
        """Say whether a figure keeps the target."""
        return value >= self.limit if self.is_least else value <= self.limit


TARGETS = (
    Target("first answer after the start", "s", 0.3, lambda row: row.start_s),
    Target("memory with 1,000 pollers", "MB", 60, lambda row: [load.peak_mb for load in row.alone]),
    Target("requests a second", "", 15_000, lambda row: [each.per_s for each in row.requests], is_least=True),
    Target("p99 of 1,000 pollers", "ms", 3, lambda row: [load.p99_ms for load in row.alone]),
    Target(
        "the same beside 2,000 silent connections", "ms", 20, lambda row: [x.p99_ms for x in row.beside_idle]
    ),
)


# --- measuring


def measure(rows: Sequence[Row], plan: Plan) -> None:
    """Fill the rows; an engine that answers wrongly takes no part in what follows."""
    for _ in range(plan.starts):
        for row in _right(rows):
            _try(row, "start", _start, plan)
    for number in range(plan.rounds):
        for row in _right(rows):
            label = f"round {number + 1} of {plan.rounds}"
            if plan.wrk is not None:
                _try(row, f"{label}, requests a second", _requests, plan)
            _try(row, f"{label}, pollers", _pollers, plan)


def _right(rows: Iterable[Row]) -> Iterable[Row]:
    return (row for row in rows if not row.engine.lack and not row.wrong)


def _try(row: Row, what: str, step: Callable[[Row, Plan], None], plan: Plan) -> None:
    if row.wrong:
        return
    await_quiet(plan.quiet_within_s)
    print(f"{row.engine.name}: {what} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)
    try:
        step(row, plan)
    except WrongAnswerError as error:
        row.wrong = str(error)
        print(f"{row.engine.name}: {error}", file=sys.stderr)


def _start(row: Row, _plan: Plan) -> None:
    with launched(row.engine) as launch:
        row.start_s.append(launch.start_s)
        if len(row.start_s) == 1 and row.engine.has_state:
            launch.check()


def _requests(row: Row, plan: Plan) -> None:
    assert plan.wrk is not None
    with launched(row.engine) as launch:
        row.requests.append(requests_a_second(launch, plan.wrk, plan.wrk_s))


def _pollers(row: Row, plan: Plan) -> None:
    with launched(row.engine) as launch:
        row.idle_mb.append(launch.idle_mb())
        warm(launch)
        row.alone.append(poll(launch, seconds=plan.polling_s))
        try:
            row.beside_idle.append(poll(launch, seconds=plan.polling_s, idle=IDLE))
        except WrongAnswerError as error:  # it answered till now: this is more than it bears
            row.idle_lack = str(error)


# --- telling


def middle(values: Sequence[float], digits: int = 1) -> str:
    """Return the median and, where there are several values, their range."""
    if not values:
        return "-"
    shown = f"{statistics.median(values):,.{digits}f}"
    if len(values) > 1:
        shown += f" ({min(values):,.{digits}f}-{max(values):,.{digits}f})"
    return shown


def table(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the lines of the table of all engines."""
    heads = (
        "engine",
        "start s",
        "memory idle MB",
        "memory at 1,000 pollers MB",
        "requests/s",
        "1,000 pollers: p50 ms",
        "p99 ms",
        "max ms",
        "processor s",
        "threads",
        "connections",
        "beside 2,000 silent: p99 ms",
        "max ms",
        "memory MB",
        "silent ones kept",
        "notes",
    )
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for row in rows:
        if not row.start_s:
            continue
        alone, beside = row.alone, row.beside_idle
        cells = (
            row.engine.name,
            middle(row.start_s, 2),
            middle(row.idle_mb, 0),
            middle([load.peak_mb for load in alone], 0),
            middle([each.per_s for each in row.requests], 0),
            middle([load.p50_ms for load in alone], 2),
            middle([load.p99_ms for load in alone], 2),
            middle([load.max_ms for load in alone], 0),
            middle([load.cpu_s for load in alone]),
            _most(load.threads for load in alone),
            _most(load.connections for load in alone),
            middle([load.p99_ms for load in beside], 2),
            middle([load.max_ms for load in beside], 0),
            middle([load.peak_mb for load in beside], 0),
            _most(load.idle_open for load in beside),
            "; ".join(_notes(row)),
        )
        yield f"| {' | '.join(cells)} |"


def _most(counts: Iterable[int]) -> str:
    most = max(counts, default=None)
    return "-" if most is None else f"{most:,}"


def _notes(row: Row) -> Iterable[str]:
    yield row.engine.note
    for what, loads in (("", row.alone), (" beside the silent ones", row.beside_idle)):
        facts = {
            "wrong or broken": sum(load.errors for load in loads),
            "not sent, for the one before was in flight": sum(load.missed for load in loads),
            "unanswered": sum(load.unanswered for load in loads),
        }
        if any(facts.values()):
            told = ", ".join(f"{count:,} {fact}" for fact, count in facts.items() if count)
            yield f"polls{what}: {told}; {sum(load.polls for load in loads):,} sent"
    wrong, broken = sum(each.wrong for each in row.requests), sum(each.broken for each in row.requests)
    if wrong or broken:
        yield f"wrk: {wrong:,} answers not 200, {broken:,} requests broken or late"
    if row.idle_lack:
        yield row.idle_lack
    if row.wrong:
        yield "WRONG ANSWERS, see below"


def targets(rows: Sequence[Row]) -> Iterable[str]:
    """Yield the lines of the table of our targets; none where we were not measured."""
    ours = next((row for row in rows if row.engine.name == OURS and row.alone), None)
    if ours is None:
        return
    yield "| target | limit | measured | kept | best peer | ours / best peer | the bare loop |"
    yield "|---|---|---|---|---|---|---|"
    peers = [row for row in rows if row.engine.is_peer]
    floor = next((row for row in rows if not row.engine.has_state), None)
    for target in TARGETS:
        if not target.values(ours):
            continue
        value = statistics.median(target.values(ours))
        bound = f"{'at least' if target.is_least else 'at most'} {target.limit:,g} {target.unit}".strip()
        found = {row.engine.name: statistics.median(v) for row in peers if (v := target.values(row))}
        best = (max if target.is_least else min)(found, key=lambda name: found[name], default=None)
        beside = ("-", "-")
        if best is not None:
            beside = (f"{best}: {_short(found[best])} {target.unit}".strip(), f"{value / found[best]:.2f}")
        kept = "yes" if target.is_met(value) else "NO"
        if floor and target.values(floor) and not target.is_met(statistics.median(target.values(floor))):
            kept = "not known: the machine is too busy even for the bare loop"
        least = _short(statistics.median(target.values(floor))) if floor else "-"
        yield f"| {target.name} | {bound} | {_short(value)} | {kept} | {' | '.join(beside)} | {least} |"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.3g}"


def own_share(rows: Sequence[Row]) -> Iterable[str]:
    """Yield what the pollers themselves cost."""
    for row in rows:
        if row.alone:
            used = statistics.median([load.poller_cpu_s for load in row.alone])
            yield f"{row.engine.name} {used:.1f} s"


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/mock", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="engines with this in their name"
    )
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that it works")
    parser.add_argument(
        "--quiet",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait before each launch, so long at most, until other programs are quiet; default: do not",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    for name, what in (
        ("waitproof", "program; default: beside this Python, else on PATH"),
        ("java", "program; default: on PATH"),
        ("wiremock", "jar of wiremock-standalone"),
        ("mockserver", "jar of mockserver-netty-no-dependencies"),
        ("mockoon", "program; default: mockoon-cli on PATH"),
        ("wrk", "program; default: on PATH"),
    ):
        variable = f"MOCK_BENCHMARK_{name.upper()}"
        parser.add_argument(f"--{name}", default=os.environ.get(variable), help=f"{what}; or ${variable}")
    options = parser.parse_args()

    wrk = options.wrk or shutil.which("wrk")
    plan = Plan(max(1, options.rounds), 5, wrk, 5, 15.0, options.quiet)
    if options.quick:
        plan = Plan(1, 2, wrk, 1, 4.0, options.quiet)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))  # every process below inherits it

    everyone = engines(
        waitproof=options.waitproof,
        java=options.java,
        wiremock=_path(options.wiremock),
        mockserver=_path(options.mockserver),
        mockoon=options.mockoon,
    )
    parts = [part.lower() for part in options.only]
    rows = [Row(each) for each in everyone if not parts or any(part in each.name.lower() for part in parts)]
    if not rows:
        parser.error(f"--only fits none of: {'; '.join(engine.name for engine in everyone)}")
    load_before = os.getloadavg()[0]
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job does not hear the first
        signal.signal(number, signal.default_int_handler)
    try:
        measure(rows, plan)
    except KeyboardInterrupt:
        print("interrupted; this is what is known so far", file=sys.stderr)
    if options.json:
        options.json.write_text(json.dumps([row.figures() for row in rows], indent=1) + "\n")
    tell(rows, plan, load_before)
    return 1 if any(row.wrong for row in rows) else 0


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text).resolve()


def tell(rows: Sequence[Row], plan: Plan, load_before: float) -> None:
    """Print everything."""
    load_after = os.getloadavg()[0]
    others = [load.others_cores for row in rows for load in (*row.alone, *row.beside_idle)]
    print(
        f"{os.cpu_count()} cores, Python {platform.python_version()}; load average {load_before:.1f} before, "
        f"{load_after:.1f} after; cores that other programs used: {middle(others)}. "
        f"Rounds: {plan.rounds}; starts: {plan.starts}; {plan.polling_s:g} s of polling. Medians (ranges).\n"
    )
    if any(row.start_s for row in rows):
        print("\n".join((*table(rows), "", *targets(rows), "")))
    if shares := ", ".join(own_share(rows)):
        print(f"The pollers' own processor time: {shares}.")
    if plan.wrk is None:
        print(
            "Requests a second: left out, no wrk on PATH; install the package wrk, or name it: --wrk PROGRAM"
        )
    for row in rows:
        if row.engine.lack:
            print(f"{row.engine.name}: left out, {row.engine.lack}")
        if row.wrong:
            print(f"{row.engine.name}: wrong answers: {row.wrong}")


if __name__ == "__main__":
    sys.exit(main())
