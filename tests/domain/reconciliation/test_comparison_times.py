"""When something is a finding: what CDRs reach, what lives, what is over for a while."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.reconciliation.comparison import (
    LATE_MS,
    SETTLED_MS,
    FilePlace,
    FoundFile,
)
from domain.reconciled_world import (
    BEGIN_MS,
    NOW_MS,
    World,
    add_outage,
    add_recorded,
    add_unrecorded,
    id_of,
    recording_of,
    row_of,
    spool_file,
    vault_file,
)
from values import replace

# -- the reach of CDRs -------------------------------------------------------------------------


def missing_cdr() -> tuple[World, str]:
    world = World()
    add_outage(world, 2)
    call = add_recorded(world, 3)
    del world.cdrs[world.cdr_of(call)]
    return world, call


@pytest.mark.parametrize(
    ("covers_from_ms", "view", "found"),
    [
        (None, {}, []),
        (None, {"since_ms": 0}, []),
        (BEGIN_MS + 180_000 + 30_000, {}, ["ROW_WITHOUT_CDR"]),
        (BEGIN_MS + 180_000 + 30_001, {}, []),
        (BEGIN_MS + 180_000 + 30_001, {"since_ms": 0}, ["ROW_WITHOUT_CDR"]),
    ],
)
def test_a_cdr_is_missed_where_the_files_should_hold_it(covers_from_ms, view, found):
    world, _ = missing_cdr()
    world.cdrs[0] = replace(world.cdrs[0], covers_from_ms=covers_from_ms)
    assert world.unexplained(**view) == found


def test_the_oldest_of_several_files_counts():
    world, _ = missing_cdr()
    end = BEGIN_MS + 180_000 + 30_000
    later = replace(world.cdrs[0], covers_from_ms=end + 1)
    world.cdrs = [later, replace(later, covers_from_ms=end), later]
    assert world.unexplained() == ["ROW_WITHOUT_CDR"]


def test_a_call_that_ended_unseen_is_missed_only_if_it_began_in_the_files():
    world, call = missing_cdr()
    world.without_rows(call, "call_ended")
    world.rows[call].append(row_of("call_ended", NOW_MS - SETTLED_MS, observed_late=True))
    begin = BEGIN_MS + 180_000
    for covers_from_ms, found in ((begin, ["ROW_WITHOUT_CDR"]), (begin + 1, [])):
        world.cdrs[0] = replace(world.cdrs[0], covers_from_ms=covers_from_ms)
        assert world.unexplained() == found


def test_cdrs_without_an_id_cannot_show_that_one_is_missing():
    world, _ = missing_cdr()
    world.cel.clear()
    world.cdrs[0] = replace(world.cdrs[0], channel="", covers_from_ms=0)
    assert world.unexplained() == []


def test_a_cdr_is_not_missed_before_asterisk_had_to_write_it():
    world, _ = missing_cdr()
    world.cdrs[0] = replace(world.cdrs[0], covers_from_ms=0)
    ended = BEGIN_MS + 180_000 + 30_000
    assert world.unexplained(now_ms=ended + SETTLED_MS - 1) == []
    assert world.unexplained(now_ms=ended + SETTLED_MS) == ["ROW_WITHOUT_CDR"]


# -- the log, while calls live -----------------------------------------------------------------


@given(since_ms=st.integers(0, LATE_MS - 1))
def test_a_live_call_is_not_a_finding(since_ms):
    world = World()
    call = add_recorded(world, 1)
    world.without_rows(call, "decision", "call_ended", "recording_closed")
    world.files = [spool_file(call)]
    began = BEGIN_MS + 60_000
    assert world.unexplained(now_ms=began + since_ms) == []


def test_a_call_that_ended_without_a_decision_is_found_at_once():
    world = World()
    add_unrecorded(world, 1)
    world.without_rows(id_of(1), "decision")
    assert world.unexplained(now_ms=BEGIN_MS + 66_000) == ["CALL_WITHOUT_DECISION"]


def test_a_long_live_call_keeps_its_files():
    world = World()
    call = add_recorded(world, 1)
    world.without_rows(call, "call_ended", "recording_closed", "spool_removed")
    world.files = [spool_file(call)]
    assert world.unexplained() == ["CALL_NOT_ENDED"]
    # A segment of it that is concluded does not.
    world.add_row(call, "recording_unjudged", recording=recording_of(call))
    found = world.compare()
    assert [finding.id for finding in found][-1] == "FILE_LEFT"
    assert found[-1].detail == "the log says: unjudged"


def test_a_segment_of_a_long_live_call_must_be_in_the_vault():
    world = World()
    call = add_recorded(world, 1)
    world.without_rows(call, "call_ended")
    del world.vault[recording_of(call)]
    world.files.remove(vault_file(call))
    assert world.unexplained() == ["CALL_NOT_ENDED", "FILE_MISSING"]


@pytest.mark.parametrize(("after_ms", "found"), [(SETTLED_MS - 1, []), (SETTLED_MS, ["FILE_LEFT"])])
def test_files_are_left_when_the_call_is_over_for_a_while(after_ms, found):
    world = World()
    call = add_recorded(world, 1)
    world.files.append(spool_file(call))
    ended = BEGIN_MS + 60_000 + 30_000
    assert world.unexplained(now_ms=ended + after_ms) == found


def test_a_file_without_notice_is_found_at_once():
    world = World()
    call = add_recorded(world, 1)
    world.without_rows(call, "notice_completed")
    assert world.unexplained(now_ms=BEGIN_MS + 60_000) == ["FILE_WITHOUT_NOTICE"]


def test_without_a_closed_row_a_file_in_the_vault_is_left():
    world = World()
    call = add_recorded(world, 1)
    world.without_rows(call, "recording_closed")
    found = world.compare()
    assert [finding.id for finding in found] == ["RECORDING_NOT_CONCLUDED", "FILE_LEFT"]
    assert found[1].detail == "the log says: not concluded"


def test_a_recording_is_missed_when_the_call_is_over_for_a_while():
    world = World()
    call = add_recorded(world, 1)
    del world.vault[recording_of(call)]
    world.files.remove(vault_file(call))
    ended = BEGIN_MS + 60_000 + 30_000
    assert world.unexplained(now_ms=ended + SETTLED_MS - 1) == []
    assert world.unexplained(now_ms=ended + SETTLED_MS) == ["FILE_MISSING"]


def test_a_recording_that_was_removed_is_not_missed():
    world = World()
    call = add_recorded(world, 1)
    del world.vault[recording_of(call)]
    world.files.remove(vault_file(call))
    world.add_row(call, "recording_removed", recording=recording_of(call))
    assert world.unexplained() == []


def test_an_empty_digest_is_one_that_was_not_read():
    world = World()
    call = add_recorded(world, 1)
    world.vault[recording_of(call)] = ""
    assert world.unexplained() == []


def test_files_of_calls_outside_of_the_time_are_left_out():
    world = World(files=[spool_file(id_of(1)), FoundFile(FilePlace.VAULT, count=2)])
    found = world.compare(since_ms=BEGIN_MS + 60_001)
    assert [(finding.id, finding.file) for finding in found] == [("FILE_UNKNOWN", "")]
    assert "2 in the vault" in found[0].detail
