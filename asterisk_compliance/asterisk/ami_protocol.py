"""panoramisk's AMI protocol, without what it must not do to us.

Of panoramisk 1.4 this uses the framing, the parser and the matching of answers to actions. Its
``Manager`` is left out: it sends unanswered actions again after a reconnect, retries a wrong
password for ever without a word, and does not look at the answers to its pings.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message

from asterisk_compliance.asterisk.listening import place
from asterisk_compliance.errors import AsteriskUnavailable

LONGEST_LINE_BYTES = 1000
"""Asterisk answers "line too long" from 1025 on (main/manager.c, ``inbuf``)."""
LONGEST_MESSAGE_BYTES = 1 << 20

_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_BREAKS_A_LINE = re.compile(r"[\r\n\0]")

_silent = logging.getLogger("panoramisk.ami_protocol")
_silent.disabled = True  # its lines repeat headers, which callers fill


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


class _NoManager:
    """What the protocol expects of panoramisk's ``Manager``: nothing is kept to be sent again."""

    save_stream = None

    def __init__(self, on_event: Callable[[Message], None]) -> None:
        self._on_event = on_event

    def dispatch(self, event: Message) -> None:
        self._on_event(event)


class AmiProtocol(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """One connection.

    Attributes:
        over: Resolved, once, with the reason when nothing more can be sent or received.
        gone: Resolved when the socket is closed.
    """

    responses: dict[str, Action]

    def __init__(self, on_event: Callable[[Message], None]) -> None:
        loop = asyncio.get_running_loop()
        self._on_event = on_event
        self.over: asyncio.Future[AsteriskUnavailable] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.encoding = "utf-8"
        self.factory = _NoManager(self._on_event)
        self.log = _silent

    def data_received(self, data: bytes) -> None:
        if self.closed:
            return
        try:
            super().data_received(data)
        except Exception as error:  # noqa: BLE001  # panoramisk fails in many ways on odd input
            self.end(AsteriskUnavailable(f"AMI sent something unreadable ({place(error)})"))
        if self.queue and len(self.queue[0]) > LONGEST_MESSAGE_BYTES:
            self.end(AsteriskUnavailable("AMI sent a message without an end"))

    def connection_lost(self, exc: object) -> None:
        self.close()
        if not isinstance(exc, Message) and not self.gone.done():  # panoramisk passes "Shutdown"
            self.gone.set_result(None)

    def close(self) -> None:
        self.end(AsteriskUnavailable("the connection to AMI was closed"))

    def end(self, why: AsteriskUnavailable) -> None:
        """Close, and fail every action that waits, at once; none of them is ever sent again."""
        self.closed = True
        self.transport.abort()
        waiting, self.responses = self.responses, {}
        for action in waiting.values():
            if not action.future.done():
                action.future.set_exception(why)
                action.future.exception()  # looked at: its caller may be gone
        if not self.over.done():
            self.over.set_result(why)

    async def request(self, headers: Mapping[str, str], limit_s: float) -> Message:
        """Send one action and wait for its one answer.

        Raises:
            ValueError: see :func:`checked`; nothing was sent.
            AsteriskUnavailable: no answer in time, or the connection is over.
        """
        action = Action(checked(headers))
        if self.closed:
            raise AsteriskUnavailable("not connected to AMI")
        answer: asyncio.Future[Message] = self.send(action, as_list=False)
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except TimeoutError:
            name = headers["Action"]
            raise AsteriskUnavailable(f"no answer to AMI {name} in time") from None
        finally:
            self.responses.pop(action.id, None)
