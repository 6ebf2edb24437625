"""What third parties provide to us, through the command line, with the service and without it."""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.serving import Serving, write_config
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import a_call, a_recorded_call

APP = "asterisk_compliance.app"
LISTS, ADDRESS = "名簿株式会社", "東京都千代田区2-2"
WHOLE = (
    *("--provider", LISTS, "--address", ADDRESS, "--representative", "田中 次郎"),
    *("--country", "JP", "--ground", "CONSENT", "--items", "NUMBER,NAME"),
    *("--acquired", "同社の申込書による", "--about", "1,200名の一覧 090-1111-2222"),
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    config = write_config(tmp_path, rules='[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"')
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(a_recorded_call(a_call(1)))
    return config


def run(config: Path, *words: str, code: int = 0, said: str = "") -> Result:
    line = ["provisions", *words, "--config", str(config)]
    result = CliRunner().invoke(app, line, input=said)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(config: Path, **query: Any) -> list[Any]:
    with StoreReader(config.parent / "store") as reader:
        return [decode(row.data) for row in reader.rows(RowQuery(**query))]


def listed(config: Path, *words: str) -> list[dict[str, Any]]:
    return json.loads(run(config, "received", "--json", *words).stdout)


def test_what_was_provided_has_its_rows_and_its_digest(config: Path, tmp_path: Path) -> None:
    got = tmp_path / "list.csv"
    got.write_bytes("山田,090-1111-2222".encode())
    said = json.loads(run(config, "receive", *WHOLE, "--file", str(got), "--json").stdout)
    (made,) = rows(config, kind="provision_received")
    (source,) = rows(config, kind="provision_source")
    assert said["provision"] == made.seq
    assert (said["needs_record"], made.call) == (True, None)
    assert made.detail["sha256"] == hashlib.sha256(got.read_bytes()).hexdigest()
    assert made.detail["items"] == ("NAME", "NUMBER")
    assert made.detail["source"] == source.detail["party"]
    assert made.actor == source.actor
    assert "commit.user" in made.detail
    with StoreReader(config.parent / "store") as reader:
        text = b"".join(one.data for one in reader.rows()).decode()
    for word in (LISTS, ADDRESS, "田中", "申込書", "1111-2222"):
        assert word not in text


def test_the_officer_sees_who_it_was_where_he_asks_for_it(config: Path) -> None:
    run(config, "receive", *WHOLE)
    assert "provider" not in listed(config)[0]
    assert listed(config, "--names")[0]["provider"] == {
        "name": LISTS,
        "address": ADDRESS,
        "representative": "田中 次郎",
        "acquired": "同社の申込書による",
        "whom": "1,200名の一覧 090-1111-2222",
    }
    assert LISTS in run(config, "received", "--names").stdout
    assert LISTS not in run(config, "received").stdout
    assert json.loads(run(config, "list", "--json").stdout) == []


def test_nothing_of_it_need_stand_on_the_command_line(config: Path) -> None:
    words = list(WHOLE)
    for option in ("--provider", "--address", "--representative", "--acquired", "--about"):
        words[words.index(option) + 1] = "-"
    run(config, "receive", *words, said="A\nB\nC\nD\nE\n")
    assert listed(config, "--names")[0]["provider"] == {
        "name": "A", "address": "B", "representative": "C", "acquired": "D", "whom": "E",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("--address", ""), "--address"),
        (("--representative", ""), "--natural-person"),
        (("--acquired", " "), "--acquired"),
        (("--about", ""), "--about"),
        (("--ground", "BECAUSE"), "one of CONSENT, OPT_OUT"),
        (("--country", "ZZ"), "no country"),
        (("--items", "EVERYTHING"), "one of RECORDING"),
        (("--day", "2999-01-01"), "today or earlier"),
        (("--day", "yesterday"), "no day"),
    ],
)
def test_half_a_record_is_none(config: Path, change: tuple[str, str], why: str) -> None:
    words = list(WHOLE)
    if change[0] in words:
        words[words.index(change[0]) + 1] = change[1]
    else:
        words += change
    error = run(config, "receive", *words, code=1).exception
    assert getattr(error, "exit_code", None) == 2
    assert why in f"{error} {getattr(error, 'hint', '')}"
    run(config, "receive", *WHOLE, "--file", str(config.parent / "none"), code=2)
    assert rows(config, kind="provision_received") == []


def test_a_ground_that_needs_no_record_is_told_and_recorded_all_the_same(config: Path) -> None:
    words = ("--provider", "client", "--country", "JP", "--ground", "ENTRUSTMENT")
    result = run(config, "receive", *words, "--items", "NUMBER", "--about", "their customers")
    assert "asks for no record" in result.stderr
    assert [one["needs_record"] for one in listed(config)] == [False]


def erased(config: Path, party: str, ground: str = "RETENTION_ENDED") -> Result:
    words = ["persons", "erase", "--party", party, "--ground", ground, "--authority", "REQ-7"]
    return CliRunner().invoke(app, [*words, "--yes", "--config", str(config)])


def test_it_is_kept_for_its_years_to_the_second_and_then_may_go(config: Path) -> None:
    run(config, "receive", *WHOLE)
    (one,) = listed(config)
    last = int(datetime.fromisoformat(f"{one['last_day']}T23:59:59+09:00").timestamp() * 1_000)
    for after_ms, may_go in ((0, False), (1_000, True)):
        with pytest.MonkeyPatch.context() as patch:
            for where in ("asterisk_compliance.clock.unix_ms", f"{APP}.retention.erasure.unix_ms"):
                patch.setattr(where, lambda now_ms=last + after_ms: now_ms)
            due = run(config, "due")
            assert (f"persons erase --party {one['party']}" in due.stderr) is may_go
            assert (one["ground"] in due.stdout) is may_go
            found = json.loads(run(config, "due", "--json").stdout)
            assert [each["provision"] for each in found] == [one["provision"]] * may_go
            result = erased(config, one["party"])
            assert (result.exit_code == 0) is may_go, result.exception
            assert may_go or "PROVISION_KEPT" in str(result.exception)
    (after,) = listed(config, "--names")
    assert (after["kept"], "provider" in after) == ([], False)
    assert after["erased_at"]
    assert "erased" in run(config, "received").stdout
    assert verify(config.parent / "store").faults == []


def test_a_longer_period_of_today_keeps_what_is_there_already(config: Path) -> None:
    run(config, "receive", *WHOLE)
    recorded = ("--recipient", "court", "--country", "JP", "--ground", "LAW", "--reference", "R8")
    run(config, "record", a_call(1), *recorded, "--items", "CALL_DATA")
    (made,) = listed(config)
    config.write_text(config.read_text() + '\n[provisions]\nkeep = "5 years"\n')
    (one,) = listed(config)
    (other,) = json.loads(run(config, "list", "--json").stdout)
    assert int(one["last_day"][:4]) == int(made["last_day"][:4]) + 2
    old = int(datetime.fromisoformat(f"{made['last_day']}T23:59:59+09:00").timestamp() * 1_000)
    with pytest.MonkeyPatch.context() as patch:
        for where in ("asterisk_compliance.clock.unix_ms", f"{APP}.retention.erasure.unix_ms"):
            patch.setattr(where, lambda: old + 1_000)
        for party in (one["party"], other["party"]):
            assert "PROVISION_KEPT" in str(erased(config, party).exception)
        assert erased(config, one["party"], "ORDER").exit_code == 0


async def test_the_running_service_records_it_in_the_name_of_who_asks(tmp_path: Path) -> None:
    rules = '[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"'
    config = write_config(tmp_path, rules=rules)
    async with Serving(config).running():
        result = await asyncio.to_thread(run, config, "receive", *WHOLE, "--json")
    (made,) = rows(config, kind="provision_received")
    assert json.loads(result.stdout.splitlines()[-1])["provision"] == made.seq
