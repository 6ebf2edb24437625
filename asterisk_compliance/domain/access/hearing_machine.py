"""A person hears their recording by telephone: one call, as a pure state machine.

    CODE ──▶ CHECKING ──▶ OPENING ──▶ HEARING ──▶ CLOSING ──▶ OVER
      ▲          │
      └── WRONG ◀┘ (so many times a call)

Rule 1: nothing of a recording is played before the row ``hearing_begun`` is durable. The shell
        waits for every row; if one is not stored, what stands behind it is not done.
Rule 2: a recording was heard only if its playback was *completed*, by the rule for notices:
        Asterisk says ``done``, and the recording's own length has passed on every clock.
Rule 3: a code that is wrong, one that is locked out, and one whose copy is gone sound the same.
Rule 4: what was entered stands in no row, and is forgotten as soon as it was looked at.

A call that hears is itself never recorded: it is no call of :mod:`~.call`, and its routine of the
dialplan runs no MixMonitor.
"""

from __future__ import annotations

from dataclasses import replace

from asterisk_compliance.domain.access.hearing_state import (
    CheckCode,
    CodeAccepted,
    CodeRefused,
    GiveBack,
    Hearing,
    HearingCommand,
    HearingEvent,
    HearingOutcome,
    HearingPhase,
    HearingReason,
    HearingStep,
    HearingTerms,
    Leave,
    LoanGone,
    Said,
    TelephoneLoan,
    Wait,
    Waited,
)
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.audit_rows import lasted_ms
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
from asterisk_compliance.domain.call.state import EARLY_TOLERANCE_MS
from asterisk_compliance.domain.policy.notice import Prompt
from asterisk_compliance.ids import ChannelId

LONGEST_ENTRY = 32
"""Digits; what is entered beyond is not kept, and no code is as long."""

ENTER, CLEAR = "#", "*"

_OUTCOME = {HearingPhase.HEARING: HearingOutcome.ENDED, HearingPhase.CLOSING: HearingOutcome.HEARD}
"""Of a call that is given up; elsewhere it was refused."""


# -- transitions -----------------------------------------------------------------------------


def arrive(name: str, channel: ChannelId, said: Said, terms: HearingTerms) -> HearingStep:
    """Somebody wants to hear."""
    hearing, commands = _ask(Hearing(name, channel, said, terms))
    return hearing, (AnswerCommand(), *commands)


def turned_away(channel: ChannelId, reason: HearingReason) -> tuple[HearingCommand, ...]:
    """Somebody wants to hear, and is not even asked for a code."""
    return _refusal(channel, reason, attempt=0), Leave(HearingOutcome.REFUSED)


def step(hearing: Hearing, event: HearingEvent) -> HearingStep:  # noqa: C901, PLR0912 - one arm a fact
    """What a fact means, and what follows from it. Nothing follows once it is over."""
    if isinstance(event, RowsRefused):
        return _unstored(hearing)
    if hearing.phase is HearingPhase.OVER:
        return hearing, ()
    match event:
        case LeftStasis():
            return _end(hearing, HearingReason.LEFT, leave=False)
        case CommandFailed():
            reason = HearingReason.LEFT if hearing.hanging_up else HearingReason.LOST
            return _end(hearing, reason)
        case ServiceStopping():
            return _end(hearing, HearingReason.SERVICE_STOPPING)
        case LoanGone():
            return _end(hearing, HearingReason.TAKEN_BACK)
        case HangupRequested():
            return replace(hearing, hanging_up=True), ()
        case PlaybackStarted(playback=playback) if playback == hearing.playback:
            return replace(hearing, started=event), ()
        case PlaybackFinished(playback=playback) if playback == hearing.playback:
            return _played(replace(hearing, playing=False), event)
        case DigitReceived(digit=digit) if hearing.phase is HearingPhase.CODE:
            return _pressed(hearing, digit)
        case CodeAccepted(loan=loan) if hearing.phase is HearingPhase.CHECKING:
            return _play(replace(hearing, loan=loan), HearingPhase.OPENING, hearing.said.begins)
        case CodeRefused(locked=locked) if hearing.phase is HearingPhase.CHECKING:
            return _wrong(hearing, HearingReason.LOCKED if locked else HearingReason.WRONG_CODE)
        case Waited():
            return _waited(hearing)
        case _:
            return hearing, ()


def completed(
    loan: TelephoneLoan, started: PlaybackStarted | None, finished: PlaybackFinished
) -> bool:
    """Rule 2."""
    long_enough = lasted_ms(started, finished) >= loan.length_ms - EARLY_TOLERANCE_MS
    return finished.done and started is not None and long_enough


def _ask(hearing: Hearing) -> HearingStep:
    asked, (play, _) = _play(hearing, HearingPhase.CODE, hearing.said.code)
    return asked, (play, Wait(hearing.said.code.length_ms + hearing.terms.wait_ms))


def _play(hearing: Hearing, phase: HearingPhase, prompt: Prompt) -> HearingStep:
    """Play something, and wait for its end, or a little longer."""
    next_one = replace(
        hearing, phase=phase, playbacks=hearing.playbacks + 1, playing=True, started=None
    )
    limit = Wait(prompt.length_ms + hearing.terms.margin_ms)
    return next_one, (Play(next_one.playback, prompt.media), limit)


def _pressed(hearing: Hearing, digit: str) -> HearingStep:
    """``*`` begins the code anew; the first key ends what is said."""
    quiet, silence = _silenced(hearing)
    if digit == ENTER:
        return _check(quiet, silence) if hearing.entered else (quiet, silence)
    if digit == CLEAR:
        return replace(quiet, entered=""), silence
    if len(hearing.entered) >= LONGEST_ENTRY:
        return quiet, silence
    entered = replace(quiet, entered=hearing.entered + digit)
    return entered, (*silence, Wait(hearing.terms.wait_ms))


def _silenced(hearing: Hearing) -> HearingStep:
    if not hearing.playing:
        return hearing, ()
    return replace(hearing, playing=False), (StopPlayback(hearing.playback),)


def _check(hearing: Hearing, first: tuple[HearingCommand, ...] = ()) -> HearingStep:
    checking = replace(hearing, phase=HearingPhase.CHECKING, entered="")
    return checking, (*first, CheckCode(hearing.entered))


def _wrong(hearing: Hearing, reason: HearingReason) -> HearingStep:
    counted = replace(hearing, attempts=hearing.attempts + 1)
    row = _refusal(hearing.channel, reason, attempt=counted.attempts)
    told, commands = _play(counted, HearingPhase.WRONG, hearing.said.wrong)
    return told, (row, *commands)


def _waited(hearing: Hearing) -> HearingStep:
    """Silence at the code enters it; elsewhere a playback takes too long, and is given up."""
    match hearing.phase:
        case HearingPhase.CODE if hearing.entered:
            quiet, silence = _silenced(hearing)
            return _check(quiet, silence)
        case HearingPhase.CODE:
            quiet, silence = _silenced(hearing)
            row = _refusal(hearing.channel, HearingReason.NO_CODE, attempt=hearing.attempts)
            return _over(quiet, *silence, row, Leave(HearingOutcome.REFUSED))
        case HearingPhase.CHECKING:
            return hearing, ()
        case HearingPhase.HEARING:
            return _end(hearing, HearingReason.NOT_PLAYED)
        case _:
            quiet, silence = _silenced(hearing)
            on, commands = _go_on(quiet)
            return on, (*silence, *commands)


def _played(hearing: Hearing, finished: PlaybackFinished) -> HearingStep:
    if hearing.phase in {HearingPhase.CODE, HearingPhase.CHECKING}:
        return hearing, ()
    if hearing.phase is not HearingPhase.HEARING:
        return _go_on(hearing)
    assert hearing.loan is not None
    if completed(hearing.loan, hearing.started, finished):
        return _heard(hearing, lasted_ms(hearing.started, finished))
    why = HearingReason.CUT_SHORT if finished.done else HearingReason.NOT_PLAYED
    reason = HearingReason.LEFT if hearing.hanging_up else why
    return _end(hearing, reason, lasted_ms(hearing.started, finished))


def _go_on(hearing: Hearing) -> HearingStep:
    """What follows when a prompt is over, heard or not."""
    match hearing.phase:
        case HearingPhase.WRONG if hearing.attempts < hearing.terms.attempts:
            return _ask(hearing)
        case HearingPhase.OPENING:
            return _begin(hearing)
        case HearingPhase.CLOSING:
            return _over(hearing, Leave(HearingOutcome.HEARD))
        case _:
            return _over(hearing, Leave(HearingOutcome.REFUSED))


def _begin(hearing: Hearing) -> HearingStep:
    loan = hearing.loan
    assert loan is not None
    row = AppendRow(
        Kind.HEARING_BEGUN,
        {
            "channel": hearing.channel,
            "loan": loan.id,
            "recording": loan.recording,
            "request": loan.request,
        },
        actor=Actor.CALLER,
    )
    begun, commands = _play(hearing, HearingPhase.HEARING, Prompt(loan.media, loan.length_ms))
    return begun, (row, *commands)


def _heard(hearing: Hearing, heard_ms: int) -> HearingStep:
    loan = hearing.loan
    assert loan is not None
    row = AppendRow(
        Kind.HEARING_COMPLETED,
        {
            "channel": hearing.channel,
            "heard_ms": heard_ms,
            "loan": loan.id,
            "recording": loan.recording,
            "request": loan.request,
        },
    )
    closing, commands = _play(hearing, HearingPhase.CLOSING, hearing.said.ends)
    return closing, (row, GiveBack(begun=True, heard=True), *commands)


def _end(
    hearing: Hearing, reason: HearingReason, heard_ms: int = 0, *, leave: bool = True
) -> HearingStep:
    """Give up, wherever it is. Whoever came has a row then: of this, or of what he tried before."""
    quiet, silence = _silenced(hearing)
    going = (Leave(_OUTCOME.get(hearing.phase, HearingOutcome.REFUSED)),) if leave else ()
    match hearing.phase:
        case HearingPhase.CODE | HearingPhase.CHECKING if not hearing.attempts:
            row = _refusal(hearing.channel, reason, attempt=0)
            return _over(quiet, *silence, row, *going)
        case HearingPhase.OPENING:
            row = _ended(hearing, reason, heard_ms=0)
            return _over(quiet, *silence, GiveBack(begun=False), row, *going)
        case HearingPhase.HEARING:
            row = _ended(hearing, reason, heard_ms)
            return _over(quiet, *silence, row, GiveBack(begun=True), *going)
        case _:
            return _over(quiet, *silence, *going)


def _ended(hearing: Hearing, reason: HearingReason, heard_ms: int) -> AppendRow:
    loan = hearing.loan
    assert loan is not None
    return AppendRow(
        Kind.HEARING_ENDED,
        {
            "channel": hearing.channel,
            "heard_ms": heard_ms,
            "loan": loan.id,
            "reason": reason,
            "recording": loan.recording,
            "request": loan.request,
        },
    )


def _unstored(hearing: Hearing) -> HearingStep:
    """A row is not durable: of the beginning, then nothing was played; or of the end."""
    heard = hearing.phase is HearingPhase.CLOSING
    begun = hearing.phase is not HearingPhase.HEARING
    back = (GiveBack(begun=begun, heard=heard),) if hearing.loan else ()
    outcome = HearingOutcome.ENDED if back and begun else HearingOutcome.REFUSED
    return _over(hearing, *back, Leave(HearingOutcome.HEARD if heard else outcome))


def _over(hearing: Hearing, *commands: HearingCommand) -> HearingStep:
    return replace(hearing, phase=HearingPhase.OVER, entered="", playing=False), commands


def _refusal(channel: ChannelId, reason: HearingReason, *, attempt: int) -> AppendRow:
    return AppendRow(
        Kind.HEARING_REFUSED,
        {"attempt": attempt, "channel": channel, "reason": reason},
        actor=Actor.CALLER,
    )
