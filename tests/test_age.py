"""The age format: who is a recipient, what opens what, and that no error of a stream is lost."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from asterisk_compliance import age
from asterisk_compliance.errors import IdentityRefused, RecordingUnreadable, SealingFailed

IDENTITY, RECIPIENT = age.new_identity()
PLAIN = bytes(range(256)) * 1_000


def sealed(plain: bytes = PLAIN) -> bytes:
    out = BytesIO()
    age.encrypt([plain], out, [RECIPIENT])
    return out.getvalue()


def test_a_stream_comes_back_whatever_its_pieces_were() -> None:
    out, back = BytesIO(), BytesIO()
    pieces = [PLAIN[:1], b"", memoryview(PLAIN)[1:70_000], PLAIN[70_000:]]
    written = age.encrypt(pieces, out, [RECIPIENT.upper()])
    assert written.size_bytes == len(out.getvalue())
    assert age.decrypt(BytesIO(out.getvalue()), back, IDENTITY).size_bytes == len(PLAIN)
    assert back.getvalue() == PLAIN


@pytest.mark.parametrize(
    "text",
    ["", "age1nonsense", RECIPIENT[:-1], RECIPIENT[:-1] + "b", "ssh-ed25519 AAAA", "+81"],
    ids=["nothing", "nonsense", "short", "changed", "ssh", "number"],
)
def test_who_is_no_recipient(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is no public key of age") as refused:
        age.check_recipient(text)
    assert not text or text not in str(refused.value)


@pytest.mark.parametrize("text", [IDENTITY, IDENTITY.lower(), IDENTITY[:20]], ids=range(3))
def test_a_private_key_is_refused_and_never_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is a private key") as refused:
        age.check_recipient(text)
    assert text[15:].upper() not in str(refused.value).upper()


def test_the_fingerprint_is_of_the_key_as_age_writes_it() -> None:
    assert age.check_recipient(RECIPIENT) == RECIPIENT
    assert age.fingerprint(RECIPIENT) == age.fingerprint(RECIPIENT.upper())
    assert age.fingerprint(RECIPIENT) != age.fingerprint(age.new_identity()[1])
    assert age.recipients_of(f"# x\n\n{IDENTITY}\n") == [RECIPIENT]


@pytest.mark.parametrize("size", [1, 70_000, 400_000])
def test_an_error_of_the_disk_is_never_lost(size: int) -> None:
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space left"),
    ):
        age.encrypt([bytes(size)], full, [RECIPIENT])


def test_a_short_write_is_an_error() -> None:
    class Short(BytesIO):
        def write(self, data: bytes, /) -> int:  # type: ignore[override]
            return super().write(data[:100])

    with pytest.raises(OSError, match="a short write"):
        age.encrypt([PLAIN], Short(), [RECIPIENT])


def test_the_error_of_what_is_read_is_the_one_that_is_raised() -> None:
    def broken() -> Iterator[bytes]:
        yield PLAIN
        raise RecordingUnreadable("what it is")

    with pytest.raises(RecordingUnreadable, match="what it is"):
        age.encrypt(broken(), BytesIO(), [RECIPIENT])


def test_nothing_is_encrypted_to_nobody() -> None:
    for recipients in ([], ["age1nonsense"]):
        with pytest.raises(SealingFailed, match="age: "):
            age.encrypt([PLAIN], BytesIO(), recipients)


@pytest.mark.parametrize(
    "changed",
    [
        b"",
        sealed()[:100],
        sealed()[:-1],
        sealed()[:-20_000],
        sealed() + b"x",
        sealed()[:5_000] + b"?" + sealed()[5_001:],
        b"not age at all",
    ],
    ids=range(7),
)
def test_what_was_changed_does_not_open(changed: bytes) -> None:
    with pytest.raises(SealingFailed, match="age: "):
        age.decrypt(BytesIO(changed), BytesIO(), IDENTITY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no X25519 identity"),
        ("# only a comment", "there is no X25519 identity"),
        (RECIPIENT, "there is no X25519 identity"),
        ("age-encryption.org/v1\n-> scrypt", "is encrypted itself"),
        ("-----BEGIN AGE ENCRYPTED FILE-----", "is encrypted itself"),
        (age.new_identity()[0], "no identity in the file opens it"),
    ],
    ids=range(6),
)
def test_what_opens_nothing(text: str, said: str) -> None:
    with pytest.raises(IdentityRefused, match=said):
        age.decrypt(BytesIO(sealed()), BytesIO(), text)
