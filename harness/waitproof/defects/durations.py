"""Defects of converting a duration: its components, its unit, its bits, and values of 0 and less.

The options that are usually passed are short and round, so that a helper which converts a duration wrongly
still works. `61 s`, `90.5 s`, `30 days` and `1.25 s` show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from waitproof.defects.client import Hooks, Options, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.intervals import option_changed
from waitproof.defects.wire import Cause
from waitproof.suite import NO_TIMEOUT_S, Contract

__all__ = ["duration_defects", "refusing_more_than"]

TWO_TO_31 = 2**31
A_MINUTE_S = 60.0


def duration_defects(_contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module, which are the same for every contract."""
    timeouts: tuple[tuple[str, str, Callable[[float], float]], ...] = (
        (
            "32-bits-of-milliseconds",
            "The helper keeps the timeout's milliseconds in 32 bits, so that a long one overflows.",
            _in_32_bits,
        ),
        (
            "component-of-seconds",
            "The helper takes the seconds beside the whole minutes for the timeout: 61 s become 1 s.",
            lambda s: s % A_MINUTE_S,
        ),
        (
            "component-of-milliseconds",
            "The helper drops the whole seconds of a timeout that has a fraction: 90.5 s become 0.5 s.",
            lambda s: s % 1 or s,
        ),
        (
            "capped-at-a-minute",
            "The helper accepts no timeout above a minute.",
            lambda s: min(s, A_MINUTE_S),
        ),
    )
    for name, sentence, change in timeouts:
        yield Defect(f"timeout_outlasts_task.{name}", "timeout_outlasts_task", sentence, _on_timeout(change))
    yield Defect(
        "timeout_outlasts_task.refuses-a-minute-and-more",
        "timeout_outlasts_task",
        "The helper refuses a timeout of more than a minute.",
        Hooks(on_options=refusing_more_than(60.0)),
    )
    yield Defect(
        "timeout_outlasts_task.first-poll-aborted",
        "timeout_outlasts_task",
        "A long timeout overflows the timer of the first poll, which is aborted before it is sent.",
        Hooks(on_poll=_aborting_beyond_31_bits),
    )
    yield Defect(
        "interval_kept.option-truncated",
        "interval_kept",
        "The helper cuts an interval down to whole seconds: 1.25 s become 1 s, and 0.2 s none.",
        option_changed("poll_interval", lambda _contract, s: float(int(s))),
        {"option": "passed"},
    )
    yield Defect(
        "interval_kept.option-component-of-milliseconds",
        "interval_kept",
        "The helper drops the whole seconds of an interval that has a fraction: 1.25 s become 0.25 s.",
        option_changed("poll_interval", lambda _contract, s: s % 1 or s),
        {"option": "passed"},
    )
    yield from _zero_and_less()


def _on_timeout(change: Callable[[float], float]) -> Hooks:
    def changed(_contract: Contract, options: Options) -> Options:
        passed_s = options.get("timeout")
        return options if passed_s is None else {**options, "timeout": change(passed_s)}

    return Hooks(on_options=changed)


def _in_32_bits(seconds: float) -> float:
    wrapped_ms = (int(seconds * 1000) + TWO_TO_31) % (2 * TWO_TO_31) - TWO_TO_31
    return wrapped_ms / 1000


def _aborting_beyond_31_bits(wait: Wait, timeout_s: float) -> float:
    if timeout_s * 1000 >= TWO_TO_31:
        raise wait.client.wire.failure(Cause.NO_ANSWER, "the poll was aborted due to its timeout")
    return timeout_s


def refusing_more_than(longest_s: float) -> Callable[[Contract, Options], Options]:
    """Return a hook that refuses a longer timeout."""

    def checked(_contract: Contract, options: Options) -> Options:
        if (options.get("timeout") or 0) > longest_s:
            raise ValueError(f"the timeout is longer than {longest_s:g} s")
        return options

    return checked


def _zero_and_less() -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "record_odd_timeout.waits-forever",
            "A timeout of 0 or less is none: the helper waits as long as the task runs.",
            _on_timeout(lambda s: s if s > 0 else NO_TIMEOUT_S),
        ),
        (
            "record_odd_timeout.refused",
            "The helper refuses a timeout of 0 or less.",
            Hooks(on_options=_refusing("timeout")),
        ),
        (
            "record_odd_interval.default",
            "An interval of 0 is the default one.",
            option_changed("poll_interval", lambda c, s: s if s > 0 else c.defaults.intervals.first_s),
        ),
        (
            "record_odd_interval.refused",
            "The helper refuses an interval of 0.",
            Hooks(on_options=_refusing("poll_interval")),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(name, name.partition(".")[0], sentence, hooks, ending=Ending.RECORDED)


def _refusing(option: str) -> Callable[[Contract, Options], Options]:
    def checked(_contract: Contract, options: Options) -> Options:
        passed_s = options.get(option)
        if passed_s is not None and passed_s <= 0:
            raise ValueError(f"{option} must be above 0")
        return options

    return checked
