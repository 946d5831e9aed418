"""Which scenarios and requirements `-k` and `--exclude` select. Pure.

What is selected are pairs: a scenario and a requirement that it proves. An expression is evaluated while it
is read, each part of it to the set of pairs that it selects:

    expression: conjunction, or several with `or` between them
    conjunction: term, or several with `and` between them
    term: `not` term, `(` expression `)`, or a pattern
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

from waitproof.errors import InputError, Mistake, nearest
from waitproof.suite.scenario import Scenario

__all__ = ["narrowed", "select"]

_Pairs: TypeAlias = frozenset[tuple[str, str]]
_KEYWORDS = {"and", "or", "not", "(", ")"}
_LIST = "'waitproof list' shows all scenarios"
_DEEPEST = 50  # of parentheses and `not`s: nobody writes more


def select(
    scenarios: Sequence[Scenario],
    patterns: Sequence[str],
    excluded: Sequence[str] = (),
    *,
    exclude_place: str = "--exclude",
) -> tuple[Scenario, ...]:
    """Return the scenarios that one of the expressions selects, all of them if there is none.

    A pattern is a part of `scenario` or `scenario:requirement` that begins where a word does, or a glob for
    the whole of it; upper and lower case are the same. Each scenario has only what is selected of it.

    Args:
        scenarios: Those to choose from, of one suite or of several.
        patterns: Expressions of patterns.
        excluded: Expressions for what is not selected.
        exclude_place: Where these come from, for messages.

    Raises:
        InputError: An expression cannot be read, a pattern in one matches nothing, or nothing is left.
    """
    everything = frozenset((each.id, name) for each in scenarios for name in each.proves)
    readers = [_Reader(text, everything, "-k") for text in patterns]
    excluding = [_Reader(text, everything, exclude_place) for text in excluded]
    mistakes = [mistake for reader in (*readers, *excluding) for mistake in reader.mistakes]
    if mistakes:
        raise InputError(mistakes)
    selected = _union(readers) if patterns else everything
    remaining = selected - _union(excluding)
    if selected and not remaining:
        what = f"{' and '.join(map(repr, patterns))} selects" if patterns else "there is"
        fact = f"everything that {what} is excluded by {' and '.join(map(repr, excluded))}"
        raise InputError(Mistake(exclude_place, fact))
    return narrowed(scenarios, remaining)


def _union(readers: Sequence[_Reader]) -> _Pairs:
    return frozenset[tuple[str, str]]().union(*(reader.pairs for reader in readers))


def narrowed(scenarios: Sequence[Scenario], pairs: Collection[tuple[str, str]]) -> tuple[Scenario, ...]:
    """Return the scenarios of these pairs of a scenario and a requirement, each with only what is in one."""
    found = []
    for scenario in scenarios:
        proves = tuple(name for name in scenario.proves if (scenario.id, name) in pairs)
        if proves == scenario.proves:
            found.append(scenario)
        elif proves:
            found.append(scenario.model_copy(update={"proves": proves}))
    return tuple(found)


class _Reader:
    """Reads one expression.

    Attributes:
        pairs: What it selects.
        mistakes: Why it can't be used: words in the wrong place, else patterns that match nothing.
    """

    def __init__(self, text: str, everything: _Pairs, place: str) -> None:
        self._text = text
        self._everything = everything
        self._place = place
        self._words: list[str] = [*re.findall(r"[()]|[^\s()]+", text), ""]
        self._next = 0
        self._depth = 0
        self.pairs: _Pairs = frozenset()
        self.mistakes: list[Mistake] = []
        try:
            self.pairs = self._expression()
            if self._words[self._next]:
                raise self._unexpected("'and', 'or' or the end")
        except InputError as error:
            self.mistakes = list(error.mistakes)
            return
        if not self.pairs and not self.mistakes:
            self.mistakes.append(
                Mistake(place, f"no scenario and no requirement matches '{text}'", fix=_LIST)
            )

    def _expression(self) -> _Pairs:
        pairs = self._conjunction()
        while self._took("or"):
            pairs |= self._conjunction()
        return pairs

    def _conjunction(self) -> _Pairs:
        pairs = self._term()
        while self._took("and"):
            pairs &= self._term()
        return pairs

    def _term(self) -> _Pairs:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise InputError(Mistake(self._place, "the expression is nested too deeply", self._text[:100]))
        if self._took("not"):
            pairs = self._everything - self._term()
        elif self._took("("):
            pairs = self._expression()
            if not self._took(")"):
                raise self._unexpected("')'")
        else:
            pairs = self._pattern()
        self._depth -= 1
        return pairs

    def _pattern(self) -> _Pairs:
        word = self._words[self._next]
        if not word or word in _KEYWORDS:
            raise self._unexpected("a pattern, 'not' or '('")
        self._next += 1
        pairs = frozenset(
            (scenario, name)
            for scenario, name in self._everything
            if _matches(word, scenario) or _matches(word, f"{scenario}:{name}")
        )
        if not pairs:
            self.mistakes.append(self._no_match(word))
        return pairs

    def _took(self, word: str) -> bool:
        is_next = self._words[self._next] == word
        self._next += is_next
        return is_next

    def _unexpected(self, expected: str) -> InputError:
        word = self._words[self._next]
        fact = f"'{word}' is in the wrong place" if word else "something is missing at the end"
        return InputError(Mistake(self._place, fact, found=self._text, expected=expected))

    def _no_match(self, pattern: str) -> Mistake:
        ids = sorted({scenario for scenario, _ in self._everything})
        known = [*ids, *sorted({name for _, name in self._everything})]
        known += [part for each in ids for part in each.split("/")]
        fix = nearest(pattern.lower(), dict.fromkeys(known)) or _LIST
        return Mistake(self._place, f"no scenario and no requirement matches '{pattern}'", fix=fix)


def _matches(pattern: str, name: str) -> bool:
    """Say whether a pattern matches a name: as a glob, else as a part that begins where a word does."""
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(name.lower(), pattern.lower())
    return re.search(rf"(?<![a-z0-9]){re.escape(pattern)}", name, re.IGNORECASE) is not None
