"""JUnit XML for CI servers: a suite for each adapter, a case for each requirement in each scenario.

Verdicts are mapped as the pytest front end maps them: FAIL and INCONCLUSIVE are failures, ERROR is an
error, UNSUPPORTED and NOT_APPLICABLE and whatever a baseline excuses are skipped with the reason, and a
WARN passes and says so, unless the run was to fail on it. A stale deviation is a failure. Elements and
attributes are those of Jenkins' junit-10 schema and no others.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET  # it writes alone: nothing is parsed here
from collections import Counter
from collections.abc import Iterable, Iterator

from waitproof.judge import Status
from waitproof.report.model import Adapter, Merged, StaleEntry, VerdictEntry
from waitproof.suite.contract import Level

__all__ = ["junit_xml"]

# What XML 1.0 has no way to write at all; `report.model` leaves none of it, but that is its business.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: Merged) -> str:
    """Return the report as JUnit XML."""
    root = ET.Element("testsuites", {"name": _legal(f"waitproof {report.suite}")})
    total: Counter[str] = Counter()
    for adapter in report.adapters:
        suite, counts = _suite(report, adapter)
        root.append(suite)
        total += counts
    root.attrib["time"] = _time(sum(each.seconds for each in report.reports))
    for name in ("tests", "failures", "errors"):
        root.attrib[name] = str(total[name])
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(report: Merged, adapter: Adapter) -> tuple[ET.Element, Counter[str]]:
    suite = ET.Element("testsuite", {"name": _legal(adapter.name)})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(adapter):
        ET.SubElement(properties, "property", {"name": _legal(name), "value": _legal(value)})
    counts: Counter[str] = Counter()
    if adapter.entry.error and not adapter.entry.verdicts:
        case = _testcase(adapter.name, "the adapter runs")
        suite.append(case)
        _add(case, "error", Status.ERROR.value, adapter.entry.error, adapter.entry.error)
        counts.update(("tests", "errors"))
    for stale in adapter.stale:
        suite.append(_stale_case(adapter, stale))
        counts.update(("tests", "failures"))
    left = _times(adapter)
    for verdict in adapter.entry.verdicts:
        case, kind = _case(report, adapter, verdict, left.pop(verdict.scenario, 0.0))
        suite.append(case)
        counts.update(("tests", kind) if kind else ("tests",))
    for name in ("tests", "failures", "errors", "skipped"):
        suite.attrib[name] = str(counts[name])
    suite.attrib["time"] = _time(adapter.report.seconds)
    suite.attrib["timestamp"] = adapter.report.started[:19]
    if adapter.entry.stderr_tail:
        ET.SubElement(suite, "system-err").text = _legal("\n".join(adapter.entry.stderr_tail))
    return suite, counts


def _properties(adapter: Adapter) -> Iterator[tuple[str, str]]:
    sdk = adapter.entry.sdk
    if sdk is not None:
        yield "sdk", sdk.name
        yield "sdk.version", sdk.version
        yield "sdk.language", sdk.language
        yield "sdk.runtime", sdk.runtime
    yield "helper", adapter.entry.helper
    yield "waitproof.version", adapter.report.waitproof
    yield "waitproof.suite", adapter.report.suite
    levels = {verdict.requirement: verdict.level.value for verdict in adapter.entry.verdicts}
    for name, level in sorted(levels.items()):
        yield f"level.{name}", level


def _times(adapter: Adapter) -> dict[str, float]:
    """Return the seconds that each scenario's plays took; its first case has them, so that sums are right."""
    times: dict[str, float] = {}
    for play in adapter.entry.scenarios:
        times[play.id] = times.get(play.id, 0.0) + play.took_s
    return times


def _case(report: Merged, adapter: Adapter, verdict: VerdictEntry, took_s: float) -> tuple[ET.Element, str]:
    scenario = report.scenarios[verdict.scenario]
    folder, _, name = verdict.scenario.rpartition("/")
    case = _testcase(_class(adapter, *folder.split("/")), f"{name}:{verdict.requirement}", took_s)
    case.set("group", verdict.level.value)
    first = verdict.seen.partition("\n")[0]
    told = f"{verdict.status.value} {verdict.scenario}:{verdict.requirement}: {first}"
    text = "\n".join(_rows(report, adapter, verdict, scenario.file))
    kind = ""
    if verdict.status is Status.ERROR:
        kind = _add(case, "error", verdict.status.value, told, text)
    elif verdict.excused:
        kind = _add(
            case, "skipped", verdict.status.value, f"{verdict.status.value}, excused: {verdict.excused}", text
        )
    elif verdict.status in {Status.UNSUPPORTED, Status.NOT_APPLICABLE}:
        kind = _add(case, "skipped", verdict.status.value, f"{verdict.status.value}: {verdict.seen}", "")
    elif verdict.status in _failing(adapter):
        kind = _add(case, "failure", verdict.status.value, told, text)
    ET.SubElement(case, "system-out").text = _legal(text)
    return case, kind


def _stale_case(adapter: Adapter, stale: StaleEntry) -> ET.Element:
    case = _testcase(_class(adapter, "baseline"), stale.deviation)
    rows = _aligned((("place", stale.place), ("fix", stale.fix)))
    text = "\n".join((f"stale deviation {stale.deviation} ({adapter.name})", *rows))
    _add(case, "failure", stale.problem.value, stale.fact, text)
    return case


def _testcase(class_name: str, name: str, took_s: float = 0.0) -> ET.Element:
    return ET.Element(
        "testcase", {"classname": _legal(class_name), "name": _legal(name), "time": _time(took_s)}
    )


def _class(adapter: Adapter, *folders: str) -> str:
    """Return a name in which dots part the adapter from the topic."""
    return ".".join(part for part in (adapter.name.replace(".", "_"), *folders) if part)


def _failing(adapter: Adapter) -> set[Status]:
    warns = {Status.WARN} if adapter.report.fail_on is Level.SHOULD else set()
    return {Status.FAIL, Status.INCONCLUSIVE} | warns


def _add(case: ET.Element, kind: str, status: str, message: str, text: str) -> str:
    element = ET.SubElement(case, kind, {"type": _legal(status), "message": _legal(message)})
    element.text = _legal(text)
    return {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]


def _rows(report: Merged, adapter: Adapter, verdict: VerdictEntry, file: str) -> Iterator[str]:
    requirement = report.requirement(verdict.requirement)
    yield f"{verdict.status.value} {verdict.scenario} ({adapter.name})"
    yield from _aligned(
        (
            ("requirement", f"{verdict.requirement} ({verdict.level.value}): {requirement.sentence}"),
            ("expected", verdict.expected),
            ("seen", verdict.seen),
            ("", verdict.explanation),
            ("polls", verdict.timeline),
            ("excused", verdict.excused),
            ("link", verdict.href),
            ("file", file),
            ("again", adapter.repeat(verdict)),
        )
    )


def _aligned(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each row that says something."""
    for name, value in rows:
        if value:
            yield f"  {f'{name}:' if name else '':<13}{value}"


def _legal(text: str) -> str:
    """Return text with what XML forbids written out visibly."""
    return _FORBIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _time(value_s: float) -> str:
    return f"{max(0.0, value_s):.3f}"
