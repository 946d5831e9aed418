"""Defects of intervals that grow, and of a limit of polls that takes the place of a deadline.

They are for contracts whose default interval is a schedule, or that have a limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from waitproof.defects.client import Hooks, Instead, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, equivalent
from waitproof.defects.intervals import ignoring, option_changed
from waitproof.defects.wire import ModelError
from waitproof.suite import Contract, Intervals

__all__ = ["schedule_defects", "schedule_equivalents"]

CHECK = "gives_up_after_polls"


def schedule_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _schedules(contract)
    yield from _limits()


def schedule_equivalents(contract: Contract) -> Iterator[Defect]:
    """Yield the correct clients that only such a contract has room for."""
    if not contract.defaults.intervals.is_constant:
        yield equivalent(
            "first-pause-before-the-first-poll",
            "Sleeps the schedule's first pause before its first poll, and the second after it.",
            Hooks(on_wait=_after_the_first_pause),
        )
    if any(each.check == CHECK and each.with_.get("or_more") for each in contract.requirements):
        yield equivalent(
            "first-poll-is-no-retry",
            "Makes a poll, and then as many retries as the limit says.",
            Hooks(on_wait=_limited(lambda limit: limit + 1)),
        )


def _after_the_first_pause(wait: Wait, steps: Steps) -> Steps:
    yield Sleep(min(wait.interval_s, wait.timeout_s))
    wait.intervals = wait.intervals.after(1)
    return (yield from steps)


def _by_default(change: Callable[[Intervals], Intervals]) -> Hooks:
    """Return hooks that change the default schedule."""
    return Hooks(on_options=lambda c, options: {"poll_interval": change(c.defaults.intervals), **options})


def _schedules(contract: Contract) -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "never-grows",
            "The interval stays as it is at first.",
            _by_default(lambda pauses: Intervals(pauses.first_s)),
        ),
        (
            "always-the-longest",
            "The interval is as long from the start as it may become.",
            _by_default(lambda pauses: Intervals(pauses.most_s)),
        ),
        (
            "pauses-in-whole-seconds",
            "The helper cuts each pause down to whole seconds: one of less than a second is none at all.",
            Hooks(on_sleep=lambda _wait, s: float(int(s))),
        ),
        (
            "begins-with-no-pause",
            "The helper counts from 0 where the schedule counts from 1: its first pause is none at all.",
            Hooks(
                on_sleep=lambda wait, _s: wait.intervals.pause_s(wait.sleeps - 1) if wait.sleeps > 1 else 0.0
            ),
        ),
        (
            "begins-with-the-second-pause",
            "The helper counts from 2 where the schedule counts from 1: each pause is that of the next.",
            Hooks(on_sleep=lambda wait, _s: wait.intervals.pause_s(wait.sleeps + 1)),
        ),
        (
            "grows-too-fast",
            "The pauses grow by twice as much as documented.",
            Hooks(on_sleep=lambda wait, _s: wait.intervals.pause_s(2 * wait.sleeps - 1)),
        ),
        (
            "grows-too-slowly",
            "The pauses grow by half as much as documented.",
            Hooks(on_sleep=lambda wait, _s: wait.intervals.pause_s((wait.sleeps + 1) // 2)),
        ),
        (
            "doubles",
            "Each pause is twice as long as the one before it.",
            Hooks(on_sleep=lambda wait, _s: wait.intervals.first_s * 2.0 ** (min(wait.sleeps, 20) - 1)),
        ),
        (
            "starts-again",
            "The pauses are the first again after every third.",
            Hooks(on_sleep=lambda wait, _s: wait.intervals.pause_s((wait.sleeps - 1) % 3 + 1)),
        ),
    )
    is_constant = contract.defaults.intervals.is_constant
    reason = "the default interval does not grow" if is_constant else ""
    for name, sentence, hooks in every:
        yield Defect(
            f"interval_kept.{name}",
            "interval_kept",
            sentence,
            hooks,
            {"option": "default"},
            not_applicable=reason,
        )
    passed: tuple[tuple[str, str, Hooks], ...] = (
        (
            "longest-pause-ignored",
            "The pauses of a schedule that is passed grow beyond its longest.",
            _of_a_schedule(lambda pauses: replace(pauses, most_s=math.inf)),
        ),
        (
            "first-pause-alone",
            "Of a schedule that is passed, the helper takes the first pause for all of them.",
            _of_a_schedule(lambda pauses: Intervals(pauses.first_s)),
        ),
    )
    for name, sentence, hooks in passed:
        yield Defect(
            f"interval_kept.{name}",
            "interval_kept",
            sentence,
            hooks,
            {"option": "passed"},
            not_applicable=reason,
        )


def _of_a_schedule(change: Callable[[Intervals], Intervals]) -> Hooks:
    """Return hooks that change a schedule where the caller passes one."""

    def on_wait(wait: Wait, steps: Steps) -> Steps:
        if isinstance(wait.options.get("poll_interval"), Intervals):
            wait.intervals = change(wait.intervals)
        return steps

    return Hooks(on_wait=on_wait)


def _limits() -> Iterator[Defect]:
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "default",
            "default-halved",
            "The default limit of polls is lower than the documented one.",
            Hooks(on_options=lambda c, options: {"max_polls": (c.defaults.max_polls or 2) // 2, **options}),
        ),
        (
            "passed",
            "option-ignored",
            "The helper ignores the limit of polls that the caller passes.",
            Hooks(on_options=ignoring("max_polls")),
        ),
        (
            "passed",
            "never",
            "The helper never gives up, however many polls it has made.",
            Hooks(on_wait=_limited(lambda _limit: math.inf)),
        ),
        (
            "passed",
            "one-poll-early",
            "The helper gives up one poll before the limit.",
            option_changed("max_polls", lambda _contract, limit: limit - 1),
        ),
        (
            "passed",
            "two-polls-late",
            "The helper gives up two polls after the limit.",
            Hooks(on_wait=_limited(lambda limit: limit + 2)),
        ),
        (
            "passed",
            "returns-at-the-limit",
            "The helper returns nothing at the limit, as if the task had ended without a result.",
            Hooks(on_timeout=_nothing),
        ),
    )
    for option, name, sentence, hooks in every:
        yield Defect(f"{CHECK}.{name}", CHECK, sentence, hooks, {"option": option})
    yield Defect(
        f"{CHECK}.option-missing",
        CHECK,
        "The helper has no parameter for the limit of polls.",
        where={"option": "passed"},
        capabilities={"options": ["poll_interval", "timeout"]},
    )


def _nothing(wait: Wait, error: ModelError) -> Exception | Instead:
    return Instead(None) if wait.sleeps + 1 >= wait.limit else error


def _limited(change: Callable[[float], float]) -> Callable[[Wait, Steps], Any]:
    def on_wait(wait: Wait, steps: Steps) -> Steps:
        wait.limit = change(wait.limit)
        return steps

    return on_wait
