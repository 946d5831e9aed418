"""`waitproof explain`: a requirement with the scenarios that prove it, a scenario's file, or the checks."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import textwrap

from waitproof.cli.checks import explain_checks
from waitproof.cli.console import say
from waitproof.cli.options import add_suite_options, suite_arguments, suite_of
from waitproof.errors import InputError, Mistake, nearest
from waitproof.run import ExitCode
from waitproof.suite import Requirement, Suite, load_scenario, read_file, read_suite
from waitproof.text import escape

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("name", nargs="?", help="id of a requirement or scenario; without it, list them all")
    parser.add_argument(
        "--checks",
        action="store_true",
        help="explain the check of that name, or all checks that a contract's requirements can name",
    )
    add_suite_options(parser)


def execute(options: argparse.Namespace) -> ExitCode:
    """Print the requirement or scenario with that name."""
    if options.checks:
        for line in explain_checks(options.name):
            say(line)
        return ExitCode.KEPT
    suite, mistakes = read_suite(suite_of(options), options.scenarios)
    for line in _lines(suite, options.name):
        say(line)
    if mistakes:
        lint = shlex.join(["waitproof", "lint", *suite_arguments(options)])
        print(escape(f"this suite has mistakes; to see them: {lint}"), file=sys.stderr)
    return ExitCode.KEPT


def _lines(suite: Suite, name: str | None) -> list[str]:
    requirements = {each.id: each for each in suite.contract.requirements}
    if name is None:
        return [f"{each.level.value:<7} {each.id}" for each in requirements.values()]
    if name in requirements:
        return _explain_requirement(suite, requirements[name])
    by_short_name = [each for each in suite.files if each.rpartition("/")[2] == name]
    scenario_id = by_short_name[0] if name not in suite.files and len(by_short_name) == 1 else name
    if scenario_id not in suite.files:
        known = [*requirements, *suite.files]
        fix = nearest(name, known) or "'waitproof list' and 'waitproof explain' show them all"
        raise InputError(Mistake("explain", f"no requirement or scenario is called '{name}'", fix=fix))
    place = suite.files[scenario_id]
    if scenario_id not in {each.id for each in suite.scenarios}:
        load_scenario(place, suite.folder, suite.contract)  # raises, with the reason why it can't be read
    return [f"{scenario_id} ({place})", "", *read_file(place).splitlines()]


def _explain_requirement(suite: Suite, requirement: Requirement) -> list[str]:
    origin = f"quoted from {suite.contract.source}" if requirement.quote else "not documented"
    arguments = f" {json.dumps(requirement.with_)}" if requirement.with_ else ""
    lines = [f"{requirement.id} ({requirement.level.value}, {origin})"]
    lines += textwrap.wrap(requirement.sentence, 96, initial_indent="  ", subsequent_indent="  ")
    limits = requirement.applies_to.model_dump(exclude_none=True, by_alias=True)
    excluded = limits.pop("not", {})
    for label, conditions in (("applies to", limits), ("does not apply to", excluded)):
        if conditions:
            lines.append(f"  {label}: " + ", ".join(f"{n} {_either(v)}" for n, v in conditions.items()))
    lines.append(f"  check: {requirement.check}{arguments}")
    lines.append("  proved by:")
    lines += [f"    {each.id}" for each in suite.scenarios if requirement.id in each.proves]
    return lines


def _either(value: object) -> str:
    return " or ".join(value) if isinstance(value, tuple) else str(value)
