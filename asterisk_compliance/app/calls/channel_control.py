"""What a call does to live channels: its MixMonitor, whispers, and what the agent sees.

Everything here is asked over AMI with the right ``call`` alone, and over ARI. MixMonitor itself is
begun by our dialplan routine, never from outside: that would need a right that starts programs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

import structlog

from asterisk_compliance.app.calls.agent_display import AgentDisplay, Connections, tried
from asterisk_compliance.app.dialplan.variables import (
    MIXMONITOR_ID_VARIABLE,
    SEGMENT_VARIABLE,
    STATUS_VARIABLE,
    encode_segment,
)
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.domain.asterisk.version import Ability, can, version_of
from asterisk_compliance.domain.call.commands import CaptureOptions, Mute, Whisper
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.participants import CoverageBasis
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable
from asterisk_compliance.ids import ChannelId, PlaybackId, RecordingId

SEGMENT_DIGIT, SEGMENT_DIGIT_MS = "D", 80
"""What begins a recording anew (``features.conf``): no telephone has the key."""
_PACKETS_S = 0.2
"""In so long a party gets packets while it is spoken to, be they of 20 ms or of 100."""
ALTERNATIVE = "compliance-alternative"
WHISPER = "whisper"
"""The argument with which the channel of a whisper enters our application."""
_ENTER_S = 2.0
"""How long it may take to enter; before that nothing can be played on it."""
_SETTLE_S = 0.1
"""From somebody's joining to the whisper: frames of whom he heard before may be on their way in a
Local channel. Were they the first that Asterisk sees under the whisper, he could hear nothing of
it, and Asterisk would report it as played (docs/asterisk-facts.md, "Transfers")."""

log = structlog.get_logger()


class ChannelControl:
    """Steers the live channels of one Asterisk; see :class:`~.surroundings.Steering`.

    Attributes:
        whispers: By the channel that whispers, the call it belongs to.
        synchronous: Asterisk keeps the directions of a recording together unasked; ``False``
            until it has said its version.
    """

    def __init__(self, connections: Connections, *, show_in_name: bool = False) -> None:
        self.whispers: dict[ChannelId, ChannelId] = {}
        self.synchronous = False
        self._entering: dict[ChannelId, asyncio.Future[None]] = {}
        self._unheard: set[ChannelId] = set()
        self._to = connections
        self._display = AgentDisplay(connections, in_name=show_in_name)

    def use_version(self, version: str) -> None:
        """Asterisk has said its version: what it can do is used from now on."""
        release = version_of(version)
        self.synchronous = release is not None and can(release, Ability.SYNCHRONOUS)

    # -- MixMonitor ----------------------------------------------------------------------

    async def stop_capture(self, channel: ChannelId) -> bool:
        try:
            ami, monitor = await self._monitor(channel)
            await ami.stop_mixmonitor(channel, monitor)
        except AsteriskError as error:
            log.error("capture_not_stopped", channel=channel, why=str(error))
            return False
        return True

    async def set_mute(self, channel: ChannelId, mute: Mute) -> bool:
        """The direction that must be silent comes first."""
        try:
            ami, monitor = await self._monitor(channel)
            match mute:
                case Mute.ALL:
                    await ami.mute(channel, monitor, "both", muted=True)
                case Mute.OTHERS:
                    await ami.mute(channel, monitor, "write", muted=True)
                    await ami.mute(channel, monitor, "read", muted=False)
                case Mute.NONE:
                    await ami.mute(channel, monitor, "both", muted=False)
        except AsteriskError as error:
            log.error("capture_not_muted", channel=channel, mute=mute, why=str(error))
            return False
        return True

    async def start_segment(
        self, channel: ChannelId, recording: RecordingId, options: CaptureOptions
    ) -> bool:
        try:
            ami = self._ami()
            what = encode_segment(recording, options, synchronous=self.synchronous)
            await ami.setvar(channel, SEGMENT_VARIABLE, what)
            await ami.play_dtmf(channel, SEGMENT_DIGIT, receive=True, duration_ms=SEGMENT_DIGIT_MS)
        except AsteriskError as error:
            log.error("segment_not_begun", channel=channel, why=str(error))
            return False
        return True

    def cancel_segment(self, channel: ChannelId) -> None:
        self._display.set(channel, SEGMENT_VARIABLE, "")

    async def _monitor(self, channel: ChannelId) -> tuple[AmiClient, str]:
        """The connection, and the id of the MixMonitor that runs on the channel now.

        Raises:
            AsteriskUnavailable: there is none; without an id Asterisk would take all of them.
        """
        ami, ari = self._ami(), self._to.ari
        if ari is None:
            raise AsteriskUnavailable("steering MixMonitor needs AMI and ARI")
        monitor = await ari.get_variable(channel, MIXMONITOR_ID_VARIABLE)
        if not (monitor and monitor.strip()):
            raise AsteriskUnavailable("the channel has no MixMonitor id")
        return ami, monitor

    def _ami(self) -> AmiClient:
        if self._to.ami is None:
            raise AsteriskUnavailable("steering MixMonitor needs AMI and ARI")
        return self._to.ami

    # -- whispers ------------------------------------------------------------------------

    async def whisper(self, call: Call, command: Whisper) -> bool:
        ari = self._to.ari
        snoop = whispering_channel(command.playback)
        self.whispers[snoop] = call.channel
        entered = self._entering[snoop] = asyncio.get_running_loop().create_future()
        try:
            if ari is None:
                raise AsteriskUnavailable("a whisper needs ARI")
            await asyncio.sleep(_SETTLE_S)
            if snoop not in self.whispers:
                return True
            if await ari.snoop(command.channel, snoop, (WHISPER,)) is None:
                raise AsteriskUnavailable("the channel is gone")
            async with asyncio.timeout(_ENTER_S):
                await entered
            if snoop not in self.whispers:  # it was ended before it began
                await ari.hang_up(snoop)
                return True
            await ari.play(snoop, command.media, command.playback)
            self._to.spawn(self._listen(ari, command.channel, snoop))
        except (AsteriskError, TimeoutError) as error:
            log.info("whisper_failed", channel=command.channel, why=str(error))
            return False
        finally:
            self._entering.pop(snoop, None)
        return True

    async def _listen(self, ari: AriClient, channel: ChannelId, snoop: ChannelId) -> None:
        """See whether Asterisk sends anything to the party while it whispers.

        It mixes a whisper into what it sends anyway. To somebody whose partner sends nothing it
        sends nothing, and reports the whisper as played (docs/asterisk-facts.md, "Whispers").
        """
        before = None
        try:
            while snoop in self.whispers:
                sent = await ari.packets_sent(channel)
                if sent is None:
                    return
                if sent == before:
                    self._unheard.add(snoop)
                    return
                before = sent
                await asyncio.sleep(_PACKETS_S)
        except AsteriskError as error:  # no channel of RTP, or ARI is gone: that is told elsewhere
            log.info("whisper_not_listened_to", channel=channel, why=str(error))

    def was_heard(self, snoop: ChannelId) -> bool:
        """Nothing says that the party could not hear this whisper."""
        return snoop not in self._unheard

    def whisper_entered(self, snoop: ChannelId) -> None:
        """The channel of a whisper entered our application.

        One that nobody waits for is of an earlier life, or of a whisper that was ended.
        """
        if snoop not in self.whispers:
            self.hang_up(snoop)
        self._wait_no_more(snoop)

    def end_whisper(self, call: Call) -> None:
        for snoop in [snoop for snoop, of in self.whispers.items() if of == call.channel]:
            del self.whispers[snoop]
            self._unheard.discard(snoop)
            self.hang_up(snoop)
            self._wait_no_more(snoop)

    def _wait_no_more(self, snoop: ChannelId) -> None:
        entered = self._entering.get(snoop)
        if entered is not None and not entered.done():
            entered.set_result(None)

    # -- the call ------------------------------------------------------------------------

    def announce(self, call: Call, status: Status) -> None:
        """On the call's channel for the dialplan, on the controller's for the agent to see."""
        self._display.set(call.channel, STATUS_VARIABLE, status)
        ours = call.participants.controller
        there = [peer for peer in call.participants.peers if peer.cover is not CoverageBasis.TOLD]
        self.show([peer.channel for peer in there if peer.channel in ours], status)

    def show(self, channels: Iterable[ChannelId], status: Status) -> None:
        self._display.show(channels, status)

    def redirect(self, channel: ChannelId) -> None:
        if self._to.ami is not None:
            self._to.spawn(tried(partial(self._to.ami.redirect, channel, ALTERNATIVE, "s")))

    def hang_up(self, channel: ChannelId) -> None:
        if self._to.ari is not None:
            self._to.ari.hang_up(channel).add_done_callback(ignore_outcome)


def whispering_channel(playback: PlaybackId) -> ChannelId:
    """The id that we give to the channel of a whisper."""
    return ChannelId(f"w-{playback[2:]}")
