"""Files as MixMonitor leaves them, and the recording that is made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import AudioSamples, wav_header
from asterisk_compliance.storage.recordings.vault import vault_path

RECORDING = recording_id(call_id(1_700_000_000_000, b"8 bytes!"), 1)
RX, TX = (spool_name(RECORDING, direction) for direction in ("rx", "tx"))
HEADER_OPEN = wav_header(0, 1)
PLAIN = Expected(None)
audio = arrays.arrays(np.int16, st.integers(0, 700))


def samples(count: int, level: int = 8_000) -> AudioSamples:
    return (level * np.sin(np.arange(count) * 0.5)).astype(np.int16)


def spooled(path: Path, audio: AudioSamples, *, closed: bool = True) -> bytes:
    header = wav_header(len(audio), 1) if closed else HEADER_OPEN
    data = header + audio.astype("<i2").tobytes()
    path.write_bytes(data)
    return data


def joined(vault: Path) -> AudioSamples:
    """The stereo recording's frames, one row each: left, right."""
    data = vault_path(vault, RECORDING).read_bytes()
    frames = np.frombuffer(data[44:], "<i2").reshape(-1, 2)
    assert data[:44] == wav_header(len(frames), 2)
    return frames
