"""What the exceptions say and carry."""

from __future__ import annotations

import pickle

import pytest

from reference_client import (
    StreamApiException,
    StreamException,
    StreamTaskException,
    StreamTransportException,
)

ALL = [
    (StreamTaskException("t1", "E", "why", "at 1", "v1"), "task t1 failed: E: why"),
    (StreamTaskException("t1"), "task t1 failed: the server gave no reason"),
    (StreamTransportException("timeout", "too late"), "timeout: too late"),
    (StreamApiException(404, 16, "no such task", "a link", [1]), "HTTP 404, code 16: no such task"),
    (StreamApiException(502, None, "<html>"), "HTTP 502: <html>"),
]


@pytest.mark.parametrize(("error", "text"), ALL, ids=[text for _, text in ALL])
def test_each_exception_is_the_sdks_own_says_why_and_survives_pickling(
    error: StreamException, text: str
) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert str(error) == text
    assert (type(copy), vars(copy)) == (type(error), vars(error))
