import pytest
from waitproof.errors import InputError
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.scenario import Scenario
from waitproof.suite.selection import select


def scenario(name: str, *proves: str) -> Scenario:
    text = f"summary: It.\nproves: [{', '.join(proves)}]\ntask: [{{status: done}}]\ncalls: [{{wait: {{}}}}]\n"
    return parse_scenario(Document(text, name), name)


SCENARIOS = (
    scenario("defaults/polls-every-second", "default-interval", "no-poll-after"),
    scenario("outcomes/completes", "returns-result", "no-poll-after"),
    scenario("outcomes/fails", "raises-task"),
)


def selected(*patterns: str, exclude: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    chosen = select(SCENARIOS, patterns, exclude)
    return {each.id: each.proves for each in chosen}


def refusal(*patterns: str, exclude: tuple[str, ...] = ()) -> str:
    with pytest.raises(InputError) as caught:
        select(SCENARIOS, patterns, exclude)
    return str(caught.value)


def test_without_a_pattern_everything_is_selected_as_it_is() -> None:
    assert select(SCENARIOS, []) == SCENARIOS


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["outcomes/fails"], {"outcomes/fails": ("raises-task",)}),
        (["complet"], {"outcomes/completes": ("returns-result", "no-poll-after")}),
        (
            ["outcomes/*"],
            {"outcomes/completes": ("returns-result", "no-poll-after"), "outcomes/fails": ("raises-task",)},
        ),
        (["outcomes/[cd]*"], {"outcomes/completes": ("returns-result", "no-poll-after")}),
        (
            ["no-poll-after"],
            {"defaults/polls-every-second": ("no-poll-after",), "outcomes/completes": ("no-poll-after",)},
        ),
        (["outcomes/completes:no-poll-after"], {"outcomes/completes": ("no-poll-after",)}),
        (
            ["*:no-*"],
            {"defaults/polls-every-second": ("no-poll-after",), "outcomes/completes": ("no-poll-after",)},
        ),
        (["defaults*:default-interval"], {"defaults/polls-every-second": ("default-interval",)}),
        (
            ["raises-task", "completes:no-poll", "completes:returns"],
            {"outcomes/completes": ("returns-result", "no-poll-after"), "outcomes/fails": ("raises-task",)},
        ),
    ],
)
def test_a_pattern_is_a_part_of_or_a_glob_for_a_scenario_or_its_requirement(
    patterns: list[str], expected: dict[str, tuple[str, ...]]
) -> None:
    assert selected(*patterns) == expected


def test_a_narrowed_scenario_stays_itself_and_the_original_stays_whole() -> None:
    (one,) = select(SCENARIOS, ["completes:returns-result"])

    assert (one.id, one.task, one.calls) == (
        "outcomes/completes",
        SCENARIOS[1].task,
        SCENARIOS[1].calls,
    )
    assert SCENARIOS[1].proves == ("returns-result", "no-poll-after")


def test_the_order_is_the_suites_whatever_the_patterns_are() -> None:
    assert list(selected("fails", "completes", "polls-every")) == [each.id for each in SCENARIOS]


def test_a_pattern_that_means_nothing_is_reported_with_the_nearest_name() -> None:
    assert refusal("fails", "return-result") == (
        "-k: no scenario and no requirement matches 'return-result'\n"
        "  fix:      did you mean 'returns-result'?"
    )
    assert refusal("outcomes/complets") == (
        "-k: no scenario and no requirement matches 'outcomes/complets'\n"
        "  fix:      did you mean 'outcomes/completes'?"
    )
    assert refusal("zzz*") == (
        "-k: no scenario and no requirement matches 'zzz*'\n  fix:      'waitproof list' shows all scenarios"
    )


def test_a_part_begins_where_a_word_begins() -> None:
    chosen = select([scenario("defaults/a", "r"), scenario("faults/b", "r")], ["faults"])

    assert [each.id for each in chosen] == ["faults/b"]


ALL = {each.id: each.proves for each in SCENARIOS}
COMPLETES = {"outcomes/completes": ("returns-result", "no-poll-after")}
FAILS = {"outcomes/fails": ("raises-task",)}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("completes or fails", COMPLETES | FAILS),
        ("outcomes and not fails", COMPLETES),
        ("not (completes or fails)", {"defaults/polls-every-second": ALL["defaults/polls-every-second"]}),
        ("not not fails", FAILS),
        ("fails or completes and no-poll-after", FAILS | {"outcomes/completes": ("no-poll-after",)}),
        ("(fails or completes) and no-poll-after", {"outcomes/completes": ("no-poll-after",)}),
        (
            "not no-poll-after",
            {**FAILS, "outcomes/completes": ("returns-result",)}
            | {"defaults/polls-every-second": ("default-interval",)},
        ),
        ("outcomes/* and not *:no-poll-after", FAILS | {"outcomes/completes": ("returns-result",)}),
        ("OUTCOMES and Fails", FAILS),
    ],
)
def test_an_expression_means_what_it_means_to_pytest(
    expression: str, expected: dict[str, tuple[str, ...]]
) -> None:
    assert selected(expression) == expected


def test_several_expressions_add_up_and_exclusions_win() -> None:
    assert selected("completes", "fails") == COMPLETES | FAILS
    assert selected("outcomes", exclude=("fails",)) == COMPLETES
    assert selected(exclude=("defaults", "completes and no-poll-after")) == FAILS | {
        "outcomes/completes": ("returns-result",)
    }


@pytest.mark.parametrize(
    ("expression", "fact", "expected"),
    [
        ("", "something is missing at the end", "a pattern, 'not' or '('"),
        ("fails and", "something is missing at the end", "a pattern, 'not' or '('"),
        ("fails completes", "'completes' is in the wrong place", "'and', 'or' or the end"),
        ("(fails", "something is missing at the end", "')'"),
        ("fails)", "')' is in the wrong place", "'and', 'or' or the end"),
        ("not", "something is missing at the end", "a pattern, 'not' or '('"),
        ("and", "'and' is in the wrong place", "a pattern, 'not' or '('"),
    ],
)
def test_an_expression_that_cannot_be_read_says_what_was_expected(
    expression: str, fact: str, expected: str
) -> None:
    found = f"\n  found:    {expression}" if expression else ""
    assert refusal(expression) == f"-k: {fact}{found}\n  expected: {expected}"


def test_an_expression_can_be_nested_to_any_depth_that_a_person_writes() -> None:
    assert selected("(" * 40 + "fails" + ")" * 40) == FAILS
    assert refusal("not " * 5000 + "fails").startswith("-k: the expression is nested too deeply\n")


def test_each_pattern_of_an_expression_must_match_something() -> None:
    assert refusal("not faills and complets", exclude=("outcoms",)) == (
        "-k: no scenario and no requirement matches 'faills'\n  fix:      did you mean 'fails'?\n\n"
        "-k: no scenario and no requirement matches 'complets'\n  fix:      did you mean 'completes'?\n\n"
        "--exclude: no scenario and no requirement matches 'outcoms'\n  fix:      did you mean 'outcomes'?"
    )


def test_a_selection_of_nothing_is_a_mistake() -> None:
    assert refusal("fails and completes") == (
        "-k: no scenario and no requirement matches 'fails and completes'\n"
        "  fix:      'waitproof list' shows all scenarios"
    )
    assert refusal("fails", exclude=("outcomes",)) == (
        "--exclude: everything that 'fails' selects is excluded by 'outcomes'"
    )
