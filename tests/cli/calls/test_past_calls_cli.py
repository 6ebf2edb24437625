"""``calls past``: with the service and without it, what is printed, and which exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.access.test_past_calls import NUMBER, a_past_call, written
from app.serving import write_config
from asterisk_compliance.cli.calls import commands as calls
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, rules='[rules]\nhome = "JP"')


def run(config: Path, *words: str, typed: str = "") -> Result:
    return CliRunner().invoke(calls.app, ["past", *words, "--config", str(config)], input=typed)


def rows(config: Path) -> list[object]:
    with StoreReader(config.parent / "store") as reader:
        found = reader.rows(RowQuery(kind="past_calls_shown"))
        return [decode(row.data).detail["calls"] for row in found]


def test_a_number_on_standard_input(config: Path) -> None:
    older, newer = written(config.parent / "store", a_past_call(2_000_000), a_past_call(1_000_000))
    result = run(config, "--number", "-", "--json", typed=f"{NUMBER}\n")
    assert [one["call"] for one in json.loads(result.stdout)["calls"]] == [newer, older]
    shown = run(config, "--number", "-", typed=f"{NUMBER}\n")
    assert shown.exit_code == 0
    assert newer in shown.stdout
    assert NUMBER[1:] not in result.output + shown.output
    assert rows(config) == [2, 2]


def test_of_a_call_without_a_number(config: Path) -> None:
    (live,) = written(config.parent / "store", a_past_call(1_000, ""))
    result = run(config, "--call", live)
    assert result.exit_code == 1
    assert "no number is known" in result.stderr
    assert json.loads(run(config, "--call", live, "--json").stdout)["known"] is False
    assert rows(config) == []


def test_a_question_about_nobody(config: Path) -> None:
    written(config.parent / "store", a_past_call())
    for words, status in ((["--call", "c-1"], 1), ([], 2)):
        error = run(config, *words).exception
        assert isinstance(error, ComplianceError)
        assert error.exit_code == status
