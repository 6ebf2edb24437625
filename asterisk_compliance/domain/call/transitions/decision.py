"""The one decision about a call, and what follows from it.

Rule 4: every call gets exactly one initial decision (guarantee G2), in :func:`decide`.
"""

from __future__ import annotations

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.audit_rows import decision_row, recording_row, result
from asterisk_compliance.domain.call.commands import (
    Command,
    CommitCommand,
    Continue,
    Deadline,
    Play,
    SetDeadline,
)
from asterisk_compliance.domain.call.decision import (
    ALLOWING,
    REFUSING,
    UNSTORABLE,
    Decision,
    Next,
    Reason,
    Status,
)
from asterisk_compliance.domain.call.state import Call, CallPhase, CallStep
from asterisk_compliance.domain.policy.notice import OnProblem, Prompt, announcement_for
from asterisk_compliance.domain.recording.verdict import Capture


def then(first: tuple[Command, ...], rest: CallStep) -> CallStep:
    call, commands = rest
    return call, first + commands


def decide(call: Call, reason: Reason, *, gone: bool = False) -> CallStep:
    """The one initial decision, its row, and the way back into the dialplan.

    ``gone``: the channel has left our application, so there is nobody to hand a result to.
    """
    assert call.decision is None, "a call is decided once"
    if reason in ALLOWING:
        return _allow(call, reason)
    decision = unrecorded(call, reason)
    decided = replace(call, decision=decision, phase=CallPhase.CONTINUING)
    row = decision_row(decision)
    if gone:
        return decided, (row,)
    said = _announcement(call, reason)
    if said is None:
        return decided, (row, result(decided), Continue())
    told = replace(decided, phase=CallPhase.TELLING, playbacks=call.playbacks + 1)
    limit = SetDeadline(Deadline.TELL, said.length_ms + call.limits.notice_margin_ms)
    return told, (row, result(told), Play(told.playback, said.media), limit)


def unrecorded(call: Call, reason: Reason) -> Decision:
    """The decision not to record, with what the policy wants to happen next."""
    status = Status.REFUSED if reason in REFUSING else Status.NOT_RECORDED
    return Decision(status, reason, next=_NEXT.get(_what_happens(call, reason), Next.CONTINUE))


_NEXT = {OnProblem.ALTERNATIVE: Next.ALTERNATIVE, OnProblem.END: Next.END}

_CAN_BE_TOLD = (
    REFUSING
    | UNSTORABLE
    | {Reason.NOTICE_FAILED, Reason.NOTICE_CUT_SHORT, Reason.NOTICE_TIMED_OUT}
    | {Reason.NOT_PUBLISHED}
)
"""Reasons after which the caller is still there, and Asterisk still plays what we ask for."""


def _allow(call: Call, reason: Reason) -> CallStep:
    assert call.policy is not None
    assert call.wording is not None
    allowed = Decision(
        Status.ALLOWED,
        reason,
        purposes=call.policy.notice.purposes,
        notice=call.policy.notice.label(call.wording.language),
        told_by=call.policy.told_by,
    )
    decided = replace(call, decision=allowed, phase=CallPhase.CONTINUING)
    if not call.records_at_once:
        return decided, (decision_row(allowed), CommitCommand(), result(decided), Continue())
    segment = replace(call.segment, others=call.may_keep_others)
    capturing = replace(decided, capture=Capture.REQUESTED, segment=segment)
    requested = recording_row(
        capturing,
        Kind.RECORDING_REQUESTED,
        capture=call.policy.capture,
        others=segment.others,
        policy=call.policy.name,
        retention=call.policy.retention,
    )
    return capturing, (
        decision_row(allowed),
        requested,
        CommitCommand(),
        result(capturing),
        Continue(),
    )


def _what_happens(call: Call, reason: Reason) -> OnProblem:
    if call.policy is None:
        return OnProblem.CONTINUE
    if reason in UNSTORABLE:
        return call.policy.on_recording_failure
    return call.policy.on_refusal if reason in REFUSING else call.policy.on_notice_failure


def _announcement(call: Call, reason: Reason) -> Prompt | None:
    """What the caller is told, in the language he was last spoken to."""
    kind = announcement_for(_what_happens(call, reason), refused=reason in REFUSING)
    if kind is None or call.policy is None or call.wording is None or reason not in _CAN_BE_TOLD:
        return None
    return call.policy.announcements[kind][call.wording.language]
