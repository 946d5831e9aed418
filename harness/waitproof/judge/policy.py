"""What one adapter plays next, and which scenarios are re-run in isolation.

`rounds` is the whole policy, a generator without I/O. It yields a round, the driver plays it and adds what it
saw to each trial, and asks for the next one. The runner drives it over sockets, the simulated proof in
virtual time. A driver that is interrupted stops asking.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from waitproof.judge.groups import settling_rounds
from waitproof.judge.observation import StillWaiting
from waitproof.judge.trial import Round, RoundKind, Trial, TrialState
from waitproof.judge.verdicts import Status, Verdict
from waitproof.protocol import Hello
from waitproof.suite import Contract, Scenario

__all__ = ["rounds"]


def rounds(contract: Contract, trials: Sequence[Trial], hello: Hello) -> Iterator[Round]:
    """Yield what to play next; every trial of a round must be added to, or closed, before the next.

    Scenarios that prove that waits interleave come first, together, and are settled at once, because their
    verdicts decide how many calls the others may have in flight. Only where all of their waits hung they are
    not: the waits seem to block, and each re-run would hang as long again. There is always one SCHEDULED
    round; its trials may be none. The trials of a round may be settled by what those of the next one come to.
    """
    as_introduced = hello
    trials = [trial for trial in trials if trial.state is TrialState.NEW]  # the others cannot be played
    first: list[Trial] = []
    if hello.capabilities.non_blocking:
        first = [each for each in trials if _proves_interleaving(contract, each.scenario)]
    if first:
        yield Round(RoundKind.INTERLEAVING, hello, tuple(first))
        yield from settling_rounds(hello, [trial for trial in first if not _hung(trial)], at_once=True)
    if any(_hung(trial) or _blocks(contract, verdict) for trial in first for verdict in trial.verdicts):
        hello = replace(hello, capabilities=replace(hello.capabilities, max_concurrency=1))
    rest = tuple(trial for trial in trials if trial not in first)
    yield Round(RoundKind.SCHEDULED, hello, rest)
    yield from settling_rounds(as_introduced, first)
    yield from settling_rounds(hello, rest)


def _hung(trial: Trial) -> bool:
    return trial.state is TrialState.SUSPICIOUS and all(
        isinstance(call.seen, StillWaiting) for call in trial.observations[0].calls
    )


def _proves_interleaving(contract: Contract, scenario: Scenario) -> bool:
    return any(_is_interleaving(contract, name) for name in scenario.proves)


def _blocks(contract: Contract, verdict: Verdict) -> bool:
    return verdict.status is Status.FAIL and _is_interleaving(contract, verdict.requirement)


def _is_interleaving(contract: Contract, requirement: str) -> bool:
    return contract.requirement(requirement).check == "waits_interleave"
