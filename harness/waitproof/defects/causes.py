"""Which defects explain the failures of a run: predicted verdicts against the actual ones. Pure.

A prediction is what the suite finds wrong with the model client that has one defect; `suspects` chooses whom
to play. The choice is greedy: the defect that explains most failures comes first, then the one that explains
most of what is left, until the rest is better described by itself. A defect loses for each verdict that it
predicts to fail and that passed, and wins less where the finding reads differently from the predicted one, or
where the wait was of another magnitude. Defects that the suite cannot tell apart are named together.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from waitproof.defects.defect import Defect
from waitproof.judge import NOTHING_RAISED, Status, Verdict
from waitproof.suite import Contract, Level

__all__ = ["Cause", "Causes", "Findings", "Key", "Prediction", "Symptom", "closeness", "explain", "findings"]

# How much of the fit depends on the words of the finding; the rest depends on how long the wait took and how
# often it polled. The same words can come of a wait that ends after 10 ms or after a minute.
WORDS = 0.5
# A wait that takes a hundred times as long as predicted, with a hundred times as many polls, has nothing in
# common with the prediction.
DECADES = 4.0
# In a finding's words. A defect that makes a wait do one of them doesn't explain the other.
ENDS = frozenset({"raised", "returned"})
SAME = 2.0  # up to twice as long: another interval of the same kind, or a slow machine
SHORT_S = 0.1  # how late an answer can be
# A verdict that a defect predicts to fail and that passed costs as much as a failure that it explains: a
# defect that is really there hardly ever spares a scenario.
PASSED_COST = 1.0
# A cause must explain more than a failure of which only scenario and requirement fit: the failure itself
# says more, and a cause that is wrong is worse than none.
NAME_COST = 0.6
# Below this share of predicted failures that did fail, the SDK does something else.
MIN_PRECISION = 0.5
# Below this share of the failures of the requirements that a defect breaks, it is a detail of another one.
MIN_RECALL = 0.5
# Sums of fits that differ by less are equal: they differ by rounding, or by one word in one finding.
EQUAL = 0.05

Key: TypeAlias = tuple[str, str]  # scenario, requirement
Words: TypeAlias = frozenset[str]


@dataclass(frozen=True)
class Symptom:
    """What was seen of one failure.

    Attributes:
        words: Those of the finding.
        polls: How many polls there were.
        took_s: How long the wait took, None where nobody knows.
    """

    words: Words = frozenset()
    polls: int = 0
    took_s: float | None = None


@dataclass(frozen=True)
class Findings:
    """The conclusive verdicts of one adapter; anything else is neutral.

    Attributes:
        failures: What was seen, by scenario and requirement: FAIL and WARN.
        passed: PASS.
        follows: Those failures that only follow from another one of the same scenario, each with that one.
    """

    failures: Mapping[Key, Symptom] = field(default_factory=dict)
    passed: frozenset[Key] = frozenset()
    follows: Mapping[Key, Key] = field(default_factory=dict)

    def only(self, scenarios: Collection[str]) -> Findings:
        """Return those of some scenarios."""
        failures = {key: symptom for key, symptom in self.failures.items() if key[0] in scenarios}
        follows = {key: first for key, first in self.follows.items() if key[0] in scenarios}
        return Findings(failures, frozenset(key for key in self.passed if key[0] in scenarios), follows)


@dataclass(frozen=True)
class Prediction:
    """What the suite finds wrong with the model client that has this defect."""

    defect: Defect
    failures: Mapping[Key, Symptom]


@dataclass(frozen=True)
class Cause:
    """What explains some of the failures.

    Attributes:
        defects: Those that the suite cannot tell apart on this SDK, the likeliest first.
        explains: The failures that it explains.
        shown_by: The one whose timeline shows it best.
    """

    defects: tuple[Defect, ...]
    explains: tuple[Key, ...]
    shown_by: Key


@dataclass(frozen=True)
class Causes:
    """Why an adapter's run has failures.

    Attributes:
        causes: That which explains most first.
        unexplained: The failures that none of them explains.
    """

    causes: tuple[Cause, ...] = ()
    unexplained: tuple[Key, ...] = ()


def findings(verdicts: Iterable[Verdict]) -> Findings:
    """Return what is conclusive among verdicts; what a baseline excuses is neither failed nor passed."""
    failures: dict[Key, Symptom] = {}
    passed: set[Key] = set()
    follows: dict[Key, Key] = {}
    for verdict in verdicts:
        key = verdict.scenario, verdict.requirement
        if verdict.excused:
            continue
        if verdict.status in {Status.FAIL, Status.WARN}:
            failures[key] = Symptom(_words(verdict.seen), verdict.polls, verdict.took_s)
            if verdict.follows_from:
                follows[key] = verdict.scenario, verdict.follows_from
        elif verdict.status is Status.PASS:
            passed.add(key)
    # Where a baseline excuses the first, the one that follows is the failure.
    return Findings(
        failures, frozenset(passed), {key: first for key, first in follows.items() if first in failures}
    )


# What differs from run to run, or from SDK to SDK, in what a finding says: values, names, and numbers with
# their units.
_VALUES = re.compile(
    r'"(?:[^"\\]|\\.)+"|[{\[].*|[\w.:\\]*(?:Error|Exception)\b|[\w.%/?=&-]*\d[\w.%/?=&-]*(?: m?s\b)?'
)


def _words(seen: str) -> Words:
    return frozenset(re.findall(r'[A-Za-z_]+|""', _VALUES.sub(" ", seen.replace(NOTHING_RAISED, ""))))


def explain(
    contract: Contract, actual: Findings, predictions: Sequence[Prediction], lengths_s: Mapping[str, float]
) -> Causes:
    """Return the causes of an adapter's failures.

    Args:
        contract: The suite's.
        actual: What was found.
        predictions: Of the defects that come into question, on the scenarios that were played.
        lengths_s: How long each of these takes, by its id.
    """
    remaining = dict(actual.failures)
    causes: list[tuple[tuple[Prediction, ...], tuple[Key, ...]]] = []
    spent: set[Key] = set()
    while remaining:
        chosen = _best(actual, remaining, predictions, spent)
        if not chosen:
            break
        fits = _fits(remaining, chosen[0])
        explains = tuple(key for key in remaining if key in fits)
        causes.append((chosen, explains))
        spent |= chosen[0].failures.keys() & actual.passed
        for key in explains:
            del remaining[key]
    together = _with_what_follows(actual, [each for _, each in causes], list(remaining))
    *together, unexplained = _with_relatives(actual, [chosen[0] for chosen, _ in causes], together)
    found = [
        _cause(contract, actual, chosen, tuple(explains), lengths_s)
        for (chosen, _), explains in zip(causes, together, strict=True)
        if explains
    ]
    return Causes(tuple(found), tuple(unexplained))


def _with_what_follows(
    actual: Findings, explained: Sequence[Sequence[Key]], remaining: Sequence[Key]
) -> list[list[Key]]:
    """Return the failures by cause, then what is unexplained; one that follows is where its first is.

    They are one fact, so a first that is unexplained goes to the cause of those that follow from it.
    """
    groups = [list(each) for each in (*explained, remaining)]
    place = {key: number for number, keys in enumerate(groups) for key in keys}
    last = len(groups) - 1
    for key, first in actual.follows.items():
        if place[first] == last:
            place[first] = place[key]
    for key, first in actual.follows.items():
        place[key] = place[first]
    return [[key for key in actual.failures if place[key] == number] for number in range(len(groups))]


def _with_relatives(
    actual: Findings, predictions: Sequence[Prediction], groups: Sequence[Sequence[Key]]
) -> list[list[Key]]:
    """Return the failures by cause, then what is unexplained.

    A cause that explains most failures of a requirement explains those, too, that it doesn't predict; it does
    not explain one that it predicts otherwise.
    """
    every = Counter(requirement for _, requirement in actual.failures)
    counts = [Counter(requirement for _, requirement in explains) for explains in groups[:-1]]
    shared = [*map(list, groups[:-1]), list[Key]()]
    for key in groups[-1]:
        able = [number for number, each in enumerate(predictions) if key not in each.failures]
        best = max(able, key=lambda number: counts[number][key[1]], default=-1)
        is_explained = best >= 0 and counts[best][key[1]] >= MIN_RECALL * every[key[1]]
        shared[best if is_explained else -1].append(key)
    return shared


def _fit(seen: Symptom, predicted: Symptom) -> float:
    """Return how well a prediction describes what was seen, up to 1."""
    words, both = seen.words | predicted.words, seen.words & predicted.words
    if words >= ENDS and not both & ENDS:  # one raised, the other returned
        return 0.0
    alike = len(both) / len(words) if words else 1.0
    return (1 - WORDS) * _alike_in_time(seen, predicted) + WORDS * alike


def _fits(remaining: Mapping[Key, Symptom], prediction: Prediction) -> dict[Key, float]:
    """Return the failures that a prediction describes, each with how well; none that it contradicts."""
    fits = {
        key: _fit(remaining[key], predicted)
        for key, predicted in prediction.failures.items()
        if key in remaining
    }
    return {key: fit for key, fit in fits.items() if fit > 0}


def _alike_in_time(seen: Symptom, predicted: Symptom) -> float:
    if seen.took_s is None or predicted.took_s is None:
        return 1.0
    longer = _decades(seen.took_s + SHORT_S, predicted.took_s + SHORT_S)
    more = _decades(seen.polls + 1, predicted.polls + 1)
    return max(0.0, 1 - (longer + more) / DECADES)


def _decades(seen: float, predicted: float) -> float:
    """Return how far apart two values are beyond what makes no difference."""
    return max(0.0, abs(math.log10(seen / predicted)) - math.log10(SAME))


def closeness(actual: Findings, prediction: Prediction) -> float:
    """Return how like the predicted failures those of the same requirements are: 1 when they are the same."""
    broken = {requirement for _, requirement in prediction.failures}
    ought = [key for key in actual.failures if key[1] in broken]
    wrong = len(prediction.failures.keys() & actual.passed)
    hits = [key for key in ought if key in prediction.failures]
    fit = sum(_fit(actual.failures[key], prediction.failures[key]) for key in hits)
    return 2 * fit / (len(hits) + wrong + len(ought)) if ought else 0.0


def _best(
    actual: Findings, remaining: Mapping[Key, Symptom], predictions: Sequence[Prediction], spent: set[Key]
) -> tuple[Prediction, ...]:
    gains: dict[int, float] = {}
    explains: dict[int, frozenset[Key]] = {}
    for number, each in enumerate(predictions):
        fits = _fits(remaining, each)
        missed = len((each.failures.keys() & actual.passed) - spent)
        gain = sum(fits.values()) - PASSED_COST * missed - NAME_COST
        if gain > 0 and _is_plausible(actual, remaining, each):
            gains[number], explains[number] = gain, frozenset(fits)
    ranking = sorted(gains, key=lambda number: -gains[number])
    return tuple(
        predictions[number]
        for number in ranking
        if gains[number] >= gains[ranking[0]] - EQUAL and explains[number] == explains[ranking[0]]
    )


def _is_plausible(actual: Findings, remaining: Mapping[Key, Symptom], prediction: Prediction) -> bool:
    right = len(prediction.failures.keys() & actual.failures.keys())
    wrong = len(prediction.failures.keys() & actual.passed)
    if right < MIN_PRECISION * (right + wrong):
        return False
    broken = {requirement for _, requirement in prediction.failures}
    ought = [key for key in remaining if key[1] in broken]
    explained = sum(key in prediction.failures for key in ought)
    return explained >= MIN_RECALL * len(ought)


def _cause(
    contract: Contract,
    actual: Findings,
    chosen: Sequence[Prediction],
    explains: tuple[Key, ...],
    lengths_s: Mapping[str, float],
) -> Cause:
    first = chosen[0]
    stated = first.defect.requirements(contract)

    def rank(key: Key) -> tuple[bool, bool, bool, bool, float, float]:
        return (
            key in actual.follows,
            key[1] not in stated,
            key not in first.failures,
            contract.requirement(key[1]).level is not Level.MUST,
            -_fit(actual.failures[key], first.failures.get(key, Symptom())),
            lengths_s[key[0]],
        )

    return Cause(tuple(each.defect for each in chosen), explains, min(explains, key=rank))
