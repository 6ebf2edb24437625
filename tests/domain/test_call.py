"""The life of a call as traces: given a call, when this happens, then exactly these commands.

What holds in *every* order of events is in ``test_call_machine.py``; here each rule is one story.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain import call as rules
from asterisk_compliance.domain.call_state import Call, Phase
from asterisk_compliance.domain.commands import (
    Announce,
    Answer,
    AppendRow,
    ClearDeadline,
    Command,
    Commit,
    Forget,
    HandOver,
    Judge,
    Play,
    Release,
    RemoveSpooled,
    SetDeadline,
    StopCapture,
    StopPlayback,
)
from asterisk_compliance.domain.decision import Reason, Status
from asterisk_compliance.domain.events import (
    Bridged,
    ChannelGone,
    CommandFailed,
    Deadline,
    DeadlinePassed,
    Event,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    HangupRequested,
    Judged,
    LeftStasis,
    MixMonitorStarted,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    Released,
    RowsRefused,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    Step,
    Unbridged,
)
from asterisk_compliance.domain.notice import CaptureFrom
from asterisk_compliance.domain.recording import Capture, Direction, Length, Outcome, Verdict
from asterisk_compliance.domain.rows import Actor, Kind, PersonalFact
from asterisk_compliance.ids import party_id, playback_id, recording_id

from .simulator import CALL, CHANNEL, LIMITS, NOTICE_MS, arrival, policy

PLAYBACK = playback_id(CALL, 1)
RECORDING = recording_id(CALL, 1)
PARTY = party_id(CALL, 1)

STARTED = PlaybackStarted(PLAYBACK, at_ms=10, asterisk_ms=5_000)
HEARD = PlaybackFinished(PLAYBACK, done=True, at_ms=1_010, asterisk_ms=6_000)
FAILED = PlaybackFinished(PLAYBACK, done=False, at_ms=60, asterisk_ms=5_050)
CUT = PlaybackFinished(PLAYBACK, done=True, at_ms=500, asterisk_ms=5_490)
RELEASED = Released(at_ms=1_020)
GONE = ChannelGone(at_ms=9_000)
NOTICE_IS_LATE = DeadlinePassed(Deadline.NOTICE)
STOP_IS_LATE = DeadlinePassed(Deadline.STOP)
GROWTH_IS_LATE = DeadlinePassed(Deadline.GROWTH)

NO_MORE_NOTICE = (ClearDeadline(Deadline.NOTICE), ClearDeadline(Deadline.STOP))
TOLD: tuple[Event, ...] = (STARTED, HEARD)
IN_DIALPLAN: tuple[Event, ...] = (*TOLD, RELEASED, LeftStasis())
RECORDED: tuple[Event, ...] = (*IN_DIALPLAN, MixMonitorStarted(), Bridged(2_000), FileGrew())
CLOSING: tuple[Event, ...] = (*RECORDED, Unbridged(8_000), GONE)

WHOLE = Verdict(
    Outcome.CLOSED,
    expected_ms=6_000,
    length_ms=6_100,
    length=Length.OK,
    rx=Direction.HEARD,
    tx=Direction.HEARD,
    sha256="5" * 64,
    rx_sha256="r" * 64,
    tx_sha256="t" * 64,
)
EMPTY = Verdict(Outcome.EMPTY, expected_ms=None)
MISSING = Verdict(Outcome.MISSING, expected_ms=6_000)
UNJUDGED = Verdict(Outcome.UNJUDGED, problem="NOT_PCM")


def arrived(**changed: object) -> Call:
    call, _ = rules.arrive(CALL, arrival(**changed), LIMITS)
    return call


def told(call: Call, *events: Event) -> tuple[Call, tuple[Command, ...]]:
    """The call after ``events``, and the commands that followed from the last of them."""
    commands: tuple[Command, ...] = ()
    for event in events:
        call, commands = rules.step(call, event)
    return call, commands


def anomaly(code: str, **detail: str) -> AppendRow:
    return AppendRow(Kind.ANOMALY, {"code": code, **detail})


def incomplete(reason: Reason, lasted_ms: int = 0) -> tuple[Command, ...]:
    row = AppendRow(Kind.NOTICE_INCOMPLETE, {"reason": reason, "lasted_ms": lasted_ms})
    return (row, *NO_MORE_NOTICE)


def refused_row(reason: Reason) -> AppendRow:
    detail = {"notice": "", "purposes": (), "reason": reason, "status": Status.NOT_RECORDED}
    return AppendRow(Kind.DECISION, detail)


def refused(reason: Reason) -> tuple[Command, ...]:
    """Decided not to record, and on the way back."""
    return refused_row(reason), HandOver(CALL, Status.NOT_RECORDED, reason), Release()


def of_recording(kind: Kind, **detail: object) -> AppendRow:
    return AppendRow(kind, {"recording": RECORDING, **detail})  # type: ignore[dict-item]


ALLOWED = HandOver(
    CALL,
    Status.ALLOWED,
    Reason.NOTICE_COMPLETED,
    purposes=("SERVICE",),
    notice="standard/1/ja",
    recording=RECORDING,
    channel=CHANNEL,
    bridged_only=True,
)


# -- arrival ----------------------------------------------------------------------------------


def test_a_call_arrives_and_hears_the_notice() -> None:
    facts = (PersonalFact("number", "0312345678", "0312345678"),)
    call, commands = rules.arrive(CALL, arrival(facts=facts), LIMITS)
    assert call.phase is Phase.NOTICE
    assert commands == (
        AppendRow(
            Kind.CALL_ARRIVED,
            {
                "channel": CHANNEL,
                "entry": "ari",
                "linkedid": CHANNEL,
                "policy": "inbound",
                "policy_digest": "p" * 64,
            },
            actor=Actor.CALLER,
            party=PARTY,
            facts=facts,
        ),
        Answer(),
        Play(PLAYBACK, "sound:/prompts/ja/notice"),
        SetDeadline(Deadline.NOTICE, NOTICE_MS + LIMITS.notice_margin_ms),
    )


def test_a_channel_that_is_up_is_not_answered_again() -> None:
    _, commands = rules.arrive(CALL, arrival(answered=True), LIMITS)
    assert [type(command) for command in commands] == [AppendRow, Play, SetDeadline]


@pytest.mark.parametrize(
    "reason", [Reason.POLICY_UNKNOWN, Reason.POLICY_MISSING, Reason.ARGUMENTS_INVALID]
)
def test_a_call_without_a_policy_goes_back_at_once(reason: Reason) -> None:
    call, (row, *rest) = rules.arrive(CALL, arrival(policy=reason), LIMITS)
    assert isinstance(row, AppendRow)
    assert row.detail["policy_digest"] == ""
    assert tuple(rest) == refused(reason)
    assert call.phase is Phase.RELEASING


def test_a_stopping_service_takes_no_call() -> None:
    _, (_, *rest) = rules.arrive(CALL, arrival(stopping=True), LIMITS)
    assert tuple(rest) == refused(Reason.SERVICE_STOPPING)


def test_a_stranded_call_is_decided_if_it_was_not() -> None:
    call, commands = rules.strand(CALL, arrival(), LIMITS, decided=False)
    assert commands == refused(Reason.SERVICE_RESTARTED)
    assert call.phase is Phase.RELEASING


def test_a_stranded_call_is_not_decided_twice() -> None:
    _, commands = rules.strand(CALL, arrival(), LIMITS, decided=True)
    result = HandOver(CALL, Status.NOT_RECORDED, Reason.SERVICE_RESTARTED)
    assert commands == (anomaly("STRANDED"), result, Release())


# -- the notice -------------------------------------------------------------------------------


def test_the_beginning_of_the_notice_is_a_row() -> None:
    _, commands = told(arrived(), STARTED)
    detail = {"notice": "standard/1/ja", "playback": PLAYBACK}
    assert commands == (AppendRow(Kind.NOTICE_STARTED, detail),)


def test_a_completed_notice_allows_the_recording_behind_a_commit() -> None:
    call, commands = told(arrived(), *TOLD)
    assert commands == (
        AppendRow(
            Kind.NOTICE_COMPLETED,
            {
                "audio_digest": "a" * 64,
                "lasted_ms": 1_000,
                "length_ms": NOTICE_MS,
                "notice": "standard/1/ja",
                "purposes": ("SERVICE",),
                "text_digest": "t" * 64,
            },
        ),
        *NO_MORE_NOTICE,
        AppendRow(
            Kind.DECISION,
            {
                "notice": "standard/1/ja",
                "purposes": ("SERVICE",),
                "reason": Reason.NOTICE_COMPLETED,
                "status": Status.ALLOWED,
            },
        ),
        of_recording(Kind.RECORDING_REQUESTED, capture=CaptureFrom.BRIDGED),
        Commit(),
        ALLOWED,
        Release(),
    )
    assert call.capture is Capture.REQUESTED


@pytest.mark.parametrize(
    ("finished", "reason", "lasted_ms"),
    [
        (FAILED, Reason.NOTICE_FAILED, 50),
        (CUT, Reason.NOTICE_CUT_SHORT, 490),
        (PlaybackFinished(PLAYBACK, True, 969, 5_959), Reason.NOTICE_CUT_SHORT, 959),
        (PlaybackFinished(PLAYBACK, True, 3_000, 7_990), Reason.NOTICE_TIMED_OUT, 2_990),
    ],
)
def test_a_notice_that_was_not_completed(
    finished: PlaybackFinished, reason: Reason, lasted_ms: int
) -> None:
    call, commands = told(arrived(), STARTED, finished)
    assert commands == (*incomplete(reason, lasted_ms), *refused(reason))
    assert call.capture is Capture.NONE


@pytest.mark.parametrize(
    ("finished", "lasted_ms"),
    [
        (PlaybackFinished(PLAYBACK, True, 970, 5_960), 960),
        (PlaybackFinished(PLAYBACK, True, 2_999, None), 2_989),
        (PlaybackFinished(PLAYBACK, True, 1_110, 6_000), 1_000),
    ],
    ids=["two frames early", "just in time, one clock", "told late"],
)
def test_a_notice_that_just_counts(finished: PlaybackFinished, lasted_ms: int) -> None:
    _, commands = told(arrived(), STARTED, finished)
    (row, *_) = commands
    assert isinstance(row, AppendRow)
    assert (row.kind, row.detail["lasted_ms"]) == (Kind.NOTICE_COMPLETED, lasted_ms)
    assert ALLOWED in commands


@pytest.mark.parametrize(
    ("ours_ms", "asterisks_ms"),
    [(1_010, 5_400), (410, 6_000)],
    ids=["asterisk saw less", "we saw less"],
)
def test_both_clocks_must_have_seen_the_whole_prompt(ours_ms: int, asterisks_ms: int) -> None:
    _, commands = told(arrived(), STARTED, PlaybackFinished(PLAYBACK, True, ours_ms, asterisks_ms))
    assert commands[3:] == refused(Reason.NOTICE_CUT_SHORT)


def test_a_playback_that_never_began_was_not_heard() -> None:
    _, commands = told(arrived(), HEARD)
    reason = Reason.NOTICE_CUT_SHORT
    assert commands == (*incomplete(reason), *refused(reason))


def test_other_playbacks_say_nothing() -> None:
    other = playback_id(CALL, 2)
    call, commands = told(arrived(), PlaybackStarted(other, 10))
    assert (call.started, commands) == (None, ())
    assert told(call, PlaybackFinished(other, True, 5_000)) == (call, ())


@pytest.mark.parametrize(
    ("deadline", "reason"),
    [(NOTICE_IS_LATE, Reason.NOTICE_TIMED_OUT), (STOP_IS_LATE, Reason.SERVICE_STOPPING)],
)
def test_a_notice_that_takes_too_long_is_stopped(deadline: Event, reason: Reason) -> None:
    _, commands = told(arrived(), STARTED, deadline)
    assert commands == (StopPlayback(PLAYBACK), *incomplete(reason), *refused(reason))


def test_a_stopping_service_waits_for_a_notice_that_plays() -> None:
    call, commands = told(arrived(), STARTED, ServiceStopping())
    assert commands == (SetDeadline(Deadline.STOP, LIMITS.stop_ms),)
    assert ALLOWED in told(call, HEARD)[1]


def test_growth_means_nothing_in_the_notice() -> None:
    call = arrived()
    assert told(call, GROWTH_IS_LATE) == (call, ())


def test_who_hangs_up_in_the_notice_gets_no_result() -> None:
    call, commands = told(arrived(), STARTED, HangupRequested())
    assert commands == ()
    reason = Reason.HANGUP_IN_NOTICE
    assert told(call, LeftStasis())[1] == (*incomplete(reason), refused_row(reason))


@pytest.mark.parametrize("finished", [FAILED, CUT])
def test_a_playback_ends_because_the_caller_hangs_up(finished: Event) -> None:
    _, commands = told(arrived(), STARTED, HangupRequested(), finished)
    assert commands[3:] == refused(Reason.HANGUP_IN_NOTICE)


def test_the_channel_is_gone_in_the_notice() -> None:
    call, commands = told(arrived(), STARTED, GONE)
    reason = Reason.HANGUP_IN_NOTICE
    assert commands == (
        *incomplete(reason),
        refused_row(reason),
        AppendRow(Kind.CALL_ENDED, {"bridged_ms": 0}),
        ClearDeadline(Deadline.GROWTH),
        Forget(),
    )
    assert call.phase is Phase.OVER


def test_the_dialplan_takes_the_call_back() -> None:
    _, commands = told(arrived(), STARTED, LeftStasis())
    assert commands == (*incomplete(Reason.TAKEN_BACK), refused_row(Reason.TAKEN_BACK))


@pytest.mark.parametrize("step", [Step.ANSWER, Step.PLAY])
def test_asterisk_refuses_a_command(step: Step) -> None:
    _, commands = told(arrived(), CommandFailed(step))
    assert commands[3:] == refused(Reason.ASTERISK_REFUSED)
    _, commands = told(arrived(), CommandFailed(step, reachable=False))
    assert commands[3:] == refused(Reason.CONNECTION_LOST)
    _, commands = told(arrived(), HangupRequested(), CommandFailed(step))
    assert commands[3:] == refused(Reason.HANGUP_IN_NOTICE)


def test_events_that_overflow_in_the_notice() -> None:
    _, commands = told(arrived(), STARTED, EventsOverflowed())
    reason = Reason.EVENTS_OVERFLOWED
    assert commands == (*incomplete(reason), *refused(reason))


def test_stasis_start_twice_changes_nothing() -> None:
    call = arrived()
    assert told(call, Reentered()) == (call, (anomaly("STASIS_START_TWICE"),))


def test_a_store_that_fails_in_the_notice() -> None:
    call, commands = told(arrived(), STARTED, RowsRefused())
    assert commands == (
        StopPlayback(PLAYBACK),
        *NO_MORE_NOTICE,
        *refused(Reason.STORE_FAILED),
    )
    assert told(call, RowsRefused()) == (call, ())  # the rows that say so failed too


def test_a_decision_that_cannot_be_stored_is_not_handed_over() -> None:
    call, commands = told(arrived(), *TOLD, RowsRefused(at_commit=True))
    assert commands == refused(Reason.STORE_FAILED)
    assert call.capture is Capture.NONE
    assert told(call, RELEASED, GONE)[1][-1] == Forget()


# -- back in the dialplan ---------------------------------------------------------------------


def test_a_released_call_waits_for_its_bridge() -> None:
    call, commands = told(arrived(), *TOLD, RELEASED)
    assert commands == (AppendRow(Kind.CALL_RELEASED),)
    assert told(call, LeftStasis())[1] == ()
    call, commands = told(call, Bridged(2_000))
    assert commands == (SetDeadline(Deadline.GROWTH, LIMITS.growth_ms),)
    assert told(call, Unbridged(2_100))[1] == (ClearDeadline(Deadline.GROWTH),)


def test_capture_from_the_notice_on_must_grow_at_once() -> None:
    _, commands = told(arrived(policy=policy(CaptureFrom.NOTICE)), *TOLD, RELEASED)
    wait = SetDeadline(Deadline.GROWTH, LIMITS.growth_ms)
    assert commands == (AppendRow(Kind.CALL_RELEASED), wait)


def test_an_unrecorded_call_waits_for_no_audio() -> None:
    call, commands = told(arrived(), STARTED, FAILED, RELEASED, Bridged(2_000))
    assert commands == ()
    for event in (MixMonitorStarted(), FileAppeared(), FileGrew(), GROWTH_IS_LATE):
        assert told(call, event) == (call, ())
    assert told(call, EventsOverflowed()) == (call, ())


@pytest.mark.parametrize("step", [Step.HAND_OVER, Step.RELEASE])
def test_a_release_that_asterisk_refuses(step: Step) -> None:
    call, commands = told(arrived(), *TOLD, CommandFailed(step))
    assert commands == (anomaly("RELEASE_REFUSED", step=step),)
    assert call.phase is Phase.DIALPLAN


def test_an_answer_that_failed_late_means_nothing() -> None:
    call, _ = told(arrived(), *TOLD)
    assert told(call, CommandFailed(Step.ANSWER)) == (call, ())


def test_a_channel_that_comes_back_before_it_left_is_told_again() -> None:
    _, commands = told(arrived(), *TOLD, Reentered())
    assert commands == (ALLOWED, Release())


@pytest.mark.parametrize(
    ("so_far", "status"),
    [
        (IN_DIALPLAN, Status.ALLOWED),
        (RECORDED, Status.RECORDING),
        ((*IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE), Status.FAILED),
    ],
)
def test_the_standing_decision_starts_no_second_capture(
    so_far: tuple[Event, ...], status: Status
) -> None:
    _, commands = told(arrived(), *so_far, Reentered())
    standing = HandOver(
        CALL,
        status,
        Reason.NOTICE_COMPLETED,
        purposes=("SERVICE",),
        notice="standard/1/ja",
        bridged_only=True,
    )
    assert commands == (AppendRow(Kind.CALL_REENTERED), standing, Release())


def test_asterisk_starts_the_recording_and_it_grows() -> None:
    call, commands = told(arrived(), *IN_DIALPLAN, MixMonitorStarted())
    assert commands == (of_recording(Kind.RECORDING_STARTED, evidence="mixmonitor_start"),)
    assert told(call, FileAppeared()) == (call, ())
    call, commands = told(call, FileGrew())
    assert commands == (
        of_recording(Kind.RECORDING_GROWING),
        ClearDeadline(Deadline.GROWTH),
        Announce(Status.RECORDING),
    )
    assert told(call, FileGrew()) == (call, ())
    assert told(call, GROWTH_IS_LATE) == (call, ())


def test_a_file_proves_a_recording_that_nobody_announced() -> None:
    started = of_recording(Kind.RECORDING_STARTED, evidence="file")
    call, commands = told(arrived(), *IN_DIALPLAN, FileAppeared())
    assert commands == (started,)
    assert told(call, MixMonitorStarted()) == (call, ())
    _, commands = told(arrived(), *IN_DIALPLAN, FileGrew())
    assert commands[:2] == (started, of_recording(Kind.RECORDING_GROWING))


def test_a_recording_that_does_not_grow_is_said_and_may_still_come() -> None:
    call, commands = told(arrived(), *IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE)
    assert commands == (of_recording(Kind.RECORDING_STALLED), Announce(Status.FAILED))
    assert told(call, FileGrew())[1][-1] == Announce(Status.RECORDING)


def test_events_that_overflow_stop_the_capture() -> None:
    _, commands = told(arrived(), *RECORDED, EventsOverflowed())
    assert commands == (anomaly("EVENTS_OVERFLOWED"), StopCapture(), Announce(Status.FAILED))


def test_a_store_that_fails_stops_the_capture() -> None:
    call, commands = told(arrived(), *RECORDED, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"), StopCapture(), Announce(Status.FAILED))
    assert told(call, RowsRefused()) == (call, ())
    _, commands = told(arrived(), STARTED, FAILED, RELEASED, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"),)


def test_a_notice_that_ended_long_ago_means_nothing() -> None:
    call, _ = told(arrived(), *RECORDED)
    for event in (STARTED, HEARD, NOTICE_IS_LATE, ServiceStopping(), Judged(WHOLE)):
        assert told(call, event) == (call, ())


# -- the end ----------------------------------------------------------------------------------


def ended(bridged_ms: int) -> tuple[Command, ...]:
    row = AppendRow(Kind.CALL_ENDED, {"bridged_ms": bridged_ms})
    return row, ClearDeadline(Deadline.GROWTH)


def test_the_end_of_an_unrecorded_call() -> None:
    call, commands = told(arrived(), STARTED, FAILED, RELEASED, LeftStasis(), GONE)
    assert commands == (*ended(0), Forget())
    assert call.phase is Phase.OVER
    assert told(call, GONE, FileGrew(), Judged(WHOLE), RowsRefused()) == (call, ())


def test_the_time_in_bridges_is_what_must_have_been_recorded() -> None:
    spans = (Bridged(2_000), Bridged(2_500), Unbridged(3_000), Unbridged(3_500), Bridged(5_000))
    _, commands = told(arrived(), *IN_DIALPLAN, *spans, GONE)
    assert commands == (*ended(5_000), Judge(RECORDING, 5_000))


def test_bridges_are_counted_however_early_they_are_told() -> None:
    _, commands = told(arrived(), STARTED, Bridged(500), Unbridged(600), HEARD, GONE)
    assert commands == (*ended(100), Judge(RECORDING, 100))


def test_nobody_told_of_bridges() -> None:
    _, commands = told(arrived(), *IN_DIALPLAN, GONE)
    assert commands == (*ended(0), Judge(RECORDING, None))


@pytest.mark.parametrize(
    ("so_far", "expected_ms"),
    [
        (TOLD, None),
        (IN_DIALPLAN, 9_000 - 1_020),
        ((*IN_DIALPLAN, Reentered(), Released(5_000)), 9_000 - 1_020),
    ],
    ids=["never released", "released", "came a second time"],
)
def test_capture_from_the_notice_on_lasts_from_the_release(
    so_far: tuple[Event, ...], expected_ms: int | None
) -> None:
    _, commands = told(arrived(policy=policy(CaptureFrom.NOTICE)), *so_far, GONE)
    assert commands[-1] == Judge(RECORDING, expected_ms)


def test_a_closed_recording_leaves_the_spool_behind_its_row() -> None:
    call, commands = told(arrived(), *CLOSING, Judged(WHOLE))
    assert commands == (
        of_recording(
            Kind.RECORDING_CLOSED,
            expected_ms=6_000,
            header_closed=True,
            length=Length.OK,
            length_ms=6_100,
            purposes=("SERVICE",),
            rx=Direction.HEARD,
            rx_sha256="r" * 64,
            sha256="5" * 64,
            tx=Direction.HEARD,
            tx_sha256="t" * 64,
            whole=True,
        ),
        Commit(),
        RemoveSpooled(RECORDING),
    )
    call, commands = told(call, SpoolRemoved(2))
    assert commands == (of_recording(Kind.SPOOL_REMOVED, files=2), Forget())
    assert call.phase is Phase.OVER


def test_an_empty_recording_leaves_the_spool_too() -> None:
    _, commands = told(arrived(), *CLOSING, Judged(EMPTY))
    row = of_recording(Kind.RECORDING_EMPTY, expected_ms=None, length=Length.UNKNOWN)
    assert commands == (row, Commit(), RemoveSpooled(RECORDING))


def test_a_missing_recording_is_said() -> None:
    call, commands = told(arrived(), *CLOSING, Judged(MISSING))
    assert commands == (of_recording(Kind.RECORDING_MISSING, expected_ms=6_000), Forget())
    assert call.phase is Phase.OVER


def test_what_cannot_be_judged_stays_where_it_is() -> None:
    call, commands = told(arrived(), *CLOSING, Judged(UNJUDGED))
    assert commands == (of_recording(Kind.RECORDING_UNJUDGED, problem="NOT_PCM"), Forget())
    assert call.phase is Phase.OVER


def test_a_spool_that_cannot_be_emptied_is_said() -> None:
    call, commands = told(arrived(), *CLOSING, Judged(WHOLE), SpoolKept())
    assert commands == (anomaly("SPOOL_NOT_REMOVED"), Forget())
    assert call.phase is Phase.OVER


def test_a_channel_ends_once() -> None:
    call, _ = told(arrived(), *CLOSING)
    for event in (GONE, FileGrew(), Bridged(9_000), Reentered(), EventsOverflowed()):
        assert told(call, event) == (call, ())


@pytest.mark.parametrize("so_far", [CLOSING, (*RECORDED, RowsRefused(), GONE)])
def test_files_stay_when_their_row_cannot_be_stored(so_far: tuple[Event, ...]) -> None:
    """Also when the store failed before: the call must come to its end."""
    call, commands = told(arrived(), *so_far, Judged(WHOLE), RowsRefused(at_commit=True))
    assert commands == (anomaly("STORE_FAILED"), Forget())
    assert call.phase is Phase.OVER


def test_a_row_lost_while_the_recording_closes_is_said_and_the_judgement_waited_for() -> None:
    call, commands = told(arrived(), *CLOSING, RowsRefused())
    assert commands == (anomaly("STORE_FAILED"),)
    assert told(call, RowsRefused()) == (call, ())
    _, commands = told(call, Judged(WHOLE))
    assert commands[1:] == (Commit(), RemoveSpooled(RECORDING))


# -- everything that can be said is said by some story ---------------------------------------


@dataclass(frozen=True)
class Story:
    events: tuple[Event, ...]
    given: dict[str, object] = field(default_factory=dict)

    def rows(self) -> list[AppendRow]:
        call, commands = rules.arrive(CALL, arrival(**self.given), LIMITS)
        rows = [command for command in commands if isinstance(command, AppendRow)]
        for event in self.events:
            call, commands = rules.step(call, event)
            rows += [command for command in commands if isinstance(command, AppendRow)]
        return rows


STORIES = {
    "recorded": Story((*CLOSING, Judged(WHOLE), SpoolRemoved(2))),
    "gave up in the queue": Story((*IN_DIALPLAN, GONE, Judged(EMPTY), SpoolKept())),
    "nothing on disk": Story((*IN_DIALPLAN, Bridged(2_000), GROWTH_IS_LATE, GONE, Judged(MISSING))),
    "unreadable": Story((*CLOSING, Judged(UNJUDGED))),
    "came again": Story((*IN_DIALPLAN, Reentered(), GONE)),
    "prompt missing": Story((STARTED, FAILED, RELEASED, GONE)),
    "cut short": Story((STARTED, CUT, CommandFailed(Step.RELEASE), GONE)),
    "timed out": Story((STARTED, NOTICE_IS_LATE)),
    "hung up": Story((STARTED, HangupRequested(), LeftStasis(), GONE)),
    "taken back": Story((Reentered(), LeftStasis())),
    "no policy": Story((), {"policy": Reason.POLICY_MISSING}),
    "unknown policy": Story((), {"policy": Reason.POLICY_UNKNOWN}),
    "garbled": Story((), {"policy": Reason.ARGUMENTS_INVALID}),
    "stranded": Story((), {"policy": Reason.SERVICE_RESTARTED}),
    "refused": Story((CommandFailed(Step.PLAY),)),
    "lost": Story((CommandFailed(Step.PLAY, reachable=False),)),
    "stopping": Story((ServiceStopping(), STOP_IS_LATE)),
    "store failed": Story((RowsRefused(),)),
    "overflowed": Story((EventsOverflowed(),)),
}

NOT_OF_A_CALL = {
    Kind.SERVICE_STARTED,
    Kind.SERVICE_STOPPED,
    Kind.CONFIG_LOADED,
    Kind.NOTICE_REGISTERED,
    Kind.ASTERISK_CONNECTED,
    Kind.ASTERISK_DISCONNECTED,
    Kind.EVENT_MALFORMED,
    Kind.MARK,
}


def test_every_kind_of_row_of_a_call_is_told_by_some_story() -> None:
    seen = {row.kind for story in STORIES.values() for row in story.rows()}
    assert seen == set(Kind) - NOT_OF_A_CALL


def test_every_reason_is_the_end_of_some_story() -> None:
    rows = [row for story in STORIES.values() for row in story.rows()]
    seen = {row.detail["reason"] for row in rows if row.kind is Kind.DECISION}
    assert seen == set(Reason)


@pytest.mark.parametrize("story", STORIES)
def test_every_story_has_one_decision(story: str) -> None:
    kinds = [row.kind for row in STORIES[story].rows()]
    assert kinds.count(Kind.DECISION) == 1


# -- whatever comes ---------------------------------------------------------------------------

times = st.integers(0, 100_000)
playbacks = st.sampled_from([PLAYBACK, playback_id(CALL, 2)])
verdicts = st.builds(
    Verdict, st.sampled_from(Outcome), st.none() | times, times, st.sampled_from(Length)
)
events = st.one_of(
    *(
        st.builds(kind)
        for kind in (
            Reentered,
            HangupRequested,
            LeftStasis,
            ServiceStopping,
            EventsOverflowed,
            MixMonitorStarted,
            FileAppeared,
            FileGrew,
            SpoolKept,
        )
    ),
    *(st.builds(kind, times) for kind in (Released, Bridged, Unbridged, ChannelGone)),
    st.builds(PlaybackStarted, playbacks, times, st.none() | times),
    st.builds(PlaybackFinished, playbacks, st.booleans(), times, st.none() | times),
    st.builds(CommandFailed, st.sampled_from(Step), st.booleans()),
    st.builds(RowsRefused, st.booleans()),
    st.builds(DeadlinePassed, st.sampled_from(Deadline)),
    st.builds(Judged, verdicts),
    st.builds(SpoolRemoved, st.integers(0, 2)),
)
PREFIXES = {
    Phase.NOTICE: (STARTED,),
    Phase.RELEASING: TOLD,
    Phase.DIALPLAN: RECORDED,
    Phase.CLOSING: CLOSING,
    Phase.OVER: (*CLOSING, Judged(MISSING)),
}


def test_every_event_is_among_those_that_may_come() -> None:
    examples: set[type] = set()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(events)
    def draw(event: Event) -> None:
        examples.add(type(event))

    draw()
    assert examples == set(get_args(Event))


@pytest.mark.parametrize("phase", Phase)
def test_the_phases_are_reached(phase: Phase) -> None:
    assert told(arrived(), *PREFIXES[phase])[0].phase is phase


@pytest.mark.parametrize("phase", Phase)
@given(coming=st.lists(events, max_size=12), capture=st.sampled_from(CaptureFrom))
@settings(max_examples=150, deadline=None)
def test_every_event_is_possible_in_every_phase(
    phase: Phase, coming: list[Event], capture: CaptureFrom
) -> None:
    call, _ = told(arrived(policy=policy(capture)), *PREFIXES[phase])
    for event in coming:
        was_over = call.phase is Phase.OVER
        call, commands = rules.step(call, event)
        assert all(isinstance(command, get_args(Command)) for command in commands)
        assert (Forget() in commands) == (call.phase is Phase.OVER and not was_over)
        assert call.phase is Phase.NOTICE or call.decision is not None
        assert not (was_over and commands)
