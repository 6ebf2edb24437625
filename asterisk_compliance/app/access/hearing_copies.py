"""The directory of copies that are lent to be heard: in memory, on no disk, for Asterisk to read.

    l-….part   is being filled by the officer's command; only we may read it
    l-….wav    can be heard; Asterisk's group may read it

It is a directory of ours in a file system of the kind ``tmpfs``, or nothing is lent. What is
unlinked there is gone. Blocking by nature: call these functions in a worker thread.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from asterisk_compliance.errors import RecordingUnreadable, StoreUnavailable
from asterisk_compliance.ids import LoanId, is_loan_id
from asterisk_compliance.storage.recordings.assembly import read_length_ms

MOST_BYTES = 256 << 20
"""Of one copy: more than four hours."""

_PART, _WAV = ".part", ".wav"
_MOUNTS = Path("/proc/self/mountinfo")
_MADE = 0o2750
_FORBIDDEN = 0o027
"""Others may nothing, the group may not write."""


@dataclass(frozen=True, slots=True)
class CopyDirectory:
    """The copies of one service.

    Attributes:
        directory: As we see it. Its group is Asterisk's, and is that of every file in it.
    """

    directory: Path

    def prepare(self) -> None:
        """Look that the directory is what it has to be; a missing one is made, in our group.

        Raises:
            StoreUnavailable: it cannot be made, is not ours alone, or is not in memory.
        """
        try:
            if not self.directory.is_dir():
                self.directory.mkdir(mode=0o700, parents=True)
                self.directory.chmod(_MADE)
            found = self.directory.lstat()
        except OSError as error:
            raise _unfit(self.directory, str(error.strerror)) from None
        if not stat.S_ISDIR(found.st_mode):
            raise _unfit(self.directory, "is no directory")
        if found.st_uid != os.geteuid():
            raise _unfit(self.directory, "belongs to another user")
        if found.st_mode & _FORBIDDEN:
            raise _unfit(self.directory, "others may write there, or look into it: chmod 2750")
        if file_system(found.st_dev) != "tmpfs":
            raise _unfit(self.directory, "is not in memory (tmpfs)")

    def clear(self) -> int:
        """Remove every copy, also what an earlier life left; returns how many there were.

        Raises:
            OSError: one could not be removed.
        """
        if not self.directory.is_dir():
            return 0
        left = [path for path in self.directory.iterdir() if is_loan_id(path.stem)]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def begin(self, loan: LoanId) -> BinaryIO:
        """A new file, open for writing, for whoever fills it.

        Raises:
            StoreUnavailable: as :meth:`prepare`, or it cannot be made.
        """
        self.prepare()
        path = self._part(loan)
        try:
            opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unfit(path, str(error.strerror)) from None
        return os.fdopen(opened, "r+b")

    def finish(self, loan: LoanId) -> tuple[int, str]:
        """Let Asterisk read it; returns its length in ms, and SHA-256 in hex.

        Raises:
            RecordingUnreadable: it is not 16-bit mono PCM at 8 kHz, or is too long.
            StoreUnavailable: it is not there, or cannot be read.
        """
        path = self._part(loan)
        try:
            if path.stat().st_size > MOST_BYTES:
                raise RecordingUnreadable("is too long to be lent")
            content = path.read_bytes()
            length_ms = read_length_ms(content)
            path.chmod(0o640)
            path.rename(self._wav(loan))
        except OSError as error:
            raise _unfit(path, str(error.strerror)) from None
        return length_ms, hashlib.sha256(content).hexdigest()

    def remove(self, loan: LoanId) -> None:
        """Whatever there is of it.

        Raises:
            OSError: it could not be removed.
        """
        self._part(loan).unlink(missing_ok=True)
        self._wav(loan).unlink(missing_ok=True)

    def _part(self, loan: LoanId) -> Path:
        return self.directory / f"{loan}{_PART}"

    def _wav(self, loan: LoanId) -> Path:
        return self.directory / f"{loan}{_WAV}"


def file_system(device: int) -> str:
    """The kind of the file system that has this device number; empty if no mount tells.

    ``/proc/PID/mountinfo`` (proc_pid_mountinfo(5)): the third field is major:minor, the kind
    stands behind the hyphen.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, behind = line.partition(" - ")
        fields = before.split()
        if len(fields) > 2 and fields[2] == wanted:
            return behind.split()[0]
    return ""


def _unfit(path: Path, why: str) -> StoreUnavailable:
    hint = "hearing.directory must be a directory of the service's own in a tmpfs: docs/hearing.md"
    return StoreUnavailable(f"{path}: {why}", hint=hint)
