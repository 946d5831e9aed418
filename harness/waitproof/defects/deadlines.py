"""Defects of the deadline: waits that end too early, too late or never."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from waitproof.defects.client import REQUEST_TIMEOUT_S, Hooks, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.intervals import ignoring, option_changed
from waitproof.defects.wire import ModelError, Task
from waitproof.suite import Contract

__all__ = ["deadline_defects"]

NEVER_S = 1e9


def deadline_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _timeouts()
    yield from _deadlines()
    yield from _open_questions(contract)


def _default_timeout(change: Callable[[float], float]) -> Hooks:
    return Hooks(on_options=lambda c, options: {"timeout": change(c.defaults.timeout or NEVER_S), **options})


def _timeouts() -> Iterator[Defect]:
    defaults: tuple[tuple[str, str, Hooks], ...] = (
        (
            "halved",
            "The default timeout is shorter than the documented one.",
            _default_timeout(lambda s: s / 2),
        ),
        (
            "a-quarter-longer",
            "The default timeout is longer than the documented one.",
            _default_timeout(lambda s: s * 1.25),
        ),
        ("waits-forever", "The helper has no timeout by default.", _default_timeout(lambda _s: NEVER_S)),
    )
    for name, sentence, hooks in defaults:
        yield Defect(f"timeout_kept.{name}", "timeout_kept", sentence, hooks, {"option": "default"})
    yield Defect(
        "raises_timeout.hangs-after-a-poll",
        "raises_timeout",
        "The helper never comes back after its first poll: it has a deadlock.",
        Hooks(after_poll=_forever),
    )
    passed: tuple[tuple[str, str, Hooks], ...] = (
        (
            "option-ignored",
            "The helper ignores the timeout that the caller passes.",
            Hooks(on_options=ignoring("timeout")),
        ),
        (
            "option-counted-in-polls",
            "The helper turns the timeout into a number of polls, one per second.",
            Hooks(on_wait=_without_deadline, on_task=_counted),
        ),
        (
            "option-adds-up-sleeps",
            "The helper adds up its sleeps in place of reading a clock, and forgets how long answers take.",
            Hooks(on_wait=_without_deadline, on_sleep=_adding_up),
        ),
        (
            "option-forgets-answers",
            "The helper cuts its polls and sleeps short at the timeout, but forgets how long answers take.",
            Hooks(on_task=_as_if_answered_at_once),
        ),
        (
            "option-divided-by-the-interval",
            "The helper divides the timeout by the interval, and gives up after so many polls.",
            Hooks(on_wait=_without_deadline, on_task=_divided),
        ),
        (
            "option-restarts-at-each-poll",
            "The timeout bounds each request and not the whole wait.",
            Hooks(on_wait=_without_deadline, on_poll=lambda wait, _s: wait.timeout_s),
        ),
        (
            "option-restarts-with-each-status",
            "The timeout starts again whenever the status changes.",
            Hooks(on_task=_since_the_latest_change),
        ),
        (
            "option-exceeded",
            "The helper waits longer than the timeout that the caller passes.",
            option_changed("timeout", lambda _contract, s: s * 1.5),
        ),
        (
            "option-cut-short",
            "The helper gives up long before the timeout that the caller passes.",
            option_changed("timeout", lambda _contract, s: s / 2),
        ),
        (
            "no-deadline",
            "The helper never gives up, whatever the timeout.",
            Hooks(on_options=lambda _contract, options: {**options, "timeout": NEVER_S}),
        ),
        (
            "looked-at-after-a-failure-only",
            "The helper looks at its deadline only after a poll that failed.",
            Hooks(on_wait=_without_deadline, on_poll_error=_late_or_not),
        ),
        (
            "option-in-whole-seconds",
            "The helper rounds the timeout to whole seconds, at least one.",
            option_changed("timeout", lambda _contract, s: max(1, round(s))),
        ),
        (
            "option-cut-to-whole-seconds",
            "The helper cuts the timeout down to whole seconds: 1.5 s become 1 s, and 0.7 s none.",
            option_changed("timeout", lambda _contract, s: float(int(s))),
        ),
        (
            "option-in-milliseconds",
            "The helper reads the timeout that the caller passes in seconds as milliseconds.",
            option_changed("timeout", lambda _contract, s: s / 1000),
        ),
    )
    for name, sentence, hooks in passed:
        yield Defect(f"timeout_kept.{name}", "timeout_kept", sentence, hooks, {"option": "passed"})
    yield Defect(
        "timeout_kept.option-missing",
        "timeout_kept",
        "The helper has no parameter for the timeout.",
        where={"option": "passed"},
        capabilities={"options": ["poll_interval", "max_polls"]},
    )


def _forever(_wait: Wait, _task: Task) -> Steps:
    yield Sleep(NEVER_S)


def _without_deadline(wait: Wait, steps: Steps) -> Steps:
    wait.memory["until_s"] = wait.deadline_s
    wait.deadline_s = wait.now() + NEVER_S
    return steps


def _late_or_not(wait: Wait, error: ModelError) -> Exception:
    return wait.timed_out() if wait.now() >= wait.memory["until_s"] else error


def _counted(wait: Wait, task: Task) -> Task:
    if wait.polls > wait.timeout_s and not task.ends_the_wait:
        raise wait.timed_out()
    return task


def _adding_up(wait: Wait, seconds: float) -> float:
    slept_s: float = wait.memory.get("slept_s", 0.0)
    if slept_s >= wait.timeout_s:
        raise wait.timed_out()
    wait.memory["slept_s"] = slept_s + seconds
    return seconds


def _divided(wait: Wait, task: Task) -> Task:
    if wait.polls > wait.timeout_s / wait.interval_s and not task.ends_the_wait:
        raise wait.timed_out()
    return task


def _as_if_answered_at_once(wait: Wait, task: Task) -> Task:
    wait.deadline_s += wait.now() - wait.polled_s
    return task


def _since_the_latest_change(wait: Wait, task: Task) -> Task:
    if task.status != wait.memory.get("status"):
        wait.memory["status"] = task.status
        wait.deadline_s = wait.now() + wait.timeout_s
    return task


def _deadlines() -> Iterator[Defect]:
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "timeout_not_early",
            "one-interval-early",
            "The helper gives up when there is no time for another whole interval.",
            Hooks(on_sleep=_or_give_up),
        ),
        (
            "timeout_not_early",
            "whole-intervals",
            "The helper rounds the timeout down to whole intervals.",
            Hooks(on_wait=_in_whole_intervals),
        ),
        (
            "timeout_not_late",
            "checked-after-the-sleep",
            "The helper checks its deadline only after sleeping a whole interval.",
            Hooks(on_sleep=lambda wait, _s: wait.interval_s),
        ),
        (
            "timeout_not_late",
            "one-interval-late",
            "The helper waits one interval longer than its timeout.",
            Hooks(on_wait=_one_interval_longer),
        ),
        (
            "deadline_bounds_stalled_poll",
            "not-cut-off",
            "The deadline does not cut off a poll that is in flight.",
            Hooks(on_poll=lambda _wait, _s: REQUEST_TIMEOUT_S),
        ),
        (
            "deadline_bounds_stalled_poll",
            "each-poll-the-whole-timeout",
            "Each poll may take as long as the whole wait.",
            Hooks(on_poll=lambda wait, _s: wait.timeout_s),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks)
    yield Defect(
        "timeout_not_early.adapter-exaggerates",
        "timeout_not_early",
        "The adapter reports that each wait took five seconds longer than it did.",
        ending=Ending.ERROR,
        adds_to_elapsed_s=5.0,
    )


def _or_give_up(wait: Wait, seconds: float) -> float:
    if seconds < wait.interval_s:
        raise wait.timed_out()
    return seconds


def _in_whole_intervals(wait: Wait, steps: Steps) -> Steps:
    intervals = max(1, math.floor(wait.timeout_s / wait.interval_s + 1e-6))
    wait.timeout_s = min(wait.timeout_s, intervals * wait.interval_s)
    wait.deadline_s = wait.began_s + wait.timeout_s
    return steps


def _one_interval_longer(wait: Wait, steps: Steps) -> Steps:
    wait.deadline_s += wait.interval_s
    return steps


def _open_questions(contract: Contract) -> Iterator[Defect]:
    default_s = contract.defaults.timeout
    limit, limit_s = ("half-of-the-default", default_s / 2) if default_s else ("two-seconds", 2.0)
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "record_polls_at_deadline",
            "sleeps-it-away",
            "The helper makes no poll at its deadline.",
            Hooks(on_poll=_not_at_the_deadline),
        ),
        (
            "record_outcome",
            "never-sees-a-late-end",
            "The helper does not see a task that ends within the last interval.",
            Hooks(on_poll=_not_at_the_deadline),
        ),
        (
            "record_request_timeout",
            limit,
            f"The client gives up any request after {limit_s:g} s.",
            Hooks(on_poll=lambda _wait, timeout_s: min(timeout_s, limit_s)),
        ),
    )
    for check, name, sentence, hooks in every:
        needs = () if name == "two-seconds" else ("deadline",)
        yield Defect(f"{check}.{name}", check, sentence, hooks, ending=Ending.RECORDED, needs=needs)


def _not_at_the_deadline(wait: Wait, timeout_s: float) -> float:
    if wait.now() >= wait.deadline_s - 0.001:
        raise wait.timed_out()
    return timeout_s
