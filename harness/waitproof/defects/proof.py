"""Proof that the suite catches every defect, and never accuses a correct SDK: `waitproof prove`.

Mutants of the reference client, one small defect each, are played against the suite: each must be caught by
the requirement that it is named after. Equivalents, correct clients that look different, must be accused of
nothing. First all of them are played in the simulator against every scenario; then, with `--live`, over real
sockets: each mutant against the scenarios that prove its requirement, the equivalents against everything.

The one module of the harness that knows the reference client; it needs a checkout, where adapters lie too.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from rich.console import Console

sys.path.append(str(Path(__file__).resolve().parents[3]))  # the reference client is not installed

from reference_client import AsyncClient, Client, wire
from reference_client.exceptions import StreamTransportException
from reference_client.mutants import EQUIVALENTS, MUTANTS, REFERENCES, Ending, Variant
from waitproof.adapter.command import AdapterCommand
from waitproof.errors import InputError, Mistake
from waitproof.judge import Status, Trial, Verdict, checks, rounds, unplayed
from waitproof.protocol import Capabilities, JsonObject
from waitproof.run import ExitCode, Runner
from waitproof.simulate import (
    Answer,
    Conditions,
    Machine,
    Request,
    SimulatedDropError,
    SimulatedTimeoutError,
    Simulator,
    scale_for,
    scaled,
)
from waitproof.suite.files import Suite, bundled_suite, load_suite
from waitproof.suite.scenario import Scenario
from waitproof.suite.select import select

__all__ = [
    "Bench",
    "Line",
    "Outcome",
    "SimulatedVariant",
    "add_options",
    "live_command",
    "main",
    "markdown",
    "prove_live",
    "prove_simulated",
    "reference",
    "weigh",
]

ROOT = Path(__file__).resolve().parents[3]
KIT = ROOT / "adapters" / "kits" / "python"
ACCUSED = {Status.FAIL, Status.WARN}
UNSETTLED = {Status.INCONCLUSIVE, Status.ERROR}
BASE_URL = "http://simulated"
SECRET = "a secret of at least thirty-two bytes"  # noqa: S105 - of a server that is not there


# --- a variant in the simulator -----------------------------------------------------------------------


class _Transport:
    """The reference client's transport, on a simulated machine."""

    def __init__(self, machine: Machine, *, blind: bool) -> None:
        self._machine = machine
        self._blind = blind
        self.now = machine.now
        self.sleep = machine.sleep
        self.start = machine.start

    def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        try:
            answer = self._machine.send(_on_the_wire(request), timeout_s, blind=self._blind)
        except (SimulatedTimeoutError, SimulatedDropError) as error:
            raise _failure(request, timeout_s, error) from error
        return wire.Answer(answer.http, answer.body)

    def close(self) -> None:
        pass


class _AsyncTransport:
    """The same for coroutines; `blocking` is what a coroutine must not use."""

    def __init__(self, machine: Machine, *, blind: bool) -> None:
        self._machine = machine
        self._blind = blind
        self.now = machine.now
        self.sleep = machine.sleep_async
        self.blocking = _Transport(machine, blind=blind)

    async def send(self, request: wire.Request, timeout_s: float) -> wire.Answer:
        try:
            answer: Answer = await self._machine.send_async(
                _on_the_wire(request), timeout_s, blind=self._blind
            )
        except (SimulatedTimeoutError, SimulatedDropError) as error:
            raise _failure(request, timeout_s, error) from error
        return wire.Answer(answer.http, answer.body)

    async def close(self) -> None:
        pass


def _on_the_wire(request: wire.Request) -> Request:
    return Request(request.method, request.url.removeprefix(BASE_URL), request.headers, request.body)


def _failure(request: wire.Request, timeout_s: float, error: Exception) -> StreamTransportException:
    if isinstance(error, SimulatedTimeoutError):
        return wire.no_answer(request, timeout_s)
    return wire.transport_failure("connection", request, str(error))


class SimulatedVariant:
    """A variant as the simulator wants it: what its adapter's kit makes of it, without the lines."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._adapter = _adapter_of(variant)

    @property
    def non_blocking(self) -> bool:
        """Whether its calls are coroutines."""
        return self._variant.is_async

    def hello(self) -> JsonObject:
        """Return its introduction."""
        hello: JsonObject = self._adapter.hello()
        return {**hello, "sdk": {"language": "python", "runtime": "simulated", **hello["sdk"]}}

    def connect(self, machine: Machine) -> Client | AsyncClient:
        """Return a client on that machine."""
        make = _AsyncTransport if self.non_blocking else _Transport
        transport: Any = make(machine, blind=self._variant.blind)
        return self._variant.client("key", SECRET, BASE_URL, transport=transport)

    def call(self, client: Any, request: JsonObject) -> Any:
        """Carry out a request of the protocol."""
        match request["op"]:
            case "wait":
                return self._adapter.wait(client, request["task_id"], **request["options"])
            case "get_task":
                return self._adapter.get_task(client, request["task_id"])
            case _:
                return self._adapter.begin(client, request["operation"], request["arguments"])

    def returned(self, request: JsonObject, value: Any) -> JsonObject:
        """Return the answer's members for what a call returned."""
        match request["op"]:
            case "wait":
                for step in filter(None, self._variant.result_path.split(".")):
                    value = value[step]
                return {"outcome": "returned", "result": value}
            case "get_task":
                return {"outcome": "returned", "task": dataclasses.asdict(value)}
            case _:
                return {"outcome": "returned", "task_id": value}

    def raised(self, request: JsonObject, error: BaseException) -> JsonObject:  # noqa: ARG002 - Sdk's
        """Return the answer's members for what a call raised."""
        try:
            message = str(error)
        except Exception:  # noqa: BLE001 - a mutant may have taken away what its text is made of
            message = "no text"
        known = {"kind": "other", "type": type(error).__name__, "message": message, "fields": {}}
        return {"outcome": "raised", "exception": {**known, **(self._adapter.describe(error) or {})}}

    def elapsed_s(self, seconds: float) -> float:
        """Return what its adapter says that a wait took."""
        return self._variant.elapsed_s(seconds)


def _adapter_of(variant: Variant) -> Any:
    if not (KIT / "waitproof_kit.py").is_file():
        raise InputError(
            Mistake(
                "prove",
                "the Python kit is not there",
                expected="a checkout of waitproof, with adapters/kits",
                fix="prove is for whoever works on waitproof itself: clone it, and run it there",
            )
        )
    if str(KIT) not in sys.path:
        sys.path.append(str(KIT))
    from reference_client.mutants.adapter import VariantAdapter  # noqa: PLC0415 - it needs the kit's path

    return VariantAdapter(variant)


def reference(*, is_async: bool = False) -> Variant:
    """Return the reference client itself as a variant."""
    return REFERENCES[f"reference.{'async' if is_async else 'sync'}"]


class Bench:
    """A suite and its simulators, on which any number of variants are played."""

    def __init__(self, suite: Suite, *conditions: Conditions) -> None:
        """Make a bench.

        Args:
            suite: What to play.
            conditions: Of the first run of each scenario, of its first run alone, and so on; the last ones
                hold from then on, and ideal ones where there are none.
        """
        self.suite = suite
        self._simulators = [Simulator(suite.contract, each) for each in conditions or (Conditions(),)]
        self.simulator = self._simulators[0]
        self._factors: dict[tuple[str, float, float], int | None] = {}
        self._scaled: dict[tuple[str, int], Scenario] = {}

    def simulate(self, variant: Variant, scenarios: Sequence[Scenario] | None = None) -> list[Verdict]:
        """Play scenarios, all by default, as a run plays them, and return the verdicts."""
        contract = self.suite.contract
        sdk = SimulatedVariant(variant)
        hello = self.simulator.hello(sdk)
        trials, scales = [], {}
        for scenario in self.suite.scenarios if scenarios is None else scenarios:
            factor = self._factor(scenario, hello.capabilities)
            trial = Trial(contract, self._scale(scenario, factor or 1))
            scales[id(trial)] = factor
            trials.append(trial)
        for each in rounds(contract, trials, hello):
            for trial in each.trials:
                factor = scales[id(trial)]
                if factor is None:
                    reason = "the helper's options are too coarse"
                    trial.close(unplayed(contract, trial.scenario, Status.UNSUPPORTED, reason))
                    continue
                runs = len(trial.observations)
                simulator = self._simulators[min(runs, len(self._simulators) - 1)]
                trial.add(
                    simulator.play(sdk, each.hello, trial.scenario, scale=factor, alone=bool(runs), seed=runs)
                )
        return [verdict for trial in trials for verdict in trial.verdicts]

    def soonest(self, variant: Variant, scenarios: Sequence[Scenario]) -> Sequence[Scenario]:
        """Return the scenario in which a mutant is caught soonest, all of them when it never is."""
        sdk = SimulatedVariant(variant)
        hello = self.simulator.hello(sdk)
        lengths: dict[str, float] = {}
        for scenario in scenarios:
            line = weigh(self.suite, variant, self.simulate(variant, [scenario]), {})
            if line.outcome is Outcome.KILLED:
                lengths[scenario.id] = self.simulator.play(sdk, hello, scenario).watched_s
        found = min(lengths, key=lambda scenario_id: lengths[scenario_id], default=None)
        return [scenario for scenario in scenarios if found in (None, scenario.id)]

    def _factor(self, scenario: Scenario, capabilities: Capabilities) -> int | None:
        key = scenario.id, capabilities.poll_interval_resolution, capabilities.timeout_resolution
        if key not in self._factors:
            self._factors[key] = scale_for(self.suite.contract, scenario, capabilities)
        return self._factors[key]

    def _scale(self, scenario: Scenario, factor: int) -> Scenario:
        if factor == 1:
            return scenario
        return self._scaled.setdefault((scenario.id, factor), scaled(scenario, factor))


# --- what each variant is worth -----------------------------------------------------------------------


class Outcome(StrEnum):
    """What became of a variant."""

    KILLED = "killed"  # by the requirement that it is named after
    OTHER_REASON = "killed for another reason"
    SURVIVED = "survived"
    CORRECT = "correct"  # an equivalent that nothing was held against
    ACCUSED = "accused"

    @property
    def is_right(self) -> bool:
        """Whether the suite is as good as it should be."""
        return self in {Outcome.KILLED, Outcome.CORRECT}


@dataclass(frozen=True)
class Line:
    """A line of the kill matrix.

    Attributes:
        name: The variant's.
        caught_in: Scenarios in which the requirement that it is named after caught it.
        also_by: Other requirements that caught it; of an equivalent, all that accused it.
        unsettled: What ended in INCONCLUSIVE or ERROR without being meant to.
        checks: Kinds of the checks that found something.
    """

    name: str
    outcome: Outcome
    caught_in: tuple[str, ...] = ()
    also_by: tuple[str, ...] = ()
    unsettled: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()

    @property
    def variant(self) -> Variant:
        """The variant itself."""
        return variant_named(self.name)


def weigh(
    suite: Suite, variant: Variant, verdicts: Iterable[Verdict], usual: Mapping[tuple[str, str], str]
) -> Line:
    """Return what a variant's verdicts say about the suite.

    Args:
        suite: The suite.
        variant: What was played.
        verdicts: Of all the scenarios that were played.
        usual: What the reference client has on record, by scenario and requirement.
    """
    caught: list[Verdict] = []
    unsettled: list[str] = []
    for verdict in verdicts:
        if _catches(variant, verdict, usual):
            caught.append(verdict)
        elif variant.ending is not Ending.ERROR and verdict.status in UNSETTLED:
            unsettled.append(f"{verdict.scenario}:{verdict.requirement}")
    names = list(dict.fromkeys(verdict.requirement for verdict in caught))
    others = tuple(name for name in names if name != variant.requirement)
    if not variant.requirement:
        outcome = Outcome.ACCUSED if names else Outcome.CORRECT
    elif variant.requirement in names:
        outcome = Outcome.KILLED
    else:
        outcome = Outcome.OTHER_REASON if names else Outcome.SURVIVED
    return Line(
        variant.name,
        outcome,
        tuple(verdict.scenario for verdict in caught if verdict.requirement == variant.requirement),
        others,
        tuple(unsettled),
        tuple(dict.fromkeys(suite.contract.requirement(name).check for name in names)),
    )


def _catches(variant: Variant, verdict: Verdict, usual: Mapping[tuple[str, str], str]) -> bool:
    if verdict.status in ACCUSED:
        return True
    is_stated = verdict.requirement == variant.requirement
    if variant.ending is Ending.ERROR:
        return is_stated and verdict.status is Status.ERROR
    if variant.ending is Ending.RECORDED and is_stated and verdict.status is Status.INFO:
        return _words(verdict) != usual.get((verdict.scenario, verdict.requirement), _words(verdict))
    return False


def _words(verdict: Verdict) -> str:
    """Return the part of a behaviour on record by which SDKs are compared."""
    return verdict.seen.partition(":")[0]


def _usual(verdicts: Iterable[Verdict]) -> dict[tuple[str, str], str]:
    return {(v.scenario, v.requirement): _words(v) for v in verdicts if v.status is Status.INFO}


# --- in the simulator ---------------------------------------------------------------------------------


def prove_simulated(
    suite: Suite, variants: Sequence[Variant], *, processes: int = 1, is_short: bool = False
) -> list[Line]:
    """Play every variant in virtual time.

    Args:
        suite: What to play.
        variants: What to play it with.
        processes: How many to use; 1 is this one.
        is_short: Play each mutant against what proves its requirement alone, not against everything.
    """
    work = [(variant.name, is_short) for variant in variants]
    if processes == 1 or len(work) < 4 * processes:
        _begin_work(suite)
        return [_weigh_simulated(each) for each in work]
    with multiprocessing.get_context("spawn").Pool(processes, _begin_work, (suite,)) as pool:
        return pool.map(_weigh_simulated, work, chunksize=4)


_work: dict[str, Any] = {}


def _begin_work(suite: Suite) -> None:
    bench = Bench(suite)
    _work["bench"] = bench
    _work["usual"] = {
        is_async: _usual(bench.simulate(reference(is_async=is_async))) for is_async in (False, True)
    }


def _weigh_simulated(work: tuple[str, bool]) -> Line:
    name, is_short = work
    bench: Bench = _work["bench"]
    variant = variant_named(name)
    chosen = _proving(bench.suite, variant) if is_short else bench.suite.scenarios
    return weigh(bench.suite, variant, bench.simulate(variant, chosen), _work["usual"][variant.is_async])


def _proving(suite: Suite, variant: Variant) -> Sequence[Scenario]:
    """Return what proves a mutant's requirement, everything for an equivalent."""
    return select(suite.scenarios, [f"*:{variant.requirement}"]) if variant.requirement else suite.scenarios


def variant_named(name: str) -> Variant:
    """Return a mutant, an equivalent, or the reference client itself, by its name.

    Raises:
        KeyError: There is none.
    """
    return {**MUTANTS, **EQUIVALENTS, **REFERENCES}[name]


# --- over real sockets --------------------------------------------------------------------------------


def live_command(variant: Variant) -> AdapterCommand:
    """Return what starts a variant's adapter."""
    _adapter_of(variant)  # says what is missing where there is no checkout
    argv = (sys.executable, "-m", "reference_client.mutants.adapter", variant.name)
    return AdapterCommand(variant.name, argv, ROOT, {"PYTHONPATH": f"{KIT}{os.pathsep}{ROOT}"})


def prove_live(
    suite: Suite, variants: Sequence[Variant], say: Callable[[str], object] = lambda _line: None
) -> list[Line]:
    """Play each mutant live against what proves its requirement, and the equivalents against everything.

    Of what proves a requirement of time the scenario will do in which a mutant is caught soonest, as the
    simulator sees it: a suspicion is played again alone, twice at least.

    Args:
        suite: What to play.
        variants: What to play it with; one requirement's mutants share a run and its budget, where they can.
        say: Told each line as it becomes known.
    """
    lines: list[Line] = []
    bench = Bench(suite)
    for group, scenarios in _groups(bench, variants):
        bases = {variant.is_async: reference(is_async=variant.is_async) for variant in group}
        needed = list(bases.values()) if any(v.ending is Ending.RECORDED for v in group) else []
        runner = Runner(suite, [live_command(each) for each in (*needed, *group)], scenarios=scenarios)
        results = {adapter.name: list(adapter.verdicts()) for adapter in runner.run().adapters}
        usual = {is_async: _usual(results.get(base.name, ())) for is_async, base in bases.items()}
        for variant in group:
            lines.append(weigh(suite, variant, results[variant.name], usual[variant.is_async]))
            say(_told(lines[-1]))
    return lines


def _groups(
    bench: Bench, variants: Sequence[Variant]
) -> Iterator[tuple[Sequence[Variant], Sequence[Scenario]]]:
    """Yield what is run together, and which scenarios with it."""
    contract = bench.suite.contract
    for requirement in dict.fromkeys(variant.requirement for variant in variants):
        group = [variant for variant in variants if variant.requirement == requirement]
        proving = _proving(bench.suite, group[0])
        if requirement and checks()[contract.requirement(requirement).check].timed:
            yield from (([variant], bench.soonest(variant, proving)) for variant in group)
        else:
            yield group, proving


# --- telling ------------------------------------------------------------------------------------------


def _told(line: Line) -> str:
    name = f"{line.outcome.value:<9} {line.variant.name}"
    if line.outcome is Outcome.KILLED:
        also = f"; also by {', '.join(line.also_by)}" if line.also_by else ""
        return f"{name}  in {len(line.caught_in)} scenario{'' if len(line.caught_in) == 1 else 's'}{also}"
    if line.also_by:
        return f"{name}  by {', '.join(line.also_by)}"
    return name


def _summary(lines: Sequence[Line], seconds: float, where: str) -> str:
    counts = {outcome: sum(line.outcome is outcome for line in lines) for outcome in Outcome}
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    unsettled = sum(len(line.unsettled) for line in lines)
    more = f"; {unsettled} verdicts not settled" if unsettled else ""
    return f"{where}: {len(lines)} variants in {seconds:.1f} s: {told or 'nothing to prove'}{more}"


def markdown(suite: Suite, lines: Sequence[Line]) -> str:
    """Return the kill matrix as a page of documentation."""
    mutants = [line for line in lines if line.variant.requirement]
    equivalents = [line for line in lines if not line.variant.requirement]
    text = [
        "# Proof that the suite catches defects",
        "",
        "Written by `waitproof prove --markdown docs/proof.md`; do not edit it.",
        "",
        "Each mutant is the reference client with one small defect, and is named after the requirement that",
        "must catch it. Each equivalent is a correct client that looks different: nothing is held against",
        "it.",
        "",
    ]
    for requirement in suite.contract.requirements:
        own = [line for line in mutants if line.variant.requirement == requirement.id]
        if not own:
            continue
        text += [
            f"## {requirement.id} ({requirement.level.value})",
            "",
            "| mutant | defect | outcome | in | also by |",
            "|---|---|---|---|---|",
        ]
        for line in own:
            name = line.variant.name.partition(".")[2]
            where = f"{len(line.caught_in)}: {line.caught_in[0]}" if line.caught_in else ""
            also = ", ".join(line.also_by)
            text.append(f"| {name} | {line.variant.summary} | {line.outcome.value} | {where} | {also} |")
        text.append("")
    if equivalents:
        text += [
            "## Equivalents",
            "",
            "| client | what differs | outcome | accused by |",
            "|---|---|---|---|",
        ]
        for line in equivalents:
            name = line.variant.name.partition(".")[2]
            also = ", ".join(line.also_by)
            text.append(f"| {name} | {line.variant.summary} | {line.outcome.value} | {also} |")
        text.append("")
    return "\n".join(text)


# --- the command --------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `waitproof prove`."""
    parser.add_argument("--simulated", action="store_true", help="in virtual time; the default")
    parser.add_argument("--live", action="store_true", help="over real sockets; takes minutes")
    parser.add_argument(
        "-k",
        action="append",
        default=[],
        metavar="PATTERN",
        dest="patterns",
        help="only variants in whose name this stands; may be repeated",
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the kill matrix there")


def main(options: argparse.Namespace) -> ExitCode:
    """Prove what the options ask for, print the kill matrix, and say whether all is as it should be.

    Raises:
        InputError: No variant is meant, or this is no checkout.
    """
    console = Console(width=None if sys.stdout.isatty() else 200, color_system=None)
    suite = load_suite(bundled_suite())
    everything = [*MUTANTS.values(), *EQUIVALENTS.values()]
    patterns = options.patterns
    variants = [v for v in everything if not patterns or any(pattern in v.name for pattern in patterns)]
    if not variants:
        fix = "'waitproof prove' shows all names"
        raise InputError(Mistake("-k", f"no mutant and no equivalent matches {', '.join(patterns)}", fix=fix))

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    proved: list[Line] = []
    if options.simulated or not options.live:
        began_s = time.monotonic()
        proved = prove_simulated(suite, variants, processes=os.cpu_count() or 1)
        for line in proved:
            say(_told(line))
        say(_summary(proved, time.monotonic() - began_s, "simulated"))
        if options.markdown is not None:
            options.markdown.write_text(markdown(suite, proved), encoding="utf-8")
    if options.live:
        began_s = time.monotonic()
        live = prove_live(suite, variants, say)
        say(_summary(live, time.monotonic() - began_s, "live"))
        if options.markdown is not None and not proved:
            options.markdown.write_text(markdown(suite, live), encoding="utf-8")
        proved += live
    return ExitCode.KEPT if all(line.outcome.is_right for line in proved) else ExitCode.NOT_KEPT
