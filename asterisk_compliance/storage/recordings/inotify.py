"""What the kernel tells of files in a directory (inotify(7)).

The library opens and watches; its events are made of paths and sets of flags, and it asks to be
woken anew for each. We read them as they are: several in one go, and a number is a number.
"""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from asyncinotify import Inotify, Mask

CREATED, MODIFIED, CLOSED = int(Mask.CREATE), int(Mask.MODIFY), int(Mask.CLOSE_WRITE)
_WATCHED = Mask.CREATE | Mask.MODIFY | Mask.CLOSE_WRITE | Mask.ONLYDIR
_EVENT = struct.Struct("iIII")
"""``struct inotify_event`` of linux/inotify.h: watch, mask, cookie, length of the name."""
_READ_BYTES = 64 * 1024


class Watch:
    """Of directories; open until closed.

    Raises:
        OSError: the kernel gives no more of them.
    """

    def __init__(self) -> None:
        self._inotify = Inotify()
        os.set_blocking(self._inotify.fd, False)

    def add(self, directory: Path) -> None:
        """Watch a directory; a second time changes nothing.

        Raises:
            OSError: it cannot be watched.
        """
        self._inotify.add_watch(directory, _WATCHED)

    async def run(self, tell: Callable[[str, int], None]) -> NoReturn:
        """Call ``tell`` with the name of each file and what happened to it, until cancelled."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[NoReturn] = loop.create_future()

        def read() -> None:
            try:
                self._read(tell)
            except Exception as error:  # noqa: BLE001 - it ends who runs this, not the loop
                loop.remove_reader(fd)
                if not failed.done():
                    failed.set_exception(error)

        fd = self._inotify.fd
        loop.add_reader(fd, read)
        try:
            await failed
            raise AssertionError("unreachable: it only fails")
        finally:
            loop.remove_reader(fd)

    def close(self) -> None:
        self._inotify.close()

    def _read(self, tell: Callable[[str, int], None]) -> None:
        try:
            data = os.read(self._inotify.fd, _READ_BYTES)
        except BlockingIOError:  # woken for nothing
            return
        at = 0
        while at < len(data):
            _, mask, _, length = _EVENT.unpack_from(data, at)
            at += _EVENT.size + length
            name = data[at - length : at].partition(b"\0")[0]
            if name:
                tell(os.fsdecode(name), mask)
