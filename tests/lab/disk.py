"""A small file system of its own, to be filled, and to break: ext4 in a file. Needs root.

Fullness and errors come from the kernel, as in the field; nobody's code is replaced.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MIB = 1 << 20
_BLOCK = 4_096


@dataclass(slots=True)
class Disk:
    """A mounted one.

    Attributes:
        directory: Where it is mounted, with the owner and the mode of what was there.
        device: The loop device, as ``loop0``.
    """

    directory: Path
    device: str

    @property
    def _ballast(self) -> Path:
        return self.directory / "ballast"

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.directory)
        return found.f_bavail * found.f_frsize

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take all space but so much; others may be writing meanwhile."""
        with self._ballast.open("ab") as file:
            share = 1
            while (size := max(0, self.free_bytes - leave_bytes) // share) >= _BLOCK:
                try:
                    os.posix_fallocate(file.fileno(), _size(file), size // _BLOCK * _BLOCK)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    share *= 2  # somebody was faster
        while not leave_bytes and self._takes_more():
            pass

    def _takes_more(self) -> bool:
        try:
            with self._ballast.open("ab", buffering=0) as file:
                file.write(bytes(_BLOCK))
                os.fsync(file.fileno())
        except OSError:
            return False
        return True

    def empty(self) -> None:
        self._ballast.unlink()

    def fail(self) -> None:
        """An error that makes it read-only, also for files that are open."""
        Path(f"/sys/fs/ext4/{self.device}/trigger_fs_error").write_text("1")

    def lock(self, *, locked: bool = True) -> None:
        """Remount it read-only, or writable again; nobody may be writing."""
        _run("mount", "-o", f"remount,{'ro' if locked else 'rw'}", str(self.directory))


@asynccontextmanager
async def mounted(directory: Path, size_mib: int) -> AsyncIterator[Disk]:
    """Mount a new file system over ``directory``, and unmount it."""
    before = directory.stat()
    home = Path(tempfile.mkdtemp(prefix="compliance-disk-"))
    image = home / "image"
    try:
        with image.open("wb") as file:
            file.truncate(size_mib * MIB)
        await asyncio.to_thread(_run, "mkfs.ext4", "-q", "-F", "-m", "0", str(image))
        options = "loop,errors=remount-ro"
        await asyncio.to_thread(_run, "mount", "-o", options, str(image), str(directory))
        try:
            source = _run("findmnt", "-no", "SOURCE", str(directory))
            os.chown(directory, before.st_uid, before.st_gid)
            directory.chmod(before.st_mode & 0o7777)
            (directory / "lost+found").rmdir()
            yield Disk(directory, Path(source).name)
        finally:
            await asyncio.to_thread(_run, "umount", "--lazy", str(directory))
    finally:
        shutil.rmtree(home)


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()} (this needs root)")
    return done.stdout.strip()
