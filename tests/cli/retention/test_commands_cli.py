"""What the retention and holds commands print, and with which exit code they end."""

from __future__ import annotations

import asyncio
import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.app.install.places import InstallPaths
from asterisk_compliance.app.install.wanted import units
from asterisk_compliance.app.retention.disposal import DisposalRun
from asterisk_compliance.app.retention.run import RetentionService
from asterisk_compliance.app.shared.control_socket import ControlSocket
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.cli.main import app
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.ids import RecordingId, call_of
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from retained import a_call_at, keep, rows_of
from sample_settings import settings

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"

[[asterisk]]
node = "pbx1"
spool = "{home}/spool"
sounds = "/sounds"
ari = {{ user = "compliance", secret_env = "NONE" }}

[[notice]]
id = "standard"
version = "1"
purposes = ["QUALITY"]
wording.ja.prompt = "notice-standard"

[[policy]]
name = "inbound"
notice = "standard"
languages = ["ja"]

[rules]
home = "JP"
time_zone = "Asia/Tokyo"

[audit]
store = "{home}/store"

[vault]
recordings = "{home}/vault"
encryption = "off"

[service]
socket = "{home}/control.sock"

[retention]
release_by_second = {second}
"""


def ago(days: int) -> str:
    began = datetime.now(UTC).replace(hour=1, minute=0, second=0, microsecond=0)
    return (began - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "compliance.toml").write_text(CONFIG.format(home=tmp_path, second="false"))
    return tmp_path


@pytest.fixture
def old(home: Path) -> RecordingId:
    """Due for weeks; beside it is one that nothing makes due, and one for years."""
    keep(home, ago(50), ("QUALITY",), number=2)
    keep(home, ago(50), ("QUALITY=9 years",), number=3)
    return keep(home, ago(50), ("QUALITY=10 days",))


def run(home: Path, *arguments: str, code: int = 0, said: str = "") -> Result:
    config = ("--config", str(home / "compliance.toml"))
    result = CliRunner().invoke(app, [*arguments, *config], input=said)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def kinds(home: Path) -> list[str]:
    with StoreReader(home / "store") as reader:
        return [decode(stored.data).kind for stored in reader.rows()]


def test_a_plan_says_what_is_due_and_why_and_that_it_is_overdue(home, old):
    before = kinds(home)
    result = run(home, "retention", "plan", code=1)
    assert old in result.stdout
    assert "NOT_NEEDED" in result.stdout
    assert "10 days" in result.stdout
    assert "3 recordings: 1 due (1 overdue), 0 held, 1 without any period" in result.stderr
    assert kinds(home) == before, "a plan writes nothing"


def test_persons_whose_time_is_over_are_planned_and_erased(home):
    keep(home, ago(50), ("QUALITY=10 days",), number=4)
    assert json.loads(run(home, "retention", "run", "--yes", "--json").stdout)["disposed"] == 1
    config = home / "compliance.toml"
    late = ("--at", "2090-01-01")
    assert json.loads(run(home, "retention", "plan", *late, "--json").stdout)["persons"] == []
    config.write_text(config.read_text() + 'erase_persons = "0 days"\n')
    (one,) = json.loads(run(home, "retention", "plan", *late, "--json").stdout)["persons"]
    assert one["party"] == f"y-{one['call'][2:]}-1"
    assert "1 persons due" in run(home, "retention", "plan", *late).stderr
    call = a_call_at(ago(50), 5)
    with StoreWriter.open(home / "store") as store:
        store.commit(rows_of(call, ago(50))[:1])
    assert "erased 1 persons" in run(home, "retention", "run", "--yes").stdout
    assert kinds(home)[-2:] == ["retention_run", "person_erased"]


def test_a_plan_of_another_time(home, old):
    earlier = run(home, "retention", "plan", "--at", ago(45), "--json")
    assert json.loads(earlier.stdout)["due"] == []
    later = run(home, "retention", "plan", "--at", "2090-01-01", "--json", code=1)
    assert len(json.loads(later.stdout)["due"]) == 2
    assert json.loads(later.stdout)["summary"]["at"] == "2089-12-31T15:00:00.000Z"


def test_a_dry_run_is_a_plan(home, old):
    result = run(home, "retention", "run", "--dry-run", "--json")
    assert [one["recording"] for one in json.loads(result.stdout)["due"]] == [old]
    assert (home / "vault" / f"{old}.wav").exists()
    assert "retention_run" not in kinds(home)


def test_nobody_is_asked_where_nobody_sits(home, old):
    result = run(home, "retention", "run", code=2)
    assert "hint: look at it with --dry-run, then say --yes" in result.stderr
    assert (home / "vault" / f"{old}.wav").exists()


def test_a_run_disposes_of_what_is_due(home, old):
    result = run(home, "retention", "run", "--yes")
    assert result.stdout == "disposed of 1 recordings; 0 failed\n"
    assert len(list((home / "vault").iterdir())) == 2
    assert kinds(home)[-3:] == ["retention_run", "disposal_begun", "recording_disposed"]
    again = run(home, "retention", "run", "--yes", "--json")
    assert json.loads(again.stdout) == {
        "disposed": 0,
        "failed": 0,
        "gone": 0,
        "erased": 0,
        "held": 0,
        "left": 0,
    }
    run(home, "retention", "plan")


def test_a_run_that_could_not_remove_something_ends_with_1(home, old, monkeypatch):
    monkeypatch.setattr(Path, "unlink", lambda path, *, missing_ok=False: None)
    result = run(home, "retention", "run", "--yes", code=1)
    assert "error: some files could not be removed" in result.stderr


async def test_through_the_service_a_long_plan_is_waited_for(home, old, monkeypatch):
    """The socket answers within seconds; a plan of a million recordings does not."""
    asked, begin = threading.Event(), DisposalRun.begin

    def slow(*of: Any) -> DisposalRun:
        assert asked.wait(30)
        return begin(*of)

    def said(text: str) -> None:
        heard.append(text)
        asked.set()

    heard: list[str] = []
    monkeypatch.setattr(DisposalRun, "begin", slow)
    monkeypatch.setattr("asterisk_compliance.app.retention.run.PLAN_S", 0.01)
    monkeypatch.setattr("asterisk_compliance.cli.retention.commands.say", said)
    settings = load(home / "compliance.toml", secrets=False)
    rows = await AuditLogStore.open(settings.audit.store)
    verbs = RetentionService(rows, lambda: settings, Metrics()).verbs()
    serving = asyncio.create_task(ControlSocket(settings.service.socket, verbs).run())
    try:
        async with asyncio.timeout(10):
            while not settings.service.socket.exists():  # noqa: ASYNC110 - of a socket
                await asyncio.sleep(0.01)
        result = await asyncio.to_thread(run, home, "retention", "run", "--yes")
    finally:
        serving.cancel()
        await asyncio.wait({serving})
        await rows.close()
    assert heard[0] == "planning"
    assert result.stdout == "disposed of 1 recordings; 0 failed\n"
    assert kinds(home).count("retention_run") == 1
    assert not (home / "vault" / f"{old}.wav").exists()


def test_a_table_is_not_endless(home, monkeypatch):
    monkeypatch.setattr("asterisk_compliance.cli.retention.commands.SHOWN", 2)
    for number in range(5):
        keep(home, ago(50), ("QUALITY=10 days",), number=number)
    result = run(home, "retention", "plan", code=1)
    assert result.stdout.count("r-") == 2
    assert "3 more" in result.stderr


def test_the_unit_for_systemd_says_what_there_is(home, old):
    unit = units(settings(), "asterisk", InstallPaths())["asterisk-compliance-retention.service"]
    (line,) = [one for one in unit.splitlines() if one.startswith("ExecStart=")]
    program, *words = line.removeprefix("ExecStart=").split()
    assert Path(program).name == "asterisk-compliance"
    assert words[-2:] == ["-c", "/etc/asterisk-compliance/compliance.toml"]
    assert run(home, *words[:-2]).stdout.startswith("disposed of 1")


# -- holds --------------------------------------------------------------------------------------


def holds(home: Path, *options: str) -> Any:
    return json.loads(run(home, "holds", "list", "--json", *options).stdout)


def test_a_hold_beats_a_run_until_it_is_released(home, old):
    placed = run(home, "holds", "place", "CASE-2026-17", "--call", call_of(old))
    assert placed.stdout.endswith(": 1 call\n")
    assert run(home, "retention", "run", "--yes").stdout.startswith("disposed of 0")
    found = json.loads(run(home, "retention", "plan", "--json").stdout)
    assert [one["held_by"] for one in found["held"]] == [["CASE-2026-17"]]
    assert run(home, "holds", "release", "CASE-2026-17").stdout == "released 1\n"
    assert run(home, "retention", "run", "--yes").stdout.startswith("disposed of 1")


def test_a_number_can_be_read_from_standard_input(home, old):
    run(home, "holds", "place", "CASE-2026-17", "--number", "-", said="03-1234-5678\n")
    (one,) = holds(home)
    assert (one["numbered"], one["calls"]) == (True, 3)
    assert "a number" in run(home, "holds", "list").stdout


def test_times_are_understood_as_everywhere(home, old):
    placed = run(home, "holds", "place", "CASE-2026-17", "--since", "52d", "--until", "2090-01-01")
    assert placed.stdout.endswith(": 3 calls today, and those to come\n")
    over = run(home, "holds", "place", "CASE-2026-18", "--until", "1d")
    assert over.stdout.endswith(": 3 calls\n"), "no call will ever have begun before yesterday"
    run(home, "holds", "release", "CASE-2026-18")
    (one,) = holds(home)
    assert (one["calls"], one["until"]) == (3, "2089-12-31T15:00:00.000Z"), "of the site in Tokyo"


def test_released_holds_are_shown_on_request(home, old):
    run(home, "holds", "place", "CASE-2026-17", "--queue", "sales")
    answer = run(home, "holds", "release", "CASE-2026-17", "--json")
    assert len(json.loads(answer.stdout)["released"]) == 1
    assert holds(home) == []
    assert len(holds(home, "--all")) == 1


def test_what_is_not_held_and_what_needs_another_person(home, old):
    assert run(home, "holds", "release", "CASE-2026-17", code=1).exception
    run(home, "holds", "place", "CASE-2026-17", "--call", call_of(old), "--json")
    (home / "compliance.toml").write_text(CONFIG.format(home=home, second="true"))
    assert "you placed this hold" in str(
        run(home, "holds", "release", "CASE-2026-17", code=1).exception
    )
    assert len(holds(home)) == 1


@pytest.mark.parametrize("command", [["retention", "run", "--yes"], ["holds", "release", "C-1"]])
def test_where_somebody_else_owns_the_store_nothing_happens(home, old, command):
    with StoreWriter.open(home / "store"):
        result = run(home, *command, code=1)
    assert "in use by" in str(result.exception)
    assert (home / "vault" / f"{old}.wav").exists()
