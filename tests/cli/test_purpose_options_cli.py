"""Uses that are refused, or permitted by a ground, many at once, or only to be heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from app.evidence_site import EvidenceSite
from app.released_site import IDENTITY, WAV, WHY, Site, served
from asterisk_compliance.age import new_identity
from asterisk_compliance.app.access.permission import UseRefused
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.errors import ComplianceError, StoreLocked, StoreUnavailable
from asterisk_compliance.ids import call_id, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.recordings.vault import vault_path

UNKNOWN = recording_id(call_id(1, bytes(8)), 1)
TRAINING = ("--purpose", "TRAINING", "--reason", "COACHING")
LAWFUL = (*TRAINING, "--ground", "JP_LAW", "--reference", "R8-123")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def names(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


# -- refused, and permitted ------------------------------------------------------------------------


def test_what_was_not_told_is_refused_and_with_a_ground_it_is_not(site: Site) -> None:
    out = site.home / "out.wav"
    key = ("--identity", str(site.key))
    refused = site.run("release", site.sealed, *TRAINING, "--out", str(out), *key)
    assert isinstance(refused.exception, UseRefused)
    assert refused.exception.exit_code == 1
    assert str(refused.exception).startswith("NOT_TOLD: ")
    assert refused.exception.hint.startswith("told was QUALITY, SERVICE;")
    assert not out.exists()
    assert site.rows("recording_released") == []
    permitted = site.run("release", site.sealed, *LAWFUL, "--out", str(out), *key)
    assert permitted.exit_code == 0, permitted.output
    assert out.read_bytes().startswith(WAV)
    (row,) = site.details("recording_released")
    assert (row["purpose"], row["ground"], row["told"]) == ("TRAINING", "JP_LAW", False)
    (no,) = site.details("use_refused")
    assert (no["purpose"], no["refusal"], no["reason"]) == ("TRAINING", "NOT_TOLD", "COACHING")


async def test_the_service_refuses_with_the_row_and_the_same_words(site: Site) -> None:
    out = site.home / "out.wav.age"
    async with served(site):
        refused = await asyncio.to_thread(
            site.run, "release", site.sealed, *TRAINING, "--out", str(out)
        )
        permitted = await asyncio.to_thread(
            site.run, "release", site.sealed, *LAWFUL, "--out", str(out)
        )
    assert isinstance(refused.exception, ComplianceError)
    assert str(refused.exception).startswith("NOT_TOLD: ")
    assert (refused.exception.exit_code, permitted.exit_code) == (1, 0)
    assert [row["detail"]["refusal"] for row in site.rows("use_refused")] == ["NOT_TOLD"]
    assert [row["detail"]["ground"] for row in site.rows("recording_released")] == ["JP_LAW"]


def test_a_reference_need_not_stand_in_a_list_of_processes(site: Site) -> None:
    words = (*TRAINING, "--ground", "JP_CONSENT", "--reference", "-")
    result = site.run(
        "release", site.sealed, *words, "--out", str(site.home / "out"), input="form 7, Yamada\n"
    )
    assert result.exit_code == 0, result.output
    (row,) = site.rows("recording_released")
    assert "commit.reference" in row["detail"]
    assert "Yamada" not in json.dumps(row)
    with StoreReader(site.store) as reader:
        sql = "SELECT value FROM party_values WHERE field = 'reference'"
        assert reader.connection.execute(sql).fetchall() == [("form 7, Yamada",)]


def test_one_thing_at_a_time_is_read_from_standard_input(site: Site) -> None:
    out = ("--out", str(site.home / "out"))
    both = ("--ground", "JP_LAW", "--reference", "-", "--identity", "-")
    for words in ((site.sealed, *TRAINING, *both), ("-", *WHY, "--identity", "-")):
        result = site.run("release", *words, *out, input="x")
        assert result.exit_code == 2
        assert "only one of them" in result.stderr
    assert site.rows("recording_released") == []


@pytest.mark.parametrize("action", ["LISTEN", "ANSWER", "HEAR", "DRILL", "EVIDENCE", "PAST_CALLS"])
def test_a_copy_is_not_what_other_actions_are(site: Site, action: str) -> None:
    result = site.release(site.sealed, site.home / "out", "--action", action)
    assert result.exit_code == 2
    assert "not one of 'EXPORT', 'TRANSCRIBE', 'HAND_OVER'" in result.stderr


def test_handing_over_needs_its_provision(site: Site) -> None:
    out = ("--out", str(site.home / "out"))
    over = ("--purpose", "QUALITY", "--reason", "PROVISION", "--action", "HAND_OVER")
    call = "c-" + site.sealed[2:30]
    refused = site.run("release", site.sealed, *over, *out)
    assert str(refused.exception).startswith("NO_PROVISION")
    said = {
        "abroad": "",
        "country": "JP",
        "day": "2026-11-24",
        "ground": "LAW",
        "items": ("RECORDING",),
        "keep_until": "2029-11-24",
        "made": "2026-11-24",
        "needs_record": False,
        "recipient": "y-" + "0" * 28 + "-1",
    }
    number = str(site.tell(call, (Kind.PROVISION_RECORDED, said)))
    given = site.run("release", site.sealed, *over, "--provision", number, *out)
    assert given.exit_code == 0, given.exception
    assert site.details("recording_released")[0]["provision"] == int(number)


def test_what_is_there_is_seen_before_a_row_says_that_it_was_handed_out(site: Site) -> None:
    precious = site.home / "precious"
    precious.write_text("precious")
    for out in (precious, site.home / "nowhere/out"):
        assert site.release(site.sealed, out).exit_code == 2
    assert site.rows("recording_released") == []


# -- to be heard -----------------------------------------------------------------------------------


def test_a_recording_is_heard_without_a_file(site: Site) -> None:
    before = {path for path in site.home.rglob("*") if path.is_file()}
    heard = site.run("listen", site.sealed, *WHY, "--identity", str(site.key))
    assert heard.exit_code == 0, heard.output
    assert heard.stdout_bytes.startswith(WAV)
    plain = site.run("listen", site.plain, *WHY)
    assert plain.stdout_bytes.startswith(WAV)
    assert [row["action"] for row in site.details("recording_released")] == ["LISTEN"] * 2
    after = {path for path in site.home.rglob("*") if path.is_file()}
    assert not [path for path in after - before if "store" not in path.parts]


def test_nothing_is_heard_of_what_cannot_be_opened_or_was_exchanged(site: Site) -> None:
    assert "--identity" in str(site.run("listen", site.sealed, *WHY).exception)
    other = site.home / "other.key"
    other.write_text(new_identity()[0])
    wrong = site.run("listen", site.sealed, *WHY, "--identity", str(other))
    assert "no identity in the file opens it" in str(wrong.exception)
    vault_path(site.vault, site.plain, sealed=False).write_bytes(b"other words")
    exchanged = site.run("listen", site.plain, *WHY)
    assert "not what the log says" in str(exchanged.exception)
    assert (wrong.stdout_bytes, exchanged.stdout_bytes) == (b"", b"")


async def test_what_cannot_be_opened_here_was_not_handed_out(site: Site) -> None:
    """Whoever forgets his key is told before a row says that he got it."""
    for name in ("alone", "by the service"):
        async with served(site) if name == "by the service" else contextlib.nullcontext():
            listen = await asyncio.to_thread(site.run, "listen", site.sealed, *WHY)
        assert "--identity" in str(listen.exception), name
    assert site.rows("recording_released") == []


def test_a_terminal_is_no_player(site: Site) -> None:
    ours, theirs = pty.openpty()
    words = ["recordings", "listen", site.plain, *WHY, "-c", str(site.config)]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "asterisk_compliance", *words],
            check=False,
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "player" in done.stderr
    assert site.rows("recording_released") == []


# -- many ------------------------------------------------------------------------------------------


def test_many_are_judged_and_rowed_one_by_one(site: Site) -> None:
    out = site.home / "copies"
    untold = site.recorded(4, told=("TRAINING",))
    (site.home / "x.wav").write_text("no place to look at")
    asked = [site.sealed, untold, site.gone, site.plain, "../x", UNKNOWN]
    result = site.run("release", *asked, site.sealed, *WHY, "--out", str(out), "--json")
    assert result.exit_code == 1
    *each, summary = lines(result)
    assert [one["name"] for one in each] == asked, "each once"
    assert [one.get("refusal") for one in each] == [None, "NOT_TOLD", "", None, "", ""]
    assert summary == {"summary": {"asked": 6, "done": 2, "refused": 1, "failed": 3}}
    assert names(out) == {f"{site.sealed}.wav.age", f"{site.plain}.wav"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    released = site.rows("recording_released")
    assert [row["detail"]["recording"] for row in released] == [site.sealed, site.plain]
    assert [one["seq"] for one in each if "seq" in one] == [row["seq"] for row in released]
    assert [row["recording"] for row in site.details("use_refused")] == [untold]
    assert f"error: {untold}: NOT_TOLD" in result.stderr
    assert "error: ../x: this is no id of a recording" in result.stderr


def test_many_from_standard_input_opened(site: Site) -> None:
    out = site.home / "copies"
    out.mkdir()
    result = site.run(
        *("release", "-", *WHY, "--out", str(out), "--identity", str(site.key)),
        input=f"{site.sealed}\n{site.plain}\n",
    )
    assert result.exit_code == 0, result.output
    assert names(out) == {f"{site.sealed}.wav", f"{site.plain}.wav"}
    assert all(file.read_bytes().startswith(WAV) for file in out.iterdir())
    seqs = [row["seq"] for row in site.rows("recording_released")]
    assert result.stdout.splitlines() == [f"{seqs[0]} {site.sealed}", f"{seqs[1]} {site.plain}"]
    assert result.stderr == "2 asked, 2 done, 0 refused, 0 failed\n"
    again = site.run("release", "-", *WHY, "--out", str(out), input=site.plain)
    assert again.exit_code == 1, "it is there already"
    assert len(site.rows("recording_released")) == 2


def test_one_goes_into_a_directory_by_its_own_name(site: Site) -> None:
    out = site.home / "copies"
    out.mkdir()
    assert site.release(site.plain, out).exit_code == 0
    assert names(out) == {f"{site.plain}.wav"}


def test_a_dash_stands_alone(site: Site) -> None:
    result = site.run("release", site.plain, "-", *WHY, "--out", str(site.home / "copies"))
    assert result.exit_code == 2


def test_where_no_row_can_be_written_nobody_goes_on(site: Site) -> None:
    out = site.home / "copies"
    with StoreWriter.open(site.store):
        result = site.run("release", site.sealed, site.plain, *WHY, "--out", str(out), "--json")
    assert isinstance(result.exception, StoreLocked)
    assert lines(result) == []
    assert names(out) == set()


def test_where_no_file_can_be_written_nobody_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that is handed out has its row: a full disk must not make thousands."""
    from asterisk_compliance.cli.access import release as releasing

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(releasing, "write_to", full)
    out = site.home / "copies"
    result = site.run("release", site.sealed, site.plain, *WHY, "--out", str(out))
    assert isinstance(result.exception, StoreUnavailable)
    assert len(site.rows("recording_released")) == 1
    assert names(out) == set()


async def test_what_is_missing_in_the_vault_stops_nothing(site: Site) -> None:
    vault_path(site.vault, site.sealed, sealed=True).unlink()
    for name in ("alone", "by the service"):
        out = site.home / name
        words = ("release", site.sealed, site.plain, *WHY, "--out", str(out), "--json")
        async with served(site) if name == "by the service" else contextlib.nullcontext():
            result = await asyncio.to_thread(site.run, *words)
        assert result.exit_code == 1
        assert lines(result)[-1]["summary"]["failed"] == 1
        assert names(out) == {f"{site.plain}.wav"}


async def test_where_the_service_can_write_no_row_nobody_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[Kind] = []

    def refuse(_: object, *drafts: Draft, **__: object) -> None:
        refused.extend(draft.kind for draft in drafts)
        raise StoreUnavailable("rows could not be made durable")

    out = site.home / "copies"
    words = ("release", site.sealed, site.plain, *WHY, "--out", str(out), "--json")
    async with served(site):
        with monkeypatch.context() as patch:
            patch.setattr(MeteredLog, "append", refuse)
            result = await asyncio.to_thread(site.run, *words)
    assert isinstance(result.exception, ComplianceError)
    assert result.exception.exit_code == 3
    assert refused.count(Kind.RECORDING_RELEASED) == 1
    assert lines(result) == []


def test_where_nobody_may_write_is_seen_before_a_row_says_that_it_was_handed_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write everywhere, and the tests run as root."""
    ours = site.home / "ours"
    ours.mkdir()
    may = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: not (path == ours and mode & os.W_OK) and may(path, mode)
    )
    assert site.release(site.sealed, ours / "out.wav.age").exit_code == 2
    assert site.release(site.sealed, ours).exit_code == 1
    assert site.rows("recording_released") == []


async def test_many_through_the_service(site: Site) -> None:
    out = site.home / "copies"
    untold = site.recorded(4, told=("TRAINING",))
    asked = [site.sealed, untold, site.plain]
    async with served(site):
        result = await asyncio.to_thread(
            site.run, "release", *asked, *WHY, "--out", str(out), "--json"
        )
    assert result.exit_code == 1
    assert lines(result)[-1] == {"summary": {"asked": 3, "done": 2, "refused": 1, "failed": 0}}
    assert names(out) == {f"{site.sealed}.wav.age", f"{site.plain}.wav"}


def test_many_bundles_of_evidence(tmp_path: Path) -> None:
    site = EvidenceSite(tmp_path)
    recorded, unrecorded, stopped = (
        site.recorded_call(1),
        site.unrecorded_call(2),
        site.recorded_call(3),
    )
    site.tell(stopped, (Kind.USE_STOPPED, {"request": "q-1", "purposes": ()}))
    out = tmp_path / "bundles"
    words = (recorded, unrecorded, stopped, "c-1", "--out", out, *WHY, "--json")
    result = site.run("evidence", "export", *words)
    assert result.exit_code == 1
    *each, summary = lines(result)
    assert [one.get("refusal") for one in each] == [None, None, "STOPPED", ""]
    assert summary == {"summary": {"asked": 4, "done": 2, "refused": 1, "failed": 1}}
    assert names(out) == {f"{recorded}.zip", f"{unrecorded}.zip"}
    assert len(site.rows("evidence_exported")) == 2
    one = ("--recording", f"r-{recorded[2:]}-1")
    assert site.run("evidence", "export", *words, *one).exit_code == 2


def test_a_bundle_needs_what_a_recording_needs(tmp_path: Path) -> None:
    site = EvidenceSite(tmp_path)
    call, out = site.recorded_call(1), tmp_path / "evidence.zip"
    refused = site.run("evidence", "export", call, "--out", out, *TRAINING)
    assert str(refused.exception).startswith("NOT_TOLD")
    assert not out.exists()
    assert site.rows("evidence_exported") == []
    assert [row["detail"]["action"] for row in site.rows("use_refused")] == ["EVIDENCE"]
    permitted = site.run("evidence", "export", call, "--out", out, *LAWFUL)
    assert permitted.exit_code == 0, permitted.exception
    (row,) = site.rows("evidence_exported")
    assert (row["detail"]["ground"], row["detail"]["reason"]) == ("JP_LAW", "COACHING")


# -- roles -----------------------------------------------------------------------------------------


async def test_the_kernel_says_who_asks_and_a_role_what_he_may(site: Site) -> None:
    site.configured(
        '[[role]]\nname = "others"\nusers = ["nobody"]\n'
        'purposes = ["QUALITY", "DRILL"]\nactions = ["EXPORT", "DRILL"]'
    )
    key = ("--identity", str(site.key))
    async with served(site):
        result = await asyncio.to_thread(site.release, site.sealed, site.home / "out")
        drill = await asyncio.to_thread(site.run, "drill", *key)
    assert str(result.exception).startswith("NOT_IN_ROLE")
    assert str(drill.exception).startswith("NOT_IN_ROLE")
    assert site.rows("recording_released") == []
    assert {row["refusal"] for row in site.details("use_refused")} == {"NOT_IN_ROLE"}
    assert IDENTITY not in json.dumps(site.rows("use_refused"))
