"""What a run is to play: which suite judges which adapters, and where that suite's reports go.

An adapter is judged by the suite that its adapter.yaml names, unless `--suite` names one for all. Each suite
is a run with its own reports.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from waitproof.adapter import AdapterSpec
from waitproof.cli.last_failed import LastFailed
from waitproof.cli.options import suite_of
from waitproof.errors import InputError, Mistake
from waitproof.report import is_stream
from waitproof.simulate import forecast
from waitproof.suite import Scenario, Suite, load_suite, narrowed, select

__all__ = ["QUICK_S", "SuiteRun", "only_failed", "plan"]

QUICK_S = 15.0  # a scenario that takes as long is not played with --quick


@dataclass(frozen=True)
class SuiteRun:
    """A suite and the adapters that it judges.

    Attributes:
        scenarios: Those of its scenarios that are to be played.
        left_out: Those that are selected, and that --quick leaves out.
        is_only: There is no other suite in this command.
    """

    suite: Suite
    scenarios: Sequence[Scenario]
    specs: Sequence[AdapterSpec]
    left_out: Sequence[Scenario]
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
    exclude_place = options.configured.get("exclude", "--exclude")
    known = [scenario for suite in suites.values() for scenario in suite.scenarios]
    selected = {
        (scenario.id, name)
        for scenario in select(known, options.patterns, options.exclude, exclude_place=exclude_place)
        for name in scenario.proves
    }
    played = []
    for resolved, suite in suites.items():
        chosen = narrowed(suite.scenarios, selected)
        quick, long = _by_length(suite, chosen) if options.quick else (chosen, ())
        if quick:
            played.append((suite, quick, groups[resolved], long))
    if not played:
        fact = f"all that is selected takes {QUICK_S:g} s or longer"
        raise InputError(Mistake("--quick", fact, fix="run it without --quick"))
    return [SuiteRun(*each, is_only=len(played) == 1) for each in played]


def only_failed(
    runs: list[SuiteRun], state: LastFailed, say: Callable[[str], None], fail_on: str
) -> list[SuiteRun]:
    """Return the runs with only what failed when it was last run; as they are where that is nothing."""
    found = []
    for run in runs:
        selected = {(scenario.id, name) for scenario in run.scenarios for name in scenario.proves}
        failed = {spec.name: state.pairs(spec, run.suite.name) & selected for spec in run.specs}
        if specs := [spec for spec in run.specs if failed[spec.name]]:
            scenarios = narrowed(run.scenarios, set().union(*failed.values()))
            found.append(dataclasses.replace(run, scenarios=scenarios, specs=specs))
    if not found:
        say("--last-failed: nothing that is selected failed last time, so all of it is run")
        return runs
    if fail_on != "should":
        say("--last-failed: a WARN is run again only with --fail-on should")
    return [dataclasses.replace(run, is_only=len(found) == 1) for run in found]


def _by_length(
    suite: Suite, scenarios: Sequence[Scenario]
) -> tuple[tuple[Scenario, ...], tuple[Scenario, ...]]:
    """Return the scenarios that a run with --quick plays, and those that take too long for it."""
    quick: list[Scenario] = []
    long: list[Scenario] = []
    for scenario in scenarios:
        is_long = forecast(suite.contract, scenario).length_s >= QUICK_S
        (long if is_long else quick).append(scenario)
    return tuple(quick), tuple(long)


def _check_names(suites: Sequence[Suite]) -> None:
    names: dict[str, Path] = {}
    for suite in suites:
        first = names.setdefault(suite.name, suite.folder)
        if first != suite.folder:
            fact = f"{first} and {suite.folder} have the same name, '{suite.name}'"
            raise InputError(Mistake("waitproof run", fact, fix="give one of them another 'name'"))
