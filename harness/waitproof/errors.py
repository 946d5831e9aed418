"""Whose mistake it is: three kinds of trouble that are never a verdict about an SDK.

`InputError` is for the author of a file or a command line, `AdapterError` for the author of an
adapter, `HarnessError` to us. A verdict is a value (see `judge`); an exception is always one of these.
Every message has the same shape: place and fact in the first line, which makes sense by itself, then what was
found, what was expected and how to fix it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "AdapterError",
    "HarnessError",
    "InputError",
    "Mistake",
    "WaitproofError",
    "closest",
    "nearest",
    "why",
]


@dataclass(frozen=True)
class Mistake:
    """One mistake of an input, described so that its author can fix it.

    Attributes:
        place: `file:line:column` where known, else a file, an option or a program.
        fact: What is wrong, in one sentence without a full stop.
        found: The author's own text, "" where there is none.
        expected: What would have been right, "" where the fact says it.
        fix: What to do now, "" where the expectation says it.
    """

    place: str
    fact: str
    found: str = ""
    expected: str = ""
    fix: str = ""

    def __str__(self) -> str:
        """Return the message: the first line makes sense by itself, a line follows for each thing known."""
        lines = [f"{self.place}: {self.fact}" if self.place else self.fact]
        rows = (("found", self.found), ("expected", self.expected), ("fix", self.fix))
        lines += [f"  {f'{name}:':<10}{text}" for name, text in rows if text]
        return "\n".join(lines)


class WaitproofError(Exception):
    """Any trouble that is not a verdict; its text is written for the person who made the mistake."""


class InputError(WaitproofError):
    """A file, an option or a machine is not as it must be; the command line exits with 2.

    Attributes:
        mistakes: Every mistake found, in reading order; never empty.
    """

    def __init__(self, mistakes: Mistake | Sequence[Mistake]) -> None:
        self.mistakes = (mistakes,) if isinstance(mistakes, Mistake) else tuple(mistakes)
        super().__init__("\n\n".join(str(mistake) for mistake in self.mistakes))


class AdapterError(WaitproofError):
    """An adapter broke the protocol, died, or did not answer: ERROR, never a FAIL of the SDK."""


class HarnessError(WaitproofError):
    """The harness itself is at fault, for instance its mock server died."""


def why(error: OSError) -> str:
    """Return why the system refused something, without the name of the file."""
    return (error.strerror or str(error)).lower()


def closest(name: str, known: Iterable[str]) -> str:
    """Return the known name most like `name`, or "" when none is close."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), "")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return "did you mean 'x'?" for the known name most like `name`, or "" when none is close."""
    match = closest(name, known)
    return f"did you mean '{match}'?" if match else ""
