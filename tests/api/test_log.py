"""The log as a program of others reads it, and the messages that it takes."""

from __future__ import annotations

import itertools
import time
from base64 import b64encode
from pathlib import Path

import pytest

from asterisk_compliance import (
    AuditLog,
    Level,
    LogBroken,
    StoreUnavailable,
    WebhookRefused,
    check_proof,
    verify_webhook,
)
from asterisk_compliance.app.audit.signing_keys import checkpoint_alone
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.audit.webhook_signature import read_secret, sign
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.prover import key_chain
from sample_rows import a_call, a_recorded_call, draft, tamper
from sample_settings import settings

CALL = a_call(1)
SECRET = "whsec_" + b64encode(bytes(32)).decode()


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Eleven rows of a call, a mark, and a signed checkpoint over them."""
    directory = tmp_path / "store"
    with StoreWriter.open(directory) as writer:
        writer.commit(a_recorded_call(CALL))
        writer.commit([draft(Kind.MARK)])
    checkpoint_alone(settings(audit={"store": str(directory), "site": "example.jp"}))
    return directory


def key_of(store: Path) -> str:
    with StoreReader(store) as reader:
        return str(key_chain(reader).current)


def test_rows_are_read_whole_and_by_what_they_are_about(store):
    with AuditLog.open(str(store)) as log:
        rows = list(log.rows())
        assert [row.seq for row in rows] == list(range(log.size))
        assert {row.log for row in rows} == {log.id}
        assert [row.seq for row in log.rows(10)] == list(range(10, log.size))
        assert len(list(log.rows(call=CALL))) == 11
        (decision,) = log.rows(kind="decision")
        assert decision.detail["status"] == "ALLOWED"
        assert list(log.rows(kind="mark", call=CALL)) == []


def test_rows_are_read_beyond_what_is_read_at_once(store, monkeypatch):
    monkeypatch.setattr("asterisk_compliance.api.log.READ_ROWS", 3)
    with AuditLog.open(store) as log:
        assert len(list(log.rows())) == log.size
        assert len(list(log.rows(call=CALL))) == 11


def test_lines_are_what_was_hashed(store):
    with AuditLog.open(store) as log, StoreReader(store) as reader:
        assert list(log.lines()) == [row.data for row in reader.rows()]


def test_the_log_is_followed_from_where_one_was(store):
    with AuditLog.open(store) as log:
        rows = log.follow(log.size - 1, interval_s=0.001)
        assert next(rows).seq == log.size - 1
        with StoreWriter.open(store) as writer:
            writer.commit([draft(Kind.MARK)] * 2)
        assert [row.seq for row in itertools.islice(rows, 2)] == [log.size - 2, log.size - 1]
        with pytest.raises(StoreUnavailable, match="ends before row"):
            next(log.follow(log.size + 1))


def test_a_log_is_verified_and_says_how_far_that_goes(store):
    with AuditLog.open(store) as log:
        verdict = log.verify(key=key_of(store))
        assert verdict.intact
        assert (verdict.level, verdict.key_given) == (Level.SIGNED, True)
        with pytest.raises(ValueError, match="key"):
            log.verify(key="key")
        tamper(store, "UPDATE rows SET row = replace(row, 'ALLOWED', 'REFUSED')")
        assert not log.verify().intact


def test_a_row_is_proven_to_who_has_nothing_but_the_key(store):
    with AuditLog.open(store) as log:
        proof = log.prove(3)
        assert check_proof(proof, key=key_of(store)) == next(log.rows(3))
        with pytest.raises(StoreUnavailable):
            log.prove(log.size)
    swapped = proof.replace("index 3", "index 4")
    with pytest.raises(ValueError, match="does not stand in the tree"):
        check_proof(swapped, key=key_of(store))
    with pytest.raises(ValueError, match="not a proof"):
        check_proof("", key=key_of(store))


def test_what_is_no_row_is_said(store):
    tamper(store, "UPDATE rows SET row = json_set(row, '$.more', 1) WHERE seq = 3")
    with AuditLog.open(store) as log:
        rows = log.rows(2)
        next(rows)
        with pytest.raises(LogBroken) as caught:
            next(rows)
        assert caught.value.seq == 3


def test_a_log_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(StoreUnavailable):
        AuditLog.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


# -- messages --------------------------------------------------------------------------------------


def message(store: Path, at_s: float | None = None) -> tuple[bytes, dict[str, str]]:
    with AuditLog.open(store) as log:
        body = b"".join(line + b"\n" for line in log.lines())
    at = time.time() if at_s is None else at_s
    return body, sign([read_secret(SECRET)], "0-11-abc", int(at), body)


def test_a_message_is_its_rows(store):
    body, headers = message(store)
    with AuditLog.open(store) as log:
        assert verify_webhook(body, headers, secrets=[SECRET]) == list(log.rows())


def test_a_message_of_somebody_else_or_of_yesterday_is_refused(store):
    body, headers = message(store)
    with pytest.raises(WebhookRefused, match="no signature"):
        verify_webhook(body + b" ", headers, secrets=[SECRET])
    with pytest.raises(WebhookRefused, match="no signature"):
        verify_webhook(body, headers, secrets=["whsec_" + b64encode(bytes([1] * 32)).decode()])
    with pytest.raises(WebhookRefused, match="another time"):
        verify_webhook(*message(store, time.time() - 400), secrets=[SECRET])
    verify_webhook(*message(store, time.time() - 400), secrets=[SECRET], tolerance_s=500)
    with pytest.raises(ValueError, match="base64"):
        verify_webhook(body, headers, secrets=["secret"])


def test_a_signed_message_that_holds_no_rows_is_refused():
    headers = sign([read_secret(SECRET)], "m", int(time.time()), b"{}\n")
    with pytest.raises(WebhookRefused, match="something else than rows"):
        verify_webhook(b"{}\n", headers, secrets=[SECRET])
