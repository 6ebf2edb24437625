"""A small site whose records agree: calls with their rows, CDRs and files, to be broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from asterisk_compliance.domain.asterisk.call_records import Cdr, RoutineStatement, Unreadable
from asterisk_compliance.domain.audit.call_record import LoggedCall, LoggedDecision, RowFact, fold
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.reconciliation.comparison import (
    Comparison,
    FilePlace,
    FoundFile,
    View,
)
from asterisk_compliance.domain.reconciliation.findings import ReconciliationFinding
from asterisk_compliance.ids import call_id
from values import replace

BEGIN_MS = 1_795_507_200_000
NOW_MS = BEGIN_MS + 86_400_000
DIGEST = "ab" * 32
SEALED_DIGEST = "5e" * 32


@dataclass
class World:
    """What the three sources hold; a test changes one of them and compares again."""

    rows: dict[str, list[RowFact]] = field(default_factory=dict)
    cdrs: list[Cdr | Unreadable] = field(default_factory=list)
    cel: list[Cdr | Unreadable] = field(default_factory=list)
    files: list[FoundFile] = field(default_factory=list)
    vault: dict[str, str] = field(default_factory=dict)
    set_aside: set[str] = field(default_factory=set)

    # -- as the log is asked ---------------------------------------------------------------

    def stored(self, recording: str, sealed: bool) -> str | None:
        return self.vault.get(f"{recording}{'.age' if sealed else ''}")

    def call(self, call: str) -> LoggedCall | None:
        return fold(call, self.rows[call]) if call in self.rows else None

    def decision(self, call: str) -> LoggedDecision | None:
        known = self.call(call)
        if known is None:
            return None
        return known.decisions[-1] if known.decisions else LoggedDecision()

    def knows(self, channel: str) -> bool:
        calls = (fold(call, rows) for call, rows in self.rows.items())
        return any(channel in {call.channel, call.linkedid} for call in calls)

    def adopted(self, channel: str) -> bool:
        calls = [(fold(call, rows), rows) for call, rows in self.rows.items()]
        return any(
            call.channel == channel and any(row.kind == "recording_adopted" for row in rows)
            for call, rows in calls
        )

    def quarantined(self, file: str) -> bool:
        return file in self.set_aside

    def compare(self, **view: Any) -> list[ReconciliationFinding]:
        comparison = Comparison(View(**{"now_ms": NOW_MS, **view}), self)
        return [
            *comparison.cdrs(self.cdrs),
            *comparison.cel(self.cel),
            *comparison.calls(filter(None, map(self.call, sorted(self.rows))), self.stored),
            *comparison.files(self.files),
        ]

    def unexplained(self, **view: Any) -> list[str]:
        return [finding.id for finding in self.compare(**view) if not finding.explained]

    # -- to be changed ---------------------------------------------------------------------

    def without_rows(self, call: str, *kinds: str) -> None:
        self.rows[call] = [row for row in self.rows[call] if row.kind not in kinds]

    def add_row(self, call: str, kind: str, **detail: Any) -> None:
        self.rows[call].append(row_of(kind, int(call[2:14], 16), **detail))

    def forget(self, call: str) -> None:
        """Rows and files of the call."""
        del self.rows[call]
        self.files = [file for file in self.files if file.call != call]

    def cdr_of(self, call: str) -> int:
        """Where its CDR stands."""
        for number, cdr in enumerate(self.cdrs):
            said = cdr.statements if isinstance(cdr, Cdr) else ()
            if any(statement.call == call for statement in said):
                return number
        raise KeyError(call)


def row_of(kind: str, at_ms: int, **detail: Any) -> RowFact:
    raw = {"kind": kind, "at": timestamp(at_ms), "detail": detail}
    return msgspec.convert(raw, RowFact)


def id_of(number: int) -> str:
    return call_id(BEGIN_MS + number * 60_000, number.to_bytes(8))


def channel_of(number: int, leg: int = 0) -> str:
    return f"{(BEGIN_MS + number * 60_000) // 1000}.{number * 2 + leg}"


def recording_of(call: str) -> str:
    return f"r-{call[2:]}-1"


def vault_file(call: str) -> FoundFile:
    recording = recording_of(call)
    return FoundFile(FilePlace.VAULT, f"{recording}.wav", recording, call)


def sealed_file(call: str) -> FoundFile:
    plain = vault_file(call)
    return replace(plain, name=f"{plain.name}.age", sealed=True)


def spool_file(call: str, direction: str = "rx") -> FoundFile:
    recording = recording_of(call)
    return FoundFile(FilePlace.SPOOL, f"{recording}-{direction}.wav", recording, call)


def add_recorded(world: World, number: int) -> str:
    """A call that was told, allowed and recorded; returns its id."""
    call, channel = id_of(number), channel_of(number)
    at = BEGIN_MS + number * 60_000
    recording = {"recording": recording_of(call)}
    decision = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED"}
    world.rows[call] = [
        row_of("call_arrived", at, channel=channel, linkedid=channel),
        row_of("notice_completed", at),
        row_of("decision", at, **decision),
        row_of("recording_requested", at, **recording),
        row_of("call_ended", at + 30_000),
        row_of("recording_closed", at + 31_000, **recording, sha256=DIGEST),
        row_of("spool_removed", at + 31_000, **recording),
    ]
    statement = RoutineStatement("ALLOWED", "NOTICE_COMPLETED", call)
    world.cdrs.append(_cdr(number, statement))
    world.files.append(vault_file(call))
    world.vault[recording["recording"]] = DIGEST
    return call


def seal(world: World, call: str) -> None:
    """What was recorded of a call was sealed as well."""
    recording = recording_of(call)
    world.add_row(call, "recording_sealed", recording=recording, sha256=SEALED_DIGEST)
    world.files[world.files.index(vault_file(call))] = sealed_file(call)
    world.vault[f"{recording}.age"] = SEALED_DIGEST
    del world.vault[recording]


def add_unrecorded(world: World, number: int) -> None:
    """The caller hung up in the notice: the CDR names no call."""
    call, channel = id_of(number), channel_of(number)
    at = BEGIN_MS + number * 60_000
    world.rows[call] = [
        row_of("call_arrived", at, channel=channel, linkedid=channel),
        row_of("decision", at, status="NOT_RECORDED", reason="HANGUP_IN_NOTICE"),
        row_of("call_ended", at + 5_000),
    ]
    world.cdrs.append(_cdr(number, RoutineStatement("NOT_RECORDED", "HANGUP_IN_NOTICE")))


def add_outbound(world: World, number: int) -> None:
    """The callee was told; the CDR is the dialling leg's, and a site has cleared its field."""
    call = id_of(number)
    at = BEGIN_MS + number * 60_000
    world.rows[call] = [
        row_of("call_arrived", at, channel=channel_of(number, 1), linkedid=channel_of(number)),
        row_of("notice_completed", at),
        row_of("decision", at, status="REFUSED", reason="CONSENT_REFUSED"),
        row_of("call_ended", at + 5_000),
    ]
    world.cdrs.append(_cdr(number))


def add_outage(world: World, number: int) -> None:
    world.cdrs.append(_cdr(number, RoutineStatement("NOT_RECORDED", "SERVICE_UNAVAILABLE")))
    world.cel.append(Cdr(channel_of(number), channel_of(number), "in", answered=True))


def add_fallback(world: World, number: int) -> str:
    """The dialplan alone told the caller and recorded, and the service adopted that."""
    call, at = id_of(number), BEGIN_MS + number * 60_000
    recording = {"recording": recording_of(call)}
    world.rows[call] = [
        row_of("call_arrived", at, channel=channel_of(number), linkedid=""),
        row_of("decision", at, status="ALLOWED", reason="FALLBACK_NOTICE"),
        row_of("recording_adopted", at, **recording),
        row_of("call_ended", at + 30_000, observed_late=True),
        row_of("recording_closed", at + 31_000, **recording, sha256=DIGEST),
        row_of("spool_removed", at + 31_000, **recording),
    ]
    world.cdrs.append(_cdr(number, RoutineStatement("ALLOWED", "FALLBACK_NOTICE")))
    world.cel.append(Cdr(channel_of(number), channel_of(number), "in", answered=True))
    world.files.append(vault_file(call))
    world.vault[vault_file(call).name.removesuffix(".wav")] = DIGEST
    return call


def add_emergency(world: World, number: int) -> None:
    world.cdrs.append(_cdr(number, RoutineStatement("NOT_RECORDED", "EMERGENCY")))


def add_unanswered(world: World, number: int) -> None:
    world.cdrs.append(Cdr(channel_of(number), "", "in", started_ms=BEGIN_MS + number * 60_000))


def _cdr(number: int, *said: RoutineStatement) -> Cdr:
    at = BEGIN_MS + number * 60_000
    covers = at if number == 0 else None
    return Cdr(channel_of(number), "", "in", True, at, covers, said)


KINDS = (
    add_recorded, add_unrecorded, add_outbound, add_outage, add_emergency, add_unanswered,
    add_fallback,
)  # fmt: skip


@st.composite
def worlds(draw: st.DrawFn) -> tuple[World, str]:
    """A world that agrees, and one recorded call of it."""
    world = World()
    add_outage(world, 0)
    others = draw(st.lists(st.sampled_from(KINDS), max_size=6))
    place = draw(st.integers(0, len(others)))
    adding = [*others[:place], add_recorded, *others[place:]]
    added = [add(world, number) for number, add in enumerate(adding, 1)]
    call = added[place]
    assert call is not None
    return world, call
