"""What commands print to."""

from __future__ import annotations

from typing import IO

from rich.console import Console

from waitproof.text import escape

__all__ = ["make_console", "say"]

PLAIN_WIDTH = 200  # of a table that no terminal limits


def make_console(stream: IO[str]) -> Console:
    """Return a console for a stream, without colors where it is not a terminal."""
    console = Console(file=stream)
    if not console.is_terminal:
        console = Console(file=stream, width=PLAIN_WIDTH, color_system=None)
    return console


def say(line: str) -> None:
    """Print a line at once, safe for any terminal."""
    print(escape(line), flush=True)
