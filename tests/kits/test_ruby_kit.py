"""The Ruby kit, driven as the harness drives it: a process, lines in, lines out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_process import LIMIT_S, Json, KitProcess

KIT = Path(__file__).parents[2] / "adapters" / "kits" / "ruby" / "kit.rb"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}
RUBY = shutil.which("ruby")

pytestmark = pytest.mark.skipif(RUBY is None, reason="ruby is not on PATH: install Ruby 2.7 or later")

# An adapter of an SDK that does no network: what a call comes to is in its task id. So that tests order calls
# by events and not by sleeping, a task named `gate:…` waits until the operation `open` opens it.
FAKE = r"""# frozen_string_literal: true
require ENV.fetch('KIT')
require 'logger'

class TaskFailed < StandardError
  attr_reader :task_id, :description, :stack_trace, :version

  def initialize
    super("not \xff UTF-8")
    @task_id = 'seven'
    @description = ''
    @version = Float::NAN
  end
end

class Unreadable < StandardError
  def message
    raise 'no text'
  end
end

Wrapped = Struct.new(:kind, :inner)
Task = Struct.new(:task_id, :status)

class FakeAdapter < WaitproofKit::Adapter
  LOOP = {}
  LOOP[:self] = LOOP
  PAYLOADS = {
    'nan' => { a: { 'b' => [1, Float::NAN] } },
    'infinity' => -Float::INFINITY,
    'time' => { a: [Time.at(0)] },
    'latin-1' => { a: "\xe9".dup.force_encoding('ISO-8859-1') },
    'bytes' => { a: "\xc3\xa9".b },
    'bad' => { a: "\xff" },
    'surrogate' => "\xed\xa0\x80",
    'key' => { a: { 1 => 'x' } },
    'loop' => LOOP,
    'empty' => { object: {}, list: [] },
    'numbers' => [0.1, 1.0, 1e-7, 1.5e300, 10**30],
    'object' => Wrapped.new('a', Wrapped.new(:b, nil)),
    'null' => nil
  }.freeze

  def initialize
    super
    @built = 0
    @gates = Hash.new { |gates, name| gates[name] = Queue.new }
  end

  def hello
    { sdk: { name: 'fake', version: '1.2.3' }, helper: 'Fake#wait', result_path: 'data.result',
      capabilities: { max_concurrency: 0, operations: ['open'] } }
  end

  def connect(base_url:, api_key:, api_secret:)
    puts 'printed'
    STDOUT.write("{\"written\": 1}\n")
    system('echo "{by a child}"')
    raise 'this key builds no client' if api_key == 'refused'

    sleep 0.01 # a thread that looks now must not build another
    { number: @built += 1, url: base_url, key: api_key, secret: api_secret }
  end

  def wait(client, task_id, **options)
    case task_id
    when /\Agate:/ then @gates[task_id].pop
    when 'fails' then raise TaskFailed
    when 'unreadable' then raise Unreadable
    when 'language-error' then 1 / 0
    when 'exit' then exit(3)
    when 'throw' then throw :nowhere
    when 'unsupported' then raise WaitproofKit::Unsupported, 'no overload with the interval alone'
    when 'undescribable' then raise KeyError, 'describe breaks on this one'
    when 'nothing' then return nil
    when 'stdin' then return { data: { result: $stdin.read } }
    when 'sleeps' then sleep 0.03
    end
    payload = { task_id: task_id, options: options, client: client }
    { data: { 'result' => PAYLOADS.fetch(task_id, payload) } }
  end

  def get_task(_client, task_id)
    Task.new(task_id, 'running')
  end

  def begin_operation(_client, _operation, gate:)
    @gates[gate] << true
    { id: gate }
  end

  def read_task_id(returned)
    returned[:id]
  end

  def describe(error)
    case error
    when TaskFailed
      names = %i[task_id error_type description stack_trace version]
      { kind: 'task', fields: WaitproofKit.fields_of(error, *names) }
    when KeyError then raise 'describe is broken'
    end
  end
end

WaitproofKit.run(FakeAdapter.new)
"""


class AdapterProcess(KitProcess):
    """A running fake adapter: writes lines, and reads answers in the order in which they came."""

    ensure_ascii = False

    def __init__(self, fake: Path) -> None:
        assert RUBY is not None
        # --disable-gems: without them, so a kit that needs more than the standard library does not start.
        super().__init__(
            RUBY,
            "--disable-gems",
            str(fake),
            env={"KIT": str(KIT), "PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C"},
        )


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ruby") / "fake.rb"
    path.write_text(FAKE)
    return path


@pytest.fixture(scope="module")
def shared(fake: Path) -> Iterator[AdapterProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    adapter = AdapterProcess(fake)
    adapter.write(HELLO)
    adapter.read()
    yield adapter
    adapter.close()


@pytest.fixture
def fresh(fake: Path) -> Iterator[AdapterProcess]:
    adapter = AdapterProcess(fake)
    yield adapter
    adapter.close()


def test_hello_names_the_protocol_the_sdk_and_the_runtime(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)

    hello = fresh.read()
    assert hello["sdk"].pop("runtime").startswith("ruby ")
    assert hello == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": "ruby"},
        "helper": "Fake#wait",
        "result_path": "data.result",
        "capabilities": {"max_concurrency": 0, "operations": ["open"]},
    }


def test_without_a_line_the_adapter_ends_at_once(fresh: AdapterProcess) -> None:
    assert fresh.end() == 0
    assert fresh.stderr == b""


def test_a_call_before_hello_is_an_adapter_error(fresh: AdapterProcess) -> None:
    assert fresh.ask(op="wait", task_id="x") == {"outcome": "adapter_error", "message": "a call before hello"}


@pytest.mark.parametrize(
    "options", [{}, {"timeout": 2}, {"poll_interval": 0.2}, {"poll_interval": 1, "timeout": 2.5}]
)
def test_exactly_the_options_that_were_given_reach_the_helper(shared: AdapterProcess, options: Json) -> None:
    answer = shared.ask(op="wait", task_id="x", options=options)

    assert answer["result"]["options"] == options


@pytest.mark.parametrize("task_id", ["17", 17, "a/b ?#%é", 10**30])
def test_a_task_id_reaches_the_helper_as_it_is(shared: AdapterProcess, task_id: str | int) -> None:
    answer = shared.ask(op="wait", task_id=task_id, options={})

    assert answer["result"]["task_id"] == task_id


def test_two_waits_in_flight_are_answered_in_the_order_in_which_they_end(shared: AdapterProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "gate:one"},
        {"id": "2", "op": "wait", "task_id": "gate:two"},
        {"id": "ping", "op": "ping"},
    )
    pong = shared.read()

    shared.write({"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:two"}})
    first = {answer["id"]: answer for answer in (shared.read(), shared.read())}
    shared.write({"id": "4", "op": "begin", "operation": "open", "arguments": {"gate": "gate:one"}})
    second = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert pong == {"id": "ping", "outcome": "returned"}
    assert first.keys() == {"2", "3"}
    assert first["3"] == {"id": "3", "outcome": "returned", "task_id": "gate:two"}
    assert second.keys() == {"1", "4"}
    # Whichever began first: one may have begun only when its gate was open already.
    assert min(first["2"]["elapsed"], second["1"]["elapsed"]) >= 0


def test_calls_with_one_name_share_a_client_and_an_absent_name_is_default(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    names = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]

    numbers = [fresh.ask(op="wait", task_id="x", **name)["result"]["client"]["number"] for name in names]

    assert numbers == [1, 2, 1, 3, 3]


def test_calls_at_once_build_one_client(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "x"} for n in range(50)))

    answers = [fresh.read() for _ in range(50)]
    clients = {answer["id"]: answer["result"]["client"] for answer in answers}
    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    assert clients == {str(n): only for n in range(50)}


def test_a_client_that_cannot_be_built_is_an_adapter_error(fresh: AdapterProcess) -> None:
    fresh.write({**HELLO, "api_key": "refused"})
    fresh.read()

    answer = fresh.ask(op="wait", task_id="x")

    assert answer == {"outcome": "adapter_error", "message": "RuntimeError: this key builds no client"}


@pytest.mark.parametrize(
    ("task_id", "kind", "name", "message"),
    [
        ("fails", "task", "TaskFailed", "not � UTF-8"),
        ("language-error", "other", "ZeroDivisionError", "divided by 0"),
        ("unreadable", "other", "Unreadable", "<Unreadable#message failed>"),
        ("exit", "other", "SystemExit", "exit"),
        ("throw", "other", "UncaughtThrowError", "uncaught throw :nowhere"),
    ],
)
def test_whatever_the_sdk_raises_is_what_its_caller_saw(
    shared: AdapterProcess, task_id: str, kind: str, name: str, message: str
) -> None:
    answer = shared.ask(op="wait", task_id=task_id)

    of_the_task = {"task_id": "seven", "description": "", "stack_trace": None, "version": "NaN"}
    fields = of_the_task if kind == "task" else {}
    exception = {"kind": kind, "type": name, "message": message, "fields": fields}
    assert answer == {"outcome": "raised", "exception": exception}


def test_the_elapsed_time_lies_around_the_helper(shared: AdapterProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "sleeps"})

    assert 0.03 <= shared.read()["elapsed"] < LIMIT_S


def test_what_a_signature_cannot_express_is_unsupported(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="unsupported")

    assert answer == {"outcome": "unsupported", "reason": "no overload with the interval alone"}


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("empty", {"object": {}, "list": []}),
        ("numbers", [0.1, 1.0, 1e-7, 1.5e300, 10**30]),
        ("object", {"kind": "a", "inner": {"kind": "b", "inner": None}}),
        ("latin-1", {"a": "é"}),
        ("bytes", {"a": "é"}),
        ("null", None),
        ("stdin", ""),
    ],
)
def test_a_payload_is_reported_as_the_caller_has_it(
    shared: AdapterProcess, task_id: str, result: object
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


@pytest.mark.parametrize(
    ("task_id", "reason"),
    [
        ("nan", "NaN at a.b[1]"),
        ("infinity", "-Infinity at the top"),
        ("time", "Time at a[0]"),
        ("bad", "a text that is not UTF-8 at a"),
        ("surrogate", "a text that is not UTF-8 at the top"),
        ("key", "Integer as a key at a"),
        ("loop", "nested too deeply, or within itself"),
        ("nothing", 'nothing at data.result: NilClass has no "data"'),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_place(
    shared: AdapterProcess, task_id: str, reason: str
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "unencodable": reason}


def test_a_task_is_reported_by_the_fields_that_it_has(shared: AdapterProcess) -> None:
    answer = shared.ask(op="get_task", task_id="t")

    assert answer == {"outcome": "returned", "task": {"task_id": "t", "status": "running"}}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, 'unknown op "sing"'),
        ({"op": "begin", "operation": "fly", "arguments": {}}, 'unknown operation "fly"'),
        ({"op": "wait"}, "the call has no 'task_id'"),
        ({"op": "wait", "task_id": "undescribable"}, "RuntimeError: describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(
    shared: AdapterProcess, call: Json, text: str
) -> None:
    assert shared.ask(**call) == {"outcome": "adapter_error", "message": text}


def test_what_the_sdk_prints_goes_to_stderr(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    assert fresh.ask(op="wait", task_id="null") == {"outcome": "returned", "result": None}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr.splitlines() == [b"printed", b'{"written": 1}', b"{by a child}"]


def test_a_broken_line_is_told_on_stderr_and_the_next_is_served(fresh: AdapterProcess) -> None:
    broken = [b'{"id": "1",', b'{"id": "\xff"}', b"[1]", b'{"op": "wait"}', b""]
    fresh.write(HELLO, *broken, {"id": "2", "op": "ping"})

    assert fresh.read()["op"] == "hello"
    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    told = [line.split(b": ")[1] for line in fresh.stderr.splitlines() if line.startswith(b"waitproof_kit")]
    # Versions of Ruby's parser differ on the second: it is no JSON, or has an id that is no text.
    assert [told[0].split(b" (")[0], *told[2:]] == [
        b"a line that is not JSON",
        b"a line that is not an object",
        b"a call without an id",
    ]


def test_a_lone_surrogate_kills_nothing_whatever_the_parser_makes_of_it(fresh: AdapterProcess) -> None:
    lone = rb'{"id": "\ud800 alone", "op": "ping"}'

    fresh.write(HELLO, lone, {"id": "2", "op": "ping"})

    assert fresh.end() == 0
    answers = [json.loads(line) for line in iter(fresh.lines.get, None)]
    assert answers[-1] == {"id": "2", "outcome": "returned"}


def test_at_the_end_of_stdin_what_is_in_flight_is_finished_first(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    fresh.write(
        {"id": "1", "op": "wait", "task_id": "gate:end"},
        {"id": "2", "op": "begin", "operation": "open", "arguments": {"gate": "gate:end"}},
    )

    code = fresh.end()

    assert code == 0
    assert sorted(fresh.read()["id"] for _ in range(2)) == ["1", "2"]
    assert fresh.lines.get(timeout=LIMIT_S) is None
