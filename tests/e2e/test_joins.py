"""Somebody comes to a recorded call who may not be kept yet; or its controller leaves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from typer.testing import CliRunner

from asterisk_compliance.cli.main import app
from lab.hearing import party_heard
from lab.leg import Leg
from lab.parties import OTHERS, TOLD, Stage, must_hold
from lab.sip import Phone, address

pytestmark = pytest.mark.asterisk

STAFF = 'staff = ["PJSIP/agent*"]'
RESTART_S = 0.4
"""What a new segment may cost of the one who talks: 0.14 s, and what a busy machine leaves out."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage.set_up() as stage:
        yield stage


async def handed_on(stage: Stage, exten: str, to: str, name: str) -> tuple[Leg, Leg]:
    """A call that the agent sends on after 0.8 s: the caller's leg, and that of who takes it."""
    stage.phones["agent"].first_sequence, stage.phones[name].first_sequence = 20_000, 1_000
    caller, agent = await stage.connect(exten)
    await agent.until_heard(0.8)
    assert await agent.transfer(to) == 200
    return caller, await stage.answered(name)


def reasons(stage: Stage, kind: str) -> list[str]:
    return [detail["reason"] for detail in stage.details(kind)]


def found(stage: Stage, agent: str) -> int:
    """In how many calls of the log this agent was, as the officer asks for it."""
    words = ["calls", "list", "--agent", agent, "--count", "--store", str(stage.site.store)]
    return int(CliRunner().invoke(app, words).stdout)


async def test_staff_are_kept_without_a_word(stage_of_staff):
    stage = stage_of_staff
    caller, agent2 = await handed_on(stage, "102", "202", "agent2")
    started = await stage.row("recording_started", 2)
    await agent2.until_heard(1.5)
    kept = await stage.end(caller)
    since, until = agent2.times["confirmed"], agent2.times["ended"] - 0.1
    must_hold(
        kept.no_notice(),
        stage.hears_no_notice(agent2),
        stage.hears_no_notice(caller, since),
        kept.all_of("agent2", OTHERS, since, until, RESTART_S),
        kept.all_of("caller", TOLD, since, until, RESTART_S),
    )
    assert started["detail"]["recording"].endswith("-2")
    joined = stage.details("party_joined")
    assert [(row["cover"], row["role"]) for row in joined] == [("staff", "agent")] * 2
    assert "PJSIP/agent" not in json.dumps(stage.site.rows())
    assert [found(stage, name) for name in ("agent", "agent2", "guest")] == [1, 1, 0]
    assert stage.details("party_told") == []
    assert all(row["whole"] for row in stage.details("recording_closed"))


@pytest.fixture
async def stage_of_staff() -> AsyncIterator[Stage]:
    async with Stage.set_up(wiring=STAFF) as stage:
        yield stage


async def test_nothing_is_kept_after_the_last_of_the_staff_left(stage_of_staff):
    stage = stage_of_staff
    caller, outside = await handed_on(stage, "102", "209", "outside")
    joined = await stage.row("party_joined", cover="unknown")
    stopped = await stage.row("capture_stopped")
    await outside.until_heard(1.0)
    kept = await stage.end(caller)
    must_hold(kept.nothing_of("other"), stage.hears_no_notice(outside))
    assert max(end for _, end in kept.times("caller", TOLD)) < outside.times["confirmed"] + 1
    assert reasons(stage, "capture_stopped") == ["CONTROLLER_LEFT"]
    assert stage.seconds_between(joined, stopped) < 1
    assert sorted(kept.segments) == [1]


async def test_a_policy_that_stops_when_somebody_joins(stage):
    caller, agent2 = await handed_on(stage, "142", "202", "agent2")
    await stage.row("capture_stopped")
    await agent2.until_heard(1.0)
    kept = await stage.end(caller)
    must_hold(kept.nothing_of("agent2"), stage.hears_no_notice(agent2))
    assert reasons(stage, "capture_stopped") == ["JOINED"]
    assert sorted(kept.segments) == [1]


async def test_a_policy_that_goes_on_when_somebody_joins(stage):
    caller, agent2 = await handed_on(stage, "122", "202", "agent2")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    since, until = agent2.times["confirmed"], agent2.times["ended"] - 0.1
    must_hold(stage.hears_no_notice(agent2), kept.all_of("agent2", OTHERS, since, until, RESTART_S))
    assert stage.details("party_joined")[1]["cover"] == "accepted"


ASKING = """
[[notice]]
id = "test"
version = "1"
purposes = ["SERVICE"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request, we record this call. Press 1 for yes, 2 for no."

[[policy]]
name = "inbound"
notice = "test"
languages = ["en"]
consent = "opt-in"
grace_s = 0.6
keys = { accept = "1", refuse = "2" }
announcements = { refused = "notice-test" }
"""


async def test_a_whisper_cannot_ask_for_consent():
    """Where consent is wanted nobody is kept who was not asked."""
    async with Stage.set_up(policies=ASKING, dialplan_s=9.0) as stage:
        caller = await stage.caller.dial("102", stage.port)
        await caller.answered()
        caller.send_digit("1")
        agent = await stage.answered("agent")
        await agent.until_heard(0.6)
        assert await agent.transfer("202") == 200
        agent2 = await stage.answered("agent2")
        await stage.row("capture_stopped")
        await agent2.until_heard(0.5)
        kept = await stage.end(caller)
        must_hold(kept.nothing_of("agent2"), stage.hears_no_notice(agent2))
        assert reasons(stage, "capture_stopped") == ["JOINED"]


# -- something happens during the whisper --------------------------------------------------------


async def test_who_leaves_during_the_whisper_was_not_told(stage):
    """agent2 hangs up; with him the call ends, as Dial does it."""
    caller, agent2 = await handed_on(stage, "102", "202", "agent2")
    await agent2.until_heard(0.5)
    await agent2.hang_up()
    await caller.ended()
    kept = await stage.end(caller)
    must_hold(kept.no_notice(), kept.nothing_of("agent2"))
    assert stage.details("party_told") == []
    assert sorted(kept.segments) == [1]


async def test_who_takes_over_during_the_whisper_is_told_in_his_turn(stage):
    caller, agent2 = await handed_on(stage, "102", "202", "agent2")
    await agent2.until_heard(0.5)
    assert await agent2.transfer("203") == 200
    agent3 = await stage.answered("agent3")
    await stage.row("recording_started", 2)
    await agent3.until_heard(1.0)
    kept = await stage.end(caller)
    since, until = stage.told(agent3), agent3.times["ended"] - 0.1
    must_hold(
        kept.no_notice(),
        kept.nothing_of("agent2"),
        kept.nothing_of("other", since),
        kept.all_of("other", OTHERS, since, until, RESTART_S),
        kept.all_of("caller", TOLD, agent3.times["confirmed"], until, RESTART_S),
    )
    assert reasons(stage, "party_not_told") == ["PARTY_LEFT"]
    assert len(stage.details("party_told")) == 1


async def test_a_caller_who_hangs_up_during_the_whisper(stage):
    caller, agent2 = await handed_on(stage, "102", "202", "agent2")
    await agent2.until_heard(0.5)
    kept = await stage.end(caller)
    must_hold(kept.no_notice(), kept.nothing_of("agent2"))
    assert stage.details("party_told") == []
    assert len(stage.details("recording_closed")) == 1
    assert "Snoop/" not in await stage.site.asterisk.cli("core show channels")


def escaped(*lines: str) -> str:
    """For the user part of a SIP address; Asterisk keeps 80 characters of it."""
    return "".join(f"%{ord(one):02x}" for one in "\r\n".join(lines))


async def test_a_forged_join_stops_no_recording(stage):
    """Line breaks in his number and in what he dials say that a caller entered another's bridge."""
    caller, agent = await stage.connect("142")
    await agent.until_heard(0.5)
    listing = await stage.site.asterisk.cli("bridge show all")
    bridge = next(line.split()[0] for line in listing.splitlines() if " basic " in line)
    number = "1" + escaped("", "", "Event: BridgeEnter", f"BridgeUniqueid: {bridge}")
    dialled = "9" + escaped("", "BridgeNumChannels: 3", "BridgeType: basic", "Channel: PJSIP/x-1")
    async with await Phone.open("forger") as forger:
        attack = await forger.dial(dialled, stage.port, from_value=address(number))
        await attack.answered()
        await attack.ended()
    await stage.row("anomaly", code="BRIDGE_FORGED")
    await agent.until_heard(1.0)
    assert stage.details("capture_stopped") == []
    kept = await stage.end(caller)
    must_hold(party_heard(agent.heard_pcm(), stage.caller.schedule, stage.began, 1.0))
    until = agent.times["ended"] - 0.1
    must_hold(kept.all_of("agent", OTHERS, until - 0.8, until))
