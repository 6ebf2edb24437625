"""Runs a reconciliation of Asterisk's call records, the log and the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TypeVar

from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.asterisk.call_records import Cdr, CelEvent, Unreadable, calls_of
from asterisk_compliance.domain.reconciliation.comparison import (
    Comparison,
    FoundFile,
    StoredLookup,
    View,
)
from asterisk_compliance.domain.reconciliation.findings import (
    EXPLAINED,
    ReconciliationFinding,
    ReconciliationFindingId,
)
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.call_records import read_cdrs, read_cel
from asterisk_compliance.storage.queries.reconciliation import (
    ReconcileReader,
    quarantined_files,
    scratch,
    spool_files,
    stored,
    vault_files,
)

_TICK = 1_000
"""Records between two words on how far it is."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Sources:
    """What the log is compared with.

    Attributes:
        settings: Says where the files are; without it none is looked at.
        digests: Read every recording, and compare its digest.
    """

    cdr: tuple[Path, ...] = ()
    cel: tuple[Path, ...] = ()
    cdr_columns: tuple[str, ...] = ()
    cel_columns: tuple[str, ...] = ()
    settings: Settings | None = None
    digests: bool = False

    def cdrs(self) -> Iterator[Cdr | Unreadable]:
        for path in self.cdr:
            yield from read_cdrs(path, self.cdr_columns)

    def files(self) -> Iterator[FoundFile]:
        if self.settings is None:
            return
        for spool in sorted({asterisk.spool_path for asterisk in self.settings.asterisk}):
            yield from spool_files(spool)
        yield from vault_files(self.settings.vault.recordings)
        yield from quarantined_files(self.settings.vault.recordings)

    def stored(self) -> StoredLookup | None:
        if self.settings is None:
            return None
        return partial(stored, self.settings.vault.recordings, digests=self.digests)


@dataclass(slots=True)
class Reconciliation:
    """One comparison. Iterate :meth:`findings` to its end, then ask what was counted.

    Attributes:
        tell: Told now and then how far it is.
        read: How many ``CDRs``, ``CEL events``, ``calls`` of the log and ``files``.
        found: How often each finding, the explained ones too.
    """

    store: Path
    sources: Sources
    view: View
    tell: Callable[[str], None] = field(default=lambda _: None)
    read: Counter[str] = field(default_factory=Counter)
    found: Counter[ReconciliationFindingId] = field(default_factory=Counter)
    _without_id: int = 0

    def findings(self) -> Iterator[ReconciliationFinding]:
        """Those that nothing explains, as they are found; the others are only counted.

        Raises:
            StoreUnavailable: the log, the spool or the vault cannot be read.
            LogBroken: a row is none.
            ConfigError: a file of CDRs or CEL cannot be read.
        """
        with StoreReader(self.store) as reader, scratch() as temporary:
            log = ReconcileReader(reader, temporary)
            comparison = Comparison(self.view, log, temporary.new_keys)
            calls = log.calls(self.view.since_ms, self.view.until_ms)
            parts = (
                comparison.cdrs(self._counted("CDRs", self.sources.cdrs())),
                comparison.cel(self._cel_calls()),
                comparison.calls(self._counted("calls", calls), self.sources.stored()),
                comparison.files(self._counted("files", self.sources.files())),
            )
            for finding in chain.from_iterable(parts):
                self.found[finding.id] += 1
                if not finding.explained:
                    yield finding
            self._without_id = comparison.without_id

    def counts(self, *, explained: bool) -> dict[str, int]:
        """How often each finding that is explained, or is not."""
        return {
            str(which): count
            for which, count in sorted(self.found.items())
            if (which in EXPLAINED) is explained
        }

    def not_compared(self) -> list[str]:
        """What nobody looked at, so that silence about it proves nothing."""
        found = []
        if not self.sources.cdr and not self.sources.cel:
            found.append("no CDR and no CEL is given: a call that never reached us is not found")
        elif self.sources.cdr and not self.read["CDRs"]:
            found.append("no CDR could be read: a decided call without a CDR is not found")
        if self._without_id:
            found.append(
                f"{self._without_id} CDRs have neither uniqueid nor linkedid: a decided call"
                " without a CDR is not found"
            )
        if self.sources.settings is None:
            found.append("there is no configuration: files are not looked at")
        return found

    def _cel_calls(self) -> Iterator[Cdr | Unreadable]:
        """Calls from CEL; what cannot be read of a file comes behind its calls."""
        for path in self.sources.cel:
            unreadable: list[Unreadable] = []
            records = self._counted("CEL events", read_cel(path, self.sources.cel_columns))
            yield from calls_of(_events(records, unreadable))
            yield from unreadable

    def _counted(self, what: str, records: Iterable[_T]) -> Iterator[_T]:
        for record in records:
            if not isinstance(record, Unreadable):
                self.read[what] += 1
                if self.read[what] % _TICK == 0:
                    self.tell(f"{what}: {self.read[what]:,}")
            yield record


def _events(
    records: Iterable[CelEvent | Unreadable], unreadable: list[Unreadable]
) -> Iterator[CelEvent]:
    for record in records:
        if isinstance(record, Unreadable):
            unreadable.append(record)
        else:
            yield record
