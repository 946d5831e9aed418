"""Finds the causes of an adapter's failures: which defects come into question, and where to play them.

Playing every defect on every scenario takes a minute, so it is done in two stages: everything that comes into
question on a sample of the scenarios that failed, then the best on all scenarios that were played. Who plays
them, and for how long, is the caller's business.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from waitproof.defects.bench import Bench
from waitproof.defects.catalog import Library
from waitproof.defects.causes import Causes, Findings, Prediction, closeness, explain, findings
from waitproof.defects.defect import Defect, Ending, clean
from waitproof.judge import foreign_to
from waitproof.protocol import OPTIONS, Capabilities, Hello
from waitproof.simulate import forecast
from waitproof.suite import Contract, Scenario
from waitproof.text import either

__all__ = ["Play", "find_causes", "predict"]

LACK = "begin_returns_task_id.missing-"
MAX_SUSPECTS = 20  # that are played on everything: four seconds on two cores
MAX_ALTERNATIVES = 3  # of one cause of the sample
PER_REQUIREMENT = 2  # scenarios of the sample in which a requirement failed

# Plays the model client with each defect, and yields what fails as it becomes known; may leave some out.
Play: TypeAlias = Callable[[Sequence[Defect], Sequence[Scenario]], Iterable[Prediction]]


def find_causes(
    play: Play,
    contract: Contract,
    known: Library,
    hello: Hello,
    actual: Findings,
    played: Sequence[Scenario],
) -> Causes:
    """Return the causes of an adapter's failures.

    Args:
        play: See above.
        contract: The suite's.
        known: The defects and equivalents for it.
        hello: The adapter's introduction.
        actual: What was found.
        played: The scenarios in which that was found.
    """
    usual = clean(is_async=hello.capabilities.non_blocking)
    few = _sample(contract, played, actual)
    few_ids = {each.id for each in few}
    first = _by_name(play([usual, *_suspects(known, contract, hello, actual)], few))
    lengths_s = {each.id: forecast(contract, each).length_s for each in played}
    sample, found = actual.only(few_ids), _beyond(usual, first)
    shortlist = _shortlist(explain(contract, sample, found, lengths_s), sample, found)
    rest = [each for each in played if each.id not in few_ids]
    second = _by_name(play([usual, *shortlist], rest))
    merged = {  # in this order: processes may finish in any, and the first of several that fit alike is named
        each.name: Prediction(each, {**first[each.name].failures, **second[each.name].failures})
        for each in (usual, *shortlist)
        if each.name in second
    }
    lacks = _lack_of_operations(known, contract, hello, merged.get(usual.name))
    return explain(contract, actual, [*lacks, *_beyond(usual, merged)], lengths_s)


def predict(bench: Bench, defect: Defect, hello: Hello, scenarios: Sequence[Scenario]) -> Prediction:
    """Return what fails when the SDK behind this introduction has a defect."""
    sdk = _resembling(defect, hello, bench.suite.contract)
    return Prediction(defect, findings(bench.simulate(sdk, scenarios)).failures)


def _by_name(predictions: Iterable[Prediction]) -> dict[str, Prediction]:
    return {each.defect.name: each for each in predictions}


def _beyond(usual: Defect, predictions: Mapping[str, Prediction]) -> list[Prediction]:
    """Return predictions without what a correct client fails that lacks what the SDK lacks.

    The defect that is named after that lack explains it.
    """
    always = predictions[usual.name].failures if usual.name in predictions else {}
    found = []
    for each in predictions.values():
        if each.defect.capabilities:
            found.append(each)
        elif each.defect != usual:
            beyond = {key: symptom for key, symptom in each.failures.items() if key not in always}
            found.append(Prediction(each.defect, beyond))
    return found


def _lack_of_operations(
    known: Library, contract: Contract, hello: Hello, usual: Prediction | None
) -> list[Prediction]:
    """Return one prediction for all operations that an SDK says it lacks, none where it has them all.

    A correct client with that lack is played anyway, and fails in the same way.
    """
    missing = [name for name in contract.operations if name not in hello.capabilities.operations]
    lacks = [each for name in missing if (each := known.defects.get(f"{LACK}{name}"))]
    if usual is None or not lacks:
        return []
    defect = lacks[0]
    if len(lacks) > 1:
        name = f"{LACK}{'-and-'.join(missing)}"
        defect = dataclasses.replace(
            defect, name=name, sentence=f"The SDK has no {either(missing)}.", where={}
        )
    stated = defect.requirements(contract)
    return [Prediction(defect, {key: seen for key, seen in usual.failures.items() if key[1] in stated})]


# --- who comes into question --------------------------------------------------------------------------


def _suspects(known: Library, contract: Contract, hello: Hello, actual: Findings) -> list[Defect]:
    """Return the defects that an SDK may have: their own promise failed, or nothing says that it passed.

    Those whose promise failed most often come first, for the time may not be enough for all.
    """
    failed = Counter(requirement for _, requirement in actual.failures)
    passed = Counter(requirement for _, requirement in actual.passed)
    weights = {name: count**2 / (count + passed[name]) for name, count in failed.items()}
    found = []
    for defect in known.defects.values():
        stated = defect.requirements(contract)
        if defect.name.startswith(LACK):  # played with all others of its kind, as the usual client
            continue
        is_open = not failed.keys().isdisjoint(stated) or passed.keys().isdisjoint(stated)
        if defect.ending is not Ending.RECORDED and is_open and _can_have(hello, contract, defect):
            found.append((max((weights.get(name, 0.0) for name in stated), default=0.0), defect))
    return [defect for _, defect in sorted(found, key=lambda pair: -pair[0])]


def _complete(contract: Contract) -> dict[str, Any]:
    everything = Capabilities(operations=tuple(sorted(contract.operations)), options=OPTIONS)
    return {name: getattr(everything, name) for name in ("wait", "get_task", "operations", "options")}


def _can_have(hello: Hello, contract: Contract, defect: Defect) -> bool:
    """Return whether the defect's promise is for such an SDK, and it says to lack what the defect lacks."""
    if all(foreign_to(contract.requirement(name), hello) for name in defect.requirements(contract)):
        return False
    complete = _complete(contract)
    for name, value in defect.capabilities.items():
        has = getattr(hello.capabilities, name)
        if not isinstance(value, list):
            can_have = has == value
        elif name not in complete:  # what an SDK demands; most demand nothing
            can_have = set(value) <= set(has)
        else:
            can_have = not set(has) & (set(complete[name]) - set(value))
        if not can_have:
            return False
    return True


def _resembling(defect: Defect, hello: Hello, contract: Contract) -> Defect:
    """Return a defect as the SDK behind an introduction would have it.

    A defect that is the lack of something lacks nothing else; others lack what the SDK lacks.
    """
    abilities = dataclasses.asdict(hello.capabilities)
    if defect.capabilities:
        abilities |= _complete(contract) | dict(defect.capabilities)
    return dataclasses.replace(
        defect, is_async=hello.capabilities.non_blocking, language=hello.language, capabilities=abilities
    )


# --- where they are played ----------------------------------------------------------------------------


def _sample(contract: Contract, scenarios: Sequence[Scenario], actual: Findings) -> list[Scenario]:
    """Return a few of the scenarios that failed, with few polls, in which every failed requirement failed."""
    by_id = {each.id: each for each in scenarios}
    polls = {each.id: forecast(contract, each).polls for each in scenarios}
    chosen: dict[str, Scenario] = {}
    for requirement in dict.fromkeys(requirement for _, requirement in actual.failures):
        failed = [name for name, other in actual.failures if other == requirement]
        failed.sort(key=lambda name: (name not in chosen, polls[name]))
        chosen |= {name: by_id[name] for name in failed[:PER_REQUIREMENT]}
    return list(chosen.values())


def _shortlist(causes: Causes, sample: Findings, predictions: Collection[Prediction]) -> list[Defect]:
    """Return the defects that explain a sample best: its causes, then some from each requirement in turn.

    What another cause leaves of a requirement's failures may be so little that nothing else would show it.
    """
    best = sorted(predictions, key=lambda each: closeness(sample, each), reverse=True)
    queues = [
        [each.defect for each in best if any(key[1] == requirement for key in each.failures)]
        for requirement in dict.fromkeys(requirement for _, requirement in sample.failures)
    ]
    first = [each for cause in causes.causes for each in cause.defects[:MAX_ALTERNATIVES]]
    chosen = {each.name: each for each in first[:MAX_SUSPECTS]}
    for rank in range(max(map(len, queues), default=0)):
        for queue in queues:
            if rank < len(queue) and len(chosen) < MAX_SUSPECTS:
                chosen[queue[rank].name] = queue[rank]
    return list(chosen.values())
