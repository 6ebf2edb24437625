"""The command ``asterisk-compliance``, disturbed from within: it dies at a commit, its clock jumps.

What to do stands in a file, as JSON, so that it can change while the service runs::

    {"die": "before" or "after", "commits": 3, "clock_ms": -3600000}

``die`` ends the process as SIGKILL does at the so-manieth commit from then on, before a byte of
the transaction is written or when it is durable and nobody knows yet. ``clock_ms`` is added to the
clock of the system, not to the monotonic one; the times of files stay as they are, as those of a
file system on another machine do.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from asterisk_compliance.cli.main import main
from asterisk_compliance.storage.log.writer import StoreWriter


class Orders:
    """The file, read again whenever it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen_ns = 0
        self._left: int | None = None
        self._when = ""
        self.clock_ms = 0

    def look(self) -> None:
        try:
            changed_ns = self._path.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._seen_ns:
            return
        self._seen_ns = changed_ns
        said = json.loads(self._path.read_text())
        self._when, self._left = said.get("die", ""), said.get("commits")
        self.clock_ms = said.get("clock_ms", 0)

    def passes(self, when: str) -> None:
        """A commit is about to begin, or is durable: die if that was ordered."""
        if when == "before":
            self.look()
            if self._left is not None:
                self._left -= 1
        if self._left is not None and self._left < 0 and self._when == when:
            os.kill(os.getpid(), signal.SIGKILL)


def disturb(orders: Orders) -> None:
    """Let commits and the clock of this process follow the orders."""
    commit_groups, now, now_ns = StoreWriter.commit_groups, time.time, time.time_ns

    def disturbed(self: StoreWriter, groups: Sequence[Any]) -> Any:
        orders.passes("before")
        done = commit_groups(self, groups)
        orders.passes("after")
        return done

    StoreWriter.commit_groups = disturbed  # type: ignore[method-assign]
    time.time = lambda: now() + orders.clock_ms / 1_000
    time.time_ns = lambda: now_ns() + orders.clock_ms * 1_000_000


if __name__ == "__main__":
    disturb(Orders(Path(sys.argv.pop(1))))
    main()
