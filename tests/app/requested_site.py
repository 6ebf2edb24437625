"""A site with recordings of a person, and an officer who deals with what the person asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from asterisk_compliance.app.retention.erasure import Erasing
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.shared.control_socket import SocketPeer
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.app.subject_requests.erasure import ErasureExecution
from asterisk_compliance.app.subject_requests.steps import Requesting
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.domain.subject_requests.requests import SubjectRequest
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import RecordingId, RequestId
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.queries.subject_requests import every_request
from retained import at, keep, site

OFFICER = SocketPeer(uid=0, pid=1)
CALLED = "2026-11-20T01:00:00.000Z"
NOW = "2026-11-24T03:00:00.000Z"
NUMBER = "03-1234-5678"
WHO = {"by": "PERSON", "name": "山田 太郎", "contact": "1-2-3 Marunouchi"}


class Taken:
    """Rows that are taken ``left`` times, and then no more."""

    def __init__(self, log: AuditLogStore) -> None:
        self._log, self.left, self.refused = log, 1_000_000, 0

    async def append(self, *drafts: Draft) -> int:
        if self.left < 1:
            self.refused += 1
            raise StoreUnavailable("the disk is full")
        self.left -= 1
        return await self._log.append(*drafts)


class Desk:
    """The verbs, the log, and what it says.

    Attributes:
        now_ms: What the clock says.
    """

    def __init__(self, log: AuditLogStore, settings: Settings) -> None:
        self.log, self.settings = log, settings
        self.now_ms = at(NOW)
        self.taken = rows = Taken(log)
        retaining = RetentionService(rows, lambda: settings, Metrics())
        requesting = Requesting(rows, lambda: settings, lambda: self.now_ms)
        carrying_out = ErasureExecution(rows, lambda: settings, retaining, requesting.one_at_a_time)
        self._verbs = {
            **requesting.verbs(),
            **carrying_out.verbs(),
            **retaining.verbs(),
            "erase": Erasing(rows, lambda: settings, retaining.holds_stand).erase,
        }

    async def __call__(self, verb: str, **arguments: str) -> Any:
        name = verb if verb in self._verbs else f"request-{verb}"
        return await self._verbs[name](OFFICER, arguments)

    async def open(self, right: str, **arguments: str) -> RequestId:
        answer = await self("open", right=right, **{**WHO, **arguments})
        return RequestId(answer["request"])

    async def known(self, right: str, **arguments: str) -> RequestId:
        """A request by somebody who was identified."""
        request = await self.open(right, **arguments)
        await self("identify", request=request, how="CALLED_BACK")
        return request

    async def granted(self, right: str, **arguments: str) -> RequestId:
        """The same, granted; ``cause`` goes with the decision."""
        decision = {name: arguments.pop(name) for name in ("cause", "text", "purposes")
                    if name in arguments}  # fmt: skip
        request = await self.known(right, **arguments)
        await self("decide", request=request, verdict="GRANTED", reason="LAW", **decision)
        return request

    def request(self, request: str) -> SubjectRequest:
        with StoreReader(self.settings.audit.store) as reader:
            return every_request(reader)[RequestId(request)]

    def rows(self, kind: str | None = None) -> list[Row]:
        with StoreReader(self.settings.audit.store) as reader:
            return [decode(row.data) for row in reader.rows(RowQuery(kind=kind))]


@asynccontextmanager
async def desk(home: Path, **tables: Any) -> AsyncIterator[Desk]:
    settings = site(home, **tables)
    log = await AuditLogStore.open(settings.audit.store)
    try:
        yield Desk(log, settings)
    finally:
        await log.close()


def calls(home: Path, *, many: int = 1) -> list[RecordingId]:
    """Recordings of the person, in the log and in the vault."""
    return [keep(home, CALLED, number=number) for number in range(1, many + 1)]
