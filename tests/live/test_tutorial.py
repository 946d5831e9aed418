"""The tutorial is run to the letter: its files are written, its commands run, their output compared."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
# Where the output is no terminal, a line each; a terminal shows them in place.
PROGRESS = r"^(acme: (starting|warming up|running|done|outcomes/\S+: .*)|stream: looking for causes)\n"


def shown(output: str) -> list[str]:
    """Return the lines of an output without what differs from run to run and from machine to machine."""
    output = re.sub(PROGRESS, "", output, flags=re.MULTILINE)
    output = re.sub(r"\d+\.\d+ s$", "N s", output, flags=re.MULTILINE)
    output = re.sub(r"of \d+ scenarios", "of N scenarios", output)
    return [line.rstrip() for line in re.sub(r"CPython [\w.+]+", "CPython", output).strip().splitlines()]


def test_the_tutorial_does_what_it_shows(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "waitproof"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m waitproof "$@"\n')
    program.chmod(0o755)
    repo = tmp_path / "acme"
    repo.mkdir()
    environment = {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    codes = []

    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        first, _, rest = text.partition("\n")
        if language == "console":
            command = first.removeprefix("$ ")
            ended = subprocess.run(
                ["sh", "-c", command],
                cwd=repo,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            codes.append((command.split()[1], ended.returncode))
            assert shown(ended.stdout) == shown(rest), ended.stderr
        elif language == "diff":
            removed, added = (re.findall(rf"^\{sign} (.*)\n", text, re.MULTILINE)[-1] for sign in "-+")
            file = repo / first.removeprefix("--- ")
            code = file.read_text()
            assert code.count(removed) == 1
            file.write_text(code.replace(removed, added))
        else:
            file = repo / first.removeprefix("# ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    assert codes == [("init", 0), ("run", 1), ("doctor", 0), ("run", 0)]
