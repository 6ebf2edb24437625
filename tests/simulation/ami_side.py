"""AMI of the simulated Asterisk: a few actions, and the events of class ``call`` and ``user``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from simulation.wires import AmiTransport

if TYPE_CHECKING:
    from simulation.asterisk import Asterisk, Channel
    from simulation.recorder import MixMonitor

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
Headers = Mapping[str, str]

DONE: Headers = {"Response": "Success"}


def _error(why: str) -> Headers:
    return {"Response": "Error", "Message": why}


class AmiSide:
    """One user with the right ``call``.

    Attributes:
        refuses: Actions that fail now.
        heard_s: When somebody began and ended to listen.
        on_digit: Called when a digit was pressed on a channel by ``PlayDTMF``.
    """

    def __init__(self, asterisk: Asterisk) -> None:
        self._asterisk = asterisk
        self._transport: AmiTransport | None = None
        self.logged_in = False
        self.refuses: set[str] = set()
        self.heard_s: list[tuple[float, AmiTransport]] = []
        self.on_digit: Callable[[Channel, str], None] = lambda *_: None

    def connected(self, transport: AmiTransport) -> None:
        self._transport, self.logged_in = transport, False
        transport.send(GREETING)

    @property
    def listens(self) -> bool:
        return self._transport is not None and self._transport.wire.is_open and self.logged_in

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.drop()

    def stall(self, until_s: float) -> None:
        if self._transport is not None:
            self._transport.wire.stalled_until_s = until_s

    # -- events ------------------------------------------------------------------------------

    def of(self, channel: Channel, prefix: str = "") -> Headers:
        return {
            f"{prefix}Channel": channel.name,
            f"{prefix}Uniqueid": channel.id,
            f"{prefix}Linkedid": channel.linkedid,
        }

    def event(self, name: str, *headers: Headers, **more: str) -> None:
        if self._transport is None or not self.listens:
            return
        said: dict[str, str] = {"Event": name}
        for one in (*headers, more):
            said |= one
        self._transport.send(_written(said))

    # -- actions -----------------------------------------------------------------------------

    def on_data(self, transport: AmiTransport, data: bytes) -> None:
        if transport is not self._transport:
            return
        for text in data.decode().split("\r\n\r\n"):
            if not text.strip():
                continue
            lines = (line.partition(": ") for line in text.strip().split("\r\n"))
            action = {name: value for name, _, value in lines}
            answer = {"Response": "", "ActionID": action["ActionID"]} | self._act(action)
            transport.send(_written(answer))

    def _act(self, action: Headers) -> Headers:  # noqa: C901 - one arm an action
        name = action["Action"]
        if name in self.refuses:
            return _error("Permission denied")
        if name == "Login":
            self.logged_in = True
            assert self._transport is not None
            self.heard_s.append((self._asterisk.now_s, self._transport))
            return DONE | {"Message": "Authentication accepted"}
        if name == "Ping":
            return DONE | {"Ping": "Pong", "Timestamp": f"{self._asterisk.now_s:.6f}"}
        channel = self._asterisk.channels.get(action["Channel"])
        if channel is None:
            return _error("Channel not found" if name == "PlayDTMF" else "No such channel")
        match name:
            case "Setvar":
                channel.variables[action["Variable"]] = action["Value"]
                return DONE | {"Message": "Variable Set"}
            case "MixMonitorMute":
                return self._mute(channel, action)
            case "StopMixMonitor":
                monitor = self._monitor(channel, action)
                if monitor is None:
                    return _error("Could not stop monitoring channel")
                self._asterisk.stop_monitor(channel, monitor)
                return DONE
            case "PlayDTMF":
                self.on_digit(channel, action["Digit"])
                return DONE | {"Message": "DTMF successfully queued"}
            case "Redirect":
                return DONE | {"Message": "Redirect successful"}
        raise AssertionError(f"the simulated AMI does not know {name}")

    def _mute(self, channel: Channel, action: Headers) -> Headers:
        monitors = channel.monitors
        if self._asterisk.mutes_by_id:
            monitor = self._monitor(channel, action)
            if monitor is None:
                return _error("Cannot set mute flag")
            monitors = [monitor]
        self._asterisk.heard()
        direction = action["Direction"]
        directions = {"read", "write"} if direction == "both" else {direction}
        muted = action["State"] == "1"
        for one in monitors:
            one.muted = one.muted | directions if muted else one.muted - directions
        self.event("MixMonitorMute", self.of(channel), Direction=direction, State=action["State"])
        return DONE

    def _monitor(self, channel: Channel, action: Headers) -> MixMonitor | None:
        wanted = action.get("MixMonitorID", "")
        return next((one for one in channel.monitors if one.id == wanted), None)


def _written(headers: Mapping[str, Any]) -> bytes:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
