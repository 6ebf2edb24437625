"""Signed notes: a text and who signed it, as other logs write them (C2SP signed-note).

    text, ends with a line feed
                                        one empty line
    — NAME base64(key id ‖ signature)   one line for each signature

A key is known by its name and its id, four bytes of a digest. The id only tells keys apart; what
is trusted is the public key, which the reader has from somewhere else. Only Ed25519, type 0x01.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LONGEST_NOTE = 65_536
"""In characters. A note of ours has a few hundred."""
MOST_SIGNATURES = 64

_ED25519 = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 4
_PRIVATE = "PRIVATE+KEY+"
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIGNATURE = re.compile(r"— (\S+) (\S+)")
_ID = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True)
class VerifierKey:
    """The public half: what the readers of a log keep, and what the site publishes.

    Attributes:
        name: Whose key; for a log, its origin.
        public: 32 bytes (RFC 8032).
    """

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            raise ValueError("a key's name has no spaces, no plus and no control characters")
        if len(self.public) != _KEY_BYTES:
            raise ValueError("an Ed25519 key has 32 bytes")

    @cached_property
    def id(self) -> bytes:
        """Four bytes, by which signature lines name the key."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, 64 hex digits: short enough to be published and compared."""
        return sha256(self.public).hexdigest()

    def __str__(self) -> str:
        """``NAME+ID+KEY``, the form that tools for signed notes take (*vkey*)."""
        return f"{self.name}+{self.id.hex()}+{_base64(_ED25519 + self.public)}"

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``text``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SignerKey:
    """Both halves. Its text is the secret; nothing prints it but :meth:`to_text`.

    Attributes:
        name: As of :class:`VerifierKey`.
        seed: The 32 secret bytes (RFC 8032).
    """

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return f"SignerKey({self.name!r})"

    @cached_property
    def verifier(self) -> VerifierKey:
        return VerifierKey(self.name, self._private.public_key().public_bytes_raw())

    @cached_property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def sign(self, text: str) -> bytes:
        """The signature over ``text``, 64 bytes."""
        return self._private.sign(text.encode())

    def to_text(self) -> str:
        """``PRIVATE+KEY+NAME+ID+KEY``, as tools for signed notes read it."""
        secret = _base64(_ED25519 + self.seed)
        return f"{_PRIVATE}{self.name}+{self.verifier.id.hex()}+{secret}"


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below a note. ``data`` is what follows the key's id."""

    name: str
    key_id: bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A text with its signatures, none of them checked."""

    text: str
    signatures: tuple[Signature, ...]

    def signers(self, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
        """Those of ``keys`` that signed the text.

        Raises:
            ValueError: a signature says that it is by one of them, and is not.
        """
        known = {(key.name, key.id): key for key in keys}
        found: list[VerifierKey] = []
        for signature in self.signatures:
            key = known.get((signature.name, signature.key_id))
            if key is None:
                continue  # of others we know nothing, which is no fault
            if not key.signed(self.text.encode(), signature.data):
                raise ValueError("a signature does not belong to this text")
            if key not in found:
                found.append(key)
        return found

    def __str__(self) -> str:
        lines = "".join(
            f"— {one.name} {_base64(one.key_id + one.data)}\n" for one in self.signatures
        )
        return f"{self.text}\n{lines}"


def is_key_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


def sign_note(text: str, *signers: SignerKey) -> SignedNote:
    """Sign ``text``, which ends with a line feed and holds no other control character.

    Raises:
        ValueError: it does not, or nobody signs.
    """
    if not signers or not _is_text(text):
        raise ValueError("a note needs a text of whole lines and somebody who signs it")
    signatures = (Signature(one.name, one.verifier.id, one.sign(text)) for one in signers)
    return SignedNote(text, tuple(signatures))


def parse_note(note: str) -> SignedNote:
    """Read a note, strictly.

    Raises:
        ValueError: it is none.
    """
    text, blank, below = note.rpartition("\n\n")
    text += "\n"
    if len(note) > LONGEST_NOTE or not blank or not below.endswith("\n") or not _is_text(text):
        raise ValueError("not a signed note")
    lines = below[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise ValueError("a note with too many signatures")
    return SignedNote(text, tuple(map(_parse_signature, lines)))


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a *vkey*, ``NAME+ID+KEY``.

    Raises:
        ValueError: it is none, or its id is not that of its key.
    """
    name, key_id, data = _parts(text.strip())
    key = VerifierKey(name, data)
    if key.id != key_id:
        raise ValueError("the key's id is not that of the key")
    return key


def parse_signer_key(text: str) -> SignerKey:
    """Read what :meth:`SignerKey.to_text` wrote; the error never repeats any of it.

    Raises:
        ValueError: it is something else.
    """
    if not text.startswith(_PRIVATE):
        raise ValueError("not a signing key")
    name, key_id, seed = _parts(text.removeprefix(_PRIVATE).strip())
    key = SignerKey(name, seed)
    if key.verifier.id != key_id:
        raise ValueError("the key's id is not that of the key")
    return key


def _parts(text: str) -> tuple[str, bytes, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3 or not _ID.fullmatch(parts[1]):
        raise ValueError("not a key: NAME+ID+KEY is")
    data = decode_base64(parts[2])
    if len(data) != 1 + _KEY_BYTES or not data.startswith(_ED25519):
        raise ValueError("not an Ed25519 key for notes")
    return parts[0], bytes.fromhex(parts[1]), data[1:]


def _parse_signature(line: str) -> Signature:
    match = _SIGNATURE.fullmatch(line)
    if match is None or not is_key_name(match[1]):
        raise ValueError("not a signed note: a line below the text is no signature")
    data = decode_base64(match[2])
    if len(data) <= _ID_BYTES:
        raise ValueError("not a signed note: a signature is too short")
    return Signature(match[1], data[:_ID_BYTES], data[_ID_BYTES:])


def _is_text(text: str) -> bool:
    return text.endswith("\n") and len(text) > 1 and not _CONTROL.search(text) and _utf8(text)


def _utf8(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def decode_base64(text: str) -> bytes:
    """Standard base64, written in its one way.

    Raises:
        ValueError: it is not.
    """
    try:
        data = b64decode(text, validate=True)
    except (BadBase64, ValueError):
        raise ValueError("not base64") from None
    if _base64(data) != text:
        raise ValueError("not base64 as it is written")
    return data


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
