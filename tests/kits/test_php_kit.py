"""The PHP kit, driven as the harness drives it: a process, lines in, lines out."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

KIT = Path(__file__).parents[2] / "adapters" / "kits" / "php" / "kit.php"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}
LIMIT_S = 10  # a hang is a failure with a name, not a stuck run; nothing here takes a tenth of a second
PHP = shutil.which("php")

pytestmark = pytest.mark.skipif(PHP is None, reason="php is not on PATH: install PHP 8.1 or later")

Json = dict[str, Any]

# An adapter of an SDK that does no network: what a call comes to is in its task id.
FAKE = r"""<?php
declare(strict_types=1);
require $_SERVER['KIT'];

final class TaskFailed extends Exception
{
    public function getTaskId(): string { return 'seven'; }
    public function getDescription(): string { return ''; }
    public function getStackTrace(): ?string { return null; }
    public function getVersion(): float { return NAN; }
}

final class FakeAdapter extends Waitproof\Adapter
{
    private int $built = 0;

    public function hello(): array
    {
        return ['sdk' => ['name' => 'fake', 'version' => '1.2.3'], 'helper' => 'Fake::wait',
            'result_path' => 'data.result', 'capabilities' => ['operations' => ['begin']]];
    }

    public function connect(string $baseUrl, string $apiKey, string $apiSecret): object
    {
        echo "printed\n";
        fwrite(STDOUT, "{\"written\": 1}\n");
        file_put_contents('php://stdout', "{\"opened\": 1}\n");
        passthru('echo "{by a child}"');
        if ($apiKey === 'refused') {
            throw new RuntimeException('this key builds no client');
        }
        $number = ++$this->built;
        return (object) ['number' => $number, 'url' => $baseUrl, 'key' => $apiKey, 'secret' => $apiSecret];
    }

    public function wait(object $client, mixed $taskId, array $options): mixed
    {
        $loop = new stdClass();
        $loop->self = $loop;
        $payload = match ($taskId) {
            'nan' => ['a' => ['b' => [1, NAN]]],
            'infinity' => -INF,
            'datetime' => ['a' => [new DateTime()]],
            'latin-1' => ['a' => "\xe9"],
            'loop' => $loop,
            'empty' => ['object' => new stdClass(), 'list' => []],
            'keys' => (object) ['0' => 1, '' => 2, 'a.b' => 3],
            'list-like' => (object) ['0' => 1, '1' => 2],
            'nul' => ["\0a" => 1, 'b' => 2],
            'numbers' => [0.1, 1.0, 1e-7, 1.5e300, PHP_INT_MAX, PHP_INT_MIN],
            'null' => null,
            'stdin' => file_get_contents('php://stdin'),
            'sleeps' => usleep(30_000),
            'fails' => throw new TaskFailed("not \xff UTF-8"),
            'language-error' => intdiv(1, 0),
            'unsupported' => throw new Waitproof\Unsupported('no overload with the interval alone'),
            'undescribable' => throw new DomainException('describe() breaks on this one'),
            default => ['task_id' => $taskId, 'options' => (object) $options, 'client' => $client],
        };
        return $taskId === 'nothing' ? null : (object) ['data' => ['result' => $payload]];
    }

    public function getTask(object $client, mixed $taskId): mixed
    {
        return (object) ['id' => $taskId];
    }

    public function readTask(mixed $returned): array
    {
        return ['task_id' => $returned->id, 'status' => 'running'];
    }

    public function begin(object $client, string $operation, array $arguments): mixed
    {
        return $arguments['ids'];
    }

    public function readTaskId(mixed $returned): mixed
    {
        return $returned[0];
    }

    public function describe(Throwable $error): ?array
    {
        return match (true) {
            $error instanceof TaskFailed => ['kind' => 'task', 'fields' => Waitproof\fieldsOf($error, [
                'task_id' => 'getTaskId', 'error_type' => 'getErrorType', 'description' => 'getDescription',
                'stack_trace' => 'getStackTrace', 'version' => 'getVersion',
            ])],
            $error instanceof DomainException => throw new LogicException('describe is broken'),
            default => null,
        };
    }
}

Waitproof\run(new FakeAdapter());
"""


@dataclass(frozen=True)
class Said:
    """What an adapter wrote until its stdin ended, and how it ended."""

    answers: list[Json]
    stderr: bytes
    code: int


@pytest.fixture(scope="module")
def converse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Said]:
    fake = tmp_path_factory.mktemp("php") / "fake.php"
    fake.write_text(FAKE)

    def converse(*messages: Json | bytes) -> Said:
        lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in messages]
        assert PHP is not None
        done = subprocess.run(
            [PHP, str(fake)],
            input=b"".join(line + b"\n" for line in lines),
            capture_output=True,
            env={"KIT": str(KIT), "PATH": "/usr/local/bin:/usr/bin:/bin"},
            timeout=LIMIT_S,
            check=False,
        )
        return Said([json.loads(line) for line in done.stdout.splitlines()], done.stderr, done.returncode)

    return converse


@pytest.fixture(scope="module")
def waits(converse: Callable[..., Said]) -> Callable[..., list[Json]]:
    """Wait for tasks, one after another in one process; return the answers without id and elapsed time."""

    def waits(*task_ids: Any, **message: Any) -> list[Json]:
        calls = [{"id": str(n), "op": "wait", "task_id": each, **message} for n, each in enumerate(task_ids)]
        answers = converse(HELLO, *calls).answers[1:]
        assert [answer.pop("id") for answer in answers] == [call["id"] for call in calls]
        for answer in answers:
            answer.pop("elapsed", None)
        return answers

    return waits


def test_hello_names_the_protocol_the_sdk_and_the_runtime(converse: Callable[..., Said]) -> None:
    said = converse(HELLO)

    assert len(said.answers) == 1
    assert said.answers[0]["sdk"].pop("runtime").startswith("PHP ")
    assert said.answers[0] == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": "php"},
        "helper": "Fake::wait",
        "result_path": "data.result",
        "capabilities": {"operations": ["begin"]},
    }
    assert (said.code, said.stderr) == (0, b"")


def test_without_a_line_the_adapter_ends_at_once(converse: Callable[..., Said]) -> None:
    assert converse() == Said([], b"", 0)


def test_exactly_the_options_that_were_given_reach_the_helper(waits: Callable[..., list[Json]]) -> None:
    assert waits("x")[0]["result"]["options"] == {}
    assert waits("x", options={})[0]["result"]["options"] == {}
    assert waits("x", options={"poll_interval": 0.2})[0]["result"]["options"] == {"poll_interval": 0.2}
    assert waits("x", options={"timeout": 2})[0]["result"]["options"] == {"timeout": 2}


def test_a_task_id_reaches_the_helper_as_it_is(waits: Callable[..., list[Json]]) -> None:
    task_ids = ["17", 17, "a/b ?#%é", 2**63 - 1]

    assert [answer["result"]["task_id"] for answer in waits(*task_ids)] == task_ids


def test_calls_with_one_name_share_a_client_and_an_absent_name_is_default(
    converse: Callable[..., Said],
) -> None:
    names: list[Json] = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]

    said = converse(HELLO, *({"id": "1", "op": "wait", "task_id": "x", **name} for name in names))

    clients = [answer["result"]["client"] for answer in said.answers[1:]]
    assert [client["number"] for client in clients] == [1, 2, 1, 3, 3]
    assert clients[0] == {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}


def test_what_the_sdk_prints_by_any_means_goes_to_stderr(converse: Callable[..., Said]) -> None:
    said = converse(HELLO, {"id": "1", "op": "wait", "task_id": "null"})

    assert [answer.get("outcome") for answer in said.answers] == [None, "returned"]
    printed = [b"printed", b'{"written": 1}', b'{"opened": 1}', b"{by a child}"]
    assert said.stderr.splitlines() == printed


def test_the_elapsed_time_lies_around_the_helper(converse: Callable[..., Said]) -> None:
    said = converse(HELLO, {"id": "1", "op": "wait", "task_id": "sleeps"})

    assert 0.03 <= said.answers[1]["elapsed"] < LIMIT_S


def test_objects_lists_and_numbers_arrive_as_php_holds_them(waits: Callable[..., list[Json]]) -> None:
    results = [
        answer["result"] for answer in waits("empty", "keys", "list-like", "nul", "numbers", "null", "stdin")
    ]

    assert results == [
        {"object": {}, "list": []},
        {"0": 1, "": 2, "a.b": 3},
        {"0": 1, "1": 2},
        {"\0a": 1, "b": 2},
        [0.1, 1.0, 1e-7, 1.5e300, 2**63 - 1, -(2**63)],
        None,
        "",
    ]


def test_what_json_cannot_carry_is_named_with_its_place(waits: Callable[..., list[Json]]) -> None:
    answers = waits("nan", "infinity", "datetime", "latin-1", "loop", "nothing")

    assert [answer["unencodable"] for answer in answers] == [
        "NaN at a.b[1]",
        "-Infinity at the top",
        "DateTime at a[0]",
        "a text that is not UTF-8 at a",
        "nested too deeply, or within itself",
        "nothing at data.result: null has no 'data'",
    ]


def test_whatever_the_sdk_throws_is_what_its_caller_saw(waits: Callable[..., list[Json]]) -> None:
    fields = {"task_id": "seven", "description": "", "stack_trace": None, "version": "NAN"}

    assert waits("fails", "language-error", "unsupported") == [
        {
            "outcome": "raised",
            "exception": {
                "kind": "task",
                "type": "TaskFailed",
                "message": "not � UTF-8",
                "fields": fields,
            },
        },
        {
            "outcome": "raised",
            "exception": {
                "kind": "other",
                "type": "DivisionByZeroError",
                "message": "Division by zero",
                "fields": {},
            },
        },
        {"outcome": "unsupported", "reason": "no overload with the interval alone"},
    ]


def test_a_task_its_id_and_a_ping_are_answered(converse: Callable[..., Said]) -> None:
    said = converse(
        HELLO,
        {"id": "1", "op": "get_task", "task_id": "t"},
        {"id": "2", "op": "begin", "operation": "begin", "arguments": {"ids": ["u"]}},
        {"id": "3", "op": "ping"},
    )

    assert said.answers[1:] == [
        {"id": "1", "outcome": "returned", "task": {"task_id": "t", "status": "running"}},
        {"id": "2", "outcome": "returned", "task_id": "u"},
        {"id": "3", "outcome": "returned"},
    ]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([{"op": "wait", "task_id": "x"}], "a call before hello"),
        ([{**HELLO, "api_key": "refused"}, {"op": "wait", "task_id": "x"}], "this key builds no client"),
        ([HELLO, {"op": "sing"}], 'unknown op "sing"'),
        ([HELLO, {"op": "begin", "operation": "fly", "arguments": {}}], 'unknown operation "fly"'),
        ([HELLO, {"op": "wait"}], "the call has no 'task_id'"),
        ([HELLO, {"op": "wait", "task_id": "undescribable"}], "LogicException: describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(
    converse: Callable[..., Said], messages: list[Json], text: str
) -> None:
    answer = converse(*({"id": "1", **message} for message in messages)).answers[-1]

    assert (answer["id"], answer["outcome"]) == ("1", "adapter_error")
    assert answer["message"].endswith(text)


def test_a_broken_line_is_told_on_stderr_and_the_next_is_served(converse: Callable[..., Said]) -> None:
    broken = [b'{"id": "1",', b'{"id": "\xff"}', rb'{"id": "\ud800"}', b"[1]", b'{"op": "wait"}', b""]

    said = converse(HELLO, *broken, {"id": "2", "op": "ping"})

    assert said.answers[1:] == [{"id": "2", "outcome": "returned"}]
    assert [line.split(b"(")[0].split(b": ")[1] for line in said.stderr.splitlines()] == [
        b"a line that is not JSON ",
        b"a line that is not JSON ",
        b"a line that is not JSON ",
        b"a line that is not an object",
        b"a call without an id",
    ]
