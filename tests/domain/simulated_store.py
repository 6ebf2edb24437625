"""A simulated store of rows, which may refuse them, or take longer than a call can wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import AppendRow, Command
from asterisk_compliance.domain.call.events import LateRowsSettled
from asterisk_compliance.ids import RecordingId


class Stored(StrEnum):
    YES = "yes"
    NO = "no"
    LATE = "late"


@dataclass
class Store:
    """Rows of one step are stored together, or none of them.

    Attributes:
        rows: What is durable, in order.
        attempted: Rows that the domain wrote, stored or not.
        lost: Some were not stored.
        late: Rows that nobody waits for any more, and what stood behind them.
    """

    works: bool = True
    slow: bool = False
    rows: list[AppendRow] = field(default_factory=list)
    attempted: list[AppendRow] = field(default_factory=list)
    lost: bool = False
    late: list[tuple[list[AppendRow], tuple[Command, ...]]] = field(default_factory=list)

    def append(self, rows: list[AppendRow]) -> bool:
        if self.works:
            self.rows += rows
        self.lost |= bool(rows) and not self.works
        return self.works or not rows

    def commit(self, rows: list[AppendRow], undone: tuple[Command, ...]) -> Stored:
        if self.slow and self.works:
            self.late.append((rows, undone))
            return Stored.LATE
        self.lost |= not self.works
        return Stored.YES if self.works and self.append(rows) else Stored.NO

    def settle(self) -> list[LateRowsSettled]:
        """What was late is stored, or is not."""
        late, self.late = self.late, []
        return [LateRowsSettled(self.append(rows), undone) for rows, undone in late]

    def requested(self, recording: RecordingId | None) -> bool:
        """It is durable that this recording shall be."""
        kind = Kind.RECORDING_REQUESTED
        return any(r.kind is kind and r.detail["recording"] == recording for r in self.rows)

    def concluded(self, recording: RecordingId, *kinds: Kind) -> bool:
        return any(r.kind in kinds and r.detail["recording"] == recording for r in self.rows)
