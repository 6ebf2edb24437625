"""Which keys have signed for a log, in order, as its own rows say.

The previous key signs the handover to the next one. A lost key cannot do that. Then the chain
breaks, and whoever trusted the earlier key must get the new one from the site.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asterisk_compliance.domain.audit.checkpoint import rotation_text
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.signed_note import (
    SignerKey,
    VerifierKey,
    decode_base64,
    parse_verifier_key,
)

KEY_KINDS = frozenset({Kind.SIGNING_KEY_SET, Kind.SIGNING_KEY_ROTATED})
FIRST, LOST = "first", "lost"


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """From row ``seq`` on, ``key`` signs; ``vouched``: the key before it has said so."""

    seq: int
    key: VerifierKey
    vouched: bool


@dataclass(slots=True)
class KeyChain:
    """The keys of a log, in order."""

    entries: list[KeyEntry] = field(default_factory=list)

    @property
    def current(self) -> VerifierKey | None:
        return self.entries[-1].key if self.entries else None

    @property
    def keys(self) -> list[VerifierKey]:
        return [entry.key for entry in self.entries]

    def vouched_by(self, trusted: VerifierKey) -> list[VerifierKey]:
        """``trusted`` itself, and every key after it that the one before has vouched for.

        Empty, if the log never had it.
        """
        found: list[VerifierKey] = []
        for entry in self.entries:
            if entry.key == trusted:
                found = [trusted]
            elif found and entry.vouched:
                found.append(entry.key)
            elif found:
                break
        return found

    def add(self, seq: int, kind: str, detail: Mapping[str, Any]) -> None:
        """Follow one row of :data:`KEY_KINDS`.

        Raises:
            ValueError: it hands over what it cannot, or its signature is false. The key counts
                then as one that nobody has vouched for.
        """
        key = parse_verifier_key(str(detail.get("key")))
        why = _wrong(self.current, key, kind, detail)
        vouched = kind == Kind.SIGNING_KEY_ROTATED and not why
        self.entries.append(KeyEntry(seq, key, vouched))
        if why:
            raise ValueError(why)


def handover(old: SignerKey, new: VerifierKey) -> str:
    """The old key's signature over :func:`rotation_text`, as the row has it."""
    return b64encode(old.sign(rotation_text(old.verifier, new))).decode()


def _wrong(
    current: VerifierKey | None, key: VerifierKey, kind: str, detail: Mapping[str, Any]
) -> str:
    if kind == Kind.SIGNING_KEY_SET:
        if current is not None and detail.get("cause") != LOST:
            return "a first key, where there was one before"
        return ""
    if current is None or str(current) != detail.get("earlier"):
        return "a key that was not the log's hands it over"
    try:
        signature = decode_base64(str(detail.get("signature")))
    except ValueError:
        signature = b""
    signed = current.signed(rotation_text(current, key).encode(), signature)
    return "" if signed else "the key before has not signed this one"
