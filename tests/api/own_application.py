"""Somebody else's Stasis application, without an Asterisk: what it asks, and what it is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from app.serving import write_config, write_whole
from asterisk_compliance import AuditLog

CHANNEL = "1795507200.7"
_AT = "2026-11-24T08:00:{:06.3f}+0000"


def a_channel(channel: str = CHANNEL, state: str = "Ring") -> dict[str, Any]:
    return {
        "id": channel,
        "name": "PJSIP/lab-00000001",
        "state": state,
        "caller": {"name": "山田", "number": "0312345678"},
        "connected": {"name": "", "number": ""},
        "accountcode": "",
        "dialplan": {"context": "from-lab", "exten": "200", "priority": 1, "app_name": "Stasis"},
        "creationtime": _AT.format(0),
        "language": "ja",
    }


def event(kind: str, at_s: float = 0.0, **fields: Any) -> dict[str, Any]:
    """As Asterisk sends it, so many seconds after the call."""
    return {"type": kind, "application": "own", "timestamp": _AT.format(at_s), **fields}


def of_channel(kind: str, channel: str = CHANNEL, **fields: Any) -> dict[str, Any]:
    return event(kind, channel=a_channel(channel), **fields)


def stasis_start(channel: str = CHANNEL) -> dict[str, Any]:
    return event("StasisStart", args=["inbound"], channel=a_channel(channel))


class Telephone:
    """An ARI client (``AriActions``). What is asked of it stands in ``asked``, in order.

    Attributes:
        refuses: By request, what it raises instead.
        hangs: It never comes back from this request.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.refuses: dict[str, Exception] = {}
        self.hangs = ""
        self._was_asked = asyncio.Event()

    async def answer(self, channel: str) -> None:
        await self._take("answer", channel)

    async def play(self, channel: str, playback: str, media: str) -> None:
        await self._take("play", channel, playback, media)

    async def stop_playback(self, playback: str) -> None:
        await self._take("stop_playback", playback)

    async def subscribe(self, channel: str) -> None:
        await self._take("subscribe", channel)

    async def _take(self, *what: str) -> None:
        self.asked.append(what)
        self._was_asked.set()
        if what[0] == self.hangs:
            await asyncio.Event().wait()
        if what[0] in self.refuses:
            raise self.refuses[what[0]]
        await asyncio.sleep(0)

    @property
    def kinds(self) -> list[str]:
        return [what[0] for what in self.asked]

    async def until(self, kind: str, times: int = 1) -> tuple[str, ...]:
        """Wait until it was asked for this; the last such request."""
        async with asyncio.timeout(5.0):
            while self.kinds.count(kind) < times:
                self._was_asked.clear()
                await self._was_asked.wait()
        return [what for what in self.asked if what[0] == kind][-1]


async def many_turns() -> None:
    """Long enough for whatever wants to follow to have been asked for: it needs a turn or two."""
    for _ in range(100):
        await asyncio.sleep(0)


def playback(asked: tuple[str, ...], state: str) -> dict[str, Any]:
    """Of a request to play."""
    _, channel, identity, media = asked
    return {
        "id": identity,
        "media_uri": media,
        "target_uri": f"channel:{channel}",
        "language": "ja",
        "state": state,
    }


def configuration(home: Path, *, policy: str = "", stop_s: float = 0.1) -> Path:
    config = write_config(home, policy=policy)
    text = config.read_text().replace("stop_s = 0.1", f"stop_s = {stop_s}")
    return write_whole(config, text)


def rows(home: Path, kind: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """Kind and detail of the rows of calls."""
    with AuditLog.open(home / "store") as log:
        return [(row.kind, dict(row.detail)) for row in log.rows(kind=kind) if row.call]
