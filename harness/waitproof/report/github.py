"""A run in GitHub Actions: annotations in its output, and the summary on the job's page.

An edge: it reads the environment that Actions sets and appends to its summary file. Text from adapters
must not be taken for a workflow command, so commands are switched off while it is printed.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from waitproof.errors import why
from waitproof.judge import Status
from waitproof.report.deaths import death_sentences
from waitproof.report.markdown import MAX_BYTES, markdown_summary
from waitproof.report.merge import Adapter, Merged
from waitproof.report.model import StaleEntry, VerdictEntry
from waitproof.text import command_message, command_property, shorten

__all__ = ["commands_off", "publish", "workflow_commands"]

MAX_OF_KIND = 10  # annotations of one kind in one step: GitHub drops any others
MAX_MESSAGE = 1_000  # characters


def publish(report: Merged, environment: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Print the annotations of a run in Actions, and append its summary where the environment asks for one.

    A summary that cannot be written is reported and doesn't change the run's outcome.
    """
    if _is_actions(environment):
        for line in workflow_commands(report):
            say(line)
    name = environment.get("GITHUB_STEP_SUMMARY", "")
    if name:
        try:
            _append_summary(report, Path(name))
        except OSError as error:
            say(f"GITHUB_STEP_SUMMARY: the summary cannot be written: {why(error)}")


def _is_actions(environment: Mapping[str, str]) -> bool:
    return environment.get("GITHUB_ACTIONS") == "true"


@contextlib.contextmanager
def commands_off(environment: Mapping[str, str], say: Callable[[str], None]) -> Iterator[None]:
    """Keep Actions from taking any line printed in this context for a command; elsewhere do nothing."""
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
    """Return the workflow commands for everything that needs attention, at most ten of a kind.

    FAIL, ERROR and INCONCLUSIVE are errors at their scenarios' files, a WARN is a warning there; a stale
    deviation is an error at its place in the baseline, and a process that died is one without a place. Many
    failures never hide all stale deviations, nor the other way round.
    """
    dead = [
        _command("error", "", 1, adapter.name, text)
        for adapter in report.adapters
        for text in (adapter.entry.error, *death_sentences(adapter.entry))
        if text
    ]
    stale = [_stale(adapter, each) for adapter in report.adapters for each in adapter.stale]
    attention = [(adapter, verdict) for adapter in report.adapters for verdict in adapter.attention()]
    errors = [_verdict(report, "error", *each) for each in attention if each[1].status is not Status.WARN]
    warnings = [_verdict(report, "warning", *each) for each in attention if each[1].status is Status.WARN]
    room = max(0, MAX_OF_KIND - len(dead))
    errors = [*dead, *stale[: max(room // 2, room - len(errors))], *errors]
    return errors[:MAX_OF_KIND] + warnings[:MAX_OF_KIND]


def _stale(adapter: Adapter, stale: StaleEntry) -> str:
    title = f"stale deviation {stale.deviation} ({adapter.name})"
    return _command("error", *stale.position, title, "\n".join(filter(None, (stale.fact, stale.fix))))


def _verdict(report: Merged, kind: str, adapter: Adapter, verdict: VerdictEntry) -> str:
    scenario = report.scenarios[verdict.scenario]
    title = f"{verdict.status.value} {verdict.scenario}:{verdict.requirement} ({adapter.name})"
    message = f"expected: {verdict.expected}\nseen: {verdict.seen}" if verdict.expected else verdict.seen
    return _command(kind, scenario.file, scenario.proves.get(verdict.requirement, 1), title, message)


def _command(kind: str, file: str, line: int, title: str, message: str) -> str:
    place = f"file={_property(file)},line={line}," if file else ""
    return f"::{kind} {place}title={_property(title)}::{command_message(shorten(message, MAX_MESSAGE))}"


def _property(text: str) -> str:
    return command_property(shorten(text, MAX_MESSAGE))


def _append_summary(report: Merged, path: Path) -> None:
    """Append the summary to a file, as far as there is room for it."""
    size = path.stat().st_size if path.exists() else 0
    with path.open("a", encoding="utf-8") as file:
        file.write(markdown_summary(report, most_bytes=max(0, MAX_BYTES - size - 1)) + "\n")
