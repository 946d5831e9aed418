"""The servers that are compared: how each is found, and how each is made to play the same tasks.

Every engine is to answer a task's polls with `STATUSES`, each task on its own, the last status forever, in a
body with the same fields. waitproof makes a task of its scenario with the first poll of an id. What a peer
cannot do of that stands in its note.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["CHECKED", "POLLED", "START", "STATUSES", "Engine", "body_of", "engines"]

SCENARIO = "completes-after-3-polls"
STATUSES = ("pending", "running", "completed")  # which that scenario plays
START = f"{SCENARIO}~start"
CHECKED = [f"{SCENARIO}~check-{number}" for number in range(10)]
POLLED = [f"{SCENARIO}~p{number:04}" for number in range(1000)]
ROUTE = "/api/v2/tasks/"
NOW_NS = 1_795_505_939_000_000_000  # where an engine's answers are fixed beforehand
JSON_TYPE = {"Content-Type": "application/json"}
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Engine:
    """One server.

    Attributes:
        name: As the table shows it.
        command: Gives the command for a port; it may write its settings into the folder.
        lack: Why it cannot run here and how to get it; "" where it can.
        note: What it does otherwise than the others.
        has_state: Whether it plays the tasks at all; the floor does not.
        is_peer: Whether ours is held against it: not for ourselves, the floor, and what keeps no state.
    """

    name: str
    command: Callable[[int, Path], list[str]]
    lack: str = ""
    note: str = ""
    is_peer: bool = True
    has_state: bool = True


def body_of(task_id: str, status: str, now_ns: int = NOW_NS) -> dict[str, Any]:
    """Return the body of an answer."""
    return {
        "task_id": task_id,
        "status": status,
        "created_at": now_ns,
        "updated_at": now_ns,
        "duration": "1.20ms",
        "result": {"channels": 2} if status == STATUSES[-1] else None,
        "error": None,
    }


def engines(
    *,
    waitproof: str | None,
    java: str | None,
    wiremock: Path | None,
    mockserver: Path | None,
    mockoon: str | None,
) -> list[Engine]:
    """Return all engines, those that are not here included; each argument is a user's own choice."""
    return [
        Engine(
            "floor: a bare loop",
            _brought("floor.py"),
            note="fixed answer, no state",
            is_peer=False,
            has_state=False,
        ),
        _waitproof(waitproof),
        _shipped("pytest-httpserver"),
        _shipped("pytest-httpserver, threaded", "threaded"),
        *_of_jar("WireMock", "--wiremock", "org.wiremock:wiremock-standalone", java, wiremock, _WIREMOCK),
        *_of_jar(
            "MockServer",
            "--mockserver",
            "org.mock-server:mockserver-netty-no-dependencies",
            java,
            mockserver,
            {"": (_mockserver, "ids known beforehand: 3 expectations each", True)},
        ),
        _mockoon(mockoon),
    ]


def _brought(program: str, *more: str) -> Callable[[int, Path], list[str]]:
    return lambda port, _folder: [sys.executable, str(HERE / program), str(port), *more]


def _shipped(name: str, *more: str) -> Engine:
    lack = "" if find_spec("pytest_httpserver") else "it is not installed; pip install pytest-httpserver"
    return Engine(name, _brought("shipped.py", *more), lack, "any id; closes each connection")


def _found(program: str) -> str | None:
    """Return where a program lies, in a form that holds in any folder."""
    path = shutil.which(program)
    return None if path is None else os.path.abspath(path)  # a link stays: it leads a Python to its venv


def _waitproof(given: str | None) -> Engine:
    beside = Path(sys.executable).with_name("waitproof")
    program = _found(given or (str(beside) if beside.exists() else "waitproof"))
    lack = ""
    if program is None:
        lack = f"no {given or 'waitproof beside this Python or on PATH'}; pip install -e ."
    elif subprocess.run([program, "serve", "--help"], capture_output=True, check=False).returncode:
        lack = f"{program} has no command 'serve'; install a newer one, or name it: --waitproof PROGRAM"

    def command(port: int, _folder: Path) -> list[str]:
        return [str(program), "serve", "--port", str(port)]

    return Engine("waitproof", command, lack, "any id, made by its first poll", is_peer=False)


# --- on a Java machine


_Prepare = Callable[[str, Path, int, Path], list[str]]


def _of_jar(
    name: str,
    option: str,
    artifact: str,
    java: str | None,
    jar: Path | None,
    variants: dict[str, tuple[_Prepare, str, bool]],
) -> Iterable[Engine]:
    program = _found(java or "java")
    lack = ""
    if program is None:
        lack = f"no {java or 'java on PATH'}; install a Java runtime, or name it: --java PROGRAM"
    elif jar is None:
        lack = f"no jar given; mvn dependency:get -Dartifact={artifact}:VERSION, then {option} JAR"
    elif not jar.is_file():
        lack = f"{option} {jar}: there is no such file"
    for what, (prepare, note, is_peer) in variants.items():

        def command(port: int, folder: Path, prepare: _Prepare = prepare) -> list[str]:
            assert jar is not None
            return prepare(str(program), jar, port, folder)

        yield Engine(name + what, command, lack, note, is_peer)


def _wiremock(
    java: str, jar: Path, port: int, folder: Path, *, stateful: Iterable[str], rest: bool
) -> list[str]:
    stubs = [stub for task_id in stateful for stub in _wiremock_task(task_id)]
    if rest:
        body = json.dumps(body_of("{{request.pathSegments.[3]}}", STATUSES[-1]), separators=(",", ":"))
        response = {"status": 200, "headers": JSON_TYPE, "body": body, "transformers": ["response-template"]}
        request = {"method": "GET", "urlPathPattern": f"{ROUTE}[^/]+"}
        stubs.append({"priority": 10, "request": request, "response": response})
    (folder / "mappings").mkdir()
    (folder / "mappings" / "tasks.json").write_text(json.dumps({"mappings": stubs}))
    return [java, "-jar", str(jar), "--port", str(port), "--root-dir", str(folder), "--disable-banner"]


def _wiremock_task(task_id: str) -> Iterable[dict[str, Any]]:
    for number, status in enumerate(STATUSES):
        stub = {
            "scenarioName": task_id,
            "requiredScenarioState": "Started" if number == 0 else status,
            "request": {"method": "GET", "urlPath": ROUTE + task_id},
            "response": {"status": 200, "headers": JSON_TYPE, "jsonBody": body_of(task_id, status)},
        }
        if status != STATUSES[-1]:
            stub["newScenarioState"] = STATUSES[number + 1]
        yield stub


def _wiremock_whole(java: str, jar: Path, port: int, folder: Path) -> list[str]:
    return _wiremock(java, jar, port, folder, stateful=[START, *CHECKED, *POLLED], rest=False)


def _wiremock_part(java: str, jar: Path, port: int, folder: Path) -> list[str]:
    return _wiremock(java, jar, port, folder, stateful=[START, *CHECKED], rest=True)


_WIREMOCK: dict[str, tuple[_Prepare, str, bool]] = {
    "": (_wiremock_whole, "ids known beforehand: 3 stubs each", True),
    ", 11 tasks": (_wiremock_part, "state for 11 ids only; one stub answers all others", False),
}


def _mockserver(java: str, jar: Path, port: int, folder: Path) -> list[str]:
    expectations = []
    for task_id in [START, *CHECKED, *POLLED]:
        for status in STATUSES:
            once = {"remainingTimes": 1, "unlimited": False}
            body = json.dumps(body_of(task_id, status), separators=(",", ":"))
            expectation = {
                "httpRequest": {"method": "GET", "path": ROUTE + task_id},
                "httpResponse": {"statusCode": 200, "headers": JSON_TYPE, "body": body},
                "times": {"unlimited": True} if status == STATUSES[-1] else once,
            }
            expectations.append(expectation)
    file = folder / "expectations.json"
    file.write_text(json.dumps(expectations))
    settings = {
        "initializationJsonPath": str(file),
        "logLevel": "WARN",
        "maxExpectations": str(len(expectations)),
    }
    options = [f"-Dmockserver.{name}={value}" for name, value in settings.items()]
    return [java, *options, "-jar", str(jar), "-serverPort", str(port)]


# --- on Node


def _mockoon(given: str | None) -> Engine:
    program = _found(given or "mockoon-cli")
    lack = ""
    if program is None:
        lack = f"no {given or 'mockoon-cli on PATH'}; npm install @mockoon/cli, then --mockoon PROGRAM"

    def command(port: int, folder: Path) -> list[str]:
        file = folder / "mockoon.json"
        file.write_text(json.dumps(_mockoon_settings(port)))
        return [str(program), "start", "--data", str(file), "--disable-log-to-file"]

    return Engine("Mockoon", command, lack, "any id, counted by a global variable")


def _mockoon_settings(port: int) -> dict[str, Any]:
    polls = "(concat 'polls-' (urlParam 'id'))"
    count = f"{{{{setGlobalVar {polls} (add (getGlobalVar {polls} '' 0) 1)}}}}"
    said = [json.dumps(body_of("{{urlParam 'id'}}", status), separators=(",", ":")) for status in STATUSES]
    cases = "".join(f"{{{{#case {n}}}}}{body}{{{{/case}}}}" for n, body in enumerate(said[:-1], 1))
    cases += f"{{{{#default}}}}{said[-1]}{{{{/default}}}}"
    response = {
        "uuid": "response",
        "body": f"{count}{{{{#switch (getGlobalVar {polls})}}}}{cases}{{{{/switch}}}}",
        "latency": 0,
        "statusCode": 200,
        "label": "",
        "headers": [{"key": key, "value": value} for key, value in JSON_TYPE.items()],
        "bodyType": "INLINE",
        "filePath": "",
        "databucketID": "",
        "sendFileAsBody": False,
        "rules": [],
        "rulesOperator": "OR",
        "disableTemplating": False,
        "fallbackTo404": False,
        "default": True,
        "crudKey": "id",
        "callbacks": [],
    }
    route = {
        "uuid": "route",
        "type": "http",
        "documentation": "",
        "method": "get",
        "endpoint": f"{ROUTE[1:]}:id",
        "responses": [response],
        "responseMode": None,
        "streamingMode": None,
        "streamingInterval": 0,
    }
    return {
        "uuid": "environment",
        "lastMigration": 33,
        "name": "tasks",
        "endpointPrefix": "",
        "latency": 0,
        "port": port,
        "hostname": "127.0.0.1",
        "folders": [],
        "routes": [route],
        "rootChildren": [{"type": "route", "uuid": "route"}],
        "proxyMode": False,
        "proxyHost": "",
        "proxyRemovePrefix": False,
        "tlsOptions": {
            "enabled": False,
            "type": "CERT",
            "pfxPath": "",
            "certPath": "",
            "keyPath": "",
            "caPath": "",
            "passphrase": "",
        },
        "cors": False,
        "headers": [],
        "proxyReqHeaders": [],
        "proxyResHeaders": [],
        "data": [],
        "callbacks": [],
    }
