"""Sentences about an adapter's processes that died, and about what it wrote to stderr. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from waitproof.report.merge import Adapter, names_in_a_sentence
from waitproof.report.model import AdapterEntry
from waitproof.run import Death
from waitproof.text import plural, shorten

__all__ = ["death_sentences", "sentences_about", "stderr_sentence"]

MAX_DEATHS = 3  # in full; the rest is counted
MAX_LINE = 200  # characters of a line of stderr within a sentence


def death_sentences(entry: AdapterEntry) -> list[str]:
    """Return a sentence for each death, without the adapter's name; none if its error says it all."""
    return [] if entry.error else sentences_about([Death(**vars(each)) for each in entry.deaths])


def sentences_about(deaths: Sequence[Death]) -> list[str]:
    """Return a sentence for each death, alike ones together, only the first of many."""
    found = list(Counter(map(_sentence, deaths)).items())
    more = sum(times for _, times in found[MAX_DEATHS:])
    lines = [text if times == 1 else f"{times} times: {text}" for text, times in found[:MAX_DEATHS]]
    return [*lines, f"… and {plural(more, 'more death')}"] if more else lines


def _sentence(death: Death) -> str:
    when = f" {'during' if death.in_flight else 'after'} {names_in_a_sentence(death.scenarios)}"
    last = next((line for line in reversed(death.stderr_tail) if line.strip()), "")
    words = f"; its last line on stderr: {shorten(last.strip(), MAX_LINE)}" if last else ""
    return f"a process {death.how}{when if death.scenarios else ''}{words}"


def stderr_sentence(adapter: Adapter) -> str:
    """Return how much the adapter wrote to stderr, and its first warning or line; "" for nothing.

    An adapter that could not be run has none: its last lines are shown with its error.
    """
    stderr = adapter.entry.stderr
    if stderr is None or not stderr.lines or adapter.entry.error:
        return ""
    count = f"{adapter.name}: {plural(stderr.lines, 'line')} on stderr"
    if stderr.first_warning:
        return f"{count}, the first warning: {stderr.first_warning.strip()}"
    return f"{count}{', the first' if stderr.lines > 1 else ''}: {stderr.first.strip()}"
