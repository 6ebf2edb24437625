"""What following every leg of a call asks of ARI, against recorded answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from asterisk_compliance.asterisk.ari import requests as ari_requests
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import StasisStart, decode
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import ChannelId

CHANNEL, SNOOP = ChannelId("1795509944.2"), ChannelId("snoop-1")
QUICK = AriLimits(connect_s=2, request_s=2, probe_s=0.3, backoff=Backoff(0.001, 0.01))

Start = Callable[..., Any]


@pytest.fixture(params=[True, False], ids=["websocket", "http"])
async def server(request: pytest.FixtureRequest, scripted_ari: Start) -> Any:
    return await scripted_ari(over_websocket=request.param)


@pytest.fixture
def ari(server: Any, ear: Any) -> AriClient:
    return AriClient(AriAddress(server.url, "compliance", "user", "right"), ear, QUICK)


async def test_a_snoop_only_whispers(server: Any, ari: AriClient, ear: Any, running: Any) -> None:
    uri = f"channels/{CHANNEL}/snoop/{SNOOP}"
    server.answers[uri] = "rest_snoop.json"
    async with running(ari):
        await ear.next("connected")
        snoop = await ari.snoop(CHANNEL, SNOOP, ("whisper", "y=1"))
        assert snoop is not None
        assert (snoop.id, snoop.name) == (SNOOP, "Snoop/1795509944.2-00000000")
        assert server.requests[-1] == f"POST {uri}"
        assert server.bodies[uri] == {
            "spy": "none",
            "whisper": "out",
            "app": "compliance",
            "appArgs": "whisper,y=1",
        }
        server.answer_404_on = uri
        assert await ari.snoop(CHANNEL, SNOOP, ()) is None
        assert "appArgs" not in server.bodies[uri]


async def test_packets_are_counted(server: Any, ari: AriClient, ear: Any, running: Any) -> None:
    uri = f"channels/{CHANNEL}/rtp_statistics"
    server.answers[uri] = "rest_rtp_statistics.json"
    async with running(ari):
        await ear.next("connected")
        assert await ari.packets_sent(CHANNEL) == 50
        server.answer_404_on = uri
        assert await ari.packets_sent(CHANNEL) is None


async def test_arguments_of_a_snoop_stay_what_they_are() -> None:
    for bad in (("a", "b,c"), ("",), ("a", "")):
        with pytest.raises(ValueError, match="empty or holds a comma"):
            ari_requests.snoop("compliance", CHANNEL, SNOOP, bad)
    for channel, snoop in ((CHANNEL, ChannelId("..")), (ChannelId(""), SNOOP)):
        with pytest.raises(ValueError, match="not an id"):
            ari_requests.snoop("compliance", channel, snoop, ())
    hostile = ari_requests.snoop("compliance", ChannelId("a/b?c"), ChannelId("d\r\ne"), ())
    assert hostile.path == "channels/a%2Fb%3Fc/snoop/d%0D%0Ae"


async def test_the_channel_of_a_snoop_arrives_as_a_call_does(fixture: Any) -> None:
    start = decode(fixture("stasis_start_snoop.json"))
    assert isinstance(start, StasisStart)
    assert (start.channel.id, start.args) == (SNOOP, ("a", "b"))
    assert start.channel.name.startswith("Snoop/")


async def test_hanging_up_says_whether_there_was_somebody(
    server: Any, ari: AriClient, ear: Any, running: Any
) -> None:
    uri = f"channels/{CHANNEL}"
    async with running(ari):
        await ear.next("connected")
        assert await ari.hang_up(CHANNEL, "busy") is True
        assert server.requests[-1] == f"DELETE {uri}"
        assert server.bodies[uri] == {"reason": "busy"}
        server.answer_404_on = uri
        assert await ari.hang_up(CHANNEL) is False
        assert server.bodies[uri] == {"reason": "normal"}
        for bad in ("", ".", ".."):
            with pytest.raises(ValueError, match="not an id"):
                ari.hang_up(ChannelId(bad))


async def test_who_is_in_a_bridge(
    server: Any, ari: AriClient, ear: Any, running: Any, fixture: Any
) -> None:
    bridge = json.loads(json.loads(fixture("rest_bridge.json"))["message_body"])
    server.answers |= {
        f"bridges/{bridge['id']}": "rest_bridge.json",
        "bridges/gone": "rest_no_bridge.json",
        "bridges": "rest_bridges.json",
        "bridges/strange": "rest_info.json",
    }
    async with running(ari):
        await ear.next("connected")
        channels = await ari.bridge_channels(bridge["id"])
        assert channels is not None
        assert CHANNEL in channels
        assert len(channels) == 2
        found = await ari.bridges()
        assert [(one.id, list(one.channels), one.kind) for one in found] == [
            (bridge["id"], channels, "basic")
        ]
        assert await ari.bridge_channels("gone") is None
        with pytest.raises(AsteriskUnavailable, match="not its answer"):
            await ari.bridge_channels("strange")
        server.answers["bridges"] = "rest_bridge.json"
        with pytest.raises(AsteriskUnavailable, match="not its answer"):
            await ari.bridges()
        assert server.requests[-1] == "GET bridges"
        with pytest.raises(ValueError, match="not an id"):
            ari.bridge_channels("..")
