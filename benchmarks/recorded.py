"""Many recorded calls with audio at once: is all of it kept?

    python -m benchmarks recorded [--calls 250] [--seconds 20]

Callers of SIPp send a tone of 1,700 Hz by RTP, and are recorded from the notice on. When each of
them has been recorded for so long they hang up, all recordings are taken in, and every one is read:
its length, beside the time from its ``call_continued`` to its ``call_ended``, and its frames of
20 ms in which the tone is missing.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asterisk_compliance.domain.audit.encoding import milliseconds
from benchmarks.load import RTP, free_port, voice
from benchmarks.processes import cost_of
from benchmarks.sipp import Callers
from benchmarks.summary import in_the_dialplan, report
from lab.site import TEST_POLICIES, UNSEALED, Site
from lab.wav import read_wav

RATE = 25.0
WITHIN_S = 120.0
EDGE_MS = 200
"""So much at either end is not judged: nobody promises to which millisecond a call is cut."""
FRAME = 160
LOUD = 1_500
"""Root of the mean square, of 32,767, above which a frame holds the tone, which has 4,200."""
_EXTENSIONS = """
[from-lab]
exten => 60,1,Gosub(compliance-notice,s,1(whole))
 same => n,Wait({seconds})
 same => n,Hangup()
"""


async def measure(calls: int, seconds: float) -> dict[str, Any]:
    """
    Raises:
        TimeoutError: not all calls were told, or dealt with, in time.
    """
    hold_s = calls / RATE + seconds
    async with await Site.open(
        {},
        extensions=_EXTENSIONS.format(seconds=hold_s),
        policies=TEST_POLICIES,
        vault=UNSEALED,
        extra={"rtp.conf": RTP},
    ) as site:
        callers = Callers(
            site.directory / "sipp",
            port=free_port(),
            target=site.asterisk.sip_port,
            wav=voice(site.directory),
        )
        await callers.start("60", RATE, limit=calls, most=calls)
        await site.service.until(lambda status: in_the_dialplan(status) >= calls, WITHIN_S)
        before = cost_of(site.asterisk.pid), cost_of(site.service.pid)
        await asyncio.sleep(seconds / 2)
        after = cost_of(site.asterisk.pid), cost_of(site.service.pid)
        rows = await site.rows_until(lambda rows: _dealt_with(rows) >= calls, WITHIN_S)
        waited = await callers.stop()
        found = [_judged(site.recordings, name, rows) for name in _closed(rows)]
    cpu = [
        (now.cpu_s - then.cpu_s) / (seconds / 2) for then, now in zip(before, after, strict=True)
    ]
    return {
        "calls": calls,
        "failed": waited.failed,
        "caller_heard": sum(
            row["kind"] == "recording_closed" and row["detail"]["rx"] == "heard" for row in rows
        ),
        "recordings": len(found),
        "worst_length_difference_ms": max(abs(difference) for difference, _ in found),
        "with_a_silent_frame": sum(silent > 0 for _, silent in found),
        "silent_frames": sum(silent for _, silent in found),
        "asterisk_cores": cpu[0],
        "service_cores": cpu[1],
    }


def _judged(vault: Path, name: str, rows: Sequence[dict[str, Any]]) -> tuple[float, int]:
    """How much longer than its call a recording is, in ms, and frames without the tone."""
    call = "c-" + name.removeprefix("r-").rpartition("-")[0]
    at = {row["kind"]: milliseconds(row["at"]) for row in rows if row["call"] == call}
    (file,) = vault.rglob(f"{name}.wav")
    samples = read_wav(file)[0].astype(np.float64)
    length_ms = len(samples) / 8
    edge = EDGE_MS * 8
    inner = samples[edge : len(samples) - edge]
    frames = inner[: len(inner) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.sqrt((frames**2).mean(axis=1)) > LOUD
    return length_ms - (at["call_ended"] - at["call_continued"]), int((~loud).sum())


def _closed(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [row["detail"]["recording"] for row in rows if row["kind"] == "recording_closed"]


def _dealt_with(rows: Sequence[dict[str, Any]]) -> int:
    last = {"spool_removed", "recording_missing", "recording_unjudged"}
    return sum(row["kind"] in last for row in rows)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks recorded", description=__doc__)
    parser.add_argument("--calls", type=int, default=250)
    parser.add_argument("--seconds", type=float, default=20.0)
    asked = parser.parse_args(arguments)
    found = asyncio.run(measure(asked.calls, asked.seconds))
    report("recorded", found)
    return 0
