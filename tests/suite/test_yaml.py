import json
import math
import time

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from waitproof.errors import InputError
from waitproof.suite import yaml as source
from waitproof.suite.document import read
from waitproof.suite.yaml import Node

FAST = settings(max_examples=100, deadline=None, derandomize=True)
KIB = 1024


def mistakes(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(text, "bike.yaml")
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_document_becomes_the_values_that_json_has() -> None:
    text = """
    text: plain, "quoted" and 'quoted'
    numbers: [0, -7, +5, 1.5, 1e3, -0.25E-2, 9007199254740993]
    nothing: [null, ~, ]
    truths: [true, False, TRUE]
    quoted: ["no", '1:30', "010", "2024-01-01", "null", "1"]
    block: |
      010
    {1: one, true: yes it is}: never
    """.replace("    {1: one, true: yes it is}: never\n", "    keys: {1: one, true: yes it is}\n")

    assert read(text, "x").plain() == {
        "text": "plain, \"quoted\" and 'quoted'",
        "numbers": [0, -7, 5, 1.5, 1000.0, -0.0025, 9007199254740993],
        "nothing": [None, None],
        "truths": [True, False, True],
        "quoted": ["no", "1:30", "010", "2024-01-01", "null", "1"],
        "block": "010\n",
        "keys": {"1": "one", "true": "yes it is"},
    }


def test_every_value_and_key_knows_its_place() -> None:
    root = read("a: 1\nb:\n  - {c: 2}\n", "x")

    assert root.find(("b", 0, "c"))[1] == (3, 6)
    assert root.find(("b", 0))[1] == (3, 5)
    assert root.find(("b", 0, "missing", "deeper"))[1] == (3, 5)
    assert root.find(("b", 9))[1] == (2, 1)
    assert root.find(())[1] == (1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1\n", "1:4: an anchor (&x)\n  found:    a: &x 1\n  expected: a value without a name"),
        ("a: *x\n", "1:4: an alias (*x)\n  found:    a: *x\n  expected: the value itself, written out"),
        ("&k a: 1\n", "1:1: an anchor (&k)\n  found:    &k a: 1\n  expected: a value without a name"),
        (
            "a: !!python/object/apply:os.system [x]\n",
            "1:4: a tag (tag:yaml.org,2002:python/object/apply:os.system)\n"
            "  found:    a: !!python/object/apply:os.system [x]\n"
            "  expected: a plain value",
        ),
        (
            "a: !!str 1\n",
            "1:4: a tag (tag:yaml.org,2002:str)\n  found:    a: !!str 1\n  expected: a plain value",
        ),
        ("a: ! '1'\n", "1:4: a tag (!)\n  found:    a: ! '1'\n  expected: a plain value"),
        (
            "a: 1\nb: 2\na: 3\n",
            "3:1: key 'a' appears twice\n  found:    a: 3\n  fix:      line 1 has the first",
        ),
        ("? [a, b]\n: 1\n", "1:3: a key that is not text\n  found:    ? [a, b]\n  expected: a name"),
        (
            "a: 1\n---\nb: 2\n",
            "2:1: a second document starts here\n  found:    ---\n  expected: one document per file",
        ),
        ("", "1:1: the file is empty"),
        ("# only a comment\n", "1:1: the file is empty\n  found:    # only a comment"),
        (
            "a:\n\tb: 1\n",
            "2:1: this is not YAML: found character that cannot start any token\n"
            "  found:    b: 1\n"
            "  fix:      indent with spaces, and quote text that starts with a special character",
        ),
        (
            'a: {b: "${n}", c: {d: ${task_id}}}\n',
            "1:24: this is not YAML: did not find expected ',' or '}'\n"
            '  found:    a: {b: "${n}", c: {d: ${task_id}}}\n'
            '  fix:      quote a placeholder within {…} and […]: "${task_id}"',
        ),
        (
            "a: [${text:2MiB}, 1]\n",
            "1:6: this is not YAML: did not find expected ',' or ']'\n"
            "  found:    a: [${text:2MiB}, 1]\n"
            '  fix:      quote a placeholder within {…} and […]: "${text:2MiB}"',
        ),
        ("a: [1, 2\n", "2:1: this is not YAML: did not find expected ',' or ']'"),
        (
            "a: b: c\n",
            "1:5: this is not YAML: mapping values are not allowed in this context\n"
            "  found:    a: b: c\n"
            "  fix:      quote text that contains ': ', and check the indentation of this line",
        ),
        (
            'a: "x\0y"\n',
            "1:6: the character U+0000 cannot appear here as it is\n"
            '  found:    a: "x\ufffdy"\n'
            '  fix:      write "\\u0000" between double quotes',
        ),
        (
            'a: "x\u2028y"\n',
            "1:6: the character U+2028 cannot appear here as it is\n"
            '  found:    a: "x\ufffdy"\n'
            '  fix:      write "\\u2028" between double quotes',
        ),
        ("a: 1\nb: \ud800\n", "2:4: the character U+D800 cannot appear here as it is\n  found:    b: \ufffd"),
        (
            'a: "\\ud800"\n',
            '1:7: this is not YAML: found invalid Unicode character escape code\n  found:    a: "\\ud800"',
        ),
        (
            f"a: {'9' * 5000}\n",
            f"1:4: a number of 5000 digits\n  found:    a: {'9' * 97}…\n  expected: 100 or fewer",
        ),
        (
            "a: 1e400\n",
            "1:4: the number 1e400 is too large\n"
            "  found:    a: 1e400\n"
            '  fix:      quote it if it is text: "1e400"',
        ),
        (
            "[" * 100_000,
            f"1:66: nested more than 64 levels deep\n  found:    {'[' * 100}…\n  fix:      flatten the value",
        ),
        (
            "{a: " * 100_000,
            f"1:258: nested more than 64 levels deep\n"
            f"  found:    {'{a: ' * 25}…\n"
            "  fix:      flatten the value",
        ),
    ],
)
def test_what_would_surprise_an_author_is_refused_at_its_place(text: str, message: str) -> None:
    assert mistakes(text) == [f"bike.yaml:{message}"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "some YAML readers take it for true or false"),
        ("Off", "some YAML readers take it for true or false"),
        ("y", "some YAML readers take it for true or false"),
        ("1:30", "some YAML readers take it for base 60"),
        ("-190:20:30.5", "some YAML readers take it for base 60"),
        ("010", "some YAML readers take it for an octal number"),
        ("-08", "some YAML readers take it for an octal number"),
        ("0x1F", "it may be text or a number in another base"),
        ("0o17", "it may be text or a number in another base"),
        ("0b1", "it may be text or a number in another base"),
        ("1_000", "some YAML readers take it for a number"),
        ("685_230.15", "some YAML readers take it for a number"),
        ("1_", "some YAML readers take it for a number"),
        ("01.5", "some YAML readers take it for a number"),
        (".5", "some YAML readers take it for a number"),
        ("5.", "some YAML readers take it for a number"),
        ("2024-01-01", "some YAML readers take it for a date"),
        ("2001-12-14t21:59:43.10-05:00", "some YAML readers take it for a date"),
        (".nan", "JSON has no such number"),
        ("-.INF", "JSON has no such number"),
        ("=", "it has a special meaning in YAML"),
    ],
)
def test_an_ambiguous_scalar_must_be_quoted(text: str, why: str) -> None:
    assert mistakes(f"a: {text}\n") == [
        f"bike.yaml:1:4: '{text}' is ambiguous: {why}\n"
        f"  found:    a: {text}\n"
        f'  fix:      quote it if it is text: "{text}"'
    ]
    assert read(f'a: "{text}"\n', "x").plain() == {"a": text}


def test_a_key_is_held_to_the_same_rules_as_a_value() -> None:
    assert mistakes("no: 1\n")[0].startswith("bike.yaml:1:1: 'no' is ambiguous")
    assert mistakes("a: {<<: {b: 1}}\n")[0].startswith("bike.yaml:1:5: '<<' is ambiguous")


@settings(FAST, max_examples=200)
@given(st.text("0123456789_.:+-eExXoOnNaAfFtTyYsSlLiIuUrR~<= ", min_size=1, max_size=8))
def test_no_plain_scalar_is_read_otherwise_than_pyyaml_reads_it(text: str) -> None:
    try:
        known = yaml.safe_load(f"[{text}]")
        ours = read(f"[{text}]", "x").plain()
    except (yaml.YAMLError, ValueError, InputError):
        assume(False)  # refusing is always right
    assume(len(ours) == 1 and not isinstance(ours[0], dict | list))  # "0: " is no scalar

    assert ours == known or (text.strip()[-1:].isdigit() and math.isclose(float(text), ours[0]))


def test_all_mistakes_of_a_file_are_reported_at_once_and_in_order() -> None:
    assert [message.splitlines()[0] for message in mistakes("a: no\nb: &x 1\na: *x\nc: 010\n")] == [
        "bike.yaml:1:4: 'no' is ambiguous: some YAML readers take it for true or false",
        "bike.yaml:2:4: an anchor (&x)",
        "bike.yaml:3:1: key 'a' appears twice",
        "bike.yaml:3:4: an alias (*x)",
        "bike.yaml:4:4: '010' is ambiguous: some YAML readers take it for an octal number",
    ]


def test_an_alias_bomb_is_refused_without_being_expanded() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )

    began = time.perf_counter()
    found = mistakes(bomb)

    assert time.perf_counter() - began < 1  # expanded, it has 9 ** 29 values
    assert found[0].startswith("bike.yaml:1:5: an anchor (&a0)")
    assert found[-1] == "bike.yaml: reading stopped after 100 mistakes\n  fix:      fix these first"


@pytest.mark.parametrize("line", ["*a,", "no,", "&a 1,"])
def test_a_file_full_of_mistakes_costs_no_more_than_its_size(line: str) -> None:
    text = f"a:\n    [{line * (400 * KIB // len(line))}1]\n"

    began = time.perf_counter()
    found = mistakes(text)

    assert time.perf_counter() - began < 1
    assert len(found) == 101


def test_64_levels_are_deep_enough_and_65_are_not() -> None:
    assert isinstance(read("[" * 65 + "]" * 65, "x"), Node)
    assert mistakes("[" * 66 + "]" * 66)[0].startswith("bike.yaml:1:66: nested more than 64 levels deep")


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read("\ufeffa: 1\n", "x").plain() == {"a": 1}
    assert mistakes("\ufeffa: no\n")[0].splitlines()[:2] == [
        "bike.yaml:1:4: 'no' is ambiguous: some YAML readers take it for true or false",
        "  found:    a: no",
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(end: str) -> None:
    assert mistakes(f"a: 1{end}b: no{end}")[0].splitlines()[:2] == [
        "bike.yaml:2:4: 'no' is ambiguous: some YAML readers take it for true or false",
        "  found:    b: no",
    ]


@pytest.mark.parametrize(
    "text",
    ["a: no\n", "a: ! '1'\n", "[" * 70, 'a: "\\ud800"\n', "b: *x\n", "a: !!str 1\n", "\ufeffa: 1e999\n"],
)
def test_the_slow_parser_refuses_what_the_fast_one_refuses(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = mistakes(text)
    monkeypatch.setattr(source, "_Loader", yaml.SafeLoader)

    slow = mistakes(text)

    assert [message.split(":")[:2] for message in slow] == [message.split(":")[:2] for message in fast]


@FAST
@given(st.text(max_size=60))
def test_any_text_is_read_or_is_an_input_error(text: str) -> None:
    try:
        node = read(text, "x.yaml")
    except InputError as error:
        places = [mistake.place for mistake in error.mistakes]
    else:
        places = []
        json.dumps(node.plain(), allow_nan=False)

    assert all(place.startswith("x.yaml:") for place in places)
