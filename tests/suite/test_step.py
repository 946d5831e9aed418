"""What may be written in a step about how its answers travel, and what is refused."""

import pytest
from waitproof.errors import InputError
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract
from waitproof.suite.step import Step

FILE = """
summary: A sentence.
proves: [completed-returns-result]
task:
  - {step}
calls:
  - wait: {{}}
"""


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract(bundled_suite() / CONTRACT)


def step(written: str, contract: Contract) -> Step:
    document = Document(FILE.format(step=written).lstrip(), "s.yaml")
    return parse_scenario(document, "s", contract).task[0]


def refusal(written: str, contract: Contract) -> list[str]:
    with pytest.raises(InputError) as caught:
        step(written, contract)
    (mistake,) = caught.value.mistakes
    return str(mistake).splitlines()[:1] + str(mistake).splitlines()[2:]


def test_a_step_says_how_its_answers_travel(contract: Contract) -> None:
    written = step("{status: x, headers: {ETag: '\"1\"'}, encoding: gzip, chunked: true}", contract)

    assert (written.headers, written.encoding, written.chunked) == ({"ETag": '"1"'}, "gzip", True)
    assert written.is_plain is False
    assert step("{status: x}", contract).is_plain is True


@pytest.mark.parametrize(
    ("written", "first", "more"),
    [
        (
            "{fault: {http: 503}, encoding: gzip}",
            "s.yaml:4:5: a fault has no 'encoding'",
            ["  fix:      put it under the step that has a status"],
        ),
        (
            "{fault: {drop: reset}, chunked: true}",
            "s.yaml:4:5: a fault has no 'chunked'",
            ["  fix:      put it under the step that has a status"],
        ),
        (
            "{fault: {http: 503}, headers: {Retry-After: '1'}}",
            "s.yaml:4:5: a step with a fault has no 'headers'",
            ["  fix:      put them under 'fault'"],
        ),
        (
            "{status: x, encoding: zstd}",
            "s.yaml:4:17: 'encoding' cannot be \"zstd\"",
            ["  expected: 'gzip'"],
        ),
        (
            "{status: x, headers: {Transfer-Encoding: chunked}}",
            "s.yaml:4:17: 'Transfer-Encoding' is the server's own header",
            ["  fix:      write 'chunked: true' in its place"],
        ),
        (
            "{fault: {http: 503, headers: {content-length: '3'}}}",
            "s.yaml:4:25: 'content-length' is the server's own header",
            ["  fix:      remove it"],
        ),
        (
            '{fault: {http: 503, headers: {X-A: "1\\r\\nX-B: 2"}}}',
            "s.yaml:4:25: 'X-A' cannot be \"1\\r\\nX-B: 2\"",
            ["  expected: text without line ends"],
        ),
        (
            "{status: x, headers: {'X A': b}}",
            's.yaml:4:17: "X A" is not a header\'s name',
            ["  expected: letters, digits and hyphens"],
        ),
        (
            "{status: x, headers: {Age: 1}}",
            "s.yaml:4:27: 'Age' cannot be 1",
            ["  expected: text", "  fix:      put it between quotes"],
        ),
        (
            "{status: x, headers: {Date: '${date:soon}'}}",
            "s.yaml:4:17: ${date:soon} is not a time from now",
            ["  fix:      write ${date:2s}, in whole seconds"],
        ),
        (
            "{status: x, result: '${date:2s}'}",
            "s.yaml:4:17: ${date:2s} is not a placeholder",
            ["  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}"],
        ),
        (
            "{status: x, headers: {Date: '${now}'}}",
            "s.yaml:4:17: ${now} is not a placeholder",
            ["  fix:      use ${n}, ${task_id}, ${token}, ${text:2MiB} or ${date:2s}"],
        ),
    ],
)
def test_what_no_server_sends_is_refused(
    written: str, first: str, more: list[str], contract: Contract
) -> None:
    assert refusal(written, contract) == [first, *more]


@pytest.mark.parametrize(
    ("written", "redirects"),
    [
        ("{fault: {http: 302, headers: {location: /}}}", True),
        ("{fault: {http: 308, headers: {Location: /}}}", True),
        ("{fault: {http: 302}}", False),
        ("{fault: {http: 304, headers: {Location: /}}}", False),
        ("{fault: {drop: reset}}", False),
        ("{status: x, headers: {Location: /}}", False),
    ],
)
def test_only_a_redirect_with_a_place_leads_on(written: str, *, redirects: bool, contract: Contract) -> None:
    assert step(written, contract).redirects is redirects
