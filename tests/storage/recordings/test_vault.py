"""The vault is its owner's alone, and what must go is gone, in whichever form it was there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import call_id, recording_id
from asterisk_compliance.storage.recordings import vault as vaults
from asterisk_compliance.storage.recordings.vault import open_vault, remove_recording, vault_path
from storage.spooled import RECORDING


def test_a_new_vault_is_for_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_vault(tmp_path / "new/vault")
    finally:
        os.umask(before)
    assert (tmp_path / "new/vault").stat().st_mode & 0o777 == 0o700
    open_vault(tmp_path / "new/vault")


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770])
def test_a_vault_that_others_can_look_into_is_refused(vault: Path, mode: int) -> None:
    vault.chmod(mode)
    with pytest.raises(StoreUnavailable, match="others can read it") as refused:
        open_vault(vault)
    assert f"chmod 700 {vault}" in refused.value.hint
    vault.chmod(0o700)
    open_vault(vault)


def test_a_vault_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="file/vault"):
        open_vault(tmp_path / "file/vault")


# -- a recording that must go -----------------------------------------------------------------


def test_a_recording_is_removed_and_no_other(vault: Path) -> None:
    other = vault / f"{recording_id(call_id(1, b'8 bytes!'), 1)}.wav"
    sealed = vault_path(vault, RECORDING, sealed=True)
    for path in (vault_path(vault, RECORDING), sealed, other):
        path.write_bytes(b"audio")
    assert remove_recording(vault, RECORDING)
    assert list(vault.iterdir()) == [other]
    assert not remove_recording(vault, RECORDING)


def test_what_an_interrupted_run_left_is_removed_too(vault: Path) -> None:
    vault_path(vault, RECORDING).with_suffix(".part").write_bytes(b"half")
    assert remove_recording(vault, RECORDING)
    assert list(vault.iterdir()) == []


def test_a_removal_is_durable(vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where an earlier run removed the name and died before it synced."""
    synced: list[tuple[Path, list[Path]]] = []
    monkeypatch.setattr(
        vaults, "sync_directory", lambda path: synced.append((path, list(path.iterdir())))
    )
    vault_path(vault, RECORDING).write_bytes(b"audio")
    assert remove_recording(vault, RECORDING)
    assert not remove_recording(vault, RECORDING)
    assert synced == [(vault, []), (vault, [])]


@pytest.mark.parametrize("suffix", [".wav", ".wav.age", ".part"])
def test_a_recording_that_can_still_be_opened_is_an_error(
    vault: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    (vault / f"{RECORDING}{suffix}").write_bytes(b"audio")
    monkeypatch.setattr(Path, "unlink", lambda path: None)
    with pytest.raises(FileExistsError, match="is still there"):
        remove_recording(vault, RECORDING)


def test_a_vault_that_cannot_be_looked_into_proves_nothing(vault: Path) -> None:
    vault_path(vault, RECORDING).mkdir()
    with pytest.raises(OSError, match=r"Is a directory|not permitted"):
        remove_recording(vault, RECORDING)
    vault_path(vault, RECORDING).rmdir()
    vault.rmdir()
    with pytest.raises(FileNotFoundError):
        remove_recording(vault, RECORDING)
