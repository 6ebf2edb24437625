"""Where recordings were, and when, and who is in them: a fold over rows. Pure.

1. A recording is in the spool, in plain, from its request (or, recorded by the dialplan alone, from
   the beginning of its call) until a row says that the spool holds it no more. One that came to
   nothing was never there.
2. It is in the vault from its verdict on, sealed or in plain, until a row says that it is gone.
3. Lent for listening it is in memory, in plain, until the loan is removed.
4. Who gets a release opens it: in that moment it counts as plain, somewhere.
5. A file of no call was in the spool for nobody knows how long, and is in the vault since.
6. The store holds numbers and names: of who called, of whom we called (what was dialled), of who
   made a request, and of who received or provided something.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import RecordingId, call_of


class Form(StrEnum):
    """In which form something could be reached."""

    SEALED = "sealed"
    PLAIN = "plain"
    """In the vault, as anybody could hear it."""
    SPOOLED = "spooled"
    LENT = "lent"
    RELEASED = "released"


class StoragePeriod(NamedTuple):
    """Something was somewhere from ``since_ms`` on and before ``until_ms``; ``None``: open."""

    what: str
    form: Form
    since_ms: int | None
    until_ms: int | None


class QuarantinedFile(NamedTuple):
    """A file of no call that was set aside at ``at_ms``."""

    at_ms: int
    sealed: bool
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Something was handed out: to whom (a party of staff), and what for."""

    seq: int
    at_ms: int
    recording: str
    actor: str
    purpose: str
    action: str


@dataclass(frozen=True, slots=True)
class Document:
    """What the log says of a call was handed out, with or without its recordings.

    Attributes:
        what: The kind of its row.
        actor: Who got it: a party of staff.
    """

    seq: int
    at_ms: int
    call: str
    what: str
    actor: str


@dataclass(slots=True)
class RecordingLifecycle:
    """What rows say of one recording; times in Unix milliseconds."""

    spool_since: int | None = None
    spool_until: int | None = None
    vault_since: int | None = None
    vault_until: int | None = None
    grew: bool = False
    missing: bool = False
    empty: bool = False
    sealed: bool = False
    going: bool = False
    recipients: tuple[str, ...] = ()

    @property
    def was_spooled(self) -> bool:
        return self.spool_since is not None and not self.empty and (self.grew or not self.missing)

    def in_spool_at(self, at_ms: int) -> bool:
        """Whether a file in the spool is what the log expects, looked for at ``at_ms``."""
        return self.spool_since is not None and (
            self.spool_until is None or self.spool_until >= at_ms
        )

    def in_vault_at(self, at_ms: int) -> bool:
        return self.vault_since is not None and (
            self.vault_until is None or self.vault_until >= at_ms
        )


@dataclass(slots=True)
class LoggedLoan:
    recording: str
    since_ms: int
    until_ms: int | None = None


@dataclass(slots=True)
class Lifecycles:
    """A fold over rows: where every recording was, and when. :meth:`take` them in order."""

    recordings: dict[str, RecordingLifecycle] = field(default_factory=dict)
    loans: dict[str, LoggedLoan] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    documents: list[Document] = field(default_factory=list)
    aside: dict[str, QuarantinedFile] = field(default_factory=dict)
    parties: dict[str, list[str]] = field(default_factory=dict)
    named: dict[str, tuple[str, int]] = field(default_factory=dict)
    called: set[str] = field(default_factory=set)
    by_name: set[str] = field(default_factory=set)
    erased: dict[str, int] = field(default_factory=dict)
    synthetic: set[str] = field(default_factory=set)
    _recipients: tuple[str, ...] = ()
    _encrypts: bool = False

    def take(self, row: Row) -> None:
        at_ms = milliseconds(row.at)
        match row.kind:
            case Kind.CONFIG_LOADED:
                self._encrypts = row.detail.get("encryption") == "age"
                self._recipients = _texts(row, "recipients")
            case Kind.CALL_ARRIVED:
                self._arrived(row, at_ms)
            case Kind.PARTY_JOINED if row.detail.get("cover") not in _OURS:
                self._party(row)
            case Kind.REQUEST_REQUESTER | Kind.PROVISION_RECIPIENT | Kind.PROVISION_SOURCE:
                party = str(row.detail.get("party"))
                self.by_name.add(party)
                self.named[party] = row.call or "", at_ms
            case Kind.CALL_EXPORTED | Kind.EVIDENCE_EXPORTED:
                said = Document(row.seq, at_ms, str(row.call), str(row.kind), row.actor)
                self.documents.append(said)
            case Kind.PERSON_ERASED:
                self.erased[str(row.detail.get("erased"))] = at_ms
            case Kind.FILE_QUARANTINED:
                name = str(row.detail.get("file"))
                self.aside[name] = QuarantinedFile(at_ms, self._encrypts, self._recipients)
            case Kind.HEARING_LENT | Kind.HEARING_REMOVED:
                self._loan(row, at_ms)
            case _:
                self._recording(row, at_ms)

    def stays(self) -> Iterator[StoragePeriod]:
        """Everything that was somewhere, from when until when."""
        for recording, life in self.recordings.items():
            if life.was_spooled:
                yield StoragePeriod(recording, Form.SPOOLED, life.spool_since, life.spool_until)
            if life.vault_since is not None:
                form = Form.SEALED if life.sealed else Form.PLAIN
                yield StoragePeriod(recording, form, life.vault_since, life.vault_until)
        for loan in self.loans.values():
            yield StoragePeriod(loan.recording, Form.LENT, loan.since_ms, loan.until_ms)
        for one in self.releases:
            yield StoragePeriod(one.recording, Form.RELEASED, one.at_ms, one.at_ms + 1)
        for name, file in self.aside.items():
            yield StoragePeriod(name, Form.SPOOLED, None, file.at_ms)
            yield StoragePeriod(name, Form.SEALED if file.sealed else Form.PLAIN, file.at_ms, None)

    def _arrived(self, row: Row, at_ms: int) -> None:
        if row.detail.get("synthetic") is True:
            self.synthetic.add(str(row.call))
        party = str(row.detail.get("party"))
        was_called = row.detail.get("leg") == "callee"
        if was_called:
            self.called.add(party)
        if not (_NAMES | ({"commit.dialled"} if was_called else set())).isdisjoint(row.detail):
            self.named[party] = str(row.call), at_ms
        self._party(row)

    def _loan(self, row: Row, at_ms: int) -> None:
        number = str(row.detail.get("loan"))
        if row.kind == Kind.HEARING_LENT:
            self.loans[number] = LoggedLoan(str(row.detail.get("recording")), at_ms)
        elif number in self.loans:
            self.loans[number].until_ms = at_ms

    def _party(self, row: Row) -> None:
        self.parties.setdefault(str(row.call), []).append(str(row.detail.get("party")))

    def _recording(self, row: Row, at_ms: int) -> None:
        recording = row.detail.get("recording")
        if not isinstance(recording, str):
            return
        life = self.recordings.setdefault(recording, RecordingLifecycle())
        if row.kind == Kind.RECORDING_RELEASED:
            self.releases.append(_release(row, recording, at_ms))
        elif row.kind in _SPOOL:
            _spool(life, row, recording, at_ms)
        else:
            _vault(life, row, at_ms)


_SPOOL = frozenset(
    {
        Kind.RECORDING_REQUESTED,
        Kind.RECORDING_ADOPTED,
        Kind.RECORDING_GROWING,
        Kind.RECORDING_MISSING,
        Kind.RECORDING_EMPTY,
        Kind.SPOOL_REMOVED,
    }
)


def _spool(life: RecordingLifecycle, row: Row, recording: str, at_ms: int) -> None:
    match row.kind:
        case Kind.RECORDING_REQUESTED:
            life.spool_since = at_ms
        case Kind.RECORDING_ADOPTED:
            life.spool_since = minted_ms(call_of(RecordingId(recording)))
        case Kind.RECORDING_GROWING:
            life.grew = True
        case Kind.RECORDING_MISSING:
            life.missing, life.spool_until = True, at_ms
        case Kind.RECORDING_EMPTY:
            life.empty = True
        case _:
            life.spool_until = at_ms


def _vault(life: RecordingLifecycle, row: Row, at_ms: int) -> None:
    match row.kind:
        case Kind.RECORDING_CLOSED:
            life.vault_since, life.sealed = at_ms, row.detail.get("encryption") == "age"
        case Kind.RECORDING_SEALED:
            life.sealed, life.recipients = True, _texts(row, "recipients")
        case Kind.DISPOSAL_BEGUN:
            life.going = True
        case Kind.RECORDING_REMOVED:
            life.vault_until = at_ms
        case Kind.RECORDING_DISPOSED:
            life.vault_until = at_ms
            life.spool_until = life.spool_until or at_ms
        case _:
            pass


def _release(row: Row, recording: str, at_ms: int) -> Release:
    purpose, action = (str(row.detail.get(name) or "") for name in ("purpose", "action"))
    return Release(row.seq, at_ms, recording, row.actor, purpose, action)


def _texts(row: Row, name: str) -> tuple[str, ...]:
    value = row.detail.get(name)
    return value if isinstance(value, tuple) else ()


_NAMES = frozenset({"commit.name", "commit.number"})
_OURS = frozenset({"staff", "assumed"})
"""How a party is covered that is not counted: the site brought it there."""

KINDS = (
    Kind.CONFIG_LOADED,
    Kind.CALL_ARRIVED,
    Kind.PARTY_JOINED,
    Kind.PERSON_ERASED,
    Kind.RECORDING_REQUESTED,
    Kind.RECORDING_ADOPTED,
    Kind.RECORDING_GROWING,
    Kind.RECORDING_MISSING,
    Kind.RECORDING_EMPTY,
    Kind.RECORDING_CLOSED,
    Kind.RECORDING_SEALED,
    Kind.SPOOL_REMOVED,
    Kind.DISPOSAL_BEGUN,
    Kind.RECORDING_REMOVED,
    Kind.RECORDING_DISPOSED,
    Kind.RECORDING_RELEASED,
    Kind.CALL_EXPORTED,
    Kind.EVIDENCE_EXPORTED,
    Kind.REQUEST_REQUESTER,
    Kind.PROVISION_RECIPIENT,
    Kind.PROVISION_SOURCE,
    Kind.FILE_QUARANTINED,
    Kind.HEARING_LENT,
    Kind.HEARING_REMOVED,
)
"""The kinds of rows that say anything here."""
