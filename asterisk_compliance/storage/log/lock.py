"""Makes sure that a store has one owner at a time.

``flock`` on the file ``lock`` is the lock. The operating system releases it when the owner dies.
The text in the file only tells a person who holds the lock: a stale text locks nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from asterisk_compliance.errors import StoreLocked, StoreUnavailable

LOCK = "lock"


class StoreLock:
    """Held from construction to :meth:`release`.

    Raises:
        StoreLocked: another process holds it; the message names it.
        StoreUnavailable: the file cannot be opened.
    """

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot lock {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(self._file)
            os.close(self._file)
            raise StoreLocked(
                f"{directory} is in use by {holder}",
                hint="stop that process, or give the command to it through its control socket",
            ) from None
        since = datetime.now(UTC).isoformat(timespec="seconds")
        text = f"process {os.getpid()}\ncommand {_command()}\nsince {since}\n"
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)

    def release(self) -> None:
        """Let go; a second time does nothing."""
        if self._file >= 0:
            with contextlib.suppress(OSError):  # a full disk must not keep the lock
                os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _holder(file: int) -> str:
    lines = os.pread(file, 1024, 0).decode(errors="replace").splitlines()
    return ", ".join(line.strip() for line in lines) or "another process"


def _command() -> str:
    """Program and subcommand; no further argument, which could be anything."""
    program = Path(sys.argv[0]).name or "python"
    return " ".join([program, *sys.argv[1:2]]).replace("\n", " ")[:200]
