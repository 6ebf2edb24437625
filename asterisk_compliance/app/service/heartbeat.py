"""The service's side of its watchdog: it starts it, beats, and hears what it did."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from asterisk_compliance.app.service.watchdog import BEAT, GOODBYE, READY, Playing, WatchdogRelease
from asterisk_compliance.domain.call.events import EntryWire
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.ids import ChannelId, NodeName, PlaybackId

_BEATS = 5
"""In the time after which the watchdog acts."""
_SURELY = 0.8
"""Of that time: who was silent for less was not released. The rest is for a pipe and a clock."""
_STOP_S = 3.0
"""Until a watchdog that was told goodbye is ended; its requests end before that."""

log = structlog.get_logger()


class Heartbeat:
    """Beats while the event loop runs.

    ``command``: starts the watchdog; without one nobody acts, and nothing is ever a gap.
    """

    def __init__(self, hung_s: float, command: Sequence[str] = ()) -> None:
        self._hung_s = hung_s
        self._command = command
        self._gaps = 0
        self._beat_s: float | None = None
        self._playing: dict[ChannelId, PlaybackId] = {}
        self._dog: subprocess.Popen[bytes] | None = None
        self._ready = False

    @property
    def gaps(self) -> int:
        """How often the service was silent for so long that its watchdog may have acted.

        It looks at the clock: what ran before anybody else after a standstill knows it as well.
        """
        if self._beat_s is not None:
            now_s = time.monotonic()
            if now_s - self._beat_s > _SURELY * self._hung_s:
                self._gaps += 1
                self._beat_s = now_s
        return self._gaps

    @property
    def missing(self) -> bool:
        """There should be a watchdog, and none is there, or not yet."""
        there = self._ready and self._dog is not None and self._dog.poll() is None
        return bool(self._command) and not there

    def plays(self, node: NodeName, call: Call) -> None:
        """Tell what the call's channel hears while it waits for us, where that has changed."""
        playback = call.playback if call.waits_for_us and call.entry is EntryWire.ARI else None
        if playback is None:
            self.over(node, call)
        elif self._playing.get(call.channel) != playback:
            self._playing[call.channel] = playback
            self._write(msgspec.json.encode(Playing(node, call.channel, playback)))

    def over(self, node: NodeName, call: Call) -> None:
        """Nothing plays on its channel any more, or nobody waits for its end."""
        if self._playing.pop(call.channel, None) is not None:
            self._write(msgspec.json.encode(Playing(node, call.channel)))

    async def run(self, released: Callable[[WatchdogRelease], None]) -> None:
        """Keep a watchdog, and beat, until cancelled; then say goodbye to it."""
        if not self._command:
            return
        try:
            while True:
                self._dog = dog = _start(self._command)
                async with asyncio.TaskGroup() as tasks:
                    hearing = tasks.create_task(self._hear(dog, released))
                    await self._beat(dog)
                    hearing.cancel()
                self._beat_s, self._ready = None, False
                _close(dog)
                log.error("watchdog_ended", status=dog.poll())
                await asyncio.sleep(self._hung_s)
        finally:
            if self._dog is not None:
                await asyncio.shield(asyncio.to_thread(_say_goodbye, self._dog))

    async def _beat(self, dog: subprocess.Popen[bytes]) -> None:
        """Until it is not there any more."""
        while dog.poll() is None:
            _ = self.gaps
            self._beat_s = time.monotonic()
            self._write(BEAT)
            await asyncio.sleep(self._hung_s / _BEATS)

    async def _hear(
        self, dog: subprocess.Popen[bytes], released: Callable[[WatchdogRelease], None]
    ) -> None:
        """What it says, line by line, as soon as we can listen again."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), dog.stdout
        )
        try:
            async for line in reader:
                if line.strip() == READY:
                    self._ready = True
                    continue
                try:
                    released(msgspec.json.decode(line, type=WatchdogRelease))
                except msgspec.DecodeError:
                    log.error("watchdog_not_understood")
        finally:
            transport.close()

    def _write(self, line: bytes) -> None:
        """It may not read, or be about to be seen to have ended: then it hears less."""
        if self._dog is not None and self._dog.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                os.write(self._dog.stdin.fileno(), line + b"\n")


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """It gets the two pipes; secrets it reads itself."""
    environment = {key: value for key, value in os.environ.items() if key not in _OURS}
    dog = subprocess.Popen(  # noqa: S603 - ourselves
        command,
        executable=_OURSELVES,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert dog.stdin is not None
    os.set_blocking(dog.stdin.fileno(), False)
    log.info("watchdog_started", process=dog.pid)
    return dog


_OURS = frozenset({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
"""What systemd says to the service alone."""
_OURSELVES = "/proc/self/exe"
"""The interpreter that runs us, whatever became of its path."""


def _say_goodbye(dog: subprocess.Popen[bytes]) -> None:
    assert dog.stdin is not None
    with contextlib.suppress(OSError):
        os.write(dog.stdin.fileno(), GOODBYE + b"\n")
    try:
        dog.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        dog.kill()
        dog.wait()
    _close(dog)


def _close(dog: subprocess.Popen[bytes]) -> None:
    for pipe in (dog.stdin, dog.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
