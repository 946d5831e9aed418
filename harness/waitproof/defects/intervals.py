"""Defects of the poll interval: polls that come too soon or too late, and options that are not honored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from waitproof.defects.client import REQUEST_TIMEOUT_S, Hooks, Options, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.suite import Contract, Intervals

__all__ = ["ignoring", "interval_defects", "option_changed"]

# Some of their sleeps are too long, whether the interval is passed or not. Where the default is short, a busy
# machine looks the same, and only a longer interval that is passed shows them.
MIXED = ("jittered-longer", "alternating")


def interval_defects(_contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module, which are the same for every contract."""
    yield from _intervals()
    yield from _overridden_intervals()
    yield from _open_questions()


def _slept(change: Callable[[Wait, float], float]) -> Hooks:
    return Hooks(on_sleep=change)


def _slept_whole(change: Callable[[Wait, float], float]) -> Hooks:
    """Return hooks that change each sleep except one that is cut short at the deadline."""
    return Hooks(on_sleep=lambda wait, s: s if s < wait.interval_s else change(wait, s))


def _grown(factor: Callable[[Wait], float]) -> Hooks:
    """Return hooks that multiply each sleep, but let none go on beyond the deadline: most helpers don't."""

    def on_sleep(wait: Wait, seconds: float) -> float:
        return min(seconds * factor(wait), wait.deadline_s - wait.now())

    return Hooks(on_sleep=on_sleep)


def _intervals() -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "halved",
            "The helper sleeps only a part of the interval.",
            _slept_whole(lambda _wait, s: s / 2),
        ),
        (
            "longer",
            "The helper sleeps longer than the interval, whether it is the default or passed.",
            _slept_whole(lambda _wait, s: 1.5 * s),
        ),
        (
            "doubled",
            "The default interval is longer than the documented one.",
            Hooks(on_options=lambda c, options: {"poll_interval": c.defaults.intervals.scaled(2), **options}),
        ),
        (
            "default-shorter",
            "The default interval is shorter than the documented one.",
            Hooks(
                on_options=lambda c, options: {"poll_interval": c.defaults.intervals.scaled(0.5), **options}
            ),
        ),
        (
            "ten-percent-short",
            "The helper sleeps a little less than the interval.",
            _slept_whole(lambda _wait, s: s * 0.9),
        ),
        (
            "jittered",
            "The interval varies in both directions, as with jitter.",
            _slept_whole(lambda wait, s: s * wait.random.uniform(0.5, 1.5)),
        ),
        (
            "jittered-longer",
            "A random part is added to each interval.",
            _slept(lambda wait, s: s * wait.random.uniform(1.0, 1.33)),
        ),
        (
            "alternating",
            "Every other sleep is longer than the interval.",
            _slept(lambda wait, s: s * (1.0 if wait.sleeps % 2 else 1.8)),
        ),
        (
            "grows-slowly",
            "The interval grows from poll to poll.",
            _grown(lambda wait: 1.15 ** (wait.sleeps - 1)),
        ),
        (
            "backs-off",
            "The interval grows from poll to poll, up to a limit.",
            _grown(lambda wait: min(1.5 ** min(wait.sleeps - 1, 20), 10)),
        ),
        ("busy-loop", "The helper never sleeps between polls.", _slept(lambda _wait, _s: 0.0)),
        ("polls-twice", "The helper polls twice in a row each time.", Hooks(before_poll=_poll_and_forget)),
        (
            "in-milliseconds",
            "The helper sleeps as many milliseconds as the interval has seconds.",
            _slept(lambda _wait, s: s / 1000),
        ),
    )
    for name, sentence, hooks in every:
        where = {} if name in MIXED else {"option": "default"}
        yield Defect(f"interval_kept.{name}", "interval_kept", sentence, hooks, where)


def _poll_and_forget(wait: Wait) -> Steps:
    yield from wait.client.look(wait.task_id, REQUEST_TIMEOUT_S, wait)


def ignoring(option: str) -> Callable[[Contract, Options], Options]:
    """Return a hook that drops an option, so that its default holds."""
    return lambda _contract, options: {name: value for name, value in options.items() if name != option}


def option_changed(option: str, change: Callable[[Contract, float], float]) -> Hooks:
    """Return hooks that change an option where the caller passes it, and each duration of a schedule."""

    def on_options(contract: Contract, options: Options) -> Options:
        if option not in options:
            return options
        passed = options[option]
        if not isinstance(passed, Intervals):
            return {**options, option: change(contract, passed)}
        first_s, add_s, most_s = (change(contract, s) for s in (passed.first_s, passed.add_s, passed.most_s))
        return {**options, option: replace(passed, first_s=first_s, add_s=add_s, most_s=most_s)}

    return Hooks(on_options=on_options)


def _overridden_intervals() -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "option-ignored",
            "The helper ignores the interval that the caller passes.",
            Hooks(on_options=ignoring("poll_interval")),
        ),
        (
            "fixed",
            "The helper sleeps a fixed time: it ignores the interval passed, and has another default.",
            Hooks(
                on_options=lambda c, options: {**options, "poll_interval": c.defaults.intervals.scaled(1.5)}
            ),
        ),
        (
            "option-in-milliseconds",
            "The helper reads the interval that the caller passes in seconds as milliseconds.",
            option_changed("poll_interval", lambda _contract, s: s / 1000),
        ),
        (
            "option-rounded-up",
            "The helper rounds the interval up to whole seconds.",
            option_changed("poll_interval", lambda _contract, s: math.ceil(s)),
        ),
        (
            "option-capped-at-ten-seconds",
            "The helper accepts no interval above ten seconds.",
            option_changed("poll_interval", lambda _contract, s: min(s, 10.0)),
        ),
        (
            "option-capped",
            "The helper accepts no interval above the default.",
            option_changed("poll_interval", lambda contract, s: min(s, contract.defaults.intervals.first_s)),
        ),
        (
            "option-used-once",
            "The helper sleeps the caller's interval once, and the default from then on.",
            _slept(
                lambda wait, s: (
                    s
                    if wait.sleeps == 1 or s < wait.interval_s
                    else wait.client.contract.defaults.intervals.pause_s(wait.sleeps)
                )
            ),
        ),
    )
    for name, sentence, hooks in (*every, *_a_little_off()):
        yield Defect(f"interval_kept.{name}", "interval_kept", sentence, hooks, {"option": "passed"})
    yield Defect(
        "interval_kept.option-missing",
        "interval_kept",
        "The helper has no parameter for the interval.",
        where={"option": "passed"},
        capabilities={"options": ["timeout", "max_polls"]},
    )


def _a_little_off() -> Iterator[tuple[str, str, Hooks]]:
    """Yield what is seen where the interval is short and the polls are many."""
    yield (
        "a-fifth-slow",
        "The helper sleeps somewhat longer than the interval.",
        _slept(lambda _wait, s: s * 1.2),
    )
    yield (
        "a-fifth-fast",
        "The helper sleeps somewhat less than the interval.",
        _slept(lambda _wait, s: s * 0.8),
    )
    yield (
        "grows-by-two-percent",
        "The interval grows slightly from poll to poll.",
        _grown(lambda wait: 1.02 ** (wait.sleeps - 1)),
    )
    yield (
        "ten-milliseconds-late",
        "The helper adds a few milliseconds to each sleep.",
        _slept(lambda _wait, s: s + 0.01),
    )


def _open_questions() -> Iterator[Defect]:
    yield Defect(
        "record_first_poll.after-an-interval",
        "record_first_poll",
        "The helper sleeps an interval before its first poll.",
        Hooks(on_wait=sleeping_first),
        ending=Ending.RECORDED,
    )
    yield Defect(
        "record_interval_counted_from.the-request",
        "record_interval_counted_from",
        "The interval is counted from the request.",
        Hooks(on_sleep=lambda wait, s: min(wait.polled_s + wait.interval_s - wait.now(), s)),
        ending=Ending.RECORDED,
    )
    yield Defect(
        "record_sub_second.whole-seconds",
        "record_sub_second",
        "The helper's options are whole seconds.",
        Hooks(on_options=_whole_seconds_alone),
        ending=Ending.RECORDED,
        capabilities={"poll_interval_resolution": 1, "timeout_resolution": 1},
    )


def sleeping_first(wait: Wait, steps: Steps) -> Steps:
    """Sleep an interval before the first poll."""
    yield Sleep(max(0.0, min(wait.interval_s, wait.timeout_s)))
    return (yield from steps)


def _whole_seconds_alone(_contract: Contract, options: Options) -> Options:
    if any(value != int(value) for value in options.values()):
        raise ValueError("whole seconds, please")
    return options
