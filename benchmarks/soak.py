"""Runs the suite again and again on a machine that is far too busy, and counts what it gets wrong.

    python benchmarks/soak.py                                # 50 rounds of everything; some hours
    python benchmarks/soak.py --times 3 -k overrides/ --only ticker --only model
    python benchmarks/soak.py --simulated                    # 50 rounds of everything; some minutes
    python benchmarks/soak.py --only model --only equivalent --share 9 --stop adapter --stop mock

Every core is kept busy by processes of this program's own, and now and then an adapter's processes are
stopped for 300 ms, as a laptop does that swaps; with `--stop` also the mock server or the harness itself,
now and then for 3 s. `--share 9` plays the model clients and, in turn, a ninth of the others in each round.
In the simulator, where a round takes seconds, the machine is another one in each round and in each run
alone: how late sleeps end, the server reads and the harness reads are drawn, and so are the stops. In each
round correct clients (the model client, sync and async, and every equivalent) play the selected scenarios,
and then the defects of time play the scenarios that must catch them. Under any load:

- no correct client may get a FAIL or a WARN (INCONCLUSIVE is honest, and counted);
- a defect must not get PASS in all of the scenarios in which the simulator, which has no load, sees it
  caught. (A stop can hide an early timeout in one of them: the caller did wait. How often a defect gets which
  verdict is counted.)

It exits with 1 if that is not so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

from waitproof.defects import Bench, Defect, Ending, Library, Line, library, weigh
from waitproof.judge import MAX_RERUNS, Status, Verdict, checks
from waitproof.run import Runner, live_command
from waitproof.simulate import Conditions, Stop
from waitproof.suite import Scenario, Suite, bundled_suite, load_suite, select

STOP_S = 0.3  # a stop of this length is invisible to the server, and longer than any tolerance
LONG_STOP_S = 3.0  # one in ten of those of the mock and of the harness
KINDS = {"adapter": 8, "mock": 1, "harness": 1}  # what may be stopped, and how often relative to the others
BETWEEN_STOPS_S = (0.2, 2.0)
SPIN = "while True: pass"

STOPS_UNTIL_S = 70.0  # the longest scenario, with the watch after it
SIMULATED_STOP_S = (0.02, 0.5)
BETWEEN_SIMULATED_STOPS_S = (0.2, 6.0)
LATE_S = (0.0, 0.01, 0.1)
# In isolation little else runs. 5 ms for client and server add 3.5 ms to the lower quartile of the pauses,
# which is what was measured with three busy loops on two cores.
LATE_ALONE_S = (0.0, 0.002, 0.005)


@contextlib.contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """Keep that many cores busy with processes of our own, and end them."""
    spinners = [subprocess.Popen([sys.executable, "-S", "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
        for spinner in spinners:
            spinner.wait()


@contextlib.contextmanager
def stopping(runner: Runner, kinds: Sequence[str], seed: int) -> Iterator[Counter[str]]:
    """Stop one of a run's processes, an adapter's with its children, at random moments; count the stops."""
    chance, over, counts = random.Random(seed), threading.Event(), Counter[str]()

    def body() -> None:
        while not over.wait(chance.uniform(*BETWEEN_STOPS_S)):
            kind = chance.choices(kinds, [KINDS[each] for each in kinds])[0]
            groups = runner.process_groups()
            found = {"adapter": [-group for group in groups], "mock": mocks(groups), "harness": [os.getpid()]}
            if not found[kind]:
                continue
            for_s = LONG_STOP_S if kind != "adapter" and chance.random() < 0.1 else STOP_S
            # Another process does it: one that has stopped cannot go on by itself.
            arguments = [str(chance.choice(found[kind])), str(for_s)]
            subprocess.run(
                ["sh", "-c", 'kill -STOP -- "$1"; sleep "$2"; kill -CONT -- "$1"', "stop", *arguments],
                stderr=subprocess.DEVNULL,
                check=False,  # it may just have ended
            )
            counts[kind] += 1

    thread = threading.Thread(target=body, name="stops")
    thread.start()
    try:
        yield counts
    finally:
        over.set()
        thread.join()


def mocks(groups: Sequence[int]) -> list[int]:
    """Return the processes that this one has started for its runner, and that are no adapters'."""
    told = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    pids = [int(each.split()[0]) for each in told.stdout.splitlines() if "waitproof.mock" in each]
    return [pid for pid in pids if pid not in groups]


def run(
    suite: Suite,
    clients: Sequence[Defect],
    scenarios: Sequence[Scenario],
    seed: int,
    kinds: Sequence[str] = ("adapter",),
) -> tuple[dict[str, list[Verdict]], Counter[str]]:
    """Run clients live under stops; return their verdicts by name, and how often what was stopped."""
    runner = Runner(suite, [live_command(suite, client) for client in clients], scenarios=scenarios)
    with stopping(runner, kinds, seed) as counts:
        result = runner.run()
    return {adapter.name: list(adapter.verdicts()) for adapter in result.adapters}, counts


def weather(seed: int, late_s: Sequence[float]) -> Conditions:
    """Return the conditions of a simulated machine that is busy in its own way.

    Args:
        seed: Of all that is drawn.
        late_s: What may hold for how late everybody is, in seconds.
    """
    chance, stops = random.Random(seed), list[Stop]()
    now_s = chance.uniform(0.0, 1.0)
    while now_s < STOPS_UNTIL_S:
        stops.append(Stop(now_s, chance.uniform(*SIMULATED_STOP_S)))
        now_s += stops[-1].for_s + chance.uniform(*BETWEEN_SIMULATED_STOPS_S)
    return Conditions(
        jitter_s=0.001,  # a loopback interface has hardly any
        late_s=chance.choice(late_s),
        server_late_s=chance.choice(late_s),
        harness_late_s=chance.choice(late_s),
        stops=tuple(stops),
        seed=seed,
    )


def simulate(
    suite: Suite, clients: Sequence[Defect], scenarios: Sequence[Scenario], seed: int
) -> tuple[dict[str, list[Verdict]], Counter[str]]:
    """Do the same in the simulator; how many stops there were is said of one client's first run."""
    alone = [weather(seed + number, LATE_ALONE_S) for number in range(1, 1 + MAX_RERUNS)]
    runs = [weather(seed, LATE_S), *alone]
    bench = Bench(suite, *runs)
    counts = Counter(everything=len(runs[0].stops))
    return {each.name: bench.simulate(each, scenarios) for each in clients}, counts


def timing_defects(suite: Suite, known: Library, scenarios: Sequence[Scenario]) -> dict[str, Line]:
    """Return the defects that a check of time catches in these scenarios, as the simulator sees them."""
    bench, lines = Bench(suite), {}
    for defect in known.defects.values():
        if defect.ending is not Ending.ACCUSED or not checks()[defect.check].timed:
            continue
        chosen = [scenario for scenario in bench.proving(defect) if scenario in scenarios]
        line = weigh(suite.contract, defect, bench.simulate(defect, chosen), {})
        if line.caught_in:
            lines[defect.name] = line
    return lines


class Tally:
    """What all rounds have come to."""

    def __init__(self, *, tells_settled: bool) -> None:
        self._tells_settled = tells_settled
        self.statuses: Counter[str] = Counter()
        self.settled: Counter[str] = Counter()  # what suspicions came to
        self.runs_alone = 0
        self.wrong: list[str] = []
        self.missed: list[str] = []
        self.stops: Counter[str] = Counter()
        self.defect_statuses: Counter[str] = Counter()

    def add_correct(self, name: str, verdicts: Sequence[Verdict]) -> None:
        """Count what a correct client got."""
        runs: dict[str, int] = {}
        for verdict in verdicts:
            self.statuses[verdict.status.value] += 1
            runs[verdict.scenario] = max(runs.get(verdict.scenario, 0), verdict.alone_runs)
            what = _what(verdict, name)
            if verdict.status in {Status.FAIL, Status.WARN, Status.ERROR}:
                self.wrong.append(f"{what}: {verdict.seen.partition(chr(10))[0]}; {verdict.explanation}")
                print(f"  wrong: {self.wrong[-1]}", flush=True)  # at once: a soak is often ended by hand
            elif verdict.alone_runs or verdict.status is Status.INCONCLUSIVE:
                self.settled[verdict.status.value] += 1
                if self._tells_settled:
                    print(f"  {what}: {verdict.seen}; {verdict.explanation}", flush=True)
        self.runs_alone += sum(runs.values())

    def add_defect(self, line: Line, verdicts: Sequence[Verdict]) -> None:
        """Count what a defect got where it must be caught."""
        needed = [
            each for each in verdicts if each.requirement in line.by and each.scenario in line.caught_in
        ]
        self.defect_statuses.update(verdict.status.value for verdict in needed)
        for verdict in needed:
            if all(each.status is Status.PASS for each in needed):
                self.missed.append(f"{_what(verdict, line.name)}: {verdict.seen}")
                print(f"  missed: {self.missed[-1]}", flush=True)

    def told(self) -> str:
        """Return the counts."""
        return (
            f"correct clients {dict(self.statuses)}, {self.runs_alone} isolated re-runs "
            f"settled {dict(self.settled)}, stops {dict(self.stops)}, "
            f"defects {dict(self.defect_statuses)}, wrong {len(self.wrong)}, missed {len(self.missed)}"
        )


def _what(verdict: Verdict, name: str) -> str:
    return f"{verdict.status.value} {verdict.scenario}:{verdict.requirement} ({name})"


def main() -> int:
    """Soak, and say whether the suite was right each time."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=50, help="rounds; default: %(default)s")
    parser.add_argument("-k", action="append", default=[], dest="patterns", help="only these scenarios")
    parser.add_argument("--only", action="append", default=[], help="only clients whose name contains this")
    parser.add_argument("--busy", type=int, default=os.cpu_count() or 1, help="busy processes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=int, default=1, help="play one client in so many in each round")
    parser.add_argument("--stop", action="append", choices=KINDS, help="what is stopped; default: adapter")
    parser.add_argument("--simulated", action="store_true", help="in the simulator, without a process")
    options = parser.parse_args()

    suite = load_suite(bundled_suite())
    scenarios = select(suite.scenarios, options.patterns)

    def is_meant(name: str) -> bool:
        return not options.only or any(part in name for part in options.only)

    known = library(suite.contract)
    correct = [client for name, client in known.equivalents.items() if is_meant(name)]
    lines = {n: line for n, line in timing_defects(suite, known, scenarios).items() if is_meant(n)}
    play = simulate if options.simulated else partial(run, kinds=options.stop or ("adapter",))
    tally = Tally(tells_settled=not options.simulated)
    for number in range(1, options.times + 1):
        began_s = time.monotonic()
        seed = options.seed + 1000 * number
        with busy_cores(0 if options.simulated else options.busy):
            in_turn = [client for client in correct if not client.name.startswith("model")]
            chosen_clients = [each for each in correct if each not in in_turn]
            chosen_clients += in_turn[number % options.share :: options.share]
            if chosen_clients:
                seen, stops = play(suite, chosen_clients, scenarios, seed)
                tally.stops += stops
                for name, verdicts in seen.items():
                    tally.add_correct(name, verdicts)
            for by in dict.fromkeys(line.by for line in lines.values()):
                group = [line for line in lines.values() if line.by == by]
                needed = {scenario_id for line in group for scenario_id in line.caught_in}
                chosen = [scenario for scenario in scenarios if scenario.id in needed]
                seen, stops = play(suite, [known.named(line.name) for line in group], chosen, seed)
                tally.stops += stops
                for line in group:
                    tally.add_defect(line, seen[line.name])
        print(f"round {number} ({time.monotonic() - began_s:.0f} s): {tally.told()}", flush=True)
    for told in (*tally.wrong, *tally.missed):
        print(told)
    return 1 if tally.wrong or tally.missed else 0


if __name__ == "__main__":
    sys.exit(main())
