"""The steps of an examination: what is tried with an adapter, what it did, and what to do about it.

It looks for mistakes of the adapter, not of the SDK: where the SDK may be at fault, the suite will judge, and
a step says in the suite's words how. The first step that breaks the protocol ends the examination.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from waitproof.adapter import AdapterProcess
from waitproof.errors import AdapterError
from waitproof.judge import Mark, Observation, describe, json_equal, listed, shown
from waitproof.mock import ServerProcess
from waitproof.protocol import (
    AdapterFault,
    ExceptionKind,
    Hello,
    Outcome,
    Raised,
    Returned,
    Unsupported,
)
from waitproof.run.example import PAYLOAD, Example, foreseen
from waitproof.run.exchanges import Exchanges
from waitproof.simulate import needed_options
from waitproof.suite import Contract, Json, Returns, Scenario, StatusMeaning, Step, fill

__all__ = ["Examination", "Tried"]

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
FIELD_CHECKS = frozenset({"exception_field", "native_stack_trace_is_apart"})
TIMEOUT_CHECKS = frozenset({"polls_until_terminal", "raises_timeout"})
FIELDS_FIX = (
    "look at the exception where the adapter describes it: the adapter loses a field that is right there, "
    "the SDK one that is not"
)
TELL_APART = (
    "to tell whether the adapter or the SDK is wrong, print to stderr what the helper returned or raised: "
    "doctor shows it"
)
TOKEN = "wpdoctor0000000000"  # noqa: S105 - names a task, guards nothing


@dataclass(frozen=True)
class Tried:
    """What came of one step: a line, and what to do if something is wrong; a note is no failure.

    Attributes:
        foreseen: What a run will say about it, in lines.
    """

    name: str
    summary: str
    wrong: bool = False
    fix: str = ""
    is_note: bool = False
    foreseen: tuple[str, ...] = ()


class Examination:
    """The examination of one adapter."""

    def __init__(
        self,
        process: AdapterProcess,
        contract: Contract,
        server: ServerProcess,
        hello: Hello,
        example: Scenario | None,
    ) -> None:
        self._process = process
        self._hello = hello
        self._contract = contract
        self._server = server
        self._example = Example(contract, example)
        self._calls = Exchanges(process, contract, server)
        self._calls.options = needed_options(contract, hello.capabilities)

    def steps(self) -> Iterator[Tried]:
        """Yield what came of each step.

        Raises:
            AdapterError: The adapter broke the protocol.
        """
        hello, capabilities = self._hello, self._hello.capabilities
        yield Tried("hello", f"{hello.sdk_name} {hello.sdk_version}, {hello.language}, {hello.runtime}")
        yield self._ping()
        if capabilities.get_task:
            yield self._get_task()
        if capabilities.wait:
            yield self._returns()
            yield self._raises_task()
            if {"timeout", "max_polls"}.intersection(capabilities.options):
                yield self._raises_timeout()
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
            yield Tried("stdout", summary, fix=fix)
        yield self._ends()

    def _ping(self) -> Tried:
        self._calls.answer(self._process.send("ping"))
        return Tried("ping", "answered")

    def _get_task(self) -> Tried:
        step = self._example.step
        task_id = self._calls.task(step)
        result = fill(step.result, {"task_id": task_id, "token": "", "n": 1})
        seen = self._calls.answer(self._process.send("get_task", client="doctor", task_id=task_id))
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused("get_task", seen)
        if not isinstance(seen, Returned) or not isinstance(seen.task, dict):
            fix = 'answer {"outcome":"returned","task":{"task_id":…,"status":…,"result":…,"error":…}}'
            return Tried("get_task", f"the call {describe(seen)}", wrong=True, fix=fix)
        if not json_equal(seen.task.get("result"), result):
            summary = f"its result is {shown(seen.task.get('result'))}, but the server sent {shown(result)}"
            return Tried("get_task", summary, fix=TASK_FIX)
        return Tried("get_task", "one request, and the task as the server sent it")

    def _returns(self) -> Tried:
        name = "wait returns"
        task_id = self._calls.task(self._example.step)
        seen = self._calls.answer(self._calls.wait(task_id))
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(name, seen)
        if not isinstance(seen, Returned):
            return Tried(name, f"the call {describe(seen)}", wrong=True, fix=self._hint(task_id))
        finding = self._example.judge(self._hello, task_id, seen)
        if finding.mark is not Mark.KEPT:
            summary = f"the call {describe(seen)}; expected: {finding.expected}"
            fix = f"is the payload at result_path {self._hello.result_path!r} of what the helper returned?"
            return Tried(name, f"{summary}; {finding.explanation}".removesuffix("; "), wrong=True, fix=fix)
        if self._contract.returns is not Returns.RESULT or self._hello.capabilities.returns is not None:
            return Tried(
                name, finding.seen if self._hello.capabilities.returns else "the task of the example"
            )
        return self._returns_payload()

    def _returns_payload(self) -> Tried:
        """Try a payload that an adapter, or a typed SDK, may change: it is judged by the suite alone."""
        example = Example(self._contract)
        task_id = self._calls.task(example.step)
        seen = self._calls.answer(self._calls.wait(task_id))
        if example.judge(self._hello, task_id, seen).mark is Mark.KEPT:
            return Tried("wait returns", "the payload as the server sent it")
        fix = f"if {shown(PAYLOAD)} can be a payload of this SDK: does the adapter change it?"
        return Tried("wait returns", "the payload of the contract's example", fix=fix)

    def _raises_task(self) -> Tried:
        name, raising = "wait raises", StatusMeaning.RAISE_TASK
        known = [each for each in self._hello.capabilities.variants if each in self._contract.variants]
        variant = next(
            (each for each in (None, *known) if raising in self._contract.varied(each).meanings.values()), ""
        )
        if variant == "":
            return self._returns_failure()
        contract = self._contract.varied(variant)
        failed = Step(status=contract.status_for(raising) or "")
        call = self._calls.wait(self._calls.task(failed), variant)
        seen = self._calls.answer(call)
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(name, seen)
        if not isinstance(seen, Raised) or seen.kind is not ExceptionKind.TASK:
            fix = (
                f'report the SDK\'s task exception with kind "task"; the suite judges any other; {TELL_APART}'
            )
            return Tried(name, f"the call {describe(seen)}", wrong=True, fix=fix)
        lines = self._foreseen(contract, failed, self._calls.observed(self._hello, call), FIELD_CHECKS)
        if lines:
            return Tried(name, seen.type, fix=FIELDS_FIX, foreseen=lines)
        missing = [each for each in contract.exception_fields if each not in seen.fields]
        if missing:
            fix = "report each documented field under its documented name; leave out what the exception lacks"
            return Tried(name, f"{seen.type} without {', '.join(missing)}", fix=fix)
        return Tried(name, f"{seen.type} with every documented field")

    def _returns_failure(self) -> Tried:
        """Try a failed task where none raises."""
        status = self._contract.failing_status
        if status is None:
            return Tried("wait raises", "skipped: in this contract no status of a task raises an exception")
        seen = self._calls.answer(self._calls.wait(self._calls.task(Step(status=status))))
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused("wait raises", seen)
        if not isinstance(seen, Returned):
            fix = "in this contract a failed task is returned: where the helper does so, so must the adapter"
            return Tried("wait raises", f"the call {describe(seen)}", fix=fix)
        return Tried("wait raises", f"nothing: a task that says {shown(status)} is returned")

    def _raises_timeout(self) -> Tried:
        name, known = "wait times out", self._hello.capabilities.options
        limit: dict[str, Json] = {"timeout": INTERVAL_S} if "timeout" in known else {"max_polls": LEAST_POLLS}
        interval = {"poll_interval": INTERVAL_S} if "poll_interval" in known else {}
        options: dict[str, Json] = {**self._calls.options, **interval, **limit}
        status = self._status(StatusMeaning.KEEP_POLLING)
        task_id = self._calls.task(Step(status=status))
        call = self._process.send("wait", client="doctor", task_id=task_id, options=options)
        if not call.wait(GIVE_UP_LIMIT_S):
            polls = len(self._server.entries(str(task_id)))
            raise AdapterError(
                f"wait times out: no answer to call {call.id} within {GIVE_UP_LIMIT_S:g} s, "
                f"with {_words(limit)} and {polls} polls so far\n"
                f"      fix: check that the adapter passes '{next(iter(limit))}' on to the helper"
                f"{', in seconds' if 'timeout' in limit else ''}; if it does, the helper ignores it"
            )
        seen = self._calls.answer(call)
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(name, seen)
        observed = self._calls.observed(self._hello, call)
        lines = self._foreseen(self._contract, Step(status=status), observed, TIMEOUT_CHECKS)
        if isinstance(seen, Raised) and self._is_timeout(seen):
            summary = f"{seen.type}, fields {shown(seen.fields)}"
            return Tried(name, summary, fix=FIELDS_FIX if lines else "", foreseen=lines)
        summary = f"the call {describe(seen)}"
        took_s = observed.calls[0].took_s or 0.0
        ended_at_once = isinstance(seen, Returned) and took_s < INTERVAL_S / 2
        knows = next(filter(self._polls_on, self._others(status)), "") if ended_at_once else ""
        if knows:
            fix = f"the SDK polls on after {knows!r}, so the adapter calls it as it should: "
            fix += f"let the SDK poll on after {status!r}, too"
            return Tried(name, summary, fix=fix, foreseen=lines)
        promise = self._contract.timeout
        right = f'the exception of a timeout with kind "{promise.kind}"'
        if promise.kind is None or promise.pattern(self._hello.language) is not None:
            right = promise.promised(self._hello.language)
        fix = (
            f"report {right}; the suite judges any other; "
            f"the options were {', '.join(options)}, in seconds: pass each on under the helper's own name; "
            f"{TELL_APART}"
        )
        return Tried(name, summary, wrong=True, fix=fix, foreseen=lines)

    def _others(self, status: str) -> list[str]:
        """Return the other statuses after which a wait goes on."""
        goes_on = StatusMeaning.KEEP_POLLING
        return [
            each for each, means in self._contract.meanings.items() if means is goes_on and each != status
        ]

    def _polls_on(self, status: str) -> bool:
        """Say whether a wait polls on after one answer with that status."""
        task_id = self._calls.task(Step(status=status), Step(status=self._done()))
        self._calls.answer(self._calls.wait(task_id))
        self._server.settle()
        return len(self._server.entries(str(task_id))) > 1

    def _is_timeout(self, seen: Outcome) -> bool:
        promise = self._contract.timeout
        return isinstance(seen, Raised) and promise.fits(seen.kind.value, seen.type, self._hello.language)

    def _foreseen(
        self, contract: Contract, step: Step, observed: Observation, checks: Collection[str]
    ) -> tuple[str, ...]:
        """Return what a run will report, in the report's words."""
        by_words: dict[tuple[str, str, str], list[str]] = {}
        for each in foreseen(contract, step, observed, checks):
            by_words.setdefault((each.status.value, each.seen, each.expected), []).append(each.requirement)
        return tuple(
            f"a run will report {status} for {listed(names)}: {seen}; expected: {expected}"
            for (status, seen, expected), names in by_words.items()
        )

    def _cancels(self, known: Sequence[str]) -> Tried:
        going = Step(status=self._status(StatusMeaning.KEEP_POLLING))
        going = going.model_copy(update={"for_": float(CANCELLED_FOR_S)})
        task_id = self._calls.task(going, Step(status=self._done()))
        options = {**self._calls.options, **({"timeout": 3 * CANCELLED_FOR_S} if "timeout" in known else {})}
        call = self._process.send("wait", client="doctor", task_id=task_id, options=options)
        call.wait(CANCEL_AFTER_S)
        answer = self._calls.answer(self._process.cancel(call))
        seen = self._calls.answer(call)
        if isinstance(seen, Unsupported):
            return self._excused("cancel", seen)
        if not isinstance(answer, Returned):
            fix = "answer a cancel with 'returned', or leave the capability 'cancel' out"
            return Tried("cancel", f"the cancel {describe(answer)}", wrong=True, fix=fix)
        if isinstance(seen, Returned):
            fix = (
                "does the adapter pass the kit's context, token or signal on? If so, the suite judges the SDK"
            )
            return Tried("cancel", "the wait went on until its task ended", fix=fix)
        return Tried("cancel", f"the wait {describe(seen)}")

    def _two_at_once(self) -> Tried:
        done = Step(status=self._done()).model_copy(update={"delay": 0.5})
        task_ids = {client: self._calls.task(done) for client in ("doctor", "doctor-2")}
        calls = [
            self._process.send("wait", client=client, task_id=task_id, options=self._calls.options)
            for client, task_id in task_ids.items()
        ]
        outcomes = [self._calls.answer(call) for call in calls]
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
            return Tried("two at once", summary, wrong=True, fix=fix)
        return Tried("two at once", "two waits were in flight together")

    def _begins(self, operation: str) -> Tried:
        if operation not in self._contract.operations:
            known = ", ".join(self._contract.operations)
            fix = f"the contract has {known}; take the name out of capabilities.operations"
            return Tried(operation, "the contract has no such operation", wrong=True, fix=fix)
        task_id = self._calls.task(Step(status=self._done()), token=TOKEN, begun_by=operation)
        values: dict[str, Json] = {"token": TOKEN, "n": 1, "task_id": task_id}
        arguments = fill(self._contract.operations[operation].arguments, values)
        call = self._process.send("begin", client="doctor", operation=operation, arguments=arguments)
        seen = self._calls.answer(call)
        self._server.forget([task_id])
        if isinstance(seen, AdapterFault | Unsupported):
            return self._excused(operation, seen)
        if not isinstance(seen, Returned) or not json_equal(seen.task_id, task_id):
            fix = 'answer {"outcome":"returned","task_id":…} with the id in the operation\'s answer'
            return Tried(operation, f"the call {describe(seen)}", wrong=True, fix=fix)
        return Tried(operation, "returned the task id")

    def _ends(self) -> Tried:
        began_s = time.monotonic()
        self._process.close(EXIT_LIMIT_S)
        took_s = time.monotonic() - began_s
        code = self._process.exit_code
        if code != 0:
            fix = "when stdin ends, finish what is in flight and exit with 0"
            summary = f"exit code {code}, {took_s:.1f} s after the end of stdin"
            return Tried("end of stdin", summary, wrong=True, fix=fix)
        return Tried("end of stdin", f"exited with 0 after {took_s:.1f} s")

    # --- tools ---

    def _hint(self, task_id: str | int) -> str:
        if not self._server.entries(str(task_id)):
            return "no request reached the server: does the client use base_url of hello, and nothing else?"
        return "the server completed the task at the first poll: what did the helper raise?"

    def _excused(self, name: str, seen: AdapterFault | Unsupported) -> Tried:
        """Return what the adapter reports about itself: that this SDK cannot do it, or that it failed."""
        if isinstance(seen, Unsupported):
            return Tried(name, f"unsupported: {seen.reason}", is_note=True)
        fix = "see the adapter's code and its lines on stderr"
        return Tried(name, f"the adapter reported: {seen.message}", wrong=True, fix=fix)

    def _done(self) -> str:
        return self._status(StatusMeaning.RETURN_RESULT)

    def _status(self, meaning: StatusMeaning) -> str:
        return self._contract.status_for(meaning) or ""


def _words(limit: Mapping[str, Json]) -> str:
    return f"a timeout of {limit['timeout']:g} s" if "timeout" in limit else f"max_polls {limit['max_polls']}"
