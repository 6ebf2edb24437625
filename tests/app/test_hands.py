"""What a call asks of its live channels, on connections that write down what they are asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from asterisk_compliance.app import hands
from asterisk_compliance.app.hands import Hands, whispering_channel
from asterisk_compliance.asterisk.ami import AmiClient
from asterisk_compliance.asterisk.ari import AriClient
from asterisk_compliance.domain.call_state import Call, Limits
from asterisk_compliance.domain.commands import CaptureOptions, Mute, Whisper
from asterisk_compliance.domain.company import Company, Peer
from asterisk_compliance.domain.decision import Status
from asterisk_compliance.domain.events import Entry
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, call_id, playback_id, recording_id

CALL = call_id(1_700_000_000_000, b"8 bytes!")
OTHER_CALL = call_id(1_700_000_000_000, b"8 other!")
CALLER, AGENT, FRIEND = (ChannelId(f"1700000000.{number}") for number in range(1, 4))
MONITOR = "0x7f00c0ffee"
RECORDING = recording_id(CALL, 2)
PLAYBACK = playback_id(CALL, 2)
SNOOP = whispering_channel(PLAYBACK)
WHISPER = Whisper(FRIEND, PLAYBACK, "sound:/prompts/ja/joined")
LOST, NO = AsteriskUnavailable("no connection"), RequestRefused("mute", 0, "Cannot set mute flag")


class Wires:
    """AMI and ARI of one Asterisk; ``asked`` has the requests of both, in their order."""

    connected = True

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refuses: dict[str, AsteriskError] = {}
        self.monitor: str | None = MONITOR
        self.there = True
        self.snooped = asyncio.Event()
        self.snooped.set()
        self.enters: Callable[[ChannelId], None] | None = None

    def _request(self, *what: object) -> None:
        self.asked.append(what)
        error = self.refuses.get(str(what[0]))
        if error is not None:
            raise error

    # AMI

    async def setvar(self, channel: ChannelId, name: str, value: str) -> None:
        self._request("setvar", channel, name, value)

    async def stop_mixmonitor(self, channel: ChannelId, monitor: str) -> None:
        self._request("stop", channel, monitor)

    async def mute(self, channel: ChannelId, monitor: str, direction: str, *, muted: bool) -> None:
        self._request("mute", channel, monitor, direction, muted)

    async def play_dtmf(
        self, channel: ChannelId, digit: str, *, receive: bool, duration_ms: int
    ) -> None:
        self._request("dtmf", channel, digit, receive, duration_ms)

    async def redirect(self, channel: ChannelId, context: str, exten: str) -> None:
        self._request("redirect", channel, context, exten)

    # ARI

    async def get_variable(self, channel: ChannelId, name: str) -> str | None:
        self._request("get_variable", channel, name)
        return self.monitor

    async def snoop(
        self, channel: ChannelId, snoop: ChannelId, args: Sequence[str]
    ) -> object | None:
        self._request("snoop", channel, snoop, tuple(args))
        await self.snooped.wait()
        if self.enters is not None:
            asyncio.get_running_loop().call_soon(self.enters, snoop)
        return object() if self.there else None

    async def play(self, channel: ChannelId, media: str, playback: str) -> None:
        self._request("play", channel, media, playback)

    def hang_up(self, channel: ChannelId) -> asyncio.Future[bool]:
        self.asked.append(("hang_up", channel))
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if "hang_up" in self.refuses:
            answer.set_exception(self.refuses["hang_up"])
        else:
            answer.set_result(True)
        return answer


class Site:
    """Hands with the connections of one Asterisk, which a test can take away."""

    def __init__(self) -> None:
        self.wires = Wires()
        self.ami: AmiClient | None = cast("AmiClient", self.wires)
        self.ari: AriClient | None = cast("AriClient", self.wires)
        self.hands = Hands(self)
        self.wires.enters = self.hands.whisper_entered
        self.running: list[asyncio.Task[None]] = []

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.running.append(asyncio.create_task(work))

    async def settled(self) -> None:
        await asyncio.gather(*self.running)

    @property
    def steered(self) -> list[tuple[object, ...]]:
        """What was asked beside the id of the MixMonitor."""
        return [what for what in self.wires.asked if what[0] != "get_variable"]


@pytest.fixture
async def site() -> Site:
    return Site()


def live(channel: ChannelId = CALLER) -> Call:
    return Call(CALL, channel, Entry.ARI, Limits(), 0)


# -- MixMonitor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mute", "asked"),
    [
        (Mute.ALL, [("both", True)]),
        (Mute.OTHERS, [("write", True), ("read", False)]),
        (Mute.NONE, [("both", False)]),
    ],
)
async def test_what_must_be_silent_is_muted_first(
    site: Site, mute: Mute, asked: list[tuple[str, bool]]
) -> None:
    assert await site.hands.set_mute(CALLER, mute)
    assert site.steered == [("mute", CALLER, MONITOR, *one) for one in asked]


async def test_the_running_monitor_is_stopped_by_its_id(site: Site) -> None:
    assert await site.hands.stop_capture(CALLER)
    assert site.wires.asked == [
        ("get_variable", CALLER, "COMPLIANCE_MMID"),
        ("stop", CALLER, MONITOR),
    ]


async def test_the_id_is_asked_for_each_time(site: Site) -> None:
    """A recording that began anew has another."""
    await site.hands.set_mute(CALLER, Mute.ALL)
    site.wires.monitor = "0x2"
    await site.hands.set_mute(CALLER, Mute.NONE)
    assert [what[2] for what in site.steered] == [MONITOR, "0x2"]


@pytest.mark.parametrize("monitor", [None, "", " "])
async def test_without_an_id_nothing_is_asked(site: Site, monitor: str | None) -> None:
    """Asterisk would take all of the channel's monitors, the site's own too."""
    site.wires.monitor = monitor
    assert not await site.hands.stop_capture(CALLER)
    for mute in Mute:
        assert not await site.hands.set_mute(CALLER, mute)
    assert site.steered == []


@pytest.mark.parametrize("wire", ["ami", "ari"])
async def test_steering_needs_both_wires(site: Site, wire: str) -> None:
    setattr(site, wire, None)
    assert not await site.hands.stop_capture(CALLER)
    assert not await site.hands.set_mute(CALLER, Mute.ALL)
    assert site.steered == []


@pytest.mark.parametrize("error", [LOST, NO])
async def test_asterisk_does_not_obey(site: Site, error: AsteriskError) -> None:
    site.wires.refuses = dict.fromkeys(["mute", "stop"], error)
    assert not await site.hands.stop_capture(CALLER)
    for mute in Mute:
        assert not await site.hands.set_mute(CALLER, mute)


async def test_the_id_cannot_be_asked_for(site: Site) -> None:
    site.wires.refuses["get_variable"] = LOST
    assert not await site.hands.set_mute(CALLER, Mute.ALL)
    assert site.steered == []


async def test_half_a_mute_is_none(site: Site) -> None:
    """The other half was asked for, so the direction that must be silent is."""
    calls: list[str] = []

    async def mute(channel: ChannelId, monitor: str, direction: str, *, muted: bool) -> None:
        calls.append(direction)
        if direction == "read":
            raise NO

    site.wires.mute = mute  # type: ignore[method-assign]
    assert not await site.hands.set_mute(CALLER, Mute.OTHERS)
    assert calls == ["write", "read"]


async def test_a_new_segment_is_named_before_the_key_is_pressed(site: Site) -> None:
    assert await site.hands.start_segment(CALLER, RECORDING, CaptureOptions(beep_s=15))
    assert site.wires.asked == [
        ("setvar", CALLER, "COMPLIANCE_SEGMENT", f"{RECORDING}-mbt15"),
        ("dtmf", CALLER, "D", True, 80),
    ]


@pytest.mark.parametrize("step", ["setvar", "dtmf"])
async def test_a_segment_that_cannot_be_begun(site: Site, step: str) -> None:
    site.wires.refuses[step] = NO
    assert not await site.hands.start_segment(CALLER, RECORDING, CaptureOptions())
    assert site.wires.asked[-1][0] == step


async def test_no_segment_without_ami(site: Site) -> None:
    site.ami = None
    assert not await site.hands.start_segment(CALLER, RECORDING, CaptureOptions())


async def test_a_segment_that_shall_not_begin_any_more(site: Site) -> None:
    site.hands.cancel_segment(CALLER)
    await site.settled()
    assert site.wires.asked == [("setvar", CALLER, "COMPLIANCE_SEGMENT", "")]


# -- whispers ------------------------------------------------------------------------------------


async def test_a_whisper(site: Site) -> None:
    assert await site.hands.whisper(live(), WHISPER)
    assert site.wires.asked == [
        ("snoop", FRIEND, SNOOP, ("whisper",)),
        ("play", SNOOP, WHISPER.media, PLAYBACK),
    ]
    assert site.hands.whispers == {SNOOP: CALLER}


async def test_what_plays_is_known_before_asterisk_answers(site: Site) -> None:
    """Its events may come before the answer."""
    site.wires.snooped.clear()
    whispering = asyncio.create_task(site.hands.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    assert site.hands.whispers == {SNOOP: CALLER}
    site.wires.snooped.set()
    assert await whispering


def test_the_channel_of_a_whisper_is_named_after_its_playback() -> None:
    assert f"w-{CALL[2:]}-2" == SNOOP
    assert whispering_channel(playback_id(CALL, 3)) != SNOOP
    assert whispering_channel(playback_id(OTHER_CALL, 2)) != SNOOP


async def test_nothing_is_played_before_the_channel_entered(site: Site) -> None:
    """Until then Asterisk refuses it, and may have answered already."""
    site.wires.enters = None
    whispering = asyncio.create_task(site.hands.whisper(live(), WHISPER))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [what[0] for what in site.wires.asked] == ["snoop"]
    site.hands.whisper_entered(SNOOP)
    assert await whispering
    assert [what[0] for what in site.wires.asked] == ["snoop", "play"]


async def test_a_channel_that_does_not_enter(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "_ENTER_S", 0.01)
    site.wires.enters = None
    assert not await site.hands.whisper(live(), WHISPER)


async def test_a_channel_for_which_nobody_waits_is_hung_up(site: Site) -> None:
    site.hands.whisper_entered(SNOOP)
    assert site.wires.asked == [("hang_up", SNOOP)]


async def test_a_whisper_that_is_ended_before_it_entered(site: Site) -> None:
    site.wires.enters = None
    whispering = asyncio.create_task(site.hands.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    site.hands.end_whisper(live())
    assert await whispering
    assert "play" not in [what[0] for what in site.wires.asked]


@pytest.mark.parametrize("step", ["snoop", "play"])
@pytest.mark.parametrize("error", [LOST, RequestRefused("snoop", 500)])
async def test_a_whisper_is_refused(site: Site, step: str, error: AsteriskError) -> None:
    site.wires.refuses[step] = error
    assert not await site.hands.whisper(live(), WHISPER)


async def test_a_whisper_to_a_party_who_is_gone(site: Site) -> None:
    site.wires.there = False
    assert not await site.hands.whisper(live(), WHISPER)
    assert [what[0] for what in site.wires.asked] == ["snoop"]


async def test_no_whisper_without_ari(site: Site) -> None:
    site.ari = None
    assert not await site.hands.whisper(live(), WHISPER)
    site.hands.end_whisper(live())
    assert site.hands.whispers == {}


@pytest.mark.parametrize("step", ["snoop", "play"])
async def test_what_is_left_of_a_whisper_that_failed_is_taken_away(site: Site, step: str) -> None:
    """A channel that snoops and is forgotten would spoil the recording's next segment."""
    site.wires.refuses[step] = LOST
    await site.hands.whisper(live(), WHISPER)
    site.hands.end_whisper(live())
    assert site.wires.asked[-1] == ("hang_up", SNOOP)
    assert site.hands.whispers == {}


async def test_a_whisper_that_is_ended_before_it_began(site: Site) -> None:
    site.wires.snooped.clear()
    whispering = asyncio.create_task(site.hands.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    site.hands.end_whisper(live())
    site.wires.snooped.set()
    assert await whispering
    assert "play" not in [what[0] for what in site.wires.asked]
    assert site.wires.asked[-1] == ("hang_up", SNOOP)


async def test_each_call_ends_its_own_whispers(site: Site) -> None:
    await site.hands.whisper(live(), WHISPER)
    second = replace(WHISPER, playback=playback_id(OTHER_CALL, 1))
    await site.hands.whisper(live(AGENT), second)
    site.hands.end_whisper(live())
    site.hands.end_whisper(live())
    assert site.hands.whispers == {whispering_channel(second.playback): AGENT}
    assert [what for what in site.wires.asked if what[0] == "hang_up"] == [("hang_up", SNOOP)]


# -- the call ------------------------------------------------------------------------------------


async def test_the_status_is_shown_to_the_dialplan_and_to_the_agent(site: Site) -> None:
    """Not to others who are there: it says something of the caller."""
    company = Company((Peer(AGENT), Peer(FRIEND)), controller=frozenset({AGENT, ChannelId("9.9")}))
    site.hands.announce(replace(live(), company=company), Status.PAUSED)
    await site.settled()
    assert site.wires.asked == [
        ("setvar", CALLER, "COMPLIANCE_STATUS", "PAUSED"),
        ("setvar", AGENT, "COMPLIANCE_SHOWN", "PAUSED"),
    ]


async def test_a_status_that_cannot_be_shown_harms_nobody(site: Site) -> None:
    site.wires.refuses["setvar"] = LOST
    site.hands.announce(live(), Status.RECORDING)
    await site.settled()
    assert len(site.wires.asked) == 1


async def test_nothing_is_shown_while_ami_is_away(site: Site) -> None:
    site.wires.connected = False
    site.hands.announce(live(), Status.RECORDING)
    site.ami = None
    site.hands.announce(live(), Status.RECORDING)
    site.hands.redirect(CALLER)
    await site.settled()
    assert site.wires.asked == []


async def test_another_way_in_the_dialplan(site: Site) -> None:
    site.hands.redirect(CALLER)
    await site.settled()
    assert site.wires.asked == [("redirect", CALLER, "compliance-alternative", "s")]
    site.wires.refuses["redirect"] = NO
    site.hands.redirect(CALLER)
    await site.settled()


async def test_a_hang_up(site: Site) -> None:
    site.hands.hang_up(CALLER)
    site.wires.refuses["hang_up"] = LOST
    site.hands.hang_up(AGENT)
    await asyncio.sleep(0)
    site.ari = None
    site.hands.hang_up(FRIEND)
    assert site.wires.asked == [("hang_up", CALLER), ("hang_up", AGENT)]
