"""What a caller waits for, through us and through the dialplan alone: on one Asterisk, in turns.

Both ways answer, play the same notice of one second, record and dial the same agent. The service
runs all the time. Every time is taken the same way for both, outside of the service: at the
telephones' sockets, in Asterisk's own log, and from the tones in the recordings.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from asterisk_compliance.domain.audit.encoding import milliseconds
from benchmarks.call_log import LoggedCall, read_calls
from benchmarks.summary import (
    Comparison,
    Spread,
    as_json,
    compare,
    comparison_table,
    spread_table,
    surroundings,
)
from lab.g711 import Pcm, ulaw_decode
from lab.leg import Leg
from lab.sip import Phone
from lab.site import TEST_NOTICE_S, Site
from lab.tone_spans import find_spans
from lab.tones import AGENT, CALLER, FRAME, RATE, Schedule
from lab.wav import is_closed, read_wav, write_wav

OUT = Path(__file__).parent / "out/latency.json"
PLAIN, OURS = "1", "2"
"""First digit of what is dialled; the number of the call follows."""
EXTENSIONS = """
[from-lab]
exten => _1XXXX,1,Answer(,i)
 same => n,Playback(notice-test)
 same => n,MixMonitor(${ASTSPOOLDIR}/plain/${EXTEN}.wav,b)
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
exten => _2XXXX,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""
WARM_UP = 2
TALK_S = 1.5
"""Enough to date the first sample by: tones are placed by half seconds."""
_FRAME_S = FRAME / RATE
_NOTICE_FRAMES = round(TEST_NOTICE_S / _FRAME_S)
_WAV_READ_SHORT = 22
"""Samples that Asterisk leaves out at the end of every WAV file: it counts the header as audio
(formats/format_wav.c)."""
_SETTLE_S = 0.3
"""Between two calls, so that nothing of the last one runs on in the next."""

UNRESOLVED = """\
Not resolved: audio goes in frames of 20 ms, and each way ends up in its own place between two
frames; stamps of Asterisk's log and of our rows are cut to 1 ms (a time from a log line to a packet
is 0.5 ms long on average, both ways alike); a telephone stamps a packet when its event loop reads
it; the first sample of a recording is dated to 10 ms. The control holds nothing of ours: by what
it differs, the others may differ by chance. Telephones, Asterisk and service share the CPUs."""


@dataclass(slots=True)
class Timed:
    """One call. All times are ``time.monotonic()``, ``bridge`` and ``log`` read from the log.

    Attributes:
        unix_offset: What Unix time was ahead of the monotonic clock.
        recorded: Clock time of each party's first recorded sample; not a number if unknown.
        rows: When the service saw what, for our calls.
    """

    exten: str
    unix_offset: float
    caller: Leg
    agent: Leg
    agent_invited: float
    log: LoggedCall = field(default_factory=lambda: LoggedCall(""))
    recorded: dict[str, float] = field(default_factory=dict)
    rows: dict[str, float] = field(default_factory=dict)

    @property
    def first_audio(self) -> float:
        return self.caller.media.received[0].at

    @property
    def notice_end(self) -> float:
        """When the last packet of the notice arrived."""
        return self.caller.media.received[_NOTICE_FRAMES - 1].at

    def executed(self, application: str) -> float:
        return self.log.first(application) - self.unix_offset

    def executed_after(self, application: str) -> float:
        return self.log.after(application) - self.unix_offset

    @property
    def entered(self) -> float:
        return self.log.lines[0].at - self.unix_offset

    @property
    def bridged(self) -> float:
        assert self.log.bridged_at is not None
        return self.log.bridged_at - self.unix_offset


Interval = Callable[[Timed], float]

COMPARED: Mapping[str, Interval] = {
    "Answer / Stasis executed to first audio": lambda call: (
        call.first_audio - call.executed("Stasis" if call.exten[0] == OURS else "Answer")
    ),
    "dialplan entered to first audio": lambda call: call.first_audio - call.entered,
    "control: INVITE to dialplan entered": lambda call: call.entered - call.caller.times["invite"],
    "INVITE to first audio": lambda call: call.first_audio - call.caller.times["invite"],
    "notice's last packet to the agent's INVITE": lambda call: call.agent_invited - call.notice_end,
    "bridge to first recorded sample: caller": lambda call: call.recorded["caller"] - call.bridged,
    "bridge to first recorded sample: agent": lambda call: call.recorded["agent"] - call.bridged,
}
# Asterisk's log names what a line executes: our MixMonitor is inside of a TryExec.
OUR_STEPS: Mapping[str, Interval] = {
    "dialplan entered to Stasis executed": lambda call: call.executed("Stasis") - call.entered,
    "Stasis executed to arrival in the service": lambda call: (
        call.rows["call_arrived"] - call.executed("Stasis")
    ),
    "arrival in the service to first audio": lambda call: (
        call.first_audio - call.rows["call_arrived"]
    ),
    "notice's last packet to the service's hearing of its end": lambda call: (
        call.rows["notice_completed"] - call.notice_end
    ),
    "... to back in the dialplan (rows durable, continue)": lambda call: (
        call.executed_after("Stasis") - call.rows["notice_completed"]
    ),
    "... to MixMonitor executed": lambda call: (
        call.executed("TryExec") - call.executed_after("Stasis")
    ),
    "... to Dial executed": lambda call: call.executed("Dial") - call.executed("TryExec"),
    "... to the agent's INVITE": lambda call: call.agent_invited - call.executed("Dial"),
}
PLAIN_STEPS: Mapping[str, Interval] = {
    "Answer executed to Playback executed": lambda call: (
        call.executed("Playback") - call.executed("Answer")
    ),
    "Playback executed to first audio": lambda call: call.first_audio - call.executed("Playback"),
    "notice's last packet to MixMonitor executed": lambda call: (
        call.executed("MixMonitor") - call.notice_end
    ),
    "... to Dial executed": lambda call: call.executed("Dial") - call.executed("MixMonitor"),
    "... to the agent's INVITE": lambda call: call.agent_invited - call.executed("Dial"),
}


async def place(site: Site, caller: Phone, agent: Phone, exten: str) -> Timed:
    """One call: told, connected, a second of talk, hung up."""
    await asyncio.sleep(random.uniform(0, _FRAME_S))  # any place between two frames of the media
    unix_offset = time.time() - time.monotonic()
    leg = await caller.dial(exten, site.asterisk.sip_port)
    taken = await agent.next_call()
    invited = max(at for at, way, what in agent.log if way == "<" and what.startswith("INVITE"))
    await taken.answered()
    await taken.until_heard(TALK_S)
    await leg.hang_up()
    await taken.ended()
    return Timed(exten, unix_offset, leg, taken, invited)


async def place_all(site: Site, caller: Phone, agent: Phone, pairs: int) -> list[Timed]:
    """Pairs of calls; who goes first changes with every pair."""
    calls: list[Timed] = []
    for number in range(pairs):
        ways = (PLAIN, OURS) if number % 2 else (OURS, PLAIN)
        for way in ways:
            call = await place(site, caller, agent, f"{way}{number:04d}")
            await _over(site, call, number + 1)
            calls.append(call)
        print(".", end="", flush=True)
    print()
    return calls


async def _over(site: Site, call: Timed, ours: int) -> None:
    """Wait until the recording is closed, and the service has done all it does with its own."""
    if call.exten[0] == OURS:
        await site.until_ended(ours)
    else:
        async with asyncio.timeout(5):
            while not is_closed(_plain_file(site, call)):  # noqa: ASYNC110 - of Asterisk
                await asyncio.sleep(0.02)
    await asyncio.sleep(_SETTLE_S)


def _plain_file(site: Site, call: Timed) -> Path:
    return site.asterisk.spool_here / f"plain/{call.exten}.wav"


def read_back(site: Site, calls: Sequence[Timed], schedules: Sequence[Schedule]) -> None:
    """Fill in what the log, the rows and the recordings say, and check what was heard."""
    logged = read_calls(site.asterisk.log_file.read_text().splitlines(), time.time())
    notice = read_wav(site.asterisk.sounds_here / "en/notice-test.wav")[0]
    by_call: dict[str, dict[str, dict[str, Any]]] = {}
    for row in site.rows():
        if row["call"]:
            by_call.setdefault(row["call"], {})[row["kind"]] = row
    told = iter(by_call.values())
    for call in calls:
        check_heard(call.caller, notice)
        call.log = logged[call.exten]
        if call.exten[0] == OURS:
            rows = next(told)
            assert rows["recording_closed"]["detail"]["whole"], rows["recording_closed"]
            call.rows = {
                kind: milliseconds(row["at"]) / 1_000 - call.unix_offset
                for kind, row in rows.items()
            }
            name = f"{rows['recording_closed']['detail']['recording']}.wav"
            left, right = read_wav(site.recordings / name)
        else:
            left = right = read_wav(_plain_file(site, call))[0]
        for pcm, schedule in zip((left, right), schedules, strict=True):
            call.recorded[schedule.voice.name] = _first_sample(pcm, schedule, call)


def _first_sample(pcm: Pcm, schedule: Schedule, call: Timed) -> float:
    """Not a number where the tones do not say; the recording is then kept for looking at."""
    times = call.caller.times
    spans = find_spans(pcm, schedule, times["invite"], times["ended"])
    if not spans:
        OUT.parent.mkdir(parents=True, exist_ok=True)
        write_wav(OUT.parent / f"undated-{call.exten}-{schedule.voice.name}.wav", pcm)
    return min((span.clock_start for span in spans), default=math.nan)


def check_heard(leg: Leg, notice: Pcm) -> None:
    """The first packets are the notice, all of it, and nothing else.

    Raises:
        ValueError: they are not, so times from them mean nothing.
    """
    heard = ulaw_decode(b"".join(packet.payload for packet in leg.media.received[:_NOTICE_FRAMES]))
    played = notice[: len(heard)].astype(np.float64)
    missing = len(notice) - len(heard)
    if missing > _WAV_READ_SHORT or (np.abs(heard - played) > 16 + np.abs(played) / 16).any():
        raise ValueError("what a caller heard first is not the notice")


def in_ms(interval: Interval, calls: Sequence[Timed]) -> list[float]:
    return [interval(call) * 1_000 for call in calls]


def rounded(values_ms: Sequence[float]) -> list[float | None]:
    """For JSON, which has no "not a number"."""
    return [None if math.isnan(value) else round(value, 3) for value in values_ms]


async def run(pairs: int) -> tuple[list[Timed], str]:
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(await Phone.open("agent", AGENT))
        caller = await stack.enter_async_context(await Phone.open("caller", CALLER))
        agent.answer_after = 0.05
        site = await Site.open({"agent": agent.port}, extensions=EXTENSIONS)
        await stack.enter_async_context(site)
        calls = await place_all(site, caller, agent, WARM_UP + pairs)
        read_back(site, calls, (caller.schedule, agent.schedule))
        return calls[2 * WARM_UP :], site.asterisk.version


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks latency", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, metavar="N", help="each way (default 20)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE", help="results as JSON")
    options = parser.parse_args(arguments)
    command = shlex.join(["python", "-m", "benchmarks", "latency", "--calls", str(options.calls)])
    about = surroundings(command)
    calls, asterisk = asyncio.run(run(options.calls))
    about["versions"]["asterisk"] = asterisk
    plain = sorted((call for call in calls if call.exten[0] == PLAIN), key=lambda c: c.exten)
    ours = sorted((call for call in calls if call.exten[0] == OURS), key=lambda c: c.exten)
    compared = {
        name: compare(in_ms(interval, plain), in_ms(interval, ours))
        for name, interval in COMPARED.items()
    }
    our_steps = {name: Spread.of(in_ms(step, ours)) for name, step in OUR_STEPS.items()}
    plain_steps = {name: Spread.of(in_ms(step, plain)) for name, step in PLAIN_STEPS.items()}
    report(about, options.calls, compared, our_steps, plain_steps)
    results = {
        **about,
        "calls_each_way": options.calls,
        "compared": {name: as_json(row) for name, row in compared.items()},
        "our_steps": {name: as_json(row) for name, row in our_steps.items()},
        "dialplan_steps": {name: as_json(row) for name, row in plain_steps.items()},
        "samples_ms": {
            name: {
                "dialplan": rounded(in_ms(interval, plain)),
                "ours": rounded(in_ms(interval, ours)),
            }
            for name, interval in COMPARED.items()
        },
        "not_resolved": UNRESOLVED,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {options.out}")


def report(
    about: Mapping[str, Any],
    calls: int,
    compared: Mapping[str, Comparison],
    our_steps: Mapping[str, Spread],
    plain_steps: Mapping[str, Spread],
) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = 130
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    console.print(f"{about['command']}   {about['date']}\n{versions}", highlight=False)
    console.print(
        f"{about['cpus']} CPUs, load before {about['load_before']};"
        f" {calls} calls each way, in turns; niceness {about['niceness']}"
    )
    console.print(comparison_table("Beside the dialplan alone", compared))
    console.print(spread_table("Where ours spends it", our_steps))
    console.print(spread_table("Where the dialplan spends it", plain_steps))
    console.print(UNRESOLVED, highlight=False)


if __name__ == "__main__":
    main()
