"""Signed notes: one form, keys that say who they are, signatures that are checked."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.signed_note import (
    LONGEST_NOTE,
    MOST_SIGNATURES,
    SignedNote,
    SignerKey,
    VerifierKey,
    parse_note,
    parse_signer_key,
    parse_verifier_key,
    sign_note,
)

NAME = "example.jp/pbx1/log-0"
KEY = SignerKey(NAME, bytes(range(32)))
OTHER = SignerKey(NAME, bytes(range(1, 33)))
TEXT = "Ognuno sta solo sul cuor della terra\n\ned è subito sera.\n"

GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"  # noqa: E501
)
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
"""The example in the documentation of Go's package ``golang.org/x/mod/sumdb/note``."""


def test_the_note_of_gos_documentation_is_read_and_verifies() -> None:
    key = parse_verifier_key(GO_KEY)
    assert str(key) == GO_KEY
    assert parse_note(GO_NOTE).signers([key]) == [key]
    changed = parse_note(GO_NOTE.replace("don't", "do"))
    with pytest.raises(ValueError, match="does not belong"):
        changed.signers([key])


def test_a_note_is_read_as_it_was_written() -> None:
    note = sign_note(TEXT, KEY, OTHER)
    assert parse_note(str(note)) == note
    assert note.signers([KEY.verifier]) == [KEY.verifier]
    assert note.signers([OTHER.verifier, KEY.verifier]) == [KEY.verifier, OTHER.verifier]
    twice = SignedNote(note.text, note.signatures * 2)
    assert twice.signers([KEY.verifier]) == [KEY.verifier]


def test_a_signature_of_somebody_else_is_no_fault_and_no_proof() -> None:
    note = sign_note(TEXT, OTHER)
    assert note.signers([KEY.verifier]) == []
    stranger = VerifierKey("else.example", OTHER.verifier.public)
    assert note.signers([stranger]) == []


@pytest.mark.parametrize(
    "text", ["", "\n", "no end", "tab\t\n", "return\r\n", "nul\x00\n", "lone\ud800\n"]
)
def test_what_is_no_text_of_a_note_is_not_signed(text: str) -> None:
    with pytest.raises(ValueError, match="whole lines"):
        sign_note(text, KEY)


def test_a_note_needs_somebody_who_signs_it() -> None:
    with pytest.raises(ValueError, match="somebody"):
        sign_note(TEXT)


SIGNED = str(sign_note(TEXT, KEY))
LINE = SIGNED.rpartition("\n\n")[2]


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        SIGNED[:-1],
        SIGNED + "\n",
        SIGNED.replace("— ", "- "),
        SIGNED.replace(NAME, "a+b"),
        SIGNED.replace("\ned", "\x07ed"),
        TEXT + "\n— name x\n",
        TEXT + "\n— name aGk=\n",
        TEXT + "\n— name aGkaaaa\n",
        TEXT + "\n— name YWFhYWG=\n",
        TEXT + "\n" + LINE * (MOST_SIGNATURES + 1),
        "x" * LONGEST_NOTE + SIGNED,
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match=r"note|base64"):
        parse_note(note)


def test_keys_are_read_as_they_are_written() -> None:
    assert parse_verifier_key(f"{KEY.verifier}\n") == KEY.verifier
    assert parse_signer_key(KEY.to_text()) == KEY
    assert len(KEY.verifier.fingerprint) == 64


def test_a_key_does_not_show_its_secret() -> None:
    assert "seed" not in repr(KEY)
    assert KEY.to_text().split("+", 4)[-1] not in f"{KEY!r} {KEY} {KEY.verifier}"


VKEY = str(KEY.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        VKEY.replace(NAME, ""),
        VKEY.replace(NAME, "example.com"),
        VKEY.replace(NAME, "with space"),
        VKEY[:-4],
        VKEY.replace("+A", "+B"),
        f"{NAME}+{'0' * 8}+{VKEY.rpartition('+')[2]}",
        f"{NAME}+XXXXXXXX+{VKEY.rpartition('+')[2]}",
        KEY.to_text(),
    ],
)
def test_what_is_no_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_verifier_key(text)


@pytest.mark.parametrize(
    "text", ["", VKEY, KEY.to_text()[:-5], KEY.to_text().replace(NAME, "example.com")]
)
def test_what_is_no_signing_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_signer_key(text)
    assert not text or text not in str(caught.value)


def test_a_key_has_its_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        VerifierKey("name", bytes(31))
