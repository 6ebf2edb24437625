"""What a live call costs while nothing happens to it, and what an event costs among many of them.

    python -m benchmarks live-calls [--calls 10000] [--events 2000]

The whole service runs in this process, with a real log, spool and vault; there is no Asterisk, and
a line that says yes to everything. Calls hear their notice, go on, and are bridged and recorded.
Memory is what the process has more than with the first hundred of them, divided. An event is a
bridge that a call leaves and enters again: the processor's time until the call has dealt with it,
the median of five rounds. This process stands still again and again, since it is busy with itself;
what a service does then for each live call (``resumption.py``) is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
import uvloop

from app.serving import Serving, Willing, write_config
from asterisk_compliance.app.calls import node as node_module
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import PersonalFact
from asterisk_compliance.domain.call.events import (
    Bridged,
    EntryWire,
    FileGrew,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    Unbridged,
)
from asterisk_compliance.domain.call.state import Arrival, CallPhase
from asterisk_compliance.domain.policy.notice import Policy
from asterisk_compliance.ids import ChannelId
from benchmarks.summary import report

FIRST = 100
"""So many calls make what a service makes once."""
AT_ONCE = 100
"""So many are in their notice."""
ROUNDS = 5
WITHIN_S = 60.0
_STATM_PAGE = 4096


async def begin(node: Node, policy: Policy, number: int) -> CallTask:
    """A call that is bridged and recorded."""
    channel, now = ChannelId(f"1790000000.{number}"), monotonic_ms()
    facts = (PersonalFact("number", f"+8130000{number:05}", f"+8130000{number:05}"),)
    arrival = Arrival(channel, channel, EntryWire.ARI, now, policy, policy.name, facts=facts)
    task = node.arrive(arrival, Willing())
    playback = task.call.playback
    task.feed(PlaybackStarted(playback, now, now))
    task.feed(PlaybackFinished(playback, True, now + 60_000, now + 60_000))
    await until(lambda: task.call.phase is CallPhase.DIALPLAN)
    for event in (
        LeftStasis(),
        MixMonitorStarted(now + 60_010),
        Bridged(now + 60_020),
        FileGrew(task.call.recording, now + 63_000),
    ):
        task.feed(event)
    return task


async def until(holds: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110 - the rows' thread tells nobody
            await asyncio.sleep(0.001)


async def event_us(tasks: Sequence[CallTask], events: int) -> float:
    """Processor time of one event, in microseconds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for number in range(events // 2):
            task, now = tasks[number * 7919 % len(tasks)], monotonic_ms() + 70_000
            await task.ask(Unbridged(now))
            await task.ask(Bridged(now))
        rounds.append((time.process_time() - began) / events * 1e6)
    return statistics.median(rounds)


def memory_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _STATM_PAGE


async def _never(_node: Node) -> None:
    await asyncio.Event().wait()


async def measure(calls: int, events: int) -> dict[str, Any]:
    node_module.look_again_after_standing_still = _never  # type: ignore[assignment]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        serving = Serving(write_config(home))
        await stack.enter_async_context(serving.running())
        node = serving.node
        rows = node._rows  # noqa: SLF001 - the log must keep up
        policy = next(iter(node.policies.by_name.values()))
        tasks: list[CallTask] = []
        first, costs = 0, {}
        for goal in sorted({10, FIRST, 1_000, calls}):
            for start in range(len(tasks), goal, AT_ONCE):
                numbers = range(start, min(start + AT_ONCE, goal))
                tasks += await asyncio.gather(*(begin(node, policy, one) for one in numbers))
                await until(lambda: not rows.waiting)
            await asyncio.sleep(1.0)  # rows, and what follows them
            costs[goal] = await event_us(tasks, events)
            first = memory_bytes() if goal == FIRST else first
        per_call = (memory_bytes() - first) / (calls - FIRST)
        live = len(node.calls)
    return {"live": live, "bytes_per_call": per_call, "event_us": costs}


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks live-calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--events", type=int, default=2_000)
    asked = parser.parse_args(arguments)
    found = uvloop.run(measure(asked.calls, asked.events))
    report("live-calls", found)
    return 0
