"""What time it is: the only place where the package reads a clock for its rows."""

from __future__ import annotations

import time


def unix_ms() -> int:
    return time.time_ns() // 1_000_000


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000
