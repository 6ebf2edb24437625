"""What people may ask of a live call, by the words of the dialplan and of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.audit_rows import standing_status
from asterisk_compliance.domain.call.events import (
    Asked,
    AskedBy,
    DoNotCallAsked,
    PauseAsked,
    ResumeAsked,
    StartAsked,
    StopAsked,
    WithdrawalAsked,
)
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import CallId

if TYPE_CHECKING:
    from asterisk_compliance.app.calls.node import Node

ASKABLE = (PauseReason.CARD, PauseReason.PRIVATE)
"""Reasons for which somebody may pause; the others are the service's own."""


class NoSuchCall(ComplianceError):
    hint = "is the call still there? asterisk-compliance calls list"


class NotAskable(ComplianceError):
    exit_code = 2


async def ask_call(
    nodes: Iterable[Node], peer_user: str, arguments: Mapping[str, str]
) -> Mapping[str, str | bool]:
    """Ask for something on the command line's behalf, and say what came of it.

    Args:
        nodes: Where the call may be.
        peer_user: Who asks, as the kernel knows it.
        arguments: ``call``, ``what`` (``pause``, ``resume``, ``withdraw``, ``start``, ``stop``),
            and perhaps ``reason`` and ``everybody``.

    Returns:
        ``call``, ``asked``, ``status`` (as the dialplan is told it; empty while the call is
        undecided) and ``done``: whether the call is now as it was asked to be.

    Raises:
        NoSuchCall: no live call has this id.
        NotAskable: there is no such wish, or no such reason.
    """
    what, call = arguments.get("what", ""), arguments.get("call", "")
    event = asked_event(
        f"Compliance{what.capitalize()}",
        arguments.get("reason", ""),
        monotonic_ms(),
        staff(peer_user),
        everybody=arguments.get("everybody") == "yes",
    )
    if event is None:
        raise NotAskable("nobody can ask for that", hint=f"reasons: {', '.join(ASKABLE)}")
    task = next(filter(None, (node.live_call(CallId(call)) for node in nodes)), None)
    if task is None:
        raise NoSuchCall("there is no live call with this id")
    then = await task.ask(event)
    status = standing_status(then, then.decision) if then.decision else ""
    return {"call": call, "asked": what, "status": status, "done": _is_so(then, event)}


def _is_so(call: Call, event: Asked) -> bool:
    match event:
        case PauseAsked(by=by):
            return by.source in call.capture.pauses
        case ResumeAsked(by=by):
            return by.source not in call.capture.pauses
        case WithdrawalAsked():
            return call.consent.withdrawn
        case StartAsked():
            return call.capture.is_wanted
        case StopAsked():
            return not call.capture.is_wanted
        case DoNotCallAsked():
            return call.consent.on_do_not_call_list


def asked_event(
    name: str, reason: str, at_ms: int, by: AskedBy, *, everybody: bool = False
) -> Asked | None:
    """The event that ``name`` stands for; ``None`` if there is no such name or reason.

    Args:
        name: ``CompliancePause``, ``ComplianceResume``, ``ComplianceWithdraw``,
            ``ComplianceStart``, ``ComplianceStop`` or ``ComplianceDoNotCall``.
        reason: Of a pause: ``CARD`` unless it is given.
        at_ms: When we heard of it, on the monotonic clock.
        by: Who asks.
        everybody: A resume ends the pauses of all who paused.
    """
    match name:
        case "CompliancePause":
            known = reason or PauseReason.CARD
            return PauseAsked(known, at_ms, by) if known in ASKABLE else None
        case "ComplianceResume":
            return ResumeAsked(at_ms, by, everybody)
        case "ComplianceWithdraw":
            return WithdrawalAsked(at_ms, by)
        case "ComplianceStart":
            return StartAsked(at_ms, by)
        case "ComplianceStop":
            return StopAsked(at_ms, by)
        case "ComplianceDoNotCall":
            return DoNotCallAsked(at_ms, by)
        case _:
            return None
