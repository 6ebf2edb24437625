"""Asterisk's own records: there, readable, and written for as long as our log is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asterisk_compliance.app.checks import files as module
from asterisk_compliance.app.checks.files import LATE_S, record_findings
from asterisk_compliance.app.checks.finding import SiteFindingId as It
from asterisk_compliance.app.shared.service_account import ServiceAccount
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import AT_MS, a_call, draft
from sample_settings import settings

ENDED_S = AT_MS / 1_000


def of(home: Path, *names: str) -> Settings:
    return settings(
        audit={"store": str(home / "store")},
        reconcile={"cdr": [str(home / name) for name in names]},
    )


def brief(chosen: Settings) -> list[tuple[str, str]]:
    return [(one.id, one.address) for one in record_findings(chosen)]


def written(path: Path, at_s: float) -> None:
    path.touch()
    os.utime(path, (at_s, at_s))


def test_a_file_that_is_not_there_and_one_that_is_none(tmp_path: Path) -> None:
    assert brief(of(tmp_path, "no/Master.csv")) == [(It.RECORDS_UNREADABLE, "reconcile.cdr")]
    (tmp_path / "Master.csv").mkdir()
    assert brief(of(tmp_path, "Master.csv")) == [(It.RECORDS_UNREADABLE, "reconcile.cdr")]


def test_a_file_that_the_first_call_makes(tmp_path: Path) -> None:
    """Asterisk has never had a call; once one of ours has ended, it should be there."""
    assert brief(of(tmp_path, "Master.csv")) == [(It.RECORDS_NOT_YET, "reconcile.cdr")]
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit([draft(Kind.CALL_ENDED, a_call(1))])
    assert brief(of(tmp_path, "Master.csv")) == [(It.RECORDS_UNREADABLE, "reconcile.cdr")]


def test_a_file_that_the_service_s_user_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Master.csv").touch()
    assert brief(of(tmp_path, "Master.csv")) == []
    (tmp_path / "Master.csv").chmod(0o600)
    account = ServiceAccount(64_177, frozenset())
    monkeypatch.setattr(module, "service_account", lambda settings: account)
    assert brief(of(tmp_path, "Master.csv")) == [(It.RECORDS_UNREADABLE, "reconcile.cdr")]


def test_a_file_that_was_last_written_before_our_last_call_ended(tmp_path: Path) -> None:
    written(tmp_path / "Master.csv", ENDED_S - LATE_S - 60)
    assert brief(of(tmp_path, "Master.csv")) == []  # there is no log yet
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit([draft(Kind.CALL_ENDED, a_call(1), AT_MS - 10_000_000)])
        writer.commit([draft(Kind.CALL_ENDED, a_call(2), AT_MS)])
    (stale,) = record_findings(of(tmp_path, "Master.csv"))
    assert (stale.id, stale.address) == (It.RECORDS_STALE, "reconcile.cdr")
    assert "11 min" in stale.what
    written(tmp_path / "Master.csv", ENDED_S - LATE_S + 60)
    assert brief(of(tmp_path, "Master.csv")) == []
