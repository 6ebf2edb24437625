"""A call before it is decided: the notice, and the question.

Rule 3: a call may be recorded only after its notice was *completed* (guarantee G1), by the rule
        of :func:`incompleteness`, and after the consent that its policy asks for.

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
from asterisk_compliance.domain.call.state import (
    EARLY_TOLERANCE_MS,
    Call,
    CallPhase,
    CallStep,
    Undecided,
)
from asterisk_compliance.domain.call.transitions.decision import decide, then
from asterisk_compliance.domain.policy.notice import Consent, Wording

NO_MORE_WAITING = (
    ClearDeadline(Deadline.NOTICE),
    ClearDeadline(Deadline.GRACE),
    ClearDeadline(Deadline.STOP),
)


def incompleteness(call: Call, undecided: Undecided, finished: PlaybackFinished) -> Reason | None:
    """Why this playback does not count as a completed notice; ``None`` if it does.

    ``PlaybackFinished`` with ``done`` is not "heard": Asterisk says it of a playback that was
    stopped as well (res/res_stasis_playback.c). So the prompt's own length must have passed
    since ``PlaybackStarted``, on our monotonic clock and on Asterisk's own time stamps, and
    the dialplan must still be waiting for us.
    """
    started = undecided.started
    if not finished.done:
        return Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.NOTICE_FAILED
    if started is None:
        return Reason.NOTICE_CUT_SHORT
    if lasted_ms(started, finished) < undecided.playing.length_ms - EARLY_TOLERANCE_MS:
        return Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.NOTICE_CUT_SHORT
    if finished.at_ms - call.arrived_at_ms >= call.limits.dialplan_ms:
        return Reason.NOTICE_TIMED_OUT
    return None


def before_decision(  # noqa: C901, PLR0912 - one arm a fact
    call: Call, undecided: Undecided, event: CallEvent
) -> CallStep:
    """What a fact means while the notice plays, or while we wait for a key."""
    match event:
        case PlaybackStarted(playback=playback) if playback == call.playback:
            started = replace(call, stage=replace(undecided, started=event))
            if undecided.introduction is not None:
                return started, ()
            notice = undecided.policy.notice.label(undecided.wording.language)
            row = AppendRow(Kind.NOTICE_STARTED, {"notice": notice, "playback": playback})
            return started, (row,)

        case PlaybackFinished(playback=playback) if (
            playback == call.playback and undecided.phase is CallPhase.NOTICE
        ):
            return _playback_is_over(call, undecided, event)

        case DigitReceived():
            return _digit(call, undecided, event)

        case DeadlinePassed(deadline=Deadline.NOTICE) if undecided.phase is CallPhase.NOTICE:
            return stop_and_give_up(call, undecided, Reason.NOTICE_TIMED_OUT)

        case DeadlinePassed(deadline=Deadline.GRACE, at_ms=at_ms) if (
            undecided.phase is CallPhase.ASKING
        ):
            return _late(call, undecided, at_ms) or _grace_is_over(call, undecided)

        case DeadlinePassed(deadline=Deadline.STOP):
            return stop_and_give_up(call, undecided, Reason.SERVICE_STOPPING)

        case LeftStasis():
            reason = Reason.HANGUP_IN_NOTICE if call.hanging_up else Reason.TAKEN_BACK
            return abandon_notice(call, undecided, reason, gone=True)

        case DiallerGone():
            # Dial() does not look at its own caller while the routine runs.
            gone = abandon_notice(call, undecided, Reason.DIALLER_GONE, gone=True)
            return then((HangUp(),), gone)

        case CommandFailed(reachable=reachable):
            failed = Reason.ASTERISK_REFUSED if reachable else Reason.CONNECTION_LOST
            reason = Reason.HANGUP_IN_NOTICE if call.hanging_up else failed
            return abandon_notice(call, undecided, reason)

        case EventsOverflowed():
            return abandon_notice(call, undecided, Reason.EVENTS_OVERFLOWED)

        case ServiceHung():
            return stop_and_give_up(call, undecided, Reason.SERVICE_HUNG)

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
            return _go_on(call)
        case DeadlinePassed(deadline=Deadline.TELL | Deadline.STOP):
            return then((StopPlayback(call.playback),), _go_on(call))
        case CommandFailed(step=CommandStep.HAND_OVER | CommandStep.PLAY as failed):
            refused = () if call.hanging_up else (anomaly_row("CONTINUE_REFUSED", step=failed),)
            return then(refused, _go_on(call))
        case EventsOverflowed():
            return _go_on(call)
        case DiallerGone():
            return call, (HangUp(),)
        case LeftStasis():
            return call.in_phase(CallPhase.DIALPLAN), (ClearDeadline(Deadline.TELL),)
        case ServiceStopping():
            return call, (SetDeadline(Deadline.STOP, call.limits.stop_ms),)
        case _:
            return call, ()


def abandon_notice(
    call: Call, undecided: Undecided, reason: Reason, lasted: int = 0, *, gone: bool = False
) -> CallStep:
    """Give up the notice or the question: say how far it came, and decide."""
    row = AppendRow(Kind.NOTICE_INCOMPLETE, {"reason": reason, "lasted_ms": lasted})
    rows = (row,) if undecided.phase is CallPhase.NOTICE else ()
    return then((*rows, *NO_MORE_WAITING), decide(call, undecided, reason, gone=gone))


def opening(call: Call, undecided: Undecided) -> tuple[Command, ...]:
    """Play the prompt that comes first, or next, and wait for its end."""
    playing = undecided.playing
    limit_ms = playing.length_ms + call.limits.notice_margin_ms
    return Play(call.playback, playing.media), SetDeadline(Deadline.NOTICE, limit_ms)


def _playback_is_over(call: Call, undecided: Undecided, event: PlaybackFinished) -> CallStep:
    lasted = lasted_ms(undecided.started, event)
    reason = incompleteness(call, undecided, event)
    if reason is not None:
        return abandon_notice(call, undecided, reason, lasted)
    if undecided.introduction is not None:
        row = introduced_row(undecided.introduction, lasted)
        return then((row,), _to_the_notice(call, undecided))
    return then((completed_row(undecided, lasted),), _heard(call, undecided))


def _to_the_notice(call: Call, undecided: Undecided) -> CallStep:
    """The introduction was heard to its end; the notice begins."""
    notice = replace(undecided, introduction=None, started=None)
    noticing = replace(call, stage=notice, playbacks=call.playbacks + 1)
    return noticing, opening(noticing, notice)


def _heard(call: Call, undecided: Undecided) -> CallStep:
    """The notice was completed. What else does the policy ask for?"""
    policy = undecided.policy
    match policy.consent:
        case Consent.NOTICE:
            return then(NO_MORE_WAITING, decide(call, undecided, Reason.NOTICE_COMPLETED))
        case Consent.OPT_IN if undecided.accepted:
            return _given(call, undecided)
        case Consent.OPT_IN | Consent.OPT_OUT:
            wait = SetDeadline(Deadline.GRACE, policy.grace_ms)
            asking = replace(call, stage=replace(undecided, phase=CallPhase.ASKING))
            return asking, (ClearDeadline(Deadline.NOTICE), wait)
        case _ as never:
            assert_never(never)


def _digit(call: Call, undecided: Undecided, event: DigitReceived) -> CallStep:
    """A key, during the notice or the grace after it. A refusal wins over everything."""
    policy = undecided.policy
    if policy.consent is Consent.NOTICE:
        return call, ()
    keys = policy.keys
    if undecided.introduction is not None and event.digit != keys.refuse:
        return call, ()  # nothing was asked yet; only a refusal counts at any time
    match event.digit:
        case keys.refuse:
            return _refused(call, undecided)
        case keys.accept if policy.consent is Consent.OPT_IN:
            if undecided.phase is CallPhase.ASKING:
                return _late(call, undecided, event.at_ms) or _given(call, undecided)
            return replace(call, stage=replace(undecided, accepted=True)), ()
        case keys.repeat:
            return _play_again(call, undecided, event.at_ms, undecided.wording)
        case keys.language:
            other = policy.language_after(undecided.wording.language)
            return _play_again(call, undecided, event.at_ms, policy.notice.wordings[other])
        case _:
            return call, ()


def _refused(call: Call, undecided: Undecided) -> CallStep:
    listed = undecided.policy.do_not_call
    row = (do_not_call_row(call, "refusal"),) if listed else ()
    rows = (*_stop(call, undecided), consent_row("refused"), *row, *NO_MORE_WAITING)
    refused = replace(call, consent=replace(call.consent, on_do_not_call_list=listed))
    return then(rows, decide(refused, undecided, Reason.CONSENT_REFUSED))


def _play_again(call: Call, undecided: Undecided, at_ms: int, wording: Wording) -> CallStep:
    """Play the notice once more, if its whole length still fits before the dialplan's limit."""
    policy = undecided.policy
    spent_ms = at_ms - call.arrived_at_ms
    needed_ms = wording.length_ms + call.limits.notice_margin_ms + policy.grace_ms
    enough = spent_ms + needed_ms < call.limits.dialplan_ms
    if call.playbacks > policy.repeats_max or not enough:
        return call, ()
    stage = Undecided(policy, wording)
    again = replace(call, stage=stage, playbacks=call.playbacks + 1)
    commands = (*_stop(call, undecided), ClearDeadline(Deadline.GRACE), *opening(again, stage))
    return again, commands


def _late(call: Call, undecided: Undecided, at_ms: int) -> CallStep | None:
    """Too late to decide by an answer: the caller hangs up, or we hung and the dialplan went on."""
    if call.hanging_up:
        return abandon_notice(call, undecided, Reason.HANGUP_IN_NOTICE)
    if at_ms - call.arrived_at_ms < call.limits.dialplan_ms:
        return None
    return abandon_notice(call, undecided, Reason.NOTICE_TIMED_OUT)


def _grace_is_over(call: Call, undecided: Undecided) -> CallStep:
    if undecided.policy.consent is Consent.OPT_OUT:
        rows = (consent_row("not_refused"), *NO_MORE_WAITING)
        return then(rows, decide(call, undecided, Reason.CONSENT_NOT_REFUSED))
    rows = (consent_row("expired"), *NO_MORE_WAITING)
    return then(rows, decide(call, undecided, Reason.CONSENT_NOT_GIVEN))


def _given(call: Call, undecided: Undecided) -> CallStep:
    rows = (consent_row("given"), *NO_MORE_WAITING)
    return then(rows, decide(call, undecided, Reason.CONSENT_GIVEN))


def stop_and_give_up(call: Call, undecided: Undecided, reason: Reason) -> CallStep:
    """Stop the notice, if it still plays, and give it up."""
    return then(_stop(call, undecided), abandon_notice(call, undecided, reason))


def _stop(call: Call, undecided: Undecided) -> tuple[Command, ...]:
    return (StopPlayback(call.playback),) if undecided.phase is CallPhase.NOTICE else ()


def _go_on(call: Call) -> CallStep:
    clear = (ClearDeadline(Deadline.TELL), ClearDeadline(Deadline.STOP))
    return call.in_phase(CallPhase.CONTINUING), (*clear, Continue())
