"""An agent hands the call on: who is told, from when on he is kept, and who hears what."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lab.hearing import party_heard
from lab.leg import Leg
from lab.parties import OTHERS, TOLD, Kept, Stage, must_hold

pytestmark = pytest.mark.asterisk

ORDERS = {"behind": (20_000, 1_000), "ahead": (1_000, 20_000)}
"""First RTP sequence numbers of the agent and of who takes over."""
RESTART_S = 0.25
"""What a new segment may cost of the one who talks."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage.set_up() as stage:
        yield stage


def number_from(stage: Stage, order: str) -> None:
    stage.phones["agent"].first_sequence, stage.phones["agent2"].first_sequence = ORDERS[order]


def told_then_kept(stage: Stage, kept: Kept, caller: Leg, agent2: Leg) -> None:
    """What must hold of a call that was handed on to somebody who had to be told."""
    since = stage.told(agent2)
    until = min(leg.times["ended"] for leg in (caller, agent2)) - 0.1
    must_hold(
        stage.hears_no_notice(caller, since - 0.5),
        kept.no_notice(),
        kept.nothing_of("agent2", since),
        kept.all_of("agent2", OTHERS, since, until, RESTART_S),
        kept.all_of("caller", TOLD, since, until, RESTART_S),
        party_heard(caller.heard_pcm(), stage.phones["agent2"].schedule, since),
        party_heard(agent2.heard_pcm(), stage.caller.schedule, since),
    )
    assert "agent2" not in {print_.party for print_ in kept.segments[1].voiceprints}
    assert sorted(kept.segments) == [1, 2]
    covers = [row["cover"] for row in stage.details("party_joined")]
    assert covers == ["assumed", "unknown"]
    assert all(row["whole"] for row in stage.details("recording_closed"))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("exten", ["100", "102"])
async def test_who_takes_over_a_blind_transfer_is_told_before_he_is_kept(stage, exten, order):
    number_from(stage, order)
    caller, agent = await stage.connect(exten)
    await agent.until_heard(0.8)
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("exten", ["100", "102"])
async def test_who_takes_over_an_attended_transfer_is_told_before_he_is_kept(stage, exten, order):
    number_from(stage, order)
    caller, agent = await stage.connect(exten)
    await agent.until_heard(0.8)
    consulting = await stage.phones["agent"].dial("202", stage.port)
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(0.3)
    assert await agent.transfer_to(consulting) == 200
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)


@pytest.mark.parametrize("code", ["##", "*2"])
async def test_who_takes_over_by_feature_codes_is_told_before_he_is_kept(stage, code):
    """With ``*2`` the agent speaks to agent2 first, through a Local channel, and hangs up.

    What the agent said last is still in that channel when the caller is there: with these numbers
    agent2 heard nothing of a whisper that began at once, while Asterisk reported it as played.
    """
    number_from(stage, "behind")
    stage.caller.first_sequence = 100
    caller, agent = await stage.connect("104")
    await agent.until_heard(0.5)
    for digit in f"{code}202":
        agent.send_digit(digit)
    agent2 = await stage.answered("agent2")
    if code == "*2":
        await agent2.until_heard(0.3)
        await agent.hang_up()
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)
