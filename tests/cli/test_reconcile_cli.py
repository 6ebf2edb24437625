"""What ``reconcile`` prints of a site whose CDRs a real Asterisk wrote, and how it ends."""

from __future__ import annotations

import io
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.app import reconciliation as reconciling
from asterisk_compliance.cli import reconcile
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.reconciliation.comparison import View
from asterisk_compliance.errors import ConfigError, StoreUnavailable
from asterisk_compliance.ids import CallId, recording_id
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_recorded_call, draft
from values import replace

REAL = Path(__file__).parent.parent / "storage/fixtures/22.10.1"
UNTOLD = "1795560211.3"
CALLS = {
    CallId("c-01a20fba7e3d3aab2903f415842a"): ("1795560209.0", "1795560209.0"),
    CallId("c-01a20fba867fb267961005742ef5"): ("1795560212.7", "1795560212.6"),
    CallId("c-01a20fba8f93a764a8561a74208c"): ("1795560214.8", "1795560214.8"),
    CallId("c-01a20fba93bacd877b27e184c901"): ("1795560215.9", "1795560214.8"),
}
LEFT = CallId("c-01a20fba83a55eafdd92e474e45d")
NOW_S = 1_795_570_000
CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "pbx1"
spool = "{here}/spool"
sounds = "{here}/sounds"
ari = {{ user = "compliance", secret_env = "NOT_SET" }}
[[notice]]
id = "told"
version = "1"
purposes = ["SERVICE", "QUALITY"]
wording.ja.prompt = "notice-standard"
[[policy]]
name = "inbound"
notice = "told"
languages = ["ja"]
[audit]
store = "{here}/store"
[vault]
recordings = "{here}/vault"
encryption = "off"
{reconcile}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The log, the spool and the vault of the calls in ``Master.csv``, two hours later."""
    monkeypatch.setattr(reconcile.time, "time", lambda: NOW_S)
    with StoreWriter.open(tmp_path / "store") as writer:
        for call, (channel, linkedid) in CALLS.items():
            writer.commit(recorded(call, channel, linkedid))
        writer.commit(left_in_the_notice())
    for name in ("spool", "vault"):
        (tmp_path / name).mkdir()
    for call in CALLS:
        (tmp_path / f"vault/{recording_id(call, 1)}.wav").write_bytes(call.encode())
    configure(tmp_path)
    return tmp_path


def recorded(call: CallId, channel: str, linkedid: str) -> list[Draft]:
    rows = a_recorded_call(call, int(call[2:14], 16))
    ids = {"channel": channel, "linkedid": linkedid}
    digest = {"sha256": sha256(call.encode()).hexdigest()}
    changed = {Kind.CALL_ARRIVED: ids, Kind.RECORDING_CLOSED: digest}
    return [replace(row, detail={**row.detail, **changed.get(row.kind, {})}) for row in rows]


def left_in_the_notice() -> list[Draft]:
    at = int(LEFT[2:14], 16)
    ids = {"channel": "1795560211.2", "linkedid": "1795560211.2"}
    decision = {"status": "NOT_RECORDED", "reason": "HANGUP_IN_NOTICE"}
    return [
        draft(Kind.CALL_ARRIVED, LEFT, at, detail=ids),
        draft(Kind.DECISION, LEFT, at, detail=decision),
        draft(Kind.CALL_ENDED, LEFT, at),
    ]


def configure(here: Path, **settings: object) -> None:
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    own = "\n".join(["[reconcile]", *lines]) if lines else ""
    (here / "compliance.toml").write_text(CONFIG.format(here=here, reconcile=own), "utf-8")


def run(site: Path, *options: str | Path, code: int = 1) -> Result:
    command = ["reconcile", "-c", site / "compliance.toml", *options]
    result = CliRunner().invoke(app, [str(one) for one in command])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


CDR = ("--cdr", REAL / "Master.csv")


def test_a_table_and_a_summary(site: Path) -> None:
    result = run(site, *CDR)
    told = [line.split() for line in result.stdout.splitlines() if line.strip(" ─")]
    assert told[:2] == [
        ["finding", "began", "call", "channel", "file"],
        ["CALL_NEVER_TOLD", "2026-11-24T22:43:31.000Z", UNTOLD],
    ]
    assert told[2] == ["finding", "what", "it", "means", "what", "to", "do"]
    assert " ".join(told[3]).startswith("CALL_NEVER_TOLD answered, and never reached the service")
    assert result.stderr.splitlines() == [
        "5 calls in the log, 7 CDRs, 0 CEL events, 4 files",
        "explained: 2 (EMERGENCY 1, SERVICE_UNAVAILABLE 1)",
        "unexplained: 1 (CALL_NEVER_TOLD 1)",
    ]


def test_json_is_one_object_a_finding_and_a_summary(site: Path) -> None:
    finding, last = lines(run(site, *CDR, "--json"))
    assert finding == {
        "id": "CALL_NEVER_TOLD",
        "at": "2026-11-24T22:43:31.000Z",
        "call": None,
        "channel": UNTOLD,
        "recording": None,
        "file": None,
        "what": "answered, and never reached the service",
        "detail": None,
        "todo": finding["todo"],
    }
    assert last == {
        "summary": {
            "calls": 5,
            "cdrs": 7,
            "cel_events": 0,
            "files": 4,
            "explained": {"EMERGENCY": 1, "SERVICE_UNAVAILABLE": 1},
            "unexplained": {"CALL_NEVER_TOLD": 1},
            "not_compared": [],
        }
    }


def test_nothing_to_find(site: Path) -> None:
    result = run(site, *CDR, "--context", "from-trunk", "--digests", code=0)
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1] == "unexplained: 0"


def test_every_finding_about_files_and_rows(site: Path) -> None:
    first, second, third, fourth = CALLS
    (site / f"vault/{recording_id(first, 1)}.wav").write_bytes(b"other")
    (site / f"vault/{recording_id(second, 1)}.wav").unlink()
    (site / f"spool/{recording_id(third, 1)}-rx.wav").touch()
    (site / f"vault/{recording_id(fourth, 2)}.wav").touch()
    found = lines(run(site, *CDR, "--json", "--digests", "--context", "from-trunk"))
    assert [(one["id"], one["call"], one["file"]) for one in found[:-1]] == [
        ("FILE_CHANGED", first, None),
        ("FILE_MISSING", second, None),
        ("FILE_LEFT", third, f"spool/{recording_id(third, 1)}-rx.wav"),
        ("FILE_UNKNOWN", fourth, f"vault/{recording_id(fourth, 2)}.wav"),
    ]
    assert found[2]["detail"] == "the log says: closed"
    text = run(site, *CDR, "--digests").stdout
    assert "the log says: closed" in text
    assert text.count("FILE_LEFT") == 2, "the finding, and what it means"
    assert "FILE_CHANGED" not in run(site, *CDR).stdout, "only with --digests"


def test_a_time(site: Path) -> None:
    found = lines(run(site, *CDR, "--json", "--since", "2026-11-24T22:43:32", code=0))
    assert (found[-1]["summary"]["calls"], found[-1]["summary"]["cdrs"]) == (3, 7)
    found = lines(run(site, *CDR, "--json", "--until", "2026-11-24T22:43:32"))
    assert found[-1]["summary"]["calls"] == 2
    assert found[-1]["summary"]["explained"] == {"EMERGENCY": 1}


def test_a_call_without_a_cdr(site: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.csv"
    part.write_text("".join((REAL / "Master.csv").read_text().splitlines(keepends=True)[1:]))
    gone, untold = lines(run(site, "--cdr", part, "--json", "--since", "2026-11-01"))[:2][::-1]
    assert (gone["id"], gone["call"]) == ("ROW_WITHOUT_CDR", next(iter(CALLS)))
    assert untold["id"] == "CALL_NEVER_TOLD"


def test_cel_beside_cdrs_and_alone(site: Path) -> None:
    cel = ("--cel", REAL / "cel-custom.csv", "--json")
    both = lines(run(site, *CDR, *cel))
    assert [one["channel"] for one in both[:-1]] == [UNTOLD]
    assert both[-1]["summary"]["cel_events"] == 54
    alone = lines(run(site, *cel))
    assert [one["channel"] for one in alone[:-1]] == [UNTOLD, "1795560211.4", "1795560217.10"]


def test_cel_that_cannot_be_read_in_part(site: Path, tmp_path: Path) -> None:
    cel = tmp_path / "cel.csv"
    cel.write_text((REAL / "cel-custom.csv").read_text() + "a,b\n")
    found = lines(run(site, *CDR, "--cel", cel, "--json"))
    assert [one["id"] for one in found[:-1]] == ["CALL_NEVER_TOLD", "CDR_UNREADABLE"]
    assert found[1]["detail"].startswith("1 from record 55 on")


def test_what_the_configuration_names(site: Path) -> None:
    names = [
        "uniqueid",
        "linkedid",
        "dcontext",
        "start",
        "answer",
        "billsec",
        "disposition",
        "userfield",
    ]
    configure(
        site,
        cdr=[str(REAL / "cdr-custom.csv")],
        cdr_columns=[name.upper() for name in names],
        cel=[str(REAL / "cel-custom.csv")],
        contexts=["from-trunk"],
    )
    assert "7 CDRs, 54 CEL events" in run(site, code=0).stderr
    assert "CALL_NEVER_TOLD 1" in run(site, "--context", "from-lab").stderr
    assert "CDR_UNREADABLE 1" in run(site, *CDR).stderr, "the columns are those of another file"


def test_what_was_not_compared_is_said(site: Path, tmp_path: Path) -> None:
    alone = run(site, code=0).stderr.splitlines()
    assert [line for line in alone if line.startswith("not compared")] == [
        "not compared: no CDR and no CEL is given: a call that never reached us is not found"
    ]
    result = CliRunner().invoke(app, ["reconcile", "--store", str(site / "store"), *map(str, CDR)])
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "not compared: there is no configuration: files are not looked at"
    )
    (tmp_path / "empty.csv").touch()
    assert "no CDR could be read" in run(site, "--cdr", tmp_path / "empty.csv", code=0).stderr
    (tmp_path / "plain.csv").write_text(",ANSWERED\n" * 2)
    columns = ("--cdr-columns", "userfield, disposition", "--cdr", tmp_path / "plain.csv")
    assert "2 CDRs have neither uniqueid nor linkedid" in run(site, *columns).stderr


def test_no_number_and_no_name_is_printed(site: Path, tmp_path: Path) -> None:
    fields = ["0312345678"] * 16 + ["Yamada", ""]
    fields[14] = "ANSWERED"
    (tmp_path / "numbers.csv").write_text(",".join(fields) + "\n")
    wrong = ("--cdr", tmp_path / "numbers.csv")
    names = ["x"] * 18
    names[1], names[16], names[14] = "uniqueid", "linkedid", "disposition"
    for options in ((), ("--json",), ("--cdr-columns", ",".join(names))):
        said = run(site, *wrong, *options).output
        assert "CALL_NEVER_TOLD" in said
        assert "0312345678" not in said
        assert "Yamada" not in said


def test_more_findings_than_a_table_holds(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "TABLE_LINES", 1)
    result = run(site, "--cel", REAL / "cel-custom.csv")
    assert result.stdout.count("CALL_NEVER_TOLD") == 2, "the finding, and what it means"
    assert result.stderr.splitlines()[0] == "and 2 more: --json prints all"


def test_a_time_that_no_clock_had_is_left_out(site: Path, tmp_path: Path) -> None:
    (tmp_path / "early.csv").write_text("-5,8,,\n")
    columns = ("--cdr-columns", "start,disposition,uniqueid,x", "--cdr", tmp_path / "early.csv")
    assert lines(run(site, *columns, "--json"))[0]["at"] is None


def test_it_changes_nothing(site: Path) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = [path for path in site.rglob("*") if path.is_file() and "-shm" not in path.name]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    run(site, *CDR, "--digests", "--json")
    after = state()
    assert {path: after[path] for path in before} == before
    assert {path.name for path in after.keys() - before.keys()} <= {"audit.sqlite3-wal"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--cdr-columns", "src,dst"], "name one of linkedid, uniqueid, userfield"),
        (["--cdr-columns", ""], "name one of"),
        (["--cel-columns", "name"], "name eventtype and uniqueid"),
        (["--cdr", "nowhere.csv"], "does not exist"),
        (["--since", "yesterday"], "is no time"),
    ],
)
def test_what_is_wrong_on_the_command_line_is_status_2(
    site: Path, options: list[str], said: str
) -> None:
    result = run(site, *options, code=2)
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_records_that_are_none_are_status_2(site: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.db").write_bytes(b"SQLite format 3\x00" + b"x" * 5_000)
    result = run(site, "--cdr", tmp_path / "broken.db")
    assert isinstance(result.exception, ConfigError)
    assert result.exception.exit_code == 2


@pytest.mark.parametrize("gone", ["store/audit.sqlite3", "spool", "vault"])
def test_what_cannot_be_read_is_status_3(site: Path, gone: str) -> None:
    (site / gone).rename(site / "elsewhere")
    result = run(site, *CDR)
    assert isinstance(result.exception, StoreUnavailable)
    assert result.exception.exit_code == 3
    assert result.exception.hint


def test_how_far_it_is_is_said_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for kind, says in ((Terminal, True), (io.StringIO, False)):
        stream = kind()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with reconcile._progress() as tell:
            tell("CDRs: 1,000")
        assert ("CDRs: 1,000" in stream.getvalue()) is says


def test_it_counts_as_it_reads(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "_TICK", 2)
    said: list[str] = []
    sources = reconciling.Sources(cdr=(REAL / "Master.csv",))
    work = reconciling.Reconciliation(site / "store", sources, View(NOW_S * 1000), said.append)
    assert [finding.channel for finding in work.findings()] == [UNTOLD]
    assert said == ["CDRs: 2", "CDRs: 4", "CDRs: 6", "calls: 2", "calls: 4"]
