"""The same flow on ``aioari``, as its README would write it: no rows, no checks, no proof.

Runs in a virtual environment of its own: ``naive_aioari.py URL USER APPLICATION SOUND``, with the
password in the environment. Prints ``ready`` once Asterisk knows the application.
"""

from __future__ import annotations

import asyncio
import os
import sys

import aioari

URL, USER, APPLICATION, SOUND = sys.argv[1:5]


async def on_start(objects, event):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    channel = objects["channel"]
    await channel.answer()
    playback = await channel.play(media=f"sound:{SOUND}")

    async def on_finished(*_):  # type: ignore[no-untyped-def]  # noqa: ANN002, ANN202
        await channel.setChannelVar(variable="TOLD", value="yes")
        await channel.continueInDialplan()

    playback.on_event("PlaybackFinished", on_finished)


async def main() -> None:
    client = await aioari.connect(URL, USER, os.environ["ARI_PASSWORD"])
    client.on_channel_event("StasisStart", on_start)
    running = asyncio.ensure_future(client.run(apps=APPLICATION))
    print("ready", flush=True)
    await running


asyncio.run(main())
