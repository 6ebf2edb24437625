"""What Asterisk itself writes of calls: CDRs, and the events of CEL.

The dialplan routine leaves ``STATUS:REASON:PURPOSES:CALL_ID`` in ``CDR(userfield)``. Asterisk joins
the fields of two parties with a semicolon when it makes their CDR. Numbers and names are never
taken out of these records: nothing here has a place for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from asterisk_compliance.domain.call.decision import DIALPLAN_REASONS, Reason

_STATEMENT = re.compile(
    r"(?P<status>[A-Z_]{1,32}):(?P<reason>[A-Z_]{1,64}):[A-Z0-9_&]*:(?P<call>c-[0-9a-f]{28})?"
)
_UNIQUEID = re.compile(r"(?:[A-Za-z0-9_.-]{1,64}-)?([0-9]{9,11})\.[0-9]{1,10}(?:;[12])?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


CHECK_CONTEXT: Final = "compliance-check"
"""Where calls of ``asterisk-compliance check`` run: nobody is there who would have to be told."""


@dataclass(frozen=True, slots=True)
class RoutineStatement:
    """What our routine said of one leg.

    Attributes:
        call: Empty where the routine had no answer from the service.
    """

    status: str
    reason: str
    call: str = ""

    @property
    def by_dialplan(self) -> bool:
        """Whether the routine itself gave the reason, because the service gave none."""
        return self.reason in DIALPLAN_REASONS

    @property
    def recorded_alone(self) -> bool:
        """Whether the dialplan told the caller and recorded, because the service was not there."""
        return self.reason == Reason.FALLBACK_NOTICE and not self.call


@dataclass(frozen=True, slots=True)
class Cdr:
    """One call of Asterisk's, from a CDR or put together from CEL.

    Attributes:
        channel: ``uniqueid``; empty where the record has none.
        linkedid: Empty where the record has none.
        others: Further channels of the same ``linkedid`` (CEL).
        context: Where the call began; empty where the record has none.
        started_ms: Unix milliseconds, ``None`` where nobody told.
        covers_from_ms: On the first record of a file: calls that ended since are in that file.
        over: Whether the call has ended.
    """

    channel: str
    linkedid: str = ""
    context: str = ""
    answered: bool = False
    started_ms: int | None = None
    covers_from_ms: int | None = None
    statements: tuple[RoutineStatement, ...] = ()
    others: tuple[str, ...] = ()
    over: bool = True

    @property
    def ids(self) -> tuple[str, ...]:
        """Every id of Asterisk's by which the call may be known."""
        ids = (self.channel, self.linkedid, *self.others)
        return tuple(dict.fromkeys(one for one in ids if one))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Records of one file that cannot be compared.

    Attributes:
        where: The file.
        first: Number of the first such record, from 1.
        count: How many.
        why: One sentence without any of their content.
    """

    where: str
    first: int
    count: int
    why: str


@dataclass(frozen=True, slots=True)
class CelEvent:
    """One event of CEL.

    Attributes:
        event: ``CHAN_START``, ``ANSWER``, ``HANGUP``, ``CHAN_END``, ``LINKEDID_END``, or another.
        linkedid: The channel's own id where the record has no ``linkedid``.
        at_ms: ``None`` where it cannot be read.
    """

    event: str
    channel: str
    linkedid: str
    context: str = ""
    at_ms: int | None = None


def statements(userfield: str) -> tuple[RoutineStatement, ...]:
    """What our routine said; what a site wrote there itself is passed over."""
    matches = map(_STATEMENT.fullmatch, userfield.split(";"))
    return tuple(
        RoutineStatement(match["status"], match["reason"], match["call"] or "")
        for match in matches
        if match is not None
    )


def is_uniqueid(text: str) -> bool:
    """Whether it has the form that Asterisk gives to its ids: ``[SYSTEMNAME-]EPOCH.COUNT``."""
    return _UNIQUEID.fullmatch(text) is not None


def is_printable_id(text: str) -> bool:
    """Whether it can be no number and no name: an id of Asterisk's, or a UUID.

    Columns may be named wrongly, and who originates a channel may choose its id.
    """
    return is_uniqueid(text) or _UUID.fullmatch(text) is not None


def created_ms(uniqueid: str) -> int | None:
    """When Asterisk made the channel, as its id says, to the second."""
    match = _UNIQUEID.fullmatch(uniqueid)
    return int(match[1]) * 1_000 if match else None


@dataclass(slots=True)
class _Open:
    """A ``linkedid`` whose channels are not all gone."""

    linkedid: str
    context: str = ""
    answered: bool = False
    at_ms: int | None = None
    there: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)

    def take(self, event: CelEvent) -> bool:
        """Take an event in; whether the last channel has gone with it."""
        if self.at_ms is None:
            self.at_ms = event.at_ms
        match event.event:
            case "CHAN_START":
                self.there.add(event.channel)
                self.context = self.context or event.context
            case "ANSWER":
                self.answered = True
            case "HANGUP" | "CHAN_END":
                self.gone.add(event.channel)
            case "LINKEDID_END":
                return True
            case _:
                pass
        return bool(self.there) and self.there <= self.gone

    def call(self, *, over: bool) -> Cdr:
        return Cdr(
            self.linkedid,
            self.linkedid,
            self.context,
            answered=self.answered,
            started_ms=self.at_ms,
            others=tuple(sorted(self.there - {self.linkedid})),
            over=over,
        )


def calls_of(events: Iterable[CelEvent]) -> Iterator[Cdr]:
    """One call for each ``linkedid``, when it ends; what is left at the end is not over.

    Only calls that have not ended are held in memory.
    """
    live: dict[str, _Open] = {}
    for event in events:
        if event.linkedid not in live and event.event not in {"CHAN_START", "ANSWER"}:
            continue  # what follows the end of a call
        call = live.setdefault(event.linkedid, _Open(event.linkedid))
        if call.take(event):
            del live[event.linkedid]
            yield call.call(over=True)
    for call in live.values():
        yield call.call(over=False)
