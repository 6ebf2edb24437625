"""The audio that a person gets who asked for a recording: his own direction, or everybody's.

The told party is on the left channel, everybody else on the right
(``storage/recordings/assembly.py``).
"""

from __future__ import annotations

import numpy as np

from asterisk_compliance.app.evidence.audio import NotLookedAt, channels_of
from asterisk_compliance.config.subject_requests import Directions
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.storage.recordings.assembly import AudioSamples, wav_header


def to_keep(recording: bytes, directions: Directions) -> bytes:
    """A WAV that any player opens: mono of the person alone, or the stereo recording as it is.

    Raises:
        RecordingUnreadable: it is not a recording of ours.
    """
    left, _ = _tracks(recording)
    return _mono(left) if directions is Directions.OWN else recording


def to_hear(recording: bytes, directions: Directions) -> bytes:
    """The same for a telephone, which has one channel.

    Raises:
        RecordingUnreadable: it is not a recording of ours.
    """
    left, right = _tracks(recording)
    if directions is Directions.OWN:
        return _mono(left)
    together = left.astype(np.int32) + right
    return _mono(np.clip(together, -32_768, 32_767).astype(np.int16))


def _tracks(recording: bytes) -> tuple[AudioSamples, AudioSamples]:
    try:
        left, right = channels_of(recording)
    except (NotLookedAt, ValueError) as error:
        raise RecordingUnreadable(f"the recording is not what we join: {error}") from None
    return left, right


def _mono(samples: AudioSamples) -> bytes:
    return wav_header(len(samples), 1) + samples.astype("<i2").tobytes()
