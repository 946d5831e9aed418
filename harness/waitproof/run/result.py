"""What a run has found out so far: of everything, of one adapter, of one scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from waitproof.defects import Causes
from waitproof.judge import JournalEntry, Observation, Verdict
from waitproof.lines import Digest
from waitproof.protocol import Hello
from waitproof.run.baseline import Stale
from waitproof.suite import Scenario, Suite
from waitproof.text import mask

__all__ = ["AdapterResult", "Death", "RunResult", "ScenarioResult", "Stray"]


@dataclass
class ScenarioResult:
    """One scenario with one adapter.

    Attributes:
        verdicts: In the order in which the scenario proves its requirements; empty until known.
        observations: The first run, then the isolated re-runs; empty where it could not be played.
    """

    scenario: Scenario
    verdicts: tuple[Verdict, ...] = ()
    observations: list[Observation] = field(default_factory=list)


@dataclass(frozen=True)
class Death:
    """A process of an adapter that ended by itself, or by a signal that was not the harness's.

    Attributes:
        how: `exited with code 3` or `was killed by SIGSEGV`.
        in_flight: Calls of its scenarios were in flight.
        scenarios: Those with a call in flight, else the last one that it played; empty if there was none.
        stderr_tail: The last lines that it wrote to stderr.
    """

    how: str
    in_flight: bool = False
    scenarios: tuple[str, ...] = ()
    stderr_tail: tuple[str, ...] = ()


@dataclass
class AdapterResult:
    """One adapter.

    Attributes:
        hello: Its introduction, None when there was none.
        error: Why it could not be run at all, "" when it could.
        scenarios: By id, in the suite's order.
        deaths: Its processes that died, in the order in which they ended.
        stderr_tail: The last lines that one of its processes wrote to stderr.
        stderr: How much all its processes wrote to stderr.
        argument: What its user typed to name it, "" where nobody did.
        baseline: The file of its known deviations, "" when it has none.
        stale: The entries of that file that are no longer true; known once the run has ended.
        causes: What explains its failures, None until `add_causes` has looked for that.
        secrets: Values that no report may show.
    """

    name: str
    hello: Hello | None = None
    error: str = ""
    scenarios: dict[str, ScenarioResult] = field(default_factory=dict)
    deaths: tuple[Death, ...] = ()
    stderr_tail: tuple[str, ...] = ()
    stderr: Digest = field(default_factory=Digest)
    argument: str = ""
    baseline: str = ""
    stale: tuple[Stale, ...] = ()
    causes: Causes | None = None
    secrets: set[str] = field(default_factory=set)

    def masked(self, text: str) -> str:
        """Return a text that may be shown."""
        return mask(text, sorted(self.secrets, key=len, reverse=True))

    def masked_verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict that may be shown."""
        return replace(
            verdict,
            expected=self.masked(verdict.expected),
            seen=self.masked(verdict.seen),
            explanation=self.masked(verdict.explanation),
        )

    def verdicts(self) -> Iterator[Verdict]:
        """Yield every verdict known so far."""
        for result in self.scenarios.values():
            yield from result.verdicts


@dataclass(frozen=True)
class Stray:
    """A request that belongs to no scenario, or nobody knows to which.

    Attributes:
        late_for: `adapter: scenario` whose task it asks for: it came after that scenario's end.
        scenarios: `adapter: scenario` of those whose requests came on the same connection.
    """

    entry: JournalEntry
    late_for: str = ""
    scenarios: tuple[str, ...] = ()


@dataclass
class RunResult:
    """A whole run.

    Attributes:
        started: When it began, in UTC.
        seconds: How long it took.
        interrupted: It was ended early.
        stopped: It ended with the first failure, as was asked: what was not settled by then has no verdicts.
        error: Why the harness itself ended it, "" where it did not.
        strays: Requests that belong to no scenario, or nobody knows to which.
        strays_left_out: How many more of them there were.
        argument: What its user typed to name the suite, "" for the adapter's or the default.
        scenarios_arguments: What its user typed to name further scenarios.
        whole: Every scenario of the suite was to be played, with all that it proves, and none was left out.
    """

    suite: Suite
    started: datetime
    seconds: float = 0.0
    interrupted: bool = False
    stopped: bool = False
    error: str = ""
    adapters: list[AdapterResult] = field(default_factory=list)
    strays: tuple[Stray, ...] = ()
    strays_left_out: int = 0
    origin_ns: int = 0
    argument: str = ""
    scenarios_arguments: tuple[str, ...] = ()
    whole: bool = True
