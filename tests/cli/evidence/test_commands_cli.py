"""Evidence is exported and verified by commands: with the service running, and without."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.evidence_site import RECIPIENT, EvidenceSite
from app.serving import Serving
from asterisk_compliance.age import encrypt, new_identity
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import RecordingId, call_id
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.vault import vault_path


@pytest.fixture
def site(tmp_path: Path) -> EvidenceSite:
    return EvidenceSite(tmp_path)


def check(*words: object) -> Result:
    return CliRunner().invoke(app, ["evidence", "verify", *map(str, words)])


def test_through_the_service_and_its_rows_come_first(site: EvidenceSite) -> None:
    call = site.recorded_call(1)
    out = site.home / "evidence.zip"

    async def exported() -> Result:
        async with Serving(site.config).running():
            async with asyncio.timeout(10):
                while not (site.home / "run/control.sock").exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            return await asyncio.to_thread(site.export, call, out, "--json")

    said = asyncio.run(exported())
    assert said.exit_code == 0, said.output
    told = json.loads(said.stdout.splitlines()[-1])  # the service, in this process, may talk too
    (released,), (row,) = site.rows("recording_released"), site.rows("evidence_exported")
    assert released["seq"] < row["seq"] == told["seq"]
    assert (row["call"], row["detail"]["purpose"]) == (call, "QUALITY")
    assert row["detail"]["manifest"] == told["manifest"]
    assert row["detail"]["role"] == "staff"
    assert "commit.user" in row["detail"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert out.stat().st_size == told["bytes"]
    assert check(out, "--key", told["key"]).exit_code == 0


def test_the_service_itself_refuses_what_it_must_not_write(site: EvidenceSite) -> None:
    call = site.recorded_call(1)
    right = {"call": call, "purpose": "QUALITY", "reason": "CLAIM", "manifest": "ab" * 32}
    wrong = [
        {"purpose": "NOSUCH"},
        {"reason": ""},
        {"reason": "because I want to"},
        {"manifest": "ab"},
        {"manifest": "AB" * 32},
        {"call": "c-" + "0" * 28},
        {"call": ""},
    ]
    socket = site.home / "run/control.sock"

    async def asked() -> None:
        async with Serving(site.config).running():
            async with asyncio.timeout(10):
                while not socket.exists():  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            for one in wrong:
                with pytest.raises(ComplianceError):
                    await asyncio.to_thread(ask, socket, "evidence", right | one)
            assert await asyncio.to_thread(ask, socket, "evidence", right)

    asyncio.run(asked())
    assert [row["detail"]["manifest"] for row in site.rows("evidence_exported")] == ["ab" * 32]


def test_without_the_service_the_lock_is_taken(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    with StoreWriter.open(site.store):
        held = site.export(call, out)
    assert held.exit_code != 0
    assert not out.exists()
    assert site.rows("evidence_exported") == []
    assert site.export(call, out).exit_code == 0


def test_verify_says_the_same_as_json_and_by_its_status(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    assert site.export(call, out).exit_code == 0
    key = site.home / "log.pub"
    key.write_text(site.key + "\n")
    whole = json.loads(check(out, "--key", key, "--json").stdout)
    assert (whole["verdict"], whole["origin_proven"], whole["wrong"]) == ("VERIFIED", True, [])
    assert whole["call"] == call
    assert whole["origin"] in site.key
    without = check(out)
    assert without.exit_code == 0
    assert without.stdout.splitlines()[-1].endswith("CONSISTENT, origin not proven")
    data = out.read_bytes()
    at = data.index(b'"kind":"notice_completed"')
    out.write_bytes(data[:at] + data[at:].replace(b"notice_completed", b"notice_incomplet", 1))
    broken = check(out, "--key", key, "--json")
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["verdict"] == "NOT VERIFIED"
    assert "rows.jsonl" in json.loads(broken.stdout)["wrong"][0]["what"]
    assert check(site.home / "nothing.zip").exit_code == 2


def test_what_is_refused_leaves_no_file_and_no_row(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    living = call_id(7, bytes(8))
    site.tell(living, (Kind.CALL_ARRIVED, {"policy": "inbound"}))
    why = ("--purpose", "NOSUCH", "--reason", "CLAIM")
    purpose = site.run("evidence", "export", call, "--out", out, *why)
    assert "no such purpose" in str(purpose.exception)
    for wrong, why in (
        (living, "not over"),
        (call_id(8, bytes(8)), "no row"),
        ("../x", "no id of a call"),
    ):
        assert why in str(site.export(wrong, out).exception)
    other = site.export(call, out, "--recording", "r-" + living[2:] + "-1")
    assert "no recording of this call" in str(other.exception)
    assert not out.exists()
    assert site.rows("recording_released") == []
    out.write_text("precious")
    assert site.export(call, out).exit_code == 2
    assert out.read_text() == "precious"
    assert site.rows("recording_released") == []
    assert site.rows("evidence_exported") == []


def test_a_key_that_does_not_open_leaves_no_file(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    site.key_file.write_text(new_identity()[0])
    refused = site.export(call, out)
    assert "no identity in the file opens it" in str(refused.exception)
    assert not out.exists()
    assert len(site.rows("recording_released")) == 1, "it was handed out, and the log says so"
    assert site.rows("evidence_exported") == []


def test_what_was_exchanged_in_the_vault_is_not_handed_on(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    with vault_path(site.vault, RecordingId(f"r-{call[2:]}-1"), sealed=True).open("wb") as file:
        encrypt([b"other words"], file, [RECIPIENT])
    for opened in (True, False):
        refused = site.export(call, out, opened=opened)
        assert "not what the log says" in str(refused.exception)
        assert not out.exists()


def test_one_of_several_recordings_and_what_was_not_asked_for(site: EvidenceSite) -> None:
    call, out = site.recorded_call(1), site.home / "evidence.zip"
    second = f"r-{call[2:]}-2"
    site.tell(
        call,
        (Kind.RECORDING_REQUESTED, {"recording": second, "others": True, "capture": "bridged"}),
        (Kind.RECORDING_CLOSED, {"recording": second, "sha256": "ab" * 32, "whole": True}),
    )
    made = site.export(call, out, "--recording", f"r-{call[2:]}-1")
    assert made.exit_code == 0, made.exception
    assert "ORDER" in made.stderr, "here the clock goes back"
    said = json.loads(check(out, "--json").stdout)["not_shown"]
    assert any("it was not asked for" in text and second in text for text in said)
