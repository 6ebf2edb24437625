"""Records the wire fixtures from the lab's Asterisk, into ``fixtures/<version>/``.

    PYTHONPATH=tests python tests/asterisk/record_fixtures.py

One file per ARI event and answer, as the WebSocket sent it; one file per AMI answer and event, and
the AGI header, as the socket sent them. Numbers and names in them are invented.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from lab.asterisk import Asterisk
from lab.rootfs import obtain
from lab.sip import Phone
from lab.tones import AGENT, CALLER, OTHER
from lab.wav import write_wav

EXTENSIONS = """
[lab]
exten => notice,1,Stasis(compliance,policy=inbound)
 same => n,MixMonitor(fixture.wav,i(MMID))
 same => n,Dial(Local/echo@lab)
exten => keys,1,Answer()
 same => n,Wait(0.2)
 same => n,SendDTMF(5,100,100)
 same => n,Wait(60)
exten => echo,1,Answer()
 same => n,Echo()
exten => agi,1,AGI(agi://127.0.0.1:{port}/notice?policy=inbound)
[from-lab]
exten => agent,1,Answer()
 same => n,UserEvent(ComplianceStep,Step: told,Empty: ,Exten: 7,Version: 1)
 same => n,Dial(PJSIP/agent,20)
exten => other,1,Dial(PJSIP/other,20)
exten => echo,1,Answer()
 same => n,Echo()
"""
WHO_CALLS = {"callerId": '"Müller, \\"T\\" ${X}" <0312345678>'}
FILTER = {"allowed": [{"type": "StasisStart"}, {"type": "RESTResponse"}], "disallowed": []}


class Recorder:
    def __init__(self, asterisk: Asterisk, session: aiohttp.ClientSession, into: Path) -> None:
        self.asterisk, self.session, self.into = asterisk, session, into
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.seen: set[str] = set()

    def keep(self, name: str, data: bytes) -> None:
        (self.into / name).write_bytes(data)

    def keep_event(self, message: bytes) -> str:
        """Keep the newest of each kind; one that lacks what others have is a kind of its own."""
        found = re.search(rb"^Event: (\w+)", message)
        assert found is not None
        name = kind = found[1].decode()
        if kind.startswith("Dial") and b"\r\nUniqueid:" not in message:
            name += "_originated"
        if kind == "UserEvent" and b"\r\nUniqueid:" not in message:
            name += "_action"
        if b"\r\nDestType: App" in message:
            name += "_app"
        self.keep(f"ami_{name}.txt", message)
        self.seen.add(name)
        return name

    async def until(self, reader: asyncio.StreamReader, *names: str) -> None:
        """Keep AMI events until all of these were seen since the last call."""
        async with asyncio.timeout(10):
            while not self.seen.issuperset(names):
                self.keep_event(await reader.readuntil(b"\r\n\r\n"))
        self.seen.clear()

    async def read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = json.loads(message.data)
            if event["type"] != "RESTResponse":
                words = re.findall(r"[A-Z][a-z]+", event["type"])
                name = "_".join(words).lower()
                if event["type"].startswith("Playback") and event["playback"]["state"] == "failed":
                    name += "_failed"
                if event.get("channel", {}).get("id") != "snoop-1":
                    self.keep(f"{name}.json", message.data.encode())
                elif name == "stasis_start":
                    self.keep("stasis_start_snoop.json", message.data.encode())
            await self.events.put(event | {"raw": message.data.encode()})

    async def event(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while (event := await self.events.get())["type"] != kind:
                pass
            return event

    async def rest(self, method: str, path: str, **body: Any) -> Any:
        url = f"{self.asterisk.ari_url}/{path}"
        async with self.session.request(method, url, json=body or None) as answer:
            return await answer.read()

    async def ari(self) -> None:
        url = f"{self.asterisk.ari_url}/events?app=compliance&subscribeAll=false"
        socket = await self.session.ws_connect(url)
        reading = asyncio.create_task(self.read(socket))
        for name, method, uri, body in (
            ("rest_info", "GET", "asterisk/info?only=system", None),
            ("rest_event_filter", "PUT", "applications/compliance/eventFilter", FILTER),
            ("rest_no_filter", "PUT", "applications/compliance/eventFilter", {"allowed": []}),
            ("rest_no_channel", "GET", "channels/nosuch", None),
        ):
            await self.ask(socket, name, method, uri, body)
        local = {"endpoint": "Local/notice@lab", "context": "lab", "priority": 1}
        ours = {"channelId": "1795509944.1", "otherChannelId": "1795509944.2"}
        await self.rest("POST", "channels", **local, **ours, **WHO_CALLS, extension="keys")
        channel = (await self.event("StasisStart"))["channel"]["id"]
        await self.rest("POST", f"channels/{channel}/answer")
        await self.event("ChannelDtmfReceived")
        for playback, media in (("p-1", "sound:tone"), ("p-2", "sound:nosuch")):
            await self.rest("POST", f"channels/{channel}/play/{playback}", media=media)
            await self.event("PlaybackFinished")
        self.keep("http_channel.json", await self.rest("GET", f"channels/{channel}"))
        subscribed = f"applications/compliance/subscription?eventSource=channel:{channel}"
        self.keep("http_application.json", await self.rest("POST", subscribed))
        reader, writer = await self.log_in("compliance")
        await self.rest("POST", f"channels/{channel}/continue")
        await self.event("Dial")
        await asyncio.sleep(0.3)  # both legs enter their bridge
        bridges = json.loads(await self.rest("GET", "bridges"))
        bridge = next(bridge["id"] for bridge in bridges if channel in bridge["channels"])
        await self.ask(socket, "rest_bridges", "GET", "bridges")
        await self.ask(socket, "rest_bridge", "GET", f"bridges/{bridge}")
        await self.ask(socket, "rest_no_bridge", "GET", "bridges/nosuch")
        snoop = f"channels/{channel}/snoop/snoop-1?spy=none&whisper=out&app=compliance&appArgs=a,b"
        await self.ask(socket, "rest_snoop", "POST", snoop)
        await self.rest("DELETE", "channels/snoop-1")
        await self.event("StasisEnd")  # its start may have passed the answer
        await self.ami(channel, reader, writer)
        await self.event("ChannelDestroyed")
        await self.session.ws_connect(url)
        await self.event("ApplicationReplaced")
        reading.cancel()

    async def ask(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        name: str,
        method: str,
        uri: str,
        body: Any = None,
    ) -> None:
        request: dict[str, Any] = {"type": "RESTRequest", "request_id": "1"}
        request |= {"method": method, "uri": uri}
        if body:
            request |= {"content_type": "application/json", "message_body": json.dumps(body)}
        await socket.send_json(request)
        self.keep(f"{name}.json", (await self.event("RESTResponse"))["raw"])

    async def log_in(self, user: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.asterisk.ami_port)
        login = f"Username: {user}\r\nSecret: {self.asterisk.ami_password}\r\n"
        writer.write(f"Action: Login\r\n{login}Events: call,user\r\nActionID: 0\r\n\r\n".encode())
        self.keep("ami_greeting.txt", await reader.readline())
        self.keep("ami_login.txt", await reader.readuntil(b"\r\n\r\n"))
        return reader, writer

    async def ami(
        self, channel: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:

        async def act(name: str, **headers: str) -> None:
            lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            writer.write(f"{lines}ActionID: 1\r\n\r\n".encode())
            while not (message := await reader.readuntil(b"\r\n\r\n")).startswith(b"Response"):
                self.keep_event(message)
            self.keep(f"ami_{name}.txt", message)

        await act("pong", Action="Ping")
        url = f"channels/{channel}/variable?variable=MMID"
        monitor = json.loads(await self.rest("GET", url))["value"]
        of = {"Channel": channel, "MixMonitorID": monitor}
        await act("mute", Action="MixMonitorMute", Direction="both", State="1", **of)
        await act("stop", Action="StopMixMonitor", **of)
        await act("no_channel", Action="StopMixMonitor", Channel="nosuch", MixMonitorID="x")
        await act("denied", Action="MixMonitor", Channel=channel, File="x.wav")
        digit = {"Digit": "D", "Duration": "80", "Receive": "false"}
        await act("dtmf", Action="PlayDTMF", Channel=channel, **digit)
        there = {"Context": "lab", "Exten": "echo", "Priority": "1"}
        await act("redirect", Action="Redirect", Channel=channel, **there)
        await self.rest("DELETE", "channels/1795509944.1")
        async with asyncio.timeout(10):
            message = b""
            while not re.match(rb"(?s)Event: Hangup.*Uniqueid: 1795509944\.1\r", message):
                message = await reader.readuntil(b"\r\n\r\n")
                self.keep_event(message)
        writer.close()

    async def legs(self, caller: Phone, agent: Phone, other: Phone) -> None:
        """Transfers of every kind, and what needs no channel."""
        reader, writer = await self.log_in("compliance")
        sip_port = self.asterisk.sip_port
        for kind in ("BlindTransfer", "AttendedTransfer", "AttendedTransfer_app"):
            leg = await caller.dial("agent", sip_port)
            transferring = await agent.next_call()
            await transferring.answered()
            await leg.until_heard(0.3)
            if kind == "BlindTransfer":
                await transferring.transfer("other")
            else:
                exten = "echo" if kind.endswith("app") else "other"
                second = await agent.dial(exten, sip_port)
                await second.answered()
                await second.until_heard(0.3)
                await transferring.transfer_to(second)
            await self.until(reader, "UserEvent", kind)
            await leg.hang_up()
            for phone in (agent, other):
                for mine in phone.legs:
                    await mine.ended()
        writer.write(b"Action: Logoff\r\n\r\n")
        writer.close()

        reader, writer = await self.log_in("lab")
        event = "UserEvent: ComplianceStep\r\nStep: told\r\n"
        writer.write(f"Action: UserEvent\r\n{event}\r\n".encode())
        await reader.readuntil(b"Message: Event Sent\r\n\r\n")  # FullyBooted comes first
        await self.until(reader, "UserEvent_action")
        writer.close()
        reader, writer = await self.log_in("compliance")
        there = {"context": "from-lab", "extension": "echo", "priority": 1}
        await self.rest("POST", "channels", endpoint="PJSIP/other", **there)
        await self.until(reader, "DialBegin_originated", "DialEnd_originated")
        writer.close()


async def main() -> None:
    build = obtain(print)
    into = Path(__file__).with_name("fixtures") / build.version
    into.mkdir(parents=True, exist_ok=True)
    header: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        header.set_result(await reader.readuntil(b"\n\n"))
        writer.close()

    agi = await asyncio.start_server(call, "127.0.0.1", 0)
    extensions = EXTENSIONS.replace("{port}", str(agi.sockets[0].getsockname()[1]))
    async with AsyncExitStack() as stack:
        phones = [
            await stack.enter_async_context(await Phone.open(voice.name, voice))
            for voice in (CALLER, AGENT, OTHER)
        ]
        phones[1].lines = 2
        ports = {phone.name: phone.port for phone in phones[1:]}
        asterisk = Asterisk(build, extensions=extensions, phones=ports)
        await stack.enter_async_context(asterisk)
        write_wav(asterisk.sounds_here / "en/tone.wav", np.full(2400, 3000, np.int16))
        token = base64.b64encode(f"{asterisk.ari_user}:{asterisk.ari_password}".encode()).decode()
        headers = {"Authorization": f"Basic {token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            recorder = Recorder(asterisk, session, into)
            await recorder.rest(
                "POST",
                "channels",
                endpoint="Local/agi@lab",
                context="lab",
                extension="echo",
                priority=1,
                channelId="1795509944.9",
                otherChannelId="1795509944.10",
                callerId='"Müller" <0312345678>',
            )
            async with asyncio.timeout(5):
                recorder.keep("agi_header.txt", await header)
            await recorder.legs(*phones)
            await recorder.ari()  # last: its channels have fixed ids
    agi.close()
    print(*sorted(path.name for path in into.iterdir()))


if __name__ == "__main__":
    asyncio.run(main())
