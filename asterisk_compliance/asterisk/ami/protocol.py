"""One connection to AMI: blocks of headers in, as events and responses; actions out.

A block ends at an empty line. What callers chose is in the same stream, including line breaks, so
a response is recognised by an id that nobody can guess.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from asterisk_compliance.errors import AsteriskUnavailable

LONGEST_LINE_BYTES = 1000
"""Asterisk answers "line too long" from 1025 on (main/manager.c, ``inbuf``)."""
LONGEST_MESSAGE_BYTES = 1 << 20

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_BREAKS_A_LINE = re.compile(r"[\r\n\0]")
_GREETING = re.compile(rb"Asterisk Call Manager/([!-~]+)")

Headers: TypeAlias = Mapping[str, str | list[str]]
"""In their order; of one that is there several times, all its values."""


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an action, if nothing in them can end a line or hide another header.

    Raises:
        ValueError: naming the header, never its value.
    """
    for name, value in headers.items():
        if not _HEADER.fullmatch(name):
            raise ValueError("an AMI header's name is made of letters, digits and hyphens")
        if _BREAKS_A_LINE.search(value):
            raise ValueError(f"AMI header {name}: a line break or NUL in its value")
        if len(f"{name}: {value}".encode()) > LONGEST_LINE_BYTES:
            raise ValueError(f"AMI header {name}: longer than {LONGEST_LINE_BYTES} bytes")
    return dict(headers)


def headers_of(block: bytes) -> Headers:
    """Read one block, whatever it holds.

    A line without ``: `` is no header, and bytes that are no UTF-8 are left out.
    """
    headers: dict[str, str | list[str]] = {}
    for line in block.decode("utf-8", "ignore").split("\r\n"):
        name, colon, value = line.partition(": ")
        if not colon:
            continue
        if name not in headers:
            headers[name] = value
        elif isinstance(before := headers[name], list):
            before.append(value)
        else:
            headers[name] = [before, value]
    return headers


class AmiProtocol(asyncio.Protocol):
    """One connection; nothing that was not answered on it is ever sent again.

    Attributes:
        version: Of the protocol, as ``11.0.0``; ``unknown`` until the first block has come.
        over: Resolved, once, with the reason when nothing more can be sent or received.
        gone: Resolved when the socket is closed.
    """

    def __init__(self, on_event: Callable[[Headers], None]) -> None:
        loop = asyncio.get_running_loop()
        self.version = "unknown"
        self.over: asyncio.Future[AsteriskUnavailable] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._on_event = on_event
        self._unread = b""
        self._waiting: dict[str, asyncio.Future[Headers]] = {}

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.over.done():
            return
        *blocks, self._unread = (self._unread + data).split(b"\r\n\r\n")
        for block in blocks:
            self._read(block)
        if len(self._unread) > LONGEST_MESSAGE_BYTES:
            self.end(AsteriskUnavailable("AMI sent a message without an end"))

    def _read(self, block: bytes) -> None:
        headers = headers_of(block)
        if "Event" in headers:
            self._on_event(headers)
        elif "Response" in headers:
            if greeting := _GREETING.match(block):  # no empty line between it and the first answer
                self.version = greeting[1].decode()
            answer = self._waiting.get(str(headers.get("ActionID")))
            if answer is not None and not answer.done():
                answer.set_result(headers)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.close()
        if not self.gone.done():
            self.gone.set_result(None)

    def close(self) -> None:
        self.end(AsteriskUnavailable("the connection to AMI was closed"))

    def end(self, why: AsteriskUnavailable) -> None:
        """Close, and fail every action that waits, at once."""
        self._transport.abort()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(why)
                answer.exception()  # looked at: its caller may be gone
        if not self.over.done():
            self.over.set_result(why)

    async def request(self, headers: Mapping[str, str], limit_s: float) -> Headers:
        """Send one action and wait for its one answer.

        Raises:
            ValueError: see :func:`checked`; nothing was sent.
            AsteriskUnavailable: no answer in time, or the connection is over.
        """
        action_id = secrets.token_hex(8)
        lines = [f"{name}: {value}\r\n" for name, value in checked(headers).items()]
        if self.over.done():
            raise AsteriskUnavailable("not connected to AMI")
        self._transport.write("".join([*lines, f"ActionID: {action_id}\r\n\r\n"]).encode())
        self._waiting[action_id] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                return await self._waiting[action_id]
        except TimeoutError:
            name = headers["Action"]
            raise AsteriskUnavailable(f"no answer to AMI {name} in time") from None
        finally:
            del self._waiting[action_id]
