"""Files that the dialplan recorded alone: which they are, and how they become a recording."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from asterisk_compliance.ids import ChannelId
from asterisk_compliance.storage.recordings.unattended import (
    STILL_S,
    Alone,
    is_alone,
    recorded_alone,
    take_over,
)
from fallback_files import fallback_name
from storage.spooled import RECORDING, RX, spooled

CODE, CHANNEL = "0123456789abcdef", ChannelId("tokyo-1-1795507200.12")
NAME = fallback_name(CODE, CHANNEL)
AUDIO = np.ones(100, np.int16)


def test_a_name_says_what_was_promised_and_of_which_channel(spool: Path) -> None:
    spooled(spool / NAME, AUDIO)
    for other in (RX, "notes.txt", "d.wav", f"x{NAME}", f"{NAME}.part"):
        (spool / other).write_bytes(b"sound")
    assert list(recorded_alone(spool)) == [Alone(NAME, CODE, CHANNEL, is_closed=True)]


def test_a_name_that_is_not_as_ours_is_exchanged_once(spool: Path) -> None:
    spooled(spool / "d-0312345678-rx.wav", AUDIO)
    (found,) = recorded_alone(spool)
    assert (found.code, found.channel) == ("", None)
    assert is_alone(found.name)
    assert "0312345678" not in found.name
    assert [path.name for path in spool.iterdir()] == [found.name]
    assert list(recorded_alone(spool)) == [found]


def test_what_is_no_file_is_left_alone(spool: Path) -> None:
    (spool / NAME).mkdir()
    (spool / fallback_name(CODE, ChannelId("1795507200.13"))).symlink_to("/etc/passwd")
    assert list(recorded_alone(spool)) == []
    assert len(list(spool.iterdir())) == 2


def test_without_a_whole_header_it_may_lie_still(spool: Path) -> None:
    path = spool / NAME
    spooled(path, AUDIO, closed=False)
    (found,) = recorded_alone(spool)
    assert not found.is_closed
    assert not found.is_still
    now = path.stat().st_mtime
    for when in (now - STILL_S - 1, now + 3_600):  # also where the clock was set back
        os.utime(path, (when, when))
        (found,) = recorded_alone(spool)
        assert found.is_still
        assert not found.is_closed


def test_it_becomes_the_callers_direction_once(spool: Path) -> None:
    data = spooled(spool / NAME, AUDIO)
    assert take_over(spool, NAME, RECORDING)
    assert [path.name for path in spool.iterdir()] == [RX]
    assert (spool / RX).read_bytes() == data
    assert not take_over(spool, NAME, RECORDING)


def test_which_names_are_of_these() -> None:
    assert is_alone(NAME)
    assert is_alone(f"d-unknown-{CODE}.wav")
    for name in (RX, f"d-unknown-{CODE}0.wav", f"d-{CODE}-1795507200-rx.wav", "d-.wav"):
        assert not is_alone(name)
