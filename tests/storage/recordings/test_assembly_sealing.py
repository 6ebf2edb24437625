"""A recording is joined, digested and encrypted in one pass, and never lies there in plain."""

from __future__ import annotations

import hashlib
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from asterisk_compliance.age import decrypt, fingerprint, new_identity
from asterisk_compliance.domain.recording.verdict import Expected, Measured
from asterisk_compliance.errors import RecordingUnreadable, SealingFailed
from asterisk_compliance.storage.recordings import assembly as recordings
from asterisk_compliance.storage.recordings import vault as vaults
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header
from asterisk_compliance.storage.recordings.vault import vault_path
from storage.spooled import PLAIN, RECORDING, RX, TX, samples, spooled

IDENTITY, RECIPIENT = new_identity()
OTHER_IDENTITY, OTHER_RECIPIENT = new_identity()


def write_call(spool: Path, length: int = 8_000) -> bytes:
    """Both directions of a call; returns the recording that they make."""
    rx, tx = samples(length), samples(length, 500)
    spooled(spool / RX, rx)
    spooled(spool / TX, tx)
    return wav_header(length, 2) + np.stack((rx, tx), axis=1).tobytes()


def seal(spool: Path, vault: Path, *recipients: str, expected: Expected = PLAIN) -> Measured:
    return measure_and_join(spool, RECORDING, vault, expected, recipients or (RECIPIENT,))


def opened(vault: Path, identity: str = IDENTITY) -> bytes:
    plain = BytesIO()
    with vault_path(vault, RECORDING, sealed=True).open("rb") as sealed:
        decrypt(sealed, plain, identity)
    return plain.getvalue()


@pytest.mark.parametrize("length", [1, 8_000, 400_000])
def test_what_is_sealed_is_the_recording(spool: Path, vault: Path, length: int) -> None:
    wav = write_call(spool, length)
    measured = seal(spool, vault)
    assert opened(vault) == wav
    assert measured.joined_sha256 == hashlib.sha256(wav).hexdigest()
    (kept,) = vault.iterdir()
    assert kept.name == f"{RECORDING}.wav.age"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert measured.sealed is not None
    assert measured.sealed.sha256 == hashlib.sha256(kept.read_bytes()).hexdigest()
    assert measured.sealed.size_bytes == kept.stat().st_size
    assert measured.sealed.recipients == (fingerprint(RECIPIENT),)


def test_each_recipient_opens_it_and_nobody_else_does(spool: Path, vault: Path) -> None:
    wav = write_call(spool)
    measured = seal(spool, vault, RECIPIENT, OTHER_RECIPIENT)
    assert opened(vault) == opened(vault, OTHER_IDENTITY) == wav
    assert measured.sealed is not None
    assert measured.sealed.recipients == (fingerprint(RECIPIENT), fingerprint(OTHER_RECIPIENT))
    with pytest.raises(Exception, match="no identity"):
        opened(vault, new_identity()[0])


@pytest.mark.parametrize("length", [1, 8_000, 400_000])
def test_the_age_of_debian_opens_it(spool: Path, vault: Path, tmp_path: Path, length: int) -> None:
    wav = write_call(spool, length)
    seal(spool, vault, OTHER_RECIPIENT, RECIPIENT)
    key = tmp_path / "officer.key"
    key.write_text(f"# a comment\n{IDENTITY}\n")
    sealed = vault_path(vault, RECORDING, sealed=True)
    age = subprocess.run(["age", "-d", "-i", key, sealed], capture_output=True, check=True)
    assert age.stdout == wav


def test_nothing_of_it_is_in_plain_at_any_moment(
    spool: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wav = write_call(spool, 300_000)
    seen: list[bytes] = []
    chunks = recordings._Joining.chunks

    def looked_at(*arguments: object) -> Iterator[bytes | memoryview]:
        for chunk in chunks(*arguments):  # type: ignore[arg-type]
            seen.append(b"".join(path.read_bytes() for path in vault.iterdir()))
            yield chunk

    monkeypatch.setattr(recordings._Joining, "chunks", looked_at)
    seal(spool, vault)
    assert len(seen) > 2
    assert any(seen)
    piece = wav[100_000:100_064]
    assert not any(piece in one or b"RIFF" in one for one in (*seen, *_all(vault)))


def _all(vault: Path) -> list[bytes]:
    return [path.read_bytes() for path in vault.iterdir()]


def test_what_the_disk_does_not_hold_is_not_sealed(
    spool: Path, vault: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_call(spool)

    def decayed(path: Path) -> str:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        return hashlib.sha256(path.read_bytes()).hexdigest()

    monkeypatch.setattr(vaults, "_on_disk", decayed)
    with pytest.raises(SealingFailed, match="does not hold what was written"):
        seal(spool, vault)
    assert list(vault.iterdir()) == []
    assert (spool / RX).exists()


@pytest.mark.parametrize("room", [0, 100, 20_000, 32_000])
def test_a_disk_that_is_full_leaves_nothing(spool: Path, vault: Path, room: int) -> None:
    """Also when only the last write fails: pyrage tells nobody of that one."""
    wav = write_call(spool)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            seal(spool, vault)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(vault.iterdir()) == []
    seal(spool, vault)
    assert opened(vault) == wav


def test_what_is_no_recording_is_said_as_ever(spool: Path, vault: Path) -> None:
    write_call(spool)
    (spool / TX).write_bytes(b"not a WAV file" * 100)
    with pytest.raises(RecordingUnreadable):
        seal(spool, vault)
    assert list(vault.iterdir()) == []


def test_files_without_a_sample_are_not_sealed(spool: Path, vault: Path) -> None:
    write_call(spool, 0)
    assert seal(spool, vault).sealed is None
    assert list(vault.iterdir()) == []


@pytest.mark.parametrize("recipients", [(), (RECIPIENT,)])
def test_what_an_interrupted_run_left_is_gone_in_either_form(
    spool: Path, vault: Path, recipients: tuple[str, ...]
) -> None:
    """A recording that was joined before encryption was turned on must not stay beside it."""
    write_call(spool)
    for name in (f"{RECORDING}.wav", f"{RECORDING}.wav.age", f"{RECORDING}.part"):
        (vault / name).write_bytes(b"what an earlier run left")
    measure_and_join(spool, RECORDING, vault, PLAIN, recipients)
    (kept,) = vault.iterdir()
    assert kept == vault_path(vault, RECORDING, sealed=bool(recipients))


@pytest.mark.slow
def test_killed_at_each_step_it_is_sealed_by_the_next_run(tmp_path: Path) -> None:
    """``killed_sealing.py`` kills itself with SIGKILL at every line, and begins again."""
    script = Path(__file__).parents[1] / "killed_sealing.py"
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    killed, half, whole = map(int, done.stdout.split())
    assert killed > 80
    assert half > 40
    assert whole > 5
