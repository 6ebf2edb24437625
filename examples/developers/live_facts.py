"""An ARI application that hears what becomes of live calls, as [asterisk.ari] tell says.

ARI_PASSWORD=… live_facts.py http://127.0.0.1:8088/ari user application
"""

import asyncio
import json
import os
import sys

import aiohttp


async def listen(url: str, user: str, application: str) -> None:
    login = aiohttp.encode_basic_auth(user, os.environ["ARI_PASSWORD"])
    async with (
        aiohttp.ClientSession(headers={"Authorization": login}) as session,
        session.ws_connect(f"{url}/events", params={"app": application}) as events,
    ):
        print("ready", flush=True)
        async for message in events:
            event = json.loads(message.data)
            if event["type"] == "ChannelUserevent" and event["eventname"] == "call_fact":
                fact = event["userevent"]
                detail = fact["detail"]
                print(fact["seq"], fact["channel"], fact["kind"], json.dumps(detail), flush=True)


if __name__ == "__main__":
    asyncio.run(listen(*sys.argv[1:]))
