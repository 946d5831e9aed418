"""Checks an adapter against the protocol step by step, and reports what is wrong and how to fix it."""

from __future__ import annotations

import os
from collections.abc import Callable

from waitproof.adapter import AdapterCommand, AdapterProcess
from waitproof.errors import AdapterError
from waitproof.mock import ServerProcess
from waitproof.run.confidential import masker
from waitproof.run.examination import Examination
from waitproof.run.slow_start import announced
from waitproof.suite import Contract, Scenario

__all__ = ["examine"]

START_LIMIT_S = 30.0
API_SECRET = "doctor-" * 6


def examine(
    command: AdapterCommand,
    contract: Contract,
    say: Callable[[str], None],
    example: Scenario | None = None,
) -> bool:
    """Examine an adapter and report a line or a few for each step.

    Args:
        command: How to start it.
        contract: The documentation.
        say: Prints a line.
        example: A scenario whose wait returns, the contract's own example if it has one: what is answered and
            returned there is right for every SDK of this API, whatever types it has.

    Returns:
        Whether nothing was wrong.
    """
    passed, foresees = True, False
    masked = masker(os.environ, command.env, known=[API_SECRET])

    def say_masked(text: str) -> None:
        say(masked(text))

    with ServerProcess(contract) as server:
        try:
            process = AdapterProcess(command, clean=contract.environment, start_limit_s=START_LIMIT_S)
        except AdapterError as error:
            say_masked(f"WRONG start: {error}")
            return False
        try:
            with announced(lambda text: say_masked(f"      start: {text}"), START_LIMIT_S):
                hello = process.hello(
                    base_url=server.base_url, api_key="waitproof-key", api_secret=API_SECRET
                )
            for step in Examination(process, contract, server, hello, example).steps():
                passed &= not step.wrong
                word = "WRONG" if step.wrong else "note " if step.fix or step.is_note else "ok   "
                say_masked(f"{word} {step.name}: {step.summary}")
                for line in (*step.foreseen, *([f"fix: {step.fix}"] if step.fix else [])):
                    say_masked(f"      {line}")
                foresees |= bool(step.foreseen)
        except AdapterError as error:
            passed = False
            say_masked(f"WRONG {error}")
        finally:
            process.close()
        for line in () if passed else process.stderr_tail():
            say_masked(f"      stderr: {line}")
    if not passed:
        say("something is wrong with the adapter or with the SDK that it calls: see above")
    else:
        say(f"the adapter follows the protocol{'; see above for what a run will report' if foresees else ''}")
    return passed
