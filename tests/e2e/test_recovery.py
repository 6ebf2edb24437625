"""Somebody was away: the service killed, Asterisk killed. Nothing is lost, and nothing slips in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from lab.asterisk import Asterisk
from lab.hearing import NoticeHeard, notice_completed
from lab.parties import OTHERS, TOLD, Stage, must_hold
from lab.proxy import Cable
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Stage.set_up() as stage:
        yield stage


@pytest.fixture
async def wired() -> AsyncIterator[tuple[Stage, Cable]]:
    """A stage, and the cable to its AMI."""
    async with AsyncExitStack() as stack:
        cables = []

        async def through(asterisk: Asterisk) -> dict[str, int]:
            cables.append(await stack.enter_async_context(Cable(asterisk.ports.ami)))
            return {"ami": cables[0].port}

        stage = await stack.enter_async_context(Stage.set_up(through=through))
        yield stage, cables[0]


async def test_a_live_call_is_followed_again(stage):
    """Whoever was with the caller meanwhile is not kept; what he said himself is."""
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(1.2)
    began = time.monotonic() - 0.3
    await stage.site.service.kill()
    killed = time.monotonic()
    await agent.until_heard(0.5)
    back = time.monotonic()
    await stage.site.service.start()
    await stage.row("call_followed")
    await agent.until_heard(1.2)
    until = time.monotonic() - 0.2
    kept = await stage.end(caller)
    must_hold(kept.no_notice(), kept.all_of("caller", TOLD, began, until, less_s=0.4))
    assert kept.seconds("agent", OTHERS, killed, back) == 0
    assert kept.seconds("agent", OTHERS, until - 0.5, until) > 0.3, "and then he is kept again"
    (closed,) = stage.details("recording_closed")
    assert closed["whole"]
    assert closed["length"] == "unknown"
    assert len(stage.rows("decision")) == len(stage.rows("call_ended")) == 1


async def test_a_call_that_ended_meanwhile_gets_its_rows(stage):
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(2.0)
    began = time.monotonic() - 1.8
    await stage.site.service.kill()
    killed = time.monotonic()
    await agent.until_heard(0.3)
    until = time.monotonic() - 0.1
    await caller.hang_up()
    await stage.site.service.start()
    await stage.row("spool_removed")
    kept = stage.kept()
    must_hold(kept.all_of("caller", TOLD, began, until, less_s=0.4))
    assert kept.seconds("agent", OTHERS, killed, until) == 0
    (ended,) = stage.details("call_ended")
    assert ended["observed_late"]
    assert stage.details("recording_closed")[0]["whole"]
    assert stage.site.spooled() == []


async def test_who_came_while_nobody_looked_is_not_kept(stage):
    """He is told when we are back; what he said before is blanked."""
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(1.2)
    await stage.site.service.kill()
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(1.0)
    await stage.site.service.start()
    await stage.row("party_told")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    notice = NoticeHeard.of(stage.search(), agent2.heard_pcm())
    must_hold(
        notice_completed(notice),
        kept.nothing_of("agent2", notice.ended_at),
        kept.no_notice(),
    )
    assert kept.seconds("agent2", OTHERS, notice.ended_at, time.monotonic()) > 0.4
    assert stage.details("recording_closed")[0]["blanked_ms"] > 600


async def test_who_came_and_left_while_nobody_looked_is_not_kept(stage):
    """The guest and the call are over before anybody looks; nobody says that he was there."""
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(1.2)
    await stage.site.service.kill()
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(1.0)
    left = time.monotonic()
    await caller.hang_up()
    await stage.site.service.start()
    await stage.row("spool_removed")
    kept = stage.kept()
    must_hold(kept.nothing_of("agent2"))
    assert kept.seconds("caller", TOLD, left - 0.8, left) > 0.4
    assert not [one for one in stage.details("party_joined") if one["cover"] == "unknown"]


async def test_who_came_and_left_while_ami_was_cut_is_not_kept(wired):
    """The service lives, and nobody tells it of the guest; ARI tells of the end."""
    stage, ami = wired
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(1.2)
    ami.cut()
    await stage.site.service.until(lambda s: not s["nodes"][0]["ami"], 5)
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(0.8)
    left = time.monotonic()
    kept = await stage.end(caller)
    assert stage.details("call_ended")[0]["unseen_ms"] > 0
    must_hold(kept.nothing_of("agent2"))
    assert kept.seconds("caller", TOLD, left - 0.6, left) > 0.3


async def test_who_came_while_ami_stalled_is_not_kept(wired):
    """All is told, and late; he is told when it flows again."""
    stage, ami = wired
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(1.2)
    ami.stall()
    stalled = time.monotonic()
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(1.5)
    await asyncio.sleep(max(0.0, stalled + 2.0 - time.monotonic()))
    ami.flow()
    await stage.row("party_told")
    await stage.row("recording_started", 2)
    await agent2.until_heard(1.2)
    kept = await stage.end(caller)
    notice = NoticeHeard.of(stage.search(), agent2.heard_pcm())
    must_hold(
        notice_completed(notice),
        kept.nothing_of("agent2", notice.ended_at),
        kept.no_notice(),
    )
    assert kept.seconds("agent2", OTHERS, notice.ended_at, time.monotonic()) > 0.4
    assert kept.seconds("caller", TOLD, stalled, stalled + 2.0) > 1.0
    kinds = [row["kind"] for row in stage.site.rows()]
    assert "asterisk_disconnected" not in kinds, "the connection lived on"


async def test_who_came_and_left_while_ami_stalled_is_not_kept(wired):
    """The call is over before anything is told of him."""
    stage, ami = wired
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(2.0)
    stalled = time.monotonic()
    ami.stall()
    assert await agent.transfer("202") == 200
    agent2 = await stage.answered("agent2")
    await agent2.until_heard(1.2)
    await caller.hang_up()
    await asyncio.sleep(0.3)
    ami.flow()
    await stage.site.until_ended()
    kept = stage.kept()
    must_hold(kept.nothing_of("agent2"))
    assert kept.seconds("caller", TOLD, stage.began, stalled) > 0.5, "what was before is kept"
    assert stage.site.spooled() == []


async def test_a_pause_outlives_the_service(stage):
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    call = stage.rows("decision")[0]["call"]
    await agent.until_heard(0.5)
    await stage.site.service.ask("pause", call)
    await stage.row("capture_paused")
    paused = time.monotonic() + 0.1
    await stage.site.service.kill()
    await agent.until_heard(0.5)
    await stage.site.service.start()
    await stage.row("call_followed")
    await agent.until_heard(0.5)
    resumed = time.monotonic()
    await stage.site.service.ask("resume", call)
    await stage.row("capture_resumed")
    await agent.until_heard(1.0)
    kept = await stage.end(caller)
    for party, channel in (("caller", TOLD), ("agent", OTHERS)):
        assert kept.seconds(party, channel, paused, resumed - 0.05) == 0
        assert kept.seconds(party, channel, resumed + 0.1, time.monotonic()) > 0.3


async def test_asterisk_dies_with_a_recorded_call(stage):
    """Its files end without a header and without their last two seconds; both are said."""
    caller, agent = await stage.connect("102")
    await stage.row("recording_growing")
    await agent.until_heard(0.5)
    await stage.site.asterisk.kill()
    await stage.site.service.until(lambda s: not s["nodes"][0]["ari"], 10)
    await stage.site.asterisk.start()
    await stage.row("spool_removed", 1)
    (closed,) = stage.details("recording_closed")
    assert not closed["header_closed"]
    assert not closed["whole"]
    (file,) = stage.site.recordings.glob("r-*.wav")
    assert len(read_wav(file)[0]) > 8_000
    assert len(stage.rows("call_ended")) == 1
    caller.abandon()
    agent.abandon()


async def test_a_file_of_no_call_is_set_aside(stage):
    await stage.site.service.kill()
    strange = stage.site.asterisk.spool_here / f"r-{'0' * 28}-1-rx.wav"
    sound = stage.site.asterisk.sounds_here / "en/notice-test.wav"
    strange.write_bytes(sound.read_bytes())
    await stage.site.service.start()
    rows = await stage.site.rows_until(lambda rows: rows[-1]["kind"] == "file_quarantined")
    assert rows[-1]["detail"]["file"] == strange.name
    aside = stage.site.recordings / "quarantine" / strange.name
    assert aside.read_bytes() == sound.read_bytes()
    assert aside.stat().st_mode & 0o077 == 0
    await stage.site.rows_until(lambda _: not strange.exists())


@pytest.mark.parametrize("kills", [2, 4])
async def test_dying_again_and_again_changes_nothing(stage, kills):
    caller, agent = await stage.connect("102")
    await stage.row("recording_started")
    await agent.until_heard(0.5)
    for number in range(kills):
        await stage.site.service.kill()
        await stage.site.service.start(ready=False)
        if number % 2:
            await agent.until_heard(0.1 * number)
    await stage.site.service.kill()
    await caller.hang_up()
    await stage.site.service.start()
    await stage.row("spool_removed")
    assert len(stage.rows("decision")) == len(stage.rows("recording_closed")) == 1
    assert len(stage.rows("call_ended")) == 1
    assert stage.site.spooled() == []
