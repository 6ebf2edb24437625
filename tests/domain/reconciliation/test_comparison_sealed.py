"""Sealed recordings: the ciphertext must be in the vault as it was sealed, and no plaintext."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.reconciliation.comparison import FilePlace, FoundFile
from domain.reconciled_world import (
    DIGEST,
    SEALED_DIGEST,
    World,
    add_recorded,
    recording_of,
    seal,
    sealed_file,
    vault_file,
)


@pytest.fixture
def world() -> World:
    world = World()
    seal(world, add_recorded(world, 1))
    add_recorded(world, 2)
    return world


def test_sealed_and_plain_recordings_are_where_the_log_says(world: World) -> None:
    assert world.compare() == []


def test_a_sealed_recording_that_is_gone_is_missed(world: World) -> None:
    call = min(world.rows)
    world.files.remove(sealed_file(call))
    world.vault.clear()
    assert world.unexplained() == ["FILE_MISSING", "FILE_MISSING"]


def test_what_was_sealed_is_compared_by_the_digest_of_the_ciphertext(world: World) -> None:
    sealed = f"{recording_of(min(world.rows))}.age"
    assert world.vault[sealed] == SEALED_DIGEST
    world.vault[sealed] = DIGEST
    assert world.unexplained() == ["FILE_CHANGED"]


def test_a_plaintext_beside_what_is_sealed_must_not_be_there(world: World) -> None:
    call = min(world.rows)
    world.files.append(vault_file(call))
    (finding,) = world.compare()
    assert (finding.id, finding.file) == ("FILE_LEFT", f"vault/{recording_of(call)}.wav")
    assert finding.detail == "the log says: sealed"


def test_a_sealed_file_without_its_row_is_left(world: World) -> None:
    world.without_rows(min(world.rows), "recording_sealed")
    assert world.unexplained() == ["FILE_MISSING", "FILE_LEFT"]


def test_what_was_removed_after_it_was_sealed_must_be_gone(world: World) -> None:
    call = min(world.rows)
    world.add_row(call, "recording_removed", recording=recording_of(call))
    (finding,) = world.compare()
    assert (finding.id, finding.detail) == ("FILE_LEFT", "the log says: removed")


@pytest.mark.parametrize("kind", ["recording_released", "recording_drilled"])
def test_who_got_it_changes_nothing(world: World, kind: str) -> None:
    call = min(world.rows)
    world.add_row(call, kind, recording=recording_of(call), sha256="of something else")
    assert world.compare() == []


def test_half_a_sealed_file_is_left(world: World) -> None:
    call = min(world.rows)
    recording = recording_of(call)
    part = FoundFile(FilePlace.VAULT, f"{recording}.part", recording, call, whole=False)
    world.files.append(part)
    assert world.unexplained() == ["FILE_LEFT"]
