"""What the agent sees, on a real Asterisk: in the INVITE, on his channel, on his telephone."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from e2e.office import Office, open_office
from lab.leg import Leg
from lab.sip import address
from lab.site import TEST_POLICIES

pytestmark = pytest.mark.asterisk

IN = """
[globals]
COMPLIANCE_SHOW_NAME = yes

[from-lab]
exten => 300,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,tb(compliance-agent^s^1))
 same => n,Hangup()
; recorded when somebody asks for it
exten => 304,1,Gosub(compliance-notice,s,1(on-demand))
 same => n,Dial(PJSIP/agent,20,tb(compliance-agent^s^1))
 same => n,Hangup()
; an agent whose own dialplan says nothing
exten => 301,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent2,20,t)
 same => n,Hangup()
exten => 302,1,Dial(PJSIP/agent2,20)
 same => n,Hangup()
exten => 303,1,Gosub(compliance-notice,s,1(asks))
 same => n,Dial(PJSIP/agent2,20)
 same => n,Hangup()
"""

POLICIES = (
    TEST_POLICIES
    + """
[[notice]]
id = "asks"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request and improve our service, we record this call. To decline, press 9."

[[policy]]
name = "asks"
notice = "asks"
languages = ["en"]
consent = "opt-out"
on_refusal = "continue-unrecorded"
grace_s = 0.6
keys = { refuse = "9" }

[[policy]]
name = "on-demand"
notice = "test"
languages = ["en"]
capture = "on-demand"
"""
)


async def telephones_show_names(office: Office) -> None:
    """Let Asterisk tell telephones of a new name in mid-call."""
    conf = office.site.asterisk.home / "etc/pjsip.conf"
    text = conf.read_text()
    conf.write_text(text.replace("timers = no", "timers = no\nsend_pai = yes"))
    await office.site.asterisk.cli("module reload res_pjsip.so")


async def until_shown(office: Office, channel: str, status: str) -> None:
    try:
        async with asyncio.timeout(5):
            while await office.variable(channel, "COMPLIANCE_SHOWN") != status:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    except TimeoutError:
        now = await office.variable(channel, "COMPLIANCE_SHOWN")
        raise AssertionError(f"shown is {now!r}, not {status!r}") from None


def names(leg: Leg) -> list[str]:
    """The names that a telephone was told, in order, each once."""
    said: list[str] = []
    for request in leg.received:
        value = request.header("P-Asserted-Identity")
        if request.method in {"INVITE", "UPDATE"} and value:
            name = value.partition("<")[0].strip().strip('"')
            if said[-1:] != [name]:
                said.append(name)
    return said


async def press(leg: Leg, keys: str) -> None:
    for key in keys:
        leg.send_digit(key)
        await asyncio.sleep(0.15)


async def test_the_agent_sees_what_the_call_is_from_the_invite_on():
    async with open_office(IN, wiring="show_in_name = true") as office:
        await telephones_show_names(office)
        caller = await office.phones["customer"].dial(
            "300", office.port, from_value=address("customer", "Taro O'Hara")
        )
        agent = await office.called("agent")
        invite = agent.received[0]
        assert invite.header("X-Compliance-Status") == "ALLOWED"
        assert invite.header("From").startswith('"[REC] Taro O\'Hara"')
        channel = await office.channel_of("agent")
        assert await office.variable(channel, "COMPLIANCE_SHOWN") in {"ALLOWED", "RECORDING"}
        await until_shown(office, channel, "RECORDING")
        await press(agent, "*51")
        await until_shown(office, channel, "PAUSED")
        await agent.until(lambda: names(agent)[-1].startswith("[PAUSED]"), 2)
        await press(agent, "*52")
        await until_shown(office, channel, "RECORDING")
        await agent.until(lambda: names(agent)[-1].startswith("[REC]"), 2)
        await press(agent, "*55")
        await until_shown(office, channel, "REFUSED")
        await agent.until(lambda: names(agent)[-1].startswith("[NO REC]"), 2)
        assert names(agent) == [
            f"{one} Taro O'Hara" for one in ("[REC]", "[PAUSED]", "[REC]", "[NO REC]")
        ]
        await caller.hang_up()
        await office.site.until_ended()


HOSTILE = {
    "prefixes": ("[NO REC] [REC] Taro", "[REC] Taro"),
    "syntax": ('"a",b) ${SHELL(touch /tmp/owned)} $[1+1];<sip:x@y>', "[REC] a,b)"),
    "a line of AMI": ("x%0d%0aAction: Originate", "[REC] x"),
    "long": ("N" * 900, f"[REC] {'N' * 64}"),
    "japanese": ("山田太郎", "[REC] 山田太郎"),
}


async def test_a_name_that_the_caller_chose_is_shown_as_a_name():
    async with open_office(IN, wiring="show_in_name = true") as office:
        for calls, (chosen, begins) in enumerate(HOSTILE.values(), 1):
            caller = await office.phones["customer"].dial(
                "301", office.port, from_value=address("customer", chosen)
            )
            agent = await office.called("agent2")
            channel = await office.channel_of("agent2")
            shown = await renamed(office, channel, begins)
            assert len(shown) <= len("[REC] ") + 64
            assert not re.search(r'["\\<>;${}\x00-\x1f]', shown)
            await caller.hang_up()
            await agent.ended()
            await office.site.until_ended(calls)
        assert not office.site.asterisk.build.here(Path("/tmp/owned")).exists()


async def renamed(office: Office, channel: str, begins: str) -> str:
    """The name on a telephone, once it begins as it shall."""
    async with asyncio.timeout(3):
        while True:
            name = await office.variable(channel, "CONNECTEDLINE(name)") or ""
            if name.startswith(begins):
                return name
            await asyncio.sleep(0.02)


async def test_an_agent_who_joins_later_sees_what_the_call_is():
    async with open_office(IN, policies=POLICIES, wiring='staff = ["PJSIP/agent*"]') as office:
        caller = await office.dial("customer", "300")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        assert await agent.transfer("302") == 200
        agent2 = await office.called("agent2")
        await until_shown(office, await office.channel_of("agent2"), "RECORDING")
        await agent2.hang_up()
        await caller.ended()

        # Of a call that is not recorded, and of one whose caller refused.
        for calls, (exten, key, shown) in enumerate(
            (("303", "9", "REFUSED"), ("301", "", "NOT_RECORDED")), 2
        ):
            if shown == "NOT_RECORDED":
                for prompt in office.site.asterisk.sounds_here.rglob("notice-test.wav"):
                    prompt.unlink()
            caller = await office.dial("customer", exten)
            await caller.answered()
            if key:
                await caller.until_heard(0.3)
                caller.send_digit(key)
            agent2 = await office.called("agent2")
            await until_shown(office, await office.channel_of("agent2"), shown)
            await agent2.hang_up()
            await caller.ended()
            await office.site.until_ended(calls)


async def test_on_demand_the_agent_sees_that_nothing_is_recorded_yet():
    async with open_office(IN, policies=POLICIES) as office:
        caller = await office.dial("customer", "304")
        agent = await office.called("agent")
        assert agent.received[0].header("X-Compliance-Status") == "NOT_RECORDED"
        assert agent.received[0].header("From").startswith('"[NO REC]')
        channel = await office.channel_of("agent")
        await until_shown(office, channel, "NOT_RECORDED")
        await press(agent, "*53")
        await until_shown(office, channel, "RECORDING")
        await caller.hang_up()
        await office.site.until_ended()
