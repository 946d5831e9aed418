"""How an answer travels: compressed only where its client allows it, unchanged only where it asks."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import pytest
from waitproof.suite.contract import Contract
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract
from waitproof.suite.sending import Response
from waitproof.suite.step import Step
from waitproof.suite.task import respond

VALUES: Mapping[str, Any] = {"task_id": "t", "token": "t-1", "n": 1}


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract(bundled_suite() / CONTRACT)


def answered(contract: Contract, request: Mapping[str, str], **step: Any) -> Response:
    """Return what a completed step with these keys answers to a request with these headers."""
    written = Step.model_validate_json(json.dumps({"status": "completed", "result": "Zürich", **step}))
    return respond(contract, written, VALUES, now_ns=0, request=request)


def plain(contract: Contract) -> Response:
    return answered(contract, {})


@pytest.mark.parametrize(
    "accepted",
    ["gzip", "deflate, gzip", "br;q=1.0, GZIP ; q=0.5, *;q=0", "*", "identity, *;q=0.1", "gzip;q=0.001"],
)
def test_a_client_that_accepts_gzip_gets_it(accepted: str, contract: Contract) -> None:
    response = answered(contract, {"accept-encoding": accepted}, encoding="gzip")

    assert response.headers == {
        "Content-Type": "application/json",
        "Vary": "Accept-Encoding",
        "Content-Encoding": "gzip",
    }
    assert gzip.decompress(response.body) == plain(contract).body


@pytest.mark.parametrize(
    "accepted", [None, "", "identity", "br, deflate", "gzip;q=0", "gzip; q=0.0, *", "*;q=0", "xgzip"]
)
def test_a_client_that_does_not_accept_gzip_gets_plain_text(accepted: str | None, contract: Contract) -> None:
    request = {} if accepted is None else {"accept-encoding": accepted}

    response = answered(contract, request, encoding="gzip")

    assert response.headers == {"Content-Type": "application/json", "Vary": "Accept-Encoding"}
    assert response.body == plain(contract).body


def test_chunks_are_the_body_and_end_inside_characters(contract: Contract) -> None:
    response = answered(contract, {}, chunked=True, result="🚢" * 20)

    assert b"".join(response.pieces) == response.body
    assert {len(piece) for piece in response.pieces[:-1]} == {7}
    broken = [piece for piece in response.pieces if "�" in piece.decode("utf-8", "replace")]
    assert len(broken) > 10


def test_a_compressed_answer_is_cut_after_it_was_compressed(contract: Contract) -> None:
    response = answered(contract, {"accept-encoding": "gzip"}, encoding="gzip", chunked=True)

    assert gzip.decompress(b"".join(response.pieces)) == plain(contract).body


@pytest.mark.parametrize("named", ['"1"', 'W/"0", "1"'])
def test_a_client_that_names_the_version_it_has_gets_no_body(named: str, contract: Contract) -> None:
    response = answered(contract, {"if-none-match": named}, headers={"ETag": '"1"'})

    assert (response.http, response.body) == (304, b"")
    assert response.headers["ETag"] == '"1"'


@pytest.mark.parametrize("request_headers", [{}, {"if-none-match": '"0"'}])
def test_a_client_without_the_version_gets_the_answer(
    request_headers: dict[str, str], contract: Contract
) -> None:
    response = answered(contract, request_headers, headers={"ETag": '"1"'})

    assert (response.http, response.body) == (200, plain(contract).body)


def test_a_steps_headers_replace_the_contracts_whatever_their_case(contract: Contract) -> None:
    response = answered(contract, {}, headers={"content-type": "text/plain", "X-Task": "${task_id}"})

    assert response.headers == {"content-type": "text/plain", "X-Task": "t"}


def test_a_date_in_a_header_counts_from_the_time_of_the_answer(contract: Contract) -> None:
    step = Step.model_validate_json('{"fault": {"http": 429, "headers": {"Retry-After": "${date:2s}"}}}')

    response = respond(contract, step, VALUES, now_ns=1_700_000_000_900_000_000)

    assert response.headers["Retry-After"] == "Tue, 14 Nov 2023 22:13:22 GMT"
