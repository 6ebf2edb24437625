"""What an agent sees of his call: a variable of his channel, and the name on his telephone.

The name is the caller's to choose. What of it goes out again is bounded, and holds no character
that could end a line of AMI, an argument or a quoted string.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

import structlog

from asterisk_compliance.app.dialplan.variables import SHOWN_VARIABLE
from asterisk_compliance.asterisk.ami.client import AmiClient
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import ChannelId

NAME = "CONNECTEDLINE(name)"
"""Of the agent's channel: whom his telephone says he talks to."""
LONGEST_NAME = 64
"""Characters of a caller's name that are shown again."""

RECORDED, PAUSED, NOT_RECORDED = "[REC]", "[PAUSED]", "[NO REC]"
"""The dialplan routine ``compliance-agent`` writes the same."""
_PREFIXES = {
    Status.ALLOWED: RECORDED,
    Status.RECORDING: RECORDED,
    Status.PAUSED: PAUSED,
}
_TAKES_APART = frozenset('"\\<>;${}')

log = structlog.get_logger()


class Connections(Protocol):
    """The connections to one Asterisk, as far as they are there."""

    @property
    def ari(self) -> AriClient | None: ...

    @property
    def ami(self) -> AmiClient | None: ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...


class AgentDisplay:
    """Shows the status of calls on the agents' channels of one Asterisk. Best effort.

    ``in_name``: also in the name on the telephone, where Asterisk sends it (``send_pai`` or
    ``send_rpid`` of the endpoint).
    """

    def __init__(self, connections: Connections, *, in_name: bool = False) -> None:
        self._to = connections
        self._in_name = in_name
        self._wanted: dict[ChannelId, Status] = {}

    def show(self, channels: Iterable[ChannelId], status: Status) -> None:
        for channel in channels:
            self.set(channel, SHOWN_VARIABLE, status)
            if self._in_name and self._to.ari is not None:
                self._wanted[channel] = status
                self._to.spawn(self._rename(self._to.ari, channel))

    def set(self, channel: ChannelId, name: str, value: str) -> None:
        """Set a variable of a live channel, if AMI is there."""
        if self._to.ami is not None and self._to.ami.connected:
            self._to.spawn(tried(partial(self._to.ami.setvar, channel, name, value)))

    async def _rename(self, ari: AriClient, channel: ChannelId) -> None:
        """Who asked last is obeyed, in whatever order Asterisk answers."""
        try:
            now = await ari.get_variable(channel, NAME)
        except AsteriskError as error:
            log.info("name_not_read", channel=channel, why=str(error))
            self._wanted.pop(channel, None)
            return
        status = self._wanted.pop(channel, None)
        if status is None:
            return
        wanted = shown_name(status, now or "")
        if wanted != now:
            self.set(channel, NAME, wanted)


def shown_name(status: Status, name: str) -> str:
    """The name with the status in front, instead of what stood there before, by us or by him."""
    kept = "".join(one for one in name if one.isprintable() and one not in _TAKES_APART)
    words = " ".join(kept.split())
    while (rest := _without_prefix(words)) != words:
        words = rest
    return f"{_PREFIXES.get(status, NOT_RECORDED)} {words[:LONGEST_NAME]}".rstrip()


def _without_prefix(name: str) -> str:
    for prefix in (RECORDED, PAUSED, NOT_RECORDED):
        if name.startswith(prefix):
            return name.removeprefix(prefix).lstrip()
    return name


async def tried(action: Callable[[], Awaitable[object]]) -> None:
    """Best effort: the row is the proof. ``action`` is begun when this is, or never."""
    try:
        await action()
    except AsteriskError as error:
        log.info("not_done_on_channel", why=str(error))
