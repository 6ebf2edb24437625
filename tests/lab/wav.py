"""WAV files as MixMonitor writes them, also the unfinished ones whose header says length 0."""

import struct
import wave
from pathlib import Path

import numpy as np

from lab.g711 import Pcm


def read_wav(path: Path) -> list[Pcm]:
    """The samples of each channel, from a 16-bit 8 kHz file.

    A data chunk of length 0 (capture still running, or Asterisk was killed) reaches to the end of
    the file; an odd last byte is dropped.

    Raises:
        ValueError: not 16-bit PCM at 8 kHz.
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path.name} is not a WAV file")
    position, channels = 12, 0
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt ":
            form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, position)
            if (form, rate, bits) != (1, 8000, 16):
                raise ValueError(f"{path.name} is format {form}, {rate} Hz, {bits} bits")
        elif name == b"data" and channels:
            end = position + length if length else len(data)
            frame = 2 * channels
            body = data[position : position + (min(end, len(data)) - position) // frame * frame]
            table = np.frombuffer(body, "<i2").reshape(-1, channels)
            return [table[:, channel].astype(np.int16) for channel in range(channels)]
        position += length + length % 2
    raise ValueError(f"{path.name} has no samples chunk")


def is_closed(path: Path) -> bool:
    """Whether Asterisk has finished a file: its header gives the length that the file has."""
    data = path.read_bytes() if path.exists() else b""
    return len(data) >= 44 and struct.unpack_from("<I", data, 4)[0] == len(data) - 8


def write_wav(path: Path, *channels: Pcm) -> None:
    """Write channels of equal length as one 16-bit 8 kHz file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.stack(channels, axis=1).astype("<i2").tobytes())
