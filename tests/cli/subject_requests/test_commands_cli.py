"""What the commands about requests print, with the service running and without it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.serving import Serving, write_config
from asterisk_compliance.cli.main import app
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.errors import ComplianceError, StoreUnavailable
from asterisk_compliance.ids import RequestId, is_request_id, party_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries.subject_requests import every_request
from sample_rows import AT_MS, a_call, a_recorded_call
from values import replace

ONE, TWO = a_call(1), a_call(2)
TYPED = "+81 3-1234-5678"
WHO = "山田 太郎\n1-2-3 Marunouchi\n+81 3-1234-5678\n"
OPEN = ["--name", "-", "--contact", "-", "--number", "-"]
RULES = '[rules]\nhome = "JP"\ntime_zone = "Asia/Tokyo"'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two recorded calls of one person, in the log and in the vault."""
    config = write_config(tmp_path, rules=RULES)
    with StoreWriter.open(tmp_path / "store") as writer:
        writer.commit(a_recorded_call(ONE))
        writer.commit(a_recorded_call(TWO, AT_MS + 86_400_000))
    (tmp_path / "recordings").mkdir(mode=0o700)
    for call in (ONE, TWO):
        (tmp_path / "recordings" / f"r-{call[2:]}-1.wav").write_bytes(b"RIFF")
    return config


def run(config: Path, *words: str, code: int = 0, **more: Any) -> Result:
    result = CliRunner().invoke(app, ["requests", *words, "--config", str(config)], **more)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refused(config: Path, *words: str) -> ComplianceError:
    result = CliRunner().invoke(app, ["requests", *words, "--config", str(config)])
    assert isinstance(result.exception, ComplianceError), result.output
    return result.exception


def asked(config: Path, *words: str, **more: Any) -> Any:
    """The last line: a service of this process may log above it."""
    return json.loads(run(config, *words, "--json", **more).stdout.splitlines()[-1])


def opened(config: Path, right: str, *words: str) -> str:
    return str(asked(config, "open", right, *OPEN, *words, input=WHO)["request"])


def kinds(config: Path) -> list[str]:
    with StoreReader(config.parent / "store") as reader:
        return [decode(row.data).kind for row in reader.rows()]


def test_opening_prints_the_id_and_until_when_and_no_name(config: Path) -> None:
    result = run(config, "open", "HEAR", *OPEN, input=WHO)
    request = result.stdout.strip()
    assert is_request_id(request)
    known = asked(config, "show", request)
    assert "about 2 calls\n" in result.stderr
    assert f"the last day for an answer is {known['last_day']}, as promised\n" in result.stderr
    assert known["due_at"].endswith("T15:00:00.000Z"), "a midnight in Tokyo"
    assert known["requester"] == {
        "party": known["requester"]["party"],
        "contact": "1-2-3 Marunouchi",
        "name": "山田 太郎",
    }
    assert [one["call"] for one in known["calls"]] == [ONE, TWO]
    assert known["calls"][0]["person"] == party_id(ONE, 1)
    assert known["calls"][0]["recordings"] == {f"r-{ONE[2:]}-1": "closed"}
    assert known["suit_from"] == known["due_at"]
    assert (known["legal_at"], known["next"], known["standing"]) == (None, "identify", "open")


def test_from_opening_to_the_answer(config: Path, tmp_path: Path) -> None:
    request = opened(config, "COPY")
    assert run(config, "identify", request, "--how", "LETTER").stdout == "identified\n"
    decision = ("decide", request, "IN_PART", "--reason", "LAW", "--ground", "JP_RIGHTS_OF_OTHERS")
    assert run(config, *decision, "--except", TWO).stdout == "IN_PART: 1 calls\n"
    package, page = tmp_path / "package.zip", tmp_path / "receipt.txt"
    package.write_bytes(b"PK")
    answer = ("answer", request, "--means", "POST", "--package", str(package))
    assert run(config, *answer, "--receipt", str(page)).stdout == "answered\n"
    text = page.read_text("utf-8")
    assert request in text
    assert "一部に応じます" in text
    assert "APPI Art. 33(2)(i)" in text
    with StoreReader(config.parent / "store") as reader:
        (row,) = [one for one in map(decode, (row.data for row in reader.rows()))
                  if one.kind == "request_answered"]  # fmt: skip
    assert row.detail["package"] == hashlib.sha256(b"PK").hexdigest()
    assert row.detail["receipt"] == hashlib.sha256(text.encode()).hexdigest()
    assert run(config, "receipt", request).stdout == text
    assert "granted in part" in run(config, "receipt", request, "--language", "en").stdout
    shown = run(config, "show", request).stdout
    assert "ground_source: APPI Art. 33(2)(i)" in shown
    assert "requester name: 山田 太郎" in shown
    assert refused(config, "answer", request, "--means", "POST", "--given", "LETTER").exit_code == 1


def test_lists_have_what_waits_and_the_status_says_what_is_late(config: Path) -> None:
    assert asked(config, "list") == asked(config, "remind") == []
    late = opened(config, "HEAR", "--received", "15d")
    soon = opened(config, "HEAR", "--received", "13d")
    fresh = opened(config, "HEAR")
    lines = asked(config, "list")
    assert [one["request"] for one in lines] == [late, soon, fresh]
    assert [one["standing"] for one in lines] == ["overdue", "due_soon", "open"]
    (one,) = json.loads(run(config, "list", "--overdue", "--json", code=1).stdout)
    assert one["request"] == late
    assert "1 overdue" in run(config, "list").stderr
    reminded = run(config, "remind", code=1).stdout.splitlines()
    assert [line.split()[0] for line in reminded] == [late, soon]
    (first, second, _) = lines
    assert f"was due on {first['last_day']}, as promised: requests identify" in reminded[0]
    assert f"is due on {second['last_day']}, as promised: requests identify" in reminded[1]
    assert all(word in run(config, "list").stdout for word in (first["last_day"], "as promised"))
    run(config, "decide", late, "REFUSED", "--reason", "NOT_IDENTIFIED")
    answer = ("answer", late, "--means", "MAIL", "--given", "LETTER")
    assert run(config, *answer).stdout == "answered, late\n"
    assert asked(config, "list", "--overdue") == []
    assert len(asked(config, "list")) == 2
    (done,) = [one for one in asked(config, "list", "--all") if one["request"] == late]
    assert (done["late"], done["standing"], done["next"]) == (True, None, "")


def test_check_counts_what_is_overdue(config: Path) -> None:
    opened(config, "HEAR", "--received", "15d")
    result = CliRunner().invoke(app, ["check", "--offline", "--config", str(config), "--json"])
    (found,) = [one for one in json.loads(result.stdout) if one["id"] == "REQUESTS_OVERDUE"]
    assert found["what"] == "overdue requests of people: 1"
    assert found["severity"] == "warning"


def test_an_erasure_is_shown_first_then_done_and_proved(config: Path) -> None:
    request = opened(config, "ERASE")
    run(config, "identify", request, "--how", "CALLED_BACK")
    granted = ("decide", request, "GRANTED", "--reason", "LAW", "--cause", "JP_CEASE_USE")
    run(config, *granted)
    hear, done = opened(config, "HEAR"), opened(config, "COPY")
    run(config, "withdraw", done)
    before = kinds(config)
    result = run(config, "carry-out", request)
    assert result.stderr == f"{hear} waits for an answer about some of these calls\n"
    assert result.stdout == "would erase 2 recordings and 2 parties; 0 calls are held\n"
    assert kinds(config) == before
    done = asked(config, "carry-out", request, "--yes")
    assert done == {
        "copies_left": {},
        "done": True,
        "failed": 0,
        "kept": [],
        "left": 0,
        "parties": 2,
        "recordings": 2,
        "request": request,
    }
    assert list((config.parent / "recordings").iterdir()) == []
    assert verify(config.parent / "store").intact
    assert b"+81312345678" not in (config.parent / "store" / DATABASE).read_bytes()
    assert "録音を消去した日時" in run(config, "receipt", request).stdout
    assert refused(config, "carry-out", request).exit_code == 1


def test_what_could_not_be_removed_is_an_error(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened(config, "ERASE")
    run(config, "identify", request, "--how", "CALLED_BACK")
    run(config, "decide", request, "GRANTED", "--reason", "LAW", "--cause", "JP_CEASE_USE")

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("asterisk_compliance.app.retention.disposal.remove", broken)
    error = refused(config, "carry-out", request, "--yes")
    assert (error.exit_code, str(error)) == (1, "some files could not be removed")


def test_a_correction_and_a_stop_of_use_are_done_with_the_decision(config: Path) -> None:
    request = opened(config, "CORRECT")
    run(config, "identify", request, "--how", "KNOWN")
    text = "I said two,\nnot three"
    run(config, "decide", request, "GRANTED", "--reason", "LAW", "--text", "-", input=text)
    known = asked(config, "show", request)
    assert [one["corrections"] for one in known["calls"]] == [[text]] * 2
    assert f"{ONE} correction: I said two" in run(config, "show", request).stdout
    stop = opened(config, "STOP_USE")
    run(config, "identify", stop, "--how", "KNOWN")
    run(config, "decide", stop, "GRANTED", "--reason", "CODE", "--purpose", "QUALITY")
    assert kinds(config).count("use_stopped") == 2
    assert run(config, "withdraw", stop).stdout == "withdrawn; 2 calls may be used again\n"
    assert kinds(config)[-2:] == ["use_resumed", "use_resumed"]


def test_to_whom_it_was_handed_over_is_shown_to_who_asks(config: Path) -> None:
    words = ("--country", "JP", "--ground", "LAW", "--items", "RECORDING")
    told = ("--recipient", "-", "--reference", "-")
    line = ["provisions", "record", ONE, *words, *told, "--address", "-", "--natural-person"]
    said = CliRunner().invoke(
        app,
        [*line, "--config", str(config)],
        input="Tokyo District Court\nKasumigaseki\nwarrant 12\n",
    )
    assert said.exit_code == 0, (said.output, said.exception)
    request = opened(config, "PROVISIONS")
    one, two = asked(config, "show", request)["calls"]
    (record,) = one["provisions"]
    assert (record["country"], record["ground"], record["items"]) == ("JP", "LAW", ["RECORDING"])
    assert record["recipient"]["name"] == "Tokyo District Court"
    assert two["provisions"] == []
    out = config.parent / "answer.zip"
    assert "no package" in str(refused(config, "package", request, "--out", str(out)))
    run(config, "identify", request, "--how", "KNOWN")
    run(config, "decide", request, "GRANTED", "--reason", "LAW")
    for language in ("en", "ja"):
        out = config.parent / f"{language}.zip"
        run(config, "package", request, "--out", str(out), "--language", language)
        with zipfile.ZipFile(out) as archive:
            assert sorted(archive.namelist()) == ["answer.html", "answer.json", "receipt.txt"]
            page = archive.read("answer.html").decode()
            facts = json.loads(archive.read("answer.json"))
        for said in {
            "en": ("Tokyo District Court, Kasumigaseki", "a law demands it (APPI Art. 27(1)(i))",
                   "the recording", "To nobody, as far as our records say."),
            "ja": ("Tokyo District Court", "法令に基づく場合", "第三者提供の記録",
                   "記録上、第三者への提供はありません。"),
        }[language]:  # fmt: skip
            assert said in page
        (given,) = facts["calls"][0]["provisions"]
        assert given["recipient"] == {
            "address": "Kasumigaseki",
            "name": "Tokyo District Court",
            "representative": "",
        }
        assert "warrant" not in page + json.dumps(facts), "a reference is ours"
    assert kinds(config).count("answer_packaged") == 2
    assert kinds(config).count("recording_released") == 0
    assert f"{ONE} provision: " in run(config, "show", request).stdout
    assert "Tokyo District Court" in run(config, "show", request).stdout


def test_what_it_costs_and_what_is_held_is_said(config: Path) -> None:
    config.write_text(config.read_text() + '\n[requests]\nfee = "JPY 500"\n')
    result = run(config, "open", "COPY", *OPEN, input=WHO)
    assert "it costs JPY 500" in result.stderr
    assert "it costs" not in run(config, "open", "COPY", *OPEN, "--free", input=WHO).stderr
    request = opened(config, "ERASE")
    run(config, "identify", request, "--how", "CALLED_BACK")
    hold = ["holds", "place", "CASE-1-A", "--call", ONE, "--config", str(config)]
    assert CliRunner().invoke(app, hold).exit_code == 0
    granted = ("decide", request, "IN_PART", "--reason", "ON_HOLD", "--cause", "JP_CEASE_USE")
    assert "1 calls are held for CASE-1-A" in run(config, *granted).stderr
    known = asked(config, "show", request)
    assert known["matters"] == ["CASE-1-A"]
    assert [one["granted"] for one in known["calls"]] == [False, True]


def test_a_copy_that_is_left_is_an_error(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = opened(config, "ERASE")
    run(config, "identify", request, "--how", "CALLED_BACK")
    run(config, "decide", request, "GRANTED", "--reason", "LAW", "--cause", "JP_CEASE_USE")
    left = {"compliance.sqlite3": 2}
    monkeypatch.setattr("asterisk_compliance.storage.log.erasure.until_gone", lambda *_: left)
    error = refused(config, "carry-out", request, "--yes")
    assert (error.exit_code, str(error)) == (1, "a copy is left")
    assert "persons rewrite" in error.hint


def test_more_calls_are_searched_and_none_found_is_a_negative_answer(config: Path) -> None:
    request = str(asked(config, "open", "HEAR", "--contact", "x@example.jp")["request"])
    assert run(config, "search", request, "--call", ONE).stdout == "1 calls, 1 of them new\n"
    run(config, "search", request, "--number", "0399999999", code=1)
    run(config, "search", request, "--number", "-", "--since", "2026-11-24", input=f"{TYPED}\n")
    assert len(asked(config, "show", request)["calls"]) == 2
    assert refused(config, "search", request, "--since", "2026-11-24").exit_code == 2


def test_the_law_of_europe_has_a_month_that_can_be_made_longer(config: Path) -> None:
    request = opened(config, "COPY", "--regime", "eu")
    known = asked(config, "show", request)
    assert known["legal_at"] == known["due_at"]
    assert known["regime_source"] == "GDPR Art. 12(3)"
    longer = ("extend", request, "--reason", "COMPLEX", "--means", "MAIL")
    assert "to be answered before 20" in run(config, *longer).stdout
    assert asked(config, "show", request)["extended"] is True
    assert refused(config, *longer).exit_code == 1


def test_a_receipt_that_cannot_be_written_can_be_printed_again(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = opened(config, "COPY")
    run(config, "decide", request, "REFUSED", "--reason", "NOT_IDENTIFIED")
    page = tmp_path / "receipt.txt"
    answer = ("answer", request, "--means", "POST", "--receipt", str(page))
    monkeypatch.setattr(
        "asterisk_compliance.cli.access.release.must_be_new", lambda *_: page.write_text("")
    )
    error = refused(config, *answer)
    assert isinstance(error, StoreUnavailable)
    assert "requests receipt prints it again" in error.hint
    assert request in run(config, "receipt", request).stdout


@pytest.mark.parametrize(
    ("zone", "received_at"),
    [("Asia/Tokyo", "2026-11-23T15:00:00.000Z"), ("America/New_York", "2026-11-24T05:00:00.000Z")],
)
def test_a_day_on_which_it_arrived_is_one_of_the_site(
    config: Path, zone: str, received_at: str
) -> None:
    config.write_text(config.read_text().replace("Asia/Tokyo", zone))
    request = opened(config, "COPY", "--received", "2026-11-24")
    known = asked(config, "show", request)
    assert (known["received_at"], known["last_day"]) == (received_at, "2026-12-08")
    request = opened(config, "COPY", "--received", "2026-11-24T03:00Z")
    assert asked(config, "show", request)["received_at"] == "2026-11-24T03:00:00.000Z"


def test_what_goes_before_the_answer_is_due_is_said(config: Path) -> None:
    call = a_call(7)
    with StoreWriter.open(config.parent / "store") as writer:
        for row in a_recorded_call(call):
            told = {"retention": ("SERVICE=0 days",)} if "capture" in row.detail else {}
            writer.commit([replace(row, detail={**row.detail, **told})])
    result = run(config, "open", "HEAR", *OPEN, input=WHO)
    assert "1 recordings are due to go before that" in result.stderr
    assert "holds place" in result.stderr
    found = run(config, "search", result.stdout.strip(), "--call", call)
    assert "due to go" not in found.stderr, "it was said"
    assert "(no date)" in run(config, "show", result.stdout.strip()).stdout


def test_what_is_not_there_is_said(config: Path, tmp_path: Path) -> None:
    assert refused(config, "show", "q-1").exit_code == 2
    assert refused(config, "show", "q-0193a5c2f7e14b6d90f1a2b3c4d5").exit_code == 1
    request = opened(config, "COPY")
    run(config, "receipt", request, "--language", "fr", code=2)
    run(config, "decide", request, "REFUSED", "--reason", "NOT_IDENTIFIED")
    nowhere = str(tmp_path / "no" / "where")
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    answer = ("answer", request, "--means", "POST")
    assert isinstance(refused(config, *answer, "--package", nowhere), StoreUnavailable)
    for file in (nowhere, str(mine)):
        run(config, *answer, "--receipt", file, code=2)
    assert mine.read_text() == "mine"
    with StoreReader(config.parent / "store") as reader:
        assert every_request(reader)[RequestId(request)].is_open, "nobody was given anything"
    other = write_config(tmp_path)
    (config.parent / "store").rename(tmp_path / "away")
    assert isinstance(refused(other, "list"), StoreUnavailable)


async def test_requests_go_through_the_running_service(config: Path) -> None:
    def work() -> str:
        request = opened(config, "ERASE", "--received", "15d")
        run(config, "identify", request, "--how", "CALLED_BACK")
        run(config, "decide", request, "GRANTED", "--reason", "LAW", "--cause", "JP_CEASE_USE")
        done = run(config, "carry-out", request, "--yes").stdout
        assert done.endswith("erased 2 recordings and 2 parties; 0 calls are held\n")
        return request

    late = await asyncio.to_thread(opened, config, "HEAR", "--received", "15d")
    serving = Serving(config)
    async with serving.running():
        await serving.until(lambda: bool(serving.details("request_overdue")))
        (row,) = serving.details("request_overdue")
        assert row["request"] == late
        status = await asyncio.to_thread(
            CliRunner().invoke, app, ["status", "--config", str(config)]
        )
        assert "requests: 1 overdue, 0 due soon" in status.stdout
        request = await asyncio.to_thread(work)
        receipt = await asyncio.to_thread(run, config, "receipt", request)
        assert receipt.stdout.count("録音を消去した日時") == 2
    assert list((config.parent / "recordings").iterdir()) == []
    assert verify(config.parent / "store").intact
