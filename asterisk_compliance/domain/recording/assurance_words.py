"""What a person is told about a recording, by its level in the log. Pure.

"Was I recorded?" is not answered with no while the result is unknown, or where something was lost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Recorded(StrEnum):
    """What became of a recording."""

    KEPT = "kept"
    GONE = "gone"
    """It was there, and was removed or disposed of."""
    OPEN = "open"
    """It was asked for, and nobody knows yet what comes of it."""
    MISSING = "missing"
    """It was promised, and is not there."""
    EMPTY = "empty"
    """It was asked for, and nothing came of it: there is nothing to be heard."""


_SETTLED: Final = {
    "closed": Recorded.KEPT,
    "sealed": Recorded.KEPT,
    "unjudged": Recorded.KEPT,
    "disposing": Recorded.KEPT,
    "removed": Recorded.GONE,
    "disposed": Recorded.GONE,
    "missing": Recorded.MISSING,
    "empty": Recorded.EMPTY,
}


def recorded(level: str) -> Recorded:
    """The word for a recording with this level, one of the projection's ``LEVELS``."""
    return _SETTLED.get(level, Recorded.OPEN)
