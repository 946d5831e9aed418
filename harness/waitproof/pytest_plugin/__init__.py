"""The suite as pytest items: one for each requirement that a scenario proves, and adapter.

Thin over `runner`, like the command line: `pytest scenarios --adapter adapters/getstream-python`. YAML files
are collected only below a contract.yaml, and only when an adapter is named. The run starts when pytest's
test loop starts and plays what was selected, all of it along the schedule; each item waits for its
verdict. Only pytest's public interface is used. The fixture `task_server` serves tests of a client's own.
"""

from __future__ import annotations

import shlex
import threading
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from waitproof.adapter.folder import AdapterSpec, find_adapter, load_baseline, prepare, unique_names
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict
from waitproof.mock.server import TaskServer
from waitproof.report.text import explain_verdict, plain
from waitproof.run.baseline import Baseline, Entry, Stale
from waitproof.run.runner import Runner
from waitproof.suite.catalog import Catalog
from waitproof.suite.contract import Contract
from waitproof.suite.files import (
    CONTRACT,
    Suite,
    load_contract,
    load_scenario,
    load_suite,
    proves_line,
    scenario_paths,
    suite_above,
)
from waitproof.suite.scenario import Scenario

__all__ = [
    "BaselineItem",
    "DeviationError",
    "ScenarioFile",
    "StaleBaselineError",
    "VerdictItem",
    "WaitproofWarning",
    "task_server",
    "task_server_suite",
]

_RUNS = pytest.StashKey["_Runs"]()


class WaitproofWarning(UserWarning):
    """A SHOULD that an SDK does not keep."""


class DeviationError(Exception):
    """A verdict that is no PASS, as pytest sees it.

    Attributes:
        verdict: The verdict.
    """

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(f"{verdict.status.value} {verdict.requirement}: {verdict.seen}")


class StaleBaselineError(Exception):
    """Entries of a baseline that hold no more.

    Attributes:
        stale: The entries.
    """

    def __init__(self, stale: Sequence[Stale]) -> None:
        self.stale = tuple(stale)
        super().__init__(plain("\n\n".join(str(each.mistake) for each in stale)))


class UnjudgedError(Exception):
    """No verdict about the SDK: the adapter or the harness is at fault."""


# --- options ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def task_server_suite() -> Path | None:
    """Return the folder of the suite whose scenarios `task_server` knows; None for the one of waitproof.

    Define a fixture of this name of your own to serve another one.
    """
    return None


@pytest.fixture
def task_server(task_server_suite: Path | None) -> Iterator[TaskServer]:
    """Yield a mock task server that listens: `add` a scenario's task, point a client at `base_url`."""
    with TaskServer(catalog=Catalog(task_server_suite)) as server:
        yield server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--adapter`, and the ini option for a project's usual adapters."""
    group = parser.getgroup("waitproof", "conformance of an SDK's wait helper")
    group.addoption(
        "--adapter",
        action="append",
        default=[],
        metavar="X",
        help="adapter of the SDK to judge: a folder with adapter.yaml, else a command; may be repeated",
    )
    parser.addini("waitproof_adapters", "adapters where --adapter is not given", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Make the place where the runs of this session are kept.

    Raises:
        UsageError: An adapter that was named is not there, or not as it must be.
    """
    runs = config.stash[_RUNS] = _Runs(config)
    try:
        runs.specs()
    except InputError as error:
        raise pytest.UsageError(str(error)) from None


# --- collection ---------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a YAML file below a contract, when there is an adapter to judge."""
    if file_path.suffix not in {".yaml", ".yml"} or not parent.config.stash[_RUNS].arguments:
        return None
    folder = suite_above(file_path)
    if folder is None or file_path == folder / CONTRACT:
        return None
    if any(part.startswith(".") for part in file_path.relative_to(folder).parts):
        return None
    return ScenarioFile.from_parent(parent, path=file_path, folder=folder)


class ScenarioFile(pytest.File):
    """One scenario file; its items are what it proves, for each adapter."""

    def __init__(self, *, folder: Path, **more: Any) -> None:
        super().__init__(**more)
        self.folder = folder

    def collect(self) -> Iterable[pytest.Item]:
        """Yield the items.

        Raises:
            CollectError: The file, its contract or an adapter is not as it must be.
        """
        runs = self.config.stash[_RUNS]
        try:
            specs = runs.specs()
            contract = runs.contract(self.folder)
            scenario = load_scenario(self.path, self.folder, contract)
        except InputError as error:
            raise self.CollectError(str(error)) from None
        runs.refuse_xdist()
        for spec in specs:
            for name in scenario.proves:
                title = f"{name}[{spec.name}]"
                # As text: pytest 9.2 would not find the "[" of a name again, and `--lf` would forget it.
                nodeid = f"{self.nodeid}::{title}"
                yield VerdictItem.from_parent(
                    self, name=title, nodeid=nodeid, spec=spec, scenario=scenario, requirement=name
                )


class VerdictItem(pytest.Item):
    """One requirement, judged in one scenario with one adapter.

    Attributes:
        entries: Entries of the adapter's baseline that fail this item where they are kept by now: it is the
            last one that they cover.
    """

    def __init__(
        self,
        *,
        spec: AdapterSpec,
        scenario: Scenario,
        requirement: str,
        **more: Any,
    ) -> None:
        super().__init__(**more)
        self.spec = spec
        self.scenario = scenario
        self.requirement = requirement
        self.entries: list[Entry] = []
        self._verdict: Verdict | None = None
        self.user_properties.append(("adapter", spec.name))
        self.user_properties.append(("requirement", requirement))

    @property
    def folder(self) -> Path:
        """The suite's folder."""
        assert isinstance(self.parent, ScenarioFile)
        return self.parent.folder

    def setup(self) -> None:
        """Wait for the verdict; what is no verdict about the SDK is an error here.

        What fails in a setup is shown without its traceback by `pytest.fail` alone.
        """
        trouble = ""
        verdict: Verdict | None = None
        try:
            verdict = self.config.stash[_RUNS].verdict(self)
        except UnjudgedError as error:
            trouble = str(error)
        if verdict is not None and verdict.status is Status.ERROR:
            trouble = f"ERROR {verdict.requirement}: {verdict.seen}"
        if verdict is None or trouble:
            pytest.fail(plain(trouble), pytrace=False)
        self._verdict = verdict
        if verdict.excused:
            mark = pytest.mark.xfail(reason=verdict.excused, raises=DeviationError, strict=False)
            self.add_marker(mark)

    def runtest(self) -> None:
        """Turn the verdict into pytest's terms.

        Raises:
            DeviationError: It is FAIL or INCONCLUSIVE, or WARN where a baseline excuses it.
            StaleBaselineError: It is as it should be, and an entry of the baseline says that it is not.
        """
        verdict = self._verdict
        assert verdict is not None
        self.user_properties.append(("status", verdict.status.value))
        if verdict.status in {Status.UNSUPPORTED, Status.NOT_APPLICABLE}:
            pytest.skip(f"{verdict.status.value}: {verdict.seen}")
        if verdict.status in {Status.FAIL, Status.INCONCLUSIVE} or verdict.excused:
            raise DeviationError(verdict)
        if verdict.status is Status.WARN:
            told = "\n".join(self._told(verdict))
            warnings.warn(WaitproofWarning(told), stacklevel=1)
        runs = self.config.stash[_RUNS]
        stale = [each for entry in self.entries if (each := runs.stale(self.spec, entry)) is not None]
        if stale:
            raise StaleBaselineError(stale)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Show a verdict in full and no traceback; trouble of pytest itself as pytest does."""
        if isinstance(excinfo.value, DeviationError):
            argument = self.config.stash[_RUNS].argument(self.spec)
            command = shlex.join(["pytest", self.nodeid, "--adapter", argument])
            again = plain(f"  {'again:':<13}{command}")
            return "\n".join([*self._told(excinfo.value.verdict), again])
        if isinstance(excinfo.value, WaitproofWarning):
            return plain(str(excinfo.value))
        if isinstance(excinfo.value, StaleBaselineError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def _told(self, verdict: Verdict) -> list[str]:
        requirement = self.config.stash[_RUNS].contract(self.folder).requirement(verdict.requirement)
        return explain_verdict(self.spec.name, verdict, requirement)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the file, the line from 0 of the requirement's name under `proves`, and the item's title."""
        return self.path, proves_line(self.path, self.requirement), f"{self.scenario.id}:{self.name}"


class BaselineItem(pytest.Item):
    """An entry of an adapter's baseline that no item can tell of: it matches nothing, or has expired."""

    def __init__(self, *, spec: AdapterSpec, entry: Entry, **more: Any) -> None:
        super().__init__(**more)
        self.spec = spec
        self.entry = entry
        self.user_properties.append(("adapter", spec.name))

    def runtest(self) -> None:
        """Fail with what is wrong with the entry.

        Raises:
            StaleBaselineError: Always, but where the run does not tell.
        """
        stale = self.config.stash[_RUNS].stale(self.spec, self.entry)
        if stale is None:  # what was collected is not what was played: --lf, an interrupt
            pytest.skip("only a whole run tells whether it holds")
        raise StaleBaselineError([stale])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """Show the place, the fact and the fix, and no traceback."""
        if isinstance(excinfo.value, StaleBaselineError):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo, style))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return the baseline's file, the entry's line from 0, and the item's title."""
        file, line, _ = self.entry.place.rsplit(":", 2)
        return Path(file), int(line) - 1, self.name


# --- the run ------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(session: pytest.Session, items: list[pytest.Item]) -> None:
    """Add an item for each entry of a baseline that none of the items that are left can tell of."""
    chosen = [item for item in items if isinstance(item, VerdictItem)]
    items += session.config.stash[_RUNS].baseline_items(session, chosen)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """Start the run when the test loop starts, and end it with the loop, however that ends."""
    runs = session.config.stash[_RUNS]
    items = [item for item in session.items if isinstance(item, VerdictItem)]
    option = session.config.option
    is_refused = session.testsfailed and not option.continue_on_collection_errors
    if items and not option.collectonly and not is_refused:
        runs.start(items)
    try:
        return (yield)
    finally:
        runs.stop()


class _Listener:
    """Notes which scenarios are settled for good."""

    def __init__(self, run: _Run) -> None:
        self._run = run

    def phase(self, adapter: str, text: str) -> None:
        """Take no note."""

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """Take no note."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Wake the items that wait for these verdicts."""
        if final:
            self._run.settle(adapter, scenario.id, verdicts)


class _Run:
    """One suite's run in a thread of its own."""

    def __init__(
        self,
        chosen: Suite,
        whole: Suite | None,
        items: Sequence[VerdictItem],
        baselines: dict[str, Baseline],
        arguments: dict[str, str],
    ) -> None:
        specs = {item.spec.name: item.spec for item in items}
        self._changed = threading.Condition()
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}
        self._trouble: BaseException | None = None
        self._over = False
        self._runner = Runner(
            whole or chosen,
            [spec.launch() for spec in specs.values()],
            scenarios=chosen.scenarios,
            baselines=baselines,
            knows_suite=whole is not None,
            listener=_Listener(self),
        )
        for adapter in self._runner.result.adapters:
            adapter.argument = arguments[adapter.name]
        self._adapters = set(specs)
        self._wanted = [(each.id, name) for each in chosen.scenarios for name in each.proves]
        self._thread = threading.Thread(target=self._body, name=f"waitproof {chosen.name}", daemon=True)
        self._thread.start()

    def _body(self) -> None:
        try:
            self._runner.run()
        except BaseException as error:  # noqa: BLE001 - told by every item that waits
            self._trouble = error
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def settle(self, adapter: str, scenario_id: str, verdicts: Sequence[Verdict]) -> None:
        with self._changed:
            for verdict in verdicts:
                self._verdicts[adapter, scenario_id, verdict.requirement] = verdict
            self._changed.notify_all()

    def verdict(self, item: VerdictItem) -> Verdict:
        key = (item.spec.name, item.scenario.id, item.requirement)
        with self._changed:
            self._changed.wait_for(lambda: key in self._verdicts or self._over)
            if key in self._verdicts:
                return self._verdicts[key]
        if self._trouble is not None:
            raise UnjudgedError(f"the run ended before this verdict: {self._trouble}")
        raise UnjudgedError("the run ended before this verdict")

    def stale(self, adapter: str, entry: Entry) -> tuple[bool, Stale | None] | None:
        """Return whether an entry covers anything here, and what is wrong with it, once that is known.

        None where the adapter is not run here.
        """
        if adapter not in self._adapters:
            return None
        covered = {(adapter, *pair) for pair in self._wanted if entry.known.covers(*pair)}
        with self._changed:
            self._changed.wait_for(lambda: self._over or bool(covered and covered <= self._verdicts.keys()))
        result = next(each for each in self._runner.result.adapters if each.name == adapter)
        stale = (each for each in self._runner.stale(result) if each.entry is entry)
        return bool(covered), next(stale, None)

    def stop(self) -> None:
        if not self._over:
            self._runner.cancel()
        self._thread.join()


class _Runs:
    """Everything of this session: adapters, contracts, and a run for each suite."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        given = config.getoption("--adapter")
        root = config.rootpath
        usual = [
            str(root / each) if (root / each).is_dir() else each
            for each in config.getini("waitproof_adapters")
        ]
        self.arguments: list[str] = given or usual
        self._specs: list[AdapterSpec] | None = None
        self._contracts: dict[Path, Contract] = {}
        self._baselines: dict[str, Baseline] = {}
        self._runs: dict[Path, _Run] = {}

    def specs(self) -> list[AdapterSpec]:
        """Return the adapters, found once.

        Raises:
            InputError: One of them is not there.
        """
        if self._specs is None:
            self._specs = unique_names([find_adapter(argument) for argument in self.arguments])
        return self._specs

    def argument(self, spec: AdapterSpec) -> str:
        """Return what the user typed to name an adapter."""
        return self.arguments[[each.name for each in self.specs()].index(spec.name)]

    def contract(self, folder: Path) -> Contract:
        """Return the contract in a folder, read once.

        Raises:
            InputError: It is not as it must be.
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

    def start(self, items: Sequence[VerdictItem]) -> None:
        """Prepare the adapters and start a run for each suite.

        Raises:
            UsageError: An adapter cannot be prepared.
        """
        used = {item.spec.name: item.spec for item in items}
        try:
            for spec in used.values():
                prepare(spec, lambda _line: None)
        except InputError as error:
            raise pytest.UsageError(str(error)) from None
        baselines = {spec.name: self._baseline(spec) for spec in used.values()}
        for spec in used.values():
            mine = [item for item in items if item.spec.name == spec.name]
            for entry in baselines[spec.name].entries:
                covered = [each for each in mine if entry.known.covers(each.scenario.id, each.requirement)]
                if covered and entry.expiry is None:
                    covered[-1].entries.append(entry)
        knows_any = any(baseline.entries for baseline in baselines.values())
        arguments = {spec.name: self.argument(spec) for spec in used.values()}
        for folder in dict.fromkeys(item.folder for item in items):
            chosen = [item for item in items if item.folder == folder]
            suite = _suite_of(folder, self.contract(folder), chosen)
            whole = _whole_suite(folder) if knows_any else None
            self._runs[folder] = _Run(suite, whole, chosen, baselines, arguments)

    def baseline_items(
        self, session: pytest.Session, chosen: Sequence[VerdictItem]
    ) -> Iterator[BaselineItem]:
        """Yield an item for each entry that has expired, or that nothing matches though all is played.

        Raises:
            UsageError: A baseline is wrong.
        """
        for spec in {item.spec.name: item.spec for item in chosen}.values():
            mine = [item for item in chosen if item.spec.name == spec.name]
            is_whole = _is_whole(mine)
            for entry in self._baseline(spec).entries:
                covers = any(entry.known.covers(each.scenario.id, each.requirement) for each in mine)
                if (covers and entry.expiry is not None) or (is_whole and not covers):
                    title = f"{entry.known.deviation}[{spec.name}]"
                    nodeid = f"{spec.baseline}::{title}"
                    yield BaselineItem.from_parent(session, name=title, nodeid=nodeid, spec=spec, entry=entry)

    def _baseline(self, spec: AdapterSpec) -> Baseline:
        if spec.name not in self._baselines:
            try:
                self._baselines[spec.name] = load_baseline(spec)
            except InputError as error:
                raise pytest.UsageError(str(error)) from None
        return self._baselines[spec.name]

    def stale(self, spec: AdapterSpec, entry: Entry) -> Stale | None:
        """Return what is wrong with an entry of an adapter's baseline, once that is known; None for nothing.

        With several suites it may stand for something in one of them alone.
        """
        told = [each for run in self._runs.values() if (each := run.stale(spec.name, entry)) is not None]
        covering = [stale for covers, stale in told if covers]
        found = covering or [stale for _, stale in told]
        return None if None in found else next(iter(found), None)

    def verdict(self, item: VerdictItem) -> Verdict:
        """Return an item's verdict, once it is known."""
        return self._runs[item.folder].verdict(item)

    def stop(self) -> None:
        """End what still runs."""
        for run in self._runs.values():
            run.stop()


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
    """Return a suite of just what these items are about."""
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
