"""The service under test: the installed command, as an ordinary user, in a process of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import asterisk_compliance
from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.config.settings import load
from asterisk_compliance.errors import ComplianceError
from lab.forked import Forked, first_process

SERVICE_UID = 64_077
"""An ordinary user, who needs no entry in the password file."""

COMMAND = (str(Path(sys.executable).with_name("asterisk-compliance")),)
"""As it is installed."""
forks = False
"""Whether the installed command is forked from a process that has imported it (``forked.py``)."""

_START_S = 20.0
_STOP_S = 15.0
_POLL_S = 0.02


class ServiceFailed(RuntimeError):
    """The service ended, or did not get ready in time; the message ends with its log."""


class ServiceProcess:
    """The command ``asterisk-compliance serve`` as an ordinary user.

    Attributes:
        command: What is run, from the next start on.
        options: Further options of the command, from the next start on.
    """

    def __init__(self, config: Path, *, gid: int, log: Path) -> None:
        self.config = config
        self.log = log
        self.command = COMMAND
        self.options: tuple[str, ...] = ()
        self._gid = gid
        self._process: subprocess.Popen[bytes] | Forked | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, *, ready: bool = True) -> None:
        """Start it, and wait until it is connected to ARI and AMI."""
        become = ["setpriv", "--pdeathsig=KILL"]
        if os.getuid() == 0:
            become += [f"--reuid={SERVICE_UID}", f"--regid={self._gid}", "--clear-groups"]
        words = [*self.command, "serve", "--config", str(self.config), *self.options]
        package = readable_package()
        if forks and self.command == COMMAND and package is None:
            first = first_process(tuple(become), sys.executable)
            self._process = await asyncio.to_thread(Forked, first, words, self.log)
        else:
            self._process = self._executed([*become, *words], package)
        if ready:
            await self.until(_connected, _START_S)

    def _executed(self, words: Sequence[str], package: Path | None) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                umask=0o027,
                env={**os.environ, "PYTHONPATH": str(package)} if package else None,
            )

    async def status(self) -> dict[str, Any] | None:
        """What the control socket answers; ``None`` when nobody does."""
        with contextlib.suppress(ComplianceError):
            socket = load(self.config, secrets=False).service.socket
            return await asyncio.to_thread(ask, socket, "status", {})
        return None

    async def ask(self, what: str, call: str) -> dict[str, Any] | None:
        """Ask for something of a live call, as staff does."""
        socket = load(self.config, secrets=False).service.socket
        return await asyncio.to_thread(ask, socket, "ask", {"what": what, "call": call})

    async def until(self, holds: Callable[[dict[str, Any]], bool], timeout_s: float) -> None:
        """Wait until the status is as wanted.

        Raises:
            ServiceFailed: the service ended, or it was not so in time.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while (status := await self.status()) is None or not holds(status):
                    if self._process is not None and self._process.poll() is not None:
                        raise ServiceFailed(f"ended with {self._process.returncode}\n{self.words}")
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise ServiceFailed(f"not ready in time\n{self.words}") from None

    @property
    def words(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    async def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; returns the exit status."""
        assert self._process is not None
        try:
            return await asyncio.to_thread(self._process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            raise ServiceFailed(f"does not end\n{self.words}") from None

    async def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            await asyncio.to_thread(self._process.wait, _STOP_S)

    def suspend(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@functools.cache
def readable_package() -> Path | None:
    """A copy of the package that every user can read, where this checkout is closed to others."""
    checkout = Path(asterisk_compliance.__file__).parents[1]
    above = (checkout, *checkout.parents)
    if os.getuid() != 0 or all(path.stat().st_mode & stat.S_IXOTH for path in above):
        return None
    copy = Path(tempfile.mkdtemp(prefix="compliance-package-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    source = checkout / "asterisk_compliance"
    shutil.copytree(source, copy / source.name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (copy, *copy.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return copy


def _connected(status: dict[str, Any]) -> bool:
    return all(node["ari"] and node["ami"] for node in status["nodes"])
