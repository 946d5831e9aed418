"""Plays the suite in the simulator under random stops and lateness, and prints every correct client accused.

    python benchmarks/storm.py                                  # 20 rounds of everything; some minutes
    python benchmarks/storm.py --times 500 -k faults/ --only ticker --seed 7

In each round the machine is another one: how late sleeps end and how late the server reads are drawn, and
every few seconds the client stands still for up to half a second. Each correct client (the reference client,
sync and async, and every equivalent) plays the selected scenarios once, and the judge sees that one play:

- PASS, INFO and INCONCLUSIVE are right, for what is INCONCLUSIVE would be played again alone;
- a FAIL, WARN or ERROR blames an SDK or an adapter for what the machine has done.

It exits with 1 if there was one. `soak.py` does the same live, where a round takes a minute and a half.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from harness.judge import Status, judge
from harness.proof import SimulatedVariant, reference
from harness.selection import select
from harness.simulator import Conditions, Simulator, Stop
from harness.suite import bundled_suite, load_suite
from reference_client.mutants import EQUIVALENTS

STOPS_UNTIL_S = 70.0  # the longest scenario, with the watch after it
BETWEEN_STOPS_S = (0.2, 6.0)
STOP_S = (0.02, 0.5)


def weather(seed: int) -> Conditions:
    """Return a machine that is busy in its own way."""
    chance = random.Random(seed)
    stops: list[Stop] = []
    now_s = chance.uniform(0.0, 1.0)
    while now_s < STOPS_UNTIL_S:
        stops.append(Stop(now_s, chance.uniform(*STOP_S)))
        now_s += stops[-1].for_s + chance.uniform(*BETWEEN_STOPS_S)
    return Conditions(
        jitter_s=chance.choice([0.0, 0.002, 0.02]),
        connect_s=chance.choice([0.0, 0.01]),
        late_s=chance.choice([0.0, 0.01, 0.1]),
        server_late_s=chance.choice([0.0, 0.01, 0.1]),
        harness_late_s=chance.choice([0.0, 0.01, 0.1]),
        stops=tuple(stops),
        seed=seed,
    )


def main() -> int:
    """Play, and say whom the judge blames."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=20, help="rounds; default: %(default)s")
    parser.add_argument("-k", action="append", default=[], dest="patterns", help="only these scenarios")
    parser.add_argument("--only", action="append", default=[], help="only clients in whose name this stands")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    suite = load_suite(bundled_suite())
    scenarios = select(suite.scenarios, options.patterns)
    everyone = [reference(), reference(is_async=True), *EQUIVALENTS.values()]
    clients = [each for each in everyone if not options.only or any(o in each.name for o in options.only)]
    counts, wrong = Counter[str](), 0
    for number in range(1, options.times + 1):
        began_s = time.monotonic()
        conditions = weather(options.seed + number)
        for client in clients:
            sdk, simulator = SimulatedVariant(client), Simulator(suite.contract, conditions)
            hello = simulator.hello(sdk)
            for scenario in scenarios:
                for verdict in judge(suite.contract, scenario, [simulator.play(sdk, hello, scenario)]):
                    counts[verdict.status.value] += 1
                    if verdict.status in {Status.FAIL, Status.WARN, Status.ERROR}:
                        wrong += 1
                        what = f"{verdict.status.value} {scenario.id}:{verdict.requirement} ({client.name})"
                        print(f"  wrong: {what}: {verdict.seen}; seed {conditions.seed}", flush=True)
        took_s = time.monotonic() - began_s
        print(f"round {number} ({took_s:.0f} s): {dict(counts)}, wrong {wrong}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
