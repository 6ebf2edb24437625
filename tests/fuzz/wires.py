"""The readers of ARI and AMI themselves, without sockets: one call for each input."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient
from asterisk_compliance.asterisk.ami.protocol import LONGEST_MESSAGE_BYTES, AmiProtocol
from asterisk_compliance.asterisk.ari import events as ari_events
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import AriAddress
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.transport import AriRequest, WebSocketTransport
from asterisk_compliance.errors import (
    ApplicationReplaced,
    AsteriskUnavailable,
    RequestRefused,
)
from asterisk_compliance.ids import ChannelId
from fuzz import corpus
from fuzz.mutators import JSON, chunks, lines_of
from fuzz.target import LONGEST_WHY, Target, Violation

CHANNEL = ChannelId("1795509944.2")
_LIMIT_S = 0.02


class Silent:
    """Hears everything a client tells, and remembers the last of it."""

    def __init__(self) -> None:
        self.last: Any = None

    def on_connected(self, *what: str) -> None: ...

    def on_disconnected(self, why: Exception) -> None: ...

    def on_login_failed(self, why: Exception) -> None: ...

    def on_malformed(self, why: str) -> None:
        if len(why) > LONGEST_WHY:
            raise Violation("a problem is told at length")
        self.last = why

    def on_event(self, event: Any, received_monotonic: float) -> None:
        self.last = event
        looked_at(event)


def looked_at(event: Any) -> None:
    """Read what the service reads of an event."""
    for name in ("at_ms", "channel", "playback"):
        value = getattr(event, name, None)
        for inner in ("created_ms", "channel"):
            getattr(value, inner, None)


class AriDecoding(Target):
    name, share, quick = "ari-decode", 0.36, 3_000
    kinds = JSON

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.ari_messages()

    async def feed(self, data: bytes, rng: random.Random) -> str:
        try:
            event = ari_events.decode(data)
        except ValueError as error:
            if len(str(error)) > LONGEST_WHY:
                raise Violation("a problem is told at length") from None
            return "refused"
        looked_at(event)
        return "ignored" if isinstance(event, ari_events.Ignored) else "event"

    async def good(self) -> None:
        for data in corpus.ari_messages():
            ari_events.decode(data)


class NoSocket:
    async def send_frame(self, message: bytes, kind: Any) -> None: ...


class AriAnswers(Target):
    """Requests that wait, and whatever the WebSocket says meanwhile."""

    name, share, quick = "ari-answers", 0.12, 1_200
    kinds = JSON

    @property
    def seeds(self) -> Sequence[bytes]:
        return (*corpus.rest_bodies(), *corpus.ari_messages())

    async def open(self) -> None:
        address = AriAddress("http://127.0.0.1:1/ari", "compliance", "user", "secret")
        self._client = AriClient(address, Silent())
        self._client._held = None
        self._transport = WebSocketTransport(cast("Any", NoSocket()), _LIMIT_S)
        self._writer = asyncio.create_task(self._transport.write_requests())

    async def close(self) -> None:
        self._writer.cancel()
        await asyncio.wait({self._writer})

    async def feed(self, data: bytes, rng: random.Random) -> str:
        request = rng.choice(_REQUESTS)
        answer = self._transport.send(request)
        await asyncio.sleep(0)
        waits = str(self._transport._last_id)
        if rng.random() < 0.7:
            data = response(waits, rng.choice((200, 200, 200, 204, 404, 500)), data)
        try:
            self._client._on_message(data, self._transport)
        except ApplicationReplaced:
            return "replaced"
        if not answer.done():
            if rng.random() < 0.01:
                await asyncio.sleep(2 * _LIMIT_S)
            return "not its answer"
        try:
            await answer
        except (RequestRefused, AsteriskUnavailable):
            return "refused"
        return "answered"

    async def good(self) -> None:
        answer = self._transport.send(ari_requests.info())
        body = b'{"system":{"version":"22.10.1"}}'
        self._client._on_message(
            response(str(self._transport._last_id), 200, body), self._transport
        )
        if await answer != "22.10.1":
            raise Violation("the transport serves nobody any more")
        await asyncio.sleep(3 * _LIMIT_S)  # what nobody answered has failed by then

    def held(self) -> Mapping[str, int]:
        return {
            "pending": len(self._transport._pending),
            "outbox": len(self._transport._outbox),
            "ignored": max(0, len(self._client.ignored) - 101),
        }


_REQUESTS: tuple[AriRequest[Any], ...] = (
    ari_requests.info(),
    ari_requests.channels(),
    ari_requests.channel_info(CHANNEL),
    ari_requests.get_variable(CHANNEL, "NAME"),
    ari_requests.bridges(),
    ari_requests.bridge_channels("b-1"),
    ari_requests.application_channels("compliance"),
    ari_requests.packets_sent(CHANNEL),
    ari_requests.answer(CHANNEL),
    ari_requests.hang_up(CHANNEL),
)


def response(request_id: str, status: int, body: bytes) -> bytes:
    answer = {
        "type": "RESTResponse",
        "request_id": request_id,
        "status_code": status,
        "message_body": body.decode("utf-8", "replace"),
        "application": "compliance",
        "timestamp": "2026-11-24T22:07:44.648+0000",
    }
    return json.dumps(answer).encode()


class _NoTransport:
    def write(self, data: bytes) -> None: ...

    def abort(self) -> None: ...


class AmiReading(Target):
    """The protocol behind the client, with an action that waits."""

    name, share, quick = "ami-read", 0.2, 1_500
    kinds = lines_of(b"\r\n")

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.ami_messages()

    async def open(self) -> None:
        address = AmiAddress("127.0.0.1", 1, "user", "secret")
        self._client = AmiClient(address, Silent(), observes=True)
        self.connections = 0
        self._connect()

    def _connect(self) -> None:
        self.connections += 1
        self._protocol = AmiProtocol(self._client._on_message)
        self._protocol.connection_made(_NoTransport())
        self._client._protocol, self._client.connected = self._protocol, True

    async def feed(self, data: bytes, rng: random.Random) -> str:
        if self._protocol.over.done():
            self._connect()
        action = None
        if rng.random() < 0.3:
            action = asyncio.create_task(self._client.setvar(CHANNEL, "NAME", "value"))
            await asyncio.sleep(0)
            if rng.random() < 0.8:
                waits = next(iter(self._protocol._waiting)).encode()
                said = b"Response: " + rng.choice(_SAYS) + b"\r\nActionID: " + waits + b"\r\n"
                before, after = rng.choice((b"", b"\r\n\r\n")), rng.choice((b"", b"\r\n"))
                data = before + said + after + data
        for chunk in chunks(rng, data):
            self._protocol.data_received(chunk)
        if len(self._protocol._unread) > LONGEST_MESSAGE_BYTES + len(data):
            raise Violation("the protocol keeps more than one message")
        if action is not None:
            return await self._came_of(action)
        return "ended" if self._protocol.over.done() else "read"

    async def _came_of(self, action: asyncio.Task[None]) -> str:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not action.done():
            action.cancel()
        try:
            await action
        except (RequestRefused, AsteriskUnavailable):
            return "refused"
        except asyncio.CancelledError:
            return "not its answer"
        return "obeyed"

    async def good(self) -> None:
        if self._protocol.over.done():
            self._connect()
        listener = cast("Silent", self._client._listener)
        listener.last = None
        hangup = b"Event: Hangup\r\nUniqueid: 1.1\r\nLinkedid: 1.1\r\nCause: 16\r\n\r\n"
        self._protocol.data_received(b"\r\n\r\n" + hangup)
        if getattr(listener.last, "channel", None) != "1.1":
            raise Violation("events are not heard any more")

    def held(self) -> Mapping[str, int]:
        return {
            "actions": len(self._protocol._waiting),
            "ignored": max(0, len(self._client.ignored) - 101),
        }


_SAYS = (b"Success", b"Error", b"Follows", b"Goodbye", b"", b"Success\r\nEventList: start")
