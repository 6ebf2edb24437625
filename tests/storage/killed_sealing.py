"""Seals one recording again and again, each time killed one line later: ``killed_sealing.py DIR``.

Prints how often it was killed, how often half a file was left, and how often a whole one. Fails
where anything of the recording is in plain in the vault, where the spool was touched, or where the
next run does not seal it.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from io import BytesIO
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from asterisk_compliance.age import decrypt, new_identity
from asterisk_compliance.domain.recording.verdict import Expected
from asterisk_compliance.ids import call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import measure_and_join, wav_header

IDENTITY, RECIPIENT = new_identity()
RECORDING = recording_id(call_id(1_700_000_000_000, b"8 bytes!"), 1)
LENGTH = 20_000
STEPS = ("asterisk_compliance/age.py", "storage/recordings/vault.py", "storage/durable_files.py")


def main(home: Path) -> None:
    rx = (8_000 * np.sin(np.arange(LENGTH) * 0.5)).astype("<i2")
    spooled = wav_header(LENGTH, 1) + rx.tobytes()
    wav = wav_header(LENGTH, 2) + np.stack((rx, rx), axis=1).tobytes()
    half = whole = 0
    for line in count(1):
        spool, vault = home / f"{line}/spool", home / f"{line}/vault"
        for directory in (spool, vault):
            directory.mkdir(parents=True)
        for direction in ("rx", "tx"):
            (spool / spool_name(RECORDING, direction)).write_bytes(spooled)
        killed = _killed_at(line, spool, vault)
        left = {path.name: path.read_bytes() for path in vault.iterdir()}
        assert not any(wav[2_000:2_032] in data or b"RIFF" in data for data in left.values())
        assert set(left) <= {f"{RECORDING}.part", f"{RECORDING}.wav.age"}, left.keys()
        half += f"{RECORDING}.part" in left
        if (kept := left.get(f"{RECORDING}.wav.age")) is not None:
            whole += 1
            assert _opened(kept) == wav, "it is there whole, or not at all"
        assert {path.read_bytes() for path in spool.iterdir()} == {spooled}
        _seal(spool, vault)
        (sealed,) = vault.iterdir()
        assert sealed.name == f"{RECORDING}.wav.age"
        assert _opened(sealed.read_bytes()) == wav, f"killed at line {line}"
        shutil.rmtree(home / str(line))
        if not killed:
            print(line - 1, half, whole)
            return


def _opened(sealed: bytes) -> bytes:
    plain = BytesIO()
    decrypt(BytesIO(sealed), plain, IDENTITY)
    return plain.getvalue()


def _killed_at(line: int, spool: Path, vault: Path) -> bool:
    child = os.fork()
    if child == 0:
        left = line

        def count_lines(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal left
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return count_lines

        def watch(frame: FrameType, _event: str, _: Any) -> Any:
            return count_lines if frame.f_code.co_filename.endswith(STEPS) else None

        sys.settrace(watch)
        _seal(spool, vault)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status in {0, signal.SIGKILL}, status
    return status == signal.SIGKILL


def _seal(spool: Path, vault: Path) -> None:
    measure_and_join(spool, RECORDING, vault, Expected(None), (RECIPIENT,))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
