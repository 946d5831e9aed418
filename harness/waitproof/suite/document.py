"""One file from its text to its last mistake.

Reading (`yaml`), validation (`model`) and the checks against a contract (`crosscheck`) all add to a file's
document, so that its author sees every mistake at once, in reading order, each at its position.

One fact to know before reading on: nothing more is said about a value that is known to be wrong. That is how
one typo stays one mistake.
"""

from __future__ import annotations

import json

from waitproof.errors import InputError, Mistake
from waitproof.suite.yaml import MAX_MISTAKES, MAX_SHOWN, Node, Path, Position, Reader
from waitproof.text import shorten

__all__ = ["Document", "read", "shown"]


class Document:
    """One file: its values with their positions, and every mistake found in it so far.

    Attributes:
        place: The file's name in messages, usually the path that its author typed.
        root: The whole file; validation puts misspelt keys right in it.
    """

    def __init__(self, text: str, place: str) -> None:
        """Read the text; mistakes that leave something to read are kept, see `check`.

        Raises:
            InputError: Nothing can be read: the file is empty, not YAML, or nested too deep.
        """
        reader = Reader(text)
        root = reader.read()
        self.place = place
        self._lines = reader.text.splitlines()
        self._mistakes: list[tuple[Position, Mistake]] = []
        self._paths: set[Path] = set()  # of what has a mistake
        self._wrong: set[Path] = set()  # of values that can't be used
        self._refused = {at for at, *_ in reader.mistakes}
        for mistake in reader.mistakes:
            self._add(None, *mistake)
        if root is None:
            self.check()
            raise AssertionError("a reader that returns nothing has a mistake")
        self.root = root

    @property
    def is_full(self) -> bool:
        """Whether there are more mistakes than anybody reads."""
        return len(self._mistakes) > MAX_MISTAKES

    def mistake(self, path: Path, fact: str, *, expected: str = "", fix: str = "") -> Mistake:
        """Return a mistake of what is at `path`, without reporting it."""
        return self._mistake_at(self.root.find(path)[1], fact, expected, fix)

    def add(self, path: Path, fact: str, *, expected: str = "", fix: str = "") -> None:
        """Report a mistake of what is at `path`, unless that is a value which is known to be wrong."""
        node = self.root.at(path)
        is_known = node is not None and node.is_wrong and not isinstance(node.value, dict | tuple)
        if path not in self._wrong and not is_known:
            self._add(path, self.root.find(path)[1], fact, expected, fix)

    def add_wrong_value(self, path: Path, fact: str, *, expected: str = "", fix: str = "") -> None:
        """Report that the value at `path` can't be used; nothing more will be said about it."""
        if not self.root.find(path)[0].holds_a_mistake():
            self.add(path, fact, expected=expected, fix=fix)
        self._wrong.add(path)

    def add_key(self, path: Path, at: Position, fact: str, *, expected: str = "", fix: str = "") -> None:
        """Report that the key that was read at a position is wrong, unless the reader has refused it."""
        if at not in self._refused:
            self._add(path, at, fact, expected, fix)

    def is_clean(self, path: Path) -> bool:
        """Say whether nothing has been reported about what is at `path`, nor about anything in it."""
        return not self.root.find(path)[0].holds_a_mistake() and all(
            known[: len(path)] != path for known in self._paths | self._wrong
        )

    def check(self) -> None:
        """Raise if there is a mistake.

        Raises:
            InputError: With every mistake, in reading order.
        """
        if not self._mistakes:
            return
        found = [mistake for _, mistake in sorted(self._mistakes, key=lambda each: each[0])]
        if self.is_full:
            fact = f"reading stopped after {MAX_MISTAKES} mistakes"
            found[MAX_MISTAKES:] = [Mistake(self.place, fact, fix="fix these first")]
        raise InputError(found)

    def _add(self, path: Path | None, at: Position, fact: str, expected: str, fix: str) -> None:
        if path is not None:
            self._paths.add(path)
        if not self.is_full:
            self._mistakes.append((at, self._mistake_at(at, fact, expected, fix)))

    def _mistake_at(self, at: Position, fact: str, expected: str, fix: str) -> Mistake:
        line, column = at
        found = self._lines[line - 1].strip() if line <= len(self._lines) else ""
        place = f"{self.place}:{line}:{column}"
        return Mistake(
            place, shorten(fact, 2 * MAX_SHOWN), shorten(found, MAX_SHOWN), expected, shorten(fix, MAX_SHOWN)
        )


def read(text: str, place: str) -> Node:
    """Return the values of the one document in `text`.

    Args:
        text: A whole YAML file.
        place: Its name in messages, usually the path that its author typed.

    Raises:
        InputError: The text is not YAML, or uses what this reader refuses.
    """
    document = Document(text, place)
    document.check()
    return document.root


def shown(value: object) -> str:
    """Return an author's value as a message shows it."""
    return shorten(json.dumps(value, ensure_ascii=False), MAX_SHOWN)
