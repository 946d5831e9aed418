"""Checks an adapter against the protocol step by step, and reports what is wrong and how to fix it.

It looks for mistakes of the adapter, not of the SDK: where the SDK may be at fault, the suite will judge.
Each step is one exchange; the first that breaks the protocol ends the examination.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from waitproof.adapter import AdapterCommand, AdapterProcess, PendingCall
from waitproof.errors import AdapterError
from waitproof.judge import Mark, describe, json_equal, shown
from waitproof.mock import ServerProcess, TaskPlan
from waitproof.protocol import (
    AdapterFault,
    Capabilities,
    ExceptionKind,
    Hello,
    Outcome,
    Raised,
    Returned,
    Unsupported,
)
from waitproof.run.confidential import masker
from waitproof.run.example import PAYLOAD, Example
from waitproof.run.player import new_task_id
from waitproof.run.slow_start import announced
from waitproof.simulate import needed_options
from waitproof.suite import Contract, Json, Returns, Scenario, StatusMeaning, Step, fill

__all__ = ["examine"]

START_LIMIT_S = 30.0
API_SECRET = "doctor-" * 6
LIMIT_S = 15.0  # for one call whose task needs less than a second
GIVE_UP_LIMIT_S = 6.0  # for a wait whose timeout is a second: an interval and a busy machine fit in
EXIT_LIMIT_S = 5.0
CANCEL_AFTER_S = 0.3  # by then a wait has polled, and sleeps
CANCELLED_FOR_S = 2  # its task goes on for that long: a wait that ends with it was not cancelled
LEAST_POLLS = 2  # of a helper that gives up after a number of polls
TASK_FIX = (
    "report a task as task_id, status, result and error, under these names, with what the caller gets; "
    "without such a method, add get_task: false to hello's capabilities"
)
INTERVAL_S = 1  # a whole number fits every SDK's resolution
TOKEN = "wpdoctor0000000000"  # noqa: S105 - names a task, guards nothing


@dataclass(frozen=True)
class _Step:
    """The result of one exchange: a line, and what to do if something is wrong; a note is no failure."""

    name: str
    summary: str
    wrong: bool = False
    fix: str = ""
    is_note: bool = False


def examine(
    command: AdapterCommand,
    contract: Contract,
    say: Callable[[str], None],
    example: Scenario | None = None,
) -> bool:
    """Examine an adapter and report a line or a few for each step.

    Args:
        command: How to start it.
        contract: The documentation.
        say: Prints a line.
        example: A scenario whose wait returns, the contract's own example if it has one: what is answered and
            returned there is right for every SDK of this API, whatever types it has.

    Returns:
        Whether nothing was wrong.
    """
    passed = True
    masked = masker(os.environ, command.env, known=[API_SECRET])

    def say_masked(text: str) -> None:
        say(masked(text))

    with ServerProcess(contract) as server:
        try:
            process = AdapterProcess(command, clean=contract.environment, start_limit_s=START_LIMIT_S)
        except AdapterError as error:
            say_masked(f"WRONG start: {error}")
            return False
        try:
            for step in _Examination(process, contract, server, example, say_masked).steps():
                passed &= not step.wrong
                word = "WRONG" if step.wrong else "note " if step.fix or step.is_note else "ok   "
                say_masked(f"{word} {step.name}: {step.summary}")
                if step.fix:
                    say_masked(f"      fix: {step.fix}")
        except AdapterError as error:
            passed = False
            say_masked(f"WRONG {error}")
            for line in process.stderr_tail():
                say_masked(f"      stderr: {line}")
        finally:
            process.close()
    say(
        "the adapter follows the protocol"
        if passed
        else "something is wrong with the adapter or with the SDK that it calls: see above"
    )
    return passed


class _Examination:
    def __init__(
        self,
        process: AdapterProcess,
        contract: Contract,
        server: ServerProcess,
        example: Scenario | None,
        say: Callable[[str], None],
    ) -> None:
        self._process = process
        self._say = say
        self._contract = contract
        self._server = server
        self._example = Example(contract, example)
        self._options: dict[str, Json] = {}  # of a wait that is not about options

    def steps(self) -> Iterator[_Step]:
        url = self._server.base_url
        with announced(lambda text: self._say(f"      start: {text}"), START_LIMIT_S):
            hello = self._process.hello(base_url=url, api_key="waitproof-key", api_secret=API_SECRET)
        capabilities = hello.capabilities
        self._options = needed_options(self._contract, capabilities)
        yield _Step("hello", f"{hello.sdk_name} {hello.sdk_version}, {hello.language}, {hello.runtime}")
        yield self._ping()
        if capabilities.get_task:
            yield self._get_task()
        if capabilities.wait:
            yield self._returns(hello)
            yield self._raises_task(capabilities)
            if {"timeout", "max_polls"}.intersection(capabilities.options):
                yield self._raises_timeout(capabilities.options, hello.language)
            if capabilities.cancel:
                yield self._cancels(capabilities.options)
            if capabilities.max_concurrency != 1:
                yield self._two_at_once()
        for operation in capabilities.operations:
            yield self._begins(operation)
        if self._process.log_lines:
            lines = self._process.log_lines
            summary = f"{len(lines)} lines on stdout were not answers; the first: {lines[0]!r}"
            fix = "let the SDK print to stderr: a run with a hundred such lines is an error"
            yield _Step("stdout", summary, fix=fix)
        yield self._ends()

    def _ping(self) -> _Step:
        self._call(self._process.send("ping"))
        return _Step("ping", "answered")

    def _get_task(self) -> _Step:
        step = self._example.step
        task_id = self._task(step)
        result = fill(step.result, {"task_id": task_id, "token": "", "n": 1})
        seen = self._call(self._process.send("get_task", client="doctor", task_id=task_id))
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused("get_task", seen)
        if not isinstance(seen, Returned) or not isinstance(seen.task, dict):
            fix = 'answer {"outcome":"returned","task":{"task_id":…,"status":…,"result":…,"error":…}}'
            return _Step("get_task", f"the call {describe(seen)}", wrong=True, fix=fix)
        if not json_equal(seen.task.get("result"), result):
            summary = f"its result is {shown(seen.task.get('result'))}, but the server sent {shown(result)}"
            return _Step("get_task", summary, fix=TASK_FIX)
        return _Step("get_task", "one request, and the task as the server sent it")

    def _returns(self, hello: Hello) -> _Step:
        name = "wait returns"
        task_id = self._task(self._example.step)
        seen = self._wait(task_id)
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(name, seen)
        if not isinstance(seen, Returned):
            return _Step(name, f"the call {describe(seen)}", wrong=True, fix=self._hint(task_id))
        finding = self._example.judge(hello, task_id, seen)
        if finding.mark is not Mark.KEPT:
            summary = f"the call {describe(seen)}; expected: {finding.expected}"
            fix = f"is the payload at result_path {hello.result_path!r} of what the helper returned?"
            return _Step(name, f"{summary}; {finding.explanation}".removesuffix("; "), wrong=True, fix=fix)
        if self._contract.returns is not Returns.RESULT or hello.capabilities.returns is not None:
            return _Step(name, finding.seen if hello.capabilities.returns else "the task of the example")
        return self._returns_payload(hello)

    def _returns_payload(self, hello: Hello) -> _Step:
        """Try a payload that an adapter, or a typed SDK, may change: it is judged by the suite alone."""
        example = Example(self._contract)
        task_id = self._task(example.step)
        seen = self._wait(task_id)
        if example.judge(hello, task_id, seen).mark is Mark.KEPT:
            return _Step("wait returns", "the payload as the server sent it")
        fix = f"if {shown(PAYLOAD)} can be a payload of this SDK: does the adapter change it?"
        return _Step("wait returns", "the payload of the contract's example", fix=fix)

    def _raises_task(self, capabilities: Capabilities) -> _Step:
        name, raising = "wait raises", StatusMeaning.RAISE_TASK
        known = [each for each in capabilities.variants if each in self._contract.variants]
        variant = next(
            (each for each in (None, *known) if raising in self._contract.varied(each).meanings.values()), ""
        )
        if variant == "":
            return self._returns_failure()
        status = self._contract.varied(variant).status_for(raising) or ""
        seen = self._wait(self._task(Step(status=status)), variant)
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(name, seen)
        if not isinstance(seen, Raised) or seen.kind is not ExceptionKind.TASK:
            fix = 'report the SDK\'s task exception with kind "task"; the suite judges any other'
            return _Step(name, f"the call {describe(seen)}", wrong=True, fix=fix)
        missing = [each for each in self._contract.exception_fields if each not in seen.fields]
        if missing:
            fix = "report each documented field under its documented name; leave out what the exception lacks"
            return _Step(name, f"{seen.type} without {', '.join(missing)}", fix=fix)
        return _Step(name, f"{seen.type} with every documented field")

    def _returns_failure(self) -> _Step:
        """Try a failed task where none raises."""
        status = self._contract.failing_status
        if status is None:
            return _Step("wait raises", "skipped: in this contract no status of a task raises an exception")
        seen = self._wait(self._task(Step(status=status)))
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused("wait raises", seen)
        if not isinstance(seen, Returned):
            fix = "in this contract a failed task is returned: where the helper does so, so must the adapter"
            return _Step("wait raises", f"the call {describe(seen)}", fix=fix)
        return _Step("wait raises", f"nothing: a task that says {shown(status)} is returned")

    def _raises_timeout(self, known: Sequence[str], language: str) -> _Step:
        task_id = self._task(Step(status=self._status(StatusMeaning.KEEP_POLLING)))
        limit: dict[str, Json] = {"timeout": INTERVAL_S} if "timeout" in known else {"max_polls": LEAST_POLLS}
        interval = {"poll_interval": INTERVAL_S} if "poll_interval" in known else {}
        options: dict[str, Json] = {**self._options, **interval, **limit}
        call = self._process.send("wait", client="doctor", task_id=task_id, options=options)
        if not call.wait(GIVE_UP_LIMIT_S):
            polls = len(self._server.entries(str(task_id)))
            raise AdapterError(
                f"wait times out: no answer to call {call.id} within {GIVE_UP_LIMIT_S:g} s, "
                f"with {_words(limit)} and {polls} polls so far\n"
                f"      fix: check that the adapter passes '{next(iter(limit))}' on to the helper"
                f"{', in seconds' if 'timeout' in limit else ''}; if it does, the helper ignores it"
            )
        seen = self._call(call)
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused("wait times out", seen)
        promise = self._contract.timeout
        if not isinstance(seen, Raised) or not promise.fits(seen.kind.value, seen.type, language):
            right = f'the exception of a timeout with kind "{promise.kind}"'
            if promise.kind is None or promise.pattern(language) is not None:
                right = promise.promised(language)
            fix = (
                f"report {right}; the suite judges any other; "
                f"the options were {', '.join(options)}, in seconds: pass each on under the helper's own name"
            )
            return _Step("wait times out", f"the call {describe(seen)}", wrong=True, fix=fix)
        return _Step("wait times out", f"{seen.type}, fields {shown(seen.fields)}")

    def _cancels(self, known: Sequence[str]) -> _Step:
        going = Step(status=self._status(StatusMeaning.KEEP_POLLING))
        going = going.model_copy(update={"for_": float(CANCELLED_FOR_S)})
        task_id = self._task(going, Step(status=self._done()))
        options = {**self._options, **({"timeout": 3 * CANCELLED_FOR_S} if "timeout" in known else {})}
        call = self._process.send("wait", client="doctor", task_id=task_id, options=options)
        call.wait(CANCEL_AFTER_S)
        answer = self._call(self._process.cancel(call))
        seen = self._call(call)
        if isinstance(seen, Unsupported):
            return self._excused("cancel", seen)
        if not isinstance(answer, Returned):
            fix = "answer a cancel with 'returned', or leave the capability 'cancel' out"
            return _Step("cancel", f"the cancel {describe(answer)}", wrong=True, fix=fix)
        if isinstance(seen, Returned):
            fix = (
                "does the adapter pass the kit's context, token or signal on? If so, the suite judges the SDK"
            )
            return _Step("cancel", "the wait went on until its task ended", fix=fix)
        return _Step("cancel", f"the wait {describe(seen)}")

    def _two_at_once(self) -> _Step:
        done = Step(status=self._done()).model_copy(update={"delay": 0.5})
        task_ids = {client: self._task(done) for client in ("doctor", "doctor-2")}
        calls = [
            self._process.send("wait", client=client, task_id=task_id, options=self._options)
            for client, task_id in task_ids.items()
        ]
        outcomes = [self._call(call) for call in calls]
        unsupported = [seen for seen in outcomes if isinstance(seen, Unsupported)]
        if unsupported:
            return self._excused("two at once", unsupported[0])
        self._server.settle()
        first, second = (
            [
                (entry.arrived_ns, entry.answered_ns or entry.arrived_ns)
                for entry in self._server.entries(str(each))
            ]
            for each in task_ids.values()
        )
        if not any(a[0] < b[1] and b[0] < a[1] for a, b in itertools.product(first, second)):
            fix = "answer each call from a separate thread or task, or leave max_concurrency out"
            summary = "the server never had polls of both waits in flight at once"
            return _Step("two at once", summary, wrong=True, fix=fix)
        return _Step("two at once", "two waits were in flight together")

    def _begins(self, operation: str) -> _Step:
        if operation not in self._contract.operations:
            known = ", ".join(self._contract.operations)
            fix = f"the contract has {known}; take the name out of capabilities.operations"
            return _Step(operation, "the contract has no such operation", wrong=True, fix=fix)
        task_id = self._task(Step(status=self._done()), token=TOKEN, begun_by=operation)
        values: dict[str, Json] = {"token": TOKEN, "n": 1, "task_id": task_id}
        arguments = fill(self._contract.operations[operation].arguments, values)
        call = self._process.send("begin", client="doctor", operation=operation, arguments=arguments)
        seen = self._call(call)
        self._server.forget([task_id])
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(operation, seen)
        if not isinstance(seen, Returned) or not json_equal(seen.task_id, task_id):
            fix = 'answer {"outcome":"returned","task_id":…} with the id in the operation\'s answer'
            return _Step(operation, f"the call {describe(seen)}", wrong=True, fix=fix)
        return _Step(operation, "returned the task id")

    def _ends(self) -> _Step:
        began_s = time.monotonic()
        self._process.close(EXIT_LIMIT_S)
        took_s = time.monotonic() - began_s
        code = self._process.exit_code
        if code != 0:
            fix = "when stdin ends, finish what is in flight and exit with 0"
            summary = f"exit code {code}, {took_s:.1f} s after the end of stdin"
            return _Step("end of stdin", summary, wrong=True, fix=fix)
        return _Step("end of stdin", f"exited with 0 after {took_s:.1f} s")

    # --- tools ---

    def _wait(self, task_id: str | int, variant: str | None = None) -> Outcome:
        more: dict[str, Json] = {"options": self._options}
        if variant is not None:
            more = {
                "options": {**self._options, **self._contract.variants[variant].options},
                "variant": variant,
            }
        seen = self._call(self._process.send("wait", client="doctor", task_id=task_id, **more))
        if not isinstance(seen, Unsupported) or self._options:
            return seen
        silent = Capabilities(required_options=("poll_interval", "timeout"))  # it may not say so
        self._options = needed_options(self._contract, silent)
        again = self._wait(task_id, variant)
        if isinstance(again, Unsupported):
            self._options = {}
        return again

    def _call(self, call: PendingCall) -> Outcome:
        if not call.wait(LIMIT_S):
            fact = f"{call.op.value}: no answer to call {call.id} within {LIMIT_S:g} s"
            raise AdapterError(f"{fact}; answer with the id of the call, and flush")
        if call.error is not None:
            raise call.error
        assert call.answer is not None
        return call.answer.outcome

    def _task(self, *steps: Step, token: str = "", begun_by: str = "") -> str | int:
        task_id = new_task_id(self._contract)
        self._server.create([TaskPlan(task_id, steps, token, begun_by=begun_by)])
        return task_id

    def _hint(self, task_id: str | int) -> str:
        if not self._server.entries(str(task_id)):
            return "no request reached the server: does the client use base_url of hello, and nothing else?"
        return "the server completed the task at the first poll: what did the helper raise?"

    def _excused(self, name: str, seen: AdapterFault | Unsupported) -> _Step:
        """Return what the adapter reports about itself: that this SDK cannot do it, or that it failed."""
        if isinstance(seen, Unsupported):
            return _Step(name, f"unsupported: {seen.reason}", is_note=True)
        fix = "see the adapter's code and its lines on stderr"
        return _Step(name, f"the adapter reported: {seen.message}", wrong=True, fix=fix)

    def _done(self) -> str:
        return self._status(StatusMeaning.RETURN_RESULT)

    def _status(self, meaning: StatusMeaning) -> str:
        return self._contract.status_for(meaning) or ""


def _words(limit: Mapping[str, Json]) -> str:
    return f"a timeout of {limit['timeout']:g} s" if "timeout" in limit else f"max_polls {limit['max_polls']}"
