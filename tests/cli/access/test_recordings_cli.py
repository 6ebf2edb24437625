"""Recordings are listed, shown, released and drilled: with the service running, and without."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.released_site import IDENTITY, RECIPIENT, WAV, WHY, Site, served
from asterisk_compliance.age import new_identity
from asterisk_compliance.app.access.release import NoSuchRecording
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import ComplianceError, StoreLocked, StoreUnavailable
from asterisk_compliance.ids import call_id, recording_id
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.vault import vault_path


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


# -- what is there -----------------------------------------------------------------------------


def test_the_list_says_what_is_sealed_and_what_is_not(site: Site) -> None:
    found = [json.loads(line) for line in site.run("list", "--json").stdout.splitlines()]
    assert [(one["recording"], one["level"]) for one in found] == [
        (site.gone, "removed"),
        (site.plain, "closed"),
        (site.sealed, "sealed"),
    ]
    size = vault_path(site.vault, site.sealed, sealed=True).stat().st_size
    assert found[2]["sealed_bytes"] == size
    (line,) = site.run("list", "--json", "--level", "sealed").stdout.splitlines()
    assert json.loads(line)["recording"] == site.sealed
    assert site.sealed in site.run("list").stdout


def test_one_is_shown_with_its_rows(site: Site) -> None:
    shown = json.loads(site.run("show", site.sealed, "--json").stdout)
    assert shown["level"] == "sealed"
    assert [row["kind"] for row in shown["rows"]] == [
        "recording_requested",
        "recording_closed",
        "recording_sealed",
    ]
    assert "recording_sealed" in site.run("show", site.sealed).stdout


def test_one_says_what_it_may_be_used_for(site: Site) -> None:
    """Of somebody whom a policy took in, the configuration says whether he was told."""
    assert json.loads(site.run("show", site.gone, "--json").stdout)["told"] == [
        "QUALITY",
        "SERVICE",
    ]
    assert "QUALITY SERVICE" in site.run("show", site.sealed).stdout
    both = site.recorded(4, ("QUALITY",))
    here = {"channel": "9.1", "cover": "accepted", "party": "y-1"}
    site.tell("c-" + both[2:30], (Kind.PARTY_JOINED, here))
    assert json.loads(site.run("show", both, "--json").stdout)["told"] == []
    assert "nothing to all" in site.run("show", both).stdout
    site.configured('[use]\naccepted = "covered"')
    assert json.loads(site.run("show", both, "--json").stdout)["told"] == ["QUALITY"]
    line = ["recordings", "show", both, "--json", "--store", str(site.store)]
    assert json.loads(CliRunner().invoke(app, line).stdout)["told"] == []


def test_one_that_nobody_knows(site: Site) -> None:
    unknown = recording_id(call_id(1, bytes(8)), 1)
    assert site.run("show", unknown).exit_code == 1
    assert site.run("show", "../../etc/passwd").exit_code == 2


# -- release -----------------------------------------------------------------------------------


def test_sealed_bytes_are_released_behind_their_row(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out.wav.age"
    result = site.release(site.sealed, out)
    assert result.exit_code == 0, result.output
    (row,) = site.rows("recording_released")
    assert result.stdout.split() == [str(row["seq"])]
    assert out.read_bytes() == vault_path(site.vault, site.sealed, sealed=True).read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    (sealed,) = site.details("recording_sealed")[:1]
    assert site.details("recording_released")[0] == {
        "action": "EXPORT",
        "allowed_by": "",
        "ground": "",
        "provision": None,
        "purpose": "QUALITY",
        "reason": "REVIEW",
        "recording": site.sealed,
        "request": "",
        "sealed": True,
        "sha256": sealed["sha256"],
        "told": True,
    }
    assert row["actor"].startswith("y-")
    age = subprocess.run(["age", "-d", "-i", site.key, out], capture_output=True, check=True)
    assert age.stdout.startswith(WAV)


def test_whoever_has_the_key_can_open_it_at_once(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert site.release(site.sealed, out, "--identity", str(site.key)).exit_code == 0
    assert out.read_bytes().startswith(WAV)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    again = tmp_path / "again.wav"
    given = site.run(
        *("release", site.sealed, *WHY, "--out", str(again), "--identity", "-"),
        input=IDENTITY,
    )
    assert given.exit_code == 0
    assert again.read_bytes() == out.read_bytes()


def test_what_was_not_encrypted_is_released_as_it_is(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert site.release(site.plain, out).exit_code == 0
    assert out.read_bytes().startswith(WAV)
    assert site.details("recording_released")[0]["sealed"] is False


def test_the_wrong_key_leaves_no_file_and_the_row_stands(site: Site, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.key"
    wrong.write_text(new_identity()[0])
    out = tmp_path / "out.wav"
    result = site.release(site.sealed, out, "--identity", str(wrong))
    assert isinstance(result.exception, ComplianceError)
    assert "no identity in the file opens it" in str(result.exception)
    assert not out.exists()
    assert len(site.rows("recording_released")) == 1


def test_what_was_changed_in_the_vault_is_not_handed_on(site: Site, tmp_path: Path) -> None:
    sealed = vault_path(site.vault, site.sealed, sealed=True)
    content = sealed.read_bytes()
    sealed.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for more in ((), ("--identity", str(site.key))):
        out = tmp_path / "out"
        assert isinstance(site.release(site.sealed, out, *more).exception, ComplianceError)
        assert not out.exists()


def test_a_file_is_never_overwritten(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "precious"
    out.write_text("precious")
    assert site.release(site.sealed, out).exit_code == 2
    assert out.read_text() == "precious"


@pytest.mark.parametrize("purpose", ["ADVERTISING", "because I want to", ""])
def test_a_purpose_that_nobody_knows_releases_nothing(
    site: Site, tmp_path: Path, purpose: str
) -> None:
    out = tmp_path / "out"
    why = ("--purpose", purpose, "--reason", "REVIEW")
    result = site.run("release", site.sealed, *why, "--out", str(out))
    assert isinstance(result.exception, ComplianceError)
    assert result.exception.exit_code == 2
    assert not out.exists()
    assert site.rows("recording_released") == []


@pytest.mark.parametrize("which", ["gone", "unknown", "no id"])
def test_what_is_not_kept_is_not_released(site: Site, tmp_path: Path, which: str) -> None:
    unknown = recording_id(call_id(1, bytes(8)), 1)
    names = {"gone": site.gone, "unknown": unknown, "no id": "../x"}
    vault_path(site.vault, site.gone, sealed=True).write_bytes(b"as if it were still there")
    result = site.release(names[which], tmp_path / "out")
    assert isinstance(result.exception, NoSuchRecording)
    assert site.rows("recording_released") == []
    assert not (tmp_path / "out").exists()


def test_what_is_missing_in_the_vault_has_no_row_either(site: Site, tmp_path: Path) -> None:
    vault_path(site.vault, site.sealed, sealed=True).unlink()
    result = site.release(site.sealed, tmp_path / "out")
    assert isinstance(result.exception, StoreUnavailable)
    assert site.rows("recording_released") == []


def test_without_the_row_nothing_is_released(site: Site, tmp_path: Path) -> None:
    with StoreWriter.open(site.store):
        result = site.release(site.sealed, tmp_path / "out")
    assert isinstance(result.exception, StoreLocked)
    assert not (tmp_path / "out").exists()


# -- the drill ---------------------------------------------------------------------------------


def test_a_drill_proves_that_the_key_opens_what_is_sealed(site: Site) -> None:
    files = {path for path in site.home.rglob("*") if path.is_file()}
    result = site.run("drill", "--identity", str(site.key))
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{site.sealed}: opened\n"
    assert site.details("recording_drilled") == [
        {"opened": True, "problem": "", "recording": site.sealed}
    ]
    (released,) = site.details("recording_released")
    assert (released["action"], released["purpose"], released["reason"]) == ("DRILL",) * 3
    after = {path for path in site.home.rglob("*") if path.is_file()}
    assert not [path for path in after - files if "store" not in path.parts], "nothing is written"


def damaged(site: Site) -> None:
    sealed = vault_path(site.vault, site.sealed, sealed=True)
    sealed.write_bytes(sealed.read_bytes()[:-1])


def exchanged(site: Site) -> None:
    """Somebody put another recording there: it opens, and is not what was closed."""
    sealed = vault_path(site.vault, site.sealed, sealed=True)
    age = ["age", "-e", "-r", RECIPIENT, "-o", str(sealed)]
    subprocess.run(age, input=b"another recording", check=True)


def wrong_key(site: Site) -> None:
    site.key.write_text(new_identity()[0])


@pytest.mark.parametrize(
    ("broken", "problem"),
    [(wrong_key, "NO_KEY"), (damaged, "DAMAGED"), (exchanged, "DIFFERS")],
)
def test_a_drill_that_fails_is_a_row_and_status_1(site: Site, broken: Any, problem: str) -> None:
    broken(site)
    result = site.run("drill", "--identity", str(site.key), "--recording", site.sealed)
    assert isinstance(result.exception, ComplianceError)
    assert result.exception.exit_code == 1
    assert "NOT OPENED" in result.stdout
    assert site.details("recording_drilled") == [
        {"opened": False, "problem": problem, "recording": site.sealed}
    ]


def test_there_is_nothing_to_drill_with(site: Site) -> None:
    result = site.run("drill", "--identity", str(site.home / "nothing.key"))
    assert isinstance(result.exception, ComplianceError)
    assert site.rows("recording_drilled") == []


# -- through the service -----------------------------------------------------------------------


async def test_the_service_hands_it_out_and_names_who_asked(site: Site, tmp_path: Path) -> None:
    out, plain = tmp_path / "out.wav.age", tmp_path / "out.wav"
    async with served(site):
        result = await asyncio.to_thread(site.release, site.sealed, out)
        assert result.exit_code == 0, result.output
        key = ("--identity", str(site.key))
        assert (await asyncio.to_thread(site.release, site.sealed, plain, *key)).exit_code == 0
        drill = await asyncio.to_thread(site.run, "drill", *key, "--json")
    assert out.read_bytes() == vault_path(site.vault, site.sealed, sealed=True).read_bytes()
    assert plain.read_bytes().startswith(WAV)
    assert json.loads(drill.stdout)["opened"] is True
    released = site.rows("recording_released")
    assert [row["detail"]["purpose"] for row in released] == ["QUALITY", "QUALITY", "DRILL"]
    assert all(row["actor"].startswith("y-") for row in released)
    assert len(site.rows("recording_drilled")) == 1


async def test_the_service_refuses_as_the_command_does(site: Site, tmp_path: Path) -> None:
    async with served(site):
        result = await asyncio.to_thread(site.release, site.gone, tmp_path / "out")
    assert isinstance(result.exception, ComplianceError)
    assert "not kept: removed" in str(result.exception)
    assert not (tmp_path / "out").exists()


async def test_the_service_hands_out_nothing_without_its_row(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asterisk_compliance.app.audit.metered_log import MeteredLog

    async with served(site):

        def refuse(*_: object) -> None:
            raise StoreUnavailable("rows could not be made durable")

        with monkeypatch.context() as patch:
            patch.setattr(MeteredLog, "append", refuse)
            result = await asyncio.to_thread(site.release, site.sealed, tmp_path / "out")
    assert isinstance(result.exception, ComplianceError)
    assert not (tmp_path / "out").exists()
    assert site.rows("recording_released") == []


# -- init --------------------------------------------------------------------------------------


def init(*words: str) -> Result:
    return CliRunner().invoke(app, ["init", "--keys-only", *words])


def test_the_officer_s_keys_are_made_and_where_the_private_one_belongs_is_said(
    tmp_path: Path,
) -> None:
    key = tmp_path / "officer.key"
    before = os.umask(0)
    try:
        result = init("--identity", str(key))
    finally:
        os.umask(before)
    recipient = result.stdout.strip()
    assert recipient.startswith("age1")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    made = subprocess.run(["age-keygen", "-y", key], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == recipient
    for words in (
        "Take it away from this machine",
        "delete it here",
        "second recipient",
        recipient,
    ):
        assert words in result.stderr
    assert "AGE-SECRET-KEY" not in result.output


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    key = tmp_path / "officer.key"
    key.write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (key, tmp_path / "link", tmp_path / "nowhere/key"):
        assert init("--identity", str(path)).exit_code == 2
    assert key.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()


def test_the_keys_as_json(tmp_path: Path) -> None:
    made = json.loads(init("--identity", str(tmp_path / "key"), "--json").stdout)
    assert set(made) == {"identity", "recipient"}
