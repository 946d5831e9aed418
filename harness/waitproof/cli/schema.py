"""`waitproof schema`: the JSON Schema of scenario files, or of report.json."""

from __future__ import annotations

import argparse
import json

from waitproof.report import report_schema
from waitproof.run import ExitCode
from waitproof.suite import scenario_schema

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--report", action="store_true", help="print the schema of report.json instead")


def execute(options: argparse.Namespace) -> ExitCode:
    """Print the schema."""
    print(json.dumps(report_schema() if options.report else scenario_schema(), indent=2))
    return ExitCode.KEPT
