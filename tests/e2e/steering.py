"""Calls whose recording somebody steers: by feature codes, in the dialplan, on the command line."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from e2e.office import Office, install_all, open_office
from lab.dtmf import TONE_S, dtmf
from lab.g711 import Pcm
from lab.leg import Leg
from lab.site import TEST_POLICIES
from lab.tone_spans import find_spans
from lab.tones import FRAME, RATE
from lab.wav import read_wav, write_wav

_SILENT = 60.0
"""As in :mod:`lab.hearing`: amplitude (RMS) below which 20 ms are silent."""
_POLL_S = 0.01
BEEP_HZ = 1_400
Times = tuple[float, float]

EXTENSIONS = """
[from-lab]
exten => 400,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,gtb(compliance-agent^s^1))
 same => n,Hangup()
exten => 401,1,Dial(PJSIP/agent2,20,gtb(compliance-agent^s^1))
 same => n,Hangup()
"""


def policy(name: str = "inbound", notice: str = "test", **settings: str | int) -> str:
    """A policy; a text is quoted, a number is not."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    named = [f'name = "{name}"', f'notice = "{notice}"', 'languages = ["en"]']
    return "\n".join(["", "[[policy]]", *named, *lines, ""])


NOTICE = TEST_POLICIES[: TEST_POLICIES.index("[[policy]]")]


def steered(
    extensions: str = EXTENSIONS, *policies: str, **options: Any
) -> AbstractAsyncContextManager[Office]:
    """An office with these policies; with a sound for ``B()`` to play."""
    options.setdefault("install_prompts", _install)
    options.setdefault("dialplan_s", 9.0)
    return open_office(extensions, policies=NOTICE + "".join(policies or (policy(),)), **options)


def _install(sounds: Path) -> None:
    install_all(sounds)
    tone = 8_000 * np.sin(2 * np.pi * BEEP_HZ * np.arange(RATE // 5) / RATE)
    write_wav(sounds / "en" / "beep.wav", np.rint(tone).astype(np.int16))


@dataclass(slots=True)
class Recorded:
    """A recorded call: the two telephones, and by which ids service and Asterisk know it."""

    office: Office
    customer: Leg
    agent: Leg
    call: str
    channel: str
    agent_channel: str

    @classmethod
    async def begin(
        cls, office: Office, exten: str = "400", *, until: str = "recording_started"
    ) -> Recorded:
        """Be told, connected and bridged, with a row of the kind ``until`` written."""
        customer = await office.dial("customer", exten)
        agent = await office.called("agent")
        call = office.rows("call_arrived")[-1]["call"]
        wanted = {until, "party_joined"}
        await office.site.rows_until(
            lambda rows: wanted <= {row["kind"] for row in rows if row["call"] == call}
        )
        return cls.of(office, customer, agent)

    @classmethod
    def of(cls, office: Office, customer: Leg, agent: Leg) -> Recorded:
        """The newest call, which is up."""
        row = office.rows("call_arrived")[-1]
        joined = [one for one in office.rows("party_joined") if one["call"] == row["call"]]
        channel, peer = row["detail"]["channel"], joined[0]["detail"]["channel"]
        return cls(office, customer, agent, row["call"], channel, peer)

    async def ask(self, what: str, *options: str) -> tuple[int, str, str]:
        """``asterisk-compliance calls WHAT``: exit status, standard output, standard error."""
        return await run_cli(self.office, "calls", what, self.call, *options)

    async def is_said(self, status: str, *, who: str = "channel", timeout_s: float = 3.0) -> float:
        """Wait until the dialplan of the channel, or the agent, is told this status.

        Returns:
            Seconds waited.
        """
        where, name = {
            "channel": (self.channel, "COMPLIANCE_STATUS"),
            "agent": (self.agent_channel, "COMPLIANCE_SHOWN"),
        }[who]
        began, found = time.monotonic(), None
        while (found := await self.office.variable(where, name)) != status:
            assert time.monotonic() - began < timeout_s, f"{name} is {found}"
            await asyncio.sleep(_POLL_S)
        return time.monotonic() - began

    async def end(self) -> list[dict[str, Any]]:
        """The customer hangs up; returns all rows once the call is dealt with."""
        await self.customer.hang_up()
        return await self.office.site.until_ended()

    def joined(self, segment: int = 1) -> list[Pcm]:
        """The customer's and the others' channel of a recording in the vault."""
        return read_wav(self.office.site.recordings / f"{self.recording(segment)}.wav")

    def voices(self, segment: int = 1, *, others: str = "agent") -> list[list[Times]]:
        """When what a recording holds was said, by the clock: by the customer, by the others."""
        now = time.monotonic()
        return [
            [
                (span.clock_start, span.clock_end)
                for span in find_spans(
                    pcm, self.office.phones[who].schedule, self.office.began, now
                )
            ]
            for pcm, who in zip(self.joined(segment), ("customer", others), strict=True)
        ]

    def recording(self, segment: int = 1) -> str:
        return f"r-{self.call[2:]}-{segment}"

    def spooled(self, segment: int = 1) -> dict[str, Pcm]:
        """What is on disk of a running recording, by direction."""
        files = self.office.site.asterisk.spool_here.glob(f"{self.recording(segment)}-*.wav")
        return {path.stem[-2:]: read_wav(path)[0] for path in files}


async def press(leg: Leg, code: str) -> float:
    """Press digits (RFC 4733); the clock time at which the last was let go."""
    for digit in code:
        leg.send_digit(digit)
    await said_everything(leg)
    return leg.media.digits_ended[-1]


async def dictate(leg: Leg, digits: str) -> None:
    """Send digits as tones in the voice path, and wait until they were sent."""
    leg.media.send_sound(dtmf(digits))
    await said_everything(leg)


async def said_everything(leg: Leg) -> None:
    async with asyncio.timeout(20):
        while leg.media.is_saying:  # noqa: ASYNC110 - a frame every 20 ms
            await asyncio.sleep(_POLL_S)
    await asyncio.sleep(TONE_S)  # the last packet is on its way


async def run_cli(office: Office, *words: str) -> tuple[int, str, str]:
    """Our command line, as the operating system's user that runs the tests."""
    command = Path(sys.executable).with_name("asterisk-compliance")
    process = await asyncio.create_subprocess_exec(
        str(command),
        *words,
        "--config",
        str(office.site.service.config),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 20)
    return int(process.returncode or 0), out.decode(), err.decode()


def silences(channels: Iterable[Pcm], least_s: float = 0.2) -> list[tuple[float, float]]:
    """From when to when, in seconds of the file, nothing is heard in any of the channels."""
    tracks = list(channels)
    count = min(len(pcm) for pcm in tracks) // FRAME
    loud = np.zeros(count, np.bool_)
    for pcm in tracks:
        frames = pcm[: count * FRAME].astype(np.float64).reshape(-1, FRAME)
        loud |= np.sqrt((frames**2).mean(axis=1)) >= _SILENT
    edges = np.flatnonzero(np.diff(np.concatenate(([True], loud, [True])).astype(np.int8)))
    spans = [(a * FRAME / RATE, b * FRAME / RATE) for a, b in edges.reshape(-1, 2)]
    return [(begin, end) for begin, end in spans if end - begin >= least_s]


def wall_s(row: dict[str, Any]) -> float:
    """When a row was written, in seconds of Unix time."""
    return datetime.fromisoformat(row["at"]).timestamp()


async def until(holds: Callable[[], bool], timeout_s: float = 5.0) -> float:
    """Wait for something of another process; returns the clock time at which it was seen."""
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(_POLL_S)
    return time.monotonic()
