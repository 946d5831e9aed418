"""Makes the pictures of the README: `make pictures` writes docs/pictures/terminal.svg and report.png.

Both show one real run of a part of the suite: of the Python kit's task client with one defect planted in it.
The terminal is a pseudo-terminal of 80 columns whose output rich draws; Chromium photographs the page.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from fcntl import ioctl
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs" / "pictures"
COLUMNS = 80
EDITS = {
    "adapter.py": ('"example client"', '"my-sdk"'),
    "task_client.py": (  # the exception of a failed task has the SDK's own version
        'task["fields"], task["error"])',
        '{**task["fields"], "version": "1.0.0"}, task["error"])',
    ),
}
PATIENT = """
from waitproof.run.causes import add_causes
add_causes.__kwdefaults__["limit_s"] = 120  # so that a busy machine makes the same pictures
from waitproof.__main__ import main
raise SystemExit(main())
"""
PROGRAM = (sys.executable, "-c", PATIENT)
COMMAND = ("run", "my-sdk", "-k", "fields", "--html", "report.html")
SIZE = {"width": 1280, "height": 720}


def main() -> None:
    """Run the defect, and write both pictures."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        subprocess.run([*PROGRAM, "new", "adapter", "python", "my-sdk"], cwd=folder, check=True)
        for name, (before, after) in EDITS.items():
            file = folder / "my-sdk" / name
            code = file.read_text(encoding="utf-8")
            assert before in code, f"the kit's {name} no longer has what is edited there"
            file.write_text(code.replace(before, after), encoding="utf-8")
        (PICTURES / "terminal.svg").write_text(drawn(terminal_of(folder)), encoding="utf-8")
        photograph(folder / "report.html", PICTURES / "report.png")


def terminal_of(folder: Path) -> str:
    """Return what the run leaves on a terminal, with its colors."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 50, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    with subprocess.Popen([*PROGRAM, *COMMAND], cwd=folder, env=env, stdout=theirs, stdin=theirs) as run:
        os.close(theirs)
        output = bytearray()
        while chunk := _read(ours):
            output += chunk
    assert run.returncode == 1, f"the run exited with {run.returncode}: the defect must be found"
    return output.decode()


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end is closed
        return b""


def drawn(output: str) -> str:
    """Return the last of what a terminal shows as an SVG that loads nothing."""
    text = re.split(r"\x1b\[\?25h", output.replace("\r\n", "\n"))[-1]  # progress bars hide the cursor
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), force_terminal=True)
    for line in Text.from_ansi(f"$ waitproof {shlex.join(COMMAND)}\n{text.strip()}").split(
        "\n", allow_blank=True
    ):
        for part in line.divide(range(COLUMNS, len(line), COLUMNS)):  # as a terminal folds it
            console.print(part, soft_wrap=True)
    svg = console.export_svg(title="waitproof", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def photograph(page: Path, to: Path) -> None:
    """Write what a desk's screen shows of a page."""
    with sync_playwright() as playwright:
        program = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport=SIZE, color_scheme="light")
        tab.goto(page.as_uri())
        tab.screenshot(path=to)
        browser.close()


if __name__ == "__main__":
    main()
