"""The least ARI costs: the same flow without anything that can be left out; a floor, no example.

One WebSocket, on which the requests travel too, two at a time; its filter lets through what is read
here and nothing else, not even the answers. No rows, no files, no checks, no proof. What Asterisk
takes for this, it takes for every ARI application with the same flow; what the application takes is
what aiohttp, msgspec and uvloop take for two events and four requests.

Runs with the service's Python: ``least.py URL USER APPLICATION SOUND``, with the password in the
environment. Prints ``ready`` once the filter is set.
"""

from __future__ import annotations

import os
import sys
from typing import TypeAlias

import aiohttp
import msgspec
import uvloop

URL, USER, APPLICATION, SOUND = sys.argv[1:5]


class Channel(msgspec.Struct, gc=False):
    id: str


class Playback(msgspec.Struct, gc=False):
    target_uri: str


class StasisStart(msgspec.Struct, tag_field="type", tag=True, gc=False):
    channel: Channel


class PlaybackFinished(msgspec.Struct, tag_field="type", tag=True, gc=False):
    playback: Playback


class RESTRequest(msgspec.Struct, tag_field="type", tag=True, gc=False):
    """Asterisk 20.14, 21.9, 22.4 and later; without an id, since no answer is read."""

    uri: str
    method: str = "POST"


Event: TypeAlias = StasisStart | PlaybackFinished
ALLOWED = {
    "allowed": [{"type": event.__name__} for event in (StasisStart, PlaybackFinished)],
    "disallowed": [],
}


def requests(event: Event) -> tuple[RESTRequest, RESTRequest]:
    """What follows from an event. Requests on one WebSocket are executed in their order."""
    match event:
        case StasisStart(channel=Channel(id=channel)):
            return (
                RESTRequest(f"channels/{channel}/answer"),
                RESTRequest(f"channels/{channel}/play?media=sound:{SOUND}"),
            )
        case PlaybackFinished(playback=Playback(target_uri=target)):
            channel = target.removeprefix("channel:")
            return (
                RESTRequest(f"channels/{channel}/variable?variable=TOLD&value=yes"),
                RESTRequest(f"channels/{channel}/continue"),
            )


async def main() -> None:
    decode, encode = msgspec.json.Decoder[Event](Event).decode, msgspec.json.Encoder().encode
    authorization = aiohttp.encode_basic_auth(USER, os.environ["ARI_PASSWORD"])
    async with (
        aiohttp.ClientSession(headers={"Authorization": authorization}) as session,
        session.ws_connect(f"{URL}/ari/events?app={APPLICATION}", decode_text=False) as socket,
    ):
        place = f"{URL}/ari/applications/{APPLICATION}/eventFilter"
        async with session.put(place, json=ALLOWED) as answer:
            answer.raise_for_status()
        print("ready", flush=True)
        async for message in socket:
            for request in requests(decode(message.data)):
                await socket.send_frame(encode(request), aiohttp.WSMsgType.TEXT)


uvloop.run(main())
