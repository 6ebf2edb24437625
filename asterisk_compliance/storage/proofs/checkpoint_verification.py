"""Holds the checkpoints of a log, its own and those from outside, against its rows.

Where a row was changed together with its hash, no row shows it. Then the first checkpoint that
disagrees says in which stretch to look: after the last one that agrees.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asterisk_compliance.domain.audit.checkpoint import Checkpoint, parse_checkpoint
from asterisk_compliance.domain.audit.signed_note import SignedNote, VerifierKey
from asterisk_compliance.storage.log.checkpoints import CHECKPOINT, named_keys
from asterisk_compliance.storage.log.reader import Head
from asterisk_compliance.storage.proofs.verdict import LogVerdict


@dataclass(frozen=True, slots=True)
class CheckpointMark:
    """A root that the first ``size`` rows must have.

    Attributes:
        what: Who says so, as a fault names it.
        outside: It was kept elsewhere.
        signer: The key of the log that signed it; ``None`` for a bare head.
    """

    size: int
    root: bytes
    what: str
    outside: bool
    signer: VerifierKey | None


class Marks:
    """All that the rows are held against, in the order in which the rows come."""

    def __init__(
        self,
        db: sqlite3.Connection,
        directory: Path,
        verdict: LogVerdict,
        *,
        expect: Head | None,
        key: VerifierKey | None,
        anchors: Sequence[str],
    ) -> None:
        self._verdict = verdict
        self._chain, wrong = named_keys(db)
        for seq, what in wrong:
            verdict.fault(seq, what)
        self._trusted = self._trust(key)
        found = [*self._stored(db), *self._beside(directory), *self._from_outside(anchors)]
        if expect is not None:
            found.append(CheckpointMark(expect.size, expect.root, "the expected head", True, None))
        self._marks = sorted(found, key=lambda mark: mark.size, reverse=True)
        self._agreed = 0
        self._disagreed = False

    @property
    def next_size(self) -> int | None:
        """The next number of rows at which there is something to compare."""
        return self._marks[-1].size if self._marks else None

    def compare(self, size: int, root: bytes) -> None:
        """Hold all marks of ``size`` rows against the root of so many."""
        while self._marks and self._marks[-1].size <= size:
            self._judge(self._marks.pop(), root)

    def finish(self) -> None:
        """What is left counts more rows than there are."""
        verdict = self._verdict
        for mark in reversed(self._marks):
            verdict.fault(None, f"{mark.what} counts {mark.size} rows, here are {verdict.rows}")

    def _judge(self, mark: CheckpointMark, root: bytes) -> None:
        verdict = self._verdict
        if mark.root != root:
            if not self._disagreed:  # all later ones disagree for the same reason
                self._disagreed = True
                where = f"rows {self._agreed} to {mark.size - 1}"
                verdict.fault(
                    None,
                    f"the first {mark.size} rows are not those of {mark.what}: at least one of"
                    f" {where} was changed since",
                )
            return
        if not self._disagreed:
            self._agreed = mark.size
        if mark.outside:
            verdict.anchored_rows = max(verdict.anchored_rows, mark.size)
        if mark.signer is not None and mark.size >= verdict.signed_rows:
            verdict.signed_rows = mark.size
            verdict.key = mark.signer.fingerprint
            verdict.key_given = mark.signer in self._trusted

    def _trust(self, key: VerifierKey | None) -> list[VerifierKey]:
        if key is None:
            return []
        trusted = self._chain.vouched_by(key)
        if not trusted:
            named = self._chain.current
            has = f"it names {named.fingerprint}" if named else "it names none"
            self._verdict.fault(
                None, f"the log never had the key {key.fingerprint} that was given: {has}"
            )
        elif trusted[-1] != self._chain.current:
            self._verdict.fault(
                None, "the log changed its key, and the one that was given has not handed it over"
            )
        return trusted

    def _stored(self, db: sqlite3.Connection) -> Iterator[CheckpointMark]:
        for size, note in db.execute("SELECT size, note FROM checkpoints ORDER BY size"):
            self._verdict.checkpoints += 1
            mark = self._mark(note, f"the checkpoint of {size} rows", outside=False)
            if mark is not None and mark.size != size:
                self._verdict.fault(None, f"{mark.what} counts {mark.size} rows itself")
            elif mark is not None:
                yield mark

    def _beside(self, directory: Path) -> Iterator[CheckpointMark]:
        path = directory / CHECKPOINT
        try:
            note = path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return
        if (mark := self._mark(note, f"the file {CHECKPOINT}", outside=False)) is not None:
            yield mark

    def _from_outside(self, anchors: Sequence[str]) -> Iterator[CheckpointMark]:
        for number, note in enumerate(anchors, 1):
            which = f" {number}" if len(anchors) > 1 else ""
            mark = self._mark(note, f"the checkpoint{which} from elsewhere", outside=True)
            if mark is not None:
                yield mark

    def _mark(self, note: str, what: str, *, outside: bool) -> CheckpointMark | None:
        """Read and check one; what is wrong with it is a fault."""
        try:
            checkpoint, signed = parse_checkpoint(note)
            signer = self._signer(checkpoint, signed)
        except ValueError as error:
            self._verdict.fault(None, f"{what}: {error}")
            return None
        if signer is None:
            self._verdict.fault(None, f"{what} is not signed by a key of this log")
            return None
        self._verdict.origin = checkpoint.origin
        return CheckpointMark(checkpoint.size, checkpoint.root, what, outside, signer)

    def _signer(self, checkpoint: Checkpoint, signed: SignedNote) -> VerifierKey | None:
        """The newest key of the log that signed it."""
        signers = signed.signers(self._chain.keys)
        ours = [key for key in self._chain.keys if key in signers and key.name == checkpoint.origin]
        return ours[-1] if ours else None
