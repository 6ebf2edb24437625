"""After somebody was away, all that is known of bridges is what ARI says now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from app.followed_site import AGENT, CALLER, FRIEND, NAMES, ONE, TWO, Site
from asterisk_compliance.asterisk.ari.events import AriCaller, Channel, DialplanPlace
from asterisk_compliance.asterisk.ari.requests import Bridge
from asterisk_compliance.domain.call.events import Bridged, CompanyChanged, TransferSeen, Unbridged
from asterisk_compliance.domain.call.participants import Participant
from asterisk_compliance.ids import ChannelId


@pytest.fixture
async def site() -> Site:
    return Site()


def channels(*those: ChannelId) -> dict[ChannelId, Channel]:
    return {one: channel(one) for one in those}


def channel(one: ChannelId) -> Channel:
    place = DialplanPlace(context="office", exten="7", priority=1, app_name="Dial")
    return Channel(
        id=one,
        name=NAMES[one],
        state="Up",
        caller=AriCaller(name="", number=""),
        dialplan=place,
        language="ja",
        created=datetime(2026, 12, 1, tzinfo=UTC),
    )


def refresh(site: Site, *bridges: Bridge) -> None:
    there = channels(*(one for bridge in bridges for one in bridge.channels))
    site.legs.refresh(bridges, there, 1_000, hearing=site.legs.hearing)


async def test_a_call_is_told_who_is_there_though_nothing_changed(site: Site) -> None:
    """It has been told that nothing is certain."""
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    refresh(site, Bridge("b1", (CALLER, AGENT), "basic"))
    assert caller.heard[-2:] == [Bridged(1_000), CompanyChanged(1_000, (Participant(AGENT),))]


async def test_who_came_and_who_left_meanwhile(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    refresh(site, Bridge("b2", (CALLER, FRIEND), "base"))
    assert site.companies(CALLER)[-1] == {FRIEND}
    told = site.calls[CALLER].heard[-1]
    assert isinstance(told, CompanyChanged)
    assert not told.two_party


async def test_a_call_that_is_in_no_bridge_any_more(site: Site) -> None:
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    refresh(site)
    assert caller.heard[-2:] == [Unbridged(1_000), CompanyChanged(1_000, (), two_party=False)]


async def test_waiting_together_is_no_company(site: Site) -> None:
    site.live(CALLER)
    refresh(site, Bridge("lot", (CALLER, FRIEND), "holding"))
    assert site.companies(CALLER) == [set()]


async def test_local_channels_are_known_by_their_names(site: Site) -> None:
    site.live(CALLER)
    refresh(site, Bridge("b1", (CALLER, ONE), "basic"), Bridge("b2", (TWO, AGENT), "basic"))
    assert site.companies(CALLER) == [{AGENT}]


async def test_what_is_gone_is_forgotten(site: Site) -> None:
    site.live(CALLER)
    site.legs.joined_halves(ONE, TWO)
    site.enters("b1", CALLER, ONE)
    site.enters("b2", TWO, AGENT)
    for gone in (ONE, TWO, AGENT):
        site.leaves_in_truth(gone)
    refresh(site, Bridge("b1", (CALLER,), "basic"))
    assert site.companies(CALLER)[-1] == set()
    site.enters("b1", FRIEND)
    await site.settled()
    assert site.companies(CALLER)[-1] == {FRIEND}
    assert site.forged() == []


async def test_the_first_party_after_somebody_was_away_is_told_at_once(site: Site) -> None:
    """He may be gone before ARI confirms him, and nothing mutes before the first one."""
    caller = site.live(CALLER)
    refresh(site)
    site.enters("b1", FRIEND, CALLER)
    site.leaves(FRIEND)
    await site.settled()
    assert site.companies(CALLER) == [set(), {FRIEND}, set()]
    assert [one for one in caller.heard if isinstance(one, TransferSeen)] == []


async def test_who_is_in_a_bridge_and_no_channel_is_not_there(site: Site) -> None:
    """Two answers, and a hang-up between them."""
    site.live(CALLER)
    bridge = Bridge("b1", (CALLER, AGENT), "basic")
    site.legs.refresh([bridge], channels(CALLER), 1_000, hearing=site.legs.hearing)
    assert site.companies(CALLER) == [set()]
