"""JUnit XML for CI servers: a suite for each adapter, a case for each requirement in each scenario.

Verdicts are mapped as in pytest: FAIL and INCONCLUSIVE are failures, ERROR is an error, UNSUPPORTED,
NOT_APPLICABLE and excused deviations are skipped with the reason, and a WARN passes unless the run was to
fail on it. A stale deviation is a failure. Elements and attributes are those of Jenkins' junit-10 schema.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET  # only to write: nothing is parsed here
from collections.abc import Iterator
from dataclasses import astuple

from waitproof.judge import Status
from waitproof.report.causes import explained_causes
from waitproof.report.deaths import death_sentences
from waitproof.report.merge import Adapter, Merged
from waitproof.report.model import StaleEntry, VerdictEntry
from waitproof.report.text import explain_verdict, labelled
from waitproof.run import Problem
from waitproof.suite import Level
from waitproof.text import xml_text

__all__ = ["junit_xml"]

_SDK_PROPERTIES = ("sdk", "sdk.version", "sdk.language", "sdk.runtime")
_COUNTERS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def junit_xml(report: Merged) -> str:
    """Return the report as JUnit XML."""
    root = _element("testsuites", name=f"waitproof {report.suite}", time=_time(report.seconds))
    root.extend(_suite(report, adapter) for adapter in report.adapters)
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.attrib[name]) for suite in root)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Merged, adapter: Adapter) -> ET.Element:
    suite = _element("testsuite", name=adapter.name)
    properties = ET.SubElement(suite, "properties")
    properties.extend(_element("property", name=name, value=value) for name, value in _properties(adapter))
    cases = list(_cases(report, adapter))
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for tag, name in _COUNTERS.items():
        suite.set(name, str(sum(child.tag == tag for case in cases for child in case)))
    suite.set("time", _time(adapter.report.seconds))
    suite.set("timestamp", adapter.report.started[:19])
    causes = [
        "\n".join([cause.headline, *labelled(cause.facts)])
        for cause in explained_causes(adapter.name, adapter.entry)
    ]
    if causes:
        suite.append(_element("system-out", "\n".join(causes)))
    if adapter.entry.stderr_tail:
        suite.append(_element("system-err", "\n".join(adapter.entry.stderr_tail)))
    return suite


def _properties(adapter: Adapter) -> Iterator[tuple[str, str]]:
    if adapter.entry.sdk is not None:
        yield from zip(_SDK_PROPERTIES, astuple(adapter.entry.sdk), strict=True)
    yield "helper", adapter.entry.helper
    yield "waitproof.version", adapter.report.waitproof
    yield "waitproof.suite", adapter.report.suite
    levels = {verdict.requirement: verdict.level.value for verdict in adapter.entry.verdicts}
    for name, level in sorted(levels.items()):
        yield f"level.{name}", level


def _cases(report: Merged, adapter: Adapter) -> Iterator[ET.Element]:
    error = adapter.entry.error
    if adapter.report.interrupted:
        reason = adapter.report.error or "the run was interrupted: this is what was known by then"
        problem = _problem("error", Status.ERROR, reason.partition("\n")[0], reason)
        yield _testcase(adapter.name, "the run comes to its end", problem)
    if error and not adapter.entry.verdicts:
        yield _testcase(adapter.name, "the adapter runs", _problem("error", Status.ERROR, error, error))
    if deaths := death_sentences(adapter.entry):
        problem = _problem("error", Status.ERROR, deaths[0], "\n".join(deaths))
        yield _testcase(adapter.name, "no process dies", problem)
    for stale in adapter.stale:
        yield _stale_case(adapter, stale)
    times = _times(adapter)
    for verdict in adapter.entry.verdicts:
        yield _case(report, adapter, verdict, times.pop(verdict.scenario, 0.0))


def _times(adapter: Adapter) -> dict[str, float]:
    """Return the seconds that each scenario took; only its first case gets them, so that sums are right."""
    times: dict[str, float] = {}
    for play in adapter.entry.scenarios:
        ends = [call.received_s for call in play.calls if call.received_s is not None]
        ends += [poll.arrived_s for poll in play.polls]
        times[play.id] = times.get(play.id, 0.0) + max(ends, default=0.0)
    return times


def _case(report: Merged, adapter: Adapter, verdict: VerdictEntry, took_s: float) -> ET.Element:
    folder, _, name = verdict.scenario.rpartition("/")
    file = report.scenarios[verdict.scenario].file
    links = (("link", verdict.href), ("file", file), ("again", adapter.command_for(verdict)))
    explained = explain_verdict(adapter.name, verdict, report.requirement(verdict.requirement))
    text = "\n".join([*explained, *labelled(links)])
    case = _testcase(
        _class(adapter, *folder.split("/")),
        f"{name}:{verdict.requirement}",
        *_problems(adapter, verdict, text),
        _element("system-out", text),
        took_s=took_s,
    )
    case.set("group", verdict.level.value)
    return case


def _problems(adapter: Adapter, verdict: VerdictEntry, text: str) -> Iterator[ET.Element]:
    """Yield the element that makes a case fail or be skipped, if there is one."""
    status, first = verdict.status, verdict.seen.partition("\n")[0]
    failing = {Status.FAIL, Status.INCONCLUSIVE}
    failing |= {Status.WARN} if adapter.report.fail_on is Level.SHOULD else set()
    message = f"{status.value} {verdict.scenario}:{verdict.requirement}: {first}"
    if status is Status.ERROR:
        yield _problem("error", status, message, text)
    elif verdict.excused:
        yield _problem("skipped", status, f"{status.value}, excused: {verdict.excused}", text)
    elif status in {Status.UNSUPPORTED, Status.NOT_APPLICABLE}:
        yield _problem("skipped", status, f"{status.value}: {verdict.seen}", "")
    elif status in failing:
        yield _problem("failure", status, message, text)


def _stale_case(adapter: Adapter, stale: StaleEntry) -> ET.Element:
    rows = labelled((("place", stale.place), ("fix", stale.fix)))
    text = "\n".join((f"stale deviation {stale.deviation} ({adapter.name})", *rows))
    problem = _problem("failure", stale.problem, stale.fact, text)
    return _testcase(_class(adapter, "baseline"), stale.deviation, problem)


def _testcase(class_name: str, name: str, *children: ET.Element, took_s: float = 0.0) -> ET.Element:
    case = _element("testcase", classname=class_name, name=name, time=_time(took_s))
    case.extend(children)
    return case


def _class(adapter: Adapter, *folders: str) -> str:
    """Return a name in which dots separate the adapter from the topic."""
    return ".".join(part for part in (adapter.name.replace(".", "_"), *folders) if part)


def _problem(kind: str, reason: Status | Problem, message: str, text: str) -> ET.Element:
    return _element(kind, text, type=reason.value, message=message)


def _element(tag: str, content: str = "", /, **attributes: str) -> ET.Element:
    """Return an element in which everything that XML forbids is written out visibly."""
    element = ET.Element(tag, {name: xml_text(value) for name, value in attributes.items()})
    element.text = xml_text(content) or None
    return element


def _time(value_s: float) -> str:
    return f"{max(0.0, value_s):.3f}"
