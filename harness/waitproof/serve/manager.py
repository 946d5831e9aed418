"""The tasks of a server: made when a client asks for them, steered by hand, forgotten in time.

A task id that names a scenario behaves like it; an operation begins a task of the scenario that a header, its
body, its path or the default names. What a task answers is decided by `suite.task`, and whether its client
waits as it should by `waits`.

One fact to know before reading on: `on_entry` is called for every request by the thread that answers polls,
so it takes no lock but the task's. The manager's own lock guards the collection of tasks.
"""

from __future__ import annotations

import itertools
import re
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote

from waitproof.errors import InputError, Mistake
from waitproof.judge import JournalEntry
from waitproof.mock import TaskServer
from waitproof.serve.steer import Action, steering
from waitproof.serve.task import Limits, ServedTask
from waitproof.suite import BeginRequest, Catalog, Json, Scenario, Step, TaskIdFormat, WaitOptions, one_line

__all__ = ["ANY_PAGE", "TaskManager"]

ANY_PAGE = {"Access-Control-Allow-Origin": "*"}
MAX_ID = 2000  # characters of an id in a URL, which not every HTTP library makes much longer
# Clients resolve such a part of a path, and cannot encode half a character, which JSON can hold.
_UNUSABLE_ID = re.compile("|[.]|[.][.]|.*[\ud800-\udfff].*", re.DOTALL)


class TaskManager:
    """Makes, finds, steers and forgets the tasks of one server.

    Attributes:
        server: The server, which is set before it listens: it is made with its manager.
        example_id: Of a task of the example, which the calls to paste wait on.
    """

    server: TaskServer

    def __init__(
        self,
        catalog: Catalog,
        *,
        default_scenario: str = "",
        options: WaitOptions | None = None,
        limits: Limits | None = None,
    ) -> None:
        """Make a manager that has no server yet.

        Args:
            catalog: The scenarios.
            default_scenario: Which one an operation begins that names none, "" for the contract's example.
            options: What clients pass to their helpers, None for what each scenario's own wait passes.
            limits: What is kept.

        Raises:
            InputError: There is no such default scenario.
        """
        self.catalog = catalog
        self.contract = catalog.contract
        self.limits = limits or Limits()
        self._options = options
        self._default = default_scenario
        if default_scenario:
            _check_default(catalog, default_scenario)
        self._lock = threading.RLock()
        self._tasks: dict[str, ServedTask] = {}  # in the order in which they were made
        self._version_lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._ids = itertools.count(1)  # of tasks whose contract has whole numbers for ids
        self.example_id: str | int = next(self._ids) if self.has_numbers else catalog.example_id()
        self.forgotten = 0  # tasks that were dropped to stay within the limits
        self.version = 0  # rises with every change of any task

    # --- called by the server

    def task(self, task_id: str) -> str:
        """Make the task whose id names a scenario, or is the example's; return "", or why there is none."""
        try:
            if not self.has_numbers:
                self.add(self.catalog.named_by(task_id), task_id)
            elif task_id == str(self.example_id):  # it has been deleted, or forgotten in time
                self.add(self.catalog.get(self.catalog.example), task_id)
        except InputError as error:
            return one_line(error)
        return ""

    def operation(self, begins: BeginRequest, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Begin a task of the scenario that a header, the body or the path names, or of the default."""
        try:
            scenario = self.catalog.begun_by(begins, headers, body, self._default)
        except InputError as error:
            return "", one_line(error)
        return str(self.add(scenario).task_id), ""

    def on_entry(self, entry: JournalEntry) -> None:
        """Note that a request has come, or that one has ended."""
        task = self._tasks.get(entry.task_id or "")
        if task is not None:
            task.note(entry)
            self.touch(task)

    # --- called for people

    @property
    def has_numbers(self) -> bool:
        """Whether task ids are whole numbers, which cannot name scenarios."""
        return self.contract.task_id is TaskIdFormat.INTEGER

    def calls(self) -> dict[str, str]:
        """Return the contract's calls to paste, by language, for the example's task."""
        return self.catalog.calls(self.server.base_url, self.example_id)

    def add(
        self, scenario: Scenario, task_id: str | int | None = None, options: WaitOptions | None = None
    ) -> ServedTask:
        """Make a task, in place of one that has the same id.

        Args:
            scenario: How it behaves.
            task_id: Its id, None for a new one.
            options: What its client passes to the helper, None for what the server or the scenario says.

        Raises:
            InputError: The contract cannot have such an id.
        """
        with self._lock:
            chosen = self._new_id() if task_id is None else self._checked(task_id)
            options = options or self._options or scenario.wait_options
            opened = scenario.model_copy(update={"task": tuple(map(_opened, scenario.task))})
            task = ServedTask(next(self._numbers), chosen, opened, options, self.server, self.contract)
            replaced = self._tasks.pop(str(chosen), None)
            if replaced is not None:
                replaced.is_gone = True
            if not self.server.change(chosen, task.restart):
                self.server.create(chosen, task.restart().steps)
            self._tasks[str(chosen)] = task
            self.touch(task)
            while len(self._tasks) > self.limits.tasks:
                self._forget(min(self._tasks.values(), key=lambda each: each.last_ns))
        return task

    def act(self, task_id: str, action: Action, payload: Mapping[str, Json]) -> bool:
        """Do something to a task, between two of its polls; return False when there is no such task.

        What the payload may have, and what is raised: see `steering`.
        """
        with self._lock:
            task = self._tasks.get(task_id)
            if task is None:
                return False
            is_reset = action is Action.RESET
            change = task.restart if is_reset else steering(action, self.contract, task.scenario, payload)
            self.server.change(task_id, change)
            self.touch(task)
            return True

    def delete(self, task_id: str) -> bool:
        """Forget a task; return False when there is no such task."""
        with self._lock:
            task = self._tasks.pop(task_id, None)
            if task is None:
                return False
            task.is_gone = True
            self.server.forget(task_id)
            self.touch()
            return True

    def forget_expired(self, now_ns: int) -> None:
        """Forget the tasks that have been silent for longer than the limits allow."""
        for task in self.tasks():
            if task.is_expired(now_ns, self.limits):
                self._forget(task)

    def _forget(self, task: ServedTask) -> None:
        with self._lock:
            self.forgotten += self.delete(str(task.task_id))

    def touch(self, task: ServedTask | None = None) -> None:
        """Raise the version, then a task's: a reader that sees the new version also sees the change."""
        with self._version_lock:
            if task is not None:
                task.version = self.version + 1
            self.version += 1

    # --- what there is

    def get(self, task_id: str) -> ServedTask | None:
        """Return the task with an id, or None."""
        with self._lock:
            return self._tasks.get(task_id)

    def ids(self) -> list[str]:
        """Return the ids of all tasks, the one that was made last first."""
        with self._lock:
            return list(reversed(self._tasks))

    def tasks(self) -> list[ServedTask]:
        """Return all tasks, the one that was made last first."""
        with self._lock:
            return list(reversed(self._tasks.values()))

    def newest(self, most: int, text: str = "") -> list[ServedTask]:
        """Return the newest tasks that have a text in their id or scenario, in upper or lower case."""
        part = text.casefold()
        matching = (task for task in self.tasks() if part in task.found_by)
        return list(itertools.islice(matching, most))

    def _new_id(self) -> str | int:
        if self.has_numbers:
            return next(number for number in self._ids if str(number) not in self._tasks)
        return str(uuid.uuid4())

    def _checked(self, task_id: str | int) -> str | int:
        if self.has_numbers:
            try:
                return int(task_id)
            except ValueError:
                fact = f"'{task_id}' cannot be a task id of this contract"
                raise InputError(Mistake("task_id", fact, expected="a whole number")) from None
        text = str(task_id)
        if _UNUSABLE_ID.fullmatch(text) or len(quote(text, safe="")) > MAX_ID:
            fix = f"choose an id that can be part of a URL, in at most {MAX_ID} characters"
            raise InputError(Mistake("task_id", "a task with this id could not be polled", fix=fix))
        return text


def _check_default(catalog: Catalog, name: str) -> None:
    try:
        catalog.get(name)
    except InputError as error:
        option = "--default-scenario"
        raise InputError([replace(each, place=each.place or option) for each in error.mistakes]) from None


def _opened(step: Step) -> Step:
    """Return a step whose plain-text fault a page of any site may read; others are the same object."""
    fault = step.fault
    if fault is None or fault.text is None or "access-control-allow-origin" in map(str.lower, fault.headers):
        return step
    opened = fault.model_copy(update={"headers": {**fault.headers, **ANY_PAGE}})
    return step.model_copy(update={"fault": opened})
