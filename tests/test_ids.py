"""Every id of a call follows from the call's, and is parsed by the inverse of what built it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.ids import (
    call_id,
    call_of,
    channel_created_s,
    is_call_id,
    is_recording_id,
    parse_spool_name,
    party_id,
    playback_id,
    recording_id,
    spool_name,
)

CALL = call_id(1_795_507_200_000, b"8 bytes!")
chances = st.binary(min_size=8, max_size=8)


def test_a_call_id_is_time_and_chance() -> None:
    assert (CALL[:14], bytes.fromhex(CALL[14:])) == ("c-01a20c91a000", b"8 bytes!")


@given(st.integers(0, 2**48 - 1), chances)
def test_ids_are_what_they_are_taken_for(at_ms: int, chance: bytes) -> None:
    call = call_id(at_ms, chance)
    assert is_call_id(call)
    assert not is_recording_id(call)
    assert is_recording_id(recording_id(call, 1))
    assert {call_of(make(call, 7)) for make in (playback_id, recording_id, party_id)} == {call}


@given(st.integers(0, 2**48 - 2), chances, chances)
def test_call_ids_sort_by_time(at_ms: int, one: bytes, other: bytes) -> None:
    assert call_id(at_ms, one) < call_id(at_ms + 1, other)


@pytest.mark.parametrize("chance", [b"", b"7 bytes", b"nine byte"])
def test_a_call_id_needs_its_chance(chance: bytes) -> None:
    with pytest.raises(ValueError, match="8 random bytes"):
        call_id(0, chance)


@pytest.mark.parametrize("text", ["", "c-", CALL[:-1], CALL + "0", CALL + "\n", CALL.upper()])
def test_what_is_no_call_id(text: str) -> None:
    assert not is_call_id(text)


@given(st.integers(0, 2**48 - 1), chances, st.integers(1, 9_999), st.sampled_from(["rx", "tx"]))
def test_a_spool_name_is_read_back(at_ms: int, chance: bytes, segment: int, direction: str) -> None:
    recording = recording_id(call_id(at_ms, chance), segment)
    assert parse_spool_name(spool_name(recording, direction)) == (recording, direction)


GOOD = spool_name(recording_id(CALL, 1), "rx")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "notes.txt",
        f"../{GOOD}",
        f"{GOOD}\n",
        f"x{GOOD}",
        GOOD.replace("-rx", "-mix"),
        GOOD.replace("-rx", ""),
        GOOD.replace("-1-", "-0-"),
        GOOD.replace("-1-", "-10000-"),
        GOOD.replace("r-", "c-"),
        GOOD.replace(".wav", ".WAV"),
        GOOD.replace("-1-", "-１-"),
    ],
)
def test_files_that_are_none_of_ours(name: str) -> None:
    assert parse_spool_name(name) is None


@given(st.text(max_size=60))
def test_any_name_can_stand_in_a_spool(name: str) -> None:
    assert parse_spool_name(name) is None


@pytest.mark.parametrize(
    ("text", "made_s"),
    [
        ("1795507200.12", 1_795_507_200),
        ("pbx-1-1795507200.12", 1_795_507_200),
        ("1795507200", None),
        ("' OR 1", None),
        ("", None),
    ],
)
def test_a_uniqueid_tells_when_its_channel_was_made(text: str, made_s: int | None) -> None:
    assert channel_created_s(text) == made_s
