"""The JSON Schema of contracts, with a sentence about each key; the reference is made from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from waitproof.suite.checks import CheckSpec
from waitproof.suite.contract import Contract

__all__ = ["ROOT", "contract_keys", "contract_schema"]

ROOT = "Contract"
_CONDITIONS = {
    "language": "SDKs of this language; a list has alternatives, here and below.",
    "non_blocking": "SDKs whose waits don't block the client, or the others.",
    "cancel": "SDKs whose waits can be cancelled, or the others.",
    "no_timeout": "SDKs whose waits can do without a timeout, or the others.",
    "variant": "SDKs whose helper has this variant.",
    "returns": "SDKs whose waits return this: result, task or nothing.",
}
_SENTENCES = {  # by the name of the part that has the keys, as in the schema
    ROOT: {
        "format": "The number of the file's format.",
        "name": "What commands and reports call the suite.",
        "extends": "Another suite that this one adds to: a bundled one's name, or a folder relative to the "
        "file's. Keys that are left out are that one's.",
        "without": "Requirements and scenarios of that other suite that are left out, by their ids.",
        "title": "What people call the suite.",
        "source": "Where the documentation is that requirements quote.",
        "task_id": "What task ids look like: any text, or whole numbers.",
        "endpoint": "The request that asks for one task.",
        "credentials": "What every poll must carry.",
        "answer": "The answer to a poll.",
        "error": "What ${error} is for a failed task in a scenario that has no error.",
        "http_error": "The answer with an HTTP status of 400 or more; ${http} and ${message} are filled in.",
        "statuses": "What each status must lead to; {means: return_result, fails: true} is a failure that is "
        "returned.",
        "returns": "What a wait hands to its caller: the result, the task as an object, or nothing.",
        "returned": "The part of the task that a wait promises to return, where it returns the task.",
        "unknown_status": "What any other status must lead to; left out where that is not documented.",
        "timeout": "What the caller gets when its time is up; any exception without it.",
        "defaults": "What holds where the caller passes no option.",
        "exception_fields": "The fields of a failed task's exception, each with its place in the answer, "
        "such as error.code.",
        "sdk_exceptions": "A regular expression for the names of all exceptions that the SDKs define.",
        "variants": "Other ways to call the helper, by name.",
        "operations": "Requests that begin a task, by name.",
        "environment": "Environment variables that the SDKs read, and that adapters are started without.",
        "example": "The scenario that serve and doctor use where none is named.",
        "snippets": "Calls to paste, by language; ${base_url} and ${task_id} are filled in.",
        "requirements": "The promises, each with the check that judges it.",
    },
    "Endpoint": {
        "method": "The request's method.",
        "path": "The request's path, with {task_id} in it once.",
    },
    "Credentials": {
        "headers": "Names of headers.",
        "query": "Names of query parameters.",
        "secret": "Those of them whose values no report, exception or log may show.",
        "jwt": "Those of them that are JSON Web Tokens.",
    },
    "Answer": {
        "headers": "Its headers.",
        "body": "Its body; ${task_id}, ${status}, ${result}, ${error} and ${now_ns} are filled in.",
    },
    "ErrorAnswer": {"headers": "Its headers.", "body": "Its body."},
    "Status": {
        "means": "What it must lead to.",
        "fails": "Whether it says that the task has failed, although the wait returns.",
    },
    "Variant": {
        "options": "The options of the helper that make it.",
        "statuses": "What statuses then lead to, where that differs.",
    },
    "TimeoutPromise": {
        "kind": "The kind of the exception.",
        "type": "A regular expression for the name of its type; one for all languages, or one for each.",
        "fields": "Fields of the exception with the values that they have.",
    },
    "Defaults": {
        "poll_interval": (
            "The time between two polls, or how it grows: `{first: 200ms, add: 200ms, most: 5s}`, or with "
            "`times` in place of `add`."
        ),
        "timeout": "The time after which a wait is given up; none where it has no deadline.",
        "max_polls": "The number of polls after which a wait is given up; none where there is no limit.",
    },
    "Operation": {
        "method": "The request's method.",
        "path": "The request's path; `{token}` in it is replaced by the text that names the task.",
        "token": (
            "Where the body has that text, such as items.0. Without it and without `{token}`, the request "
            "begins the only task that waits for it."
        ),
        "arguments": "What an adapter is given to begin it, with ${token} where it has that text.",
        "status": "The HTTP status of the answer.",
        "body": "The answer's body, with ${task_id} in it.",
    },
    "Requirement": {
        "id": "Its name.",
        "level": "MUST quotes the documentation, SHOULD has a reason, INFO goes on record.",
        "quote": "The documentation's own sentence.",
        "reason": "Why it is expected, where the documentation says nothing.",
        "check": "What judges it.",
        "with": "The check's arguments.",
        "applies_to": "Which SDKs it is about; all without it.",
    },
    "AppliesTo": {**_CONDITIONS, "not": "Not to SDKs that meet one of these conditions."},
    "Conditions": _CONDITIONS,
}


def contract_schema(checks: Mapping[str, CheckSpec]) -> dict[str, Any]:
    """Return the JSON Schema of a contract file.

    Args:
        checks: The checks that requirements may name.
    """
    schema = Contract.model_json_schema(by_alias=True, mode="validation")
    for part, properties in _parts(schema):
        for key, value in properties.items():
            value.setdefault("description", _SENTENCES.get(part, {}).get(key, ""))
    requirement = schema["$defs"]["Requirement"]
    requirement["properties"]["check"]["enum"] = list(checks)
    requirement["allOf"] = [
        {
            "if": {"properties": {"check": {"const": kind}}},
            "then": {"properties": {"with": each.arguments.model_json_schema(by_alias=True)}},
        }
        for kind, each in checks.items()
        if each.arguments.model_fields
    ]
    schema["anyOf"] = [
        {"required": schema.pop("required")},
        {"required": ["format", "name", "extends"]},  # the other keys are inherited
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "waitproof contract, format 1",
    }


def contract_keys(schema: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each key of a contract: the part that has it, its name and its schema."""
    for part, properties in _parts(schema):
        for key, value in properties.items():
            yield part, key, value


def _parts(schema: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield ROOT, schema["properties"]
    for name, part in schema["$defs"].items():
        if "properties" in part:
            yield name, part["properties"]
