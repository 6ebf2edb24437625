"""Times in which the service could not see who was in a call, and what a recording keeps of them.

Rule 17: what was not seen is not taken for granted. A party who is there when we look again, and
         is not covered, may have been there since we last looked: nothing of the others is kept
         from that moment on. Where AMI did not report bridges, somebody may have come and left:
         nothing of the others is kept from that moment until we look again, whoever is there.

Each such time has a row, so that a later run of the service knows of it: ``call_followed``, or
``call_ended``.
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
    FileTime,
    Segment,
    UnmutedSpan,
    Visibility,
)
from asterisk_compliance.domain.call.transitions.capture import (
    SLIP_AFTER_MS,
    slipping,
    why_not_others,
)
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason
from asterisk_compliance.domain.recording.verdict import Tracks


def gap_began(visibility: Visibility, event: LookedAway) -> Visibility:
    since_ms, ami_ms = event.since_ms, visibility.ami_gap_since_ms
    return replace(
        visibility,
        view_gap_since_ms=_first(visibility.view_gap_since_ms, since_ms),
        ami_gap_since_ms=_first(ami_ms, since_ms) if event.blind else ami_ms,
    )


def _first(known_ms: int | None, since_ms: int) -> int:
    return since_ms if known_ms is None else min(known_ms, since_ms)


def looks_again(visibility: Visibility, at_ms: int) -> bool:
    """Whether what is reported of that moment is newer than the gap."""
    since_ms = visibility.view_gap_since_ms
    return since_ms is None or at_ms >= since_ms


def gap_ended(visibility: Visibility) -> Visibility:
    return Visibility(events_lost=visibility.events_lost)


def unseen(call: Call, at_ms: int) -> CallStep:
    """Somebody looks again: who is there is known, and not who was there.

    Nobody knows whether the file went on meanwhile, so earlier blanks in it are made wider.
    """
    since_ms = call.visibility.view_gap_since_ms
    if since_ms is None:
        return call, ()
    rows = _said(call.visibility, at_ms)
    if not call.capture.is_open:
        return call, rows
    segment = _undated(call, since_ms, at_ms)
    looked = replace(call, capture=replace(call.capture, segment=segment))
    if not segment.others:
        return looked, rows
    if why_not_others(looked) in {None, PauseReason.TRANSFER}:
        return _not_kept_meanwhile(looked, at_ms), rows
    away_ms = at_ms - since_ms
    unkept = slipping(segment, call.file_clock.file_ms(at_ms) - away_ms, Tracks.OTHERS)
    return replace(call, capture=replace(call.capture, segment=unkept)), rows


def ended_unseen(call: Call, at_ms: int) -> Call:
    """A recording ends, or may have ended before, while AMI does not report who is there."""
    since_ms = call.visibility.ami_gap_since_ms
    if since_ms is None or not call.capture.is_open:
        return call
    undated = _undated(call, since_ms, at_ms)
    segment = _ended_before(undated, ami_gap_ms(call.visibility, at_ms))
    early = replace(call, capture=replace(call.capture, segment=segment))
    return _not_kept_meanwhile(early, at_ms) if segment.others else early


def ami_gap_ms(visibility: Visibility, at_ms: int) -> int:
    """For how long AMI has not reported bridges; 0 if it does."""
    since_ms = visibility.ami_gap_since_ms
    return 0 if since_ms is None else max(0, at_ms - since_ms)


def _said(visibility: Visibility, at_ms: int) -> tuple[AppendRow, ...]:
    if visibility.ami_gap_since_ms is None or visibility.ami_gap_is_logged:
        return ()
    return (AppendRow(Kind.CALL_FOLLOWED, {"unseen_ms": ami_gap_ms(visibility, at_ms)}),)


def _not_kept_meanwhile(call: Call, at_ms: int) -> Call:
    if call.visibility.ami_gap_since_ms is None:
        return call
    away_ms, file_ms = ami_gap_ms(call.visibility, at_ms), call.file_clock.file_ms(at_ms)
    slip = UnmutedSpan(file_ms - away_ms - SLIP_BEFORE_MS, file_ms + SLIP_AFTER_MS, Tracks.OTHERS)
    segment = call.capture.segment
    blanked = replace(segment, slips=(*segment.slips, slip))
    return replace(call, capture=replace(call.capture, segment=blanked))


def _undated(call: Call, since_ms: int, at_ms: int) -> Segment:
    """Widen the blanks by what the gap makes uncertain about their time.

    What was reported since the gap began may have been so from its beginning. Blanks that an
    earlier run of the service left are dated by the wall clock, and need no more.
    """
    away_ms = at_ms - max(since_ms, call.arrived_at_ms)
    segment, clock = call.capture.segment, call.file_clock
    slipping_ms = segment.slipping_since_ms
    if clock.keeps_all:
        early_ms = at_ms - away_ms
        slips = [replace(one, from_ms=min(one.from_ms, early_ms)) for one in segment.slips]
        earlier_ms = None if slipping_ms is None else min(slipping_ms, early_ms)
    else:
        counts_all = clock.runs is FileTime.UNKNOWN
        bridged_ms = 0 if clock.bridged_at_ms is None else at_ms - clock.bridged_at_ms
        missed_ms = 0 if counts_all else max(0, away_ms - bridged_ms)
        slips = [
            replace(one, from_ms=one.from_ms - missed_ms, to_ms=one.to_ms + away_ms)
            for one in segment.slips
        ]
        earlier_ms = None if slipping_ms is None else slipping_ms - missed_ms
    return replace(
        segment,
        slips=tuple(slips),
        slipping_since_ms=earlier_ms,
        partly_seen=segment.partly_seen or not clock.keeps_all,
    )


def _ended_before(segment: Segment, away_ms: int) -> Segment:
    """The file, from whose end blanks are measured, may have ended that long before we hear it."""
    slips = tuple(replace(one, to_ms=one.to_ms + away_ms) for one in segment.slips)
    return replace(segment, slips=slips)
