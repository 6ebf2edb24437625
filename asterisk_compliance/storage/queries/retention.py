"""Which recordings are there, for how long, and whose disposal was interrupted: read from the log.

Recordings that were told the same are a group. What of a group can be due is asked by an index, so
that a plan looks at those alone, however many there are.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from asterisk_compliance.domain.audit.call_record import minted_ms
from asterisk_compliance.domain.audit.encoding import decode, milliseconds, timestamp
from asterisk_compliance.domain.audit.projection import PURPOSE_SEPARATOR
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import (
    Before,
    KeptUntil,
    RetentionGround,
    StatedRetention,
    read_told,
)
from asterisk_compliance.errors import LogBroken, StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, RecordingId
from asterisk_compliance.storage.log.reader import StoreReader

_KEPT = "recordings.level IN ('closed', 'sealed', 'unjudged')"
"""The levels at which files of a recording are there and nobody else deals with them."""

_GROUPS = f"""
SELECT policy, retention, count(*) FROM recordings INDEXED BY recordings_kept
WHERE {_KEPT} GROUP BY policy, retention
"""  # noqa: S608  fixed text
_KEPT_OF = f"""
SELECT recordings.recording, recordings.call, coalesce(recordings.policy, calls.policy, ''),
    calls.purposes, calls.ended_at, coalesce(calls.withdrawn, '') = 'delete'
FROM recordings LEFT JOIN calls ON calls.call = recordings.call
WHERE {_KEPT}
"""  # noqa: S608  fixed text
_WITHDRAWN = f"""
{_KEPT_OF} AND recordings.call IN (SELECT call FROM calls WHERE withdrawn = 'delete')
"""  # noqa: S608  fixed text
_BEGUN = "SELECT recording, call, node FROM recordings WHERE level = 'disposing' ORDER BY recording"
_BEGUN_ROW = (
    "SELECT seq, CAST(row AS BLOB) FROM rows WHERE call = ? AND kind = 'disposal_begun'"
    " AND row ->> '$.detail.recording' = ? ORDER BY seq DESC LIMIT 1"
)
_ENTRY = """
SELECT node, level = 'disposing' OR level IN ('closed', 'sealed', 'unjudged'),
    coalesce(sealed_sha256, sha256, '')
FROM recordings WHERE recording = ?
"""


class RetentionGroup(NamedTuple):
    """Recordings of one policy that were told the same.

    Attributes:
        retention: As the rows have it; ``None``: of a version that did not say it.
        recordings: How many they are.
    """

    policy: str | None
    retention: str | None
    recordings: int

    @property
    def told(self) -> StatedRetention:
        """What they were told.

        Raises:
            LogBroken: it is nothing that a row says.
        """
        try:
            return read_told((self.retention or "").split(PURPOSE_SEPARATOR))
        except ValueError:
            raise LogBroken("a row says a period that is none") from None


class RetentionEntry(NamedTuple):
    """What the log knows of a recording.

    Attributes:
        node: Which Asterisk it is from.
        there: It is kept, or its disposal has begun.
        sha256: Of what was put into the vault; empty if nothing was.
    """

    node: NodeName
    there: bool
    sha256: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A disposal of which no row says that it is over.

    Attributes:
        files: What was there when it began, as the row has it: of each file what stands behind
            the recording's id, and its SHA-256.
    """

    recording: RecordingId
    call: CallId
    node: NodeName
    due_at: str
    ground: RetentionGround
    rule: str
    period: str
    files: tuple[str, ...]


class RetentionReader:
    """The log, as a plan of disposals asks it.

    Raises:
        StoreUnavailable: from every method, when the store cannot be read.
        LogBroken: a row is none.
    """

    def __init__(self, reader: StoreReader) -> None:
        self.reader = reader

    def groups(self) -> list[RetentionGroup]:
        return [RetentionGroup(*line) for line in self._all(_GROUPS)]

    def of_group(self, group: RetentionGroup, before: Before) -> Iterator[KeptUntil]:
        """The recordings of a group that began or ended before, the oldest first.

        Those of a version that did not say what was told are all looked at.
        """
        if group.retention is None:
            sql = " AND recordings.policy IS ? AND recordings.retention IS NULL"
            for line in self._all(f"{_KEPT_OF}{sql} ORDER BY recordings.call", group.policy):
                codes = (line[3] or "").split(PURPOSE_SEPARATOR)
                told = StatedRetention({PurposeCode(code): None for code in codes if code})
                yield _kept(line, told)
            return
        began, ended = _id(before.began_ms), _id(before.ended_ms)
        sql = (
            " AND recordings.policy IS ? AND recordings.retention = ? AND recordings.call < ?"
            " AND (recordings.call < ? OR calls.ended_at < ?) ORDER BY recordings.call"
        )
        told = group.told
        ended_at = "" if before.ended_ms is None else timestamp(before.ended_ms)
        values = (group.policy, group.retention, max(began, ended), began, ended_at)
        for line in self._all(_KEPT_OF + sql, *values):
            yield _kept(line, told)

    def withdrawn(self) -> Iterator[KeptUntil]:
        """Recordings that should have been deleted when their callers withdrew."""
        for line in self._all(_WITHDRAWN):
            yield _kept(line, StatedRetention())

    def begun(self) -> Iterator[Begun]:
        """Disposals that were interrupted, in the order of their recordings."""
        for recording, call, node in self._all(_BEGUN):
            ((seq, data),) = self._all(_BEGUN_ROW, call, recording)
            try:
                detail: Any = decode(data).detail
                yield Begun(
                    RecordingId(recording),
                    CallId(call),
                    NodeName(node),
                    detail["due_at"],
                    RetentionGround(detail["ground"]),
                    detail["rule"],
                    detail["period"],
                    tuple(detail["files"]),
                )
            except (ValueError, KeyError):
                raise LogBroken("not the beginning of a disposal", seq) from None

    def entry(self, recording: RecordingId) -> RetentionEntry:
        """What the log knows of a recording that a plan named."""
        ((node, there, sha256),) = self._all(_ENTRY, recording)
        return RetentionEntry(NodeName(node), bool(there), sha256)

    def _all(self, sql: str, *values: str | None) -> Sequence[tuple[Any, ...]]:
        try:
            return self.reader.connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"cannot read {self.reader.directory}: {error}") from error


def _id(ms: int | None) -> str:
    """Behind the ids of all calls that began before; in front of all for ``None``."""
    return "c-" if ms is None else f"c-{ms:012x}"


def _kept(line: tuple[Any, ...], told: StatedRetention) -> KeptUntil:
    recording, call, policy, _, ended_at, withdrawn = line
    return KeptUntil(
        RecordingId(recording),
        CallId(call),
        policy,
        told,
        minted_ms(call),
        milliseconds(ended_at) if ended_at else None,
        bool(withdrawn),
    )
