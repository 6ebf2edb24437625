"""What a call asks of its live channels, on connections that write down what they are asked."""

from __future__ import annotations

import asyncio

import pytest

from app.handled_site import (
    AGENT,
    CALLER,
    FRIEND,
    LOST,
    MONITOR,
    NO,
    RECORDING,
    Site,
    live,
)
from asterisk_compliance.domain.call.commands import CaptureOptions, Mute
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant, Participants
from asterisk_compliance.errors import AsteriskError
from asterisk_compliance.ids import ChannelId
from values import replace


@pytest.fixture
async def site() -> Site:
    return Site()


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
    assert await site.channel_control.set_mute(CALLER, mute)
    assert site.steered == [("mute", CALLER, MONITOR, *one) for one in asked]


async def test_the_running_monitor_is_stopped_by_its_id(site: Site) -> None:
    assert await site.channel_control.stop_capture(CALLER)
    assert site.wires.asked == [
        ("get_variable", CALLER, "COMPLIANCE_MMID"),
        ("stop", CALLER, MONITOR),
    ]


async def test_the_id_is_asked_for_each_time(site: Site) -> None:
    """A recording that began anew has another."""
    await site.channel_control.set_mute(CALLER, Mute.ALL)
    site.wires.monitor = "0x2"
    await site.channel_control.set_mute(CALLER, Mute.NONE)
    assert [what[2] for what in site.steered] == [MONITOR, "0x2"]


@pytest.mark.parametrize("monitor", [None, "", " "])
async def test_without_an_id_nothing_is_asked(site: Site, monitor: str | None) -> None:
    """Asterisk would take all of the channel's monitors, the site's own too."""
    site.wires.monitor = monitor
    assert not await site.channel_control.stop_capture(CALLER)
    for mute in Mute:
        assert not await site.channel_control.set_mute(CALLER, mute)
    assert site.steered == []


@pytest.mark.parametrize("wire", ["ami", "ari"])
async def test_steering_needs_both_wires(site: Site, wire: str) -> None:
    setattr(site, wire, None)
    assert not await site.channel_control.stop_capture(CALLER)
    assert not await site.channel_control.set_mute(CALLER, Mute.ALL)
    assert site.steered == []


@pytest.mark.parametrize("error", [LOST, NO])
async def test_asterisk_does_not_obey(site: Site, error: AsteriskError) -> None:
    site.wires.refuses = dict.fromkeys(["mute", "stop"], error)
    assert not await site.channel_control.stop_capture(CALLER)
    for mute in Mute:
        assert not await site.channel_control.set_mute(CALLER, mute)


async def test_the_id_cannot_be_asked_for(site: Site) -> None:
    site.wires.refuses["get_variable"] = LOST
    assert not await site.channel_control.set_mute(CALLER, Mute.ALL)
    assert site.steered == []


async def test_half_a_mute_is_none(site: Site) -> None:
    """The other half was asked for, so the direction that must be silent is."""
    calls: list[str] = []

    async def mute(channel: ChannelId, monitor: str, direction: str, *, muted: bool) -> None:
        calls.append(direction)
        if direction == "read":
            raise NO

    site.wires.mute = mute  # type: ignore[method-assign]
    assert not await site.channel_control.set_mute(CALLER, Mute.OTHERS)
    assert calls == ["write", "read"]


@pytest.mark.parametrize(("synchronous", "together"), [(False, "S"), (True, "")])
async def test_a_new_segment_is_named_before_the_key_is_pressed(
    site: Site, synchronous: bool, together: str
) -> None:
    site.channel_control.synchronous = synchronous
    assert await site.channel_control.start_segment(CALLER, RECORDING, CaptureOptions(beep_s=15))
    assert site.wires.asked == [
        ("setvar", CALLER, "COMPLIANCE_SEGMENT", f"{RECORDING}-mbt{together}15"),
        ("dtmf", CALLER, "D", True, 80),
    ]


@pytest.mark.parametrize("step", ["setvar", "dtmf"])
async def test_a_segment_that_cannot_be_begun(site: Site, step: str) -> None:
    site.wires.refuses[step] = NO
    assert not await site.channel_control.start_segment(CALLER, RECORDING, CaptureOptions())
    assert site.wires.asked[-1][0] == step


async def test_no_segment_without_ami(site: Site) -> None:
    site.ami = None
    assert not await site.channel_control.start_segment(CALLER, RECORDING, CaptureOptions())


async def test_a_segment_that_shall_not_begin_any_more(site: Site) -> None:
    site.channel_control.cancel_segment(CALLER)
    await site.settled()
    assert site.wires.asked == [("setvar", CALLER, "COMPLIANCE_SEGMENT", "")]


# -- the call ------------------------------------------------------------------------------------


async def test_the_status_is_shown_to_the_dialplan_and_to_the_agent(site: Site) -> None:
    """Not to others who are there: it says something of the caller."""
    company = Participants(
        (Participant(AGENT), Participant(FRIEND)), controller=frozenset({AGENT, ChannelId("9.9")})
    )
    site.channel_control.announce(replace(live(), participants=company), Status.PAUSED)
    await site.settled()
    assert site.wires.asked == [
        ("setvar", CALLER, "COMPLIANCE_STATUS", "PAUSED"),
        ("setvar", AGENT, "COMPLIANCE_SHOWN", "PAUSED"),
    ]


async def test_somebody_outside_who_was_told_is_no_agent(site: Site) -> None:
    company = Participants((Participant(AGENT, CoverageBasis.TOLD),), controller=frozenset({AGENT}))
    site.channel_control.announce(replace(live(), participants=company), Status.PAUSED)
    await site.settled()
    assert site.wires.asked == [("setvar", CALLER, "COMPLIANCE_STATUS", "PAUSED")]


async def test_a_status_that_cannot_be_shown_harms_nobody(site: Site) -> None:
    site.wires.refuses["setvar"] = LOST
    site.channel_control.announce(live(), Status.RECORDING)
    await site.settled()
    assert len(site.wires.asked) == 1


async def test_nothing_is_shown_while_ami_is_away(site: Site) -> None:
    site.wires.connected = False
    site.channel_control.announce(live(), Status.RECORDING)
    site.ami = None
    site.channel_control.announce(live(), Status.RECORDING)
    site.channel_control.redirect(CALLER)
    await site.settled()
    assert site.wires.asked == []


async def test_another_way_in_the_dialplan(site: Site) -> None:
    site.channel_control.redirect(CALLER)
    await site.settled()
    assert site.wires.asked == [("redirect", CALLER, "compliance-alternative", "s")]
    site.wires.refuses["redirect"] = NO
    site.channel_control.redirect(CALLER)
    await site.settled()


async def test_a_hang_up(site: Site) -> None:
    site.channel_control.hang_up(CALLER)
    site.wires.refuses["hang_up"] = LOST
    site.channel_control.hang_up(AGENT)
    await asyncio.sleep(0)
    site.ari = None
    site.channel_control.hang_up(FRIEND)
    assert site.wires.asked == [("hang_up", CALLER), ("hang_up", AGENT)]
