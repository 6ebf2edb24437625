"""Traces of a recorded call with company: who is there, what is asked, and what follows.

The call is bridged at 2,000 ms, so that the clock of its file is 2,000 ms behind.
"""

from __future__ import annotations

from asterisk_compliance.domain.audit.rows import Actor, Detail, Kind
from asterisk_compliance.domain.call.commands import (
    Announce,
    AppendRow,
    CaptureOptions,
    ClearDeadline,
    Command,
    CommitCommand,
    Deadline,
    EndWhisper,
    SetDeadline,
    StartSegment,
    Whisper,
)
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import (
    AskedBy,
    Bridged,
    CallEvent,
    CompanyChanged,
    DeadlinePassed,
    FileGrew,
    MixMonitorStarted,
    PauseAsked,
    PlaybackFinished,
    PlaybackStarted,
    ResumeAsked,
    StartAsked,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import SLIP_BEFORE_MS, Call, DialplanWiring
from asterisk_compliance.domain.call.transitions.capture import SLIP_AFTER_MS
from asterisk_compliance.domain.policy.notice import CaptureFrom
from asterisk_compliance.domain.recording.verdict import Blank, Tracks
from asterisk_compliance.ids import ChannelId, RecordingId, party_id, playback_id, recording_id
from domain.simulator import ANNOUNCEMENT_MS, CALL, LIMITS, NOTICE_MS, policy
from domain.traces import GREW, IN_DIALPLAN, RECORDING, arrived, told
from values import replace

NEXT_RECORDING = recording_id(CALL, 2)
AGENT, OTHER, THIRD = (Participant(ChannelId(f"1700000001.{number}")) for number in (1, 2, 3))
STAFF = replace(AGENT, cover=CoverageBasis.STAFF)
CALLER, PARTY_OF_STAFF = AskedBy(Actor.CALLER), AskedBy(Actor.SERVICE, party_id(CALL, 7))
BRIDGED, MET = Bridged(2_000), CompanyChanged(2_000, (AGENT,))
WITH_AGENT: tuple[CallEvent, ...] = (*IN_DIALPLAN, MixMonitorStarted(1_030), BRIDGED, MET, GREW)
SEGMENT_IS_LATE = DeadlinePassed(Deadline.SEGMENT, 4_800)
PAUSE_IS_LATE = DeadlinePassed(Deadline.PAUSE, 7_000)
PAUSE = PauseAsked("CARD", 3_000)
RESUME = ResumeAsked(6_000)
START = StartAsked(3_000)
NO_SEGMENTS = DialplanWiring(segments=False)
LISTED = DialplanWiring(staff_known=True)


def with_agent(
    *events: CallEvent, wiring: DialplanWiring | None = None, **changed: object
) -> tuple[Call, tuple[Command, ...]]:
    """A recorded call that is in company with the agent, after ``events``.

    ``changed``: of its policy.
    """
    terms = replace(policy(), **changed)  # type: ignore[arg-type]
    call = arrived(policy=terms, wiring=wiring or DialplanWiring())
    return told(call, *WITH_AGENT, *events)


def on_demand(*events: CallEvent, **changed: object) -> tuple[Call, tuple[Command, ...]]:
    """A call that is recorded when somebody asks, in company with the agent, after ``events``."""
    terms = replace(policy(CaptureFrom.ON_DEMAND), **changed)  # type: ignore[arg-type]
    return told(arrived(policy=terms), *IN_DIALPLAN, BRIDGED, MET, *events)


def company(at_ms: int, *peers: Participant, two_party: bool = True) -> CompanyChanged:
    return CompanyChanged(at_ms, peers, two_party)


def whispered(nth: int, from_ms: int, to_ms: int) -> tuple[CallEvent, CallEvent]:
    """Asterisk says that it played; ``nth`` counts from the notice on."""
    playback = playback_id(CALL, nth)
    return (
        PlaybackStarted(playback, from_ms, from_ms),
        PlaybackFinished(playback, True, to_ms, to_ms),
    )


def grew(recording: RecordingId, at_ms: int) -> FileGrew:
    return FileGrew(recording, at_ms)


def blank(
    from_ms: int, to_ms: int | None = None, *, of_ms: int, tracks: Tracks = Tracks.OTHERS
) -> Blank:
    """What came in between these moments of a file of ``of_ms``; ``None``: until its end."""
    ends_ms = of_ms if to_ms is None else min(of_ms, to_ms + SLIP_AFTER_MS)
    return Blank(of_ms - from_ms + SLIP_BEFORE_MS, of_ms - ends_ms, tracks)


# -- commands ----------------------------------------------------------------------------------


def row(
    kind: Kind, recording: str = RECORDING, *, actor: str = Actor.SERVICE, **detail: Detail
) -> AppendRow:
    return AppendRow(kind, {"recording": recording, **detail}, actor=actor)


def joined(peer: Participant, cover: str, number: int) -> AppendRow:
    detail = {"channel": peer.channel, "cover": cover, "party": party_id(CALL, number)}
    return AppendRow(Kind.PARTY_JOINED, detail)


SHOWN = Announce(Status.RECORDING)
"""Who comes into a call that is recorded sees it."""


def muted_others(reason: str, recording: str = RECORDING) -> AppendRow:
    return row(Kind.CAPTURE_PAUSED, recording, reason=reason, mute="others")


def whisper(channel: ChannelId, nth: int, media: str = "notice") -> tuple[Command, ...]:
    length_ms = NOTICE_MS if media == "notice" else ANNOUNCEMENT_MS
    return (
        Whisper(channel, playback_id(CALL, nth), f"sound:/prompts/ja/{media}"),
        SetDeadline(Deadline.WHISPER, length_ms + LIMITS.notice_margin_ms),
    )


WHISPER_ENDS: tuple[Command, ...] = (EndWhisper(), ClearDeadline(Deadline.WHISPER))


def was_told(peer: Participant, lasted_ms: int = NOTICE_MS) -> AppendRow:
    return AppendRow(
        Kind.PARTY_TOLD,
        {
            "audio_digest": "a" * 64,
            "channel": peer.channel,
            "lasted_ms": lasted_ms,
            "length_ms": NOTICE_MS,
            "notice": "standard/1/ja",
            "purposes": ("SERVICE",),
            "text_digest": "t" * 64,
        },
    )


def was_not_told(peer: Participant, reason: Reason) -> AppendRow:
    return AppendRow(Kind.PARTY_NOT_TOLD, {"channel": peer.channel, "reason": reason})


def begins(
    recording: RecordingId = NEXT_RECORDING, *, capture: str = "bridged", others: bool = True
) -> tuple[Command, ...]:
    """Asterisk is asked for a new pair of files, behind the row that says so."""
    return (
        row(
            Kind.RECORDING_REQUESTED,
            recording,
            capture=capture,
            others=others,
            policy="inbound",
            retention=(),
        ),
        CommitCommand(),
        StartSegment(recording, CaptureOptions(others=others)),
        SetDeadline(Deadline.SEGMENT, LIMITS.segment_ms),
    )
