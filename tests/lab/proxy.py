"""A cable that can be pulled: a TCP connection through us, which a test may cut or stall."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class Cable:
    """Forwards a port on loopback to another one, until it is cut.

    Attributes:
        sent: All that went to that port.
    """

    def __init__(self, to_port: int) -> None:
        self.sent = bytearray()
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._plugged = True
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset every connection, and accept none until :meth:`plug`."""
        self._plugged = False
        for writer in self._writers:
            writer.transport.abort()
        self.flow()  # to nobody

    def plug(self) -> None:
        self._plugged = True

    def stall(self) -> None:
        """Hold back what comes from that port until :meth:`flow`; then it arrives, in order."""
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.sleep(0)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._plugged:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        self._writers |= {writer, far_writer}
        try:
            back = _copy(far_reader, writer, self._flows)
            await asyncio.gather(_copy(reader, far_writer, seen=self.sent), back)
        finally:
            self._writers -= {writer, far_writer}
            for end in (writer, far_writer):
                end.transport.abort()


async def _copy(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    flows: asyncio.Event | None = None,
    seen: bytearray | None = None,
) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            if flows is not None:
                await flows.wait()
            if seen is not None:
                seen += data
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
