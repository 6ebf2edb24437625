"""G.711 as tables: 16-bit linear samples to mu-law or A-law bytes and back (ITU-T G.711).

Decoding follows the recommendation's values, scaled to 16 bits as telephony software does (mu-law
14 bits shifted by 2, A-law 13 bits by 3). Encoding takes the byte whose value is nearest, so that
decode, encode, decode is exact for every byte.
"""

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]
"""Mono samples, 8 kHz, 16 bits."""

ULAW_SILENCE = b"\xff"
ALAW_SILENCE = b"\xd5"


def _ulaw_values() -> Pcm:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_values() -> Pcm:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code & 0x70) >> 4
    step = (code & 0x0F) << 4
    magnitude = np.where(exponent == 0, step + 8, (step + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _nearest_codes(values: Pcm) -> NDArray[np.uint8]:
    """For each 16-bit sample, at index ``sample + 32768``, the byte whose value is nearest."""
    order = np.argsort(values, kind="stable")
    ascending = values[order].astype(np.int32)
    borders = (ascending[1:] + ascending[:-1] + 1) // 2
    samples = np.arange(-32768, 32768)
    return order[np.searchsorted(borders, samples, side="right")].astype(np.uint8)


_ULAW = _ulaw_values()
_ALAW = _alaw_values()
_TO_ULAW = _nearest_codes(_ULAW)
_TO_ALAW = _nearest_codes(_ALAW)


def ulaw_decode(data: bytes) -> Pcm:
    return _ULAW[np.frombuffer(data, np.uint8)]


def ulaw_encode(pcm: Pcm) -> bytes:
    return _TO_ULAW[pcm.astype(np.int32) + 32768].tobytes()


def alaw_decode(data: bytes) -> Pcm:
    return _ALAW[np.frombuffer(data, np.uint8)]


def alaw_encode(pcm: Pcm) -> bytes:
    return _TO_ALAW[pcm.astype(np.int32) + 32768].tobytes()
