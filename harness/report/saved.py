"""A report.json read back as values: what the verdicts of an earlier run were.

Whoever compares runs or keeps a baseline works on these values; `data` makes and reads the documents
themselves. Members that this version does not know are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract import Level
from harness.errors import InputError, Mistake
from harness.judge import Status, Verdict
from harness.report import data

__all__ = ["SavedAdapter", "SavedReport", "load"]


@dataclass(frozen=True)
class SavedAdapter:
    """One adapter of a saved run.

    Attributes:
        sdk: Name and version of its SDK, "" where it said nothing.
        error: Why it could not be run at all, "" when it could.
    """

    name: str
    sdk: str = ""
    error: str = ""
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True)
class SavedReport:
    """A saved run.

    Attributes:
        started: When it began, in UTC, as ISO 8601.
        whole: Every scenario of the suite was to be played; None where the report does not say so.
        interrupted: It was ended before its end.
        requirements: Every requirement of its contract, in the contract's order.
    """

    suite: str
    started: str
    adapters: tuple[SavedAdapter, ...]
    whole: bool | None = None
    interrupted: bool = False
    requirements: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether what is not in it is not in the suite."""
        return self.whole is True and not self.interrupted


def load(path: Path) -> SavedReport:
    """Return the report in a file.

    Raises:
        InputError: It cannot be read, or is no report as its schema describes it.
    """
    document = data.read(path)
    try:
        return SavedReport(
            suite=_text(document, "suite"),
            started=_text(document, "started"),
            adapters=tuple(_adapter(each) for each in document["adapters"]),
            whole=document.get("whole"),
            interrupted=bool(document.get("interrupted", False)),
            requirements=tuple(_text(each, "id") for each in document["requirements"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        fact = "this report is not as its schema says"
        found = f"{type(error).__name__}: {error}"
        mend = "write it anew with waitproof run --json"
        raise InputError(Mistake(str(path), fact, found, mend=mend)) from None


def _adapter(adapter: Mapping[str, Any]) -> SavedAdapter:
    sdk = adapter.get("sdk")
    return SavedAdapter(
        name=_text(adapter, "name"),
        sdk="" if sdk is None else f"{_text(sdk, 'name')} {_text(sdk, 'version')}".strip(),
        error=_text(adapter, "error", ""),
        verdicts=tuple(_verdict(each) for each in _list(adapter["verdicts"])),
    )


def _verdict(verdict: Mapping[str, Any]) -> Verdict:
    return Verdict(
        scenario=_name(verdict, "scenario"),
        requirement=_name(verdict, "requirement"),
        level=Level(verdict["level"]),
        status=Status(verdict["status"]),
        expected=_text(verdict, "expected", ""),
        seen=_text(verdict, "seen", ""),
        excused=_text(verdict, "excused", ""),
        link=_text(verdict, "link", ""),
    )


def _text(part: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = part[key] if default is None else part.get(key, default)
    if not isinstance(value, str):
        raise TypeError(f"'{key}' is no text")
    return value


def _name(part: Mapping[str, Any], key: str) -> str:
    name = _text(part, key)
    if not name.strip():
        raise ValueError(f"'{key}' is empty")
    return name


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("this is no list")
    return value
