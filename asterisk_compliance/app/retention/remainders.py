"""What is left of a person after an erasure: outside of the store, and in it, and how to find it.

The service writes no number anywhere but into its table of persons. Asterisk does, in files that
are not ours; so do backups. Nothing here is changed or deleted: it is said where to look.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.retention.erasure import KeptParty

LOGS = Path("/var/log/asterisk")
"""Where Asterisk writes unless it was told otherwise (``astlogdir``)."""
NUMBER = "NUMBER"
"""Stands for the number in a command that is printed: put it in yourself."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """One place where something is left.

    Attributes:
        id: A stable word for it.
        holds: What may be there.
        find: Commands that show it.
        todo: What the site has to decide or do.
    """

    id: str
    holds: str
    find: tuple[str, ...]
    todo: str


@dataclass(frozen=True, slots=True)
class PersonalDataPlaces:
    """Where this site has what; files that the configuration does not name are Asterisk's own.

    Attributes:
        cdr, cel: Files that ``[reconcile]`` names.
        store, jsonl: Of the audit log.
        recordings: Ids of recordings of the calls in question.
    """

    store: Path
    jsonl: Path
    cdr: tuple[Path, ...] = ()
    cel: tuple[Path, ...] = ()
    recordings: tuple[str, ...] = ()


def remainders(parties: Sequence[KeptParty], places: PersonalDataPlaces) -> list[Remainder]:
    """What is left of these parties; of nobody in particular, what is left of anybody."""
    return [*_asterisk(parties, places), *_ours(parties, places)]


def _asterisk(parties: Sequence[KeptParty], places: PersonalDataPlaces) -> Iterator[Remainder]:
    channels = sorted({one.channel for one in parties if one.channel})
    linked = sorted({one.linkedid for one in parties if one.linkedid not in {"", "none"}})
    ids = sorted({*channels, *linked})
    yield Remainder(
        "cdr",
        "number, name and dialled number of each leg (clid, src, dst, channel names)",
        (
            *_searched(places.cdr or (LOGS / "cdr-csv/Master.csv", LOGS / "master.db"), "cdr", ids),
            *([] if places.cdr else _searched((LOGS / "cdr-custom",), "cdr", ids)),
        ),
        "edit or expire these lines by the site's own rule; a database backend has its own tables",
    )
    yield Remainder(
        "cel",
        "number, name, ANI and dialled number, once per event",
        tuple(_searched(places.cel or (LOGS / "cel-custom", LOGS / "master.db"), "cel", ids)),
        "as with the CDRs",
    )
    yield Remainder(
        "queue_log",
        "the caller's number in each ENTERQUEUE line, under the call's uniqueid",
        tuple(_searched((LOGS / "queue_log",), "", channels)),
        "rotate and delete; queue_log in a database has its own table",
    )
    yield Remainder(
        "asterisk_logs",
        "numbers in dialplan and SIP lines of full, messages, security and debug logs",
        (
            *_searched((LOGS,), "", ids),
            f"zgrep -lF -e {NUMBER} {LOGS}/full* {LOGS}/messages* {LOGS}/security*",
        ),
        f"look {_span(parties)}; shorten how long logs are kept",
    )
    yield Remainder(
        "asterisk_database",
        "numbers that a dialplan stored (AstDB), voicemail and its caller's number",
        (
            f"asterisk -rx 'database show' | grep -F -e {NUMBER}",
            f"grep -rlF -e {NUMBER} /var/spool/asterisk/voicemail",
        ),
        "delete what your own dialplan put there",
    )
    yield Remainder(
        "elsewhere",
        "call lists of telephones, carrier and SBC records, packet captures, CRM, mail",
        (),
        "ask those who run them; none of it is known to this program",
    )


def _ours(parties: Sequence[KeptParty], places: PersonalDataPlaces) -> Iterator[Remainder]:
    yield Remainder(
        "recordings",
        "the voice: this erasure takes values and keys of search, not audio",
        tuple(f"asterisk-compliance calls show {one.call}" for one in parties if one.call)
        if places.recordings
        else (),
        f"decide on each: {' '.join(places.recordings)}" if places.recordings else "there is none",
    )
    yield Remainder(
        "handed_out",
        "copies that left the vault or the store, and third parties who received something",
        tuple(command for one in parties if one.call for command in _handed_out(one.call)),
        "delete what is yours; tell the recipients that the person is erased (GDPR Article 19)",
    )
    yield Remainder(
        "do_not_call",
        "a keyed digest, if the person is on the list of numbers not to be called again",
        (f"asterisk-compliance do-not-call check {NUMBER}",),
        "it stays, so that nobody is called again who said no; docs/erasure.md says by which law",
    )
    yield Remainder(
        "rows",
        "commitments without their salts, call and channel ids, times",
        (f"{_verify(places)}",),
        "nothing: without its salt a commitment says nothing; the ids lead into the CDRs above",
    )
    yield Remainder(
        "json_lines",
        "the same rows: the file itself, its rotated ones, and every export of it",
        (f"ls -l {shlex.quote(str(places.jsonl.with_suffix('')))}*",),
        "nothing: there was never a value in them",
    )
    yield Remainder(
        "checkpoints",
        "sizes and roots of the log, wherever they were sent",
        (),
        "nothing: they say nothing of anybody",
    )
    store = shlex.quote(str(places.store))
    yield Remainder(
        "backups",
        "values, salts and digests, in every copy of the store that is older than the erasure; the"
        " one that the service itself makes when it is upgraded goes with the erasure",
        (f"ls -l {store}/audit.sqlite3* {store}/search.key", f"ls -ld {store}-newer"),
        "let them expire, and write down when; after restoring one, erase again what the rows"
        " person_erased in the newer JSON Lines name",
    )
    yield Remainder(
        "snapshots",
        "older blocks: file systems that copy on write, their snapshots, and solid state disks",
        (),
        "delete snapshots; keep the store on an encrypted volume",
    )


def _handed_out(call: str) -> Iterator[str]:
    yield f"asterisk-compliance provisions list --names --call {call}"
    for kind in (Kind.RECORDING_RELEASED, Kind.CALL_EXPORTED, Kind.EVIDENCE_EXPORTED):
        yield f"asterisk-compliance audit list --kind {kind} --call {call}"


def _verify(places: PersonalDataPlaces) -> str:
    return f"asterisk-compliance audit verify --store {shlex.quote(str(places.store))}"


def _searched(files: Sequence[Path], table: str, ids: Sequence[str]) -> Iterator[str]:
    """Commands that look for ids (of ours and Asterisk's, never a number) in files."""
    if not ids:
        return
    wanted = " ".join(f"-e {shlex.quote(one)}" for one in ids)
    for file in files:
        if file.suffix in {".db", ".sqlite", ".sqlite3"}:
            listed = ", ".join("'" + one.replace("'", "''") + "'" for one in ids)
            sql = f"SELECT * FROM {table} WHERE uniqueid IN ({listed}) OR linkedid IN ({listed})"  # noqa: S608  printed
            yield f"sqlite3 -readonly {shlex.quote(str(file))} {shlex.quote(sql)}"
        elif file.suffix or file.name == "queue_log":
            yield f"zgrep -nF {wanted} {shlex.quote(str(file))}*"
        else:
            yield f"grep -rnF {wanted} {shlex.quote(str(file))}"


def _span(parties: Sequence[KeptParty]) -> str:
    times = [one.arrived_at for one in parties if one.arrived_at]
    ends = [one.ended_at or one.arrived_at for one in parties if one.arrived_at]
    return f"from {min(times)} to {max(ends)} (UTC)" if times else "at all times"
