"""The tasks of a server that nobody prepares: made when asked for, steered by hand, judged by the journal.

A task id that names a scenario behaves like it; an operation begins a task of the scenario that a header, its
body or the default names. What a task answers is `timeline`'s, what its polls prove is the judge's.

One fact to know before reading on: `on_entry` is called for every request by the thread that serves it, so it
only notes what came; everything that takes time is done by the keeper's own thread, or when somebody asks.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from waitproof.errors import InputError, Mistake
from waitproof.judge.journal import Ended, JournalEntry, Progress
from waitproof.mock.lag import LagMeter
from waitproof.mock.server import TaskServer
from waitproof.suite.catalog import Catalog, Change, told_in_a_line
from waitproof.suite.contract import Contract, StatusMeaning, TaskIdFormat
from waitproof.suite.scenario import Scenario, Step, WaitOptions, watched_after_s
from waitproof.suite.task import TaskState
from waitproof.suite.template import check
from waitproof.suite.yaml import Json

if TYPE_CHECKING:
    from waitproof.judge import Status, Verdict
    from waitproof.serve.witness import Wait, Witness

__all__ = ["STALL_S", "Action", "Keeper", "Limits", "TaskView"]

LOOKS_AT_ONCE = 10  # at waits that may be over: some ten milliseconds
CLOSE_S = 0.3
TASK_VALUES = ("task_id", "token", "n")  # what the placeholders of a task can be
KEEPER_PAUSE_S = 0.2  # between two looks for waits that are over
LOOK_PAUSE_S = 0.5  # between two looks at the scenario files
STALL_S = 3600.0
MAX_POLLS_SHOWN = 60  # of a task in a list: the page draws no more

JsonObject: TypeAlias = Mapping[str, Json]
NOTHING: JsonObject = {}
_NO_IDS = {".", ".."}  # every client leaves out such a part of a path
_log = logging.getLogger(__name__)


class Action(StrEnum):
    """What can be done to a task by hand."""

    ADVANCE = "advance"  # to its next step
    COMPLETE = "complete"
    FAIL = "fail"
    STALL = "stall"  # answer no poll any more
    RESET = "reset"  # begin anew, with an empty journal


@dataclass(frozen=True)
class Limits:
    """What a server keeps that runs for days.

    Attributes:
        tasks: How many at most; the one that was asked for longest ago goes first.
        finished_s: How long after its last request a task goes whose wait is over, in seconds.
        idle_s: The same for one whose wait is not.
    """

    tasks: int = 10_000
    finished_s: float = 600.0
    idle_s: float = 3600.0


class _Served:
    """One task, and what its requests have shown so far."""

    def __init__(
        self, number: int, task_id: str | int, scenario: Scenario, options: WaitOptions, serial: int
    ) -> None:
        self.number = number
        self.task_id = task_id
        self.scenario = scenario
        self.options = options
        self.created = datetime.now(UTC)
        self.version = 0
        self.clear(serial)

    def clear(self, serial: int) -> None:
        """Begin anew: requests up to that serial are no part of the wait."""
        self.serial = serial
        self.began_ns = self.last_ns = time.monotonic_ns()
        self.polls = 0
        self.has_news = False  # a request has come since the wait was last seen to be over
        self.looked_ns = 0  # when the keeper judged it last
        self.seen = Progress.IDLE  # when it was judged last
        self.first_ns = 0  # when its first poll came
        self.ended_ns = 0  # when its client was told that the task has ended
        self.in_flight = 0  # polls without an answer
        self.told: tuple[object, ...] = ()  # what whoever is told of waits has heard of this one
        self.verdicts: tuple[Verdict, ...] = ()

    @property
    def progress(self) -> Progress:
        """How far its wait is."""
        if self.seen.is_over:
            return self.seen
        return Progress.POLLING if self.polls else Progress.IDLE


@dataclass(frozen=True)
class TaskView:
    """A task at one moment, for the control API, the page and the terminal.

    Attributes:
        number: How many tasks had been made when it was, itself included.
        step: Index of the step that answered last, or answers first.
        steps: Labels of its steps.
        wait: Interval and timeout that hold for whoever waits on it, in seconds.
        polls: Its polls, the newest 60 in a list.
        count: How many polls there were.
        others: Requests of its client that are no polls.
        origin_ns: What the polls' times count from, on the monotonic clock.
        now_ns: When it was looked at, on the same clock.
    """

    number: int
    task_id: str | int
    scenario: str
    summary: str
    created: datetime
    progress: Progress
    step: int
    steps: tuple[str, ...]
    interval_s: float
    timeout_s: float
    polls: tuple[JournalEntry, ...]
    count: int
    others: tuple[JournalEntry, ...]
    origin_ns: int
    now_ns: int
    verdicts: tuple[Verdict, ...]
    version: int

    @property
    def counts(self) -> Counter[Status]:
        """How many verdicts have each status."""
        return Counter(verdict.status for verdict in self.verdicts)


class Keeper:
    """Makes, steers, judges and forgets the tasks of one server; it is that server's `Unprepared`."""

    def __init__(
        self,
        catalog: Catalog,
        *,
        default_scenario: str = "",
        options: WaitOptions | None = None,
        limits: Limits | None = None,
        on_over: Callable[[TaskView], None] | None = None,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        """Make a keeper; `attach` gives it its server.

        Args:
            catalog: The scenarios.
            default_scenario: Which one an operation begins that names none, "" for the contract's example.
            options: What clients pass to their helpers, None for what each scenario's own wait passes.
            limits: What is kept.
            on_over: Called when a wait is over, and again when more came after it.
            on_change: Called when a scenario file has changed.

        Raises:
            InputError: There is no such default scenario.
        """
        self.catalog = catalog
        self.limits = limits or Limits()
        self._options = options
        self._default = default_scenario
        if default_scenario:
            catalog.get(default_scenario)
        self._on_over = on_over or (lambda _view: None)
        self._on_change = on_change or (lambda _change: None)
        self._server: TaskServer | None = None
        self._lock = threading.RLock()
        self._tasks: dict[str, _Served] = {}  # in the order in which they were asked for last
        self._count_lock = threading.Lock()  # never held for longer than it takes to count
        self._made = itertools.count(1)
        self.version = 0
        self._numbers = itertools.count(1)
        self._watchers = 0 if on_over is None else 1
        self._serial = 0  # of the newest request
        self._stop = threading.Event()
        self._lag = LagMeter()
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def attach(self, server: TaskServer) -> None:
        """Take charge of a server that was made with this keeper, and begin to keep."""
        self._server = server
        self._lag.start()
        self._thread.start()

    def close(self) -> None:
        """End the keeping; the tasks stay as they are."""
        self._stop.set()
        self._lag.stop()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S)  # whoever is told of a wait may hold it up

    @property
    def closing(self) -> threading.Event:
        """Set when the keeping ends."""
        return self._stop

    @property
    def contract(self) -> Contract:
        """The contract of the scenarios."""
        return self.catalog.contract

    @property
    def server(self) -> TaskServer:
        """The server whose tasks these are."""
        assert self._server is not None, "attach comes first"
        return self._server

    # --- asked by the server

    def task(self, task_id: str) -> str:
        """Make the task whose id names a scenario; return "", else why there is none."""
        if self.contract.task_id is TaskIdFormat.INTEGER:
            return ""
        try:
            scenario = self.catalog.named_by(task_id)
        except InputError as error:
            return told_in_a_line(error)
        self._add(scenario, task_id, None)
        return ""

    def operation(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Begin a task of the scenario that a header or the operation's body names, else of the default."""
        try:
            scenario = self.catalog.begun_by(name, headers, body, self._default)
        except InputError as error:
            return "", told_in_a_line(error)
        return str(self._add(scenario, None, None).task_id), ""

    def on_entry(self, entry: JournalEntry) -> None:
        """Note that a request has come, or that one has ended."""
        self._serial = max(self._serial, entry.serial)
        served = self._tasks.get(entry.task_id or "")
        if served is None:
            return
        if entry.kind == "poll":
            self._note_poll(served, entry)
        served.last_ns = max(served.last_ns, entry.answered_ns or entry.arrived_ns)
        served.has_news = True
        self._touch(served)

    def _note_poll(self, served: _Served, entry: JournalEntry) -> None:
        if entry.ended is not Ended.IN_FLIGHT:
            served.in_flight = max(0, served.in_flight - 1)
            if entry.ended is Ended.ANSWERED and not served.ended_ns and self._ends(served, entry):
                served.ended_ns = entry.answered_ns or entry.arrived_ns
            return
        if served.ended_ns and entry.arrived_ns - served.last_ns > self._watch_ns(served):
            served.clear(entry.serial - 1)  # somebody waits on it again: that is another wait
        served.in_flight += 1
        if not entry.repeat:
            served.polls += 1
            served.first_ns = served.first_ns or entry.arrived_ns

    def _ends(self, served: _Served, entry: JournalEntry) -> bool:
        """Say whether a poll was answered with a status that ends a wait."""
        state = self.server.state(served.task_id)
        status = state.steps[entry.step].status if state and entry.step < len(state.steps) else None
        return self.contract.ends_the_wait(status)

    def _watch_ns(self, served: _Served) -> float:
        """Return for how long after its end a wait is watched for a poll too many."""
        return watched_after_s(served.options.interval_s(self.contract.defaults)) * 1e9

    # --- asked by people

    def add(
        self, scenario: Scenario, task_id: str | int | None = None, options: WaitOptions | None = None
    ) -> TaskView:
        """Make a task, in place of one that has the same id.

        Args:
            scenario: How it behaves.
            task_id: Its id, None for a new one.
            options: What its client passes to the helper, None for what the server or the scenario says.

        Raises:
            InputError: The contract's ids are no such thing.
        """
        return self._view(self._add(scenario, task_id, options))

    def _add(self, scenario: Scenario, task_id: str | int | None, options: WaitOptions | None) -> _Served:
        chosen = self._new_id() if task_id is None else self._checked(task_id)
        held = options or self._options or scenario.wait_options
        with self._lock:
            served = _Served(next(self._made), chosen, scenario, held, self._serial)
            self._tasks.pop(str(chosen), None)
            self._tasks[str(chosen)] = served
            self.server.create(chosen, scenario.task)
            self._touch(served)
            self._make_room()
        return served

    def act(
        self, task_id: str, action: Action, *, given: JsonObject = NOTHING, stall_s: float = STALL_S
    ) -> bool:
        """Do something to a task, between two of its polls; return False when there is no such task.

        Args:
            task_id: Its id.
            action: What to do.
            given: May have the task's `result` or `error`; else the scenario's own, or the contract's.
            stall_s: How long a stalled poll waits for its answer, in seconds.

        Raises:
            InputError: The contract has no status for it, or nothing fills a placeholder in.
        """
        with self._lock:
            served = self._tasks.get(task_id)
            if served is None:
                return False
            if action is Action.RESET:
                self.server.change(task_id, lambda _state: self._begun_anew(served))
            elif action is Action.ADVANCE:
                self.server.change(task_id, _advanced)
            else:
                step = self._step(served.scenario, action, given, stall_s)
                made = len(served.scenario.task)
                self.server.change(task_id, lambda state: _appended(state, step, made))
            self._touch(served)
            return True

    def delete(self, task_id: str) -> bool:
        """Forget a task; return False when there is no such task."""
        with self._lock:
            if self._tasks.pop(task_id, None) is None:
                return False
            self.server.forget(task_id)
            with self._count_lock:
                self.version += 1
            return True

    def ids(self) -> list[str]:
        """Return the ids of all tasks, the one that was made last first."""
        with self._lock:
            return list(reversed(self._tasks))

    def view(self, task_id: str) -> TaskView | None:
        """Return a task with all its polls and what can be said of its wait now; None for no such task."""
        served = self._tasks.get(task_id)
        if served is None:
            return None
        self._judge(served)
        return self._view(served, all_polls=True)

    def newest(
        self, most: int, text: str = "", known: Mapping[int, int] | None = None
    ) -> tuple[list[int], list[TaskView]]:
        """Return the numbers of the tasks that were made last, newest first, and views of those that changed.

        Args:
            most: How many tasks at most.
            text: Part of the id or the scenario of each, upper case or lower.
            known: Versions that the caller has seen, by the tasks' numbers.
        """
        part, seen = text.casefold(), known or {}
        with self._lock:
            fitting = (
                each
                for each in reversed(self._tasks.values())
                if part in str(each.task_id).casefold() or part in each.scenario.id.casefold()
            )
            found = list(itertools.islice(fitting, most))
        fresh = [each for each in found if seen.get(each.number) != each.version]
        return [each.number for each in found], [self._view(each) for each in fresh]

    def tally(self) -> dict[Progress, int]:
        """Return how many tasks there are of each progress."""
        with self._lock:
            tasks = list(self._tasks.values())
        told = dict.fromkeys(Progress, 0)
        for served in tasks:
            told[served.progress] += 1
        return told

    @property
    def example(self) -> str:
        """The id of the scenario that is shown to whoever sees this server for the first time."""
        return self.contract.example or self.catalog.ids()[0]

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Judge each wait when it may be over, for somebody who looks on meanwhile.

        A millisecond each adds up where thousands wait, and would make the server late for nobody's sake.
        """
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1

    def settle(self) -> None:
        """Judge every wait that may be over now."""
        for served in self._maybe_over():
            self._look_at(served)

    # --- inside

    @cached_property
    def _witness(self) -> Witness:
        """Who judges the waits; made when there is one to judge."""
        from waitproof.serve.witness import Witness  # noqa: PLC0415 - it takes long, and the first poll cannot wait

        return Witness(self.contract)

    def _touch(self, served: _Served) -> None:
        with self._count_lock:  # whoever sees the new version of all sees that of the task
            served.version = self.version + 1
            self.version = served.version

    def _new_id(self) -> str | int:
        if self.contract.task_id is TaskIdFormat.INTEGER:
            return next(number for number in self._numbers if str(number) not in self._tasks)
        return str(uuid.uuid4())

    def _checked(self, task_id: str | int) -> str | int:
        if self.contract.task_id is not TaskIdFormat.INTEGER:
            text = str(task_id)
            if text in _NO_IDS or not _is_text(text):
                fix = "choose an id that can stand in a URL"
                raise InputError(Mistake("task_id", "nobody could poll a task with this id", fix=fix))
            return text
        try:
            return int(task_id)
        except ValueError:
            fact = f"'{task_id}' is no task id of this contract"
            raise InputError(Mistake("task_id", fact, expected="a whole number")) from None

    def _step(self, scenario: Scenario, action: Action, given: JsonObject, stall_s: float) -> Step:
        if action is Action.STALL:
            going_on = self._status(StatusMeaning.KEEP_POLLING)
            step = Step.model_validate({"status": going_on, "times": "forever"})
            return step.model_copy(update={"delay": stall_s})  # longer than a file's author may say
        meaning = StatusMeaning.RETURN_RESULT if action is Action.COMPLETE else StatusMeaning.RAISE_TASK
        if given:
            try:
                check(list(given.values()), TASK_VALUES)
            except (ValueError, RecursionError) as error:
                fact = str(error) if isinstance(error, ValueError) else "it is nested too deep"
                raise InputError(Mistake(next(iter(given)), fact)) from None
            return Step.model_validate({"status": self._status(meaning), **given})
        own = (
            step for step in scenario.task if step.status and self.contract.meaning(step.status) is meaning
        )
        return next(own, None) or Step.model_validate({"status": self._status(meaning)})

    def _status(self, meaning: StatusMeaning) -> str:
        found = self.contract.status_for(meaning)
        if found is None:
            fact = f"no status of this contract means {meaning.value}"
            raise InputError(Mistake("", fact, expected=", ".join(self.contract.statuses)))
        return found

    def _begun_anew(self, served: _Served) -> TaskState:
        entries = self.server.entries(served.task_id)
        served.clear(entries[-1].serial if entries else self._serial)
        return TaskState(served.scenario.task)

    def _requests(self, served: _Served) -> list[JournalEntry]:
        """Return the requests of a wait, in order of arrival.

        What only came on a connection that had carried its polls is no part of it, since clients have more to
        do; nor are a browser's preflights.
        """
        return [
            entry
            for entry in self.server.entries(served.task_id)
            if entry.serial > served.serial
            and entry.by_path
            and entry.kind != "begin"
            and entry.method != "OPTIONS"
        ]

    def _view(self, served: _Served, *, all_polls: bool = False) -> TaskView:
        version = served.version  # read first: what comes from now on has a later one
        state = self.server.state(served.task_id) or TaskState(served.scenario.task)
        requests = self._requests(served)
        polls = [entry for entry in requests if entry.kind == "poll"]
        defaults = self.contract.defaults
        return TaskView(
            number=served.number,
            task_id=served.task_id,
            scenario=served.scenario.id,
            summary=served.scenario.summary,
            created=served.created,
            progress=served.progress,
            step=state.step,
            steps=tuple(step.label for step in state.steps),
            interval_s=served.options.interval_s(defaults),
            timeout_s=served.options.timeout_s(defaults),
            polls=tuple(polls if all_polls else polls[-MAX_POLLS_SHOWN:]),
            count=served.polls,
            others=tuple(entry for entry in requests if entry.kind != "poll"),
            origin_ns=min((entry.arrived_ns for entry in requests), default=served.began_ns),
            now_ns=time.monotonic_ns(),
            verdicts=served.verdicts,
            version=version,
        )

    def _keep(self) -> None:
        looked_s = 0.0
        while not self._stop.wait(KEEPER_PAUSE_S):
            now_ns = time.monotonic_ns()
            if self._watchers:
                for served in itertools.islice(self._maybe_over(), LOOKS_AT_ONCE):
                    self._look_at(served)
            self._forget_old(now_ns)
            if now_ns / 1e9 - looked_s >= LOOK_PAUSE_S:
                self._look_at_files()
                looked_s = time.monotonic()

    def _look_at_files(self) -> None:
        try:
            for change in self.catalog.refresh():
                self._on_change(change)
        except Exception:  # noqa: BLE001 - a folder that cannot be listed, or whoever is told
            _log.exception("the scenario files could not be looked at")

    def _look_at(self, served: _Served) -> None:
        """Judge a wait that may be over; what goes wrong with one is not to end the keeping of all."""
        served.looked_ns = time.monotonic_ns()
        served.has_news = False  # before it is judged: what comes meanwhile is news
        try:
            self._judge(served)
            told = (served.seen, *((each.requirement, each.status) for each in served.verdicts))
            if not (served.seen.is_over or self._is_overdue(served, served.looked_ns)):
                served.has_news = True
            elif told != served.told:
                served.told = told
                self._touch(served)
                self._on_over(self._view(served, all_polls=True))
        except Exception:  # noqa: BLE001 - a check, or whoever is told
            _log.exception("the wait for task %r could not be judged", served.task_id)

    def _maybe_over(self) -> Iterator[_Served]:
        """Yield the waits that are worth a look, the one that has waited longest for it first."""
        now_ns = time.monotonic_ns()
        news = [each for each in list(self._tasks.values()) if each.has_news]
        found = [each for each in news if self._is_worth_a_look(each, now_ns)]
        return iter(sorted(found, key=lambda each: each.looked_ns))

    def _is_worth_a_look(self, served: _Served, now_ns: int) -> bool:
        """Say whether a wait may be over by now, or should be.

        The longer it has been so, the more seldom: a stalled poll may be in flight for hours, and a client
        that never stops has thousands of polls.
        """
        since_ns: list[float] = [now_ns - served.last_ns]
        since_ns += [now_ns - served.ended_ns] if served.ended_ns else []
        since_ns += [now_ns - served.first_ns - self._wait_ns(served)] if served.first_ns else []
        longest_ns = max(since_ns)
        return longest_ns >= self._watch_ns(served) and now_ns - served.looked_ns >= longest_ns / 4

    def _wait_ns(self, served: _Served) -> float:
        """Return how long the wait may last from its first poll to its last."""
        defaults = self.contract.defaults
        return (served.options.timeout_s(defaults) + served.options.interval_s(defaults)) * 1e9

    def _is_overdue(self, served: _Served, now_ns: int) -> bool:
        """Say whether a client polls on although its wait should be over."""
        overdue_ns = now_ns - (served.ended_ns or served.first_ns + self._wait_ns(served))
        return bool(served.first_ns) and overdue_ns > self._watch_ns(served)

    def _judge(self, served: _Served) -> None:
        entries = self._requests(served)
        state = self.server.state(served.task_id)
        if state is None:
            return
        now_ns = time.monotonic_ns()
        began_ns = min((entry.arrived_ns for entry in entries), default=served.began_ns)
        last_ns = max((entry.answered_ns or now_ns for entry in entries), default=now_ns)
        ended_ns = min(now_ns, last_ns + int(self._watch_ns(served)))
        wait = self._wait(served, state.steps, entries, began_ns, ended_ns)
        lag_s = self._lag.worst_between(began_ns, ended_ns)
        served.seen, served.verdicts = self._witness.judge(wait, now_ns=now_ns, lag_s=lag_s)

    def _wait(
        self,
        served: _Served,
        steps: tuple[Step, ...],
        entries: Sequence[JournalEntry],
        began_ns: int,
        ended_ns: int,
    ) -> Wait:
        from waitproof.serve.witness import Wait  # noqa: PLC0415 - as above

        wait_id = f"{served.number} {served.serial}"
        return Wait(wait_id, served.scenario, steps, entries, served.options, began_ns, ended_ns)

    def _make_room(self) -> None:
        while len(self._tasks) > self.limits.tasks:
            oldest = min(self._tasks.values(), key=lambda each: each.last_ns)
            self.delete(str(oldest.task_id))

    def _forget_old(self, now_ns: int) -> None:
        for served in list(self._tasks.values()):
            is_finished = served.ended_ns or served.seen.is_over
            limit_s = self.limits.finished_s if is_finished else self.limits.idle_s
            if now_ns - served.last_ns > limit_s * 1e9 and not served.in_flight:
                self.delete(str(served.task_id))


def _is_text(text: str) -> bool:
    """Say whether a text can be sent: half a surrogate pair, which JSON can hold, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _advanced(state: TaskState) -> TaskState:
    step = min(state.step + 1, len(state.steps) - 1)
    return replace(state, step=step, used=0, began_s=None, dropped=None)


def _appended(state: TaskState, step: Step, made: int) -> TaskState:
    """Return the state with one step more, which answers from now on; indexes of polls before stay true.

    Args:
        state: The state before.
        step: What to answer.
        made: How many steps the task was made with; one beyond them that answered no poll gives way.
    """
    is_idle = state.step == len(state.steps) - 1 >= made and state.used == 0
    steps = (*(state.steps[:-1] if is_idle else state.steps), step)
    return replace(state, steps=steps, step=len(steps) - 1, used=0, began_s=None, dropped=None)
