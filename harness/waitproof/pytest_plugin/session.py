"""The runs behind a pytest session: adapters, contracts, and a run in a thread for each suite."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from functools import cache
from pathlib import Path

import pytest

from waitproof.adapter import AdapterSpec, find_adapter, prepare, unique_names
from waitproof.errors import InputError
from waitproof.judge import Verdict
from waitproof.pytest_plugin.items import BaselineItem, SuiteFile, UnjudgedError, VerdictItem
from waitproof.report import sentences_about
from waitproof.run import Baseline, Entry, Runner, SilentListener, Stale, load_baseline
from waitproof.suite import (
    CONTRACT,
    Contract,
    Scenario,
    ScenarioFile,
    Source,
    Suite,
    bundled_suite,
    id_of,
    load_source,
    load_suite,
    loose_files,
    suite_above,
    suite_folder,
)

__all__ = ["Session"]


class Session:
    """Everything of one pytest session: adapters, contracts, and a run for each suite."""

    def __init__(
        self,
        config: pytest.Config,
        arguments: Sequence[str],
        suite: str | None = None,
        loose: Sequence[str] = (),
    ) -> None:
        """Find the adapters, the suite and the further scenarios that the user named.

        Raises:
            UsageError: One of them does not exist, or its files have mistakes.
        """
        self._config = config
        self._arguments = ["--suite", suite] if suite else []
        self._arguments += [word for each in loose for word in ("--scenarios", each)]
        self._loose_paths = [Path(each) for each in loose]
        try:
            specs = unique_names([find_adapter(each) for each in arguments])
            self._baselines = {spec.name: load_baseline(spec.baseline) for spec in specs}
            self._own = {spec.name: spec.suite_folder() for spec in specs}
            self._chosen = suite_folder(suite, option="--waitproof-suite").resolve() if suite else None
            files = loose_files(self._loose_paths, option="--waitproof-scenarios")
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        self._specs = specs
        self._is_refused = False
        self._loose = {each.path.resolve(): each for each in files}
        if self._loose and self._chosen is None:
            named = [each for each in self._own.values() if each is not None]
            self._chosen = (named[0] if named else bundled_suite()).resolve()
        # The contract in a folder and where its scenarios are, read once; InputError if it has mistakes.
        self.source = cache(lambda folder: load_source(folder, self._loose_of(folder)))
        self._runs: dict[Path, _Run] = {}

    def paths(self) -> list[str]:
        """Return what to collect besides the paths on the command line.

        Without any, that is also the suite that an adapter names.
        """
        folders = [] if self._chosen is None else [self._chosen, *self._loose_paths]
        if self._chosen is None and not self._config.getoption("file_or_dir"):
            folders = [each for each in self._own.values() if each is not None]
        return [str(each) for each in dict.fromkeys(folders)]

    def specs_of(self, folder: Path) -> list[AdapterSpec]:
        """Return the adapters that are judged by the suite in a folder."""
        if folder.resolve() == self._chosen:
            return list(self._specs)
        source: Source | None = self.source(folder)
        family = set()
        while source is not None:  # an SDK of that suite, or of one that it extends
            family.add(source.folder.resolve())
            source = source.base
        own = self._own
        return [
            each for each in self._specs if (named := own[each.name]) is None or named.resolve() in family
        ]

    def file(self, file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
        """Return the collector of a YAML file; None where it has no scenario of a suite.

        Where pytest-xdist would split the run, only the first one is collected, and refuses that.
        """
        if self._is_refused:
            return None
        file = self._file(file_path, parent)
        self._is_refused = file is not None and file.is_split
        return file

    def _file(self, file_path: Path, parent: pytest.Collector) -> SuiteFile | None:
        loose = self._loose.get(file_path.resolve())
        if loose is not None:
            return SuiteFile.from_parent(parent, path=file_path, folder=self._chosen, scenario=loose)
        folder = suite_above(file_path)
        if folder is None or any(part.startswith(".") for part in file_path.relative_to(folder).parts):
            return None
        if file_path != folder / CONTRACT:
            scenario: ScenarioFile | None = ScenarioFile(id_of(file_path, folder), file_path)
        elif self._inherits_nothing(folder):
            return None
        else:
            scenario = None
        return SuiteFile.from_parent(parent, path=file_path, folder=folder, scenario=scenario)

    def _inherits_nothing(self, folder: Path) -> bool:
        try:
            return self.source(folder).base is None
        except InputError:  # its collector reports it
            return False

    def _loose_of(self, folder: Path) -> Sequence[Path]:
        return self._loose_paths if folder.resolve() == self._chosen else ()

    def command_for(self, item: VerdictItem) -> str:
        """Return the command that repeats one item, from the folder in which pytest was started."""
        if self._arguments:  # with them, pytest would run the whole suite
            pattern = f"{item.scenario.id}:{item.requirement}"
            adapter = ["--adapter", item.spec.argument]
            return shlex.join(["waitproof", "run", *adapter, *self._arguments, "-k", pattern])
        start = self._config.invocation_params.dir
        path = item.path.relative_to(start) if item.path.is_relative_to(start) else item.path
        return shlex.join(["pytest", f"{path}::{item.name}", "--waitproof-adapter", item.spec.argument])

    def start(self, collected: Sequence[pytest.Item]) -> None:
        """Prepare the adapters and start a run for each suite that has items.

        Raises:
            UsageError: An adapter cannot be prepared.
        """
        items = [item for item in collected if isinstance(item, VerdictItem)]
        try:
            for spec in _specs(items):
                prepare(spec, lambda _line: None)
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        baselines = {spec.name: self._baselines[spec.name] for spec in _specs(items)}
        for spec in _specs(items):
            for entry in baselines[spec.name].entries:
                covered = _covered(items, spec, entry)
                if covered and entry.expiry is None:
                    covered[-1].entries.append(entry)
        for folder in dict.fromkeys(item.folder for item in items):
            chosen = [item for item in items if item.folder == folder]
            whole = None
            if any(baseline.entries for baseline in baselines.values()):
                with contextlib.suppress(InputError):  # of a file of the suite that is not played
                    whole = load_suite(folder, self._loose_of(folder))
            self._runs[folder] = _Run(
                _suite_of(folder, self.source(folder).contract, chosen), whole, chosen, baselines
            )

    def baseline_items(
        self, session: pytest.Session, collected: Sequence[pytest.Item]
    ) -> Iterator[BaselineItem]:
        """Yield an item for each entry that has expired, or that matches nothing in a whole run."""
        items = [item for item in collected if isinstance(item, VerdictItem)]
        for spec in _specs(items):
            is_whole = self._is_whole([item for item in items if item.spec is spec])
            for entry in self._baselines[spec.name].entries:
                covers = bool(_covered(items, spec, entry))
                if (covers and entry.expiry is not None) or (is_whole and not covers):
                    title = f"{entry.known.deviation}[{spec.name}]"
                    nodeid = f"{spec.baseline}::{title}"
                    yield BaselineItem.from_parent(session, name=title, nodeid=nodeid, spec=spec, entry=entry)

    def _is_whole(self, items: Sequence[VerdictItem]) -> bool:
        """Say whether these items of one adapter are all that their suites have."""
        chosen = {(item.file, item.requirement) for item in items}
        wanted = {(item.file, name) for item in items for name in item.scenario.proves}
        files: set[Path] = set()
        for folder in {item.folder for item in items}:
            source = self.source(folder)
            for file in source.files()[0].values():
                try:
                    is_played = file.base is None or bool(source.read(file).proves)
                except InputError:  # an inherited scenario that does not fit this contract
                    return False
                if is_played:
                    files.add(file.path)
        return chosen == wanted and files <= {path for path, _ in chosen}

    def stale(self, spec: AdapterSpec, entry: Entry) -> Stale | None:
        """Return what is wrong with an entry of an adapter's baseline, once that is known; None for nothing.

        With several suites, the ones in which it covers something decide.
        """
        answers = [each for run in self._runs.values() if (each := run.stale(spec.name, entry)) is not None]
        found = [stale for covers, stale in answers if covers] or [stale for _, stale in answers]
        return None if None in found else next(iter(found), None)

    def verdict(self, item: VerdictItem) -> Verdict:
        """Return an item's verdict, once it is known.

        Raises:
            UnjudgedError: The run has ended without it.
        """
        return self._runs[item.folder].verdicts[item.spec.name, item.scenario.id, item.requirement].result()

    def stop(self) -> None:
        """End every run that is still going."""
        for run in self._runs.values():
            run.stop()

    def deaths(self) -> list[str]:
        """Return a sentence for each process of an adapter that died, once the runs have ended."""
        return [line for run in self._runs.values() for line in run.deaths()]


class _Run(SilentListener):
    """One suite's run, in a separate thread.

    Attributes:
        verdicts: By adapter, scenario and requirement.
    """

    def __init__(
        self,
        chosen: Suite,
        whole: Suite | None,
        items: Sequence[VerdictItem],
        baselines: dict[str, Baseline],
    ) -> None:
        specs = _specs(items)
        self.verdicts: dict[tuple[str, str, str], Future[Verdict]] = {
            (spec.name, scenario.id, name): Future()
            for spec in specs
            for scenario in chosen.scenarios
            for name in scenario.proves
        }
        self._names = [spec.name for spec in specs]
        self._runner = Runner(
            whole or chosen,
            [spec.launch() for spec in specs],
            scenarios=chosen.scenarios,
            baselines=[baselines[spec.name] for spec in specs],
            knows_suite=whole is not None,
            listener=self,
        )
        self._thread = threading.Thread(target=self._body, name=f"waitproof {chosen.name}", daemon=True)
        self._thread.start()

    def _body(self) -> None:
        message = "the run ended before this verdict"
        try:
            self._runner.run()
        except BaseException as error:  # noqa: BLE001 - every waiting item reports it
            message += f": {error}"
        for future in self.verdicts.values():
            if not future.done():
                future.set_exception(UnjudgedError(message))

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Wake the items that wait for these verdicts, if they are final."""
        for verdict in verdicts if final else ():
            key = (adapter, scenario.id, verdict.requirement)
            if self.verdicts[key].done():  # the adapter has failed since
                self.verdicts[key] = Future()
            self.verdicts[key].set_result(verdict)

    def stale(self, adapter: str, entry: Entry) -> tuple[bool, Stale | None] | None:
        """Return whether an entry covers anything here, and what is wrong with it, once that is known.

        None where the adapter is not run here.
        """
        if adapter not in self._names:
            return None
        known = entry.known
        covered = [
            self.verdicts[key] for key in self.verdicts if key[0] == adapter and known.covers(*key[1:])
        ]
        wait(covered)
        if not covered:
            self._thread.join()
        number = self._names.index(adapter)
        stale = (each for each in self._runner.stale(number) if each.entry is entry)
        return bool(covered), next(stale, None)

    def deaths(self) -> list[str]:
        """Return a sentence for each process of an adapter that died; none where it could not be run."""
        adapters = [each for each in self._runner.result.adapters if not each.error]
        return [f"{each.name}: {line}" for each in adapters for line in sentences_about(each.deaths)]

    def stop(self) -> None:
        """End the run if it is still going."""
        if self._thread.is_alive():
            self._runner.cancel()
        self._thread.join()


def _specs(items: Iterable[VerdictItem]) -> list[AdapterSpec]:
    """Return the adapters of some items."""
    return list({item.spec.name: item.spec for item in items}.values())


def _covered(items: Iterable[VerdictItem], spec: AdapterSpec, entry: Entry) -> list[VerdictItem]:
    """Return the items that an entry of an adapter's baseline covers."""
    covers = entry.known.covers
    return [each for each in items if each.spec is spec and covers(each.scenario.id, each.requirement)]


def _suite_of(folder: Path, contract: Contract, items: Sequence[VerdictItem]) -> Suite:
    """Return a suite of only the scenarios and requirements of these items."""
    wanted = {(item.scenario.id, item.requirement) for item in items}
    chosen = tuple(
        each.model_copy(update={"proves": tuple(name for name in each.proves if (each.id, name) in wanted)})
        for each in {item.scenario.id: item.scenario for item in items}.values()
    )
    return Suite(folder, contract, chosen, {item.scenario.id: item.file for item in items})
