"""The key's file: made once, readable by its owner alone, and never in a message."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.storage.proofs.signing_key import (
    create_key,
    load_key,
    next_path,
    take_over,
)

NAME = "site/pbx1/log-0"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path / "signing.key"


def refused(path: Path) -> StoreUnavailable:
    """The error, which never repeats the secret."""
    secret = path.read_text("utf-8", "replace").split("+", 4)[-1].strip() if path.is_file() else ""
    with pytest.raises(StoreUnavailable) as caught:
        load_key(path)
    assert not secret or secret not in f"{caught.value}{caught.value.hint}{caught.value!r}"
    return caught.value


def test_a_key_is_made_for_its_owner_alone(path: Path) -> None:
    previous = os.umask(0)
    try:
        verifier = create_key(path, NAME)
    finally:
        os.umask(previous)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text().startswith(f"PRIVATE+KEY+{NAME}+")
    assert load_key(path).verifier == verifier
    assert verifier.name == NAME


def test_a_key_is_never_overwritten(path: Path) -> None:
    create_key(path, NAME)
    before = path.read_bytes()
    with pytest.raises(StoreUnavailable, match="a file already"):
        create_key(path, NAME)
    assert path.read_bytes() == before


def test_a_key_is_not_written_through_a_link(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        create_key(path, NAME)
    assert not (tmp_path / "elsewhere").exists()


def test_a_key_without_a_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="cannot write"):
        create_key(tmp_path / "none" / "signing.key", NAME)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_use_is_refused(path: Path, mode: int) -> None:
    create_key(path, NAME)
    path.chmod(mode)
    error = refused(path)
    assert "can be read by others" in str(error)
    assert error.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_key_that_others_can_exchange_is_refused(path: Path, mode: int) -> None:
    create_key(path, NAME)
    path.parent.chmod(mode)
    assert "put another signing key there" in str(refused(path))
    path.parent.chmod(mode | 0o1000)
    assert load_key(path).name == NAME


def test_a_key_of_another_user_is_refused_unless_we_are_root(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_key(path, NAME)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert "belongs to another user" in str(refused(path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert load_key(path).name == NAME


def test_a_link_is_no_key(path: Path, tmp_path: Path) -> None:
    create_key(tmp_path / "real", NAME)
    path.symlink_to(tmp_path / "real")
    assert "cannot read" in str(refused(path))


def test_a_pipe_is_no_key(path: Path) -> None:
    os.mkfifo(path, 0o600)
    assert "not a file" in str(refused(path))


def test_a_key_that_is_not_there_says_what_to_do(path: Path) -> None:
    error = refused(path)
    assert "is not there" in str(error)
    assert "docs/keys.md" in error.hint


@pytest.mark.parametrize("content", [b"", b"hunter2", b"PRIVATE+KEY+a+b+c", b"\xff\xfe"])
def test_what_is_no_key_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    error = refused(path)
    assert "hunter2" not in str(error)


def test_the_next_key_takes_the_place_of_the_old_one(path: Path) -> None:
    create_key(path, NAME)
    new = create_key(next_path(path), NAME)
    take_over(path)
    assert load_key(path).verifier == new
    assert not next_path(path).exists()
    with pytest.raises(StoreUnavailable, match="cannot replace"):
        take_over(path)
