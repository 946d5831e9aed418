"""The runs behind a pytest session: adapters, contracts, and a run in a thread for each suite."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from waitproof.adapter import AdapterSpec, find_adapter, prepare, unique_names
from waitproof.errors import InputError
from waitproof.judge import Verdict
from waitproof.pytest_plugin.items import BaselineItem, ScenarioFile, UnjudgedError, VerdictItem
from waitproof.run import Baseline, Entry, Runner, SilentListener, Stale, load_baseline
from waitproof.suite import (
    CONTRACT,
    Contract,
    Scenario,
    Suite,
    load_contract,
    load_suite,
    scenario_paths,
    suite_above,
)

__all__ = ["Session"]


class Session:
    """Everything of one pytest session: adapters, contracts, and a run for each suite."""

    def __init__(self, config: pytest.Config, arguments: Sequence[str]) -> None:
        """Find the adapters.

        Args:
            config: pytest's.
            arguments: What the user typed to name the adapters; at least one.

        Raises:
            UsageError: One of them does not exist, or its files have mistakes.
        """
        self._config = config
        try:
            self.specs: Sequence[AdapterSpec] = unique_names([find_adapter(each) for each in arguments])
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        self._contracts: dict[Path, Contract] = {}
        self._baselines: dict[str, Baseline] = {}
        self._runs: dict[Path, _Run] = {}

    def scenario_file(self, file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
        """Return the collector of a YAML file; None where it isn't a scenario of a suite."""
        folder = suite_above(file_path)
        if folder is None or file_path == folder / CONTRACT:
            return None
        if any(part.startswith(".") for part in file_path.relative_to(folder).parts):
            return None
        return ScenarioFile.from_parent(parent, path=file_path, folder=folder)

    def contract(self, folder: Path) -> Contract:
        """Return the contract in a folder, read once.

        Raises:
            InputError: It has mistakes.
        """
        if folder not in self._contracts:
            self._contracts[folder] = load_contract(folder / CONTRACT)
        return self._contracts[folder]

    def refuse_xdist(self) -> None:
        """Stop where pytest-xdist would split a run whose waits must be scheduled together.

        Raises:
            UsageError: pytest-xdist distributes this session.
        """
        if hasattr(self._config, "workerinput") or getattr(self._config.option, "numprocesses", None):
            raise pytest.UsageError(
                "waitproof plays all waits of a suite in one schedule, which pytest-xdist would split: "
                "run the suite without -n (all its waits are in flight at once anyway)"
            )

    def start(self, collected: Sequence[pytest.Item]) -> None:
        """Prepare the adapters and start a run for each suite that has items.

        Raises:
            UsageError: An adapter cannot be prepared.
        """
        items = [item for item in collected if isinstance(item, VerdictItem)]
        used = {item.spec.name: item.spec for item in items}
        try:
            for spec in used.values():
                prepare(spec, lambda _line: None)
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        baselines = {spec.name: self._baseline(spec) for spec in used.values()}
        for spec in used.values():
            own_items = [item for item in items if item.spec.name == spec.name]
            for entry in baselines[spec.name].entries:
                covered = [
                    each for each in own_items if entry.known.covers(each.scenario.id, each.requirement)
                ]
                if covered and entry.expiry is None:
                    covered[-1].entries.append(entry)
        knows_any = any(baseline.entries for baseline in baselines.values())
        for folder in dict.fromkeys(item.folder for item in items):
            chosen = [item for item in items if item.folder == folder]
            suite = _suite_of(folder, self.contract(folder), chosen)
            whole = _whole_suite(folder) if knows_any else None
            self._runs[folder] = _Run(suite, whole, chosen, baselines)

    def baseline_items(
        self, session: pytest.Session, collected: Sequence[pytest.Item]
    ) -> Iterator[BaselineItem]:
        """Yield an item for each entry that has expired, or that matches nothing in a whole run.

        Raises:
            UsageError: A baseline has mistakes.
        """
        chosen = [item for item in collected if isinstance(item, VerdictItem)]
        for spec in {item.spec.name: item.spec for item in chosen}.values():
            own_items = [item for item in chosen if item.spec.name == spec.name]
            is_whole = _is_whole(own_items)
            for entry in self._baseline(spec).entries:
                covers = any(entry.known.covers(each.scenario.id, each.requirement) for each in own_items)
                if (covers and entry.expiry is not None) or (is_whole and not covers):
                    title = f"{entry.known.deviation}[{spec.name}]"
                    nodeid = f"{spec.baseline}::{title}"
                    yield BaselineItem.from_parent(session, name=title, nodeid=nodeid, spec=spec, entry=entry)

    def _baseline(self, spec: AdapterSpec) -> Baseline:
        if spec.name not in self._baselines:
            try:
                self._baselines[spec.name] = load_baseline(spec.baseline)
            except InputError as error:
                raise pytest.UsageError(str(error)) from None
        return self._baselines[spec.name]

    def stale(self, spec: AdapterSpec, entry: Entry) -> Stale | None:
        """Return what is wrong with an entry of an adapter's baseline, once that is known; None for nothing.

        With several suites, the ones in which it covers something decide.
        """
        answers = [each for run in self._runs.values() if (each := run.stale(spec.name, entry)) is not None]
        found = [stale for covers, stale in answers if covers] or [stale for _, stale in answers]
        return None if None in found else next(iter(found), None)

    def verdict(self, item: VerdictItem) -> Verdict:
        """Return an item's verdict, once it is known."""
        return self._runs[item.folder].verdict(item)

    def stop(self) -> None:
        """End every run that is still going."""
        for run in self._runs.values():
            run.stop()


class _Listener(SilentListener):
    """Passes on the final verdicts."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Wake the items that wait for these verdicts."""
        if final:
            self._run.settle(adapter, scenario.id, verdicts)


class _Run:
    """One suite's run, in a separate thread."""

    def __init__(
        self,
        chosen: Suite,
        whole: Suite | None,
        items: Sequence[VerdictItem],
        baselines: dict[str, Baseline],
    ) -> None:
        specs = {item.spec.name: item.spec for item in items}
        self._changed = threading.Condition()
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}
        self._error: BaseException | None = None
        self._is_over = False
        self._runner = Runner(
            whole or chosen,
            [spec.launch() for spec in specs.values()],
            scenarios=chosen.scenarios,
            baselines=baselines,
            knows_suite=whole is not None,
            listener=_Listener(self),
        )
        self._adapters = set(specs)
        self._pairs = [(each.id, name) for each in chosen.scenarios for name in each.proves]
        self._thread = threading.Thread(target=self._body, name=f"waitproof {chosen.name}", daemon=True)
        self._thread.start()

    def _body(self) -> None:
        try:
            self._runner.run()
        except BaseException as error:  # noqa: BLE001 - every waiting item reports it
            self._error = error
        finally:
            with self._changed:
                self._is_over = True
                self._changed.notify_all()

    def settle(self, adapter: str, scenario_id: str, verdicts: Sequence[Verdict]) -> None:
        with self._changed:
            for verdict in verdicts:
                self._verdicts[adapter, scenario_id, verdict.requirement] = verdict
            self._changed.notify_all()

    def verdict(self, item: VerdictItem) -> Verdict:
        key = (item.spec.name, item.scenario.id, item.requirement)
        with self._changed:
            self._changed.wait_for(lambda: key in self._verdicts or self._is_over)
            if key in self._verdicts:
                return self._verdicts[key]
        if self._error is not None:
            raise UnjudgedError(f"the run ended before this verdict: {self._error}")
        raise UnjudgedError("the run ended before this verdict")

    def stale(self, adapter: str, entry: Entry) -> tuple[bool, Stale | None] | None:
        """Return whether an entry covers anything here, and what is wrong with it, once that is known.

        None where the adapter is not run here.
        """
        if adapter not in self._adapters:
            return None
        covered = {(adapter, *pair) for pair in self._pairs if entry.known.covers(*pair)}
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_over or bool(covered and covered <= self._verdicts.keys())
            )
        result = next(each for each in self._runner.result.adapters if each.name == adapter)
        stale = (each for each in self._runner.stale(result) if each.entry is entry)
        return bool(covered), next(stale, None)

    def stop(self) -> None:
        if not self._is_over:
            self._runner.cancel()
        self._thread.join()


def _is_whole(items: Sequence[VerdictItem]) -> bool:
    """Say whether these items of one adapter are all that their suites have."""
    chosen = {(item.path, item.requirement) for item in items}
    wanted = {(item.path, name) for item in items for name in item.scenario.proves}
    files = {path for folder in {item.folder for item in items} for path in scenario_paths(folder)}
    return chosen == wanted and files <= {path for path, _ in chosen}


def _whole_suite(folder: Path) -> Suite | None:
    """Return all of a suite; None where a file of it that is not played cannot be read."""
    try:
        return load_suite(folder)
    except InputError:
        return None


def _suite_of(folder: Path, contract: Contract, items: Sequence[VerdictItem]) -> Suite:
    """Return a suite of only the scenarios and requirements of these items."""
    wanted: dict[str, set[str]] = {}
    for item in items:
        wanted.setdefault(item.scenario.id, set()).add(item.requirement)
    scenarios = {item.scenario.id: item.scenario for item in items}
    files = {item.scenario.id: item.path for item in items}
    chosen = tuple(
        scenario.model_copy(update={"proves": tuple(n for n in scenario.proves if n in wanted[scenario.id])})
        for scenario in scenarios.values()
    )
    return Suite(folder, contract, chosen, files)
