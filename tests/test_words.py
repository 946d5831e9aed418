"""Words that our texts no longer use: each had to be read twice, so none of them may come back."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("harness", "docs", "README.md", "scenarios", "adapters")

REPLACEMENTS = {  # pattern: what to write
    r"\bmend(s|ed|ing)?\b": "fix",
    r"\banew\b": "again",
    r"\bfor ever\b": "forever",
    r"(?<!there\s)\bis no (suite|task|scenario|adapter|object)\b": "is not a …",
    r"\bholds no more\b": "is stale, is no longer true",
    r"\bplayed again\b": "re-run in isolation",
    r"\bat the most\b": "at most",
    r"\b(lays|laid) down\b": "creates, created",
    r"\bwhoever\b": "name the person: the caller, the author",
    r"\bruns alone\b": "isolated re-runs, runs in isolation",
}
SPACE = (
    r"(?:[ ]|[ ]*\n[ \t]*(?:(?:#|//|\*)[ ]*)?)"  # between two words: a comment may continue in the next line
)

ALLOWED = {  # file: lines with one of these words that are right
    "harness/waitproof/report/file.py": ("OLDER_SCHEMAS = (1,)  # `fix` was called `mend`",),
    "harness/waitproof/report/model.py": ('AliasChoices("fix", "mend")',),
}


def words_to_avoid(text: str) -> list[tuple[int, str, str]]:
    """Return the line, the words and what to write instead, for each place where a text has some.

    Words are also found across the end of a line, and what the documentation says (`quote:`) is left alone.
    """
    text = re.sub(r"^ *quote: .*$", "", text, flags=re.MULTILINE)
    found = []
    for pattern, instead in REPLACEMENTS.items():
        found += [
            (text.count("\n", 0, match.start()) + 1, " ".join(match[0].split()), instead)
            for match in re.finditer(pattern.replace(" ", SPACE), text, re.IGNORECASE)
        ]
    return sorted(found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("To mend it, start anew.", ["anew", "mend"]),
        ("a\nbody that is no\n  # task", ["is no # task"]),
        ("There is no task with this id, and the amendment is played against it.", []),
        ("  quote: It lasts for ever.", []),
        ("It lasts for ever.", ["for ever"]),
    ],
)
def test_words_to_avoid_are_found(text: str, words: list[str]) -> None:
    assert [found for _, found, _ in words_to_avoid(text)] == words


def test_no_text_uses_a_word_that_had_to_be_read_twice() -> None:
    command = ["git", "ls-files", "-z", "--", *FOLDERS]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("this is not a checkout")

    places = []
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():  # deleted, and not yet committed
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.splitlines()
        for line, words, instead in words_to_avoid(text):
            if not any(allowed in lines[line - 1] for allowed in ALLOWED.get(name, ())):
                places.append(f"{name}:{line}: '{words}'; write: {instead}")

    assert places == [], "\n".join(["", *places])
