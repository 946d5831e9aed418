"""Measures how often the causes that are named are the true ones.

    python benchmarks/causes.py                 # every defect alone, 40 pairs, relatives; some minutes
    python benchmarks/causes.py --only pairs --verbose

The SDKs are model clients in virtual time: with each defect of the library, with two at once, and with
relatives of the library's defects that are not in it. The first cause counts as right if the true defect is
one of at most three that the suite cannot tell apart. Both defects of a pair must be named. A pair whose
failures are those of one of the two alone is drawn again: nothing shows the other one.

It exits with 1 below 95 % of the defects, 80 % of the pairs, or one relative.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from waitproof.defects import Bench, Causes, Defect, Library, Prediction, find_causes, findings, library
from waitproof.suite import Suite, bundled_suite, load_suite

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

from culprits import HELD_OUT, CachingPlayer, hello_of, pairs

MAX_ALTERNATIVES = 3
PAIRS = 40
SEED = 14
BOUNDS = {"defects": 0.95, "pairs": 0.80, "relatives": 1.0}


@dataclass(frozen=True)
class Case:
    """One SDK: its name, whether its causes are right, and what they are."""

    name: str
    is_right: bool
    causes: Causes


class Court:
    """Judges model clients, and names the causes."""

    def __init__(self, suite: Suite) -> None:
        self.bench = Bench(suite)
        self.known: Library = library(suite.contract)
        self._cache: dict[Any, Prediction] = {}

    def causes(self, sdk: Defect) -> Causes:
        """Return the causes of an SDK's failures, as after a run."""
        suite = self.bench.suite
        hello = hello_of(suite.contract, sdk)
        player = CachingPlayer(self.bench, hello, self._cache)
        actual = findings(self.bench.simulate(sdk))
        return find_causes(player.play, suite.contract, self.known, hello, actual, suite.scenarios)

    def shown(self) -> list[Defect]:
        """Return the defects with failures: a suite can only record the others."""
        return [each for each in self.known.defects.values() if self.failures(each)]

    def failures(self, sdk: Defect) -> frozenset[Any]:
        """Return what fails with an SDK."""
        return frozenset(findings(self.bench.simulate(sdk)).failures)


def names(causes: Causes) -> list[list[str]]:
    """Return the defects that each cause names."""
    return [[each.name for each in cause.defects] for cause in causes.causes]


def are_named(causes: Causes, true: Iterable[Defect]) -> bool:
    """Return whether the first causes name all of these, among few."""
    named = [group for group in names(causes) if len(group) <= MAX_ALTERNATIVES]
    return all(any(each.name in group for group in named) for each in true)


def of_defects(court: Court) -> Iterator[Case]:
    """Yield a case for each defect of the library."""
    for defect in court.shown():
        causes = court.causes(defect)
        first = names(causes)[:1]
        yield Case(defect.name, bool(first) and defect.name in first[0] and len(first[0]) <= 3, causes)


def of_pairs(court: Court) -> Iterator[Case]:
    """Yield a case for each of the first pairs of which each has an effect."""
    shown, count = court.shown(), 0
    for one, other, both in pairs(shown, SEED):
        failures = court.failures(both)
        if count == PAIRS:
            return
        if failures not in {court.failures(one), court.failures(other)}:
            count += 1
            causes = court.causes(both)
            yield Case(both.name, are_named(causes, (one, other)), causes)


def of_relatives(court: Court) -> Iterator[Case]:
    """Yield a case for each relative of a defect."""
    for each in HELD_OUT:
        causes = court.causes(each.defect)
        first = [name for group in names(causes)[:1] for name in group]
        yield Case(each.defect.name, any(name.startswith(each.relatives) for name in first[:3]), causes)


def main() -> int:
    """Print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    groups = {"defects": of_defects, "pairs": of_pairs, "relatives": of_relatives}
    parser.add_argument(
        "--only", choices=groups, action="append", help="what to measure, everything by default"
    )
    parser.add_argument("--verbose", action="store_true", help="print every case, not only the wrong ones")
    options = parser.parse_args()
    court = Court(load_suite(bundled_suite()))
    is_good = True
    for group in options.only or groups:
        began_s = time.monotonic()
        cases = list(groups[group](court))
        right = sum(case.is_right for case in cases)
        for case in cases:
            if options.verbose or not case.is_right:
                print(f"{'right' if case.is_right else 'WRONG'} {case.name}")
                for cause in case.causes.causes:
                    print(f"      {len(cause.explains):3} {' or '.join(each.name for each in cause.defects)}")
                print(f"      {len(case.causes.unexplained):3} unexplained")
        share = right / len(cases)
        print(f"{group}: {right} of {len(cases)} right ({share:.1%}) in {time.monotonic() - began_s:.0f} s")
        is_good &= share >= BOUNDS[group]
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
