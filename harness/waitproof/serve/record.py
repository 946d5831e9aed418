"""`waitproof serve --record URL`: passes requests on to a real API, and writes its tasks down as scenarios.

The server has the sockets and limits of the mock, and no task of its own: what comes falls through to one
handler. A scenario is written when its task has ended, by a thread, so that no client waits for that.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import HTTPErrorProcessor, Request, build_opener

from werkzeug import Request as ServerRequest
from werkzeug import Response

from waitproof.errors import InputError, Mistake
from waitproof.journal import path_of
from waitproof.mock import TaskServer
from waitproof.run import impossible_expectations
from waitproof.serve.recording import Recording, Seen
from waitproof.serve.server import ServeOptions
from waitproof.suite import Catalog, Contract, lint_file
from waitproof.text import escape, plural, shorten

__all__ = ["Recorder", "recording", "upstream_url"]

MAX_TASKS = 1000  # that are being polled; the oldest is dropped first, and that is said
MAX_BODY_BYTES = 16 * 1024 * 1024
LIMIT_S = 120.0  # for the API to answer
JOIN_S = 5.0
MIN_SECRET = 4  # characters: shorter texts are in many others by chance

_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
    "trailer", "transfer-encoding", "upgrade", "content-length", "host", "accept-encoding",
}  # fmt: skip
_SECRET_HEADERS = {"authorization", "cookie", "x-api-key", "api-key"}
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


class _AsItIs(HTTPErrorProcessor):
    """Errors and redirects are the client's business."""

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ARG002 - its name
        return response

    https_response = http_response


@dataclass(frozen=True)
class _Answer:
    http: int
    headers: list[tuple[str, str]]
    body: bytes


def upstream_url(text: str) -> str:
    """Return the API's URL without a slash at its end.

    Raises:
        InputError: It is not the URL of an API.
    """
    parts = urlsplit(text)
    with contextlib.suppress(ValueError):
        if parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and not parts.query:
            return text.rstrip("/")
    expected = "the base URL of an API, such as https://api.example.com"
    raise InputError(Mistake(f"--record {shorten(text, 100)}", "this is not a URL", expected=expected))


class Recorder:
    """Passes requests on, and writes the tasks that it has seen; any thread may call it."""

    def __init__(
        self, catalog: Catalog, url: str, folder: Path, say: Callable[[Sequence[str]], None]
    ) -> None:
        """Record nothing yet.

        Args:
            catalog: The suite that the scenarios are for.
            url: The API, as from `upstream_url`.
            folder: Where scenarios are written; made when it is needed.
            say: Called with lines for the terminal.
        """
        self.base_url = ""  # of this server, once it listens
        self._catalog = catalog
        self._contract = catalog.contract
        self._url = url
        self._folder = folder
        self._say = say
        self._opener = build_opener(_AsItIs)
        self._lock = threading.Lock()
        self._recordings: dict[str, Recording] = {}
        self._writers: list[threading.Thread] = []

    def forward(self, request: ServerRequest) -> Response:
        """Answer a request with what the API answers."""
        target = str(request.environ["RAW_URI"])
        began_s = time.monotonic()
        try:
            answer = self._asked(request, target)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = f"the API did not answer {request.method} {target[:200]}: {error}"
            self._tell(reason)
            return Response(json.dumps({"message": reason}), 502, content_type="application/json")
        took_s = time.monotonic() - began_s
        task_id = self._contract.task_id_in(path_of(target))
        if task_id and request.method == self._contract.endpoint.method:
            self._note(task_id, self._seen(request, answer, took_s))
        own = [(name, self._own(value)) for name, value in answer.headers]
        return Response(answer.body, answer.http, own)

    def close(self) -> None:
        """Say which tasks were not written, and wait for what is being written."""
        with self._lock:
            open_tasks = [each for each in self._recordings.values() if not each.is_over]
            writers = list(self._writers)
        for each in writers:
            each.join(JOIN_S)
        for recording in open_tasks:
            last = f"the last one {recording.status or 'without a status'}"
            facts = f"{plural(recording.polls, 'poll')}, {last}"
            self._tell(f"{recording.task_id}: not written, because it had not ended: {facts}")

    def _asked(self, request: ServerRequest, target: str) -> _Answer:
        if not target.startswith("/"):  # as a proxy is asked
            parts = urlsplit(target)
            target = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        data = request.get_data() or None
        asked = Request(self._url + target, data, headers, method=request.method)  # noqa: S310 - http or https
        with self._opener.open(asked, timeout=LIMIT_S) as answer:
            body = answer.read(MAX_BODY_BYTES + 1)
            if len(body) > MAX_BODY_BYTES:
                raise ValueError(f"its answer is larger than {MAX_BODY_BYTES} bytes")
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _HOP]
            return _Answer(answer.status, kept, body)

    def _own(self, value: str) -> str:
        """Return a header's value, in which the API's own URL is this server's: of a redirect, say."""
        return value.replace(self._url, self.base_url) if value.startswith(self._url) else value

    def _seen(self, request: ServerRequest, answer: _Answer, took_s: float) -> Seen:
        headers = {name.lower(): value.removeprefix(self._url) for name, value in answer.headers}
        return Seen(took_s, answer.http, headers, answer.body, _secrets(request, self._contract))

    def _note(self, task_id: str, seen: Seen) -> None:
        with self._lock:
            recording = self._recordings.setdefault(task_id, Recording(self._contract, task_id))
            if recording.add(seen):
                writer = threading.Thread(target=self._write, args=(recording,), daemon=True)
                self._writers = [each for each in self._writers if each.is_alive()] + [writer]
                writer.start()
            dropped = None
            if len(self._recordings) > MAX_TASKS:
                dropped = self._recordings.pop(next(iter(self._recordings)))
        if dropped is not None and not dropped.is_over:
            self._tell(f"{dropped.task_id}: not written, because {MAX_TASKS} later tasks have begun")

    def _write(self, recording: Recording) -> None:
        facts = f"{plural(recording.polls, 'poll')} until {recording.status}"
        try:
            text, trouble = self._checked(recording)
            if text:
                file = self._free_file(recording.task_id)
                file.write_text(text, encoding="utf-8")
                self._tell(f"{file}: {facts}{trouble and f'; lint finds: {trouble}'}")
                return
        except OSError as error:
            trouble = str(error)
        self._tell(f"{recording.task_id}: {facts}; not written: {trouble}")

    def _checked(self, recording: Recording) -> tuple[str, str]:
        """Return the scenario that proves most without a mistake; else one that has some, and the first."""
        model = recording.model(self._catalog)
        if model is None:
            return "", f"no scenario of the suite ends with '{recording.status}' to learn from"
        text = trouble = ""
        for expects in (True, False):
            text = recording.text(model, model.proves, expects=expects)
            trouble = self._mistake(text)
            if trouble:
                each = [(name, recording.text(model, [name], expects=expects)) for name in model.proves]
                if proven := [name for name, alone in each if not self._mistake(alone)]:
                    text = recording.text(model, proven, expects=expects)
                    trouble = self._mistake(text)
            if not trouble:
                break
        return text, trouble

    def _mistake(self, text: str) -> str:
        """Return the first thing that `waitproof lint` finds in a scenario, "" for nothing."""
        with TemporaryDirectory() as folder:
            file = Path(folder) / "recorded.yaml"
            file.write_text(text, encoding="utf-8")
            try:
                mistakes = impossible_expectations(lint_file(file, self._catalog.folder))
            except InputError as error:
                mistakes = list(error.mistakes)
        return mistakes[0].fact if mistakes else ""

    def _tell(self, line: str) -> None:
        self._say([escape(f"{time.strftime('%H:%M:%S')} {line}")])

    def _free_file(self, task_id: str) -> Path:
        name = _UNSAFE.sub("-", task_id).strip("-").lower()[:60] or "task"
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            file = self._folder / f"{name}{'' if number == 1 else f'-{number}'}.yaml"
            with contextlib.suppress(FileExistsError):
                file.touch(exist_ok=False)
                return file
            number += 1


def _secrets(request: ServerRequest, contract: Contract) -> list[str]:
    """Return what a request shows of its client's credentials, the longest first."""
    names = _SECRET_HEADERS | {name.lower() for name in contract.credentials.headers}
    found = [value for name, value in request.headers.items() if name.lower() in names]
    found += [part for value in found for part in re.split(r"[\s;=,]+", value)]
    found += [value for name, value in parse_qsl(request.query_string.decode("latin-1")) if name in names]
    found += [request.args[name] for name in contract.credentials.query if name in request.args]
    return sorted({each for each in found if len(each) >= MIN_SECRET}, key=len, reverse=True)


@contextlib.contextmanager
def recording(recorder: Recorder, catalog: Catalog, options: ServeOptions) -> Iterator[TaskServer]:
    """Record while the context lasts.

    Raises:
        InputError: Nothing can listen there.
    """
    endpoint = catalog.contract.endpoint.model_copy(update={"method": ""})  # no request is a poll of ours
    server = TaskServer(
        catalog.contract.model_copy(update={"endpoint": endpoint, "operations": {}}),
        host=options.host,
        port=options.port,
        more_hosts=options.more_hosts,
        allowed_hosts=options.names,
        journal_limit=1,
    )
    server.expect_request(re.compile(".*", re.DOTALL)).respond_with_handler(recorder.forward)
    server.start()
    recorder.base_url = server.base_url
    try:
        yield server
    finally:
        recorder.close()
        if server.is_running():
            server.stop()
