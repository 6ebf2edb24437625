"""One real Asterisk under test: own directory, own ports on loopback, gone when the test ends.

::

    async with Asterisk(obtain(), extensions="[from-lab]\\nexten => 1,1,Answer()\\n") as asterisk:
        print(await asterisk.cli("core show version"))

The instance lives in one directory, inside the root file system where there is one::

    etc  lib  run  log    as their names say; log/full is the verbose log, log/cdr-csv the CDRs
    spool                 for recordings: Asterisk and the service may both write and delete
    data/sounds           prompts, a directory per language; Debian's own prompts are not there
    music                 hold.wav, a steady tone of MUSIC_HZ

Asterisk has no mount left behind and no life of its own: the root's ``/proc`` is mounted in a
mount namespace of the process, and the kernel kills the process when we die.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import numpy as np

from asterisk_compliance.domain.asterisk.version import Ability
from lab.asterisk_conf import AMI_EVENTS, write_conf
from lab.ports import PortBlock
from lab.rootfs import AsteriskBuild
from lab.versions import can
from lab.wav import write_wav

MUSIC_HZ = 1000
"""What a caller hears on hold and in a queue, at -20 dBFS."""

_START_TIMEOUT_S = 20.0
_STOP_TIMEOUT_S = 5.0
_CLI_TIMEOUT_S = 10.0
_POLL_S = 0.005
_READY = (
    ("core waitfullybooted", "Asterisk has fully booted."),
    ("core show version", "Asterisk "),
)
"""Asked in turn until answered so: the control socket is there before it listens, listens before
it knows the first command, and Asterisk is fully booted before it knows the second."""
_IN_ROOT = """
if unshare --mount true 2>/dev/null; then
    exec unshare --mount sh -c 'mount -t proc proc "$1/proc"; exec chroot "$@"' sh "$@"
fi
exec chroot "$@"
"""
"""A container or a chroot may allow no mount; Asterisk runs without ``/proc`` as well."""


class AsteriskFailed(RuntimeError):
    """Asterisk did not start, did not answer or died; the message ends with its last words."""


class Asterisk:
    """One instance. It may be started, killed and started again; its directory and ports stay.

    Attributes:
        build: Which Asterisk.
        version: For example ``22.10.1``.
        ports: The port block; ``spare`` ports are for the test.
        sip_port: UDP on 127.0.0.1. An INVITE from an unknown user is endpoint ``lab``, context
            ``from-lab``.
        ari_url: Base of all ARI requests, without a trailing slash.
        ami_port: TCP on 127.0.0.1.
        ami_user: The service's user: rights and events for ``call`` only. A second user, ``lab``
            with the same password, has all rights.
        spool: For recordings, as Asterisk sees it; ``spool_here``: the same as we see it.
        sounds: For prompts, as Asterisk sees it; ``sounds_here``: the same as we see it.
        log_file: The full log, as we see it.
        cdr_file: ``Master.csv``, as we see it.
    """

    def __init__(
        self,
        build: AsteriskBuild,
        *,
        extensions: str,
        phones: Mapping[str, int] | None = None,
        contexts: Mapping[str, str] | None = None,
        queues: str = "",
        extra: Mapping[str, str] | None = None,
        spool_gid: int | None = None,
        keep: bool = False,
    ) -> None:
        """Claim ports and write the configuration; nothing runs yet.

        Args:
            build: From :func:`lab.rootfs.obtain`.
            extensions: Text of ``extensions.conf``; there ``${ASTSPOOLDIR}`` is the spool.
            phones: UDP port on 127.0.0.1 of each SIP phone. ``Dial(PJSIP/name)`` rings it, and
                calls with its name in the From header are its own.
            contexts: Where the calls of a phone come in, by its name; else in ``from-lab``.
            queues: Text that follows ``[general]`` in ``queues.conf``.
            extra: Further configuration files by name, or other texts for existing ones.
            spool_gid: Group that shares the spool with Asterisk. Without it everybody does.
            keep: Leave the directory behind, for reading.
        """
        self.build = build
        self.version = build.version
        self.ports = PortBlock.claim()
        self.sip_port = self.ports.sip
        self.ari_url = f"http://127.0.0.1:{self.ports.ari}/ari"
        self.ari_user = self.ami_user = "compliance"
        self.ari_password, self.ami_password = secrets.token_hex(16), secrets.token_hex(16)
        self.ami_port = self.ports.ami
        self._home = build.lab_dir / str(self.ports.number)
        self.home = build.here(self._home)
        self.spool, self.sounds = self._home / "spool", self._home / "data/sounds"
        self.spool_here, self.sounds_here = build.here(self.spool), build.here(self.sounds)
        self.log_file = self.home / "log/full"
        self.cdr_file = self.home / "log/cdr-csv/Master.csv"
        self._keep = keep
        self._process: subprocess.Popen[bytes] | None = None
        self._make_home(spool_gid)
        values = {
            "home": self._home,
            "etc": self._home / "etc",
            "spool": self.spool,
            "modules_dir": build.modules_dir,
            "ports": self.ports,
            "phones": phones or {},
            "contexts": contexts or {},
            "queues": queues,
            "extensions": extensions,
            "ari_user": self.ari_user,
            "ari_password": self.ari_password,
            "ami_user": self.ami_user,
            "ami_password": self.ami_password,
            "ami_events": AMI_EVENTS,
            "advanced_eventfilter": can(build, Ability.NAMED_FILTERS),
        }
        write_conf(self.home / "etc", values, extra or {}, build.here(build.modules_dir))

    def _make_home(self, spool_gid: int | None) -> None:
        shutil.rmtree(
            self.home, ignore_errors=True
        )  # of a test that was killed: its ports are ours
        for name in ("etc", "data/sounds/en", "music"):
            (self.home / name).mkdir(parents=True)
        for name in ("lib", "lib/keys", "run", "log", "log/cdr-csv", "spool"):
            (self.home / name).mkdir()
            if os.getuid() == 0:
                os.chown(self.home / name, self.build.uid, self.build.gid)
        if spool_gid is not None:
            os.chown(self.spool_here, -1, spool_gid)
        self.spool_here.chmod(0o2777 if spool_gid is None else 0o2770)
        for entry in self.build.here(self.build.data_dir).iterdir():
            if entry.name != "sounds":
                (self.home / "data" / entry.name).symlink_to(self.build.data_dir / entry.name)
        seconds = np.arange(8000 * 10) / 8000
        tone = (3277 * np.sin(2 * np.pi * MUSIC_HZ * seconds)).astype(np.int16)
        write_wav(self.home / "music/hold.wav", tone)

    @property
    def pid(self) -> int:
        """Process id of the running Asterisk."""
        return self._running().pid

    async def start(self) -> None:
        """Start, and return when Asterisk is fully booted.

        Raises:
            AsteriskFailed: it ended, or is not ready in time.
        """
        if self._process is not None:
            raise RuntimeError("this Asterisk runs already")
        (self.home / "run/asterisk.ctl").unlink(missing_ok=True)
        with (self.home / "log/console").open("ab") as console:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                cwd="/",
                umask=0o002,  # the service may share Asterisk's group, and cleans the spool
            )
        await self._booted()

    async def _booted(self) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                for command, proof in _READY:
                    while proof not in await self._answer(command):
                        self._running()
                        await asyncio.sleep(_POLL_S)
        except (TimeoutError, AsteriskFailed) as error:
            message = f"Asterisk did not start: {error}\n{self._last_words()}"
            await self.kill()
            raise AsteriskFailed(message) from error

    async def restart_now(self) -> None:
        """``core restart now``: it hangs up every call, and becomes a new one in the same process.

        Raises:
            AsteriskFailed: it did not come back in time.
        """
        control = self.home / "run/asterisk.ctl"
        before = control.stat().st_ctime_ns
        with contextlib.suppress(AsteriskFailed, OSError):
            await self.cli("core restart now")
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not control.exists() or control.stat().st_ctime_ns == before:
                self._running()
                await asyncio.sleep(_POLL_S)
        await self._booted()

    async def _answer(self, command: str) -> str:
        """What :meth:`cli` returns, or nothing as long as nobody listens."""
        try:
            return await self.cli(command, timeout_s=_START_TIMEOUT_S)
        except AsteriskFailed:
            return ""

    def _command(self) -> list[str]:
        build = self.build
        become = ["setpriv", "--pdeathsig=KILL"]
        if os.getuid() == 0:
            become += [f"--reuid={build.uid}", f"--regid={build.gid}", "--clear-groups"]
        command = [*become, str(build.binary), "-f", "-C", str(self._home / "etc/asterisk.conf")]
        if build.root is None:
            return command
        return ["sh", "-c", _IN_ROOT, "sh", str(build.root), *command]

    def _running(self) -> subprocess.Popen[bytes]:
        """The process.

        Raises:
            AsteriskFailed: there is none.
        """
        if self._process is None:
            raise AsteriskFailed("Asterisk is not running")
        if (code := self._process.poll()) is not None:
            raise AsteriskFailed(f"Asterisk ended with code {code}\n{self._last_words()}")
        return self._process

    def _last_words(self) -> str:
        lines: list[str] = []
        for path in (self.home / "log/console", self.log_file):
            with contextlib.suppress(FileNotFoundError):
                lines += path.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(lines)

    async def stop(self) -> None:
        """End all calls and exit cleanly; killed if that takes too long. Not running is fine."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.resume()
            with contextlib.suppress(TimeoutError, AsteriskFailed):
                await self.cli("core stop now", timeout_s=_STOP_TIMEOUT_S)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(self._process.wait, _STOP_TIMEOUT_S)
        await self.kill()

    async def kill(self) -> None:
        """SIGKILL. The directory, with what was recorded, stays. Not running is fine."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait, _STOP_TIMEOUT_S)
            self._process = None

    async def restart(self) -> None:
        """Stop and start; the ports, the spool and the logs stay."""
        await self.stop()
        await self.start()

    def suspend(self) -> None:
        """SIGSTOP: connections stay open, nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    async def cli(self, command: str, *, timeout_s: float = _CLI_TIMEOUT_S) -> str:
        """Run one command of Asterisk's command line, as ``asterisk -rx`` does (main/asterisk.c,
        ``ast_remotecontrol``), and return what it prints.

        Raises:
            AsteriskFailed: nothing listens.
            TimeoutError: no answer in time.
        """
        async with asyncio.timeout(timeout_s):
            try:
                reader, writer = await asyncio.open_unix_connection(self.home / "run/asterisk.ctl")
            except OSError as error:
                raise AsteriskFailed(f"no control socket: {error}") from error
            try:
                await reader.readuntil(b"\n")  # host name, process id and version
                writer.write(b"cli quit after " + command.encode() + b"\0")
                return (await reader.read()).decode(errors="replace")
            except (OSError, asyncio.IncompleteReadError) as error:
                raise AsteriskFailed(f"the control socket closed: {error}") from error
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def reload_extensions(self, text: str) -> None:
        """Replace ``extensions.conf``; running calls go on where they are."""
        (self.home / "etc/extensions.conf").write_text(text)
        await self.cli("dialplan reload")

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.kill()  # a clean exit takes a second, and nobody reads what it would write
        finally:
            self.remove()

    def remove(self) -> None:
        """Give the ports back, and delete the directory unless it is to be kept."""
        if not self._keep:
            shutil.rmtree(self.home, ignore_errors=True)
        self.ports.release()
