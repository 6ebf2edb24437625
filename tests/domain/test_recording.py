"""What was measured on disk is judged: missing, empty, short, long, one-sided, or whole."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.recording import (
    LENGTH_TOLERANCE_MS,
    SILENT_BELOW_MS,
    Direction,
    Length,
    Measured,
    Outcome,
    Track,
    Verdict,
    judge,
)


def track(
    length_ms: int = 5_000, audible_ms: int = 2_000, *, closed: bool = True, sha256: str = "a" * 64
) -> Track:
    return Track(length_ms, audible_ms, sha256, closed)


def judged(
    rx: Track | None = None, tx: Track | None = None, expected_ms: int | None = 5_000
) -> Verdict:
    return judge(Measured(rx, tx, "5" * 64, 100), expected_ms)


def test_no_file_at_all() -> None:
    verdict = judged()
    assert verdict == Verdict(Outcome.MISSING, 5_000)
    assert not verdict.whole


@pytest.mark.parametrize(
    ("expected_ms", "length"),
    [(None, Length.UNKNOWN), (0, Length.OK), (1_000, Length.OK), (1_001, Length.SHORT)],
)
def test_files_without_a_sample(expected_ms: int | None, length: Length) -> None:
    verdict = judged(track(0, 0), track(0, 0), expected_ms)
    assert (verdict.outcome, verdict.length, verdict.whole) == (Outcome.EMPTY, length, False)


def test_a_whole_recording_carries_its_digests() -> None:
    verdict = judged(track(sha256="r" * 64), track(sha256="t" * 64))
    assert verdict.whole
    assert (verdict.sha256, verdict.rx_sha256, verdict.tx_sha256) == ("5" * 64, "r" * 64, "t" * 64)
    assert (verdict.rx, verdict.tx) == (Direction.HEARD, Direction.HEARD)


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
        (track(audible_ms=SILENT_BELOW_MS - 1), Direction.SILENT),
        (track(audible_ms=SILENT_BELOW_MS), Direction.HEARD),
        (None, Direction.MISSING),
    ],
)
def test_a_recording_with_one_side_is_not_whole(other: Track | None, direction: Direction) -> None:
    verdict = judged(track(), other)
    assert (verdict.outcome, verdict.tx) == (Outcome.CLOSED, direction)
    assert verdict.whole == (direction is Direction.HEARD)
    turned = judged(other, track())
    assert (turned.rx, turned.whole) == (direction, verdict.whole)


def test_digests_of_a_direction_that_is_not_there_are_empty() -> None:
    assert judged(track(), None).tx_sha256 == ""
    assert judged(None, track()).rx_sha256 == ""


def test_a_header_that_was_not_closed_is_not_whole() -> None:
    verdict = judged(track(), track(closed=False))
    assert (verdict.header_closed, verdict.whole) == (False, False)
