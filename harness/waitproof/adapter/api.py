"""What a kit's small client must know of an API: its contract, in the words of `api.json`.

The client of each kit stands in for an SDK. It has no API's words in it: it reads them from the file beside
it, which is written here. All places are dotted paths; "" is no place.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from waitproof.suite import Contract, Intervals, Json, Operation, Returns, StatusMeaning, dotted, path_of

ENDLESS_S = 1e6  # of a pause that grows without a bound
_NAMES = {"node": "javascript"}  # kits whose language has another name in an adapter's hello

__all__ = ["about", "api_file", "api_of"]


def api_of(contract: Contract, language: str) -> dict[str, Any]:
    """Return an API as a client in a kit's language needs it.

    Credentials are `key` (the API key), `secret` (the API secret) or `token` (a JSON Web Token that is signed
    with the secret). An operation's `from` is where its arguments have what is its token, `to` where the body
    needs that as well. What a wait returns is at `returned`, where "*" is the whole answer.
    """
    credentials = contract.credentials
    kinds = dict.fromkeys(credentials.secret, "secret") | dict.fromkeys(credentials.jwt, "token")
    body = contract.answer.body
    return {
        "title": contract.title,
        "poll": {"method": contract.endpoint.method, "path": contract.endpoint.path},
        "headers": {name: kinds.get(name, "key") for name in credentials.headers},
        "query": {name: kinds.get(name, "key") for name in credentials.query},
        "paths": {name: _place(body, name) for name in ("task_id", "status", "result", "error")}
        | {"returned": _returned(contract)},
        "done": _statuses(contract, StatusMeaning.RETURN_RESULT),
        "failed": _statuses(contract, StatusMeaning.RAISE_TASK),
        "exception_fields": dict(contract.exception_fields),
        "timeout": _timeout(contract, _NAMES.get(language, language)),
        "options": _options(contract),
        "pauses": _pauses(contract.defaults.intervals),
        "wait_timeout": contract.defaults.timeout,
        "max_polls": contract.defaults.max_polls,
        "operations": {name: _operation(each) for name, each in contract.operations.items()},
    }


def api_file(contract: Contract, language: str) -> str:
    """Return the text of `api.json` for a kit."""
    return json.dumps(api_of(contract, language), indent=2, ensure_ascii=False) + "\n"


def about(contract: Contract, language: str, suite: str) -> str:
    """Return what a README says of an API, as Markdown that follows on a README's text.

    Args:
        contract: The suite's.
        language: The kit's.
        suite: How a command in the adapter's folder names the suite; "" for the usual one.
    """
    api = api_of(contract, language)
    option = f" --suite {shlex.quote(suite)}" if suite else ""
    sent = [f"header `{name}`" for name in api["headers"]] + [f"query `{name}`" for name in api["query"]]
    statuses = [f"`{name}`: {contract.meaning(name).value.replace('_', ' ')}" for name in contract.statuses]
    fields = [f"`{name}`" for name in api["exception_fields"]]
    promised = contract.timeout.promised(_NAMES.get(language, language))
    with_fields = ", ".join(f"`{name}: {json.dumps(each)}`" for name, each in contract.timeout.fields.items())
    lines = [
        "",
        f"## What the suite `{contract.name}` asks of your SDK",
        "",
        f"- It serves {contract.title}: a wait polls `{api['poll']['method']} {api['poll']['path']}`.",
        f"- Every poll carries: {', '.join(sent) or 'no credentials'}.",
        f"- Statuses: {', '.join(statuses)}.",
        f"- The exception of a failed task, kind `task`, has the fields {', '.join(fields) or '(none)'}.",
        f"- A wait that is out of time raises {promised}" + (f" with {with_fields}." if with_fields else "."),
    ]
    if contract.operations:
        lines.append("- `begin` gets one of these operations, with arguments such as:")
    for name, each in contract.operations.items():
        arguments = json.dumps(each.arguments, ensure_ascii=False)
        lines.append(f"  - `{name}`, `{arguments}`: `{each.method} {each.path}`")
    lines += [
        "",
        "```console",
        "$ waitproof doctor .",
        "$ waitproof run .",
        f"$ waitproof explain{option}    # every requirement, with the sentence of the documentation",
        "```",
    ]
    return "\n".join(lines) + "\n"


def _options(contract: Contract) -> list[str]:
    limits = {"timeout": contract.defaults.timeout, "max_polls": contract.defaults.max_polls}
    return ["poll_interval", *(name for name, limit in limits.items() if limit is not None)]


def _returned(contract: Contract) -> str:
    match contract.returns:
        case Returns.TASK:
            return "*"
        case Returns.NOTHING:
            return ""
        case _:
            return _place(contract.answer.body, "result")


def _timeout(contract: Contract, language: str) -> dict[str, Any]:
    """Return how a client says that a wait is out of time; without a `type`, it has its own."""
    promise = contract.timeout
    kind = promise.kind or ("other" if promise.type else "transport")
    own = promise.a_type(language)
    return {"kind": kind, **({"type": own} if own else {}), "fields": dict(promise.fields)}


def _pauses(intervals: Intervals) -> dict[str, float]:
    """Return the first pause, how the next one comes of each, and the longest, in seconds."""
    longest_s = intervals.first_s if intervals.is_constant else min(intervals.most_s, ENDLESS_S)
    return {"first": intervals.first_s, "add": intervals.add_s, "times": intervals.times, "most": longest_s}


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
    """Return where a template has a placeholder, alone or in a text; "" for nowhere."""
    return dotted(path_of(template, name, is_part=True) or ())
