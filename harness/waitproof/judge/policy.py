"""What one adapter plays next, and which scenarios are re-run in isolation.

`rounds` is the whole policy, a generator without I/O. It yields a round, the driver plays it and adds what it
saw to each trial, and asks for the next one. The runner drives it over sockets, the simulated proof in
virtual time. A driver that is interrupted stops asking.

    state of a trial    add(observation)           close(verdicts)
    NEW                 SUSPICIOUS or SETTLED      SETTLED
    SUSPICIOUS          SUSPICIOUS or SETTLED      SETTLED
    SETTLED             an error                   an error
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from waitproof.judge.observation import Observation
from waitproof.judge.verdicts import Status, Verdict, is_suspicious, judge
from waitproof.protocol import Hello
from waitproof.suite import Contract, Scenario

__all__ = ["Round", "RoundKind", "Trial", "TrialState", "rounds"]


class TrialState(StrEnum):
    """How far a trial is."""

    NEW = "new"
    SUSPICIOUS = "suspicious"  # another isolated run may change a verdict
    SETTLED = "settled"


class Trial:
    """One scenario with one adapter, played as often as its verdicts need.

    Attributes:
        scenario: What is played, its durations already scaled.
        observations: The first run, then the isolated re-runs.
        verdicts: In the order in which the scenario proves its requirements; empty while the state is NEW.
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
        self.state = TrialState.NEW
        self._contract = contract
        self._known = known

    def add(self, observation: Observation) -> None:
        """Judge the scenario again with one more observation."""
        self._check_open()
        self.observations.append(observation)
        seen = self._contract, self.scenario, self.observations
        self.verdicts = judge(*seen, known=self._known)
        # Whatever is suspicious is INCONCLUSIVE; looking at that first saves judging everything twice.
        is_open = any(verdict.status is Status.INCONCLUSIVE for verdict in self.verdicts)
        suspicious = is_open and is_suspicious(*seen, known=self._known)
        self.state = TrialState.SUSPICIOUS if suspicious else TrialState.SETTLED

    def close(self, verdicts: Iterable[Verdict]) -> None:
        """Settle the scenario with these verdicts, because it cannot be played, or not again."""
        self._check_open()
        self.verdicts = tuple(verdicts)
        self.state = TrialState.SETTLED

    def _check_open(self) -> None:
        if self.state is TrialState.SETTLED:
            raise ValueError(f"{self.scenario.id} is settled")


class RoundKind(StrEnum):
    """How the trials of a round are played."""

    INTERLEAVING = "interleaving"  # while no adapter plays anything else
    SCHEDULED = "scheduled"  # together with those of all adapters
    ISOLATED = "isolated"  # in a fresh warm process each, while nothing else runs


@dataclass(frozen=True)
class Round:
    """What to play next.

    Attributes:
        hello: The adapter's introduction; `max_concurrency` is 1 once its waits were found to block.
    """

    kind: RoundKind
    hello: Hello
    trials: tuple[Trial, ...]


def rounds(contract: Contract, trials: Sequence[Trial], hello: Hello) -> Iterator[Round]:
    """Yield what to play next; every trial of a round must be added to, or closed, before the next.

    Scenarios that prove that waits interleave come first and are settled at once, because their verdicts
    decide how many calls the others may have in flight. There is always one SCHEDULED round; its trials may
    be none.
    """
    first: list[Trial] = []
    if hello.capabilities.non_blocking:
        first = [each for each in trials if _proves_interleaving(contract, each.scenario)]
    for trial in first:
        yield Round(RoundKind.INTERLEAVING, hello, (trial,))
        yield from _isolated(hello, trial)
    if any(_blocks(contract, verdict) for trial in first for verdict in trial.verdicts):
        hello = replace(hello, capabilities=replace(hello.capabilities, max_concurrency=1))
    rest = tuple(trial for trial in trials if trial not in first)
    yield Round(RoundKind.SCHEDULED, hello, rest)
    for trial in rest:
        yield from _isolated(hello, trial)


def _isolated(hello: Hello, trial: Trial) -> Iterator[Round]:
    while trial.state is TrialState.SUSPICIOUS:
        yield Round(RoundKind.ISOLATED, hello, (trial,))


def _proves_interleaving(contract: Contract, scenario: Scenario) -> bool:
    return any(_is_interleaving(contract, name) for name in scenario.proves)


def _blocks(contract: Contract, verdict: Verdict) -> bool:
    return verdict.status is Status.FAIL and _is_interleaving(contract, verdict.requirement)


def _is_interleaving(contract: Contract, requirement: str) -> bool:
    return contract.requirement(requirement).check == "waits_interleave"
