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


def selected(*patterns: str) -> dict[str, tuple[str, ...]]:
    return {each.id: each.proves for each in select(SCENARIOS, patterns)}


def refusal(*patterns: str) -> str:
    with pytest.raises(InputError) as caught:
        select(SCENARIOS, patterns)
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
    (narrowed,) = select(SCENARIOS, ["completes:returns-result"])

    assert (narrowed.id, narrowed.task, narrowed.calls) == (
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
