import pytest
from waitproof.errors import HarnessError
from waitproof.judge import checks as judge_checks
from waitproof.suite import checks
from waitproof.suite.checks import known_checks


def test_the_judge_registers_its_checks_in_the_order_of_their_names() -> None:
    assert list(known_checks()) == sorted(judge_checks()) != []


def test_without_the_judge_no_contract_is_taken_for_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_KNOWN", {})

    with pytest.raises(HarnessError, match=r"waitproof\.judge"):
        known_checks()
