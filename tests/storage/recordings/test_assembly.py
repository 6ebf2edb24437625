"""Two files of one direction each are measured and become one recording, sample for sample."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.recording.verdict import Measured
from asterisk_compliance.errors import RecordingUnreadable
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings import assembly as recordings
from asterisk_compliance.storage.recordings import vault as vaults
from asterisk_compliance.storage.recordings.assembly import (
    AudioSamples,
    has_audio,
    is_closed,
    measure_and_join,
    read_length_ms,
    remove_spooled,
    wav_header,
)
from asterisk_compliance.storage.recordings.vault import vault_path
from storage.spooled import HEADER_OPEN, PLAIN, RECORDING, RX, TX, audio, joined, samples, spooled


def test_the_caller_is_left_and_the_others_are_right(spool: Path, vault: Path) -> None:
    rx, tx = samples(8_000), samples(8_000, 500)
    rx_data, tx_data = spooled(spool / RX, rx), spooled(spool / TX, tx)
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert np.array_equal(joined(vault), np.stack((rx, tx), axis=1))
    data = vault_path(vault, RECORDING).read_bytes()
    assert measured.joined_sha256 == hashlib.sha256(data).hexdigest()
    assert measured.joined_bytes == len(data)
    assert measured.rx is not None
    assert measured.tx is not None
    assert (measured.rx.sha256, measured.tx.sha256) == tuple(
        hashlib.sha256(raw).hexdigest() for raw in (rx_data, tx_data)
    )
    assert (measured.rx.length_ms, measured.rx.closed) == (1_000, True)


@given(rx=audio, tx=audio, chunk=st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_no_sample_is_lost_or_moved(
    tmp_path_factory: pytest.TempPathFactory, rx: AudioSamples, tx: AudioSamples, chunk: int
) -> None:
    directory = tmp_path_factory.mktemp("join")
    spooled(directory / RX, rx)
    spooled(directory / TX, tx)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "_CHUNK_SAMPLES", chunk)
        measured = measure_and_join(directory, RECORDING, directory, PLAIN)
    length = max(len(rx), len(tx))
    if length == 0:
        assert not vault_path(directory, RECORDING).exists()
        assert (measured.joined_sha256, measured.joined_bytes) == ("", 0)
        return
    left, right = joined(directory).T
    assert np.array_equal(left, np.pad(rx, (0, length - len(rx))))
    assert np.array_equal(right, np.pad(tx, (0, length - len(tx))))


def test_a_recording_longer_than_one_chunk(spool: Path, vault: Path) -> None:
    rx, tx = samples(recordings._CHUNK_SAMPLES + 12_345), samples(recordings._CHUNK_SAMPLES - 1)
    rx_data, _ = spooled(spool / RX, rx), spooled(spool / TX, tx)
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert np.array_equal(joined(vault)[:, 0], rx)
    assert measured.rx is not None
    assert measured.rx.sha256 == hashlib.sha256(rx_data).hexdigest()
    assert measured.rx.length_ms - 40 <= measured.rx.audible_ms <= measured.rx.length_ms


@pytest.mark.parametrize("there", [RX, TX])
def test_a_direction_that_is_missing_is_silence(spool: Path, vault: Path, there: str) -> None:
    sound = samples(1_600)
    spooled(spool / there, sound)
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert (measured.rx is None, measured.tx is None) == (there == TX, there == RX)
    left, right = joined(vault).T
    assert np.array_equal(left if there == RX else right, sound)
    assert not (right if there == RX else left).any()


def test_no_file_at_all(spool: Path, vault: Path) -> None:
    assert measure_and_join(spool, RECORDING, vault, PLAIN) == Measured(None, None)
    assert list(vault.iterdir()) == []


def test_files_without_a_sample_are_not_joined(spool: Path, vault: Path) -> None:
    spooled(spool / RX, samples(0))
    spooled(spool / TX, samples(0))
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert measured.rx is not None
    assert (measured.rx.length_ms, measured.rx.audible_ms, measured.rx.closed) == (0, 0, True)
    assert measured.rx.sha256 == hashlib.sha256(HEADER_OPEN).hexdigest()
    assert list(vault.iterdir()) == []


def test_a_header_that_was_never_closed_does_not_hide_the_samples(spool: Path, vault: Path) -> None:
    sound = samples(1_600)
    spooled(spool / RX, sound, closed=False)
    spooled(spool / TX, sound)
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert measured.rx is not None
    assert measured.tx is not None
    assert (measured.rx.closed, measured.tx.closed) == (False, True)
    assert measured.rx.length_ms == 200
    assert np.array_equal(joined(vault)[:, 0], sound)


@pytest.mark.parametrize("size", [0, 1, 43])
def test_a_truncated_header_is_a_file_without_a_sample(spool: Path, vault: Path, size: int) -> None:
    (spool / RX).write_bytes(HEADER_OPEN[:size])
    spooled(spool / TX, samples(800))
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert measured.rx is not None
    assert (measured.rx.length_ms, measured.rx.closed) == (0, False)
    assert measured.rx.sha256 == hashlib.sha256(HEADER_OPEN[:size]).hexdigest()


def test_half_a_sample_is_digested_and_not_kept(spool: Path, vault: Path) -> None:
    data = spooled(spool / RX, samples(800), closed=False) + b"\x7f"
    (spool / RX).write_bytes(data)
    spooled(spool / TX, samples(800))
    measured = measure_and_join(spool, RECORDING, vault, PLAIN)
    assert measured.rx is not None
    assert (measured.rx.length_ms, measured.rx.closed) == (100, False)
    assert measured.rx.sha256 == hashlib.sha256(data).hexdigest()
    assert len(joined(vault)) == 800


@pytest.mark.parametrize(
    ("offset", "change"),
    [
        (0, b"RIFX"),
        (20, struct.pack("<H", 7)),
        (22, struct.pack("<H", 2)),
        (24, struct.pack("<I", 16_000)),
        (34, struct.pack("<H", 8)),
    ],
    ids=["no RIFF", "no PCM", "stereo", "16 kHz", "8 bit"],
)
@pytest.mark.parametrize("name", [RX, TX])
def test_what_mixmonitor_does_not_write(
    spool: Path, vault: Path, name: str, offset: int, change: bytes
) -> None:
    for file in (RX, TX):
        spooled(spool / file, samples(800))
    data = bytearray((spool / name).read_bytes())
    data[offset : offset + len(change)] = change
    (spool / name).write_bytes(data)
    with pytest.raises(RecordingUnreadable, match=f"{name} is not 16-bit mono PCM at 8 kHz"):
        measure_and_join(spool, RECORDING, vault, PLAIN)
    assert list(vault.iterdir()) == []
    with pytest.raises(RecordingUnreadable, match="is not 16-bit mono PCM"):
        read_length_ms(bytes(data))


def test_a_recording_is_for_its_owner_only(spool: Path, vault: Path) -> None:
    spooled(spool / RX, samples(800))
    before = os.umask(0)
    try:
        measure_and_join(spool, RECORDING, vault, PLAIN)
    finally:
        os.umask(before)
    assert stat.S_IMODE(vault_path(vault, RECORDING).stat().st_mode) == 0o600


def test_an_interrupted_run_is_replaced(spool: Path, vault: Path) -> None:
    vault_path(vault, RECORDING).write_bytes(b"old and longer than what comes" * 1_000)
    vault_path(vault, RECORDING).with_suffix(".part").write_bytes(b"half" * 10_000)
    spooled(spool / RX, samples(800))
    measure_and_join(spool, RECORDING, vault, PLAIN)
    assert len(joined(vault)) == 800
    assert [file.name for file in vault.iterdir()] == [f"{RECORDING}.wav"]


def test_the_name_of_a_recording_is_durable(
    spool: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[Path]] = []
    monkeypatch.setattr(vaults, "sync_directory", lambda path: synced.append(list(path.iterdir())))
    spooled(spool / RX, samples(800))
    measure_and_join(spool, RECORDING, vault, PLAIN)
    assert synced == [[vault_path(vault, RECORDING)]]


def test_a_write_that_fails_leaves_nothing(
    spool: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    spooled(spool / RX, samples(800))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        measure_and_join(spool, RECORDING, vault, PLAIN)
    assert list(vault.iterdir()) == []
    assert (spool / RX).exists()


# -- what can be heard ------------------------------------------------------------------------


def audible_ms(spool: Path, sound: AudioSamples) -> int:
    spooled(spool / RX, sound)
    measured = measure_and_join(spool, RECORDING, spool, PLAIN)
    assert measured.rx is not None
    return measured.rx.audible_ms


@pytest.mark.parametrize(
    ("sound", "audible"),
    [
        (samples(8_000, 0), 0),
        (samples(8_000, 30), 0),
        (samples(8_000, 60), 1_000),
        (samples(8_000, 32_000), 1_000),
        (samples(159), 0),
        (np.full(8_000, -32_768, np.int16), 1_000),
        (np.full(8_000, 30, np.int16), 0),
        (np.full(8_000, 31, np.int16), 1_000),
        (np.concatenate((samples(3_200, 0), samples(1_600), samples(3_200, 0))), 200),
    ],
)
def test_the_time_that_can_be_heard(spool: Path, sound: AudioSamples, audible: int) -> None:
    assert audible_ms(spool, sound) == audible


# -- single files -----------------------------------------------------------------------------


def test_a_file_is_closed_when_its_header_states_its_size(tmp_path: Path) -> None:
    file = tmp_path / RX
    assert not is_closed(file)
    assert not has_audio(file)
    for data, closed, audio_there in [
        (b"", False, False),
        (HEADER_OPEN[:20], False, False),
        (HEADER_OPEN, False, False),
        (HEADER_OPEN + b"\0\0", False, True),
        (wav_header(2, 1) + b"\0\0", False, True),
        (wav_header(1, 1) + b"\0\0", True, True),
    ]:
        file.write_bytes(data)
        assert (is_closed(file), has_audio(file)) == (closed, audio_there)


def test_the_length_of_a_prompt(tmp_path: Path) -> None:
    assert read_length_ms(wav_header(12_000, 1) + bytes(24_000)) == 1_500
    with pytest.raises(RecordingUnreadable, match="not a WAV file"):
        read_length_ms(HEADER_OPEN[:43])
    with pytest.raises(RecordingUnreadable, match="does not state its size"):
        read_length_ms(wav_header(12_000, 1) + bytes(23_998))


def test_what_a_recording_left_is_removed_and_nothing_else(spool: Path) -> None:
    other = spool_name(recording_id(call_id(1, b"8 bytes!"), 1), "rx")
    for name in (RX, TX, other):
        spooled(spool / name, samples(1))
    assert remove_spooled(spool, RECORDING) == 2
    assert [file.name for file in spool.iterdir()] == [other]
    assert remove_spooled(spool, RECORDING) == 0


def test_one_direction_is_removed_too(spool: Path) -> None:
    spooled(spool / TX, samples(1))
    assert remove_spooled(spool, RECORDING) == 1


def test_a_file_that_does_not_go_is_an_error(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(spool / RX, samples(1))
    monkeypatch.setattr(Path, "unlink", lambda path: None)
    with pytest.raises(OSError, match="is still there"):
        remove_spooled(spool, RECORDING)
