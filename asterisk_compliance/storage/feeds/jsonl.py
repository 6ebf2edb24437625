"""The log as JSON Lines beside the store: each line is a row, byte for byte.

    audit-000000000000-000000327999.jsonl    full, never written again
    audit-000000328000-000000651207.jsonl
    audit.jsonl                              the one that is written

Sorted by name, the files are the log. The file that is written is derived from the store and is
never ahead of it. It continues after its own last row, so no row is left out, whatever happens to
either process or disk. A consumer who keeps ``seq`` never misses a row.

A full file gets its last name by a single rename, so after a crash it has one name or the other.
The service also begins a new file if somebody moved the current one away. If the current file is
missing or empty at start, the service continues after the newest full one. If there is none, it
writes the whole log again: a repeated row does no harm, a missing row would.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import aiofiles
import structlog

from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.storage.durable_files import sync_directory
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import RowQuery, StoredRow, StoreReader

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncBufferedIOBase

JSON_LINES = "audit.jsonl"
FEED_ROWS = 10_000
"""Rows kept in memory while the file is slow; beyond, they are read from the store again."""
CHUNK_ROWS = 1_000
RETRY_AFTER_S = 5.0
GATHER_S = 0.1
"""So long rows gather for one write; whoever reads the file is so far behind at most."""

_TAIL_BYTES = 65_536

_log = structlog.get_logger(__name__)


class JsonLines:
    """Keeps ``audit.jsonl`` up with the log. Make it, then :meth:`run` it in a task.

    Attributes:
        next_seq: The first row that is not in the file yet.
    """

    def __init__(
        self,
        log: AuditLogStore,
        directory: Path,
        *,
        path: Path | None = None,
        full_bytes: int = 0,
        keep: int = 0,
    ) -> None:
        """Begin to follow ``log``.

        Args:
            log: Whose rows are written.
            directory: Its store.
            path: ``audit.jsonl`` in the store unless given.
            full_bytes: A file of this size is full; 0: none is.
            keep: How many full ones stay; 0: all.
        """
        self._directory = directory
        self._path = path or directory / JSON_LINES
        self._full_bytes = full_bytes
        self._keep = keep
        self._feed: deque[StoredRow] = deque()
        self._fed = asyncio.Event()
        self._closing = False
        self.next_seq = 0
        log.on_commit(self._take)

    def resume(self) -> None:
        """Cut a torn last line off, and find the row to go on with. Blocking; short.

        Raises:
            LogBroken: the file, or the newest full one where it is empty, has a row that the store
                has not: the store was cut or replaced.
            OSError: the file cannot be read or cut.
        """
        last = _last_line(self._path, cut=True)
        if last is not None:
            self.next_seq = self._behind(self._path, last)
        elif full := sealed_files(self._path)[-1:]:
            self.next_seq = self._behind_full(full[0])
        else:
            self.next_seq = 0

    def _behind_full(self, full: ArchivedLines) -> int:
        """The row after those of a full file; one that was compressed is taken at its name."""
        last = _last_line(full.path, cut=False) if full.is_plain else None
        return self._behind(full.path, last, full.last)

    def _behind(self, path: Path, last: bytes | None, seq: int = 0) -> int:
        """The row after the ``last`` one of a file, by its number where nobody can read it.

        Raises:
            LogBroken: it is not in the store as it is there.
        """
        try:
            seq = seq if last is None else decode(last).seq
        except ValueError as error:
            raise LogBroken(f"{path} ends with something else than a row") from error
        with StoreReader(self._directory) as reader:
            stored = next(reader.rows(RowQuery(first_seq=seq, limit=1)), None)
        if stored is None or last not in {None, stored.data}:
            raise LogBroken(
                f"{path} ends with row {seq}, which is not in the store as it is there",
                hint="after restoring a backup on purpose, move it away: docs/upgrading.md",
            )
        return seq + 1

    async def run(self) -> None:
        """Write until :meth:`close`; an error of the file is logged and tried again.

        Raises:
            LogBroken: as :meth:`resume`.
        """
        while True:
            try:
                await asyncio.to_thread(self.resume)
                await self._follow()
            except OSError as error:
                _log.warning("json_lines_behind", path=str(self._path), why=error.strerror)
                if self._closing:
                    return
                await asyncio.sleep(RETRY_AFTER_S)
            else:
                return

    def close(self) -> None:
        """Let :meth:`run` end once the file has every row; call it after the log was closed."""
        self._closing = True
        self._fed.set()

    def _take(self, rows: Sequence[StoredRow]) -> None:
        if len(self._feed) + len(rows) > FEED_ROWS:
            self._feed.clear()  # the gap shows in seq, and is read from the store
        self._feed.extend(rows[-FEED_ROWS:])
        self._fed.set()

    async def _follow(self) -> None:
        out = await self._open()
        caught_up = False
        try:
            while True:
                rows = self._from_feed()
                fed = bool(rows)
                if not rows and (self._feed or not caught_up):
                    rows = await asyncio.to_thread(self._from_store)
                    caught_up = not rows
                if rows:
                    out = await self._same_file(out)
                    await out.write(b"".join(row.data + b"\n" for row in rows))
                    await out.flush()
                    self.next_seq = rows[-1].seq + 1
                    if fed and not self._closing:
                        await asyncio.sleep(GATHER_S)
                elif self._closing:
                    return
                else:
                    await self._fed.wait()
                    self._fed.clear()
        finally:
            await out.close()

    def _from_feed(self) -> list[StoredRow]:
        """The rows in memory, if they are the next ones."""
        while self._feed and self._feed[0].seq < self.next_seq:
            self._feed.popleft()
        if not self._feed or self._feed[0].seq > self.next_seq:
            return []
        rows = list(self._feed)
        self._feed.clear()
        return rows

    def _from_store(self) -> list[StoredRow]:
        query = RowQuery(first_seq=self.next_seq, limit=CHUNK_ROWS)
        with StoreReader(self._directory) as reader:
            return list(reader.rows(query))

    async def _open(self) -> AsyncBufferedIOBase:
        """Cancelled, it leaves nothing open: the thread opens the file all the same."""

        async def opened() -> AsyncBufferedIOBase:
            return await aiofiles.open(
                self._path, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)
            )

        opening = asyncio.create_task(opened())
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            with suppress(OSError):
                await (await opening).close()
            raise

    async def _same_file(self, out: AsyncBufferedIOBase) -> AsyncBufferedIOBase:
        """``out``, or a new file if ``out`` is full, was moved away, or removed."""
        try:
            found = self._path.stat()
            if found.st_ino == os.fstat(out.fileno()).st_ino and not await self._sealed(found):
                return out
        except FileNotFoundError:
            pass
        _log.info("json_lines_rotated", path=str(self._path), next_seq=self.next_seq)
        await out.close()
        return await self._open()

    async def _sealed(self, found: os.stat_result) -> bool:
        """Whether the file was full, and has its last name now; one that cannot grows on."""
        if not self._full_bytes or found.st_size < self._full_bytes:
            return False
        try:
            why = await asyncio.to_thread(seal, self._path, self.next_seq - 1, self._keep)
        except OSError as error:
            why = error.strerror or "the disk"
        if why:
            _log.warning("json_lines_not_rotated", path=str(self._path), why=why)
            self._full_bytes = 2 * found.st_size
        return not why


def _last_line(path: Path, *, cut: bool) -> bytes | None:
    """The last whole line; what stands after it was torn by a crash, and is ``cut`` off."""
    try:
        with path.open("r+b" if cut else "rb") as file:
            end = file.seek(0, os.SEEK_END)
            start, tail = end, b""
            while start and tail.count(b"\n") < 2:
                start = max(0, start - _TAIL_BYTES)
                file.seek(start)
                tail = file.read(end - start)
            whole = tail[: tail.rfind(b"\n") + 1]
            if cut and len(whole) < len(tail):
                file.truncate(start + len(whole))
            return whole[:-1].rpartition(b"\n")[2] if whole else None
    except FileNotFoundError:
        return None


class ArchivedLines(NamedTuple):
    """One file, by its name.

    Attributes:
        first, last: Which rows it holds.
        is_plain: Nobody has compressed it and added to its name (``….jsonl.gz``).
    """

    first: int
    last: int
    is_plain: bool
    path: Path


def sealed_files(path: Path) -> list[ArchivedLines]:
    """Those beside ``path``, the one that is written; in the order of the log.

    Raises:
        OSError: the directory cannot be read.
    """
    return sorted(_found(path))


def _found(path: Path) -> Iterator[ArchivedLines]:
    stem, suffix = re.escape(path.stem), re.escape(path.suffix)
    named = re.compile(rf"{stem}-(\d{{12,}})-(\d{{12,}}){suffix}(\.\w+)?")
    for one in path.parent.iterdir():
        if said := named.fullmatch(one.name):
            yield ArchivedLines(int(said[1]), int(said[2]), said[3] is None, one)


def seal(path: Path, last: int, keep: int) -> str:
    """Give the file at ``path`` its last name, and let the oldest such files go.

    Args:
        path: It is whole, and nobody writes to it meanwhile.
        last: The last row in it.
        keep: How many such files stay; 0: all.

    Returns:
        Why it was not done; empty: it was.

    Raises:
        OSError: it could not be.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())
        try:
            first = decode(file.readline().rstrip(b"\n")).seq
        except ValueError:
            return "its first line is no row"
    name = path.with_name(f"{path.stem}-{first:012d}-{last:012d}{path.suffix}")
    if name.exists():
        return f"{name.name} is there already"
    path.rename(name)
    sync_directory(path.parent)
    for one in sealed_files(path)[:-keep] if keep else ():
        one.path.unlink(missing_ok=True)
    return ""
