"""`waitproof schema`: the JSON Schema of scenario files, of contracts, or of report.json."""

from __future__ import annotations

import argparse
import json

from waitproof.judge import checks
from waitproof.report import report_schema
from waitproof.run import ExitCode
from waitproof.suite import contract_schema, scenario_schema

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--contract", action="store_true", help="print the schema of contract.yaml instead")
    kinds.add_argument("--report", action="store_true", help="print the schema of report.json instead")


def execute(options: argparse.Namespace) -> ExitCode:
    """Print the schema."""
    schema = report_schema() if options.report else scenario_schema()
    if options.contract:
        schema = contract_schema(checks())
    print(json.dumps(schema, indent=2))
    return ExitCode.KEPT
