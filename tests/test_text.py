import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitproof.text import escape, mask, plural, shorten


@pytest.mark.parametrize(("count", "text"), [(0, "0 polls"), (1, "1 poll"), (2, "2 polls")])
def test_only_one_thing_is_singular(count: int, text: str) -> None:
    assert plural(count, "poll") == text


def test_every_secret_in_a_text_is_masked_the_first_ones_first() -> None:
    assert mask("key abcd, abc and abcd", ["abcd", "abc"]) == "key ***, *** and ***"


@pytest.mark.parametrize(("text", "shown"), [("", ""), ("abc", "abc"), ("abcd", "abc…")])
def test_a_long_text_ends_after_so_many_characters(text: str, shown: str) -> None:
    assert shorten(text, 3) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("é😀 two\nlines", "é😀 two\nlines"),
        ("a\tb", "a   b"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\r\0\x7f", "\\r\\x00\\x7f"),
        ("half \ud800", "half \\ud800"),
        ("\u202eright to left", "\\u202eright to left"),
        ("\ue000", "\\ue000"),
        ("Ωmega 漢字 …\n", "Ωmega 漢字 …\n"),
        ("\x1b\r\x9b\u200b\ud800", r"\x1b\r\x9b\u200b\ud800"),
        ("\tfrom x:1", "    from x:1"),
    ],
)
def test_what_a_terminal_would_act_on_is_written_out(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_an_escaped_text_can_be_encoded_and_stays_the_same_when_escaped_again(text: str) -> None:
    once = escape(text)

    assert once.encode().decode() == once
    assert escape(once) == once
