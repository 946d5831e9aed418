"""What the parts of report.json have in common: their base, and the types of their members."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import ConfigDict, Field

Name = Annotated[str, Field(pattern=r"\S")]  # a baseline made from the report must be able to name it
Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$")]
Duration = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]


def _describe(schema: dict[str, Any], entry: type) -> None:
    schema["description"] = (entry.__doc__ or "").partition("\n")[0]


@dataclass(frozen=True)
class Part:
    """What all parts of a report have in common: the texts below their members are the schema's."""

    __pydantic_config__ = ConfigDict(
        use_attribute_docstrings=True, allow_inf_nan=False, json_schema_extra=_describe
    )
