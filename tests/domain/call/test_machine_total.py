"""Every event is possible in every phase, whatever came before: none breaks a call."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    Command,
    CommandStep,
    CommitCommand,
    Deadline,
    Forget,
    HandOver,
    Mute,
    RemoveRecording,
    RemoveSpooled,
    StartSegment,
)
from asterisk_compliance.domain.call.decision import UNSTORABLE
from asterisk_compliance.domain.call.events import (
    AskedBy,
    Bridged,
    CallEvent,
    CaptureGoesOn,
    CaptureStopped,
    ChannelGone,
    CommandFailed,
    CompanyChanged,
    Continued,
    DeadlinePassed,
    DiallerGone,
    DigitReceived,
    DoNotCallAsked,
    EventsOverflowed,
    FileAppeared,
    FileGrew,
    FileStopped,
    HangupRequested,
    LateRowsSettled,
    LeftStasis,
    LookedAway,
    MixMonitorStarted,
    MuteChanged,
    MuteRefused,
    PauseAsked,
    PlaybackFinished,
    PlaybackStarted,
    RecordingJudged,
    RecordingRemoved,
    Reentered,
    ResumeAsked,
    RowsLate,
    RowsRefused,
    SegmentRefused,
    ServiceHung,
    ServiceStopping,
    SpoolKept,
    SpoolRemoved,
    StartAsked,
    StopAsked,
    StorageChanged,
    TransferSeen,
    Unbridged,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import CallPhase, DialplanWiring
from asterisk_compliance.domain.policy.notice import (
    AgentConsent,
    CaptureFrom,
    Consent,
    OnJoin,
    OnPauseForgotten,
    OnProblem,
    OnWithdrawal,
)
from asterisk_compliance.domain.recording.verdict import CaptureOutcome, Length, RecordingVerdict
from asterisk_compliance.ids import playback_id, recording_id
from domain.leg_traces import AGENT, OTHER, THIRD
from domain.simulator import CALL, policy
from domain.traces import (
    ASKED,
    CLOSING,
    MISSING,
    RECORDED,
    RECORDING,
    STARTED,
    TOLD,
    arrived,
    key,
    told,
)
from values import replace

times = st.integers(0, 100_000)
playbacks = st.sampled_from([playback_id(CALL, number) for number in (1, 2, 3)])
recordings = st.sampled_from([recording_id(CALL, number) for number in (0, 1, 2, 3)])
verdicts = st.builds(
    RecordingVerdict,
    st.sampled_from(CaptureOutcome),
    st.none() | times,
    times,
    st.sampled_from(Length),
)
who = st.builds(AskedBy, st.sampled_from([Actor.AGENT, Actor.CALLER, Actor.DIALPLAN]))
undone = st.lists(
    st.builds(RemoveSpooled, recordings) | st.builds(RemoveRecording, recordings), max_size=2
).map(tuple)
peers = st.lists(
    st.builds(
        Participant,
        st.sampled_from([AGENT.channel, OTHER.channel, THIRD.channel]),
        st.sampled_from(CoverageBasis),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda peer: peer.channel,
).map(tuple)
events = st.one_of(
    *(
        st.builds(kind)
        for kind in (
            Reentered,
            HangupRequested,
            LeftStasis,
            ServiceStopping,
            ServiceHung,
            EventsOverflowed,
        )
    ),
    *(
        st.builds(kind, times)
        for kind in (
            Continued,
            Bridged,
            Unbridged,
            ChannelGone,
            MixMonitorStarted,
            TransferSeen,
            DiallerGone,
            LookedAway,
        )
    ),
    *(
        st.builds(kind, times, who)
        for kind in (StartAsked, StopAsked, WithdrawalAsked, DoNotCallAsked)
    ),
    *(
        st.builds(kind, recordings, times)
        for kind in (FileAppeared, FileGrew, FileStopped, CaptureStopped, SegmentRefused)
    ),
    *(st.builds(kind, recordings) for kind in (SpoolKept, CaptureGoesOn)),
    *(st.builds(kind, st.sampled_from(Mute), times) for kind in (MuteChanged, MuteRefused)),
    st.builds(PauseAsked, st.sampled_from(["CARD", "PRIVATE"]), times, who),
    st.builds(ResumeAsked, times, who, st.booleans()),
    st.builds(CompanyChanged, times, peers, st.booleans()),
    st.builds(PlaybackStarted, playbacks, times, st.none() | times),
    st.builds(PlaybackFinished, playbacks, st.booleans(), times, st.none() | times),
    st.builds(CommandFailed, st.sampled_from(CommandStep), st.booleans()),
    st.builds(RowsRefused, st.booleans(), undone),
    st.builds(StorageChanged, st.sampled_from([*sorted(UNSTORABLE), None])),
    st.builds(RowsLate, undone),
    st.builds(LateRowsSettled, st.booleans(), undone),
    st.builds(DeadlinePassed, st.sampled_from(Deadline), times),
    st.builds(DigitReceived, st.sampled_from("159*#"), times),
    st.builds(RecordingJudged, recordings, verdicts),
    st.builds(SpoolRemoved, recordings, st.integers(0, 2)),
    st.builds(RecordingRemoved, recordings, st.booleans()),
)
PREFIXES = {
    CallPhase.NOTICE: (STARTED,),
    CallPhase.ASKING: ASKED,
    CallPhase.TELLING: (STARTED, key("9")),
    CallPhase.CONTINUING: TOLD,
    CallPhase.DIALPLAN: RECORDED,
    CallPhase.CLOSING: CLOSING,
    CallPhase.OVER: (*CLOSING, RecordingJudged(RECORDING, MISSING)),
}
CONSENTS = {
    CallPhase.NOTICE: list(Consent),
    CallPhase.ASKING: [Consent.OPT_OUT, Consent.OPT_IN],
    CallPhase.TELLING: [Consent.OPT_OUT, Consent.OPT_IN],
}
"""Which policies lead to a phase by its prefix; the others do it by notice alone."""


def test_every_event_is_among_those_that_may_come() -> None:
    examples: set[type] = set()

    @settings(max_examples=500, database=None, derandomize=True)
    @given(events)
    def draw(event: CallEvent) -> None:
        examples.add(type(event))

    draw()
    assert examples == set(get_args(CallEvent))


@pytest.mark.parametrize("phase", CallPhase)
def test_the_phases_are_reached(phase: CallPhase) -> None:
    for consent in CONSENTS.get(phase, [Consent.NOTICE]):
        asked = policy(consent=consent, on_problem=OnProblem.TELL)
        assert told(arrived(policy=asked), *PREFIXES[phase])[0].phase is phase


@st.composite
def policies(draw: st.DrawFn, consents: list[Consent], on_problem: OnProblem | None):
    values = {
        "on_join": OnJoin,
        "agent_consent": AgentConsent,
        "on_recording_failure": OnProblem,
        "on_pause_forgotten": OnPauseForgotten,
        "on_withdrawal": OnWithdrawal,
    }
    terms = policy(
        draw(st.sampled_from(CaptureFrom)),
        draw(st.sampled_from(consents)),
        on_problem or draw(st.sampled_from(OnProblem)),
    )
    return replace(terms, **{name: draw(st.sampled_from(kind)) for name, kind in values.items()})


@pytest.mark.parametrize("phase", CallPhase)
@given(coming=st.lists(events, max_size=25), data=st.data())
@settings(max_examples=200, deadline=None)
def test_every_event_is_possible_in_every_phase(
    phase: CallPhase, coming: list[CallEvent], data: st.DataObject
) -> None:
    consents = CONSENTS.get(phase, [Consent.NOTICE])
    on_problem = OnProblem.TELL if phase is CallPhase.TELLING else None
    terms = data.draw(policies(consents, on_problem))
    wiring = data.draw(st.builds(DialplanWiring, st.booleans(), st.booleans(), st.booleans()))
    call, _ = told(arrived(policy=terms, wiring=wiring), *PREFIXES[phase])
    for event in coming:
        before = call
        call, commands = rules.step(call, event)
        assert all(isinstance(command, get_args(Command)) for command in commands)
        ends = call.phase is CallPhase.OVER and before.phase is not CallPhase.OVER
        assert (Forget() in commands) == ends
        if before.phase is CallPhase.OVER:
            assert (call, commands) == (before, ())
        _nothing_begins_where_it_may_not(before, commands)


def _nothing_begins_where_it_may_not(before, commands: tuple[Command, ...]) -> None:
    for at, command in enumerate(commands):
        if isinstance(command, StartSegment):
            assert CommitCommand() in commands[:at]
            assert not before.consent.withdrawn
            assert not before.capture.stopping
        if isinstance(command, HandOver) and command.start and not before.decision:
            assert CommitCommand() in commands[:at]
    decisions = [c for c in commands if isinstance(c, AppendRow) and c.kind is Kind.DECISION]
    assert len(decisions) <= (before.decision is None)
