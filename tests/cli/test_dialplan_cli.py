"""What is to be included in Asterisk's own files."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from asterisk_compliance import catalogue
from asterisk_compliance.app.dialplan import AGENT_FEATURES
from asterisk_compliance.app.result import FEATURE_OF_SEGMENTS, FEATURE_OF_WITHDRAWAL
from asterisk_compliance.cli.main import app

SHIPPED = (catalogue.dialplan() / "compliance-features.conf").read_text(encoding="utf-8")


def test_feature_codes_are_printed_or_written(tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["dialplan", "features"])
    assert (printed.exit_code, printed.stdout) == (0, SHIPPED)
    out = tmp_path / "compliance-features.conf"
    written = CliRunner().invoke(app, ["dialplan", "features", "-o", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == SHIPPED
    assert str(out) in written.stderr


def test_every_feature_that_a_routine_turns_on_is_there() -> None:
    names = {line.split(" => ")[0] for line in SHIPPED.splitlines() if " => " in line}
    assert names == {FEATURE_OF_SEGMENTS, FEATURE_OF_WITHDRAWAL, *AGENT_FEATURES}
