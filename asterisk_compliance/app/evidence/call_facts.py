"""What the rows of one call say, as an export needs it: parties, notices, consent, recordings.

Only rows of a fixed set are read. Releasing, exporting and handing over add rows to the same call,
and do not change what the next export says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from asterisk_compliance.app.evidence.call_evidence import LoggedEvidence
from asterisk_compliance.domain.access.audibility import audible_in
from asterisk_compliance.domain.audit.encoding import Row, milliseconds
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.third_parties.provisions import Provision, provisions_of
from asterisk_compliance.ids import CallId, RecordingId

READ: Final = frozenset(
    {
        Kind.CALL_ARRIVED,
        Kind.NOTICE_COMPLETED,
        Kind.CONSENT,
        Kind.DECISION,
        Kind.PARTY_JOINED,
        Kind.PARTY_TOLD,
        Kind.RECORDING_REQUESTED,
        Kind.RECORDING_ADOPTED,
        Kind.RECORDING_STARTED,
        Kind.RECORDING_CLOSED,
        Kind.RECORDING_SEALED,
        Kind.RECORDING_REMOVED,
        Kind.RECORDING_DISPOSED,
        Kind.CALL_ENDED,
    }
)
"""The kinds that an export speaks of."""
_NOTICES = (Kind.NOTICE_COMPLETED, Kind.PARTY_TOLD, Kind.RECORDING_ADOPTED)
_KEPT = frozenset({"closed", "sealed"})
_INSIDE = frozenset({"staff", "assumed"})
"""Covers of the controller's own people."""


@dataclass(frozen=True, slots=True)
class ExportParty:
    """Somebody in the call, by what this call knows him.

    Attributes:
        id: ``y-…``; empty where no row names it.
        cover: Why he may be kept; empty of the told party.
        joined_at: When he came; empty of the told party.
    """

    id: str
    channel: str = ""
    cover: str = ""
    joined_at: str = ""


@dataclass(frozen=True, slots=True)
class ExportNotice:
    """A notice that a party heard to its end.

    Attributes:
        row: The number of its row.
        party: Index in :attr:`ExportedCall.parties`.
        by_dialplan: Nobody of ours was there: so much less is proven.
    """

    row: int
    at: str
    party: int
    label: str
    purposes: tuple[str, ...]
    text_digest: str
    audio_digest: str
    length_ms: int | None
    lasted_ms: int | None
    by_dialplan: bool

    @property
    def language(self) -> str:
        return self.label.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class ConsentAnswer:
    """What the told party said to recording: the state of a row ``consent``."""

    row: int
    at: str
    state: str


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording, whatever became of it.

    Attributes:
        level: As ``recordings list`` says it.
        others: Everybody else was to be kept too, and something of them was.
        heard: Of these, who can be heard in it: indices in :attr:`ExportedCall.parties`.
        sha256: Of the recording itself; ``kept_sha256`` of the bytes in the vault.
        retention: How long it is kept, as told.
    """

    id: str
    level: str
    start: str
    bridged: bool
    others: bool
    heard: tuple[int, ...]
    sealed: bool
    length_ms: int | None
    sha256: str
    kept_sha256: str
    retention: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        return self.level in _KEPT


@dataclass(frozen=True, slots=True)
class ExportedCall:
    """All of it, in the order of the rows.

    Attributes:
        log: Whose rows these are.
        told_by: By what the purposes were told, as the decision says; empty: it does not.
        parties: The first is the told one.
        provisions: To third parties; only a receipt speaks of them.
        rows: Numbers of the rows that were read.
        changed_at: Time of the newest of them.
    """

    call: CallId
    log: str
    leg: str
    policy: str
    arrived_at: str
    ended_at: str
    changed_at: str
    status: str
    reason: str
    told_by: str
    decided_at: str
    parties: tuple[ExportParty, ...]
    notices: tuple[ExportNotice, ...]
    answers: tuple[ConsentAnswer, ...]
    recordings: tuple[Recording, ...]
    provisions: tuple[Provision, ...]
    rows: tuple[int, ...]

    @property
    def told(self) -> tuple[str, ...]:
        """The purposes that the told party heard, in its last notice."""
        heard = [one.purposes for one in self.notices if one.party == 0]
        return heard[-1] if heard else ()

    @property
    def state(self) -> str:
        """Of consent: that of the last answer; empty: nobody was asked, or nobody answered."""
        return self.answers[-1].state if self.answers else ""


def facts_of(found: LoggedEvidence) -> ExportedCall:
    """Read the rows of a call that is over."""
    rows = [row for row in found.rows if row.kind in READ]
    arrived = _first(rows, Kind.CALL_ARRIVED)
    decided = _first(rows, Kind.DECISION)
    ended = _first(rows, Kind.CALL_ENDED)
    assert ended is not None
    parties = tuple(_parties(rows, arrived))
    about: Mapping[str, Any] = arrived.detail if arrived is not None else {}
    result: Mapping[str, Any] = decided.detail if decided is not None else {}
    return ExportedCall(
        call=found.call,
        log=rows[0].log,
        leg=str(about.get("leg", "caller")),
        policy=str(about.get("policy", "")),
        arrived_at=rows[0].at if arrived is None else arrived.at,
        ended_at=ended.at,
        changed_at=rows[-1].at,
        status=str(result.get("status", "")),
        reason=str(result.get("reason", "")),
        told_by=str(result.get("told_by", "")),
        decided_at=decided.at if decided is not None else "",
        parties=parties,
        notices=tuple(_notices(rows, parties)),
        answers=tuple(_answers(rows)),
        recordings=tuple(_recordings(found, rows, parties)),
        provisions=tuple(provisions_of(found.rows).values()),
        rows=tuple(row.seq for row in rows),
    )


def _first(rows: Iterable[Row], kind: Kind) -> Row | None:
    return next((row for row in rows if row.kind == kind), None)


def _parties(rows: Iterable[Row], arrived: Row | None) -> Iterable[ExportParty]:
    """The told party, then everybody who joined, each once."""
    about: Mapping[str, Any] = arrived.detail if arrived is not None else {}
    yield ExportParty(str(about.get("party", "")), str(about.get("channel", "")))
    seen: set[str] = set()
    for row in rows:
        if row.kind != Kind.PARTY_JOINED or (channel := str(row.detail["channel"])) in seen:
            continue
        seen.add(channel)
        yield ExportParty(
            str(row.detail.get("party", "")), channel, str(row.detail["cover"]), row.at
        )


def _notices(rows: Iterable[Row], parties: tuple[ExportParty, ...]) -> Iterable[ExportNotice]:
    index = {party.channel: number for number, party in enumerate(parties)}
    for row in rows:
        if row.kind not in _NOTICES:
            continue
        detail: Mapping[str, Any] = row.detail
        joined = row.kind == Kind.PARTY_TOLD
        yield ExportNotice(
            row=row.seq,
            at=row.at,
            party=index.get(str(detail.get("channel")), 0) if joined else 0,
            label=str(detail.get("notice", "")),
            purposes=tuple(detail.get("purposes") or ()),
            text_digest=str(detail.get("text_digest", "")),
            audio_digest=str(detail.get("audio_digest", "")),
            length_ms=detail.get("length_ms"),
            lasted_ms=detail.get("lasted_ms"),
            by_dialplan=row.kind == Kind.RECORDING_ADOPTED,
        )


def _answers(rows: Iterable[Row]) -> Iterable[ConsentAnswer]:
    for row in rows:
        if row.kind == Kind.CONSENT:
            yield ConsentAnswer(row.seq, row.at, str(row.detail["state"]))


def _recordings(
    found: LoggedEvidence, rows: list[Row], parties: tuple[ExportParty, ...]
) -> Iterable[Recording]:
    for entry in found.recordings:
        name = str(entry["recording"])
        own = [row for row in rows if row.detail.get("recording") == name]
        asked = _first(own, Kind.RECORDING_REQUESTED) or _first(own, Kind.RECORDING_ADOPTED)
        about: Mapping[str, Any] = asked.detail if asked is not None else {}
        started = _first(own, Kind.RECORDING_STARTED) or asked
        bridged = about.get("capture") == "bridged"
        first = name.endswith("-1")
        joined = _joined_after(rows, started) if bridged and first else None
        closed = _first(own, Kind.RECORDING_CLOSED)
        silent = closed is not None and closed.detail.get("tx") == "not_kept"
        sealed = entry.get("sealed_sha256")
        length = entry.get("length_ms")
        yield Recording(
            id=name,
            level=str(entry["level"]),
            start=joined or (started.at if started is not None else rows[0].at),
            bridged=bridged,
            others=about.get("others") is True and not silent,
            heard=tuple(_heard(found.rows, RecordingId(name), parties)),
            sealed=sealed is not None,
            length_ms=length if isinstance(length, int) else None,
            sha256=str(entry.get("sha256") or ""),
            kept_sha256=str(sealed or entry.get("sha256") or ""),
            retention=tuple(about.get("retention") or ()),
        )


def _heard(
    rows: Iterable[Row], recording: RecordingId, parties: tuple[ExportParty, ...]
) -> Iterator[int]:
    """Who of those who joined can be heard in one recording, as ``domain/access/audibility.py``
    judges it.

    It asks about people outside; here the controller's own count as well.
    """
    heard = {one.channel for one in audible_in(map(_as_outside, rows), recording) if one.channel}
    return (number for number, party in enumerate(parties) if number and party.channel in heard)


def _as_outside(row: Row) -> Row:
    if row.kind == Kind.PARTY_JOINED and row.detail.get("cover") in _INSIDE:
        return msgspec.structs.replace(row, detail={**row.detail, "cover": "accepted"})
    return row


def _joined_after(rows: Iterable[Row], started: Row | None) -> str | None:
    """When somebody came to the first recording: what is kept in bridges begins there."""
    if started is None:
        return None
    came = (row for row in rows if row.kind == Kind.PARTY_JOINED and row.seq > started.seq)
    return next((row.at for row in came), None)


def lasted_ms(facts: ExportedCall) -> int:
    """From the channel's arrival to its end; never negative, where a clock was set back."""
    return max(0, milliseconds(facts.ended_at) - milliseconds(facts.arrived_at))
