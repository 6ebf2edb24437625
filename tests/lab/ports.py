"""Ports on loopback that no other lab process uses, for as long as we hold them.

A block is 256 consecutive ports below the kernel's ephemeral range. It belongs to the process
that holds its lock file; the kernel gives a dead process's lock back. The first ports of a block
are tried by binding, so that a stranger's server, or an Asterisk that outlived its test, is seen.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Self

BLOCK_PORTS = 256
SERVICE_PORTS = 16
"""At the start of a block: SIP, ARI, AMI and spares. The rest, an even number, is for RTP."""
_FIRST, _END = 18_432, 32_768


class NoFreePorts(RuntimeError):
    """Every block is taken."""


class PortBlock:
    """One block, held until :meth:`release` or the end of the process.

    Attributes:
        number: Unique among the blocks held on this machine by this user.
    """

    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self._lock = lock
        start = _FIRST + number * BLOCK_PORTS
        self.sip, self.ari, self.ami = start, start + 1, start + 2
        self.spare = range(start + 3, start + SERVICE_PORTS)
        self.rtp = range(start + SERVICE_PORTS, start + BLOCK_PORTS)

    @classmethod
    def claim(cls) -> Self:
        """Take a free block.

        Raises:
            NoFreePorts: all are locked by others, or in use.
        """
        numbers = list(range((_END - _FIRST) // BLOCK_PORTS))
        random.shuffle(numbers)
        for number in numbers:
            lock = _try_lock(number)
            if lock is None:
                continue
            block = cls(number, lock)
            if all(map(_is_free, range(block.sip, block.rtp.start))):
                return block
            block.release()
        raise NoFreePorts(f"no free block of {BLOCK_PORTS} ports from {_FIRST} to {_END - 1}")

    def release(self) -> None:
        """Give the block back; a second time does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _try_lock(number: int) -> int | None:
    directory = Path(tempfile.gettempdir()) / f"asterisk-lab-ports-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(directory / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # closed connections in TIME_WAIT do not matter
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
