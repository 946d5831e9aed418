"""The items: one for each adapter and requirement that a scenario proves, and for stale baseline entries."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from waitproof.adapter import AdapterSpec
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict
from waitproof.pytest_plugin import SESSION, WaitproofWarning
from waitproof.report import RequirementEntry, explain_verdict
from waitproof.run import Entry
from waitproof.suite import Scenario, ScenarioFile
from waitproof.text import escape

__all__ = ["BaselineItem", "SuiteFile", "UnjudgedError", "VerdictItem", "printable"]


def printable(text: str) -> str:
    """Return a text that is safe to print, with a backslash in what would be a workflow command on GitHub."""
    return re.sub(r"^(\s*)(?=::)|(?<=#)(?=#\[)", r"\1\\", escape(text), flags=re.MULTILINE)


class ReportedError(Exception):
    """What fails an item, a verdict or a stale baseline: its text is shown, without a traceback."""


class UnjudgedError(Exception):
    """No verdict about the SDK: the adapter or the harness is at fault."""


class _Item(pytest.Item):
    """An item about one adapter."""

    def __init__(self, *, spec: AdapterSpec, **more: Any) -> None:
        super().__init__(**more)
        self.spec = spec
        self.user_properties.append(("adapter", spec.name))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Show what is written for the reader without a traceback; any other error as pytest does."""
        if isinstance(excinfo.value, ReportedError | WaitproofWarning):
            return printable(str(excinfo.value))
        return str(super().repr_failure(excinfo, style))


class SuiteFile(pytest.File):
    """A file of a suite with items: what its scenarios prove, for each adapter.

    That is a scenario's file, or a contract, whose scenarios are those that it inherits.
    """

    def __init__(self, *, folder: Path, scenario: ScenarioFile | None, **more: Any) -> None:
        super().__init__(**more)
        self.folder = folder
        self._scenario = scenario

    @property
    def is_split(self) -> bool:
        """Whether pytest-xdist runs a part of this session's tests here, and others elsewhere."""
        return hasattr(self.config, "workerinput")

    def collect(self) -> Iterable[pytest.Item]:
        """Yield the items.

        Raises:
            CollectError: The file or its contract has mistakes, or pytest-xdist would split the run.
        """
        if self.is_split:
            raise self.CollectError(
                "waitproof plays all waits of a suite in one schedule, which pytest-xdist would split: "
                "run the suite without -n (all its waits are in flight at once anyway)"
            )
        session = self.config.stash[SESSION]
        try:
            source = session.source(self.folder)
            files = [self._scenario] if self._scenario else source.inherited()
            scenarios = [(file, source.read(file)) for file in files]
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for file, scenario in scenarios:
            for spec in session.specs_of(self.folder):
                for name in scenario.proves:
                    title = f"{name}[{spec.name}]"
                    title = f"{file.id}:{title}" if file.base else title
                    # As text: pytest 9.2 would not find the "[" of a name again, and `--lf` would forget it.
                    nodeid = f"{self.nodeid}::{title}"
                    facts = {"spec": spec, "folder": self.folder, "scenario": scenario, "requirement": name}
                    yield VerdictItem.from_parent(self, name=title, nodeid=nodeid, file=file.path, **facts)


class VerdictItem(_Item):
    """One requirement, judged in one scenario with one adapter.

    Attributes:
        file: The scenario's file, which is not the item's if it is inherited.
        entries: Entries of the adapter's baseline that fail this item if they are stale: it is the last item
            that they cover.
    """

    def __init__(
        self, *, folder: Path, file: Path, scenario: Scenario, requirement: str, **more: Any
    ) -> None:
        super().__init__(**more)
        self.folder = folder
        self.file = file
        self.scenario = scenario
        self.requirement = requirement
        self.entries: list[Entry] = []
        self._verdict: Verdict | None = None
        self.user_properties.append(("requirement", requirement))

    def setup(self) -> None:
        """Wait for the verdict; anything that isn't a verdict about the SDK is an error here.

        Only `pytest.fail` fails a setup without a traceback.
        """
        try:
            verdict = self.config.stash[SESSION].verdict(self)
        except UnjudgedError as error:
            pytest.fail(printable(str(error)), pytrace=False)
        if verdict.status is Status.ERROR:
            pytest.fail(printable(f"ERROR {verdict.requirement}: {verdict.seen}"), pytrace=False)
        self._verdict = verdict
        if verdict.excused:
            mark = pytest.mark.xfail(reason=verdict.excused, raises=ReportedError, strict=False)
            self.add_marker(mark)

    def runtest(self) -> None:
        """Turn the verdict into pytest's terms.

        Raises:
            ReportedError: It is FAIL or INCONCLUSIVE, or WARN where a baseline excuses it; or it passes, and
                an entry of the baseline says that it fails.
        """
        verdict = self._verdict
        assert verdict is not None
        self.user_properties.append(("status", verdict.status.value))
        if verdict.status in {Status.UNSUPPORTED, Status.NOT_APPLICABLE}:
            pytest.skip(printable(f"{verdict.status.value}: {verdict.seen}"))
        if verdict.status in {Status.FAIL, Status.INCONCLUSIVE} or verdict.excused:
            command = self.config.stash[SESSION].command_for(self)
            raise ReportedError(f"{self._explanation(verdict)}\n  {'again:':<13}{command}")
        if verdict.status is Status.WARN:
            warnings.warn(WaitproofWarning(printable(self._explanation(verdict))), stacklevel=1)
        session = self.config.stash[SESSION]
        stale = [each for entry in self.entries if (each := session.stale(self.spec, entry)) is not None]
        if stale:
            raise ReportedError("\n\n".join(str(each.mistake) for each in stale))

    def _explanation(self, verdict: Verdict) -> str:
        contract = self.config.stash[SESSION].source(self.folder).contract
        requirement = contract.requirement(verdict.requirement)
        return "\n".join(explain_verdict(self.spec.name, verdict, RequirementEntry.of(requirement)))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file, the line from 0 of the requirement's name under `proves`, and the item's title."""
        title = f"{self.scenario.id}:{self.requirement}[{self.spec.name}]"
        return self.file, self.scenario.line_of(self.requirement) - 1, title


class BaselineItem(_Item):
    """An entry of an adapter's baseline that no other item reports: it matches nothing, or has expired."""

    def __init__(self, *, entry: Entry, **more: Any) -> None:
        super().__init__(**more)
        self.entry = entry

    def runtest(self) -> None:
        """Fail with what is wrong with the entry.

        Raises:
            ReportedError: Always, unless the run can't know.
        """
        stale = self.config.stash[SESSION].stale(self.spec, self.entry)
        if stale is None:  # what was collected is not what was played: --lf, an interrupt
            pytest.skip("only a whole run shows whether it is stale")
        raise ReportedError(str(stale.mistake))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the baseline's file, the entry's line from 0, and the item's title."""
        file, line, _ = self.entry.place.rsplit(":", 2)
        return Path(file), int(line) - 1, self.name
