"""The judge: checks by kind, and the verdicts they lead to. Pure: what was seen goes in, verdicts come out.

`check` defines what a check is, `returns` what a wait should hand over, and `deadlines` which exception is a
deadline's; `outcomes`, `exceptions`, `handover`, `timing`, `concurrency`, `limits`, `traffic`,
`cancellation`, `tokens`, `secrets`, `endings` and `records` hold the checks; `verdicts` turns findings into
verdicts, `settle` with the re-runs that `policy` asks for. `groups` holds the suspicions of several scenarios
against each other, `follows` tells a failure from those that follow from it, and `refusals` holds what an
adapter cannot call against what it has called. `by_journal` judges a client that has no adapter.
`observation` and `journal` are what was seen, and `words` puts it into text.
"""

from waitproof.journal import Ended, JournalEntry, Progress
from waitproof.judge import (
    cancellation,
    concurrency,
    endings,
    exceptions,
    handover,
    limits,
    outcomes,
    records,
    secrets,
    timing,
    tokens,
    traffic,
)
from waitproof.judge.by_journal import JOURNAL_RUNS, Sighting, journal_verdicts, judge_by_journal
from waitproof.judge.check import Case, Check, Finding, Mark, checks
from waitproof.judge.concerns import foreign_to
from waitproof.judge.endings import END_LIMIT_S, ENDS_WITHIN_S
from waitproof.judge.intervals import LATE_SLACK_S
from waitproof.judge.observation import (
    CallRecord,
    NoAnswer,
    Observation,
    Poll,
    Seen,
    StillWaiting,
    TaskRecord,
)
from waitproof.judge.policy import rounds
from waitproof.judge.refusals import disproved, is_refused
from waitproof.judge.returns import result_returned
from waitproof.judge.secrets import secrets_of, without_secrets
from waitproof.judge.settle import MAX_RERUNS
from waitproof.judge.trial import Round, RoundKind, Trial, TrialState
from waitproof.judge.verdicts import Status, Verdict, is_suspicious, judge, unplayed
from waitproof.judge.words import NOTHING_RAISED, describe, json_equal, listed, seconds, shown, timeline_line

__all__ = [
    "ENDS_WITHIN_S",
    "END_LIMIT_S",
    "JOURNAL_RUNS",
    "LATE_SLACK_S",
    "MAX_RERUNS",
    "NOTHING_RAISED",
    "CallRecord",
    "Case",
    "Check",
    "Ended",
    "Finding",
    "JournalEntry",
    "Mark",
    "NoAnswer",
    "Observation",
    "Poll",
    "Progress",
    "Round",
    "RoundKind",
    "Seen",
    "Sighting",
    "Status",
    "StillWaiting",
    "TaskRecord",
    "Trial",
    "TrialState",
    "Verdict",
    "cancellation",
    "checks",
    "concurrency",
    "describe",
    "disproved",
    "endings",
    "exceptions",
    "foreign_to",
    "handover",
    "is_refused",
    "is_suspicious",
    "journal_verdicts",
    "json_equal",
    "judge",
    "judge_by_journal",
    "limits",
    "listed",
    "outcomes",
    "records",
    "result_returned",
    "rounds",
    "seconds",
    "secrets",
    "secrets_of",
    "shown",
    "timeline_line",
    "timing",
    "tokens",
    "traffic",
    "unplayed",
    "without_secrets",
]
