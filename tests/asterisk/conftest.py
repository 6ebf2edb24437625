"""Ears that listen to a client, and servers that speak bytes recorded from a real Asterisk."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from aiohttp import web

from lab.asterisk import Asterisk
from lab.rootfs import obtain
from lab.wav import write_wav

FIXTURES = Path(__file__).with_name("fixtures") / "22.10.1"

EXTENSIONS = """
[lab]
exten => notice,1,Stasis(compliance,policy=inbound)
 same => n,MixMonitor(wire-${UNIQUEID}.wav,i(MMID))
 same => n,Echo()
exten => second,1,Stasis(compliance,policy=inbound)
 same => n,Set(WENT=first)
 same => n,Echo()
 same => n,Set(WENT=chosen)
 same => n,Echo()
exten => echo,1,Answer()
 same => n,Echo()
exten => bridged,1,Stasis(compliance,policy=inbound)
 same => n,UserEvent(SiteStep,Step: theirs)
 same => n,UserEvent(ComplianceStep,Step: ours,Empty: ,Exten: 7)
 same => n,Dial(Local/echo@lab)
exten => redirected,1,Set(WENT=redirected)
 same => n,Echo()
exten => agi,1,AGI(agi://127.0.0.1:${AGI_PORT}/notice?policy=inbound)
 same => n,Echo()
"""


class Ear:
    """Listens to a client of either kind, and lets a test wait for what it heard."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._more = asyncio.Condition()
        self._told: asyncio.Queue[Any] = asyncio.Queue()

    def on_connected(self, *what: str) -> None:
        self._tell(("connected", *what))

    def on_disconnected(self, why: Exception) -> None:
        self._tell(("disconnected", why))

    def on_login_failed(self, why: Exception) -> None:
        self._tell(("login_failed", why))

    def on_malformed(self, why: str) -> None:
        self._tell(("malformed", why))

    def on_event(self, event: Any, received_monotonic: float) -> None:
        assert time.monotonic() - received_monotonic < 5
        self._tell(event)

    def _tell(self, what: Any) -> None:
        self.heard.append(what)
        self._told.put_nowait(what)

    async def next(self, kind: Any, within_s: float = 5.0) -> Any:
        """The next thing of one kind: the word of a callback, or the class of an event."""
        async with asyncio.timeout(within_s):
            while True:
                what = await self._told.get()
                if what[0] == kind if isinstance(what, tuple) else type(what) is kind:
                    return what

    async def next_event(self) -> Any:
        """The next event of any kind."""
        while isinstance(what := await self._told.get(), tuple):
            pass
        return what

    def told(self, word: str) -> list[Any]:
        return [what for what in self.heard if isinstance(what, tuple) and what[0] == word]


@pytest.fixture
async def ear() -> Ear:
    return Ear()


@asynccontextmanager
async def running(client: Any) -> AsyncIterator[asyncio.Task[None]]:
    """``client.run()`` as a task, cancelled and awaited at the end."""
    task = asyncio.create_task(client.run())
    try:
        yield task
    finally:
        if task.cancel():
            with suppress(asyncio.CancelledError):
                await task


@pytest.fixture(name="running")
def _running() -> Callable[[Any], Any]:
    return running


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


@pytest.fixture(name="fixture")
def _fixture() -> Callable[[str], bytes]:
    return fixture


class ScriptedAri:
    """Answers as Asterisk 22 does (``over_websocket``) or as 16 does, from recorded answers.

    Attributes:
        requests: ``METHOD uri`` of every request, in the order of their execution.
        allowed: The event filter of the present connection; ``None`` lets everything through.
        drop_on: Close the connection instead of answering a request whose uri ends so.
        silent_on: Execute a request whose uri ends so, and never answer.
        answers: Recorded answer by uri.
        hold: While cleared, a request over HTTP whose uri is ``held_uri`` waits for it.
    """

    def __init__(self, *, over_websocket: bool = True) -> None:
        self.over_websocket = over_websocket
        self.requests: list[str] = []
        self.bodies: dict[str, Any] = {}
        self.allowed: list[str] | None = None
        self.password = "right"
        self.drop_on = self.silent_on = self.answer_404_on = "nothing"
        self.answers: dict[str, str] = {}
        self.before_first_answer: list[bytes] = []
        self.held_uri = ""
        self.hold = asyncio.Event()
        self.hold.set()
        self.connections = 0
        self.url = ""
        self._socket: web.WebSocketResponse | None = None

    async def send(self, message: bytes) -> None:
        assert self._socket is not None
        await self._socket._writer.send_frame(message, aiohttp.WSMsgType.TEXT)

    async def drop(self) -> None:
        assert self._socket is not None
        await self._socket.close()

    def _execute(self, method: str, uri: str, body: str | None) -> dict[str, Any]:
        self.requests.append(f"{method} {uri}")
        if body:
            self.bodies[uri] = json.loads(body)
        if uri.endswith("/eventFilter"):
            self.allowed = [entry["type"] for entry in self.bodies[uri]["allowed"]]
        if uri.endswith(self.answer_404_on):
            return json.loads(fixture("rest_no_channel.json"))
        if uri in self.answers:
            return json.loads(fixture(self.answers[uri]))
        if uri.startswith("asterisk/info"):
            return json.loads(fixture("rest_info.json"))
        if uri.startswith("applications/"):
            return json.loads(fixture("rest_event_filter.json"))
        return json.loads(fixture("rest_no_channel.json")) | {"status_code": 204}

    def _may_enter(self, request: web.Request) -> bool:
        given = aiohttp.BasicAuth.decode(request.headers.get("Authorization", "Basic Og=="))
        return given.password == self.password

    async def events(self, request: web.Request) -> web.StreamResponse:
        if not self._may_enter(request):
            return web.Response(status=401)
        self.connections += 1
        self.allowed = None  # Asterisk forgets the filter with the connection
        self._socket = socket = web.WebSocketResponse()
        await socket.prepare(request)
        for message in self.before_first_answer:
            await self.send(message)
        async for message in socket:
            sent = json.loads(message.data)
            if not self.over_websocket:
                continue
            uri = sent["uri"]
            if uri.endswith(self.drop_on):
                await socket.close()
                break
            answer = self._execute(sent["method"], uri, sent.get("message_body"))
            answer["request_id"] = sent["request_id"]
            swallowed = self.allowed is not None and "RESTResponse" not in self.allowed
            if not uri.endswith(self.silent_on) and not swallowed:
                await self.send(json.dumps(answer).encode())
        return socket

    async def rest(self, request: web.Request) -> web.Response:
        if not self._may_enter(request):
            return web.Response(status=401)
        uri = request.match_info["uri"]
        if uri == self.held_uri:
            await self.hold.wait()
        answer = self._execute(request.method, uri, await request.text())
        body = answer.get("message_body") if answer["status_code"] != 204 else None
        return web.Response(status=answer["status_code"], text=body)


@pytest.fixture
async def scripted_ari() -> AsyncIterator[Callable[..., Any]]:
    runners: list[web.AppRunner] = []

    async def start(*, over_websocket: bool = True) -> ScriptedAri:
        server = ScriptedAri(over_websocket=over_websocket)
        app = web.Application()
        app.router.add_get("/ari/events", server.events)
        app.router.add_route("*", "/ari/{uri:.*}", server.rest)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/ari"
        return server

    yield start
    for runner in runners:
        await runner.cleanup()


class ScriptedAmi:
    """An AMI that speaks recorded answers.

    Attributes:
        actions: Names of the actions of all connections, in order.
        deaf_to: Actions that get no answer.
        slow_with: Actions whose answer waits for :meth:`answer`.
        answers: Recorded answer by action.
    """

    def __init__(self) -> None:
        self.actions: list[str] = []
        self.lines: list[bytes] = []
        self.deaf_to: set[str] = set()
        self.slow_with: set[str] = set()
        self.connections = 0
        self.port = 0
        self.answers = {
            "Login": "ami_login.txt",
            "Ping": "ami_pong.txt",
            "Setvar": "ami_stop.txt",
            "StopMixMonitor": "ami_stop.txt",
            "MixMonitorMute": "ami_mute.txt",
            "PlayDTMF": "ami_dtmf.txt",
            "Redirect": "ami_redirect.txt",
        }
        self.refuses_login = False
        self.got: asyncio.Queue[str] = asyncio.Queue()
        self.ended: asyncio.Queue[None] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._owed: list[bytes] = []

    def answer(self) -> None:
        """Give the answers that wait."""
        self.send(b"".join(self._owed))
        self._owed.clear()

    def send(self, data: bytes) -> None:
        self._writers[-1].write(data)

    def drop(self) -> None:
        self._writers[-1].close()

    async def on_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self._writers.append(writer)
        writer.write(fixture("ami_greeting.txt"))
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
                self.lines += lines
                headers = dict(line.split(b": ", 1) for line in lines if b": " in line)
                name = headers[b"Action"].decode()
                self.actions.append(name)
                self.got.put_nowait(name)
                if name in self.deaf_to:
                    continue
                answer = fixture(self.answers[name])
                if name == "Login" and self.refuses_login:
                    answer = (
                        b"Response: Error\r\nActionID: 1\r\nMessage: Authentication failed\r\n\r\n"
                    )
                mine = b"ActionID: " + headers[b"ActionID"]
                answer = b"\r\n".join(
                    mine if line.startswith(b"ActionID") else line for line in answer.split(b"\r\n")
                )
                if name in self.slow_with:
                    self._owed.append(answer)
                else:
                    writer.write(answer)
        self.ended.put_nowait(None)
        writer.close()


@pytest.fixture
async def scripted_ami() -> AsyncIterator[ScriptedAmi]:
    server = ScriptedAmi()
    listening = await asyncio.start_server(server.on_connection, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    yield server
    listening.close()
    for writer in server._writers:
        writer.close()


@pytest.fixture(scope="session")
def real() -> Iterator[Asterisk]:
    """One real Asterisk for all tests of the wire; each names its channels itself."""
    asterisk = Asterisk(obtain(), extensions=EXTENSIONS)
    try:
        asyncio.run(asterisk.start())
        write_wav(asterisk.sounds_here / "en/tone.wav", np.full(2400, 3000, np.int16))
        yield asterisk
    finally:
        asyncio.run(asterisk.kill())
        asterisk.remove()


@pytest.fixture
async def originate(real: Asterisk) -> AsyncIterator[Callable[..., Any]]:
    """Bring a Local channel into an extension of the lab; gives the channel that executes it."""
    auth = aiohttp.encode_basic_auth(real.ari_user, real.ari_password)
    made: list[str] = []
    async with aiohttp.ClientSession(headers={"Authorization": auth}) as session:

        async def make(exten: str, caller: str = "", **variables: str) -> str:
            channel = f"wire-{time.monotonic_ns()}"
            made.append(channel)
            body: dict[str, Any] = {
                "endpoint": f"Local/{exten}@lab",
                "context": "lab",
                "extension": "echo",
                "priority": 1,
                "channelId": f"far-{channel}",
                "otherChannelId": channel,
                "callerId": caller,
                "variables": {f"_{name}": value for name, value in variables.items()},
            }
            async with session.post(f"{real.ari_url}/channels", json=body) as answer:
                assert answer.status == 200, await answer.text()
            return channel

        async def hang_up(channel: str) -> None:
            await (await session.delete(f"{real.ari_url}/channels/far-{channel}")).read()

        async def reached(channel: str, application: str) -> None:
            """Wait until the channel executes this application of the dialplan."""
            running = ""
            async with asyncio.timeout(5):
                while running != application:
                    async with session.get(f"{real.ari_url}/channels/{channel}") as answer:
                        running = (await answer.json())["dialplan"]["app_name"]

        make.hang_up, make.reached = hang_up, reached  # type: ignore[attr-defined]
        yield make
        for channel in made:
            await hang_up(channel)
