"""A call that an earlier life left: followed again, or finished."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.audit_rows import decision_row
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CancelSegment,
    Command,
    CommitCommand,
    Deadline,
    FollowAgain,
    Forget,
    Judge,
    Mute,
    RemoveRecording,
    RemoveSpooled,
    SetDeadline,
    SetMute,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CaptureGoesOn,
    CaptureStopped,
    ChannelGone,
    EntryWire,
    FileAppeared,
    FileGrew,
    Leg,
    LookedAway,
    MuteChanged,
    RecordingJudged,
    SegmentRefused,
    SpoolRemoved,
    Unbridged,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.recovery import (
    NOT_SEEN,
    Clock,
    ClockSetBack,
    finish,
    follow_again,
)
from asterisk_compliance.domain.call.replay import Left, ReplayedCall
from asterisk_compliance.domain.call.state import (
    SLIP_BEFORE_MS,
    Call,
    CallPhase,
    DialplanWiring,
    Segment,
    UnmutedSpan,
)
from asterisk_compliance.domain.call.transitions.capture import SLIP_AFTER_MS
from asterisk_compliance.domain.policy.notice import AgentConsent, CaptureFrom, OnJoin, Policy
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.verdict import (
    Blank,
    Capture,
    CaptureOutcome,
    Expected,
    RecordingVerdict,
    Tracks,
)
from asterisk_compliance.ids import ChannelId, party_id, playback_id, recording_id
from domain.call_builder import decided, with_segment
from domain.leg_traces import company, with_agent
from domain.simulator import CALL, CHANNEL, LIMITS, policy
from domain.traces import arrived, told
from values import replace

ONE, TWO, THREE = (recording_id(CALL, number) for number in (1, 2, 3))
AGENT, FRIEND = ChannelId("1700000001.1"), ChannelId("1700000001.2")
ALLOWED = Decision(
    Status.ALLOWED, Reason.NOTICE_COMPLETED, (PurposeCode("SERVICE"),), "standard/1/en"
)
TERMS, WIRED = policy(), DialplanWiring()
NOW = Clock(at_ms=50_000, unix_ms=1_700_000_100_000)
UNSEEN_MS = 4_000
EVER_MS = 10_000_000_000
FOLLOWED = AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": UNSEEN_MS})
LATE = AppendRow(
    Kind.CALL_ENDED, {"bridged_ms": None, "observed_late": True, "unseen_ms": UNSEEN_MS}
)
BOTH_FILES = 2


def known(**changed: object) -> ReplayedCall:
    """A call that was recorded, in company with its agent."""
    values: dict[str, object] = {
        "id": CALL,
        "channel": CHANNEL,
        "entry": EntryWire.ARI,
        "linkedid": CHANNEL,
        "decision": ALLOWED,
        "recordings": {ONE: Left.RUNNING},
        "running": ONE,
        "covered": frozenset({AGENT}),
        "controller": frozenset({AGENT}),
        "parties": 2,
    }
    return ReplayedCall(**{**values, **changed})  # type: ignore[arg-type]


def followed(
    left: ReplayedCall, terms: Policy | None = TERMS, wiring: DialplanWiring = WIRED
) -> tuple[Call, tuple[Command, ...]]:
    return follow_again(left, terms, limits=LIMITS, wiring=wiring, now=NOW, unseen_ms=UNSEEN_MS)


def finished(**changed: object) -> tuple[Call, tuple[Command, ...]]:
    return finish(known(**changed), limits=LIMITS, now=NOW, unseen_ms=UNSEEN_MS)


def unseen_end(*blanks: Blank, since_ms: int = UNSEEN_MS) -> Expected:
    """Of what nobody saw the end of."""
    others = Blank(since_ms + SLIP_BEFORE_MS, 0, Tracks.OTHERS)
    return Expected(None, blanks=(others, *blanks), asked_unix_ms=NOW.unix_ms)


def gap(until_ms: int = 0, ago_ms: int = UNSEEN_MS) -> UnmutedSpan:
    """What nobody saw who is there, on the clock of the file."""
    return UnmutedSpan(until_ms - ago_ms - SLIP_BEFORE_MS, until_ms + SLIP_AFTER_MS, Tracks.OTHERS)


def kinds(commands: tuple[Command, ...]) -> list[Kind]:
    return [one.kind for one in commands if isinstance(one, AppendRow)]


def looked(
    call: Call, *peers: Participant, at_ms: int = NOW.at_ms
) -> tuple[Call, tuple[Command, ...]]:
    """ARI says who is there."""
    return told(call, Bridged(at_ms), company(at_ms, *peers))


def ago(ms: int) -> int:
    return NOW.unix_ms - ms


# -- followed again ----------------------------------------------------------------------------


def test_a_recording_that_runs_goes_on() -> None:
    call, commands = followed(known())
    assert commands == (FOLLOWED, FollowAgain(), SetMute(Mute.NONE))
    assert (call.phase, call.capture.state, call.recording) == (
        CallPhase.DIALPLAN,
        Capture.STARTED,
        ONE,
    )
    assert (call.decision, call.capture.runs, call.participants.numbered) == (ALLOWED, True, 2)
    assert decided(call).wording.language == "en"
    assert call.playback == playback_id(CALL, 1_000)


def test_no_life_uses_the_playbacks_of_another() -> None:
    assert followed(known(lives=2))[0].playback == playback_id(CALL, 3_000)


def test_whom_the_log_knows_is_no_newcomer() -> None:
    call, commands = looked(followed(known())[0], Participant(AGENT))
    assert commands == ()
    assert call.participants.uncovered == ()
    assert call.participants.has_controller


def test_how_long_it_must_be_is_not_known_any_more() -> None:
    call, _ = looked(followed(known())[0], Participant(AGENT))
    _, commands = told(call, ChannelGone(60_000))
    blank = Blank(10_000 + UNSEEN_MS + SLIP_BEFORE_MS, 10_000 - SLIP_AFTER_MS, Tracks.OTHERS)
    assert commands[-1] == Judge(ONE, Expected(None, blanks=(blank,)))


def test_where_staff_is_listed_only_staff_is_the_controller() -> None:
    listed = DialplanWiring(staff_known=True)
    both = {"covered": frozenset({AGENT, FRIEND})}
    assert followed(known(**both), wiring=listed)[0].participants.controller == {AGENT}
    assert followed(known(**both))[0].participants.controller == {AGENT, FRIEND}


def test_a_pause_goes_on_and_may_be_forgotten() -> None:
    call, commands = followed(known(pauses=frozenset({"agent"}), mute=Mute.OTHERS))
    limit = SetDeadline(Deadline.PAUSE, policy().pause_max_ms)
    assert commands == (FOLLOWED, FollowAgain(), SetMute(Mute.ALL), limit)
    assert (call.capture.pauses, call.capture.segment.mute) == ({"agent"}, Mute.ALL)


def test_what_was_muted_stays_so_until_it_is_known_who_is_there() -> None:
    call, commands = followed(known(mute=Mute.OTHERS))
    assert commands[-1] == SetMute(Mute.OTHERS)
    assert call.participants.transfer_seen
    _, commands = looked(call, Participant(AGENT))
    assert [type(one) for one in commands] == [AppendRow, CommitCommand, SetMute]


def test_what_was_told_to_stop_is_told_again_and_keeps_nothing_since() -> None:
    call, commands = followed(known(stopped_at_ms=ago(7_000), stopped_for="WITHDRAWN"))
    assert commands == (FOLLOWED, FollowAgain(), StopCapture(ONE))
    assert (call.capture.stopping, call.capture.ended_as) == (True, Status.REFUSED)
    call, commands = told(call, Bridged(50_000), CaptureStopped(ONE, 51_000))
    from_end_ms = 7_000 + SLIP_BEFORE_MS + 1_000
    others = Blank(UNSEEN_MS + SLIP_BEFORE_MS + 1_000, 0, Tracks.OTHERS)
    assert commands == (Judge(ONE, Expected(None, blanks=(others, Blank(from_end_ms, 0)))),)
    assert not call.capture.is_open


def test_what_was_asked_for_begins_yet() -> None:
    call, _ = followed(known(recordings={ONE: Left.REQUESTED}))
    assert (call.capture.state, call.capture.runs) == (Capture.REQUESTED, False)
    call, commands = told(call, FileGrew(ONE, 51_000))
    assert call.capture.state is Capture.GROWING
    assert [one.kind for one in commands if isinstance(one, AppendRow)] == [
        Kind.RECORDING_STARTED,
        Kind.RECORDING_GROWING,
    ]


def test_what_began_unseen_while_it_must_not_is_blanked_from_its_beginning() -> None:
    call, _ = followed(known(recordings={ONE: Left.REQUESTED}))
    call, _ = looked(call, Participant(AGENT), Participant(FRIEND))
    call, _ = told(call, FileAppeared(ONE, 50_000), MuteChanged(Mute.OTHERS, 50_100))
    (slip,) = call.capture.segment.slips
    assert slip.from_ms == -UNSEEN_MS - SLIP_BEFORE_MS


@pytest.mark.parametrize("capture", CaptureFrom)
def test_a_tainted_recording_keeps_nothing_of_the_others_until_now(capture: CaptureFrom) -> None:
    call, _ = followed(known(tainted={ONE: ago(9_000)}), policy(capture))
    file_ms = 50_000 if capture is CaptureFrom.NOTICE else 0
    slip = UnmutedSpan(file_ms - 9_000 - SLIP_BEFORE_MS, file_ms + SLIP_AFTER_MS, Tracks.OTHERS)
    assert call.capture.segment.slips == (slip,)


def test_a_clock_that_was_set_back_dates_nothing() -> None:
    call, _ = followed(known(tainted={ONE: NOW.unix_ms + 1}))
    assert call.capture.segment.slips[0].from_ms == -EVER_MS - SLIP_BEFORE_MS


def test_a_recording_of_the_told_party_alone_stays_one() -> None:
    assert not followed(known(told_only=frozenset({ONE})))[0].capture.segment.others


def test_a_company_that_changed_begins_anew_or_is_doubted() -> None:
    changed = {"changed_at_ms": ago(3_000)}
    call, _ = followed(known(**changed))
    _, commands = looked(call, Participant(AGENT))
    assert [type(one).__name__ for one in commands] == [
        "AppendRow",
        "CommitCommand",
        "StartSegment",
        "SetDeadline",
    ]
    call, _ = followed(known(**changed), wiring=DialplanWiring(segments=False))
    assert (call.capture.restart_due, call.capture.segment.doubtful_since_ms) == (False, -3_000)


def test_numbers_of_segments_are_not_used_twice() -> None:
    left = {ONE: Left.RUNNING, TWO: Left.DEALT_WITH}
    assert followed(known(recordings=left))[0].capture.next_number == 3
    done = {ONE: Left.DEALT_WITH, TWO: Left.DEALT_WITH}
    call, _ = followed(known(recordings=done, running=None))
    assert (call.capture.state, call.capture.next_number) == (Capture.NONE, 3)


# -- a segment that comes ----------------------------------------------------------------------

COMING: dict[str, object] = {
    "recordings": {ONE: Left.RUNNING, TWO: Left.REQUESTED},
    "coming": TWO,
}


def test_a_segment_that_was_asked_for_is_waited_for() -> None:
    call, commands = followed(known(**COMING))
    limit = SetDeadline(Deadline.SEGMENT, LIMITS.segment_ms)
    assert commands == (FOLLOWED, FollowAgain(), SetMute(Mute.NONE), limit)
    assert call.capture.requested_segment is not None
    assert (call.capture.requested_segment.number, call.capture.next_number) == (2, 2)
    call, commands = told(call, FileAppeared(TWO, 50_500))
    assert call.recording == TWO
    assert [one.recording for one in commands if isinstance(one, Judge)] == [ONE]


def test_a_recording_on_demand_is_waited_for() -> None:
    left = {"recordings": {ONE: Left.REQUESTED}, "running": None, "coming": ONE}
    call, commands = followed(known(**left))
    assert commands[-1] == SetDeadline(Deadline.SEGMENT, LIMITS.segment_ms)
    assert (call.capture.state, call.subject) == (Capture.NONE, ONE)
    call, _ = told(call, FileAppeared(ONE, 50_500))
    assert (call.capture.state, call.recording) == (Capture.STARTED, ONE)


@pytest.mark.parametrize(
    ("changed", "tracks"),
    [
        ({"pauses": frozenset({"agent"})}, Tracks.BOTH),
        ({"stopped_at_ms": ago(1_000), "stopped_for": "ASKED"}, Tracks.BOTH),
    ],
)
def test_nothing_is_kept_of_a_segment_that_nobody_could_mute(
    changed: dict[str, object], tracks: Tracks
) -> None:
    call, _ = followed(known(**COMING, **changed))
    assert call.capture.requested_segment is not None
    assert call.capture.requested_segment.slips == (
        UnmutedSpan(-EVER_MS - SLIP_BEFORE_MS, SLIP_AFTER_MS, tracks),
    )


def test_agents_without_consent_may_have_been_in_a_segment_that_nobody_muted() -> None:
    terms = replace(policy(), agent_consent=AgentConsent.REQUIRED)
    call, _ = followed(known(**COMING), terms)
    assert call.capture.requested_segment is not None
    assert call.capture.requested_segment.slips[0].tracks is Tracks.OTHERS


def test_a_segment_that_comes_is_tainted_like_the_one_that_runs() -> None:
    call, _ = followed(known(**COMING, tainted={TWO: ago(2_000)}))
    assert call.capture.requested_segment is not None
    assert call.capture.segment.slips == ()
    assert call.capture.requested_segment.slips == (
        UnmutedSpan(-2_000 - SLIP_BEFORE_MS, SLIP_AFTER_MS, Tracks.OTHERS),
    )


def test_a_segment_that_was_taken_back_is_taken_back_again() -> None:
    left = {"recordings": {ONE: Left.REQUESTED}, "running": None, "coming": ONE}
    _, commands = followed(known(**left, stopped_at_ms=ago(100), stopped_for="ASKED"))
    limit = SetDeadline(Deadline.SEGMENT, LIMITS.segment_ms)
    assert commands == (FOLLOWED, FollowAgain(), limit, CancelSegment())
    _, commands = followed(known(**COMING, stopped_at_ms=ago(100), stopped_for="ASKED"))
    assert commands[-3:] == (limit, CancelSegment(), StopCapture(ONE))


# -- what else was left ------------------------------------------------------------------------


def test_every_other_recording_is_dealt_with_where_it_was_left() -> None:
    left = {ONE: Left.JUDGED, TWO: Left.RUNNING, THREE: Left.RUNNING}
    call, commands = followed(known(recordings=left, running=THREE))
    assert commands[1:4] == (FollowAgain(), RemoveSpooled(ONE), Judge(TWO, unseen_end()))
    assert call.recordings.pending == {ONE, TWO}
    call, _ = told(
        call,
        SpoolRemoved(ONE, BOTH_FILES),
        RecordingJudged(TWO, RecordingVerdict(CaptureOutcome.CLOSED)),
    )
    assert call.recordings.pending == {TWO}


def test_a_withdrawal_removes_what_is_left_of_what_it_should() -> None:
    left = {ONE: Left.DEALT_WITH, TWO: Left.JUDGED}
    changed = {"recordings": left, "running": None, "kept": frozenset({ONE, TWO})}
    call, commands = followed(known(**changed, withdrawn=True, erases=True))
    assert commands[2:] == (RemoveRecording(ONE), RemoveSpooled(TWO))
    _, commands = told(call, SpoolRemoved(TWO, BOTH_FILES))
    assert commands[-1] == RemoveRecording(TWO)
    _, commands = followed(known(**changed, withdrawn=True))
    assert commands[2:] == (RemoveSpooled(TWO),)


def test_a_clock_that_was_set_back_taints_no_recording() -> None:
    """Whoever was told all the time is kept, also in the hour that the clock shows twice."""
    now = replace(NOW, set_back=(ClockSetBack(NOW.unix_ms, 3_600_000),))
    _, commands = finish(known(), limits=LIMITS, now=now, unseen_ms=0)
    (judge,) = (one for one in commands if isinstance(one, Judge))
    assert [blank.from_end_ms for blank in judge.expected.blanks] == [SLIP_BEFORE_MS]


def test_a_withdrawal_ends_with_the_call() -> None:
    left = {"recordings": {ONE: Left.DEALT_WITH}, "running": None, "kept": frozenset({ONE})}
    _, commands = finished(**left, withdrawn=True, erases=True)
    assert commands == (LATE, RemoveRecording(ONE))


@pytest.mark.parametrize("withdrawn", [False, True])
def test_what_was_refused_stays_so(withdrawn: bool) -> None:
    assert followed(known(withdrawn=withdrawn))[0].consent.withdrawn is withdrawn


# -- calls without a recording -----------------------------------------------------------------

NOTHING: dict[str, object] = {"recordings": {}, "running": None}


def test_a_call_that_nobody_decided_is_not_recorded() -> None:
    call, commands = followed(known(**NOTHING, decision=None))
    assert commands == (decision_row(NOT_SEEN), FOLLOWED, FollowAgain())
    assert call.decision == NOT_SEEN


def test_a_pause_of_nothing_is_none() -> None:
    call, commands = followed(known(**NOTHING, pauses=frozenset({"agent"})))
    assert commands == (FOLLOWED, FollowAgain())
    assert call.capture.pauses == frozenset()


def test_a_callee_who_joins_a_recorded_call_has_no_recording_of_his_own() -> None:
    callee = {**NOTHING, "leg": Leg.CALLEE}
    assert followed(known(**callee))[0].joins
    assert not followed(known(**callee), policy(CaptureFrom.ON_DEMAND))[0].joins
    assert not followed(known(leg=Leg.CALLEE))[0].joins


# -- nobody knows its policy -------------------------------------------------------------------


def test_without_its_policy_a_recording_ends() -> None:
    call, commands = followed(known(), None)
    stopped = AppendRow(Kind.CAPTURE_STOPPED, {"recording": ONE, "reason": "POLICY_UNKNOWN"})
    assert commands == (
        FOLLOWED,
        stopped,
        Announce(Status.NOT_RECORDED),
        FollowAgain(),
        StopCapture(ONE),
    )
    call, commands = looked(call, Participant(AGENT), Participant(FRIEND))
    assert commands == ()
    call, commands = told(call, CaptureStopped(ONE, 50_300))
    blank = Blank(UNSEEN_MS + 300 + SLIP_BEFORE_MS, 0, Tracks.OTHERS)
    assert commands == (Judge(ONE, Expected(None, blanks=(blank,))),)
    _, (closed, *_) = told(call, RecordingJudged(ONE, RecordingVerdict(CaptureOutcome.CLOSED)))
    assert isinstance(closed, AppendRow)
    assert closed.detail["purposes"] == ("SERVICE",)


def test_without_its_policy_a_recording_that_ends_already_is_not_said_twice() -> None:
    left = known(stopped_at_ms=ago(100), stopped_for="ASKED")
    call, commands = followed(left, None)
    assert commands == (FOLLOWED, FollowAgain(), StopCapture(ONE))
    assert call.capture.segment.slipping is Tracks.BOTH


def test_without_its_policy_nothing_else_happens() -> None:
    call, commands = followed(known(**NOTHING), None)
    assert commands == (FOLLOWED, FollowAgain())
    assert call.decision == replace(ALLOWED, status=Status.NOT_RECORDED)


def test_without_its_policy_a_segment_that_comes_is_taken_back() -> None:
    _, commands = followed(known(**COMING), None)
    assert [type(one).__name__ for one in commands] == [
        "AppendRow",
        "AppendRow",
        "Announce",
        "FollowAgain",
        "SetDeadline",
        "CancelSegment",
        "StopCapture",
    ]


def test_without_its_policy_nobody_knows_whether_the_agent_may_be_kept() -> None:
    """The others are blanked from the moment on in which the next segment did not begin."""
    call, _ = looked(followed(known(**COMING), None)[0], Participant(AGENT))
    call, commands = told(call, SegmentRefused(TWO, 50_400))
    assert kinds(commands) == [Kind.RECORDING_MISSING]
    segment = call.capture.segment
    assert (segment.slipping_since_ms, segment.slipping) == (50_400, Tracks.OTHERS)
    call, _ = told(call, CaptureStopped(ONE, 50_500))
    assert not call.capture.stopping


def test_a_recording_without_its_policy_that_does_not_stop_is_blanked_by_the_wall_s_clock() -> None:
    """Whether its file goes on outside of bridges nobody knows."""
    call, _ = followed(known(tainted={ONE: ago(5_000)}), None)
    _, commands = told(call, CaptureGoesOn(ONE), ChannelGone(58_000))
    judged = commands[-1]
    assert isinstance(judged, Judge)
    tainted = Blank(5_000 + SLIP_BEFORE_MS + 8_000, 0, Tracks.OTHERS)
    assert tainted in judged.expected.blanks


# -- looking again -----------------------------------------------------------------------------


def test_who_is_there_uncovered_may_have_been_there_all_the_time() -> None:
    call, commands = looked(followed(known())[0], Participant(AGENT), Participant(FRIEND))
    assert call.capture.segment.slipping_since_ms == -UNSEEN_MS
    joined, mute, paused, *_ = commands
    detail = {
        "channel": FRIEND,
        "cover": "unknown",
        "party": party_id(CALL, 3),
        "unseen_ms": UNSEEN_MS,
    }
    assert joined == AppendRow(Kind.PARTY_JOINED, detail)
    assert mute == SetMute(Mute.OTHERS)
    assert isinstance(paused, AppendRow)
    assert paused.detail["unseen_ms"] == UNSEEN_MS
    assert call.visibility.view_gap_since_ms is None, "who comes from now on is seen"


def test_an_agent_without_consent_may_have_been_there_all_the_time() -> None:
    terms = replace(policy(), agent_consent=AgentConsent.REQUIRED)
    call, _ = looked(followed(known(), terms)[0], Participant(AGENT))
    assert call.capture.segment.slipping_since_ms == -UNSEEN_MS


def test_nothing_of_the_others_is_blanked_where_it_is_not_captured() -> None:
    terms = replace(policy(), agent_consent=AgentConsent.REQUIRED)
    left = known(told_only=frozenset({ONE}))
    call, _ = looked(followed(left, terms)[0], Participant(AGENT))
    assert call.capture.segment.slipping_since_ms is None


def test_whoever_is_there_now_somebody_else_may_have_come_and_left() -> None:
    call, commands = looked(
        followed(known())[0], Participant(AGENT), Participant(FRIEND, CoverageBasis.TOLD)
    )
    assert call.capture.segment.slipping_since_ms is None
    assert call.capture.segment.slips == (gap(),)
    assert Kind.CALL_FOLLOWED not in kinds(commands), "that has its row already"


def test_who_was_told_late_was_told_all() -> None:
    """A process that stood still: nobody came and left without its being told."""
    call, _ = with_agent(LookedAway(6_000))
    assert (call.visibility.view_gap_since_ms, call.visibility.ami_gap_since_ms) == (6_000, None)
    call, commands = told(call, company(9_000, Participant(AGENT)))
    assert (call.capture.segment.slips, call.visibility.view_gap_since_ms, commands) == (
        (),
        None,
        (),
    )
    call, _ = told(
        call, LookedAway(10_000), company(12_000, Participant(AGENT), Participant(FRIEND))
    )
    assert call.capture.segment.slipping_since_ms == 8_000, "the call was bridged at 2,000"


@pytest.mark.parametrize(
    ("capture", "wider_ms"), [(CaptureFrom.BRIDGED, 3_000), (CaptureFrom.NOTICE, 0)]
)
def test_what_lies_before_is_blanked_wider_where_the_file_may_have_stood_still(
    capture: CaptureFrom, wider_ms: int
) -> None:
    call, _ = with_agent(capture=capture)
    slip = UnmutedSpan(1_000, 1_500, Tracks.OTHERS)
    call = with_segment(call, slips=(slip,), slipping_since_ms=2_000)
    call, _ = told(call, LookedAway(6_000), company(9_000, Participant(AGENT)))
    segment: Segment = call.capture.segment
    assert segment.slips[0] == UnmutedSpan(1_000, 1_500 + wider_ms, Tracks.OTHERS)
    assert segment.partly_seen == (wider_ms > 0), "how long the file must be"


def test_a_file_that_was_not_seen_to_go_on_may_have_gone_on() -> None:
    call, _ = with_agent(Unbridged(5_000))
    slip = UnmutedSpan(1_000, 1_500, Tracks.OTHERS)
    call = with_segment(call, slips=(slip,), slipping_since_ms=2_000)
    call, _ = told(call, LookedAway(6_000), Bridged(9_000), company(9_000, Participant(AGENT)))
    segment: Segment = call.capture.segment
    assert segment.slips[0] == UnmutedSpan(1_000 - 3_000, 1_500 + 3_000, Tracks.OTHERS)
    assert segment.slipping_since_ms == 2_000 - 3_000


@pytest.mark.parametrize("open_since_ms", [None, 8_000])
def test_what_was_heard_of_late_may_have_been_so_since_we_looked_away(
    open_since_ms: int | None,
) -> None:
    call, _ = with_agent(capture=CaptureFrom.NOTICE)
    slip = UnmutedSpan(7_000, 7_500, Tracks.OTHERS)
    call = with_segment(call, slips=(slip,), slipping_since_ms=open_since_ms)
    call, _ = told(call, LookedAway(6_000), company(9_000, Participant(AGENT)))
    assert call.capture.segment.slips[0] == UnmutedSpan(6_000, 7_500, Tracks.OTHERS)
    assert call.capture.segment.slipping_since_ms == (open_since_ms and 6_000)


def test_of_a_call_that_nobody_told_of_all_others_are_lost_for_that_time() -> None:
    call, _ = with_agent(LookedAway(6_000, blind=True), LookedAway(7_000, blind=True))
    call, commands = told(call, company(9_000, Participant(AGENT)))
    assert call.capture.segment.slips == (gap(7_000, 3_000),), "the call was bridged at 2,000"
    assert commands == (AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": 3_000}),)
    assert (call.visibility.view_gap_since_ms, call.visibility.ami_gap_since_ms) == (None, None)
    _, commands = told(call, company(9_500, Participant(AGENT)))
    assert commands == ()


def test_what_was_told_late_may_be_longer_ago_than_what_was_not_told() -> None:
    call, _ = with_agent(LookedAway(5_000), LookedAway(8_000, blind=True))
    assert (call.visibility.view_gap_since_ms, call.visibility.ami_gap_since_ms) == (5_000, 8_000)
    call, _ = told(call, company(9_000, Participant(AGENT)))
    assert call.capture.segment.slips == (gap(7_000, 1_000),)


def test_who_was_there_before_does_not_tell_who_came_since() -> None:
    call, _ = with_agent(LookedAway(6_000, blind=True))
    call, commands = told(call, company(5_900, Participant(AGENT)))
    assert (call.capture.segment.slips, call.visibility.ami_gap_since_ms, commands) == (
        (),
        6_000,
        (),
    )


def test_who_is_there_uncovered_after_nobody_told_is_not_kept_on() -> None:
    call, _ = with_agent(LookedAway(6_000, blind=True))
    call, commands = told(call, company(9_000, Participant(AGENT), Participant(FRIEND)))
    assert call.capture.segment.slipping_since_ms == 4_000
    assert kinds(commands)[:2] == [Kind.CALL_FOLLOWED, Kind.PARTY_JOINED]


@pytest.mark.parametrize("others", [True, False])
def test_a_recording_that_ends_while_nobody_tells_keeps_no_others_of_that_time(
    others: bool,
) -> None:
    call, _ = with_agent(capture=CaptureFrom.NOTICE)
    slip = UnmutedSpan(3_000, 3_500, Tracks.BOTH)
    call = with_segment(call, others=others, slips=(slip,))
    _, commands = told(call, LookedAway(6_000, blind=True), ChannelGone(9_000))
    (ended,) = (one for one in commands if isinstance(one, AppendRow))
    assert ended.detail["unseen_ms"] == 3_000
    (judged,) = (one for one in commands if isinstance(one, Judge))
    wider = Blank(6_000, 9_000 - 3_500 - 3_000)  # it may have ended at 6,000
    blind = Blank(3_000 + SLIP_BEFORE_MS, 0, Tracks.OTHERS)
    assert judged.expected.blanks == ((wider, blind) if others else (wider,))


def test_a_segment_that_is_followed_by_another_keeps_no_others_of_that_time() -> None:
    call, _ = followed(known(**COMING))
    _, commands = told(call, FileAppeared(TWO, 50_500))
    blank = Blank(UNSEEN_MS + 500 + SLIP_BEFORE_MS, 0, Tracks.OTHERS)
    assert Judge(ONE, Expected(None, blanks=(blank,))) in commands


def test_a_notice_that_nobody_told_of_ends_in_a_call_that_is_seen() -> None:
    call, _ = told(arrived(), LookedAway(500, blind=True), company(900))
    assert (
        call.visibility.view_gap_since_ms,
        call.visibility.ami_gap_since_ms,
        call.participants_before_decision,
    ) == (None, None, None)
    call, _ = told(call, LookedAway(1_500, blind=True), company(1_200, Participant(AGENT)))
    assert call.visibility.ami_gap_since_ms == 1_500


def test_a_call_without_a_capture_has_nothing_to_blank() -> None:
    call, _ = followed(known(**NOTHING))
    call, _ = looked(call, Participant(AGENT), Participant(FRIEND))
    assert (call.capture.segment.slips, call.capture.segment.slipping_since_ms) == ((), None)


def test_who_joins_a_call_whose_policy_changed_ends_the_recording() -> None:
    terms = replace(policy(), on_join=OnJoin.STOP)
    _, commands = looked(followed(known(), terms)[0], Participant(AGENT), Participant(FRIEND))
    assert StopCapture(ONE) in commands


# -- finished late -----------------------------------------------------------------------------


def test_a_call_that_left_nothing_is_over() -> None:
    call, commands = finished(**NOTHING)
    assert commands == (LATE, Forget())
    assert call.phase is CallPhase.OVER


def test_a_call_that_nobody_decided_was_not_recorded() -> None:
    assert finished(**NOTHING, decision=None)[1] == (decision_row(NOT_SEEN), LATE, Forget())


def test_a_call_that_ended_before_is_not_said_twice() -> None:
    assert finished(ended=True)[1] == (Judge(ONE, unseen_end()),)
    assert finished(**NOTHING, ended=True)[1] == (Forget(),)


def test_what_it_left_is_taken_in_and_then_it_is_over() -> None:
    left = {ONE: Left.JUDGED, TWO: Left.RUNNING, THREE: Left.REQUESTED}
    call, commands = finished(recordings=left, running=TWO, coming=THREE)
    assert commands == (
        LATE,
        RemoveSpooled(ONE),
        Judge(TWO, unseen_end()),
        Judge(THREE, unseen_end()),
    )
    assert (call.phase, call.recordings.pending) == (CallPhase.CLOSING, {ONE, TWO, THREE})
    call, _ = told(
        call,
        SpoolRemoved(ONE, BOTH_FILES),
        RecordingJudged(TWO, RecordingVerdict(CaptureOutcome.MISSING)),
    )
    call, commands = told(call, RecordingJudged(THREE, RecordingVerdict(CaptureOutcome.MISSING)))
    assert (call.phase, commands[-1]) == (CallPhase.OVER, Forget())


def test_nothing_is_kept_of_whom_it_should_not_keep() -> None:
    _, commands = finished(
        recordings={ONE: Left.RUNNING, TWO: Left.RUNNING},
        running=TWO,
        told_only=frozenset({ONE}),
        tainted={TWO: ago(9_000)},
        stopped_at_ms=ago(2_000),
    )
    alone = Expected(None, others=False, asked_unix_ms=NOW.unix_ms)
    assert commands[1:] == (
        Judge(ONE, alone),
        Judge(TWO, unseen_end(Blank(2_000, 0), since_ms=9_000)),
    )


def test_a_call_that_ended_changes_nothing_any_more() -> None:
    call, _ = finished()
    assert rules.step(call, ChannelGone(60_000)) == (call, ())
