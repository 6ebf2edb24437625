"""Exports through the command line: what leaves, what stays where one is refused, which rows."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.evidence_site import BEGAN_MS, WORDS, EvidenceSite
from app.serving import Serving
from asterisk_compliance.age import decrypt
from asterisk_compliance.app.evidence.consent_receipt import NoReceipt
from asterisk_compliance.app.evidence.vcon_rules import broken
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, party_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from values import replace

TABLES = """
[rules]
home = "JP"

[publication]
address.ja = "東京都千代田区1-1"

[export]
storage_country = "JP"
"""
FOR = ("--purpose", "QUALITY", "--reason", "REVIEW")
NUMBER = "+81312345678"


class NamedSite(EvidenceSite):
    """Of its callers number and name are kept."""

    def tell(self, call: CallId, *facts: tuple[Kind, dict[str, Any]]) -> None:
        self.commit(*(_draft(call, step, *fact) for step, fact in enumerate(facts)))


def _draft(call: CallId, step: int, kind: Kind, detail: dict[str, Any]) -> Draft:
    row = Draft(kind, BEGAN_MS + 1_000 * step, NodeName("pbx1"), call, detail=detail)
    if kind is not Kind.CALL_ARRIVED:
        return row
    facts = (PersonalFact("number", NUMBER, "81312345678"), PersonalFact("name", "山田 太郎"))
    return replace(row, party=party_id(call, 1), role="caller", facts=facts)


@pytest.fixture
def site(tmp_path: Path) -> EvidenceSite:
    made = NamedSite(tmp_path)
    made.config.write_text(made.config.read_text("utf-8") + TABLES, "utf-8")
    return made


def run(site: EvidenceSite, kind: str, *words: object, code: int = 0) -> Result:
    result = site.run("export", kind, *words)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(site: EvidenceSite, **query: Any) -> list[Any]:
    with StoreReader(site.store) as reader:
        return [decode(stored.data) for stored in reader.rows(RowQuery(**query))]


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def left_over(directory: Path) -> list[str]:
    return sorted(one.name for one in directory.iterdir() if one.name.startswith(".export-"))


def test_a_call_leaves_behind_a_row_that_has_its_digest(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "call.vcon.json"
    run(site, "vcon", call, "--out", out, *FOR)
    (document,) = lines(out)
    assert broken(document) == []
    (row,) = rows(site, kind="call_exported")
    assert row.detail["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    said = {"action": "EXPORT", "format": "vcon", "purpose": "QUALITY", "reason": "REVIEW"}
    assert {key: row.detail[key] for key in said} == said
    assert (row.detail["numbers"], row.detail["opened"], row.detail["provision"]) == (
        False,
        (),
        None,
    )
    assert row.call == call
    assert out.stat().st_mode & 0o777 == 0o600
    assert rows(site, kind="recording_released") == []


def test_the_reference_has_the_digests_of_what_lies_in_the_vault(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    run(site, "vcon", call, "--out", out, *FOR)
    (dialog,) = lines(out)[0]["dialog"]
    (sealed,) = site.vault.glob("*.age")
    data = sealed.read_bytes()

    def token(name: str) -> str:
        digest = hashlib.new(name, data).digest()
        return f"{name}-{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"

    assert dialog["content_hash"] == [token("sha512"), token("sha256")]
    assert dialog["filename"] == sealed.name
    sealed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    result = run(site, "vcon", call, "--out", tmp_path / "no", *FOR, code=1)
    assert "not what the log says" in result.stderr
    assert not (tmp_path / "no").exists()


def test_opened_the_recording_is_in_it_and_has_a_row_of_its_own(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    run(site, "vcon", call, "--out", out, *FOR, *site.opening(True))
    (document,) = lines(out)
    (dialog,) = document["dialog"]
    padded = dialog["body"] + "=" * (-len(dialog["body"]) % 4)
    (closed,) = rows(site, kind="recording_closed")
    sound = base64.urlsafe_b64decode(padded)
    assert hashlib.sha256(sound).hexdigest() == closed.detail["sha256"]
    sealed, inside = next(site.vault.glob("*.age")), BytesIO()
    with sealed.open("rb") as file:
        decrypt(file, inside, site.key_file.read_text())
    assert sound == inside.getvalue()
    kinds = [row.kind for row in rows(site)]
    assert kinds.index("recording_released") < kinds.index("call_exported")
    (row,) = rows(site, kind="call_exported")
    assert row.detail["opened"] == (closed.detail["recording"],)


def test_the_same_log_gives_the_same_bytes_however_often_it_is_exported(site, tmp_path):
    call = site.recorded_call(1)
    for name in ("a", "b"):
        run(site, "vcon", call, "--out", tmp_path / name, *FOR, *site.opening(True))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    for name in ("c", "d"):
        run(site, "dpv", call, "--out", tmp_path / name, *FOR)
    assert (tmp_path / "c").read_bytes() == (tmp_path / "d").read_bytes()


def test_the_words_of_the_notice_are_in_it(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    run(site, "vcon", call, "--out", out, *FOR)
    found = [one for one in lines(out)[0]["attachments"] if one["purpose"] == "notice"]
    assert [one["body"]["wording"] for one in found] == [WORDS]


def test_a_purpose_that_was_not_told_opens_nothing_and_the_row_says_so(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    words = ("--purpose", "TRAINING", "--reason", "COACHING", *site.opening(True))
    result = run(site, "vcon", call, "--out", out, *words, code=1)
    assert "NOT_TOLD" in result.stderr
    assert not out.exists()
    assert left_over(tmp_path) == []
    assert [row.detail["refusal"] for row in rows(site, kind="use_refused")] == ["NOT_TOLD"]
    assert rows(site, kind="call_exported") == []


def test_numbers_leave_only_where_they_were_asked_for_and_the_purpose_was_told(site, tmp_path):
    call = site.recorded_call(1)
    run(site, "vcon", call, "--out", tmp_path / "bare", *FOR)
    assert NUMBER not in (tmp_path / "bare").read_text("utf-8")
    run(site, "vcon", call, "--out", tmp_path / "named", *FOR, "--numbers")
    (document,) = lines(tmp_path / "named")
    told = document["parties"][0]
    assert (told["tel"], told["name"]) == (NUMBER, "山田 太郎")
    assert [row.detail["numbers"] for row in rows(site, kind="call_exported")] == [False, True]
    other = ("--purpose", "TRAINING", "--reason", "COACHING", "--numbers")
    ground = ("--ground", "JP_LAW", "--reference", "R8-1")
    for words in (other, (*other, *ground)):
        result = run(site, "vcon", call, "--out", tmp_path / "no", *words, code=1)
        assert "NOT_TOLD" in result.stderr
        assert "1 refused" in result.stderr
        assert not (tmp_path / "no").exists()
    refusals = [row.detail["refusal"] for row in rows(site, kind="use_refused")]
    assert refusals == ["NOT_TOLD", "NOT_TOLD"]


def test_what_only_refers_to_a_recording_is_a_use_of_it_too(site, tmp_path):
    recorded, unrecorded = site.recorded_call(1), site.unrecorded_call(2)
    words = ("--purpose", "TRAINING", "--reason", "COACHING")
    result = run(site, "vcon", recorded, unrecorded, "--out", tmp_path / "a", *words, code=1)
    assert "NOT_TOLD" in result.stderr
    found = [one["attachments"][-1]["body"]["call"] for one in lines(tmp_path / "a")]
    assert found == [unrecorded], "there is nothing of it to use"
    (refused,) = rows(site, kind="use_refused")
    assert (refused.call, refused.detail["refusal"]) == (recorded, "NOT_TOLD")
    ground = ("--ground", "JP_LAW", "--reference", "R8-1")
    run(site, "vcon", recorded, "--out", tmp_path / "b", *words, *ground)
    run(site, "dpv", recorded, "--out", tmp_path / "c", *words)


def test_many_calls_are_lines_of_one_file_and_those_that_are_refused_are_missing(site, tmp_path):
    one, two = site.recorded_call(1), site.recorded_call(2)
    unknown = f"c-{'0' * 28}"
    out = tmp_path / "calls.jsonl"
    result = run(site, "vcon", one, unknown, two, "--out", out, *FOR, "--json", code=1)
    printed = [json.loads(line) for line in result.stdout.splitlines()]
    assert printed[-1]["summary"] == {"asked": 3, "done": 2, "refused": 0, "failed": 1}
    found = [one["body"]["call"] for doc in lines(out) for one in doc["attachments"][-1:]]
    assert found == [one, two]
    digests = [hashlib.sha256(line + b"\n").hexdigest() for line in out.read_bytes().splitlines()]
    assert digests == [row.detail["sha256"] for row in rows(site, kind="call_exported")]
    assert left_over(tmp_path) == []


def test_in_a_directory_every_call_has_a_file(site, tmp_path):
    calls = [site.recorded_call(1), site.unrecorded_call(2)]
    (tmp_path / "out").mkdir()
    run(site, "vcon", *calls, "--out", tmp_path / "out", *FOR)
    names = sorted(one.name for one in (tmp_path / "out").iterdir())
    assert names == sorted(f"{call}.vcon.json" for call in calls)
    again = run(site, "vcon", calls[0], "--out", tmp_path / "out", *FOR, code=1)
    assert "is there already" in again.stderr
    assert len(rows(site, kind="call_exported")) == 2, "what cannot be left has no row"


def test_calls_are_chosen_as_they_are_listed(site, tmp_path):
    site.recorded_call(1)
    refused = site.unrecorded_call(2)
    run(site, "vcon", "--decision", "NOT_RECORDED", "--out", tmp_path / "a", *FOR)
    (document,) = lines(tmp_path / "a")
    assert document["attachments"][-1]["body"]["call"] == refused
    assert document["dialog"][0]["disposition"] == "hung-up"
    run(site, "vcon", "--told", "QUALITY", "--out", tmp_path / "b", *FOR)
    assert len(lines(tmp_path / "b")) == 1
    nothing = site.run("export", "vcon", "--told", "CONTRACT", "--out", tmp_path / "c", *FOR)
    assert nothing.exit_code == 1
    site.tell(CallId(f"c-{'1' * 28}"), (Kind.CALL_ARRIVED, {"policy": "x", "channel": "1.9"}))
    run(site, "vcon", "--since", "2020-01-01", "--out", tmp_path / "e", *FOR)
    assert len(lines(tmp_path / "e")) == 2, "the third one is not over"
    assert site.run("export", "vcon", "--out", tmp_path / "f", *FOR).exit_code == 2
    both = site.run("export", "vcon", refused, "--told", "QUALITY", "--out", tmp_path / "d", *FOR)
    assert both.exit_code == 2


def test_a_file_that_is_there_stays_as_it_is(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    out.write_text("mine")
    result = site.run("export", "vcon", call, "--out", out, *FOR)
    assert result.exit_code == 2
    assert out.read_text() == "mine"
    assert rows(site, kind="call_exported") == []


def test_a_log_that_takes_no_more_rows_leaves_no_file(site, tmp_path, monkeypatch):
    calls, out = [site.recorded_call(1), site.recorded_call(2)], tmp_path / "out"
    import asterisk_compliance.cli.evidence.export_calls as module

    acting, asked = module.act_with, []

    def full(settings: Any, verb: str, arguments: Any) -> Any:
        if verb == "export-call":
            asked.append(verb)
            if len(asked) == 2:
                raise StoreUnavailable("the disk is full")
        return acting(settings, verb, arguments)

    monkeypatch.setattr(module, "act_with", full)
    result = site.run("export", "vcon", *calls, "--out", out, *FOR)
    assert isinstance(result.exception, StoreUnavailable)
    assert not out.exists()
    assert left_over(tmp_path) == []


def test_a_receipt_leaves_with_every_mandatory_field_and_a_call_without_a_notice_has_none(
    site, tmp_path
):
    told, untold = site.recorded_call(1), site.unrecorded_call(2)
    result = run(site, "dpv", told, untold, "--out", tmp_path / "out", *FOR, code=1)
    assert "nobody was told" in result.stderr
    (document,) = lines(tmp_path / "out")
    assert document["@type"] == "dpv:ConsentReceipt"
    assert [row.detail["format"] for row in rows(site, kind="call_exported")] == ["dpv"]


def provision(site: EvidenceSite, call: str, items: str) -> str:
    words = ("--recipient", "police", "--country", "JP", "--ground", "LAW", "--reference", "R8-1")
    said = site.run("provisions", "record", call, *words, "--items", items, "--json")
    return str(json.loads(said.stdout)["provisions"][0])


def test_for_a_third_party_it_needs_the_record_of_the_provision(site, tmp_path):
    call, other = site.recorded_call(1), site.recorded_call(2)
    elsewhere = provision(site, other, "CALL_DATA")
    refused = run(
        *(site, "vcon", call, "--out", tmp_path / "no", "--purpose", "QUALITY"),
        *("--provision", elsewhere),
        code=1,
    )
    assert "NO_PROVISION" in refused.stderr
    number = provision(site, call, "CALL_DATA")
    purpose = ("--purpose", "QUALITY", "--provision", number)
    run(site, "vcon", call, "--out", tmp_path / "data", *purpose)
    (row,) = rows(site, kind="call_exported")
    assert (row.detail["action"], row.detail["provision"]) == ("HAND_OVER", int(number))
    heard = (*purpose, *site.opening(True))
    result = run(site, "vcon", call, "--out", tmp_path / "heard", *heard, code=1)
    assert "NO_PROVISION" in result.stderr
    whole = ("--purpose", "QUALITY", "--provision", provision(site, call, "CALL_DATA,RECORDING"))
    run(site, "vcon", call, "--out", tmp_path / "heard", *whole, *site.opening(True))
    assert lines(tmp_path / "heard")[0]["dialog"][0]["encoding"] == "base64url"


async def test_the_running_service_writes_the_row(site, tmp_path):
    call = site.recorded_call(1)
    words = ("export", "vcon", call, "--out", tmp_path / "out", *FOR)
    async with Serving(site.config).running():
        result = await asyncio.to_thread(site.run, *words, *site.opening(True))
    assert result.exit_code == 0, result.output
    assert len(rows(site, kind="call_exported")) == 1
    assert broken(lines(tmp_path / "out")[0]) == []


def test_ids_can_come_from_standard_input(site, tmp_path):
    call = site.recorded_call(1)
    line = ["export", "vcon", "-", "--out", str(tmp_path / "out"), *FOR, "-c", str(site.config)]
    result = CliRunner().invoke(app, line, input=f"{call}\n")
    assert result.exit_code == 0, result.output
    assert len(lines(tmp_path / "out")) == 1


def test_recordings_too_large_for_one_document_are_only_referred_to(site, tmp_path, monkeypatch):
    monkeypatch.setattr("asterisk_compliance.cli.evidence.export_calls.LARGEST_BYTES", 10)
    call, out = site.recorded_call(1), tmp_path / "out"
    result = run(site, "vcon", call, "--out", out, *FOR, *site.opening(True), code=1)
    assert "too large" in result.stderr
    assert rows(site, kind="recording_released") == []
    run(site, "vcon", call, "--out", out, *FOR)


def test_words_that_the_store_has_lost_are_missing_and_their_digest_is_there(site, tmp_path):
    call, out = site.recorded_call(1), tmp_path / "out"
    for file in (site.store / "content").rglob(str(site.told["text_digest"])):
        file.unlink()
    run(site, "vcon", call, "--out", out, *FOR)
    (notice,) = [one for one in lines(out)[0]["attachments"] if one["purpose"] == "notice"]
    assert notice["body"]["wording"] is None
    assert notice["body"]["wording_sha256"] == site.told["text_digest"]


def test_a_defect_of_ours_leaves_nothing(site, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "asterisk_compliance.cli.evidence.export_calls.broken", lambda _: ["uuid: is none"]
    )
    call, out = site.recorded_call(1), tmp_path / "out"
    result = run(site, "vcon", call, "--out", out, *FOR, code=1)
    assert "this is no vCon: uuid: is none" in result.stderr
    assert (out.exists(), rows(site, kind="call_exported")) == (False, [])


def test_a_disk_that_is_full_leaves_nothing(site, tmp_path, monkeypatch):
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    call, out = site.recorded_call(1), tmp_path / "out"
    monkeypatch.setattr("asterisk_compliance.cli.evidence.export_calls.os.fsync", full)
    result = site.run("export", "vcon", call, "--out", out, *FOR)
    assert isinstance(result.exception, StoreUnavailable | SystemExit)
    assert not out.exists()
    assert left_over(tmp_path) == []


def test_a_stick_without_hard_links_is_written_too(site, tmp_path, monkeypatch):
    def none(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    call, out = site.recorded_call(1), tmp_path / "out"
    monkeypatch.setattr("asterisk_compliance.cli.evidence.export_calls.os.link", none)
    run(site, "vcon", call, "--out", out, *FOR)
    assert broken(lines(out)[0]) == []
    assert left_over(tmp_path) == []


def test_what_every_receipt_needs_is_said_once_and_not_for_each_call(site, tmp_path):
    calls = [site.recorded_call(1), site.recorded_call(2)]
    text = site.config.read_text("utf-8")
    site.config.write_text(text.replace('home = "JP"', ""), "utf-8")
    result = site.run("export", "dpv", *calls, "--out", tmp_path / "out", *FOR)
    assert isinstance(result.exception, NoReceipt)
    assert str(result.exception) == "a receipt needs home in [rules]"
    assert (result.exception.exit_code, list(tmp_path.glob("out*"))) == (1, [])
    assert rows(site, kind="call_exported") == []
