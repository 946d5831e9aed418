"""The control API: tasks made, looked at and steered over HTTP, as JSON; the page and the module that use it.

`operation` enters a method into the table of operations, with the models of what it reads and answers. The
routes are made from the table, and so is the OpenAPI description, when it is asked for. The API serves the
person who runs the server and no page of another site: a request that a browser sends for one is refused.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel
from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from waitproof.errors import InputError, Mistake, why
from waitproof.serve import models
from waitproof.serve.events import EventStreams
from waitproof.serve.manager import TaskManager
from waitproof.serve.operations import OPERATIONS, PREFIX, Operation, operation
from waitproof.serve.request import Refused, check_site, parsed
from waitproof.serve.steer import STALL_S, Action
from waitproof.serve.task import TaskView
from waitproof.serve.waits import Waits
from waitproof.suite import Json, Scenario, WaitOptions, respond
from waitproof.text import installed_version

__all__ = ["OPERATIONS", "Control"]

MAX_LISTED = 500  # tasks or requests in one answer, the newest
MAX_BODY_SHOWN = 10_000  # bytes of an answer: nobody reads a payload of 2 MB
_FIND = {"find": ("Only tasks with this text in their id or scenario.", {"type": "string"})}
_NEWEST = {"newest": ("How many at most.", {"type": "integer", "minimum": 1, "maximum": 999_999_999})}
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_PAGE = Path(__file__).parent / "page"
_CLIENT = Path(__file__).parent / "client"
# By the names that TypeScript looks for beside a module, and beside one that somebody has renamed.
_CLIENT_FILES = {"client.mjs": "client.mjs", "client.d.mts": "client.d.mts", "client.d.ts": "client.d.mts"}
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Control:
    """The application; it answers each request for the page or below the prefix."""

    def __init__(self, manager: TaskManager, waits: Waits, closing: threading.Event) -> None:
        """Make the application of a server; `closing`, set when it is about to stop, ends the events."""
        self._manager = manager
        self._waits = waits
        self._streams = EventStreams(manager, waits, closing)
        files = ", ".join(repr(path.name) for path in _PAGE.iterdir() if path.suffix in _TYPES)
        page = partial(_page_file, name="index.html")
        rules = [
            Rule("/", endpoint=page, methods=["GET"]),
            *(
                Rule(f"{PREFIX}/{name}", endpoint=partial(_client_file, name=file), methods=["GET"])
                for name, file in _CLIENT_FILES.items()
            ),
            Rule(f"{PREFIX}/page/<any({files}):name>", endpoint=_page_file, methods=["GET"]),
        ]
        for each in OPERATIONS:
            path = each.path.replace("{task_id}", "<task_id>").replace("{name}", "<path:name>")
            endpoint = partial(self._answer, each)
            rules.append(Rule(f"{PREFIX}{path}", endpoint=endpoint, methods=[each.method]))
        self._routes = Map(rules, strict_slashes=True, merge_slashes=False)

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            check_site(request)
            # Matched with its escapes, as it came: a task id may have a slash in it.
            path = str(request.environ["RAW_URI"]).partition("?")[0]
            endpoint, values = self._routes.bind("").match(path, request.method)
            response: Response = endpoint(request, **{name: unquote(value) for name, value in values.items()})
        except InputError as error:
            response = _refusal(error.http if isinstance(error, Refused) else 422, *error.mistakes)
        except MethodNotAllowed as error:
            allowed = ", ".join(sorted(error.valid_methods or ()))
            fact = f"{request.method} is not possible here"
            response = _refusal(405, Mistake(request.path, fact, expected=allowed))
            response.headers["Allow"] = allowed
        except HTTPException as error:
            fix = f"{PREFIX}/openapi.json lists all paths"
            mistake = Mistake(request.path, "the control API has no such path", fix=fix)
            response = _refusal(error.code or 500, mistake)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    def _answer(self, what: Operation, request: Request, **values: Any) -> Response:
        values |= {name: request.args.get(name, "") for name in what.query}
        if what.body is not None:
            values["body"] = parsed(request, what.body)
        answer = what.handler(self, **values)
        if answer is None or isinstance(answer, Response):
            return answer or Response(status=what.http)
        response = _json(answer, what.http)
        if what.http == 201:
            response.headers["Location"] = f"{PREFIX}/tasks/{quote(str(answer.task_id), safe='')}"
        return response

    # --- the server

    @operation("GET", "/status")
    def status(self) -> models.Status:
        """What is served, and what is kept."""
        manager, contract, passed = self._manager, self._manager.contract, WaitOptions()
        base_url = manager.server.base_url
        return models.Status(
            waitproof=installed_version(),
            suite=contract.name,
            title=contract.title,
            base_url=base_url,
            endpoint=f"{contract.endpoint.method} {contract.endpoint.path}",
            tasks=len(manager.ids()),
            limits=manager.limits,
            defaults=models.WaitDefaults.of(
                passed.interval_s(contract.defaults),
                passed.timeout_s(contract.defaults),
                passed.polls_limit(contract.defaults),
            ),
            broken=[models.Scenario.of(entry) for entry in manager.catalog.entries() if entry.mistakes],
            example=manager.catalog.example,
            has_numbers=manager.has_numbers,
            can_fail=contract.failing_status is not None,
            payloads=self._payloads(),
            statuses=dict(contract.meanings),
            snippets=manager.calls(),
        )

    def _payloads(self) -> models.Payloads:
        """Return what the example's task answers at its end, and the contract's error."""
        contract, catalog = self._manager.contract, self._manager.catalog
        result: Json = None
        with contextlib.suppress(InputError):
            steps = catalog.get(catalog.example).task
            result = next((step.result for step in reversed(steps) if step.has("result")), None)
        return models.Payloads(result=result, error=contract.error or None)

    @operation("GET", "/openapi.json")
    def openapi(self) -> dict[str, Any]:
        """This description."""
        from waitproof.serve.openapi import openapi  # noqa: PLC0415 - few servers are asked for it

        manager = self._manager
        return openapi(OPERATIONS, manager.server.base_url, manager.catalog.example)

    @operation("GET", "/events", query=_FIND, refusals=(503,))
    def events(self, find: str) -> Response:
        """What changes, as server-sent events.

        The event `tasks` is a `Changes`: first the newest 200 tasks, then what changes among them. The event
        `broken` is a list of `Scenario`: those whose files cannot be read. At most 64 streams may be open.
        """
        response = Response(self._streams.open(find), content_type="text/event-stream; charset=utf-8")
        response.headers["X-Accel-Buffering"] = "no"
        return response

    @operation("GET", "/journal")
    def whole_journal(self) -> models.WholeJournal:
        """The newest 500 requests of all clients, those included that concern no task."""
        entries = self._manager.server.journal(newest=MAX_LISTED)
        origin_ns = entries[0].arrived_ns if entries else 0
        return models.WholeJournal(requests=[models.Exchange.of(entry, origin_ns) for entry in entries])

    # --- scenarios

    @operation("GET", "/scenarios")
    def list_scenarios(self) -> models.Scenarios:
        """All scenarios, including those whose files cannot be read."""
        entries = self._manager.catalog.entries()
        return models.Scenarios(scenarios=[models.Scenario.of(each) for each in entries])

    @operation("GET", "/scenarios/{name}")
    def get_scenario(self, name: str) -> models.ScenarioText:
        """One scenario with its text; the name is its id, or the last part of it."""
        scenario = self._scenario(name)
        entry = next((each for each in self._manager.catalog.entries() if each.id == scenario.id), None)
        if entry is None:  # noticed since
            raise Refused(404, Mistake("", f"the file of {scenario.id} has been deleted"))
        try:
            text = entry.path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            fact = f"the file of {scenario.id} cannot be read: {why(error)}"
            fix = "its last good version stays in use until the server notices that it is gone"
            raise Refused(404, Mistake("", fact, fix=fix)) from None
        return models.ScenarioText.of(entry, yaml=text)

    @operation("POST", "/check")
    def check(self, body: models.CheckRequest) -> models.Mistakes:
        """Find the mistakes in a scenario's text."""
        try:
            self._manager.catalog.inline(body.yaml)
        except InputError as error:
            return models.Mistakes(mistakes=[models.Mistake.of(each) for each in error.mistakes])
        return models.Mistakes(mistakes=[])

    def _scenario(self, name: str) -> Scenario:
        try:
            return self._manager.catalog.get(name)
        except InputError as error:
            raise Refused(404, *error.mistakes) from None

    # --- tasks

    @operation("GET", "/tasks")
    def list_tasks(self) -> models.Tasks:
        """The newest 500 tasks, the newest first."""
        self._waits.judge_all()
        newest = self._manager.newest(MAX_LISTED)
        views = [task.view(newest=models.MAX_POLLS_LISTED) for task in newest]
        tasks = [models.Task.of(view, max_polls=models.MAX_POLLS_LISTED) for view in views if view]
        return models.Tasks(tasks=tasks, count=len(self._manager.ids()))

    @operation("POST", "/tasks", http=201, refusals=(404,))
    def add_task(self, body: models.NewTask) -> models.Task:
        """Make a task from a scenario or from YAML.

        A task that has the same id is replaced.
        """
        if body.scenario is not None and body.yaml is None:
            scenario = self._scenario(body.scenario)
        elif body.yaml is not None and body.scenario is None:
            scenario = self._manager.catalog.inline(body.yaml)
        else:
            raise InputError(Mistake("", "a task needs either 'scenario' or 'yaml', not both"))
        options = None
        if body.wait is not None:  # copied: these may be longer than a scenario file may say
            given = body.wait.model_dump(exclude_none=True)
            durations = {name.removesuffix("_s"): seconds for name, seconds in given.items()}
            options = WaitOptions().model_copy(update=durations)
        task = self._manager.add(scenario, body.task_id, options)
        return self.get_task(str(task.task_id))

    @operation("DELETE", "/tasks")
    def delete_all_tasks(self) -> models.Count:
        """Delete all tasks."""
        return models.Count(count=sum(self._manager.delete(task_id) for task_id in self._manager.ids()))

    @operation("GET", "/tasks/{task_id}")
    def get_task(self, task_id: str) -> models.Task:
        """One task with all its polls."""
        return models.Task.of(self._view(task_id))

    @operation("DELETE", "/tasks/{task_id}", http=204)
    def delete_task(self, task_id: str) -> None:
        """Delete a task."""
        if not self._manager.delete(task_id):
            raise _no_task(task_id)

    @operation("GET", "/tasks/{task_id}/journal", query=_NEWEST)
    def get_journal(self, task_id: str, newest: str) -> models.Journal:
        """The requests of a task, and what its steps answer."""
        view = self._view(task_id)
        if newest and not _NUMBER.fullmatch(newest):
            fact = "this should be a whole number"
            raise InputError(Mistake("newest", fact, found=newest[:100], expected="1 or more"))
        listed = view.requests[-int(newest) :] if newest else view.requests
        return models.Journal(
            count=len(view.requests),
            requests=[models.Exchange.of(each, view.origin_ns) for each in listed],
            answers=list(self._answers(view)),
        )

    def _answers(self, view: TaskView) -> Iterator[models.Answer]:
        for index, step in enumerate(view.state.steps):
            if step.fault is not None and step.fault.drop is not None:
                yield models.Answer(step=index, http=None, headers={}, body=f"({step.label})")
                continue
            values: dict[str, Json] = {"task_id": view.task_id, "token": "", "n": 1}
            answer = respond(self._manager.contract, step, values, now_ns=0)
            body = answer.body[:MAX_BODY_SHOWN].decode("utf-8", "replace")
            if len(answer.body) > MAX_BODY_SHOWN:
                body += f"… ({len(answer.body)} bytes)"
            yield models.Answer(step=index, http=answer.http, headers=dict(answer.headers), body=body)

    @operation("GET", "/tasks/{task_id}/verdicts")
    def get_verdicts(self, task_id: str) -> models.Verdicts:
        """What the journal alone shows about the client that waits on a task."""
        view = self._view(task_id)
        verdicts = [models.Verdict.model_validate(each) for each in view.verdicts]
        return models.Verdicts(progress=view.progress, verdicts=verdicts)

    def act(self, task_id: str, action: Action, body: BaseModel) -> models.Task:
        """Do something to a task."""
        if not self._manager.act(task_id, action, body.model_dump(exclude_unset=True)):
            raise _no_task(task_id)
        return self.get_task(task_id)

    def act_on_all(self, action: Action, body: BaseModel) -> models.Count:
        """Do something to all tasks."""
        payload = body.model_dump(exclude_unset=True)
        ids = self._manager.ids()
        return models.Count(count=sum(self._manager.act(each, action, payload) for each in ids))

    def _view(self, task_id: str) -> TaskView:
        view = self._waits.view(task_id)
        if view is None:
            raise _no_task(task_id)
        return view


_ACTIONS: dict[Action, tuple[type[BaseModel], str]] = {
    Action.ADVANCE: (models.EmptyRequest, "go on to the next step."),
    Action.COMPLETE: (models.CompleteRequest, "complete at the next poll."),
    Action.FAIL: (models.FailRequest, "fail at the next poll."),
    Action.STALL: (
        models.StallRequest,
        f"stop answering, for {STALL_S:g} s each unless the body has another number of seconds.",
    ),
    Action.RESET: (models.EmptyRequest, "start again with an empty journal."),
}
for _action, (_body, _text) in _ACTIONS.items():
    _path, _one, _all = f"/actions/{_action}", f"One task: {_text}", f"All tasks: {_text}"
    _act, _act_on_all = partial(Control.act, action=_action), partial(Control.act_on_all, action=_action)
    OPERATIONS += [
        Operation("POST", f"/tasks/{{task_id}}{_path}", f"{_action}", _one, _act, _body, models.Task),
        Operation("POST", _path, f"{_action}All", _all, _act_on_all, _body, models.Count),
    ]


def _no_task(task_id: str) -> Refused:
    fix = f"POST {PREFIX}/tasks makes one, and so does a poll of an id that names a scenario"
    return Refused(404, Mistake("", f"no task has the id {task_id[:100]}", fix=fix))


def _page_file(_request: Request, name: str) -> Response:
    path = _PAGE / name
    response = Response(path.read_bytes(), content_type=f"{_TYPES[path.suffix]}; charset=utf-8")
    response.headers["Content-Security-Policy"] = _POLICY
    return response


def _client_file(_request: Request, name: str) -> Response:
    kind = "text/javascript" if name.endswith(".mjs") else "application/typescript"
    return Response((_CLIENT / name).read_bytes(), content_type=f"{kind}; charset=utf-8")


def _json(answer: BaseModel | dict[str, Any], http: int = 200) -> Response:
    data = answer if isinstance(answer, dict) else answer.model_dump(mode="json")
    # Escaped beyond ASCII, so that half a surrogate pair in somebody's payload can be sent.
    return Response(json.dumps(data), http, content_type="application/json")


def _refusal(http: int, *mistakes: Mistake) -> Response:
    message, *_ = str(mistakes[0]).splitlines()
    return _json(
        models.Refusal(message=message, mistakes=[models.Mistake.of(each) for each in mistakes]), http
    )
