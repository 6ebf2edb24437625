"""Values of the log as it is on disk: a row with its number, and the head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class StoredRow(NamedTuple):
    """A durable row: its number and its canonical bytes."""

    seq: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Size and root of the tree; who keeps one can tell later that nothing before it changed."""

    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.size}:{self.root.hex()}"
