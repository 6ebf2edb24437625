"""What the log says about recordings of another recorder: each one, and totals per day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from typing import Any

from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.observation.values import NOT_TOLD, InformedState

_OF_THE_BEGINNING = ("channel", "number", "by", "bridged", "told", "where", "notice")
_OF_THE_END = ("cause", "ran_ms", "told_after_ms")


@dataclass(frozen=True, slots=True)
class Observed:
    """One recording: its row ``recording_observed``, and what ``observed_ended`` adds.

    Attributes:
        cause, ran_ms: ``None``: it goes on, or nobody saw its end.
        told_after_ms: After so long a notice was completed; ``None``: none was seen to be.
    """

    at: str
    node: str
    channel: str
    number: int
    by: str
    bridged: bool
    told: str
    where: str | None
    notice: str
    cause: str | None = None
    ran_ms: int | None = None
    told_after_ms: int | None = None

    @property
    def is_untold(self) -> bool:
        return self.told in NOT_TOLD


def observed(rows: Iterable[Row]) -> list[Observed]:
    """The recordings that began in these rows, which are in the order of the log."""
    found: dict[int, Observed] = {}
    running: dict[tuple[str, object, object], int] = {}
    for row in rows:
        detail: dict[str, Any] = row.detail
        key = (row.node, detail.get("channel"), detail.get("number"))
        if row.kind == Kind.RECORDING_OBSERVED:
            begin: dict[str, Any] = {name: detail[name] for name in _OF_THE_BEGINNING}
            found[row.seq] = Observed(at=row.at, node=row.node, **begin)
            running[key] = row.seq
        elif row.kind == Kind.OBSERVED_ENDED and (seq := running.pop(key, None)) is not None:
            end: dict[str, Any] = {name: detail[name] for name in _OF_THE_END}
            found[seq] = replace(found[seq], **end)
    return list(found.values())


@dataclass(slots=True)
class Day:
    """One day of the site, or all of them.

    Attributes:
        counts: How many recordings began, by what had been told then.
        told_later: How many of those that were untold heard a notice while they ran.
    """

    day: str
    counts: dict[InformedState, int] = field(
        default_factory=lambda: dict.fromkeys(InformedState, 0)
    )
    told_later: int = 0

    def count(self, one: Observed) -> None:
        self.counts[InformedState(one.told)] += 1
        self.told_later += one.is_untold and one.told_after_ms is not None

    @property
    def recordings(self) -> int:
        return sum(self.counts.values())

    @property
    def untold(self) -> int:
        return sum(self.counts[one] for one in NOT_TOLD)


def by_day(recordings: Iterable[Observed], zone: tzinfo) -> Iterator[Day]:
    """The days on which one began, in order."""
    days: dict[str, Day] = {}
    for one in recordings:
        day = datetime.fromisoformat(one.at).astimezone(zone).date().isoformat()
        days.setdefault(day, Day(day)).count(one)
    for day in sorted(days):
        yield days[day]
