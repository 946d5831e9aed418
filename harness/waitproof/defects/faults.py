"""Defects of what a failed poll leads to: faults that are hidden, or that surface as something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TypeAlias

from waitproof.defects.client import Hooks, Reaction, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.wire import Cause, ModelError, read_object, set_at
from waitproof.protocol import ExceptionKind
from waitproof.simulate import Answer
from waitproof.suite import Contract, StatusMeaning

__all__ = ["brought_no_task", "caused_by", "fault_defects", "http_status", "on_errors", "with_a_status"]

_IsMeant: TypeAlias = Callable[[ModelError], bool]


def fault_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _hidden(contract)
    yield from _disguised(contract)
    yield Defect(
        "fault_not_hammered.repeats-at-once",
        "fault_not_hammered",
        "A poll that failed is repeated at once, a hundred times.",
        on_errors(brought_no_task, lambda _error: Reaction.REPEAT, most=100),
    )
    yield Defect(
        "fault_not_hammered.hardly-pauses",
        "fault_not_hammered",
        "After a poll that failed, the next fifty polls each come after a tenth of the interval.",
        Hooks(
            on_poll_error=on_errors(brought_no_task, lambda _error: Reaction.POLL_ON, most=50).on_poll_error,
            on_sleep=lambda wait, s: s / 10 if wait.failures else s,
        ),
    )
    yield from _open_questions()


def on_errors(
    is_meant: _IsMeant, reaction: Callable[[ModelError], Exception | Reaction], *, most: int | None = None
) -> Hooks:
    """Return hooks that react to some errors of polls, in `most` polls in a row at most."""

    def on_poll_error(wait: Wait, error: ModelError) -> Exception | Reaction:
        is_too_often = most is not None and wait.failures > most
        return error if is_too_often or not is_meant(error) else reaction(error)

    return Hooks(on_poll_error=on_poll_error)


def caused_by(cause: Cause) -> _IsMeant:
    """Return whether an error has this cause."""
    return lambda error: error.cause is cause


def brought_no_task(error: ModelError) -> bool:
    """Return whether an answer or a lost connection came in place of the task, and no deadline passed."""
    return error.cause is not Cause.NO_ANSWER


def http_status(*statuses: int) -> _IsMeant:
    """Return whether an error is an answer with one of these statuses."""
    return lambda error: error.http in statuses


def _polled_over(is_meant: _IsMeant) -> Hooks:
    return on_errors(is_meant, lambda _error: Reaction.POLL_ON)


def _http_error(error: ModelError) -> bool:
    return error.http >= 400


def _server_error(error: ModelError) -> bool:
    return error.http >= 500


def _hidden(contract: Contract) -> Iterator[Defect]:
    going_on = contract.status_for(StatusMeaning.KEEP_POLLING) or "unknown"
    every: tuple[tuple[str, str, Hooks], ...] = (
        ("polls-over-500", "A lasting 5xx is hidden until the deadline.", _polled_over(_server_error)),
        (
            "polls-over-404",
            "The helper polls on after a 404, as if the task had not begun.",
            _polled_over(http_status(404)),
        ),
        (
            "polls-over-every-failure",
            "The helper polls on after every failure, until its deadline hides it.",
            _polled_over(lambda _error: True),
        ),
        (
            "polls-over-every-http-error",
            "The helper polls on after every 4xx and 5xx, until its deadline hides them.",
            _polled_over(_http_error),
        ),
        (
            "polls-over-401",
            "The helper polls on when its credentials are refused.",
            _polled_over(http_status(401)),
        ),
        (
            "polls-over-403",
            "The helper polls on when it may not see the task.",
            _polled_over(http_status(403)),
        ),
        (
            "polls-over-503",
            "A lasting 503 or 504 is hidden until the deadline.",
            _polled_over(http_status(503, 504)),
        ),
        (
            "http-status-not-looked-at",
            "The body of an answer is read without checking its HTTP status.",
            Hooks(on_answer=lambda answer: Answer(200, answer.headers, answer.body)),
        ),
        (
            "polls-over-malformed-answers",
            'An answer that cannot be read is taken for "not yet".',
            _polled_over(caused_by(Cause.MALFORMED)),
        ),
        (
            "no-status-is-not-yet",
            "An answer without a status is taken for a task that is still going on.",
            Hooks(on_answer=with_a_status(contract, going_on)),
        ),
        (
            "lists-are-tasks",
            "The first item of a list is taken for the task.",
            Hooks(on_answer=lambda a: Answer(a.http, a.headers, a.body[1:-1]) if a.body[:1] == b"[" else a),
        ),
        (
            "a-server-error-is-the-result",
            "A wait whose polls get a server error returns nothing, as if the task had ended.",
            Hooks(on_wait=_without_server_errors),
        ),
        (
            "polls-over-drops",
            "The helper polls on whenever a connection was dropped.",
            _polled_over(caused_by(Cause.DROPPED)),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"fault_surfaces.{name}", "fault_surfaces", sentence, hooks)


def _without_server_errors(_wait: Wait, steps: Steps) -> Steps:
    try:
        return (yield from steps)
    except ModelError as error:
        if not _server_error(error):
            raise
        return None


def with_a_status(contract: Contract, status: str) -> Callable[[Answer], Answer]:
    """Return a hook that takes an answer without a status for one with this status."""
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

    def bare(error: ModelError) -> Exception:
        return OSError(error.message)

    def accepted_everywhere(kind: str) -> str:
        kinds = [
            each.with_.get("kinds", ()) for each in contract.requirements if each.check == "fault_surfaces"
        ]
        return "" if any(kind not in each for each in kinds) else f"a fault may surface as kind {kind}"

    every: tuple[tuple[str, str, Hooks, str], ...] = (
        (
            "transport-for-an-http-error",
            "A 4xx or 5xx raises the transport exception.",
            on_errors(_http_error, raised_as(ExceptionKind.TRANSPORT)),
            accepted_everywhere("transport"),
        ),
        (
            "http-error-leaks",
            "A 4xx or 5xx raises the bare error of the HTTP library.",
            on_errors(_http_error, bare),
            accepted_everywhere("other"),
        ),
        (
            "every-error-leaks",
            "A poll that fails raises a bare error of the HTTP or the JSON library.",
            on_errors(brought_no_task, bare),
            accepted_everywhere("other"),
        ),
        (
            "json-error-leaks",
            "An answer that cannot be read raises the bare error of the JSON library.",
            on_errors(caused_by(Cause.MALFORMED), lambda error: ValueError(error.message)),
            accepted_everywhere("other"),
        ),
        (
            "network-error-leaks",
            "A dropped connection raises the bare error of the HTTP library.",
            on_errors(caused_by(Cause.DROPPED), lambda error: ConnectionError(error.message)),
            accepted_everywhere("other"),
        ),
        (
            "api-for-a-drop",
            "A dropped connection raises the exception for HTTP errors.",
            on_errors(caused_by(Cause.DROPPED), raised_as(ExceptionKind.API)),
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
            _polled_over(http_status(429)),
        ),
        (
            "record_after_fault",
            "forgives-a-drop",
            "The helper polls on after one dropped connection.",
            on_errors(caused_by(Cause.DROPPED), lambda _error: Reaction.POLL_ON, most=1),
        ),
        (
            "record_after_fault",
            "forgives-a-malformed-answer",
            "The helper polls on after one answer that cannot be read.",
            on_errors(caused_by(Cause.MALFORMED), lambda _error: Reaction.POLL_ON, most=1),
        ),
        (
            "record_after_fault",
            "repeats-after-401",
            "The helper repeats a poll once when its credentials are refused.",
            on_errors(http_status(401), lambda _error: Reaction.REPEAT, most=1),
        ),
        (
            "record_after_fault",
            "forgives-a-404",
            "The helper polls on after one 404.",
            on_errors(http_status(404), lambda _error: Reaction.POLL_ON, most=1),
        ),
        (
            "record_after_fault",
            "repeats-after-5xx",
            "The helper repeats a poll once, at once, after a server error.",
            on_errors(_server_error, lambda _error: Reaction.REPEAT, most=1),
        ),
        (
            "record_repeated_polls",
            "at-once",
            "A poll whose connection was dropped is repeated at once, and once.",
            on_errors(caused_by(Cause.DROPPED), lambda _error: Reaction.REPEAT, most=1),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, ending=Ending.RECORDED)
