"""The control API: tasks made, looked at and steered over HTTP, as JSON.

A handler of everything below `/_waitproof/`, documented by `openapi.json`. It serves whoever runs the
server, and no page of another site: a request that a browser sends for one is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import Map, Rule

from waitproof.errors import InputError, Mistake
from waitproof.judge.journal import JournalEntry
from waitproof.serve.tasks import STALL_S, Action, Keeper, TaskView
from waitproof.suite.catalog import Entry
from waitproof.suite.scenario import Scenario, WaitOptions
from waitproof.suite.task import respond
from waitproof.suite.yaml import Json

if TYPE_CHECKING:
    from waitproof.judge import Verdict

__all__ = ["PREFIX", "Control", "openapi"]

PREFIX = "/_waitproof"
MAX_LISTED = 500  # tasks in one answer, the newest
MAX_LIVE = 200  # tasks whose changes are told as they come: more rows than anybody looks at
EVENT_PAUSE_S = 0.1  # ten updates a second look live, and cost little
RETRY_MS = 1000  # what a browser waits until it connects again; its own pause is three times that
PING_EVERY = 100  # pauses without news, until a comment shows that the connection lives
MAX_BODY_SHOWN = 10_000  # bytes of an answer: a payload of 2 MB helps no reader
MIN_SECONDS, MAX_SECONDS = 0.001, 86_400.0
MASKED = "…"
_POSITION = re.compile(r":([0-9]{1,9}):([0-9]{1,9})$")
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_FOLDER = Path(__file__).parent
_PAGE_FILES = {
    "page.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "page_detail.js": "text/javascript; charset=utf-8",
    "page_dom.js": "text/javascript; charset=utf-8",
    "page_new.js": "text/javascript; charset=utf-8",
    "page_timeline.js": "text/javascript; charset=utf-8",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

JsonObject: TypeAlias = dict[str, Any]


@cache
def openapi() -> JsonObject:
    """Return the OpenAPI description of the control API."""
    document: JsonObject = json.loads((_FOLDER / "openapi.json").read_text(encoding="utf-8"))
    return document


class _Refused(Exception):
    """A request that cannot be served, with what is wrong in the words of this project."""

    def __init__(self, http: int, mistakes: Iterable[Mistake]) -> None:
        super().__init__()
        self.http = http
        self.mistakes = tuple(mistakes)


class Control:
    """The application; `pytest_httpserver` calls it with each request that is no poll and no operation."""

    def __init__(self, keeper: Keeper, *, base_url: Callable[[], str], version: Callable[[], str]) -> None:
        """Make the application of one keeper.

        Args:
            keeper: Has the tasks.
            base_url: Returns where the server listens.
            version: Returns waitproof's, for the status.
        """
        self._keeper = keeper
        self._base_url = base_url
        self._version = version
        task = f"{PREFIX}/tasks/<task_id>"
        actions = f"any({', '.join(each.value for each in Action)})"
        self._routes = Map(
            [
                Rule("/", endpoint=self._page, methods=["GET"]),
                Rule(
                    f"{PREFIX}/<any({', '.join(repr(n) for n in _PAGE_FILES)}):name>",
                    endpoint=self._page_file,
                    methods=["GET"],
                ),
                Rule(f"{PREFIX}/openapi.json", endpoint=self._openapi, methods=["GET"]),
                Rule(f"{PREFIX}/status", endpoint=self._status, methods=["GET"]),
                Rule(f"{PREFIX}/events", endpoint=self._events, methods=["GET"]),
                Rule(f"{PREFIX}/scenarios", endpoint=self._scenarios, methods=["GET"]),
                Rule(f"{PREFIX}/scenarios/<path:name>", endpoint=self._scenario, methods=["GET"]),
                Rule(f"{PREFIX}/check", endpoint=self._check, methods=["POST"]),
                Rule(f"{PREFIX}/tasks", endpoint=self._tasks, methods=["GET"]),
                Rule(f"{PREFIX}/tasks", endpoint=self._add, methods=["POST"]),
                Rule(f"{PREFIX}/tasks", endpoint=self._delete_all, methods=["DELETE"]),
                Rule(f"{PREFIX}/actions/<{actions}:action>", endpoint=self._act_on_all, methods=["POST"]),
                Rule(f"{PREFIX}/journal", endpoint=self._whole_journal, methods=["GET"]),
                Rule(f"{task}/journal", endpoint=self._journal, methods=["GET"]),
                Rule(f"{task}/verdicts", endpoint=self._verdicts, methods=["GET"]),
                Rule(f"{task}/actions/<{actions}:action>", endpoint=self._act, methods=["POST"]),
                Rule(task, endpoint=self._task, methods=["GET"]),
                Rule(task, endpoint=self._delete, methods=["DELETE"]),
            ],
            strict_slashes=True,
            merge_slashes=False,
        )

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            _check_site(request)
            # Matched as it came, escapes and all: a task id may have a slash in it.
            path = str(request.environ["RAW_URI"]).partition("?")[0]
            endpoint, values = self._routes.bind("").match(path, request.method)
            response: Response = endpoint(request, **{name: unquote(value) for name, value in values.items()})
        except _Refused as refused:
            response = _refusal(refused.http, refused.mistakes)
        except InputError as error:
            response = _refusal(422, error.mistakes)
        except MethodNotAllowed as error:
            allowed = ", ".join(sorted(error.valid_methods or ()))
            fact = f"{request.method} cannot be asked of this path"
            response = _refusal(405, [Mistake(request.path, fact, expected=allowed)])
            response.headers["Allow"] = allowed
        except HTTPException as error:
            fact = "the control API has no such path"
            fix = f"{PREFIX}/openapi.json has them all"
            response = _refusal(error.code or 500, [Mistake(request.path, fact, fix=fix)])
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    # --- page and description

    def _page(self, request: Request) -> Response:
        return self._page_file(request, "page.html")

    def _page_file(self, _request: Request, name: str) -> Response:
        response = Response((_FOLDER / name).read_bytes(), content_type=_PAGE_FILES[name])
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    def _openapi(self, _request: Request) -> Response:
        return _json(openapi())

    def _status(self, _request: Request) -> Response:
        return _json(self._told_status())

    def _told_status(self) -> JsonObject:
        keeper = self._keeper
        limits = keeper.limits
        return {
            "waitproof": self._version(),
            "suite": keeper.contract.name,
            "title": keeper.contract.title,
            "base_url": self._base_url(),
            "snippets": keeper.catalog.calls(self._base_url()),
            "example": keeper.example,
            "statuses": {name: meaning.value for name, meaning in keeper.contract.statuses.items()},
            "endpoint": f"{keeper.contract.endpoint.method} {keeper.contract.endpoint.path}",
            "tasks": len(keeper.ids()),
            "limits": {
                "tasks": limits.tasks,
                "finished_s": limits.finished_s,
                "idle_s": limits.idle_s,
            },
            "defaults": {
                "poll_interval_s": keeper.contract.defaults.poll_interval,
                "timeout_s": keeper.contract.defaults.timeout,
            },
            "broken": [_entry(entry) for entry in keeper.catalog.entries() if entry.mistakes],
        }

    def _events(self, request: Request) -> Response:
        text = request.args.get("find", "")
        response = Response(self._stream(text), content_type="text/event-stream; charset=utf-8")
        response.headers["X-Accel-Buffering"] = "no"
        return response

    def _stream(self, text: str) -> Iterator[bytes]:
        """Yield what changes, first everything there is: a page that is loaded again has lost nothing."""
        yield f"retry: {RETRY_MS}\n\n".encode()
        with self._keeper.watched():
            yield from self._changes(text)

    def _changes(self, text: str) -> Iterator[bytes]:
        keeper = self._keeper
        broken: list[JsonObject] | None = None
        shown: dict[int, tuple[int, str | int]] = {}  # versions and ids that were told, by numbers
        version, quiet = -1, 0
        while True:
            at = keeper.version
            if at != version:
                numbers, fresh = keeper.newest(MAX_LIVE, text, {n: known for n, (known, _) in shown.items()})
                went = [shown.pop(number)[1] for number in shown.keys() - set(numbers)]
                shown |= {view.number: (view.version, view.task_id) for view in fresh}
                stay = {task_id for _, task_id in shown.values()}
                tally = keeper.tally()
                told = {
                    "tasks": [_task(view) for view in fresh],
                    "gone": [task_id for task_id in went if task_id not in stay],
                    "all": version < 0,
                    "count": sum(tally.values()),
                    "progress": {progress.value: count for progress, count in tally.items()},
                }
                version, quiet = at, 0
                yield _event("tasks", told)
            now_broken = [_entry(entry) for entry in keeper.catalog.known() if entry.mistakes]
            if now_broken != broken:
                broken = now_broken
                yield _event("broken", broken)
            quiet += 1
            if quiet % PING_EVERY == 0:
                yield b": still here\n\n"
            if keeper.closing.wait(EVENT_PAUSE_S):
                return

    # --- scenarios

    def _scenarios(self, _request: Request) -> Response:
        return _json({"scenarios": [_entry(entry) for entry in self._keeper.catalog.entries()]})

    def _scenario(self, _request: Request, name: str) -> Response:
        catalog = self._keeper.catalog
        scenario = self._named(name)
        entry = next(each for each in catalog.entries() if each.id == scenario.id)
        text = entry.path.read_text(encoding="utf-8", errors="replace")
        return _json({**_entry(entry), "yaml": text})

    def _named(self, name: str) -> Scenario:
        try:
            return self._keeper.catalog.get(name)
        except InputError as error:
            raise _Refused(404, error.mistakes) from None

    def _check(self, request: Request) -> Response:
        body = _body(request, {"yaml": str}, required=["yaml"])
        try:
            self._keeper.catalog.inline(body["yaml"])
        except InputError as error:
            return _json({"mistakes": [_mistake(each) for each in error.mistakes]})
        return _json({"mistakes": []})

    # --- tasks

    def _tasks(self, _request: Request) -> Response:
        self._keeper.settle()
        _, views = self._keeper.newest(MAX_LISTED)
        return _json({"tasks": [_task(view) for view in views], "count": len(self._keeper.ids())})

    def _add(self, request: Request) -> Response:
        body = _body(request, {"scenario": str, "yaml": str, "task_id": (str, int), "wait": dict})
        if ("scenario" in body) == ("yaml" in body):
            fact = "a task is made of one thing"
            raise _Refused(422, [Mistake("", fact, expected="exactly one of 'scenario' and 'yaml'")])
        catalog = self._keeper.catalog
        scenario = self._named(body["scenario"]) if "scenario" in body else catalog.inline(body["yaml"])
        if body.get("task_id") == "":
            raise _Refused(422, [Mistake("task_id", "a task id cannot be empty")])
        view = self._keeper.add(scenario, body.get("task_id"), _options(body.get("wait")))
        response = _json(_task(view), 201)
        response.headers["Location"] = f"{PREFIX}/tasks/{_quoted(view.task_id)}"
        return response

    def _task(self, _request: Request, task_id: str) -> Response:
        return _json(_task(self._view(task_id)))

    def _journal(self, request: Request, task_id: str) -> Response:
        view = self._view(task_id)
        requests = sorted((*view.polls, *view.others), key=lambda entry: entry.serial)
        newest = request.args.get("newest", "")
        if newest and not _NUMBER.fullmatch(newest):
            fact = "this is no number of requests"
            raise _Refused(422, [Mistake("newest", fact, found=newest[:100], expected="1 or more")])
        listed = requests[-int(newest) :] if newest else requests
        return _json(
            {
                "count": len(requests),
                "requests": [_exchange(each, view.origin_ns) for each in listed],
                "answers": self._answers(view),
            }
        )

    def _answers(self, view: TaskView) -> list[JsonObject]:
        """Return what each step of a task says, by its index, as it would now."""
        state = self._keeper.server.state(view.task_id)
        told: list[JsonObject] = []
        for index, step in enumerate(() if state is None else state.steps):
            values: dict[str, Json] = {"task_id": view.task_id, "token": "", "n": 1}
            if step.fault is not None and step.fault.drop is not None:
                told.append({"step": index, "http": None, "headers": {}, "body": f"({step.label})"})
                continue
            said = respond(self._keeper.contract, step, values, now_ns=0)
            text = said.body[:MAX_BODY_SHOWN].decode("utf-8", "replace")
            cut = f"… ({len(said.body)} bytes)" if len(said.body) > MAX_BODY_SHOWN else ""
            told.append({"step": index, "http": said.http, "headers": dict(said.headers), "body": text + cut})
        return told

    def _verdicts(self, _request: Request, task_id: str) -> Response:
        view = self._view(task_id)
        return _json(
            {"progress": view.progress.value, "verdicts": [_verdict(each) for each in view.verdicts]}
        )

    def _delete(self, _request: Request, task_id: str) -> Response:
        if not self._keeper.delete(task_id):
            raise self._no_task(task_id)
        return Response(status=204)

    def _delete_all(self, _request: Request) -> Response:
        count = sum(self._keeper.delete(task_id) for task_id in self._keeper.ids())
        return _json({"count": count})

    def _act(self, request: Request, task_id: str, action: str) -> Response:
        if not self._keeper.act(task_id, Action(action), **_arguments(request, Action(action))):
            raise self._no_task(task_id)
        return _json(_task(self._view(task_id)))

    def _act_on_all(self, request: Request, action: str) -> Response:
        arguments = _arguments(request, Action(action))
        ids = self._keeper.ids()
        return _json(
            {"count": sum(self._keeper.act(task_id, Action(action), **arguments) for task_id in ids)}
        )

    def _whole_journal(self, _request: Request) -> Response:
        entries = self._keeper.server.journal(newest=MAX_LISTED)
        origin_ns = entries[0].arrived_ns if entries else 0
        return _json({"requests": [_exchange(entry, origin_ns) for entry in entries]})

    def _view(self, task_id: str) -> TaskView:
        view = self._keeper.view(task_id)
        if view is None:
            raise self._no_task(task_id)
        return view

    def _no_task(self, task_id: str) -> _Refused:
        fix = f"POST {PREFIX}/tasks makes one; or poll an id that names a scenario"
        return _Refused(404, [Mistake("", f"no task has the id {task_id[:100]}", fix=fix)])


# --- requests -----------------------------------------------------------------------------------------


def _check_site(request: Request) -> None:
    """Refuse what a browser sends for a page of another site; a program sends none of these headers.

    A body must be JSON, which no form of another site can send without asking first, and is never told yes.
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    is_foreign = site not in {"same-origin", "none"} or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("Host", "")
    )
    is_visit = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if is_foreign and not (is_visit and origin is None):
        fact = "a page of another site may not use the control API"
        raise _Refused(403, [Mistake(origin or "Sec-Fetch-Site", fact)])


def _body(
    request: Request, known: Mapping[str, type | tuple[type, ...]], required: Iterable[str] = ()
) -> JsonObject:
    """Return a request's JSON object, its members checked."""
    data = request.get_data()
    if not data and not list(required):
        return {}
    if request.mimetype != "application/json":
        fact = f"a body of type '{request.mimetype}' is not read"
        raise _Refused(415, [Mistake("", fact, expected="Content-Type: application/json")])
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, [Mistake("", f"this is no JSON: {error}")]) from None
    if not isinstance(body, dict):
        raise _Refused(422, [Mistake("", "the body is no JSON object", found=_shown(body))])
    mistakes = [
        Mistake(name[:100], "no such member", expected=", ".join(known) or "none")
        for name in body
        if name not in known
    ]
    for name, kinds in known.items():
        value = body.get(name)
        is_right = kinds is object or (isinstance(value, kinds) and not isinstance(value, bool))
        if name in body and not is_right:
            mistakes.append(Mistake(name, "this is of the wrong type", found=_shown(value)))
    mistakes += [Mistake(name, "this must be given") for name in required if name not in body]
    if mistakes:
        raise _Refused(422, mistakes)
    return body


def _arguments(request: Request, action: Action) -> dict[str, Any]:
    match action:
        case Action.COMPLETE:
            return {"given": _body(request, {"result": object})}
        case Action.FAIL:
            return {"given": _body(request, {"error": object})}
        case Action.STALL:
            seconds = _body(request, {"seconds": (int, float)}).get("seconds", STALL_S)
            mistakes = list(_wrong_seconds("seconds", seconds))
            if mistakes:
                raise _Refused(422, mistakes)
            return {"stall_s": float(seconds)}
        case _:
            _body(request, {})
            return {}


def _wrong_seconds(place: str, value: Any) -> Iterator[Mistake]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not MIN_SECONDS <= value <= MAX_SECONDS:
        expected = f"seconds, {MIN_SECONDS:g} to {MAX_SECONDS:g}"
        yield Mistake(place, "this is no duration", found=_shown(value), expected=expected)


def _options(given: JsonObject | None) -> WaitOptions | None:
    if given is None:
        return None
    known = {"poll_interval_s", "timeout_s"}
    mistakes = [
        Mistake(f"wait.{name[:100]}", "no such member", expected=", ".join(sorted(known)))
        for name in given
        if name not in known
    ]
    mistakes += [
        mistake for name in known & given.keys() for mistake in _wrong_seconds(f"wait.{name}", given[name])
    ]
    if mistakes:
        raise _Refused(422, mistakes)
    durations = {name.removesuffix("_s"): float(value) for name, value in given.items()}
    return WaitOptions().model_copy(update=durations)  # longer ones, too, than a file's author may say


# --- answers ------------------------------------------------------------------------------------------


def _json(value: Json, http: int = 200) -> Response:
    # Escaped beyond ASCII, so that a lone surrogate in somebody's payload breaks no answer.
    return Response(json.dumps(value), http, content_type="application/json")


def _refusal(http: int, mistakes: Iterable[Mistake]) -> Response:
    told = [_mistake(each) for each in mistakes]
    return _json({"message": str(told[0]["fact"]) if told else "", "mistakes": told}, http)


def _event(name: str, value: Json) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


def _shown(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 200 else text[:200] + "…"


def _quoted(task_id: str | int) -> str:
    return quote(str(task_id), safe="")


def _mistake(mistake: Mistake) -> JsonObject:
    found = _POSITION.search(mistake.place)
    line, column = (None, None) if found is None else (int(found[1]), int(found[2]))
    return {
        "place": mistake.place,
        "line": line,
        "column": column,
        "fact": mistake.fact,
        "found": mistake.found,
        "expected": mistake.expected,
        "fix": mistake.fix,
    }


def _entry(entry: Entry) -> JsonObject:
    scenario: Scenario | None = entry.scenario
    return {
        "id": entry.id,
        "name": entry.name,
        "summary": "" if scenario is None else scenario.summary,
        "proves": [] if scenario is None else list(scenario.proves),
        "steps": [] if scenario is None else [step.label for step in scenario.task],
        "mistakes": [_mistake(each) for each in entry.mistakes],
    }


def _task(view: TaskView) -> JsonObject:
    return {
        "task_id": view.task_id,
        "number": view.number,
        "scenario": view.scenario,
        "summary": view.summary,
        "created": view.created.isoformat(timespec="seconds"),
        "progress": view.progress.value,
        "step": view.step,
        "steps": list(view.steps),
        "wait": {"poll_interval_s": view.interval_s, "timeout_s": view.timeout_s},
        "now_s": round((view.now_ns - view.origin_ns) / 1e9, 6),
        "count": view.count,
        "polls": [_poll(entry, view.origin_ns) for entry in view.polls],
        "others": len(view.others),
        "verdicts": {status.value: count for status, count in view.counts.items()},
        "version": view.version,
    }


def _poll(entry: JournalEntry, origin_ns: int) -> JsonObject:
    return {
        "n": entry.n,
        "arrived_s": round((entry.arrived_ns - origin_ns) / 1e9, 6),
        "answered_s": None if entry.answered_ns is None else round((entry.answered_ns - origin_ns) / 1e9, 6),
        "status": entry.status,
        "http": entry.http,
        "ended": entry.ended.value,
        "repeat": entry.repeat,
    }


def _exchange(entry: JournalEntry, origin_ns: int) -> JsonObject:
    headers = {name: MASKED if name in _SECRET_HEADERS else value for name, value in entry.headers.items()}
    return {
        **_poll(entry, origin_ns),
        "serial": entry.serial,
        "task_id": entry.task_id,
        "kind": entry.kind,
        "method": entry.method,
        "target": entry.target,
        "headers": headers,
        "connection": entry.connection,
        "step": entry.step,
    }


def _verdict(verdict: Verdict) -> JsonObject:
    return {
        "requirement": verdict.requirement,
        "level": verdict.level.value,
        "status": verdict.status.value,
        "expected": verdict.expected,
        "seen": verdict.seen,
        "explanation": verdict.explanation,
    }
