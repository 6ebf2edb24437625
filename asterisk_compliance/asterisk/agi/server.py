"""A FastAGI server for ``AGI(agi://host:port/script?name=value)``.

The server listens on a port, so it also meets health checks that connect and close, silent peers,
garbage, and headers without an end. None of them delays a call. A peer whose address is not
permitted is disconnected at once, as often as it tries, and logged at most once a second
(:class:`Permit`). panoramisk's own server is not used: a peer that closes inside its header
freezes the whole loop.

After a handler returns, the dialplan continues with ``AGISTATUS=SUCCESS`` even if the handler
failed. A handler therefore sets a variable at its end as proof of success.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from types import TracebackType
from typing import Self

import structlog

from asterisk_compliance.asterisk.agi import header as agi_header
from asterisk_compliance.asterisk.agi.session import AgiHangup, AgiReply, AgiSession, Played
from asterisk_compliance.asterisk.dispatch import origin_of

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.1/32"), ip_network("::1/128"))
_SOURCES = 1_024
_LINE_S = 1.0

log = structlog.get_logger()


class Permit:
    """Knows networks, and names each source from elsewhere once in the log.

    ``clock`` counts seconds.

    Attributes:
        denied: How many connections came from elsewhere.
    """

    def __init__(
        self, networks: Iterable[Network], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.denied = 0
        self._networks = tuple(networks)
        self._clock = clock
        self._named: dict[str, None] = {}
        self._quiet_until = 0.0

    def admits(self, source: str) -> bool:
        """Whether an address may go on; one that may not is counted."""
        address = _address(source)
        if address is not None and any(address in network for network in self._networks):
            return True
        self.denied += 1
        self._name(source)
        return False

    def _name(self, source: str) -> None:
        """One line a source, and one a second: a source that comes too soon waits for its turn."""
        now = self._clock()
        if source in self._named or now < self._quiet_until:
            return
        self._quiet_until = now + _LINE_S
        self._named[source] = None
        if len(self._named) > _SOURCES:
            del self._named[next(iter(self._named))]
        log.warning("agi_peer_not_permitted", source=source, denied=self.denied)


def _address(source: str) -> IPv4Address | IPv6Address | None:
    """``source`` without a scope, and as IPv4 where IPv6 only carries it."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


__all__ = ["AgiHangup", "AgiLimits", "AgiReply", "AgiSession", "FastAgiServer", "Played"]

_CLOSE_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AgiLimits:
    """What a peer may cost.

    Attributes:
        header_bytes: Of a whole header; also the longest answer.
        header_s: From the connection to the end of the header, however slowly it comes.
        command_s: Until a command is answered, unless its caller says otherwise.
        unread: Connections whose header is not complete; one more, and the oldest is dropped, so
            that silent peers cannot keep calls out.
        sessions: Calls at one time; one more is turned away.
        permit: Who may connect; of anybody else not a byte is read.
    """

    header_bytes: int = 65_536
    header_s: float = 3.0
    command_s: float = 5.0
    unread: int = 64
    sessions: int = 1000
    permit: tuple[Network, ...] = LOOPBACK


class FastAgiServer:
    """Listens while its ``async with`` block runs; ``handler`` gets one task per call.

    Attributes:
        port: Where it listens; the one that was given, or a free one for 0.
        refused: How many connections brought no call; ``denied``: how many of them came from
            where nobody may.
    """

    def __init__(
        self,
        host: str,
        port: int,
        handler: Callable[[AgiSession], Awaitable[None]],
        limits: AgiLimits | None = None,
    ) -> None:
        self.port = port
        self.refused = 0
        self._host = host
        self._handler = handler
        self._limits = limits or AgiLimits()
        self._permit = Permit(self._limits.permit)
        self._unread: dict[asyncio.StreamWriter, None] = {}
        self._sessions = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._closing = False

    @property
    def denied(self) -> int:
        return self._permit.denied

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, self._host, self.port, limit=self._limits.header_bytes, backlog=1024
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening and end every session; what a handler does then is cancelled."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)  # what was accepted just now arrives, and is turned away
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:
            writer.transport.abort()
            return
        peer = writer.get_extra_info("peername") or ("",)  # nothing, if it is gone already
        if not self._permit.admits(peer[0]):
            self.refused += 1
            writer.transport.abort()
            return
        self._unread[writer] = None
        if len(self._unread) > self._limits.unread:
            self._unread.pop(oldest := next(iter(self._unread)))
            oldest.transport.abort()
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Live through one connection, and leave nothing of it behind."""
        try:
            await self._call(reader, writer)
            writer.close()
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()
        except ValueError as error:
            self.refused += 1
            log.info("agi_refused", why=str(error))
        except (OSError, TimeoutError):  # the peer took nothing more
            pass
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            header = await self._header(reader)
        finally:
            self._unread.pop(writer, None)
        if self._sessions >= self._limits.sessions:
            raise ValueError("too many calls")
        session = AgiSession(header, reader, writer, self._limits.command_s)
        self._sessions += 1
        try:
            await session.confirm()
            await self._handler(session)
        except AgiHangup:
            log.info("agi_hangup", channel=session.channel)
        except Exception as error:  # noqa: BLE001  # one call must not end the others
            kind = type(error).__name__
            log.error("agi_failed", channel=session.channel, error=kind, where=origin_of(error))
        finally:
            self._sessions -= 1

    async def _header(self, reader: asyncio.StreamReader) -> agi_header.AgiHeader:
        try:
            async with asyncio.timeout(self._limits.header_s):
                return agi_header.parse(await reader.readuntil(b"\n\n"))
        except TimeoutError:
            why = "AGI header: not complete in time"
        except asyncio.LimitOverrunError:
            why = "AGI header: too long"
        except (asyncio.IncompleteReadError, ConnectionError):
            why = "AGI header: the peer closed"
        raise ValueError(why)
