"""Which kinds of check a contract may name: the judge registers them here when it is imported.

The suite needs to know of a check what it is called, which arguments it takes and which expectations it
reads; how it judges is the judge's business. So the suite never imports the judge.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeVar

from waitproof.errors import HarnessError
from waitproof.suite.model import Model

__all__ = ["CheckSpec", "known_checks", "register_check"]


class CheckSpec(Protocol):
    """What a suite knows of a check."""

    @property
    def kind(self) -> str:
        """Its name in contracts."""

    @property
    def arguments(self) -> type[Model]:
        """The model of what a requirement writes under `with`."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Which parts of an expectation it reads: `returns`, `raises`, `task`, `cancelled`, `polls`."""


_Spec = TypeVar("_Spec", bound=CheckSpec)
_KNOWN: dict[str, CheckSpec] = {}


def register_check(check: _Spec) -> _Spec:
    """Make a check known under its kind, and return it."""
    _KNOWN[check.kind] = check
    return check


def known_checks() -> Mapping[str, CheckSpec]:
    """Return all checks by kind, in the order of their names.

    Raises:
        HarnessError: There are none, because nothing has imported the judge.
    """
    if not _KNOWN:
        raise HarnessError("a contract's checks are not known before waitproof.judge has been imported")
    return dict(sorted(_KNOWN.items()))
