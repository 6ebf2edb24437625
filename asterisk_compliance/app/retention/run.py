"""The running service's part in retention: one run at a time, holds between them, and numbers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from asterisk_compliance.app.retention.disposal import Committer, DisposalPlaces, DisposalRun
from asterisk_compliance.app.retention.legal_holds import place, release
from asterisk_compliance.app.retention.plan import PlannedDisposal, plan, today_of
from asterisk_compliance.app.shared.audit_port import AuditAppender
from asterisk_compliance.app.shared.control_socket import SocketPeer, Verb
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreError, StoreUnavailable
from asterisk_compliance.ids import CallId, PartyId
from asterisk_compliance.storage.log.legal_holds import is_held
from asterisk_compliance.storage.log.reader import StoreReader

LOOK_S = 3_600.0
"""So often the numbers are made anew."""
PLAN_S, STEP_S = 1.0, 2.0
"""Planning, and then a run, answers after so long, and is asked to go on."""
ROW_S = 60.0
"""A row that takes longer than this to become durable counts as not stored."""

log = structlog.get_logger()
_Done = TypeVar("_Done")


class RetentionService:
    """Answers ``dispose``, ``hold`` and ``release-hold``, one at a time.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        metrics: Where the numbers go.
        now_ms: The clock, in Unix milliseconds.

    Attributes:
        holds_stand: Held by whoever looks at the holds and then removes or erases something:
            meanwhile nobody places or releases one, so a hold that is printed is in force.
    """

    def __init__(
        self,
        rows: AuditAppender,
        settings: Callable[[], Settings],
        metrics: Metrics,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._metrics = metrics
        self._now_ms = now_ms
        self.holds_stand = asyncio.Lock()
        self._planning: asyncio.Future[DisposalRun] | None = None
        self._run: DisposalRun | None = None

    def verbs(self) -> Mapping[str, Verb]:
        return {"dispose": self.dispose, "hold": self.hold, "release-hold": self.release_hold}

    async def watch(self) -> None:
        """Count what is due, held and overdue, now and then, until cancelled."""
        while True:
            await self._count()
            await asyncio.sleep(LOOK_S)

    async def dispose(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Begin a run (``first`` = ``yes``), or go on with it.

        Returns:
            How often each outcome in this run, how many persons were ``erased``, and how many of
            both are ``left``: ask again for them. While it is still ``planning``, nothing of that.

        Raises:
            StoreError: the log cannot be read or written; what was begun is finished next time.
        """
        async with self.holds_stand:
            first = arguments.get("first") == "yes"
            if self._run is None or first:
                self._run = await self._planned(peer.user, anew=first)
            run = self._run
            if run is None:
                return {"planning": True, "left": 1}
            await _to_its_end(partial(run.go_on, STEP_S))
        if not run.answer()["left"]:
            self._run = None
            await self._count()
        return run.answer()

    async def _planned(self, user: str, *, anew: bool) -> DisposalRun | None:
        """A new run; ``None``: whoever asks again gets it. A million recordings take minutes.

        ``anew``: not one that is ready, and that nobody asked for again: it is somebody else's.
        """
        if anew and self._planning is not None and self._planning.done():
            self._planning.exception()
            self._planning = None
        if self._planning is None:
            begin = partial(
                DisposalRun.begin, self._settings(), self._commit(), user, self._now_ms()
            )
            self._planning = asyncio.get_running_loop().run_in_executor(None, begin)
        done, _ = await asyncio.wait({self._planning}, timeout=PLAN_S)
        if not done:
            return None
        planned, self._planning = self._planning, None
        return planned.result()

    async def hold(self, peer: SocketPeer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Place a hold; arguments and errors as of :func:`~.holding.place`."""
        async with self.holds_stand:
            return await _to_its_end(
                partial(place, self._settings(), self._commit(), peer.user, arguments)
            )

    async def release_hold(
        self, peer: SocketPeer, arguments: Mapping[str, str]
    ) -> Mapping[str, Any]:
        """Release holds; arguments and errors as of :func:`~.holding.release`."""
        async with self.holds_stand:
            return await _to_its_end(
                partial(release, self._settings(), self._commit(), peer.user, arguments)
            )

    async def dispose_of(self, some: Sequence[PlannedDisposal], by: PartyId) -> DisposalRun:
        """Dispose of some recordings, whatever their periods say; those that are held stay.

        Args:
            some: Of which somebody decided that they go.
            by: The party that ordered it, who stands in a row of his own.

        Returns:
            How far it came; it ends after a while.

        Raises:
            StoreError: as of :meth:`dispose`.
        """
        async with self.holds_stand:
            run = DisposalRun(DisposalPlaces.of(self._settings()), self._commit(), by, list(some))
            await _to_its_end(partial(run.go_on, STEP_S))
        return run

    async def _count(self) -> None:
        settings = self._settings()
        try:
            found = await asyncio.to_thread(
                plan, settings.audit.store, today_of(settings), self._now_ms()
            )
        except StoreError as error:
            log.error("retention_not_planned", why=str(error))
            return
        for state, count in found.counts().items():
            self._metrics.retention.labels(state).set(count)

    def _commit(self) -> Committer:
        """For a worker thread: append on the loop, and wait until the row is durable."""
        loop = asyncio.get_running_loop()

        async def append(drafts: Sequence[Draft]) -> int:
            return await self._rows.append(*drafts)

        def commit(*drafts: Draft) -> int:
            try:
                return asyncio.run_coroutine_threadsafe(append(drafts), loop).result(ROW_S)
            except concurrent.futures.TimeoutError:
                raise StoreUnavailable("a row did not become durable in time") from None

        return commit


async def _to_its_end(work: Callable[[], _Done]) -> _Done:
    """Perform ``work`` in a thread; who is cancelled meanwhile still waits until it is over.

    A thread cannot be stopped: it would go on removing when the holds may change again.
    """
    working = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        while not working.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({working})
        if not working.cancelled():
            working.exception()
        raise


def is_protected(store: Path, call: CallId) -> bool:
    """Whether somebody holds a call; in doubt, because the log cannot be read, it is held.

    A synthetic call of the service itself never is.
    """
    try:
        with StoreReader(store) as reader:
            return is_held(reader, call)
    except StoreError as error:
        log.error("holds_not_read", why=str(error))
        return True
