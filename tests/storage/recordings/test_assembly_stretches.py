"""What must not be kept is silence before it is digested; who is not in the file is said."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.recording.verdict import (
    Blank,
    Doubt,
    Expected,
    Measured,
    Track,
    Tracks,
)
from asterisk_compliance.storage.recordings import assembly as recordings
from asterisk_compliance.storage.recordings.assembly import (
    AudioSamples,
    measure_and_join,
    remove_spooled,
)
from asterisk_compliance.storage.recordings.vault import vault_path
from storage.spooled import RECORDING, RX, TX, audio, joined, samples, spooled

# -- what must not be kept ----------------------------------------------------------------------


def blanked(spool: Path, vault: Path, *blanks: Blank, samples_: int = 8_000) -> Measured:
    """Join two directions that sound in every sample, with blanks."""
    for name, level in ((RX, 9_000), (TX, 7_000)):
        spooled(spool / name, np.full(samples_, level, np.int16))
    return measure_and_join(spool, RECORDING, vault, Expected(None, blanks=blanks))


def silent(vault: Path, channel: int) -> list[tuple[int, int]]:
    """Where a channel of the recording is digital silence, in samples."""
    edges = np.diff(np.pad((joined(vault)[:, channel] == 0).astype(np.int8), 1))
    return list(
        zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
    )


def tracks(measured: Measured) -> tuple[Track, Track]:
    assert measured.rx is not None
    assert measured.tx is not None
    return measured.rx, measured.tx


@pytest.mark.parametrize(
    ("since", "to", "found", "blanked_ms"),
    [
        (20, 0, [(7_840, 8_000)], 20),
        (300, 100, [(5_600, 7_200)], 200),
        (1_000, 0, [(0, 8_000)], 1_000),
        (5_000, 900, [(0, 800)], 100),
        (5_000, 1_000, [], 0),
        (70, 70, [], 0),
    ],
    ids=["the very end", "inside", "all", "beyond the start", "before the start", "nothing"],
)
def test_a_blank_is_silence(
    spool: Path, vault: Path, since: int, to: int, found: list[tuple[int, int]], blanked_ms: int
) -> None:
    measured = blanked(spool, vault, Blank(since, to, Tracks.BOTH))
    assert silent(vault, 0) == silent(vault, 1) == found
    for track in tracks(measured):
        assert (track.length_ms, track.blanked_ms) == (1_000, blanked_ms)
        assert track.audible_ms == 1_000 - blanked_ms
    assert measured.blanked_ms == 2 * blanked_ms


def test_a_blank_of_the_others_leaves_the_caller_alone(spool: Path, vault: Path) -> None:
    measured = blanked(spool, vault, Blank(100, 50, Tracks.OTHERS))
    assert (silent(vault, 0), silent(vault, 1)) == ([], [(7_200, 7_600)])
    assert [track.blanked_ms for track in tracks(measured)] == [0, 50]


def test_of_a_file_that_nobody_saw_end_the_last_write_says_when_that_was(
    spool: Path, vault: Path
) -> None:
    """300 ms are asked for, 200 ms after the longer-written of the two files was written to.

    The kernel may have dated that 10 ms too early.
    """
    for name, written_s in ((RX, 1_700_000_000.0), (TX, 1_699_999_990.0)):
        spooled(spool / name, np.full(8_000, 9_000, np.int16))
        os.utime(spool / name, (written_s, written_s))
    blanks = (Blank(300, 0, Tracks.OTHERS),)
    measure_and_join(
        spool,
        RECORDING,
        vault,
        Expected(None, blanks=blanks, asked_unix_ms=1_700_000_000_200),
    )
    assert (silent(vault, 0), silent(vault, 1)) == ([], [(7_120, 8_000)])


def test_blanks_that_overlap_are_counted_once(spool: Path, vault: Path) -> None:
    measured = blanked(
        spool, vault, Blank(100, 40, Tracks.OTHERS), Blank(60, 0), Blank(500, 400, Tracks.OTHERS)
    )
    assert silent(vault, 0) == [(7_520, 8_000)]
    assert silent(vault, 1) == [(4_000, 4_800), (7_200, 8_000)]
    assert [track.blanked_ms for track in tracks(measured)] == [60, 200]


def test_a_part_of_a_millisecond_that_was_blanked_is_said(spool: Path, vault: Path) -> None:
    measured = blanked(spool, vault, Blank(900, 500), samples_=4_003)
    assert silent(vault, 0) == [(0, 3)]
    assert [track.blanked_ms for track in tracks(measured)] == [1, 1]


def test_what_is_blanked_is_not_in_the_digest(spool: Path, vault: Path) -> None:
    """Whatever was said in the stretch, the kept recording is the same, and says its own digest."""
    plain = blanked(spool, vault)
    first = blanked(spool, vault, Blank(100, 50, Tracks.OTHERS))
    data = vault_path(vault, RECORDING).read_bytes()
    assert first.joined_sha256 == hashlib.sha256(data).hexdigest() != plain.joined_sha256
    assert first.joined_bytes == len(data) == plain.joined_bytes
    assert [track.sha256 for track in tracks(first)] == [track.sha256 for track in tracks(plain)]
    slipped = np.full(8_000, 7_000, np.int16)
    slipped[7_200:7_600] = -123
    raw = spooled(spool / TX, slipped)
    expected = Expected(None, blanks=(Blank(100, 50, Tracks.OTHERS),))
    second = measure_and_join(spool, RECORDING, vault, expected)
    assert second.joined_sha256 == first.joined_sha256
    assert tracks(second)[1].sha256 == hashlib.sha256(raw).hexdigest()


def test_the_end_is_that_of_the_longer_direction(spool: Path, vault: Path) -> None:
    """Both begin with the same sample: what is short lacks its end."""
    spooled(spool / RX, np.full(8_000, 9_000, np.int16))
    spooled(spool / TX, np.full(6_000, 7_000, np.int16))
    expected = Expected(None, blanks=(Blank(300, 0, Tracks.BOTH),))
    measured = measure_and_join(spool, RECORDING, vault, expected)
    assert (silent(vault, 0), silent(vault, 1)) == ([(5_600, 8_000)], [(5_600, 8_000)])
    assert [track.blanked_ms for track in tracks(measured)] == [300, 50]


def test_a_blank_over_the_edge_of_chunks(spool: Path, vault: Path) -> None:
    edge, length = recordings._CHUNK_SAMPLES, 2 * recordings._CHUNK_SAMPLES + 800
    measured = blanked(
        spool, vault, Blank((length - edge) // 8 + 10, 50, Tracks.OTHERS), samples_=length
    )
    assert (silent(vault, 0), silent(vault, 1)) == ([], [(edge - 80, length - 400)])
    rx, tx = tracks(measured)
    assert rx.audible_ms == rx.length_ms
    assert tx.audible_ms == tx.length_ms - tx.blanked_ms + 20  # two frames, half blanked


stretches = st.lists(
    st.builds(
        lambda since, to, tracks: Blank(max(since, to), min(since, to), tracks),
        st.integers(0, 120),
        st.integers(0, 120),
        st.sampled_from(Tracks),
    ),
    max_size=4,
)


@given(rx=audio, tx=audio, blanks=stretches, chunk=st.integers(1, 300))
@settings(max_examples=150, deadline=None)
def test_blanking_changes_no_sample_outside_of_its_stretches(
    tmp_path_factory: pytest.TempPathFactory,
    rx: AudioSamples,
    tx: AudioSamples,
    blanks: list[Blank],
    chunk: int,
) -> None:
    directory = tmp_path_factory.mktemp("blank")
    spooled(directory / RX, rx)
    spooled(directory / TX, tx)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "_CHUNK_SAMPLES", chunk)
        expected = Expected(None, blanks=tuple(blanks))
        measured = measure_and_join(directory, RECORDING, directory, expected)
    length = max(len(rx), len(tx))
    if length == 0:
        assert measured.blanked_ms == 0
        return
    kept = joined(directory)
    assert kept.shape == (length, 2)
    for channel, sound in enumerate((rx, tx)):
        full = np.pad(sound, (0, length - len(sound)))
        for at in range(length):
            back = length - at  # how many samples before the end this one begins
            inside = any(
                8 * blank.to_end_ms < back <= 8 * blank.from_end_ms
                and (channel == 1 or blank.tracks is Tracks.BOTH)
                for blank in blanks
            )
            assert kept[at, channel] == (0 if inside else full[at])


# -- others who were not to be kept, or may be lost --------------------------------------------


def test_others_who_were_not_captured(spool: Path, vault: Path) -> None:
    sound = samples(8_000)
    spooled(spool / RX, sound)
    expected = Expected(None, others=False, doubts=(Doubt(1_000, 0),))
    measured = measure_and_join(spool, RECORDING, vault, expected)
    assert (measured.tx, measured.lost) == (None, ())
    left, right = joined(vault).T
    assert np.array_equal(left, sound)
    assert not right.any()


def test_a_file_of_others_who_were_not_to_be_captured_is_not_read(spool: Path, vault: Path) -> None:
    spooled(spool / RX, samples(800))
    spooled(spool / TX, samples(1_600))
    measured = measure_and_join(spool, RECORDING, vault, Expected(None, others=False))
    assert measured.tx is None
    assert len(joined(vault)) == 800
    assert not joined(vault)[:, 1].any()
    assert remove_spooled(spool, RECORDING) == 2


HUSH, SOUND = samples(24_000, 0), samples(24_000)


@pytest.mark.parametrize(
    ("tx", "doubts", "lost"),
    [
        ((SOUND, HUSH), [Doubt(3_000, 0)], ((3_000, 6_000),)),
        ((SOUND, HUSH), [Doubt(2_000, 1_000)], ((4_000, 5_000),)),
        ((SOUND, HUSH), [Doubt(1_999, 1_000)], ()),
        ((SOUND, HUSH), [Doubt(3_020, 0)], ()),
        ((SOUND, HUSH), [Doubt(3_019, 0)], ((2_981, 6_000),)),
        ((SOUND, HUSH), [], ()),
        ((HUSH, SOUND), [Doubt(9_000, 3_000)], ((0, 3_000),)),
        ((HUSH, SOUND), [Doubt(9_000, 5_500)], ()),
        ((HUSH, SOUND), [Doubt(4_500, 3_000), Doubt(6_000, 4_500), Doubt(3_000, 0)],
         ((0, 1_500), (1_500, 3_000))),
        ((HUSH, SOUND), [Doubt(5_500, 3_500), Doubt(5_000, 3_000)], ((500, 3_000),)),
    ],
    ids=[
        "to the end", "one second", "less than one", "one frame heard", "a part of a frame",
        "no doubt", "beyond the start", "too little of it", "each by itself", "overlapping",
    ],
)  # fmt: skip
def test_others_who_are_not_in_the_file(
    spool: Path,
    vault: Path,
    tx: tuple[AudioSamples, AudioSamples],
    doubts: list[Doubt],
    lost: tuple[tuple[int, int], ...],
) -> None:
    spooled(spool / RX, samples(48_000))
    spooled(spool / TX, np.concatenate(tx))
    expected = Expected(None, doubts=tuple(doubts))
    assert measure_and_join(spool, RECORDING, vault, expected).lost == lost


def test_others_whose_file_ends_early_are_lost_behind_it(spool: Path, vault: Path) -> None:
    spooled(spool / RX, samples(24_000))
    spooled(spool / TX, samples(8_000))
    expected = Expected(None, doubts=(Doubt(2_000, 0),))
    assert measure_and_join(spool, RECORDING, vault, expected).lost == ((1_000, 3_000),)


@pytest.mark.parametrize(("to_ms", "lost"), [(1_000, ((0, 3_000),)), (999, ())])
def test_what_was_blanked_tells_nothing_of_a_doubt(
    spool: Path, vault: Path, to_ms: int, lost: tuple[tuple[int, int], ...]
) -> None:
    spooled(spool / RX, SOUND)
    spooled(spool / TX, np.concatenate((SOUND[:12_000], HUSH[:12_000])))
    expected = Expected(None, blanks=(Blank(3_000, to_ms),), doubts=(Doubt(3_000, 0),))
    assert measure_and_join(spool, RECORDING, vault, expected).lost == lost


# -- files that Asterisk did not close ----------------------------------------------------------


@pytest.mark.parametrize("lost_ms", [0, 700, 2_000])
def test_a_blank_holds_whatever_is_missing_at_the_end(
    spool: Path, vault: Path, lost_ms: int
) -> None:
    """What must not be kept lay from 3 to 2.5 s before the end that Asterisk did not write."""
    secret, plain = 5_000, 1_000
    said = np.full(8_000 * 6, plain, np.int16)
    said[24_000:28_000] = secret
    kept = said[: len(said) - 8 * lost_ms]
    spooled(spool / RX, kept, closed=False)
    spooled(spool / TX, kept, closed=False)
    expected = Expected(None, blanks=(Blank(3_000, 2_500, Tracks.BOTH),))
    measure_and_join(spool, RECORDING, vault, expected)
    assert not (joined(vault) == secret).any()
    assert (joined(vault)[: 24_000 - 8 * lost_ms] == plain).all()


@pytest.mark.parametrize("where_ms", [0, 1_000, 4_500])
def test_a_blank_holds_where_time_stood_still(spool: Path, vault: Path, where_ms: int) -> None:
    """Of six seconds 1.2 are missing, before, behind or between what must not be kept."""
    secret, plain = 5_000, 1_000
    said = np.full(8 * 6_000, plain, np.int16)
    said[8 * 3_000 : 8 * 3_500] = secret
    kept = np.delete(said, np.s_[8 * where_ms : 8 * (where_ms + 1_200)])
    spooled(spool / RX, kept)
    spooled(spool / TX, kept)
    expected = Expected(6_000, blanks=(Blank(3_000, 2_500, Tracks.BOTH),))
    measure_and_join(spool, RECORDING, vault, expected)
    assert not (joined(vault) == secret).any()
    assert (joined(vault)[: 8 * 1_800] == plain).all()
