"""Asterisk as the service knows it: channels, Stasis, playbacks, bridges, MixMonitor, snoops.

What it does was measured on a real one (docs/asterisk-facts.md), and is held to it by the scripts
of ``contract.py``, which run against both. Its two interfaces are in ``ari_side.py`` and
``ami_side.py``, and the dialplan that the calls run through in ``dialplan.py``.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.loop import VirtualLoop
from simulation.recorder import MixMonitor, Party, Truth

TRUNCATED_S = 22 / 8_000
"""Of a WAV prompt the last 22 samples are not played."""
CONTROLLABLE_S = 0.001
"""For so long after ``PlaybackStarted`` a stop is refused."""
TICK_S = 0.5


@dataclass
class Playback:
    """``stops`` is why it ended; ``heard`` calls back when it was played to the end."""

    id: str
    media: str
    channel: Channel
    began_s: float = 0.0
    timer: asyncio.TimerHandle | None = None

    def as_json(self, state: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "media_uri": self.media,
            "target_uri": f"channel:{self.channel.id}",
            "language": self.channel.language,
            "state": state,
        }


@dataclass(eq=False)
class Channel:
    """One channel.

    Attributes:
        args: What ``Stasis()`` was given while it is in there.
        on: What resumes when it leaves Stasis.
        snoops_on: Of the channel of a snoop: whom it whispers to.
        dialplan: The task that executes its dialplan.
    """

    id: str
    name: str
    party: Party
    state: str = "Ring"
    language: str = "ja"
    number: str = ""
    linkedid: str = ""
    context: str = "from-lab"
    exten: str = "s"
    priority: int = 1
    app_name: str = ""
    args: tuple[str, ...] | None = None
    left_stasis: asyncio.Event | None = None
    subscribed: bool = False
    hung_up: bool = False
    ended_by_us: bool = False
    bridge: Bridge | None = None
    in_bridge_since_s: float = 0.0
    came_s: float | None = None
    left_s: float | None = None
    packets: int = 0
    features: bool = False
    feature_runs: bool = False
    variables: dict[str, str] = field(default_factory=dict)
    monitors: list[MixMonitor] = field(default_factory=list)
    playback: Playback | None = None
    queued: list[Playback] = field(default_factory=list)
    snoops_on: Channel | None = None
    snoops: list[Channel] = field(default_factory=list)
    dialplan: asyncio.Task[None] | None = None


@dataclass(eq=False)
class Bridge:
    id: str
    kind: str = "basic"
    members: list[Channel] = field(default_factory=list)


class Asterisk:
    """One life of it; a restart makes a new one on the same spool.

    Attributes:
        prompts: Length of each sound, in seconds, by its media.
        truths: What is really in each recording.
        told: Called when a party has heard a sound to its end: channel and media.
        sounds_hang: What begins to play now never ends, as of an unknown scheme.
        mutes_by_id: It mutes the MixMonitor that is named; 16 mutes all of the channel, be there
            any or none.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        life: str,
        spool: Path,
        prompts: Mapping[str, float],
        *,
        notify: Callable[[str, int], None],
        truths: dict[str, Truth],
        told: Callable[[Channel, str], None] = lambda *_: None,
        wall: Callable[[], float] = time.time,
        numbers: Iterable[int] | None = None,
    ) -> None:
        self.loop, self.life, self.spool, self.prompts = loop, life, spool, prompts
        self.channels: dict[str, Channel] = {}
        self.bridges: dict[str, Bridge] = {}
        self.playbacks: dict[str, Playback] = {}
        self.truths = truths
        self.told, self.wall = told, wall
        self.sounds_hang = False
        self.mutes_by_id = True
        self.notify = notify
        self.numbers = itertools.count(1) if numbers is None else iter(numbers)
        self.begun: list[tuple[str, Channel]] = []
        from simulation.ami_side import AmiSide
        from simulation.ari_side import AriSide

        self.ari, self.ami = AriSide(self), AmiSide(self)

    @property
    def now_s(self) -> float:
        return self.loop.now

    def later(self, after_s: float, callback: Callable[..., None], *args: Any) -> Any:
        context = self.loop.in_life(self.life)
        return self.loop.call_later(after_s, callback, *args, context=context)

    def spawn(self, coroutine: Any) -> asyncio.Task[Any]:
        return self.loop.create_task(coroutine, context=self.loop.in_life(self.life))

    # -- channels ----------------------------------------------------------------------------

    def channel(self, party: Party, tech: str, **more: Any) -> Channel:
        number = next(self.numbers)
        made = Channel(f"1700000000.{number}", f"{tech}-{number:08x}", party, **more)
        made.linkedid = made.linkedid or made.id
        self.channels[made.id] = made
        return made

    def hang_up(self, channel: Channel, cause: int = 16) -> None:
        """The party is gone, or somebody ended the channel."""
        if channel.hung_up:
            return
        channel.hung_up = True
        asked = {"channel": self.ari.describe(channel), "cause": cause}
        self.ari.emit_of(channel, "ChannelHangupRequest", **asked)
        self._stop_sound(channel, "failed")
        self.leave_stasis(channel)
        self.leave_bridge(channel)
        for snoop in channel.snoops:
            self._end_snoop(snoop)
        if channel.dialplan is not None:
            channel.dialplan.cancel()
        for monitor in channel.monitors:
            monitor.close(self.now_s)
        channel.monitors.clear()
        self.ari.emit_of(channel, "ChannelDestroyed", **asked)
        over = [*channel.snoops, channel]
        for one in sorted(over, key=lambda one: (not one.ended_by_us, one is not channel)):
            self.ami.event("Hangup", self.ami.of(one), Cause=str(cause))
            self.channels.pop(one.id, None)

    def die(self) -> None:
        """``kill -9``."""
        for channel in self.channels.values():
            for monitor in channel.monitors:
                monitor.die(self.now_s)
        self.ari.drop()
        self.ami.drop()
        self.loop.kill(self.life)

    # -- Stasis ------------------------------------------------------------------------------

    async def stasis(self, channel: Channel, *args: str) -> bool:
        """``Stasis()``: returns when the channel goes on; ``False`` if nobody serves it."""
        if not self.ari.registered:
            return False
        channel.app_name, channel.args = "Stasis", args
        channel.left_stasis = asyncio.Event()
        self.ari.emit("StasisStart", channel=self.ari.describe(channel), args=list(args))
        try:
            await channel.left_stasis.wait()
        finally:
            self.leave_stasis(channel)
        return True

    def leave_stasis(self, channel: Channel) -> None:
        if channel.args is None:
            return
        self._stop_sound(channel, "failed")
        channel.args = None
        self.ari.emit("StasisEnd", channel=self.ari.describe(channel))
        channel.app_name = ""
        if channel.left_stasis is not None:
            channel.left_stasis.set()

    # -- sounds ------------------------------------------------------------------------------

    def play(self, channel: Channel, playback_id: str, media: str) -> None:
        playback = self.playbacks[playback_id] = Playback(playback_id, media, channel)
        if channel.playback is not None:
            channel.queued.append(playback)
        else:
            self._begin_sound(playback)

    def _begin_sound(self, playback: Playback) -> None:
        channel = playback.channel
        channel.playback, playback.began_s = playback, self.now_s
        self.ari.emit("PlaybackStarted", playback=playback.as_json("playing"))
        length_s = self.prompts.get(playback.media)
        if length_s is None:
            self.later(0.0002, self._end_sound, playback, "failed")
        elif not self.sounds_hang:
            playback.timer = self.later(length_s - TRUNCATED_S, self._played, playback)

    def _played(self, playback: Playback) -> None:
        self.told(playback.channel, playback.media)
        self._end_sound(playback, "done")

    def stop_playback(self, playback: Playback) -> bool:
        """``False`` for the moment in which it cannot be controlled yet."""
        if self.now_s - playback.began_s < CONTROLLABLE_S:
            return False
        self.later(0.0006, self._end_sound, playback, "done")
        return True

    def _stop_sound(self, channel: Channel, state: str) -> None:
        channel.queued.clear()
        if channel.playback is not None:
            self._end_sound(channel.playback, state)

    def _end_sound(self, playback: Playback, state: str) -> None:
        channel = playback.channel
        if channel.playback is not playback:
            return
        if playback.timer is not None:
            playback.timer.cancel()
        channel.playback = None
        self.playbacks.pop(playback.id, None)
        self.ari.emit("PlaybackFinished", playback=playback.as_json(state))
        if channel.queued:
            self._begin_sound(channel.queued.pop(0))

    # -- snoops ------------------------------------------------------------------------------

    def snoop(self, channel: Channel, snoop_id: str, args: tuple[str, ...]) -> Channel:
        number = next(self.numbers)
        made = Channel(snoop_id, f"Snoop/{channel.id}-{number:08x}", channel.party, state="Up")
        made.context, made.snoops_on, made.language = "default", channel, channel.language
        made.linkedid = channel.linkedid
        self.channels[snoop_id] = made
        channel.snoops.append(made)
        self.later(0.0003, self._enter_snoop, made, args)
        return made

    def _enter_snoop(self, snoop: Channel, args: tuple[str, ...]) -> None:
        if not snoop.hung_up and self.ari.registered:
            snoop.app_name, snoop.args = "Stasis", args
            self.ari.emit("StasisStart", channel=self.ari.describe(snoop), args=list(args))

    def end_snoop(self, snoop: Channel) -> None:
        """We end it; its channel is shown for as long as the party's."""
        if snoop.hung_up:
            return
        asked = {"channel": self.ari.describe(snoop), "cause": 16}
        self.ari.emit_of(snoop, "ChannelHangupRequest", **asked)
        self._end_snoop(snoop)
        snoop.ended_by_us = True

    def _end_snoop(self, snoop: Channel) -> None:
        if not snoop.hung_up:
            snoop.hung_up = True
            self._stop_sound(snoop, "failed")
            self.leave_stasis(snoop)

    # -- bridges -----------------------------------------------------------------------------

    def bridge(self, kind: str = "basic") -> Bridge:
        made = Bridge(f"bridge-{next(self.numbers)}", kind)
        self.bridges[made.id] = made
        return made

    def enter_bridge(self, channel: Channel, bridge: Bridge) -> None:
        self.heard()
        channel.bridge, channel.in_bridge_since_s = bridge, self.now_s
        channel.came_s = self.now_s if channel.came_s is None else channel.came_s
        channel.state, channel.left_s = "Up", None
        bridge.members.append(channel)
        self._bridge_event("BridgeEnter", channel, bridge)

    def leave_bridge(self, channel: Channel) -> None:
        bridge = channel.bridge
        if bridge is None:
            return
        self.heard()
        channel.packets = self.packets_of(channel)
        channel.bridge, channel.left_s = None, self.now_s
        bridge.members.remove(channel)
        if not bridge.members:
            self.bridges.pop(bridge.id, None)
        self._bridge_event("BridgeLeave", channel, bridge)

    def _bridge_event(self, name: str, channel: Channel, bridge: Bridge) -> None:
        self.ami.event(
            name,
            {
                "BridgeUniqueid": bridge.id,
                "BridgeType": bridge.kind,
                "BridgeNumChannels": str(len(bridge.members)),
            },
            self.ami.of(channel),
        )

    def packets_of(self, channel: Channel) -> int:
        """How many packets were sent to it: one for each 20 ms in which somebody else is heard."""
        if channel.bridge is None or len(channel.bridge.members) < 2:
            return channel.packets
        return channel.packets + int((self.now_s - channel.in_bridge_since_s) * 50)

    # -- MixMonitor --------------------------------------------------------------------------

    def heard(self) -> None:
        """Bring every MixMonitor up to now: something that it hears is about to change."""
        for channel in self.channels.values():
            for monitor in channel.monitors:
                monitor.hear(self.now_s)

    def monitor(self, channel: Channel, recording: str, *, bridged: bool, others: bool) -> str:
        truth = self.truths[recording] = Truth(recording, channel.id, others=others)
        monitor_id = f"0x{0x7F0000000000 + next(self.numbers):x}"
        made = MixMonitor(
            truth,
            self.spool,
            monitor_id,
            self.notify,
            lambda: self._heard_on(channel),
            self.wall,
            bridged_only=bridged,
            now_s=self.now_s,
        )
        channel.monitors.append(made)
        self.begun.append((recording, channel))
        self.ami.event("MixMonitorStart", self.ami.of(channel))
        self.later(TICK_S, self._tick, channel, made)
        return monitor_id

    def stop_monitor(self, channel: Channel, monitor: MixMonitor) -> None:
        monitor.close(self.now_s)
        channel.monitors.remove(monitor)
        self.ami.event("MixMonitorStop", self.ami.of(channel))

    def _tick(self, channel: Channel, monitor: MixMonitor) -> None:
        if monitor in channel.monitors:
            monitor.hear(self.now_s)
            self.later(TICK_S, self._tick, channel, monitor)

    def _heard_on(self, channel: Channel) -> tuple[bool, Party, list[Party]]:
        bridge = channel.bridge
        if bridge is None or channel.feature_runs:
            return False, channel.party, []
        others = [one.party for one in bridge.members if one is not channel]
        return bool(others), channel.party, others
