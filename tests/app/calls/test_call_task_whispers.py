"""The shell of a call that is recorded: rows that are refused, whispers, and who asked.

What stands behind a row that is refused does not happen; a whisper that nobody wants any more
neither begins nor fails.
"""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from app.live_call import (
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
    listen,
)
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.domain.call.commands import (
    Announce,
    Deadline,
    Mute,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StartSegment,
    Whisper,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    AskedBy,
    CallEvent,
    ChannelGone,
    PauseAsked,
    ResumeAsked,
    RowsRefused,
)
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.policy.notice import Announcement, OnProblem, Policy, Prompt
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import party_id
from values import replace

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


# -- rows that are refused -----------------------------------------------------------------------


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> list[CallEvent]:
    return listen(monkeypatch)


def refused(stepped: list[CallEvent]) -> list[RowsRefused]:
    return [event for event in stepped if isinstance(event, RowsRefused)]


async def test_a_resume_whose_row_is_refused_does_not_happen(
    site: Site, stepped: list[CallEvent]
) -> None:
    live = await recorded(site)
    live.feed(pause())
    await live.until("capture_paused")
    site.store_error = StoreUnavailable("disk full")
    live.feed(resume())
    await live.until("stop_capture")
    undone = (SetMute(Mute.NONE), Announce(Status.RECORDING))
    assert refused(stepped)[0] == RowsRefused(at_commit=True, undone=undone)
    assert "mute none" not in site.happened
    assert "announce RECORDING" not in site.happened[site.happened.index("mute all") :]
    await end(live)


async def test_a_segment_whose_row_is_refused_does_not_begin(
    site: Site, stepped: list[CallEvent]
) -> None:
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    await live.until("capture_paused")
    site.store_error = StoreUnavailable("disk full")
    live.whispered()
    await live.until("stop_capture")
    (undone,) = [one.undone for one in refused(stepped) if one.at_commit and one.undone]
    assert [type(command) for command in undone] == [StartSegment, SetDeadline]
    assert f"start {SECOND}" not in site.happened
    assert Deadline.SEGMENT not in live.task._waits
    assert live.task.call.capture.requested_segment is None
    await end(live)


async def test_a_spool_is_not_emptied_whose_verdict_is_refused(
    site: Site, stepped: list[CallEvent]
) -> None:
    live = await recorded(site)
    site.judging.clear()
    live.feed(ChannelGone(monotonic_ms()))
    await live.until("call_ended")
    site.store_error = StoreUnavailable("disk full")
    site.judging.set()
    await live.over()
    assert refused(stepped)[0] == RowsRefused(at_commit=True, undone=(RemoveSpooled(RECORDING),))
    assert "remove_spooled" not in site.happened


async def test_rows_that_nobody_waits_for_are_refused(site: Site, stepped: list[CallEvent]) -> None:
    live = await recorded(site)
    site.store_error = StoreUnavailable("disk full")
    live.feed(pause())
    await live.until("stop_capture")
    assert refused(stepped)[0] == RowsRefused()
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
    assert OTHER not in live.task.call.participants.covered
    await end(live)


async def test_the_failure_of_a_whisper_is_not_that_of_the_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who leaves takes the whisper along: Asterisk says no, when the next one is told already."""
    no = asyncio.Event()

    async def whisper(call: Call, command: Whisper) -> bool:
        site.happened.append(f"whisper to {command.channel}")
        if command.channel == OTHER:
            await no.wait()
        return command.channel != OTHER

    monkeypatch.setattr(site, "whisper", whisper)
    live = await recorded(site)
    live.feed(company(AGENT, OTHER))
    await live.until(f"whisper to {OTHER}")
    live.feed(company(AGENT, THIRD))
    await live.until(f"whisper to {THIRD}")
    no.set()
    await live.settled()
    assert not site.beside
    assert live.task.call.whispering is not None
    assert live.task.call.whispering.channel == THIRD
    assert not whisper_failed(live)
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
    live.feed(PauseAsked("PRIVATE", monotonic_ms(), AskedBy(staff, staff, (user,))))
    await live.until("capture_paused")
    (row,) = site.rows(Kind.CAPTURE_PAUSED)
    assert (row.actor, row.party, row.role, row.facts) == (staff, staff, "staff", (user,))
    await end(live)
