"""What the reading commands print, and with which exit code they end."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from asterisk_compliance.cli import context
from asterisk_compliance.cli.audit import commands as audit
from asterisk_compliance.cli.calls import commands as calls
from asterisk_compliance.domain.audit.encoding import decode, timestamp
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import ConfigError, LogBroken, StoreUnavailable
from asterisk_compliance.ids import call_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import AT_MS, a_call, a_recorded_call, an_unrecorded_call, draft, tamper

A_DAY_MS = 86_400_000
RECORDED, LEFT = a_call(1), call_id(AT_MS + A_DAY_MS, bytes(8))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A recorded call, one whose caller left in the notice a day later, and a mark."""
    directory = tmp_path / "store"
    with StoreWriter.open(directory) as writer:
        writer.commit(a_recorded_call(RECORDED))
        writer.commit(an_unrecorded_call(LEFT, AT_MS + A_DAY_MS))
        writer.commit([draft(Kind.MARK, detail={"code": "a\x1b[31m[red]b"})])
    return directory


def run(app: typer.Typer, store: Path, *args: str, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [*args, "--store", str(store)])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_audit_list_as_a_table(store: Path) -> None:
    result = run(audit.app, store, "list", "--call", RECORDED)
    assert "notice_completed" in result.stdout
    assert "purposes=QUALITY&TRAINING" in result.stdout
    assert "sha256=abababab…" in result.stdout
    assert "whole=yes" in result.stdout
    assert LEFT not in result.stdout
    assert result.stderr == ""


def test_no_cell_carries_markup_or_escapes(store: Path) -> None:
    result = run(audit.app, store, "list", "--kind", "mark")
    assert "code=a\N{REPLACEMENT CHARACTER}[31m[red]b" in result.stdout


@pytest.mark.parametrize(
    ("args", "seqs"),
    [
        (["--call", LEFT], [11, 12, 13, 14]),
        (["--kind", "decision"], [3, 14]),
        (["--purpose", "TRAINING", "--kind", "call_ended"], [8]),
        (["--since", "2026-11-25"], [11, 12, 13, 14]),
        (["--until", "2026-11-24T17:00:00.002+09:00"], [0, 15]),
        (["--limit", "2"], [14, 15]),
    ],
)
def test_audit_list_as_json_lines(store: Path, args: list[str], seqs: list[int]) -> None:
    result = run(audit.app, store, "list", "--json", *args)
    assert [row["seq"] for row in lines(result)] == seqs


def test_audit_export_is_the_log_byte_for_byte(store: Path, tmp_path: Path) -> None:
    with StoreReader(store) as reader:
        whole = b"".join(row.data + b"\n" for row in reader.rows())
    assert run(audit.app, store, "export").stdout_bytes == whole
    out = tmp_path / "rows.jsonl"
    result = run(audit.app, store, "export", "--out", str(out))
    assert out.read_bytes() == whole
    assert (result.stdout, result.stderr) == ("", f"16 rows written to {out}\n")
    part = run(audit.app, store, "export", "--kind", "mark").stdout_bytes
    assert part == whole.splitlines(keepends=True)[15]


def test_a_failed_export_leaves_no_file(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "taken"
    out.mkdir()
    run(audit.app, store, "export", "--out", str(out), code=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "taken"]


def test_audit_verify_says_what_it_found_and_what_it_does_not_prove(store: Path) -> None:
    result = run(audit.app, store, "verify")
    said = dict(line.split(None, 1) for line in result.stdout.splitlines()[:4])
    assert said["rows"] == "16"
    assert said["head"] == f"16:{said['root']}"
    assert result.stdout.splitlines()[-1] == "INTACT, level: tree"
    assert "2 commitments opened" in result.stderr
    assert "not proven: that the log was not rewritten as a whole" in result.stderr
    again = run(audit.app, store, "verify", "--expect", said["head"])
    assert "the first 16 rows are those of the expected head" in again.stderr
    assert again.stdout.splitlines()[-1] == "INTACT, level: anchored elsewhere"


def test_audit_verify_exits_1_and_names_the_row(store: Path) -> None:
    head = run(audit.app, store, "verify").stdout.splitlines()[3].split()[1]
    tamper(store, "UPDATE rows SET row = replace(row, 'NOT_RECORDED', 'DOT_RECORDED')")
    result = run(audit.app, store, "verify", code=1)
    assert "FAULT row 14: was changed" in result.stdout
    assert result.stdout.splitlines()[-1] == "BROKEN"
    (said,) = lines(run(audit.app, store, "verify", "--json", "--expect", head, code=1))
    assert (said["intact"], said["faults"][0]["seq"], said["expected"]) == (False, 14, head)


def test_audit_verify_counts_what_it_does_not_print(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([draft(Kind.MARK)] * 103)
    tamper(tmp_path, "UPDATE rows SET leaf = zeroblob(32)")
    assert "FAULT and 3 more" in run(audit.app, tmp_path, "verify", code=1).stdout


def test_a_head_that_is_none_is_a_usage_error(store: Path) -> None:
    assert "SIZE:ROOT" in run(audit.app, store, "verify", "--expect", "12", code=2).stderr


def test_audit_follow_prints_what_is_there_and_ends_at_its_limit(store: Path) -> None:
    result = run(audit.app, store, "follow", "--from", "3", "--limit", "2", "--json")
    assert [row["seq"] for row in lines(result)] == [3, 4]
    text = run(audit.app, store, "follow", "--from", "15", "--limit", "1").stdout
    assert text.startswith("15  2026-11-24T08:00:00.000Z  mark  -  service  code=a")
    assert "\x1b" not in text


def following(store: Path, *args: str) -> subprocess.Popen[bytes]:
    script = "from asterisk_compliance.cli.audit.commands import app; app()"
    command = [sys.executable, "-c", script, "follow", "--json", "--store", str(store), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_audit_follow_sees_rows_as_they_become_durable(store: Path) -> None:
    with following(store, "--from", "15", "--limit", "3", "--interval", "0.02") as process:
        assert process.stdout is not None
        assert decode(process.stdout.readline().strip()).seq == 15  # it is up
        with StoreWriter.open(store) as writer:
            writer.commit([draft(Kind.MARK)])
            assert decode(process.stdout.readline().strip()).seq == 16
            writer.commit([draft(Kind.MARK), draft(Kind.MARK)])
        assert decode(process.stdout.readline().strip()).seq == 17
        assert process.wait(10) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("interval", ["0.2", "60"])
def test_audit_follow_ends_quietly_at_a_signal(store: Path, how: signal.Signals, interval) -> None:
    with following(store, "--from", "15", "--interval", interval) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        os.kill(process.pid, how)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""


def many_rows(store: Path) -> None:
    """More than a pipe holds."""
    with StoreWriter.open(store) as writer:
        writer.commit([draft(Kind.MARK, detail={"code": "x" * 100})] * 2_500)


def test_audit_follow_ends_between_two_lines_though_nobody_reads_them(store: Path) -> None:
    many_rows(store)
    with following(store, "--from", "0") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(10) == 0
        lines = [first, *process.stdout.read().splitlines(keepends=True)]
        assert [decode(line[:-1]).seq for line in lines] == list(range(len(lines)))
        assert len(lines) < 2_500
        assert lines[-1].endswith(b"\n")


def test_audit_follow_lets_go_of_the_log_while_nobody_reads(store: Path) -> None:
    """A transaction that stays open would keep what is erased from being overwritten."""
    many_rows(store)
    with following(store, "--from", "0") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with StoreWriter.open(store) as writer:
            writer.commit([draft(Kind.MARK)] * 50)
        with contextlib.closing(sqlite3.connect(store / DATABASE, isolation_level=None)) as db:
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        process.terminate()
        assert process.wait(10) == 0


def test_audit_follow_ends_when_its_reader_is_gone(store: Path) -> None:
    with following(store, "--from", "15") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(10) == 0


def test_audit_follow_goes_on_where_it_was_and_nowhere_else(store: Path) -> None:
    result = run(audit.app, store, "follow", "--from", "14", "--limit", "2", "--json")
    assert [row["seq"] for row in lines(result)] == [14, 15]
    result = CliRunner().invoke(audit.app, ["follow", "--from", "17", "--store", str(store)])
    assert isinstance(result.exception, StoreUnavailable)
    assert str(result.exception) == "the log has 16 rows, and ends before row 17"


def test_audit_follow_leaves_no_row_out_unsaid(store: Path) -> None:
    tamper(store, "DELETE FROM rows WHERE seq = 3")
    arguments = ["follow", "--from", "2", "--json", "--store", str(store)]
    result = CliRunner().invoke(audit.app, arguments)
    assert [row["seq"] for row in lines(result)] == [2]
    assert isinstance(result.exception, LogBroken)
    assert result.exception.seq == 3


def test_calls_list(store: Path) -> None:
    text = run(calls.app, store, "list").stdout
    assert text.index(LEFT) < text.index(RECORDED)  # newest first
    first, second = lines(run(calls.app, store, "list", "--json"))
    assert (first["decision"], first["reason"]) == ("NOT_RECORDED", "HANGUP_IN_NOTICE")
    assert (first["purposes"], first["recordings"]) == ([], [])
    assert second["purposes"] == ["QUALITY", "TRAINING"]
    assert second["recordings"][0]["level"] == "closed"


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (["--decision", "ALLOWED"], [RECORDED]),
        (["--reason", "HANGUP_IN_NOTICE"], [LEFT]),
        (["--purpose", "QUALITY"], [RECORDED]),
        (["--since", "2026-11-25"], [LEFT]),
        (["--until", "2026-11-25"], [RECORDED]),
        (["--limit", "1"], [LEFT]),
        (["--since", "1s", "--until", "0s"], []),
    ],
)
def test_calls_list_by_condition(store: Path, args: list[str], found: list[str]) -> None:
    result = run(calls.app, store, "list", "--json", *args)
    assert [call["call"] for call in lines(result)] == found


def test_calls_show(store: Path) -> None:
    text = run(calls.app, store, "show", RECORDED).stdout
    for said in ("standard/1/ja", "QUALITY&TRAINING", "61240", "recording_closed"):
        assert said in text
    (shown,) = lines(run(calls.app, store, "show", RECORDED, "--json"))
    assert [row["seq"] for row in shown["rows"]] == list(range(11))
    assert shown["recordings"][0]["length_ms"] == 61_240
    assert "+81312345678" not in json.dumps(shown) + text


def test_calls_show_of_a_call_that_nobody_knows(store: Path) -> None:
    result = run(calls.app, store, "show", "c-0", code=1)
    assert (result.stdout, result.stderr) == ("", "error: no row speaks of call c-0\n")


def test_a_row_that_is_none_is_listed_as_that(store: Path) -> None:
    tamper(store, "UPDATE rows SET row = replace(row, '\"node\"', '\"mode\"') WHERE seq = 15")
    assert "(not a row)" in run(audit.app, store, "list").stdout


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    result = CliRunner().invoke(audit.app, ["list", "--store", str(tmp_path)])
    assert isinstance(result.exception, StoreUnavailable)


def test_without_store_or_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"compliance\.toml"):
        context.store_directory(None, None)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-24", AT_MS - 8 * 3_600_000),
        ("2026-11-24T08:00Z", AT_MS),
        ("2026-11-24T17:00:00.250+09:00", AT_MS + 250),
        ("999999w", 0),
    ],
)
def test_times_on_the_command_line(text: str, at: int) -> None:
    assert context.moment(text) == timestamp(at)


@pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01", "2026-13-01", "-1h"])
def test_what_is_no_time_is_a_usage_error(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        context.moment(text)
