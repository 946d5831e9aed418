"""The judge: checks by kind, and the verdicts they lead to. Pure: what was seen goes in, verdicts come out.

`case` says what a check is, `outcomes`, `timing`, `traffic` and `records` hold the checks, `verdicts`
makes findings into verdicts. `witness` judges a client that has no adapter by the journal alone.
"""

from waitproof.judge import outcomes, records, timing, traffic
from waitproof.judge.by_journal import Sighting, sight
from waitproof.judge.check import Case, Check, Finding, Mark, checks
from waitproof.judge.policy import Round, RoundKind, Trial, TrialState, rounds
from waitproof.judge.settle import MAX_RERUNS
from waitproof.judge.verdicts import Status, Verdict, is_suspicious, judge, unplayed

__all__ = [
    "MAX_RERUNS",
    "Case",
    "Check",
    "Finding",
    "Mark",
    "Round",
    "RoundKind",
    "Sighting",
    "Status",
    "Trial",
    "TrialState",
    "Verdict",
    "checks",
    "is_suspicious",
    "judge",
    "outcomes",
    "records",
    "rounds",
    "sight",
    "timing",
    "traffic",
    "unplayed",
]
