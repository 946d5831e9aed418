"""A badge, as shields.io reads it from an endpoint: one line about one adapter or all of them."""

from __future__ import annotations

import json

from waitproof.judge import Status
from waitproof.report.model import Adapter, Merged, VerdictEntry
from waitproof.report.outcome import counted
from waitproof.run import ExitCode
from waitproof.suite.contract import Level

__all__ = ["badge"]

MAX_LABEL = 40  # characters: a badge is a word and a number


def badge(report: Merged) -> str:
    """Return the endpoint's JSON: how many MUST requirements are kept, by the adapter that does worst.

    Where all of them are and stale deviations alone made the run fail, it counts these.
    """
    label = "waitproof"
    adapters = report.adapters
    if len(adapters) == 1:
        label = f"{label} {adapters[0].name}"
        message, color = _one(adapters[0])
    else:
        message, color = _all(adapters)
    stale = sum(len(adapter.stale) for adapter in adapters)
    if stale and report.exit_code is ExitCode.NOT_KEPT and color != "red":
        message, color = counted(stale, "stale deviation"), "red"
    shown = label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL - 1]}…"
    if any(each.interrupted for each in report.reports):
        message, color = f"{message}, interrupted", "lightgrey"
    return json.dumps({"schemaVersion": 1, "label": shown, "message": message, "color": color}) + "\n"


def _all(adapters: tuple[Adapter, ...]) -> tuple[str, str]:
    told = [_one(adapter) for adapter in adapters]
    worst = min((color for _, color in told), key=_COLORS.index, default="lightgrey")
    good = sum(color in {"brightgreen", "green"} for _, color in told)
    return f"{good} of {len(told)} SDKs keep every MUST", worst


_COLORS = ("red", "lightgrey", "green", "brightgreen")


def _one(adapter: Adapter) -> tuple[str, str]:
    """Return how an adapter fares, and a colour: green where a baseline excuses something of a MUST."""
    verdicts = adapter.entry.verdicts
    must: dict[str, list[VerdictEntry]] = {}
    for verdict in verdicts:
        if verdict.level is Level.MUST and verdict.status is not Status.NOT_APPLICABLE:
            must.setdefault(verdict.requirement, []).append(verdict)
    failed = sum(any(v.status is Status.FAIL and not v.excused for v in of) for of in must.values())
    known = sum(any(v.excused for v in of) for of in must.values())
    is_open = any(v.status in {Status.ERROR, Status.INCONCLUSIVE} for v in verdicts) or any(
        all(v.status is Status.UNSUPPORTED and not v.excused for v in of) for of in must.values()
    )
    if failed:
        return f"{failed} of {len(must)} MUST not kept", "red"
    if is_open or adapter.entry.error or not must:
        return "not known", "lightgrey"
    if known:
        return f"{len(must) - known} of {len(must)} MUST, {known} excused", "green"
    return f"{len(must)} of {len(must)} MUST", "brightgreen"
