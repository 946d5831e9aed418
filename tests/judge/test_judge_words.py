"""How findings put things."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.journal import Ended
from waitproof.judge.observation import NoAnswer, Poll, Seen, StillWaiting
from waitproof.judge.words import (
    MAX_SHOWN,
    MISSING,
    cut,
    describe,
    difference,
    differs_at,
    json_equal,
    seconds,
    shown,
    timeline_line,
)
from waitproof.protocol import AdapterFault, ExceptionKind, Given, Raised, Returned, Unsupported
from waitproof.text import plural

LONG = "x" * (1024 * 1024)
SURROGATE = "half \ud800 a pair"

texts = st.text(st.sampled_from('aA0.{"\\\ud800\x1b\né'), max_size=4)
numbers = st.integers() | st.floats(allow_nan=False) | st.sampled_from([0, 1, 2, 0.0, 1.0, 2.0, -0.0])
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (2, 2.0, True),
        (True, 1, False),
        (False, 0, False),
        (1, True, False),
        (True, True, True),
        (None, False, False),
        (None, 0, False),
        (None, "", False),
        (None, MISSING, False),
        (MISSING, MISSING, True),
        ("2", 2, False),
        ([], {}, False),
        ([1, 2], [2, 1], False),
        ([1, 2], [1, 2, 3], False),
        ({"a": 1, "b": 2}, {"b": 2.0, "a": 1.0}, True),
        ({"a": None}, {}, False),
        ({"a": [True]}, {"a": [1]}, False),
        ("caf\u00e9", "cafe\u0301", False),
        (2**53 + 1, float(2**53), False),
        (10**400, 1e308, False),
        (-0.0, 0, True),
    ],
)
def test_values_are_compared_exactly_as_json(left: Any, right: Any, equal: bool) -> None:
    assert (json_equal(left, right), json_equal(right, left)) == (equal, equal)


@given(json_values)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_a_value_equals_what_json_makes_of_it(value: Any) -> None:
    assert json_equal(value, value)
    assert json_equal(value, json.loads(json.dumps(value)))


@given(json_values, json_values)
@settings(derandomize=True, max_examples=100, deadline=None)
def test_equality_is_symmetric_and_a_difference_is_one(left: Any, right: Any) -> None:
    assert json_equal(left, right) == json_equal(right, left)
    if not json_equal(left, right):
        _, of_left, of_right = differs_at(left, right)
        assert not json_equal(of_left, of_right)
    assert isinstance(difference(left, right), str)


@pytest.mark.parametrize(
    ("expected", "seen", "found"),
    [
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, ("a.b.1", 2, 3)),
        ({"a": 1}, {}, ("a", 1, MISSING)),
        ({}, {"a": None}, ("a", MISSING, None)),
        ({"a": [1]}, {"a": [1, 2]}, ("a", [1], [1, 2])),
        ({"a.b": 1, "a": {"b": 2}}, {"a.b": 5, "a": {"b": 2}}, ('["a.b"]', 1, 5)),
        ({"x": {"": 1}}, {"x": {"": 2}}, ('x[""]', 1, 2)),
        ([{"a": 0}], [{"a": False}], ("0.a", 0, False)),
        (1, [1], ("", 1, [1])),
    ],
)
def test_the_first_difference_has_a_path_and_both_values(expected: Any, seen: Any, found: Any) -> None:
    assert differs_at(expected, seen) == found


def test_a_difference_is_told_with_both_values() -> None:
    assert (
        difference({"a": {"b": 1}}, {"a": {}}) == "the first difference is at a.b: expected 1, seen nothing"
    )


def test_a_difference_of_whole_short_values_needs_no_sentence() -> None:
    assert difference("v1", "v2") == ""
    assert difference(None, MISSING) == ""


def test_two_long_texts_are_shown_where_they_differ() -> None:
    told = difference({"text": "a" * 500 + "bc"}, {"text": "a" * 500 + "d"})

    assert told == 'the first difference is at character 501 of text: expected "bc", seen "d"'


def test_two_texts_that_are_too_long_as_json_are_shown_where_they_differ() -> None:
    lines = "\n" * 100  # each is two characters of JSON
    context = r"\n" * 39

    assert shown(lines + "b" + lines).endswith("(403 characters)")
    assert difference(lines + "b" + lines, lines + "a" + lines) == (
        f'the first difference is at character 101: expected "b{context}", seen "a{context}"'
    )


def test_two_texts_that_are_shown_whole_need_no_sentence() -> None:
    assert difference("a" * 297 + "b", "a" * 298) == ""
    assert difference("a" * 298 + "b", "a" * 299) != ""


def test_a_long_text_beside_a_short_one_is_shown_where_they_differ() -> None:
    assert difference("a" * 500, "aa") == (
        f'the first difference is at character 3: expected "{"a" * 40}", seen ""'
    )


def test_a_long_text_that_was_cut_off_differs_at_its_end() -> None:
    assert difference("a" * 500 + "z" * 99, "a" * 500) == (
        f'the first difference is at character 501: expected "{"z" * 40}", seen ""'
    )


def test_a_value_is_shown_as_json() -> None:
    assert shown({"é": [None, True, 1.5, "a\nb"]}) == '{"é": [null, true, 1.5, "a\\nb"]}'
    assert shown(MISSING) == "nothing"


def test_a_long_value_is_cut_in_the_middle() -> None:
    told = shown("a" * 1000 + "z" * 1000)

    assert told == f'"{"a" * 149} … {"z" * 74}" (2002 characters)'


def test_a_text_of_300_characters_is_whole_and_one_of_301_is_cut() -> None:
    assert cut("x" * 300) == "x" * 300
    assert cut("x" * 301) == f"{'x' * 150} … {'x' * 75} (301 characters)"


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (Returned(Given.RESULT, result={"a": 1}), 'returned {"a": 1}'),
        (Returned(Given.RESULT, result=None), "returned null"),
        (Returned(Given.TASK, task={"status": "x"}), 'returned the task {"status": "x"}'),
        (Returned(Given.TASK_ID, task_id=7), "returned the task id 7"),
        (
            Returned(Given.UNENCODABLE, unencodable="NaN at a"),
            "returned a value that JSON cannot carry: NaN at a",
        ),
        (Raised(ExceptionKind.API, "ApiError", "no", {}), 'raised ApiError (kind api): "no"'),
        (Raised(ExceptionKind.OTHER, "KeyError", None, {}), "raised KeyError (kind other)"),
        (Unsupported("no timeout"), "is not supported: no timeout"),
        (StillWaiting(12.7), "was still waiting after 12.70 s, long past its deadline"),
        (StillWaiting(3.1, ("a/b",)), "was given up after 3.10 s: it hung like the calls in a/b"),
        (
            StillWaiting(3.1, ("a", "b", "c")),
            "was given up after 3.10 s: it hung like the calls in a, b and c",
        ),
        (AdapterFault("broke"), "got no answer from the adapter: broke"),
        (NoAnswer("died"), "got no answer from the adapter: died"),
    ],
)
def test_what_became_of_a_call_is_a_clause(seen: Seen, told: str) -> None:
    assert describe(seen) == told


@pytest.mark.parametrize("text", [LONG, SURROGATE, "\x1b[31m\x00\u202e"])
def test_no_text_of_an_adapter_is_too_long_or_too_strange(text: str) -> None:
    for seen in (
        Returned(Given.RESULT, result={text: [text]}),
        Returned(Given.TASK, task=text),
        Returned(Given.TASK_ID, task_id=text),
        Returned(Given.UNENCODABLE, unencodable=text),
        Raised(ExceptionKind.OTHER, text, text, {text: text}),
        Unsupported(text),
        AdapterFault(text),
        NoAnswer(text),
    ):
        assert len(describe(seen)) < 3 * MAX_SHOWN
    assert len(difference({"a": text, text: 1}, {"a": text + "!", text: 2})) < 3 * MAX_SHOWN


@pytest.mark.parametrize(
    ("value_s", "told"),
    [
        (0.0, "0 ms"),
        (0.0456, "46 ms"),
        (0.09849, "98 ms"),
        (0.09851, "99 ms"),
        (0.1, "0.10 s"),
        (61.0, "61.00 s"),
    ],
)
def test_a_time_has_the_precision_of_its_size(value_s: float, told: str) -> None:
    assert seconds(value_s) == told


def test_one_poll_is_one_and_all_other_numbers_are_plural() -> None:
    assert [plural(count, "poll") for count in (0, 1, 2)] == ["0 polls", "1 poll", "2 polls"]


def test_a_timeline_tells_arrivals_answers_and_what_is_special_about_them() -> None:
    polls = [
        Poll(1, 5.0, 5.001, "running"),
        Poll(2, 5.2, 5.2, "drop:reset", ended=Ended.DROPPED),
        Poll(2, 5.21, 5.21, "drop:reset", ended=Ended.DROPPED, repeat=True),
        Poll(3, 5.4, 5.9, "503"),
        Poll(4, 6.0, 6.1, "running", ended=Ended.ABANDONED),
        Poll(5, 6.5, None, "running"),
        Poll(0, 6.6, 6.6, method="DELETE"),
        Poll(6, 7.0, 7.0625, "running"),
        Poll(7, 8.0, 8.03125, "running"),
    ]

    assert timeline_line(polls) == (
        "0.00 running   0.20 drop:reset   0.21 drop:reset (repeated)   0.40 503 after 0.50   "
        "1.00 running (abandoned) after 0.10   1.50 running (in flight)   1.60 DELETE   "
        "2.00 running after 0.06   3.00 running   "
        "(seconds since the first arrival)"
    )


@pytest.mark.parametrize(("took_s", "told"), [(0.049, ""), (0.05, " after 0.05"), (1.0, " after 1.00")])
def test_a_timeline_tells_how_long_an_answer_took_from_50_ms_on(took_s: float, told: str) -> None:
    line = timeline_line([Poll(1, 0.0, took_s, "running")])

    assert line == f"0.00 running{told}   (seconds since the first arrival)"


def test_a_long_timeline_shows_its_ends_and_counts_what_it_leaves_out() -> None:
    line = timeline_line([Poll(n, float(n), n + 0.001, "running") for n in range(1, 62)])

    assert line == (
        "0.00 running   1.00 running   2.00 running   3.00 running   4.00 running   5.00 running   "
        "… 50 more …   56.00 running   57.00 running   58.00 running   59.00 running   60.00 running   "
        "(seconds since the first arrival)"
    )


def test_a_timeline_of_twelve_polls_is_whole() -> None:
    assert "more" not in timeline_line([Poll(n, float(n), n + 0.001, "running") for n in range(1, 13)])


def test_a_timeline_of_nothing_says_so() -> None:
    assert timeline_line([]) == "no poll arrived"


@pytest.mark.parametrize(
    ("called_s", "line"),
    [
        (None, "0.00 running   1.00 completed   (seconds since the first arrival)"),
        (1.01, "0.00 running   1.00 completed   (seconds since the first arrival)"),
        (0.2, "0.00 called   1.00 running   2.00 completed   (seconds since the call)"),
    ],
)
def test_a_timeline_begins_with_the_call_where_the_first_poll_was_a_while_in_coming(
    called_s: float | None, line: str
) -> None:
    polls = [Poll(1, 1.2, 1.2, "running"), Poll(2, 2.2, 2.2, "completed")]

    assert timeline_line(polls, called_s) == line
