"""Small texts that every room writes the same way: counts, lines, masks, and one escape for each format.

An adapter may say anything, and what it says goes to terminals, GitHub's logs, Markdown, pages and XML. What
writes such a format uses its escape in here and no other; the one for HTML itself is Jinja's.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

__all__ = [
    "MASKED",
    "command_message",
    "command_property",
    "either",
    "escape",
    "installed_version",
    "markdown_code",
    "markdown_text",
    "mask",
    "on_one_line",
    "plural",
    "script_json",
    "shorten",
    "xml_text",
]

# Control, format, surrogate, private use and unassigned characters, and those that end a line or a paragraph.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What makes Markdown of text, and what GitHub finds in text: a mention, a reference, an address.
_MARKDOWN = re.compile(
    r"[&<>\\`|*\[\]~$]|(?<![^\W_])_|_(?![^\W_])|[@#](?=\w)|\b(?:https?|ftp)(?=://)|\bwww(?=\.)|\bGH(?=-\d)",
    re.IGNORECASE,
)
_NO_SPACE = "&#8203;"  # a space without width
# What XML 1.0 has no way to write.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TAB_WIDTH = 4
MASKED = "***"
MIN_START = 6  # characters of a secret that was cut off: fewer help nobody who looks for it


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 poll", "2 polls"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def either(names: Sequence[str]) -> str:
    """Return names, at least one, as "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


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


def markdown_text(text: str, most: int = 500) -> str:
    """Return a text as one line that is only text wherever it appears in Markdown of GitHub's kind.

    It can make no table, tag, link, mention or reference.

    Args:
        text: Any text.
        most: After how many characters it is shortened.
    """
    return _MARKDOWN.sub(_as_markdown, shorten(on_one_line(escape(text)), most, counted=True))


def _as_markdown(found: re.Match[str]) -> str:
    return found[0] + _NO_SPACE if found[0] in "@#" or len(found[0]) > 1 else f"&#{ord(found[0])};"


def markdown_code(text: str) -> str:
    """Return a short text as code in Markdown, in a table too; "" for nothing but white space.

    A backtick, which would end it, becomes a quote, and a vertical bar, which would end a cell, a broken bar.
    """
    line = on_one_line(escape(text)).replace("`", "'").replace("|", "¦")
    return f"`{line}`" if line else ""


def command_message(text: str) -> str:
    """Return a text as the message of one of GitHub's workflow commands."""
    return escape(text).replace("%", "%25").replace("\n", "%0A")


def command_property(text: str) -> str:
    """Return a text as the value of a property of one of GitHub's workflow commands."""
    return command_message(text).replace(":", "%3A").replace(",", "%2C")


def xml_text(text: str) -> str:
    """Return a text in which what XML has no way to write is written out; `<` and `&` stay as they are."""
    return _NOT_IN_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def script_json(value: Any) -> str:
    """Return a value as JSON in which no HTML parser finds a tag, a comment or the end of a script."""
    text = json.dumps(value, separators=(",", ":"))  # only ASCII: U+2028 and U+2029 are escaped too
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def installed_version() -> str:
    """Return the installed version of waitproof, "0" in a tree that was not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes a while, seldom needed

    try:
        return version("waitproof")
    except PackageNotFoundError:
        return "0"
