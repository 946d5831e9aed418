"""`waitproof schema`: the JSON Schema of scenario files."""

from __future__ import annotations

import argparse
import json

from waitproof.run import ExitCode
from waitproof.suite.scenario import scenario_schema

__all__ = ["add_options", "execute"]


def add_options(_parser: argparse.ArgumentParser) -> None:
    """Add no option: there is none."""


def execute(_options: argparse.Namespace) -> ExitCode:
    """Print the schema."""
    print(json.dumps(scenario_schema(), indent=2))
    return ExitCode.KEPT
