"""Disposal: what is due goes, behind a row that says so, and a row that says that it is gone.

    1  nobody holds it                          nothing happened: planned again
    2  row ``disposal_begun``, with digests     its files are there: removed by the next run
    3  the files are removed, opening fails     nothing is there: only the row is missing
    4  row ``recording_disposed``               done

Dying behind any step leaves what is on the right, and the next run goes on from there. Then the
persons go whose time is over (``person_expiry.py``), each in the transaction of its row. One run at
a time, and no hold is placed between 1 and 3: whoever places one waits, see
:class:`~.retaining.Retaining`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import structlog

from asterisk_compliance.app.retention.person_expiry import PersonExpiry, due_persons
from asterisk_compliance.app.retention.plan import DisposalPlan, PlannedDisposal, plan, today_of
from asterisk_compliance.app.shared.marks import staff
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.consistency import SERVICE_NODE
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import NodeName, PartyId
from asterisk_compliance.storage.log.legal_holds import matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.queries.retention import RetentionEntry, RetentionReader
from asterisk_compliance.storage.recordings.disposal import digest_of, ending_of, files_of, remove

FILES_AT_ONCE = 200
"""So many recordings are looked for in one reading of the vault."""

log = structlog.get_logger()


class Committer(Protocol):
    """Makes rows durable, all of them or none, and returns the number of the last one.

    Raises:
        StoreError: they are not.
    """

    def __call__(self, *drafts: Draft) -> int: ...


class DisposalOutcome(StrEnum):
    """What became of a recording that was due."""

    DISPOSED = "disposed"
    HELD = "held"
    FAILED = "failed"
    GONE = "gone"
    """Somebody else removed it meanwhile, behind a row of his own."""


@dataclass(frozen=True, slots=True)
class DisposalPlaces:
    """Where the log, and files of recordings, are."""

    store: Path
    directories: tuple[Path, ...]

    @classmethod
    def of(cls, settings: Settings) -> DisposalPlaces:
        spools = sorted({asterisk.spool_path for asterisk in settings.asterisk})
        return cls(settings.audit.store, (settings.vault.recordings, *spools))


@dataclass(slots=True)
class DisposalRun:
    """One run, by one member of the staff or the timer.

    Attributes:
        commit: Of the log.
        by: The party that ordered it.
        left: What is still to be done.
        done: How often each outcome, so far.
        leaving: The persons whose time is over, who go after the recordings.
        erased: How many of them went, so far.
    """

    places: DisposalPlaces
    commit: Committer
    by: PartyId
    left: list[PlannedDisposal]
    done: Counter[DisposalOutcome] = field(default_factory=Counter)
    leaving: PersonExpiry | None = None
    erased: int = 0

    @classmethod
    def begin(
        cls, settings: Settings, commit: Committer, user: str, now_ms: int | None = None
    ) -> DisposalRun:
        """Plan, and write who ordered it and what is due.

        Args:
            settings: What holds today.
            commit: Of the log.
            user: Of the operating system; it stands only in the table of persons.
            now_ms: Now, unless it is given.

        Raises:
            StoreError: the log cannot be read or written; nothing happened.
        """
        at_ms = unix_ms() if now_ms is None else now_ms
        planned = plan(settings.audit.store, today_of(settings), at_ms)
        with StoreReader(settings.audit.store) as reader:
            parties = [one.party for one in due_persons(reader, settings, at_ms)]
        draft = run_draft(planned, len(parties), user)
        number = commit(draft)
        assert draft.party is not None
        zone = settings.rules.time_zone
        leaving = PersonExpiry(parties, draft.party, f"RETENTION-{number}", at_ms, zone)
        return cls(
            DisposalPlaces.of(settings), commit, draft.party, list(planned.due), leaving=leaving
        )

    def go_on(self, for_s: float | None = None) -> None:
        """Dispose of what is left, for so long; without it, of everything.

        Raises:
            StoreError: the log cannot be read or written; what was begun is finished next time.
        """
        until = None if for_s is None else time.monotonic() + for_s
        while self.left:
            some = self.left[:FILES_AT_ONCE]
            files = files_of({one.recording for one in some}, self.places.directories)
            dealt_with = 0
            try:
                for one in some:
                    self.done[self._dispose(one, files.get(one.recording, ()))] += 1
                    dealt_with += 1
                    if until is not None and time.monotonic() >= until:
                        return
            finally:
                del self.left[:dealt_with]
        while self.leaving is not None and self.leaving.left:
            self._erase(self.leaving)
            if until is not None and time.monotonic() >= until:
                return

    def _erase(self, leaving: PersonExpiry) -> None:
        with StoreReader(self.places.store) as reader:
            some, rows = leaving.some(reader)
        if rows:
            self.commit(*rows)
            self.erased += len(rows)
        del leaving.left[: len(some)]

    def _dispose(self, one: PlannedDisposal, files: Sequence[Path]) -> DisposalOutcome:
        with StoreReader(self.places.store) as reader:
            held = matters_on(reader, [one.call])
            entry = RetentionReader(reader).entry(one.recording)
        if not entry.there:
            return DisposalOutcome.GONE
        if held and (files or one.begun is None):
            return DisposalOutcome.HELD
        try:
            return self._remove(one, files, entry)
        except OSError as error:
            log.error("not_disposed", recording=one.recording, why=error.strerror)
            self.commit(
                Draft(
                    Kind.DISPOSAL_FAILED,
                    unix_ms(),
                    entry.node,
                    call=one.call,
                    actor=self.by,
                    detail={"problem": "DISK", "recording": one.recording},
                )
            )
            return DisposalOutcome.FAILED

    def _remove(
        self, one: PlannedDisposal, files: Sequence[Path], entry: RetentionEntry
    ) -> DisposalOutcome:
        found = {f"{ending_of(one.recording, path)} {digest_of(path)}" for path in files}
        known = set(one.begun.files) if one.begun else set()
        if one.begun is None or found - known:
            known |= found
            self.commit(
                Draft(
                    Kind.DISPOSAL_BEGUN,
                    unix_ms(),
                    entry.node,
                    call=one.call,
                    actor=self.by,
                    detail={
                        "due_at": timestamp(one.due.at_ms),
                        "files": tuple(sorted(known)),
                        "ground": one.due.ground,
                        "period": one.due.period,
                        "recording": one.recording,
                        "rule": one.due.rule,
                    },
                )
            )
        remove(one.recording, files, self.places.directories)
        digests = {file.rpartition(" ")[2] for file in known}
        self.commit(
            Draft(
                Kind.RECORDING_DISPOSED,
                unix_ms(),
                entry.node,
                call=one.call,
                actor=self.by,
                detail={
                    "as_logged": entry.sha256 in digests,
                    "due_at": timestamp(one.due.at_ms),
                    "files": tuple(sorted(known)),
                    "ground": one.due.ground,
                    "period": one.due.period,
                    "recording": one.recording,
                    "rule": one.due.rule,
                },
            )
        )
        return DisposalOutcome.DISPOSED

    def answer(self) -> Mapping[str, int]:
        """How far it is."""
        done = {str(outcome): self.done[outcome] for outcome in DisposalOutcome}
        left = len(self.left) + (len(self.leaving.left) if self.leaving else 0)
        return {**done, "erased": self.erased, "left": left}


def run_draft(planned: DisposalPlan, persons: int, user: str) -> Draft:
    """The row that says who ordered a run, and what it found to do."""
    who = staff(user)
    return Draft(
        Kind.RETENTION_RUN,
        unix_ms(),
        NodeName(SERVICE_NODE),
        actor=who.actor,
        detail={
            "at": timestamp(planned.at_ms),
            "due": len(planned.due),
            "held": len(planned.held),
            "kept": planned.kept,
            "persons": persons,
        },
        party=who.party,
        role="staff",
        facts=who.facts,
    )
