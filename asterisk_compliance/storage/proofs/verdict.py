"""The result of verifying a log: faults, by row where possible, and the level of proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from asterisk_compliance.storage.log.reader import Head

FAULTS_KEPT = 100


class ProofLevel(StrEnum):
    """How far a log without faults can be trusted; each holds what the one before does."""

    TREE = "tree"
    """It agrees with itself. Whoever can write the store can make that so."""
    SIGNED = "signed"
    """A checkpoint of it is signed by the log's key. Whoever holds the key can make that so."""
    ANCHORED = "anchored elsewhere"
    """It agrees with a checkpoint that was kept where the log cannot be written."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that does not fit.

    Attributes:
        seq: The first row concerned, or ``None`` if no row can be named.
    """

    seq: int | None
    what: str

    def __str__(self) -> str:
        return self.what if self.seq is None else f"row {self.seq}: {self.what}"


@dataclass(slots=True)
class LogVerdict:
    """What reading the whole log has shown.

    Attributes:
        log: The log's id.
        rows: How many rows are stored.
        root: The root that follows from them.
        head: What the store says of itself.
        opened: Commitments that were opened: the value is still kept, and it is the one.
        faults: The first hundred; ``fault_count`` counts all.
        expected: The earlier head that was compared, if one was given.
        origin: What the log calls itself in its checkpoints; empty if there is none.
        checkpoints: How many are stored.
        signed_rows: Rows under a stored checkpoint that fits, and is signed by a key of the log.
        key: Fingerprint of that key.
        key_given: A key was given from outside, and this one is it, or was handed over by it.
        anchored_rows: Rows under a checkpoint or head from outside that fits.
    """

    log: str
    rows: int
    root: bytes
    head: Head
    opened: int = 0
    faults: list[Fault] = field(default_factory=list)
    fault_count: int = 0
    expected: Head | None = None
    origin: str = ""
    checkpoints: int = 0
    signed_rows: int = 0
    key: str = ""
    key_given: bool = False
    anchored_rows: int = 0

    @property
    def intact(self) -> bool:
        return self.fault_count == 0

    @property
    def level(self) -> ProofLevel:
        """The highest that holds for at least some rows; ``…_rows`` say for which."""
        if self.anchored_rows:
            return ProofLevel.ANCHORED
        return ProofLevel.SIGNED if self.signed_rows else ProofLevel.TREE

    def fault(self, seq: int | None, what: str) -> None:
        self.fault_count += 1
        if len(self.faults) < FAULTS_KEPT:
            self.faults.append(Fault(seq, what))
