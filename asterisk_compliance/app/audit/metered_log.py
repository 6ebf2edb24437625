"""The audit log with metrics: how many rows are durable, how many wait, and for how long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.log.audit_log import Subscriber


class AppendableLog(Protocol):
    """The audit log, as the counting needs it."""

    @property
    def pending(self) -> int: ...

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]: ...

    def on_commit(self, subscriber: Subscriber) -> None: ...


class MeteredLog:
    """Appends rows, and observes each once it is durable.

    Attributes:
        size: Of the log, in rows, as far as rows of this life tell; 0 before the first.
        refuses: The last rows were not stored.
        backlog: Those of calls that will be, when it takes rows again.
    """

    def __init__(self, log: AppendableLog, metrics: Metrics) -> None:
        self.size = 0
        self._observers: list[Callable[[Draft], None]] = [metrics.observe]
        self.refuses = False
        self.backlog = Backlog(self)
        self._log = log
        self._metrics = metrics
        self._moved_s = self._durable_s = time.monotonic()
        self._last: asyncio.Future[int] | None = None

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        """As :meth:`~asterisk_compliance.storage.log.audit_log.AuditLogStore.append`."""
        now_s = time.monotonic()
        if not self._log.pending:
            self._moved_s = now_s
        try:
            done = self._log.append(*drafts, patient=patient)
        except StoreUnavailable:
            self._refused(drafts)
            raise
        done.add_done_callback(partial(self._settled, drafts, now_s))
        self._last = done
        # Who stops waiting does not stop the row; for a patient one nobody waits in that way.
        return done if patient else asyncio.shield(done)

    def on_durable(self, observer: Callable[[Draft], None]) -> None:
        """Call ``observer`` with each row once it is durable."""
        self._observers.append(observer)

    def on_commit(self, subscriber: Subscriber) -> None:
        """As :meth:`~asterisk_compliance.storage.log.audit_log.AuditLogStore.on_commit`."""
        self._log.on_commit(subscriber)

    async def owes_nothing(self, within_s: float) -> bool:
        """Whether all that was seen until now is in rows that are durable, or soon will be."""
        if self._log.pending and self._last is not None:
            await asyncio.wait({self._last}, timeout=within_s)
            if not self._last.done():
                return False
        return not self.refuses and not self.backlog.size

    @property
    def waiting(self) -> int:
        """Rows on their way to the disk."""
        return self._log.pending

    @property
    def stuck_s(self) -> float:
        """For how long rows have waited and none became durable; 0 if none waits."""
        return time.monotonic() - self._moved_s if self._log.pending else 0.0

    @property
    def age_s(self) -> float:
        """How long ago the last row became durable."""
        return time.monotonic() - self._durable_s

    def _settled(
        self, drafts: tuple[Draft, ...], since_s: float, done: asyncio.Future[int]
    ) -> None:
        self._moved_s = now_s = time.monotonic()
        if done.cancelled() or done.exception() is not None:
            self._refused(drafts)
            return
        self.refuses = False
        self.size = max(self.size, done.result() + 1)
        self._durable_s = now_s
        self._metrics.append_s.observe(now_s - since_s)
        for draft in drafts:
            for observe in self._observers:
                observe(draft)

    def _refused(self, drafts: tuple[Draft, ...]) -> None:
        self.refuses = True
        self.backlog.refused()
        self._metrics.refused.inc(len(drafts))
