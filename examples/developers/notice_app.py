"""An ARI application of one's own that tells its callers by the rules of asterisk-compliance.

    ARI_PASSWORD=… notice_app.py compliance.toml http://127.0.0.1:8088/ari user application

Its dialplan, where RECORD is "yes" only for who was told, and may be recorded:

    exten => 200,1,Stasis(application,inbound)
     same => n,ExecIf($["${RECORD}" = "yes"]?MixMonitor(${UNIQUEID}.wav,b))
     same => n,Dial(PJSIP/agent)
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog

from asterisk_compliance import RequestRefused, Site


class Ari:
    """What a notice asks for (AriActions), and what this application does afterwards."""

    def __init__(self, session: aiohttp.ClientSession, url: str, application: str) -> None:
        self._session = session
        self._url = url
        self._application = application

    async def answer(self, channel: str) -> None:
        await self._ask("POST", f"channels/{quote(channel)}/answer")

    async def play(self, channel: str, playback: str, media: str) -> None:
        await self._ask("POST", f"channels/{quote(channel)}/play/{playback}", {"media": media})

    async def stop_playback(self, playback: str) -> None:
        await self._ask("DELETE", f"playbacks/{playback}", gone_is_fine=True)

    async def subscribe(self, channel: str) -> None:
        path = f"applications/{quote(self._application)}/subscription"
        await self._ask("POST", path, {"eventSource": f"channel:{channel}"})

    async def go_on(self, channel: str, *, record: bool) -> None:
        variable = {"variable": "RECORD", "value": "yes" if record else "no"}
        await self._ask("POST", f"channels/{quote(channel)}/variable", variable)
        await self._ask("POST", f"channels/{quote(channel)}/continue")

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        gone_is_fine: bool = False,
    ) -> None:
        async with self._session.request(method, f"{self._url}/{path}", params=query) as answer:
            if answer.status >= 300 and not (gone_is_fine and answer.status == 404):
                raise RequestRefused(path.rpartition("/")[2], answer.status)


async def lead(site: Site, ari: Ari, stasis_start: Mapping[str, Any]) -> None:
    """One caller: told, decided, and on his way."""
    flow = site.tell(stasis_start, policy=stasis_start["args"][0], actions=ari)
    decision = await flow.decision()
    print(flow.call, decision.status, decision.reason, flush=True)
    try:
        await ari.go_on(flow.channel, record=decision.allowed)
    except RequestRefused as refused:
        print(flow.call, refused, flush=True)  # he has hung up


async def serve(configuration: str, url: str, user: str, application: str) -> None:
    login = aiohttp.encode_basic_auth(user, os.environ["ARI_PASSWORD"])
    headers = {"Authorization": login}
    async with (
        Site.open(configuration) as site,
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{url}/events", params={"app": application}) as events,
        asyncio.TaskGroup() as calls,
    ):
        ari = Ari(session, url, application)
        print("ready", flush=True)
        async for message in events:
            event = json.loads(message.data)
            site.hear(event)
            if event["type"] == "StasisStart":
                calls.create_task(lead(site, ari, event))


async def main() -> None:
    serving = asyncio.create_task(serve(*sys.argv[1:]))
    for ending in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(ending, serving.cancel)
    await asyncio.wait({serving})
    if not serving.cancelled():
        serving.result()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main())
