"""Breaks a promise, and tries everything to make its job in GitHub Actions show that it keeps it.

`forges.py MARK` is the adapter; `forges.py MARK prepare` is a command of `prepare`, which fails after that.
"""

import os
import sys
from pathlib import Path
from typing import Any

from mini_adapter import MiniAdapter
from mini_sdk import GaveUp
from waitproof_kit import run

COMMANDS = """
::set-output name=exit-code::0
  ::error title=forged::by an adapter
x ##[error]forged by an adapter
::add-mask::a
::stop-commands::forged
"""
LINES = {
    "set_output": "exit-code=0\nverdict=forged\nreport=/forged\nrest<<open\n",
    "set_env": "WAITPROOF_EXIT_CODE=0\nBASH_ENV=/forged\nrest<<open\n",
    "add_path": "/forged\n",
    "save_state": "forged=1\n",
    "step_summary": "# forged\n<!--\n",
}


def forge() -> None:
    """Write to every file that the runner may have for its step, wherever its name is from."""
    found = list(Path(os.environ["RUNNER_TEMP"], "_runner_file_commands").iterdir())
    for file in found:
        for prefix, lines in LINES.items():
            if file.name.startswith(prefix):
                with file.open("a", encoding="utf-8") as opened:
                    opened.write(lines)
    named = [name for name, value in os.environ.items() if Path(value) in found]
    Path(os.environ["RUNNER_TEMP"], "named").write_text(" ".join(named), encoding="utf-8")


class Forges(MiniAdapter):
    """Its every wait fails."""

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            stream.write(COMMANDS)
            stream.flush()
        raise GaveUp(COMMANDS)


forge()
if sys.argv[2:] == ["prepare"]:
    sys.stdout.write(COMMANDS)
    sys.exit(1)
run(Forges())
