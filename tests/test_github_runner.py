"""The tests' own reading of what GitHub's runner reads: see `github_runner`."""

from __future__ import annotations

import pytest
from github_runner import Command, FileCommandError, commands_in, pairs_in, paths_in


def test_a_file_holds_values_of_one_line_and_of_several() -> None:
    text = "a=1\n\nb<<END\nx\n\ny=2\nEND\nc<<E\nE\nd=<<\na=3"

    assert list(pairs_in(text)) == [("a", "1"), ("b", "x\n\ny=2"), ("c", ""), ("d", "<<"), ("a", "3")]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a", "Invalid format 'a'"),
        ("<<E\nE\n", "Invalid format '<<E'. Name must not be empty and delimiter must not be empty"),
        ("a<<\n", "Invalid format 'a<<'. Name must not be empty and delimiter must not be empty"),
        ("a<<E\nb=1\n", "Invalid value. Matching delimiter not found 'E'"),
        ("a<<E\nb=1", "Invalid value. EOF marker missing new line."),
    ],
)
def test_what_is_before_a_mistake_counts(text: str, error: str) -> None:
    pairs = pairs_in(f"first=1\n{text}")

    assert next(pairs) == ("first", "1")
    with pytest.raises(FileCommandError) as caught:
        next(pairs)
    assert str(caught.value) == error


def test_every_line_of_a_path_file_is_a_folder() -> None:
    assert paths_in("/a\r\n\n/b/c") == ["/a", "/b/c"]


def test_a_command_is_at_the_start_of_a_line_or_in_brackets_anywhere() -> None:
    log = "a ::error::no\n  ::error file=x::yes\rx ##[add-mask]y\n::nosuch::z\n::group\n::endgroup::"

    assert commands_in(log) == [
        Command("error", "yes", "  ::error file=x::yes"),
        Command("add-mask", "y", "x ##[add-mask]y"),
        Command("endgroup", "", "::endgroup::"),
    ]


def test_commands_are_off_until_their_own_token_comes() -> None:
    log = "::stop-commands::T\n::error::1\n::stop-commands::U\n::U::\n::error::2\n::T::\n::error::3"

    assert [each.data for each in commands_in(log)] == ["3"]
