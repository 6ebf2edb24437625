"""Files that no call knows are copied whole, or not at all."""

from __future__ import annotations

import hashlib
import os
from io import BytesIO
from pathlib import Path

import pytest

from asterisk_compliance.age import decrypt, new_identity
from asterisk_compliance.storage.recordings.quarantine import QUARANTINE, copy_aside, spooled
from storage.spooled import RECORDING, RX, TX


def test_only_files_of_recordings_are_looked_at(spool: Path) -> None:
    for name in (TX, RX, "notes.txt", f"{RX}.part", "r-1-rx.wav"):
        (spool / name).write_bytes(b"sound")
    (spool / RX.replace("-1-", "-2-")).mkdir()
    assert list(spooled(spool)) == [(spool / RX, RECORDING), (spool / TX, RECORDING)]


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_a_copy_is_whole_and_nobody_else_s_to_read(spool: Path, vault: Path, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    (spool / RX).write_bytes(data)
    said = copy_aside(spool / RX, vault / QUARANTINE)
    assert said == (RX, size, hashlib.sha256(data).hexdigest())
    copy = vault / QUARANTINE / RX
    assert copy.read_bytes() == data
    assert copy.stat().st_mode & 0o777 == 0o600
    assert copy.parent.stat().st_mode & 0o777 == 0o700
    assert (spool / RX).exists(), "it leaves the spool behind its row"


def test_a_copy_is_sealed_as_recordings_are(spool: Path, vault: Path) -> None:
    identity, recipient = new_identity()
    data = b"sound of somebody whom no row knows" * 1_000
    (spool / RX).write_bytes(data)
    said = copy_aside(spool / RX, vault / QUARANTINE, (recipient,))
    assert said == (RX, len(data), hashlib.sha256(data).hexdigest())
    (copy,) = (vault / QUARANTINE).iterdir()
    assert copy.name == f"{RX}.age"
    opened = BytesIO()
    decrypt(BytesIO(copy.read_bytes()), opened, identity)
    assert opened.getvalue() == data


def test_what_died_half_way_is_begun_again(spool: Path, vault: Path) -> None:
    (spool / RX).write_bytes(b"sound")
    aside = vault / QUARANTINE
    aside.mkdir()
    (aside / f"{RX}.part").write_bytes(b"half of something longer")
    assert copy_aside(spool / RX, aside) == copy_aside(spool / RX, aside)
    assert [path.name for path in aside.iterdir()] == [RX]
    assert (aside / RX).read_bytes() == b"sound"


def test_a_copy_has_its_name_only_when_it_is_on_disk(
    spool: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spool / RX).write_bytes(b"sound")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        copy_aside(spool / RX, vault / QUARANTINE)
    assert not (vault / QUARANTINE / RX).exists()
    assert (spool / RX).read_bytes() == b"sound"


def test_what_is_gone_cannot_be_copied(spool: Path, vault: Path) -> None:
    with pytest.raises(FileNotFoundError):
        copy_aside(spool / RX, vault / QUARANTINE)
