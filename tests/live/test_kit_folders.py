"""The folder of each kit is an adapter that works: `waitproof new adapter` copies it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from kit_process import started_folder

JAVA = ["Adapter.java", "TaskClient.java", "kit/waitproof/Kit.java"]


@pytest.mark.parametrize(
    ("folder", "build", "command", "helper"),
    [
        ("python", [], [sys.executable, "adapter.py"], "Client.wait_for_task"),
        ("go", ["go", "build", "-o", "{out}/adapter", "."], ["{out}/adapter"], "Client.WaitForTask"),
        (
            "java",
            ["javac", "--release", "17", "-encoding", "UTF-8", "-Xlint:all", "-Werror", "-d", "{out}", *JAVA],
            ["java", "-cp", "{out}", "Adapter"],
            "TaskClient.waitForTask",
        ),
        ("node", [], ["node", "adapter.mjs"], "TaskClient.waitForTask"),
        ("php", [], ["php", "adapter.php"], r"TaskClient\Client::waitForTask"),
        ("ruby", [], ["ruby", "adapter.rb"], "TaskClient::Client#wait_for_task"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_folder_to_copy_is_an_adapter_that_works(
    folder: str, build: list[str], command: list[str], helper: str, tmp_path: Path
) -> None:
    programs = [words[0] for words in (build, command) if words]
    missing = [name for name in programs if "{out}" not in name and shutil.which(name) is None]
    if missing:
        pytest.skip(f"not on PATH: {', '.join(missing)}")
    build, command = ([word.replace("{out}", str(tmp_path)) for word in words] for words in (build, command))

    with started_folder(folder, build, command) as adapter:
        hello = adapter.greet(base_url="http://127.0.0.1:2")  # a port on which nothing listens
        exception = adapter.ask(op="wait", task_id="x")["exception"]

        assert hello["helper"] == helper
        assert exception["kind"] == "transport"
        assert exception["fields"] == {"error_type": "connection"}
        assert adapter.end() == 0
