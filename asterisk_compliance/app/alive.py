"""When this life of the service last knew that the log has all it saw.

Whoever comes after a life that died must know since when nobody looked at the calls. The newest row
tells that only where rows are written all the time; in a quiet hour it would be an hour ago. So
every second, once the rows of until then are on the disk, a file beside the log is marked with the
time. Nothing depends on it but how much is blanked: without it, it is more.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path
from typing import NoReturn, Protocol

from asterisk_compliance.app.committing import unix_ms

MARK = "alive"
EVERY_S = 1.0


class Owing(Protocol):
    """The audit log, as far as it says whether all is stored."""

    async def owes_nothing(self, within_s: float) -> bool: ...


async def keep_marking(store: Path, rows: Owing) -> NoReturn:
    """Mark that we live, as long as we do."""
    while True:
        await asyncio.sleep(EVERY_S)
        at_ms = unix_ms()
        if await rows.owes_nothing(EVERY_S):
            await asyncio.to_thread(_mark, store / MARK, at_ms)


def last_marked_ms(store: Path) -> int | None:
    """When a life before this one marked last, in Unix milliseconds; ``None`` if none did."""
    with contextlib.suppress(OSError):
        return (store / MARK).stat().st_mtime_ns // 1_000_000
    return None


def _mark(path: Path, at_ms: int) -> None:
    with contextlib.suppress(OSError):  # more is blanked then
        path.touch(mode=0o600)
        os.utime(path, ns=(at_ms * 1_000_000, at_ms * 1_000_000))
