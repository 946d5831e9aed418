import json
from typing import Annotated, ClassVar

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import Field
from waitproof.errors import InputError
from waitproof.suite.document import Document
from waitproof.suite.model import Duration, Format, Model, build
from waitproof.suite.yaml import Json

FAST = settings(max_examples=100, deadline=None, derandomize=True)


class Wheel(Model):
    noun: ClassVar[str] = "wheel"
    inches: int
    spokes: Annotated[int, Field(ge=3, le=99)] = 36


class Bell(Model):
    noun: ClassVar[str] = "bell"


class Axle(Model):
    noun: ClassVar[str] = "axle"
    for_: str = Field(default="", alias="for")


class Bike(Model):
    noun: ClassVar[str] = "bike"
    format: Format = 1
    name: Annotated[str, Field(min_length=1, pattern="^[a-z]+$")]
    wheels: Annotated[tuple[Wheel, ...], Field(min_length=1)] = (Wheel(inches=28),)
    tags: tuple[str, ...] = ()
    bell: Bell = Bell()
    axle: Axle = Axle()
    gears: dict[str, int] = {}
    locked: bool = False
    weight: float = 9.5
    rest: Duration = 0.0


def bike(text: str) -> Bike:
    return build(Bike, Document(text, "bike.yaml"))


def bike_mistakes(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        bike(text)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_mapping_becomes_a_model() -> None:
    swift = bike("name: swift\nwheels: [{inches: 28}]\ngears: {low: 1}\nrest: 1m\n")

    assert (swift.name, swift.wheels, swift.gears, swift.rest) == (
        "swift",
        (Wheel(inches=28),),
        {"low": 1},
        60.0,
    )


def test_a_model_knows_what_its_author_wrote() -> None:
    swift = bike("name: swift\naxle: {for: rain}\n")

    assert (swift.has("axle"), swift.has("bell")) == (True, False)
    assert swift.axle.for_ == "rain"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nwheels:\n  - {inches: 28, spoks: 36}\n",
            "3:18: a wheel has no key 'spoks'\n"
            "  found:    - {inches: 28, spoks: 36}\n"
            "  expected: inches or spokes\n"
            "  fix:      did you mean 'spokes'?",
        ),
        (
            "name: a\nqqq: 1\n",
            "2:1: a bike has no key 'qqq'\n"
            "  found:    qqq: 1\n"
            "  expected: format, name, wheels, tags, bell, axle, gears, locked, weight or rest",
        ),
        (
            "name: a\nbell: {loud: true}\n",
            "2:8: a bell has no key 'loud'\n  found:    bell: {loud: true}\n  expected: no key at all",
        ),
        (
            "name: a\naxle: {for_: rain}\n",
            "2:8: an axle has no key 'for_'\n"
            "  found:    axle: {for_: rain}\n"
            "  expected: for\n"
            "  fix:      did you mean 'for'?",
        ),
        (
            "locked: true\n",
            "1:1: a bike needs the key 'name'\n  found:    locked: true\n  fix:      add 'name'",
        ),
        (
            "name: a\nwheels: [{}]\n",
            "2:10: a wheel needs the key 'inches'\n  found:    wheels: [{}]\n  fix:      add 'inches'",
        ),
        ("- 1\n", "1:1: the bike cannot be [1]\n  found:    - 1\n  expected: a mapping"),
        ("---\n", "2:1: the bike cannot be null\n  expected: a mapping"),
        (
            "name: 7\n",
            "1:1: 'name' cannot be 7\n"
            "  found:    name: 7\n"
            "  expected: text\n"
            "  fix:      put it between quotes",
        ),
        ("name: null\n", "1:1: 'name' cannot be null\n  found:    name: null\n  expected: text"),
        (
            'name: ""\n',
            '1:1: \'name\' cannot be ""\n  found:    name: ""\n  expected: text that is not empty',
        ),
        (
            "name: A\n",
            "1:1: 'name' cannot be \"A\"\n  found:    name: A\n  expected: text that matches ^[a-z]+$",
        ),
        (
            "name: a\nwheels: []\n",
            "2:1: 'wheels' cannot be []\n  found:    wheels: []\n  expected: at least one item",
        ),
        ("name: a\nwheels: {}\n", "2:1: 'wheels' cannot be {}\n  found:    wheels: {}\n  expected: a list"),
        (
            "name: a\nwheels: [3]\n",
            "2:10: the wheel cannot be 3\n  found:    wheels: [3]\n  expected: a mapping",
        ),
        (
            "name: a\ntags: [b, 3]\n",
            "2:11: an item of 'tags' cannot be 3\n"
            "  found:    tags: [b, 3]\n"
            "  expected: text\n"
            "  fix:      put it between quotes",
        ),
        ("name: a\ngears: []\n", "2:1: 'gears' cannot be []\n  found:    gears: []\n  expected: a mapping"),
        (
            "name: a\ngears: {1: 1.0}\n",
            "2:9: '1' cannot be 1.0\n  found:    gears: {1: 1.0}\n  expected: a whole number",
        ),
        (
            "name: a\nwheels: [{inches: true}]\n",
            "2:11: 'inches' cannot be true\n  found:    wheels: [{inches: true}]\n  expected: a whole number",
        ),
        (
            "name: a\nwheels: [{inches: 1, spokes: 2}]\n",
            "2:22: 'spokes' cannot be 2\n  found:    wheels: [{inches: 1, spokes: 2}]\n  expected: 3 or more",
        ),
        (
            "name: a\nwheels: [{inches: 1, spokes: 100}]\n",
            "2:22: 'spokes' cannot be 100\n"
            "  found:    wheels: [{inches: 1, spokes: 100}]\n"
            "  expected: 99 or less",
        ),
        (
            "name: a\nlocked: 1\n",
            "2:1: 'locked' cannot be 1\n  found:    locked: 1\n  expected: true or false",
        ),
        (
            "name: a\nweight: x\n",
            "2:1: 'weight' cannot be \"x\"\n  found:    weight: x\n  expected: a number",
        ),
    ],
)
def test_a_wrong_value_is_one_mistake_at_its_place(text: str, message: str) -> None:
    assert bike_mistakes(text) == [f"bike.yaml:{message}"]


@pytest.mark.parametrize("value", ["2", "0", "true", "1.0", '"1"', "null"])
def test_an_unknown_format_is_refused(value: str) -> None:
    assert bike_mistakes(f"name: a\nformat: {value}\n") == [
        f"bike.yaml:2:1: 'format' cannot be {value}\n"
        f"  found:    format: {value}\n"
        "  expected: 1\n"
        "  fix:      use the waitproof that this file was written for"
    ]


def test_a_long_value_is_cut_wherever_a_message_shows_it() -> None:
    (found,) = bike_mistakes(f"name: [{'a' * 5000}]\n")
    (key,) = bike_mistakes(f"name: a\n{'k' * 500}: 1\n")
    (rest,) = bike_mistakes(f"name: a\nrest: {'9' * 101_000}s\n")

    assert found.splitlines()[0] == f"bike.yaml:1:1: 'name' cannot be [\"{'a' * 98}…"
    assert key.splitlines()[0] == f"bike.yaml:2:1: a bike has no key '{'k' * 181}…"
    assert rest.splitlines()[0] == f"bike.yaml:2:1: {'9' * 100}… is too long"


def test_a_model_full_of_mistakes_reports_a_hundred() -> None:
    found = bike_mistakes(f"name: a\ntags: [{'1, ' * 10_000}1]\n")

    assert found[99].startswith("bike.yaml:2:305: an item of 'tags' cannot be 1")
    assert found[100:] == ["bike.yaml: reading stopped after 100 mistakes\n  fix:      fix these first"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("200ms", 0.2), ("5s", 5.0), ("10m", 600.0), ("0s", 0.0), ("1.5s", 1.5), ("0.5m", 30.0),
        ("600s", 600.0), ("0.1ms", 0.0001), ("007s", 7.0),
    ],
)  # fmt: skip
def test_a_duration_is_a_number_with_a_unit(text: str, seconds: float) -> None:
    assert bike(f"name: a\nrest: {text}\n").rest == seconds


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("5", "5"), ("1.5", "1.5"), ("null", "null"), ("true", "true"), ("[1s]", '["1s"]'), ("5 s", '"5 s"'),
        ("1w", '"1w"'), (".5s", '".5s"'), ("5.s", '"5.s"'), ("1e3s", '"1e3s"'),
        ("s", '"s"'),
        ("١s", '"١s"'), ("5S", '"5S"'), ('"5s\\n"', '"5s\\n"'),
    ],
)  # fmt: skip
def test_what_is_no_duration_is_reported(value: str, shown: str) -> None:
    assert bike_mistakes(f"name: a\nrest: {value}\n") == [
        f"bike.yaml:2:1: {shown} is not a duration\n"
        f"  found:    rest: {value}\n"
        "  expected: a number with its unit, such as 200ms, 5s or 10m"
    ]


@pytest.mark.parametrize("value", ["601s", "11m", "600001ms", "10.001m", "1h", "30d"])
def test_a_duration_over_ten_minutes_is_too_long(value: str) -> None:
    assert bike_mistakes(f"name: a\nrest: {value}\n") == [
        f"bike.yaml:2:1: {value} is too long\n  found:    rest: {value}\n  expected: 10m or less"
    ]


def test_a_duration_of_less_than_nothing_is_reported() -> None:
    assert bike_mistakes("name: a\nrest: -1s\n") == [
        "bike.yaml:2:1: -1s is negative\n  found:    rest: -1s\n  expected: a duration of 0 or more"
    ]


@FAST
@given(st.integers(0, 600_000_000))
def test_a_duration_is_written_as_it_can_be_read(microseconds: int) -> None:
    once = bike(f"name: a\nrest: {microseconds / 1e6:.6f}s\n")

    again = build(Bike, Document(once.model_dump_json(include={"name", "rest"}), "x"))

    assert again.rest == once.rest


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@FAST
@given(_JSON)
def test_a_payload_comes_out_of_a_model_as_it_stands_in_the_file(payload: Json) -> None:
    class Parcel(Model):
        payload: Json

    text = json.dumps({"payload": payload}, ensure_ascii=False)
    try:
        document = Document(text, "x")
        document.check()
    except InputError:  # JSON may write what YAML forbids, such as U+007F
        assume(False)

    kept = build(Parcel, document).payload

    assert json.dumps(kept) == json.dumps(payload)
