"""The one decision about a call, and what follows from it.

Rule 4: every call gets exactly one initial decision (guarantee G2). :func:`decide` takes an
        undecided call, so no call is decided twice.
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
from asterisk_compliance.domain.call.state import (
    Call,
    CallPhase,
    CallStep,
    Decided,
    Undecided,
    WithoutPolicy,
)
from asterisk_compliance.domain.policy.notice import (
    CaptureFrom,
    OnProblem,
    Policy,
    Prompt,
    announcement_for,
)
from asterisk_compliance.domain.recording.verdict import Capture


def then(first: tuple[Command, ...], rest: CallStep) -> CallStep:
    call, commands = rest
    return call, first + commands


def decide(call: Call, undecided: Undecided, reason: Reason, *, gone: bool = False) -> CallStep:
    """Make the decision, with its row, and let the channel go back into the dialplan.

    ``gone``: the channel has left our application, so there is nobody to hand a result to.
    """
    policy, wording = undecided.policy, undecided.wording
    if reason in ALLOWING:
        return _allow(call, undecided, reason)
    stage = Decided(policy, wording, unrecorded(policy, reason))
    decided = replace(call, stage=stage)
    row = decision_row(stage.decision)
    if gone:
        return decided, (row,)
    said = _announcement(undecided, reason)
    if said is None:
        return decided, (row, result(decided, stage), Continue())
    telling = replace(stage, phase=CallPhase.TELLING)
    told = replace(call, stage=telling, playbacks=call.playbacks + 1)
    limit = SetDeadline(Deadline.TELL, said.length_ms + call.limits.notice_margin_ms)
    return told, (row, result(told, telling), Play(told.playback, said.media), limit)


def let_go_on(call: Call, stage: WithoutPolicy) -> CallStep:
    """Say the decision about a call to which no policy applies, and let it go on."""
    return call, (decision_row(stage.decision), result(call, stage), Continue())


def unrecorded(policy: Policy | None, reason: Reason) -> Decision:
    """The decision not to record, with what the policy, if there is one, wants to happen next."""
    happens = OnProblem.CONTINUE if policy is None else _what_happens(policy, reason)
    status = Status.REFUSED if reason in REFUSING else Status.NOT_RECORDED
    return Decision(status, reason, next=_NEXT.get(happens, Next.CONTINUE))


_NEXT = {OnProblem.ALTERNATIVE: Next.ALTERNATIVE, OnProblem.END: Next.END}

_CAN_BE_TOLD = (
    REFUSING
    | UNSTORABLE
    | {Reason.NOTICE_FAILED, Reason.NOTICE_CUT_SHORT, Reason.NOTICE_TIMED_OUT}
    | {Reason.NOT_PUBLISHED}
)
"""Reasons after which the caller is still there, and Asterisk still plays what we ask for."""


def records_at_once(call: Call, policy: Policy) -> bool:
    """The recording begins as soon as it may.

    On demand it begins when somebody asks for it; a channel that joins a recorded call has none.
    """
    return not call.joins and policy.capture is not CaptureFrom.ON_DEMAND


def _allow(call: Call, undecided: Undecided, reason: Reason) -> CallStep:
    policy, wording = undecided.policy, undecided.wording
    allowed = Decision(
        Status.ALLOWED,
        reason,
        purposes=policy.notice.purposes,
        notice=policy.notice.label(wording.language),
        told_by=policy.told_by,
    )
    stage = Decided(policy, wording, allowed)
    if not records_at_once(call, policy):
        decided = replace(call, stage=stage)
        return decided, (decision_row(allowed), CommitCommand(), result(decided, stage), Continue())
    others = call.participants.may_keep_others(policy.agent_consent)
    segment = replace(call.capture.segment, others=others)
    capture = replace(call.capture, state=Capture.REQUESTED, segment=segment)
    capturing = replace(call, stage=stage, capture=capture)
    requested = recording_row(
        capturing,
        Kind.RECORDING_REQUESTED,
        capture=policy.capture,
        others=others,
        policy=policy.name,
        retention=policy.retention,
    )
    return capturing, (
        decision_row(allowed),
        requested,
        CommitCommand(),
        result(capturing, stage),
        Continue(),
    )


def _what_happens(policy: Policy, reason: Reason) -> OnProblem:
    if reason in UNSTORABLE:
        return policy.on_recording_failure
    return policy.on_refusal if reason in REFUSING else policy.on_notice_failure


def _announcement(undecided: Undecided, reason: Reason) -> Prompt | None:
    """What the caller is told, in the language in which they were last addressed."""
    policy = undecided.policy
    kind = announcement_for(_what_happens(policy, reason), refused=reason in REFUSING)
    if kind is None or reason not in _CAN_BE_TOLD:
        return None
    return policy.announcements[kind][undecided.wording.language]
