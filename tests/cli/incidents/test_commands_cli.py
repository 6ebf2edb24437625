"""What the incidents commands print, and with which exit status they end."""

from __future__ import annotations

import hashlib
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import RecordingId, call_of
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from cli.retention.test_commands_cli import CONFIG, ago
from retained import keep
from sample_rows import draft


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "compliance.toml").write_text(CONFIG.format(home=tmp_path, second="false"))
    return tmp_path


@pytest.fixture
def kept(home: Path) -> RecordingId:
    return keep(home, ago(5))


def run(home: Path, *arguments: str, code: int = 0, said: str | bytes = "") -> Result:
    config = ("--config", str(home / "compliance.toml"))
    result = CliRunner().invoke(app, ["incidents", *arguments, *config], input=said)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def told(home: Path, *arguments: str, code: int = 0, said: str = "") -> Any:
    return json.loads(run(home, *arguments, "--json", code=code, said=said).stdout)


def opened(home: Path, *arguments: str) -> str:
    return run(home, "open", *arguments).stdout.strip()


def row(home: Path, kind: str) -> dict[str, Any]:
    with StoreReader(home / "store") as reader:
        (stored,) = reader.rows(RowQuery(kind=kind, limit=1, newest=True))
    return dict(decode(stored.data).detail)


def test_open_says_the_number_and_the_row_what_was_said(home, kept):
    number = opened(
        home, "--known", ago(1), "--since", ago(9), "--until", ago(2), "--category", "SENSITIVE",
        "--category", "WRONGFUL", "--regime", "eu", "--contractor", "--key-affected",
    )  # fmt: skip
    said = row(home, "incident_opened")
    assert said["categories"] == ("SENSITIVE", "WRONGFUL")
    assert (said["known_at"], said["since_at"], said["until_at"]) == (ago(1), ago(9), ago(2))
    assert (said["regimes"], said["contractor"], said["key_affected"]) == (("eu",), True, True)
    assert told(home, "open") == {"incident": int(number) + 1}
    plain = row(home, "incident_opened")
    assert (plain["categories"], plain["regimes"]) == (("OTHER",), ("jp",))
    assert (plain["contractor"], plain["key_affected"]) == (False, False)


def test_assess_finds_what_was_there_and_ends_with_1_where_a_report_is_due(home, kept):
    keep(home, ago(1), number=2)
    number = opened(home, "--category", "SENSITIVE", "--since", ago(5), "--until", ago(3))
    looked = told(home, "assess", number, "--dry-run")
    assert [one["what"] for one in looked["reached"]] == [kept]
    assert told(home, "show", number)["assessed"] is None
    found = told(home, "assess", number, "--place", "VAULT", "--place", "SPOOL", code=1)
    assert [one["what"] for one in found["reached"]] == [kept]
    assert found["reached"][0]["forms"] == ["plain", "spooled"]
    assert found["duties"] == ["PRELIMINARY", "FINAL", "PERSONS"]
    said = row(home, "incident_assessed")
    assert (said["recordings"], said["persons"], said["digest"]) == (1, 1, found["digest"])
    assert said["places"] == ("SPOOL", "VAULT")
    everything = run(home, "assess", number, "--since", ago(9), "--until", ago(0), code=1)
    assert everything.stdout.count("plain, spooled") == 2
    assert "jp-appi-26.20240401" in everything.stdout


def test_where_no_report_is_due_assess_ends_with_0(home, kept):
    number = opened(home)
    run(home, "assess", number)
    assert told(home, "show", number)["duties"] == []
    run(home, "close", number, "--outcome", "NOT_REPORTABLE")
    assert told(home, "list") == []
    (closed,) = told(home, "list", "--all")
    assert (closed["closed"], closed["state"]) == ("NOT_REPORTABLE", "done")
    assert "NOT_REPORTABLE" in run(home, "list", "--all").stdout


def test_a_long_list_is_not_endless(home, monkeypatch):
    monkeypatch.setattr("asterisk_compliance.cli.incidents.views.SHOWN", 2)
    for number in range(5):
        keep(home, ago(5), number=number)
    result = run(home, "assess", opened(home))
    assert result.stdout.count("plain, spooled") == 2
    assert "3 more" in result.stderr


def test_overdue_is_an_exit_status(home, kept):
    run(home, "list", "--overdue")
    number = opened(home, "--category", "SENSITIVE", "--known", ago(3))
    assert told(home, "list", "--overdue") == []
    late = opened(home, "--category", "SENSITIVE", "--known", ago(6))
    (only,) = told(home, "list", "--overdue", code=1)
    assert (only["incident"], only["state"], only["next"]) == (int(late), "overdue", "PRELIMINARY")
    assert [one["incident"] for one in told(home, "list")] == [int(number), int(late)]
    run(home, "close", late, "--outcome", "NO_LEAK")
    assert told(home, "list", "--overdue", "--all") == []


def test_a_draft_and_what_it_lacks(home, kept, tmp_path):
    number = opened(home, "--category", "SENSITIVE")
    result = run(home, "report", number)
    assert result.stdout.startswith("# 個人データの漏えい等に関する報告（案）")
    assert "missing: OUTLINE, DATA, PERSONS, CAUSE" in result.stderr
    assert told(home, "report", number, "--language", "en")["missing"][0] == "OUTLINE"
    out = tmp_path / "draft.html"
    options = ("--language", "en", "--format", "html", "--for", "client", "--out", str(out))
    assert run(home, "report", number, *options).stdout == ""
    assert "Notice of a leak" in out.read_text("utf-8")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    run(home, "report", number, *options, code=2)
    for wrong in (("--language", "fr"), ("--format", "pdf"), ("--for", "press")):
        run(home, "report", number, *wrong, code=2)
    assert "incident_reported" not in kinds(home), "a draft is no row"


def kinds(home: Path) -> list[str]:
    with StoreReader(home / "store") as reader:
        return [decode(stored.data).kind for stored in reader.rows()]


def test_what_was_sent_is_a_row_with_its_digest(home, kept, tmp_path):
    number = opened(home, "--category", "SENSITIVE", "--known", ago(2))
    sent = tmp_path / "sent.pdf"
    sent.write_bytes(b"pdf")
    run(
        home, "report", number, "--sent", "PRELIMINARY", "--at", ago(1), "--file", str(sent),
        "--reference", "PPC-2026-17",
    )  # fmt: skip
    said = row(home, "incident_reported")
    assert said["sha256"] == hashlib.sha256(b"pdf").hexdigest()
    assert (said["sent_at"], said["step"], said["reference"]) == (
        ago(1), "PRELIMINARY", "PPC-2026-17",
    )  # fmt: skip
    (done, *_) = [one for one in told(home, "show", number)["duties"] if one["done_at"]]
    assert (done["step"], done["state"], done["done_at"]) == ("PRELIMINARY", "done", ago(1))
    run(home, "report", number, "--sent", "FINAL", "--file", str(tmp_path / "no"), code=2)
    refused = run(home, "close", number, "--outcome", "REPORTED", code=1)
    assert "jp FINAL, jp PERSONS" in str(refused.exception)


def test_a_note_is_read_from_standard_input_and_shown(home, kept):
    number = opened(home)
    run(home, "note", number, "--item", "CAUSE", said="a stolen\x1b[31m laptop\n")
    shown = run(home, "show", number).stdout
    assert "CAUSE: a stolen" in shown
    assert "\x1b" not in shown
    (note,) = told(home, "show", number)["notes"]
    assert (note["item"], note["text"]) == ("CAUSE", "a stolen\x1b[31m laptop")
    assert "stolen" not in str(row(home, "incident_noted"))


def test_a_step_that_nobody_asked_is_written_down_and_said(home, kept):
    number = opened(home, "--category", "SENSITIVE")
    result = run(home, "report", number, "--sent", "NOTIFICATION")
    assert "no law of this incident asks for it" in result.stderr
    assert told(home, "report", number, "--sent", "FINAL")["asked"] is True
    assert run(home, "report", number, "--sent", "PERSONS").stderr == ""


def test_a_note_that_is_no_text_or_not_whole_is_refused(home, kept):
    number = opened(home)
    said = "盗まれた".encode("cp932")
    for text in (said, ("\N{SPEAKER WITH THREE SOUND WAVES}" * 8_001).encode()):
        result = run(home, "note", number, said=text, code=2)
        assert "UTF-8" in result.output or "32,000" in result.output
    run(home, "note", number, said="\ufeff盗まれた".encode())
    (note,) = told(home, "show", number)["notes"]
    assert note["text"] == "盗まれた"


def test_options_of_a_report_that_was_sent_make_no_draft(home, kept, tmp_path):
    number = opened(home)
    for words in (("--file", str(tmp_path)), ("--reference", "A-1"), ("--at", "2h")):
        assert "--sent" in run(home, "report", number, *words, code=2).output
    run(home, "report", number, "--sent", "FINAL", "--out", str(tmp_path / "x"), code=2)
    assert "incident_reported" not in kinds(home)
    out = tmp_path / "draft.md"
    answer = told(home, "report", number, "--out", str(out))
    assert out.read_text("utf-8") == answer["text"]


def test_what_is_due_soon_or_overdue_is_reminded_of_until_it_is_done(home, kept):
    assert told(home, "remind") == []
    number = opened(home, "--category", "SENSITIVE", "--known", ago(3))
    opened(home, "--category", "SENSITIVE")
    (soon,) = told(home, "remind", code=1)
    assert (soon["incident"], soon["step"], soon["state"]) == (
        int(number), "PRELIMINARY", "due_soon",
    )  # fmt: skip
    assert f"incident {number}: PRELIMINARY (jp) is due 20" in run(home, "remind", code=1).stdout
    run(home, "amend", number, "--known", ago(9))
    assert "PRELIMINARY (jp) was due" in run(home, "remind", code=1).stdout
    run(home, "report", number, "--sent", "PRELIMINARY", "--at", ago(8))
    assert told(home, "remind") == []
    run(home, "amend", number, "--not-sent", "PRELIMINARY")
    assert len(told(home, "remind", code=1)) == 1
    run(home, "close", number, "--outcome", "NO_LEAK")
    assert told(home, "remind") == []


def test_assess_shows_who_got_what_and_what_is_lost_or_strange(home, kept):
    other = keep(home, ago(4), number=2)
    (home / "vault" / f"{other}.wav").unlink()
    (home / "vault" / "copy.age").write_bytes(b"?")
    given = {"recording": kept, "purpose": "QUALITY", "action": "EXPORT"}
    with StoreWriter.open(home / "store") as store:
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        call = call_of(kept)
        store.commit(
            [
                draft(Kind.RECORDING_RELEASED, call, now_ms, detail=given, actor="y-1"),
                draft(Kind.CALL_EXPORTED, call, now_ms, actor="y-1"),
            ]
        )
    number = opened(home, "--category", "SENSITIVE")
    text = run(home, "assess", number, code=1).stdout
    assert f"lost: {other}" in text
    assert "stranger: copy.age" in text
    assert [word in text for word in ("EXPORT", "QUALITY", "call_exported", "y-1")] == [True] * 4
    found = told(home, "assess", number, "--dry-run")
    assert [one["kind"] for one in found["documents_handed_out"]] == ["call_exported"]


def test_show_has_everything(home, kept):
    number = opened(home, "--category", "SENSITIVE", "--known", ago(40))
    run(home, "assess", number, code=1)
    run(home, "report", number, "--sent", "PERSONS")
    found = told(home, "show", number)
    assert found["assessed"]["recordings"] == 1
    assert [one["step"] for one in found["reported"]] == ["PERSONS"]
    assert {one["state"] for one in found["duties"]} == {"overdue", "done"}
    text = run(home, "show", number).stdout
    assert "persons: 1" in text
    (rule,) = found["rules"]
    assert rule["rule"] == "jp-appi-26.20240401"
    assert f"beware: {rule['warning']}" in text, "how sure it is, an officer must know"
    assert any(source.endswith("(memory)") for source in rule["sources"])
    assert all(source in text for source in rule["sources"])
    assert "overdue" in text


@pytest.mark.parametrize("command", ["assess", "show", "report"])
def test_an_incident_that_is_not_there(home, kept, command):
    assert "no such incident" in str(run(home, command, "99", code=1).exception)


def test_a_word_that_is_none_ends_with_2_in_the_program(home, kept):
    result = run(home, "open", "--category", "AWFUL", code=1)
    assert getattr(result.exception, "exit_code", 0) == 2
    assert "SENSITIVE" in getattr(result.exception, "hint", "")
    number = opened(home)
    assert run(home, "assess", number, "--place", "MOON", code=1).exception.exit_code == 2
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert run(home, "open", "--known", tomorrow, code=1).exception.exit_code == 2


def test_where_somebody_else_owns_the_store_nothing_is_written(home, kept):
    with StoreWriter.open(home / "store"):
        result = run(home, "open", code=1)
    assert "in use by" in str(result.exception)
