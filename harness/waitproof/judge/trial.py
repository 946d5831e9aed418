"""One scenario with one adapter, played as often as its verdicts need, and the rounds that a driver plays.

A table of what each event does to a trial's state; `rule` is `release` with a ruling:

    state         add               hold, release     close
    NEW           SUSPICIOUS or …   -                 SETTLED
    SUSPICIOUS    … SETTLED         … SETTLED         SETTLED
    SETTLED       an error          SETTLED           an error

`overrule` changes no state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from waitproof.judge.observation import Observation
from waitproof.judge.settle import Ruling, Settlement
from waitproof.judge.verdicts import Status, Suspicion, Verdict, judge, suspicions
from waitproof.protocol import Hello
from waitproof.suite import Contract, Scenario, WaitOptions

__all__ = ["Round", "RoundKind", "Trial", "TrialState"]


class TrialState(StrEnum):
    """How far a trial is."""

    NEW = "new"
    SUSPICIOUS = "suspicious"  # another re-run, of this scenario or of another, may change a verdict
    SETTLED = "settled"


class Trial:
    """One scenario with one adapter, played as often as its verdicts need.

    Attributes:
        scenario: What is played, its durations already scaled.
        observations: The first run, then the isolated re-runs.
        verdicts: In the order in which the scenario proves its requirements; empty while the state is NEW.
        suspicions: What was suspicious in the first run, by requirement.
        after_waits: The same, held against the re-runs after other waits in one process; empty without any.
    """

    def __init__(self, contract: Contract, scenario: Scenario, known: Collection[str] = ()) -> None:
        """Make a trial of a scenario that has not been played.

        Args:
            contract: The documentation.
            scenario: What is played.
            known: Requirements with a known deviation: a suspicion that confirms it needs no re-run.
        """
        self.scenario = scenario
        self.observations: list[Observation] = []
        self.verdicts: tuple[Verdict, ...] = ()
        self.suspicions: dict[str, Suspicion] = {}
        self.after_waits: dict[str, Suspicion] = {}
        self._contract = contract
        self._known = known
        self._rulings: dict[str, Ruling] = {}
        self._held: set[str] = set()
        self._runs_after_waits: list[Observation] = []
        self._is_closed = False

    @property
    def state(self) -> TrialState:
        """How far it is; a suspicion that others share is held until they have decided together."""
        if not self.verdicts:
            return TrialState.NEW
        if not self._is_closed and (self._held or any(map(self.is_open, self.suspicions))):
            return TrialState.SUSPICIOUS
        return TrialState.SETTLED

    @property
    def length_s(self) -> float:
        """How long its first run took."""
        return self.observations[0].watched_s

    @property
    def earlier_waits(self) -> tuple[WaitOptions, ...]:
        """The options of waits that the process of its first run had made before."""
        return self.observations[0].earlier_waits

    @property
    def runs(self) -> int:
        """How often it has been played, re-runs of every kind included."""
        return len(self.observations) + len(self._runs_after_waits)

    def is_open(self, requirement: str) -> bool:
        """Say whether another isolated re-run may change the verdict about a requirement."""
        found = self.suspicions.get(requirement)
        is_open = found is not None and found.settlement is Settlement.OPEN
        return is_open and requirement not in self._rulings and not self._is_closed

    def check_of(self, requirement: str) -> str:
        """Return the kind of the check that judges a requirement."""
        return self._contract.requirement(requirement).check

    def has_failed(self, requirement: str) -> bool:
        """Say whether the verdict about a requirement is that it is not kept."""
        return any(
            each.requirement == requirement and each.status in {Status.FAIL, Status.WARN}
            for each in self.verdicts
        )

    def is_explained_later(self, requirement: str) -> bool:
        """Say whether a suspicion has a cause in the same scenario that may still fail."""
        found = self.suspicions.get(requirement)
        cause = "" if found is None else found.cause
        return self.is_open(cause) or cause in self._held

    def came_to(self, requirement: str, *, after_waits: bool = False) -> Settlement | None:
        """Return what a suspicion has come to, None where there is none or its re-runs were not made."""
        found = (self.after_waits if after_waits else self.suspicions).get(requirement)
        return None if found is None else found.settlement

    def add(self, *observations: Observation) -> None:
        """Judge the scenario again with more observations."""
        self._check_open()
        is_first = not self.observations
        self.observations.extend(observations)
        seen = self._contract, self.scenario, self.observations
        self._judge()
        # Whatever is suspicious at first is INCONCLUSIVE; looking at that saves judging everything twice.
        if not is_first or any(verdict.status is Status.INCONCLUSIVE for verdict in self.verdicts):
            self.suspicions = suspicions(*seen, known=self._known)

    def add_after_waits(self, *observations: Observation) -> None:
        """Note re-runs in a process that had made other waits before; alone they change no verdict."""
        self._check_open()
        self._runs_after_waits.extend(observations)
        seen = [self.observations[0], *self._runs_after_waits]
        self.after_waits = suspicions(self._contract, self.scenario, seen, known=self._known)

    def hold(self, requirement: str) -> None:
        """Let the verdict about a requirement wait for what other scenarios come to."""
        self._held.add(requirement)

    def release(self, requirement: str, ruling: Ruling | None = None) -> None:
        """Let it wait no longer; a ruling decides it."""
        self._held.discard(requirement)
        if ruling is not None:
            self._rulings[requirement] = ruling
            self._judge()

    def close(self, verdicts: Iterable[Verdict]) -> None:
        """Settle the scenario with these verdicts, because it cannot be played, or not again."""
        self._check_open()
        self.verdicts = tuple(verdicts)
        self._is_closed = True

    def overrule(self, reason: str) -> None:
        """Make whatever is UNSUPPORTED an error of the adapter, for this reason."""
        self.verdicts = tuple(
            replace(each, status=Status.ERROR, seen=reason) if each.status is Status.UNSUPPORTED else each
            for each in self.verdicts
        )

    def _judge(self) -> None:
        seen = self._contract, self.scenario, self.observations
        self.verdicts = judge(*seen, known=self._known, rulings=self._rulings)

    def _check_open(self) -> None:
        if self.state is TrialState.SETTLED:
            raise ValueError(f"{self.scenario.id} is settled")


class RoundKind(StrEnum):
    """How the trials of a round are played."""

    INTERLEAVING = "interleaving"  # while no adapter plays anything else
    SCHEDULED = "scheduled"  # together with those of all adapters
    ISOLATED = "isolated"  # in a fresh warm process each, a few at a time, while nothing else runs
    AFTER_WAITS = "after_waits"  # the same, but each process makes the `earlier_waits` first


@dataclass(frozen=True)
class Round:
    """What to play next.

    Attributes:
        hello: The adapter's introduction; `max_concurrency` is 1 once its waits were found to block.
        copies: How often each trial is played, in a process each.
    """

    kind: RoundKind
    hello: Hello
    trials: tuple[Trial, ...]
    copies: int = 1
