"""A directory in memory that Asterisk and the service share, as in the field: a tmpfs.

Where Asterisk runs in a root file system of its own, ``/dev/shm`` is not its. Then one is mounted
for it before it starts, since it has a mount namespace of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.asterisk import Asterisk
from lab.service import SERVICE_UID

_SIZE = "32m"


@dataclass(frozen=True, slots=True)
class Memory:
    """``inside``: as Asterisk sees it; ``here``: as the service does."""

    inside: Path
    here: Path
    mounted: bool

    @classmethod
    def of(cls, asterisk: Asterisk) -> Memory:
        """Make it, the service's own, with Asterisk's group."""
        build = asterisk.build
        if os.getuid() != 0:
            made = Path(tempfile.mkdtemp(prefix="compliance-lab-", dir="/dev/shm"))
            made.chmod(0o2750)
            return cls(made, made, mounted=False)
        here = asterisk.home / "memory"
        while here.is_mount():  # of a run that was killed
            subprocess.run(("umount", "--lazy", str(here)), check=True)
        here.mkdir(exist_ok=True)
        options = f"size={_SIZE},mode=2750,uid={SERVICE_UID},gid={build.gid}"
        command = ("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(here))
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"a test of hearing needs a mount: {done.stderr}"
        inside = asterisk.spool.parent / "memory"
        return cls(inside, here, mounted=True)

    def remove(self) -> None:
        if self.mounted:
            subprocess.run(("umount", "--lazy", str(self.here)), check=True)
        else:
            shutil.rmtree(self.here, ignore_errors=True)
