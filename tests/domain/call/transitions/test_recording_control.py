"""What people ask of a recording in mid-call, as traces: pause, resume, start, stop."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    ClearDeadline,
    CommitCommand,
    Deadline,
    HandOver,
    HangUp,
    Judge,
    Mute,
    SetDeadline,
    SetMute,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    AskedBy,
    CallEvent,
    CaptureStopped,
    EventsOverflowed,
    HangupRequested,
    Leg,
    MixMonitorStarted,
    MuteChanged,
    PauseAsked,
    Reentered,
    ResumeAsked,
    RowsRefused,
    StopAsked,
    TransferSeen,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.state import Visibility
from asterisk_compliance.domain.policy.notice import (
    CaptureFrom,
    OnJoin,
    OnPauseForgotten,
    OnProblem,
)
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import party_id
from domain.leg_traces import (
    AGENT,
    BRIDGED,
    CALLER,
    MET,
    NEXT_RECORDING,
    NO_SEGMENTS,
    OTHER,
    PARTY_OF_STAFF,
    PAUSE,
    PAUSE_IS_LATE,
    RESUME,
    START,
    WHISPER_ENDS,
    begins,
    company,
    joined,
    on_demand,
    row,
    was_told,
    whisper,
    whispered,
    with_agent,
)
from domain.simulator import CHANNEL, LIMITS, policy
from domain.traces import (
    GONE,
    IN_DIALPLAN,
    RECORDING,
    STARTED,
    TOLD,
    anomaly,
    arrived,
    stopped,
    told,
)
from values import replace

MUTED = MuteChanged(Mute.ALL, 3_010)
LIMIT = SetDeadline(Deadline.PAUSE, 600_000)
NO_LIMIT = ClearDeadline(Deadline.PAUSE)
WITHDRAW = WithdrawalAsked(3_000, CALLER)
REFUSED_START = anomaly("START_REFUSED")


def paused(actor: str = "agent", reason: str = "CARD") -> AppendRow:
    return row(Kind.CAPTURE_PAUSED, actor=actor, reason=reason, mute="all")


def resumed(mute: str = "none", actor: str = "agent") -> AppendRow:
    return row(Kind.CAPTURE_RESUMED, actor=actor, mute=mute)


def asked_for(what: str, actor: str = "agent") -> AppendRow:
    return AppendRow(Kind.CAPTURE_ASKED, {"what": what}, actor=actor)


# -- pauses --------------------------------------------------------------------------------------


def test_a_pause_takes_hold_at_once_and_its_row_follows() -> None:
    _, commands = with_agent(PAUSE)
    assert commands == (SetMute(Mute.ALL), paused(), LIMIT, Announce(Status.PAUSED))


def test_a_resume_waits_for_its_row() -> None:
    _, commands = with_agent(PAUSE, MUTED, RESUME)
    unmuted = (CommitCommand(), SetMute(Mute.NONE), Announce(Status.RECORDING))
    assert commands == (resumed(), NO_LIMIT, *unmuted)


@pytest.mark.parametrize("again", [PauseAsked("PRIVATE", 3_500), PauseAsked("CARD", 3_500)])
def test_who_paused_does_not_pause_again(again: CallEvent) -> None:
    call, _ = with_agent(PAUSE, MUTED)
    assert told(call, again) == (call, ())


@pytest.mark.parametrize("so_far", [(), (PAUSE, MUTED, RESUME)])
@pytest.mark.parametrize("everybody", [True, False])
def test_who_did_not_pause_resumes_nothing(so_far: tuple[CallEvent, ...], everybody: bool) -> None:
    call, _ = with_agent(*so_far)
    assert told(call, replace(RESUME, everybody=everybody)) == (call, ())


def test_the_capture_goes_on_when_the_last_who_paused_has_resumed() -> None:
    call, commands = with_agent(PAUSE, MUTED, PauseAsked("PRIVATE", 3_500, PARTY_OF_STAFF))
    who = {"actor": PARTY_OF_STAFF.actor, "party": PARTY_OF_STAFF.party}
    assert commands == (
        replace(paused(reason="PRIVATE"), **who),
        LIMIT,
        Announce(Status.PAUSED),
    ), "it is muted already"
    call, commands = told(call, RESUME)
    assert commands == (resumed("all"), CommitCommand())
    _, commands = told(call, ResumeAsked(6_500, PARTY_OF_STAFF))
    unmuted = (CommitCommand(), SetMute(Mute.NONE), Announce(Status.RECORDING))
    assert commands == (replace(resumed(), **who), NO_LIMIT, *unmuted)


def test_staff_counts_as_one_whoever_of_them_it_is() -> None:
    first, second = (AskedBy(Actor.SERVICE, party_id(arrived().id, number)) for number in (7, 8))
    _, commands = with_agent(PauseAsked("CARD", 3_000, first), ResumeAsked(3_100, second))
    assert SetMute(Mute.NONE) in commands


def test_one_can_resume_for_everybody() -> None:
    call, _ = with_agent(PAUSE, MUTED, PauseAsked("CARD", 3_500, CALLER))
    call, commands = told(call, ResumeAsked(6_000, PARTY_OF_STAFF, everybody=True))
    assert SetMute(Mute.NONE) in commands
    assert call.capture.pauses == frozenset()


def test_a_resume_leaves_muted_who_is_muted_for_another_reason() -> None:
    """And its row says so."""
    call, commands = with_agent(TransferSeen(2_900), MuteChanged(Mute.OTHERS, 2_910), PAUSE)
    assert commands[0] == SetMute(Mute.ALL)
    _, commands = told(call, MUTED, RESUME)
    others = (CommitCommand(), SetMute(Mute.OTHERS), Announce(Status.RECORDING))
    assert commands == (resumed("others"), NO_LIMIT, *others)


def test_who_comes_during_a_pause_is_told_and_muted_when_it_ends() -> None:
    call, commands = with_agent(PAUSE, MUTED, company(3_500, AGENT, OTHER))
    shown = Announce(Status.PAUSED)
    assert commands == (joined(OTHER, "unknown", 3), shown, *whisper(OTHER.channel, 2))
    _, commands = told(call, RESUME)
    assert commands[:1] == (resumed("others"),)
    _, commands = told(call, *whispered(2, 3_600, 4_600))
    assert commands == (was_told(OTHER), *WHISPER_ENDS), "nobody resumed yet"


def test_nothing_that_is_not_recorded_is_paused() -> None:
    call, _ = on_demand()
    assert told(call, PAUSE) == (call, ())
    call, _ = with_agent(StopAsked(2_900))
    assert told(call, PAUSE) == (call, ())
    unrecorded, _ = told(arrived(policy=Reason.POLICY_MISSING), *IN_DIALPLAN[2:])
    for asked in (PAUSE, RESUME, WITHDRAW, StopAsked(3_000)):
        assert told(unrecorded, asked) == (unrecorded, ())
    assert told(unrecorded, START) == (unrecorded, (anomaly("START_REFUSED"),))


def test_nothing_can_be_asked_of_a_call_that_is_not_decided() -> None:
    call, _ = told(arrived(), STARTED)
    for asked in (PAUSE, RESUME, WITHDRAW, START, StopAsked(3_000)):
        assert told(call, asked) == (call, ())


# -- a forgotten pause ---------------------------------------------------------------------------


def test_a_forgotten_pause_ends_behind_its_row() -> None:
    call, commands = with_agent(PAUSE, MUTED, PauseAsked("CARD", 3_500, CALLER), PAUSE_IS_LATE)
    assert commands == (
        anomaly("PAUSE_FORGOTTEN", recording=RECORDING),
        resumed(actor="service"),
        NO_LIMIT,
        CommitCommand(),
        SetMute(Mute.NONE),
        Announce(Status.RECORDING),
    )
    assert told(call, PAUSE_IS_LATE) == (call, ())


def test_a_forgotten_pause_can_be_the_end() -> None:
    forgotten = {"on_pause_forgotten": OnPauseForgotten.END}
    call, commands = with_agent(PAUSE, MUTED, PAUSE_IS_LATE, **forgotten)
    end = stopped(StopReason.PAUSE_FORGOTTEN, Status.NOT_RECORDED)
    assert commands == (anomaly("PAUSE_FORGOTTEN", recording=RECORDING), *end)
    assert told(call, RESUME) == (call, ())


# -- start and stop ------------------------------------------------------------------------------


def test_a_recording_on_demand_begins_behind_its_row() -> None:
    call, commands = on_demand(START)
    assert commands == (asked_for("start"), *begins(RECORDING, capture="on-demand"))
    _, commands = told(call, MixMonitorStarted(3_100))
    assert commands[1] == row(Kind.RECORDING_STARTED, evidence="mixmonitor_start")
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(0))


def test_a_call_that_is_recorded_on_demand_is_only_told() -> None:
    call, commands = told(arrived(policy=policy(CaptureFrom.ON_DEMAND)), *TOLD)
    (handed,) = [command for command in commands if isinstance(command, HandOver)]
    assert (handed.status, handed.start, handed.recording) == (Status.ALLOWED, False, None)
    assert commands[-3] == CommitCommand()
    assert not call.capture.is_open


def test_who_is_not_covered_is_told_before_a_recording_on_demand_begins() -> None:
    call, commands = on_demand(company(2_500, AGENT, OTHER), START)
    assert commands == (asked_for("start"), *whisper(OTHER.channel, 2))
    assert told(call, START) == (call, (REFUSED_START,)), "it waits already"
    _, commands = told(call, *whispered(2, 3_100, 4_100))
    assert commands == (
        was_told(OTHER),
        *WHISPER_ENDS,
        *begins(RECORDING, capture="on-demand"),
    )


def test_a_pause_before_a_recording_on_demand_begins_holds_in_it() -> None:
    call, commands = on_demand(company(2_500, AGENT, OTHER), START, PAUSE)
    assert commands == (paused(), LIMIT, Announce(Status.PAUSED))
    _, commands = told(call, *whispered(2, 3_100, 4_100), MixMonitorStarted(4_300))
    assert SetMute(Mute.ALL) in commands


def test_who_asks_for_the_end_before_it_began_ends_the_waiting() -> None:
    call, commands = on_demand(company(2_500, AGENT, OTHER), START, StopAsked(3_500))
    shown = Announce(Status.NOT_RECORDED)
    clear = (ClearDeadline(Deadline.GROWTH), NO_LIMIT)
    assert commands == (asked_for("stop"), *WHISPER_ENDS, shown, *clear)
    assert not call.capture.start_wanted
    assert told(call, StopAsked(3_600)) == (call, ())


def test_a_stop_before_asterisk_began_takes_the_wish_back() -> None:
    _, commands = on_demand(START, StopAsked(3_050, CALLER))
    assert commands[:3] == (
        asked_for("stop", "caller"),
        CancelSegment(),
        row(Kind.CAPTURE_STOPPED, reason="ASKED"),
    )


def test_what_was_stopped_can_be_started_again() -> None:
    """A fresh MixMonitor, whatever happened to the one before."""
    stop = (company(2_700, AGENT, OTHER), StopAsked(2_800), CaptureStopped(RECORDING, 2_820))
    call, _ = with_agent(*stop)
    assert call.capture.restart_due
    _, (_, standing, _) = told(call, Reentered())
    assert isinstance(standing, HandOver)
    assert standing.status is Status.NOT_RECORDED
    call, commands = told(call, company(2_900, AGENT), START)
    assert commands == (asked_for("start"), *begins())
    _, commands = told(call, MixMonitorStarted(3_100))
    assert commands == (
        ClearDeadline(Deadline.SEGMENT),
        row(Kind.RECORDING_STARTED, NEXT_RECORDING, evidence="mixmonitor_start"),
        SetDeadline(Deadline.GROWTH, LIMITS.growth_ms),
    ), "and not once more"


BARRED: dict[str, tuple[CallEvent, ...]] = {
    "it runs": (START,),
    "it stops": (START, MixMonitorStarted(3_100), StopAsked(3_200)),
    "the caller withdrew": (WITHDRAW,),
    "the store failed": (RowsRefused(),),
    "events were lost": (EventsOverflowed(),),
    "the caller hangs up": (HangupRequested(),),
    "nobody is there": (company(2_500),),
}


@pytest.mark.parametrize("why", BARRED)
def test_no_recording_begins_where_none_may(why: str) -> None:
    call, _ = on_demand(*BARRED[why])
    assert told(call, START) == (call, (REFUSED_START,))


def test_no_recording_begins_where_it_could_not() -> None:
    demanded = policy(CaptureFrom.ON_DEMAND)
    for values in ({"wiring": NO_SEGMENTS}, {"leg": Leg.CALLEE, "joins": True}):
        call, _ = told(arrived(policy=demanded, **values), *IN_DIALPLAN, BRIDGED, MET)
        assert told(call, START) == (call, (REFUSED_START,))
    call, _ = on_demand(company(2_500, AGENT, OTHER), on_join=OnJoin.STOP)
    assert told(call, START) == (call, (REFUSED_START,))


def test_no_recording_begins_while_it_is_said_that_there_is_none() -> None:
    call, _ = on_demand(START, MixMonitorStarted(3_100), on_recording_failure=OnProblem.END)
    call, commands = told(call, EventsOverflowed())
    assert commands[-2:] == whisper(CHANNEL, 2, "required")
    call, _ = told(replace(call, visibility=Visibility()), CaptureStopped(RECORDING, 3_300))
    assert told(call, START) == (call, (REFUSED_START,))
    assert told(call, *whispered(2, 3_400, 3_800))[1][-1] == HangUp()
