"""Takes checkpoints where the service cannot change them any more: three kinds of places.

    dir:/PATH      a file of its own for each, below a directory for each log; never overwritten
    https://…      a POST of each, as text
    stdout         one line of JSON each, for whoever keeps our standard output

Nothing here is waited for by a call. What can hang, a mount of another host or a pipe that nobody
reads, hangs in a thread of its own, which the end of the process does not wait for.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import aiohttp
import msgspec

from asterisk_compliance.app.shared.http_post import NotShipped, Obstacle, post
from asterisk_compliance.storage.durable_files import sync_directory
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint

SEND_S = 10.0

T = TypeVar("T")


class CheckpointDestination(Protocol):
    """A place that checkpoints are taken to."""

    async def send(self, log: str, checkpoint: StoredCheckpoint) -> None:
        """Take one there; a second time does no harm.

        Raises:
            NotShipped: it is not there.
        """

    async def newest(self, log: str) -> str | None:
        """The newest note that is there, where it can be read.

        Raises:
            NotShipped: it cannot be read now.
        """


def destination(text: str) -> CheckpointDestination:
    """The place that a setting names, which was checked before."""
    if text == "stdout":
        return _Output()
    if text.startswith("dir:"):
        return _Directory(Path(text.removeprefix("dir:")))
    return _Web(text)


class _Aside:
    """Runs what may hang, one after the other; while one hangs, no other is begun."""

    def __init__(self) -> None:
        self._busy = False

    async def run(self, work: Callable[[], T]) -> T:
        if self._busy:
            raise NotShipped(Obstacle.HANGS)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: Exception | None) -> None:
            self._busy = False
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]  # of work, as it is

        def body() -> None:
            result: T | None = None
            failed: Exception | None = None
            try:
                result = work()
            except Exception as error:  # noqa: BLE001  it is told to who waits
                failed = error
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, failed)

        self._busy = True
        threading.Thread(target=body, name="shipping", daemon=True).start()
        try:
            async with asyncio.timeout(SEND_S):
                return await done
        except TimeoutError:
            raise NotShipped(Obstacle.HANGS) from None
        except OSError:
            raise NotShipped(Obstacle.UNREACHABLE) from None


class _Directory:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._aside = _Aside()

    async def send(self, log: str, checkpoint: StoredCheckpoint) -> None:
        await self._aside.run(lambda: self._write(log, checkpoint))

    async def newest(self, log: str) -> str | None:
        return await self._aside.run(lambda: self._read_newest(log))

    def _write(self, log: str, checkpoint: StoredCheckpoint) -> None:
        directory = self._root / log
        directory.mkdir(mode=0o755, exist_ok=True)  # the root itself is not made: is it mounted?
        path = directory / f"{checkpoint.size:020d}.checkpoint"
        note = checkpoint.note.encode()
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
            with os.fdopen(file, "wb") as out:
                out.write(note)
                out.flush()
                os.fsync(out.fileno())
            try:
                os.link(beside, path)  # fails where something is: nothing is ever replaced
            except FileExistsError:
                if path.read_bytes() != note:
                    raise NotShipped(Obstacle.OTHER_THERE) from None
        finally:
            beside.unlink(missing_ok=True)
        sync_directory(directory)

    def _read_newest(self, log: str) -> str | None:
        found = sorted((self._root / log).glob("[0-9]*.checkpoint"))
        return found[-1].read_text(encoding="utf-8", errors="replace") if found else None


class _Web:
    def __init__(self, url: str) -> None:
        self._url = url

    async def send(self, log: str, checkpoint: StoredCheckpoint) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        async with aiohttp.ClientSession() as session:
            await post(session, self._url, checkpoint.note.encode(), headers, within_s=SEND_S)

    async def newest(self, log: str) -> str | None:
        return None


class _Output:
    def __init__(self) -> None:
        self._aside = _Aside()

    async def send(self, log: str, checkpoint: StoredCheckpoint) -> None:
        line = msgspec.json.encode({"checkpoint": checkpoint.note, "at": checkpoint.at}) + b"\n"

        def write() -> None:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

        await self._aside.run(write)

    async def newest(self, log: str) -> str | None:
        return None
