"""Feeds a target, watches what it costs, and says what it found."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import time
import traceback
import tracemalloc
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from fuzz.mutators import mutated
from fuzz.target import Target, Violation

SPINS_S = 5.0
"""So much processor time in one input is a reader that spins."""
BYTE_S = 1e-6
"""What a byte may cost, beside what an input may."""
SETTLES_S = 3.0
GROWS_KIB, SWELLS_MIB = 256, 32
"""What may be kept, as Python counts it, and as the kernel does."""
MOST_FINDINGS = 10
_WARM = 300
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Spins(BaseException):
    """No handler of ours may swallow this."""


@dataclass(slots=True)
class Result:
    """What came of one target.

    Attributes:
        slowest_ms: Processor time of the slowest input.
        growth: Of tasks, file descriptors, what the target holds, and memory: after minus before.
        findings: What it did that it may not; empty is well.
    """

    name: str
    inputs: int = 0
    seconds: float = 0.0
    slowest_ms: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    growth: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    @property
    def summary(self) -> Mapping[str, Any]:
        return {
            "target": self.name,
            "inputs": self.inputs,
            "per_second": round(self.inputs / max(self.seconds, 1e-9)),
            "slowest_ms": round(self.slowest_ms, 1),
            "outcomes": dict(self.outcomes.most_common()),
            "growth": self.growth,
            "findings": self.findings,
        }


def fuzz(target: type[Target], count: int, seed: int, patience: float = 1.0) -> Result:
    """Feed ``count`` inputs; the same seed gives the same inputs.

    ``patience`` multiplies how long what spins, and what grows, may go on.
    """
    with _quiet(), _only_ours(), _watched(SPINS_S * patience) as progress:
        try:
            return asyncio.run(_fuzz(target(), count, seed, progress, SETTLES_S * patience))
        except Spins:
            return Result(target.name, findings=[f"spins in input {progress['input']}"])


async def _fuzz(
    target: Target, count: int, seed: int, progress: dict[str, int], settles_s: float
) -> Result:
    result, seen = Result(target.name), set[object]()
    told: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(_in_words(context)))
    rng, seeds = random.Random(f"{target.name}/{seed}"), target.seeds
    await target.open()
    began = time.monotonic()
    traced_from = count // 2 if count < 10_000 else count - count // 10
    warm, before = max(min(_WARM, count // 4), 1), dict[str, int]()
    try:
        for number in range(count):
            if number in {warm, traced_from} and await _serves(target, result):
                before = before or await _measured(target)
            if number == traced_from:
                tracemalloc.start()
                before["kib"] = _traced_kib()
            progress["input"], progress["moved"] = number, progress["moved"] + 1
            data = mutated(rng, seeds, *target.kinds)
            await _one(target, data, rng, result, seen)
            result.findings += told[: MOST_FINDINGS - len(result.findings)]
            told.clear()
            if len(result.findings) >= MOST_FINDINGS:
                return result
        result.seconds = time.monotonic() - began
        await _still_well(target, before, result, progress, settles_s)
        result.findings += told
    finally:
        tracemalloc.stop()
        await target.close()
    return result


async def _one(
    target: Target, data: bytes, rng: random.Random, result: Result, seen: set[object]
) -> None:
    begun = time.thread_time()
    try:
        outcome = await target.feed(data, rng)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = (type(error), frame.filename, frame.lineno)
        outcome = f"!{type(error).__name__}"
        if place not in seen:
            seen.add(place)
            where = f"{Path(frame.filename).name}:{frame.lineno}"
            what = f"{type(error).__name__} at {where}: {str(error)[:120]}"
            result.findings.append(f"{what}; input {result.inputs}: {data[:120]!r}")
    took_s = time.thread_time() - begun
    result.slowest_ms = max(result.slowest_ms, took_s * 1_000)
    if took_s > target.slowest_s + len(data) * BYTE_S and "slow" not in seen:
        seen.add("slow")
        result.findings.append(f"slow: {took_s:.2f} s of {len(data)} bytes: {data[:120]!r}")
    result.outcomes[outcome] += 1
    result.inputs += 1


async def _still_well(
    target: Target,
    before: Mapping[str, int],
    result: Result,
    progress: dict[str, int],
    settles_s: float,
) -> None:
    """A good input is served, and nothing grew; what is on its way out may go."""
    if not await _serves(target, result):
        return
    gc.collect()
    kib = _traced_kib()
    until = time.monotonic() + settles_s
    while _grown(before, after := await _measured(target)) and time.monotonic() < until:
        progress["moved"] += 1
        await asyncio.sleep(0.05)
    after["kib"] = kib
    result.growth = {name: after[name] - before.get(name, 0) for name in after}
    result.findings += [f"grows: {name} by {by}" for name, by in _grown(before, after).items()]


async def _serves(target: Target, result: Result) -> bool:
    try:
        await target.good()
    except Exception as error:  # noqa: BLE001 - a finding as well
        result.findings.append(f"a good input is not served: {error!r}")
        return False
    return True


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    may = {"kib": GROWS_KIB, "rss_mib": SWELLS_MIB}
    grown = {name: after[name] - before.get(name, 0) for name in after}
    return {name: by for name, by in grown.items() if by > may.get(name, 0)}


async def _measured(target: Target) -> dict[str, int]:
    return {"tasks": len(asyncio.all_tasks()), **_of_process(), **target.held()}


def _of_process() -> dict[str, int]:
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return {"files": files, "rss_mib": resident * _PAGE >> 20}


def _traced_kib() -> int:
    return tracemalloc.get_traced_memory()[0] >> 10


def _in_words(context: Mapping[str, Any]) -> str:
    return f"nobody expected: {context.get('message')}: {context.get('exception')!r}"[:300]


@contextmanager
def _watched(spins_s: float) -> Iterator[dict[str, int]]:
    """Interrupt whoever uses up processor time without coming to the next input."""
    progress = {"input": -1, "moved": 0, "seen": -1}

    def look(_signal: int, _frame: FrameType | None) -> None:
        if progress["moved"] == progress["seen"]:
            raise Spins
        progress["seen"] = progress["moved"]

    former = signal.signal(signal.SIGVTALRM, look)
    signal.setitimer(signal.ITIMER_VIRTUAL, spins_s / 2, spins_s / 2)
    try:
        yield progress
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, former)


@contextmanager
def _only_ours() -> Iterator[None]:
    """What was there before is not looked at by each collection: in a long test run that spins."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _quiet() -> Iterator[None]:
    """Nobody reads a million lines of log."""
    former, logger = structlog.get_config(), logging.getLogger("asyncio")
    level = logger.level
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        structlog.configure(**former)
        logger.setLevel(level)


__all__ = ["Result", "Spins", "Violation", "fuzz"]
