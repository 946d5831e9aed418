"""Plays a scenario in virtual time, without a socket.

A play yields the `Observation` that a live run of the same client yields, in a thousandth of the time and
the same each time: latency, lateness and stops are parameters. The script decides which calls are made, as
in a live run; this module carries them out in the strands of a `Schedule`.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from waitproof.judge import (
    END_LIMIT_S,
    CallRecord,
    Observation,
    Seen,
    StillWaiting,
    secrets_of,
    without_secrets,
)
from waitproof.protocol import Hello, JsonObject, LogLine, read_answer, read_hello
from waitproof.simulate.clock import Loop, Strand, Wake
from waitproof.simulate.forecasts import ends_its_process, forecast
from waitproof.simulate.machine import Machine, Sdk
from waitproof.simulate.network import WALL_NS, AnswerCache, Network, ServedTask, SimulatedCancelError
from waitproof.simulate.script import PlannedCall, Send, Watch, drive, new_task, play_steps
from waitproof.simulate.world import API_SECRET, Conditions, World
from waitproof.suite import Contract, Json, Scenario, TaskIdFormat, TaskState

__all__ = ["Simulator"]

END_LOOK_S = 0.05  # between two looks at a process that is to end


class Simulator:
    """Plays scenarios of one contract; each play has its own clock and server."""

    def __init__(self, contract: Contract, conditions: Conditions | None = None) -> None:
        self._contract = contract
        self._conditions = conditions or Conditions()
        self._cache: AnswerCache = {}
        self._max_requests: dict[int, tuple[int, Scenario]] = {}  # by id(), which the scenario itself keeps

    def hello(self, sdk: Sdk) -> Hello:
        """Return an SDK's introduction, read as an adapter's is."""
        hello = read_hello(json.dumps({"op": "hello", "protocol": 1, **sdk.hello()}).encode())
        assert not isinstance(hello, LogLine)
        return hello

    def play(
        self,
        sdk: Sdk,
        hello: Hello,
        scenario: Scenario,
        *,
        scale: int = 1,
        alone: bool = False,
        seed: int = 0,
    ) -> Observation:
        """Play a scenario whose durations have been scaled, and return what was seen.

        Args:
            sdk: What to play it with.
            hello: Its introduction.
            scenario: What to play.
            scale: The factor of the durations; recorded.
            alone: Recorded; how long the client was stopped, too.
            seed: Added to the conditions' own: another seed gives other latencies.

        Raises:
            HarnessError: The client goes on without end, without a request.
        """
        world = World(self._conditions, f"{self._conditions.seed}/{seed}/{scenario.id}")
        tasks = [self._new_task(scenario, n) for n in range(1, scenario.parallel + 1)]
        network = Network(self._contract, world, tasks, self._cache, self._request_limit(scenario))
        if not scenario.cold:
            network.warm()
        play = _Play(world, sdk, sdk.connect(Machine(world, network)))
        try:
            records = [task.record for task in tasks]
            drive(play_steps(self._contract, scenario, hello.capabilities, records), play.carry_out)
            ends = ends_its_process(self._contract, scenario, hello.capabilities)
            ended_s = play.ended_s() if ends else None
        finally:
            world.schedule.close()
        observation = Observation(
            hello=hello,
            calls=tuple(sent.record() for sent in play.sent),
            tasks=tuple(task.seen() for task in tasks),
            watched_s=world.schedule.now,
            lag_s=self._conditions.server_late_s,
            starved_s=world.stopped_s() if alone else 0.0,
            alone=alone,
            scale=scale,
            began_unix_s=WALL_NS / 1e9,
            ended_s=ended_s,
        )
        secrets = secrets_of(self._contract, observation, API_SECRET)
        return without_secrets(observation, secrets, world.printed)

    def _request_limit(self, scenario: Scenario) -> int:
        """Return after how many requests a client is not answered any more."""
        if id(scenario) not in self._max_requests:
            limit = 4 * forecast(self._contract, scenario).polls + 40 * scenario.parallel
            self._max_requests[id(scenario)] = limit, scenario
        return self._max_requests[id(scenario)][0]

    def _new_task(self, scenario: Scenario, n: int) -> ServedTask:
        is_number = self._contract.task_id is TaskIdFormat.INTEGER
        own_id = n if is_number else f"c0ffee00-0000-4000-8000-{n:012x}"
        record = new_task(scenario, n, f"wp{n:016x}", own_id)
        return ServedTask(record, TaskState(scenario.task), scenario.begun_by)


@dataclass
class _Sent:
    """A call that was made, or that the SDK does not support."""

    planned: PlannedCall
    sent_s: float
    seen: Seen | None
    received_s: float | None = None
    elapsed_s: float | None = None
    answer: Mapping[str, Json] | None = None
    strand: Strand | None = None  # that runs it, where the SDK blocks
    coroutine: Coroutine[Any, Any, None] | None = None  # the same, where it does not
    cancelled_s: float | None = None

    def record(self) -> CallRecord:
        planned = self.planned
        assert self.seen is not None
        return CallRecord(
            index=planned.index,
            copy=planned.copy,
            call=planned.call,
            sent_s=self.sent_s,
            received_s=self.received_s,
            seen=self.seen,
            elapsed_s=self.elapsed_s,
            request=planned.request,
            answer=self.answer,
            cancelled_s=self.cancelled_s,
        )


class _Play:
    """Carries out the steps of one play."""

    def __init__(self, world: World, sdk: Sdk, client: Any) -> None:
        self._world = world
        self._schedule = world.schedule
        self._sdk = sdk
        self._client = client
        self._loop = Loop(world.schedule) if sdk.non_blocking else None
        self.sent: list[_Sent] = []

    def carry_out(self, step: Send | Watch) -> Sequence[Seen]:
        if isinstance(step, Watch):
            self._schedule.run_until(self._schedule.now + step.seconds)
            return ()
        batch = [self._new_call(planned) for planned in step.calls]
        self.sent += batch
        self._make([each for each in batch if each.seen is None], step.limit_s)
        self._schedule.run_until(max(each.received_s or 0.0 for each in batch))
        return [each.seen for each in batch if each.seen is not None]

    def ended_s(self) -> float:
        """Let the client's threads end, and return how long that takes: infinite if it takes too long."""
        began_s = self._schedule.now
        while self._world.threads and self._schedule.now < began_s + END_LIMIT_S:
            self._schedule.run_until(self._schedule.now + END_LOOK_S)
        return math.inf if self._world.threads else self._schedule.now - began_s

    def _new_call(self, planned: PlannedCall) -> _Sent:
        now_s = self._schedule.now
        return _Sent(planned, now_s, planned.unsupported, now_s if planned.unsupported else None)

    def _make(self, batch: Sequence[_Sent], limit_s: float) -> None:
        """Make calls at the same time, until each has its answer or the limit is reached."""
        if not batch:
            return
        until_s = self._schedule.now + limit_s
        unanswered = len(batch)

        def begin(wake: Wake) -> None:
            def done() -> None:
                nonlocal unanswered
                unanswered -= 1
                if unanswered == 0:
                    wake(None)

            for sent in batch:
                self._start(sent, done)
                if sent.planned.cancel_after_s is not None:
                    due_s = sent.sent_s + sent.planned.cancel_after_s
                    self._schedule.at(due_s, functools.partial(self._cancel, sent))
            self._schedule.at(until_s, lambda: wake(None))

        self._schedule.run(begin)
        for sent in batch:
            if sent.seen is None:
                sent.seen = StillWaiting(limit_s)
                if sent.strand is not None:  # its polls would look like those of the next call
                    self._schedule.end(sent.strand)

    def _start(self, sent: _Sent, done: Callable[[], None]) -> None:
        if self._loop is None:
            sent.strand = self._schedule.spawn(lambda: self._call(sent, done))
        else:
            sent.coroutine = self._call_async(sent, done)
            self._loop.start(sent.coroutine)

    def _cancel(self, sent: _Sent) -> None:
        """Cancel a call, unless it has ended."""
        if sent.seen is not None:
            return
        sent.cancelled_s = self._schedule.now
        error = SimulatedCancelError("the caller has cancelled the call")
        if self._loop is not None and sent.coroutine is not None:
            self._loop.interrupt(sent.coroutine, error)
        elif sent.strand is not None:
            self._schedule.interrupt(sent.strand, error)

    def _call(self, sent: _Sent, done: Callable[[], None]) -> None:
        request = sent.planned.request
        try:
            value = self._sdk.call(self._client, request)
        except Exception as error:  # noqa: BLE001 - what the call raised is what the caller sees
            self._answered(sent, self._sdk.raised(request, error))
        else:
            self._answered(sent, self._sdk.returned(request, value))
        done()

    async def _call_async(self, sent: _Sent, done: Callable[[], None]) -> None:
        request = sent.planned.request
        try:
            value = await self._sdk.call(self._client, request)
        except Exception as error:  # noqa: BLE001 - as above
            self._answered(sent, self._sdk.raised(request, error))
        else:
            self._answered(sent, self._sdk.returned(request, value))
        done()

    def _answered(self, sent: _Sent, members: JsonObject) -> None:
        if sent.seen is not None:  # too late: it was given up
            return
        planned = sent.planned
        sent.received_s = self._schedule.now + self._world.up_to(self._world.conditions.harness_late_s)
        message = {"id": f"{planned.index}.{planned.copy}", **members}
        elapsed_s = self._sdk.elapsed_s(self._schedule.now - sent.sent_s)
        if planned.call.wait is not None and elapsed_s is not None:
            message["elapsed"] = round(elapsed_s, 6)
        read = read_answer(json.dumps(message).encode())
        assert not isinstance(read, LogLine)
        sent.seen, sent.elapsed_s, sent.answer = read.outcome, read.elapsed_s, read.raw
