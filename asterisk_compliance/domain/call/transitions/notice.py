"""A call before it is decided: the notice, and the question.

Rule 3: a call may be recorded only after its notice was *completed* (guarantee G1), and the
        rule for that is :func:`incompleteness`; and after the consent that its policy asks for.

    NOTICE ──▶ ASKING ──▶ decided ──▶ TELLING ──▶ CONTINUING
       └───────────────────▲  └──────────────────────▲

A refusal counts at once. A digit that accepts during the prompt is remembered, and counts when
the prompt has completed.
"""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.audit_rows import (
    anomaly_row,
    completed_row,
    consent_row,
    do_not_call_row,
    introduced_row,
    lasted_ms,
)
from asterisk_compliance.domain.call.commands import (
    AppendRow,
    ClearDeadline,
    Command,
    CommandStep,
    Continue,
    Deadline,
    HangUp,
    Play,
    SetDeadline,
    StopPlayback,
)
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    CallEvent,
    CommandFailed,
    DeadlinePassed,
    DiallerGone,
    DigitReceived,
    EventsOverflowed,
    LeftStasis,
    PlaybackFinished,
    PlaybackStarted,
    Reentered,
    ServiceHung,
    ServiceStopping,
)
from asterisk_compliance.domain.call.state import EARLY_TOLERANCE_MS, Call, CallPhase, CallStep
from asterisk_compliance.domain.call.transitions.decision import decide, then
from asterisk_compliance.domain.policy.notice import Consent, Wording

NO_MORE_WAITING = (
    ClearDeadline(Deadline.NOTICE),
    ClearDeadline(Deadline.GRACE),
    ClearDeadline(Deadline.STOP),
)


def incompleteness(call: Call, finished: PlaybackFinished) -> Reason | None:
    """Why this playback does not count as a completed notice; ``None`` if it does.

    ``PlaybackFinished`` with ``done`` is not "heard": Asterisk says it of a playback that was
    stopped as well (res/res_stasis_playback.c). So the prompt's own length must have passed
    since ``PlaybackStarted``, on our monotonic clock and on Asterisk's own time stamps, and
    the dialplan must still be waiting for us.
    """
    said = call.playing
    if said is None or not finished.done:
        return Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.NOTICE_FAILED
    if call.started is None:
        return Reason.NOTICE_CUT_SHORT
    if lasted_ms(call.started, finished) < said.length_ms - EARLY_TOLERANCE_MS:
        return Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.NOTICE_CUT_SHORT
    if finished.at_ms - call.arrived_at_ms >= call.limits.dialplan_ms:
        return Reason.NOTICE_TIMED_OUT
    return None


def before_decision(call: Call, event: CallEvent) -> CallStep:  # noqa: C901, PLR0912 - one arm a fact
    """What a fact means while the notice plays, or while we wait for a key."""
    match event:
        case PlaybackStarted(playback=playback) if playback == call.playback:
            if call.introducing:
                return replace(call, started=event), ()
            assert call.policy is not None
            assert call.wording is not None
            notice = call.policy.notice.label(call.wording.language)
            row = AppendRow(Kind.NOTICE_STARTED, {"notice": notice, "playback": playback})
            return replace(call, started=event), (row,)

        case PlaybackFinished(playback=playback) if (
            playback == call.playback and call.phase is CallPhase.NOTICE
        ):
            reason = incompleteness(call, event)
            if reason is not None:
                return abandon_notice(call, reason, lasted_ms(call.started, event))
            if call.introducing:
                return then((introduced_row(call, event),), _to_the_notice(call))
            return then((completed_row(call, event),), _heard(call))

        case DigitReceived():
            return _digit(call, event)

        case DeadlinePassed(deadline=Deadline.NOTICE) if call.phase is CallPhase.NOTICE:
            return stop_and_give_up(call, Reason.NOTICE_TIMED_OUT)

        case DeadlinePassed(deadline=Deadline.GRACE, at_ms=at_ms) if call.phase is CallPhase.ASKING:
            return _late(call, at_ms) or _grace_is_over(call)

        case DeadlinePassed(deadline=Deadline.STOP):
            return stop_and_give_up(call, Reason.SERVICE_STOPPING)

        case LeftStasis():
            reason = Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.TAKEN_BACK
            return abandon_notice(call, reason, gone=True)

        case DiallerGone():
            # Dial() does not look at its own caller while the routine runs.
            return then((HangUp(),), abandon_notice(call, Reason.DIALLER_GONE, gone=True))

        case CommandFailed(reachable=reachable):
            reason = Reason.ASTERISK_REFUSED if reachable else Reason.CONNECTION_LOST
            return abandon_notice(call, Reason.HANGUP_IN_NOTICE if call.hanging_up else reason)

        case EventsOverflowed():
            return abandon_notice(call, Reason.EVENTS_OVERFLOWED)

        case ServiceHung():
            return stop_and_give_up(call, Reason.SERVICE_HUNG)

        case ServiceStopping():
            return call, (SetDeadline(Deadline.STOP, call.limits.stop_ms),)

        case Reentered():
            return call, (anomaly_row("STASIS_START_TWICE"),)

        case _:
            return call, ()


def telling(call: Call, event: CallEvent) -> CallStep:
    """What a fact means while the announcement plays; the decision is made and handed over."""
    match event:
        case PlaybackFinished(playback=playback) if playback == call.playback:
            return _go(call)
        case DeadlinePassed(deadline=Deadline.TELL | Deadline.STOP):
            return then((StopPlayback(call.playback),), _go(call))
        case CommandFailed(step=CommandStep.HAND_OVER | CommandStep.PLAY as failed):
            refused = () if call.hanging_up else (anomaly_row("CONTINUE_REFUSED", step=failed),)
            return then(refused, _go(call))
        case EventsOverflowed():
            return _go(call)
        case DiallerGone():
            return call, (HangUp(),)
        case LeftStasis():
            return replace(call, phase=CallPhase.DIALPLAN), (ClearDeadline(Deadline.TELL),)
        case ServiceStopping():
            return call, (SetDeadline(Deadline.STOP, call.limits.stop_ms),)
        case _:
            return call, ()


def abandon_notice(call: Call, reason: Reason, lasted: int = 0, *, gone: bool = False) -> CallStep:
    """Nothing comes of the notice or of the question: say how far it came, and decide."""
    row = AppendRow(Kind.NOTICE_INCOMPLETE, {"reason": reason, "lasted_ms": lasted})
    rows = (row,) if call.phase is CallPhase.NOTICE else ()
    return then((*rows, *NO_MORE_WAITING), decide(call, reason, gone=gone))


def opening(call: Call) -> tuple[Command, ...]:
    """Play what comes first, or next, and wait for its end."""
    assert call.playing is not None
    limit_ms = call.playing.length_ms + call.limits.notice_margin_ms
    return Play(call.playback, call.playing.media), SetDeadline(Deadline.NOTICE, limit_ms)


def _to_the_notice(call: Call) -> CallStep:
    """The introduction was heard to its end; nothing of the notice was yet."""
    noticing = replace(call, introducing=False, playbacks=call.playbacks + 1, started=None)
    return noticing, opening(noticing)


def _heard(call: Call) -> CallStep:
    """The notice was completed. What else does the policy ask for?"""
    assert call.policy is not None
    match call.policy.consent:
        case Consent.NOTICE:
            return then(NO_MORE_WAITING, decide(call, Reason.NOTICE_COMPLETED))
        case Consent.OPT_IN if call.accepted:
            return _given(call)
        case Consent.OPT_IN | Consent.OPT_OUT:
            wait = SetDeadline(Deadline.GRACE, call.policy.grace_ms)
            asking = replace(call, phase=CallPhase.ASKING)
            return asking, (ClearDeadline(Deadline.NOTICE), wait)
        case _ as never:
            assert_never(never)


def _digit(call: Call, event: DigitReceived) -> CallStep:
    """A key, during the notice or the grace after it. A refusal wins over everything."""
    policy = call.policy
    if policy is None or policy.consent is Consent.NOTICE:
        return call, ()
    keys = policy.keys
    if call.introducing and event.digit != keys.refuse:
        return call, ()  # nothing was asked yet; a no is one at any time
    match event.digit:
        case keys.refuse:
            listed = (do_not_call_row(call, "refusal"),) if policy.do_not_call else ()
            rows = (*_stop(call), consent_row("refused"), *listed, *NO_MORE_WAITING)
            refused = replace(call, listed=policy.do_not_call)
            return then(rows, decide(refused, Reason.CONSENT_REFUSED))
        case keys.accept if policy.consent is Consent.OPT_IN:
            if call.phase is CallPhase.ASKING:
                return _late(call, event.at_ms) or _given(call)
            return replace(call, accepted=True), ()
        case keys.repeat:
            return _play_again(call, event.at_ms, call.wording)
        case keys.language:
            assert call.wording is not None
            other = policy.language_after(call.wording.language)
            return _play_again(call, event.at_ms, policy.notice.wordings[other])
        case _:
            return call, ()


def _play_again(call: Call, at_ms: int, wording: Wording | None) -> CallStep:
    """The notice once more, if its whole length still fits before the dialplan's limit."""
    assert call.policy is not None
    assert wording is not None
    spent_ms = at_ms - call.arrived_at_ms
    needed_ms = wording.length_ms + call.limits.notice_margin_ms + call.policy.grace_ms
    enough = spent_ms + needed_ms < call.limits.dialplan_ms
    if call.playbacks > call.policy.repeats_max or not enough:
        return call, ()
    again = replace(
        call,
        phase=CallPhase.NOTICE,
        wording=wording,
        playbacks=call.playbacks + 1,
        started=None,
        accepted=False,
    )
    return again, (*_stop(call), ClearDeadline(Deadline.GRACE), *opening(again))


def _late(call: Call, at_ms: int) -> CallStep | None:
    """Too late to decide by an answer: the caller hangs up, or we hung and the dialplan went on."""
    if call.hanging_up:
        return abandon_notice(call, Reason.HANGUP_IN_NOTICE)
    if at_ms - call.arrived_at_ms < call.limits.dialplan_ms:
        return None
    return abandon_notice(call, Reason.NOTICE_TIMED_OUT)


def _grace_is_over(call: Call) -> CallStep:
    assert call.policy is not None
    if call.policy.consent is Consent.OPT_OUT:
        rows = (consent_row("not_refused"), *NO_MORE_WAITING)
        return then(rows, decide(call, Reason.CONSENT_NOT_REFUSED))
    rows = (consent_row("expired"), *NO_MORE_WAITING)
    return then(rows, decide(call, Reason.CONSENT_NOT_GIVEN))


def _given(call: Call) -> CallStep:
    rows = (consent_row("given"), *NO_MORE_WAITING)
    return then(rows, decide(call, Reason.CONSENT_GIVEN))


def stop_and_give_up(call: Call, reason: Reason) -> CallStep:
    """The same while something plays that nobody needs to hear any more."""
    return then(_stop(call), abandon_notice(call, reason))


def _stop(call: Call) -> tuple[Command, ...]:
    return (StopPlayback(call.playback),) if call.phase is CallPhase.NOTICE else ()


def _go(call: Call) -> CallStep:
    clear = (ClearDeadline(Deadline.TELL), ClearDeadline(Deadline.STOP))
    return replace(call, phase=CallPhase.CONTINUING), (*clear, Continue())
