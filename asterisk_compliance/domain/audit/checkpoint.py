"""Checkpoints and proofs in the words of other logs: C2SP tlog-checkpoint, tlog-proof.

A checkpoint is what a log says of itself and signs: who it is, how many rows it has, and the root
of the tree over them. Who keeps one can show later that the log was changed before it, if it was.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from asterisk_compliance.domain.audit.merkle import consistency_holds, inclusion_holds, leaf_hash
from asterisk_compliance.domain.audit.signed_note import (
    SignedNote,
    SignerKey,
    VerifierKey,
    decode_base64,
    parse_note,
    sign_note,
)

PROOF_HEADER = "c2sp.org/tlog-proof@v1"
ROTATION_HEADER = "signing key rotation v1 (asterisk-compliance)"

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log at one moment.

    Attributes:
        origin: Which log, as its site names it; also the name of the key that signs for it.
        size: How many rows.
        root: Of the tree over them, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def to_text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read those lines; further lines, which the format allows, are not looked at.

        Raises:
            ValueError: it is no checkpoint.
        """
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]) or not _SIZE.fullmatch(lines[1]):
            raise ValueError("not a checkpoint")
        return cls(lines[0], int(lines[1]), _hash(lines[2]))


def sign_checkpoint(checkpoint: Checkpoint, *signers: SignerKey) -> str:
    """The checkpoint as a signed note."""
    return str(sign_note(checkpoint.to_text(), *signers))


def parse_checkpoint(note: str) -> tuple[Checkpoint, SignedNote]:
    """Read a signed checkpoint; its signatures are not checked yet.

    Raises:
        ValueError: it is none.
    """
    signed = parse_note(note)
    return Checkpoint.from_text(signed.text), signed


def open_checkpoint(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Read a checkpoint that one of ``keys`` has signed, in the name of the log itself.

    Raises:
        ValueError: it is none, or none of them has, or a signature is false.
    """
    checkpoint, signed = parse_checkpoint(note)
    if all(key.name != checkpoint.origin for key in signed.signers(keys)):
        raise ValueError("the checkpoint is not signed by the key")
    return checkpoint


@dataclass(frozen=True, slots=True)
class Proof:
    """That a row stands in the log at its place, to be checked by somebody who has nothing else.

    Attributes:
        index: The row's ``seq``.
        path: Hashes from the leaf's sibling up (RFC 9162, 2.1.3).
        note: The signed checkpoint whose tree it is about.
        row: The row's canonical line, from which the leaf follows.
    """

    index: int
    path: tuple[bytes, ...]
    note: str
    row: bytes

    def to_text(self) -> str:
        """C2SP tlog-proof; the row travels as its ``extra``."""
        path = "".join(f"{_base64(step)}\n" for step in self.path)
        head = f"{PROOF_HEADER}\nextra {_base64(self.row)}\nindex {self.index}\n"
        return f"{head}{path}\n{self.note}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of :meth:`to_text`.

        Raises:
            ValueError: it is no such proof, or carries no row.
        """
        above, blank, note = text.partition("\n\n")
        header, *lines = above.split("\n")
        if header != PROOF_HEADER or not blank or len(lines) < 2:
            raise ValueError("not a proof")
        row, index = _after("extra ", lines[0]), _after("index ", lines[1])
        if not _SIZE.fullmatch(index):
            raise ValueError("not a proof: the index is no number")
        path = tuple(map(_hash, lines[2:]))
        return cls(int(index), path, note, decode_base64(row))

    def holds(self, checkpoint: Checkpoint) -> bool:
        """Whether the row stands in the tree of ``checkpoint``, which the caller has opened."""
        leaf = leaf_hash(self.row)
        return inclusion_holds(leaf, self.index, checkpoint.size, self.path, checkpoint.root)


@dataclass(frozen=True, slots=True)
class Consistency:
    """That an earlier tree is the beginning of a later one.

    Attributes:
        old_size: Of the earlier tree; its root is known to whoever checks.
        path: As of RFC 9162, 2.1.4.
        note: The later, signed checkpoint.
    """

    old_size: int
    path: tuple[bytes, ...]
    note: str

    def to_text(self) -> str:
        """As a log asks a witness to sign (C2SP tlog-witness, ``add-checkpoint``)."""
        path = "".join(f"{_base64(step)}\n" for step in self.path)
        return f"old {self.old_size}\n{path}\n{self.note}"

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The inverse of :meth:`to_text`.

        Raises:
            ValueError: it is no such proof.
        """
        above, blank, note = text.partition("\n\n")
        first, *lines = above.split("\n")
        size = _after("old ", first)
        if not blank or not _SIZE.fullmatch(size):
            raise ValueError("not a proof of consistency")
        return cls(int(size), tuple(map(_hash, lines)), note)

    def holds(self, old: Checkpoint, new: Checkpoint) -> bool:
        """Whether the tree of ``old`` is the beginning of that of ``new``; both were opened."""
        return (
            old.size == self.old_size
            and old.origin == new.origin
            and consistency_holds(old.size, old.root, new.size, new.root, self.path)
        )


def rotation_text(old: VerifierKey, new: VerifierKey) -> str:
    """What the old key signs to hand its log over to a new one."""
    return f"{ROTATION_HEADER}\n{old.name}\n{old}\n{new}\n"


def _after(word: str, line: str) -> str:
    if not line.startswith(word):
        raise ValueError(f"not a proof: a line does not begin with {word.strip()}")
    return line.removeprefix(word)


def _hash(text: str) -> bytes:
    data = decode_base64(text)
    if len(data) != _HASH_BYTES:
        raise ValueError("not a hash of 32 bytes")
    return data


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
