"""The adapter of any variant: `python -m reference_client.mutants.adapter NAME`.

`waitproof_kit` is found through the PYTHONPATH, as by the reference client's adapters.
"""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import waitproof_kit
from waitproof_kit import run, run_async

from reference_client.adapter import ReferenceAdapter
from reference_client.mutants import EQUIVALENTS, MUTANTS, REFERENCES, Variant

__all__ = ["VariantAdapter"]


class VariantAdapter(ReferenceAdapter):
    """Calls a variant as the reference client is called."""

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant.client)
        self._variant = variant

    def hello(self) -> dict[str, Any]:
        """Return what this variant is and can do."""
        hello = super().hello()
        hello["sdk"] = {**hello["sdk"], "name": self._variant.name, **self._variant.sdk}
        hello["result_path"] = self._variant.result_path
        hello["capabilities"] = {
            **hello["capabilities"],
            "non_blocking": self._variant.is_async,
            **self._variant.capabilities,
        }
        return hello

    def describe(self, exception: BaseException) -> dict[str, Any] | None:
        """Return kind and fields, and the length of the runtime's own stack trace where it has one."""
        described = super().describe(exception)
        if described is not None and self._variant.frames is not None:
            described["native_stack_frames"] = self._variant.frames
        return described


def _lie(variant: Variant) -> None:
    """Let the kit report another time than it measured."""
    measured = waitproof_kit._attempt  # noqa: SLF001 - no honest adapter would

    def attempt(call: Any) -> Any:
        made = measured(call)
        return dataclasses.replace(made, elapsed_s=variant.elapsed_s(made.elapsed_s))

    vars(waitproof_kit)["_attempt"] = attempt


def main(name: str) -> None:
    """Serve a variant until the end of stdin."""
    variant = {**MUTANTS, **EQUIVALENTS, **REFERENCES}[name]
    if variant.elapsed_s is not float:
        _lie(variant)
    (run_async if variant.is_async else run)(VariantAdapter(variant))


if __name__ == "__main__":
    main(sys.argv[1])
