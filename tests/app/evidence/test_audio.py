"""The notice is found in a recording if it is there, and a voice or a tone is no notice."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from app.evidence_site import NOTICE_WAV, RATE
from asterisk_compliance.app.evidence.audio import (
    NoticeSearch,
    NotLookedAt,
    channels_of,
    outline,
)
from asterisk_compliance.shipped import catalogue
from asterisk_compliance.storage.recordings.assembly import wav_header
from lab.g711 import ulaw_decode, ulaw_encode


def prompt(name: str, language: str = "en") -> np.ndarray:
    return channels_of((catalogue.sounds() / language / f"{name}.wav").read_bytes())[0]


NOTICE = prompt("notice-standard")
SEARCH = NoticeSearch(NOTICE)


def mixed(into: np.ndarray, at_s: float, loud: float, part: slice = slice(None)) -> np.ndarray:
    sound = into.astype(np.float64)
    begin, piece = int(at_s * RATE), NOTICE[part] * loud
    sound[begin : begin + len(piece)] += piece[: len(sound) - begin]
    return sound.clip(-32_768, 32_767).astype(np.int16)


def voice(seconds: float) -> np.ndarray:
    """Another prompt, again and again: words by the same speaker."""
    other = prompt("notice-opt-in")
    return np.tile(other, int(seconds * RATE / len(other)) + 1)[: int(seconds * RATE)]


@pytest.mark.parametrize("at_s", [0.0, 3.3, 58.9, 70.25])
def test_it_is_found_where_it_is(at_s):
    silence = np.zeros(int(80 * RATE), np.int16)
    found = SEARCH.look(ulaw_decode(ulaw_encode(mixed(silence, at_s, 0.5))))
    assert found.at_s == pytest.approx(at_s, abs=0.002)
    assert found.best > 0.9


@pytest.mark.parametrize("name", ["notice-standard", "notice-opt-in"])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_its_last_second_is_enough(name, language):
    """What is captured too early begins with it."""
    notice = prompt(name, language)
    sounding = int(np.flatnonzero(np.abs(notice) > 500)[-1])
    early = notice[sounding - int(1.2 * RATE) :]
    recording = np.concatenate((early, np.zeros(5 * RATE, np.int16)))
    found = NoticeSearch(notice).look(ulaw_decode(ulaw_encode(recording)))
    assert found.found


@pytest.mark.parametrize("loud", [1.0, 0.5])
def test_a_voice_above_it_hides_it_not(loud):
    found = SEARCH.look(ulaw_decode(ulaw_encode(mixed(voice(30), 5.0, loud))))
    assert found.at_s == pytest.approx(5.0, abs=0.002)


@pytest.mark.parametrize(
    "sound",
    [
        voice(70),
        np.zeros(5 * RATE, np.int16),
        (8_000 * np.sin(np.arange(60 * RATE) * 2 * np.pi * 440 / RATE)).astype(np.int16),
        np.random.default_rng(1).normal(0, 3_000, 60 * RATE).astype(np.int16),
        np.zeros(100, np.int16),
        np.zeros(0, np.int16),
    ],
    ids=["voice", "silence", "tone", "noise", "moment", "nothing"],
)
def test_what_is_not_the_notice_is_not_taken_for_it(sound):
    found = SEARCH.look(sound)
    assert not found.found
    assert found.best < 0.9


@pytest.mark.parametrize("language", ["en", "ja"])
def test_every_shipped_notice_can_be_looked_for(language):
    for one in catalogue.shipped_prompts().values():
        if one.language == language and one.id.startswith("notice-"):
            sound = prompt(one.id, language)
            assert NoticeSearch(sound).look(sound).at_s == 0.0


def test_what_cannot_be_looked_at_is_said():
    wide = io.BytesIO()
    with wave.open(wide, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(100))
    with pytest.raises(NotLookedAt, match="16 bits at 16000 Hz"):
        channels_of(wide.getvalue())
    with pytest.raises(NotLookedAt, match="not a WAV file"):
        channels_of(NOTICE_WAV[:20])
    for sound in (NOTICE[: RATE // 2], np.zeros(RATE * 5, np.int16)):
        with pytest.raises(NotLookedAt, match="too short, or silent"):
            NoticeSearch(sound)


def test_channels_and_outline():
    stereo = np.array([[100, -32_768], [-200, 5], [300, 0], [0, 7]], "<i2")
    left, right = channels_of(wav_header(4, 2) + stereo.tobytes())
    assert (left.tolist(), right.tolist()) == ([100, -200, 300, 0], [-32_768, 5, 0, 7])
    assert outline(left, 2) == [200 / 32_768, 300 / 32_768]
    assert outline(right, 2) == [1.0, 7 / 32_768]
    assert len(outline(left, 600)) == 4
    assert outline(left[:0], 600) == []
