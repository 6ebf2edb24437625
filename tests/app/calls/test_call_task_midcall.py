"""The shell of a call that is recorded: mutes, new segments, whispers, and what happens beside it.

The rules are the domain's; here is asked in which order their commands reach Asterisk and the log,
and that nothing that a call began itself is lost.
"""

from __future__ import annotations

import asyncio

import pytest

from app.live_call import (
    AGENT,
    LIMITS,
    OTHER,
    POLICY,
    RECORDING,
    SECOND,
    WITHIN_S,
    Live,
    Site,
    company,
    listen,
)
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    ClearDeadline,
    Deadline,
    SetDeadline,
)
from asterisk_compliance.domain.call.events import (
    Bridged,
    ChannelGone,
    DeadlinePassed,
    EventsOverflowed,
    FileAppeared,
    MixMonitorStarted,
    MuteChanged,
    PauseAsked,
    ResumeAsked,
    WithdrawalAsked,
)
from asterisk_compliance.domain.policy.notice import OnWithdrawal, Policy
from asterisk_compliance.domain.recording.verdict import Capture
from values import replace


@pytest.fixture
def site() -> Site:
    return Site()


async def recorded(site: Site, policy: Policy = POLICY, *, events: int = 64) -> Live:
    live = Live(site, policy=policy, events=events)
    await live.recorded()
    return live


async def end(live: Live) -> None:
    live.feed(ChannelGone(monotonic_ms()))
    await live.over()


def pause() -> PauseAsked:
    return PauseAsked("CARD", monotonic_ms())


def resume() -> ResumeAsked:
    return ResumeAsked(monotonic_ms())


# -- mutes ---------------------------------------------------------------------------------------


async def test_a_pause_is_obeyed_before_it_is_written(site: Site) -> None:
    live = await recorded(site)
    live.feed(pause())
    await live.until("capture_paused")
    site.order("mute all", "capture_paused")
    site.order("mute all", "announce PAUSED")
    await end(live)


async def test_a_pause_does_not_wait_for_a_slow_disk(site: Site) -> None:
    live = await recorded(site)
    site.disk.clear()
    live.feed(pause())
    await live.until("announce PAUSED")
    assert "mute all" in site.happened
    assert "capture_paused" not in site.happened
    site.disk.set()
    await end(live)


async def test_a_resume_is_written_before_it_is_obeyed(site: Site) -> None:
    live = await recorded(site)
    live.feed(pause())
    await live.until("capture_paused")
    site.disk.clear()
    live.feed(resume())
    await live.settled()
    assert "mute none" not in site.happened
    site.disk.set()
    await live.until("mute none")
    site.order("capture_resumed", "mute none")
    await end(live)


async def test_a_newcomer_is_muted_before_anything_else(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until("capture_paused")
    await live.until(f"whisper to {OTHER}")
    site.order("mute others", "capture_paused")
    site.order("mute others", f"whisper to {OTHER}")
    await end(live)


async def test_a_pause_waits_for_asterisks_word(site: Site) -> None:
    live = await recorded(site)
    site.muting.clear()
    live.feed(pause(), resume())
    await live.until("mute all")
    await live.settled()
    assert site.happened[-1] == "mute all"
    site.muting.set()
    await live.until("mute none")
    assert len(live.task.call.capture.segment.slips) == 1
    await end(live)


async def test_a_mute_that_is_refused_ends_the_recording(site: Site) -> None:
    live = await recorded(site)
    site.mutes = False
    live.feed(pause())
    await live.until("stop_capture")
    await live.until("recording_closed")
    (stopped,) = site.rows(Kind.CAPTURE_STOPPED)
    assert stopped.detail["reason"] == "MUTE_FAILED"
    await end(live)


# -- what the call began itself is never lost -----------------------------------------------------


async def test_the_answer_to_a_mute_needs_no_place_in_the_queue(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    stepped = listen(monkeypatch)
    live = await recorded(site, events=2)
    site.while_muting = lambda: live.feed(*[FileAppeared(RECORDING)] * 10)
    live.feed(pause())
    await live.until("announce FAILED")
    await live.until(lambda: any(isinstance(event, MuteChanged) for event in stepped))
    await end(live)


async def test_a_queue_that_overflows_while_the_call_waits_is_dealt_with_first(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The capture goes on until it is; so no event of that queue comes before."""
    stepped = listen(monkeypatch)
    live = await recorded(site, events=2)
    site.muting.clear()
    live.feed(pause())
    await live.until("mute all")
    live.feed(*[FileAppeared(RECORDING)] * 10)
    del stepped[:]
    site.muting.set()
    await live.until("announce FAILED")
    assert isinstance(stepped[0], EventsOverflowed)
    await end(live)


async def test_a_verdict_needs_no_place_in_the_queue(site: Site) -> None:
    live = await recorded(site, events=2)
    site.judging.clear()
    live.feed(WithdrawalAsked(monotonic_ms()))
    await live.until("judge")
    live.feed(*[FileAppeared(RECORDING)] * 10)
    site.judging.set()
    await live.until("spool_removed")
    await end(live)


async def test_a_deadline_needs_no_place_in_the_queue(site: Site) -> None:
    live = Live(site, replace(LIMITS, growth_ms=20), events=2)
    live.tell_the_notice()
    await live.until("call_continued")
    for event in (MixMonitorStarted(monotonic_ms()), Bridged(monotonic_ms()), company(AGENT)):
        live.feed(event)
        await live.settled()
    site.muting.clear()
    live.feed(pause())
    await live.until("mute all")
    live.feed(*[FileAppeared(RECORDING)] * 2)
    await live.until(
        lambda: any(isinstance(one, DeadlinePassed) for one in live.task._mailbox._events)
    )
    site.muting.set()
    await live.until("recording_stalled")
    assert not site.rows(Kind.ANOMALY)
    await end(live)


async def test_a_deadline_that_is_cleared_is_not_heard_of_even_if_it_passed(site: Site) -> None:
    """Else what was set for one whisper would end the next."""
    live = await recorded(site)
    site.muting.clear()
    live.feed(pause())  # from now on the task waits for Asterisk
    await live.until("mute all")
    live.task._start(SetDeadline(Deadline.WHISPER, 0))
    live.task._start(SetDeadline(Deadline.SEGMENT, 0))
    await live.until(lambda: len(live.task._mailbox._events) == 2)
    live.task._start(ClearDeadline(Deadline.WHISPER))
    assert [
        event.deadline for event in live.task._mailbox._events if isinstance(event, DeadlinePassed)
    ] == [Deadline.SEGMENT]
    live.task._start(SetDeadline(Deadline.SEGMENT, 60_000))
    assert not live.task._mailbox._events
    site.muting.set()
    await end(live)


async def test_who_asks_is_told_what_came_of_it(site: Site) -> None:
    live = await recorded(site)
    async with asyncio.timeout(WITHIN_S):
        then = await live.task.ask(pause())
    assert then.capture.pauses == {"agent"}
    assert "mute all" in site.happened
    await end(live)


async def test_who_asks_is_answered_though_the_queue_is_full(site: Site) -> None:
    live = await recorded(site, events=2)
    site.muting.clear()
    live.feed(pause())
    await live.until("mute all")
    live.feed(*[FileAppeared(RECORDING)] * 10)
    asking = asyncio.create_task(live.task.ask(WithdrawalAsked(monotonic_ms())))
    await live.settled()
    site.muting.set()
    async with asyncio.timeout(WITHIN_S):
        then = await asking
    assert then.consent.withdrawn
    await end(live)


async def test_who_asks_is_answered_when_the_call_ends(site: Site) -> None:
    live = await recorded(site)
    site.muting.clear()
    live.feed(pause())
    await live.until("mute all")
    asking = asyncio.create_task(live.task.ask(resume()))
    await live.settled()
    live.running.cancel()
    async with asyncio.timeout(WITHIN_S):
        then = await asking
    assert then.capture.pauses == {"agent"}


# -- beside the task -----------------------------------------------------------------------------


async def test_a_new_segment(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.whispered()
    await live.until(f"start {SECOND}")
    asked = site.happened.index(f"start {SECOND}")
    assert site.happened[asked - 3 : asked] == [
        "party_told",
        "recording_requested",
        f"follow {SECOND}",
    ]
    assert "judge" not in site.happened
    live.feed(MixMonitorStarted(monotonic_ms()))
    await live.until("spool_removed")
    site.order(f"start {SECOND}", "judge", "recording_closed", "remove_spooled")
    assert live.task.call.recording == SECOND
    await end(live)
    assert site.happened.count("judge") == 2


async def test_a_call_goes_on_while_a_segment_is_judged(site: Site) -> None:
    live = await recorded(site)
    site.judging.clear()
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.whispered()
    await live.until(f"start {SECOND}")
    live.feed(MixMonitorStarted(monotonic_ms()))
    await live.until("judge")
    live.feed(pause())
    await live.until("mute all")
    await live.until("capture_paused")
    assert "recording_closed" not in site.happened
    site.judging.set()
    await live.until("recording_closed")
    (closed,) = site.rows(Kind.RECORDING_CLOSED)
    assert closed.detail["recording"] == RECORDING
    await end(live)


async def test_a_call_is_over_only_when_both_segments_are_taken_in(site: Site) -> None:
    live = await recorded(site)
    site.judging.clear()
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.whispered()
    await live.until(f"start {SECOND}")
    live.feed(MixMonitorStarted(monotonic_ms()), ChannelGone(monotonic_ms()))
    await live.until("call_ended")
    await live.settled()
    assert not live.running.done()
    site.judging.set()
    await live.over()
    await live.until(lambda: len(site.rows(Kind.SPOOL_REMOVED)) == 2)


async def test_a_segment_that_asterisk_does_not_begin(site: Site) -> None:
    live = await recorded(site)
    site.begins = False
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.whispered()
    await live.until("cancel_segment")
    await live.until("recording_missing")
    assert live.task.call.capture.state is Capture.GROWING
    assert live.task.call.recording == RECORDING
    await end(live)


async def test_what_was_recorded_is_deleted_behind_the_withdrawal(site: Site) -> None:
    live = await recorded(site, replace(POLICY, on_withdrawal=OnWithdrawal.DELETE))
    live.feed(WithdrawalAsked(monotonic_ms()))
    await live.until("recording_removed")
    site.order("stop_capture", "consent")
    site.order("consent", "recording_closed", "spool_removed", f"remove {RECORDING}")
    site.order(f"remove {RECORDING}", "recording_removed")
    await end(live)
