"""A call whose log hangs: nobody waits longer than he must, and the log stays true."""

from __future__ import annotations

import asyncio
import time

import pytest

from app.live_call import RECORDING, Live, Site
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    ChannelGone,
    PauseAsked,
    PlaybackStarted,
    ResumeAsked,
)
from asterisk_compliance.domain.recording.verdict import Capture
from asterisk_compliance.errors import StoreUnavailable

STORE_S = 0.05


@pytest.fixture
def site() -> Site:
    return Site()


def live_call(site: Site) -> Live:
    live = Live(site)
    live.task._rows._wait_s = STORE_S
    return live


async def told_while_the_store_hangs(site: Site) -> Live:
    """The rows of the notice are stored, and those of the decision hang."""
    live = live_call(site)
    await live.until("call_arrived")
    live.feed(PlaybackStarted(live.task.call.playback, monotonic_ms(), 0))
    await live.until("notice_started")
    site.disk.clear()
    live.tell_the_notice()
    return live


async def end(live: Live) -> None:
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("call_ended")


async def test_a_caller_goes_on_while_the_store_hangs(site: Site) -> None:
    began = time.monotonic()
    live = await told_while_the_store_hangs(site)
    await live.until("continue")
    assert STORE_S <= time.monotonic() - began < STORE_S + 0.5
    (result,) = site.results
    assert (result.status, result.reason) == (Status.NOT_RECORDED, Reason.STORE_FAILED)
    assert not result.start
    assert live.task.call.capture.state is Capture.NONE
    site.disk.set()
    await end(live)


async def test_rows_that_are_stored_late_are_the_only_decision_and_promise_nothing(
    site: Site,
) -> None:
    live = await told_while_the_store_hangs(site)
    await live.until("continue")
    await live.settled()
    assert site.rows(Kind.DECISION) == []
    site.disk.set()
    await end(live)
    assert site.reasons() == [Reason.NOTICE_COMPLETED]
    assert [row.detail["code"] for row in site.rows(Kind.ANOMALY)] == ["STORE_SLOW"]
    (missing,) = site.rows(Kind.RECORDING_MISSING)
    assert missing.detail["recording"] == RECORDING
    site.order("decision", "anomaly", "recording_missing", "call_ended")
    assert "judge" not in site.happened


async def test_rows_that_are_refused_late_leave_one_decision_too(site: Site) -> None:
    live = await told_while_the_store_hangs(site)
    await live.until("continue")
    site.store_error = StoreUnavailable("disk full")
    site.disk.set()
    await live.until(lambda: not site.waiting)
    site.store_error = None
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    assert await site.backlog.stored()
    assert site.reasons() == [Reason.STORE_FAILED]
    assert site.rows(Kind.RECORDING_REQUESTED) == []


async def test_a_call_that_ends_while_the_store_hangs_is_told_to_its_end(site: Site) -> None:
    live = await told_while_the_store_hangs(site)
    await live.until("continue")
    live.feed(ChannelGone(monotonic_ms()))
    await live.settled()
    assert not live.running.done(), "not before it is known what the log says"
    site.disk.set()
    await live.over()
    await live.until("call_ended")
    assert len(site.rows(Kind.DECISION)) == 1


async def test_a_store_that_is_just_in_time_delays_and_changes_nothing(site: Site) -> None:
    live = await told_while_the_store_hangs(site)
    await asyncio.sleep(STORE_S / 5)
    site.disk.set()
    await live.until("hand_over ALLOWED")
    await end(live)
    assert site.rows(Kind.ANOMALY) == []


async def test_a_pause_is_obeyed_while_a_resume_hangs(site: Site) -> None:
    """A store that hangs must not make the call deaf: what runs is stopped instead."""
    live = live_call(site)
    await live.recorded()
    live.feed(PauseAsked("CARD", monotonic_ms()))
    await live.until("capture_paused")
    site.disk.clear()
    live.feed(ResumeAsked(monotonic_ms()))
    await live.until("stop_capture")
    assert "mute none" not in site.happened
    site.disk.set()
    await live.until("capture_stopped")
    codes = [row.detail["code"] for row in site.rows(Kind.ANOMALY)]
    assert codes == ["STORE_SLOW"]
    await end(live)


async def test_files_are_removed_when_a_slow_store_has_their_verdict(site: Site) -> None:
    live = live_call(site)
    await live.recorded()
    site.judging.clear()
    live.feed(ChannelGone(monotonic_ms()))
    await live.until("judge")
    site.disk.clear()
    site.judging.set()
    await asyncio.sleep(3 * STORE_S)
    assert "remove_spooled" not in site.happened
    site.disk.set()
    await live.over()
    site.order("recording_closed", "remove_spooled")
    assert site.rows(Kind.ANOMALY) == []
