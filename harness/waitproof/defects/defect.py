"""What a defect is: a small change of the model client, and what a suite must make of it.

A defect breaks one promise and names the kind of check that must catch it; an equivalent breaks none, and
nothing may be held against it. Both are data: a sentence, a hook or two, and what their adapter reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from waitproof.defects.client import Hooks
from waitproof.protocol import ExceptionKind
from waitproof.suite import Contract, Json, Requirement, placeholders

__all__ = ["CLEAN", "CLEAN_ASYNC", "EQUAL_COPIES", "Defect", "Ending", "clean", "equivalent"]

EQUAL_COPIES: Mapping[str, bool | str] = {"pickle": True, "copy": True}


class Ending(StrEnum):
    """How a suite shows that it has caught a defect."""

    ACCUSED = "accused"  # FAIL or WARN
    RECORDED = "recorded"  # INFO, in other words than those for the clean model client
    ERROR = "error"  # no verdict about the SDK: its adapter cannot be believed


@dataclass(frozen=True)
class Defect:
    """One defect, equivalent, or the clean model client itself.

    Attributes:
        check: The kind of check that must catch it, "" where there is nothing to catch.
        name: `check.what-is-wrong` of a defect, `equivalent.what-differs` of an equivalent.
        sentence: What is wrong, or different, for the person who maintains the SDK.
        where: Arguments that the check's requirement must have: `{"option": "passed"}`. A list has what it
            contains.
        not_applicable: Why the contract has no room for this defect, "" where it has.
        needs: What the contract must have to leave room for it: "result" and "error" in its answers, a
            "deadline" by default.
        blocks: What the coroutines do without letting others run: "sleep", "send".
        deaf: What a cancellation does not cut short: "sleep", "send".
        is_blind: The HTTP library sends on a connection that the server has closed.
        is_http_10: It speaks HTTP/1.0 where there is a wire.
        native_stack_frames: Length of the runtime's own stack trace, as the adapter reports it.
        adds_to_elapsed_s: By how much the adapter exaggerates how long a wait took.
        copies: What became of copies of its exceptions, as the adapter reports it; None to leave it out.
        copies_of: The kind of exceptions that this is about, None for every kind; others have equal copies.
    """

    name: str
    check: str = ""
    sentence: str = ""
    hooks: Hooks = field(default_factory=Hooks)
    where: Mapping[str, Json] = field(default_factory=dict)
    ending: Ending = Ending.ACCUSED
    not_applicable: str = ""
    needs: tuple[str, ...] = ()
    is_async: bool = False
    blocks: frozenset[str] = frozenset()
    deaf: frozenset[str] = frozenset()
    is_blind: bool = False
    is_http_10: bool = False
    language: str = "python"
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    result_path: str = ""
    native_stack_frames: int = 3
    adds_to_elapsed_s: float = 0.0
    copies: Mapping[str, bool | str] | None = field(default_factory=lambda: EQUAL_COPIES)
    copies_of: ExceptionKind | None = None

    @property
    def is_equivalent(self) -> bool:
        """Whether nothing may be held against it."""
        return not self.check

    def requirements(self, contract: Contract) -> tuple[str, ...]:
        """Return the ids of the requirements whose failure is the stated reason."""
        return tuple(each.id for each in contract.requirements if self._is_stated(each))

    def _is_stated(self, requirement: Requirement) -> bool:
        return requirement.check == self.check and all(
            value == requirement.with_.get(name) or value in _items(requirement.with_.get(name))
            for name, value in self.where.items()
        )

    def why_not(self, contract: Contract) -> str:
        """Return why a suite of this contract cannot be asked to catch it, "" where it can."""
        missing = next((each for each in self.needs if _lacks(contract, each)), None)
        if missing is not None:
            holder = "a wait" if missing == "deadline" else "an answer"
            return f"{holder} of this API has no {missing}"
        if self.not_applicable or self.is_equivalent or self.requirements(contract):
            return self.not_applicable
        where = "".join(f", {name} {value}" for name, value in self.where.items())
        return f"no requirement is judged by {self.check}{where}"


def _lacks(contract: Contract, need: str) -> bool:
    if need == "deadline":
        return contract.defaults.timeout is None
    return need not in placeholders(contract.answer.body)


def _items(value: Json) -> tuple[Json, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def equivalent(name: str, sentence: str, hooks: Hooks | None = None, **more: Any) -> Defect:
    """Return a correct client that looks different."""
    return Defect(f"equivalent.{name}", sentence=sentence, hooks=hooks or Hooks(), **more)


CLEAN = Defect("model.sync", sentence="The model client, which blocks.")
CLEAN_ASYNC = Defect("model.async", sentence="The model client, as coroutines.", is_async=True)


def clean(*, is_async: bool) -> Defect:
    """Return the model client without a defect."""
    return CLEAN_ASYNC if is_async else CLEAN
