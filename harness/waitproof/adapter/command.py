"""How an adapter is started: its command, and the environment that it gets."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from waitproof.child_process import ChildProcess, Owner
from waitproof.errors import Mistake
from waitproof.protocol import BrokenAdapterError

__all__ = ["AdapterCommand", "clean_environment", "start_child", "without_ci"]

# GitHub's runner takes a job's outputs, variables and PATH from the files these name.
_CI_NAMES = {"GITHUB_TOKEN", "GH_TOKEN"} | {
    f"GITHUB_{each}"
    for each in ("ARTIFACTS", "ARTIFACTS_LIST", "ENV", "OUTPUT", "PATH", "STATE", "STEP_SUMMARY")
}
_CI_FOLDER = "_runner_file_commands"  # where those files are: for any that a newer runner adds


@dataclass(frozen=True)
class AdapterCommand:
    """How to start an adapter.

    Attributes:
        name: What messages call it.
        argv: The program and its arguments.
        cwd: The working directory, the adapter's folder.
        env: Variables on top of the cleaned environment.
        argument: What its user typed to name it, "" where nobody did.
    """

    name: str
    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    argument: str = ""


def clean_environment(
    environment: Mapping[str, str], clean: Collection[str], extra: Mapping[str, str]
) -> dict[str, str]:
    """Return an adapter's environment.

    Args:
        environment: What is inherited, less what `without_ci` removes, every `*_proxy` in any case,
            JAVA_TOOL_OPTIONS (the JVM announces it on stderr, and it changes any program) and `clean`.
        clean: More names to remove: the SDK's own settings, as the contract lists them.
        extra: What the adapter's folder sets; it wins.
    """
    removed = {"JAVA_TOOL_OPTIONS", *clean}
    kept = {
        name: value
        for name, value in without_ci(environment).items()
        if name not in removed and not name.lower().endswith("_proxy")
    }
    return {**kept, **extra}


def without_ci(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what controls a job in GitHub Actions: files of commands, tokens."""
    return {
        name: value
        for name, value in environment.items()
        if name not in _CI_NAMES and not name.startswith("ACTIONS_") and _CI_FOLDER not in value
    }


def start_child(command: AdapterCommand, environment: Mapping[str, str], owner: Owner) -> ChildProcess:
    """Create the adapter's process; its owner starts it.

    Raises:
        AdapterError: The program cannot be started.
    """
    program = command.argv[0] if command.argv else ""
    if not program:
        raise _cannot_start(command, "its command is empty", "")
    if not command.cwd.is_dir():
        raise _cannot_start(command, f"its folder {str(command.cwd)!r} is missing", "")
    try:
        return ChildProcess(command.name, command.argv, owner, cwd=command.cwd, env=environment)
    except FileNotFoundError:
        fact = f"no such program: {program!r}"
        raise _cannot_start(command, fact, "install it, or the program that its #! line names") from None
    except PermissionError:
        fix = f"make it executable: chmod +x {shlex.quote(program)}"
        raise _cannot_start(command, f"{program!r} is not executable", fix) from None
    except (OSError, ValueError) as error:  # no #! line; a NUL in an argument; a '=' in a variable's name
        raise _cannot_start(command, str(error), "") from None


def _cannot_start(command: AdapterCommand, why: str, fix: str) -> BrokenAdapterError:
    fact = f"cannot be started: {why}"
    return BrokenAdapterError(Mistake(command.name, fact, found=shlex.join(command.argv), fix=fix))
