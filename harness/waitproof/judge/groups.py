"""Suspicions of one requirement in several scenarios, which settle each other.

A defect shows in many scenarios. Where a requirement was suspicious in SHARED of them or more, only the
shortest are re-run: once CONFIRMING have reproduced it, the others are believed. So a run with a defect is
not as long as all of its re-runs, and its longest scenario is hardly ever played twice.

State that an SDK keeps from wait to wait (the first wait's interval, for all later ones) vanishes in the
fresh process of an isolated re-run. So what was suspicious in several scenarios and passes in isolation is
re-run after the waits that its process had made before. Where that reproduces it, the SDK is at fault:
a correct one would have to be late in each of these re-runs, too, while hardly anything else runs. Where it
doesn't, the verdict stays open, unless the machine was measured to be as late as that in the first run.

A suspicion that another requirement of the same scenario would explain waits for the verdict about that one.

    of a suspicion
    explained by a requirement that has failed by now              FOLLOWS
    only in long scenarios, reproduced in others by the same check
    of time for another requirement (default and passed options)   ALIKE
    of a shared one
    reproduced in CONFIRMING scenarios, or in the only short one   the others are CONFIRMED, doubts re-run
    passed in CONFIRMING, reproduced in none, waits came before    these are re-run after their earlier waits
    reproduced after earlier waits in CONFIRMING scenarios         whatever is not settled is STATE_KEPT
    passed in CONFIRMING                                           all short ones are re-run
    anything else, and some have not been re-run                   the shortest of them are re-run
    SHARED or more passed, and no short one is left                these and the rest are ONLY_TOGETHER
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from waitproof.judge.check import Mark, checks
from waitproof.judge.settle import RERUNS, Ruling, Settlement
from waitproof.judge.trial import Round, RoundKind, Trial, TrialState
from waitproof.protocol import Hello

__all__ = ["settling_rounds"]

SHARED = 3  # fewer suspicions at once are often a busy machine's
CONFIRMING = 2  # one could be chance, and the others are believed for it
LONG_S = 10.0  # with a longer one, a round makes both re-runs at once; else what passes is played once


def settling_rounds(hello: Hello, trials: Sequence[Trial], *, at_once: bool = False) -> Iterator[Round]:
    """Yield rounds of re-runs until no trial is suspicious.

    Args:
        hello: The adapter's introduction.
        trials: What to re-run where it is suspicious.
        at_once: Make both re-runs at once however short they are, because everything else waits for them.
    """
    suspicious = [trial for trial in trials if trial.state is TrialState.SUSPICIOUS]
    groups = _groups(suspicious)
    while groups:
        isolated: dict[Trial, None] = {}
        after_waits: dict[Trial, None] = {}
        for group in groups:
            group.decide()
            isolated |= dict.fromkeys(group.to_isolate())
            after_waits |= dict.fromkeys(group.to_re_run_after_waits())
        if isolated:
            is_first = any(len(each.observations) == 1 for each in isolated)
            copies = _copies(isolated, at_once) if is_first else 1
            yield Round(RoundKind.ISOLATED, hello, tuple(isolated), copies)
        if after_waits:
            is_first = not any(each.after_waits for each in after_waits)
            copies = _copies(after_waits, at_once) if is_first else 1
            yield Round(RoundKind.AFTER_WAITS, hello, tuple(after_waits), copies)
        remaining = [group for group in groups if not group.is_over]
        if not (isolated or after_waits) and len(remaining) == len(groups):
            for group in groups:  # each waits for another one: nothing can decide between them
                group.end()
            return
        groups = remaining


def _copies(trials: Iterable[Trial], at_once: bool) -> int:
    return 1 if not at_once and all(map(_is_short, trials)) else RERUNS


def _groups(trials: Sequence[Trial]) -> list[_Group]:
    members: dict[tuple[str, Mark], list[Trial]] = {}
    for trial in sorted(trials, key=lambda each: each.length_s):
        for name, suspicion in trial.suspicions.items():
            members.setdefault((name, suspicion.settles), []).append(trial)
    groups = {key: _Group(key[0], each) for key, each in members.items()}
    for (name, settles), group in groups.items():
        if group.has_short or not checks()[group.check].timed:
            continue
        group.alike = [
            other
            for (other_name, other_settles), other in groups.items()
            if other.has_short
            and (other.check, other_settles) == (group.check, settles)
            and other_name != name
        ]
    return list(groups.values())


class _Group:
    """The trials in which one requirement was suspicious, the shortest first.

    Attributes:
        requirement: Its id.
        check: The kind of check that judges it.
        has_short: Whether one of them is short.
        alike: Where none is: the groups of other requirements with the same check of time, and short trials.
        is_over: Whether all is settled.
    """

    def __init__(self, requirement: str, members: Sequence[Trial]) -> None:
        self.requirement = requirement
        self._members = members
        self.check = members[0].check_of(requirement)
        self.alike: Sequence[_Group] = ()
        short = [trial for trial in members if _is_short(trial)]
        self.has_short = bool(short)
        self._is_shared = len(members) >= SHARED or 0 < len(short) < len(members)
        self._confirming = CONFIRMING if len(members) >= SHARED and len(short) != 1 else 1
        self.is_over = False
        if self._is_shared:
            for trial in members:
                trial.hold(requirement)

    @property
    def reproduced(self) -> list[Trial]:
        """Those whose isolated re-runs have reproduced it."""
        return self._that_came_to(Settlement.REPRODUCED)

    @property
    def has_open_short(self) -> bool:
        """Whether more re-runs of a short one may reproduce it."""
        return any(map(_is_short, self._open()))

    def decide(self) -> None:
        """Rule on what the re-runs so far decide."""
        for trial in self._open():
            cause = trial.suspicions[self.requirement].cause
            if trial.has_failed(cause) and self._is_unexplained(trial):
                self._rule(Settlement.FOLLOWS, [trial], cause=cause)
        for other in self.alike:
            unexplained = [trial for trial in self._open() if self._is_unexplained(trial)]
            if other.reproduced:
                self._rule(Settlement.ALIKE, unexplained, other.reproduced, cause=other.requirement)
        reproduced = self.reproduced
        if self._is_shared and len(reproduced) >= self._confirming:
            self._rule(Settlement.CONFIRMED, self._without_doubts(self._open()), reproduced)
        kept = self._that_came_to(Settlement.REPRODUCED, after_waits=True)
        if self._is_shared and len(kept) >= CONFIRMING:
            others = self._without_doubts([*self._open(), *self._passed()])
            self._rule(Settlement.STATE_KEPT, others, kept)
        elif self._is_shared and not self.to_re_run_after_waits():
            passed = [trial for trial in self._passed() if self._is_unexplained(trial)]
            others = [each for each in self._open() if self._is_unexplained(each)]
            if len(passed) >= SHARED and not any(map(_is_short, others)):
                self._rule(Settlement.ONLY_TOGETHER, [*passed, *others], passed[:SHARED])
        if not self._open() and not self.to_re_run_after_waits():
            self.end()

    def end(self) -> None:
        """Decide nothing more, and leave what is open as it is."""
        self.is_over = True
        for trial in self._members:
            trial.release(self.requirement)

    def to_isolate(self) -> list[Trial]:
        """Return what to re-run in isolation next: what was begun, then the shortest."""
        if any(other.has_open_short for other in self.alike):
            return []
        unexplained = [each for each in self._open() if not each.is_explained_later(self.requirement)]
        if not self._is_shared:
            return unexplained
        if self.to_re_run_after_waits():
            return []
        begun_first = sorted(unexplained, key=lambda trial: len(trial.observations) == 1)
        short = [trial for trial in begun_first if _is_short(trial)]
        if short and len(self._passed()) >= CONFIRMING:
            return short  # what passes in some scenarios only may be an SDK's mistake in the others
        return begun_first[: max(1, self._confirming - len(self.reproduced))]

    def to_re_run_after_waits(self) -> list[Trial]:
        """Return what to re-run after the waits that its process had made before."""
        unexplained = [trial for trial in self._members if self._is_unexplained(trial)]
        passed = [trial for trial in self._passed() if trial.earlier_waits]
        if len(unexplained) < SHARED or len(passed) < CONFIRMING:
            return []
        if self.reproduced:
            return []
        done = {None: False, Settlement.OPEN: False}
        return [
            trial
            for trial in passed[:CONFIRMING]
            if not done.get(trial.came_to(self.requirement, after_waits=True), True)
            and trial.state is TrialState.SUSPICIOUS
        ]

    def _open(self) -> list[Trial]:
        return [trial for trial in self._members if trial.is_open(self.requirement)]

    def _passed(self) -> list[Trial]:
        return self._that_came_to(Settlement.PASSED)

    def _that_came_to(self, settlement: Settlement, *, after_waits: bool = False) -> list[Trial]:
        return [
            trial
            for trial in self._members
            if trial.came_to(self.requirement, after_waits=after_waits) is settlement
        ]

    def _without_doubts(self, trials: Sequence[Trial]) -> list[Trial]:
        return [trial for trial in trials if not trial.suspicions[self.requirement].is_doubt]

    def _is_unexplained(self, trial: Trial) -> bool:
        return not trial.suspicions[self.requirement].is_explained

    def _rule(
        self, settlement: Settlement, trials: Sequence[Trial], by: Sequence[Trial] = (), cause: str = ""
    ) -> None:
        deciding = tuple(trial.scenario.id for trial in by)
        for trial in trials:
            trial.release(self.requirement, Ruling(settlement, len(self._members), deciding, cause))


def _is_short(trial: Trial) -> bool:
    return trial.length_s <= LONG_S
