"""Reading the log beside its owner: its rows, whether it is whole, and what it can prove."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from asterisk_compliance.domain.audit.checkpoint import Proof, open_checkpoint
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.signed_note import parse_verifier_key
from asterisk_compliance.errors import LogBroken
from asterisk_compliance.storage.feeds.tail import READ_ROWS, follow
from asterisk_compliance.storage.log.reader import RowQuery, StoredRow, StoreReader
from asterisk_compliance.storage.proofs import prover as proving
from asterisk_compliance.storage.proofs import verification as verify
from asterisk_compliance.storage.proofs.verdict import LogVerdict


class AuditLog:
    """The log of a store, to be read; its owner goes on writing meanwhile.

    ::

        with AuditLog.open("/var/lib/asterisk-compliance/store") as log:
            for row in log.rows(kind="decision"):
                print(row.seq, row.call, row.detail["status"])

    For one thread. Every method raises :class:`~asterisk_compliance.StoreUnavailable` if the store
    cannot be read. No transaction is open between two rows, however slowly they are taken.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._reader = StoreReader(store)

    @classmethod
    def open(cls, store: Path | str) -> Self:
        """Open the store in this directory, for reading.

        Raises:
            StoreUnavailable: there is none, or it may not be read.
        """
        return cls(Path(store))

    @property
    def id(self) -> str:
        """Which log it is; it stands in every row."""
        return self._reader.log()

    @property
    def size(self) -> int:
        """How many rows there are; the next one gets this number."""
        return self._reader.head().size

    def rows(
        self, first: int = 0, *, call: str | None = None, kind: str | None = None
    ) -> Iterator[Row]:
        """The rows that are there, in order: from ``first`` on, of one call, of one kind.

        Raises:
            LogBroken: one of them is no row.
        """
        return map(_row, self._stored(first, call, kind))

    def lines(
        self, first: int = 0, *, call: str | None = None, kind: str | None = None
    ) -> Iterator[bytes]:
        """The same, byte for byte as they were hashed, without a line's end."""
        return (stored.data for stored in self._stored(first, call, kind))

    def follow(self, first: int | None = None, *, interval_s: float = 0.2) -> Iterator[Row]:
        """Rows as they become durable, for ever: from ``first`` on, or from the next one on.

        Blocks while there is none, and looks every ``interval_s`` seconds. Keep ``row.seq + 1``,
        and begin there the next time: then none is left out, and none comes twice.

        Raises:
            StoreUnavailable: the log ends before ``first``, so it is another one.
            LogBroken: a row is missing, or is none.
        """

        def wait() -> bool:
            time.sleep(interval_s)
            return True

        return map(_row, follow(self._reader, first, wait))

    def verify(self, *, key: str = "", checkpoints: Sequence[str] = ()) -> LogVerdict:
        """Read the whole log, and say whether a row was changed, and how far that goes.

        Args:
            key: The log's public key, ``NAME+ID+KEY``, from somewhere else than the log.
            checkpoints: Texts of signed checkpoints that were kept elsewhere.

        Raises:
            ValueError: ``key`` is none.
        """
        trusted = parse_verifier_key(key) if key else None
        return verify.verify(self._store, key=trusted, anchors=checkpoints)

    def prove(self, seq: int) -> str:
        """A row and its proof, for somebody without the log; :func:`check_proof` reads it.

        Raises:
            StoreUnavailable: no checkpoint covers it yet.
            LogBroken: the log is not the one that was signed.
        """
        return proving.prove(self._reader, [seq]).proofs[seq].to_text()

    def close(self) -> None:
        self._reader.close()

    def _stored(self, first: int, call: str | None, kind: str | None) -> Iterator[StoredRow]:
        while rows := list(
            self._reader.rows(RowQuery(first_seq=first, call=call, kind=kind, limit=READ_ROWS))
        ):
            yield from rows
            first = rows[-1].seq + 1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def check_proof(proof: str, *, key: str) -> Row:
    """The row that ``proof`` shows to stand in the log of ``key``.

    Args:
        proof: As :meth:`AuditLog.prove` and ``audit prove`` make it.
        key: The log's public key, ``NAME+ID+KEY``, from somewhere else than the proof.

    Raises:
        ValueError: it shows nothing of the kind.
    """
    given = Proof.from_text(proof)
    if not given.holds(open_checkpoint(given.note, [parse_verifier_key(key)])):
        raise ValueError("the row does not stand in the tree of the checkpoint")
    return decode(given.row)


def _row(stored: StoredRow) -> Row:
    try:
        return decode(stored.data)
    except ValueError as error:
        raise LogBroken(str(error), stored.seq) from None
