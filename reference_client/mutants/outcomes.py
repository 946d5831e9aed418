"""Mutants of what the caller gets: results, exceptions and their fields."""

# ruff: noqa: ARG002 - what a variant is given and does not use is what makes it one

from __future__ import annotations

import dataclasses
import struct
import traceback
from collections.abc import Callable
from typing import Any

from reference_client import wire
from reference_client.client import Client
from reference_client.exceptions import StreamTaskException, StreamTransportException
from reference_client.mutants.variant import Ending, Raising, Rule, Steps, altered, kills
from reference_client.task import Task, TaskError
from reference_client.waiting import Poll

__all__: list[str] = []


def _same(value: Any) -> Any:
    return value


def _ended(task: Task, status: str = "completed") -> Task:
    return dataclasses.replace(task, status=status)


# --- when a task is done ------------------------------------------------------------------------------


class _TakenForTheEnd(Rule):
    status = ""

    def on_task(self, task: Task) -> Task:
        return _ended(task) if task.status == self.status else task


@kills("polls-until-terminal")
class RunningIsAnEnd(_TakenForTheEnd):
    """Returns when the task is running."""

    status = "running"


@kills("polls-until-terminal")
class PendingIsAnEnd(_TakenForTheEnd):
    """Returns when the task is pending."""

    status = "pending"


@kills("polls-until-terminal")
class WaitingIsAnEnd(_TakenForTheEnd):
    """Returns when the task is waiting."""

    status = "waiting"


@kills("polls-until-terminal")
class AResultIsAnEnd(Rule):
    """Returns as soon as an answer holds a result."""

    def on_task(self, task: Task) -> Task:
        return task if task.result is None or task.status == "failed" else _ended(task)


@kills("polls-until-terminal")
class AnErrorIsAnEnd(Rule):
    """Raises as soon as an answer holds an error."""

    def on_task(self, task: Task) -> Task:
        return task if task.error is None or task.status == "completed" else _ended(task, "failed")


@kills("polls-until-terminal")
class FivePollsAtMost(Client):
    """Returns nothing when five polls have brought no end."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        polls = 0

        def counted(task: Task) -> Task:
            nonlocal polls
            polls += 1
            return _ended(task) if polls == 5 and task.status != "failed" else task

        return altered(super()._steps(task_id, poll_interval, timeout), _same, counted, _same)


@kills("unknown-status-keeps-polling")
class UnknownIsRaised(Rule):
    """Raises a bare error for a status that it does not know."""

    def on_task(self, task: Task) -> Task:
        if task.status not in ("waiting", "pending", "running", "completed", "failed"):
            raise ValueError(f"unknown status {task.status!r}")
        return task


@kills("unknown-status-keeps-polling")
class UnknownIsAnEnd(Rule):
    """Returns at a status that it does not know."""

    def on_task(self, task: Task) -> Task:
        known = ("waiting", "pending", "running", "completed", "failed")
        return task if task.status in known else _ended(task)


@kills("unknown-status-keeps-polling")
class TheFirstLettersWillDo(Rule):
    """Takes a status for an end that only begins like one."""

    def on_task(self, task: Task) -> Task:
        for end in ("completed", "failed"):
            if task.status.startswith(end[:4]):
                return _ended(task, end)
        return task


@kills("unknown-status-keeps-polling")
class CapitalsMeanNothing(Rule):
    """Takes Completed for completed."""

    def on_task(self, task: Task) -> Task:
        return _ended(task, task.status.lower())


# --- results ------------------------------------------------------------------------------------------


class _Returning(Client):
    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        return self.on_result(super().wait_for_task(task_id, **options), task_id)

    def on_result(self, result: Any, task_id: str) -> Any:
        return result


@kills("completed-returns-result")
class Nothing(_Returning):
    """Returns null in place of the result."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return None


@kills("completed-returns-result")
class Envelope(_Returning):
    """Returns the whole answer in place of the result."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return {"task_id": task_id, "status": "completed", "result": result}


@kills("completed-returns-result")
class OfTheFirstPoll(Client):
    """Returns the result that stood in the first answer."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        first: list[Any] = []

        def remembered(task: Task) -> Task:
            first.append(task.result)
            return dataclasses.replace(task, result=first[0])

        return altered(super()._steps(task_id, poll_interval, timeout), _same, remembered, _same)


@kills("completed-returns-result")
class OfItsInside(_Returning):
    """Returns what the result calls its result, where it does."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return result["result"] if isinstance(result, dict) and "result" in result else result


@kills("completed-returns-result")
class NullIsAnObject(_Returning):
    """Returns an empty object in place of null."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return {} if result is None else result


@kills("completed-returns-result")
class OldErrorsCount(Rule):
    """Raises for a completed task whose answer still holds an error."""

    def on_task(self, task: Task) -> Task:
        is_bad = task.status == "completed" and task.error is not None
        return _ended(task, "failed") if is_bad else task


@kills("completed-returns-result", ending=Ending.ERROR)
class Guesses(Client):
    """Returns without having asked anybody."""

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        return {"channels": 2}


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, dict):
        value = {key: _changed(child, change) for key, child in value.items()}
    elif isinstance(value, list):
        value = [_changed(child, change) for child in value]
    return change(value)


class _ChangesPayload(_Returning):
    @staticmethod
    def change(value: Any) -> Any:
        return value

    def on_result(self, result: Any, task_id: str) -> Any:
        return _changed(result, self.change)


@kills("payload-arrives-intact")
class DropsNulls(_ChangesPayload):
    """Leaves out of a result what is null."""

    @staticmethod
    def change(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: child for key, child in value.items() if child is not None}
        return value


@kills("payload-arrives-intact")
class LowerCasesKeys(_ChangesPayload):
    """Writes the keys of a result in lower case."""

    @staticmethod
    def change(value: Any) -> Any:
        return {key.lower(): child for key, child in value.items()} if isinstance(value, dict) else value


@kills("payload-arrives-intact")
class ReadsDates(_ChangesPayload):
    """Makes a time of day of a text that reads like a date."""

    @staticmethod
    def change(value: Any) -> Any:
        is_date = isinstance(value, str) and value[:2] == "20" and value[4:5] == "-"
        return f"{value[:10]}T00:00:00Z" if is_date else value


@kills("payload-arrives-intact")
class SinglePrecision(_ChangesPayload):
    """Reads a fraction as a float of 32 bits."""

    @staticmethod
    def change(value: Any) -> Any:
        try:
            return struct.unpack("<f", struct.pack("<f", value))[0] if isinstance(value, float) else value
        except OverflowError:
            return value


@kills("payload-arrives-intact")
class SevenDigits(_ChangesPayload):
    """Keeps seven digits of a fraction."""

    @staticmethod
    def change(value: Any) -> Any:
        return float(f"{value:.7g}") if isinstance(value, float) else value


@kills("payload-arrives-intact")
class Stripped(_ChangesPayload):
    """Takes spaces off both ends of a text."""

    @staticmethod
    def change(value: Any) -> Any:
        return value.strip() if isinstance(value, str) else value


@kills("payload-arrives-intact")
class CutAtAMebibyte(_ChangesPayload):
    """Cuts a text after a mebibyte."""

    @staticmethod
    def change(value: Any) -> Any:
        return value[: 1024 * 1024] if isinstance(value, str) else value


@kills("payload-arrives-intact")
class EmptyIsNull(_ChangesPayload):
    """Returns null in place of an empty object."""

    @staticmethod
    def change(value: Any) -> Any:
        return None if value == {} else value


@kills("payload-arrives-intact")
class TenLevelsDeep(_Returning):
    """Gives up a result below its tenth level."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return _cut(result, 10)


def _cut(value: Any, levels: int) -> Any:
    if isinstance(value, dict):
        return {key: _cut(child, levels - 1) for key, child in value.items()} if levels else None
    if isinstance(value, list):
        return [_cut(child, levels - 1) for child in value] if levels else None
    return value


@kills("payload-arrives-intact")
class Latin1(Client):
    """Decodes answers as Latin-1."""

    def _send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        answer = super()._send(request, timeout_s)
        return dataclasses.replace(answer, body=answer.body.decode("latin-1").encode())


@kills("integers-beyond-2-53", ending=Ending.RECORDED)
class DoublesOnly(_ChangesPayload):
    """Reads every number as a double."""

    @staticmethod
    def change(value: Any) -> Any:
        return int(float(value)) if type(value) is int else value


@kills("returns-payload-itself", ending=Ending.RECORDED, result_path="data.result")
class InAResponse(_Returning):
    """Returns the result inside of a response object."""

    def on_result(self, result: Any, task_id: str) -> Any:
        return {"data": {"result": result}}


# --- the task exception -------------------------------------------------------------------------------


class _Translating(Client):
    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        try:
            return super().wait_for_task(task_id, **options)
        except StreamTaskException as error:
            return self.on_failure(error)

    def on_failure(self, error: StreamTaskException) -> Any:
        raise error


@kills("failed-raises-task-exception")
class Returned(_Translating):
    """Returns a failed task's error in place of raising."""

    def on_failure(self, error: StreamTaskException) -> Any:
        return {"error": error.error_type}


@kills("failed-raises-task-exception")
class Transport(_Translating):
    """Raises its transport exception for a failed task."""

    def on_failure(self, error: StreamTaskException) -> Any:
        raise StreamTransportException("connection", str(error)) from error


@kills("failed-raises-task-exception")
class BareError(_Translating):
    """Raises a bare error for a failed task."""

    def on_failure(self, error: StreamTaskException) -> Any:
        raise RuntimeError(str(error)) from error


@kills("failed-raises-task-exception")
class TimeoutByName(_Translating):
    """Raises its timeout for a task whose own error is called timeout."""

    def on_failure(self, error: StreamTaskException) -> Any:
        if error.error_type == "timeout":
            raise StreamTransportException("timeout", str(error)) from error
        raise error


@kills("failed-raises-task-exception")
class APartOfAResultWillDo(Rule):
    """Returns what a failed task has of a result."""

    def on_task(self, task: Task) -> Task:
        return _ended(task) if task.status == "failed" and task.result is not None else task


@kills("unknown-fields-are-ignored")
class StrictAboutAnswers(Client):
    """Refuses an answer with a field that it does not know."""

    fields = frozenset({"task_id", "status", "created_at", "updated_at", "duration", "result", "error"})

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        request = self._api.get_task(task_id)
        answer = self._send(request, timeout_s)
        task = wire.read_task(task_id, request, answer)
        unknown = wire._read_object(answer.body).keys() - self.fields  # noqa: SLF001 - what wire has read
        if unknown:
            raise wire.transport_failure("malformed_answer", request, f"unknown fields {unknown}")
        return task


@kills("unknown-fields-are-ignored")
class StrictAboutErrors(Client):
    """Refuses an error with a field that it does not know."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        request = self._api.get_task(task_id)
        answer = self._send(request, timeout_s)
        task = wire.read_task(task_id, request, answer)
        error = wire._read_object(answer.body).get("error")  # noqa: SLF001 - what wire has read
        if error and error.keys() - {"type", "description", "stacktrace", "version", "task_id"}:
            raise TypeError("unexpected keyword argument")
        return task


class _Crashing(Rule):
    def on_task(self, task: Task) -> Task:
        if task.status == "failed":
            self.look_at(task.error)
        return task

    def look_at(self, error: TaskError | None) -> None:
        """Crash if the error is not as this client likes it."""


@kills("optional-error-fields-may-be-absent")
class CrashesWithoutStackTrace(_Crashing):
    """Crashes on an error without a stack trace."""

    def look_at(self, error: TaskError | None) -> None:
        if error is not None and error.error_type is not None and error.stack_trace is None:
            raise KeyError("stacktrace")


@kills("optional-error-fields-may-be-absent")
class CrashesWithoutVersion(_Crashing):
    """Crashes on an error without a version."""

    def look_at(self, error: TaskError | None) -> None:
        if error is not None and error.error_type is not None and error.version is None:
            raise TypeError("expected a string, got None")


@kills("error-object-may-be-absent")
class CrashesWithoutError(_Crashing):
    """Crashes on a failed task without an error."""

    def look_at(self, error: TaskError | None) -> None:
        if error is None:
            raise AttributeError("'NoneType' object has no attribute 'type'")


@kills("error-object-may-be-absent")
class CrashesOnEmptyError(_Crashing):
    """Crashes on a failed task whose error has no type."""

    def look_at(self, error: TaskError | None) -> None:
        if error is not None and error.error_type is None:
            raise KeyError("type")


@kills("error-object-may-be-absent")
class NoErrorNoException(Rule):
    """Returns when a failed task has no error."""

    def on_task(self, task: Task) -> Task:
        return _ended(task) if task.status == "failed" and task.error is None else task


# --- its fields ---------------------------------------------------------------------------------------


def _field(
    requirement: str, defect: str, summary: str, change: Callable[[StreamTaskException], None]
) -> None:
    def on_error(_client: Raising, error: StreamTaskException) -> None:
        change(error)

    client = type("_Field", (Raising,), {"__doc__": summary, "on_error": on_error})
    kills(requirement, defect)(client)


def _set(name: str, value: Callable[[Any], Any]) -> Callable[[StreamTaskException], None]:
    return lambda error: setattr(error, name, value(getattr(error, name)))


def _swap(one: str, other: str) -> Callable[[StreamTaskException], None]:
    def change(error: StreamTaskException) -> None:
        values = getattr(error, one), getattr(error, other)
        setattr(error, other, values[0])
        setattr(error, one, values[1])

    return change


_NAMES = {
    "exception-task-id": "task_id",
    "exception-error-type": "error_type",
    "exception-description": "description",
    "exception-stack-trace": "stack_trace",
    "exception-version": "version",
}
for _requirement, _name in _NAMES.items():
    _field(
        _requirement,
        "missing",
        f"Has no {_name}.",
        lambda error, name=_name: delattr(error, name),  # type: ignore[misc]
    )
    _field(_requirement, "empty", f"Has an empty {_name}.", _set(_name, lambda _value: ""))


def _first_line(value: Any) -> Any:
    return value.partition("\n")[0] if isinstance(value, str) else value


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


_field(
    "exception-error-type",
    "swapped",
    "Has its type and its description the wrong way round.",
    _swap("error_type", "description"),
)
_field(
    "exception-error-type",
    "before-the-colon",
    "Keeps of its type what stands before a colon.",
    _set("error_type", lambda value: value and value.partition(":")[0]),
)
_field(
    "exception-error-type",
    "lower-case",
    "Writes its type in lower case.",
    _set("error_type", lambda value: value and value.lower()),
)
_field(
    "exception-description",
    "first-line",
    "Cuts its description to its first line.",
    _set("description", _first_line),
)
_field(
    "exception-description",
    "stripped",
    "Takes white space off both ends of its description.",
    _set("description", lambda value: value and value.strip()),
)
_field(
    "exception-stack-trace",
    "four-kilobytes",
    "Cuts its stack trace after 4 kB.",
    _set("stack_trace", lambda value: value and value[:4096]),
)
_field(
    "exception-description",
    "ten-kilobytes",
    "Cuts its description after 10 kB.",
    _set("description", lambda value: value and value[:10_000]),
)
_field(
    "exception-description",
    "is-a-pattern",
    "Takes its description for a pattern and fills it in.",
    _set("description", lambda value: value and value.replace("%d", "0").replace("{0}", "")),
)
_field(
    "exception-description",
    "is-the-message",
    "Has its whole message as its description.",
    lambda error: setattr(error, "description", str(error)),
)
_field(
    "exception-stack-trace",
    "first-line",
    "Cuts its stack trace to its first line.",
    _set("stack_trace", _first_line),
)
_field(
    "exception-stack-trace",
    "its-own",
    "Has the stack trace of its own runtime.",
    lambda error: setattr(error, "stack_trace", "".join(traceback.format_tb(error.__traceback__))),
)
_field(
    "exception-stack-trace",
    "stripped",
    "Takes white space off both ends of its stack trace.",
    _set("stack_trace", lambda value: value and value.strip()),
)
_field(
    "exception-version",
    "swapped",
    "Has its version and its stack trace the wrong way round.",
    _swap("version", "stack_trace"),
)
_field("exception-version", "is-a-number", "Reads its version as a number.", _set("version", _number))
_field(
    "exception-version", "of-the-sdk", "Has the version of the SDK.", _set("version", lambda _value: "0.1.0")
)


@kills("exception-task-id", "of-the-error")
class _TaskIdOfTheError(Client):
    """Takes the task id out of the error, where one stands there."""

    def _get_task(self, task_id: str, timeout_s: float) -> Task:
        request = self._api.get_task(task_id)
        answer = self._send(request, timeout_s)
        task = wire.read_task(task_id, request, answer)
        error = wire._read_object(answer.body).get("error") or {}  # noqa: SLF001 - what wire has read
        return dataclasses.replace(task, task_id=error.get("task_id", task.task_id))


class _OfTheFirstFailure(Raising):
    field = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._first: list[Any] = []

    def on_error(self, error: StreamTaskException) -> None:
        self._first.append(getattr(error, self.field))
        setattr(error, self.field, self._first[0])


@kills("exception-task-id", "of-another-task")
class _TaskIdOfAnother(_OfTheFirstFailure):
    """Has the id of the first task that failed on its client."""

    field = "task_id"


@kills("exception-description", "of-another-task")
class _DescriptionOfAnother(_OfTheFirstFailure):
    """Has the description of the first task that failed on its client."""

    field = "description"


class _OfTheFirstAnswer(Client):
    field = ""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        first: list[TaskError] = []

        def remembered(task: Task) -> Task:
            if task.error is None:
                return task
            first.append(task.error)
            old = {self.field: getattr(first[0], self.field)}
            return dataclasses.replace(task, error=dataclasses.replace(task.error, **old))

        return altered(super()._steps(task_id, poll_interval, timeout), _same, remembered, _same)


@kills("exception-error-type", "of-the-first-answer")
class _TypeOfTheFirstAnswer(_OfTheFirstAnswer):
    """Has the type of the first error that an answer held."""

    field = "error_type"


@kills("exception-version", "of-the-first-answer")
class _VersionOfTheFirstAnswer(_OfTheFirstAnswer):
    """Has the version of the first error that an answer held."""

    field = "version"


_JAVA: Any = {"sdk": {"language": "java", "runtime": "a Java of ours"}}


@kills("java-stack-trace-accessor", frames=0, **_JAVA)
class OverridesTheRuntimes(Client):
    """Overrides the runtime's own stack trace, which is empty then."""


@kills("java-stack-trace-accessor", frames=3, **_JAVA)
class IsTheRuntimes(Raising):
    """Gives the runtime's own stack trace as the server's."""

    def on_error(self, error: StreamTaskException) -> None:
        error.stack_trace = "\tat io.getstream.Client.waitForTask(Client.java:17)"


# --- the timeout's exception --------------------------------------------------------------------------


class _TimingOut(Client):
    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        try:
            return super().wait_for_task(task_id, **options)
        except StreamTransportException as error:
            if error.error_type == "timeout":
                return self.on_timeout(error, task_id)
            raise

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        raise error


@kills("timeout-raises-transport-exception", "bare-error")
class _BareTimeout(_TimingOut):
    """Raises the language's own timeout."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        raise TimeoutError(str(error)) from error


@kills("timeout-raises-transport-exception", "nothing")
class _NothingAtTimeout(_TimingOut):
    """Returns null at its timeout."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        return None


@kills("timeout-raises-transport-exception", "wrong-type")
class _WrongType(_TimingOut):
    """Calls its timeout by another error_type."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        raise StreamTransportException("connection", error.message) from error


@kills("timeout-raises-transport-exception", "no-type")
class _NoType(_TimingOut):
    """Raises its transport exception without an error_type."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        del error.error_type
        raise error


@kills("timeout-raises-transport-exception", "task-exception")
class _TaskExceptionAtTimeout(_TimingOut):
    """Raises the task exception at its timeout."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        raise StreamTaskException(task_id, "timeout", error.message) from error


@kills(
    "timeout-not-early", "lies-about-elapsed", ending=Ending.ERROR, elapsed_s=lambda seconds: seconds + 5.0
)
class _Lies(Client):
    """Its adapter says that each wait took five seconds longer than it did."""


@kills("timeout-leaves-task-running")
class Deletes(_TimingOut):
    """Deletes the task at its timeout."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        request = dataclasses.replace(self._api.get_task(task_id), method="DELETE")
        self._send(request, wire.REQUEST_TIMEOUT_S)
        raise error


@kills("timeout-leaves-task-running")
class Cancels(_TimingOut):
    """Asks the server to cancel the task at its timeout."""

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        asked = self._api.get_task(task_id)
        path = f"{asked.path}/cancel"
        url = asked.url.replace(asked.path, path)
        self._send(wire.Request("POST", path, url, asked.headers, b"{}"), wire.REQUEST_TIMEOUT_S)
        raise error


@kills("timeout-leaves-task-running")
class Remembers(_TimingOut):
    """Raises its timeout again when the same task is waited for once more."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._timed_out: dict[str, StreamTransportException] = {}

    def on_timeout(self, error: StreamTransportException, task_id: str) -> Any:
        self._timed_out[task_id] = error
        raise error

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        def checked(poll: Poll) -> Poll:
            if task_id in self._timed_out:
                raise self._timed_out[task_id]
            return poll

        return altered(super()._steps(task_id, poll_interval, timeout), checked, _same, _same)
