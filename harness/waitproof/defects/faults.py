"""Defects of what a failed poll leads to: faults that are hidden, or that surface as something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeAlias

from waitproof.defects.client import Hooks, Reaction, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.wire import Cause, ModelError, read_object, set_at
from waitproof.protocol import ExceptionKind
from waitproof.simulate import Answer
from waitproof.suite import Contract, StatusMeaning

__all__ = ["fault_defects"]

_IsMeant: TypeAlias = Callable[[ModelError], bool]


def fault_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _hidden(contract)
    yield from _disguised(contract)
    yield from _open_questions()


def _on_errors(is_meant: _IsMeant, reaction: Callable[[ModelError], Exception | Reaction]) -> Hooks:
    def on_poll_error(_wait: Wait, error: ModelError) -> Exception | Reaction:
        return reaction(error) if is_meant(error) else error

    return Hooks(on_poll_error=on_poll_error)


def _polled_over(is_meant: _IsMeant) -> Hooks:
    return _on_errors(is_meant, lambda _error: Reaction.POLL_ON)


def _caused_by(cause: Cause) -> _IsMeant:
    return lambda error: error.cause is cause


def _http(*statuses: int) -> _IsMeant:
    return lambda error: error.http in statuses


def _server_error(error: ModelError) -> bool:
    return error.http >= 500


def _hidden(contract: Contract) -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        ("polls-over-500", "A lasting 5xx is hidden until the deadline.", _polled_over(_server_error)),
        (
            "polls-over-404",
            "A task that the server does not know is taken for one that has not begun.",
            _polled_over(_http(404)),
        ),
        ("polls-over-401", "The helper polls on when its credentials are refused.", _polled_over(_http(401))),
        ("polls-over-403", "The helper polls on when it may not see the task.", _polled_over(_http(403))),
        (
            "polls-over-503",
            "A lasting 503 or 504 is hidden until the deadline.",
            _polled_over(_http(503, 504)),
        ),
        (
            "http-status-not-looked-at",
            "The body of an answer is read without a look at its HTTP status.",
            Hooks(on_answer=lambda answer: Answer(200, answer.headers, answer.body)),
        ),
        (
            "polls-over-malformed-answers",
            'An answer that cannot be read is taken for "not yet".',
            _polled_over(_caused_by(Cause.MALFORMED)),
        ),
        (
            "no-status-is-not-yet",
            "An answer without a status is taken for a task that is still going on.",
            Hooks(on_answer=_with_a_status(contract)),
        ),
        (
            "lists-are-tasks",
            "The first item of a list is taken for the task.",
            Hooks(on_answer=lambda a: Answer(a.http, a.headers, a.body[1:-1]) if a.body[:1] == b"[" else a),
        ),
        (
            "polls-over-drops",
            "The helper polls on whenever a connection was dropped.",
            _polled_over(_caused_by(Cause.DROPPED)),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"fault_surfaces.{name}", "fault_surfaces", sentence, hooks)


def _with_a_status(contract: Contract) -> Callable[[Answer], Answer]:
    going_on = [s for s, meaning in contract.statuses.items() if meaning is StatusMeaning.KEEP_POLLING]
    status = next(iter(going_on), "unknown")
    place = next((name for name, value in contract.answer.body.items() if value == "${status}"), "status")

    def on_answer(answer: Answer) -> Answer:
        try:
            body = read_object(answer.body)
        except ValueError:
            return answer
        if isinstance(body.get(place), str) or answer.http != 200:
            return answer
        return Answer(answer.http, answer.headers, json.dumps(set_at(body, [place], status)).encode())

    return on_answer


def _disguised(contract: Contract) -> Iterator[Defect]:
    def raised_as(kind: ExceptionKind) -> Callable[[ModelError], Exception]:
        return lambda error: ModelError(kind, error.cause, error.message)

    def accepted_everywhere(kind: str) -> str:
        kinds = [
            each.with_.get("kinds", ()) for each in contract.requirements if each.check == "fault_surfaces"
        ]
        return "" if any(kind not in each for each in kinds) else f"a fault may surface as kind {kind}"

    every: tuple[tuple[str, str, Hooks, str], ...] = (
        (
            "transport-for-a-server-error",
            "A 5xx raises the transport exception.",
            _on_errors(_server_error, raised_as(ExceptionKind.TRANSPORT)),
            accepted_everywhere("transport"),
        ),
        (
            "json-error-leaks",
            "An answer that cannot be read raises the bare error of the JSON library.",
            _on_errors(_caused_by(Cause.MALFORMED), lambda error: ValueError(error.message)),
            accepted_everywhere("other"),
        ),
        (
            "network-error-leaks",
            "A dropped connection raises the bare error of the HTTP library.",
            _on_errors(_caused_by(Cause.DROPPED), lambda error: ConnectionError(error.message)),
            accepted_everywhere("other"),
        ),
        (
            "api-for-a-drop",
            "A dropped connection raises the exception for HTTP errors.",
            _on_errors(_caused_by(Cause.DROPPED), raised_as(ExceptionKind.API)),
            accepted_everywhere("api"),
        ),
    )
    silent = not any(each.check == "fault_surfaces" for each in contract.requirements)
    for name, sentence, hooks, reason in every:
        yield Defect(
            f"fault_surfaces.{name}",
            "fault_surfaces",
            sentence,
            hooks,
            not_applicable="" if silent else reason,
        )


def _open_questions() -> Iterator[Defect]:
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "record_after_fault",
            "polls-over-429",
            "The helper polls on after a 429.",
            _polled_over(_http(429)),
        ),
        (
            "record_after_fault",
            "repeats-after-5xx",
            "The helper repeats a poll at once, and once, after a server error.",
            _on_errors(_server_error, lambda _error: Reaction.REPEAT),
        ),
        (
            "record_repeated_polls",
            "at-once",
            "A poll whose connection was dropped is repeated at once, and once.",
            _on_errors(_caused_by(Cause.DROPPED), lambda _error: Reaction.REPEAT),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, ending=Ending.RECORDED)
