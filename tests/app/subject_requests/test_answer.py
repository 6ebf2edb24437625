"""The package for a person who asked: what is in it, and what never is."""

from __future__ import annotations

import io
import json
import wave
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.requested_site import CALLED, NOW, NUMBER, OFFICER, Desk, calls, desk
from asterisk_compliance.app.subject_requests.answer import (
    LANGUAGES,
    answerable,
    archived,
    package,
    package_digest,
)
from asterisk_compliance.app.subject_requests.answer_audio import to_hear, to_keep
from asterisk_compliance.app.subject_requests.answer_page import GROUNDS, ITEMS, SAID
from asterisk_compliance.app.subject_requests.answer_rows import NoPackage, answering_verbs
from asterisk_compliance.app.subject_requests.steps import NoSuchRequest, NotPossible
from asterisk_compliance.config.subject_requests import Directions
from asterisk_compliance.domain.access.purpose_limitation import Action, UseReason
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.recording.assurance_words import Recorded
from asterisk_compliance.domain.third_parties.provisions import ProvidedItem, ProvisionGround
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.storage.content_store import ContentStore
from asterisk_compliance.storage.recordings.assembly import wav_header
from retained import at, keep
from sample_rows import NAME, draft
from values import replace

WAV = b"RIFF-of-the-person"
WORDS = "We record this call <to improve> our service."
PROMPT = b"RIFF-of-the-notice"


def told(content: ContentStore) -> Any:
    """Rows of a call whose notice is in the content store, in English."""
    digests = {"text_digest": content.put(WORDS.encode()), "audio_digest": content.put(PROMPT)}
    said = {"notice": "standard/1/en", "purposes": ("QUALITY", "SERVICE"), **digests}

    def more(row: Draft) -> Draft:
        if row.kind is Kind.NOTICE_COMPLETED:
            return replace(row, detail={**row.detail, **said})
        return row

    return more


def released(call: Any, **detail: Any) -> list[Draft]:
    said = {"action": "LISTEN", "allowed_by": "supervisor", "purpose": "QUALITY"}
    said |= {"reason": "COMPLAINT", "ground": "", **detail}
    facts = {"party": "y-0193a5c2f7e14b6d90f1a2b3c4d5-1", "role": "staff"}
    return [draft(Kind.RECORDING_RELEASED, call, at(NOW), detail=said, **facts)]


def made(
    officer: Desk, request: str, language: str = "", audio: bytes = WAV
) -> tuple[Mapping[str, bytes], dict[str, Any]]:
    """The files of a package, and what its JSON says."""
    what = answerable(officer.settings, request)
    heard = {recording: audio for recording, _ in what.recordings}
    files = package(officer.settings, what, heard, language or what.language, at(NOW))
    return files, json.loads(files["answer.json"])


async def test_it_holds_what_there_is_to_say_of_a_call(tmp_path: Path) -> None:
    content = ContentStore(tmp_path / "store")
    keep(tmp_path, CALLED, more=told(content), besides=released)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, said = made(officer, request)
        assert sorted(files) == [
            "answer.html", "answer.json", "notice-1.wav", "receipt.txt", "recording-1.wav",
        ]  # fmt: skip
        assert files["recording-1.wav"] == WAV
        assert files["notice-1.wav"] == PROMPT
        assert request in files["receipt.txt"].decode()
        (call,) = said["calls"]
        assert call["began_at"] == CALLED
        assert (call["notices"][0]["words"], call["notices"][0]["file"]) == (WORDS, "notice-1.wav")
        assert [one["code"] for one in call["purposes"]] == ["QUALITY", "SERVICE"]
        (recording,) = call["recordings"]
        assert recording["kept_until"] == "2026-12-20T15:00:00.000Z"
        assert recording["file"] == "recording-1.wav"
        assert call["uses"] == [
            {
                "action": "LISTEN",
                "at": NOW,
                "ground": None,
                "purpose": "QUALITY",
                "purpose_label": "service quality",
                "reason": "COMPLAINT",
                "role": "supervisor",
            }
        ]


async def test_the_page_speaks_the_language_of_the_notice_and_escapes(tmp_path: Path) -> None:
    content = ContentStore(tmp_path / "store")
    keep(tmp_path, CALLED, more=told(content), besides=released)
    async with desk(tmp_path) as officer:
        request = await officer.granted("HEAR", number=NUMBER)
        files, said = made(officer, request)
        page = files["answer.html"].decode()
        assert said["language"] == "en"
        assert '<html lang="en">' in page
        assert "We record this call &lt;to improve&gt; our service." in page
        assert "2026-11-20 10:00:00+09:00" in page, "in the site's own days"
        assert "supervisor" in page
        files, _ = made(officer, request, "ja")
        page = files["answer.html"].decode()
        assert '<html lang="ja">' in page
        assert "通話録音の開示" in page
        assert "通話録音に関するご請求の記録" in files["receipt.txt"].decode()


async def test_nobody_is_named_in_it(tmp_path: Path) -> None:
    keep(tmp_path, CALLED, besides=released)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, _ = made(officer, request)
        everything = b"".join(files.values()).decode()
        for secret in ("12345678", NAME.value, "Marunouchi", OFFICER.user):
            assert secret not in everything


async def test_corrections_stand_in_it(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        await officer.granted("CORRECT", number=NUMBER, text="It was <not> me who ordered.")
        request = await officer.granted("COPY", number=NUMBER)
        files, said = made(officer, request)
        (one,) = said["calls"][0]["corrections"]
        assert one["text"] == "It was <not> me who ordered."
        assert "It was &lt;not&gt; me who ordered." in files["answer.html"].decode()


async def test_what_is_gone_is_said_without_it(tmp_path: Path) -> None:
    def removed(call: Any) -> list[Draft]:
        recording = f"r-{call[2:]}-1"
        return [
            draft(Kind.RECORDING_REMOVED, call, at(NOW), detail={"recording": recording}),
        ]

    keep(tmp_path, CALLED, besides=removed)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, said = made(officer, request)
        assert not [name for name in files if name.startswith("recording-")]
        (recording,) = said["calls"][0]["recordings"]
        assert (recording["became"], recording["gone_at"]) == ("gone", NOW)
        assert recording["kept_until"] is None
        assert "消去した日時 2026-11-24 12:00:00+09:00" in files["answer.html"].decode()


@pytest.mark.parametrize(
    ("kind", "became", "said"),
    [
        (Kind.RECORDING_GROWING, "open", "処理が終わっていない"),
        (Kind.RECORDING_MISSING, "missing", "録音は残っていません"),
        (Kind.RECORDING_EMPTY, "empty", "録音された音声はありません"),
        (Kind.RECORDING_UNJUDGED, "kept", "お渡しできる形で開けません"),
    ],
)
async def test_of_what_is_not_in_it_the_truth_is_said(
    tmp_path: Path, kind: Kind, became: str, said: str
) -> None:
    def second(call: Any) -> list[Draft]:
        return [draft(kind, call, at(NOW), detail={"recording": f"r-{call[2:]}-2"})]

    keep(tmp_path, CALLED, besides=second)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, facts = made(officer, request)
        first, other = facts["calls"][0]["recordings"]
        assert (first["became"], first["file"]) == ("kept", "recording-1.wav")
        assert (other["became"], other["file"]) == (became, "")
        assert said in files["answer.html"].decode()
        assert answerable(officer.settings, request).unfinished == (became == "open")


async def test_who_had_it_is_told_in_words(tmp_path: Path) -> None:
    def uses(call: Any) -> list[Draft]:
        drill = {"action": "DRILL", "reason": "DRILL", "purpose": "DRILL", "allowed_by": ""}
        law = {"action": "EXPORT", "reason": "ORDER", "ground": "JP_LAW"}
        old = {"action": None, "reason": None}
        return [row for said in ({}, drill, law, old) for row in released(call, **said)]

    keep(tmp_path, CALLED, besides=uses)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        english, japanese = (
            made(officer, request, one)[0]["answer.html"].decode() for one in ("en", "ja")
        )
    for said in (
        "heard it, a complaint</td>",
        "tried a key; nobody heard it</td>",
        "an order of a court or an authority, APPI Art. 18(3)(i)</td>",
        "service quality</td>",
    ):
        assert said in english
    assert "聴取, 苦情への対応" in japanese
    assert "応対品質の向上" in japanese
    for code in ("LISTEN", "COMPLAINT", "JP_LAW"):
        assert code not in english + japanese


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_action_reason_and_fate_has_its_words(language: str) -> None:
    said = set(SAID[language])
    assert set(Action) - {"PAST_CALLS"} <= said, "that is about no recording"
    assert set(UseReason) - {"CALL"} <= said
    assert set(Recorded) - {Recorded.KEPT, Recorded.GONE} <= said
    assert said == set(SAID["en"])


async def test_a_notice_that_the_store_does_not_give_is_left_out(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, said = made(officer, request)
        assert said["calls"][0]["notices"][0]["words"] is None
        assert not [name for name in files if name.startswith("notice-")]
        assert said["language"] == "ja", "of the notice that was heard"


async def test_a_notice_that_was_heard_in_two_calls_is_there_once(tmp_path: Path) -> None:
    content = ContentStore(tmp_path / "store")
    for number in (1, 2):
        keep(tmp_path, CALLED, number=number, more=told(content))
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        files, said = made(officer, request)
        assert len(said["calls"]) == 2
        names = sorted(name for name in files if name.endswith(".wav"))
        assert names == ["notice-1.wav", "recording-1.wav", "recording-2.wav"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_item_and_ground_of_a_provision_has_its_words(language: str) -> None:
    assert set(ITEMS[language]) == set(ProvidedItem)
    assert set(GROUNDS[language]) == set(ProvisionGround)


async def test_who_asks_for_provisions_gets_no_recording(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.granted("PROVISIONS", number=NUMBER)
        what = answerable(officer.settings, request)
        assert (what.recordings, len(what.calls)) == ((), 1)
        files, facts = made(officer, request)
        assert sorted(files) == ["answer.html", "answer.json", "receipt.txt"]
        (call,) = facts["calls"]
        assert call.keys() == {"began_at", "call", "provisions"}
        assert call["provisions"] == []
        assert facts["directions"] is None
        assert "ご本人の音声" not in files["answer.html"].decode()


@pytest.mark.parametrize(("right", "regime"), [("COPY", "eu"), ("COPY", "jp"), ("HEAR", "eu")])
async def test_who_asks_for_his_data_in_europe_hears_of_the_recipients_too(
    tmp_path: Path, right: str, regime: str
) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.granted(right, number=NUMBER, regime=regime)
        files, facts = made(officer, request, "en")
        told = (right, regime) == ("COPY", "eu")
        assert ("provisions" in facts["calls"][0]) is told
        page = files["answer.html"].decode()
        assert ("To nobody, as far as our records say." in page) is told
        assert "recording-1.wav" in page


@pytest.mark.parametrize("right", ["CORRECT", "ERASE", "STOP_USE"])
async def test_only_a_request_for_what_is_kept_is_packed(tmp_path: Path, right: str) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        more = {"CORRECT": {"text": "x"}, "ERASE": {"cause": "ORDER"}}.get(right, {})
        request = await officer.granted(right, number=NUMBER, **more)
        with pytest.raises(NotPossible):
            answerable(officer.settings, request)


async def test_nothing_is_opened_before_it_is_granted(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.known("COPY", number=NUMBER)
        with pytest.raises(NotPossible):
            answerable(officer.settings, request)
        with pytest.raises(NoSuchRequest):
            answerable(officer.settings, f"q-{'0' * 28}")


async def test_the_row_says_what_was_made(tmp_path: Path) -> None:
    (recording,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        verb = answering_verbs(officer.taken, lambda: officer.settings)["answer-packaged"]
        right = {"request": request, "sha256": "ab" * 32, "recordings": recording}
        right |= {"directions": "own"}
        answer = await verb(OFFICER, right)
        row = officer.rows(Kind.ANSWER_PACKAGED)[-1]
        assert answer == {"seq": row.seq}
        assert row.detail["request"] == request
        assert row.detail["sha256"] == "ab" * 32
        assert row.detail["recordings"] == (recording,)
        assert row.detail["directions"] == "own"
        assert row.detail["role"] == "staff"
        for wrong in (
            {"sha256": "AB" * 32},
            {"recordings": f"r-{'0' * 28}-1"},
            {"directions": "both"},
            {"directions": ""},
        ):
            with pytest.raises(NoPackage):
                await verb(OFFICER, right | wrong)
        assert len(officer.rows(Kind.ANSWER_PACKAGED)) == 1


def test_the_same_files_make_the_same_archive() -> None:
    files = {"b": b"two", "a": b"one"}
    archive = archived(files)
    assert archive == archived(dict(sorted(files.items())))
    assert len(package_digest(archive)) == 64
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert {name: opened.read(name) for name in opened.namelist()} == files


# -- the audio ---------------------------------------------------------------------------------


def stereo(left: list[int], right: list[int]) -> bytes:
    samples = np.array([left, right], "<i2").T
    return wav_header(len(left), 2) + samples.tobytes()


def samples_of(wav: bytes) -> list[int]:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 8_000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").tolist()


def test_his_own_direction_is_the_left_one() -> None:
    recording = stereo([1, -2, 3], [1_000, 2_000, -3_000])
    assert samples_of(to_keep(recording, Directions.OWN)) == [1, -2, 3]
    assert samples_of(to_hear(recording, Directions.OWN)) == [1, -2, 3]


def test_both_are_kept_apart_and_heard_together() -> None:
    recording = stereo([1, 30_000, -30_000], [1_000, 30_000, -30_000])
    assert to_keep(recording, Directions.BOTH) == recording
    assert samples_of(to_hear(recording, Directions.BOTH)) == [1_001, 32_767, -32_768]


@pytest.mark.parametrize("wav", [b"", b"RIFF", wav_header(1, 1) + b"\x00\x00"])
@pytest.mark.parametrize("directions", Directions)
def test_only_a_recording_of_ours_is_taken_apart(wav: bytes, directions: Directions) -> None:
    for made_of in (to_keep, to_hear):
        with pytest.raises(RecordingUnreadable):
            made_of(wav, directions)
