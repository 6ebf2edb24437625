"""Measures sealing on this machine's disk: python -m benchmarks sealing [--mb N] [--calls N].

Throughput is that of the process that seals, from two files of MixMonitor to a synced, renamed and
re-read file, beside ``sha256sum`` and Debian's ``age`` on the same bytes. The time from hang-up to
sealed is that of a whole service whose calls end on a fixed clock; there is no Asterisk, their
files are there when they end. It is read from the rows.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Any, cast

import numpy as np
import structlog
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from app.recovered_site import Asterisk
from app.serving import Serving, write_config
from asterisk_compliance.age import new_identity
from asterisk_compliance.app.calls.caller_channel import AriCallerChannel
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.app.recordings.sealer_pool import SealerPool
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.encoding import milliseconds
from asterisk_compliance.domain.call.decision import Decision, Next, Reason, Status
from asterisk_compliance.domain.call.events import EntryWire
from asterisk_compliance.domain.call.recovery import Clock, finish
from asterisk_compliance.domain.call.replay import Left, ReplayedCall
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import CallId, ChannelId, call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import SAMPLE_RATE, wav_header

RECIPIENTS = tuple(new_identity()[1] for _ in range(2))
DECISION = Decision(Status.ALLOWED, Reason.NOTICE_COMPLETED, (), "standard/1/ja", Next.CONTINUE)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks sealing")
    parser.add_argument("--mb", type=int, default=400, help="size of the long recording")
    parser.add_argument("--calls", type=int, default=400, help="calls that end, in a row")
    parser.add_argument("--per-s", type=float, default=20.0, help="so many in a second")
    parser.add_argument("--talk-s", type=float, default=30.0, help="length of each")
    parser.add_argument(
        "--dir", type=Path, help="on which disk; a temporary directory unless given"
    )
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        home = Path(directory)
        for line in beside_others(home, options.mb):
            print(line, flush=True)
        asyncio.run(one_by_one(home, options.talk_s))
    with tempfile.TemporaryDirectory(dir=options.dir) as directory:
        uvloop.run(calls_end(Path(directory), options.calls, options.per_s, options.talk_s))


def write_spool(spool: Path, call: CallId, seconds: float) -> Path:
    """Both directions of a call, noise; returns one of them."""
    samples = round(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(1).integers(-8_000, 8_000, min(samples, 8_000_000), np.int16)
    data = wav_header(samples, 1) + np.resize(noise, samples).tobytes()
    paths = [spool / spool_name(recording_id(call, 1), way) for way in ("rx", "tx")]
    paths[0].write_bytes(data)
    paths[1].unlink(missing_ok=True)
    os.link(paths[0], paths[1])
    return paths[0]


def beside_others(home: Path, megabytes: int) -> Iterator[str]:
    spool, vault = home / "spool", home / "vault"
    for directory in (spool, vault):
        directory.mkdir()
    call = call_id(unix_ms(), os.urandom(8))
    one = write_spool(spool, call, megabytes * 1e6 / (4 * SAMPLE_RATE))
    stereo = home / "stereo.wav"
    with stereo.open("wb") as file:
        file.write(one.read_bytes() * 2)
    size = stereo.stat().st_size
    yield f"{size / 1e6:.0f} MB of stereo, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.2f}"
    for recipients in (RECIPIENTS[:1], RECIPIENTS, ()):
        yield asyncio.run(_sealed_mb_s(spool, vault, call, size, recipients))
    yield _command("sha256sum", size, "sha256sum", stereo)
    yield _command("age -r", size, "age", "-r", RECIPIENTS[0], "-o", home / "other.age", stereo)


async def _sealed_mb_s(
    spool: Path, vault: Path, call: CallId, size: int, recipients: tuple[str, ...]
) -> str:
    sealers = SealerPool(recipients)
    try:
        await sealers.take_in(spool, recording_id(call, 2), vault, Expected(None))  # starts it
        (pid,) = sealers.pids
        started, cpu = time.perf_counter(), _processor_s(pid)
        await sealers.take_in(spool, recording_id(call, 1), vault, Expected(None))
        took = time.perf_counter() - started
        cpu = max(_processor_s(pid) - cpu, 1 / os.sysconf("SC_CLK_TCK"))  # less than a tick
    finally:
        await sealers.close()
    what = f"sealed to {len(recipients)}" if recipients else "not encrypted"
    return (
        f"joined, digested, {what}, synced, read again: {size / 1e6 / took:.0f} MB/s;"
        f" {size / 1e6 / cpu:.0f} MB in a second of processor time"
    )


def _processor_s(pid: int) -> float:
    """Processor time of a process so far, by its own clock (clock_getcpuclockid(3), of glibc).

    The times in ``/proc/PID/stat`` count in steps of 10 ms, longer than a small job takes.
    """
    cpuclock_sched = 2
    return time.clock_gettime((~pid << 3) | cpuclock_sched)


def _command(what: str, size: int, *command: object) -> str:
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (
        f"{what}: {size / 1e6 / took:.0f} MB/s;"
        f" {size / 1e6 / cpu:.0f} MB in a second of processor time"
    )


async def one_by_one(home: Path, talk_s: float, count: int = 50) -> None:
    """One recording after another, two at a time."""
    spool, vault = home / "spool", home / "vault"
    calls = [call_id(unix_ms(), os.urandom(8)) for _ in range(count)]
    for call in calls:
        write_spool(spool, call, talk_s)
    sealers = SealerPool(RECIPIENTS)
    nothing = [recording_id(call, 2) for call in calls[:2]]  # starts the processes
    try:
        await asyncio.gather(*(sealers.take_in(spool, r, vault, Expected(None)) for r in nothing))
        started = time.perf_counter()
        jobs = [sealers.take_in(spool, recording_id(c, 1), vault, Expected(None)) for c in calls]
        await asyncio.gather(*jobs)
        took = time.perf_counter() - started
    finally:
        await sealers.close()
    megabytes = count * talk_s * SAMPLE_RATE * 4 / 1e6
    print(f"{count} recordings of {talk_s:.0f} s, two at a time: {megabytes / took:.0f} MB/s")


async def calls_end(home: Path, count: int, per_s: float, talk_s: float) -> None:
    """Calls of a service that end on a fixed clock; prints how long until each is sealed."""
    serving = Serving(write_config(home, vault=f"recipients = {list(RECIPIENTS)}"))
    async with serving.running():
        node = serving.node
        line = cast("Any", Asterisk())
        spool = home / "spool"
        beats: list[float] = []
        beating = asyncio.create_task(_beat(beats))
        await _end_calls(node, line, spool, 20, per_s, talk_s)
        await _until_sealed(serving, 20)
        beats.clear()
        await _end_calls(node, line, spool, count, per_s, talk_s)
        await _until_sealed(serving, 20 + count)
        beating.cancel()
        rows = serving.rows()
    ended = {row["call"]: milliseconds(row["at"]) for row in rows if row["kind"] == "call_ended"}
    sealed = [row for row in rows if row["kind"] == "recording_sealed"][20:]
    waits = [milliseconds(row["at"]) - ended[row["call"]] for row in sealed]
    print(
        f"{count} calls of {talk_s:.0f} s end, {per_s:.0f} a second: hang-up to sealed"
        f" {_percentiles(waits)}; the event loop was late by {_percentiles(beats)}"
    )


async def _end_calls(
    node: Node, line: Any, spool: Path, count: int, per_s: float, talk_s: float
) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    first = await asyncio.to_thread(write_spool, spool, call_id(1, bytes(8)), talk_s)
    for number in range(count):
        await asyncio.sleep(max(0.0, begun + number / per_s - loop.time()))
        call = call_id(unix_ms(), os.urandom(8))
        recording = recording_id(call, 1)
        for way in ("rx", "tx"):
            os.link(first, spool / spool_name(recording, way))
        channel = ChannelId(f"bench.{call}")
        recordings = {recording: Left.RUNNING}
        known = ReplayedCall(
            call,
            channel,
            EntryWire.ARI,
            "",
            decision=DECISION,
            recordings=recordings,
            running=recording,
        )
        now = Clock(monotonic_ms(), unix_ms())
        node.begin(
            finish(known, limits=node.limits, now=now, unseen_ms=0), AriCallerChannel(line, channel)
        )


async def _until_sealed(serving: Serving, count: int) -> None:
    async with asyncio.timeout(600):
        while len(await asyncio.to_thread(serving.details, "recording_sealed")) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def _beat(late_ms: list[float]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            late_ms.append((time.perf_counter() - before - 0.01) * 1e3)


def _percentiles(ms: list[float]) -> str:
    cuts = quantiles(ms, n=100)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, max {max(ms):.1f} ms"
