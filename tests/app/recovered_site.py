"""A service that goes on after somebody was away: everything is real but Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

from app.followed_site import Task
from app.handled_site import Wires
from app.serving import UNSEALED, Serving, write_config
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.node_view import NodeConnections
from asterisk_compliance.asterisk.ari.events import AriCaller, Channel, DialplanPlace
from asterisk_compliance.asterisk.ari.requests import Bridge
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.domain.call.events import (
    ChannelGone,
)
from asterisk_compliance.ids import CallId, ChannelId, call_id, recording_id, spool_name
from asterisk_compliance.storage.recordings.assembly import wav_header
from domain.call_builder import a_call

CALLER, AGENT, LATE = (ChannelId(f"1700000000.{number}") for number in (1, 2, 3))
HALF, OTHER_HALF = ChannelId("1700000000.11"), ChannelId("1700000000.12")
AGO_MS = 60_000
LOUD = b"\x00\x20\x00\xe0" * 4_000  # 1 s


class Asterisk(Wires):
    """What ARI says of channels and bridges; ``asking`` happens while it is asked."""

    transport: str | None = "http"
    ignored: ClassVar[Mapping[str, int]] = {}

    async def run(self) -> None:
        """It stays connected, and tells nothing by itself."""
        await asyncio.Event().wait()

    def __init__(self) -> None:
        super().__init__()
        self.there: dict[ChannelId, Channel] = {}  # type: ignore[assignment]
        self.bridged: list[Bridge] = []
        self.asking: Callable[[], None] = lambda: None
        self.listed = 0

    async def channels(self) -> list[Channel]:
        self._request("channels")
        self.listed += 1
        self.asking()
        return list(self.there.values())

    async def bridges(self) -> list[Bridge]:
        self._request("bridges")
        return self.bridged

    async def channel(self, channel: ChannelId) -> Channel | None:
        return self.there.get(channel)

    def subscribe(self, channel: ChannelId) -> asyncio.Future[None]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        return answer

    # what is so

    def lives(self, channel: ChannelId, name: str = "PJSIP/trunk-0001", app: str = "Dial") -> None:
        place = DialplanPlace("from-trunk", "1", 1, app)
        self.there[channel] = Channel(channel, name, "Up", AriCaller("", ""), place, "ja", "")

    def bridge(self, bridge: str, *channels: ChannelId) -> None:
        self.bridged.append(Bridge(bridge, channels, "basic"))


class Site:
    """A service whose Asterisk we are."""

    def __init__(self, serving: Serving, asterisk: Asterisk) -> None:
        self.serving, self.asterisk = serving, asterisk
        self.node = serving.node
        self.spool = serving.config.parent / "spool"
        self.vault = serving.config.parent / "recordings"

    async def log(self, call: CallId, *rows: tuple[Kind, dict[str, Detail]]) -> None:
        """Rows of an earlier life."""
        at_ms = unix_ms() - AGO_MS
        drafts = [Draft(kind, at_ms, self.node.node, call, detail=of) for kind, of in rows]
        await self.node._rows.append(*drafts)

    async def recorded(self, *more: tuple[Kind, dict[str, Detail]], digest: str = "") -> CallId:
        """A call that an earlier life recorded."""
        policy = self.node.policies.by_name["inbound"]
        call = call_id(unix_ms() - AGO_MS, b"8 bytes!")
        arrived: dict[str, Detail] = {
            "channel": CALLER,
            "entry": "ari",
            "leg": "caller",
            "linkedid": CALLER,
            "policy": "inbound",
            "policy_digest": digest or policy.digest,
        }
        decided: dict[str, Detail] = {
            "notice": "standard/1/ja",
            "purposes": ("SERVICE",),
            "reason": "NOTICE_COMPLETED",
            "status": "ALLOWED",
        }
        recording: dict[str, Detail] = {"recording": recording_id(call, 1)}
        asked = {**recording, "capture": "bridged", "others": True}
        rows = [
            (Kind.CALL_ARRIVED, arrived),
            (Kind.DECISION, decided),
            (Kind.RECORDING_REQUESTED, asked),
            (Kind.RECORDING_STARTED, {**recording, "evidence": "file"}),
        ]
        await self.log(call, *rows, *more)
        return call

    def write(
        self, call: CallId, number: int = 1, directions: tuple[str, ...] = ("rx", "tx")
    ) -> None:
        for direction in directions:
            file = self.spool / spool_name(recording_id(call, number), direction)
            file.write_bytes(wav_header(len(LOUD) // 2, 1) + LOUD)

    def here(self, channel: ChannelId) -> Task:
        """A live call that keeps what it is told."""
        identity = call_id(unix_ms(), channel.encode()[-8:])
        call = a_call(call=identity, channel=channel).call
        task = Task(call)
        self.node.calls[channel] = cast("CallTask", task)
        return task

    def kinds(self, call: CallId) -> list[str]:
        return [row["kind"] for row in self.serving.rows() if row["call"] == call]

    def detail(self, kind: str) -> dict[str, Any]:
        (detail,) = self.serving.details(kind)
        return detail

    async def seen(self, kind: str) -> dict[str, Any]:
        await self.serving.until(lambda: self.serving.details(kind) != [])
        return self.detail(kind)

    async def over(self, call: CallId) -> None:
        await self.serving.until(lambda: not self.node.follows(call))


@contextlib.asynccontextmanager
async def running(
    home: Path, vault: str = UNSEALED, policy: str = "", *, ari: bool = True
) -> AsyncIterator[Site]:
    """A service that runs; without ``ari`` the site has AMI alone."""
    asterisk = Asterisk()
    wire = cast("Any", asterisk)
    connections = NodeConnections(wire if ari else None, wire)
    config = write_config(home, vault=vault, policy=policy)
    serving = Serving(config, lambda *_: connections)
    async with serving.running():
        site = Site(serving, asterisk)
        node = site.node
        node.legs.gap_ended()  # AMI is there from the beginning
        yield site
        for channel, task in tuple(node.calls.items()):
            if isinstance(task, Task):
                del node.calls[channel]
            else:
                task.feed(ChannelGone(monotonic_ms()))
