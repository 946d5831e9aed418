"""Model clients whose defects are not in the library: two at once, or others of the same families."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from waitproof.defects import Bench, Defect, ModelSdk, Prediction, predict
from waitproof.defects.client import Hooks, Instead, Reaction, Steps, Wait
from waitproof.defects.wire import ModelError
from waitproof.protocol import ExceptionKind, Hello
from waitproof.simulate import Simulator
from waitproof.suite import Contract, Scenario

__all__ = ["HELD_OUT", "CachingPlayer", "HeldOut", "hello_of", "pairs", "with_both"]

IN_TURN = {"before_poll", "after_poll", "at_timeout"}  # they return steps, and change nothing else


def with_both(one: Defect, other: Defect) -> Defect | None:
    """Return a client with the changes of both, None where they exclude each other by construction."""
    chosen: dict[str, Any] = {}
    names = (
        "language",
        "native_stack_frames",
        "result_path",
        "adds_to_elapsed_s",
        "is_blind",
        "blocks",
        "deaf",
    )
    for name in names:
        default = getattr(Defect(""), name)
        values = {getattr(one, name), getattr(other, name)} - {default}
        if len(values) > 1:
            return None
        chosen[name] = next(iter(values), default)
    if one.capabilities.keys() & other.capabilities.keys():
        return None
    return replace(
        one,
        name=f"{one.name} + {other.name}",
        hooks=_chained(one.hooks, other.hooks),
        is_async=one.is_async or other.is_async,
        capabilities={**one.capabilities, **other.capabilities},
        **chosen,
    )


def _chained(one: Hooks, other: Hooks) -> Hooks:
    hooks: dict[str, Any] = {}
    for each in fields(Hooks):
        chain = _in_turn if each.name in IN_TURN else _after
        hooks[each.name] = chain(getattr(one, each.name), getattr(other, each.name))
    return Hooks(**hooks)


def _after(first: Callable[..., Any], second: Callable[..., Any]) -> Callable[..., Any]:
    """Return a hook that hands what the first returns to the second, unless that ends the matter."""

    def hook(*arguments: Any) -> Any:
        value = first(*arguments)
        return value if isinstance(value, Instead | Reaction) else second(*arguments[:-1], value)

    return hook


def _in_turn(first: Callable[..., Steps], second: Callable[..., Steps]) -> Callable[..., Steps]:
    def hook(*arguments: Any) -> Steps:
        yield from first(*arguments)
        yield from second(*arguments)

    return hook


def pairs(defects: Sequence[Defect], seed: int) -> Iterator[tuple[Defect, Defect, Defect]]:
    """Yield pairs of defects of different checks, each with the client that has both, without end."""
    chance = random.Random(seed)
    while True:
        one, other = chance.sample(defects, 2)
        both = with_both(one, other)
        if one.check != other.check and both is not None:
            yield one, other, both


@dataclass(frozen=True)
class HeldOut:
    """A client that has no defect of the library, but a relative of some.

    Attributes:
        relatives: How the names begin that its cause may have.
    """

    defect: Defect
    relatives: tuple[str, ...]


def _slept(change: Callable[[Wait, float], float]) -> Hooks:
    """Return hooks that change every sleep but one that is cut short at the deadline."""
    return Hooks(on_sleep=lambda wait, s: change(wait, s) if s >= wait.interval_s else s)


def _backed_off(wait: Wait, seconds: float) -> float:
    return min(seconds * 1.5 ** min(wait.sleeps - 1, 20), max(10.0, seconds))


def _default(**values: float) -> Hooks:
    return Hooks(on_options=lambda _contract, options: {**values, **options})


def _always(**values: float) -> Hooks:
    return Hooks(on_options=lambda _contract, options: {**options, **values})


def _times(option: str, factor: float) -> Hooks:
    def on_options(_contract: Contract, options: Mapping[str, float]) -> Mapping[str, float]:
        return {name: value * factor if name == option else value for name, value in options.items()}

    return Hooks(on_options=on_options)


def _field(name: str, change: Callable[[str], Any]) -> Hooks:
    def on_failure(_wait: Wait, error: ModelError) -> Exception:
        if isinstance(error.fields.get(name), str):
            error.fields[name] = change(error.fields[name])
        return error

    return Hooks(on_failure=on_failure)


def _failing_as(kind: ExceptionKind) -> Hooks:
    return Hooks(on_failure=lambda _wait, error: ModelError(kind, error.cause, error.message))


_EVERY: tuple[tuple[str, Hooks, tuple[str, ...]], ...] = (
    (
        "interval x 1.6 from poll to poll",
        _slept(lambda wait, s: s * 1.6 ** min(wait.sleeps - 1, 20)),
        ("interval_kept.backs-off", "interval_kept.grows"),
    ),
    (
        "interval x 1.3 from poll to poll",
        _slept(lambda wait, s: s * 1.3 ** min(wait.sleeps - 1, 20)),
        ("interval_kept.backs-off", "interval_kept.grows"),
    ),
    (
        "interval x 1.5 from poll to poll, at most 10 s, and not beyond the deadline",
        Hooks(on_sleep=lambda wait, s: min(_backed_off(wait, s), wait.deadline_s - wait.now())),
        ("interval_kept.backs-off",),
    ),
    (
        "interval x 1.5 from poll to poll, at most 10 s, and beyond the deadline",
        Hooks(on_sleep=_backed_off),
        ("interval_kept.backs-off",),
    ),
    (
        "interval + 0.5 s from poll to poll",
        _slept(lambda wait, s: s + 0.5 * (wait.sleeps - 1)),
        ("interval_kept.backs-off", "interval_kept.grows"),
    ),
    ("every interval x 1.6", _slept(lambda _wait, s: 1.6 * s), ("interval_kept.longer",)),
    ("every interval x 3", _slept(lambda _wait, s: 3 * s), ("interval_kept.longer",)),
    (
        "every interval x 0.7",
        _slept(lambda _wait, s: 0.7 * s),
        ("interval_kept.halved", "interval_kept.ten-percent"),
    ),
    ("1.5 s in place of 1 s", _default(poll_interval=1.5), ("interval_kept.doubled",)),
    ("5 s in place of 1 s", _default(poll_interval=5.0), ("interval_kept.doubled",)),
    ("0.8 s in place of 1 s", _default(poll_interval=0.8), ("interval_kept.default-shorter",)),
    ("always 2 s", _always(poll_interval=2.0), ("interval_kept.fixed",)),
    (
        "jitter of 20 %",
        _slept(lambda wait, s: s * wait.random.uniform(0.8, 1.2)),
        ("interval_kept.jittered", "interval_kept.ten-percent"),
    ),
    ("45 s in place of 60 s", _default(timeout=45.0), ("timeout_kept.halved",)),
    (
        "90 s in place of 60 s",
        _default(timeout=90.0),
        ("timeout_kept.a-quarter-longer", "timeout_kept.waits-forever"),
    ),
    ("always 60 s", _always(timeout=60.0), ("timeout_kept.option-ignored",)),
    ("the timeout x 2", _times("timeout", 2.0), ("timeout_kept.option",)),
    (
        "the timeout in whole seconds, at least one",
        Hooks(
            on_options=lambda _contract, options: {
                name: max(1, int(value)) if name == "timeout" and value is not None else value
                for name, value in options.items()
            }
        ),
        ("timeout_kept.option-cut-to", "timeout_kept.option-in-whole"),
    ),
    ("the timeout in minutes", _times("timeout", 60.0), ("timeout_kept.option",)),
    (
        "twelve polls at most",
        Hooks(on_poll=lambda wait, s: s if wait.polls < 12 else _raised(wait.timed_out())),
        ("timeout_kept.", "polls_until_terminal.five"),
    ),
    ("the API's exception for a failed task", _failing_as(ExceptionKind.API), ("raises_kind.",)),
    ("description in capitals", _field("description", str.upper), ("exception_field.description-",)),
    (
        "description of 100 characters",
        _field("description", lambda s: s[:100]),
        ("exception_field.description-",),
    ),
    ("stack trace as a list", _field("stack_trace", str.splitlines), ("exception_field.stack_trace-",)),
    ("version without v", _field("version", lambda s: s.lstrip("v")), ("exception_field.version-",)),
    (
        "polls over every HTTP error but 401 and 403",
        Hooks(
            on_poll_error=lambda _wait, error: (
                Reaction.POLL_ON if error.http and error.http not in {401, 403} else error
            )
        ),
        ("fault_surfaces.polls-over-500", "fault_surfaces.polls-over-every-http-error"),
    ),
    (
        "polls over every failed poll but a 404",
        Hooks(on_poll_error=lambda _wait, error: error if error.http == 404 else Reaction.POLL_ON),
        ("fault_surfaces.polls-over-every-failure",),
    ),
    (
        "an error of its own for every failed poll",
        Hooks(on_poll_error=lambda _wait, _error: RuntimeError("oh")),
        ("fault_surfaces.every-error-leaks",),
    ),
    (
        "the timeout as the API's exception",
        Hooks(on_timeout=lambda _w, e: ModelError(ExceptionKind.API, e.cause, e.message)),
        ("raises_timeout.",),
    ),
    ("a dash before each key", Hooks(on_result=lambda _w, r: _dashed(r)), ("returns_result.renames-keys",)),
    ("a list around the result", Hooks(on_result=lambda _w, r: [r]), ("returns_result.envelope",)),
)


def _raised(error: Exception) -> Any:
    raise error


def _dashed(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"-{key}": _dashed(child) for key, child in value.items()}
    return value


HELD_OUT = tuple(HeldOut(Defect(name, hooks=hooks), relatives) for name, hooks, relatives in _EVERY)


def hello_of(contract: Contract, defect: Defect) -> Hello:
    """Return the introduction of the adapter of a client with this defect."""
    return Simulator(contract).hello(ModelSdk(contract, defect))


class CachingPlayer:
    """Plays suspects on the whole suite, and remembers what fails for the next SDK of the same abilities."""

    def __init__(self, bench: Bench, hello: Hello, cache: dict[Any, Prediction]) -> None:
        self._bench = bench
        self._hello = hello
        self._cache = cache

    def play(self, defects: Sequence[Defect], scenarios: Sequence[Scenario]) -> Iterator[Prediction]:
        """Yield what fails in these scenarios."""
        ids = {each.id for each in scenarios}
        for defect in defects:
            key = self._hello.capabilities, self._hello.language, defect.name
            if key not in self._cache:
                self._cache[key] = predict(self._bench, defect, self._hello, self._bench.suite.scenarios)
            failures = self._cache[key].failures
            yield Prediction(defect, {key: words for key, words in failures.items() if key[0] in ids})
