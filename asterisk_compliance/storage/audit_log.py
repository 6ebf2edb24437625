"""The audit log for asyncio: one writer thread, one transaction for all that waits (group commit).

While one batch is on its way to the disk, the next one gathers. So a single row costs one fsync,
and a thousand rows a second cost a few hundred.
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

from asterisk_compliance.domain.rows import Draft
from asterisk_compliance.errors import StoreError, StoreUnavailable
from asterisk_compliance.storage.checkpoints import StoredCheckpoint
from asterisk_compliance.storage.writer import Group, Sign, Stored, StoreWriter

QUEUE_ROWS = 10_000
WIPE_AGAIN_S = 0.5
BATCH_ROWS = 1_000
"""Rows in one transaction at most: bounds how long the first of them waits for the last."""

Subscriber: TypeAlias = Callable[[Sequence[Stored]], None]
Checkpointed: TypeAlias = "asyncio.Future[StoredCheckpoint | None]"
_Waiting: TypeAlias = tuple[tuple[Draft, ...], "asyncio.Future[int]"]
_Outcome: TypeAlias = "Sequence[Group] | StoreError"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sign:
    """A wish to have the head signed, in its place among the rows."""

    sign: Sign
    done: Checkpointed


class AuditLog:
    """Appends rows; a row is durable when its future says so, and then has its number.

    Belongs to the event loop it was opened on; :meth:`append` is called on that loop only.
    """

    def __init__(self, writer: StoreWriter, *, queue_rows: int) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Waiting | _Sign | None] = queue.SimpleQueue()
        self._queue_rows = queue_rows
        self._pending = 0
        self._closing = False
        self._subscribers: list[Subscriber] = []
        self._stopped = self._loop.create_future()
        self._thread = threading.Thread(target=self._write, name="audit-log", daemon=True)
        self._thread.start()

    @classmethod
    async def open(
        cls, directory: Path, log_name: str = "log", *, queue_rows: int = QUEUE_ROWS
    ) -> Self:
        """Open the store as its owner; arguments and errors as :meth:`StoreWriter.open`."""
        writer = await asyncio.to_thread(StoreWriter.open, directory, log_name)
        return cls(writer, queue_rows=queue_rows)

    @property
    def log(self) -> str:
        """The log's id, which stands in every row."""
        return self._writer.log

    @property
    def pending(self) -> int:
        """Rows that were appended and are not yet durable."""
        return self._pending

    def append(self, *drafts: Draft) -> asyncio.Future[int]:
        """Queue one row, or several that belong together: all are stored, or none.

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
        self._queue.put((drafts, future))
        return future

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
        self._queue.put(_Sign(sign, done))
        return done

    def on_commit(self, subscriber: Subscriber) -> None:
        """Call ``subscriber`` on the loop with the rows of each batch, in order, once durable."""
        self._subscribers.append(subscriber)

    async def close(self) -> None:
        """Make everything that was appended durable, then let the store go."""
        if not self._closing:
            self._closing = True
            self._queue.put(None)
        await asyncio.shield(self._stopped)
        self._thread.join()

    def _write(self) -> None:
        """The writer thread."""
        last = False
        while not last:
            batch: list[_Waiting] = []
            rows = 0
            waiting = self._next()
            while isinstance(waiting, tuple):
                batch.append(waiting)
                rows += len(waiting[0])
                if rows >= BATCH_ROWS:
                    break
                try:
                    waiting = self._queue.get_nowait()
                except queue.Empty:
                    break
            last = waiting is None
            if batch:
                outcome = self._commit([drafts for drafts, _ in batch])
                self._tell(self._settle, batch, rows, outcome)
            if isinstance(waiting, _Sign):
                self._tell(_answer, waiting.done, self._signed(waiting.sign))
            if self._queue.empty():
                self._writer.tidy()
        self._writer.close()
        self._tell(self._stopped.set_result, None)

    def _next(self) -> _Waiting | _Sign | None:
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

    def _settle(self, batch: Sequence[_Waiting], rows: int, outcome: _Outcome) -> None:
        """On the loop: answer those who wait, then tell the subscribers."""
        self._pending -= rows
        if isinstance(outcome, StoreError):
            _log.error("audit_rows_lost", rows=rows, why=str(outcome))
            results: Sequence[Group | StoreError] = [outcome] * len(batch)
        else:
            results = outcome
        stored: list[Stored] = []
        for (_, future), result in zip(batch, results, strict=True):
            if isinstance(result, list):
                stored += result
            if future.done():  # cancelled by who waited; the rows stand
                continue
            if isinstance(result, list):
                future.set_result(result[-1].seq)
            else:
                future.set_exception(result)
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
