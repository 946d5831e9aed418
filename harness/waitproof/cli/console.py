"""What commands print to: a console that survives a reader that goes away."""

from __future__ import annotations

import sys
from typing import IO

from rich.console import Console

from waitproof.signals import discard_output
from waitproof.text import escape

__all__ = ["make_console", "say"]

PLAIN_WIDTH = 200  # of a table that no terminal limits


class _Console(Console):
    """A console whose reader may go away: a run goes on, because of its report and its exit code."""

    def on_broken_pipe(self) -> None:
        """Discard everything printed from now on."""
        self.quiet = True
        discard_output(sys.stdout)


def make_console(stream: IO[str]) -> Console:
    """Return a console for a stream, without colors where it is not a terminal."""
    console = _Console(file=stream)
    if not console.is_terminal:
        console = _Console(file=stream, width=PLAIN_WIDTH, color_system=None)
    return console


def say(line: str) -> None:
    """Print a line at once, safe for any terminal; a reader that has gone away misses it."""
    try:
        print(escape(line), flush=True)
    except BrokenPipeError:
        discard_output(sys.stdout)
