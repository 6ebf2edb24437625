"""Somebody who was recorded and asks for it: a sealed call, and a granted request.

Judged by the tones that he gets: they say which moments of whose voice are in it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.config.settings import load
from e2e.office import Office, install_all, open_office
from e2e.steering import NOTICE, policy, press, run_cli
from lab.leg import Leg
from lab.tone_spans import find_spans, undated
from lab.tones import AGENT

IDENTITY, RECIPIENT = new_identity()
SEALED = f'recipients = ["{RECIPIENT}"]'
PROMPTS = ("hearing-code", "hearing-wrong", "hearing-begins", "hearing-ends")
EXTENSIONS = """
[from-lab]
exten => 400,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
exten => 700,1,Gosub(compliance-hearing,s,1)
 same => n,Set(CDR(userfield)=${COMPLIANCE_HEARING})
 same => n,Hangup()
exten => 701,1,Gosub(compliance-notice,s,1(whole))
 same => n,Gosub(compliance-hearing,s,1)
 same => n,Set(CDR(userfield)=${COMPLIANCE_HEARING})
 same => n,Hangup()
; Somebody else's MixMonitor, such as a site has for every call.
exten => 702,1,Answer()
 same => n,MixMonitor(${ASTSPOOLDIR}/strange.wav)
 same => n,Wait(0.5)
 same => n,Goto(700,1)
"""
HEARING = 'languages = ["en"]\nwait_s = 4.0\ncode_digits = 8\n'
TALK_S = 1.5


def install(sounds: Path) -> None:
    install_all(sounds, PROMPTS)


@dataclass(slots=True)
class Lender:
    """A recorded and sealed call, and a granted request of the customer to hear it."""

    office: Office
    call: str
    talked: tuple[float, float]
    request: str
    identity: Path
    cdrs: int = 0

    @property
    def recording(self) -> str:
        return f"r-{self.call[2:]}-1"

    async def lend(self) -> str:
        """By the command, as the officer does it; returns the code."""
        status, out, err = await self.command("lend", "--identity", str(self.identity), "--json")
        assert status == 0, err
        return str(json.loads(out)["code"])

    async def command(self, name: str, *options: str) -> tuple[int, str, str]:
        """A command of ``requests`` about the recording."""
        return await self.requests(name, "--recording", self.recording, *options)

    async def requests(self, name: str, *options: str) -> tuple[int, str, str]:
        return await run_cli(self.office, "requests", name, self.request, *options)

    def copies(self) -> list[str]:
        memory = self.office.site.memory
        assert memory is not None
        return sorted(path.name for path in memory.here.iterdir())

    async def enter(self, code: str, exten: str = "700") -> Leg:
        """Call the number, wait until something is said, and enter a code."""
        leg = await self.dial(exten)
        await leg.until_heard(0.1)
        await press(leg, f"{code}#")
        return leg

    async def dial(self, exten: str) -> Leg:
        self.cdrs = len(self.office.site.cdrs())
        leg = await self.office.dial("customer", exten)
        await leg.answered()
        return leg

    def voices(self, leg: Leg) -> dict[str, list[tuple[float, float]]]:
        """Of whom a telephone heard which moments of the time when the call was recorded."""
        heard = leg.heard_pcm()
        began, until = self.office.began, self.talked[1] + 0.5
        return {
            who: [
                (span.clock_start, span.clock_end)
                for span in find_spans(heard.pcm, self.office.phones[who].schedule, began, until)
            ]
            for who in ("customer", "agent")
        }

    def heard_s(self, leg: Leg) -> float:
        """Seconds of his own recorded voice that the customer heard; of nobody else's any."""
        voices = self.voices(leg)
        assert voices["agent"] == []
        assert undated(leg.heard_pcm().pcm, AGENT, []) < 0.1
        for start, end in voices["customer"]:
            assert self.talked[0] - 0.3 < start < end < self.talked[1] + 0.3
        return sum(end - start for start, end in voices["customer"])

    def reasons(self, kind: str) -> list[str]:
        return [detail["reason"] for detail in self.office.details(kind)]

    async def outcome(self, leg: Leg) -> str:
        """What the dialplan was told, once the call is over."""
        await leg.ended(10)
        async with asyncio.timeout(5):
            while len(self.office.site.cdrs()) == self.cdrs:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
        return self.office.site.cdrs()[-1][-1]


async def verb(office: Office, name: str, **arguments: str) -> dict[str, Any]:
    socket = load(office.site.service.config, secrets=False).service.socket
    answer = await asyncio.to_thread(ask, socket, name, arguments)
    assert answer is not None
    return answer


async def granted(office: Office, call: str) -> str:
    """A request to hear this call, opened, identified and granted; its id."""
    opened = await verb(
        office, "request-open", right="HEAR", by="PERSON", contact="by post", calls=call
    )
    request = str(opened["request"])
    await verb(office, "request-identify", request=request, how="CALLED_BACK")
    await verb(office, "request-decide", request=request, verdict="GRANTED", reason="LAW")
    return request


@asynccontextmanager
async def lender(
    tmp_path: Path, hearing: str = "", talk_s: float = TALK_S
) -> AsyncIterator[Lender]:
    identity = tmp_path / "officer.key"
    identity.write_text(IDENTITY + "\n")
    policies = NOTICE + policy() + policy("whole", capture="from-notice")
    options = {"policies": policies, "vault": SEALED, "install_prompts": install}
    async with open_office(EXTENSIONS, hearing=HEARING + hearing, **options) as office:
        leg = await office.dial("customer", "400")
        agent = await office.called("agent")
        began = time.monotonic()
        await agent.until_heard(talk_s)
        await leg.hang_up()
        ended = time.monotonic()
        await office.site.until_ended()
        call = office.rows("call_arrived")[-1]["call"]
        request = await granted(office, call)
        yield Lender(office, call, (began, ended), request, identity)
