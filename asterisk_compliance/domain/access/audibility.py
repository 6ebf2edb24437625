"""Who can be heard in a recording, what each was told, and what stands against its use. Pure.

Everything here is a fold over the rows of one call. In doubt somebody is heard: no row says when
a party left, so whoever was there before the recording ended may be in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.policy.notice import OnWithdrawal
from asterisk_compliance.domain.recording.interruption_reasons import FAILURES
from asterisk_compliance.ids import RecordingId, is_recording_id, segment_of

_INSIDE: Final = frozenset({"staff", "assumed"})
"""Covers of the controller's own people: what they are told is between them and him."""
_NOT_KEPT: Final = frozenset({"unknown", "refused"})
"""Covers of who is not kept, unless told afterwards."""


@dataclass(frozen=True, slots=True)
class Audible:
    """Somebody outside of the controller who can be heard in a recording.

    Attributes:
        told: The purposes that he was told, as far as the rows of this call say.
        channel: His; empty for the party whose call it is.
        cover: As of ``party_joined``; empty for the party whose call it is.
        joined: The number of the row with which he came; 0 for that party.
    """

    told: frozenset[str] = frozenset()
    channel: str = ""
    cover: str = ""
    joined: int = 0

    @property
    def is_kept(self) -> bool:
        return bool(self.told) or self.cover not in _NOT_KEPT

    @property
    def was_told_elsewhere(self) -> bool:
        """The notice that covers him is in the rows of a call of his own."""
        return self.cover == "told" and not self.told

    @property
    def was_accepted(self) -> bool:
        """His policy took him in without telling him anything."""
        return self.cover == "accepted" and not self.told


class _Listening:
    """One recording, followed from row to row."""

    def __init__(self, recording: RecordingId) -> None:
        self._recording = recording
        self._caller = Audible()
        self._joined: dict[str, Audible] = {}
        self._begun = self._over = self._others = False

    def look(self, row: Row) -> None:
        about = row.detail.get("recording") == self._recording
        match row.kind:
            case Kind.NOTICE_COMPLETED if not self._begun:
                self._caller = Audible(_purposes(row))
            case Kind.RECORDING_ADOPTED if about:
                self._caller, self._begun = Audible(_purposes(row)), True
            case Kind.RECORDING_REQUESTED if about:
                self._begun, self._others = True, row.detail.get("others") is not False
            case Kind.PARTY_JOINED | Kind.PARTY_TOLD if not self._over:
                self._comes(row)
            case Kind.CAPTURE_STOPPED if about and row.detail.get("reason") not in FAILURES:
                self._over = True
            case Kind.CALL_ENDED:
                self._over = True
            case Kind.RECORDING_STARTED if _is_later(row, self._recording):
                self._over = True
            case Kind.RECORDING_CLOSED if about:
                self._others = self._others and row.detail.get("tx") != "not_kept"
            case _:
                pass

    def _comes(self, row: Row) -> None:
        channel = str(row.detail.get("channel"))
        known = self._joined.get(channel)
        if row.kind == Kind.PARTY_TOLD:
            known = known or Audible(channel=channel, joined=row.seq)
            self._joined[channel] = replace(known, told=known.told | _purposes(row))
        elif known is None or not known.is_kept:
            cover = str(row.detail.get("cover"))
            self._joined[channel] = Audible(channel=channel, cover=cover, joined=row.seq)

    def heard(self) -> tuple[Audible, ...]:
        if not self._others:
            return (self._caller,)
        outside = (one for one in self._joined.values() if one.cover not in _INSIDE)
        return (self._caller, *(one for one in outside if one.is_kept))


def audible_in(rows: Iterable[Row], recording: RecordingId) -> tuple[Audible, ...]:
    """Who can be heard, the party whose call it is first.

    Args:
        rows: All rows of its call, in order.
        recording: One segment of that call.
    """
    listening = _Listening(recording)
    for row in rows:
        listening.look(row)
    return listening.heard()


def told_before(rows: Iterable[Row], seq: int) -> frozenset[str]:
    """The purposes that the party of a call was told before row ``seq``.

    Args:
        rows: Those of that call.
        seq: The number of any row of the log.
    """
    told = (row for row in rows if row.kind == Kind.NOTICE_COMPLETED and row.seq < seq)
    return frozenset().union(*map(_purposes, told))


def queue_of(rows: Iterable[Row]) -> str | None:
    """The queue of a call; empty if it has none, ``None`` if no row says."""
    said = (row.detail.get("queue") for row in rows if row.kind == Kind.CALL_ARRIVED)
    return next((queue for queue in said if isinstance(queue, str)), None)


def is_withheld(rows: Iterable[Row]) -> bool:
    """Whether the party of the call withdrew, and its policy does not keep the rest for use.

    What a policy deletes and a legal hold kept is kept for the matter, and for nothing else.
    """
    return any(
        row.kind == Kind.CONSENT
        and row.detail.get("state") == "withdrawn"
        and row.detail.get("earlier") != OnWithdrawal.KEEP
        for row in rows
    )


def is_stopped(rows: Iterable[Row], purpose: str) -> bool:
    """Whether a request stopped the use of the call for ``purpose``, and nothing resumed it.

    A stop that names no purpose stops all. Each request resumes what it stopped itself: all of it,
    or the purposes that the row names.
    """
    stops: dict[str, frozenset[str]] = {}
    for row in rows:
        request = str(row.detail.get("request"))
        if row.kind == Kind.USE_STOPPED:
            stops[request] = _wider(stops.get(request), _purposes(row))
        elif row.kind == Kind.USE_RESUMED and request in stops:
            resumed = _purposes(row)
            if not resumed or (stops[request] and stops[request] <= resumed):
                del stops[request]
            else:
                stops[request] -= resumed
    return any(not purposes or purpose in purposes for purposes in stops.values())


def _wider(before: frozenset[str] | None, stopped: frozenset[str]) -> frozenset[str]:
    if before is None:
        return stopped
    return before | stopped if before and stopped else frozenset()


def _purposes(row: Row) -> frozenset[str]:
    said = row.detail.get("purposes")
    return frozenset(map(str, said)) if isinstance(said, tuple) else frozenset()


def _is_later(row: Row, recording: RecordingId) -> bool:
    other = str(row.detail.get("recording"))
    return is_recording_id(other) and segment_of(RecordingId(other)) > segment_of(recording)
