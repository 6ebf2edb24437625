"""Erasing persons when their time is over: of calls of which nothing is kept, and of requests.

Only where the configuration says how long: without it somebody is erased on a wish alone. Whom a
legal hold is about stays, and so does who waits for an answer. There can be a million of them on
the first night, so they are found one after the other, and go some at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from asterisk_compliance.app.retention.erasure import PARTIES_PER_COMMIT, hindrance_of, tombstones
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.deadlines import over_ms
from asterisk_compliance.domain.periods import day_of, over_before
from asterisk_compliance.domain.retention.erasure import LONGEST_CALL_MS, ErasureGround
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.ids import CallId, PartyId
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries import persons
from asterisk_compliance.storage.queries.persons import outlived
from asterisk_compliance.storage.queries.subject_requests import every_request

_LOOKED_AT_ONCE: Final = 1_000


class ExpiredPerson(NamedTuple):
    """Somebody whose time is over.

    Attributes:
        call: He is in; ``None``: he asked for something.
        due_ms: Since when, in Unix milliseconds.
    """

    party: PartyId
    call: CallId | None
    due_ms: int


def due_persons(reader: StoreReader, settings: Settings, at_ms: int) -> Iterator[ExpiredPerson]:
    """Whom a run would erase at ``at_ms``, found while they are taken.

    Raises:
        StoreUnavailable: the store cannot be read.
        LogBroken: a row is none.
    """
    requests = every_request(reader).values()
    awaited = _awaited(requests)
    of_calls = _of_calls(reader, settings, at_ms)
    while some := list(islice(of_calls, _LOOKED_AT_ONCE)):
        stay = awaited | matters_on(reader, [one.call for one in some if one.call]).keys()
        yield from (one for one in some if one.call not in stay)
    for one in _of_requests(requests, settings):
        known = persons.party(reader, one.party) if one.due_ms <= at_ms else None
        if known is not None and known.is_kept:
            yield one


@dataclass(slots=True)
class PersonExpiry:
    """Those whose time is over, on their way out.

    Attributes:
        left: Who still has to go.
        by: The party that ordered it, who stands in a row of his own.
        authority: That row.
        at_ms, zone: When they were found, and whose days are counted.
    """

    left: list[PartyId]
    by: PartyId
    authority: str
    at_ms: int
    zone: ZoneInfo

    def some(self, reader: StoreReader) -> tuple[Sequence[PartyId], list[Draft]]:
        """The next ones, and the rows behind which they go: of those who still have to.

        Meanwhile somebody may have placed a hold, opened a request, or erased them.
        """
        some = self.left[:PARTIES_PER_COMMIT]
        found = [one for party in some if (one := persons.party(reader, party)) is not None]
        held = matters_on(reader, [one.call for one in found if one.call])
        awaited = _awaited(every_request(reader).values())
        today = day_of(self.at_ms, self.zone)
        going = [
            one
            for one in found
            if one.is_kept
            and one.call not in awaited
            and not hindrance_of(reader, one, self.at_ms, today, held=one.call in held)
        ]
        rows = tombstones(going, ErasureGround.RETENTION_ENDED, self.authority, "")
        return some, [replace(one, actor=self.by, party=None, role=None, facts=()) for one in rows]


def _awaited(requests: Iterable[SubjectRequest]) -> set[CallId]:
    return {call for one in requests if one.is_open for call in one.calls}


def _of_calls(reader: StoreReader, settings: Settings, at_ms: int) -> Iterator[ExpiredPerson]:
    period, zone = settings.retention.erase_persons, settings.rules.time_zone
    before_ms = None if period is None else over_before(period, at_ms, zone)
    if period is None or before_ms is None:
        return
    for one in outlived(reader, before_ms, at_ms - LONGEST_CALL_MS):
        due_ms = over_ms(period, one.since_ms, zone)
        if due_ms <= at_ms:
            yield ExpiredPerson(one.party, one.call, due_ms)


def _of_requests(requests: Iterable[SubjectRequest], settings: Settings) -> Iterator[ExpiredPerson]:
    period = settings.requests.keep_requesters
    if period is None:
        return
    for one in requests:
        if one.over_ms is not None:
            due_ms = over_ms(period, one.over_ms, settings.rules.time_zone)
            yield ExpiredPerson(one.requester, None, due_ms)
