"""Play a suite against adapters, and what follows from the verdicts.

`Runner`, `examine` and the proof are imported when they are first used: the mock server that they start takes
a while to import, and most commands only need an exit code.
"""

from typing import TYPE_CHECKING

from waitproof.lazy import lazy
from waitproof.run.baseline import Baseline, Deviation, Entry, Problem, Stale, load_baseline, parse_baseline
from waitproof.run.baseline_update import Run, Update, update
from waitproof.run.exit_codes import ExitCode, exit_code, partly_unsupported, unproved
from waitproof.run.listener import Listener, LivePoll, SilentListener
from waitproof.run.result import AdapterResult, Death, RunResult, ScenarioResult, Stray
from waitproof.run.tallies import ORDER, count, sentence, tally, worst

if TYPE_CHECKING:
    from waitproof.run.causes import add_causes
    from waitproof.run.clock_jump import jumping_clock, under_clock
    from waitproof.run.confidential import masker
    from waitproof.run.doctor import examine
    from waitproof.run.example import find_example
    from waitproof.run.lint import impossible_expectations
    from waitproof.run.prove import live_command, prove_live, prove_simulated
    from waitproof.run.runner import Runner
else:
    __getattr__ = lazy(
        __name__,
        {
            "causes": "add_causes",
            "confidential": "masker",
            "doctor": "examine",
            "example": "find_example",
            "clock_jump": "jumping_clock under_clock",
            "lint": "impossible_expectations",
            "prove": "live_command prove_live prove_simulated",
            "runner": "Runner",
        },
    )

__all__ = [
    "ORDER",
    "AdapterResult",
    "Baseline",
    "Death",
    "Deviation",
    "Entry",
    "ExitCode",
    "Listener",
    "LivePoll",
    "Problem",
    "Run",
    "RunResult",
    "Runner",
    "ScenarioResult",
    "SilentListener",
    "Stale",
    "Stray",
    "Update",
    "add_causes",
    "count",
    "examine",
    "exit_code",
    "find_example",
    "impossible_expectations",
    "jumping_clock",
    "live_command",
    "load_baseline",
    "masker",
    "parse_baseline",
    "partly_unsupported",
    "prove_live",
    "prove_simulated",
    "sentence",
    "tally",
    "under_clock",
    "unproved",
    "update",
    "worst",
]
