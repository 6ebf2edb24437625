"""Keys of a log, one after the other: handed over by a signature, or not vouched for."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.key_chain import FIRST, LOST, KeyChain, handover
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.signed_note import SignerKey

ONE, TWO, THREE = (SignerKey("example.jp/log", bytes([number]) * 32) for number in (1, 2, 3))
SET, ROTATED = Kind.SIGNING_KEY_SET, Kind.SIGNING_KEY_ROTATED


def rotated(old: SignerKey, new: SignerKey, by: SignerKey | None = None) -> dict[str, str]:
    signature = handover(by or old, new.verifier)
    return {"key": str(new.verifier), "earlier": str(old.verifier), "signature": signature}


def chain_of_three() -> KeyChain:
    chain = KeyChain()
    chain.add(0, SET, {"key": str(ONE.verifier), "cause": FIRST})
    chain.add(5, ROTATED, rotated(ONE, TWO))
    chain.add(9, ROTATED, rotated(TWO, THREE))
    return chain


def test_a_log_without_rows_of_keys_has_none() -> None:
    assert KeyChain().current is None
    assert KeyChain().vouched_by(ONE.verifier) == []


def test_each_key_vouches_for_all_that_come_after_it() -> None:
    chain = chain_of_three()
    assert chain.current == THREE.verifier
    assert chain.vouched_by(ONE.verifier) == [ONE.verifier, TWO.verifier, THREE.verifier]
    assert chain.vouched_by(THREE.verifier) == [THREE.verifier]
    assert [entry.vouched for entry in chain.entries] == [False, True, True]


def test_nobody_vouches_for_a_key_after_a_loss() -> None:
    chain = KeyChain()
    chain.add(0, SET, {"key": str(ONE.verifier), "cause": FIRST})
    chain.add(5, SET, {"key": str(TWO.verifier), "cause": LOST})
    chain.add(9, ROTATED, rotated(TWO, THREE))
    assert chain.vouched_by(ONE.verifier) == [ONE.verifier]
    assert chain.vouched_by(TWO.verifier) == [TWO.verifier, THREE.verifier]


@pytest.mark.parametrize(
    ("kind", "detail", "why"),
    [
        (ROTATED, rotated(TWO, THREE), "was not the log's"),
        (ROTATED, rotated(ONE, TWO, by=THREE), "has not signed"),
        (ROTATED, {**rotated(ONE, TWO), "signature": "?"}, "has not signed"),
        (ROTATED, {**rotated(ONE, TWO), "key": str(THREE.verifier)}, "has not signed"),
        (SET, {"key": str(TWO.verifier), "cause": FIRST}, "where there was one"),
    ],
)
def test_a_false_handover_is_told_and_nobody_vouches(
    kind: Kind, detail: dict[str, str], why: str
) -> None:
    chain = KeyChain()
    chain.add(0, SET, {"key": str(ONE.verifier), "cause": FIRST})
    with pytest.raises(ValueError, match=why):
        chain.add(3, kind, detail)
    assert chain.vouched_by(ONE.verifier) == [ONE.verifier]
    assert not chain.entries[-1].vouched


def test_a_handover_without_a_key_before_it_is_told() -> None:
    with pytest.raises(ValueError, match="was not the log's"):
        KeyChain().add(0, ROTATED, rotated(ONE, TWO))


def test_a_row_without_a_key_changes_nothing() -> None:
    chain = KeyChain()
    with pytest.raises(ValueError, match="not a key"):
        chain.add(0, SET, {"cause": FIRST})
    assert chain.keys == []
