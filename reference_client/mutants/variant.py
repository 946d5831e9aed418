"""What a variant of the reference client is, and how one is written down.

A variant is a subclass of `Client` or `AsyncClient`, a few lines long, with a decorator that says what
must become of it: `kills` names the one requirement that must catch the defect, `equivalent` marks a
correct client that looks different. The first sentence of its docstring is what a report says about it.
`Rule` and `Raising` are the places where most of them differ.
"""

from __future__ import annotations

import contextlib
import random
import re
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, TypeVar

from reference_client.aio import AsyncClient
from reference_client.client import Client
from reference_client.exceptions import StreamTaskException
from reference_client.task import Task
from reference_client.waiting import Poll, Sleep

__all__ = [
    "EQUIVALENTS",
    "MUTANTS",
    "REFERENCES",
    "Ending",
    "Jittering",
    "Raising",
    "Rule",
    "Steps",
    "Variant",
    "altered",
    "equivalent",
    "in_background",
    "kills",
]

Steps: TypeAlias = Generator[Poll | Sleep, Task, Any]


class Ending(StrEnum):
    """What a mutant's verdict must be."""

    CAUGHT = "caught"  # FAIL or WARN
    RECORDED = "recorded"  # INFO, with other words than the reference client's
    ERROR = "error"  # no verdict about the SDK: its adapter cannot be believed


@dataclass(frozen=True)
class Variant:
    """One variant.

    Attributes:
        name: `requirement.defect` of a mutant, `equivalent.what-differs` of an equivalent.
        requirement: What must catch it, "" for an equivalent.
        client: Its class.
        sdk: What its adapter says of it beyond the usual, in hello's `sdk`.
        capabilities: The same in hello's `capabilities`.
        result_path: The same in hello's `result_path`.
        frames: Length of the runtime's own stack trace, where the adapter reports one.
        blind: Its HTTP library uses a connection again that the server has closed.
        elapsed_s: What its adapter makes of the time that a wait took.
    """

    name: str
    summary: str
    requirement: str
    client: type[Client] | type[AsyncClient]
    ending: Ending = Ending.CAUGHT
    sdk: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    result_path: str = ""
    frames: int | None = None
    blind: bool = False
    elapsed_s: Callable[[float], float] = float

    @property
    def is_async(self) -> bool:
        """Whether its calls are coroutines."""
        return issubclass(self.client, AsyncClient)


MUTANTS: dict[str, Variant] = {}
EQUIVALENTS: dict[str, Variant] = {}
REFERENCES = {
    "reference.sync": Variant("reference.sync", "The reference client.", "", Client),
    "reference.async": Variant("reference.async", "The reference client's async variant.", "", AsyncClient),
}

_C = TypeVar("_C", bound="type[Client] | type[AsyncClient]")


def kills(requirement: str, defect: str = "", **more: Any) -> Callable[[_C], _C]:
    """Register a class as the mutant that this requirement must catch; its name is the class's by default."""

    def register(client: _C) -> _C:
        name = f"{requirement}.{defect or _kebab(client.__name__)}"
        assert name not in MUTANTS, name
        MUTANTS[name] = Variant(name, _summary(client), requirement, client, **more)
        return client

    return register


def equivalent(**more: Any) -> Callable[[_C], _C]:
    """Register a class as a correct client that looks different."""

    def register(client: _C) -> _C:
        name = f"equivalent.{_kebab(client.__name__)}"
        assert name not in EQUIVALENTS, name
        EQUIVALENTS[name] = Variant(name, _summary(client), "", client, **more)
        return client

    return register


def _kebab(name: str) -> str:
    parts = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
    return re.sub(parts, "-", name.strip("_")).lower()


def _summary(client: type) -> str:
    return (client.__doc__ or "").strip().partition("\n")[0]


class Rule(Client):
    """A client whose rule of waiting is altered on its way."""

    def on_poll(self, poll: Poll) -> Poll:
        """Return the poll to make."""
        return poll

    def on_task(self, task: Task) -> Task:
        """Return what the rule is told."""
        return task

    def on_sleep(self, seconds: float) -> float:
        """Return how long to sleep."""
        return seconds

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        return altered(
            super()._steps(task_id, poll_interval, timeout), self.on_poll, self.on_task, self.on_sleep
        )


class Jittering(Rule):
    """A client that draws each sleep anew, between two shares of what its rule says."""

    seed: ClassVar[int]
    shares: ClassVar[tuple[float, float]]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._random = random.Random(self.seed)

    def on_sleep(self, seconds: float) -> float:
        """Return how long to sleep."""
        return seconds * self._random.uniform(*self.shares)


def altered(
    steps: Steps,
    on_poll: Callable[[Poll], Poll],
    on_task: Callable[[Task], Task],
    on_sleep: Callable[[float], float],
) -> Steps:
    """Yield other steps in place of a rule's, and tell it other answers."""
    try:
        step = next(steps)
        while True:
            if isinstance(step, Poll):
                step = steps.send(on_task((yield on_poll(step))))
            else:
                yield Sleep(on_sleep(step.seconds))
                step = next(steps)
    except StopIteration as end:
        return end.value


class Raising(Client):
    """A client whose task exception is altered before its caller sees it."""

    def on_error(self, error: StreamTaskException) -> None:
        """Change the exception."""

    def wait_for_task(self, task_id: str, **options: Any) -> Any:
        """Wait, and change what is raised for a failed task."""
        try:
            return super().wait_for_task(task_id, **options)
        except StreamTaskException as error:
            self.on_error(error)
            raise


def in_background(client: Client, body: Callable[[], object]) -> None:
    """Run `body` in a thread of the client's world, and lose what it raises."""

    def quietly() -> None:
        with contextlib.suppress(Exception):
            body()

    start = getattr(client._transport, "start", None)  # noqa: SLF001 - a part of the client
    if start is None:
        threading.Thread(target=quietly, daemon=True).start()
    else:
        start(quietly)
