"""The second process: it lets callers go on while the service does not answer, or has died.

Inside ``Dial``'s ``U()`` no limit of the dialplan can end a wait without ending the call
(docs/asterisk-facts.md). So somebody else must, who needs nothing of what hangs: this process has
no event loop, no store and no WebSocket. It reads a pipe, on which the service beats, and asks
Asterisk over plain HTTP. It lives as long as the other end of that pipe (docs/decisions/0010).

The service writes lines: :data:`BEAT`, :data:`GOODBYE`, and a :class:`Playing` for every change of
what a waiting channel hears, because Asterisk lets no channel go on while something plays on it.
It answers with :data:`READY` once, and with a :class:`WatchdogRelease` for each channel that it
let go.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.asterisk.ari.rescue import release_waiting
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import ChannelId, NodeName, PlaybackId

BEAT, GOODBYE, READY = b".", b"!", b"ready"
REQUEST_S = 2.0
AGAIN_S = 0.5
"""While nobody beats: how often we look who has come meanwhile."""
_OVERSLEPT_S = 1.0
"""Woken so much too late, we stood still ourselves, and the service perhaps with us."""

log = structlog.get_logger()


class Playing(msgspec.Struct, frozen=True):
    """What plays on a channel that waits for us; ``None``: nothing, or it waits no more."""

    node: NodeName
    channel: ChannelId
    playback: PlaybackId | None = None


class WatchdogRelease(msgspec.Struct, frozen=True):
    """What the service is told when it can listen again: one line of JSON for each channel."""

    node: NodeName
    channel: ChannelId


class Watchdog:
    """Waits for beats, and acts when there are none.

    Args:
        where: Where channels can wait for the service.
        hung_s: How long nobody beats before it acts.
        beats: File descriptor on which the service writes.
        reports: File descriptor on which it reads, when it can: what does not fit is only logged.
    """

    def __init__(
        self,
        where: Sequence[tuple[NodeName, AriAddress]],
        hung_s: float,
        *,
        beats: int,
        reports: int,
    ) -> None:
        self._where = where
        self._hung_s = hung_s
        self._beats = beats
        self._reports = reports
        self._rest = b""
        self._playing: dict[tuple[NodeName, ChannelId], PlaybackId] = {}
        self._released: set[tuple[NodeName, ChannelId]] = set()
        self._hangs = False
        self._releasing: dict[NodeName, threading.Thread] = {}
        os.set_blocking(reports, False)

    def watch(self) -> None:
        """Until the service says goodbye; if it dies without, let go who waits, and return."""
        os.write(self._reports, READY + b"\n")
        waiting = select.poll()
        waiting.register(self._beats, select.POLLIN)
        wait_s = self._hung_s
        while True:
            until_s = time.monotonic() + wait_s
            if waiting.poll(wait_s * 1_000):
                heard = os.read(self._beats, 65_536)
                if not heard:
                    log.error("service_died")
                    self._hangs = True
                    self._release()
                    for releasing in self._releasing.values():
                        releasing.join()
                    return
                if not self._hear(heard):
                    return
                if self._hangs:
                    log.warning("service_answers_again")
                    self._released.clear()
                wait_s, self._hangs = self._hung_s, False
            elif time.monotonic() - until_s > _OVERSLEPT_S:
                wait_s = self._hung_s
            else:
                if not self._hangs:
                    log.error("service_hangs", for_s=self._hung_s)
                self._hangs = True
                self._release()
                wait_s = AGAIN_S

    def _hear(self, heard: bytes) -> bool:
        """Whether the service goes on."""
        *lines, self._rest = (self._rest + heard).split(b"\n")
        for line in lines:
            if line == GOODBYE:
                return False
            if line != BEAT:
                self._plays(msgspec.json.decode(line, type=Playing))
        return True

    def _plays(self, what: Playing) -> None:
        where = (what.node, what.channel)
        if what.playback is None:
            self._playing.pop(where, None)
        else:
            self._playing[where] = what.playback

    def _release(self) -> None:
        """Everywhere at once: callers of one Asterisk do not wait for another one that hangs.

        Who still waits the next time is stopped again, and reported once.
        """
        for node, address in self._where:
            releasing = self._releasing.get(node)
            if releasing is not None and releasing.is_alive():
                continue  # it hangs, or has many
            playing = {channel: it for (on, channel), it in self._playing.items() if on == node}
            releasing = threading.Thread(
                target=self._release_at, args=(node, address, playing), daemon=True
            )
            self._releasing[node] = releasing
            releasing.start()

    def _release_at(
        self, node: NodeName, address: AriAddress, playing: Mapping[ChannelId, PlaybackId]
    ) -> None:
        try:
            for channel in release_waiting(address, playing, REQUEST_S):
                self._report(WatchdogRelease(node, channel))
                if not self._hangs:
                    return
        except AsteriskUnavailable as error:
            log.warning("channels_not_released", node=node, why=str(error))

    def _report(self, released: WatchdogRelease) -> None:
        where = (released.node, released.channel)
        if where in self._released:
            return
        self._released.add(where)
        log.warning("channel_released", node=released.node, channel=released.channel)
        try:
            os.write(self._reports, msgspec.json.encode(released) + b"\n")
        except OSError as error:
            log.warning("release_not_reported", channel=released.channel, why=error.strerror)


def addresses(settings: Settings) -> list[tuple[NodeName, AriAddress]]:
    """Where channels can wait for this service."""
    return [
        (
            NodeName(asterisk.node),
            AriAddress(ari.url, ari.application, ari.user, ari.secret().get_secret_value()),
        )
        for asterisk in settings.asterisk
        if (ari := asterisk.ari) is not None
    ]
