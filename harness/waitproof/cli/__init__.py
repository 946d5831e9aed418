"""The command line: a module for each command; `entry` imports only the one that is named."""

from waitproof.cli.entry import main

__all__ = ["main"]
