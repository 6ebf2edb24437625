"""The audit log for asyncio: one writer thread, one transaction for all that waits (group commit).

While one batch is on its way to the disk, the next one gathers. So a single row costs one fsync,
and a thousand rows a second cost a few hundred. Rows that nobody waits for are patient: they gather
on the loop for a moment, so that most of a call's rows share the transaction of a row that matters,
and wake nobody.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeAlias

import structlog

from asterisk_compliance.domain.audit.rows import Draft
from asterisk_compliance.errors import StoreError, StoreUnavailable
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint
from asterisk_compliance.storage.log.migration import MigrationProgress, no_progress
from asterisk_compliance.storage.log.reader import StoredRow
from asterisk_compliance.storage.log.writer import CommitGroup, Sign, StoreWriter

QUEUE_ROWS = 10_000
WIPE_AGAIN_S = 0.5
LINGER_S = 0.05
"""So long a patient row waits for others before it goes to the disk."""
BATCH_ROWS = 1_000
"""Rows in one transaction at most: bounds how long the first of them waits for the last."""

Subscriber: TypeAlias = Callable[[Sequence[StoredRow]], None]
Checkpointed: TypeAlias = "asyncio.Future[StoredCheckpoint | None]"
_Outcome: TypeAlias = "Sequence[CommitGroup] | StoreError"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Rows that belong together."""

    drafts: tuple[Draft, ...]
    done: asyncio.Future[int]


@dataclass(frozen=True, slots=True)
class _Sign:
    """A wish to have the head signed, in its place among the rows."""

    sign: Sign
    done: Checkpointed


class AuditLogStore:
    """Appends rows; a row is durable when its future says so, and then has its number.

    Belongs to the event loop it was opened on; :meth:`append` is called on that loop only.
    """

    def __init__(self, writer: StoreWriter, *, queue_rows: int) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[list[_Waiting] | _Sign | None] = queue.SimpleQueue()
        self._queue_rows = queue_rows
        self._pending = 0
        self._closing = False
        self._subscribers: list[Subscriber] = []
        self._gathered: list[_Waiting] = []
        self._gathered_rows = 0
        self._lingering: asyncio.TimerHandle | None = None
        self._stopped = self._loop.create_future()
        self._thread = threading.Thread(target=self._write, name="audit-log", daemon=True)
        self._thread.start()

    @classmethod
    async def open(
        cls,
        directory: Path,
        log_name: str = "log",
        *,
        queue_rows: int = QUEUE_ROWS,
        told: MigrationProgress = no_progress,
    ) -> Self:
        """Open the store as its owner; arguments and errors as :meth:`StoreWriter.open`."""
        writer = await asyncio.to_thread(StoreWriter.open, directory, log_name, told)
        return cls(writer, queue_rows=queue_rows)

    @property
    def log(self) -> str:
        """The log's id, which stands in every row."""
        return self._writer.log

    @property
    def pending(self) -> int:
        """Rows that were appended and are not yet durable."""
        return self._pending

    def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        """Queue one row, or several that belong together: all are stored, or none.

        Args:
            drafts: In their order.
            patient: Nobody waits for them, so they may wait for others: ``LINGER_S``, or until
                a row comes that is not patient.

        Returns:
            Resolves with the ``seq`` of the last one once they are on disk. Fails with
            ``StoreUnavailable`` if they are not stored, ``LogBroken`` if the log was changed by
            somebody else, and ``ValueError`` if one of them can never be a row. Cancelling it
            does not unwrite them.

        Raises:
            StoreUnavailable: at once, when the queue is full or the log is closed.
            ValueError: no draft was given.
        """
        if not drafts:
            raise ValueError("append needs a draft")
        if self._closing:
            raise StoreUnavailable("the audit log is closed")
        if self._pending + len(drafts) > self._queue_rows:
            raise StoreUnavailable(
                f"{self._pending} rows wait for the disk", hint="is the store's disk slow or full?"
            )
        future: asyncio.Future[int] = self._loop.create_future()
        self._pending += len(drafts)
        self._gathered.append(_Waiting(drafts, future))
        self._gathered_rows += len(drafts)
        if not patient or self._gathered_rows >= BATCH_ROWS:
            self._send()
        elif self._lingering is None:
            self._lingering = self._loop.call_later(LINGER_S, self._send)
        return future

    def _send(self) -> None:
        """Give the writer what has gathered."""
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        if self._gathered:
            self._queue.put(self._gathered)
            self._gathered, self._gathered_rows = [], 0

    def checkpoint(self, sign: Sign) -> Checkpointed:
        """Have the head signed once every row that was appended before is durable.

        ``sign`` is called on the writer's thread, so it must be quick.

        Returns:
            Resolves with the checkpoint, or ``None`` if there was nothing new to sign. Fails as
            :meth:`append`, or with what ``sign`` raised.

        Raises:
            StoreUnavailable: the log is closed.
        """
        if self._closing:
            raise StoreUnavailable("the audit log is closed")
        done: Checkpointed = self._loop.create_future()
        self._send()
        self._queue.put(_Sign(sign, done))
        return done

    def on_commit(self, subscriber: Subscriber) -> None:
        """Call ``subscriber`` on the loop with the rows of each batch, in order, once durable."""
        self._subscribers.append(subscriber)

    async def close(self) -> None:
        """Make everything that was appended durable, then let the store go."""
        if not self._closing:
            self._closing = True
            self._send()
            self._queue.put(None)
        await asyncio.shield(self._stopped)
        self._thread.join()

    def _write(self) -> None:
        """The writer thread."""
        last = False
        while not last:
            batch, behind = self._gather()
            last = behind is None
            if batch:
                outcome = self._commit([one.drafts for one in batch])
                self._tell(self._settle, batch, outcome)
            if isinstance(behind, _Sign):
                self._tell(_answer, behind.done, self._signed(behind.sign))
            if self._queue.empty():
                self._writer.tidy()
        self._writer.close()
        self._tell(self._stopped.set_result, None)

    def _gather(self) -> tuple[list[_Waiting], list[_Waiting] | _Sign | None]:
        """All that waits now, up to a wish to sign or the end; and what came last."""
        batch: list[_Waiting] = []
        came = self._next()
        while isinstance(came, list):
            batch += came
            if sum(len(one.drafts) for one in batch) >= BATCH_ROWS or self._queue.empty():
                break
            came = self._queue.get()
        return batch, came

    def _next(self) -> list[_Waiting] | _Sign | None:
        """Wait for work; where bytes of somebody who was erased are left, try again meanwhile."""
        while self._writer.is_to_wipe:
            try:
                return self._queue.get(timeout=WIPE_AGAIN_S)
            except queue.Empty:
                self._writer.tidy()
        return self._queue.get()

    def _commit(self, groups: Sequence[Sequence[Draft]]) -> _Outcome:
        try:
            return self._writer.commit_groups(groups)
        except StoreError as error:
            return error
        except Exception as error:  # noqa: BLE001  a bug must fail its rows, not hang their calls
            return StoreUnavailable(f"the audit log failed: {error!r}")

    def _signed(self, sign: Sign) -> StoredCheckpoint | Exception | None:
        try:
            return self._writer.checkpoint(sign)
        except Exception as error:  # noqa: BLE001  it is told to who asked; rows go on
            return error

    def _tell(self, callback: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *args)
        except RuntimeError:
            _log.warning("audit_loop_gone", hint="the loop ended before the log was closed")

    def _settle(self, batch: Sequence[_Waiting], outcome: _Outcome) -> None:
        """On the loop: answer those who wait, then tell the subscribers."""
        rows = sum(len(one.drafts) for one in batch)
        self._pending -= rows
        if isinstance(outcome, StoreError):
            _log.error("audit_rows_lost", rows=rows, why=str(outcome))
            results: Sequence[CommitGroup | StoreError] = [outcome] * len(batch)
        else:
            results = outcome
        stored: list[StoredRow] = []
        for one, result in zip(batch, results, strict=True):
            if isinstance(result, list):
                stored += result
            if one.done.done():  # cancelled by who waited; the rows stand
                continue
            if isinstance(result, list):
                one.done.set_result(result[-1].seq)
            else:
                one.done.set_exception(result)
        for subscriber in self._subscribers if stored else ():
            try:
                subscriber(stored)
            except Exception:  # noqa: BLE001  its rows are durable; the others must hear of them
                _log.exception("audit_subscriber_failed")


def _answer(done: Checkpointed, outcome: StoredCheckpoint | Exception | None) -> None:
    if done.done():  # cancelled by who waited; the checkpoint stands
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
