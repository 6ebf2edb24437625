"""The shell of a call that is recorded: mutes, new segments, whispers, and what happens beside it.

The rules are the domain's; here is asked in which order their commands reach Asterisk and the log,
and that nothing that a call began itself is lost.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest

from asterisk_compliance.app import call_task
from asterisk_compliance.app.call_task import monotonic_ms
from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_notice import Stepped
from asterisk_compliance.domain.call_state import Call
from asterisk_compliance.domain.commands import (
    Announce,
    ClearDeadline,
    Mute,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StartSegment,
)
from asterisk_compliance.domain.decision import Status
from asterisk_compliance.domain.events import (
    By,
    ChannelGone,
    DeadlinePassed,
    Event,
    FileAppeared,
    MixMonitorStarted,
    PauseAsked,
    ResumeAsked,
    RowsRefused,
    WithdrawalAsked,
)
from asterisk_compliance.domain.names import Deadline
from asterisk_compliance.domain.notice import Announcement, OnProblem, OnWithdrawal, Policy, Prompt
from asterisk_compliance.domain.recording import Capture
from asterisk_compliance.domain.rows import Kind, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import party_id

from .live_call import (
    AGENT,
    CALL,
    CHANNEL,
    OTHER,
    POLICY,
    RECORDING,
    SECOND,
    THIRD,
    Live,
    Site,
    company,
)

MUST = Prompt("sound:/prompts/ja/required", 1_000)
MANDATORY = replace(
    POLICY,
    on_recording_failure=OnProblem.END,
    announcements={Announcement.REQUIRED: {"ja": MUST}},
)


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
    assert len(live.task.call.segment.slips) == 1
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


async def test_the_answer_to_a_mute_needs_no_place_in_the_queue(site: Site) -> None:
    live = await recorded(site, events=2)
    site.while_muting = lambda: live.feed(*[FileAppeared(RECORDING)] * 10)
    live.feed(pause())
    await live.until("announce FAILED")
    assert len(live.task.call.segment.slips) == 1
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
    live = await recorded(site, replace(POLICY, pause_max_ms=1), events=2)
    live.feed(pause())
    await live.until("capture_paused")
    site.muting.clear()
    live.feed(company(AGENT, OTHER), company(AGENT), company(AGENT))
    await live.settled()
    await asyncio.sleep(0.01)
    site.muting.set()
    await live.until(lambda: any(row.detail["code"] == "PAUSE_FORGOTTEN" for row in anomalies()))
    assert not any(row.detail["code"] == "EVENTS_OVERFLOWED" for row in anomalies())
    await end(live)

    def anomalies() -> list[object]:
        return site.rows(Kind.ANOMALY)


async def test_a_deadline_that_is_cleared_is_not_heard_of_even_if_it_passed(site: Site) -> None:
    """Else what was set for one whisper would end the next."""
    live = await recorded(site)
    site.muting.clear()
    live.feed(pause())  # from now on the task waits for Asterisk
    await live.until("mute all")
    await live.task._start(SetDeadline(Deadline.WHISPER, 0))
    await live.task._start(SetDeadline(Deadline.SEGMENT, 0))
    await live.until(lambda: len(live.task._queue) == 2)
    await live.task._start(ClearDeadline(Deadline.WHISPER))
    assert [event.deadline for event in live.task._queue if isinstance(event, DeadlinePassed)] == [
        Deadline.SEGMENT
    ]
    await live.task._start(SetDeadline(Deadline.SEGMENT, 60_000))
    assert not live.task._queue
    site.muting.set()
    await end(live)


# -- beside the task -----------------------------------------------------------------------------


async def test_a_new_segment(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.whispered()
    await live.until(f"start {SECOND}")
    site.order("party_told", "recording_requested", f"start {SECOND}")
    site.order(f"follow {SECOND}", f"start {SECOND}")
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
    assert live.task.call.capture is Capture.GROWING
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


# -- rows that are refused -----------------------------------------------------------------------


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[RowsRefused]:
    """Every refusal that the domain is told of."""
    told: list[RowsRefused] = []
    step = rules.step

    def listening(call: Call, event: Event) -> Stepped:
        if isinstance(event, RowsRefused):
            told.append(event)
        return step(call, event)

    monkeypatch.setattr(call_task.rules, "step", listening)
    return told


async def test_a_resume_whose_row_is_refused_does_not_happen(
    site: Site, refusals: list[RowsRefused]
) -> None:
    live = await recorded(site)
    live.feed(pause())
    await live.until("capture_paused")
    site.store_error = StoreUnavailable("disk full")
    live.feed(resume())
    await live.until("stop_capture")
    undone = (SetMute(Mute.NONE), Announce(Status.RECORDING))
    assert refusals[0] == RowsRefused(at_commit=True, undone=undone)
    assert "mute none" not in site.happened
    assert "announce RECORDING" not in site.happened[site.happened.index("mute all") :]
    await end(live)


async def test_a_segment_whose_row_is_refused_does_not_begin(
    site: Site, refusals: list[RowsRefused]
) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    await live.until("capture_paused")
    site.store_error = StoreUnavailable("disk full")
    live.whispered()
    await live.until("stop_capture")
    (undone,) = [one.undone for one in refusals if one.at_commit and one.undone]
    assert [type(command) for command in undone] == [StartSegment, SetDeadline]
    assert f"start {SECOND}" not in site.happened
    assert Deadline.SEGMENT not in live.task._waits
    assert live.task.call.coming is None
    await end(live)


async def test_a_spool_is_not_emptied_whose_verdict_is_refused(
    site: Site, refusals: list[RowsRefused]
) -> None:
    live = await recorded(site)
    site.judging.clear()
    live.feed(ChannelGone(monotonic_ms()))
    await live.until("call_ended")
    site.store_error = StoreUnavailable("disk full")
    site.judging.set()
    await live.over()
    assert refusals[0] == RowsRefused(at_commit=True, undone=(RemoveSpooled(RECORDING),))
    assert "remove_spooled" not in site.happened


async def test_rows_that_nobody_waits_for_are_refused(
    site: Site, refusals: list[RowsRefused]
) -> None:
    live = await recorded(site)
    site.store_error = StoreUnavailable("disk full")
    live.feed(pause())
    await live.until("stop_capture")
    assert refusals[0] == RowsRefused()
    await end(live)


# -- whispers ------------------------------------------------------------------------------------


async def test_a_hang_up_ends_a_whisper_that_lives(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    assert "end_whisper" not in site.happened
    await end(live)
    site.order(f"whisper to {OTHER}", "end_whisper")


async def test_a_whisper_that_was_ended_before_it_began_does_not_begin(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER), company(AGENT))
    await live.until("party_not_told")
    await live.settled()
    assert f"whisper to {OTHER}" not in site.happened
    assert "end_whisper" in site.happened
    await end(live)


async def test_no_whisper_begins_in_a_call_that_is_gone(site: Site) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER), ChannelGone(monotonic_ms()))
    await live.over()
    await live.settled()
    assert f"whisper to {OTHER}" not in site.happened


async def test_a_whisper_that_is_refused_is_no_notice(site: Site) -> None:
    live = await recorded(site)
    site.whispers = False
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    await live.until(partial(whisper_failed, live))
    assert OTHER not in live.task.call.company.covered
    await end(live)


async def test_the_failure_of_a_whisper_is_not_that_of_the_next(site: Site) -> None:
    """Who leaves takes the whisper along: Asterisk says no, when the next one is told already."""
    live = await recorded(site)
    site.whispering.clear()
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.feed(company(AGENT, THIRD))
    await live.until(f"whisper to {THIRD}")
    site.whispers = False
    first, second = list(site.beside)
    site.whispering.set()
    await asyncio.wait([first, second])
    await live.until(partial(whisper_failed, live))
    assert live.task.call.whispering is not None
    assert live.task.call.whispering.channel == THIRD
    await end(live)


def whisper_failed(live: Live) -> bool:
    whispering = live.task.call.whispering
    return whispering is not None and whispering.failed is not None


async def test_a_mandatory_recording_that_fails_ends_the_call(site: Site) -> None:
    live = await recorded(site, MANDATORY)
    site.mutes = False
    live.feed(pause())
    await live.until(f"whisper to {CHANNEL}")
    assert "hang_up" not in site.happened
    live.whispered()
    await live.until("hang_up")
    await live.until("call_diverted")
    await end(live)


async def test_a_mandatory_recording_that_fails_leads_elsewhere(site: Site) -> None:
    policy = replace(MANDATORY, on_recording_failure=OnProblem.ALTERNATIVE)
    live = await recorded(site, policy)
    site.mutes = site.whispers = False
    live.feed(pause())
    await live.until("redirect")
    assert "hang_up" not in site.happened
    await end(live)


# -- who -----------------------------------------------------------------------------------------


async def test_staff_acts_under_its_own_party(site: Site) -> None:
    live = await recorded(site)
    staff, user = party_id(CALL, 99), PersonalFact("user", "yamada", "yamada")
    live.feed(PauseAsked("PRIVATE", monotonic_ms(), By(staff, staff, (user,))))
    await live.until("capture_paused")
    (row,) = site.rows(Kind.CAPTURE_PAUSED)
    assert (row.actor, row.party, row.role, row.facts) == (staff, staff, "staff", (user,))
    await end(live)
