"""The Go kit, driven as the harness drives it: a process, lines in, lines out. It needs Go, no SDK."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kit_process import LIMIT_S, Json, KitProcess

KIT = Path(__file__).parents[2] / "adapters" / "kits" / "go"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None, reason="the Go kit needs Go 1.21 or later: no go on PATH"
)

# An adapter of an SDK that does no network: what a call comes to is in its task id. So that tests order calls
# by events and not by sleeping, a task named "gate:…" waits until the operation "open" opens it.
FAKE_ADAPTER = r"""
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"os"
	"strings"
	"sync"
	"time"

	"waitproof.dev/kits/go/kit"
)

type client struct {
	Number int    `json:"number"`
	URL    string `json:"url"`
	Key    string `json:"key"`
	Secret string `json:"secret"`
}

type arguments struct {
	Gate string `json:"gate"`
}

type taskFailed struct{ fields map[string]any }

func (taskFailed) Error() string { return "the task failed" }

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

type loop map[string]any

var (
	early = os.Stdout // a logger that took it before main began
	built = 0
	gates sync.Map
)

func gate(name string) chan struct{} {
	opened, _ := gates.LoadOrStore(name, make(chan struct{}))
	return opened.(chan struct{})
}

func payload(taskID string) any {
	within := loop{}
	within["self"] = within
	digits, _ := new(big.Int).SetString(strings.Repeat("9", 40), 10)
	absent := (*string)(nil)
	return map[string]any{
		"nan":       map[string]any{"a": map[string]any{"b": []any{1, math.NaN()}}},
		"infinity":  math.Inf(-1),
		"bytes":     map[string]any{"a": []byte("x")},
		"function":  struct{ A any `json:"a"` }{func() {}},
		"text":      map[string]any{"a": "\xff"},
		"raw":       json.RawMessage("{\"a\":\"\xff\"}"),
		"key":       map[string]any{"a": map[string]any{"\xff": 1}},
		"surrogate": "\xed\xa0\x80",
		"loop":      within,
		"exact":     json.RawMessage(`{"odd":9007199254740993,"lone":"\ud800","html":"<&>"}`),
		"digits":    []any{digits, int64(math.MaxInt64)},
		"pointer":   absent,
		"time":      []any{time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
	}[taskID]
}

func wait(c *client, taskID string, options kit.Options) (any, error) {
	switch {
	case strings.HasPrefix(taskID, "gate:"):
		<-gate(taskID)
	case taskID == "fails":
		absent := (*string)(nil)
		return nil, taskFailed{map[string]any{"task_id": "1", "description": "", "stack_trace": absent}}
	case taskID == "fails-oddly":
		return nil, fmt.Errorf("wrapped: %w", taskFailed{map[string]any{"a": math.NaN(), "b": "\xff"}})
	case taskID == "other":
		return nil, errors.New("no \xff divisor")
	case taskID == "nil":
		return nil, (*nilError)(nil)
	case taskID == "panic":
		var nothing map[string]int
		nothing["x"] = 1
	case taskID == "unsupported":
		return nil, kit.Unsupported("no overload with the interval alone")
	case taskID == "undescribable":
		return nil, io.ErrUnexpectedEOF
	case taskID == "stdin":
		text, err := io.ReadAll(os.Stdin)
		return string(text), err
	case taskID == "options":
		given := map[string]any{}
		if options.PollInterval != nil {
			given["poll_interval"] = options.PollInterval.String()
		}
		if options.Timeout != nil {
			given["timeout"] = options.Timeout.String()
		}
		return given, nil
	case taskID == "client":
		return c, nil
	case strings.HasPrefix(taskID, "payload:"):
		return payload(strings.TrimPrefix(taskID, "payload:")), nil
	}
	return taskID, nil
}

func main() {
	adapter := kit.Adapter[*client, arguments]{
		SDK:        kit.SDK{Name: "fake", Version: "1.2.3"},
		Helper:     "fake.Wait",
		ResultPath: "Data.Result",
		Connect: func(baseURL, apiKey, apiSecret string) (*client, error) {
			fmt.Println("a client is built")
			fmt.Fprintln(early, `{"id": "printed early"}`)
			if apiKey == "refused" {
				return nil, errors.New("this key builds no client")
			}
			built++
			return &client{built, baseURL, apiKey, apiSecret}, nil
		},
		Wait: wait,
		GetTask: func(_ *client, taskID string) (kit.Task, error) {
			failure := map[string]any{"type": "t"}
			return kit.Task{ID: taskID, Status: "failed", Result: payload(taskID), Error: failure}, nil
		},
		Operations: []string{"open"},
		Begin: func(_ *client, _ string, arguments arguments) (any, error) {
			close(gate(arguments.Gate))
			return &arguments.Gate, nil
		},
		Describe: func(err error) kit.Exception {
			var failed taskFailed
			switch {
			case err == io.ErrUnexpectedEOF:
				panic("describe is broken")
			case errors.As(err, &failed):
				return kit.Exception{Kind: "task", Fields: failed.fields}
			}
			return kit.Exception{}
		},
	}
	if len(os.Args) > 1 {
		adapter.Wait, adapter.GetTask, adapter.Operations = nil, nil, nil
		adapter.Capabilities = map[string]any{"timeout_resolution": 1}
	}
	kit.Run(adapter)
}
"""


def build(folder: Path, program: Path) -> Path:
    # GOPROXY=off: a kit that needs more than the standard library does not build.
    environment = {**os.environ, "GOPROXY": "off", "GOFLAGS": "", "GOWORK": "off"}
    done = subprocess.run(
        ["go", "build", "-o", program, "."],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake-adapter")
    (folder / "main.go").write_text(FAKE_ADAPTER, encoding="utf-8")
    (folder / "go.mod").write_text(
        "module fake\n\ngo 1.21\n\nrequire waitproof.dev/kits/go v0.0.0\n\n"
        f"replace waitproof.dev/kits/go => {KIT}\n",
        encoding="utf-8",
    )
    return build(folder, folder / "adapter")


@pytest.fixture(scope="module")
def shared(program: Path) -> Iterator[KitProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    adapter = KitProcess(program)
    adapter.write(HELLO)
    adapter.read()
    yield adapter
    adapter.close()


@pytest.fixture
def fresh(program: Path) -> Iterator[KitProcess]:
    adapter = KitProcess(program)
    yield adapter
    adapter.close()


def test_hello_names_the_protocol_the_sdk_and_the_runtime(fresh: KitProcess) -> None:
    fresh.write(HELLO)

    hello = fresh.read()

    assert hello["sdk"].pop("runtime").startswith("go1.")
    assert hello == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": "go"},
        "helper": "fake.Wait",
        "result_path": "Data.Result",
        "capabilities": {"wait": True, "get_task": True, "operations": ["open"], "max_concurrency": 0},
    }


def test_what_an_adapter_leaves_out_the_sdk_does_not_have(program: Path) -> None:
    adapter = KitProcess(program, "bare")
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
            "message": 'unknown op "wait"',
        }
    finally:
        adapter.close()


def test_a_call_before_hello_is_an_adapter_error(fresh: KitProcess) -> None:
    assert fresh.ask(op="wait", task_id="x") == {"outcome": "adapter_error", "message": "a call before hello"}


@pytest.mark.parametrize(
    ("options", "durations"),
    [
        ({}, {}),
        ({"timeout": 2}, {"timeout": "2s"}),
        ({"poll_interval": 0.2}, {"poll_interval": "200ms"}),
        ({"poll_interval": 1, "timeout": 2.5}, {"poll_interval": "1s", "timeout": "2.5s"}),
    ],
)
def test_exactly_the_options_that_were_given_reach_the_helper(
    shared: KitProcess, options: Json, durations: Json
) -> None:
    answer = shared.ask(op="wait", task_id="options", options=options)

    assert answer == {"outcome": "returned", "result": durations}


@pytest.mark.parametrize(
    ("task_id", "seen"),
    [
        ("17", "17"),
        (17, "17"),
        (9007199254740993, "9007199254740993"),
        ("a/b ?#%é", "a/b ?#%é"),
        ("lone \ud800", "lone \ufffd"),  # Go's text is UTF-8, which has none
    ],
)
def test_a_task_id_reaches_the_helper_as_text(shared: KitProcess, task_id: str | int, seen: str) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": seen}


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

    numbers = [fresh.ask(op="wait", task_id="client", **name)["result"]["number"] for name in names]

    assert numbers == [1, 2, 1, 3, 3]


def test_calls_at_once_build_one_client(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "client"} for n in range(50)))

    answers = [fresh.read() for _ in range(50)]
    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    assert {answer["id"]: answer["result"] for answer in answers} == {str(n): only for n in range(50)}


def test_a_client_that_cannot_be_built_is_an_adapter_error(fresh: KitProcess) -> None:
    fresh.write({**HELLO, "api_key": "refused"})
    fresh.read()

    answer = fresh.ask(op="wait", task_id="x")

    assert answer == {"outcome": "adapter_error", "message": "no client: this key builds no client"}


@pytest.mark.parametrize(
    ("task_id", "exception"),
    [
        (
            "fails",
            {
                "kind": "task",
                "type": "main.taskFailed",
                "message": "the task failed",
                "fields": {"task_id": "1", "description": "", "stack_trace": None},
            },
        ),
        (
            "fails-oddly",
            {
                "kind": "task",
                "type": "*fmt.wrapError",
                "message": "wrapped: the task failed",
                "fields": {"a": "NaN", "b": r'"\xff"'},
            },
        ),
        (
            "other",
            {"kind": "other", "type": "*errors.errorString", "message": "no \ufffd divisor", "fields": {}},
        ),
        ("nil", {"kind": "other", "type": "*main.nilError", "message": "<nil>", "fields": {}}),
        (
            "panic",
            {"kind": "other", "type": "panic", "message": "assignment to entry in nil map", "fields": {}},
        ),
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
    ("name", "reason"),
    [
        ("nan", "NaN at a.b[1]"),
        ("infinity", "-Infinity at the top"),
        ("bytes", "[]uint8 at a"),
        ("function", "func() at a"),
        ("text", "text that is not UTF-8 at a"),
        ("raw", "text that is not UTF-8"),
        ("key", "a key that is not UTF-8 at a"),
        ("surrogate", "text that is not UTF-8 at the top"),
        ("loop", "nested too deeply, or within itself"),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_place(shared: KitProcess, name: str, reason: str) -> None:
    answer = shared.ask(op="wait", task_id=f"payload:{name}")

    assert answer == {"outcome": "returned", "unencodable": reason}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("exact", {"odd": 9007199254740993, "lone": "\ud800", "html": "<&>"}),
        ("digits", [10**40 - 1, 2**63 - 1]),
        ("pointer", None),
        ("time", ["2026-01-02T00:00:00Z"]),
    ],
)
def test_what_json_can_carry_comes_through_exactly(shared: KitProcess, name: str, result: Any) -> None:
    answer = shared.ask(op="wait", task_id=f"payload:{name}")

    assert answer == {"outcome": "returned", "result": result}


def test_a_task_has_its_four_fields(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="t")

    task = {"task_id": "t", "status": "failed", "result": None, "error": {"type": "t"}}
    assert answer == {"outcome": "returned", "task": task}


def test_a_task_that_json_cannot_carry_is_named_with_its_place(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="nan")

    assert answer == {"outcome": "returned", "unencodable": "NaN at result.a.b[1]"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, 'unknown op "sing"'),
        ({"op": "begin", "operation": "fly", "arguments": {}}, 'unknown operation "fly"'),
        ({"op": "wait"}, "the call has no task_id"),
        ({"op": "wait", "task_id": "x", "options": {"retries": 3}}, 'unknown option "retries"'),
        ({"op": "wait", "task_id": "undescribable"}, "panic: describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(shared: KitProcess, call: Json, text: str) -> None:
    assert shared.ask(**call) == {"outcome": "adapter_error", "message": text}


def test_the_sdk_has_an_empty_stdin(shared: KitProcess) -> None:
    assert shared.ask(op="wait", task_id="stdin") == {"outcome": "returned", "result": ""}


def test_what_the_sdk_prints_goes_to_stderr(fresh: KitProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    assert fresh.ask(op="wait", task_id="x") == {"outcome": "returned", "result": "x"}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr.splitlines() == [b"a client is built", b'{"id": "printed early"}']


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"id": "1",', "a line that is no message (unexpected end of JSON input)"),
        (b"[1]", "a line that is no message (json: cannot unmarshal array"),
        (b'{"op": "wait"}', 'a call without an id: "{'),
    ],
)
def test_a_broken_line_is_told_on_stderr_and_the_next_is_served(
    fresh: KitProcess, line: bytes, text: str
) -> None:
    fresh.write(HELLO, line, b"", {"id": "2", "op": "ping"})

    assert fresh.read()["op"] == "hello"
    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    assert fresh.stderr.decode().startswith(f"waitproof kit: {text}")


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
    assert fresh.stderr == b""


def test_the_folder_to_copy_is_an_adapter_that_works(tmp_path: Path) -> None:
    adapter = KitProcess(build(KIT, tmp_path / "adapter"))
    try:
        adapter.write({**HELLO, "base_url": "http://127.0.0.1:1"})  # a port on which nothing listens

        assert adapter.read()["helper"] == "Client.WaitForTask"
        exception = adapter.ask(op="wait", task_id="x")["exception"]
        assert exception["kind"] == "transport"
        assert exception["fields"] == {"error_type": "connection"}
        assert adapter.end() == 0
    finally:
        adapter.close()


def test_every_go_file_is_formatted() -> None:
    gofmt = shutil.which("gofmt")
    if gofmt is None:
        pytest.skip("no gofmt on PATH")
    folders = [KIT, KIT.parents[1] / "getstream-go"]

    unformatted = subprocess.run([gofmt, "-l", *folders], capture_output=True, text=True, check=True)

    assert unformatted.stdout == ""
