"""Play a suite against adapters, and what follows from the verdicts.

`Runner` and `examine` are imported when they are first used: the mock server that they start takes a while to
import, and most commands only need an exit code.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from waitproof.run.baseline import Baseline, Deviation, Entry, Problem, Stale, load_baseline, parse_baseline
from waitproof.run.baseline_update import Run, Update, update
from waitproof.run.exit_code import ExitCode, exit_code, unproved
from waitproof.run.listener import Listener, LivePoll, SilentListener
from waitproof.run.result import AdapterResult, RunResult, ScenarioResult
from waitproof.run.tally import ORDER, count, sentence, tally, worst

if TYPE_CHECKING:
    from waitproof.run.doctor import examine
    from waitproof.run.runner import Runner
else:

    def __getattr__(name: str) -> Any:
        modules = {"Runner": "runner", "examine": "doctor"}
        if name not in modules:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{modules[name]}"), name)


__all__ = [
    "ORDER",
    "AdapterResult",
    "Baseline",
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
    "Update",
    "count",
    "examine",
    "exit_code",
    "load_baseline",
    "parse_baseline",
    "sentence",
    "tally",
    "unproved",
    "update",
    "worst",
]
