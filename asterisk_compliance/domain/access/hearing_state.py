"""The state, events and commands of a call that hears a recording by telephone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from asterisk_compliance.domain.call.commands import AnswerCommand, AppendRow, Play, StopPlayback
from asterisk_compliance.domain.call.events import (
    CommandFailed,
    DigitReceived,
    HangupRequested,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    RowsRefused,
    ServiceStopping,
)
from asterisk_compliance.domain.policy.notice import Prompt
from asterisk_compliance.ids import CallId, ChannelId, LoanId, PlaybackId, RecordingId


class HearingReason(StrEnum):
    """Why somebody did not hear, or not to the end. Values stand in rows: never renamed."""

    WRONG_CODE = "WRONG_CODE"
    LOCKED = "LOCKED"
    """Too many wrong codes came lately; no code is looked at."""
    NO_CODE = "NO_CODE"
    BUSY = "BUSY"
    """So many hear already as may at once."""
    RECORDED = "RECORDED"
    """The call is one of ours that may be recorded, and a call that hears never is."""
    LEFT = "LEFT"
    """The caller hung up, or the limit of his dialplan passed."""
    CUT_SHORT = "CUT_SHORT"
    """Asterisk says that it was played, and it cannot have been."""
    NOT_PLAYED = "NOT_PLAYED"
    LOST = "LOST"
    """Asterisk refused a command, or could not be reached."""
    TAKEN_BACK = "TAKEN_BACK"
    """The copy went while it was heard: see how its loan ended."""
    SERVICE_STOPPING = "SERVICE_STOPPING"
    SERVICE_DIED = "SERVICE_DIED"
    """The service did not live to see how it ended; the next one says so."""


class LoanEnd(StrEnum):
    """Why a copy was removed. Values stand in rows: never renamed."""

    HEARD = "HEARD"
    USED_UP = "USED_UP"
    """It was begun as often as it may be, and never heard to the end."""
    EXPIRED = "EXPIRED"
    REPLACED = "REPLACED"
    """The officer lent the same recording for the same request again."""
    TAKEN_BACK = "TAKEN_BACK"
    DISPOSED = "DISPOSED"
    """The recording was removed, or its disposal has begun."""
    WITHDRAWN = "WITHDRAWN"
    """The request was withdrawn."""
    SERVICE_STOPPED = "SERVICE_STOPPED"
    SERVICE_RESTARTED = "SERVICE_RESTARTED"
    """The service that lent it is dead; its memory of the code is gone."""


class HearingOutcome(StrEnum):
    """What the dialplan is told in ``COMPLIANCE_HEARING``."""

    HEARD = "HEARD"
    ENDED = "ENDED"
    """It was begun, and not heard to the end."""
    REFUSED = "REFUSED"


class HearingPhase(StrEnum):
    CODE = "code"
    CHECKING = "checking"
    WRONG = "wrong"
    OPENING = "opening"
    HEARING = "hearing"
    CLOSING = "closing"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class TelephoneLoan:
    """A copy that may be heard.

    Attributes:
        call: The call that was recorded, not the one that hears.
        media: What Asterisk is asked to play.
    """

    id: LoanId
    call: CallId
    recording: RecordingId
    request: str
    media: str
    length_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """The prompts of one language."""

    code: Prompt
    wrong: Prompt
    begins: Prompt
    ends: Prompt


@dataclass(frozen=True, slots=True)
class HearingTerms:
    """What a call that hears may do.

    Attributes:
        attempts: Codes in one call.
        wait_ms: So long silence is waited for a key.
        margin_ms: So much longer than it is a playback may take.
    """

    attempts: int = 3
    wait_ms: int = 15_000
    margin_ms: int = 2_000


@dataclass(frozen=True, slots=True)
class Hearing:
    """One call that wants to hear.

    Attributes:
        name: 28 hexadecimal digits, by which its playbacks are told from all others.
        playbacks: How many there were; the last one is what plays now.
        playing: It is not over yet, as far as we know.
        started: When it began.
        entered: The keys so far. In no row, no log and no representation.
        attempts: Wrong codes so far.
        loan: What the code opened.
    """

    name: str
    channel: ChannelId
    said: Said
    terms: HearingTerms
    phase: HearingPhase = HearingPhase.CODE
    playbacks: int = 0
    playing: bool = False
    started: PlaybackStarted | None = None
    entered: str = field(default="", repr=False)
    attempts: int = 0
    hanging_up: bool = False
    loan: TelephoneLoan | None = None

    @property
    def playback(self) -> PlaybackId:
        return PlaybackId(f"p-{self.name}-{self.playbacks}")


# -- events and commands of its own ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CodeAccepted:
    """The code opens this copy, and nobody else hears it now."""

    loan: TelephoneLoan


@dataclass(frozen=True, slots=True)
class CodeRefused:
    """``locked``: it was not looked at."""

    locked: bool = False


@dataclass(frozen=True, slots=True)
class Waited:
    """The wait that was asked for last is over."""


@dataclass(frozen=True, slots=True)
class LoanGone:
    """The copy that is heard was removed."""


HearingEvent: TypeAlias = (
    PlaybackStarted
    | PlaybackFinished
    | DigitReceived
    | HangupRequested
    | LeftStasis
    | CommandFailed
    | RowsRefused
    | ServiceStopping
    | CodeAccepted
    | CodeRefused
    | Waited
    | LoanGone
)


@dataclass(frozen=True, slots=True)
class CheckCode:
    """Answered at once by :class:`CodeAccepted` or :class:`CodeRefused`."""

    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Instead of whatever was waited for."""

    ms: int


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The copy is not heard any more. ``begun``: something of it was; ``heard``: all of it."""

    begun: bool
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Leave:
    """Let the channel go on in its dialplan, with the outcome."""

    outcome: HearingOutcome


HearingCommand: TypeAlias = (
    AnswerCommand | AppendRow | Play | StopPlayback | CheckCode | Wait | GiveBack | Leave
)
HearingStep: TypeAlias = tuple[Hearing, tuple[HearingCommand, ...]]
