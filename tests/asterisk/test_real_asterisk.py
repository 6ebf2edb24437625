"""The same clients against a real Asterisk."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asterisk_compliance.asterisk.agi.server import (
    AgiHangup,
    AgiReply,
    AgiSession,
    FastAgiServer,
    Played,
)
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ami.events import Hangup, MixMonitorMute, MixMonitorStart
from asterisk_compliance.asterisk.ami.events import MixMonitorStop as Stopped
from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.client import AriClient
from asterisk_compliance.asterisk.ari.events import (
    EVENT_TYPES,
    AriPlaybackFinished,
    AriPlaybackStarted,
    ChannelDestroyed,
    StasisEnd,
    StasisStart,
)
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.domain.asterisk.version import Ability
from asterisk_compliance.errors import ApplicationReplaced, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, PlaybackId
from lab.asterisk import Asterisk
from lab.versions import can

pytestmark = pytest.mark.asterisk

QUICK_BACKOFF = Backoff(0.01, 0.1)
HOSTILE = 'a,b&c=d%20+"\\${X}あ'
NEVER_OVER_WEBSOCKET = 1e-9

Originate = Callable[..., Any]


def ari_client(real: Asterisk, ear: Any, *, password: str = "", probe_s: float = 1.0) -> AriClient:
    address = AriAddress(real.ari_url, "compliance", real.ari_user, password or real.ari_password)
    return AriClient(address, ear, AriLimits(probe_s=probe_s, backoff=QUICK_BACKOFF))


def ami_client(real: Asterisk, ear: Any, *, password: str = "") -> AmiClient:
    address = AmiAddress("127.0.0.1", real.ami_port, real.ami_user, password or real.ami_password)
    return AmiClient(address, ear, AmiLimits(ping_every_s=0.2, backoff=QUICK_BACKOFF))


def answers_over_websocket(real: Asterisk) -> bool:
    return can(real.build, Ability.REST_BY_WEBSOCKET)


async def stop_when_controllable(ari: AriClient, channel: str, playback: PlaybackId) -> bool:
    """Asterisk answers 500 for a moment after ``PlaybackStarted``."""
    async with asyncio.timeout(5):
        while True:
            try:
                return await ari.stop_playback(ChannelId(channel), playback)
            except RequestRefused as error:
                if error.status != 500:
                    raise


@pytest.mark.parametrize("probe_s", [1.0, NEVER_OVER_WEBSOCKET], ids=["best", "http"])
async def test_a_call_from_arrival_to_its_end(
    real: Asterisk, originate: Originate, ear: Any, running: Any, probe_s: float
) -> None:
    ari = ari_client(real, ear, probe_s=probe_s)
    async with running(ari):
        _, transport, version = await ear.next("connected")
        best = answers_over_websocket(real) and probe_s == 1.0
        assert transport == ("websocket" if best else "http")
        assert version.startswith(real.version)
        assert (await ari.info()).startswith(real.version)

        channel = await originate("notice", caller='"Müller, \\"T\\"" <0312345678>')
        start = await ear.next(StasisStart)
        assert (start.channel.id, start.channel.state) == (channel, "Ring")
        assert start.args == ("policy=inbound",)
        assert start.channel.caller.number == "0312345678"
        assert abs(start.at_ms - time.time() * 1000) < 5000
        assert await ari.application_channels() == [channel]

        answered = ari.answer(channel)
        played = ari.play(channel, "sound:tone", PlaybackId("p-1"))
        await answered
        await played
        await ear.next(AriPlaybackStarted)
        began = time.monotonic()
        finished = await ear.next(AriPlaybackFinished)
        assert (finished.playback.id, finished.playback.state) == ("p-1", "done")
        assert time.monotonic() - began > 0.2  # the file is 0.3 s long
        info = await ari.channel(channel)
        assert info is not None
        assert (info.state, info.dialplan.exten, info.dialplan.app_name) == (
            "Up",
            "notice",
            "Stasis",
        )

        ari.play(channel, "sound:nosuch", PlaybackId("p-2"))
        failed = await ear.next(AriPlaybackFinished)
        assert failed.playback.state == "failed"
        ari.play(channel, "sound:tone", PlaybackId("p-3"))
        await ear.next(AriPlaybackStarted)
        assert await stop_when_controllable(ari, channel, PlaybackId("p-3"))
        assert (await ear.next(AriPlaybackFinished)).playback.state == "done"
        assert await ari.stop_playback(channel, PlaybackId("p-1")) is False  # long over

        assert await ari.get_variable(channel, "NOSUCH") is None
        subscribed = ari.subscribe(channel)
        was_set = ari.set_variable(channel, "COMPLIANCE_RESULT", HOSTILE)
        continued = ari.continue_in_dialplan(channel)
        await asyncio.gather(subscribed, was_set, continued)
        await ear.next(StasisEnd)
        assert await ari.get_variable(channel, "COMPLIANCE_RESULT") == HOSTILE
        with pytest.raises(RequestRefused) as caught:
            await ari.answer(channel)
        assert caught.value.status in {409, 500}  # 500 while Stasis() is being left

        await originate.hang_up(channel)
        destroyed = await ear.next(ChannelDestroyed)
        assert destroyed.channel.id == channel
        assert destroyed.cause in {0, 16}  # Local channels race for it
        assert await ari.channel(channel) is None
        assert set(ari.ignored) <= {"ApplicationMoveFailed"}  # the filter holds the rest back


async def test_continue_at_a_priority(
    real: Asterisk, originate: Originate, ear: Any, running: Any
) -> None:
    ari = ari_client(real, ear)
    async with running(ari):
        await ear.next("connected")
        channel = await originate("second")
        await ear.next(StasisStart)
        await ari.continue_in_dialplan(channel, priority=4)
        await ear.next(StasisEnd)
        async with asyncio.timeout(5):
            while await ari.get_variable(channel, "WENT") is None:
                pass
        assert await ari.get_variable(channel, "WENT") == "chosen"


async def test_a_channel_that_arrived_while_we_were_away_is_listed(
    real: Asterisk, originate: Originate, ear: Any, running: Any
) -> None:
    ari = ari_client(real, ear)
    async with running(ari):
        await ear.next("connected")
        channel = await originate("notice")
        await ear.next(StasisStart)
    async with running(ari):
        await ear.next("connected")
        assert await ari.application_channels() == [channel]
        await ari.continue_in_dialplan(channel)
        await ear.next(StasisEnd)


async def test_the_newer_client_wins_and_the_older_stops(
    real: Asterisk, ear: Any, running: Any
) -> None:
    first = ari_client(real, ear)
    async with running(first) as task:
        await ear.next("connected")
        async with running(ari_client(real, ear)):
            await ear.next("connected")
            with pytest.raises(ApplicationReplaced):
                await asyncio.wait_for(asyncio.shield(task), 5)


async def test_a_filter_that_a_former_client_left_does_not_make_us_deaf(
    real: Asterisk, ear: Any, running: Any
) -> None:
    """Asterisk forgets it with the connection; ours, set at once, lets answers through."""
    ari = ari_client(real, ear)
    for _ in range(2):
        async with running(ari):
            await ear.next("connected")
            await ari.info()
    assert "RESTResponse" in EVENT_TYPES


@pytest.mark.parametrize("wire", ["ari", "ami"])
async def test_a_wrong_password(real: Asterisk, ear: Any, running: Any, wire: str) -> None:
    make = ari_client if wire == "ari" else ami_client
    async with running(make(real, ear, password="wrong")):
        _, why = await ear.next("disconnected" if wire == "ari" else "login_failed")
    assert f"{'ari' if wire == 'ari' else 'manager'}.conf" in why.hint


async def test_ami_by_uniqueid(
    real: Asterisk, originate: Originate, ear: Any, running: Any
) -> None:
    ami, ari = ami_client(real, ear), ari_client(real, ear)
    async with running(ami), running(ari):
        await ear.next("connected")
        await ear.next("connected")
        channel = await originate("notice")
        await ear.next(StasisStart)
        await ari.continue_in_dialplan(channel)
        started = await ear.next(MixMonitorStart)
        assert (started.channel, started.linkedid) == (channel, f"far-{channel}")
        monitor = None
        async with asyncio.timeout(5):
            while monitor is None:
                monitor = await ari.get_variable(channel, "MMID")

        await ami.setvar(channel, "COMPLIANCE_STATUS", HOSTILE)
        assert await ari.get_variable(channel, "COMPLIANCE_STATUS") == HOSTILE
        for muted in (True, False):
            await ami.mute(channel, monitor, "both", muted=muted)
            event = await ear.next(MixMonitorMute)
            assert (event.channel, event.direction, event.muted) == (channel, "both", muted)
        with pytest.raises(RequestRefused, match="Could not stop"):
            await ami.stop_mixmonitor(channel, "0xdead")
        await ami.stop_mixmonitor(channel, monitor)
        assert (await ear.next(Stopped)).channel == channel
        with pytest.raises(RequestRefused, match="No such channel"):
            await ami.setvar(ChannelId("nosuch"), "A", "b")
        with pytest.raises(ValueError, match="longer than"):
            await ami.setvar(channel, "A", "x" * 1000)
        await ami.setvar(channel, "A", "x" * 980)  # Asterisk takes what we let through

        await originate.hang_up(channel)
        ended = {(await ear.next(Hangup)).channel for _ in range(2)}
        assert ended == {channel, f"far-{channel}"}


async def test_a_killed_asterisk_fails_pending_work_and_is_found_again(
    real: Asterisk, ear: Any, running: Any
) -> None:
    ami, ari = ami_client(real, ear), ari_client(real, ear)
    async with running(ami), running(ari):
        await ear.next("connected")
        await ear.next("connected")
        real.suspend()
        stopped = asyncio.to_thread(os.waitid, os.P_PID, real.pid, os.WSTOPPED | os.WNOWAIT)
        await asyncio.wait_for(stopped, 5)
        pending = [ari.info(), asyncio.ensure_future(ami.setvar(ChannelId("x"), "A", "b"))]
        await asyncio.sleep(0)
        await real.kill()
        for future in pending:
            with pytest.raises(AsteriskUnavailable):
                await asyncio.wait_for(future, 5)
        await ear.next("disconnected")
        await ear.next("disconnected")
        await real.start()
        await ear.next("connected")
        await ear.next("connected")
        assert (await ari.info()).startswith(real.version)


async def test_fastagi(real: Asterisk, originate: Originate) -> None:
    outcome: asyncio.Queue[Any] = asyncio.Queue()
    channels: list[str] = []

    async def handler(agi: AgiSession) -> None:
        assert (agi.script, agi.parameters) == ("notice", {"policy": "inbound"})
        assert agi.channel == channels[-1]
        try:
            await agi.answer()
            played = await agi.stream_file("tone", 5)
            missing = await agi.stream_file("nosuch", 5)
            await agi.set_variable("RESULT", HOSTILE)
            back = await agi.command("GET VARIABLE", "RESULT")
            outcome.put_nowait((played, missing, back.data))
            await agi.stream_file("long", 30)
            await agi.set_variable("RESULT", "too late")
        except AgiHangup as error:
            outcome.put_nowait(error)
            raise

    async with FastAgiServer("127.0.0.1", 0, handler) as server:
        source = real.sounds_here / "en/tone.wav"
        (real.sounds_here / "en/long.sln").write_bytes(source.read_bytes()[44:] * 100)
        channels.append(await originate("agi", AGI_PORT=str(server.port)))
        played, missing, back = await asyncio.wait_for(outcome.get(), 10)
        assert played.completed
        assert played.end_samples == 2400
        assert (missing.completed, missing.end_samples) == (False, 0)
        assert back == HOSTILE
        await originate.hang_up(channels[-1])
        assert isinstance(await asyncio.wait_for(outcome.get(), 10), AgiHangup)


async def test_fastagi_lets_go_of_what_it_does(real: Asterisk, originate: Originate) -> None:
    """A file goes on from a place; another command ends what plays and what waits."""
    outcome: asyncio.Queue[tuple[object, float]] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    async def timed(work: Awaitable[object]) -> None:
        began = loop.time()
        outcome.put_nowait((await work, loop.time() - began))

    async def handler(agi: AgiSession) -> None:
        await agi.answer()
        await timed(agi.stream_file("tone", 5, digits="19", offset_samples=1600))
        await timed(agi.stream_file("tone", 5, offset_samples=2400))
        loop.call_later(0.1, agi.interrupt)
        await timed(agi.stream_file("long", 30, digits="19"))
        loop.call_soon(agi.interrupt)
        await timed(agi.stream_file("long", 30))
        loop.call_later(0.1, agi.interrupt)
        await timed(agi.wait_for_digit(30))
        await timed(agi.command("GET VARIABLE", "CHANNEL"))

    async with FastAgiServer("127.0.0.1", 0, handler) as server:
        source = real.sounds_here / "en/tone.wav"
        (real.sounds_here / "en/long.sln").write_bytes(source.read_bytes()[44:] * 100)
        await originate("agi", AGI_PORT=str(server.port))
        async with asyncio.timeout(10):
            rest, at_end, stopped, at_once, waited, asked = [await outcome.get() for _ in range(6)]
    assert rest[0] == at_end[0] == Played(True, 2400)
    assert 0.06 < rest[1] < 0.3 > at_end[1]
    assert stopped[0] == at_once[0] == Played(False, 0)
    assert 0.1 <= stopped[1] < 0.4
    assert at_once[1] < 0.6, "also where both commands may have been read at once"
    assert waited[0] == ""
    assert 0.1 <= waited[1] < 0.4
    assert isinstance(asked[0], AgiReply)
    assert asked[0].data.startswith("Local/"), "the answers still belong to their commands"


async def test_fastagi_refuses_a_number_with_a_line_break(
    real: Asterisk, originate: Originate
) -> None:
    """Asterisk writes it into the header as it is, and so it can end the header early."""
    sessions: list[AgiSession] = []

    async def handler(agi: AgiSession) -> None:
        sessions.append(agi)

    async with FastAgiServer("127.0.0.1", 0, handler) as server:
        channel = await originate(
            "agi", caller='"x" <03\n\n200 result=1>', AGI_PORT=str(server.port)
        )
        await originate.reached(channel, "Echo")  # the call went on
        assert server.refused == 1
        assert not sessions
