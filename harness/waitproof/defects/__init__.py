"""Defects and equivalents of a correct wait helper, and what a suite makes of them; for any suite.

`client` is the model client, which keeps every promise of a contract; `defect` says what a defect is, and
`library` lists them all. `bench` plays them in virtual time, and `matrix` weighs their verdicts.
"""

from waitproof.defects.bench import Bench
from waitproof.defects.catalog import Library, library
from waitproof.defects.causes import Cause, Causes, Findings, Prediction, explain, findings
from waitproof.defects.client import ModelClient
from waitproof.defects.defect import CLEAN, CLEAN_ASYNC, Defect, Ending, clean
from waitproof.defects.hints import advice
from waitproof.defects.matrix import Line, Outcome, usual_words, weigh
from waitproof.defects.page import markdown, not_caught, reasons, sentence_of, summary
from waitproof.defects.sdk import LiveMachine, ModelSdk
from waitproof.defects.suspects import Play, find_causes, predict

__all__ = [
    "CLEAN",
    "CLEAN_ASYNC",
    "Bench",
    "Cause",
    "Causes",
    "Defect",
    "Ending",
    "Findings",
    "Library",
    "Line",
    "LiveMachine",
    "ModelClient",
    "ModelSdk",
    "Outcome",
    "Play",
    "Prediction",
    "advice",
    "clean",
    "explain",
    "find_causes",
    "findings",
    "library",
    "markdown",
    "not_caught",
    "predict",
    "reasons",
    "sentence_of",
    "summary",
    "usual_words",
    "weigh",
]
