"""The Java kit, driven as the harness drives it: a process, lines in, lines out. It needs a JDK, no SDK."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_process import LIMIT_S, Json, KitProcess

KIT = Path(__file__).parents[2] / "adapters" / "kits" / "java" / "kit" / "waitproof" / "Kit.java"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}

pytestmark = pytest.mark.skipif(
    not (shutil.which("javac") and shutil.which("java")),
    reason="the Java kit needs a JDK: javac and java on PATH",
)

# An adapter of an SDK that does no network: what a call comes to is in its task id. So that tests order calls
# by events and not by sleeping, a task named "gate:…" waits until the operation "open" opens it.
FAKE_ADAPTER = r"""
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.*;
import java.util.concurrent.*;
import waitproof.Kit;

final class FakeAdapter implements Kit.Adapter<Map<String, Object>> {
  static final class TaskFailed extends Exception {
    final transient Object description;

    TaskFailed(Object description) {
      super("the task failed");
      this.description = description;
    }
  }

  static final class Unprintable extends RuntimeException {
    @Override
    public String getMessage() {
      throw new IllegalStateException("no text");
    }
  }

  private int built = 0;
  private final Map<String, CountDownLatch> gates = new ConcurrentHashMap<>();

  public static void main(String[] arguments) throws Exception {
    Kit.run(new FakeAdapter());
  }

  @Override
  public Map<String, Object> hello() {
    return Kit.map(
        "sdk", Kit.map("name", "fake", "version", "1.2.3"),
        "helper", "Fake.wait",
        "result_path", "data.result",
        "capabilities", Kit.map("max_concurrency", 0, "operations", List.of("open", "echo", "strings")));
  }

  @Override
  public Map<String, Object> connect(String baseUrl, String apiKey, String apiSecret) {
    System.out.println("a client is built");
    if (apiKey.equals("refused")) {
      throw new SecurityException("this key builds no client");
    }
    return Kit.map("number", ++built, "url", baseUrl, "key", apiKey, "secret", apiSecret);
  }

  @Override
  public Object waitForTask(Map<String, Object> client, Object taskId, Kit.Options options) throws Exception {
    String id = taskId.toString();
    if (id.startsWith("gate:")) {
      if (!gate(id).await(20, TimeUnit.SECONDS)) {
        throw new AssertionError(id + " was not opened within 20 s");
      }
    }
    Object[] loop = new Object[1];
    loop[0] = loop;
    switch (id) {
      case "fails": throw new TaskFailed("");
      case "fails-oddly": throw new TaskFailed(Double.NaN);
      case "language-error": throw new ArithmeticException("no \udfff divisor");
      case "without-message": throw new IllegalStateException();
      case "error": throw new StackOverflowError("deep");
      case "interrupt": throw new InterruptedException("stop");
      case "unprintable": throw new Unprintable();
      case "undescribable": throw new UnsupportedOperationException("describe() breaks on this one");
      case "unsupported": throw new Kit.Unsupported("no overload with the interval alone");
      case "null": return null;
      case "nan": return Map.of("a", Map.of("b", List.of(1, Double.NaN)));
      case "infinity": return Float.NEGATIVE_INFINITY;
      case "object": return Map.of("a", List.of(new StringBuilder("text"), Locale.ROOT));
      case "bytes": return Map.of("a", new byte[] {1});
      case "key": return Map.of("a", Map.of(1, "x"));
      case "null-key": return Collections.singletonMap(null, "x");
      case "loop": return loop;
      case "surrogate": return Map.of("text", "\ud800 and é \u007f\n\"\\");
      case "stdin": return System.in.read();
      case "numbers":
        return new Object[] {
          (byte) 1, (short) 2, 3, 4L, new BigInteger("9223372036854775808"), 0.1f, 1e300, -0.0,
          new BigDecimal("1E+400")
        };
      case "arrays": return new Object[] {new int[] {1, 2}, new String[] {"a"}, Set.of(true), 'c'};
      default:
        return Kit.map(
            "task_id", taskId,
            "poll_interval", options.hasPollInterval() ? options.pollInterval().toString() : null,
            "timeout", options.hasTimeout() ? options.timeout().toString() : null,
            "empty", options.isEmpty(),
            "client", client);
    }
  }

  @Override
  public Map<String, Object> getTask(Map<String, Object> client, Object taskId) {
    Object result = taskId.equals("nan") ? List.of(Double.NaN) : null;
    Object error = Kit.map("type", "timeout");
    return Kit.map("task_id", taskId, "status", "failed", "result", result, "error", error);
  }

  @Override
  public Object begin(Map<String, Object> client, String operation, Kit.Arguments arguments) {
    switch (operation) {
      case "echo":
        return arguments.all().get("value");
      case "strings":
        return arguments.strings("ids") + " " + arguments.flag("hard");
      default:
        String gate = (String) arguments.all().get("gate");
        gate(gate).countDown();
        return gate;
    }
  }

  @Override
  public Kit.Documented describe(Throwable exception) {
    if (exception instanceof UnsupportedOperationException) {
      throw new IllegalArgumentException("describe is broken");
    }
    if (exception instanceof TaskFailed failed) {
      return new Kit.Documented(
          Kit.Kind.TASK, Kit.map("task_id", "1", "description", failed.description, "stack_trace", null));
    }
    return null;
  }

  private CountDownLatch gate(String name) {
    return gates.computeIfAbsent(name, absent -> new CountDownLatch(1));
  }
}
"""


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The kit and the fake adapter, compiled as the kit's own adapter.yaml does it."""
    folder = tmp_path_factory.mktemp("java")
    (folder / "FakeAdapter.java").write_text(FAKE_ADAPTER, encoding="utf-8")
    options = ["--release", "17", "-encoding", "UTF-8", "-d", "classes"]
    command = ["javac", *options, "FakeAdapter.java", str(KIT)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "classes"


class AdapterProcess(KitProcess):
    """A running fake adapter: writes lines, and reads answers in the order in which they came."""

    def __init__(self, classes: Path) -> None:
        super().__init__(
            "java",
            "-cp",
            str(classes),
            "FakeAdapter",
            # A JVM that picks options up from its environment says so on stderr.
            env={
                name: text
                for name, text in os.environ.items()
                if not name.endswith(("JAVA_OPTIONS", "JAVA_TOOL_OPTIONS"))
            },
        )


@pytest.fixture(scope="module")
def shared(classes: Path) -> Iterator[AdapterProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    adapter = AdapterProcess(classes)
    adapter.write(HELLO)
    adapter.read()
    yield adapter
    adapter.close()


@pytest.fixture
def fresh(classes: Path) -> Iterator[AdapterProcess]:
    adapter = AdapterProcess(classes)
    yield adapter
    adapter.close()


def test_hello_comes_after_the_error_of_a_call_before_it_and_names_the_sdk_and_the_runtime(
    fresh: AdapterProcess,
) -> None:
    early = fresh.ask(op="wait", task_id="x")
    fresh.write(HELLO)
    hello = fresh.read()

    assert early == {"outcome": "adapter_error", "message": "a call before hello"}
    runtime = hello["sdk"].pop("runtime")
    assert runtime
    assert hello == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": "java"},
        "helper": "Fake.wait",
        "result_path": "data.result",
        "capabilities": {"max_concurrency": 0, "operations": ["open", "echo", "strings"]},
    }


@pytest.mark.parametrize(
    ("options", "poll_interval", "timeout"),
    [
        ({}, None, None),
        ({"timeout": 2}, None, "PT2S"),
        ({"poll_interval": 0.2}, "PT0.2S", None),
        ({"poll_interval": 1, "timeout": 2.5}, "PT1S", "PT2.5S"),
        ({"poll_interval": 1e-7, "timeout": 1e9}, "PT0.0000001S", "PT277777H46M40S"),
    ],
)
def test_exactly_the_options_that_were_given_reach_the_helper(
    shared: AdapterProcess, options: Json, poll_interval: str | None, timeout: str | None
) -> None:
    seen = shared.ask(op="wait", task_id="x", options=options)["result"]

    assert (seen["poll_interval"], seen["timeout"]) == (poll_interval, timeout)
    assert seen["empty"] is (not options)


def test_an_option_that_the_kit_does_not_know_is_not_taken_for_absent(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="x", options={"intervall": 1})

    assert answer == {"outcome": "adapter_error", "message": "unknown option 'intervall'"}


@pytest.mark.parametrize("task_id", ["17", 17, 2**63, "a/b ?#%é\ud800"])
def test_a_task_id_reaches_the_helper_as_it_is(shared: AdapterProcess, task_id: str | int) -> None:
    assert shared.ask(op="wait", task_id=task_id, options={})["result"]["task_id"] == task_id


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


def test_calls_with_one_name_share_a_client_that_is_built_once_even_when_they_come_at_once(
    fresh: AdapterProcess,
) -> None:
    fresh.write(HELLO)
    fresh.read()

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "x"} for n in range(50)))
    answers = [fresh.read() for _ in range(50)]
    names = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]
    numbers = [fresh.ask(op="wait", task_id="x", **name)["result"]["client"]["number"] for name in names]

    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    clients = {answer["id"]: answer["result"]["client"] for answer in answers}
    assert clients == {str(n): only for n in range(50)}
    assert numbers == [2, 3, 2, 1, 1]


def test_what_the_sdk_prints_goes_to_stderr_and_a_client_that_cannot_be_built_is_an_adapter_error(
    fresh: AdapterProcess,
) -> None:
    fresh.write({**HELLO, "api_key": "refused"})
    fresh.read()

    answer = fresh.ask(op="wait", task_id="x")

    assert answer == {"outcome": "adapter_error", "message": "SecurityException: this key builds no client"}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr.startswith(b"a client is built\n")


@pytest.mark.parametrize(
    ("task_id", "kind", "name", "message"),
    [
        ("language-error", "other", "ArithmeticException", "no \udfff divisor"),
        ("without-message", "other", "IllegalStateException", None),
        ("error", "other", "StackOverflowError", "deep"),
        ("interrupt", "other", "InterruptedException", "stop"),
        ("unprintable", "other", "Unprintable", "<getMessage() failed>"),
    ],
)
def test_whatever_the_sdk_throws_is_what_its_caller_saw(
    shared: AdapterProcess, task_id: str, kind: str, name: str, message: str | None
) -> None:
    answer = shared.ask(op="wait", task_id=task_id)

    assert answer["outcome"] == "raised"
    assert answer["exception"].pop("native_stack_frames") > 1
    assert answer["exception"] == {"kind": kind, "type": name, "message": message, "fields": {}}


@pytest.mark.parametrize(("task_id", "description"), [("fails", ""), ("fails-oddly", "NaN")])
def test_a_documented_exception_has_its_fields_and_null_and_the_empty_text_among_them(
    shared: AdapterProcess, task_id: str, description: str
) -> None:
    exception = shared.ask(op="wait", task_id=task_id)["exception"]

    exception.pop("native_stack_frames")
    assert exception == {
        "kind": "task",
        "type": "TaskFailed",
        "message": "the task failed",
        "fields": {"task_id": "1", "description": description, "stack_trace": None},
    }


def test_a_wait_that_threw_has_its_elapsed_time(shared: AdapterProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "fails"})

    assert 0 <= shared.read()["elapsed"] < LIMIT_S


def test_what_a_signature_cannot_express_is_unsupported(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="unsupported")

    assert answer == {"outcome": "unsupported", "reason": "no overload with the interval alone"}


@pytest.mark.parametrize(
    ("task_id", "reason"),
    [
        ("nan", "NaN at a.b[1]"),
        ("infinity", "-Infinity at the top"),
        ("object", "Locale at a[1]"),
        ("bytes", "byte[] at a"),
        ("key", "Integer as a key at a"),
        ("null-key", "null as a key at the top"),
        ("loop", "nested too deeply, or within itself"),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_place(
    shared: AdapterProcess, task_id: str, reason: str
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "unencodable": reason}


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("null", None),
        ("surrogate", {"text": '\ud800 and é \x7f\n"\\'}),
        ("arrays", [[1, 2], ["a"], [True], "c"]),
        ("stdin", -1),
    ],
)
def test_a_payload_of_the_languages_own_types_is_a_result(
    shared: AdapterProcess, task_id: str, result: object
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_numbers_are_written_with_all_their_digits(shared: AdapterProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "numbers"})
    line = shared.lines.get(timeout=LIMIT_S)

    assert line is not None
    assert b'"result":[1,2,3,4,9223372036854775808,0.1,1.0E300,-0.0,1E+400]' in line


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (rb'"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"', 'é😀"\\/\b\f\n\r\t'),
        ('"é😀\u2028\x7f"'.encode(), "é😀\u2028\x7f"),
        (rb'"\ud800"', "\ud800"),
        (b"-0", 0),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[9223372036854775808, 123456789012345678901234567890]", [2**63, 123456789012345678901234567890]),
        (b"[0.1, -1.5e-3, 1E2, 1e+2, 5e-324]", [0.1, -0.0015, 100.0, 100.0, 5e-324]),
        (b" [ ] ", []),
        (b'{"" : {}, "b":[null , true,false]}', {"": {}, "b": [None, True, False]}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"[" * 900 + b"]" * 900, json.loads("[" * 900 + "]" * 900)),
    ],
)
def test_json_is_read_and_written_to_the_letter(
    shared: AdapterProcess, written: bytes, value: object
) -> None:
    shared.write(b'{"id":"1","op":"begin","operation":"echo","arguments":{"value":' + written + b"}}\r")

    assert shared.read() == {"id": "1", "outcome": "returned", "task_id": value}


def test_a_batch_operation_has_its_arguments_and_one_left_out_is_an_adapter_error(
    shared: AdapterProcess,
) -> None:
    whole = shared.ask(op="begin", operation="strings", arguments={"ids": ["a", "b"], "hard": True})
    part = shared.ask(op="begin", operation="strings", arguments={"ids": ["a", "b"]})

    assert whole == {"outcome": "returned", "task_id": "[a, b] true"}
    assert part == {"outcome": "adapter_error", "message": "begin came without the argument 'hard'"}


@pytest.mark.parametrize(
    ("task_id", "answer"),
    [
        ("t", {"task": {"task_id": "t", "status": "failed", "result": None, "error": {"type": "timeout"}}}),
        ("nan", {"unencodable": "NaN at result[0]"}),
    ],
)
def test_a_task_is_reported_with_what_it_has(shared: AdapterProcess, task_id: str, answer: Json) -> None:
    assert shared.ask(op="get_task", task_id=task_id) == {"outcome": "returned", **answer}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, "unknown op 'sing'"),
        ({"op": "begin", "operation": "fly", "arguments": {}}, "unknown operation 'fly'"),
        ({"op": "wait"}, "the call has no 'task_id'"),
        ({"op": "wait", "task_id": "undescribable"}, "IllegalArgumentException: describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(
    shared: AdapterProcess, call: Json, text: str
) -> None:
    assert shared.ask(**call) == {"outcome": "adapter_error", "message": text}


def test_broken_lines_are_told_on_stderr_and_the_next_is_served(fresh: AdapterProcess) -> None:
    broken = {
        b'{"id":"1",': "a line that is not JSON (expected a name at character 11)",
        b'{"id":"\xff"}': "a line that is not UTF-8",
        b'{"id":"1"} x': "a line that is not JSON (more text after the value at character 12)",
        b'{"id":01}': "a line that is not JSON (expected ',' at character 8)",
        b'{"id":NaN}': "a line that is not JSON (expected a value at character 7)",
        b'{"id":1.}': "a line that is not JSON (expected a digit at character 9)",
        b'{"id":"\x01"}': "a line that is not JSON (a control character in a string at character 8)",
        rb'{"id":"\x"}': "a line that is not JSON (an unknown escape at character 9)",
        rb'{"id":"\u12g4"}': "a line that is not JSON (expected a hexadecimal digit at character 12)",
        b'{"id":"1': "a line that is not JSON (the text ends too early at character 9)",
        b'{"id":tru}': "a line that is not JSON (expected a value at character 7)",
        b"\xef\xbb\xbf{}": "a line that is not JSON (expected a value at character 1)",
        b"[" * 5000: "a line that is not JSON (nested too deeply at character 1002)",
        b"[1]": "a line that is not an object",
        b'{"op":"wait"}': "a call without an id: {op=wait}",
    }
    fresh.write(HELLO, *broken, b"", b"  ", {"id": "2", "op": "ping"})

    assert fresh.read()["op"] == "hello"
    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    told = fresh.stderr.decode().splitlines()
    assert len(told) == len(broken)
    for line, expected in zip(told, broken.values(), strict=True):
        assert line.startswith(f"waitproof.Kit: {expected}")


def test_at_the_end_of_stdin_what_is_in_flight_is_finished_first(fresh: AdapterProcess) -> None:
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


def test_a_last_line_without_its_line_feed_is_served(fresh: AdapterProcess) -> None:
    assert fresh.process.stdin is not None
    fresh.process.stdin.write(b'{"id":"1","op":"ping"}')

    assert fresh.end() == 0
    assert fresh.read() == {"id": "1", "outcome": "returned"}
    assert fresh.stderr == b""
