"""What check says about the signing key: of a log, of a file, and of what was published."""

from __future__ import annotations

from pathlib import Path

from asterisk_compliance.app.audit.signing_keys import first_key, rotate_alone
from asterisk_compliance.app.checks.finding import OperatorSeverity
from asterisk_compliance.app.checks.keys import key_findings
from asterisk_compliance.config.settings import Settings
from sample_settings import raw, settings


def of(home: Path, fingerprint: str = "ab" * 32, *to: str) -> Settings:
    controller = {**raw()["controller"], "fingerprint": fingerprint}
    return settings(
        controller=controller, audit={"store": str(home / "store"), "checkpoints_to": list(to)}
    )


def ids(chosen: Settings) -> list[tuple[str, OperatorSeverity]]:
    return [(one.id, one.severity) for one in key_findings(chosen)]


def test_before_there_is_a_log_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert ids(of(tmp_path, "ab" * 32, "stdout")) == []


def test_a_key_that_is_not_published_and_checkpoints_that_stay_here(tmp_path: Path) -> None:
    assert ids(of(tmp_path, "")) == [
        ("KEY_NOT_PUBLISHED", OperatorSeverity.NOTE),
        ("CHECKPOINTS_STAY_HERE", OperatorSeverity.WARNING),
    ]


def test_the_published_fingerprint_is_compared_with_the_logs_key(tmp_path: Path) -> None:
    key = first_key(of(tmp_path))
    assert ids(of(tmp_path, key.fingerprint, "stdout")) == []
    (found,) = key_findings(of(tmp_path, "ab" * 32, "stdout"))
    assert (found.id, found.severity) == ("KEY_NOT_THE_PUBLISHED", OperatorSeverity.ERROR)
    assert key.fingerprint in found.what
    rotated = rotate_alone(of(tmp_path), "yamada")
    assert ids(of(tmp_path, key.fingerprint, "stdout")) == [
        ("KEY_NOT_THE_PUBLISHED", OperatorSeverity.ERROR)
    ]
    assert ids(of(tmp_path, rotated.fingerprint, "stdout")) == []


def test_a_key_that_others_can_read_is_told_before_the_start(tmp_path: Path) -> None:
    key = first_key(of(tmp_path))
    path = tmp_path / "store" / "signing.key"
    path.chmod(0o644)
    (found,) = key_findings(of(tmp_path, key.fingerprint, "stdout"))
    assert (found.id, found.severity) == ("KEY_UNUSABLE", OperatorSeverity.ERROR)
    assert found.todo == f"chmod 600 {path}"
