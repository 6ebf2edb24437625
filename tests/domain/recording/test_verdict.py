"""What was measured on disk is judged: missing, empty, short, long, one-sided, lost, or whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.recording.verdict import (
    LENGTH_TOLERANCE_MS,
    SILENCE_COUNTS_FROM_MS,
    SILENT_BELOW_MS,
    AudioDirection,
    Blank,
    CaptureOutcome,
    Doubt,
    Expected,
    Length,
    Measured,
    RecordingVerdict,
    Track,
    Tracks,
    disjoint,
    judge,
    overlap,
    span,
)


def track(
    length_ms: int = 5_000, audible_ms: int = 2_000, *, closed: bool = True, sha256: str = "a" * 64
) -> Track:
    return Track(length_ms, audible_ms, sha256, closed)


def judged(
    rx: Track | None = None, tx: Track | None = None, expected_ms: int | None = 5_000
) -> RecordingVerdict:
    return judge(Measured(rx, tx, "5" * 64, 100), Expected(expected_ms))


def test_no_file_at_all() -> None:
    verdict = judged()
    assert verdict == RecordingVerdict(CaptureOutcome.MISSING, 5_000)
    assert not verdict.whole


@pytest.mark.parametrize(
    ("expected_ms", "length"),
    [(None, Length.UNKNOWN), (0, Length.OK), (1_000, Length.OK), (1_001, Length.SHORT)],
)
def test_files_without_a_sample(expected_ms: int | None, length: Length) -> None:
    verdict = judged(track(0, 0), track(0, 0), expected_ms)
    assert (verdict.outcome, verdict.length, verdict.whole) == (CaptureOutcome.EMPTY, length, False)


def test_a_whole_recording_carries_its_digests() -> None:
    verdict = judged(track(sha256="r" * 64), track(sha256="t" * 64))
    assert verdict.whole
    assert (verdict.sha256, verdict.rx_sha256, verdict.tx_sha256) == ("5" * 64, "r" * 64, "t" * 64)
    assert (verdict.rx, verdict.tx) == (AudioDirection.HEARD, AudioDirection.HEARD)


@pytest.mark.parametrize(
    ("length_ms", "length", "whole"),
    [
        (5_000 - LENGTH_TOLERANCE_MS - 1, Length.SHORT, False),
        (5_000 - LENGTH_TOLERANCE_MS, Length.OK, True),
        (5_000 + LENGTH_TOLERANCE_MS, Length.OK, True),
        (5_000 + LENGTH_TOLERANCE_MS + 1, Length.LONG, False),
    ],
)
def test_length_against_the_time_in_bridges(length_ms: int, length: Length, *, whole: bool) -> None:
    verdict = judged(track(length_ms), track(length_ms))
    assert (verdict.length, verdict.length_ms, verdict.whole) == (length, length_ms, whole)


def test_the_longer_direction_is_the_length() -> None:
    assert judged(track(4_000), track(5_000)).length_ms == 5_000


def test_a_length_that_nobody_knows_is_no_reproach() -> None:
    verdict = judged(track(), track(), None)
    assert (verdict.length, verdict.whole) == (Length.UNKNOWN, True)


@pytest.mark.parametrize(
    ("other", "direction"),
    [
        (track(audible_ms=SILENT_BELOW_MS - 1), AudioDirection.SILENT),
        (track(audible_ms=SILENT_BELOW_MS), AudioDirection.HEARD),
        (None, AudioDirection.MISSING),
    ],
)
def test_a_recording_with_one_side_is_not_whole(
    other: Track | None, direction: AudioDirection
) -> None:
    verdict = judged(track(), other)
    assert (verdict.outcome, verdict.tx) == (CaptureOutcome.CLOSED, direction)
    assert verdict.whole == (direction is AudioDirection.HEARD)
    turned = judged(other, track())
    assert (turned.rx, turned.whole) == (direction, verdict.whole)


def test_digests_of_a_direction_that_is_not_there_are_empty() -> None:
    assert judged(track(), None).tx_sha256 == ""
    assert judged(None, track()).rx_sha256 == ""


def test_a_header_that_was_not_closed_is_not_whole() -> None:
    verdict = judged(track(), track(closed=False))
    assert (verdict.header_closed, verdict.whole) == (False, False)


# -- silence that is no defect ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("length_ms", "whole"), [(SILENCE_COUNTS_FROM_MS - 1, True), (SILENCE_COUNTS_FROM_MS, False)]
)
def test_nobody_has_to_speak_in_less_than_a_second(length_ms: int, *, whole: bool) -> None:
    quiet = track(length_ms, 0)
    for rx, tx in [(quiet, track(length_ms, 500)), (track(length_ms, 500), quiet), (quiet, quiet)]:
        verdict = judged(rx, tx, length_ms)
        assert AudioDirection.SILENT in {verdict.rx, verdict.tx}
        assert verdict.whole == whole


def test_a_file_that_is_missing_is_a_defect_of_any_length() -> None:
    assert not judged(track(100, 0), None, 100).whole


def test_others_who_were_never_captured_are_not_missed() -> None:
    alone = Expected(5_000, others=False)
    verdict = judge(Measured(track(sha256="r" * 64), None, "5" * 64, 100), alone)
    assert (verdict.rx, verdict.tx) == (AudioDirection.HEARD, AudioDirection.NOT_KEPT)
    assert verdict.whole
    assert verdict.tx_sha256 == ""
    assert judge(Measured(None, None), alone).outcome is CaptureOutcome.MISSING
    assert not judge(Measured(track(audible_ms=0), None), alone).whole


def test_a_file_that_should_not_be_there_does_not_count() -> None:
    stray = track(9_000, 9_000, closed=False)
    verdict = judge(Measured(track(), stray), Expected(5_000, others=False))
    assert verdict == judge(Measured(track(), None), Expected(5_000, others=False))
    assert (
        judge(Measured(None, stray), Expected(5_000, others=False)).outcome
        is CaptureOutcome.MISSING
    )


@pytest.mark.parametrize(
    ("blanked_ms", "direction"), [(5_000, AudioDirection.NOT_KEPT), (4_999, AudioDirection.SILENT)]
)
def test_a_direction_that_was_blanked_from_end_to_end(
    blanked_ms: int, direction: AudioDirection
) -> None:
    muted = Track(5_000, 0, "a" * 64, closed=True, blanked_ms=blanked_ms)
    verdict = judged(track(), muted)
    assert (verdict.tx, verdict.whole) == (direction, direction is AudioDirection.NOT_KEPT)
    assert verdict.blanked_ms == blanked_ms


def test_a_file_without_a_sample_is_silent_beside_one_with_samples() -> None:
    verdict = judged(track(), track(0, 0))
    assert (verdict.tx, verdict.whole) == (AudioDirection.SILENT, False)


# -- what was blanked, and what was lost ------------------------------------------------------


def test_what_was_blanked_is_summed_over_both_directions() -> None:
    sides = [Track(5_000, 2_000, "a" * 64, closed=True, blanked_ms=ms) for ms in (40, 2)]
    verdict = judge(Measured(sides[0], sides[1]), Expected(5_000))
    assert (verdict.blanked_ms, verdict.whole) == (42, True)
    assert Measured(None, sides[1]).blanked_ms == 2


def test_a_recording_that_lost_somebody_is_not_whole() -> None:
    lost = ((1_000, 2_500), (3_000, 4_000))
    verdict = judge(Measured(track(), track(), lost=lost), Expected(5_000))
    assert (verdict.lost, verdict.lost_ms, verdict.whole) == (lost, 2_500, False)
    assert verdict.tx is AudioDirection.HEARD
    assert judged(track(), track()).lost_ms == 0


# -- stretches ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Blank, Doubt])
@pytest.mark.parametrize(("since", "to"), [(1, 2), (0, -1), (-2, -1), (-1, 0)])
def test_what_is_no_stretch(kind: type[Blank | Doubt], since: int, to: int) -> None:
    with pytest.raises(ValueError, match=f"{since} ms to {to} ms before the end is no stretch"):
        kind(since, to)


@pytest.mark.parametrize(
    ("since", "to", "found"),
    [
        (300, 100, (700, 900)),
        (300, 0, (700, 1_000)),
        (1_000, 0, (0, 1_000)),
        (1_500, 900, (0, 100)),
        (1_500, 1_000, (0, 0)),
        (9_000, 8_000, (0, 0)),
        (0, 0, (1_000, 1_000)),
    ],
)
def test_a_stretch_lies_where_the_end_says(since: int, to: int, found: tuple[int, int]) -> None:
    for stretch in (Blank(since, to), Doubt(since, to)):
        assert span(stretch, 1_000) == found
        assert span(stretch, 8_000, 8) == (found[0] * 8, found[1] * 8)


def test_the_caller_is_blanked_where_both_are() -> None:
    expected = Expected(
        None, blanks=(Blank(50, 0, Tracks.BOTH), Blank(300, 200, Tracks.OTHERS), Blank(60, 40))
    )
    assert expected.blanked(1_000, others=False) == ((940, 1_000),)
    assert expected.blanked(1_000, others=True) == ((700, 800), (940, 1_000))
    assert expected.blanked(8_000, 8, others=False) == ((7_520, 8_000),)


spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted).map(tuple))


@given(spans)
def test_disjoint_spans_cover_the_same_once_and_in_order(found: list[tuple[int, int]]) -> None:
    result = disjoint(found)
    covered = {at for begin, end in found for at in range(begin, end)}
    assert [at for begin, end in result for at in range(begin, end)] == sorted(covered)
    assert all(begin < end for begin, end in result)


@given(spans, st.integers(0, 40), st.integers(0, 40))
def test_how_much_is_covered(found: list[tuple[int, int]], begin: int, end: int) -> None:
    covered = {at for since, to in found for at in range(since, to)}
    assert overlap(disjoint(found), begin, end) == len(covered & set(range(begin, end)))


def test_spans_that_only_touch_stay_two() -> None:
    assert disjoint([(5, 9), (0, 5)]) == ((0, 5), (5, 9))


@pytest.mark.parametrize(
    ("written_ms", "left"),
    [
        (100_000, Blank(5_000, 2_000)),  # it was written to until we asked
        (99_995, Blank(5_000, 1_995)),
        (98_500, Blank(3_510, 500)),  # the kernel dates it by its last tick
        (97_000, Blank(2_010, 0)),
        (94_000, Blank(0, 0)),  # it ended before anything of that
        (100_001, Blank(5_000, 2_000)),  # somebody set the clock back
    ],
)
def test_of_a_file_that_nobody_saw_end_the_last_write_is_the_end(
    written_ms: int, left: Blank
) -> None:
    expected = Expected(None, blanks=(Blank(5_000, 2_000),), asked_unix_ms=100_000)
    assert expected.ended(written_ms) == Expected(None, blanks=(left,))


def test_what_was_seen_to_end_is_dated_by_that() -> None:
    expected = Expected(None, blanks=(Blank(5_000, 2_000),))
    assert expected.ended(1) == expected
