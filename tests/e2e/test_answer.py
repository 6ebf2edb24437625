"""The package for a person who asked: his own voice, what he was told, and who listened."""

from __future__ import annotations

import hashlib
import json
import time
import wave
import zipfile

import pytest

from asterisk_compliance.age import new_identity
from e2e.requester import TALK_S, lender
from lab.tone_spans import find_spans, undated
from lab.tones import AGENT, RATE
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk


async def test_he_gets_his_own_voice_and_what_there_is_to_say_of_it(tmp_path):
    async with lender(tmp_path) as asks:
        out = tmp_path / "answer.zip"
        options = ("--identity", str(asks.identity), "--out", str(out), "--json")
        status, said, err = await asks.requests("package", *options)
        assert status == 0, err
        assert out.stat().st_mode & 0o777 == 0o600
        digest = hashlib.sha256(out.read_bytes()).hexdigest()
        assert json.loads(said)["sha256"] == digest
        (row,) = asks.office.details("answer_packaged")
        assert (row["sha256"], row["recordings"]) == (digest, [asks.recording])
        (released,) = asks.office.details("recording_released")
        assert (released["action"], released["request"]) == ("ANSWER", asks.request)

        with zipfile.ZipFile(out) as archive:
            archive.extractall(tmp_path / "got")
        got = tmp_path / "got"
        names = {path.name for path in got.iterdir()}
        assert names == {
            "answer.html",
            "answer.json",
            "notice-1.wav",
            "receipt.txt",
            "recording-1.wav",
        }
        with wave.open(str(got / "recording-1.wav")) as file:
            assert (file.getnchannels(), file.getframerate()) == (1, RATE)
        (own,) = read_wav(got / "recording-1.wav")
        spans = find_spans(
            own, asks.office.phones["customer"].schedule, asks.office.began, time.monotonic()
        )
        assert sum(span.clock_end - span.clock_start for span in spans) > TALK_S - 0.5
        assert undated(own, AGENT, []) == 0.0
        prompt = asks.office.site.asterisk.sounds_here / "en/notice-test.wav"
        assert (got / "notice-1.wav").read_bytes() == prompt.read_bytes()

        page = (got / "answer.html").read_text()
        assert "we record this call" in page
        assert asks.request in page
        assert asks.request in (got / "receipt.txt").read_text()
        (call,) = json.loads((got / "answer.json").read_text())["calls"]
        assert [one["code"] for one in call["purposes"]] == ["QUALITY", "SERVICE"]
        assert [(one["action"], one["purpose"]) for one in call["uses"]] == [("ANSWER", "RIGHTS")]

        options = ("--means", "POST", "--given", "PACKAGE", "--package", str(out))
        status, _, err = await asks.requests("answer", *options)
        assert status == 0, err
        assert asks.office.details("request_answered")[0]["package"] == digest


async def test_nothing_is_left_where_nothing_opens_it(tmp_path):
    async with lender(tmp_path) as asks:
        strange, out = tmp_path / "strange.key", tmp_path / "answer.zip"
        strange.write_text(new_identity()[0] + "\n")
        status, _, err = await asks.requests(
            "package", "--identity", str(strange), "--out", str(out)
        )
        assert (status, "error:" in err) == (1, True)
        assert not out.exists()
        assert not asks.office.rows("answer_packaged")
