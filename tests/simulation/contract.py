"""Small scripts that run against the simulated and the real Asterisk, and must tell the same.

A script talks to one channel, through the service's own clients. What is compared: the answers, in
the order of asking, and what each wire tells of the channel; between the two wires there is no
order, in neither.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari import events as ari_events
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.errors import RequestRefused
from asterisk_compliance.ids import ChannelId, PlaybackId

WITHIN_S = 5.0
TONE, TONE_S, NO_SUCH = "sound:tone", 0.3, "sound:nosuch"
SNOOP = ChannelId("snoop-1")
ONE, TWO = PlaybackId("p-1"), PlaybackId("p-2")
MONITOR = "COMPLIANCE_MMID"


@dataclass
class Trace:
    """What was told and answered, without what differs from run to run."""

    ari: list[str] = field(default_factory=list)
    ami: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def settled(self) -> Trace:
        """Channels that end together do so in no order."""
        others = [one for one in self.ami if not one.startswith("Hangup")]
        ends = sorted(one for one in self.ami if one.startswith("Hangup"))
        return Trace(self.ari, [*others, *ends], self.answers)


class Lab(Protocol):
    """An Asterisk with the extension ``monitored``: Stasis, MixMonitor, and a bridge with an echo.

    ``drop_ari`` ends the connection to ARI; ``ari_back`` makes another one.
    """

    ari: AriClient
    ami: AmiClient

    async def arrive(self) -> ChannelId: ...

    async def hang_up(self, channel: ChannelId) -> None: ...

    async def drop_ari(self) -> None: ...

    async def ari_back(self) -> None: ...


class Listener:
    """Listens to both wires, and writes down what is told of the channels of the script."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._about: set[str] = set()
        self._others: list[tuple[str, str, str, str]] = []
        self.counted: dict[str, int] = {}
        self._more = asyncio.Event()

    def on_connected(self, *_: Any) -> None:
        self._count("connected")

    def on_disconnected(self, why: Exception) -> None:
        """Part of some scripts."""

    def on_login_failed(self, why: Exception) -> None:
        raise AssertionError(why)

    def on_malformed(self, why: str) -> None:
        raise AssertionError(why)

    def on_event(self, event: Any, received_monotonic: float) -> None:
        name, of = type(event).__name__.removeprefix("Ari"), type(event).__module__
        about, detail = _described(event)
        words = " ".join(filter(None, (name, SNOOP if about == SNOOP else "", detail)))
        self._others.append((about, "ari" if of == ari_events.__name__ else "ami", name, words))
        self.follow()

    def follow(self, *channels: str) -> None:
        """These are of the script too; what was told of them before counts."""
        self._about |= set(channels)
        for told in [one for one in self._others if one[0] in self._about]:
            self._others.remove(told)
            _, wire, name, words = told
            said: list[str] = getattr(self.trace, wire)
            if not (said and said[-1] == words == "ChannelHangupRequest"):
                said.append(words)  # of a Local channel it comes twice
            self._count(name)

    def _count(self, name: str) -> None:
        self.counted[name] = self.counted.get(name, 0) + 1
        self._more.set()

    async def until(self, name: str, times: int = 1) -> None:
        """Until something of this name was told so often."""
        async with asyncio.timeout(WITHIN_S):
            while self.counted.get(name, 0) < times:
                self._more.clear()
                await self._more.wait()


def _described(event: Any) -> tuple[str, str]:
    match event:
        case (
            ari_events.AriPlaybackStarted(playback=of) | ari_events.AriPlaybackFinished(playback=of)
        ):
            return str(of.channel), f"{of.id} {of.state}"
        case ari_events.StasisStart(channel=channel, args=args):
            return channel.id, ",".join(args)
        case ami_events.MixMonitorMute(channel=channel, direction=direction, muted=muted):
            return channel, f"{direction} {muted}"
        case ami_events.BridgeEnter(channel=channel, kind=kind):
            return channel, kind
        case _:
            of = getattr(event, "channel", None)
            return getattr(of, "id", of) or "", ""


class Talk:
    """A script's side: asks, and notes what it was answered."""

    def __init__(self, lab: Lab, listener: Listener) -> None:
        self.lab, self.heard = lab, listener
        self.channel = ChannelId("")

    async def arrive(self) -> None:
        self.channel = await self.lab.arrive()
        self.heard.follow(self.channel, SNOOP)
        await self.heard.until("StasisStart")

    async def ask(self, name: str, *given: Any, **more: Any) -> Any:
        """Ask either wire by the name of its client's method."""
        wire = self.lab.ari if hasattr(self.lab.ari, name) else self.lab.ami
        try:
            answer = await getattr(wire, name)(*given, **more)
        except RequestRefused as error:
            answer = f"refused {error.status or error}"
        self.heard.trace.answers.append(f"{name}: {self._shown(answer)}")
        return answer

    def _shown(self, answer: Any) -> str:
        if isinstance(answer, ari_events.Channel) and answer.id == SNOOP:
            return "a snoop"  # it enters Stasis before or behind its answer
        if isinstance(answer, ari_events.Channel):
            return f"{answer.state} in {answer.dialplan.app_name or 'no application'}"
        if isinstance(answer, list):
            return str(["it" if one == self.channel else one for one in answer])
        return "some id" if str(answer).startswith("0x") else str(answer)

    async def stop(self, playback: PlaybackId) -> None:
        """For a moment after it began a playback cannot be stopped."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                try:
                    answer = await self.lab.ari.stop_playback(self.channel, playback)
                except RequestRefused as error:
                    if error.status != 500:
                        raise
                    await asyncio.sleep(0)
                else:
                    self.heard.trace.answers.append(f"stop_playback: {answer}")
                    return

    async def reads(self, name: str) -> None:
        """A variable that was set: Asterisk does so when the channel's own thread comes to it."""
        async with asyncio.timeout(WITHIN_S):
            while (value := await self.lab.ari.get_variable(self.channel, name)) is None:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0)
        self.heard.trace.answers.append(f"{name} is {value}")

    async def goes_on(self) -> None:
        """Out of Stasis, into MixMonitor and the bridge."""
        await self.ask("continue_in_dialplan", self.channel)
        await self.heard.until("MixMonitorStart")
        await self.heard.until("BridgeEnter")

    async def ends(self, hangups: int = 1) -> None:
        await self.lab.hang_up(self.channel)
        await self.heard.until("Hangup", hangups)


Script = Callable[[Talk], Awaitable[None]]


async def a_notice_is_heard(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("application_channels")
    await talk.ask("answer", talk.channel)
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.heard.until("PlaybackFinished")
    await talk.ask("set_variable", talk.channel, "COMPLIANCE_RESULT", "a,b")
    await talk.reads("COMPLIANCE_RESULT")
    await talk.ask("get_variable", talk.channel, "NO_SUCH")
    await talk.goes_on()
    await talk.ask("application_channels")
    await talk.ends()


async def a_playback_is_stopped(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.heard.until("PlaybackStarted")
    await talk.stop(ONE)
    await talk.heard.until("PlaybackFinished")
    await talk.ends()
    await talk.heard.until("StasisEnd")


async def two_sounds_one_behind_the_other(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.ask("play", talk.channel, TONE, TWO)
    await talk.heard.until("PlaybackFinished", 2)
    await talk.ends()
    await talk.heard.until("StasisEnd")


async def a_sound_is_missing(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("play", talk.channel, NO_SUCH, ONE)
    await talk.heard.until("PlaybackFinished")
    await talk.goes_on()
    await talk.ends()


async def the_caller_hangs_up_in_the_notice(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.heard.until("PlaybackStarted")
    await talk.ends()
    await talk.heard.until("StasisEnd")
    await _of_nobody(talk)


async def _of_nobody(talk: Talk) -> None:
    """What is asked of a channel that is gone."""
    gone = talk.channel
    await talk.ask("channel", gone)
    await talk.ask("answer", gone)
    await talk.ask("play", gone, TONE, TWO)
    await talk.ask("set_variable", gone, "A", "b")
    await talk.ask("get_variable", gone, "A")
    await talk.ask("continue_in_dialplan", gone)
    await talk.ask("snoop", gone, SNOOP, ("whisper",))
    await talk.ask("subscribe", gone)
    await talk.ask("packets_sent", gone)
    await talk.ask("hang_up", gone)
    await talk.ask("setvar", gone, "A", "b")
    await talk.ask("mute", gone, "0x1", "both", muted=True)
    await talk.ask("stop_mixmonitor", gone, "0x1")
    await talk.ask("play_dtmf", gone, "D", receive=True, duration_ms=80)


async def it_is_not_ours_any_more(talk: Talk) -> None:
    await talk.arrive()
    await talk.goes_on()
    await talk.ask("answer", talk.channel)
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.ask("set_variable", talk.channel, "A", "b")
    await talk.ask("continue_in_dialplan", talk.channel)
    await talk.ask("channel", talk.channel)
    await talk.ask("setvar", talk.channel, "A", "b")
    await talk.ask("get_variable", talk.channel, "A")
    await talk.ends()


async def mixmonitor_is_muted_and_stopped(talk: Talk) -> None:
    await talk.arrive()
    await talk.goes_on()
    monitor = await talk.ask("get_variable", talk.channel, MONITOR)
    for direction, muted in (("both", True), ("both", False), ("write", True), ("write", True)):
        await talk.ask("mute", talk.channel, monitor, direction, muted=muted)
    await talk.ask("mute", talk.channel, "0x1", "both", muted=True)
    await talk.ask("stop_mixmonitor", talk.channel, "0x1")
    await talk.ask("stop_mixmonitor", talk.channel, monitor)
    await talk.ask("stop_mixmonitor", talk.channel, monitor)
    await talk.ask("mute", talk.channel, monitor, "both", muted=True)
    await talk.heard.until("MixMonitorStop")
    await talk.ends()


async def a_bridged_call_ends_that_is_subscribed_to(talk: Talk) -> None:
    await talk.arrive()
    await talk.ask("subscribe", talk.channel)
    await talk.goes_on()
    await talk.ask("application_channels")
    await talk.ends()
    await talk.heard.until("ChannelDestroyed")


async def we_end_a_bridged_call(talk: Talk) -> None:
    await talk.arrive()
    await talk.goes_on()
    await talk.ask("hang_up", talk.channel)
    await talk.heard.until("Hangup")
    await talk.ask("hang_up", talk.channel)


async def a_whisper_is_heard_and_ended(talk: Talk) -> None:
    await talk.arrive()
    await talk.goes_on()
    await talk.ask("snoop", talk.channel, SNOOP, ("whisper",))
    await talk.heard.until("StasisStart", 2)
    await talk.ask("play", SNOOP, TONE, ONE)
    await talk.heard.until("PlaybackFinished")
    await talk.ask("hang_up", SNOOP)
    await talk.heard.until("StasisEnd", 2)
    await talk.ends(hangups=2)


async def a_party_takes_its_whisper_with_it(talk: Talk) -> None:
    await talk.arrive()
    await talk.goes_on()
    await talk.ask("snoop", talk.channel, SNOOP, ("whisper",))
    await talk.heard.until("StasisStart", 2)
    await talk.ask("play", SNOOP, TONE, ONE)
    await talk.heard.until("PlaybackStarted")
    await talk.ends(hangups=2)
    await talk.heard.until("StasisEnd", 2)


async def nobody_listens_for_a_while(talk: Talk) -> None:
    """What happens meanwhile is not told again; the channel waits, and can be let go on."""
    await talk.arrive()
    await talk.ask("play", talk.channel, TONE, ONE)
    await talk.heard.until("PlaybackStarted")
    await talk.lab.drop_ari()
    await asyncio.sleep(TONE_S + 0.2)
    await talk.lab.ari_back()
    await talk.ask("application_channels")
    await talk.ask("channel", talk.channel)
    await talk.goes_on()
    await talk.ends()


async def nobody_serves(talk: Talk) -> None:
    await talk.lab.drop_ari()
    channel = await talk.lab.arrive()
    talk.heard.follow(channel)
    await talk.heard.until("BridgeEnter")
    await talk.lab.hang_up(channel)
    await talk.heard.until("Hangup")


SCRIPTS: tuple[Script, ...] = (
    a_notice_is_heard,
    a_playback_is_stopped,
    two_sounds_one_behind_the_other,
    a_sound_is_missing,
    the_caller_hangs_up_in_the_notice,
    it_is_not_ours_any_more,
    mixmonitor_is_muted_and_stopped,
    a_bridged_call_ends_that_is_subscribed_to,
    we_end_a_bridged_call,
    a_whisper_is_heard_and_ended,
    a_party_takes_its_whisper_with_it,
    nobody_listens_for_a_while,
    nobody_serves,
)
