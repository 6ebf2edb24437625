"""Writes the rows of one call to the log, and bounds how long the call waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial
from typing import Protocol, TypeAlias

import structlog

from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.commands import AppendRow, Command
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import CallId, NodeName

Behind: TypeAlias = tuple[Command, ...]

log = structlog.get_logger()


class CallAuditLog(Protocol):
    """The audit log, as a call needs it.

    Attributes:
        backlog: For rows that were refused.
    """

    backlog: Backlog

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        """Store all of them or none; resolves when they are durable.

        ``patient``: nobody waits for them, so they may wait for others.
        """
        ...


class CommitOutcome(StrEnum):
    STORED = "stored"
    REFUSED = "refused"
    LATE = "late"
    """Not known yet: they may be stored later."""


class CallRows:
    """What one call writes.

    Args:
        rows: The log.
        call, node: Of every row.
        wait_s: How long the call waits for rows that something depends on.
        refused: Called when rows that nobody waits for were not stored.
        settled: Called when it is known whether rows that were ``LATE`` are stored, with what was
            given to :meth:`commit`.
    """

    __slots__ = (
        "_call",
        "_last",
        "_late",
        "_node",
        "_refused",
        "_rows",
        "_settled",
        "_wait_s",
    )

    def __init__(
        self,
        rows: CallAuditLog,
        call: CallId,
        node: NodeName,
        wait_s: float,
        refused: Callable[[], None],
        settled: Callable[[bool, Behind], None],
    ) -> None:
        self._rows = rows
        self._call = call
        self._node = node
        self._wait_s = wait_s
        self._refused = refused
        self._settled = settled
        self._late: asyncio.Future[int] | None = None
        self._last: asyncio.Future[int] | None = None

    def draft(self, row: AppendRow) -> Draft:
        return Draft(
            row.kind,
            unix_ms(),
            self._node,
            call=self._call,
            actor=row.actor,
            detail=row.detail,
            party=row.party,
            role=_role(row),
            facts=row.facts,
            listed=row.listed,
        )

    def append(self, drafts: Sequence[Draft], *, patient: bool = True) -> None:
        """Nobody waits; if they are not stored, ``refused`` is called, and they are kept."""
        if self._rows.backlog.holds(self._call):
            self._rows.backlog.keep(self._call, *drafts)
        else:
            done = self._append(drafts, patient=patient)
            done.add_done_callback(partial(self._appended, drafts))

    async def commit(
        self, drafts: Sequence[Draft], behind: Behind, *, patient: bool = False
    ) -> CommitOutcome:
        """Wait until they are durable, but not for ever: the log may hang with its disk.

        ``behind``: what depends on them; ``patient``: it may wait for other calls' rows.
        """
        if self._rows.backlog.holds(self._call) and not await self._earlier_ones():
            return CommitOutcome.REFUSED
        done = self._append(drafts, patient=patient)
        await _until(done, self._wait_s)
        if not done.done():
            log.error("rows_late", call=self._call, waited_s=self._wait_s, kinds=_kinds(drafts))
            self._late = done
            done.add_done_callback(partial(self._came_late, behind))
            return CommitOutcome.LATE
        return CommitOutcome.STORED if self._stored(done, drafts) else CommitOutcome.REFUSED

    async def late_ones(self) -> None:
        """Wait for the rows that were ``LATE`` last, however long that takes."""
        if self._late is not None:
            await asyncio.wait({self._late})

    async def last_ones(self) -> None:
        """Wait for the rows that were appended last, but not for ever: then the log owes them."""
        if self._last is not None:
            await _until(self._last, self._wait_s)
            if not self._last.done():
                self._rows.backlog.awaits(self._call, self._last)

    async def _earlier_ones(self) -> bool:
        """Whether what was kept of this call is stored by now."""
        storing = asyncio.ensure_future(self._rows.backlog.stored())
        await asyncio.wait({storing}, timeout=self._wait_s)
        return not self._rows.backlog.holds(self._call)

    def _append(self, drafts: Sequence[Draft], *, patient: bool = False) -> asyncio.Future[int]:
        try:
            self._last = self._rows.append(*drafts, patient=patient)
        except StoreError as error:
            self._last = asyncio.get_running_loop().create_future()
            self._last.set_exception(error)
        return self._last

    def _stored(self, done: asyncio.Future[int], drafts: Sequence[Draft]) -> bool:
        error = done.exception()
        if error is None:
            return True
        if not isinstance(error, StoreError | ValueError):
            raise error
        log.error("rows_refused", call=self._call, why=str(error), kinds=_kinds(drafts))
        return False

    def _appended(self, drafts: Sequence[Draft], done: asyncio.Future[int]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            log.error("rows_refused", call=self._call, why=str(error))
            if isinstance(error, StoreError):
                self._rows.backlog.keep(self._call, *drafts)
            self._refused()

    def _came_late(self, behind: Behind, done: asyncio.Future[int]) -> None:
        error = None if done.cancelled() else done.exception()
        stored = error is None and not done.cancelled()
        log.warning("late_rows_settled", call=self._call, stored=stored, why=str(error or ""))
        self._settled(stored, behind)


async def _until(done: asyncio.Future[int], within_s: float) -> None:
    """Wait until it is done, at most ``within_s``; for one future at half of ``wait``'s price."""
    if done.done():
        return
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    timer = loop.call_later(within_s, wake)
    done.add_done_callback(wake)
    try:
        await woken
    finally:
        timer.cancel()


def _kinds(drafts: Sequence[Draft]) -> list[str]:
    return [draft.kind for draft in drafts]


def _role(row: AppendRow) -> str | None:
    """Of the party whom the row is about; staff act under the id of their own party."""
    if row.party is None:
        return None
    if row.kind is Kind.PARTY_JOINED:
        return "agent"
    return "staff" if row.actor == row.party else "caller"
