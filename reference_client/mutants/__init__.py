"""Variants of the reference client: mutants, each with one defect, and equivalents, which have none.

A mutant is named after the requirement that must catch it: `default-poll-interval.halved`. `adapter` runs
one as an adapter; in the simulator they run as they are, on a transport of its own. What each is worth is
for `waitproof prove` to say.
"""

from reference_client.mutants import concurrency, equivalents, outcomes, timing, traffic
from reference_client.mutants.variant import EQUIVALENTS, MUTANTS, REFERENCES, Ending, Variant

__all__ = [
    "EQUIVALENTS",
    "MUTANTS",
    "REFERENCES",
    "Ending",
    "Variant",
    "concurrency",
    "equivalents",
    "outcomes",
    "timing",
    "traffic",
]
