"""One run: a suite, any number of adapters, one mock server, and verdicts as they become known.

An edge: it owns the processes and the threads. The phases are those of every run: start and greet each
adapter; warm every client; ask non-blocking adapters for two waits at once, alone; play everything along
the schedule; play again alone what looks suspicious. Each adapter is driven by threads of its own, and
nothing that one of them does costs another a verdict.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import secrets
import shlex
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from waitproof.adapter.command import AdapterCommand
from waitproof.adapter.process import AdapterProcess, close_all
from waitproof.errors import AdapterError, WaitproofError
from waitproof.judge import Status, Verdict, is_suspicious, judge, unplayed
from waitproof.judge.journal import Ended, JournalEntry
from waitproof.judge.observation import NoAnswer, Observation, StillWaiting, TaskRecord
from waitproof.mock.process import ServerProcess
from waitproof.protocol import Hello
from waitproof.run.baseline import Baseline, Stale
from waitproof.run.budget import Budget
from waitproof.run.player import Player
from waitproof.simulate.forecast import Forecast, forecast, is_timed, pack, scale_for, scaled
from waitproof.suite.files import Suite
from waitproof.suite.scenario import Scenario

__all__ = ["AdapterResult", "Listener", "LivePoll", "RunResult", "Runner", "ScenarioResult", "SilentListener"]

API_KEY = "waitproof-key"
MAX_DEATHS = 3  # of one place on end, nothing played in between: such an adapter is not started for ever
START_LIMIT_S = 60.0  # a JVM on a busy machine, a first compilation
MIN_HORIZON_S = 1.0
# How much of the longest scenario's time a lane is planned to fill. Forecasts know no slow helper, and one
# that never answers costs its lane a timeout for each fault; nothing untimed minds company.
TIMED_FILL = 0.8
UNTIMED_FILL = 0.25


@dataclass(frozen=True)
class LivePoll:
    """A poll that has just arrived.

    Attributes:
        copy: Number of the copy whose task it asks for, from 1.
        status: What it is answered: a status, or the name of a fault.
    """

    adapter: str
    scenario: str
    copy: int
    status: str


class Listener(Protocol):
    """Whoever wants to know how a run goes; called from several threads, and must not block."""

    def phase(self, adapter: str, text: str) -> None:
        """An adapter's run has come to this phase."""

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """A scenario begins."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """A scenario has its verdicts; they are not final while a run alone may change one."""


class SilentListener:
    """A listener that does nothing."""

    def phase(self, adapter: str, text: str) -> None:
        """Do nothing."""

    def started(self, adapter: str, scenario: Scenario, forecast_s: float) -> None:
        """Do nothing."""

    def finished(self, adapter: str, scenario: Scenario, verdicts: Sequence[Verdict], *, final: bool) -> None:
        """Do nothing."""


@dataclass
class ScenarioResult:
    """What became of one scenario with one adapter.

    Attributes:
        verdicts: In the order in which the scenario proves its requirements; empty until known.
        observations: The run, then the runs alone; empty where it could not be played.
    """

    scenario: Scenario
    verdicts: tuple[Verdict, ...] = ()
    observations: list[Observation] = field(default_factory=list)


@dataclass
class AdapterResult:
    """What became of one adapter.

    Attributes:
        hello: Its introduction, None when there was none.
        error: Why it could not be run at all, "" when it could.
        scenarios: By id, in the suite's order.
        stderr_tail: The last lines that one of its processes wrote to stderr.
        argument: What its user typed to name it, "" where nobody did.
        baseline: The file of its known deviations, "" when it has none.
        stale: The entries of that file that hold no more; known once the run has ended.
    """

    name: str
    hello: Hello | None = None
    error: str = ""
    scenarios: dict[str, ScenarioResult] = field(default_factory=dict)
    stderr_tail: tuple[str, ...] = ()
    argument: str = ""
    baseline: str = ""
    stale: tuple[Stale, ...] = ()

    def verdicts(self) -> Iterator[Verdict]:
        """Yield every verdict known so far."""
        for result in self.scenarios.values():
            yield from result.verdicts


@dataclass
class RunResult:
    """A whole run, or what is known of it so far.

    Attributes:
        started: When it began, in UTC.
        seconds: How long it took.
        interrupted: It was ended before its end.
        strays: Requests that no scenario could be found for.
        argument: What its user typed to name the suite, "" for the usual one.
        whole: Every scenario of the suite was to be played, with all that it proves.
    """

    suite: Suite
    started: datetime
    seconds: float = 0.0
    interrupted: bool = False
    adapters: list[AdapterResult] = field(default_factory=list)
    strays: tuple[JournalEntry, ...] = ()
    origin_ns: int = 0
    argument: str = ""
    whole: bool = True


@dataclass
class _Lane:
    """Scenarios that one thread plays one after another, in one place of an adapter's processes."""

    place: _Place
    scenarios: deque[Scenario]


class Runner:
    """Runs scenarios against adapters; `run` blocks, `cancel` may be called from elsewhere."""

    def __init__(
        self,
        suite: Suite,
        adapters: Sequence[AdapterCommand],
        *,
        scenarios: Sequence[Scenario] | None = None,
        baselines: Mapping[str, Baseline] | None = None,
        knows_suite: bool = True,
        listener: Listener | None = None,
        on_poll: Callable[[LivePoll], None] | None = None,
        port: int = 0,
        start_limit_s: float = START_LIMIT_S,
    ) -> None:
        """Make a runner that has started nothing yet.

        Args:
            suite: The contract and all its scenarios.
            adapters: What to start, prepared; names must differ.
            scenarios: Which to play, all by default.
            baselines: What excuses an adapter's verdicts, by its name.
            knows_suite: Whether `suite` holds every scenario that there is: without that, nobody can say
                that an entry of a baseline matches nothing.
            listener: Told how the run goes.
            on_poll: Told of each poll as it arrives, by the thread that reads from the server: while it runs,
                nothing else comes in, so it must take microseconds and never raise.
            port: Port of the mock server, 0 for one that the system chooses.
            start_limit_s: How long an adapter may take to say hello.
        """
        self.suite = suite
        self.scenarios = tuple(suite.scenarios if scenarios is None else scenarios)
        self.result = RunResult(suite, datetime.now(UTC))
        self.result.whole = knows_suite and self.scenarios == suite.scenarios
        self.result.adapters = [
            AdapterResult(command.name, scenarios={s.id: ScenarioResult(s) for s in self.scenarios})
            for command in adapters
        ]
        self.fixed_ids = threading.Lock()
        self._commands = tuple(adapters)
        self._baselines = dict(baselines or {})
        self._knows_suite = knows_suite
        for adapter in self.result.adapters:
            adapter.baseline = self.baseline(adapter.name).file
        self._listener: Listener = listener or SilentListener()
        self._on_poll = on_poll
        self._owners: dict[str, tuple[str, str, int]] = {}  # of each task: adapter, scenario, copy
        self._port = port
        self._start_limit_s = start_limit_s
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._open: list[AdapterProcess] = []
        self._drivers: list[_Driver] = []
        self._budget = Budget(self._cancelled)

    def run(self) -> RunResult:
        """Run everything and return the result; trouble with an adapter becomes ERROR verdicts.

        Raises:
            HarnessError: The mock server could not be started, or died.
            InputError: Its port is in use.
        """
        began_s = time.monotonic()
        self.result.origin_ns = time.monotonic_ns()
        try:
            with ServerProcess(self.suite.contract, port=self._port) as server:
                try:
                    self._phases(server)
                finally:
                    close_all(self.processes())
                    claimed = {serial for driver in self._drivers for serial in driver.claimed}
                    self.result.strays = tuple(e for e in server.strays() if e.serial not in claimed)
                if server.failure is not None and not self._cancelled.is_set():
                    raise server.failure
        finally:
            self.result.seconds = time.monotonic() - began_s
            self.result.interrupted = self._cancelled.is_set()
            for adapter in self.result.adapters:
                adapter.stale = self.stale(adapter)
        return self.result

    def cancel(self) -> None:
        """End the run as soon as possible; what is known so far stays in `result`."""
        self._cancelled.set()
        self._budget.wake()
        close_all(self.processes(), 0.0)

    # --- phases ---

    def _phases(self, server: ServerProcess) -> None:
        if self._on_poll is not None:
            server.subscribe(self._tick)
        drivers = self._drivers = [
            _Driver(self, server, command, result)
            for command, result in zip(self._commands, self.result.adapters, strict=True)
        ]
        _at_once([driver.start for driver in drivers])
        for driver in drivers:
            driver.ask_for_two_at_once()
        _at_once([driver.spread for driver in drivers])
        lanes = [(driver, lane) for driver in drivers for lane in driver.lanes]
        lanes.sort(key=lambda pair: pair[0].length_s(pair[1].scenarios[0]), reverse=True)
        _at_once([lambda d=driver, la=lane: d.play_lane(la) for driver, lane in lanes])  # type: ignore[misc]
        close_all(self.processes())
        for driver in drivers:
            driver.play_again_alone()

    def _tick(self, entry: JournalEntry) -> None:
        owner = self._owners.get(entry.task_id or "")
        if owner is not None and entry.kind == "poll" and entry.ended is Ended.IN_FLIGHT:
            assert self._on_poll is not None
            self._on_poll(LivePoll(*owner, entry.status))

    # --- what drivers share ---

    def owns(self, adapter: str, scenario: str, tasks: Sequence[TaskRecord]) -> None:
        """Note whose polls those of these tasks are."""
        for task in tasks:
            self._owners[str(task.task_id)] = (adapter, scenario, task.n)

    def open(self, command: AdapterCommand) -> AdapterProcess:
        """Start a process and remember it, so that it is closed whatever happens.

        Raises:
            AdapterError: It cannot be started, or the run was interrupted.
        """
        if self._cancelled.is_set():
            raise AdapterError(f"{command.name}: not started, for the run was interrupted")
        process = AdapterProcess(
            command, clean=self.suite.contract.environment, start_limit_s=self._start_limit_s
        )
        with self._lock:
            self._open.append(process)
        if self._cancelled.is_set():
            process.close(0.0)
            raise AdapterError(f"{command.name}: ended, for the run was interrupted")
        return process

    def close(self, process: AdapterProcess) -> None:
        """End a process that is needed no longer, before the others are."""
        process.close(0.0)
        with self._lock:
            self._open = [each for each in self._open if each is not process]

    def processes(self) -> list[AdapterProcess]:
        """Return the processes that have not been ended."""
        with self._lock:
            return list(self._open)

    def excuse(self, adapter: AdapterResult, verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
        """Return an adapter's verdicts, those that its baseline excuses with the reason."""
        lacked = ""
        if adapter.hello is not None and not adapter.hello.capabilities.wait:
            requirements = self.suite.contract.requirements
            lacked = next((each.id for each in requirements if each.check == "helper_is_shipped"), "")
        return self.baseline(adapter.name).excuse(verdicts, lacked=lacked)

    def stale(self, adapter: AdapterResult) -> tuple[Stale, ...]:
        """Return the entries of an adapter's baseline that hold no more, as far as is known by now."""
        suite = {scenario.id: scenario.proves for scenario in self.suite.scenarios}
        return self.baseline(adapter.name).stale(
            list(adapter.verdicts()),
            suite if self._knows_suite else None,
            [requirement.id for requirement in self.suite.contract.requirements],
            adapter=shlex.quote(adapter.argument or adapter.name),
        )

    def baseline(self, adapter: str) -> Baseline:
        """Return what is known of an adapter's deviations."""
        return self._baselines.get(adapter, Baseline())

    @property
    def cancelled(self) -> threading.Event:
        """Set when the run is to end."""
        return self._cancelled

    @property
    def listener(self) -> Listener:
        """Told how the run goes."""
        return self._listener

    @property
    def budget(self) -> Budget:
        """What may go on at once."""
        return self._budget


@dataclass(eq=False)
class _Stay:
    """A scenario's time in a process.

    Attributes:
        shared: Others were there before or at the same time: the process's death may be their doing.
        lost: Why no answer came to one of its calls, "" when all were answered.
        stuck: One of its calls is in flight for ever.
    """

    process: AdapterProcess
    shared: bool = False
    lost: str = ""
    stuck: bool = False


class _Place:
    """One process of an adapter, started when first needed, and anew when it has died or is stuck."""

    def __init__(self, driver: _Driver, clients: Sequence[str]) -> None:
        self._driver = driver
        self._clients = clients
        self._starting = threading.Lock()  # held for as long as a start takes
        self._lock = threading.Lock()
        self._process: AdapterProcess | None = None
        self._spent: set[AdapterProcess] = set()
        self._used = False
        self._stays: list[_Stay] = []
        self._deaths = 0
        self._cannot_start = False
        self._error = ""

    def start(self) -> None:
        """Start a process that has said hello and whose clients are warm, unless one is there.

        Raises:
            AdapterError: It could not be started, or died too often.
        """
        with self._starting:
            self._usable()

    @contextlib.contextmanager
    def stay(self) -> Iterator[_Stay]:
        """Have a scenario played in the process, which is started when there is none that can be used.

        Raises:
            AdapterError: It could not be started, or died too often.
        """
        with self._starting:
            stay = _Stay(self._usable())
            with self._lock:
                mates = [other for other in self._stays if other.process is stay.process]
                for mate in mates:
                    mate.shared = True
                stay.shared = self._used
                self._used = True
                self._stays.append(stay)
        try:
            yield stay
        finally:
            self._leave(stay)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._driver.end(self._process)

    def _leave(self, stay: _Stay) -> None:
        process = stay.process
        with self._lock:
            self._stays.remove(stay)
            if not stay.lost:
                self._deaths = 0
            elif process not in self._spent:
                self._deaths += 1
                self._error = str(process.failure or stay.lost)
            if stay.lost or stay.stuck:
                self._spent.add(process)
            is_over = process in self._spent and all(other.process is not process for other in self._stays)
        if is_over:
            self._driver.end(process)

    def _usable(self) -> AdapterProcess:
        is_over = False
        with self._lock:
            process = self._process
            if process is not None and process not in self._spent:
                if process.failure is None and process.alive:
                    return process
                self._spent.add(process)
                self._deaths += 1
                self._error = str(process.failure or self._error)
                is_over = all(stay.process is not process for stay in self._stays)
        if process is not None and is_over:
            self._driver.end(process)
        if self._cannot_start:
            raise AdapterError(self._error)
        if self._deaths >= MAX_DEATHS:
            fact = f"given up after {self._deaths} processes on end; the last:"
            raise AdapterError(f"{self._driver.name}: {fact} {self._error}")
        try:
            self._process = self._driver.open_warm(self._clients)
        except AdapterError as error:
            self._cannot_start = True
            self._error = str(error)
            raise
        self._used = False
        return self._process


class _Driver:
    """Takes one adapter through the phases of a run."""

    def __init__(
        self, runner: Runner, server: ServerProcess, command: AdapterCommand, result: AdapterResult
    ) -> None:
        self._runner = runner
        self._server = server
        self._command = command
        self._result = result
        self._contract = runner.suite.contract
        self._player = Player(
            self._contract,
            server,
            runner.cancelled,
            functools.partial(runner.owns, command.name),
            runner.fixed_ids,
        )
        self._secret = secrets.token_hex(24)
        self._blocks = False
        self._has_failed_tail = False
        self._played: set[str] = set()
        self._places: list[_Place] = []
        self._scaled: dict[str, tuple[Scenario, int]] = {}
        self._forecasts: dict[str, Forecast] = {}
        self.lanes: list[_Lane] = []

    @property
    def name(self) -> str:
        """The adapter's name."""
        return self._command.name

    @property
    def claimed(self) -> set[int]:
        """Serials of strays that turned out to be a scenario's."""
        return self._player.claimed

    # --- start ---

    def start(self) -> None:
        """Start the first process and learn what the adapter can do."""
        self._runner.listener.phase(self._command.name, "starting")
        try:
            first = self._open()
            self._result.hello = first.hello(
                base_url=self._server.base_url, api_key=API_KEY, api_secret=self._secret
            )
        except AdapterError as error:
            self._keep_last_stderr()
            if not self._runner.cancelled.is_set():
                self._fail(error)
            return
        self.end(first)
        capabilities = self._result.hello.capabilities
        for scenario in self._runner.scenarios:
            factor = scale_for(self._contract, scenario, capabilities)
            self._scaled[scenario.id] = (scaled(scenario, factor or 1), factor or 0)
            self._forecasts[scenario.id] = forecast(self._contract, self._scaled[scenario.id][0])

    def _open(self) -> AdapterProcess:
        return self._runner.open(self._command)

    def open_warm(self, clients: Sequence[str]) -> AdapterProcess:
        """Return a new process that has said hello and has warmed these clients.

        Raises:
            AdapterError: It cannot be started or breaks the protocol.
        """
        process = self._open()
        try:
            hello = process.hello(base_url=self._server.base_url, api_key=API_KEY, api_secret=self._secret)
        except AdapterError:
            self.end(process)
            raise
        for client in clients:
            if self._runner.cancelled.is_set() or not self._player.warm(process, hello.capabilities, client):
                break  # a mute adapter is as mute for the next client
        return process

    def end(self, process: AdapterProcess) -> None:
        """End a process before the others, and keep what it had to say."""
        self._keep_stderr(process)
        self._runner.close(process)

    def _keep_stderr(self, process: AdapterProcess) -> None:
        """Keep the last lines of a process for the report, those of one that failed above all."""
        tail = process.stderr_tail()
        failed = process.failure is not None
        if tail and (failed or not self._has_failed_tail):
            self._result.stderr_tail = tail
            self._has_failed_tail = failed

    def _keep_last_stderr(self) -> None:
        for process in self._runner.processes():
            if process.command is self._command:
                self._keep_stderr(process)

    def _fail(self, error: WaitproofError) -> None:
        """Give everything that has no verdict yet an ERROR with the same reason."""
        self._result.error = str(error)
        for result in self._result.scenarios.values():
            if not result.verdicts:
                self._settle(result, self._unplayed(result.scenario, Status.ERROR, str(error)))

    # --- schedule ---

    def length_s(self, scenario: Scenario) -> float:
        """Return how long a scenario will take with this adapter."""
        return self._forecasts[scenario.id].length_s

    def ask_for_two_at_once(self) -> None:
        """Play what proves that waits do not block, before anything else runs."""
        hello = self._result.hello
        if hello is None or not hello.capabilities.non_blocking:
            return
        proofs = [s for s in self._runner.scenarios if self._proves_interleaving(s)]
        if not proofs:
            return
        self._runner.listener.phase(self._command.name, "two waits at once")
        place = _Place(self, [scenario.id for scenario in proofs])
        for scenario in proofs:
            self._play(place, scenario)
            self._play_again(self._result.scenarios[scenario.id])  # nothing else runs yet
            self._played.add(scenario.id)
            self._blocks |= any(
                verdict.status is Status.FAIL and self._is_interleaving(verdict.requirement)
                for verdict in self._result.scenarios[scenario.id].verdicts
            )
        place.close()

    def _proves_interleaving(self, scenario: Scenario) -> bool:
        return any(self._is_interleaving(name) for name in scenario.proves)

    def _is_interleaving(self, requirement_id: str) -> bool:
        return self._contract.requirement(requirement_id).check == "waits_interleave"

    def spread(self) -> None:
        """Spread what is left over lanes and processes, and warm every client."""
        hello = self._result.hello
        if hello is None:
            return
        left = [s for s in self._runner.scenarios if s.id not in self._played]
        if not left:
            return
        self._runner.listener.phase(self._command.name, "warming up")
        at_once = 1 if self._blocks else hello.capabilities.max_concurrency
        horizon_s = max(MIN_HORIZON_S, *(self.length_s(scenario) for scenario in left))
        for timed in (True, False):
            chosen = [s for s in left if is_timed(self._contract, s) is timed]
            lanes = pack(chosen, self.length_s, horizon_s * (TIMED_FILL if timed else UNTIMED_FILL))
            for together in _together(lanes, at_once):
                clients = [s.id for lane in together for s in lane if not s.cold]
                place = _Place(self, clients)
                self._places.append(place)
                self.lanes += self._lanes(place, together, at_once)
        _at_once([lambda p=place: self._try_start(p) for place in self._places])  # type: ignore[misc]
        self._runner.listener.phase(self._command.name, "running")

    def _lanes(self, place: _Place, together: list[list[Scenario]], at_once: int) -> list[_Lane]:
        """Return lanes of one place; where any number may be live, each takes whatever is left next.

        So a helper that is slower than the forecast holds up one lane, and the others do its share.
        """
        if at_once:
            return [_Lane(place, deque(lane)) for lane in together]
        left = deque(sorted(itertools.chain(*together), key=self.length_s, reverse=True))
        return [_Lane(place, left) for _ in together]

    def _try_start(self, place: _Place) -> None:
        with contextlib.suppress(AdapterError):  # the lane that needs it will say so
            place.start()

    def play_lane(self, lane: _Lane) -> None:
        """Play a lane's scenarios one after another."""
        while not self._runner.cancelled.is_set():
            try:
                scenario = lane.scenarios.popleft()
            except IndexError:
                return
            ahead = self._forecasts[scenario.id]
            with self._runner.budget.taken(scenario.parallel, ahead.polls / max(ahead.length_s, 0.1)):
                if not self._runner.cancelled.is_set():
                    self._play(lane.place, scenario)

    # --- one scenario ---

    def _play(self, place: _Place, scenario: Scenario) -> None:
        result = self._result.scenarios[scenario.id]
        if self._scaled[scenario.id][1] == 0:
            reason = "the helper's options are too coarse for it, even multiplied to a minute"
            self._settle(result, self._unplayed(scenario, Status.UNSUPPORTED, reason))
            return
        self._runner.listener.started(self._command.name, scenario, self.length_s(scenario))
        try:
            with place.stay() as stay:
                observation = self._observe(stay, scenario)
            if stay.shared and stay.lost and not self._runner.cancelled.is_set():
                observation = self._observe_apart(scenario)
        except WaitproofError as error:
            if not self._runner.cancelled.is_set():
                self._settle(result, self._unplayed(scenario, Status.ERROR, str(error)))
            return
        if self._runner.cancelled.is_set():
            return  # what was seen may have been cut short
        result.observations.append(observation)
        self._settle(result, self._judge(result))

    def _unplayed(self, scenario: Scenario, status: Status, reason: str) -> tuple[Verdict, ...]:
        return unplayed(self._contract, scenario, status, reason, self._result.hello)

    def _observe(self, stay: _Stay, scenario: Scenario, *, alone: bool = False) -> Observation:
        assert self._result.hello is not None
        played, factor = self._scaled[scenario.id]
        hello = self._result.hello
        if self._blocks and not self._proves_interleaving(scenario):
            hello = replace(hello, capabilities=replace(hello.capabilities, max_concurrency=1))
        observation = self._player.play(
            stay.process, hello, played, client=scenario.id, scale=factor, alone=alone
        )
        lost = (call.seen.message for call in observation.calls if isinstance(call.seen, NoAnswer))
        stay.lost = next(lost, "")
        stay.stuck = any(isinstance(call.seen, StillWaiting) for call in observation.calls)
        return observation

    def _observe_apart(self, scenario: Scenario, *, alone: bool = False) -> Observation:
        """Play a scenario in a fresh warm process that is ended afterwards."""
        place = _Place(self, [] if scenario.cold else [scenario.id])
        try:
            with place.stay() as stay:
                return self._observe(stay, scenario, alone=alone)
        finally:
            place.close()

    def _settle(self, result: ScenarioResult, verdicts: tuple[Verdict, ...], *, final: bool = False) -> None:
        result.verdicts = self._runner.excuse(self._result, verdicts)
        final = final or not (result.observations and self._is_suspicious(result))
        self._runner.listener.finished(self._command.name, result.scenario, result.verdicts, final=final)

    def _is_suspicious(self, result: ScenarioResult) -> bool:
        played, _ = self._scaled[result.scenario.id]
        return is_suspicious(self._contract, played, result.observations, known=self._known(played))

    def _judge(self, result: ScenarioResult) -> tuple[Verdict, ...]:
        played, _ = self._scaled[result.scenario.id]
        return judge(self._contract, played, result.observations, known=self._known(played))

    def _known(self, scenario: Scenario) -> frozenset[str]:
        return self._runner.baseline(self._command.name).known(scenario)

    def play_again_alone(self) -> None:
        """Play again, alone and in fresh warm processes, what looks suspicious."""
        self._keep_last_stderr()
        for result in self._result.scenarios.values():
            self._play_again(result)
        self._runner.listener.phase(self._command.name, "done")

    def _play_again(self, result: ScenarioResult) -> None:
        while result.observations and not self._runner.cancelled.is_set() and self._is_suspicious(result):
            self._runner.listener.phase(self._command.name, f"again alone: {result.scenario.id}")
            self._runner.listener.started(self._command.name, result.scenario, self.length_s(result.scenario))
            try:
                observation = self._observe_apart(result.scenario, alone=True)
            except WaitproofError:
                if not self._runner.cancelled.is_set():
                    self._settle(result, result.verdicts, final=True)  # nobody will know more
                return
            if self._runner.cancelled.is_set():
                return
            result.observations.append(observation)
            self._settle(result, self._judge(result))


def _together(lanes: Sequence[list[Scenario]], at_once: int) -> Iterator[list[list[Scenario]]]:
    """Yield lanes that share a process, which can have `at_once` calls in flight; 0 is any number."""
    together: list[list[Scenario]] = []
    calls = 0
    for lane in lanes:
        # More at once than the adapter takes is UNSUPPORTED, and never sent.
        most = max((s.parallel for s in lane if s.parallel <= at_once), default=1)
        if together and 0 < at_once < calls + most:
            yield together
            together, calls = [], 0
        together.append(lane)
        calls += most
    if together:
        yield together


def _at_once(bodies: Sequence[Callable[[], None]]) -> None:
    """Run all of them in threads and wait for the end of the last; the first error is raised then."""
    errors: list[BaseException] = []

    def guarded(body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
