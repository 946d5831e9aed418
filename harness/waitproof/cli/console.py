"""What commands print to: a console that survives a reader that goes away."""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console

__all__ = ["discard_stdout", "make_console", "print_plain"]

PLAIN_WIDTH = 200  # of a table that no terminal limits


class _Console(Console):
    """A console whose reader may go away: a run goes on, because of its report and its exit code."""

    def on_broken_pipe(self) -> None:
        """Discard everything printed from now on."""
        self.quiet = True
        discard_stdout()


def discard_stdout() -> None:
    """Send stdout to nowhere: its reader has gone, and Python must not complain about it at exit."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def make_console(stream: IO[str]) -> Console:
    """Return a console for a stream, without colors where it is not a terminal."""
    console = _Console(file=stream)
    if not console.is_terminal:
        console = _Console(file=stream, width=PLAIN_WIDTH, color_system=None)
    return console


def print_plain(console: Console, line: str) -> None:
    """Print a line as it is: no markup, no highlighting, no wrapping."""
    console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
