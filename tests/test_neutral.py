"""The package has no vendor's words in it: what one API calls things is in its suite's contract.

`tests/live/test_made_up_api.py` runs every command on a made-up API that shares no word with the bundled one.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
POTTERY = ROOT / "tests" / "suites" / "pottery"
STREAM = ROOT / "scenarios" / "stream"

WORDS = re.compile(
    r"\bStream\b|\b[Gg]et[Ss]tream|Stream-Auth|STREAM_|/api/v2|\bapi_key\b|\bcids?\b|\bchannels?\b|\buser_ids?\b"
    r"|\bhard_delete\b|\b(?:delete|export)_(?:channels|users)\b|\bstacktrace\b|scenarios/stream"
    r"|[\"'`]stream[\"'`]|[\"'`](?:completed|pending|running|failed|waiting)[\"'`]"
    r"|status: (?:completed|pending|running|failed|waiting)\b"
)

# Lines with one of these words that are right, by file, and why. "*" is any file of that folder.
ALLOWED = {
    # The adapter protocol's own member: whatever an API's credentials are called, an adapter gets these two.
    "harness/waitproof/protocol/write.py": ["api_key"],
    "harness/waitproof/adapter/process.py": ["api_key"],
    "harness/waitproof/defects/wire.py": ["api_key"],
    "harness/waitproof/run/doctor.py": ["api_key"],
    "harness/waitproof/run/*": ["api_key"],
    "adapters/kits/*": [
        "api_key",
        r"API\[['\"]failed['\"]\]|(get|IsOneOf)\(\"failed\"|json:\"failed\"",  # a member of api.json
        r"(private|internal) (static )?.*Stream |Stream (in|out)put|Session\(.*Stream",  # System.IO.Stream
    ],
    # The suite that commands use where none is named.
    "harness/waitproof/suite/folders.py": ["DEFAULT_SUITE = ", "such as scenarios/stream"],
    # The API that `new suite` makes up, to be replaced.
    "harness/waitproof/suite/first/*": ["status: running"],
    # Our own words for what becomes of a process, a run, a child, a task that a person steers.
    "harness/waitproof/adapter/api.py": ['"failed": '],
    "harness/waitproof/mock/*": ['"event": "failed"', 'event == "failed"'],
    "harness/waitproof/report/progress.py": ['{"", "running"}'],
    "harness/waitproof/run/session.py": [r'_phase\("running"\)'],
    "harness/waitproof/run/player.py": ["`pending` None"],
    "harness/waitproof/simulate/clock.py": ['"waiting"'],
    "harness/waitproof/serve/page/actions.js": ["done: "],
    "harness/waitproof/serve/page/timeline.js": ['done: "completed"', '"failed"'],
}


def lines_with_words(name: str, text: str) -> list[str]:
    """Return the lines of a file that have one of the vendor's words and no reason for it."""
    allowed = [
        pattern
        for files, patterns in ALLOWED.items()
        if files == name or (files.endswith("*") and name.startswith(files[:-1]))
        for pattern in patterns
    ]
    return [
        f"{name}:{number}: {line.strip()}"
        for number, line in enumerate(text.splitlines(), 1)
        if WORDS.search(line) and not any(re.search(pattern, line) for pattern in allowed)
    ]


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('if task["status"] == "completed":', True),
        ("  - {status: completed, result: {channels: 2}}", True),
        ('target = f"/api/v2/tasks/{task_id}"', True),
        ("too: a cid, a user id or the header names it", True),
        ("a completed task has no result", False),
        ("a stream of bytes", False),
    ],
)
def test_the_vendors_words_are_found(line: str, is_found: bool) -> None:
    assert bool(lines_with_words("x.py", line)) is is_found


def test_the_package_and_the_kits_have_none_of_the_vendors_words() -> None:
    command = ["git", "ls-files", "-z", "--", "harness", "adapters/kits"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a checkout")

    found = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.is_file() and path.name != "api.json":  # which is written from the bundled suite's contract
            found += lines_with_words(name, path.read_text(encoding="utf-8", errors="replace"))

    assert found == []


def test_every_reason_for_a_vendors_word_is_still_needed() -> None:
    for files, patterns in ALLOWED.items():
        folder, _, _ = files.partition("*")
        paths = [ROOT / files] if folder == files else [p for p in (ROOT / folder).rglob("*") if p.is_file()]
        lines = [
            line
            for path in paths
            if path.name != "api.json" and path.suffix not in {".pyc", ".class"}
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()
            if WORDS.search(line)
        ]
        unneeded = [each for each in patterns if not any(re.search(each, line) for line in lines)]
        assert unneeded == [], f"{files}: no line needs {unneeded}"


def test_the_third_vendor_shares_no_word_with_the_bundled_suite() -> None:
    ours, theirs = (_words(folder / "contract.yaml") for folder in (POTTERY, STREAM))

    assert ours & theirs == set()


def _words(contract: Path) -> set[str]:
    """Return the words of an API: its statuses, fields, operations, credentials and parts of paths."""
    written = yaml.safe_load(contract.read_text(encoding="utf-8"))
    parts = [
        list(written["statuses"]),
        list(written["exception_fields"]),
        written["answer"]["body"],
        written["error"],
        written["http_error"]["body"],
        written["operations"],
        written["credentials"],
        written["endpoint"]["path"],
        written["timeout"]["fields"],
    ]
    words = set(re.findall(r"[A-Za-z]{3,}", re.sub(r"\$?\{[a-z_]+\}", " ", json.dumps(parts)).lower()))
    return words - OUR_KEYS


OUR_KEYS = {  # of a contract, and what HTTP and JSON call things
    *("method", "path", "token", "arguments", "status", "body", "headers", "query", "secret", "jwt"),
    *("post", "put", "delete", "get", "true", "false", "null"),
}
