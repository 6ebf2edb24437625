"""The service in processes that need not import it: forks of one that has.

Starting Python and importing the service takes a second of the processor, and the tests start it
some four hundred times. What runs is the same program, by the same interpreter, as the same user;
how the installed command starts is what the demo and ``test_wheel.py`` see.

The first process is one of the service's user from its beginning, and ends with us. It is asked on
a socket of its own, one message a start: the words, and the file to which the log goes. Back come
the process id, and, when that has ended, its exit status.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_START_S = 30.0
_LONGEST = 1 << 16
_PR_SET_PDEATHSIG = 1
_FILES = 256
"""The first process has not more open."""
_STANDARD = 3
"""So many files every process has."""


class Forked:
    """As ``subprocess.Popen``, as far as the lab needs it.

    Args:
        first: From :func:`first_process`.
        words: The command and its arguments.
        log: What it says is added to this file.
    """

    def __init__(self, first: socket.socket, words: Sequence[str], log: Path) -> None:
        self.returncode: int | None = None
        self._status, theirs = socket.socketpair()
        with theirs, log.open("ab") as out:
            request = json.dumps(list(words)).encode()
            socket.send_fds(first, [request], [theirs.fileno(), out.fileno()])
        self._status.settimeout(_START_S)
        self.pid = int(self._status.recv(_LONGEST))

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            self._ended()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Errors as of ``Popen.wait``."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
            self._ended()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self) -> None:
        said = self._status.recv(_LONGEST)
        self.returncode = int(said) if said else -signal.SIGKILL
        self._status.close()


@functools.cache
def first_process(become: tuple[str, ...], python: str) -> socket.socket:
    """Start the process of which the others are forks: once for each user.

    Args:
        become: A command that runs the rest as the service's user.
        python: Its interpreter.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        first = subprocess.Popen(
            [*become, python, "-P", "-c", f"from lab.forked import run; run({theirs.fileno()})"],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd="/",
            umask=0o027,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    atexit.register(_end, first)
    return ours


def _end(first: subprocess.Popen[bytes]) -> None:
    first.kill()
    first.wait()


def run(asked_at: int) -> None:
    """The first process: import all, then fork for everybody who asks on this file."""
    import asterisk_compliance.app.service.runner
    import asterisk_compliance.app.service.systemd
    import asterisk_compliance.cli.main
    import asterisk_compliance.cli.service.serve  # noqa: F401

    asked = socket.socket(fileno=asked_at)
    waiting = selectors.DefaultSelector()
    waiting.register(asked, selectors.EVENT_READ)
    while True:
        for key, _ in waiting.select():
            if key.fileobj is asked:
                request, fds, _, _ = socket.recv_fds(asked, _LONGEST, 2)
                if not request:
                    return
                status, log = fds
                if (pid := os.fork()) == 0:
                    _become(json.loads(request), log)
                os.close(log)
                os.write(status, str(pid).encode())
                waiting.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, status))
            else:
                pid, status = key.data
                waiting.unregister(key.fileobj)
                os.close(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(OSError):  # nobody asks any more
                    os.write(status, str(code).encode())
                os.close(status)


def _become(words: list[str], log: int) -> None:
    """The new process: what it inherits is put in order, then the command."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(_STANDARD, _FILES)
    sys.argv = words
    from asterisk_compliance.cli.main import main

    main()
