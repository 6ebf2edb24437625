"""Futures whose outcome is not awaited."""

from __future__ import annotations

import asyncio
from typing import Any


def ignore_outcome(done: asyncio.Future[Any]) -> None:
    """Look at the exception of a future, so that asyncio does not report it.

    Use it as a done callback where the failure was logged, or counted, where it happened.
    """
    if not done.cancelled():
        done.exception()
