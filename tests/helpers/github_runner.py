"""What GitHub's runner makes of a step: the files that it gives to the step, and the commands in its log.

It follows actions/runner at 258d6c8: `EnvFileKeyValuePairs` and `AddPathFileCommand` for the files,
`ActionCommand` and `ActionCommandManager` for the log. What is in a file before a mistake counts there too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FILES = ("ARTIFACTS", "ARTIFACTS_LIST", "ENV", "OUTPUT", "PATH", "STATE", "STEP_SUMMARY")
FOLDER = "_runner_file_commands"
COMMANDS = {
    *("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice"),
    *("remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning"),
}


class FileCommandError(Exception):
    """The runner cannot read a file, and fails the step."""


def pairs_in(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names and values of GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE, as far as they can be read."""
    rest = text
    while rest:
        line, _, rest = rest.partition("\n")
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
            yield name, value
        elif heredoc >= 0:
            name, _, delimiter = line.partition("<<")
            if not name or not delimiter:
                what = "Name must not be empty and delimiter must not be empty"
                raise FileCommandError(f"Invalid format '{line}'. {what}")
            lines = []
            while True:
                if not rest:
                    raise FileCommandError(f"Invalid value. Matching delimiter not found '{delimiter}'")
                each, ended, rest = rest.partition("\n")
                if each == delimiter:
                    break
                if not ended:
                    raise FileCommandError("Invalid value. EOF marker missing new line.")
                lines.append(each)
            yield name, "\n".join(lines)
        elif line:
            raise FileCommandError(f"Invalid format '{line}'")


def paths_in(text: str) -> list[str]:
    """Return the folders of GITHUB_PATH."""
    return [line for line in re.split(r"\r\n|\r|\n", text) if line]


@dataclass(frozen=True)
class Command:
    """A command in a log that the runner carries out."""

    name: str
    data: str
    line: str


def commands_in(log: str) -> list[Command]:
    """Return the commands that the runner carries out, those that stop and resume them left out."""
    found: list[Command] = []
    token = ""
    for line in re.split(r"\r\n|\r|\n", log):
        known = COMMANDS | ({token.lower()} if token else set())
        command = _new_style(line, known) or _old_style(line, known)
        if command is None:
            continue
        if token:
            token = "" if command.name.lower() == token.lower() else token
        elif command.name == "stop-commands":
            token = command.data
            assert token not in {"", "pause-logging"} | COMMANDS, f"the runner refuses the token: {line}"
        else:
            found.append(command)
    return found


def _new_style(line: str, known: set[str]) -> Command | None:
    head, separator, data = line.lstrip()[2:].partition("::")
    name = head.partition(" ")[0]
    is_one = line.lstrip().startswith("::") and separator and name.lower() in known
    return Command(name, data, line) if is_one else None


def _old_style(line: str, known: set[str]) -> Command | None:
    """Return a command as `##[name]data`, which may be anywhere in a line."""
    found = re.search(r"##\[([^]]*)\](.*)", line)
    name = found[1].partition(" ")[0] if found else ""
    return Command(name, found[2], line) if found and name.lower() in known else None
