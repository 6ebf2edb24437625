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
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from lab.asterisk import Asterisk
from lab.rootfs import obtain
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
"""
CALLER = {"callerId": '"Müller, \\"T\\" ${X}" <0312345678>'}
FILTER = {"allowed": [{"type": "StasisStart"}, {"type": "RESTResponse"}], "disallowed": []}


class Recorder:
    def __init__(self, asterisk: Asterisk, session: aiohttp.ClientSession, into: Path) -> None:
        self.asterisk, self.session, self.into = asterisk, session, into
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def keep(self, name: str, data: bytes) -> None:
        (self.into / name).write_bytes(data)

    def keep_event(self, message: bytes) -> str:
        found = re.search(rb"Event: (\w+)", message)
        assert found is not None
        self.keep(f"ami_{found[1].decode()}.txt", message)
        return found[1].decode()

    async def read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            event = json.loads(message.data)
            if event["type"] != "RESTResponse":
                words = re.findall(r"[A-Z][a-z]+", event["type"])
                name = "_".join(words).lower()
                if event["type"].startswith("Playback") and event["playback"]["state"] == "failed":
                    name += "_failed"
                self.keep(f"{name}.json", message.data.encode())
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
            request: dict[str, Any] = {"type": "RESTRequest", "request_id": "1"}
            request |= {"method": method, "uri": uri}
            if body:
                request |= {"content_type": "application/json", "message_body": json.dumps(body)}
            await socket.send_json(request)
            self.keep(f"{name}.json", (await self.event("RESTResponse"))["raw"])
        local = {"endpoint": "Local/notice@lab", "context": "lab", "priority": 1}
        ours = {"channelId": "1795509944.1", "otherChannelId": "1795509944.2"}
        await self.rest("POST", "channels", **local, **ours, **CALLER, extension="keys")
        channel = (await self.event("StasisStart"))["channel"]["id"]
        await self.rest("POST", f"channels/{channel}/answer")
        await self.event("ChannelDtmfReceived")
        for playback, media in (("p-1", "sound:tone"), ("p-2", "sound:nosuch")):
            await self.rest("POST", f"channels/{channel}/play/{playback}", media=media)
            await self.event("PlaybackFinished")
        self.keep("http_channel.json", await self.rest("GET", f"channels/{channel}"))
        subscribed = f"applications/compliance/subscription?eventSource=channel:{channel}"
        self.keep("http_application.json", await self.rest("POST", subscribed))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.asterisk.ami_port)
        login = (
            f"Username: compliance\r\nSecret: {self.asterisk.ami_password}\r\nActionID: 0\r\n\r\n"
        )
        writer.write(f"Action: Login\r\n{login}".encode())
        self.keep("ami_greeting.txt", await reader.readline())
        self.keep("ami_login.txt", await reader.readuntil(b"\r\n\r\n"))
        await self.rest("POST", f"channels/{channel}/continue")
        await self.event("Dial")
        await asyncio.sleep(0.3)  # both legs enter their bridge
        await self.ami(channel, reader, writer)
        await self.rest("DELETE", "channels/1795509944.1")
        await self.event("ChannelDestroyed")
        await self.session.ws_connect(url)
        await self.event("ApplicationReplaced")
        reading.cancel()

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
        await self.rest("DELETE", "channels/1795509944.1")
        async with asyncio.timeout(5):
            seen: set[str] = set()
            while not seen >= {"BridgeLeave", "Hangup"}:
                seen.add(self.keep_event(await reader.readuntil(b"\r\n\r\n")))
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
    async with Asterisk(build, extensions=extensions) as asterisk:
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
            await recorder.ari()
    agi.close()
    print(*sorted(path.name for path in into.iterdir()))


if __name__ == "__main__":
    asyncio.run(main())
