"""The running service's part in retention: one run at a time, holds between them, and numbers."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog

from asterisk_compliance.app.call_task import unix_ms
from asterisk_compliance.app.control import Peer, Verb
from asterisk_compliance.app.disposing import Commit, Run
from asterisk_compliance.app.holding import place, release
from asterisk_compliance.app.metrics import Metrics
from asterisk_compliance.app.retention import plan, today_of
from asterisk_compliance.config import Settings
from asterisk_compliance.domain.rows import Draft
from asterisk_compliance.errors import StoreError, StoreUnavailable
from asterisk_compliance.ids import CallId
from asterisk_compliance.storage.holds import is_held
from asterisk_compliance.storage.reader import StoreReader

LOOK_S = 3_600.0
"""So often the numbers are made anew."""
STEP_S = 2.0
"""A run answers after so long, and is asked to go on."""
ROW_S = 60.0
"""A row that takes longer than this to become durable counts as not stored."""

log = structlog.get_logger()


class Rows(Protocol):
    """The audit log, as far as retention needs it."""

    def append(self, *drafts: Draft) -> Awaitable[int]: ...


class Retaining:
    """Answers ``dispose``, ``hold`` and ``release-hold``, one at a time.

    Args:
        rows: The log.
        settings: What holds at the moment of asking.
        metrics: Where the numbers go.
        now_ms: The clock, in Unix milliseconds.
    """

    def __init__(
        self,
        rows: Rows,
        settings: Callable[[], Settings],
        metrics: Metrics,
        now_ms: Callable[[], int] = unix_ms,
    ) -> None:
        self._rows = rows
        self._settings = settings
        self._metrics = metrics
        self._now_ms = now_ms
        self._one_at_a_time = asyncio.Lock()
        self._run: Run | None = None

    def verbs(self) -> Mapping[str, Verb]:
        return {"dispose": self.dispose, "hold": self.hold, "release-hold": self.release_hold}

    async def watch(self) -> None:
        """Count what is due, held and overdue, now and then, until cancelled."""
        while True:
            await self._count()
            await asyncio.sleep(LOOK_S)

    async def dispose(self, peer: Peer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Begin a run (``first`` = ``yes``), or go on with it.

        Returns:
            How often each outcome in this run, and how many are ``left``: ask again for them.

        Raises:
            StoreError: the log cannot be read or written; what was begun is finished next time.
        """
        async with self._one_at_a_time:
            commit = self._commit()
            if self._run is None or arguments.get("first") == "yes":
                begin = partial(Run.begin, self._settings(), commit, peer.user, self._now_ms())
                self._run = await asyncio.to_thread(begin)
            run = self._run
            await asyncio.to_thread(run.go_on, STEP_S)
        if not run.left:
            self._run = None
            await self._count()
        return run.answer()

    async def hold(self, peer: Peer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Place a hold; arguments and errors as of :func:`~.holding.place`."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                place, self._settings(), self._commit(), peer.user, arguments
            )

    async def release_hold(self, peer: Peer, arguments: Mapping[str, str]) -> Mapping[str, Any]:
        """Release holds; arguments and errors as of :func:`~.holding.release`."""
        async with self._one_at_a_time:
            return await asyncio.to_thread(
                release, self._settings(), self._commit(), peer.user, arguments
            )

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

    def _commit(self) -> Commit:
        """For a worker thread: append on the loop, and wait until the row is durable."""
        loop = asyncio.get_running_loop()

        async def append(draft: Draft) -> int:
            return await self._rows.append(draft)

        def commit(draft: Draft) -> int:
            try:
                return asyncio.run_coroutine_threadsafe(append(draft), loop).result(ROW_S)
            except concurrent.futures.TimeoutError:
                raise StoreUnavailable("a row did not become durable in time") from None

        return commit


def may_not_go(store: Path, call: CallId) -> bool:
    """Whether somebody holds a call; in doubt, because the log cannot be read, it is held.

    A synthetic call of the service itself never is.
    """
    try:
        with StoreReader(store) as reader:
            return is_held(reader, call)
    except StoreError as error:
        log.error("holds_not_read", why=str(error))
        return True
