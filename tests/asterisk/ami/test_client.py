"""The AMI client against a server that speaks recorded answers, and misbehaves on demand."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from jinja2 import Template

from asterisk_compliance.asterisk.ami import client as module
from asterisk_compliance.asterisk.ami import events as ami_events
from asterisk_compliance.asterisk.ami.client import AmiAddress, AmiClient, AmiLimits
from asterisk_compliance.asterisk.ami.events import BridgeEnter, Hangup, MixMonitorStart
from asterisk_compliance.asterisk.ami.protocol import LONGEST_LINE_BYTES, checked
from asterisk_compliance.asterisk.backoff import Backoff
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId
from lab.asterisk_conf import AMI_EVENTS

CHANNEL = ChannelId("1795509944.2")
QUICK_BACKOFF = Backoff(0.001, 0.01)
QUICK = AmiLimits(2, 2, 5, 2, QUICK_BACKOFF, QUICK_BACKOFF)
SECRET = "correct horse battery staple"


def client(server: Any, ear: Any, limits: AmiLimits = QUICK) -> AmiClient:
    return AmiClient(AmiAddress("127.0.0.1", server.port, "user", SECRET), ear, limits)


async def test_events_are_values_however_the_bytes_arrive(
    scripted_ami: Any, ear: Any, running: Any, fixture: Any
) -> None:
    ami = client(scripted_ami, ear)
    async with running(ami):
        assert await ear.next("connected") == ("connected", "11.0.0")
        for byte in fixture("ami_Hangup.txt"):
            scripted_ami.send(bytes([byte]))
            await asyncio.sleep(0)
        assert await ear.next(Hangup) == Hangup(ChannelId("1795509944.1"), "1795509944.1", 16)
        names = ("BridgeEnter", "BridgeLeave", "MixMonitorStart", "MixMonitorStop")
        scripted_ami.send(b"".join(fixture(f"ami_{name}.txt") for name in names))
        entered = await ear.next(BridgeEnter)
        assert entered.linkedid == "1795509944.1"
        assert len(entered.bridge) == 36
        left = await ear.next(ami_events.BridgeLeave)
        assert left.members < 2
        assert await ear.next(MixMonitorStart) == MixMonitorStart(CHANNEL, "1795509944.1")
        await ear.next(ami_events.MixMonitorStop)
        scripted_ami.send(fixture("ami_MixMonitorMute.txt"))
        muted = await ear.next(ami_events.MixMonitorMute)
        assert (muted.direction, muted.muted) == ("both", True)
        scripted_ami.send(b"Event: Newchannel\r\nUniqueid: 1\r\n\r\n")
        scripted_ami.send(b"Event: Hangup\r\nUniqueid: 1\r\nLinkedid: 1\r\nCause: x\r\n\r\n")
        assert "Cause is no number" in (await ear.next("malformed"))[1]
        assert ami.ignored == {"Newchannel": 1}


@pytest.mark.parametrize("bad", ["a\r\nAction: Originate", "a\nb", "a\rb", "a\0b", "x" * 2000])
async def test_a_value_that_could_leave_its_line_is_refused_before_it_is_sent(
    scripted_ami: Any, ear: Any, running: Any, bad: str
) -> None:
    ami = client(scripted_ami, ear)
    async with running(ami):
        await ear.next("connected")
        for attempt in (
            lambda: ami.setvar(CHANNEL, "NAME", bad),
            lambda: ami.setvar(CHANNEL, bad, "value"),
            lambda: ami.setvar(ChannelId(bad), "NAME", "value"),
            lambda: ami.stop_mixmonitor(CHANNEL, bad),
            lambda: ami.mute(CHANNEL, bad, "both", muted=True),
            lambda: ami.play_dtmf(CHANNEL, bad, receive=True, duration_ms=80),
            lambda: ami.play_dtmf(ChannelId(bad), "D", receive=True, duration_ms=80),
            lambda: ami.redirect(CHANNEL, bad, "s", 1),
            lambda: ami.redirect(CHANNEL, "lab", bad, 1),
            lambda: ami.redirect(ChannelId(bad), "lab", "s", 1),
        ):
            with pytest.raises(ValueError) as caught:
                await attempt()
            assert bad not in str(caught.value)
        await ami.setvar(CHANNEL, "NAME", 'a,b "c" ${D} あ')
    assert scripted_ami.actions == ["Login", "Setvar"]
    assert 'Value: a,b "c" ${D} あ'.encode() in scripted_ami.lines


async def test_keys_and_places_are_what_asterisk_takes(
    scripted_ami: Any, ear: Any, running: Any
) -> None:
    ami = client(scripted_ami, ear)
    async with running(ami):
        await ear.next("connected")
        for digit in ("", "DD", "E", "d", "w", "5\n", "５"):
            with pytest.raises(ValueError, match="not a digit"):
                await ami.play_dtmf(CHANNEL, digit, receive=True, duration_ms=80)
        for duration_ms in (0, -1, 5001):
            with pytest.raises(ValueError, match="1 to 5000 ms"):
                await ami.play_dtmf(CHANNEL, "D", receive=True, duration_ms=duration_ms)
        for context, exten, priority in (
            ("", "s", 1),
            ("lab", "", 1),
            ("lab", "s", 0),
            ("lab", "s\n", 1),
            ("lab,s", "1", 1),
            ("lab", "${EXTEN}", 1),
            ("あ", "s", 1),
            ("x" * 80, "s", 1),
        ):
            with pytest.raises(ValueError, match="not a context"):
                await ami.redirect(CHANNEL, context, exten, priority)
        assert scripted_ami.actions == ["Login"]
        await ami.play_dtmf(CHANNEL, "D", receive=True, duration_ms=80)
        sent = {b"Digit: D", b"Duration: 80", b"Receive: true", f"Channel: {CHANNEL}".encode()}
        assert sent <= set(scripted_ami.lines)
        await ami.play_dtmf(CHANNEL, "#", receive=False, duration_ms=5000)
        assert {b"Digit: #", b"Receive: false"} <= set(scripted_ami.lines)
        await ami.redirect(CHANNEL, "x" * 79, "Exten-1_2", 3)
        place = {b"Context: " + b"x" * 79, b"Exten: Exten-1_2", b"Priority: 3"}
        assert place <= set(scripted_ami.lines)
    assert scripted_ami.actions == ["Login", "PlayDTMF", "PlayDTMF", "Redirect"]
    assert b"Events: call,user" in scripted_ami.lines


def test_the_documented_user_is_the_one_of_the_lab() -> None:
    tests = Path(__file__).parents[2]
    template = Template((tests / "lab/conf/manager.conf").read_text())
    rendered = template.render(
        ami_user="compliance", ami_events=AMI_EVENTS, advanced_eventfilter=True, ports={}
    )
    page = (tests.parent / "docs/wiring.md").read_text()
    ours, documented = (
        [line.strip() for line in text[text.index("read = ") :].partition("\n\n")[0].split("\n")]
        for text in (rendered, page.partition("`manager.conf`.")[2])
    )
    assert documented[:2] == ["read = call,user", "write = call"]
    assert documented == ours
    assert len(documented) == 2 + len(AMI_EVENTS) + 1
    assert {*AMI_EVENTS, "UserEvent"} == set(ami_events._READERS)


@pytest.mark.parametrize("name", ["", "A b", "A:b", "A\r\nB", "é", "1"])
def test_header_names_are_names(name: str) -> None:
    with pytest.raises(ValueError, match="name is made of"):
        checked({name: "value"})
    limit = "x" * (LONGEST_LINE_BYTES - 3)
    assert checked({"A": limit})
    with pytest.raises(ValueError, match="longer than"):
        checked({"A": limit + "x"})


@pytest.mark.parametrize("empty", ["", " "])
async def test_an_empty_mixmonitor_id_would_mean_all_of_them(
    scripted_ami: Any, ear: Any, running: Any, empty: str
) -> None:
    ami = client(scripted_ami, ear)
    async with running(ami):
        await ear.next("connected")
        with pytest.raises(ValueError, match="all of them"):
            await ami.stop_mixmonitor(CHANNEL, empty)
        with pytest.raises(ValueError, match="all of them"):
            await ami.mute(CHANNEL, empty, "both", muted=True)
        with pytest.raises(ValueError, match="no channel"):
            await ami.stop_mixmonitor(ChannelId(""), "0x1")
        await ami.stop_mixmonitor(CHANNEL, "0x1")
        await ami.mute(CHANNEL, "0x1", "read", muted=False)
    assert scripted_ami.actions == ["Login", "StopMixMonitor", "MixMonitorMute"]
    assert {b"MixMonitorID: 0x1", b"Direction: read", b"State: 0"} <= set(scripted_ami.lines)


async def test_refusals_say_what_asterisk_said(scripted_ami: Any, ear: Any, running: Any) -> None:
    scripted_ami.answers |= {"Setvar": "ami_no_channel.txt", "StopMixMonitor": "ami_denied.txt"}
    ami = client(scripted_ami, ear)
    async with running(ami):
        await ear.next("connected")
        with pytest.raises(RequestRefused, match="Setvar: No such channel"):
            await ami.setvar(CHANNEL, "NAME", "value")
        with pytest.raises(RequestRefused, match="Permission denied") as caught:
            await ami.stop_mixmonitor(CHANNEL, "0x1")
        assert "write = call" in caught.value.hint


async def test_before_connect_every_action_is_unavailable(scripted_ami: Any, ear: Any) -> None:
    with pytest.raises(AsteriskUnavailable, match="not connected"):
        await client(scripted_ami, ear).setvar(CHANNEL, "NAME", "value")


async def test_a_drop_fails_all_pending_actions_at_once_and_none_is_sent_again(
    scripted_ami: Any, ear: Any, running: Any
) -> None:
    scripted_ami.deaf_to = {"Setvar"}
    ami = client(scripted_ami, ear, AmiLimits(2, 30, 30, 2, QUICK_BACKOFF))
    async with running(ami):
        await ear.next("connected")
        pending = [asyncio.create_task(ami.setvar(CHANNEL, "N", str(i))) for i in range(3)]
        for name in ("Login", "Setvar", "Setvar", "Setvar"):
            assert await asyncio.wait_for(scripted_ami.got.get(), 5) == name
        began = time.monotonic()
        scripted_ami.drop()
        for task in pending:
            with pytest.raises(AsteriskUnavailable, match="closed"):
                await task
        assert time.monotonic() - began < 5
        await ear.next("disconnected")
        await ear.next("connected")
        scripted_ami.deaf_to = set()
        await ami.stop_mixmonitor(CHANNEL, "0x1")
    assert scripted_ami.actions == ["Login", *["Setvar"] * 3, "Login", "StopMixMonitor"]


async def test_an_action_has_a_time_limit_and_its_late_answer_is_dropped(
    scripted_ami: Any, ear: Any, running: Any, fixture: Any
) -> None:
    scripted_ami.deaf_to = {"Setvar"}
    ami = client(scripted_ami, ear, AmiLimits(2, 0.1, 30, 2, QUICK_BACKOFF))
    async with running(ami):
        await ear.next("connected")
        with pytest.raises(AsteriskUnavailable, match="no answer to AMI Setvar in time"):
            await ami.setvar(CHANNEL, "NAME", "value")
        late = next(line for line in reversed(scripted_ami.lines) if b"ActionID" in line)
        scripted_ami.send(b"Response: Error\r\n" + late + b"\r\nMessage: late\r\n\r\n")
        await ami.stop_mixmonitor(CHANNEL, "0x1")
        assert ami._protocol is not None
        assert not ami._protocol._waiting
    assert scripted_ami.connections == 1
    await asyncio.wait_for(scripted_ami.ended.get(), 5)  # nothing is left behind


async def test_a_refused_login_is_told_once_with_a_hint_and_backs_off(
    scripted_ami: Any, ear: Any, running: Any
) -> None:
    scripted_ami.refuses_login = True
    ami = client(scripted_ami, ear)
    with structlog.testing.capture_logs() as logs:
        async with running(ami):
            _, why = await ear.next("login_failed")
            for _ in range(4):
                await asyncio.wait_for(scripted_ami.got.get(), 5)
            assert not ami.connected
            scripted_ami.refuses_login = False
            await ear.next("connected")
    assert "Authentication failed" in str(why)
    assert "manager.conf" in why.hint
    assert len(ear.told("login_failed")) == 1
    assert SECRET not in str(logs) + repr(ami.__dict__) + str(ear.heard)

    scripted_ami.refuses_login, scripted_ami.actions = True, []
    patient = AmiLimits(backoff=QUICK_BACKOFF, login_backoff=Backoff(60, 60))
    async with running(client(scripted_ami, ear, patient)):
        await ear.next("login_failed")
        await asyncio.sleep(0.1)
    assert len(scripted_ami.actions) == 1


async def test_a_ping_without_a_pong_ends_the_connection(
    scripted_ami: Any, ear: Any, running: Any
) -> None:
    ami = client(scripted_ami, ear, AmiLimits(2, 2, 0.02, 0.1, QUICK_BACKOFF))
    async with running(ami):
        await ear.next("connected")
        for name in ("Login", "Ping", "Ping"):
            assert await asyncio.wait_for(scripted_ami.got.get(), 5) == name
        assert scripted_ami.connections == 1
        scripted_ami.deaf_to = {"Ping"}
        _, why = await ear.next("disconnected")
        assert "no answer to AMI Ping" in str(why)
        scripted_ami.deaf_to = set()
        await ear.next("connected")


class Clock:
    """What the client takes for the monotonic clock."""

    now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


async def pinged(server: Any) -> None:
    """Asked once more: what was answered before has been read."""
    while await asyncio.wait_for(server.got.get(), 5) != "Ping":
        pass


async def test_all_was_told_until_the_last_ping_that_was_answered_in_time(
    scripted_ami: Any, ear: Any, running: Any, clock: Clock
) -> None:
    scripted_ami.slow_with = {"Ping"}
    ami = client(scripted_ami, ear, AmiLimits(2, 2, 0.01, 30, QUICK_BACKOFF))
    assert ami.told_until_s(99.0) == 99.0
    async with running(ami):
        await ear.next("connected")
        clock.now_s = 101.0
        await pinged(scripted_ami)
        clock.now_s = 101.1
        scripted_ami.answer()
        await pinged(scripted_ami)
        assert ami.told_until_s(101.2) == 101.2, "it may still be in time"
        assert ami.told_until_s(101.3) == 101.0
        assert ami.told_until_s(109.0) == 101.0
        clock.now_s = 109.0
        scripted_ami.answer()
        await pinged(scripted_ami)
        assert ami.told_until_s(109.1) == 101.0, "events come behind the answer"
        clock.now_s = 109.1
        scripted_ami.answer()
        await pinged(scripted_ami)
        assert ami.told_until_s(109.2) == 109.2
        assert ami.told_until_s(109.3) == 109.0
    assert scripted_ami.connections == 1


async def test_an_asterisk_that_always_answers_late_is_late_by_no_more_than_that(
    scripted_ami: Any, ear: Any, running: Any
) -> None:
    """What it answered late it had answered: it told all until it was asked."""
    scripted_ami.slow_with = {"Ping"}
    limits = AmiLimits(2, 2, 0.1, 30, QUICK_BACKOFF, late_s=0.02)
    ami = client(scripted_ami, ear, limits)
    async with running(ami):
        await ear.next("connected")
        began_s = time.monotonic()
        for _ in range(10):
            await pinged(scripted_ami)
            await asyncio.sleep(0.05)
            scripted_ami.answer()
        await pinged(scripted_ami)
        await asyncio.sleep(0.05)
        now_s = time.monotonic()
        assert now_s - ami.told_until_s(now_s) < (now_s - began_s) / 2


async def test_a_lost_connection_told_all_until_the_last_ping_that_was_answered_in_time(
    scripted_ami: Any, ear: Any, running: Any, clock: Clock
) -> None:
    scripted_ami.slow_with = {"Ping"}
    ami = client(scripted_ami, ear, AmiLimits(2, 2, 0.01, 0.5, Backoff(60, 60)))
    async with running(ami):
        await ear.next("connected")
        clock.now_s = 101.0
        await pinged(scripted_ami)
        clock.now_s = 101.1
        scripted_ami.answer()
        await pinged(scripted_ami)
        clock.now_s = 106.0
        await ear.next("disconnected")
        assert ami.told_until_s(106.0) == 101.0


async def test_what_a_new_connection_tells_is_new(
    scripted_ami: Any, ear: Any, running: Any, clock: Clock
) -> None:
    scripted_ami.slow_with = {"Ping"}
    ami = client(scripted_ami, ear, AmiLimits(2, 2, 0.01, 30, QUICK_BACKOFF))
    async with running(ami):
        await ear.next("connected")
        await pinged(scripted_ami)
        clock.now_s = 104.0
        assert ami.told_until_s(104.0) == 100.0
        scripted_ami.drop()
        await ear.next("connected")
        assert ami.told_until_s(104.0) == 104.0
        await pinged(scripted_ami)
        assert ami.told_until_s(104.1) == 104.1
        assert ami.told_until_s(109.0) == 104.0


async def test_a_message_without_an_end_ends_the_connection(
    scripted_ami: Any, ear: Any, running: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr("asterisk_compliance.asterisk.ami.protocol.LONGEST_MESSAGE_BYTES", 10_000)
    async with running(client(scripted_ami, ear)):
        await ear.next("connected")
        scripted_ami.send(b"x" * 20_000)
        _, why = await ear.next("disconnected")
        assert "without an end" in str(why)
        await ear.next("connected")


async def test_nobody_listening_has_a_hint(ear: Any, running: Any, unused_tcp_port: int) -> None:
    ami = AmiClient(AmiAddress("127.0.0.1", unused_tcp_port, "user", SECRET), ear, QUICK)
    async with running(ami):
        _, why = await ear.next("disconnected")
    assert "manager.conf" in why.hint


async def test_doubled_headers_are_told_and_end_nothing(
    scripted_ami: Any, ear: Any, running: Any, fixture: Any
) -> None:
    scripted_ami.deaf_to = {"Setvar"}
    ami = client(scripted_ami, ear)
    escaped: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: escaped.append(what))
    async with running(ami):
        await ear.next("connected")
        pending = asyncio.create_task(ami.setvar(CHANNEL, "NAME", "value"))
        while await asyncio.wait_for(scripted_ami.got.get(), 5) != "Setvar":
            pass
        mine = next(line for line in reversed(scripted_ami.lines) if b"ActionID" in line)
        scripted_ami.send(b"Response: Error\r\n" + mine + b"\r\nMessage: a\r\nMessage: b\r\n\r\n")
        with pytest.raises(RequestRefused):
            await pending
        hangup = fixture("ami_Hangup.txt")
        for forged in (b"Event: Newstate", b"ActionID: 1\r\nActionID: 2", b"Cause: 1"):
            scripted_ami.send(hangup.replace(b"0312345678", b"\r\n" + forged, 1))
        assert await ear.next("malformed") == ("malformed", "malformed AMI event: no Event")
        assert (await ear.next(Hangup)).cause == 16
        assert "Hangup: no Cause" in (await ear.next("malformed"))[1]
    assert not escaped
    assert not ear.told("disconnected")
    assert scripted_ami.connections == 1
