"""Checkpoints and proofs: one form each, and what they show is what they say."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit import merkle
from asterisk_compliance.domain.audit.checkpoint import (
    Checkpoint,
    Consistency,
    Proof,
    open_checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from asterisk_compliance.domain.audit.signed_note import SignerKey, sign_note
from merkle_proofs import consistency_proof, inclusion_proof

ORIGIN = "example.jp/pbx1/log-0"
KEY = SignerKey(ORIGIN, bytes(range(32)))
THIEF = SignerKey(ORIGIN, bytes(32))
ROWS = [f'{{"seq":{number}}}'.encode() for number in range(11)]
LEAVES = [merkle.leaf_hash(row) for row in ROWS]


def of(size: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, merkle.root_of(LEAVES[:size]))


def proof(index: int, size: int) -> Proof:
    path = tuple(inclusion_proof(LEAVES[:size], index))
    return Proof(index, path, sign_checkpoint(of(size), KEY), ROWS[index])


def consistency(old: int, size: int) -> Consistency:
    path = tuple(consistency_proof(LEAVES[:size], old))
    return Consistency(old, path, sign_checkpoint(of(size), KEY))


def test_a_checkpoint_has_three_lines_and_a_signature() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, merkle.EMPTY_ROOT), KEY)
    lines = note.split("\n")
    assert lines[:4] == [ORIGIN, "0", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", ""]
    assert lines[4].startswith(f"— {ORIGIN} ")
    assert parse_checkpoint(note)[0].size == 0
    assert open_checkpoint(note, [KEY.verifier]).root == merkle.EMPTY_ROOT


def test_further_lines_are_allowed_and_not_looked_at() -> None:
    note = str(sign_note(of(3).to_text() + "more\n", KEY))
    assert open_checkpoint(note, [KEY.verifier]) == of(3)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n1\n",
        f"{ORIGIN}\n01\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\nAAAA\n",
        f"\n1\n{'A' * 43}=\n",
        f"{ORIGIN}\n1\n{'A' * 43}=\n\nmore\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_checkpoint(str(sign_note(text, KEY)))


def test_a_checkpoint_opens_with_the_logs_own_key_only() -> None:
    note = sign_checkpoint(of(3), THIEF)
    with pytest.raises(ValueError, match="not signed by the key"):
        open_checkpoint(note, [KEY.verifier])
    elsewhere = sign_checkpoint(of(3, "else.example/log"), KEY)
    with pytest.raises(ValueError, match="not signed by the key"):
        open_checkpoint(elsewhere, [KEY.verifier])
    forged = sign_checkpoint(of(3), KEY).replace("\n3\n", "\n4\n")
    with pytest.raises(ValueError, match="does not belong"):
        open_checkpoint(forged, [KEY.verifier])


@pytest.mark.parametrize(("index", "size"), [(0, 1), (4, 11), (10, 11), (7, 8)])
def test_a_proof_is_read_as_it_was_written_and_holds(index: int, size: int) -> None:
    made = proof(index, size)
    read = Proof.from_text(made.to_text())
    assert read == made
    assert read.holds(open_checkpoint(read.note, [KEY.verifier]))
    assert not read.holds(of(size + 1) if size < 11 else of(size - 1))


@pytest.mark.parametrize(("old", "size"), [(1, 1), (4, 11), (8, 11), (7, 8)])
def test_a_proof_of_consistency_is_read_as_it_was_written_and_holds(old: int, size: int) -> None:
    made = consistency(old, size)
    read = Consistency.from_text(made.to_text())
    assert read == made
    assert read.holds(of(old), of(size))
    assert not read.holds(Checkpoint(ORIGIN, old, bytes(32)), of(size))
    assert not read.holds(of(old, "else.example/log"), of(size))
    assert not read.holds(of(old + 1), of(size))
    assert not Consistency(old + 1, made.path, made.note).holds(of(old), of(size))


GOOD = proof(4, 11).to_text()
CONSISTENT = consistency(4, 11).to_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD.replace("@v1", "@v2"),
        GOOD.replace("extra ", "other "),
        GOOD.replace("index 4", "index 04"),
        GOOD.replace("index 4", "place 4"),
        GOOD.replace("index 4\n", "index 4\nAAAA\n"),
        GOOD.partition("\n\n")[0],
        "\n".join(GOOD.split("\n")[:2]) + "\n\n",
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Proof.from_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        CONSISTENT.replace("old 4", "old 04"),
        CONSISTENT.replace("old 4", "4"),
        CONSISTENT.partition("\n\n")[0],
    ],
)
def test_what_is_no_proof_of_consistency_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Consistency.from_text(text)
