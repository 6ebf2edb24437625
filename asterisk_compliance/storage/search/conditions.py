"""Turns a search for calls into SQL conditions, and into streams that an index can lead."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from asterisk_compliance.domain.audit.encoding import search_digest, timestamp
from asterisk_compliance.domain.audit.projection import PURPOSE_SEPARATOR
from asterisk_compliance.domain.retention.erasure import LONGEST_CALL_MS
from asterisk_compliance.domain.retention.legal_holds import Hold
from asterisk_compliance.ids import CallId, channel_created_s
from asterisk_compliance.storage.log.legal_holds import every_hold
from asterisk_compliance.storage.log.personal_data import load_search_key
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import ENDED, MINUTE, SORT
from asterisk_compliance.storage.search.id_streams import (
    ColumnValues,
    IdSpan,
    Lead,
    Stream,
    hexadecimal,
)
from asterisk_compliance.storage.search.sort_orders import fitting_sorts

ANY: Final = "any"
"""Of a request: whichever it is."""
RARE: Final = 20_000
"""So far it is counted how rare a condition is: a millisecond."""

_MINUTES_MAX = 2**40
_LAST_MS = 253_402_300_799_999
"""Of what can stand in a row."""


@dataclass(frozen=True, slots=True)
class CallSearch:
    """Which calls; everything that is set must hold. Empty and ``None``: whatever it is.

    Attributes:
        number: The digits of the number of a party, in every notation: who called from it, or was
            called under it.
        dialled: The same of the number that was dialled.
        agent: An endpoint of the controller's side that was in the call, in every notation.
        user: Of the operating system: a member of the staff who did something with the call.
        channel: Asterisk's ``uniqueid``: the told party's channel, or one that joined it.
        node: Which Asterisk.
        since_ms, until_ms: It began from then on, and before then, in Unix milliseconds.
        queue: ``None``: whichever; empty: none.
        purpose: A purpose code that its caller was told.
        notice: A notice, one of its versions, or that in one language: ``standard/2/ja``.
        consent: What the caller last said, as in the row ``consent``.
        level: That of one of its recordings.
        longer_ms, shorter_ms: It lasted at least so long; less than so long. A call of which nobody
            saw the end is neither.
        recorded_longer_ms, recorded_shorter_ms: The same of what was recorded, altogether.
        matter: A legal hold of this matter is on it.
        request: A person asked for something about it: ``q-…``, or :data:`ANY`.
    """

    number: tuple[str, ...] = ()
    dialled: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    user: str = ""
    channel: str = ""
    node: str = ""
    since_ms: int | None = None
    until_ms: int | None = None
    policy: str = ""
    queue: str | None = None
    leg: str = ""
    decision: str = ""
    reason: str = ""
    purpose: str = ""
    notice: str = ""
    consent: str = ""
    level: str = ""
    longer_ms: int | None = None
    shorter_ms: int | None = None
    recorded_longer_ms: int | None = None
    recorded_shorter_ms: int | None = None
    matter: str = ""
    request: str = ""


class Condition(NamedTuple):
    """What must hold for a line of ``calls``; the text is ours, the values are parameters."""

    text: str
    values: ColumnValues


_HAS_PURPOSE = f"instr('{PURPOSE_SEPARATOR}' || purposes || '{PURPOSE_SEPARATOR}', ?) > 0"
_IS_NOTICE = "substr(notice || '/', 1, length(?) + 1) = ? || '/'"
_RECORDED = "(SELECT coalesce(sum(length_ms), 0) FROM recordings WHERE call = calls.call)"
_HAS_LEVEL = (
    "EXISTS (SELECT 1 FROM recordings WHERE recordings.call = calls.call AND recordings.level = ?)"
)
_AMONG = "calls.call IN (SELECT value FROM json_each(?))"
_EVERY_MINUTE = f"""
WITH RECURSIVE minutes (minute) AS (
    SELECT min({MINUTE}) FROM calls WHERE {MINUTE} >= ?1 AND {ENDED}
    UNION ALL SELECT (SELECT min({MINUTE}) FROM calls WHERE {MINUTE} > minute AND {ENDED})
    FROM minutes WHERE minute < ?2
)
SELECT minute FROM minutes WHERE minute <= ?2
"""  # noqa: S608  fixed text
_OF_USER = (
    "SELECT call FROM party_digests JOIN parties USING (party) WHERE digest = ? AND call NOT NULL"
)
_OF_CHANNEL = """
SELECT call FROM calls WHERE channel = ?1
UNION SELECT call FROM rows INDEXED BY rows_at
    WHERE at >= ?2 AND at < ?3 AND kind = 'party_joined' AND row ->> '$.detail.channel' = ?1
"""
_OF_REQUEST = (
    "SELECT call FROM rows WHERE seldom = 'request_call'"  # noqa: S608  fixed text
    f" AND ?1 IN ('{ANY}', row ->> '$.detail.request')"
)
_LIVE = Stream("calls INDEXED BY calls_live", "ended_at IS NULL")
"""Calls that have not ended: no other index has them by how they are."""


class Conditions:
    """One search: what must hold, and what can lead."""

    def __init__(
        self, reader: StoreReader, search: CallSearch, before: CallId | None = None
    ) -> None:
        self.span = IdSpan(reader, search.since_ms, search.until_ms, before)
        self._reader = reader
        self._search = search
        self._sorted = _sorted_conditions(search)
        self._others: list[Condition] = []
        self._leads: list[Lead] = []
        for take in (self._people, self._lasting, self._kept, self._held, self._asked_about):
            take()

    def condition(self) -> Condition:
        """All that must hold."""
        bounds = Condition("calls.call >= ? AND calls.call < ?", self.span.bounds)
        every = (bounds, *self._sorted, *self._others)
        text = " AND ".join(one.text for one in every)
        return Condition(text, [value for one in every for value in one.values])

    def lead(self) -> tuple[Lead, int]:
        """What leaves the fewest calls but for the sorts, and how many, up to :data:`RARE`."""
        best: Lead = [Stream("calls", "1")]
        size = RARE + 1
        for lead in self._leads:
            if (here := self.span.count(lead, RARE)) < size:
                best, size = lead, here
        return best, min(size, RARE)

    def sorts_within(self, most: int) -> Lead | None:
        """The sorts of calls that fit, if there are no more calls of them than ``most``.

        From :data:`RARE` on they are not counted. ``None`` also where nothing is asked of a sort,
        or where there are too many to look them through.
        """
        if not self._sorted:
            return None
        where = " AND ".join(one.text for one in self._sorted)
        values = [value for one in self._sorted for value in one.values]
        found = fitting_sorts(self.span, _equal(self._search), where, values)
        if found is None:
            return None
        ended = [Stream("calls", f"{SORT} = ? AND {ENDED}", (sort,)) for sort in found]
        live = Stream(_LIVE.table, f"{_LIVE.where} AND {where}", values)
        sorts: Lead = [*ended, live]
        return sorts if most >= RARE or self.span.count(sorts, RARE) <= most else None

    # -- conditions that others than the sorts answer ---------------------------------------

    def _people(self) -> None:
        said = self._search
        if said.number:
            own = self._digests("number", said.number)
            called = self._digests("dialled", said.number)
            text = f"({_of_party(own)} OR leg = 'callee' AND {_of_party(called)})"
            self._add(Condition(text, (*own, *called)), _by_digest([*own, *called]))
        if said.dialled:
            dialled = self._digests("dialled", said.dialled)
            self._add(Condition(_of_party(dialled), dialled), _by_digest(dialled))
        if said.agent:
            agent = self._digests("endpoint", said.agent)
            self._add(Condition(_of_party(agent), agent), _by_digest(agent))
        if said.user:
            (user,) = self._digests("user", (said.user,))
            self._only(self.span.all(_OF_USER, (user,)))
        if said.channel:
            made_ms = 1_000 * (channel_created_s(said.channel) or 0)
            ends_ms = made_ms + LONGEST_CALL_MS if made_ms else _LAST_MS
            times = (timestamp(made_ms), timestamp(ends_ms))
            self._only(self.span.all(_OF_CHANNEL, (said.channel, *times)))

    def _lasting(self) -> None:
        said = self._search
        if said.node:
            self._others.append(Condition("calls.node = ?", (said.node,)))
        for text, value in (
            ("lasted_ms >= ?", said.longer_ms),
            ("lasted_ms < ?", said.shorter_ms),
            (f"{_RECORDED} >= ?", said.recorded_longer_ms),
            (f"{_RECORDED} < ?", said.recorded_shorter_ms),
        ):
            if value is not None:
                self._others.append(Condition(text, (value,)))
        first = (said.longer_ms or 0) // 60_000
        last = _MINUTES_MAX if said.shorter_ms is None else said.shorter_ms // 60_000
        if (first, last) != (0, _MINUTES_MAX):
            self._leads.append(self._of_minutes(first, last))
        elif said.recorded_longer_ms:  # a call lasts as long as what is recorded of it
            first = max(0, said.recorded_longer_ms // 60_000 - 1)
            end_unseen = Stream("calls", f"{MINUTE} IS NULL AND {ENDED}")
            self._leads.append([*self._of_minutes(first, last), end_unseen, _LIVE])

    def _of_minutes(self, first: int, last: int) -> list[Stream]:
        minutes = self.span.all(_EVERY_MINUTE, (first, last))
        return [Stream("calls", f"{MINUTE} = ? AND {ENDED}", one) for one in minutes]

    def _kept(self) -> None:
        if self._search.level:
            level = (self._search.level,)
            self._add(Condition(_HAS_LEVEL, level), [Stream("recordings", "level = ?", level)])

    def _held(self) -> None:
        if not self._search.matter:
            return
        stored = every_hold(self._reader)
        holds = [
            one.hold
            for one in stored
            if one.hold.matter == self._search.matter and not one.released_at
        ]
        each = [self._by_hold(hold) for hold in holds]
        text = " OR ".join(condition.text for condition, _ in each) or "0"
        values = [value for condition, _ in each for value in condition.values]
        streams = [stream for _, streams in each for stream in streams]
        self._add(Condition(f"({text})", values), streams)

    def _by_hold(self, hold: Hold) -> tuple[Condition, list[Stream]]:
        said = hold.criteria
        since, until = hexadecimal(said.since_ms, ""), hexadecimal(said.until_ms, "g")
        text, values = "calls.call >= ? AND calls.call < ?", [f"c-{since}", f"c-{until}"]
        streams = [Stream("calls", "call = ?", (said.call,)) if said.call else Stream("calls", "1")]
        if said.call:
            text += " AND calls.call = ?"
            values.append(said.call)
        if said.queue:
            text += " AND (queue = ? OR queue IS NULL)"
            values.append(said.queue)
        if not said.numbered:
            return Condition(f"({text})", values), streams
        lines = self.span.all("SELECT digest FROM hold_digests WHERE hold = ?", (hold.number,))
        digests = [digest for (digest,) in lines]
        condition = Condition(f"({text} AND {_of_party(digests)})", (*values, *digests))
        return condition, _by_digest(digests)

    def _asked_about(self) -> None:
        if self._search.request:
            self._only(self.span.all(_OF_REQUEST, (self._search.request,)))

    def _only(self, lines: Iterable[tuple[Any, ...]]) -> None:
        """These calls and no others."""
        named = sorted({call for (call,) in lines})
        self._add(Condition(_AMONG, (json.dumps(named),)), named)

    def _add(self, condition: Condition, lead: Lead) -> None:
        self._others.append(condition)
        self._leads.append(lead)

    def _digests(self, field: str, keys: Iterable[str]) -> list[bytes]:
        return [search_digest(self._key, field, one) for one in keys]

    @cached_property
    def _key(self) -> bytes:
        return load_search_key(self._reader.directory)


def _equal(search: CallSearch) -> dict[str, str]:
    """Columns of a sort that must have one value."""
    said = {
        "policy": search.policy or None,
        "queue": search.queue,
        "leg": search.leg or None,
        "decision": search.decision or None,
        "reason": search.reason or None,
        "consent": search.consent or None,
    }
    return {name: value for name, value in said.items() if value is not None}


def _sorted_conditions(search: CallSearch) -> list[Condition]:
    """Those that ``calls_sort`` answers alone, of calls that have ended."""
    chosen = [Condition(f"{name} = ?", (value,)) for name, value in _equal(search).items()]
    if search.purpose:
        sought = f"{PURPOSE_SEPARATOR}{search.purpose}{PURPOSE_SEPARATOR}"
        chosen.append(Condition(_HAS_PURPOSE, (sought,)))
    if search.notice:
        chosen.append(Condition(_IS_NOTICE, (search.notice, search.notice)))
    return chosen


def _of_party(digests: Sequence[bytes]) -> str:
    """Whether a party of the call has one of these digests."""
    places = ", ".join("?" * len(digests))
    return (
        "EXISTS (SELECT 1 FROM party_digests"  # noqa: S608  only places
        f" WHERE digest IN ({places}) AND party >= 'y-' || substr(calls.call, 3) || '-'"
        " AND party < 'y-' || substr(calls.call, 3) || '-:')"
    )


def _by_digest(digests: Iterable[bytes]) -> list[Stream]:
    return [Stream("party_digests", "digest = ?", (one,), "party") for one in digests]
