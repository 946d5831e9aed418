"""The Python side of waitproof's adapter protocol, version 1: one file, standard library only, Python 3.9+.

It owns the lines on stdin and stdout, the calls in flight, the clients by name and the shape of every
answer. The SDK's name, how to build its client and which exceptions it has belong in a subclass of
`Adapter`, which is passed to `run` (blocking SDK) or `run_async` (coroutines on one event loop):

    class MyAdapter(Adapter):
        def hello(self):
            return {"sdk": {"name": "my-sdk", "version": "1.0"}, "helper": "Client.wait_for_task",
                    "result_path": "data.result", "capabilities": {"max_concurrency": 0}}

        def connect(self, base_url, api_key, api_secret):
            return my_sdk.Client(api_key, api_secret, base_url=base_url)

        def wait(self, client, task_id, **options):
            return client.wait_for_task(task_id, **options)

        def describe(self, exception):
            if isinstance(exception, my_sdk.TaskError):
                return {"kind": "task", "fields": fields_of(exception, ["task_id", "error_type"])}
            return None

    run(MyAdapter())

The one fact to know: an exception that leaves `wait`, `get_task` or `begin` is reported as what the SDK's
caller saw, so put only the call itself there. An exception anywhere else is an adapter error.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, NamedTuple

__all__ = ["Adapter", "Unsupported", "fields_of", "run", "run_async"]

PROTOCOL = 1
MAX_DEPTH = 200  # levels of one answer, its own object included: the protocol's limit

_Json = dict[str, Any]
_MISSING = object()


class Unsupported(Exception):
    """Raise it in `wait`, `get_task` or `begin` for a call that the SDK's signature cannot express."""


class Adapter:
    """What the kit must know about one SDK. For `run_async` the three calls return awaitables.

    Paths are steps joined by dots, each an attribute or a key; "" is the returned value itself. `hello`
    returns the path to the payload as `result_path`.
    """

    task_path = ""  # path to the task in what `get_task` returns
    task_id_path = ""  # path to the task's id in what `begin` returns

    def hello(self) -> _Json:
        """Return `sdk` (name and version), `helper`, `result_path` and `capabilities`, as on the wire.

        The kit adds the language and the runtime. It can have any number of calls in flight; set
        `max_concurrency` to what the SDK can have (0 = any number; absent = 1). With `run_async` a wait can
        be cancelled; set `cancel` to False if the SDK's can't.
        """
        raise NotImplementedError

    def connect(self, base_url: str, api_key: str, api_secret: str) -> Any:
        """Build a client; a plain function in both kits (`run_async` calls it on the event loop)."""
        raise NotImplementedError

    def wait(self, client: Any, task_id: Any, **options: Any) -> Any:
        """Call the SDK's helper with exactly these options: an option that was not given is absent here."""
        raise NotImplementedError

    def get_task(self, client: Any, task_id: Any) -> Any:
        """Fetch one task: a mapping, or an object with task_id, status, result and error."""
        raise NotImplementedError

    def begin(self, client: Any, operation: str, arguments: _Json) -> Any:
        """Begin one of `capabilities.operations`."""
        raise NotImplementedError

    def describe(self, exception: BaseException) -> _Json | None:
        """Return `kind` and `fields` of an exception that the SDK documents, None for any other.

        The kit fills in `type` and `message` unless they are given. A field's value that JSON cannot
        carry is reported as its `repr`.
        """


def fields_of(exception: BaseException, names: Iterable[str]) -> _Json:
    """Return the named attributes; one that the exception lacks is left out (None and "" are not).

    An attribute that cannot be read, such as a property that raises, is reported as a text that says so.
    """
    values = ((name, _attribute(exception, name)) for name in names)
    return {name: value for name, value in values if value is not _MISSING}


def _attribute(exception: BaseException, name: str) -> Any:
    try:
        return getattr(exception, name, _MISSING)
    except Exception as error:  # noqa: BLE001 - one broken field must not lose the others
        return f"<reading it raised {type(error).__name__}>"


def run(adapter: Adapter) -> None:
    """Serve a blocking SDK: a thread per call. Returns at the end of stdin, when every call is answered.

    Let the program end after it, and call no exit: then a thread that the SDK left behind is found.
    """
    session = _Session(adapter)
    in_flight = set()

    def answer(message: _Json) -> None:
        with session.guarded(message):
            call = session.bind(message)
            session.report(message, _attempt(call))
        in_flight.discard(threading.current_thread())

    def start(message: _Json) -> None:
        thread = threading.Thread(target=answer, args=[message], daemon=False)
        in_flight.add(thread)
        thread.start()

    def cancel(message: _Json) -> None:
        session.send({"id": message["id"], "outcome": "unsupported", "reason": "a thread can't be cancelled"})

    session.read(start, cancel)
    for thread in list(in_flight):
        thread.join()


def run_async(adapter: Adapter) -> None:
    """Serve an SDK of coroutines: every call is a task of one event loop, and only calls run there.

    A thread reads stdin and answers pings, so that a blocked loop cannot pass for a dead process. A call is
    cancelled as its task.
    """
    import asyncio  # noqa: PLC0415 - half of the time that a blocking SDK's adapter would take to start

    asyncio.run(_serve(_Session(adapter, can_cancel=True)))


async def _serve(session: _Session) -> None:
    import asyncio  # noqa: PLC0415 - as above

    loop = asyncio.get_running_loop()
    end_of_input = asyncio.Event()
    in_flight = set()
    tasks: dict[Any, Any] = {}  # by the id of the SDK's call that they are in
    cancelled = set()

    async def answer(message: _Json) -> None:
        with session.guarded(message):
            call = session.bind(message)
            tasks[message["id"]] = asyncio.current_task()
            attempt = await _attempt_async(call)
            del tasks[message["id"]]
            is_cancelled = isinstance(attempt.exception, asyncio.CancelledError)
            session.report(message, attempt, was_cancelled=is_cancelled and message["id"] in cancelled)

    def cancel_now(call_id: Any) -> None:
        if call_id in tasks:
            cancelled.add(call_id)
            tasks[call_id].cancel()

    def cancel(message: _Json) -> None:
        # Not before the call that began in the same turn of the loop has come to its first await.
        loop.call_soon_threadsafe(loop.call_soon, cancel_now, message.get("call"))
        session.send({"id": message["id"], "outcome": "returned"})

    def start(message: _Json) -> None:
        task = loop.create_task(answer(message))
        in_flight.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(in_flight.discard)

    def read() -> None:
        try:
            session.read(lambda message: loop.call_soon_threadsafe(start, message), cancel)
        finally:
            loop.call_soon_threadsafe(end_of_input.set)

    # A daemon: blocked on stdin, it must not keep a process alive whose loop has broken down.
    threading.Thread(target=read, name="stdin", daemon=True).start()
    await end_of_input.wait()
    if in_flight:
        await asyncio.wait(in_flight)


class _Attempt(NamedTuple):
    """The outcome of one call of the SDK; `exception` is None when it returned."""

    returned: Any
    exception: BaseException | None
    elapsed_s: float


def _attempt(call: Callable[[], Any]) -> _Attempt:
    started = time.monotonic()
    try:
        returned = call()
    except BaseException as exception:  # noqa: BLE001 - of any kind: the caller saw it
        return _Attempt(None, exception, time.monotonic() - started)
    return _Attempt(returned, None, time.monotonic() - started)


async def _attempt_async(call: Callable[[], Any]) -> _Attempt:
    started = time.monotonic()
    try:
        returned = await call()
    except BaseException as exception:  # noqa: BLE001 - of any kind: the caller saw it
        return _Attempt(None, exception, time.monotonic() - started)
    return _Attempt(returned, None, time.monotonic() - started)


class _AdapterError(Exception):
    """The call cannot be made, and the SDK is not the reason."""


class _Session:
    """The protocol without a way of running calls: reads lines, finds clients, builds and writes answers."""

    def __init__(self, adapter: Adapter, *, can_cancel: bool = False) -> None:
        self._adapter = adapter
        self._can_cancel = can_cancel
        self._input, self._output = _take_stdin_and_stdout()
        self._write_lock = threading.Lock()
        self._client_lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._connection: _Json | None = None
        self._result_path = ""
        self._operations: Iterable[str] = ()

    def read(self, start: Callable[[_Json], object], cancel: Callable[[_Json], object]) -> None:
        """Hand every call to `start` or `cancel`, answer the rest here, and return at the end of stdin."""
        for message in self._messages():
            op = message.get("op")
            if op == "hello":
                self._greet(message)
            elif "id" not in message:
                _log(f"a call without an id: {message!r}")
            elif op == "ping":
                self.send({"id": message["id"], "outcome": "returned"})
            elif op == "cancel":
                cancel(message)
            else:
                with self.guarded(message):
                    start(message)

    @contextmanager
    def guarded(self, message: _Json) -> Iterator[None]:
        """Make an exception outside of the SDK's call the call's answer: an adapter error."""
        try:
            yield
        except _AdapterError as error:
            self._fail(message, str(error))
        except Exception as error:  # noqa: BLE001 - of any kind: the harness waits for an answer
            import traceback  # noqa: PLC0415 - as with asyncio, an adapter without it starts sooner

            traceback.print_exc()
            self._fail(message, f"{type(error).__name__}: {_text_of(error)}")

    def bind(self, message: _Json) -> Callable[[], Any]:
        """Return the call of the SDK, ready to be made: its client is built by now."""
        adapter, op = self._adapter, message.get("op")
        if op not in ("wait", "get_task", "begin"):
            raise _AdapterError(f"unknown op {op!r}")
        if getattr(type(adapter), op) is getattr(Adapter, op):
            raise _AdapterError(f"{type(adapter).__name__} has no {op}, and hello did not say so")
        if op == "begin":
            operation, arguments = _member(message, "operation"), _object(message, "arguments")
            if operation not in self._operations:
                raise _AdapterError(f"unknown operation {operation!r}")
            client = self._client(message)
            return lambda: adapter.begin(client, operation, arguments)
        task_id = _member(message, "task_id")
        client = self._client(message)
        if op == "get_task":
            return lambda: adapter.get_task(client, task_id)
        options = _object(message, "options") if message.get("options") is not None else {}
        return lambda: adapter.wait(client, task_id, **options)

    def report(self, message: _Json, attempt: _Attempt, *, was_cancelled: bool = False) -> None:
        """Write the answer of a call that was made."""
        answer: _Json = {"id": message["id"]}
        if isinstance(attempt.exception, Unsupported):
            answer.update(outcome="unsupported", reason=_text_of(attempt.exception))
        elif was_cancelled:
            answer.update(outcome="cancelled")
        elif attempt.exception is not None:
            answer.update(outcome="raised", exception=self._describe(attempt.exception))
        else:
            answer.update(outcome="returned", **self._payload(message["op"], attempt.returned))
        if message["op"] == "wait" and not isinstance(attempt.exception, Unsupported):
            answer["elapsed"] = round(attempt.elapsed_s, 6)
        self.send(answer)

    def send(self, answer: _Json) -> None:
        """Write one line. ASCII with escapes: a lone surrogate has no UTF-8."""
        line = json.dumps(answer, ensure_ascii=True, allow_nan=False).encode("ascii") + b"\n"
        with self._write_lock:
            self._output.write(line)
            self._output.flush()

    def _fail(self, message: _Json, text: str) -> None:
        self.send({"id": message["id"], "outcome": "adapter_error", "message": text})

    def _messages(self) -> Iterator[_Json]:
        for line in self._input:
            if not line.strip():
                continue
            try:
                message = json.loads(line.decode("utf-8"))
            except (ValueError, RecursionError) as error:
                _log(f"a line that is not JSON ({error}): {line[:200]!r}")
                continue
            if isinstance(message, dict):
                yield message
            else:
                _log(f"a line that is not an object: {line[:200]!r}")

    def _greet(self, message: _Json) -> None:
        connection = {name: message.get(name) for name in ("base_url", "api_key", "api_secret")}
        for name, value in connection.items():
            if not isinstance(value, str):
                _log(f"a hello without a text as its '{name}'")
                return
        self._connection = connection
        hello = self._adapter.hello()
        runtime = f"{platform.python_implementation()} {platform.python_version()}"
        hello["sdk"] = {"language": "python", "runtime": runtime, **hello["sdk"]}
        self._result_path = hello.setdefault("result_path", "")
        capabilities = hello["capabilities"] = {"end": True, **hello.get("capabilities", {})}
        self._operations = capabilities.get("operations", ())
        if self._can_cancel:
            capabilities.setdefault("cancel", True)
        self.send({"op": "hello", "protocol": PROTOCOL, **hello})

    def _client(self, message: _Json) -> Any:
        name = message.get("client", "default")
        with self._client_lock:
            if name not in self._clients:
                if self._connection is None:
                    raise _AdapterError("a call before hello")
                self._clients[name] = self._adapter.connect(**self._connection)
            return self._clients[name]

    def _payload(self, op: str, returned: Any) -> _Json:
        """Return the answer's key for what was returned, or `unencodable` and the reason."""
        try:
            if op == "wait":
                return {"result": _plain(_reach(returned, self._result_path), "", 1)}
            if op == "get_task":
                return {"task": _plain(_task_fields(_reach(returned, self._adapter.task_path)), "", 1)}
            return {"task_id": _plain(_reach(returned, self._adapter.task_id_path), "", 1)}
        except _UnencodableError as reason:
            return {"unencodable": str(reason)}

    def _describe(self, exception: BaseException) -> _Json:
        described = self._look(exception)
        return {**described, "cause": _cause_of(exception), "copies": self._copies(exception, described)}

    def _look(self, exception: BaseException) -> _Json:
        name, text = type(exception).__name__, _text_of(exception)
        known = {"kind": "other", "type": name, "message": text, "fields": {}}
        described = {**known, **(self._adapter.describe(exception) or {})}
        described["fields"] = {name: _plain_field(value) for name, value in described["fields"].items()}
        return described

    def _copies(self, exception: BaseException, described: _Json) -> _Json:
        """Return for each way to copy an exception True, or what went wrong or is different."""
        import copy  # noqa: PLC0415 - as above
        import pickle  # noqa: PLC0415
        import re  # noqa: PLC0415

        def plain(value: Any) -> str:  # an object's address says nothing about it
            return re.sub(r"\b0x[0-9a-fA-F]+", "0x…", repr(value))

        def came_of(copied: Callable[[], BaseException]) -> bool | str:
            try:
                seen = self._look(copied())
            except BaseException as error:  # noqa: BLE001 - whatever the SDK's class makes of it
                return f"{type(error).__name__}: {_text_of(error)}"
            differs = (name for name in described if plain(seen.get(name)) != plain(described[name]))
            name = next(differs, None)
            return f"{name} was {described[name]!r}, and is {seen.get(name)!r} in the copy" if name else True

        return {
            "pickle": came_of(lambda: pickle.loads(pickle.dumps(exception))),  # noqa: S301 - our own
            "copy": came_of(lambda: copy.copy(exception)),
        }


def _member(message: _Json, name: str) -> Any:
    if name not in message:
        raise _AdapterError(f"the call has no '{name}'")
    return message[name]


def _object(message: _Json, name: str) -> _Json:
    value = _member(message, name)
    if not isinstance(value, dict):
        raise _AdapterError(f"the call's '{name}' are not an object")
    return value


def _text_of(exception: BaseException) -> str:
    try:
        return str(exception)
    except BaseException:  # noqa: BLE001 - a message that cannot be read must not hide its exception
        return "<exception str() failed>"  # what Python itself prints for it


def _cause_of(exception: BaseException) -> str:
    """Return the type of the exception that Python shows above this one, "" where there is none."""
    cause = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)
    return "" if cause is None else type(cause).__name__


class _UnencodableError(Exception):
    """A value that JSON cannot carry, and its place."""


def _reach(returned: Any, path: str) -> Any:
    """Follow a path as the SDK's caller would; a step that leads nowhere is reported."""
    value = returned
    for step in path.split(".") if path else ():
        try:
            below = value.get(step, _MISSING) if isinstance(value, dict) else getattr(value, step, _MISSING)
        except Exception as error:
            what = f"reading {step!r} raised {type(error).__name__}"
            raise _UnencodableError(f"nothing at {path}: {what}") from error
        if below is _MISSING:
            raise _UnencodableError(f"nothing at {path}: {type(value).__name__} has no {step!r}")
        value = below
    return value


def _task_fields(task: Any) -> Any:
    """Return the four fields of a task, those that it has."""
    if isinstance(task, dict):
        return task
    try:
        names = ("task_id", "status", "result", "error")
        return {name: getattr(task, name) for name in names if hasattr(task, name)}
    except Exception as error:
        raise _UnencodableError(_at("", f"a task that raises {type(error).__name__}")) from error


def _plain_field(value: Any) -> Any:
    try:
        return _plain(value, "", 3)
    except _UnencodableError as reason:
        try:
            return repr(value)
        except BaseException:  # noqa: BLE001 - one broken field must not lose the others
            return f"<{reason}>"


def _plain(value: Any, path: str, depth: int) -> Any:
    """Return a value as JSON's types; `depth` is the number of the answer's levels around it.

    A dataclass is written by its own `to_dict` where it has one, a named tuple by its names.

    Raises:
        _UnencodableError: With what JSON cannot carry and its path, such as "NaN at a.b[0]".
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return _plain_number(value, path)
    if depth >= MAX_DEPTH:
        raise _UnencodableError("nested too deeply, or within itself")
    try:
        items = _items(value)
    except Exception as error:
        raise _UnencodableError(_at(path, f"a value that raises {type(error).__name__}")) from error
    if isinstance(items, list):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(items)]
    if not isinstance(items, dict):
        raise _UnencodableError(_at(path, type(value).__name__))
    for key in items:
        if not isinstance(key, str):
            raise _UnencodableError(_at(path, f"{type(key).__name__} as a key"))
    return {key: _plain(item, f"{path}.{key}" if path else key, depth + 1) for key, item in items.items()}


def _items(value: Any) -> Any:
    """Return what a value holds as a plain list or dict; anything else is not JSON."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, (list, tuple)):
        return list(value)
    if hasattr(type(value), "__dataclass_fields__"):
        if hasattr(value, "to_dict"):
            return value.to_dict()
        import dataclasses  # noqa: PLC0415 - slow to import; here the SDK has imported it already

        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return dict(value.items()) if isinstance(value, dict) else value


def _plain_number(value: Any, path: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise _UnencodableError(_at(path, json.dumps(float(value))))
    try:
        json.dumps(value)
    except ValueError as error:  # an int with more digits than Python is willing to write
        raise _UnencodableError(_at(path, "an int too long to write")) from error
    return value


def _at(path: str, what: str) -> str:
    return f"{what} at {path}" if path else f"{what} at the top"


def _take_stdin_and_stdout() -> tuple[BinaryIO, BinaryIO]:
    """Return the protocol's two streams, and leave the SDK an empty stdin and a stdout that is stderr.

    The descriptors themselves are moved, so that neither `print`, a C library nor a child process can
    write between the lines of the protocol or read one of them.
    """
    sys.stdout.flush()
    lines_in, lines_out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return lines_in, lines_out


def _log(text: str) -> None:
    print(f"waitproof kit: {text}", file=sys.stderr, flush=True)
