"""One connection to one Asterisk's REST interface: its events, and the requests we send.

    run() ──▶ open the WebSocket ──▶ probe, filter ──▶ on_connected ──▶ events … ──▶ lost ─┐
      ▲                                                                                    │
      └──────────────── back-off with jitter ◀──────────── on_disconnected ◀───────────────┘

Asterisk does not replay what happened while nobody listened, so no event is dropped on our side:
what arrives between the opening of the WebSocket and ``on_connected`` is held, and delivered
right after it, in order. When ``on_connected`` runs, requests work already. A listener that asks
for ``application_channels`` from then on, and looks at its own calls *after* the answer came,
finds in it every channel that nobody will ever announce again (Asterisk sends ``StasisStart``
before it lists a channel: res_stasis.c, ``stasis_app_exec``; over HTTP the two travel on
different connections and can pass each other).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, Protocol, TypeAlias, TypeVar

import aiohttp
import structlog

from asterisk_compliance import errors
from asterisk_compliance.asterisk.ari import events as ari_events
from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import (
    AriAddress,
    AriLimits,
    open_websocket,
    refused,
)
from asterisk_compliance.asterisk.ari.events import AriCallEvent, Channel
from asterisk_compliance.asterisk.ari.requests import Bridge, HangUpReason
from asterisk_compliance.asterisk.ari.transport import AriRequest, HttpTransport, WebSocketTransport
from asterisk_compliance.asterisk.dispatch import call_listener
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, PlaybackId

T = TypeVar("T")
TransportName: TypeAlias = Literal["websocket", "http"]

MOST_HELD_EVENTS = 10_000

log = structlog.get_logger()


class AriListener(Protocol):
    """What the client tells.

    The reader of the WebSocket calls all of it and waits for nobody: return at once. An exception
    is logged and goes no further.
    """

    def on_connected(self, transport: TransportName, version: str) -> None:
        """Requests work; held events follow."""

    def on_disconnected(self, why: AsteriskUnavailable) -> None:
        """The connection is lost, or could not be made: once per outage and reason."""

    def on_event(self, event: AriCallEvent, received_monotonic: float) -> None:
        """``received_monotonic`` is ``time.monotonic()`` when the message was read."""

    def on_malformed(self, why: str) -> None:
        """A message could not be read; ``why`` holds nothing that a caller controls."""


class AriClient:
    """A client of one Stasis application on one Asterisk.

    Requests are sent when the method is called, not when its result is awaited, and those for one
    channel are executed in that order. Each result is a future; it raises
    :class:`~asterisk_compliance.errors.RequestRefused` for an answer other than 2xx, and
    :class:`~asterisk_compliance.errors.AsteriskUnavailable` when there is no connection, it was
    lost, or no answer came in time (then the command may have been obeyed).

    Attributes:
        transport: How requests travel; ``None`` while disconnected.
        ignored: How many events came that nobody here uses, by type.
    """

    def __init__(
        self, address: AriAddress, listener: AriListener, limits: AriLimits | None = None
    ) -> None:
        self.transport: TransportName | None = None
        self.ignored: dict[str, int] = {}
        self._address = address
        self._listener = listener
        self._limits = limits or AriLimits()
        self._requests: WebSocketTransport | HttpTransport | None = None
        self._held: list[tuple[AriCallEvent, float]] | None = []

    async def run(self) -> NoReturn:
        """Connect, and connect again, until cancelled.

        Raises:
            ApplicationReplaced: Another client took our application. To come back would take it
                from that client in turn, so this one stops.
        """
        attempt = 0
        told = ""
        async with self._address.session(self._limits) as session:
            while True:
                began = time.monotonic()
                try:
                    await self._connection(session)
                except errors.ApplicationReplaced as taken:
                    self.transport = None
                    call_listener(self._listener.on_disconnected, AsteriskUnavailable(str(taken)))
                    raise
                except AsteriskUnavailable as why:
                    if self.transport is not None or str(why) != told:
                        log.warning("ari_disconnected", why=str(why), hint=why.hint)
                        told = str(why)
                        self.transport = None
                        call_listener(self._listener.on_disconnected, why)
                if time.monotonic() - began > self._limits.backoff.longest_s:
                    attempt = 0
                await asyncio.sleep(self._limits.backoff.delay_s(attempt))
                attempt += 1

    def answer(self, channel: ChannelId) -> asyncio.Future[None]:
        return self.send(ari_requests.answer(channel))

    def play(self, channel: ChannelId, media: str, playback: PlaybackId) -> asyncio.Future[None]:
        """Start one file. Accepted is not played: wait for its events, with a time limit."""
        return self.send(ari_requests.play(channel, media, playback))

    def stop_playback(self, channel: ChannelId, playback: PlaybackId) -> asyncio.Future[bool]:
        """Stop it; ``False`` when it was over already.

        For a moment after ``PlaybackStarted`` Asterisk refuses with 500 and plays on: it sends the
        event before the playback is controllable (res_stasis_playback.c, ``playback_stop``).
        """
        return self.send(ari_requests.stop_playback(channel, playback))

    def set_variable(self, channel: ChannelId, name: str, value: str) -> asyncio.Future[None]:
        """Only while the channel is in Stasis; otherwise 409."""
        return self.send(ari_requests.set_variable(channel, name, value))

    def get_variable(self, channel: ChannelId, name: str) -> asyncio.Future[str | None]:
        """``None`` when the channel has no such variable, or is gone. Works outside Stasis too."""
        return self.send(ari_requests.get_variable(channel, name))

    def continue_in_dialplan(
        self, channel: ChannelId, priority: int | None = None
    ) -> asyncio.Future[None]:
        return self.send(ari_requests.continue_in_dialplan(channel, priority))

    def hang_up(self, channel: ChannelId, reason: HangUpReason = "normal") -> asyncio.Future[bool]:
        """End a channel, in Stasis or not; ``False`` when it is gone already."""
        return self.send(ari_requests.hang_up(channel, reason))

    def snoop(
        self, channel: ChannelId, snoop_id: ChannelId, args: Sequence[str]
    ) -> asyncio.Future[Channel | None]:
        """Make a channel whose playbacks only the party of ``channel`` hears, over its bridge.

        It enters our application with ``args``: ``StasisStart`` comes for it as for a call, before
        or after the answer. It ends with ``channel``, or by :meth:`hang_up`; ``StasisEnd`` proves
        it, while :meth:`channel` goes on to show it for as long as ``channel`` lives. Await the
        answer before a ``play`` on it: two channels, so nothing keeps their order.
        """
        application = self._address.application
        return self.send(ari_requests.snoop(application, channel, snoop_id, args))

    def user_event(
        self, application: str, name: str, variables: Mapping[str, object]
    ) -> asyncio.Future[None]:
        """Tell another Stasis application something."""
        return self.send(ari_requests.user_event(application, name, variables))

    def packets_sent(self, channel: ChannelId) -> asyncio.Future[int | None]:
        """How many RTP packets Asterisk has sent to the channel; ``None`` when it is gone."""
        return self.send(ari_requests.packets_sent(channel))

    def packets(self, channel: ChannelId) -> asyncio.Future[tuple[int, int] | None]:
        """RTP packets that Asterisk got from the channel and sent to it; ``None``: it is gone."""
        return self.send(ari_requests.packets(channel))

    def bridge_channels(self, bridge: str) -> asyncio.Future[list[ChannelId] | None]:
        """Who is in a bridge, be it ours or the dialplan's; ``None`` when it is gone."""
        return self.send(ari_requests.bridge_channels(bridge))

    def bridges(self) -> asyncio.Future[list[Bridge]]:
        """Every bridge of this Asterisk and who is in it."""
        return self.send(ari_requests.bridges())

    def subscribe(self, channel: ChannelId) -> asyncio.Future[None]:
        """Hear of the channel's end after ``continue`` too, until it is destroyed."""
        return self.send(ari_requests.subscribe(self._address.application, channel))

    def channel(self, channel: ChannelId) -> asyncio.Future[Channel | None]:
        """The channel as it is now; ``None`` when it is gone."""
        return self.send(ari_requests.channel_info(channel))

    def channels(self) -> asyncio.Future[list[Channel]]:
        """Every channel of this Asterisk."""
        return self.send(ari_requests.channels())

    def application_channels(self) -> asyncio.Future[list[ChannelId]]:
        """The channels that our application holds or is subscribed to."""
        return self.send(ari_requests.application_channels(self._address.application))

    def info(self) -> asyncio.Future[str]:
        """The version of Asterisk."""
        return self.send(ari_requests.info())

    def send(self, request: AriRequest[T]) -> asyncio.Future[T]:
        if self._requests is not None:
            return self._requests.send(request)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.set_exception(AsteriskUnavailable("not connected to ARI"))
        future.exception()  # looked at: nobody has to await it
        return future

    async def _connection(self, session: aiohttp.ClientSession) -> NoReturn:
        """Live through one connection.

        Raises:
            AsteriskUnavailable: why it could not be made, or ended.
        """
        socket = await open_websocket(session, self._address, self._limits)
        websocket = WebSocketTransport(socket, self._limits.request_s)
        http = HttpTransport(session, self._address.url.rstrip("/"), self._limits.request_s)
        self._held = []
        reader = asyncio.create_task(self._read(socket, websocket, http))
        writer = asyncio.create_task(websocket.write_requests())
        try:
            try:
                await self._set_up(websocket, http)
            except AsteriskUnavailable:
                if not reader.done():
                    raise
            await reader
        finally:
            self._requests = None
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            await http.close()
            await socket.close()
        raise AssertionError("unreachable: the reader never returns")

    async def _set_up(self, websocket: WebSocketTransport, http: HttpTransport) -> None:
        """Choose the transport, filter the events, and tell the listener."""
        name: TransportName = "websocket"
        requests: WebSocketTransport | HttpTransport = websocket
        try:
            try:
                version = await websocket.send(ari_requests.info(), self._limits.probe_s)
            except AsteriskUnavailable:
                name, requests = "http", http
                version = await http.send(ari_requests.info())
            if not await requests.send(ari_requests.event_filter(self._address.application)):
                log.warning("ari_has_no_event_filter", asterisk=version)
        except RequestRefused as error:
            raise refused(self._address, error) from None
        self._requests, self.transport = requests, name
        log.info("ari_connected", transport=name, asterisk=version)
        call_listener(self._listener.on_connected, name, version)
        held, self._held = self._held or [], None
        for event, received in held:
            call_listener(self._listener.on_event, event, received)

    async def _read(
        self,
        socket: aiohttp.ClientWebSocketResponse[Any],
        websocket: WebSocketTransport,
        http: HttpTransport,
    ) -> NoReturn:
        why = AsteriskUnavailable("the connection to ARI was closed")
        try:
            code = await self._receive(socket, websocket)
            why = AsteriskUnavailable(f"the event WebSocket of ARI was closed (code {code})")
        except AsteriskUnavailable as error:
            why = error
        except (aiohttp.ClientError, OSError) as error:  # no pong can be written any more
            kind = type(error).__name__
            why = AsteriskUnavailable(f"the event WebSocket of ARI was lost ({kind})")
        finally:
            websocket.fail_all(why)
            http.fail_all(why)
        raise why

    async def _receive(
        self, socket: aiohttp.ClientWebSocketResponse[Any], websocket: WebSocketTransport
    ) -> int | None:
        """Handle messages until the WebSocket is closed; the result is its close code."""
        while True:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self._on_message(message.data, websocket)
            elif message.type is not aiohttp.WSMsgType.BINARY:
                return socket.close_code

    def _on_message(self, data: bytes, websocket: WebSocketTransport) -> None:
        received = time.monotonic()
        try:
            event = ari_events.decode(data)
        except ValueError as error:
            log.warning("ari_event_malformed", why=str(error))
            call_listener(self._listener.on_malformed, str(error))
            return
        match event:
            case ari_events.RESTResponse():
                websocket.on_response(event)
            case ari_events.AriApplicationReplaced():
                raise errors.ApplicationReplaced(
                    f"another client took the Stasis application {self._address.application!r}"
                )
            case ari_events.Ignored(type=kind):
                self.ignored[kind] = self.ignored.get(kind, 0) + 1
            case _ if self._held is None:
                call_listener(self._listener.on_event, event, received)
            case _ if len(self._held) < MOST_HELD_EVENTS:
                self._held.append((event, received))
            case _:
                raise AsteriskUnavailable("too many events before ARI was ready")
