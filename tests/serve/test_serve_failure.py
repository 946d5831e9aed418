"""What `serve` does when its own server fails."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from waitproof.cli import main
from waitproof.serve import command
from waitproof.serve.server import Service, serving
from waitproof.serve.terminal import proxy_hint


def test_a_server_whose_loop_has_ended_ends_serve_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in the loop")

    @contextlib.contextmanager
    def failing_soon(*arguments: Any, **options: Any) -> Iterator[Service]:
        with serving(*arguments, **options) as service:
            loop = service.server.server.loop  # type: ignore[union-attr]
            threading.Timer(0.1, lambda: loop.call(fail)).start()
            yield service

    monkeypatch.setattr(command, "serving", failing_soon)
    interval_s = sys.getswitchinterval()
    try:
        code = main(["serve", "--port", "0"])
    finally:
        sys.setswitchinterval(interval_s)

    assert code == 4
    assert capsys.readouterr().err == (
        "the server's loop has ended because of a defect in waitproof: ZeroDivisionError('in the loop')\n"
    )


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, []),
        ({"HTTPS_PROXY": "http://proxy:3128"}, []),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "127.0.0.1"}, []),
        ({"http_proxy": "http://proxy:3128", "NO_PROXY": "*"}, []),
        (
            {"HTTP_PROXY": "http://proxy:3128", "NO_PROXY": "example.com"},
            [
                "  proxy     HTTP_PROXY takes requests for 127.0.0.1 too, unless your client has",
                "            NO_PROXY=example.com,127.0.0.1,localhost",
            ],
        ),
    ],
)
def test_a_proxy_that_would_take_the_requests_is_told(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: list[str]
) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_hint("127.0.0.1") == told
