"""The age format (https://age-encryption.org/v1), as far as it is needed. Only here is pyrage used.

A *recipient* is a public key, to which is encrypted; an *identity* is the private key of one. Only
X25519 keys are used: every program that reads the format opens what is encrypted to them.

pyrage hides what goes wrong in a stream behind an error of its own, and of the last write it tells
nothing at all (seen with 1.4.0 on a full disk). So every stream remembers its own error, and what
it remembers counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Protocol, TypeAlias

import pyrage

from asterisk_compliance.errors import IdentityRefused, SealingFailed

SECRET = "AGE-SECRET-KEY-"  # noqa: S105 - how one begins, not one
_COPY_BYTES = 65_536

Chunks: TypeAlias = Iterable[bytes | memoryview]


class Writable(Protocol):
    """A file, as far as something is written to it."""

    def write(self, data: bytes | memoryview, /) -> int: ...

    def flush(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: SHA-256 in hex, and size."""

    sha256: str
    size_bytes: int


def check_recipient(text: str) -> str:
    """The recipient, if something can be encrypted to it.

    Raises:
        ValueError: it is none. The message does not repeat it, since it could be a private key.
    """
    if text.upper().startswith(SECRET):
        raise ValueError("is a private key, which must never be here: name the public one (age1…)")
    try:
        encrypt([b""], BytesIO(), [text])
    except SealingFailed:
        raise ValueError("is no public key of age (age1…, X25519)") from None
    return text


def fingerprint(recipient: str) -> str:
    """SHA-256 of the public key as age writes it, hex."""
    return hashlib.sha256(recipient.lower().encode()).hexdigest()


def new_identity() -> tuple[str, str]:
    """A new key pair: the identity and its recipient, each as age writes it."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipients_of(identities: str) -> list[str]:
    """The public keys of the private ones in a file of identities.

    Raises:
        IdentityRefused: as :func:`decrypt`.
    """
    return [str(one.to_public()) for one in _identities(identities)]


def encrypt(chunks: Chunks, out: Writable, recipients: Sequence[str]) -> Written:
    """Encrypt a stream to every recipient, in pieces; ``out`` is not closed.

    Returns:
        What was written to ``out``: the ciphertext.

    Raises:
        SealingFailed: a recipient is none, or nothing can be encrypted to it.
        Exception: whatever ``chunks`` or ``out`` raised.
    """
    source, sink = _Source(chunks), _Sink(out)
    try:
        keys = [pyrage.x25519.Recipient.from_str(one.lower()) for one in recipients]
        pyrage.encrypt_io(source, sink, keys)
    except (pyrage.EncryptError, pyrage.RecipientError, OSError) as error:
        _raise_first(source, sink)
        raise SealingFailed(f"age: {error}") from None
    _raise_first(source, sink)
    if not source.ended:
        raise SealingFailed("age: it was not read to its end")
    return sink.written


def decrypt(sealed: BinaryIO, out: Writable, identities: str) -> Written:
    """Decrypt a stream with any of the identities in the text of a file, in pieces.

    What was written before an error is not to be trusted.

    Returns:
        What was written to ``out``: the plaintext.

    Raises:
        IdentityRefused: the text holds no identity, or none that opens it.
        SealingFailed: it is not in the age format, was changed, or ends early.
        OSError: ``sealed`` could not be read or ``out`` not be written.
    """
    keys = _identities(identities)
    source = _Source(iter(lambda: sealed.read(_COPY_BYTES), b""))
    sink = _Sink(out)
    try:
        pyrage.decrypt_io(source, sink, keys)
    except (pyrage.DecryptError, OSError) as error:
        _raise_first(source, sink)
        if "No matching keys" in str(error):
            raise IdentityRefused("no identity in the file opens it") from None
        raise SealingFailed(f"age: {error}") from None
    _raise_first(source, sink)
    return sink.written


def plain(chunks: Chunks, out: Writable) -> Written:
    """Write a stream as it is."""
    sink = _Sink(out)
    for chunk in chunks:
        sink.write(chunk)
    return sink.written


def _identities(text: str) -> list[pyrage.x25519.Identity]:
    lines = [line.strip() for line in text.splitlines()]
    secrets = [line for line in lines if line and not line.startswith("#")]
    if any(line.startswith(("-----BEGIN AGE", "age-encryption.org/")) for line in secrets):
        hint = "decrypt the file of identities with age first, or let age open the recording"
        raise IdentityRefused("the file of identities is encrypted itself", hint=hint)
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in secrets]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise IdentityRefused("there is no X25519 identity (AGE-SECRET-KEY-1…) in the file")
    return found


def _raise_first(*streams: _Source | _Sink) -> None:
    for stream in streams:
        if stream.error is not None:
            raise stream.error


class _Source:
    """Chunks as a file to read from; pyrage asks for 8 KiB at a time."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks: Iterator[bytes | memoryview] = iter(chunks)
        self._rest = memoryview(b"")
        self.ended = False
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            while not self._rest and not self.ended:
                chunk = next(self._chunks, None)
                self.ended = chunk is None
                self._rest = memoryview(chunk or b"").cast("B")
        except BaseException as error:
            self.error = error
            raise
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        return piece


class _Sink:
    """A file to write to, which digests what it is given."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self._size = 0
        self.error: BaseException | None = None

    @property
    def written(self) -> Written:
        return Written(self._digest.hexdigest(), self._size)

    def write(self, data: bytes | memoryview) -> int:
        try:
            size = self._out.write(data)
            if size != len(data):
                raise OSError(None, "a short write")  # noqa: TRY301 - remembered as the others
        except BaseException as error:
            self.error = error
            raise
        self._digest.update(data)
        self._size += size
        return size

    def flush(self) -> None:
        try:
            self._out.flush()
        except BaseException as error:
            self.error = error
            raise
