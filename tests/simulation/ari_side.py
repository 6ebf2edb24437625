"""ARI of the simulated Asterisk: requests over the event WebSocket, and events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec

from asterisk_compliance.asterisk.ari.events import EVENT_TYPES
from simulation.wires import AriSocket

if TYPE_CHECKING:
    from simulation.asterisk import Asterisk, Channel

EPOCH_S = 1_700_000_000
GONE = 404, {"message": "Channel not found"}
NOT_IN_STASIS = 409, {"message": "Channel not in Stasis application"}
NOTHING: dict[str, Any] = {}

Answer = tuple[int, Any]


def stamp(at_s: float) -> str:
    moment = datetime.fromtimestamp(EPOCH_S + at_s, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}+0000"


class AriSide:
    """One application, ``compliance``.

    Attributes:
        looked_at_s: When somebody asked who is in which bridge.
    """

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self.socket: AriSocket | None = None
        self.looked_at_s: list[float] = []

    @property
    def registered(self) -> bool:
        return self.socket is not None and self.socket.wire.is_open

    def connected(self, socket: AriSocket) -> None:
        self.socket = socket

    def drop(self) -> None:
        if self.socket is not None:
            self.socket.drop()

    # -- events ------------------------------------------------------------------------------

    def emit(self, kind: str, **fields: Any) -> None:
        if self.socket is None or not self.registered or kind not in EVENT_TYPES:
            return
        event = {
            "type": kind,
            "timestamp": stamp(self._asterisk.now_s),
            "application": "compliance",
            **fields,
        }
        self.socket.send(msgspec.json.encode(event))

    def emit_of(self, about: Channel, kind: str, **fields: Any) -> None:
        """An event that only who holds the channel, or has subscribed to it, is told."""
        if about.args is not None or about.subscribed:
            self.emit(kind, **fields)

    def describe(self, channel: Channel) -> dict[str, Any]:
        return {
            "id": channel.id,
            "name": channel.name,
            "state": channel.state,
            "caller": {"name": "", "number": channel.number},
            "dialplan": {
                "context": channel.context,
                "exten": channel.exten,
                "priority": channel.priority,
                "app_name": channel.app_name,
            },
            "creationtime": stamp(0.0),
            "language": channel.language,
        }

    # -- requests ----------------------------------------------------------------------------

    def on_message(self, socket: AriSocket, message: bytes) -> None:
        if socket is not self.socket:
            return
        request = msgspec.json.decode(message)
        path = [unquote(part) for part in request["uri"].split("/")]
        query = {one["name"]: one["value"] for one in request.get("query_strings", ())}
        body = msgspec.json.decode(request.get("message_body", "{}"))
        status, said = self.answer(request["method"], path, query, body)
        answer = {
            "type": "RESTResponse",
            "timestamp": stamp(self._asterisk.now_s),
            "application": "compliance",
            "request_id": request["request_id"],
            "status_code": status,
            "message_body": "" if said is None else msgspec.json.encode(said).decode(),
        }
        socket.send(msgspec.json.encode(answer))

    def answer(  # noqa: C901 - one arm a request
        self, method: str, path: list[str], query: dict[str, str], body: Any
    ) -> Answer:
        match method, *path:
            case "GET", "asterisk", "info":
                return 200, {"system": {"version": "22.10.1"}}
            case "PUT", "applications", _, "eventFilter":
                return 200, NOTHING
            case "GET", "applications", _:
                held = [one.id for one in self._channels() if one.args is not None]
                watched = [one.id for one in self._channels() if one.subscribed]
                return 200, {"channel_ids": sorted({*held, *watched})}
            case "POST", "applications", _, "subscription":
                channel = self._channel(query["eventSource"].partition(":")[2])
                if channel is None:
                    return 422, {"message": "Invalid event source"}
                channel.subscribed = True
                return 200, NOTHING
            case "GET", "channels":
                return 200, [self.describe(one) for one in self._channels()]
            case "GET", "bridges":
                self.looked_at_s.append(self._asterisk.now_s)
                return 200, [self._bridge(one) for one in self._asterisk.bridges.values()]
            case "GET", "bridges", bridge_id:
                found = self._asterisk.bridges.get(bridge_id)
                return (
                    (404, {"message": "Bridge not found"})
                    if not found
                    else (
                        200,
                        self._bridge(found),
                    )
                )
            case "DELETE", "playbacks", playback_id:
                playback = self._asterisk.playbacks.get(playback_id)
                if playback is None:
                    return 404, {"message": "Playback not found"}
                stopped = self._asterisk.stop_playback(playback)
                return (204, None) if stopped else (500, {"message": "Invalid operation"})
            case _, "channels", channel_id, *rest:
                channel = self._channel(channel_id)
                if channel is None:
                    return GONE
                return self._of_channel(channel, method, rest, query, body)
        raise AssertionError(f"the simulated ARI does not know {method} {path}")

    def _of_channel(  # noqa: C901, PLR0912 - one arm a request
        self, channel: Channel, method: str, rest: list[str], query: dict[str, str], body: Any
    ) -> Answer:
        asterisk = self._asterisk
        match method, *rest:
            case ("GET",):
                return 200, self.describe(channel)
            case ("DELETE",):
                if channel.snoops_on is not None:
                    asterisk.end_snoop(channel)
                else:
                    asterisk.hang_up(channel)
                return 204, None
            case "GET", "variable":
                value = channel.variables.get(query["variable"])
                if value is None:
                    return 404, {"message": "Provided variable was not found"}
                return 200, {"value": value}
            case "GET", "rtp_statistics":
                return 200, {"txcount": asterisk.packets_of(channel)}
            case "POST", "snoop", snoop_id:
                if channel.hung_up:
                    return GONE
                args = tuple(body.get("appArgs", "").split(",")) if body.get("appArgs") else ()
                return 200, self.describe(asterisk.snoop(channel, snoop_id, args))
            case _ if channel.args is None:
                return NOT_IN_STASIS
            case "POST", "answer":
                channel.state = "Up"
                return 204, None
            case "POST", "play", playback_id:
                asterisk.later(0.0003, asterisk.play, channel, playback_id, body["media"])
                return 201, NOTHING
            case "POST", "variable":
                channel.variables[body["variable"]] = body["value"]
                return 204, None
            case "POST", "continue":
                asterisk.leave_stasis(channel)
                return 204, None
        raise AssertionError(f"the simulated ARI does not know {method} {rest} of a channel")

    def _channels(self) -> list[Channel]:
        return list(self._asterisk.channels.values())

    def _channel(self, channel_id: str) -> Channel | None:
        return self._asterisk.channels.get(channel_id)

    def _bridge(self, bridge: Any) -> dict[str, Any]:
        members = [one.id for one in bridge.members]
        return {"id": bridge.id, "bridge_class": bridge.kind, "channels": members}
