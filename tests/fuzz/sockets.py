"""The whole reading path, by real sockets: clients that stay connected, servers that listen."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import aiohttp
from aiohttp import web

from asterisk_compliance.app.shared.control_socket import ControlSocket
from asterisk_compliance.asterisk.agi.server import AgiLimits, FastAgiServer
from asterisk_compliance.asterisk.agi.session import AgiSession
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.backoff import Backoff
from fuzz import corpus
from fuzz.askers import STEPS, verbs
from fuzz.mutators import JSON, Mutator, chunks, flip, lines_of, mutated
from fuzz.target import Target, Violation
from fuzz.wires import Silent

WITHIN_S = 20.0
"""So long nothing may take; it is a hang then."""
QUICK = Backoff(0.001, 0.01)
TEXT, BINARY, CONTINUATION, PING, FINAL = 0x1, 0x2, 0x0, 0x9, 0x80


class _Heard(Silent):
    """Waits for one event among all that a client tells, or for a new connection."""

    def __init__(self) -> None:
        super().__init__()
        self.mark = ""
        self.connected = asyncio.Event()
        self.told = asyncio.Event()

    def on_connected(self, *what: str) -> None:
        self.connected.set()

    def on_disconnected(self, why: Exception) -> None:
        self.connected.clear()
        self.told.set()

    def on_event(self, event: Any, received_monotonic: float) -> None:
        super().on_event(event, received_monotonic)
        channel = getattr(event, "channel", "")
        if self.mark and getattr(channel, "id", channel) == self.mark:
            self.told.set()


class _Client(Target):
    """A client of ours, and the far end of its connection."""

    client: Any

    async def open(self) -> None:
        self.ear, self._sent, self.connections = _Heard(), 0, 0
        self._stack = contextlib.AsyncExitStack()
        await self.listen(self._stack)
        self._runs = asyncio.create_task(self.client.run())
        await self._bounded(self.ear.connected)

    async def close(self) -> None:
        self._runs.cancel()
        await asyncio.wait({self._runs})
        await self._stack.aclose()

    async def listen(self, stack: contextlib.AsyncExitStack) -> None:
        raise NotImplementedError

    def write(self, data: bytes, rng: random.Random) -> bool:
        """Send one input; false if the connection cannot be used after it."""
        raise NotImplementedError

    def send_mark(self, mark: str) -> None:
        raise NotImplementedError

    def drop(self) -> None:
        raise NotImplementedError

    async def feed(self, data: bytes, rng: random.Random) -> str:
        await self._bounded(self.ear.connected)
        self.ear.told.clear()
        self._sent += 1
        self.ear.mark = f"mark.{self._sent}"
        if self.write(data, rng):
            self.send_mark(self.ear.mark)
        else:
            self.drop()
        await self._bounded(self.ear.told)
        if self.ear.connected.is_set():
            return "read"
        await self._bounded(self.ear.connected)
        return "connected again"

    async def good(self) -> None:
        await self._bounded(self.ear.connected)
        await self.feed(b"", random.Random(0))

    async def _bounded(self, event: asyncio.Event) -> None:
        waits = asyncio.ensure_future(event.wait())
        done, _ = await asyncio.wait(
            {waits, self._runs}, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED
        )
        if waits in done:
            return
        waits.cancel()
        if self._runs.done():
            raise Violation(f"the client ended: {self._runs.exception()!r}")
        raise Violation("the client hears nothing any more")

    def held(self) -> Mapping[str, int]:
        return {"ignored": max(0, len(self.client.ignored) - 101)}


class AriLive(_Client):
    name, share, quick = "ari-socket", 0.012, 80
    kinds = JSON

    @property
    def seeds(self) -> Sequence[bytes]:
        return tuple(one for one in corpus.ari_messages() if b"ApplicationReplaced" not in one)

    async def listen(self, stack: contextlib.AsyncExitStack) -> None:
        app = web.Application()
        app.router.add_get("/ari/events", self._events)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/ari"
        limits = AriLimits(connect_s=5, request_s=5, probe_s=5, backoff=QUICK)
        address = AriAddress(url, "compliance", "user", "secret")
        self.client = AriClient(address, self.ear, limits)
        start = json.loads((corpus.WIRE / "stasis_start.json").read_bytes())
        self._mark = json.dumps(start).replace(start["channel"]["id"], "MARK")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._transport = request.transport
                    body = '{"system":{"version":"22.10.1"}}'
                    answer = {
                        **json.loads((corpus.WIRE / "rest_info.json").read_bytes()),
                        "request_id": json.loads(message.data)["request_id"],
                        "message_body": body,
                    }
                    await socket.send_str(json.dumps(answer))
        return socket

    def write(self, data: bytes, rng: random.Random) -> bool:
        assert self._transport is not None
        sent = b"".join(_frames(rng, data)) if data else b""
        spoilt = rng.random() < 0.1
        if spoilt:
            sent = mutated(rng, (sent or b"x",), flip)
        for chunk in chunks(rng, sent):
            self._transport.write(chunk)
        return not spoilt

    def send_mark(self, mark: str) -> None:
        assert self._transport is not None
        self._transport.write(_frame(TEXT | FINAL, self._mark.replace("MARK", mark).encode()))

    def drop(self) -> None:
        assert self._transport is not None
        self._transport.abort()


def _frame(first: int, payload: bytes) -> bytes:
    """RFC 6455, section 5.2; a server's frames are not masked."""
    if len(payload) < 126:
        return struct.pack("!BB", first, len(payload)) + payload
    if len(payload) < 65_536:
        return struct.pack("!BBH", first, 126, len(payload)) + payload
    return struct.pack("!BBQ", first, 127, len(payload)) + payload


def _frames(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """One message, perhaps in fragments, with a ping between them."""
    pieces = [data] if rng.random() < 0.5 else list(chunks(rng, data))[:50]
    first = TEXT if rng.random() < 0.95 else BINARY
    for number, piece in enumerate(pieces):
        final = FINAL if number == len(pieces) - 1 else 0
        yield _frame((first if number == 0 else CONTINUATION) | final, piece)
        if rng.random() < 0.1:
            yield _frame(PING | FINAL, rng.randbytes(rng.randint(0, 125)))


class AmiLive(_Client):
    name, share, quick = "ami-socket", 0.012, 80
    kinds = lines_of(b"\r\n")

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.ami_messages()

    async def listen(self, stack: contextlib.AsyncExitStack) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        stack.callback(server.close)
        where = AmiAddress("127.0.0.1", server.sockets[0].getsockname()[1], "user", "secret")
        limits = AmiLimits(5, 5, 60, 5, QUICK, QUICK)
        self.client = AmiClient(where, self.ear, limits)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
                waits = next(line for line in lines if line.startswith(b"ActionID"))
                self._writer = writer
                writer.write(b"Response: Success\r\n" + waits + b"\r\nMessage: Thanks\r\n\r\n")
        writer.close()

    def write(self, data: bytes, rng: random.Random) -> bool:
        for chunk in chunks(rng, data):
            self._writer.write(chunk)
        return True

    def send_mark(self, mark: str) -> None:
        event = f"\r\n\r\nEvent: Hangup\r\nUniqueid: {mark}\r\nLinkedid: 1.1\r\nCause: 16\r\n\r\n"
        self._writer.write(event.encode())

    def drop(self) -> None:
        self._writer.transport.abort()


class _Server(Target):
    """A server of ours, and many peers one after another."""

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise NotImplementedError

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, rng: Any
    ) -> str:
        raise NotImplementedError

    async def feed(self, data: bytes, rng: random.Random) -> str:
        reader, writer = await self.connect()
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self.talk(reader, writer, data, rng)
        except TimeoutError:
            self._hangs()
        except ConnectionError:
            return "reset"
        finally:
            writer.transport.abort()

    @staticmethod
    def _hangs() -> NoReturn:
        raise Violation("a peer that has said everything gets no end")


class FastAgiLive(_Server):
    name, share, quick = "agi-socket", 0.01, 80
    kinds: tuple[Mutator, ...] = lines_of(b"\n")

    @property
    def seeds(self) -> Sequence[bytes]:
        return (*corpus.agi_headers(), *corpus.ANSWERS)

    async def open(self) -> None:
        self.calls = 0
        limits = AgiLimits(header_s=WITHIN_S, command_s=WITHIN_S, unread=8, sessions=8)
        self._server = FastAgiServer("127.0.0.1", 0, self._handle, limits)
        await self._server.__aenter__()

    async def close(self) -> None:
        await self._server.__aexit__(None, None, None)

    async def _handle(self, session: AgiSession) -> None:
        self.calls += 1
        for step in STEPS:
            await step(session)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._server.port)

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, rng: Any
    ) -> str:
        as_header = rng.random() < 0.5
        before = self.calls
        for chunk in chunks(rng, data if as_header else corpus.agi_headers()[0]):
            writer.write(chunk)
            await writer.drain()
        if not as_header:
            word = (await reader.readline()).decode().split()[-1]
            writer.write(f"200 result=1 ({word})\n".encode())
            for chunk in chunks(rng, data * 2):
                writer.write(chunk)
        writer.write_eof()
        await reader.read()
        return "call" if self.calls > before else "refused"

    async def good(self) -> None:
        before = self.calls
        reader, writer = await self.connect()
        writer.write(corpus.agi_headers()[0])
        word = (await asyncio.wait_for(reader.readline(), WITHIN_S)).decode().split()[-1]
        writer.write(f"200 result=1 ({word})\n".encode())
        if not (await asyncio.wait_for(reader.readline(), WITHIN_S)).startswith(b"STREAM FILE"):
            raise Violation("a good call is not served")
        writer.transport.abort()
        if self.calls != before + 1:
            raise Violation("a good call is not served")
        async with asyncio.timeout(WITHIN_S):
            while self._server._tasks:
                await asyncio.wait(set(self._server._tasks))

    def held(self) -> Mapping[str, int]:
        server = self._server
        return {
            "unread": len(server._unread),
            "sessions": server._sessions,
            "tasks": len(server._tasks),
        }


class ControlLive(_Server):
    name, share, quick = "control-socket", 0.006, 80
    kinds = JSON

    @property
    def seeds(self) -> Sequence[bytes]:
        return corpus.control_requests()

    async def open(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._path = Path(self._directory.name) / "control.sock"
        self._runs = asyncio.create_task(ControlSocket(self._path, verbs()).run())
        async with asyncio.timeout(WITHIN_S):
            while not self._path.exists():  # noqa: ASYNC110 - nobody says when it is there
                await asyncio.sleep(0.001)

    async def close(self) -> None:
        self._runs.cancel()
        await asyncio.wait({self._runs})
        self._directory.cleanup()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self._path)

    async def talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes, rng: Any
    ) -> str:
        for chunk in chunks(rng, data):
            writer.write(chunk)
        writer.write_eof()
        said = await reader.read()
        if not said:
            return "dropped"
        return "answered" if "ok" in json.loads(said) else "refused"

    async def good(self) -> None:
        said = await self.feed(corpus.control_requests()[0], random.Random(0))
        if said != "answered":
            raise Violation("a good request is refused")


SOCKETS: tuple[type[Target], ...] = (AriLive, AmiLive, FastAgiLive, ControlLive)
