"""A forged AMI event neither brings a party nor takes one away; it mutes for a moment.

Who leaves lifts a mute, so that no caller may say it of anybody: neither by a leaving, nor by an
entry elsewhere, nor by a hang-up.
"""

from __future__ import annotations

import asyncio

import pytest

from app.followed_site import AGENT, CALLEE, CALLER, FRIEND, ONE, TWO, Site
from asterisk_compliance.app.calls import leg_tracking as module
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.events import Bridged, TransferSeen, Unbridged
from asterisk_compliance.ids import ChannelId


@pytest.fixture(autouse=True)
def short_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AMI_LAG_S", 0.01)


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_a_newcomer_who_is_not_there_is_found(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.said(FRIEND, "b1")
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT}], "the second time to end the mute"
    assert site.rows == [(Kind.ANOMALY, {"code": "BRIDGE_FORGED", "channel": FRIEND})]


async def test_a_leaver_who_is_still_there_is_found(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.said_left(FRIEND)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.forged() == [FRIEND]
    site.leaves(FRIEND)
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT}


@pytest.mark.parametrize("kind", ["basic", "holding", "parking"])
async def test_an_entry_elsewhere_does_not_take_a_party_away(site: Site, kind: str) -> None:
    """It is a leaving in disguise."""
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.said(FRIEND, "b2", kind)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.forged() == [FRIEND]


@pytest.mark.parametrize("kind", ["basic", "holding"])
async def test_an_entry_elsewhere_does_not_take_our_call_away(site: Site, kind: str) -> None:
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.said(CALLER, "b2", kind)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.forged() == [CALLER]
    assert isinstance(caller.heard[-1], Bridged)


async def test_our_call_that_seemed_to_leave_has_been_bridged_all_the_time(site: Site) -> None:
    """Else the clock of its file would stand still, and a blank would lie in the wrong place."""
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.said_left(CALLER)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}]
    assert caller.heard[-2:] == [Unbridged(30), Bridged(30)]
    assert site.forged() == [CALLER]


async def test_a_hangup_does_not_take_a_party_away(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.legs.gone(FRIEND)
    site.enters("b2", CALLEE)
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT, FRIEND}
    assert site.forged() == [FRIEND]


async def test_a_hangup_does_not_part_a_local_channel(site: Site) -> None:
    site.live(CALLER)
    site.legs.joined_halves(ONE, TWO)
    site.enters("b1", CALLER, ONE)
    site.enters("b2", TWO, AGENT)
    site.legs.gone(TWO)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}]
    assert site.forged() == [TWO]


async def test_what_ami_tells_a_little_later_is_not_forged(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.truth.where["b1"].append(CALLEE)
    site.enters("b1", FRIEND)
    site.leaves_in_truth(AGENT)
    await asyncio.sleep(0)
    site.said(CALLEE, "b1")
    site.said_left(AGENT)
    await site.settled()
    assert site.companies(CALLER)[-1] == {FRIEND, CALLEE}
    assert site.forged() == []


async def test_who_is_gone_meanwhile_is_not_put_back(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.said_left(FRIEND)

    async def gone(channel: ChannelId) -> None:
        return None

    site.truth.channel = gone  # type: ignore[method-assign]
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT}
    assert site.forged() == []


async def test_a_forged_transfer_mutes_for_a_moment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody left: the call is told again who is there."""
    monkeypatch.setattr(module, "_TRANSFER_S", 0.01)
    call = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.legs.transfer_seen("b1", 50)
    assert call.heard[-1] == TransferSeen(50)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT}]


async def test_a_true_transfer_is_told_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TRANSFER_S", 0.01)
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.legs.transfer_seen("b1", 50)
    site.leaves(AGENT, CALLER)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, set()]


async def test_who_is_in_a_bridge_dials_nobody(site: Site) -> None:
    call = site.live(CALLER)
    site.legs.dial_began(CALLER, 5)
    assert call.heard == [TransferSeen(5)]
    site.enters("b1", CALLER, AGENT)
    site.legs.dial_began(CALLER, 50)
    assert TransferSeen(50) not in call.heard
