"""What nobody should do and somebody does: at every moment of a call, and again and again."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    Command,
    CommitCommand,
    Forget,
    HandOver,
    Judge,
    Mute,
    Play,
    RemoveRecording,
    RemoveSpooled,
    SetMute,
    StartSegment,
    StopCapture,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CaptureStopped,
    ChannelGone,
    EventsOverflowed,
    FileAppeared,
    HangupRequested,
    LeftStasis,
    MixMonitorStarted,
    MuteChanged,
    PauseAsked,
    RecordingJudged,
    RecordingRemoved,
    ResumeAsked,
    RowsRefused,
    SpoolRemoved,
    StartAsked,
    StopAsked,
    TransferSeen,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.participants import CoverageBasis
from asterisk_compliance.domain.call.state import Call, CallPhase
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem, OnWithdrawal
from domain.leg_traces import (
    AGENT,
    CALLER,
    LISTED,
    NEXT_RECORDING,
    OTHER,
    STAFF,
    THIRD,
    company,
    grew,
    on_demand,
    whispered,
    with_agent,
)
from domain.simulator import policy
from domain.traces import (
    ASKING,
    CONTINUED,
    GONE,
    IN_DIALPLAN,
    RECORDING,
    STARTED,
    TOLD,
    UNJUDGED,
    WHOLE,
    arrived,
    asked,
    key,
    told,
)
from values import replace

# -- digits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("consent", ASKING)
def test_a_flood_of_digits_decides_once_and_plays_no_more_than_allowed(consent: Consent) -> None:
    call, commands, done = asked(consent), (), []
    for at, digit in enumerate("*#5*#01*#" * 200):
        call, commands = rules.step(call, key(digit, at))
        done += commands
    assert len([command for command in done if isinstance(command, Play)]) == 1, "repeats_max"
    assert call.phase is CallPhase.NOTICE
    for at, digit in enumerate("9" * 1_000):
        call, commands = rules.step(call, key(digit, 2_000 + at))
        done += commands
    rows = [command.kind for command in done if isinstance(command, AppendRow)]
    assert rows == [Kind.CONSENT, Kind.DECISION]


def test_a_flood_of_digits_in_the_call_means_nothing_here() -> None:
    """A sequence of them is the dialplan's to hear (``features.conf``)."""
    call, _ = with_agent()
    for at, digit in enumerate("019*#ABCD" * 100):
        assert told(call, key(digit, 3_000 + at)) == (call, ())


@pytest.mark.parametrize(
    ("digits", "status"),
    [("19", Status.REFUSED), ("91", Status.REFUSED), ("11", Status.ALLOWED)],
)
def test_two_digits_in_the_same_moment_of_the_prompt(digits: str, status: Status) -> None:
    call, _ = told(asked(Consent.OPT_IN), STARTED, *(key(d, 500) for d in digits), TOLD[1])
    assert call.decision is not None
    assert call.decision.status is status


@pytest.mark.parametrize("digit", "19*#")
@pytest.mark.parametrize("consent", ASKING)
def test_a_digit_after_the_hang_up_records_nobody(consent: Consent, digit: str) -> None:
    hung_up = (*TOLD, HangupRequested(), key(digit, 1_100))
    call, _ = told(asked(consent), *hung_up, LeftStasis(), GONE)
    assert call.phase is CallPhase.OVER
    assert call.decision is not None
    assert not call.decision.allowed
    assert not call.capture.is_open
    assert told(call, key(digit, 9_100)) == (call, ())


# -- every moment of a long call -----------------------------------------------------------------

REFUSED = replace(OTHER, cover=CoverageBasis.REFUSED)
LIVES: dict[str, tuple[Call, tuple[CallEvent, ...]]] = {
    "transferred, told, withdrawn": (
        arrived(policy=replace(policy(), on_withdrawal=OnWithdrawal.DELETE)),
        (
            *IN_DIALPLAN,
            MixMonitorStarted(1_030),
            company(2_000, AGENT),
            grew(RECORDING, 2_500),
            TransferSeen(2_600),
            MuteChanged(Mute.OTHERS, 2_610),
            company(2_700, OTHER),
            *whispered(2, 2_800, 3_800),
            MixMonitorStarted(3_900),
            RecordingJudged(RECORDING, WHOLE),
            SpoolRemoved(RECORDING, 2),
            PauseAsked("CARD", 4_000),
            MuteChanged(Mute.ALL, 4_010),
            ResumeAsked(4_500),
            MuteChanged(Mute.NONE, 4_510),
            WithdrawalAsked(5_000, CALLER),
            CaptureStopped(NEXT_RECORDING, 5_020),
            RecordingRemoved(RECORDING, gone=True),
            RecordingJudged(NEXT_RECORDING, WHOLE),
            SpoolRemoved(NEXT_RECORDING, 2),
            RecordingRemoved(NEXT_RECORDING, gone=True),
        ),
    ),
    "on demand, with somebody to be told": (
        arrived(policy=policy(CaptureFrom.ON_DEMAND, on_problem=OnProblem.TELL)),
        (
            *IN_DIALPLAN,
            company(2_000, AGENT),
            company(2_100, AGENT, OTHER),
            StartAsked(2_200),
            PauseAsked("CARD", 2_250),
            *whispered(2, 2_300, 3_300),
            FileAppeared(RECORDING, 3_400),
            MuteChanged(Mute.ALL, 3_410),
            ResumeAsked(3_500),
            StopAsked(4_000),
            CaptureStopped(RECORDING, 4_020),
            RecordingJudged(RECORDING, UNJUDGED),
        ),
    ),
    "staff among staff": (
        arrived(wiring=LISTED, policy=policy(CaptureFrom.NOTICE, Consent.OPT_IN)),
        (
            STARTED,
            key("1"),
            TOLD[1],
            CONTINUED,
            LeftStasis(),
            MixMonitorStarted(1_100),
            company(2_000, STAFF),
            grew(RECORDING, 2_500),
            company(3_000, replace(THIRD, cover=CoverageBasis.STAFF)),
            MixMonitorStarted(3_100),
            company(4_000, OTHER),
            CaptureStopped(NEXT_RECORDING, 4_020),
        ),
    ),
}


MOMENTS = [
    pytest.param(life, at, id=f"{life}-{at}")
    for life, (_, events) in LIVES.items()
    for at in range(len(events) + 1)
]


def lived(life: str, at: int) -> tuple[Call, list[tuple[Command, ...]]]:
    """The call after the first ``at`` events of its life, and what was done in each step."""
    call, events = LIVES[life]
    done = []
    for event in events[:at]:
        call, commands = rules.step(call, event)
        done.append(commands)
    return call, done


def ended(call: Call, done: list[tuple[Command, ...]]) -> Call:
    """Whatever was asked for is answered, and the call comes to its end."""
    waiting: list[CallEvent] = [HangupRequested(), LeftStasis(), ChannelGone(9_000)]
    for steps in done:
        waiting += _answers(steps, only=call.recordings.pending)
    while waiting:
        call, commands = rules.step(call, waiting.pop(0))
        done.append(commands)
        waiting += _answers(commands)
    return call


def _answers(commands: tuple[Command, ...], only: frozenset[str] | None = None) -> list[CallEvent]:
    found: list[CallEvent] = []
    for command in commands:
        match command:
            case Judge(recording=recording):
                found.append(RecordingJudged(recording, WHOLE))
            case RemoveSpooled(recording=recording):
                found.append(SpoolRemoved(recording, 2))
            case RemoveRecording(recording=recording):
                found.append(RecordingRemoved(recording, gone=True))
            case _:
                continue
        if only is not None and recording not in only:
            found.pop()
    return found


def check(call: Call, done: list[tuple[Command, ...]]) -> None:
    """What holds of every life, however it ended."""
    flat = [command for commands in done for command in commands]
    rows = [command for command in flat if isinstance(command, AppendRow)]
    assert call.phase is CallPhase.OVER
    assert [command for command in flat if isinstance(command, Forget)] == [Forget()]
    assert flat[-1] == Forget(), "nothing is done after the end"
    assert [row.kind for row in rows].count(Kind.DECISION) == 1
    begun = [c.recording for c in flat if isinstance(c, StartSegment)]
    begun += [c.recording for c in flat if isinstance(c, HandOver) and c.start and c.recording]
    judged = [c.recording for c in flat if isinstance(c, Judge)]
    assert sorted(judged) == sorted(begun), "what was begun is judged, once"
    for commands in done:
        for at, command in enumerate(commands):
            starts = isinstance(command, HandOver) and command.start
            if starts or isinstance(command, StartSegment | RemoveSpooled | RemoveRecording):
                assert CommitCommand() in commands[:at], f"{command} without a durable row"
            if isinstance(command, SetMute) and command.mute is Mute.NONE:
                assert CommitCommand() in commands[:at]


@pytest.mark.parametrize(("life", "at"), MOMENTS)
def test_a_hang_up_at_every_moment(life: str, at: int) -> None:
    call, done = lived(life, at)
    check(ended(call, done), done)


@pytest.mark.parametrize(("life", "at"), MOMENTS)
def test_a_channel_that_is_gone_without_a_word_at_every_moment(life: str, at: int) -> None:
    call, done = lived(life, at)
    call, commands = rules.step(call, ChannelGone(9_000))
    done.append(commands)
    check(ended(call, done), done)


@pytest.mark.parametrize(("life", "at"), MOMENTS)
@pytest.mark.parametrize("what", [RowsRefused(), EventsOverflowed(), StopAsked(8_000)])
def test_nothing_is_captured_after_a_failure_or_a_stop(life: str, at: int, what: CallEvent) -> None:
    """Events that come late included: what begins all the same is told to stop at once."""
    call, _ = lived(life, at)
    recorded = call.capture.is_wanted
    call, commands = rules.step(call, what)
    if isinstance(what, StopAsked) and not recorded:
        assert commands == (), "there is nothing to stop"
        return
    assert not call.capture.is_wanted
    for event in LIVES[life][1][at:]:
        if isinstance(event, StartAsked):
            continue  # who stopped a recording may ask for another
        call, commands = rules.step(call, event)
        assert not [c for c in commands if isinstance(c, StartSegment)]
        assert not [c for c in commands if isinstance(c, HandOver) and c.start]
        rows = [c.kind for c in commands if isinstance(c, AppendRow)]
        assert (Kind.RECORDING_STARTED in rows) == (StopCapture(call.recording) in commands)
        assert Announce(Status.RECORDING) not in commands


@pytest.mark.parametrize("life", LIVES)
def test_rows_that_are_refused_at_every_commit(life: str) -> None:
    """What stands behind the commit is not done, and the call still ends in order."""
    _, steps = lived(life, len(LIVES[life][1]))
    tried = 0
    for at, commands in enumerate(steps):
        for place, command in enumerate(commands):
            if command != CommitCommand():
                continue
            tried += 1
            call, done = lived(life, at + 1)
            undone = commands[place + 1 :]
            done[-1] = tuple(c for c in commands[:place] if not isinstance(c, AppendRow))
            call, after = rules.step(call, RowsRefused(at_commit=True, undone=undone))
            done.append(after)
            for event in LIVES[life][1][at + 1 :]:
                call, after = rules.step(call, event)
                done.append(after)
            check(ended(call, done), done)
    assert tried >= 2


@pytest.mark.parametrize(("life", "at"), MOMENTS)
def test_a_withdrawal_at_every_moment_is_the_last_word(life: str, at: int) -> None:
    call, done = lived(life, at)
    withdrawal = WithdrawalAsked(8_000)
    call, commands = rules.step(call, withdrawal)
    done.append(commands)
    assert rules.step(call, withdrawal) == (call, ())
    withdrawn = call.consent.withdrawn
    for event in LIVES[life][1][at:]:
        call, commands = rules.step(call, event)
        done.append(commands)
        if withdrawn:
            assert not [c for c in commands if isinstance(c, StartSegment)]
            lowered = [c for c in commands if isinstance(c, SetMute) and c.mute is Mute.NONE]
            assert lowered == []
            assert not call.capture.is_open or call.capture.stopping
    check(ended(call, done), done)


@pytest.mark.parametrize(("life", "at"), MOMENTS)
def test_a_party_that_refuses_comes_at_every_moment(life: str, at: int) -> None:
    call, done = lived(life, at)
    call, commands = rules.step(call, company(8_000, STAFF, REFUSED))
    done.append(commands)
    if call.decision is not None:
        assert not call.capture.is_wanted
    check(ended(call, done), done)


# -- out of order --------------------------------------------------------------------------------


def test_what_asterisk_says_twice_is_done_once() -> None:
    call, _ = with_agent()
    for event in (MixMonitorStarted(3_000), FileAppeared(RECORDING, 3_000), grew(RECORDING, 3_000)):
        assert told(call, event) == (call, ())
    call, _ = told(call, StopAsked(3_100), CaptureStopped(RECORDING, 3_120))
    assert told(call, CaptureStopped(RECORDING, 3_130)) == (call, ())


def test_what_was_never_begun_is_not_taken_in() -> None:
    call, _ = with_agent()
    for event in (
        RecordingJudged(RECORDING, WHOLE),
        RecordingJudged(NEXT_RECORDING, WHOLE),
        SpoolRemoved(RECORDING, 2),
        RecordingRemoved(RECORDING, gone=True),
    ):
        assert told(call, event) == (call, ())


def test_a_segment_that_nobody_asked_for_is_none() -> None:
    call, _ = on_demand()
    for event in (MixMonitorStarted(3_000), FileAppeared(RECORDING, 3_000), grew(RECORDING, 3_000)):
        assert told(call, event) == (call, ())
