"""Watching the times of requests: what is due soon, what is overdue, and a row when one becomes so.

The row is written once, also where the moment passed while the service was down.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import structlog

from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.subject_requests.rows import overdue
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.deadlines import soon_ms
from asterisk_compliance.domain.subject_requests.codes import Right
from asterisk_compliance.domain.subject_requests.requests import KINDS, SubjectRequest
from asterisk_compliance.errors import StoreError
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.subject_requests import every_request

LOOK_S = 30.0
"""So long after its moment a request is called overdue at the latest."""
STATES = ("open", "due_soon", "overdue")

log = structlog.get_logger()


def state_of(request: SubjectRequest, settings: Settings, at_ms: int) -> str:
    """One of :data:`STATES`, or empty: nobody waits for an answer."""
    if not request.is_open:
        return ""
    if request.is_overdue(at_ms):
        return "overdue"
    zone, days = settings.rules.time_zone, settings.requests.remind_days
    return "due_soon" if at_ms >= soon_ms(request.due_ms, days, zone) else "open"


def counts(
    requests: Iterable[SubjectRequest], settings: Settings, at_ms: int
) -> Mapping[tuple[Right, str], int]:
    """How many of each right are in each state; whoever is due soon or overdue is not ``open``."""
    found = Counter((one.right, state_of(one, settings, at_ms)) for one in requests)
    return {(right, state): found[right, state] for right in Right for state in STATES}


class RequestWatch:
    """Looks now and then until :meth:`run` is cancelled.

    Attributes:
        standing: How many requests are in each of :data:`STATES`, as of the last look.

    Args:
        rows: The log.
        settings: What holds at the moment of looking.
        metrics: Where the numbers go.
        now_ms: The clock, in Unix milliseconds.
    """

    def __init__(
        self,
        rows: AuditAppender,
        settings: Callable[[], Settings],
        metrics: Metrics,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self.standing: Mapping[str, int] = dict.fromkeys(STATES, 0)
        self._rows = rows
        self._settings = settings
        self._metrics = metrics
        self._now_ms = now_ms
        self._changed = True
        self._requests: tuple[SubjectRequest, ...] = ()

    def observe(self, row: Draft) -> None:
        """Told of each row that is durable."""
        self._changed = self._changed or row.kind in KINDS

    async def run(self) -> None:
        while True:
            try:
                await self.look()
            except StoreError as error:
                log.error("requests_not_watched", why=str(error))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Say which requests became overdue, and count them all.

        Raises:
            StoreError: the log cannot be read or written; it is tried again.
        """
        if self._changed:
            self._changed = False
            try:
                self._requests = await asyncio.to_thread(self._read)
            except StoreError:
                self._changed = True
                raise
        at_ms = self._now_ms()
        late = [
            one for one in self._requests if one.is_overdue(at_ms) and one.overdue_ms != one.due_ms
        ]
        if late:
            log.warning("requests_overdue", requests=[one.request for one in late])
            await self._rows.append(*map(overdue, late))
            self._changed = True
        self._count(at_ms)

    def _count(self, at_ms: int) -> None:
        found = counts(self._requests, self._settings(), at_ms)
        for (right, state), count in found.items():
            self._metrics.requests.labels(right, state).set(count)
        self.standing = {
            state: sum(count for (_, each), count in found.items() if each == state)
            for state in STATES
        }

    def _read(self) -> tuple[SubjectRequest, ...]:
        with StoreReader(self._settings().audit.store) as reader:
            return tuple(every_request(reader).values())
