from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_reports import hand_made
from waitproof.cli import main
from waitproof.errors import InputError
from waitproof.judge import Status
from waitproof.report.diff import Diff, Kind, compare, markdown_lines, plain_lines
from waitproof.report.model import AdapterEntry, DeathEntry, Report, SdkEntry, VerdictEntry
from waitproof.run import ExitCode
from waitproof.suite.contract import Level


def verdict(name: str, status: Status, seen: str = "", excused: str = "") -> VerdictEntry:
    scenario, _, requirement = name.rpartition(":")
    return VerdictEntry(
        scenario=scenario,
        requirement=requirement,
        level=Level.MUST,
        status=status,
        seen=seen,
        excused=excused,
    )


def adapter(name: str, *verdicts: VerdictEntry, version: str = "", error: str = "") -> AdapterEntry:
    sdk = SdkEntry(name="getstream", version=version, language="", runtime="") if version else None
    return AdapterEntry(name=name, sdk=sdk, error=error, verdicts=verdicts)


def report(
    *verdicts: VerdictEntry,
    name: str = "sdk",
    version: str = "1.0",
    suite: str = "stream",
    whole: bool | None = True,
    interrupted: bool = False,
) -> Report:
    return of(adapter(name, *verdicts, version=version), suite=suite, whole=whole, interrupted=interrupted)


def of(
    *adapters: AdapterEntry, suite: str = "stream", whole: bool | None = True, interrupted: bool = False
) -> Report:
    return Report(
        waitproof="0",
        suite=suite,
        started="2026-11-24T10:00:00+00:00",
        seconds=1.0,
        interrupted=interrupted,
        whole=whole,
        exit_code=ExitCode.KEPT,
        requirements=(),
        adapters=adapters,
    )


def change(was: VerdictEntry, now: VerdictEntry) -> list[tuple[Kind, str, str]]:
    (diff,) = compare(report(was), report(now)).adapters
    return [(each.kind, each.old, each.new) for each in diff.changes]


def printed(diff: Diff) -> str:
    return "\n".join(plain_lines(diff))


# --- what a change is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("was", [Status.PASS, Status.INFO])
@pytest.mark.parametrize("now", [Status.FAIL, Status.WARN, Status.ERROR, Status.UNSUPPORTED])
def test_what_passed_and_fails_now_is_a_regression_unless_excused(was: Status, now: Status) -> None:
    diff = compare(report(verdict("a:r", was)), report(verdict("a:r", now)))
    excused = compare(report(verdict("a:r", was)), report(verdict("a:r", now, excused="known")))

    assert diff.has_regression
    assert [each.kind for each in diff.adapters[0].changes] == [Kind.REGRESSION]
    assert not excused.has_regression
    assert [each.kind for each in excused.adapters[0].changes] == [Kind.EXCUSED]
    assert excused.adapters[0].excused == (0, 1)


@pytest.mark.parametrize("was", [Status.FAIL, Status.WARN, Status.ERROR, Status.UNSUPPORTED])
def test_what_failed_and_passes_now_is_fixed_excused_or_not(was: Status) -> None:
    assert change(verdict("a:r", was), verdict("a:r", Status.PASS)) == [(Kind.FIXED, was.value, "PASS")]
    assert change(verdict("a:r", was, excused="x"), verdict("a:r", Status.PASS)) == [
        (Kind.FIXED, f"{was.value} (excused)", "PASS")
    ]


@pytest.mark.parametrize("other", sorted(set(Status) - {Status.INCONCLUSIVE}))
def test_inconclusive_is_neither_better_nor_worse(other: Status) -> None:
    unsure = verdict("a:r", Status.INCONCLUSIVE)

    assert [kind for kind, _, _ in change(verdict("a:r", other), unsure)] == [Kind.UNSURE]
    assert [kind for kind, _, _ in change(unsure, verdict("a:r", other))] == [Kind.UNSURE]
    assert not compare(report(unsure), report(verdict("a:r", other))).has_regression


def test_a_change_of_the_baseline_alone_is_neither() -> None:
    excused, bare = verdict("a:r", Status.FAIL, excused="x"), verdict("a:r", Status.FAIL)

    assert change(excused, bare) == [(Kind.OTHER, "FAIL (excused)", "FAIL")]
    assert change(bare, excused) == [(Kind.OTHER, "FAIL", "FAIL (excused)")]
    assert change(bare, verdict("a:r", Status.ERROR)) == [(Kind.OTHER, "FAIL", "ERROR")]


def test_a_behaviour_on_record_changes_with_its_words_and_not_with_its_numbers() -> None:
    was = verdict("a:r", Status.INFO, "at once: 0.01 s after the call")

    assert change(was, verdict("a:r", Status.INFO, "at once: 0.02 s after the call")) == []
    assert change(was, verdict("a:r", Status.INFO, "after an interval: 1.00 s after the call")) == [
        (Kind.RECORDED, "at once", "after an interval")
    ]


def test_new_and_missing_verdicts_are_listed_only_if_both_runs_were_whole() -> None:
    one, two = verdict("a:r", Status.PASS), verdict("b:r", Status.FAIL)

    assert [each.kind for each in compare(report(one), report(one, two)).adapters[0].changes] == [Kind.ADDED]
    assert [each.kind for each in compare(report(one, two), report(one)).adapters[0].changes] == [
        Kind.REMOVED
    ]
    assert compare(report(one, whole=False), report(one, two)).adapters[0].changes == ()
    assert compare(report(one, two), report(one, interrupted=True)).adapters[0].changes == ()
    assert not compare(report(one), report(one, two)).has_regression


# --- whose --------------------------------------------------------------------------------------------


def test_adapters_are_matched_by_name_and_two_alone_whatever_they_are_called() -> None:
    a, b, c = (adapter(name, version="1") for name in "abc")

    diff = compare(of(a, b), of(b, c))

    assert ([each.name for each in diff.adapters], diff.only_old, diff.only_new) == (["b"], ("a",), ("c",))
    assert [each.name for each in compare(report(name="old"), report(name="new")).adapters] == ["new"]


def test_two_alone_of_different_names_are_compared_and_the_difference_says_so() -> None:
    diff = compare(report(name="sdk-main"), report(name="sdk-branch"))

    assert list(plain_lines(diff))[1] == "  compared with sdk-main, the only adapter of the older run"
    assert "Compared with sdk-main, the only adapter of the older run." in list(markdown_lines(diff))
    assert "compared" not in "\n".join(plain_lines(compare(report(), report())))


def test_adapters_of_one_name_are_matched_by_their_folders() -> None:
    def run(*named: tuple[str, str, Status]) -> Report:
        entries = [adapter(name, verdict("a:r", status), version="1") for name, _, status in named]
        arguments = [argument for _, argument, _ in named]
        return of(*(replace(each, argument=typed) for each, typed in zip(entries, arguments, strict=True)))

    good, bad = ("a", Status.PASS), ("b", Status.FAIL)
    both = run(("sdk", *good), ("sdk#2", *bad))

    assert not compare(both, run(("sdk", *bad), ("sdk#2", *good))).has_regression
    assert compare(both, run(("sdk", "a", Status.FAIL), ("sdk#2", *bad))).has_regression
    alone = compare(both, run(("sdk", *bad)))
    assert ([each.changes for each in alone.adapters], alone.only_old) == ([()], ("sdk",))
    twice = run(("sdk", *good), ("sdk#2", "a", Status.FAIL))
    assert not compare(twice, twice).has_regression


def test_reports_that_cannot_be_compared_are_wrong_use() -> None:
    a, b, c = (adapter(name) for name in "abc")

    with pytest.raises(InputError, match="no adapter is in both reports"):
        compare(of(a, b), of(c))
    with pytest.raises(InputError, match="the reports are of two suites, 'stream' and 'mini'"):
        compare(report(), report(suite="mini"))


def test_an_adapter_that_can_no_longer_be_run_is_one_regression() -> None:
    dead = adapter("sdk", verdict("a:r", Status.ERROR), error="sdk: exited with code 3")

    diff = compare(report(verdict("a:r", Status.PASS)), of(dead))

    assert diff.has_regression
    assert printed(diff) == (
        "sdk: getstream 1.0 -> an unknown SDK\n"
        "  could not be run: sdk: exited with code 3\n"
        "1 regression, 0 fixed"
    )


def test_a_process_that_dies_now_and_did_not_before_is_one_regression() -> None:
    death = DeathEntry(how="was killed by SIGSEGV", in_flight=True, scenarios=("a",))
    passing = adapter("sdk", verdict("a:r", Status.PASS), version="1.0")
    dying = replace(passing, deaths=(death,))

    diff = compare(of(passing), of(dying))

    assert diff.has_regression
    assert printed(diff) == (
        "sdk: getstream 1.0 -> getstream 1.0\n"
        "  a process was killed by SIGSEGV during a\n"
        "1 regression, 0 fixed"
    )
    assert not compare(of(dying), of(dying)).has_regression


# --- how it is shown ----------------------------------------------------------------------------------


def many() -> Diff:
    was = [verdict(f"faults/{n}:surfaces", Status.PASS) for n in range(40)]
    now = [verdict(f"faults/{n}:surfaces", Status.FAIL, f"it *hung* {n}") for n in range(40)]
    return compare(
        report(*was, verdict("a/b:late", Status.WARN, excused="x"), verdict("a/b:gone", Status.PASS)),
        report(*now, verdict("a/b:late", Status.PASS), version="1.1"),
    )


def test_forty_scenarios_of_one_cause_are_one_line() -> None:
    assert printed(many()) == (
        "sdk: getstream 1.0 -> getstream 1.1\n"
        "  regressions:\n"
        "    PASS -> FAIL surfaces (MUST) in 40 scenarios (faults/0, faults/1, faults/2 and 37 more)"
        ": it *hung* 0\n"
        "  fixed:\n"
        "    WARN (excused) -> PASS late (MUST) in a/b\n"
        "  no longer judged:\n"
        "    PASS gone (MUST) in a/b\n"
        "  excused: 1 -> 0\n"
        "1 regression, 1 fixed"
    )


def test_release_notes_are_markdown_in_which_an_sdks_words_stay_text() -> None:
    assert "\n".join(markdown_lines(many())) == (
        "### sdk: getstream 1.0 → getstream 1.1\n"
        "\n"
        "**Regressions**\n"
        "\n"
        "- `surfaces` (MUST): PASS → FAIL in 40 scenarios (`faults/0`, `faults/1`, `faults/2` and 37 more): "
        "it &#42;hung&#42; 0\n"
        "\n"
        "**Fixed**\n"
        "\n"
        "- `late` (MUST): WARN (excused) → PASS in `a/b`\n"
        "\n"
        "**No longer judged**\n"
        "\n"
        "- `gone` (MUST): PASS in `a/b`\n"
        "\n"
        "Excused: 1 → 0\n"
        "\n"
        "1 regression, 1 fixed"
    )


def test_equal_runs_show_that_nothing_changed() -> None:
    one = report(verdict("a:r", Status.PASS))

    assert printed(compare(one, one)).splitlines()[1:] == ["  nothing changed", "0 regressions, 0 fixed"]


# --- the command --------------------------------------------------------------------------------------


def test_the_command_exits_with_1_on_a_regression_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = (
        hand_made(tmp_path / f"{status}.json", ("a:r", status, "\x1b[1m")) for status in ("PASS", "FAIL")
    )

    assert main(["diff", str(good), str(bad)]) == 1
    assert main(["diff", str(good), str(bad), "--markdown"]) == 1
    assert main(["diff", str(bad), str(good)]) == 0
    assert main(["diff", str(good), str(good)]) == 0
    assert main(["diff", str(good), str(tmp_path / "none.json")]) == 2
    assert main(["diff", str(good), str(hand_made(tmp_path / "blank.json", (" :r", "PASS", "")))]) == 2

    output = capsys.readouterr()
    assert "    PASS -> FAIL r (MUST) in a: \\x1b[1m\n" in output.out
    assert f"{tmp_path / 'blank.json'}: adapters.0.verdicts.0.scenario: string should match" in output.err
