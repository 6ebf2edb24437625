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

from asterisk_compliance.domain.disclosure.phrase_patterns import EXPRESSIONS, fold, keys_spoken
from asterisk_compliance.domain.disclosure.wording_lint import LintSeverity, PromptKind, lint
from asterisk_compliance.domain.policy.notice import ToldBy
from asterisk_compliance.shipped.catalogue import shipped_prompts
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
SHORT = {"notice-short", "joined"}
"""Notices that are as short as an announcement."""
LONGEST_MS = 12_000
LONGEST_SHORT_MS = 5_000
POINTING = {"notice-published", "joined-published"}
"""Notices that leave their purposes to the published page."""
DIGITS = {
    "notice-opt-out": {"refuse": "9"},
    "notice-opt-in": {"accept": "1", "refuse": "2"},
    "hearing-code": {"end": "#"},
}
RECORDING = re.compile("録音|record", re.IGNORECASE)

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
    for key in ("version", "kind", "purposes"):
        assert prompt[key] == source[key]
    assert prompt["text"] == source["text"][prompt["language"]]
    assert prompt.get("digits") == source.get("digits")


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
    short = prompt["kind"] == "announcement" or prompt["id"] in SHORT
    assert prompt["duration_ms"] <= (LONGEST_SHORT_MS if short else LONGEST_MS)
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
    # The voiceless end of a Japanese ます lies above what 8 kHz can carry: silence, in that file.
    assert (len(levels) - 1 - speech[-1]) * 10 <= 200, "ms after the last word"


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
def test_notices_are_for_service_and_quality_and_announcements_for_nothing(
    prompt: dict[str, Any],
) -> None:
    says_none = prompt["kind"] == "announcement" or prompt["id"] in POINTING
    told = [] if says_none else ["SERVICE", "QUALITY"]
    assert prompt["purposes"] == told


@each_prompt
def test_wording_promises_nothing_that_only_a_policy_can_keep(prompt: dict[str, Any]) -> None:
    promise = re.compile(
        r"[0-9０-９{}]|[一二三四五六七八九十百]+(?:日|か月|ヶ月|年|番)|押|プッシュ|消去|削除|保存|会社"
        r"|\b(?:press|dial|delete|erase|keep|stored?|days?|weeks?|months?|years?|company|inc|ltd)\b",
        re.IGNORECASE,
    )
    keys = re.compile("[129]|何も押され|を押して|[Pp]ress") if prompt["id"] in DIGITS else None
    assert promise.search(keys.sub("", prompt["text"]) if keys else prompt["text"]) is None


@each_prompt
def test_the_keys_that_a_wording_names_are_those_of_its_digits(prompt: dict[str, Any]) -> None:
    digits = prompt.get("digits", {})
    assert digits == DIGITS.get(prompt["id"], {})
    said = EXPRESSIONS[prompt["language"]]
    assert keys_spoken(fold(prompt["text"]), said) == set(digits.values())


def test_a_question_has_a_key_for_each_answer() -> None:
    asked = [entry for entry in MANIFEST if entry["kind"] == "question"]
    assert {entry["id"] for entry in asked} == {"notice-opt-in"}
    assert all({"accept", "refuse"} <= set(entry["digits"]) for entry in asked)


@each_prompt
def test_the_linter_finds_no_error(prompt: dict[str, Any]) -> None:
    findings = lint(
        prompt["text"],
        prompt["language"],
        purposes=[p for p in PURPOSES if p.code in prompt["purposes"]],
        length_ms=prompt["duration_ms"],
        kind=PromptKind(prompt["kind"]),
        digits=prompt.get("digits", {}),
        pointers={} if prompt["id"] in POINTING else None,
    )
    assert [f for f in findings if f.severity is LintSeverity.ERROR] == []


@each_prompt
def test_the_catalogue_has_what_the_manifest_says(prompt: dict[str, Any]) -> None:
    entry = shipped_prompts()[prompt["id"], prompt["language"]]
    assert (entry.told_by is ToldBy.PUBLICATION) is (entry.id in POINTING)
    assert (entry.kind, entry.digits) == (prompt["kind"], prompt.get("digits", {}))
    assert (entry.text, entry.length_ms) == (prompt["text"], prompt["duration_ms"])


@each_prompt
def test_licence_and_voice_are_named(prompt: dict[str, Any]) -> None:
    licences = (SOUNDS / "LICENSES.md").read_text("utf-8")
    assert prompt["voice"] in licences
    assert prompt["licence"] in licences
    assert prompt["engine"].split()[0] in licences
