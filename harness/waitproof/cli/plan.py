"""What a run is to play: which suite judges which adapters, and where that suite's reports go.

An adapter is judged by the suite that its adapter.yaml names, unless `--suite` names one for all. Each suite
is a run with its own reports.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waitproof.adapter import AdapterSpec
from waitproof.cli.options import suite_of
from waitproof.errors import InputError, Mistake
from waitproof.report import is_stream
from waitproof.suite import Scenario, Suite, load_suite, select

__all__ = ["SuiteRun", "plan"]


@dataclass(frozen=True)
class SuiteRun:
    """A suite and the adapters that it judges.

    Attributes:
        scenarios: Those of its scenarios that are to be played.
        is_only: There is no other suite in this command.
    """

    suite: Suite
    scenarios: Sequence[Scenario]
    specs: Sequence[AdapterSpec]
    is_only: bool

    def path(self, requested: Path) -> Path:
        """Return the file of this suite's report: with several suites, `report-stream.json` and so on."""
        if self.is_only or is_stream(requested):
            return requested
        return requested.with_name(f"{requested.stem}-{self.suite.name}{requested.suffix}")

    def paths(self, requested: Mapping[str, Path]) -> dict[str, Path]:
        """Return the same for the files of several options."""
        return {option: self.path(path) for option, path in requested.items()}


def plan(options: argparse.Namespace, specs: Sequence[AdapterSpec]) -> list[SuiteRun]:
    """Return a run for each suite, in the order in which the adapters need them.

    Raises:
        InputError: A suite has mistakes, a pattern matches nothing in any of them, or it is not clear which
            suite further scenarios are for.
    """
    groups: dict[Path, list[AdapterSpec]] = {}
    folders: dict[Path, Path] = {}
    for spec in specs:
        folder = suite_of(options, spec)
        groups.setdefault(folder.resolve(), []).append(spec)
        folders.setdefault(folder.resolve(), folder)
    if len(groups) > 1 and options.scenarios:
        fact = "these adapters are judged by several suites, and it is not clear which one this is for"
        raise InputError(
            Mistake("--scenarios", fact, fix="run the adapters of one suite, or name it: --suite")
        )
    suites = {resolved: load_suite(folder, options.scenarios) for resolved, folder in folders.items()}
    _check_names(list(suites.values()))
    chosen = _select([suite.scenarios for suite in suites.values()], options.patterns)
    played = [
        (suite, scenarios, groups[resolved])
        for (resolved, suite), scenarios in zip(suites.items(), chosen, strict=True)
        if scenarios
    ]
    return [SuiteRun(*each, is_only=len(played) == 1) for each in played]


def _check_names(suites: Sequence[Suite]) -> None:
    names: dict[str, Path] = {}
    for suite in suites:
        first = names.setdefault(suite.name, suite.folder)
        if first != suite.folder:
            fact = f"{first} and {suite.folder} have the same name, '{suite.name}'"
            raise InputError(Mistake("waitproof run", fact, fix="give one of them another 'name'"))


def _select(suites: Sequence[Sequence[Scenario]], patterns: Sequence[str]) -> list[tuple[Scenario, ...]]:
    """Return what the patterns select of each suite; each pattern must match in one of them."""
    fitting: list[list[str]] = [[] for _ in suites]
    for pattern in patterns:
        errors = []
        for own, scenarios in zip(fitting, suites, strict=True):
            try:
                select(scenarios, [pattern])
                own.append(pattern)
            except InputError as error:
                errors.append(error)
        if len(errors) == len(suites):
            raise errors[0]
    return [
        select(scenarios, own) if own or not patterns else ()
        for own, scenarios in zip(fitting, suites, strict=True)
    ]
