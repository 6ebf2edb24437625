"""Checks every few seconds whether recordings and rows can be stored.

Asterisk ignores write errors (docs/asterisk-facts.md). If the service waited until a disk is full,
it would lose running recordings and notice it late. So it begins nothing new while there is still
room for what runs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from asterisk_compliance.app.audit.call_rows import CallAuditLog
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.errors import StoreError
from asterisk_compliance.ids import NodeName

MIB = 1 << 20
_MENDED = 1.1
"""So much more than the watermark must be free before it is enough again."""

log = structlog.get_logger()


class PlaceName(StrEnum):
    SPOOL = "spool"
    VAULT = "vault"
    STORE = "store"


class PlaceProblem(StrEnum):
    """What is wrong with a place. Stored in rows; ``docs/audit-kinds.md`` explains each."""

    LOW = "LOW"
    NOT_WRITABLE = "NOT_WRITABLE"
    GONE = "GONE"
    HANGS = "HANGS"


@dataclass(slots=True)
class StoragePlace:
    """A directory that must be there, writable, with room.

    Attributes:
        node: Whose it is; ``service`` where it is everybody's.
        free_bytes_min: The watermark; 0: there is none.
        must_be_writable: Of the store its writer tells, and better.
        problem: As it was seen last.
        free_bytes: As it was seen last; ``None`` before that, and where nobody could tell.
    """

    name: PlaceName
    node: str
    directory: Path
    free_bytes_min: int
    must_be_writable: bool = True
    problem: PlaceProblem | None = None
    free_bytes: int | None = None
    _looking: asyncio.Future[tuple[PlaceProblem | None, int | None]] | None = field(
        default=None, repr=False
    )

    @property
    def reason(self) -> Reason | None:
        """Why nothing new is kept."""
        if self.problem is None:
            return None
        return Reason.DISK_LOW if self.problem is PlaceProblem.LOW else Reason.STORAGE_NOT_WRITABLE

    def look(self) -> tuple[PlaceProblem | None, int | None]:
        """Ask the file system; blocks as long as it does not answer."""
        try:
            found = os.statvfs(self.directory)
        except OSError:
            return (PlaceProblem.GONE if self.must_be_writable else None), None
        free = found.f_bavail * found.f_frsize
        if self.must_be_writable and not _can_write(self.directory, found):
            return PlaceProblem.NOT_WRITABLE, free
        enough = self.free_bytes_min * (_MENDED if self.problem is PlaceProblem.LOW else 1)
        return (PlaceProblem.LOW if free < enough else None), free

    async def look_within(self, within_s: float) -> None:
        """Look in a thread; one that hangs is waited for again the next time, by no second one."""
        if self._looking is None:
            self._looking = asyncio.ensure_future(asyncio.to_thread(self.look))
        await asyncio.wait({self._looking}, timeout=within_s)
        if self._looking.done():
            self.problem, self.free_bytes = self._looking.result()
            self._looking = None
        else:
            self.problem, self.free_bytes = PlaceProblem.HANGS, None


def _can_write(directory: Path, found: os.statvfs_result) -> bool:
    writable = os.access(directory, os.R_OK | os.W_OK | os.X_OK)
    return writable and not found.f_flag & os.ST_RDONLY


def places_of(settings: Settings) -> list[StoragePlace]:
    """Where a configuration keeps recordings and rows."""
    limits = settings.limits
    return [
        *(
            StoragePlace(PlaceName.SPOOL, one.node, one.spool_path, limits.spool_free_mib * MIB)
            for one in settings.asterisk
        ),
        StoragePlace(
            PlaceName.VAULT,
            SERVICE_NODE,
            settings.vault.recordings,
            limits.vault_free_mib * MIB,
        ),
        StoragePlace(
            PlaceName.STORE,
            SERVICE_NODE,
            settings.audit.store,
            limits.store_free_mib * MIB,
            must_be_writable=False,
        ),
    ]


class StorageUser(Protocol):
    """Who is told when there is no place for recordings any more, or again."""

    node: NodeName
    no_storage: Reason | None

    def storage_changed(self, reason: Reason | None) -> None: ...


class StorageWatch(Collector):
    """Looks at all places again and again, and tells the log and the calls; also their metrics."""

    def __init__(
        self, settings: Settings, rows: CallAuditLog, nodes: Sequence[StorageUser]
    ) -> None:
        self.places = places_of(settings)
        self._check_s = settings.limits.storage_check_s
        self._rows = rows
        self._nodes = nodes

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._check_s)
            await self.look()

    async def look(self) -> None:
        """Look once; takes no longer than the pause between two looks."""
        before = [place.problem for place in self.places]
        await asyncio.gather(*(place.look_within(self._check_s) for place in self.places))
        for place, problem in zip(self.places, before, strict=True):
            if place.problem is not problem:
                self._say(place, problem)
        for node in self._nodes:
            reason = self._reason_for(node.node)
            if reason is not node.no_storage:
                node.storage_changed(reason)

    def _say(self, place: StoragePlace, before: PlaceProblem | None) -> None:
        log.warning(
            "storage_changed", place=place.name, node=place.node, problem=place.problem or "none"
        )
        where, now_ms = NodeName(place.node), unix_ms()
        if before is not None:
            self._append(
                Draft(
                    Kind.STORAGE_MENDED,
                    now_ms,
                    where,
                    detail={"place": place.name, "problem": before},
                )
            )
        if place.problem is not None:
            self._append(
                Draft(
                    Kind.STORAGE_FAILED,
                    now_ms,
                    where,
                    detail={"place": place.name, "problem": place.problem},
                )
            )

    def _append(self, row: Draft) -> None:
        """If the store fails, the metrics have to do."""
        try:
            self._rows.append(row).add_done_callback(ignore_outcome)
        except StoreError as error:
            log.error("row_refused", kind=row.kind, why=str(error))

    def _reason_for(self, node: str) -> Reason | None:
        """Why nothing new is kept of its calls; that nothing can be written comes first."""
        reasons = [place.reason for place in self._that_serve(node) if place.reason is not None]
        return max(reasons, key=lambda one: one is Reason.STORAGE_NOT_WRITABLE, default=None)

    def _that_serve(self, node: str) -> Iterator[StoragePlace]:
        return (place for place in self.places if place.node in {node, SERVICE_NODE})

    def collect(self) -> Iterable[Metric]:
        labels = ("node", "place")
        free = GaugeMetricFamily(
            "compliance_storage_free_bytes", "Free where we write.", labels=labels
        )
        failed = GaugeMetricFamily(
            "compliance_storage_failed", "Whether nothing new is kept for it.", labels=labels
        )
        for place in self.places:
            where = (place.node, place.name)
            failed.add_metric(where, place.problem is not None)
            if place.free_bytes is not None:
                free.add_metric(where, place.free_bytes)
        yield from (free, failed)
