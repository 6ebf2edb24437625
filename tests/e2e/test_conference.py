"""Everybody comes to a call by another way: Local channels, parking, pickup, a conference."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from lab.leg import Leg
from lab.parties import EXTENSIONS, OTHERS, TOLD, Kept, Stage, must_hold

pytestmark = pytest.mark.asterisk

RESTART_S = 0.4
"""What a new segment may cost of the one who talks: 0.14 s, and what a busy machine leaves out."""

ROUTES = (
    EXTENSIONS
    + """
exten => 150,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Queue(optimised,r,,,30)
exten => 151,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Queue(kept,r,,,30)
exten => 180,1,Gosub(compliance-notice,s,1(inbound))
 same => n,ConfBridge(room)
exten => 181,1,Answer()
 same => n,ConfBridge(room)
exten => 210,1,Dial(PJSIP/agent,20)
exten => 170,1,PickupChan(PJSIP/agent,p)
include => parkedcalls
"""
)

QUEUES = """
[general]
autofill = yes

[optimised]
strategy = ringall
member => Local/210@from-lab

[kept]
strategy = ringall
member => Local/210@from-lab/n
"""

CONFERENCES = """
[general]

[default_user]
type = user
quiet = yes

[default_bridge]
type = bridge
"""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage.set_up(
        extensions=ROUTES, extra={"queues.conf": QUEUES, "confbridge.conf": CONFERENCES}
    ) as stage:
        yield stage


def told_then_kept(stage: Stage, kept: Kept, caller: Leg, agent2: Leg) -> None:
    since = stage.told(agent2)
    until = min(leg.times["ended"] for leg in (caller, agent2)) - 0.1
    must_hold(
        stage.hears_no_notice(caller, since - 0.5),
        kept.no_notice(),
        kept.nothing_of("agent2", since),
        kept.all_of("agent2", OTHERS, since, until, RESTART_S),
        kept.all_of("caller", TOLD, since, until, RESTART_S),
    )


@pytest.mark.parametrize("exten", ["150", "151"])
async def test_a_transfer_from_behind_a_local_channel(stage, exten):
    """150: Asterisk takes the Local channel out; 151: it stays, and the caller in his bridge."""
    stage.phones["agent"].first_sequence, stage.phones["agent2"].first_sequence = 20_000, 1_000
    caller, agent = await stage.connect(exten)
    await agent.until_heard(1.0)
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)
    assert [row["cover"] for row in stage.details("party_joined")] == ["assumed", "unknown"]


async def test_who_fetches_a_parked_call_is_told(stage):
    stage.phones["agent"].first_sequence, stage.phones["agent2"].first_sequence = 20_000, 1_000
    caller, agent = await stage.connect("102")
    await agent.until_heard(0.8)
    await agent.transfer("700")
    await caller.until_heard(0.5)
    agent2 = await stage.phones["agent2"].dial("701", stage.port)
    await agent2.answered()
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)


async def test_who_picks_up_is_the_first_company(stage):
    stage.phones["agent"].answer_after = None
    caller = await stage.caller.dial("102", stage.port)
    await stage.phones["agent"].next_call()
    agent2 = await stage.phones["agent2"].dial("170", stage.port)
    await agent2.answered()
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    since, until = agent2.times["confirmed"] + 0.1, agent2.times["ended"] - 0.1
    must_hold(
        stage.hears_no_notice(agent2),
        kept.all_of("agent2", OTHERS, since, until),
        kept.all_of("caller", TOLD, since, until),
    )
    assert [row["cover"] for row in stage.details("party_joined")] == ["assumed"]
    assert sorted(kept.segments) == [1]


async def conferring(stage: Stage, exten: str, name: str) -> Leg:
    phone = stage.caller if name == "caller" else stage.phones[name]
    leg = await phone.dial(exten, stage.port)
    await leg.answered()
    return leg


async def test_a_conference_of_people_who_were_all_told_is_kept_without_a_cut(stage):
    legs = [await conferring(stage, "180", name) for name in ("caller", "agent", "agent2")]
    await stage.row("party_joined", 6)
    since = time.monotonic()
    await legs[0].until_heard(1.2)
    until = time.monotonic() - 0.1
    for leg in legs:
        await leg.hang_up()
    await stage.site.until_ended(3)
    calls = [row["call"] for row in stage.rows("call_arrived")]
    for call, own in zip(calls, ("caller", "agent", "agent2"), strict=True):
        kept = stage.kept(call)
        assert sorted(kept.segments) == [1]
        for party in ("caller", "agent", "agent2"):
            channel = TOLD if party == own else OTHERS
            must_hold(kept.all_of(party, channel, since, until))
    assert {row["cover"] for row in stage.details("party_joined")} <= {"assumed", "told"}
    assert stage.details("capture_paused") == []


@pytest.mark.parametrize("recorded", [1, 2])
async def test_who_comes_to_a_conference_untold_is_told_first(stage, recorded):
    """Where two others have a recording each, he is told of both."""
    agent = await conferring(stage, "181" if recorded == 1 else "180", "agent")
    caller = await conferring(stage, "180", "caller")
    await stage.row("party_joined", recorded)
    await agent.until_heard(0.6)
    agent2 = await conferring(stage, "181", "agent2")
    await stage.row("capture_resumed", recorded)
    await agent2.until_heard(1.2)
    for leg in (caller, agent, agent2):
        await leg.hang_up()
    await stage.site.until_ended(recorded)
    since, until = stage.told(agent2), caller.times["ended"] - 0.1
    (call,) = [row["call"] for row in stage.rows("call_arrived")][-1:]
    kept = stage.kept(call)
    must_hold(
        stage.hears_no_notice(agent, since - 0.5),
        stage.hears_no_notice(caller, since - 0.5),
        kept.no_notice(),
        kept.nothing_of("agent2", since),
        kept.all_of("agent2", OTHERS, since + 0.1, until),
        kept.all_of("agent", OTHERS, since + 0.1, until),
        kept.all_of("caller", TOLD, since - 1.0, until),
    )
    assert sorted(kept.segments) == [1]
