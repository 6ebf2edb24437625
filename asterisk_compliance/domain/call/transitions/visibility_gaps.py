"""Nobody looked for a while: what a recording heard of the others meanwhile.

Rule 17: what was not seen is not taken for granted. Who is there when we look again, and is not
         covered, may have been there since we looked away: nothing of the others is kept from
         that moment on. Where nobody told of bridges, somebody may have come and left: nothing of
         the others is kept from that moment until we look again, whoever is there then.

Each such time has its row, so that another life knows of it: ``call_followed``, or ``call_ended``.
"""

from __future__ import annotations

from msgspec.structs import replace

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.call.events import LookedAway
from asterisk_compliance.domain.call.state import (
    SLIP_BEFORE_MS,
    Call,
    CallStep,
    Segment,
    UnmutedSpan,
)
from asterisk_compliance.domain.call.transitions.capture import (
    SLIP_AFTER_MS,
    slipping,
    why_not_others,
)
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from asterisk_compliance.domain.recording.verdict import Tracks


def gap_began(call: Call, event: LookedAway) -> Call:
    since_ms = event.since_ms
    blind_ms = _first(call.blind_since_ms, since_ms) if event.blind else call.blind_since_ms
    unseen_ms = _first(call.unseen_since_ms, since_ms)
    return replace(call, unseen_since_ms=unseen_ms, blind_since_ms=blind_ms)


def _first(known_ms: int | None, since_ms: int) -> int:
    return since_ms if known_ms is None else min(known_ms, since_ms)


def looks_again(call: Call, at_ms: int) -> bool:
    """Whether what is told of that moment is younger than what was not seen."""
    return call.unseen_since_ms is None or at_ms >= call.unseen_since_ms


def gap_ended(call: Call) -> Call:
    return replace(call, unseen_since_ms=None, blind_since_ms=None, blind_is_logged=False)


def unseen(call: Call, at_ms: int) -> CallStep:
    """Somebody looks again: who is there is known, and not who was there.

    Whether the file went on meanwhile nobody knows: what lies before in it is blanked wider.
    """
    if call.unseen_since_ms is None:
        return call, ()
    rows = _said(call, at_ms)
    if not call.capture_is_open:
        return call, rows
    away_ms = at_ms - call.unseen_since_ms
    looked = replace(call, segment=_undated(call, call.unseen_since_ms, at_ms))
    if not call.segment.others:
        return looked, rows
    if why_not_others(looked) in {None, PauseReason.TRANSFER}:
        return _not_kept_meanwhile(looked, at_ms), rows
    return slipping(looked, call.file_ms(at_ms) - away_ms, Tracks.OTHERS), rows


def ended_unseen(call: Call, at_ms: int) -> Call:
    """A recording ends, or may do so, while nobody tells who is there; or it did before that."""
    if call.blind_since_ms is None or not call.capture_is_open:
        return call
    undated = _undated(call, call.blind_since_ms, at_ms)
    early = replace(call, segment=_ended_before(undated, blind_ms(call, at_ms)))
    return _not_kept_meanwhile(early, at_ms) if call.segment.others else early


def blind_ms(call: Call, at_ms: int) -> int:
    """For how long nobody has told of bridges; 0 if they are told."""
    return 0 if call.blind_since_ms is None else max(0, at_ms - call.blind_since_ms)


def _said(call: Call, at_ms: int) -> tuple[AppendRow, ...]:
    if call.blind_since_ms is None or call.blind_is_logged:
        return ()
    return (AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": blind_ms(call, at_ms)}),)


def _not_kept_meanwhile(call: Call, at_ms: int) -> Call:
    if call.blind_since_ms is None:
        return call
    away_ms, file_ms = blind_ms(call, at_ms), call.file_ms(at_ms)
    slip = UnmutedSpan(file_ms - away_ms - SLIP_BEFORE_MS, file_ms + SLIP_AFTER_MS, Tracks.OTHERS)
    return replace(call, segment=replace(call.segment, slips=(*call.segment.slips, slip)))


def _undated(call: Call, since_ms: int, at_ms: int) -> Segment:
    """What was heard of late may have been so since we looked away; the rest, see above.

    What another life left is dated by the clock on the wall, and needs no more.
    """
    away_ms = at_ms - max(since_ms, call.arrived_at_ms)
    slipping_ms = call.segment.slipping_since_ms
    if call.keeps_all:
        early_ms = at_ms - away_ms
        slips = [replace(one, from_ms=min(one.from_ms, early_ms)) for one in call.segment.slips]
        earlier_ms = None if slipping_ms is None else min(slipping_ms, early_ms)
    else:
        counts_all = call.policy is None
        bridged_ms = 0 if call.bridged_at_ms is None else at_ms - call.bridged_at_ms
        missed_ms = 0 if counts_all else max(0, away_ms - bridged_ms)
        slips = [
            replace(one, from_ms=one.from_ms - missed_ms, to_ms=one.to_ms + away_ms)
            for one in call.segment.slips
        ]
        earlier_ms = None if slipping_ms is None else slipping_ms - missed_ms
    return replace(
        call.segment,
        slips=tuple(slips),
        slipping_since_ms=earlier_ms,
        partly_seen=call.segment.partly_seen or not call.keeps_all,
    )


def _ended_before(segment: Segment, away_ms: int) -> Segment:
    """Its end, from which blanks are measured back, was up to so long before we hear of it."""
    slips = tuple(replace(one, to_ms=one.to_ms + away_ms) for one in segment.slips)
    return replace(segment, slips=slips)
