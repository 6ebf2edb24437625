"""What the commands about persons print, with the service running and without it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.serving import Serving, write_config
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.errors import ComplianceError, StoreUnavailable
from asterisk_compliance.ids import party_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from sample_rows import AT_MS, a_call, a_recorded_call, draft, tamper

ONE, TWO = a_call(1), a_call(2)
PARTY = party_id(ONE, 1)
TYPED = "+81 3-1234-5678"
ERASE = ["erase", "--ground", "PURPOSE_FULFILLED", "--authority", "REQ-7"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two recorded calls of one person."""
    config = write_config(tmp_path, rules='[rules]\nhome = "JP"')
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(a_recorded_call(ONE))
        writer.commit(a_recorded_call(TWO, AT_MS + 86_400_000))
    return config


def run(config: Path, *args: str, code: int = 0, **more: Any) -> Result:
    line = ["persons", *args, "--config", str(config)]
    result = CliRunner().invoke(app, line, **more)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def kinds(config: Path) -> list[str]:
    with StoreReader(config.parent / "store") as reader:
        return [decode(row.data).kind for row in reader.rows()]


def test_find_lists_the_calls_of_a_number_and_never_the_number(config: Path) -> None:
    result = run(config, "find", "--number", TYPED)
    assert PARTY in result.stdout
    assert party_id(TWO, 1) in result.stdout
    assert "12345678" not in result.output.replace(PARTY, "")
    (one, two) = json.loads(run(config, "find", "--number", "0312345678", "--json").stdout)
    assert one == {
        "party": PARTY,
        "role": "caller",
        "leg": None,
        "call": ONE,
        "arrived_at": "2026-11-24T08:00:00.000Z",
        "ended_at": "2026-11-24T08:01:13.000Z",
        "fields": ["name", "number"],
        "digests": 1,
        "erased_at": None,
        "found_by": ["number"],
    }
    assert two["call"] == TWO
    run(config, "find", "--number", "0399999999", code=1)
    run(config, "find", "--user", "nobody", code=1)


def test_find_does_not_list_who_dialled_the_number(config: Path) -> None:
    did = PersonalFact("dialled", "0120111222", "0120111222")
    with StoreWriter.open(config.parent / "store") as writer:
        call = a_call(3)
        about = {"party": party_id(call, 1), "role": "caller", "facts": (did,)}
        writer.commit([draft(Kind.CALL_ARRIVED, call, detail={"leg": "caller"}, **about)])
    result = run(config, "find", "--number", "0120-111-222", code=1)
    assert "1 more dialled this number" in result.stderr


def test_the_number_can_come_from_standard_input(config: Path) -> None:
    result = run(config, "find", "--number", "-", input=f"{TYPED}\n")
    assert PARTY in result.stdout


def test_exactly_one_person_is_asked_for(config: Path) -> None:
    for words in ([], ["--number", "1", "--party", "y-1"]):
        result = CliRunner().invoke(app, ["persons", "find", *words, "--config", str(config)])
        assert isinstance(result.exception, ComplianceError)
        assert result.exception.exit_code == 2


def test_open_shows_what_opens_and_says_what_does_not(config: Path) -> None:
    result = run(config, "open", "--party", PARTY)
    assert "opened" in result.stdout
    assert "山田 太郎" in result.stdout
    tamper(config.parent / "store", "UPDATE party_values SET value = '110' WHERE seq = 0")
    states = json.loads(run(config, "open", "--party", PARTY, "--json", code=1).stdout)
    assert [(one["field"], one["state"]) for one in states] == [
        ("name", "wrong"),
        ("number", "wrong"),
    ]
    run(config, "open", "--party", "y-nobody", code=1)


def test_without_yes_nothing_changes(config: Path) -> None:
    before = kinds(config)
    result = run(config, *ERASE, "--number", TYPED)
    assert PARTY in result.stdout
    assert "would erase 4 values of 2 parties" in result.stderr
    assert json.loads(run(config, *ERASE, "--number", TYPED, "--json").stdout)["done"] is False
    assert kinds(config) == before


def test_erasing_without_the_service_takes_the_lock_and_proves_it(config: Path) -> None:
    result = run(config, *ERASE, "--number", TYPED, "--yes", "--json")
    done = json.loads(result.stdout)
    assert {name: done[name] for name in ("done", "parties", "values", "seq", "copies_left")} == {
        "done": True,
        "parties": 2,
        "values": 4,
        "seq": 23,
        "copies_left": {},
    }
    assert {one["id"] for one in done["remains"]} >= {"cdr", "cel", "queue_log", "recordings"}
    recordings = next(one for one in done["remains"] if one["id"] == "recordings")
    assert f"r-{ONE[2:]}-1" in recordings["todo"]
    assert verify(config.parent / "store").intact
    states = json.loads(run(config, "open", "--party", PARTY, "--json").stdout)
    assert {one["state"] for one in states} == {"erased"}
    run(config, *ERASE, "--number", TYPED, "--yes", code=1)
    table = run(config, "remains", "--party", PARTY).stdout
    assert "1795507200.1" in table
    assert json.loads(run(config, "remains", "--party", PARTY, "--json").stdout)
    run(config, "remains", "--party", "y-nobody", code=1)


def test_a_copy_that_is_left_is_said_and_rewriting_removes_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = config.parent / "store"
    tamper(store, "PRAGMA secure_delete = OFF; CREATE TABLE x (it TEXT);")
    many = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
    copies = "SELECT value || hex(zeroblob(1500)) FROM party_values, n WHERE field = 'number'"
    tamper(store, f"{many} INSERT INTO x {copies}")
    tamper(store, "PRAGMA secure_delete = OFF; DROP TABLE x")
    result = run(config, *ERASE, "--number", TYPED, "--yes", code=1)
    assert f"{DATABASE} still holds" in result.stderr
    assert "persons rewrite" in result.stderr
    assert b"+81312345678" in (store / DATABASE).read_bytes()
    assert run(config, "rewrite").stdout == "done\n"
    assert b"+81312345678" not in (store / DATABASE).read_bytes()
    assert verify(store).intact


def test_a_store_that_is_not_there_is_no_answer(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    for words in (["find", "--user", "x"], ["rewrite"]):
        result = CliRunner().invoke(app, ["persons", *words, "--config", str(config)])
        assert isinstance(result.exception, StoreUnavailable)


async def test_erasing_goes_through_the_running_service(config: Path) -> None:
    serving = Serving(config)
    async with serving.running():
        result = await asyncio.to_thread(run, config, *ERASE, "--number", TYPED, "--yes")
        assert "erased 4 values of 2 parties" in result.stdout
        assert "queue_log" in result.stdout
        with StoreReader(config.parent / "store") as reader:
            rows = [decode(row.data) for row in reader.rows(RowQuery(kind="person_erased"))]
        assert [row.call for row in rows] == [ONE, TWO]
        refused = await asyncio.to_thread(
            CliRunner().invoke, app, ["persons", "rewrite", "--config", str(config)]
        )
        assert "in use" in str(refused.exception)
    assert verify(config.parent / "store").intact
