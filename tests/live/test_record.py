"""`serve --record`: a task of an API, here another `serve`, becomes a scenario that lint accepts."""

from __future__ import annotations

import contextlib
import json
import queue
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest
from waitproof.cli import main
from waitproof.errors import InputError
from waitproof.serve.record import Recorder, recording, upstream_url
from waitproof.serve.recording import Recording, Seen
from waitproof.serve.server import ServeOptions, serving
from waitproof.suite import Catalog
from waitproof.suite.contract import Contract
from waitproof.suite.files import bundled_suite, load_contract, load_scenario

LIMIT_S = 60.0
OPTIONS = ServeOptions(folder=bundled_suite("stream"))
SECRET = "s3cr3t-of-the-client"
TASK = """
task:
  - {status: pending, times: 2}
  - {fault: {http: 503, headers: {Retry-After: "1", Set-Cookie: "session=mine"}}}
  - {status: completed, delay: 120ms, result: {
      channels: 2, url: "https://me:pw@files.example.com/a.csv?X-Sig=abc", apiKey: k3y,
      echo: "Bearer s3cr3t-of-the-client", price: "${task_id}"}, body: {queue: eu}}
"""


@pytest.fixture(scope="module")
def contract() -> Contract:
    return load_contract(bundled_suite("stream") / "contract.yaml")


@contextlib.contextmanager
def recorded(upstream: str, folder: Path) -> Iterator[tuple[httpx.Client, queue.Queue[str]]]:
    lines: queue.Queue[str] = queue.Queue()
    catalog = Catalog(OPTIONS.folder)

    def say(told: Sequence[str]) -> None:
        for each in told:
            lines.put(each)

    recorder = Recorder(catalog, upstream, folder, say)
    headers = {"Authorization": f"Bearer {SECRET}", "Stream-Auth-Type": "jwt"}
    with (
        recording(recorder, catalog, OPTIONS) as server,
        httpx.Client(base_url=server.base_url, headers=headers, timeout=LIMIT_S) as client,
    ):
        yield client, lines


def test_a_recorded_task_is_a_scenario_that_lint_accepts(
    tmp_path: Path, contract: Contract, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(OPTIONS) as api, recorded(api.base_url, tmp_path / "made") as (client, lines):
        made = httpx.post(f"{api.base_url}/_waitproof/tasks", json={"yaml": TASK, "task_id": "an/export 1"})
        answers = [client.get("/api/v2/tasks/an%2Fexport%201?api_key=public-key") for _ in range(4)]
        told = lines.get(timeout=LIMIT_S)

    assert made.status_code == 201
    assert [each.status_code for each in answers] == [200, 200, 503, 200]
    assert answers[-1].json()["result"]["echo"] == f"Bearer {SECRET}"  # the client gets everything
    file = tmp_path / "made" / "an-export-1.yaml"
    assert re.fullmatch(rf"\d\d:\d\d:\d\d {re.escape(str(file))}: 4 polls until completed", told)
    scenario = load_scenario(file, file.parent, contract)
    assert [step.label for step in scenario.task] == ["pending", "503", "completed"]
    assert scenario.task[0].times == 2
    assert scenario.task[1].fault is not None
    assert dict(scenario.task[1].fault.headers) == {"Retry-After": "1"}
    assert scenario.task[2].delay >= 0.1
    assert scenario.task[2].body == {"queue": "eu"}
    assert scenario.task[2].result == {
        "channels": 2,
        "url": "https://files.example.com/a.csv",
        "apiKey": "***",
        "echo": "***",
        "price": "${task_id}",
    }
    assert main(["lint", "--suite", "stream", str(file)]) == 0
    assert capsys.readouterr().out == f"{file}: fine\n"


def test_what_is_recorded_proves_what_its_model_proves(tmp_path: Path, contract: Contract) -> None:
    with serving(OPTIONS) as api, recorded(api.base_url, tmp_path) as (client, lines):
        for task_id in ("completes-after-3-polls~1", "completes-after-3-polls~2"):
            for _ in range(4):  # one too many
                client.get(f"/api/v2/tasks/{task_id}")
        client.get("/api/v2/tasks/never-ends~1")
        done = [lines.get(timeout=LIMIT_S) for _ in range(2)]
    suite = bundled_suite("stream")
    model = load_scenario(suite / "outcomes" / "completes-after-3-polls.yaml", suite, contract)

    for number in (1, 2):
        mine = load_scenario(tmp_path / f"completes-after-3-polls-{number}.yaml", tmp_path, contract)
        assert (mine.proves, mine.calls[0].expect) == (model.proves, model.calls[0].expect)
    assert len(done) == 2
    assert lines.get(timeout=LIMIT_S).endswith(
        "never-ends~1: not written, because it had not ended: 1 poll, the last one pending"
    )


def test_an_api_that_cannot_be_reached_is_a_502_that_says_so(tmp_path: Path) -> None:
    with recorded("http://127.0.0.1:9", tmp_path) as (client, lines):
        answer = client.post("/api/v2/export", json={"x": 1})

    assert answer.status_code == 502
    assert answer.json()["message"].startswith("the API did not answer POST /api/v2/export: ")
    assert "the API did not answer POST /api/v2/export" in lines.get(timeout=LIMIT_S)
    assert not tmp_path.joinpath("made").exists()


def test_whatever_an_api_answers_is_text_that_the_reader_takes(contract: Contract) -> None:
    catalog = Catalog(OPTIONS.folder)
    recording = Recording(contract, "t")
    odd = {
        "deep": json.loads(60 * "[" + 60 * "]"),
        "odd": 'y\x00\x85\u2028😀"\\ #: {no}',
        "placeholder": "${nobody} $ {",
        "long": "x" * 5000,
        "number": [1e-7, -0.0, 10**30, True, None],
        "token": 7,
        "jwt": "eyJhbGciOi.eyJzdWIi.c2ln",
    }
    bodies = [
        b"<html>\xff",
        b'{"status": NaN}',
        b"[]",
        json.dumps({"status": "completed", "result": odd}).encode(),
    ]
    for body in bodies:
        recording.add(Seen(0.0, 200, {}, body))
    model = recording.model(catalog)
    assert model is not None

    text = recording.text(model, model.proves, expects=False)

    step = catalog.inline(text).task[-1]
    assert step.result == {
        **odd,
        "placeholder": "$ {nobody} $ {",
        "long": "${text:5000B}",
        "token": "***",
        "jwt": "***",
    }
    assert step.omit == ("task_id", "created_at", "updated_at", "duration", "error")


@pytest.mark.parametrize(
    "text", ["", "api.example.com", "ftp://x", "https://", "http://x:99999", "http://x?y=1"]
)
def test_a_url_that_is_not_one_is_wrong_use(text: str) -> None:
    with pytest.raises(InputError, match="this is not a URL"):
        upstream_url(text)
