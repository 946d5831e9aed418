"""The Node kit, driven as the harness drives it: a process, lines in, lines out. It needs Node.js, no SDK."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit_process import LIMIT_S, Json, KitProcess

KIT = Path(__file__).parents[2] / "adapters" / "kits" / "node"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None, reason="the Node kit needs Node.js 18 or later: no node on PATH"
)

# An adapter of an SDK that does no network: what a call comes to is in its task id. So that tests order calls
# by events and not by sleeping, a task named "gate:…" waits until the operation "open" opens it.
FAKE_ADAPTER = r"""
import { Unsupported, run } from './kit.mjs';

console.log('printed while the SDK is loaded');

class TaskFailed extends Error {
  constructor(fields) {
    super('the task failed');
    this.fields = fields;
  }
}

class Model {
  constructor() {
    this.type = 'a';
    this.absent = undefined;
  }
}

const within = {};
within.self = within;

const PAYLOADS = {
  nan: { a: { b: [1, NaN] } },
  infinity: -Infinity,
  date: { a: [new Date(0)] },
  map: { a: new Map() },
  bytes: Buffer.from('x'),
  function: { a: () => 1 },
  symbol: [Symbol('s')],
  hole: [undefined],
  nothing: undefined,
  loop: within,
  null: null,
  model: new Model(),
  digits: [10n ** 40n, 2 ** 53 - 1, -0.5, 1e300],
  surrogate: { '\udfff': '\ud800 and é\u2028' },
  proto: JSON.parse('{"__proto__": 1}'),
};

const ERRORS = {
  fails: new TaskFailed({ task_id: '1', description: '', stack_trace: null, version: undefined }),
  'fails-oddly': new TaskFailed({ a: NaN, b: new Date(0) }),
  other: new RangeError('no \udfff divisor'),
  text: 'just text',
  undefined,
  bare: Object.create(null),
  unsupported: new Unsupported('no overload with the interval alone'),
  undescribable: new SyntaxError('describe breaks on this one'),
};

const gates = new Map();
function gate(name) {
  if (!gates.has(name)) {
    const opened = {};
    opened.promise = new Promise((resolve) => (opened.open = resolve));
    gates.set(name, opened);
  }
  return gates.get(name);
}

let built = 0;

const adapter = {
  sdk: { name: 'fake', version: '1.2.3' },
  helper: 'Fake.wait',
  resultPath: 'data.result',
  capabilities: { non_blocking: true },

  async connect(url, key, secret) {
    process.stdout.write('a client is built\n');
    if (key === 'refused') throw new Error('this key builds no client');
    await null; // a client that takes its time is still one client
    built += 1;
    return { number: built, url, key, secret };
  },

  wait(client, taskId, options) {
    if (String(taskId).startsWith('gate:')) return gate(taskId).promise;
    if (taskId in ERRORS) throw ERRORS[taskId]; // at once: not every helper is an async function
    if (taskId in PAYLOADS) return PAYLOADS[taskId];
    return { taskId, options, client };
  },

  async getTask(client, taskId) {
    const { [taskId]: result = null } = PAYLOADS;
    return { task_id: taskId, status: 'failed', result, error: new Model(), created_at: new Date(0) };
  },

  operations: {
    open(client, { gate: name }) {
      gate(name).open(null);
      return name;
    },
  },

  describe(error) {
    if (error instanceof SyntaxError) throw new Error('describe is broken');
    return error instanceof TaskFailed && { kind: 'task', fields: error.fields };
  },
};

if (process.argv[2] === 'bare') {
  run({ sdk: adapter.sdk, helper: '', connect: adapter.connect, capabilities: { timeout_resolution: 1 } });
} else {
  setInterval(() => {}, 1000); // what an SDK leaves open
  run(adapter);
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake-adapter")
    shutil.copy(KIT / "kit.mjs", folder)
    (folder / "adapter.mjs").write_text(FAKE_ADAPTER, encoding="utf-8")
    return folder / "adapter.mjs"


@pytest.fixture(scope="module")
def shared(program: Path) -> Iterator[KitProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    adapter = KitProcess("node", program)
    adapter.write(HELLO)
    adapter.read()
    yield adapter
    adapter.close()


@pytest.fixture
def fresh(program: Path) -> Iterator[KitProcess]:
    adapter = KitProcess("node", program)
    yield adapter
    adapter.close()


def test_hello_names_the_protocol_the_sdk_and_the_runtime(fresh: KitProcess) -> None:
    fresh.write(HELLO)

    hello = fresh.read()

    assert hello["sdk"].pop("runtime").startswith("Node.js ")
    assert hello == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": "javascript"},
        "helper": "Fake.wait",
        "result_path": "data.result",
        "capabilities": {
            "wait": True,
            "get_task": True,
            "operations": ["open"],
            "max_concurrency": 0,
            "non_blocking": True,
        },
    }


def test_what_an_adapter_leaves_out_the_sdk_does_not_have(program: Path) -> None:
    adapter = KitProcess("node", program, "bare")
    try:
        adapter.write(HELLO)

        assert adapter.read()["capabilities"] == {
            "wait": False,
            "get_task": False,
            "operations": [],
            "max_concurrency": 0,
            "timeout_resolution": 1,
        }
        assert adapter.ask(op="wait", task_id="x") == {
            "outcome": "adapter_error",
            "message": "unknown op 'wait'",
        }
    finally:
        adapter.close()


def test_a_call_before_hello_is_an_adapter_error(fresh: KitProcess) -> None:
    assert fresh.ask(op="wait", task_id="x") == {"outcome": "adapter_error", "message": "a call before hello"}


@pytest.mark.parametrize(
    "options", [{}, {"timeout": 2}, {"poll_interval": 0.2}, {"poll_interval": 1, "timeout": 2.5}]
)
def test_exactly_the_options_that_were_given_reach_the_helper(shared: KitProcess, options: Json) -> None:
    answer = shared.ask(op="wait", task_id="x", options=options)

    assert answer["result"]["options"] == options


@pytest.mark.parametrize("task_id", ["17", 17, "a/b ?#%é\u2028\ud800"])
def test_a_task_id_reaches_the_helper_as_it_is(shared: KitProcess, task_id: str | int) -> None:
    answer = shared.ask(op="wait", task_id=task_id)

    assert answer["result"]["taskId"] == task_id


def test_a_line_may_hold_what_other_readers_take_for_its_end(shared: KitProcess) -> None:
    shared.write('{"id": "1", "op": "wait", "task_id": "a\u2028b\u0085c"}\r'.encode())

    assert shared.read()["result"]["taskId"] == "a\u2028b\u0085c"


def test_two_waits_in_flight_are_answered_in_the_order_in_which_they_end(shared: KitProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "gate:one"}, {"id": "2", "op": "wait", "task_id": "gate:two"}
    )

    shared.write({"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:two"}})
    first = {answer["id"]: answer for answer in (shared.read(), shared.read())}
    shared.write({"id": "4", "op": "begin", "operation": "open", "arguments": {"gate": "gate:one"}})
    second = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert first.keys() == {"2", "3"}
    assert first["3"] == {"id": "3", "outcome": "returned", "task_id": "gate:two"}
    assert second.keys() == {"1", "4"}
    # Whichever began first: one may have begun only when its gate was open already.
    assert min(first["2"]["elapsed"], second["1"]["elapsed"]) >= 0


def test_a_ping_is_answered_while_a_wait_is_in_flight(shared: KitProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "gate:ping"}, {"id": "2", "op": "ping"})

    assert shared.read() == {"id": "2", "outcome": "returned"}
    shared.write({"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:ping"}})
    assert {shared.read()["id"], shared.read()["id"]} == {"1", "3"}


def test_calls_with_one_name_share_a_client_and_an_absent_name_is_default(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    names = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]

    numbers = [fresh.ask(op="wait", task_id="x", **name)["result"]["client"]["number"] for name in names]

    assert numbers == [1, 2, 1, 3, 3]


def test_calls_at_once_build_one_client(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "x"} for n in range(50)))

    answers = [fresh.read() for _ in range(50)]
    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    assert {answer["id"]: answer["result"]["client"] for answer in answers} == {
        str(n): only for n in range(50)
    }


def test_a_client_that_cannot_be_built_is_an_adapter_error(fresh: KitProcess) -> None:
    fresh.write({**HELLO, "api_key": "refused"})
    fresh.read()

    answer = fresh.ask(op="wait", task_id="x")

    assert answer == {"outcome": "adapter_error", "message": "this key builds no client"}


@pytest.mark.parametrize(
    ("task_id", "exception"),
    [
        (
            "fails",
            {
                "kind": "task",
                "type": "TaskFailed",
                "message": "the task failed",
                "fields": {"task_id": "1", "description": "", "stack_trace": None},
            },
        ),
        (
            "fails-oddly",
            {
                "kind": "task",
                "type": "TaskFailed",
                "message": "the task failed",
                "fields": {"a": "NaN", "b": "1970-01-01T00:00:00.000Z"},
            },
        ),
        ("other", {"kind": "other", "type": "RangeError", "message": "no \udfff divisor", "fields": {}}),
        ("text", {"kind": "other", "type": "String", "message": "just text", "fields": {}}),
        ("undefined", {"kind": "other", "type": "undefined", "message": "undefined", "fields": {}}),
        ("bare", {"kind": "other", "type": "object", "message": "<it has no text>", "fields": {}}),
    ],
)
def test_whatever_the_sdk_raises_is_what_its_caller_saw(
    shared: KitProcess, task_id: str, exception: Json
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "raised", "exception": exception}


def test_a_wait_that_raised_has_its_elapsed_time(shared: KitProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "fails"})

    assert 0 <= shared.read()["elapsed"] < LIMIT_S


def test_what_a_signature_cannot_express_is_unsupported(shared: KitProcess) -> None:
    answer = shared.ask(op="wait", task_id="unsupported")

    assert answer == {"outcome": "unsupported", "reason": "no overload with the interval alone"}


@pytest.mark.parametrize(
    ("task_id", "reason"),
    [
        ("nan", "NaN at a.b[1]"),
        ("infinity", "-Infinity at the top"),
        ("date", "Date at a[0]"),
        ("map", "Map at a"),
        ("bytes", "Buffer at the top"),
        ("function", "function at a"),
        ("symbol", "symbol at [0]"),
        ("hole", "undefined at [0]"),
        ("nothing", "undefined at the top"),
        ("loop", "nested too deeply, or within itself"),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_place(
    shared: KitProcess, task_id: str, reason: str
) -> None:
    answer = shared.ask(op="wait", task_id=task_id)

    assert answer == {"outcome": "returned", "unencodable": reason}


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("null", None),
        ("model", {"type": "a"}),
        ("digits", [10**40, 2**53 - 1, -0.5, 1e300]),
        ("surrogate", {"\udfff": "\ud800 and é\u2028"}),
        ("proto", {"__proto__": 1}),
    ],
)
def test_what_json_can_carry_comes_through_exactly(shared: KitProcess, task_id: str, result: Any) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_a_task_has_its_four_fields(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="t")

    task = {"task_id": "t", "status": "failed", "result": None, "error": {"type": "a"}}
    assert answer == {"outcome": "returned", "task": task}


def test_a_task_that_json_cannot_carry_is_named_with_its_place(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="nan")

    assert answer == {"outcome": "returned", "unencodable": "NaN at result.a.b[1]"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, "unknown op 'sing'"),
        ({"op": "begin", "operation": "fly", "arguments": {}}, "unknown operation 'fly'"),
        ({"op": "begin", "operation": "toString", "arguments": {}}, "unknown operation 'toString'"),
        ({"op": "wait"}, "the call has no task_id"),
        ({"op": "wait", "task_id": "undescribable"}, "describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(shared: KitProcess, call: Json, text: str) -> None:
    assert shared.ask(**call) == {"outcome": "adapter_error", "message": text}


def test_what_the_sdk_prints_goes_to_stderr(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    assert fresh.ask(op="wait", task_id="null") == {"outcome": "returned", "result": None}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr.splitlines() == [b"printed while the SDK is loaded", b"a client is built"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"id": "1",', "a line that is no message ("),
        (b'{"id": "\xff"}', "a line that is no message (The encoded data was not valid"),
        (b"[1]", "a line that is no message (it is no object): '[1]'"),
        (b'{"op": "wait"}', """a call without an id: '{"op": "wait"}'"""),
    ],
)
def test_a_broken_line_is_told_on_stderr_and_the_next_is_served(
    fresh: KitProcess, line: bytes, text: str
) -> None:
    fresh.write(HELLO, line, b"", {"id": "2", "op": "ping"})

    assert fresh.read()["op"] == "hello"
    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    assert f"\nwaitproof kit: {text}" in fresh.stderr.decode()


def test_at_the_end_of_stdin_what_is_in_flight_is_finished_first(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    fresh.write(
        {"id": "1", "op": "wait", "task_id": "gate:end"},
        {"id": "2", "op": "wait", "task_id": "gate:end"},
        {"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:end"}},
    )

    code = fresh.end()

    assert code == 0
    assert sorted(fresh.read()["id"] for _ in range(3)) == ["1", "2", "3"]
    assert fresh.lines.get(timeout=LIMIT_S) is None


def test_without_a_line_the_adapter_ends_at_once(fresh: KitProcess) -> None:
    assert fresh.end() == 0
    assert fresh.stderr == b"printed while the SDK is loaded\n"


def test_the_folder_to_copy_is_an_adapter_that_works() -> None:
    adapter = KitProcess("node", KIT / "adapter.mjs")
    try:
        adapter.write({**HELLO, "base_url": "http://127.0.0.1:2"})  # a port on which nothing listens

        assert adapter.read()["helper"] == "TaskClient.waitForTask"
        exception = adapter.ask(op="wait", task_id="x")["exception"]
        assert exception["kind"] == "transport"
        assert exception["fields"] == {"error_type": "connection"}
        assert adapter.end() == 0
    finally:
        adapter.close()


def test_every_file_is_a_module_that_node_can_read() -> None:
    files = [*KIT.glob("*.mjs"), KIT.parents[1] / "getstream-node" / "adapter.mjs"]

    for file in files:
        subprocess.run(["node", "--check", file], check=True)
