"""What a kit's small client must know of an API: its contract, in the words of `api.json`.

The client of each kit stands in for an SDK. It has no API's words in it: it reads them from the file beside
it, which is written here. All places are dotted paths; "" is no place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from waitproof.suite import Contract, Json, Operation, StatusMeaning

__all__ = ["about", "api_file", "api_of"]


def api_of(contract: Contract) -> dict[str, Any]:
    """Return an API as its clients need it.

    Credentials are `key` (the API key), `secret` (the API secret) or `token` (a JSON Web Token that is signed
    with the secret). An operation's `from` is where its arguments have what is its token, `to` where the body
    needs that as well.
    """
    credentials = contract.credentials
    kinds = dict.fromkeys(credentials.secret, "secret") | dict.fromkeys(credentials.jwt, "token")
    body = contract.answer.body
    return {
        "title": contract.title,
        "poll": {"method": contract.endpoint.method, "path": contract.endpoint.path},
        "headers": {name: kinds.get(name, "key") for name in credentials.headers},
        "query": {name: kinds.get(name, "key") for name in credentials.query},
        "paths": {name: _place(body, name) for name in ("task_id", "status", "result", "error")},
        "done": _statuses(contract, StatusMeaning.RETURN_RESULT),
        "failed": _statuses(contract, StatusMeaning.RAISE_TASK),
        "exception_fields": dict(contract.exception_fields),
        "timeout": {"kind": contract.timeout.kind, "fields": dict(contract.timeout.fields)},
        "poll_interval": contract.defaults.poll_interval,
        "wait_timeout": contract.defaults.timeout,
        "operations": {name: _operation(each) for name, each in contract.operations.items()},
    }


def api_file(contract: Contract) -> str:
    """Return the text of `api.json`."""
    return json.dumps(api_of(contract), indent=2, ensure_ascii=False) + "\n"


def about(contract: Contract, suite: str) -> str:
    """Return what a README says of an API, as Markdown that follows on a README's text.

    Args:
        contract: The suite's.
        suite: What a command needs to know which suite is meant: `--suite DIR`; "" for nothing.
    """
    api = api_of(contract)
    option = f" {suite}" if suite else ""
    sent = [f"header `{name}`" for name in api["headers"]] + [f"query `{name}`" for name in api["query"]]
    statuses = [f"`{name}`: {contract.meaning(name).value.replace('_', ' ')}" for name in contract.statuses]
    fields = [f"`{name}`" for name in api["exception_fields"]]
    promise = " ".join(f"`{name}: {json.dumps(value)}`" for name, value in api["timeout"]["fields"].items())
    lines = [
        "",
        f"## What the suite `{contract.name}` asks of your SDK",
        "",
        f"- It serves {contract.title}: a wait polls `{api['poll']['method']} {api['poll']['path']}`.",
        f"- Every poll carries: {', '.join(sent) or 'no credentials'}.",
        f"- Statuses: {', '.join(statuses)}.",
        f"- The exception of a failed task, kind `task`, has the fields {', '.join(fields) or '(none)'}.",
        f"- A wait that is out of time raises kind `{api['timeout']['kind']}` {promise}".rstrip() + ".",
    ]
    if contract.operations:
        lines.append("- `begin` gets one of these operations, with arguments such as:")
    for name, each in contract.operations.items():
        arguments = json.dumps(each.arguments, ensure_ascii=False)
        lines.append(f"  - `{name}`, `{arguments}`: `{each.method} {each.path}`")
    lines += [
        "",
        "```console",
        f"$ waitproof doctor{option} .",
        f"$ waitproof run{option} .",
        f"$ waitproof explain{option}    # every requirement, with the sentence of the documentation",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _statuses(contract: Contract, meaning: StatusMeaning) -> list[str]:
    return [status for status in contract.statuses if contract.meaning(status) is meaning]


def _operation(operation: Operation) -> dict[str, str]:
    source = _place(operation.arguments, "token")
    return {
        "method": operation.method,
        "path": operation.path,
        "from": source,
        "to": operation.token if operation.token not in (None, source) else "",
        "task_id": _place(operation.body, "task_id"),
    }


def _place(template: Json, name: str) -> str:
    """Return where a template has a placeholder, alone or in a text."""
    return next((place for place, text in _texts(template, "") if "${" + name + "}" in text), "")


def _texts(value: Json, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping | list | tuple):
        for key, child in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _texts(child, f"{place}.{key}" if place else str(key))
