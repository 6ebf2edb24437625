"""What the log knows of a call that an earlier life of the service left. Pure: rows in, values out.

State of live calls stands in no other place than the log and the channels themselves, so what is
read here is all that a new life can go on from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from asterisk_compliance.domain.commands import Mute
from asterisk_compliance.domain.decision import Decision, Next, Reason, Status
from asterisk_compliance.domain.events import Entry, Leg
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.row_format import Row, StoredDetail
from asterisk_compliance.domain.rows import Kind
from asterisk_compliance.ids import CallId, ChannelId, RecordingId

STAFF_SOURCE = "staff"


class Left(StrEnum):
    """How far a recording came."""

    REQUESTED = "requested"
    RUNNING = "running"
    JUDGED = "judged"
    """It is in the vault, or was empty; its files may still be in the spool."""
    DEALT_WITH = "dealt with"


@dataclass(frozen=True, slots=True)
class Remembered:
    """A call, from its rows.

    Attributes:
        decision: ``None``: nothing was decided.
        recordings: In the order in which they were asked for.
        told_only: Recordings that do not capture the others.
        tainted: Recordings that ran while somebody was there who was not covered.
        stopping: The last recording was told to stop.
        kept: Recordings that were closed, and not removed since.
        covered, controller: Channels that were accepted as company, and those that stand for the
            controller.
    """

    id: CallId
    channel: ChannelId
    entry: Entry
    linkedid: str
    leg: Leg = Leg.CALLER
    policy: str = ""
    policy_digest: str = ""
    decision: Decision | None = None
    recordings: Mapping[RecordingId, Left] = field(default_factory=dict)
    told_only: frozenset[RecordingId] = frozenset()
    tainted: frozenset[RecordingId] = frozenset()
    stopping: bool = False
    kept: frozenset[RecordingId] = frozenset()
    pauses: frozenset[str] = frozenset()
    withdrawn: bool = False
    ended: bool = False
    covered: frozenset[ChannelId] = frozenset()
    controller: frozenset[ChannelId] = frozenset()
    parties: int = 1

    @property
    def language(self) -> str:
        """Of the notice that was heard; empty if none was."""
        return self.decision.notice.rpartition("/")[2] if self.decision else ""

    @property
    def running(self) -> frozenset[RecordingId]:
        last = self.last
        live = last is not None and self.recordings[last] in {Left.REQUESTED, Left.RUNNING}
        return frozenset({last} if last is not None and live else ())

    @property
    def last(self) -> RecordingId | None:
        return next(reversed(list(self.recordings)), None)


def remember(rows: Iterable[Row]) -> Remembered | None:
    """What the rows of one call say, in their order; ``None`` without its arrival."""
    call: Remembered | None = None
    for row in rows:
        if row.kind == Kind.CALL_ARRIVED:
            call = _arrived(row)
        elif call is not None:
            call = _after(call, row)
    return call


def _arrived(row: Row) -> Remembered | None:
    channel, entry = row.detail.get("channel"), row.detail.get("entry")
    if row.call is None or not channel or entry not in set(Entry):
        return None
    return Remembered(
        row.call,
        ChannelId(str(channel)),
        Entry(str(entry)),
        linkedid=str(row.detail.get("linkedid", "")),
        leg=Leg(str(row.detail.get("leg", Leg.CALLER))),
        policy=str(row.detail.get("policy", "")),
        policy_digest=str(row.detail.get("policy_digest", "")),
    )


_LEVELS = {
    Kind.RECORDING_STARTED: Left.RUNNING,
    Kind.RECORDING_GROWING: Left.RUNNING,
    Kind.RECORDING_STALLED: Left.RUNNING,
    Kind.RECORDING_EMPTY: Left.JUDGED,
    Kind.RECORDING_CLOSED: Left.JUDGED,
    Kind.RECORDING_MISSING: Left.DEALT_WITH,
    Kind.RECORDING_UNJUDGED: Left.DEALT_WITH,
    Kind.SPOOL_REMOVED: Left.DEALT_WITH,
}


def _after(call: Remembered, row: Row) -> Remembered:  # noqa: C901 - one arm a kind
    detail = row.detail
    match row.kind:
        case Kind.DECISION:
            return replace(call, decision=_decision(detail))
        case Kind.RECORDING_REQUESTED:
            return _asked(call, _recording(detail), others=detail.get("others") is not False)
        case kind if kind in _LEVELS:
            return _leveled(call, Kind(kind), _recording(detail))
        case Kind.RECORDING_REMOVED:
            return replace(call, kept=call.kept - {_recording(detail)})
        case Kind.CAPTURE_PAUSED if detail.get("mute") == Mute.ALL:
            return replace(call, pauses=call.pauses | {_source(row)})
        case Kind.CAPTURE_RESUMED:
            over = detail.get("mute") != Mute.ALL
            return replace(call, pauses=frozenset() if over else call.pauses - {_source(row)})
        case Kind.CAPTURE_STOPPED:
            return replace(call, stopping=True, pauses=frozenset())
        case Kind.CONSENT if detail.get("state") == "withdrawn":
            return replace(call, withdrawn=True)
        case Kind.PARTY_JOINED | Kind.PARTY_TOLD:
            return _joined(call, row)
        case Kind.CALL_ENDED:
            return replace(call, ended=True)
        case _:
            return call


def _decision(detail: Mapping[str, StoredDetail]) -> Decision:
    purposes = detail.get("purposes", ())
    assert isinstance(purposes, tuple)
    return Decision(
        Status(str(detail["status"])),
        Reason(str(detail["reason"])),
        tuple(PurposeCode(code) for code in purposes),
        str(detail.get("notice", "")),
        Next.CONTINUE,
    )


def _asked(call: Remembered, recording: RecordingId, *, others: bool) -> Remembered:
    asked = {**call.recordings, recording: Left.REQUESTED}
    told_only = call.told_only if others else call.told_only | {recording}
    return replace(call, recordings=asked, told_only=told_only, stopping=False)


def _leveled(call: Remembered, kind: Kind, recording: RecordingId) -> Remembered:
    leveled = replace(call, recordings={**call.recordings, recording: _LEVELS[kind]})
    if kind is Kind.RECORDING_CLOSED:
        return replace(leveled, kept=leveled.kept | {recording})
    return leveled


_COVERED = frozenset({"staff", "told", "assumed", "accepted"})
_CONTROLLER = frozenset({"staff", "assumed"})


def _joined(call: Remembered, row: Row) -> Remembered:
    channel = ChannelId(str(row.detail["channel"]))
    if row.kind == Kind.PARTY_TOLD:
        return replace(call, covered=call.covered | {channel})
    how = row.detail.get("cover")
    return replace(
        call,
        tainted=call.tainted if how in _COVERED else call.tainted | call.running,
        parties=call.parties + 1,
        covered=call.covered | ({channel} if how in _COVERED else set()),
        controller=call.controller | ({channel} if how in _CONTROLLER else set()),
    )


def _source(row: Row) -> str:
    return STAFF_SOURCE if row.actor.startswith("y-") else row.actor


def _recording(detail: Mapping[str, StoredDetail]) -> RecordingId:
    return RecordingId(str(detail["recording"]))
