"""Everybody else on a recorded call, as traces: who is kept, who is told, and when it ends."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    ClearDeadline,
    CommandStep,
    CommitCommand,
    Continue,
    Deadline,
    Judge,
    Mute,
    SetDeadline,
    SetMute,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CommandFailed,
    DeadlinePassed,
    Leg,
    MixMonitorStarted,
    MuteChanged,
    PlaybackFinished,
    StopAsked,
    TransferSeen,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import DialplanWiring
from asterisk_compliance.domain.call.transitions.participants import LEFT_MS
from asterisk_compliance.domain.policy.notice import Consent, Notice, OnJoin, Wording
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.interruption_reasons import StopReason
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import party_id, playback_id
from domain.call_builder import decided
from domain.leg_traces import (
    AGENT,
    BRIDGED,
    LISTED,
    NEXT_RECORDING,
    NO_SEGMENTS,
    OTHER,
    SHOWN,
    STAFF,
    THIRD,
    WHISPER_ENDS,
    begins,
    blank,
    company,
    joined,
    muted_others,
    row,
    was_not_told,
    was_told,
    whisper,
    whispered,
    with_agent,
)
from domain.simulator import CALL, LIMITS
from domain.traces import (
    ALLOWED,
    GREW,
    IN_DIALPLAN,
    RECORDING,
    STARTED,
    TOLD,
    arrived,
    stopped,
    told,
)
from values import replace

JOINS = company(3_000, AGENT, OTHER)
MUTED = MuteChanged(Mute.OTHERS, 3_010)
WHISPERING: tuple[CallEvent, ...] = (JOINS, MUTED)
HEARD = whispered(2, 3_100, 4_100)
NOT_LEFT = DeadlinePassed(Deadline.WHISPER, 5_000)


# -- who is accepted ---------------------------------------------------------------------------


def test_the_first_company_is_the_controllers_if_the_site_does_not_list_its_staff() -> None:
    _, commands = told(arrived(), *IN_DIALPLAN, BRIDGED, company(2_000, AGENT, OTHER))
    assert commands == (joined(AGENT, "assumed", 2), joined(OTHER, "assumed", 3))


@pytest.mark.parametrize(
    ("cover", "wiring"),
    [
        (CoverageBasis.STAFF, LISTED),
        (CoverageBasis.STAFF, DialplanWiring()),
        (CoverageBasis.TOLD, DialplanWiring()),
    ],
)
def test_staff_and_who_was_told_are_kept(cover: CoverageBasis, wiring: DialplanWiring) -> None:
    """And since somebody came under a running MixMonitor, it must begin anew."""
    met = replace(JOINS, peers=(STAFF, replace(OTHER, cover=cover)))
    first = (*IN_DIALPLAN, MixMonitorStarted(1_030), BRIDGED, company(2_000, STAFF), GREW)
    call, _ = told(arrived(wiring=wiring), *first)
    assert told(call, met)[1] == (joined(OTHER, cover, 3), SHOWN, *begins())


ENDPOINT = PersonalFact("endpoint", "PJSIP/anna", "PJSIP/anna")


@pytest.mark.parametrize(("wiring", "how"), [(LISTED, "staff"), (DialplanWiring(), "assumed")])
def test_an_agent_is_to_be_found_again_by_his_endpoint(wiring: DialplanWiring, how: str) -> None:
    """It names somebody, so it stands beside the row, of a party of his own."""
    agent = replace(STAFF if how == "staff" else AGENT, endpoint="PJSIP/anna")
    call, _ = told(arrived(wiring=wiring), *IN_DIALPLAN, BRIDGED)
    row = told(call, company(2_000, agent))[1][0]
    detail = {"channel": agent.channel, "cover": how}
    party = party_id(CALL, 2)
    assert row == AppendRow(Kind.PARTY_JOINED, detail, party=party, facts=(ENDPOINT,))


@pytest.mark.parametrize(
    "cover", [CoverageBasis.UNKNOWN, CoverageBasis.TOLD, CoverageBasis.REFUSED]
)
def test_of_who_comes_from_outside_no_endpoint_is_kept(cover: CoverageBasis) -> None:
    peer = replace(OTHER, cover=cover, endpoint="PJSIP/trunk")
    (row,) = (
        one
        for one in with_agent(company(3_000, AGENT, peer))[1]
        if isinstance(one, AppendRow) and one.kind is Kind.PARTY_JOINED
    )
    assert row.detail["channel"] == OTHER.channel
    assert (row.party, row.facts) == (None, ())


def test_on_join_continue_keeps_whoever_comes() -> None:
    _, commands = with_agent(JOINS, on_join=OnJoin.CONTINUE)
    assert commands == (joined(OTHER, "accepted", 3), SHOWN, *begins())


def test_who_comes_back_is_known() -> None:
    call, _ = with_agent(company(3_000), company(4_000, AGENT))
    assert call.participants.numbered == 2
    assert with_agent(company(3_000), company(4_000, AGENT))[1] == ()


def test_a_conference_needs_no_new_segment() -> None:
    call, commands = with_agent(
        company(3_000, AGENT, OTHER, two_party=False), on_join=OnJoin.CONTINUE
    )
    assert commands == (joined(OTHER, "accepted", 3), SHOWN)
    assert (call.capture.restart_due, call.capture.segment.doubtful_since_ms) == (False, None)


def test_where_no_segment_can_be_begun_the_rest_is_doubtful() -> None:
    call, commands = with_agent(JOINS, wiring=NO_SEGMENTS, on_join=OnJoin.CONTINUE)
    assert commands == (joined(OTHER, "accepted", 3), SHOWN)
    assert call.capture.segment.doubtful_since_ms == 1_000
    later, _ = told(call, company(4_000, OTHER, THIRD))
    assert later.capture.segment.doubtful_since_ms == 1_000


# -- who is told -------------------------------------------------------------------------------


def test_a_newcomer_is_muted_at_once_and_told() -> None:
    _, commands = with_agent(JOINS)
    assert commands == (
        joined(OTHER, "unknown", 3),
        SHOWN,
        SetMute(Mute.OTHERS),
        muted_others("JOINED"),
        *whisper(OTHER.channel, 2),
    )


def test_who_was_told_is_kept_in_a_new_segment() -> None:
    call, commands = with_agent(*WHISPERING, *HEARD)
    assert commands == (was_told(OTHER), *WHISPER_ENDS, *begins())
    slip = blank(1_000, 1_010, of_ms=2_200)
    _, commands = told(call, MixMonitorStarted(4_200))
    assert commands == (
        ClearDeadline(Deadline.SEGMENT),
        Judge(RECORDING, Expected(2_200, blanks=(slip,))),
        row(Kind.RECORDING_STARTED, NEXT_RECORDING, evidence="mixmonitor_start"),
        SetDeadline(Deadline.GROWTH, LIMITS.growth_ms),
    )


def test_who_was_told_is_kept_behind_a_row_where_no_segment_can_be_begun() -> None:
    _, commands = with_agent(*WHISPERING, *HEARD, wiring=NO_SEGMENTS)
    assert commands == (
        was_told(OTHER),
        *WHISPER_ENDS,
        row(Kind.CAPTURE_RESUMED, mute="none"),
        CommitCommand(),
        SetMute(Mute.NONE),
    )


def test_the_notice_for_those_who_join_is_another_where_there_is_one() -> None:
    wording = Wording("ja", "", "sound:/prompts/ja/joined", 500, "w" * 64, "j" * 64)
    notice = Notice("joined", "2", (PurposeCode("SERVICE"),), {"ja": wording})
    call, commands = with_agent(JOINS, joined=notice)
    assert [c.media for c in commands if hasattr(c, "media")] == ["sound:/prompts/ja/joined"]
    _, (told_row, *_) = told(call, *whispered(2, 3_100, 3_600))
    assert isinstance(told_row, AppendRow)
    assert (told_row.kind, told_row.detail["notice"]) == (Kind.PARTY_TOLD, "joined/2/ja")


def test_two_who_come_together_are_told_one_after_the_other() -> None:
    call, commands = with_agent(company(3_000, AGENT, OTHER, THIRD))
    assert commands[-2:] == whisper(OTHER.channel, 2)
    call, commands = told(call, *HEARD)
    assert commands == (was_told(OTHER), *WHISPER_ENDS, *whisper(THIRD.channel, 3))
    _, commands = told(call, *whispered(3, 4_200, 5_200))
    assert commands == (was_told(THIRD), *WHISPER_ENDS, *begins())


def test_a_third_who_comes_meanwhile_waits_for_his_turn() -> None:
    call, commands = with_agent(*WHISPERING, company(3_500, AGENT, OTHER, THIRD))
    assert commands == (joined(THIRD, "unknown", 4), SHOWN)
    assert told(call, *HEARD)[1][-2:] == whisper(THIRD.channel, 3)


def test_another_playback_says_nothing_of_a_whisper() -> None:
    call, _ = with_agent(*WHISPERING)
    assert told(call, *whispered(1, 3_100, 4_100)) == (call, ())


# -- who is not told ---------------------------------------------------------------------------

CUT = PlaybackFinished(playback_id(CALL, 2), True, 4_000, 4_000)
FAILED = PlaybackFinished(playback_id(CALL, 2), False, 3_200, 3_200)
NOT_TOLD = [
    ((HEARD[0], CUT), Reason.NOTICE_CUT_SHORT),
    ((HEARD[0], FAILED), Reason.NOTICE_FAILED),
    ((HEARD[1],), Reason.NOTICE_CUT_SHORT),
    ((CommandFailed(CommandStep.WHISPER),), Reason.ASTERISK_REFUSED),
    ((CommandFailed(CommandStep.WHISPER), FAILED), Reason.ASTERISK_REFUSED),
]


@pytest.mark.parametrize(("events", "reason"), NOT_TOLD)
def test_a_party_that_was_not_told_ends_the_recording(
    events: tuple[CallEvent, ...], reason: Reason
) -> None:
    call, commands = with_agent(*WHISPERING, events[0], *events[1:])
    if len(events) < 2 or events[0] == HEARD[0]:
        assert commands == (SetDeadline(Deadline.WHISPER, LEFT_MS),), "perhaps it left"
    _, commands = told(call, NOT_LEFT)
    end = stopped(StopReason.PARTY_NOT_TOLD, Status.NOT_RECORDED)
    assert commands == (was_not_told(OTHER, reason), *WHISPER_ENDS, *end)


@pytest.mark.parametrize(("events", "_reason"), NOT_TOLD)
def test_a_party_whose_whisper_failed_because_it_left_ends_nothing(
    events: tuple[CallEvent, ...], _reason: Reason
) -> None:
    call, commands = with_agent(*WHISPERING, *events, company(4_500, AGENT))
    assert commands == (was_not_told(OTHER, Reason.PARTY_LEFT), *WHISPER_ENDS, *begins())
    assert told(call, NOT_LEFT) == (call, ())


def test_a_whisper_that_never_ends_ends_the_recording() -> None:
    call, commands = with_agent(*WHISPERING, HEARD[0], NOT_LEFT)
    reason = Reason.NOTICE_TIMED_OUT
    end = stopped(StopReason.PARTY_NOT_TOLD, Status.NOT_RECORDED)
    assert commands == (was_not_told(OTHER, reason), *WHISPER_ENDS, *end)
    assert told(call, HEARD[1]) == (call, ()), "too late"


def test_who_leaves_in_the_whisper_was_not_told() -> None:
    """The one who stays may have been lost to MixMonitor: it begins anew."""
    call, commands = with_agent(*WHISPERING, HEARD[0], company(3_500, AGENT))
    assert commands == (was_not_told(OTHER, Reason.PARTY_LEFT), *WHISPER_ENDS, *begins())
    assert told(call, HEARD[1]) == (call, ())


def test_all_leave_in_the_whisper() -> None:
    _, commands = with_agent(*WHISPERING, HEARD[0], company(3_500))
    assert commands == (
        was_not_told(OTHER, Reason.PARTY_LEFT),
        *WHISPER_ENDS,
    )


def test_nobody_is_unmuted_where_nobody_is() -> None:
    """Who comes next decides; and the channel may be about to end."""
    call, _ = with_agent(*WHISPERING, HEARD[0], company(3_500))
    assert call.capture.segment.mute is Mute.OTHERS
    _, commands = told(call, company(4_000, AGENT))
    assert commands == begins(NEXT_RECORDING)


def test_a_transfer_in_the_whisper_goes_on_to_the_next() -> None:
    call, _ = with_agent(*WHISPERING, HEARD[0])
    call, commands = told(call, TransferSeen(3_400))
    assert commands == (), "muted already"
    _, commands = told(call, company(3_500, THIRD))
    assert commands == (
        joined(THIRD, "unknown", 4),
        was_not_told(OTHER, Reason.PARTY_LEFT),
        *WHISPER_ENDS,
        SHOWN,
        *whisper(THIRD.channel, 3),
    )


def test_who_asks_for_the_end_in_the_whisper_ends_it_too() -> None:
    """Nobody is told of a recording that there is not."""
    call, commands = with_agent(*WHISPERING, HEARD[0], StopAsked(3_500))
    end = stopped(StopReason.ASKED, Status.NOT_RECORDED)
    assert commands[1:] == (*WHISPER_ENDS, *end)
    assert told(call, HEARD[1]) == (call, ())


# -- when it must end --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "changed", "reason"),
    [
        (OTHER, {"on_join": OnJoin.STOP}, StopReason.JOINED),
        (replace(OTHER, cover=CoverageBasis.REFUSED), {}, StopReason.PARTY_REFUSED),
        (
            replace(OTHER, cover=CoverageBasis.REFUSED),
            {"on_join": OnJoin.CONTINUE},
            StopReason.PARTY_REFUSED,
        ),
    ],
)
def test_who_must_not_be_kept_ends_the_recording(
    peer: Participant, changed: dict[str, object], reason: StopReason
) -> None:
    call, commands = with_agent(company(3_000, AGENT, peer), **changed)
    how = "refused" if peer.cover is CoverageBasis.REFUSED else "unknown"
    assert commands == (joined(peer, how, 3), SHOWN, *stopped(reason, Status.NOT_RECORDED))
    again, commands = told(call, company(4_000, AGENT))
    assert (again.capture.runs, commands) == (False, ())


@pytest.mark.parametrize("consent", [Consent.OPT_OUT, Consent.OPT_IN])
def test_a_whisper_cannot_ask_so_who_must_be_asked_ends_the_recording(consent: Consent) -> None:
    call, _ = with_agent(*WHISPERING[:0])
    stage = decided(call)
    asks = replace(stage, policy=replace(stage.policy, consent=consent))
    _, commands = told(replace(call, stage=asks), JOINS)
    end = stopped(StopReason.JOINED, Status.NOT_RECORDED)
    assert commands == (joined(OTHER, "unknown", 3), SHOWN, *end)


def test_who_refuses_later_is_not_covered_any_more() -> None:
    refused = replace(AGENT, cover=CoverageBasis.REFUSED)
    _, commands = with_agent(company(3_000, refused))
    assert commands == stopped(StopReason.PARTY_REFUSED, Status.NOT_RECORDED)


def test_without_the_controller_nothing_is_recorded() -> None:
    """Also if all who are there have heard the notice."""
    call, _ = told(arrived(wiring=LISTED), *IN_DIALPLAN, MixMonitorStarted(1_030), BRIDGED)
    call, commands = told(call, company(2_000, STAFF, OTHER), *whispered(2, 2_100, 3_100))
    assert was_told(OTHER) in commands
    _, commands = told(call, company(5_000, OTHER))
    assert commands[-5:] == stopped(StopReason.CONTROLLER_LEFT, Status.NOT_RECORDED)


@pytest.mark.parametrize("cover", [CoverageBasis.UNKNOWN, CoverageBasis.TOLD])
def test_where_staff_is_listed_everybody_else_is_outside(cover: CoverageBasis) -> None:
    call, _ = told(arrived(wiring=LISTED), *IN_DIALPLAN, MixMonitorStarted(1_030), BRIDGED)
    peer = replace(OTHER, cover=cover)
    _, commands = told(call, company(2_000, peer))
    end = stopped(StopReason.CONTROLLER_LEFT, Status.NOT_RECORDED)
    assert commands == (joined(peer, cover, 2), *end)


def test_nobody_there_is_no_company_without_a_controller() -> None:
    call, _ = with_agent(company(3_000))
    assert (call.participants.peers, call.capture.stopping) == ((), False)
    waiting, _ = told(arrived(wiring=LISTED), *IN_DIALPLAN, MixMonitorStarted(1_030))
    assert told(waiting, company(2_000))[1] == ()


# -- a transfer is announced -------------------------------------------------------------------


def test_a_sign_that_somebody_may_come_mutes_the_others() -> None:
    call, commands = with_agent(TransferSeen(3_000))
    assert commands == (SetMute(Mute.OTHERS), muted_others("TRANSFER"))
    assert told(call, TransferSeen(3_100))[1] == ()
    call, _ = told(call, MuteChanged(Mute.OTHERS, 3_010), company(3_200))
    assert call.capture.segment.mute is Mute.OTHERS, "the agent left, and nobody came yet"
    _, commands = told(call, company(4_000, AGENT))
    assert commands == (row(Kind.CAPTURE_RESUMED, mute="none"), CommitCommand(), SetMute(Mute.NONE))


def test_a_dialled_leg_before_the_first_company_is_no_sign() -> None:
    call, _ = told(arrived(), *IN_DIALPLAN, MixMonitorStarted(1_030))
    assert told(call, TransferSeen(1_500)) == (call, ())


def test_a_transfer_in_the_notice_changes_nothing_of_it() -> None:
    call, commands = told(arrived(), STARTED, TransferSeen(300), company(400))
    assert commands == ()
    assert ALLOWED in told(call, *TOLD[1:])[1]


# -- a leg that joins --------------------------------------------------------------------------


def test_a_leg_that_joins_is_told_and_has_no_recording_of_its_own() -> None:
    leg = arrived(leg=Leg.CALLEE, joins=True)
    call, commands = told(leg, *TOLD)
    assert commands[-3:] == (
        CommitCommand(),
        replace(ALLOWED, recording=None, start=False, options=None),
        Continue(),
    )
    call, commands = told(call, *IN_DIALPLAN[2:], MixMonitorStarted(1_030), BRIDGED, JOINS)
    assert commands == (), "whose call it is says who is there"
    assert not call.capture.is_open


def test_an_unrecorded_call_says_nothing_of_its_company() -> None:
    unrecorded, _ = told(arrived(policy=Reason.POLICY_MISSING), *IN_DIALPLAN[2:])
    call, commands = told(unrecorded, BRIDGED, JOINS)
    assert (call.participants.numbered, commands) == (1, ())
