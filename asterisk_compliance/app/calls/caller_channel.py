"""The commands of a call on the wire of its entry. ARI here, FastAGI in ``agi_caller_channel.py``.

Every method sends at once and returns a future; commands for one channel are executed in the
order in which they were sent.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from asterisk_compliance.app.dialplan.variables import RESULT_VARIABLE
from asterisk_compliance.app.shared.outcomes import ignore_outcome
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.ids import ChannelId, PlaybackId


class CallerChannel(Protocol):
    """How a call talks to its channel."""

    def answer(self) -> asyncio.Future[None]: ...

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]: ...

    def stop_playback(self, playback: PlaybackId) -> None: ...

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        """For the dialplan, which goes on when we let it; afterwards nobody may answer."""
        ...

    def hand_over(self, result: str) -> asyncio.Future[None]: ...

    def continue_dialplan(self) -> asyncio.Future[None]:
        """Let the channel go on in the dialplan, behind ``Stasis()`` or ``AGI()``."""
        ...

    def close(self) -> None:
        """The call is over: nothing more will be asked of this line."""


class AriCallerChannel:
    """A channel in our Stasis application.

    ``priority``: where the dialplan goes on. Inside ``Dial``'s ``U()`` it must be said, as the
    line of ``Stasis()`` and two: without it Asterisk enters ``Stasis()`` again.
    """

    def __init__(self, ari: AriClient, channel: ChannelId, priority: int | None = None) -> None:
        self._ari = ari
        self._channel = channel
        self._priority = priority

    def answer(self) -> asyncio.Future[None]:
        return self._ari.answer(self._channel)

    def play(self, playback: PlaybackId, media: str) -> asyncio.Future[None]:
        return self._ari.play(self._channel, media, playback)

    def stop_playback(self, playback: PlaybackId) -> None:
        stopped = self._ari.stop_playback(self._channel, playback)
        stopped.add_done_callback(ignore_outcome)

    def set_variable(self, name: str, value: str) -> asyncio.Future[None]:
        return self._ari.set_variable(self._channel, name, value)

    def hand_over(self, result: str) -> asyncio.Future[None]:
        return self.set_variable(RESULT_VARIABLE, result)

    def continue_dialplan(self) -> asyncio.Future[None]:
        return self._ari.continue_in_dialplan(self._channel, self._priority)

    def close(self) -> None:
        """The channel belongs to Asterisk; there is nothing to close."""
