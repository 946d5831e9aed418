"""What a run tells GitHub Actions: annotations in its output, and the summary on the job's page.

An edge: it reads the environment that Actions sets and appends to its summary file. What adapters said
must not be taken for a command of the workflow, so commands are switched off while it is printed.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from waitproof.judge import Status
from waitproof.report.markdown import MAX_BYTES, markdown_summary
from waitproof.report.model import Adapter, Merged, StaleEntry, VerdictEntry

__all__ = ["commands_off", "is_wanted", "tell", "workflow_commands"]

MAX_OF_KIND = 10  # annotations of one kind in one step: GitHub drops what is more
MAX_MESSAGE = 1_000  # characters


def is_wanted(environment: Mapping[str, str]) -> bool:
    """Say whether `tell` has something to do."""
    return _is_actions(environment) or bool(environment.get("GITHUB_STEP_SUMMARY"))


def tell(report: Merged, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Print the annotations of a run in Actions, and append its summary where the environment asks for one.

    A summary that cannot be written is told and costs nobody the run's outcome.
    """
    if _is_actions(environment):
        for line in workflow_commands(report):
            say(line)
    name = environment.get("GITHUB_STEP_SUMMARY", "")
    if name:
        try:
            _append_summary(report, Path(name))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            say(f"GITHUB_STEP_SUMMARY: the summary cannot be written: {reason}")


def _is_actions(environment: Mapping[str, str]) -> bool:
    """Say whether this runs in GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def commands_off(environment: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """Let no line that is printed meanwhile be a command to Actions; elsewhere nothing happens."""
    if not _is_actions(environment):
        yield
        return
    token = secrets.token_hex(16)
    say(f"::stop-commands::{token}")
    try:
        yield
    finally:
        say(f"::{token}::")


def workflow_commands(report: Merged) -> list[str]:
    """Return a workflow command for what needs attention, ten of a kind at the most.

    FAIL, ERROR and INCONCLUSIVE are errors at their scenarios' files, a WARN is a warning there; a stale
    deviation is an error at its place in the baseline. Many of the one never hide all of the other.
    """
    dead = [
        _command("error", "", 1, adapter.name, adapter.entry.error)
        for adapter in report.adapters
        if adapter.entry.error
    ]
    stale = [_stale(adapter, each) for adapter in report.adapters for each in adapter.stale]
    told = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.attention()]
    errors = [_verdict(report, "error", *each) for each in told if each[1].status is not Status.WARN]
    warnings = [_verdict(report, "warning", *each) for each in told if each[1].status is Status.WARN]
    room = max(0, MAX_OF_KIND - len(dead))
    errors = [*dead, *stale[: max(room // 2, room - len(errors))], *errors]
    return errors[:MAX_OF_KIND] + warnings[:MAX_OF_KIND]


def _stale(adapter: Adapter, stale: StaleEntry) -> str:
    title = f"stale deviation {stale.deviation} ({adapter.name})"
    return _command("error", stale.file, stale.line, title, "\n".join(filter(None, (stale.fact, stale.fix))))


def _verdict(report: Merged, kind: str, adapter: Adapter, verdict: VerdictEntry) -> str:
    scenario = report.scenarios[verdict.scenario]
    title = f"{verdict.status.value} {verdict.scenario}:{verdict.requirement} ({adapter.name})"
    message = f"expected: {verdict.expected}\nseen: {verdict.seen}" if verdict.expected else verdict.seen
    return _command(kind, scenario.file, scenario.proves.get(verdict.requirement, 1), title, message)


def _command(kind: str, file: str, line: int, title: str, message: str) -> str:
    place = f"file={_property(file)},line={line}," if file else ""
    return f"::{kind} {place}title={_property(title)}::{_message(message)}"


def _message(text: str) -> str:
    cut = text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"
    return cut.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


def _append_summary(report: Merged, path: Path) -> None:
    """Append the summary to a file, within what it may still hold."""
    there = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8") as file:
        file.write(markdown_summary(report, most_bytes=max(0, MAX_BYTES - there - 1)) + "\n")
