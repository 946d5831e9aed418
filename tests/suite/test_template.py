import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.suite.template import at_path, check, fill, placeholders
from waitproof.suite.yaml import Json

VALUES: dict[str, Json] = {"task_id": 7, "token": "t-1", "n": 3, "result": {"a": [1, None]}}
MANY = ["${text:8MiB}"] * 40_000  # 320 GB, if somebody made it


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("${task_id}", 7),
        ("${result}", {"a": [1, None]}),
        ("task ${task_id} of ${token}", "task 7 of t-1"),
        (" ${task_id}", " 7"),
        (["${n}", {"${token}": {"deep": "${n}${n}"}}], [3, {"t-1": {"deep": "33"}}]),
        ({"${n}": 1}, {"3": 1}),
        (("${n}",), [3]),
        ("${text:3B}", "000"),
        ("${text:20B}!", "0000000 0000001 0000!"),
        ("$n {n} ${ n } ${N} $${n}", "$n {n} ${ n } ${N} $3"),
        (None, None),
        (True, True),
        (1.5, 1.5),
    ],
)
def test_a_whole_placeholder_keeps_its_type_and_one_in_text_is_written_out(
    template: Json, filled: Json
) -> None:
    assert fill(template, VALUES) == filled


@pytest.mark.parametrize(
    ("size", "length"), [("1B", 1), ("10KiB", 10_240), ("2MiB", 2_097_152), ("8MiB", 8_388_608)]
)
def test_a_text_has_its_size_in_bytes(size: str, length: int) -> None:
    text = fill(f"${{text:{size}}}", {})

    assert (len(text), text.isascii()) == (length, True)


def test_no_two_stretches_of_a_text_are_alike() -> None:
    text = fill("${text:64KiB}", {})

    assert len({text[at : at + 8] for at in range(0, len(text), 8)}) == len(text) / 8


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "${tokn}",
            "${tokn} is not a placeholder: use ${n}, ${result}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            "${text}",
            "${text} is not a placeholder: use ${n}, ${result}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        ("${n:1}", "${n:1} is not a placeholder: use ${n}, ${result}, ${task_id}, ${token} or ${text:2MiB}"),
        ({"${x}": 1}, "${x} is not a placeholder: use ${n}, ${result}, ${task_id}, ${token} or ${text:2MiB}"),
        ("${text:0B}", "${text:0B} is not a size: write ${text:10KiB}, 8MiB at most"),
        ("${text:9MiB}", "${text:9MiB} is not a size: write ${text:10KiB}, 8MiB at most"),
        ("${text:1GiB}", "${text:1GiB} is not a size: write ${text:10KiB}, 8MiB at most"),
        ("${text:1.5MiB}", "${text:1.5MiB} is not a size: write ${text:10KiB}, 8MiB at most"),
        ("${text:}", "${text:} is not a size: write ${text:10KiB}, 8MiB at most"),
        (["${text:٣B}"], "${text:٣B} is not a size: write ${text:10KiB}, 8MiB at most"),
        (
            f"${{text:{'9' * 5000}B}}",
            f"${{text:{'9' * 5000}B}} is not a size: write ${{text:10KiB}}, 8MiB at most",
        ),
    ],
)
def test_what_cannot_be_filled_is_refused_with_the_fix(template: Json, message: str) -> None:
    with pytest.raises(ValueError, match=r"\$") as filled:
        fill(template, VALUES)
    with pytest.raises(ValueError, match=r"\$") as checked:
        check(template, VALUES)

    assert (str(filled.value), str(checked.value)) == (message, message)


def test_checking_makes_no_text_and_adds_the_sizes_up() -> None:
    check(["${text:4MiB}", {"a": "${text:4MiB}"}], ())
    with pytest.raises(ValueError, match="8MiB at most") as caught:
        check(MANY, ())

    assert str(caught.value) == "texts of 335,544,320,000 bytes in one place: 8MiB at most"


def test_placeholders_are_named_anywhere() -> None:
    assert list(placeholders({"${n}": ["${token} ${text:1B}", 7, None]})) == ["n", "token", "text"]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", {"cids": ["a", {"b": None}], "0": "zero"}),
        ("cids.0", "a"),
        ("cids.1.b", None),
        ("0", "zero"),
        ("cids.2", None),
        ("cids.-1", None),
        ("cids.b", None),
        ("cids.0.b", None),
        ("missing.deeper", None),
        ("cids.²", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_nothing(path: str, found: Json) -> None:
    assert at_path({"cids": ["a", {"b": None}], "0": "zero"}, path) == found


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("${}ab:", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_JSON)
def test_filling_leaves_alone_what_has_no_placeholder(value: Json) -> None:
    known = dict.fromkeys(placeholders(value), "")

    assert known or fill(value, {}) == value
