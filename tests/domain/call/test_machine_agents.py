"""Agents on a recorded call, as traces: whose consent it takes, and what they are shown."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    CaptureOptions,
    CommitCommand,
    HandOver,
    Judge,
    Mute,
    SetMute,
    Show,
    StartSegment,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    ChannelGone,
    CompanyChanged,
    LookedAway,
    MixMonitorStarted,
    MuteChanged,
    StopAsked,
    TransferSeen,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import DialplanWiring
from asterisk_compliance.domain.policy.notice import AgentConsent, CaptureFrom, OnJoin
from asterisk_compliance.domain.recording.verdict import Expected, Tracks
from asterisk_compliance.ids import ChannelId
from domain.call_builder import a_call
from domain.leg_traces import (
    AGENT,
    BRIDGED,
    NEXT_RECORDING,
    NO_SEGMENTS,
    OTHER,
    STAFF,
    begins,
    blank,
    company,
    joined,
    muted_others,
    was_told,
    whispered,
    with_agent,
)
from domain.simulator import policy
from domain.traces import GONE, IN_DIALPLAN, RECORDING, STARTED, TOLD, arrived, told
from values import replace

REQUIRED = {"agent_consent": AgentConsent.REQUIRED, "on_join": OnJoin.CONTINUE}
CONSENTING = replace(AGENT, consenting=True)
RUNNING = (*IN_DIALPLAN, MixMonitorStarted(1_030), BRIDGED)


def asked_of_agents(**changed: object):
    return arrived(policy=replace(policy(), **REQUIRED), **changed)


# -- the consent of agents -----------------------------------------------------------------------


def test_before_an_agent_is_known_the_caller_alone_is_captured() -> None:
    _, commands = told(asked_of_agents(), *TOLD)
    (handed,) = [command for command in commands if isinstance(command, HandOver)]
    assert handed.options == CaptureOptions(others=False)


def test_an_agent_with_consent_on_file_is_captured_in_a_new_segment() -> None:
    call, commands = told(asked_of_agents(), *RUNNING, company(2_000, CONSENTING))
    assert commands == (joined(CONSENTING, "assumed", 2), *begins())
    _, commands = told(call, MixMonitorStarted(2_200))
    assert commands[1] == Judge(RECORDING, Expected(200, others=False))


def test_an_agent_without_is_not_captured_nor_is_anything_muted_for_it() -> None:
    call, commands = told(asked_of_agents(), *RUNNING, company(2_000, AGENT))
    assert commands == (joined(AGENT, "assumed", 2),)
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(7_000, others=False))


def test_who_consents_is_not_captured_while_somebody_uncovered_is_there() -> None:
    terms = {**REQUIRED, "on_join": OnJoin.RENOTIFY}
    call = arrived(policy=replace(policy(), **terms))
    outsider = replace(OTHER, consenting=True)
    call, _ = told(call, *RUNNING, company(2_000, AGENT))
    call, commands = told(call, company(3_000, outsider))
    assert not [command for command in commands if isinstance(command, StartSegment)]
    _, commands = told(call, *whispered(2, 3_100, 4_100))
    assert commands[0] == was_told(outsider)
    assert [command for command in commands if isinstance(command, StartSegment)] != []


def test_an_agent_without_consent_who_comes_later_is_muted_for_as_long_as_he_is_there() -> None:
    call, _ = told(asked_of_agents(), *RUNNING, company(2_000, CONSENTING))
    call, _ = told(call, MixMonitorStarted(2_200))
    call, commands = told(call, company(3_000, CONSENTING, OTHER))
    assert commands[-2:] == (
        SetMute(Mute.OTHERS),
        muted_others("AGENT_CONSENT", NEXT_RECORDING),
    )
    call, commands = told(call, MuteChanged(Mute.OTHERS, 3_010), company(5_000, CONSENTING))
    assert isinstance(commands[-2], StartSegment), "and then the others are captured anew"
    assert CommitCommand() in commands


def test_where_no_segment_can_be_begun_nobody_but_the_caller_is_ever_captured() -> None:
    call = asked_of_agents(wiring=NO_SEGMENTS)
    call, commands = told(call, *RUNNING, company(2_000, CONSENTING))
    assert commands == (joined(CONSENTING, "assumed", 2),)


# -- who is there early, or was there while nobody looked -----------------------------------------


def test_a_company_of_a_time_before_the_notice_is_nobodys() -> None:
    """AMI can be behind ARI: what it tells late must not make a controller."""
    call, commands = told(arrived(), STARTED, company(300, OTHER), company(400))
    assert commands == ()
    _, commands = told(call, *TOLD[1:], *IN_DIALPLAN[2:], BRIDGED, company(2_000, AGENT))
    assert commands == (joined(AGENT, "assumed", 2),)


@pytest.mark.parametrize("peer", [AGENT, replace(OTHER, cover=CoverageBasis.REFUSED)])
def test_a_company_that_is_there_when_the_call_goes_on_counts_then(peer) -> None:
    call, _ = told(arrived(), STARTED, company(300, peer), *TOLD[1:])
    call, commands = told(call, IN_DIALPLAN[2])
    how = "refused" if peer.cover is CoverageBasis.REFUSED else "assumed"
    assert commands[:2] == (AppendRow(Kind.CALL_CONTINUED), joined(peer, how, 2))
    assert call.capture.stopping == (how == "refused")


def test_what_was_told_since_counts_more() -> None:
    call, _ = told(arrived(), STARTED, company(300, OTHER), *TOLD[1:], company(1_015, AGENT))
    assert told(call, IN_DIALPLAN[2])[1] == (AppendRow(Kind.CALL_CONTINUED),)


def test_who_came_while_nobody_looked_may_have_been_there_all_the_time() -> None:
    call, commands = with_agent(LookedAway(3_000))
    assert commands == ()
    call, commands = told(call, company(5_000, AGENT, OTHER), MuteChanged(Mute.OTHERS, 5_010))
    slip = blank(1_000, 3_010, of_ms=7_000)
    # How long it was bridged nobody saw either.
    assert told(call, GONE)[1][-1] == Judge(RECORDING, Expected(None, blanks=(slip,)))


def test_a_slip_that_is_known_of_begins_earlier_if_nobody_looked_before() -> None:
    call, _ = with_agent(TransferSeen(4_000), LookedAway(3_000), company(5_000, OTHER))
    assert call.capture.segment.slipping_since_ms == 1_000, (
        "as long ago, or less: the file may have stood still"
    )


@pytest.mark.parametrize("seen", [company(5_000, AGENT), CompanyChanged(5_000, ())])
def test_where_nobody_came_nothing_is_blanked(seen: CompanyChanged) -> None:
    call, _ = with_agent(LookedAway(3_000), seen)
    assert (call.capture.segment.slipping_since_ms, call.visibility.view_gap_since_ms) == (
        None,
        None,
    )


# -- what an agent is shown ------------------------------------------------------------------------

SHOWS = DialplanWiring(shows=True)


def test_an_agent_who_comes_is_shown_what_the_call_is() -> None:
    _, commands = told(arrived(wiring=SHOWS), *RUNNING, company(2_000, AGENT))
    assert commands == (joined(AGENT, "assumed", 2), Show(Status.ALLOWED, (AGENT.channel,)))


def test_of_a_recording_that_nobody_asked_for_he_is_shown_that_there_is_none() -> None:
    terms = policy(CaptureFrom.ON_DEMAND)
    _, commands = told(arrived(wiring=SHOWS, policy=terms), *RUNNING, company(2_000, AGENT))
    assert commands[-1] == Show(Status.NOT_RECORDED, (AGENT.channel,))


def test_a_party_that_is_no_agent_is_shown_nothing() -> None:
    wiring = replace(SHOWS, staff_known=True)
    call, commands = told(arrived(wiring=wiring), *RUNNING, company(2_000, STAFF, OTHER))
    assert Show(Status.ALLOWED, (STAFF.channel,)) in commands
    _, commands = told(call, *whispered(2, 2_100, 3_100))
    assert not [command for command in commands if isinstance(command, Show)]


def test_where_no_staff_is_listed_who_was_told_is_shown_it_too() -> None:
    call, _ = with_agent(company(3_000, AGENT, OTHER), wiring=SHOWS)
    _, commands = told(call, *whispered(2, 3_100, 4_100))
    assert Show(Status.RECORDING, (OTHER.channel,)) in commands


@pytest.mark.parametrize(
    ("cover", "shown"),
    [(CoverageBasis.UNKNOWN, True), (CoverageBasis.TOLD, False), (CoverageBasis.REFUSED, False)],
)
def test_of_a_call_that_is_not_recorded_whoever_did_not_come_through_us_is_shown_it(
    cover: CoverageBasis, shown: bool
) -> None:
    call = arrived(policy=Reason.POLICY_MISSING, wiring=SHOWS)
    peer = replace(AGENT, cover=cover)
    _, commands = told(call, *IN_DIALPLAN[2:], BRIDGED, company(2_000, peer))
    show = (Show(Status.NOT_RECORDED, (AGENT.channel,)),)
    assert commands == (show if shown else ())


def test_of_a_call_that_was_stopped_he_is_shown_that() -> None:
    _, commands = with_agent(StopAsked(3_000), company(4_000, OTHER), wiring=SHOWS)
    assert not [command for command in commands if isinstance(command, Show)]
    _, commands = with_agent(
        StopAsked(3_000), company(4_000, OTHER), wiring=SHOWS, on_join=OnJoin.CONTINUE
    )
    assert commands[-1] == Show(Status.NOT_RECORDED, (OTHER.channel,))


def test_a_segment_that_nobody_saw_begin_keeps_no_agent_without_consent() -> None:
    """It captures the others, for an agent who consents; one who does not takes his place."""
    consenting = Participant(ChannelId("1700000000.2"), consenting=True)
    unasked = Participant(ChannelId("1700000000.3"))
    terms = replace(policy(), agent_consent=AgentConsent.REQUIRED)
    trace = a_call(policy=terms).told().recorded()
    assert not trace.call.capture.segment.others
    trace = trace.joined_by(consenting, at_ms=2_600)
    requested = trace.call.capture.requested_segment
    assert requested is not None
    assert requested.others
    trace = trace.joined_by(unasked, at_ms=2_700).then(ChannelGone(2_900))
    (judged,) = (
        command.expected
        for command in trace.commands
        if isinstance(command, Judge) and command.recording == NEXT_RECORDING
    )
    assert judged.others
    assert [one.tracks for one in judged.blanks] == [Tracks.BOTH]
