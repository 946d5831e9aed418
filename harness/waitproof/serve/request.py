"""What comes to the control API: from whom, and what its body says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError
from werkzeug import Request

from waitproof.errors import InputError, Mistake
from waitproof.text import shorten

__all__ = ["Refused", "check_site", "parsed"]

MAX_SHOWN = 200  # characters of a value that is wrong
MAX_NAME = 100  # characters of a member's name

_M = TypeVar("_M", bound=BaseModel)


class Refused(InputError):
    """A request that is refused with another status code than 422."""

    def __init__(self, http: int, *mistakes: Mistake) -> None:
        super().__init__(mistakes)
        self.http = http


def check_site(request: Request) -> None:
    """Refuse what a browser sends for a page of another site; a program sends none of these headers.

    A body must be JSON, which no form of another site can send without a preflight, and those are refused.
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    is_foreign = site not in {"same-origin", "none"} or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("Host", "")
    )
    is_visit = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if is_foreign and not (is_visit and origin is None):
        fact = "another site's page is not allowed to use the control API"
        raise Refused(403, Mistake(origin or "Sec-Fetch-Site", fact))


def parsed(request: Request, model: type[_M]) -> _M:
    """Return a request's body as a model; no body is an empty object.

    Raises:
        InputError: With every mistake in the body.
    """
    data = request.get_data()
    if data and request.mimetype != "application/json":
        fact = f"a body of type '{request.mimetype}' cannot be read"
        raise Refused(415, Mistake("", fact, expected="Content-Type: application/json"))
    try:
        body = json.loads(data or b"{}")
    except RecursionError:
        raise Refused(400, Mistake("", "the body is nested too deep to be read")) from None
    except ValueError as error:
        raise Refused(400, Mistake("", f"the body is not JSON: {error}")) from None
    if not isinstance(body, dict):
        raise InputError(Mistake("", "the body is not a JSON object", found=_shown(body)))
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise InputError(list(_mistakes(error, model))) from None


def _shown(value: object) -> str:
    try:
        return shorten(json.dumps(value), MAX_SHOWN)
    except RecursionError:
        return "a value that is nested too deep to be shown"


def _mistakes(error: ValidationError, model: type[BaseModel]) -> Iterator[Mistake]:
    """Yield a mistake for each member that is wrong."""
    for each in error.errors(include_url=False):
        place = shorten(".".join(str(part) for part in each["loc"]), MAX_NAME)
        found = _shown(each["input"])
        match each["type"]:
            case "extra_forbidden":
                known = ", ".join(model.model_fields) or "nothing"
                yield Mistake(place, "there is no such member", expected=known)
            case "missing":
                yield Mistake(place, "this is missing")
            case "is_instance_of":
                yield Mistake(place, "this should be a string", found)
            case _:  # such as "Input should be a valid number"
                yield Mistake(place, f"this {each['msg'].partition(' ')[2]}", found)
