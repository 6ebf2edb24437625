"""Does every call have its decision, and is every file accounted for? A pure comparison.

Three sources are held against each other: what Asterisk wrote of its calls (CDRs, CEL), the audit
log, and the files in spool and vault. A finding is *explained* when one of the three says itself
why the others are silent, such as a CDR that says ``SERVICE_UNAVAILABLE``; all others are not.

What can be large (CDRs, calls, files) comes as an iterable and is read once; what must be
remembered of it goes into sets that the caller provides. ``docs/reconcile.md`` explains each
finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from asterisk_compliance.domain.asterisk.call_records import (
    CHECK_CONTEXT,
    Cdr,
    RoutineStatement,
    Unreadable,
    is_printable_id,
)
from asterisk_compliance.domain.audit.call_record import (
    LoggedCall,
    LoggedDecision,
    LoggedRecording,
    minted_ms,
)
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.reconciliation.findings import (
    ReconciliationFinding,
    ReconciliationFindingId,
)

LATE_MS: Final = 3_600_000
"""A call that has lasted this long, as far as the log knows, is worth a look."""

SETTLED_MS: Final = 600_000
"""So long after the end of a call its files are taken in and its CDR is written: Asterisk may
write CDRs in batches, by default every 300 s."""


class FilePlace(StrEnum):
    SPOOL = "spool"
    VAULT = "vault"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One file that is there.

    Attributes:
        name: Made of ids; empty for files of the vault that are not named as recordings are.
        recording: Whose it is; empty likewise, and where the dialplan recorded it alone.
        call: The call of that recording; empty likewise.
        alone_ms: When the channel was made of which the dialplan recorded it alone.
        whole: A recording of the vault, not what an interrupted run left beside it.
        sealed: It is named as what is encrypted.
        count: How many files; more than one only where there is no name.
    """

    place: FilePlace
    name: str = ""
    recording: str = ""
    call: str = ""
    alone_ms: int | None = None
    whole: bool = True
    sealed: bool = False
    count: int = 1


class LogView(Protocol):
    """What is looked up in the audit log, at the moment of asking."""

    def decision(self, call: str) -> LoggedDecision | None:
        """The decision of a call by our id; ``None``: no row speaks of it."""

    def call(self, call: str) -> LoggedCall | None: ...

    def knows(self, channel: str) -> bool:
        """Whether a call arrived that has this ``uniqueid`` or ``linkedid``."""

    def adopted(self, channel: str) -> bool:
        """Whether a recording of this channel was adopted that the dialplan made alone."""

    def quarantined(self, file: str) -> bool:
        """Whether a row says that a file of this name was set aside."""


class KeySets(Protocol):
    """A set of texts."""

    def add(self, key: str, /) -> None: ...

    def __contains__(self, key: object, /) -> bool: ...


@dataclass(frozen=True, slots=True)
class View:
    """What to look at.

    Attributes:
        now_ms: Unix milliseconds, as all times here.
        since_ms, until_ms: Calls that began from then on, and before then.
        contexts: Whose calls must be told; empty: all that were answered.
    """

    now_ms: int
    since_ms: int | None = None
    until_ms: int | None = None
    contexts: frozenset[str] = frozenset()

    def covers(self, at_ms: int | None) -> bool:
        """Whether a call that began then is looked at; one of unknown time always is."""
        if at_ms is None:
            return True
        after = self.since_ms is None or at_ms >= self.since_ms
        return after and (self.until_ms is None or at_ms < self.until_ms)


StoredLookup = Callable[[str, bool], str | None]
"""Of a recording's file in the vault, and whether it is the sealed one that is meant: its SHA-256,
empty if it was not read, ``None``: no file."""


class Comparison:
    """Give it the CDRs first, then CEL, then the calls of the log, then the files.

    ``new_keys`` makes a set; three are needed, the first with up to three entries for each CDR.
    Each method yields what it finds as it reads; nothing is said twice.

    Attributes:
        without_id: How many CDRs have neither ``uniqueid`` nor ``linkedid``. If there are any,
            calls without a CDR cannot be found, and are not looked for.
    """

    def __init__(self, view: View, log: LogView, new_keys: Callable[[], KeySets] = set) -> None:
        self._view = view
        self._log = log
        self._named = new_keys()
        self._accounted = new_keys()
        self._said = new_keys()
        self._cdrs_from_ms: int | None = None
        self.without_id = 0

    def cdrs(self, records: Iterable[Cdr | Unreadable]) -> Iterator[ReconciliationFinding]:
        """Hold CDRs against the log."""
        for record in records:
            if isinstance(record, Unreadable):
                yield _unreadable(record)
                continue
            self._remember(record)
            if self._view.covers(record.started_ms):
                yield from self._once(*self._of_cdr(record))

    def cel(self, calls: Iterable[Cdr | Unreadable]) -> Iterator[ReconciliationFinding]:
        """Hold calls from CEL against the log, and against what the CDRs explained."""
        for call in calls:
            if isinstance(call, Unreadable):
                yield _unreadable(call)
            elif self._view.covers(call.started_ms) and self._is_untold(call):
                yield from self._once(_never_told(call))

    def calls(
        self, calls: Iterable[LoggedCall], stored: StoredLookup | None
    ) -> Iterator[ReconciliationFinding]:
        """Look at each call of the log; ``stored`` is ``None`` where no vault is looked at."""
        for call in calls:
            yield from self._once(*self._of_call(call))
            if stored is not None and self._is_settled(call):
                yield from self._once(*_of_vault(call, stored))

    def files(self, files: Iterable[FoundFile]) -> Iterator[ReconciliationFinding]:
        """Ask of each file what the log says of it."""
        for file in files:
            if self._view.covers(minted_ms(file.call) if file.call else file.alone_ms):
                yield from self._once(*self._of_file(file))

    def _once(self, *findings: ReconciliationFinding) -> Iterator[ReconciliationFinding]:
        for finding in findings:
            subject = finding.subject
            if not subject:
                yield finding
            elif subject not in self._said:
                self._said.add(subject)
                yield finding

    # -- Asterisk's records ----------------------------------------------------------------

    def _remember(self, cdr: Cdr) -> None:
        for name in cdr.ids:
            self._named.add(name)
        if not cdr.ids:
            self.without_id += 1
        for statement in cdr.statements:
            if statement.call:
                self._named.add(statement.call)
        if cdr.covers_from_ms is not None:
            earlier = (self._cdrs_from_ms, cdr.covers_from_ms)
            self._cdrs_from_ms = min(one for one in earlier if one is not None)

    def _of_cdr(self, cdr: Cdr) -> Iterator[ReconciliationFinding]:
        spoken_of = False
        for statement in cdr.statements:
            if statement.by_dialplan:
                spoken_of = True
                self._account_for(cdr)
                yield _of_record(ReconciliationFindingId(statement.reason), cdr)
            elif statement.recorded_alone:
                spoken_of = True
                self._account_for(cdr)
                adopted = any(map(self._log.adopted, cdr.ids))
                which = (
                    ReconciliationFindingId.FALLBACK_NOTICE
                    if adopted
                    else ReconciliationFindingId.FALLBACK_NOT_ADOPTED
                )
                yield _of_record(which, cdr)
            elif statement.call:
                spoken_of = True
                yield from self._of_statement(statement, cdr)
        if not spoken_of and self._must_be_told(cdr):
            yield _never_told(cdr)

    def _of_statement(self, said: RoutineStatement, cdr: Cdr) -> Iterator[ReconciliationFinding]:
        decided = self._log.decision(said.call)
        if decided is None:
            self._account_for(cdr)
            yield _of_record(ReconciliationFindingId.CDR_WITHOUT_ROW, cdr, call=said.call)
        elif decided.status and not self._agree(said, decided):
            detail = f"CDR: {said.status}:{said.reason}; row: {decided.status}:{decided.reason}"
            yield _of_record(
                ReconciliationFindingId.DECISION_DIFFERS, cdr, call=said.call, detail=detail
            )

    def _agree(self, said: RoutineStatement, decided: LoggedDecision) -> bool:
        if (said.status, said.reason) == (decided.status, decided.reason):
            return True
        # Entered again, the routine is told how an allowed call stands then.
        call = self._log.call(said.call)
        again = call is not None and call.reentered and decided.status == Status.ALLOWED
        return again and said.reason == decided.reason

    def _account_for(self, cdr: Cdr) -> None:
        for name in cdr.ids:
            self._accounted.add(name)

    def _must_be_told(self, cdr: Cdr) -> bool:
        contexts = self._view.contexts
        counts = cdr.context in contexts if contexts else cdr.context != CHECK_CONTEXT
        asked = cdr.answered and counts
        return asked and not any(map(self._log.knows, cdr.ids))

    def _is_untold(self, call: Cdr) -> bool:
        """Whether nobody explains why it was not told. A call that lives may yet be."""
        if not call.over and self._view.now_ms - (call.started_ms or 0) < LATE_MS:
            return False
        explained = any(name in self._accounted for name in call.ids)
        return not explained and self._must_be_told(call)

    # -- the log ---------------------------------------------------------------------------

    def _is_old(self, call: LoggedCall) -> bool:
        return self._view.now_ms - call.arrived_ms >= LATE_MS

    def _is_settled(self, call: LoggedCall) -> bool:
        """Whether its files lie still. A call whose end nobody saw does not hide them."""
        ended = call.ended_ms is not None
        return call.over_for(SETTLED_MS, self._view.now_ms) if ended else self._is_old(call)

    def _of_call(self, call: LoggedCall) -> Iterator[ReconciliationFinding]:
        is_old = self._is_old(call)
        if not call.decisions and (call.ended_ms is not None or is_old):
            yield _of(ReconciliationFindingId.CALL_WITHOUT_DECISION, call)
        if len(call.decisions) > 1:
            detail = ", ".join(f"{one.status}:{one.reason}" for one in call.decisions)
            yield _of(ReconciliationFindingId.CALL_WITH_TWO_DECISIONS, call, detail=detail)
        if call.ended_ms is None and is_old:
            yield _of(ReconciliationFindingId.CALL_NOT_ENDED, call)
        if not call.over_for(SETTLED_MS, self._view.now_ms):
            return
        for name, recording in call.recordings.items():
            if recording.requested and not recording.outcome:
                yield _of(ReconciliationFindingId.RECORDING_NOT_CONCLUDED, call, recording=name)
        if call.decisions and self._cdrs_reach(call) and not self._has_cdr(call):
            yield _of(ReconciliationFindingId.ROW_WITHOUT_CDR, call)

    def _has_cdr(self, call: LoggedCall) -> bool:
        return any(name in self._named for name in call.names)

    def _cdrs_reach(self, call: LoggedCall) -> bool:
        """Whether the CDRs that were given should hold this one, which has ended."""
        if self._cdrs_from_ms is None or self.without_id:
            return False
        surely_ended_ms = call.arrived_ms if call.ended_late else call.ended_ms
        assert surely_ended_ms is not None
        return self._view.since_ms is not None or surely_ended_ms >= self._cdrs_from_ms

    # -- files -----------------------------------------------------------------------------

    def _may_be_alone(self, file: FoundFile) -> bool:
        """Whether the dialplan may record it still, or the service adopt it any moment."""
        return file.alone_ms is not None and self._view.now_ms - file.alone_ms < LATE_MS

    def _of_file(self, file: FoundFile) -> Iterator[ReconciliationFinding]:
        if not file.name:
            detail = f"{file.count} in the {file.place} with other names than recordings have"
            yield ReconciliationFinding(ReconciliationFindingId.FILE_UNKNOWN, detail=detail)
            return
        recording_id, where = file.recording, f"{file.place}/{file.name}"
        if file.place is FilePlace.QUARANTINE and self._log.quarantined(file.name):
            yield ReconciliationFinding(
                ReconciliationFindingId.FILE_QUARANTINED,
                file.call,
                recording=recording_id,
                file=where,
            )
            return
        if file.place is FilePlace.SPOOL and self._may_be_alone(file):
            return
        call = self._log.call(file.call) if file.call else None
        recording = call.recordings.get(file.recording) if call else None
        if call is None or recording is None:
            yield ReconciliationFinding(
                ReconciliationFindingId.FILE_UNKNOWN, file.call, recording=recording_id, file=where
            )
            return
        if not call.told:
            yield _of(
                ReconciliationFindingId.FILE_WITHOUT_NOTICE,
                call,
                recording=recording_id,
                file=where,
            )
        lives = call.ended_ms is None and not recording.outcome
        if self._is_settled(call) and not lives and not _belongs(file, recording):
            detail = f"the log says: {_standing(recording)}"
            yield _of(
                ReconciliationFindingId.FILE_LEFT,
                call,
                recording=recording_id,
                file=where,
                detail=detail,
            )


def _standing(recording: LoggedRecording) -> str:
    if recording.removed:
        return "removed"
    return "sealed" if recording.sealed else recording.outcome or "not concluded"


def _belongs(file: FoundFile, recording: LoggedRecording) -> bool:
    """Whether a file should be where it is when its call is over."""
    kept = file.place is FilePlace.VAULT and file.whole
    right = file.sealed is recording.sealed
    return kept and right and recording.outcome == "closed" and not recording.removed


def _of_vault(call: LoggedCall, stored: StoredLookup) -> Iterator[ReconciliationFinding]:
    for name, recording in call.recordings.items():
        if recording.outcome != "closed" or recording.removed or recording.disposing:
            continue
        digest = stored(name, recording.sealed)
        if digest is None:
            yield _of(ReconciliationFindingId.FILE_MISSING, call, recording=name)
        elif digest and digest != recording.sha256:
            yield _of(ReconciliationFindingId.FILE_CHANGED, call, recording=name)


def _of(
    which: ReconciliationFindingId,
    call: LoggedCall,
    *,
    recording: str = "",
    file: str = "",
    detail: str = "",
) -> ReconciliationFinding:
    return ReconciliationFinding(
        which, call.call, call.channel, recording, file, call.arrived_ms, detail
    )


def _of_record(
    which: ReconciliationFindingId, cdr: Cdr, *, call: str = "", detail: str = ""
) -> ReconciliationFinding:
    """By its own channel, or its ``linkedid``. What could be a number or a name is not said."""
    channel = cdr.channel or cdr.linkedid
    if is_printable_id(channel):
        return ReconciliationFinding(which, call, channel, at_ms=cdr.started_ms, detail=detail)
    unusual = "its uniqueid is not of the form that Asterisk gives, and is not printed"
    detail = "; ".join(filter(None, (detail, unusual if channel else "")))
    return ReconciliationFinding(which, call, at_ms=cdr.started_ms, detail=detail)


def _never_told(cdr: Cdr) -> ReconciliationFinding:
    """By its ``linkedid``, so that the legs of one call are one finding."""
    first = replace(cdr, channel=cdr.linkedid or cdr.channel)
    return _of_record(ReconciliationFindingId.CALL_NEVER_TOLD, first)


def _unreadable(record: Unreadable) -> ReconciliationFinding:
    detail = f"{record.count} from record {record.first} on: {record.why}"
    return ReconciliationFinding(
        ReconciliationFindingId.CDR_UNREADABLE, file=record.where, detail=detail
    )
