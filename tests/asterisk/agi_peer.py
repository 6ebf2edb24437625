"""Peers of the FastAGI server that speak as Asterisk does, byte by byte."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from asterisk_compliance.asterisk.agi.server import AgiLimits, AgiSession, FastAgiServer

QUICK = AgiLimits(header_bytes=4096, header_s=0.3, command_s=1, unread=8, sessions=4)
Handler = Callable[[AgiSession], Awaitable[None]]


class Peer:
    """One connection to the server, speaking as Asterisk does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def command(self) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(b"\n"), 5)).decode().rstrip("\n")

    async def confirm(self) -> None:
        word = (await self.command()).removeprefix("GET FULL VARIABLE ")
        self.send(f"200 result=1 ({word})\n".encode())

    async def closed(self, within_s: float = 5.0) -> bytes:
        """What still comes until the server closes."""
        try:
            return await asyncio.wait_for(self.reader.read(), within_s)
        except ConnectionError:
            return b""


@asynccontextmanager
async def connected(server: FastAgiServer) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


class Calls:
    """A handler that runs what a test gives it, and keeps the outcome."""

    def __init__(self, body: Handler | None = None) -> None:
        self.body = body
        self.sessions: list[AgiSession] = []
        self.outcome: asyncio.Queue[BaseException | None] = asyncio.Queue()

    async def __call__(self, session: AgiSession) -> None:
        self.sessions.append(session)
        try:
            if self.body is not None:
                await self.body(session)
        except BaseException as error:
            self.outcome.put_nowait(error)
            raise
        self.outcome.put_nowait(None)

    async def ended(self) -> BaseException | None:
        return await asyncio.wait_for(self.outcome.get(), 5)


def serving(calls: Calls, limits: AgiLimits = QUICK) -> FastAgiServer:
    return FastAgiServer("127.0.0.1", 0, calls, limits)


async def exchange(
    body: Handler, header: bytes, answers: dict[str, bytes]
) -> tuple[list[str], BaseException | None]:
    """Run a handler against scripted answers; gives the commands and how the handler ended."""
    calls, commands = Calls(body), []
    async with serving(calls) as server, connected(server) as peer:
        peer.send(header)
        await peer.confirm()
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                commands.append(await peer.command())
                for start, answer in answers.items():
                    if commands[-1].startswith(start):
                        peer.send(answer)
        return commands, await calls.ended()
