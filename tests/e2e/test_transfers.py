"""An agent hands the call on: who is told, from when on he is kept, and who hears what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lab.hearing import party_heard
from lab.leg import Leg
from lab.parties import OTHERS, TOLD, Kept, Stage, must_hold
from lab.site import FEATURES
from lab.versions import loses_audio, whispers_into_silence

pytestmark = pytest.mark.asterisk

WAYS = [("100", "behind"), ("102", "behind"), ("102", "ahead")]
"""A queue or a direct call, and the order of the RTP sequence numbers."""
ORDERS = {"behind": (20_000, 1_000), "ahead": (1_000, 20_000)}
"""First RTP sequence numbers of the agent and of who takes over."""
RESTART_S = 0.4
"""What a new segment may cost of the one who talks: 0.14 s, and what a busy machine leaves out."""


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


@pytest.mark.parametrize(("exten", "order"), WAYS)
async def test_who_takes_over_a_blind_transfer_is_told_before_he_is_kept(stage, exten, order):
    number_from(stage, order)
    caller, agent = await stage.connect(exten)
    await agent.until_heard(1.2)
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    told_then_kept(stage, kept, caller, agent2)


@pytest.mark.parametrize(("exten", "order"), WAYS)
async def test_who_takes_over_an_attended_transfer_is_told_before_he_is_kept(stage, exten, order):
    number_from(stage, order)
    caller, agent = await stage.connect(exten)
    await agent.until_heard(1.2)
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


async def handed_on_in_silence(stage: Stage, exten: str) -> tuple[Leg, Leg]:
    """The caller sends no packet any more, and the agent hands him on."""
    number_from(stage, "behind")
    caller, agent = await stage.connect(exten)
    await agent.until_heard(1.2)
    caller.stop_sending()
    assert await agent.transfer("202") == 200
    return caller, await stage.answered("agent2")


async def test_a_recording_begins_anew_beside_a_caller_who_sends_nothing(stage):
    """No frame of his tells MixMonitor that time passes."""
    caller, agent2 = await handed_on_in_silence(stage, "122")
    await stage.row("recording_started", 2)
    await caller.until_heard(1.2)
    kept = await stage.end(caller)
    since, until = agent2.times["confirmed"], agent2.times["ended"] - 0.1
    must_hold(kept.all_of("agent2", OTHERS, since, until, RESTART_S))


async def test_a_whisper_beside_a_caller_who_sends_nothing_is_believed_only_if_it_is_heard(stage):
    """Where Asterisk mixes it into what it sends, that is nothing here, and it says it played."""
    caller, agent2 = await handed_on_in_silence(stage, "102")
    if whispers_into_silence(stage.site.asterisk.build):
        await stage.row("recording_started", 2)
        await caller.until_heard(1.2)
        kept = await stage.end(caller)
        must_hold(kept.nothing_of("agent2", stage.told(agent2)))
        assert (len(stage.details("party_told")), stage.details("party_not_told")) == (1, [])
        return
    await stage.row("capture_stopped", reason="PARTY_NOT_TOLD")
    await caller.until_heard(0.5)
    kept = await stage.end(caller)
    must_hold(stage.hears_no_notice(agent2), kept.nothing_of("agent2"))
    (row,) = stage.details("party_not_told")
    assert row["reason"] == "NOTICE_FAILED"
    assert stage.details("party_told") == []


@pytest.mark.parametrize("who", ["caller", "agent"])
async def test_a_hold_costs_no_time_in_the_recording(stage, who):
    caller, agent = await stage.connect("102")
    since = agent.times["confirmed"] + 0.1
    holding = caller if who == "caller" else agent
    await agent.until_heard(1.2)
    assert await holding.hold() == 200
    await asyncio.sleep(1.5)
    assert await holding.resume() == 200
    await agent.until_heard(1.2)
    kept = await stage.end(caller)
    (closed,) = stage.details("recording_closed")
    assert (closed["length"], closed["whole"]) == ("ok", True)
    lasted = agent.times["ended"] - agent.times["confirmed"]
    assert abs(kept.segments[1].length_s - lasted) < 0.4
    until = agent.times["ended"] - 0.1
    other = ("agent", OTHERS) if who == "caller" else ("caller", TOLD)
    must_hold(kept.all_of(*other, since, until))


UNWIRED = {"wiring": "segments = false", "extra": {"features.conf": FEATURES}}
"""A site that did not include our feature codes: no recording can begin anew in mid-call."""


@pytest.mark.parametrize("order", ORDERS)
async def test_without_our_feature_codes_what_is_lost_is_said(order):
    async with Stage.set_up(**UNWIRED) as stage:
        number_from(stage, order)
        caller, agent = await stage.connect("102")
        await agent.until_heard(1.2)
        assert await agent.transfer("202") == 200
        agent2 = await stage.answered("agent2")
        await stage.row("capture_resumed")
        await agent2.until_heard(1.8)
        kept = await stage.end(caller)
        since, until = stage.told(agent2), agent2.times["ended"] - 0.1
        must_hold(kept.no_notice(), kept.nothing_of("agent2", since))
        assert sorted(kept.segments) == [1]
        (closed,) = stage.details("recording_closed")
        if order == "ahead" or not loses_audio(stage.site.asterisk.build):
            must_hold(kept.all_of("agent2", OTHERS, since + 0.1, until))
            assert (closed["lost_ms"], stage.details("audio_lost")) == (0, [])
        else:
            must_hold(kept.nothing_of("agent2"))
            (lost,) = stage.details("audio_lost")
            assert lost["to_ms"] - lost["from_ms"] == closed["lost_ms"] > 1_500
            assert not closed["whole"]
