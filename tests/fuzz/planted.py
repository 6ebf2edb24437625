"""Errors that a fuzz must find, planted into what it feeds: some were ours until it found them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import msgspec

from asterisk_compliance.app.shared import control_socket as control
from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.asterisk.agi import session as agi_session
from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami import protocol as ami_protocol
from asterisk_compliance.asterisk.ari import (
    client as ari,
)
from asterisk_compliance.asterisk.ari import (
    events as ari_events,
)
from asterisk_compliance.asterisk.ari import (
    requests as ari_requests,
)
from asterisk_compliance.asterisk.ari import (
    transport as ari_transport,
)
from fuzz.askers import AgiAnswers, AgiHeaders, ControlRequests
from fuzz.sockets import AriLive, ControlLive
from fuzz.target import Target
from fuzz.wires import AmiReading, AriAnswers, AriDecoding

_KEPT: list[Any] = []
_FILES: list[int] = []
"""What planted leaks keep."""


def forget() -> None:
    """Give back what was kept."""
    _KEPT.clear()
    while _FILES:
        os.close(_FILES.pop())


@dataclass(frozen=True, slots=True)
class Planted:
    """An error, whom to feed to find it, and how its finding begins, in one way or another."""

    target: type[Target]
    plant: Callable[[], Any]
    found: str | tuple[str, ...]
    inputs: int = 1_500


def _decoder_raises() -> Any:
    decode = ari_events.decode

    def planted(message: bytes) -> Any:
        try:
            return decode(message)
        except ValueError:
            raise KeyError("type") from None

    return patch.object(ari_events, "decode", planted)


def _unbounded_buffer() -> Any:
    received = ami_protocol.AmiProtocol.data_received

    def planted(self: Any, data: bytes) -> None:
        _KEPT.append(data)
        received(self, data)

    return patch.object(ami_protocol.AmiProtocol, "data_received", planted)


def _spinning_reader() -> Any:
    parse = agi_header.parse

    def planted(data: bytes) -> Any:
        while b"\x00" in data:
            pass
        return parse(data)

    return patch.object(agi_header, "parse", planted)


def _leaking_tasks() -> Any:
    answer = control.ControlSocket._answer

    async def planted(self: Any, line: bytes, peer: Any) -> Any:
        _KEPT.append(asyncio.create_task(asyncio.sleep(60)))
        return await answer(self, line, peer)

    return patch.object(control.ControlSocket, "_answer", planted)


def _leaking_connections() -> Any:
    serve = control.ControlSocket._serve

    async def planted(self: Any, reader: Any, writer: Any) -> None:
        _FILES.append(os.open("/dev/null", os.O_RDONLY))
        await serve(self, reader, writer)

    return patch.object(control.ControlSocket, "_serve", planted)


def _requests_that_nobody_forgets() -> Any:
    return patch.object(ari_transport.WebSocketTransport, "_expire", lambda _self, _id: None)


def _deaf_after_nonsense() -> Any:
    parse, deaf = ami_events.parse, list[bool]()

    def planted(message: Any) -> Any:
        if deaf:
            return None
        try:
            return parse(message)
        except ValueError:
            deaf.append(True)
            raise

    return patch.object(ami_events, "parse", planted)


def _answers_too_deep() -> Any:
    def planted(said: Any, shape: Any) -> Any:
        return msgspec.json.decode(said.body, type=shape)

    return patch.object(ari_requests, "_decode", planted)


def _answers_too_long() -> Any:
    return patch.object(agi_session, "_LONGEST_ANSWER", 1 << 20)


def _keys_of_any_size() -> Any:
    return patch.object(agi_session, "_digit", lambda result: chr(result) if result > 1 else "")


def _requests_in_utf_8_only() -> Any:
    async def planted(self: Any, line: bytes, peer: Any) -> Any:
        try:
            msgspec.json.decode(line.decode(), type=control.ControlRequest)
        except msgspec.DecodeError:
            return {"error": "not a request"}
        return {"ok": {}}

    return patch.object(control.ControlSocket, "_answer", planted)


@contextmanager
def _pongs_into_nowhere() -> Iterator[None]:
    read = ari.AriClient._receive

    async def planted(self: Any, socket: Any, websocket: Any) -> Any:
        code = await read(self, socket, websocket)
        if code == 1006:
            raise RuntimeError("cannot write to closing transport")
        return code

    with patch.object(ari.AriClient, "_receive", planted):
        yield


PLANTED = {
    "a decoder that raises KeyError": Planted(AriDecoding, _decoder_raises, "KeyError at"),
    "a buffer without a bound": Planted(AmiReading, _unbounded_buffer, "grows: kib"),
    "a reader that spins": Planted(AgiHeaders, _spinning_reader, "spins"),
    "tasks that nobody ends": Planted(ControlRequests, _leaking_tasks, "grows: tasks", 300),
    "connections that nobody closes": Planted(
        ControlLive, _leaking_connections, "grows: files", 60
    ),
    "requests that nobody forgets": Planted(
        AriAnswers, _requests_that_nobody_forgets, "grows: pending", 400
    ),
    "a client that is deaf after nonsense": Planted(
        AmiReading, _deaf_after_nonsense, "a good input is not served", 600
    ),
    "an answer that is nested too deeply": Planted(AriAnswers, _answers_too_deep, "RecursionError"),
    "an answer that costs quadratic time": Planted(
        AgiAnswers, _answers_too_long, ("slow", "spins"), 2_000
    ),
    "a key that is no character": Planted(
        AgiAnswers,
        _keys_of_any_size,
        ("OverflowError at planted", "ValueError at planted"),  # until Python 3.12, and since
        3_000,
    ),
    "a request that is not UTF-8": Planted(
        ControlRequests, _requests_in_utf_8_only, "UnicodeDecodeError"
    ),
    "a client that ends with its connection": Planted(
        AriLive, _pongs_into_nowhere, "Violation", 150
    ),
}
