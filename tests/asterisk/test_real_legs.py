"""Every leg of a real call: who joins and leaves, whispering, transfers, user events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ami.events import (
    AttendedTransfer,
    BlindTransfer,
    BridgeEnter,
    BridgeLeave,
    DialBegin,
    DialEnd,
    Hangup,
    LocalBridge,
    UserEvent,
)
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import (
    AriPlaybackFinished,
    ChannelDestroyed,
    ChannelDtmfReceived,
    StasisEnd,
    StasisStart,
)
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, PlaybackId
from lab.asterisk import Asterisk
from lab.rootfs import obtain
from lab.sip import Phone
from lab.tones import AGENT, CALLER, OTHER
from lab.versions import forgets_snoops

pytestmark = pytest.mark.asterisk

PHONES = """
[from-lab]
exten => agent,1,Answer()
 same => n,Dial(PJSIP/agent,20)
exten => other,1,Dial(PJSIP/other,20)
exten => echo,1,Answer()
 same => n,Echo()
"""
NEVER_OVER_WEBSOCKET = 1e-9
SNOOP = ChannelId("snoop-1")

Originate = Callable[..., Any]


def ari_client(real: Asterisk, ear: Any, *, probe_s: float = 1.0) -> AriClient:
    address = AriAddress(real.ari_url, "compliance", real.ari_user, real.ari_password)
    return AriClient(address, ear, AriLimits(probe_s=probe_s, backoff=Backoff(0.01, 0.1)))


def ami_client(real: Asterisk, ear: Any, user: str = "") -> AmiClient:
    address = AmiAddress("127.0.0.1", real.ami_port, user or real.ami_user, real.ami_password)
    return AmiClient(address, ear, AmiLimits(backoff=Backoff(0.01, 0.1)))


async def heard_of(ear: Any, kind: Any, channel: str) -> Any:
    """The next event of one kind about one channel."""
    async with asyncio.timeout(5):
        while True:
            event = await ear.next(kind)
            about = event.channel if isinstance(event.channel, str) else event.channel.id
            if about == channel:
                return event


async def gone(ari: AriClient, channel: ChannelId) -> None:
    async with asyncio.timeout(5):
        while await ari.channel(channel) is not None:
            pass


@pytest.fixture
async def ami_ear(ear: Any) -> Any:
    """AMI's events have no order among ARI's, so each has an ear of its own."""
    return type(ear)()


async def bridged(
    originate: Originate, ari: AriClient, ear: Any, ami_ear: Any
) -> tuple[ChannelId, BridgeEnter]:
    """A channel that went on from Stasis and stands in a bridge of the dialplan."""
    channel = await originate("bridged")
    assert (await ear.next(StasisStart)).channel.id == channel
    await ari.subscribe(channel)
    await ari.continue_in_dialplan(channel)
    await ear.next(StasisEnd)
    return channel, await heard_of(ami_ear, BridgeEnter, channel)


@pytest.mark.parametrize("probe_s", [1.0, NEVER_OVER_WEBSOCKET], ids=["best", "http"])
async def test_a_bridge_of_the_dialplan_and_a_whisper_into_it(
    real: Asterisk, originate: Originate, ear: Any, ami_ear: Any, running: Any, probe_s: float
) -> None:
    ari = ari_client(real, ear, probe_s=probe_s)
    async with running(ari), running(ami_client(real, ami_ear)):
        await ear.next("connected")
        await ami_ear.next("connected")
        channel, entered = await bridged(originate, ari, ear, ami_ear)
        assert entered.name.startswith("Local/bridged@lab-")
        assert entered.name.endswith(";2")
        info = await ari.channel(channel)
        assert info is not None
        assert info.name == entered.name
        members = await ari.bridge_channels(entered.bridge)
        assert members is not None
        assert channel in members
        found = {one.id: list(one.channels) for one in await ari.bridges()}
        assert found[entered.bridge] == members

        args = ("whisper", "of=a b&c?d=é")
        snoop = await ari.snoop(channel, SNOOP, args)
        assert snoop is not None
        assert (snoop.id, snoop.name[:6]) == (SNOOP, "Snoop/")
        start = await ear.next(StasisStart)
        assert (start.channel.id, start.args) == (SNOOP, args)
        await ari.play(SNOOP, "sound:tone", PlaybackId("w-1"))
        finished = await ear.next(AriPlaybackFinished)
        assert (finished.playback.channel, finished.playback.state) == (SNOOP, "done")
        assert await ari.bridge_channels(entered.bridge) == members  # undisturbed
        assert await ari.hang_up(SNOOP) is True
        assert (await ear.next(StasisEnd)).channel.id == SNOOP
        async with asyncio.timeout(20):
            while await ari.hang_up(SNOOP):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
        if forgets_snoops(real.build):
            await gone(ari, SNOOP)
        else:  # shown until the whispered-to is gone
            assert await ari.channel(SNOOP) is not None
        second = await ari.snoop(channel, ChannelId("snoop-2"), ())
        assert second is not None
        assert (await ear.next(StasisStart)).args == ()

        assert await ari.hang_up(channel, "busy") is True
        assert (await heard_of(ear, ChannelDestroyed, channel)).cause == 17
        await gone(ari, channel)
        await gone(ari, SNOOP)
        assert await ari.snoop(channel, ChannelId("snoop-3"), ()) is None
        left = await heard_of(ami_ear, BridgeLeave, channel)
        assert (left.bridge, left.name) == (entered.bridge, entered.name)
        async with asyncio.timeout(5):
            while await ari.bridge_channels(entered.bridge) is not None:
                pass
        assert entered.bridge not in [one.id for one in await ari.bridges()]


async def test_dialling_a_local_channel_names_both_halves(
    real: Asterisk, originate: Originate, ear: Any, ami_ear: Any, running: Any
) -> None:
    ari = ari_client(real, ear)
    async with running(ari), running(ami_client(real, ami_ear)):
        await ear.next("connected")
        await ami_ear.next("connected")
        channel, _ = await bridged(originate, ari, ear, ami_ear)
    begun = [what for what in ami_ear.heard if isinstance(what, DialBegin)]
    originated = next(event for event in begun if event.channel is None)
    assert originated.dialled == f"far-{channel}"
    dialled = next(event.dialled for event in begun if event.channel == channel)
    assert DialEnd(channel, dialled, "ANSWER") in ami_ear.heard
    halves = [what for what in ami_ear.heard if isinstance(what, LocalBridge)]
    assert LocalBridge(ChannelId(f"far-{channel}"), channel) in halves
    two = next(event.two for event in halves if event.one == dialled)
    assert two not in {channel, dialled}


async def test_a_user_event_arrives_with_class_user_only(
    real: Asterisk, originate: Originate, ear: Any, ami_ear: Any, running: Any
) -> None:
    """Without the class the rest arrives all the same, and another's user event never does."""
    conf = real.home / "etc/manager.conf"
    before = conf.read_text()
    conf.write_text(f"{before}\n[callonly]\nsecret = {real.ami_password}\nread = call\n")
    await real.cli("manager reload")
    deaf_ear = type(ear)()
    try:
        ari, deaf = ari_client(real, ear), ami_client(real, deaf_ear, "callonly")
        async with running(ari), running(ami_client(real, ami_ear)), running(deaf):
            for listening in (ear, ami_ear, deaf_ear):
                await listening.next("connected")
            channel, _ = await bridged(originate, ari, ear, ami_ear)
            await originate.hang_up(channel)
            for listening in (ami_ear, deaf_ear):
                await heard_of(listening, Hangup, channel)
            assert [what for what in ami_ear.heard if isinstance(what, UserEvent)] == [
                UserEvent("ComplianceStep", channel, {"Step": "ours", "Empty": ""})
            ]
            assert not [what for what in deaf_ear.heard if isinstance(what, UserEvent)]
            assert deaf.ignored.get("UserEvent", 0) == 0
            with pytest.raises(RequestRefused, match="Permission denied"):
                await deaf.play_dtmf(channel, "1", receive=True, duration_ms=80)
    finally:
        conf.write_text(before)
        await real.cli("manager reload")


async def test_the_filter_of_the_documented_user_holds_back_all_else(
    real: Asterisk, originate: Originate, ear: Any, ami_ear: Any, running: Any
) -> None:
    ari, ami = ari_client(real, ear), ami_client(real, ami_ear)
    async with running(ari), running(ami):
        await ear.next("connected")
        await ami_ear.next("connected")
        channel, _ = await bridged(originate, ari, ear, ami_ear)
        await originate.hang_up(channel)
        await heard_of(ami_ear, Hangup, channel)
        assert ami.ignored == {}  # SiteStep, Newchannel, Newexten and the rest


async def test_keys_and_redirects(
    real: Asterisk, originate: Originate, ear: Any, ami_ear: Any, running: Any
) -> None:
    ari, ami = ari_client(real, ear), ami_client(real, ami_ear)
    async with running(ari), running(ami):
        await ear.next("connected")
        await ami_ear.next("connected")
        channel = await originate("notice")
        await ear.next(StasisStart)
        await ari.answer(channel)
        await ami.play_dtmf(channel, "D", receive=True, duration_ms=80)
        received = await ear.next(ChannelDtmfReceived)
        assert (received.channel.id, received.digit, received.duration_ms) == (channel, "D", 80)
        await ami.play_dtmf(ChannelId(f"far-{channel}"), "*", receive=False, duration_ms=120)
        sent = await ear.next(ChannelDtmfReceived)
        assert (sent.channel.id, sent.digit, sent.duration_ms) == (channel, "*", 120)

        await ari.continue_in_dialplan(channel)
        await originate.reached(channel, "Echo")
        await ami.redirect(channel, "lab", "redirected", 1)
        async with asyncio.timeout(5):
            while await ari.get_variable(channel, "WENT") is None:
                pass
        assert await ari.get_variable(channel, "WENT") == "redirected"
        nobody = ChannelId("nosuch")
        for refused in (
            ami.redirect(nobody, "lab", "redirected"),
            ami.play_dtmf(nobody, "1", receive=True, duration_ms=80),
        ):
            with pytest.raises(RequestRefused):
                await refused
    with pytest.raises(AsteriskUnavailable):
        await ami.redirect(channel, "lab", "redirected")


async def heard_all(ear: Any, *kinds: Any) -> list[Any]:
    """The next events of these kinds, one each, in whatever order they come."""
    wanted, found = list(kinds), []
    async with asyncio.timeout(5):
        while wanted:
            event = await ear.next_event()
            if type(event) in wanted:
                wanted.remove(type(event))
                found.append(event)
    return sorted(found, key=lambda event: kinds.index(type(event)))


def by_endpoint(*events: BridgeEnter) -> dict[str, BridgeEnter]:
    return {event.name.partition("-")[0]: event for event in events}


class Telephones:
    """Three phones around an Asterisk of their own, and what AMI tells about them."""

    def __init__(self, asterisk: Asterisk, caller: Phone, agent: Phone, other: Phone) -> None:
        self.asterisk, self.caller, self.agent, self.other = asterisk, caller, agent, other

    async def connected(self, ear: Any) -> tuple[Any, Any, BridgeEnter, BridgeEnter]:
        """The caller's and the agent's leg, and how the two entered their bridge."""
        leg = await self.caller.dial("agent", self.asterisk.sip_port)
        agents = await self.agent.next_call()
        await agents.answered()
        entered = by_endpoint(*await heard_all(ear, BridgeEnter, BridgeEnter))
        await leg.until_heard(0.3)
        return leg, agents, entered["PJSIP/lab"], entered["PJSIP/agent"]


@pytest.fixture
async def phones() -> AsyncIterator[Telephones]:
    async with (
        await Phone.open("caller", CALLER) as caller,
        await Phone.open("agent", AGENT) as agent,
        await Phone.open("other", OTHER) as other,
    ):
        agent.lines = 2
        ports = {phone.name: phone.port for phone in (agent, other)}
        async with Asterisk(obtain(), extensions=PHONES, phones=ports) as asterisk:
            yield Telephones(asterisk, caller, agent, other)


async def test_blind_and_attended_transfers_of_real_telephones(
    phones: Telephones, ear: Any, running: Any
) -> None:
    async with running(ami_client(phones.asterisk, ear)):
        await ear.next("connected")
        leg, agents, caller, agent = await phones.connected(ear)
        assert caller.bridge == agent.bridge
        await agents.transfer("other")
        told, *left, one, two = await heard_all(
            ear, BlindTransfer, BridgeLeave, BridgeLeave, BridgeEnter, BridgeEnter
        )
        assert told == BlindTransfer(
            agent.channel, caller.linkedid, caller.channel, agent.bridge, "Success"
        )
        assert {event.channel for event in left} == {agent.channel, caller.channel}
        joined = by_endpoint(one, two)
        assert joined["PJSIP/lab"].bridge == joined["PJSIP/other"].bridge != caller.bridge
        assert joined["PJSIP/lab"].channel == caller.channel
        await leg.hang_up()

        leg, agents, caller, agent = await phones.connected(ear)
        second = await phones.agent.dial("other", phones.asterisk.sip_port)
        await second.answered()
        names = by_endpoint(*await heard_all(ear, BridgeEnter, BridgeEnter))
        await agents.transfer_to(second)
        told, moved = await heard_all(ear, AttendedTransfer, BridgeEnter)
        assert moved.channel == caller.channel
        assert told == AttendedTransfer(
            transferer=agent.channel,
            second_transferer=names["PJSIP/agent"].channel,
            transferee=caller.channel,
            target=names["PJSIP/other"].channel,
            bridge=agent.bridge,
            second_bridge=moved.bridge,
            joined_bridge=moved.bridge,
            result="Success",
        )
        await leg.hang_up()


async def test_an_attended_transfer_into_an_application(
    phones: Telephones, ear: Any, running: Any
) -> None:
    async with running(ami_client(phones.asterisk, ear)):
        await ear.next("connected")
        leg, agents, caller, agent = await phones.connected(ear)
        second = await phones.agent.dial("echo", phones.asterisk.sip_port)
        await second.answered()
        await second.until_heard(0.3)
        await agents.transfer_to(second)
        event = await ear.next(AttendedTransfer)
        assert (event.transferer, event.transferee) == (agent.channel, caller.channel)
        assert (event.bridge, event.target, event.second_bridge) == (agent.bridge, None, None)
        assert event.result == "Success"
        await leg.until_heard(0.3)
        await leg.hang_up()
