"""Calls a listener from a reader that must survive the listener's errors."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import ParamSpec

import structlog

P = ParamSpec("P")

log = structlog.get_logger()


def call_listener(listener: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call ``listener``; an exception is logged and goes no further.

    Of the exception only its type and place are logged: its text can hold what a caller sent.
    """
    try:
        listener(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  # whatever it is, events must go on
        log.error("listener_failed", error=type(error).__name__, where=origin_of(error))


def origin_of(error: BaseException) -> str:
    """``file.py:12``, where ``error`` was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
