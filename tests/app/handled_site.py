"""Connections of one Asterisk that write down what they are asked, and the hands that ask."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from asterisk_compliance.app.calls.channel_control import ChannelControl, whispering_channel
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.domain.call.commands import Whisper
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, call_id, playback_id, recording_id
from domain.call_builder import a_call

CALL = call_id(1_700_000_000_000, b"8 bytes!")
OTHER_CALL = call_id(1_700_000_000_000, b"8 other!")
CALLER, AGENT, FRIEND = (ChannelId(f"1700000000.{number}") for number in range(1, 4))
MONITOR = "0x7f00c0ffee"
RECORDING = recording_id(CALL, 2)
PLAYBACK = playback_id(CALL, 2)
SNOOP = whispering_channel(PLAYBACK)
WHISPER = Whisper(FRIEND, PLAYBACK, "sound:/prompts/ja/joined")
LOST, NO = AsteriskUnavailable("no connection"), RequestRefused("mute", 0, "Cannot set mute flag")


class Wires:
    """AMI and ARI of one Asterisk.

    Attributes:
        asked: The requests of both, in their order.
        told_s: Until when AMI told all that happened; ``None``: until now.
    """

    connected = True

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.told_s: float | None = None
        self.refuses: dict[str, AsteriskError] = {}
        self.monitor: str | None = MONITOR
        self.there = True
        self.snooped = asyncio.Event()
        self.snooped.set()
        self.enters: Callable[[ChannelId], None] | None = None

    def _request(self, *what: object) -> None:
        self.asked.append(what)
        error = self.refuses.get(str(what[0]))
        if error is not None:
            raise error

    # AMI

    def told_until_s(self, now_s: float) -> float:
        return now_s if self.told_s is None else self.told_s

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        self._request("setvar", channel, name, value)

    async def stop_mixmonitor(self, channel: ChannelId, monitor: str) -> None:
        self._request("stop", channel, monitor)

    async def mute(self, channel: ChannelId, monitor: str, direction: str, *, muted: bool) -> None:
        self._request("mute", channel, monitor, direction, muted)

    async def play_dtmf(
        self, channel: ChannelId, digit: str, *, receive: bool, duration_ms: int
    ) -> None:
        self._request("dtmf", channel, digit, receive, duration_ms)

    async def redirect(self, channel: ChannelId, context: str, exten: str) -> None:
        self._request("redirect", channel, context, exten)

    # ARI

    async def get_variable(self, channel: ChannelId, name: str) -> str | None:
        self._request("get_variable", channel, name)
        return self.monitor

    async def snoop(
        self, channel: ChannelId, snoop: ChannelId, args: Sequence[str]
    ) -> object | None:
        self._request("snoop", channel, snoop, tuple(args))
        await self.snooped.wait()
        if self.enters is not None:
            asyncio.get_running_loop().call_soon(self.enters, snoop)
        return object() if self.there else None

    async def play(self, channel: ChannelId, media: str, playback: str) -> None:
        self._request("play", channel, media, playback)

    def hang_up(self, channel: ChannelId) -> asyncio.Future[bool]:
        self.asked.append(("hang_up", channel))
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if "hang_up" in self.refuses:
            answer.set_exception(self.refuses["hang_up"])
        else:
            answer.set_result(True)
        return answer


class Site:
    """Hands with the connections of one Asterisk, which a test can take away."""

    def __init__(self) -> None:
        self.wires = Wires()
        self.ami: AmiClient | None = cast("AmiClient", self.wires)
        self.ari: AriClient | None = cast("AriClient", self.wires)
        self.channel_control = ChannelControl(self)
        self.wires.enters = self.channel_control.whisper_entered
        self.running: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.running.append(asyncio.create_task(work))

    async def settled(self) -> None:
        await asyncio.gather(*self.running)

    @property
    def steered(self) -> list[tuple[object, ...]]:
        """What was asked beside the id of the MixMonitor."""
        return [what for what in self.wires.asked if what[0] != "get_variable"]


def live(channel: ChannelId = CALLER) -> Call:
    return a_call(call=CALL, channel=channel).call
