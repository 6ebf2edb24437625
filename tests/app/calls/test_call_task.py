"""The shell of one call: commands in their order, rows before effects, and an end in any case.

Line, log and surroundings are simple ones of our own; what Asterisk really does with the
commands is asked in ``tests/e2e``.
"""

from __future__ import annotations

import asyncio

import pytest
import structlog

from app.live_call import (
    AGENT,
    CALL,
    OTHER,
    RECORDING,
    WITHIN_S,
    Live,
    Site,
    arrival,
    company,
)
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    ChannelGone,
    FileGrew,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
)
from asterisk_compliance.domain.call.state import CallLimits
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused, StoreUnavailable

GREW = FileGrew(RECORDING)


@pytest.fixture
def site() -> Site:
    return Site()


async def test_a_recorded_call_from_beginning_to_end(site: Site) -> None:
    live = Live(site)
    live.tell_the_notice()
    await live.until("call_continued")
    live.feed(LeftStasis(), Bridged(monotonic_ms()), GREW)
    await live.until("recording_growing")
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("spool_removed")
    rows = [str(step) for step in site.happened if step in set(Kind)]
    assert rows == [
        "call_arrived",
        "notice_started",
        "notice_completed",
        "decision",
        "recording_requested",
        "call_continued",
        "recording_started",
        "recording_growing",
        "call_ended",
        "recording_closed",
        "spool_removed",
    ]
    effects = [step for step in site.happened if step not in set(Kind)]
    assert effects == [
        "answer",
        "play",
        "follow requested",
        "hand_over ALLOWED",
        "continue",
        "announce RECORDING",
        "judge",
        "remove_spooled",
    ]


async def test_a_row_says_where_when_and_who(site: Site) -> None:
    live = Live(site)
    await live.until("call_arrived")
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("call_ended")
    arrived, *others = site.drafts
    assert (arrived.node, arrived.call, arrived.role) == ("pbx1", CALL, "caller")
    assert arrived.facts == arrival().facts
    assert all((draft.role, draft.facts, draft.party) == (None, (), None) for draft in others)
    assert arrived.at_ms > 1_700_000_000_000  # Unix time, not the monotonic clock


async def test_nothing_is_handed_over_before_its_rows_are_durable(site: Site) -> None:
    live = Live(site)
    site.disk.clear()
    live.tell_the_notice()
    await live.until("play")
    for _ in range(50):
        await asyncio.sleep(0)
    assert site.happened == ["answer", "play"]
    site.disk.set()
    await live.until("continue")
    order = [site.happened.index(step) for step in ("recording_requested", "hand_over ALLOWED")]
    assert order == sorted(order)
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_the_spool_is_emptied_only_behind_the_row(site: Site) -> None:
    live = Live(site)
    live.tell_the_notice()
    await live.until("continue")
    live.feed(ChannelGone(monotonic_ms()))
    await live.until("judge")
    await live.over()
    assert site.happened.index("recording_closed") < site.happened.index("remove_spooled")


@pytest.mark.parametrize(
    "error", [StoreUnavailable("disk full"), ValueError("no such row")], ids=["store", "row"]
)
async def test_a_commit_that_fails_hands_over_a_refusal(site: Site, error: Exception) -> None:
    live = Live(site)
    await live.until("call_arrived")
    live.feed(PlaybackStarted(live.task.call.playback, monotonic_ms(), 0))
    await live.until("notice_started")
    site.store_error = error
    end = PlaybackFinished(live.task.call.playback, True, monotonic_ms() + 1_000, 1_000)
    live.feed(end)
    await live.until("continue")
    (result,) = site.results
    assert (result.status, result.reason) == (Status.NOT_RECORDED, Reason.STORE_FAILED)
    assert result.recording is None
    assert "follow none" in site.happened
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    assert "judge" not in site.happened


async def test_a_log_that_refuses_at_once_stops_the_notice(site: Site) -> None:
    site.full_at_once = True
    live = Live(site)
    await live.until("continue")
    assert site.happened[:3] == ["answer", "play", "stop_playback"]
    assert [result.reason for result in site.results] == [Reason.STORE_FAILED]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_call_ends_even_if_the_store_fails_again_and_again(site: Site) -> None:
    live = Live(site)
    live.tell_the_notice()
    await live.until("continue")
    site.store_error = StoreUnavailable("disk full")
    live.feed(GREW)
    await live.until("stop_capture")
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    assert "remove_spooled" not in site.happened


async def test_a_deadline_fires(site: Site) -> None:
    live = Live(site, CallLimits(notice_margin_ms=-990))
    await live.until("continue")
    assert "stop_playback" in site.happened
    await live.until("decision")
    assert site.reasons() == [Reason.NOTICE_TIMED_OUT]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_deadline_that_is_cleared_does_not_fire(site: Site) -> None:
    live = Live(site)
    await live.until("play")
    (timer,) = live.task._waits.values()
    live.tell_the_notice()
    await live.until("continue")
    assert timer.cancelled()
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_no_deadline_outlives_its_call(site: Site) -> None:
    live = Live(site)
    await live.until("play")
    (timer,) = live.task._waits.values()
    live.running.cancel()
    await asyncio.wait([live.running], timeout=WITHIN_S)
    assert timer.cancelled()


REFUSED = RequestRefused("play", 500, "Internal Server Error")
UNREACHABLE = AsteriskUnavailable("the connection was lost")


@pytest.mark.parametrize("step", ["answer", "play"])
@pytest.mark.parametrize(
    ("error", "reason"),
    [(REFUSED, Reason.ASTERISK_REFUSED), (UNREACHABLE, Reason.CONNECTION_LOST)],
)
async def test_asterisk_says_no(site: Site, step: str, error: Exception, reason: Reason) -> None:
    site.refuses[step] = error
    live = Live(site)
    await live.until("continue")
    assert [result.reason for result in site.results] == [reason]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("decision")
    assert site.reasons() == [reason]


async def test_a_command_that_nobody_answers_any_more(site: Site) -> None:
    """The connection is given up, and with it what it still had to answer."""
    site.refuses["play"] = asyncio.CancelledError()  # type: ignore[assignment]
    live = Live(site)
    await live.until("continue")
    assert [result.reason for result in site.results] == [Reason.CONNECTION_LOST]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_channel_that_is_not_there_is_gone(site: Site) -> None:
    """Its end may have been told before we knew of it: nobody will tell it again."""
    site.refuses["answer"] = RequestRefused("answer", 404, "Channel not found")
    live = Live(site)
    await live.over()
    await live.until("call_ended")
    assert site.reasons() == [Reason.HANGUP_IN_NOTICE]


@pytest.mark.parametrize("step", ["answer", "play"])
async def test_a_channel_that_has_left_is_about_to_be_reported(site: Site, step: str) -> None:
    """``StasisEnd`` says why better than a refused command does."""
    site.refuses[step] = RequestRefused(step, 409, "Channel not in Stasis application")
    live = Live(site)
    await live.until("call_arrived")
    live.feed(LeftStasis())
    await live.until("decision")
    assert site.reasons() == [Reason.TAKEN_BACK]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_release_of_a_channel_that_has_left_is_an_anomaly(site: Site) -> None:
    site.refuses["continue"] = RequestRefused("continue", 409, "Channel not in Stasis application")
    live = Live(site)
    live.tell_the_notice()
    await live.until("anomaly")
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_row_that_nobody_waits_for_any_more_is_no_failure(site: Site) -> None:
    """Cancelling a row's future does not unwrite it."""
    live = Live(site)
    await live.until("play")
    site.disk.clear()
    live.feed(Reentered())
    async with asyncio.timeout(WITHIN_S):
        while not site.waiting:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0)
    site.waiting[-1].cancel()
    site.disk.set()
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("call_ended")
    assert "stop_playback" not in site.happened


async def test_a_release_that_fails_is_an_anomaly(site: Site) -> None:
    site.refuses["continue"] = REFUSED
    live = Live(site)
    live.feed(LeftStasis(), Reentered())
    await live.until("anomaly")
    assert site.drafts[-1].detail == {"code": "CONTINUE_REFUSED", "step": "continue"}
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_what_waits_for_nothing_is_dealt_with_where_it_is_told(site: Site) -> None:
    """No task wakes up for it, and the next event finds the call as it is then."""
    live = Live(site)
    await live.settled()
    before = live.task.call
    live.feed(PlaybackStarted(before.playback, monotonic_ms(), 0))
    assert live.task.call != before
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_an_event_is_dealt_with_in_the_context_of_its_call(site: Site) -> None:
    """Whoever told it: what is logged then names the call's Asterisk."""
    with structlog.contextvars.bound_contextvars(node="pbx1"):
        live = Live(site)
    await live.settled()
    bound: list[object] = []
    live.task._stepped = lambda *_: bound.append(structlog.contextvars.get_contextvars())
    live.feed(PlaybackStarted(live.task.call.playback, monotonic_ms(), 0))
    assert bound == [{"node": "pbx1"}]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_defect_ends_the_call_and_not_who_told_it(site: Site, monkeypatch) -> None:
    live = Live(site)
    await live.settled()
    monkeypatch.setattr(CallTask, "_step", None)
    live.feed(HangupRequested())
    with pytest.raises(TypeError, match="not callable"):
        await live.running
    assert site.closed


async def test_what_was_left_for_a_task_that_is_ended_is_never_begun(site: Site) -> None:
    live = Live(site)
    await live.settled()
    live.tell_the_notice()
    live.running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await live.running
    assert "decision" not in site.happened
    assert site.closed


async def test_a_queue_that_overflows_gives_the_notice_up(site: Site) -> None:
    live = Live(site, events=2)
    live.feed(*[GREW] * 10)
    await live.until("decision")
    assert site.reasons() == [Reason.EVENTS_OVERFLOWED]
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_a_queue_that_overflows_stops_the_capture(site: Site) -> None:
    live = Live(site, events=2)
    await live.recorded()
    site.while_muting = lambda: live.feed(*[GREW] * 10)
    live.feed(company(AGENT, OTHER))
    await live.until("announce FAILED")
    assert "stop_capture" in site.happened
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


async def test_the_end_of_a_channel_is_kept_when_the_queue_is_full(site: Site) -> None:
    live = Live(site, events=2)
    live.feed(GREW, GREW, ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("call_ended")
    assert site.reasons() == [Reason.EVENTS_OVERFLOWED]


async def test_what_the_call_waited_for_is_kept_when_the_queue_is_full(site: Site) -> None:
    live = Live(site, events=2)
    live.tell_the_notice()
    await live.until("call_continued")
    site.while_judging = lambda: live.feed(*[GREW] * 10)
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("spool_removed")


async def test_a_spool_that_cannot_be_emptied(site: Site) -> None:
    site.spool_is_emptied = False
    live = Live(site)
    live.tell_the_notice()
    await live.until("continue")
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()
    await live.until("anomaly")
    assert site.drafts[-1].detail == {"code": "SPOOL_NOT_REMOVED", "recording": RECORDING}
