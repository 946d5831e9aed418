"""Small texts that every room writes the same way: counts, lines, control characters, the version."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["MASKED", "escape", "installed_version", "mask", "on_one_line", "plural", "shorten"]

_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn"}  # control, format, surrogate, private use and unassigned characters
_TAB_WIDTH = 4
MASKED = "***"
MIN_START = 6  # characters of a secret that was cut off: fewer help nobody who looks for it


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 poll", "2 polls"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def on_one_line(text: str) -> str:
    """Return a text with one space wherever it has white space, line ends included."""
    return " ".join(text.split())


def shorten(text: str, most: int, *, counted: bool = False) -> str:
    """Return a text as it is, or its first `most` characters and "…", and how many it has if `counted`."""
    if len(text) <= most:
        return text
    return f"{text[:most]}… ({len(text)} characters)" if counted else f"{text[:most]}…"


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a text with `***` wherever one of these secrets, none of them empty, is in it.

    The start of one counts as well where `shorten` has cut the text off in it.
    """
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, MASKED)
        if "…" in text:
            *cut, last = text.split("…")
            text = "…".join([*(_masked_end(part, secret) for part in cut), last])
    return text


def _masked_end(text: str, secret: str) -> str:
    """Return a text with `***` for the start of a secret that it ends with."""
    for length in range(len(secret) - 1, MIN_START - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + MASKED
    return text


def escape(text: str) -> str:
    r"""Return a text that is safe to print to a terminal; lines stay lines.

    Control characters and lone surrogates are written out (`\x1b`, `\ud800`), and tabs become spaces.
    """
    if text.isprintable():  # most texts of a report of some megabytes
        return text
    return "".join(
        character
        if character == "\n" or unicodedata.category(character) not in _UNSAFE
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text.expandtabs(_TAB_WIDTH)
    )


def installed_version() -> str:
    """Return the installed version of waitproof, "0" in a tree that was not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes a while, seldom needed

    try:
        return version("waitproof")
    except PackageNotFoundError:
        return "0"
