"""The two wires between the service and the simulated Asterisk, with their delays and faults.

What is sent arrives later, in order on its wire, and in no order with the other one. The ends that
the service holds are what its real clients expect: a WebSocket as of aiohttp, and a TCP transport.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp

from asterisk_compliance.errors import AsteriskUnavailable
from simulation.loop import LIFE, VirtualLoop


class Message(NamedTuple):
    type: Any
    data: Any = b""


class Wire:
    """One connection, in both directions.

    Attributes:
        is_open: Both sides believe in it; until ``shut_s``.
        stalled_until_s: Nothing arrives at the service before.
    """

    def __init__(self, loop: VirtualLoop, fastest_s: float, slowest_s: float) -> None:
        self.loop = loop
        self.life = LIFE.get()
        self.context = contextvars.copy_context()
        self.is_open = True
        self.stalled_until_s = 0.0
        self.shut_s = float("inf")
        self._fastest_s, self._slowest_s = fastest_s, slowest_s
        self._last_in_s = self._last_out_s = 0.0

    def shut(self) -> None:
        if self.is_open:
            self.is_open, self.shut_s = False, self.loop.now

    def latency_s(self) -> float:
        return self.loop.rng.uniform(self._fastest_s, self._slowest_s)

    def to_service(self, callback: Callable[..., None], *args: Any) -> None:
        at_s = max(self.loop.now + self.latency_s(), self._last_in_s, self.stalled_until_s)
        self._last_in_s = at_s
        self.loop.call_at(at_s, self._arrives, callback, args, context=self.context)

    def to_asterisk(self, callback: Callable[..., None], *args: Any) -> None:
        at_s = max(self.loop.now + self.latency_s(), self._last_out_s)
        self._last_out_s = at_s
        self.loop.call_at(at_s, self._arrives, callback, args, context=self.loop.in_life("world"))

    def _arrives(self, callback: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_open:
            callback(*args)


class AriSocket:
    """What ``aiohttp.ClientWebSocketResponse`` is for the ARI client."""

    close_code: int | None = None

    def __init__(self, wire: Wire, on_message: Callable[[AriSocket, bytes], None]) -> None:
        self.wire = wire
        self._on_message = on_message
        self._inbox: deque[Message] = deque()
        self._more = asyncio.Event()

    async def receive(self) -> Message:
        while not self._inbox:
            self._more.clear()
            await self._more.wait()
        return self._inbox.popleft()

    async def send_frame(self, message: bytes, kind: Any) -> None:
        if not self.wire.is_open:
            raise AsteriskUnavailable("the event WebSocket of ARI is closed")
        self.wire.to_asterisk(self._on_message, self, message)

    async def close(self) -> None:
        self.wire.shut()

    # Asterisk's end

    def send(self, message: bytes) -> None:
        self.wire.to_service(self._take, Message(aiohttp.WSMsgType.TEXT, message))

    def drop(self) -> None:
        """The connection is cut; the service sees it a moment later."""
        if self.wire.is_open:
            self.wire.shut()
            self.wire.loop.call_later(
                self.wire.latency_s(),
                self._take,
                Message(aiohttp.WSMsgType.CLOSED),
                context=self.wire.context,
            )

    def _take(self, message: Message) -> None:
        self._inbox.append(message)
        self._more.set()


class AmiTransport:
    """What an asyncio transport is for the AMI client."""

    def __init__(self, wire: Wire, protocol: Any, on_data: Callable[..., None]) -> None:
        self.wire, self.protocol = wire, protocol
        self._on_data = on_data
        self._lost = False

    def write(self, data: bytes) -> None:
        if self.wire.is_open:
            self.wire.to_asterisk(self._on_data, self, data)

    def abort(self) -> None:
        self.wire.shut()
        self._lose()

    close = abort

    # Asterisk's end

    def send(self, data: bytes) -> None:
        self.wire.to_service(self.protocol.data_received, data)

    def drop(self) -> None:
        if self.wire.is_open:
            self.wire.shut()
            self.wire.loop.call_later(self.wire.latency_s(), self._lose, context=self.wire.context)

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self.wire.loop.call_soon(self.protocol.connection_lost, None, context=self.wire.context)
