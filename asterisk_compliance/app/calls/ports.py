"""What a call asks of its Asterisk: of the files and wires around it, and of its live channel."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from asterisk_compliance.domain.call.commands import CaptureOptions, HandOver, Mute, Whisper
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import SpoolKept, SpoolRemoved
from asterisk_compliance.domain.call.state import Call
from asterisk_compliance.domain.recording.verdict import Expected, RecordingVerdict
from asterisk_compliance.ids import ChannelId, NodeName, RecordingId


class CallServices(Protocol):
    """What a call needs of its Asterisk beside its own line."""

    node: NodeName

    def encode(self, result: HandOver) -> str: ...

    def follow(self, call: Call) -> None:
        """Hear of the channel's bridges and end, and of the files of its recording."""

    def follow_recording(self, recording: RecordingId) -> None: ...

    async def judge(self, recording: RecordingId, expected: Expected) -> RecordingVerdict: ...

    async def remove_spooled(self, recording: RecordingId) -> SpoolRemoved | SpoolKept: ...

    async def remove_recording(self, recording: RecordingId) -> bool: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...


class ChannelActions(Protocol):
    """What a call does to its live channel, and to those of its company."""

    def announce(self, call: Call, status: Status) -> None:
        """Show it on the live channel and on the agents': best effort."""

    def show(self, channels: Iterable[ChannelId], status: Status) -> None:
        """Show it on these channels of agents: best effort."""

    async def stop_capture(self, channel: ChannelId) -> bool:
        """Whether Asterisk says that it stopped."""
        ...

    async def set_mute(self, channel: ChannelId, mute: Mute) -> bool:
        """Whether Asterisk says that it obeyed."""
        ...

    async def start_segment(
        self, channel: ChannelId, recording: RecordingId, options: CaptureOptions
    ) -> bool:
        """Whether Asterisk took the request; that it began is told by an event."""
        ...

    def cancel_segment(self, channel: ChannelId) -> None: ...

    async def whisper(self, call: Call, command: Whisper) -> bool:
        """Whether Asterisk took the request; its playback is told by events."""
        ...

    def end_whisper(self, call: Call) -> None: ...

    def redirect(self, channel: ChannelId) -> None: ...

    def hang_up(self, channel: ChannelId) -> None: ...
