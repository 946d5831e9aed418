"""A badge, as shields.io reads it from an endpoint: one line about one adapter or all of them."""

from __future__ import annotations

import json

from waitproof.judge import Status
from waitproof.report.matrix import Cell, cell
from waitproof.report.merge import Adapter, Merged
from waitproof.run import ExitCode
from waitproof.suite import Level
from waitproof.text import plural, shorten

__all__ = ["badge"]

MAX_LABEL = 40  # characters: a badge is a word and a number
_GOOD = ("green", "brightgreen")
_COLORS = ("red", "lightgrey", "green", "brightgreen")


def badge(report: Merged) -> str:
    """Return the endpoint's JSON: how many MUST requirements passed, in the color of the worst adapter.

    Where all of them passed and only stale deviations made the run fail, it counts these. A part of the suite
    never gets the color of the whole.
    """
    label = "waitproof"
    adapters = report.adapters
    if len(adapters) == 1:
        label = f"{label} {adapters[0].name}"
        message, color = _one(report, adapters[0])
    else:
        found = [_one(report, adapter)[1] for adapter in adapters]
        good = sum(color in _GOOD for color in found)
        message = f"{good} of {len(found)} SDKs pass every MUST"
        color = min(found, key=_COLORS.index, default="lightgrey")
    is_open = report.exit_code in {
        ExitCode.UNKNOWN,
        ExitCode.INTERNAL_ERROR,
    }  # a death, say
    if is_open and color in _GOOD and len(adapters) == 1:
        message = "not verified"
    if (is_open or report.is_part) and color in _GOOD:
        color = "lightgrey"
    stale = sum(len(adapter.stale) for adapter in adapters)
    if stale and report.exit_code is ExitCode.NOT_KEPT and color != "red":
        message, color = plural(stale, "stale deviation"), "red"
    if report.is_part:
        message = f"{message}, in a part of the suite"
    if any(each.interrupted for each in report.reports):
        message, color = f"{message}, interrupted", "lightgrey"
    values = {"schemaVersion": 1, "label": shorten(label, MAX_LABEL), "message": message, "color": color}
    return json.dumps(values) + "\n"


def _one(report: Merged, adapter: Adapter) -> tuple[str, str]:
    """Return an adapter's result and its color: green where a MUST is excused or UNSUPPORTED somewhere."""
    cells = (cell(adapter, each.id) for each in report.requirements if each.level is Level.MUST)
    musts = [must for must in cells if must and must.status is not Status.NOT_APPLICABLE]
    failed = sum(_has_failed(must) for must in musts)
    excused = {each.requirement for must in musts for each in must.verdicts if each.excused}
    is_open = any(each.status in {Status.ERROR, Status.INCONCLUSIVE} for each in adapter.entry.verdicts)
    if failed:
        return f"{failed} of {len(musts)} MUST failed", "red"
    if is_open or adapter.unverified() or adapter.entry.error or not musts:
        return "not verified", "lightgrey"
    partly = [name for name in adapter.partly_unsupported() if name not in excused]
    notes = [f"{len(excused)} excused"] if excused else []
    notes += [f"{len(partly)} partly unsupported"] if partly else []
    passed = f"{len(musts) - len(excused) - len(partly)} of {len(musts)} MUST"
    return ", ".join([passed, *notes]), "green" if notes else "brightgreen"


def _has_failed(must: Cell) -> bool:
    return any(verdict.status is Status.FAIL and not verdict.excused for verdict in must.verdicts)
