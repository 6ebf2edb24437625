"""What the log knows of a call that an earlier life of the service left. Pure: rows in, values out.

State of live calls stands in no other place than the log and the channels themselves, so what is
read here is all that a new life can go on from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from asterisk_compliance.domain.audit.encoding import Row, StoredDetail, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import Mute
from asterisk_compliance.domain.call.decision import Decision, Next, Reason, Status
from asterisk_compliance.domain.call.events import EntryWire, Leg
from asterisk_compliance.domain.policy.notice import CaptureFrom, OnWithdrawal, ToldBy
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from asterisk_compliance.ids import CallId, ChannelId, RecordingId, segment_of

STAFF_SOURCE = "staff"

ROW_LATE_MS = 10_000
"""A row is written so long after its fact at most: a call can wait for the store before."""


class Left(StrEnum):
    """How far a recording came."""

    REQUESTED = "requested"
    RUNNING = "running"
    JUDGED = "judged"
    """It is in the vault, or was empty; its files may still be in the spool."""
    DEALT_WITH = "dealt with"


class ReplayedCall(Struct, frozen=True):
    """A call, from its rows. Times are Unix milliseconds.

    Attributes:
        decision: ``None``: nothing was decided.
        recordings: In the order in which they were asked for.
        running: The one that Asterisk was last said to write, or that the routine was told of.
        coming: The one that was asked for in mid-call, and was not said to run.
        mute: Of the running one, as far as the others are concerned.
        told_only: Recordings that do not capture the others.
        tainted: Recordings that ran while somebody was there who may not be kept, or may have been
            there while nobody looked, and since when.
        stopped_at_ms: The running or coming recording was told to stop.
        stopped_for: Why the last recording ended before the call; empty if it did not.
        changed_at_ms: Since when the company changed under the running recording.
        kept: Recordings that were closed, and not removed since.
        erases: The caller withdrew, or is synthetic, and what is kept of him goes.
        covered, controller: Channels that were accepted as company, and those that stand for the
            controller.
        lives: How many lives of the service have followed it again.
    """

    id: CallId
    channel: ChannelId
    entry: EntryWire
    linkedid: str
    leg: Leg = Leg.CALLER
    policy: str = ""
    policy_digest: str = ""
    decision: Decision | None = None
    recordings: Mapping[RecordingId, Left] = field(default_factory=dict)
    running: RecordingId | None = None
    coming: RecordingId | None = None
    mute: Mute = Mute.NONE
    told_only: frozenset[RecordingId] = frozenset()
    tainted: Mapping[RecordingId, int] = field(default_factory=dict)
    stopped_at_ms: int | None = None
    stopped_for: str = ""
    changed_at_ms: int | None = None
    kept: frozenset[RecordingId] = frozenset()
    pauses: frozenset[str] = frozenset()
    withdrawn: bool = False
    erases: bool = False
    ended: bool = False
    covered: frozenset[ChannelId] = frozenset()
    controller: frozenset[ChannelId] = frozenset()
    parties: int = 1
    lives: int = 0

    @property
    def language(self) -> str:
        """Of the notice that was heard; empty if none was."""
        return self.decision.notice.rpartition("/")[2] if self.decision else ""

    @property
    def last_number(self) -> int:
        """Of the last segment that was asked for; 0 if none was."""
        return max(map(segment_of, self.recordings), default=0)


def replay_call(rows: Iterable[Row]) -> ReplayedCall | None:
    """What the rows of one call say, in their order; ``None`` without its arrival."""
    call: ReplayedCall | None = None
    for row in rows:
        if row.kind == Kind.CALL_ARRIVED:
            call = _arrived(row)
        elif call is not None:
            call = _after(call, row)
    return call


def _arrived(row: Row) -> ReplayedCall | None:
    channel, entry = row.detail.get("channel"), row.detail.get("entry")
    if row.call is None or not channel or entry not in set(EntryWire):
        return None
    return ReplayedCall(
        row.call,
        ChannelId(str(channel)),
        EntryWire(str(entry)),
        linkedid=str(row.detail.get("linkedid", "")),
        leg=Leg(str(row.detail.get("leg", Leg.CALLER))),
        policy=str(row.detail.get("policy", "")),
        policy_digest=str(row.detail.get("policy_digest", "")),
        erases=row.detail.get("synthetic") is True,
    )


_CONCLUSIONS = {
    Kind.RECORDING_EMPTY: Left.JUDGED,
    Kind.RECORDING_CLOSED: Left.JUDGED,
    Kind.RECORDING_MISSING: Left.DEALT_WITH,
    Kind.RECORDING_UNJUDGED: Left.DEALT_WITH,
    Kind.SPOOL_REMOVED: Left.DEALT_WITH,
}


def _after(call: ReplayedCall, row: Row) -> ReplayedCall:  # noqa: C901, PLR0912 - one arm a kind
    detail = row.detail
    match row.kind:
        case Kind.DECISION:
            return replace(call, decision=_decision(detail))
        case Kind.RECORDING_REQUESTED:
            return _asked(call, row)
        case Kind.RECORDING_ADOPTED:
            return _adopted(call, row)
        case Kind.RECORDING_STARTED | Kind.RECORDING_GROWING | Kind.RECORDING_STALLED:
            return _runs(call, row)
        case kind if kind in _CONCLUSIONS:
            return _concluded(call, Kind(kind), _recording(detail))
        case Kind.RECORDING_REMOVED:
            return replace(call, kept=call.kept - {_recording(detail)})
        case Kind.CAPTURE_PAUSED:
            return _paused(call, row)
        case Kind.CAPTURE_RESUMED:
            return _resumed(call, row)
        case Kind.CAPTURE_STOPPED:
            at_ms, reason = milliseconds(row.at), str(detail["reason"])
            return replace(call, stopped_at_ms=at_ms, stopped_for=reason, pauses=frozenset())
        case Kind.CONSENT if detail.get("state") == "withdrawn":
            return replace(
                call, withdrawn=True, erases=detail.get("earlier") == OnWithdrawal.DELETE
            )
        case Kind.PARTY_JOINED:
            return _joined(call, row)
        case Kind.PARTY_TOLD:
            return replace(call, covered=call.covered | {_channel(row)})
        case Kind.CALL_FOLLOWED:
            return replace(call, lives=call.lives + 1, tainted=_tainted(call, row))
        case Kind.CALL_ENDED:
            unseen = "unseen_ms" in detail
            return replace(
                call, ended=True, tainted=_tainted(call, row) if unseen else call.tainted
            )
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
        ToldBy(str(detail["told_by"])) if detail.get("told_by") else None,
    )


# -- recordings --------------------------------------------------------------------------------


def _asked(call: ReplayedCall, row: Row) -> ReplayedCall:
    """The first one is the routine's to begin, unless somebody has to demand it."""
    recording = _recording(row.detail)
    others = row.detail.get("others") is not False
    at_once = not call.recordings and row.detail.get("capture") != CaptureFrom.ON_DEMAND
    return replace(
        call,
        recordings={**call.recordings, recording: Left.REQUESTED},
        running=recording if at_once else call.running,
        coming=None if at_once else recording,
        told_only=call.told_only if others else call.told_only | {recording},
        stopped_at_ms=None,
        stopped_for="",
        changed_at_ms=None,
    )


def _adopted(call: ReplayedCall, row: Row) -> ReplayedCall:
    """The dialplan told the party and recorded it; whatever we had decided, it may be kept."""
    allowed = {**row.detail, "status": Status.ALLOWED, "reason": Reason.FALLBACK_NOTICE}
    return replace(_asked(call, row), decision=_decision(allowed))


def _runs(call: ReplayedCall, row: Row) -> ReplayedCall:
    """It is written; what ran before is written no more.

    One that was given up, and runs all the same where nothing else does, is told to stop.
    """
    recording = _recording(row.detail)
    running = replace(
        call, recordings={**call.recordings, recording: Left.RUNNING}, running=recording
    )
    if recording == call.running:
        return running
    given_up = call.running is None and call.recordings.get(recording) is Left.DEALT_WITH
    stopped_at_ms = milliseconds(row.at) if given_up else call.stopped_at_ms
    return replace(running, coming=None, mute=Mute.NONE, stopped_at_ms=stopped_at_ms)


def _concluded(call: ReplayedCall, kind: Kind, recording: RecordingId) -> ReplayedCall:
    left = replace(
        call,
        recordings={**call.recordings, recording: _CONCLUSIONS[kind]},
        running=None if recording == call.running else call.running,
        coming=None if recording == call.coming else call.coming,
    )
    if kind is Kind.RECORDING_CLOSED:
        left = replace(left, kept=left.kept | {recording})
    if left.running or left.coming:
        return left
    return replace(left, pauses=frozenset(), mute=Mute.NONE, stopped_at_ms=None, changed_at_ms=None)


def _tainted(call: ReplayedCall, row: Row) -> Mapping[RecordingId, int]:
    """What was looked away from is tainted since then, and what ran before the row since before."""
    there = {recording for recording in (call.running, call.coming) if recording is not None}
    unseen_ms = row.detail.get("unseen_ms", 0)
    since_ms = milliseconds(row.at) - ROW_LATE_MS - (unseen_ms if isinstance(unseen_ms, int) else 0)
    earlier = {one: min(since_ms, call.tainted.get(one, since_ms)) for one in there}
    return {**call.tainted, **earlier}


# -- what is muted, and who is there ------------------------------------------------------------


def _paused(call: ReplayedCall, row: Row) -> ReplayedCall:
    if row.detail.get("mute") == Mute.ALL:
        return replace(call, pauses=call.pauses | {_source(row)})
    suspected = row.detail.get("reason") == PauseReason.TRANSFER
    tainted = call.tainted if suspected else _tainted(call, row)
    return replace(call, mute=Mute.OTHERS, tainted=tainted)


def _resumed(call: ReplayedCall, row: Row) -> ReplayedCall:
    if row.detail.get("mute") == Mute.ALL:
        return replace(call, pauses=call.pauses - {_source(row)})
    return replace(call, pauses=frozenset(), mute=Mute(str(row.detail["mute"])))


_COVERED = frozenset({"staff", "told", "assumed", "accepted"})
_CONTROLLER = frozenset({"staff", "assumed"})


def _joined(call: ReplayedCall, row: Row) -> ReplayedCall:
    channel, how = _channel(row), row.detail.get("cover")
    changes = call.running is not None and call.parties > 1 and call.changed_at_ms is None
    return replace(
        call,
        tainted=call.tainted if how in _COVERED else _tainted(call, row),
        changed_at_ms=milliseconds(row.at) if changes else call.changed_at_ms,
        parties=call.parties + 1,
        covered=call.covered | ({channel} if how in _COVERED else set()),
        controller=call.controller | ({channel} if how in _CONTROLLER else set()),
    )


def _source(row: Row) -> str:
    return STAFF_SOURCE if row.actor.startswith("y-") else row.actor


def _channel(row: Row) -> ChannelId:
    return ChannelId(str(row.detail["channel"]))


def _recording(detail: Mapping[str, StoredDetail]) -> RecordingId:
    return RecordingId(str(detail["recording"]))
