"""The shipped prompts: what manifest.toml says of them is true of the files."""

import hashlib
import io
import re
import tomllib
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shipped import PURPOSES

SOUNDS = Path(__file__).parent.parent / "sounds"
MANIFEST: list[dict[str, Any]] = tomllib.loads((SOUNDS / "manifest.toml").read_text("utf-8"))[
    "prompt"
]
WORDING: list[dict[str, Any]] = tomllib.loads((SOUNDS / "wording.toml").read_text("utf-8"))[
    "prompt"
]
RATES = {"wav": 8000, "wav16": 16000}
LANGUAGES = {"ja", "en"}
LONGEST_MS = {"notice-standard": 12_000, "notice-short": 5_000, "not-recorded": 5_000}
RECORDING = re.compile("録音|record")

each_prompt = pytest.mark.parametrize(
    "prompt", MANIFEST, ids=lambda entry: f"{entry['language']}/{entry['id']}"
)
each_file = pytest.mark.parametrize("extension", RATES)


def content(prompt: dict[str, Any], extension: str) -> bytes:
    return (SOUNDS / prompt["language"] / f"{prompt['id']}.{extension}").read_bytes()


def samples(prompt: dict[str, Any], extension: str) -> np.ndarray:
    """-1.0 to 1.0."""
    with wave.open(io.BytesIO(content(prompt, extension))) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def levels_db(audio: np.ndarray, rate: int) -> np.ndarray:
    """RMS of each 10 ms, dBFS."""
    block = rate // 100
    blocks = audio[: len(audio) // block * block].reshape(-1, block)
    return 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)


def active_level_db(audio: np.ndarray, rate: int) -> float:
    """RMS of the speech without its pauses: the blocks within 30 dB of the loudest."""
    levels = levels_db(audio, rate)
    active = levels[levels > levels.max() - 30]
    return float(10 * np.log10(np.mean(10 ** (active / 10))))


def test_every_prompt_is_there_in_every_language_and_no_other_file() -> None:
    ids = {entry["id"] for entry in WORDING}
    assert {(p["id"], p["language"]) for p in MANIFEST} == {(i, k) for i in ids for k in LANGUAGES}
    listed = {f"{p['language']}/{p['id']}.{ext}" for p in MANIFEST for ext in RATES}
    found = {
        f"{path.parent.name}/{path.name}" for k in LANGUAGES for path in (SOUNDS / k).iterdir()
    }
    assert found == listed


@each_prompt
def test_manifest_has_the_wording_that_was_given_to_the_voice(prompt: dict[str, Any]) -> None:
    (source,) = (entry for entry in WORDING if entry["id"] == prompt["id"])
    said = (source["version"], source["purposes"], source["text"][prompt["language"]])
    assert (prompt["version"], prompt["purposes"], prompt["text"]) == said


@each_prompt
@each_file
def test_digest(prompt: dict[str, Any], extension: str) -> None:
    digest = hashlib.sha256(content(prompt, extension)).hexdigest()
    assert digest == prompt[f"sha256_{extension}"]


@each_prompt
@each_file
def test_format_is_what_asterisk_reads_under_this_extension(
    prompt: dict[str, Any], extension: str
) -> None:
    with wave.open(io.BytesIO(content(prompt, extension))) as file:
        assert file.getframerate() == RATES[extension]
        assert (file.getnchannels(), file.getsampwidth(), file.getcomptype()) == (1, 2, "NONE")


@each_prompt
def test_duration(prompt: dict[str, Any]) -> None:
    narrow, wide = len(samples(prompt, "wav")), len(samples(prompt, "wav16"))
    assert prompt["duration_ms"] == narrow * 1000 // 8000
    assert prompt["duration_ms"] <= LONGEST_MS[prompt["id"]]
    assert abs(narrow / 8000 - wide / 16000) <= 0.020
    assert narrow % 160 == 0, "a prompt ends with a whole packet of 20 ms"


@each_prompt
@each_file
def test_edges_are_silent_and_short(prompt: dict[str, Any], extension: str) -> None:
    audio, rate = samples(prompt, extension), RATES[extension]
    assert audio[0] == audio[-1] == 0
    assert np.abs(audio[: rate // 500]).max() < 0.003, "2 ms: a click at the start"
    assert np.abs(audio[-rate // 500 :]).max() < 0.003, "2 ms: a click at the end"
    levels = levels_db(audio, rate)
    speech = np.flatnonzero(levels > levels.max() - 40)
    assert speech[0] * 10 <= 60, "ms before the first word"
    assert (len(levels) - 1 - speech[-1]) * 10 <= 150, "ms after the last word"


@each_prompt
@each_file
def test_no_clipping(prompt: dict[str, Any], extension: str) -> None:
    assert 20 * np.log10(np.abs(samples(prompt, extension)).max()) <= -3.0


@each_file
def test_even_loudness(extension: str) -> None:
    levels = [active_level_db(samples(prompt, extension), RATES[extension]) for prompt in MANIFEST]
    assert max(levels) - min(levels) <= 1.5
    assert -26 <= min(levels) <= max(levels) <= -18, "near the level of speech on a telephone line"


@each_prompt
def test_both_files_say_the_same(prompt: dict[str, Any]) -> None:
    narrow = levels_db(samples(prompt, "wav"), 8000)
    wide = levels_db(samples(prompt, "wav16"), 16000)
    loud = narrow > narrow.max() - 25
    assert np.corrcoef(narrow[loud], wide[loud])[0, 1] > 0.9


@each_prompt
def test_wording_says_its_purposes_and_no_other(prompt: dict[str, Any]) -> None:
    said = [p.code for p in PURPOSES if p.is_named_in(prompt["text"], prompt["language"])]
    assert sorted(said) == sorted(prompt["purposes"])


@each_prompt
def test_purpose_is_said_before_the_word_for_recording(prompt: dict[str, Any]) -> None:
    word = RECORDING.search(prompt["text"])
    assert word is not None
    before = prompt["text"][: word.start()]
    for purpose in PURPOSES:
        if purpose.code in prompt["purposes"]:
            assert purpose.is_named_in(before, prompt["language"])


@each_prompt
def test_wording_promises_nothing_that_only_a_policy_can_keep(prompt: dict[str, Any]) -> None:
    promise = re.compile(
        r"[0-9０-９{}]|[一二三四五六七八九十百]+(?:日|か月|ヶ月|年|番)|押|プッシュ|消去|削除|保存|会社"
        r"|\b(?:press|dial|delete|erase|keep|stored?|days?|weeks?|months?|years?|company|inc|ltd)\b",
        re.IGNORECASE,
    )
    assert promise.search(prompt["text"]) is None


@each_prompt
def test_licence_and_voice_are_named(prompt: dict[str, Any]) -> None:
    licences = (SOUNDS / "LICENSES.md").read_text("utf-8")
    assert prompt["voice"] in licences
    assert prompt["licence"] in licences
    assert prompt["engine"].split()[0] in licences
