"""What AMI tells late may have happened at any time since it was last known to tell all."""

from __future__ import annotations

import pytest

from app.followed_site import AGENT, CALLER, FRIEND, Site
from asterisk_compliance.app.calls import leg_tracking as module
from asterisk_compliance.app.calls.leg_tracking import STOOD_STILL_MS
from asterisk_compliance.domain.call.events import (
    Bridged,
    CompanyChanged,
    LookedAway,
    TransferSeen,
)
from asterisk_compliance.domain.call.participants import Participant

NOW_MS = 5_000


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(module, "monotonic_ms", lambda: NOW_MS)
    monkeypatch.setattr(module, "_TRANSFER_S", 0.0)
    return Site()


def late(site: Site, told_ms: int) -> None:
    assert site.ami is not None
    site.ami.told_s = told_ms / 1_000


async def test_the_first_party_may_have_come_long_ago(site: Site) -> None:
    call = site.live(CALLER)
    site.enters("b1", CALLER)
    late(site, 8)
    site.enters("b1", AGENT)
    assert call.heard == [Bridged(10), LookedAway(8), CompanyChanged(20, (Participant(AGENT),))]


async def test_a_newcomer_may_have_come_long_ago(site: Site) -> None:
    call = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    late(site, 8)
    site.enters("b1", FRIEND)
    assert call.heard[2:] == [TransferSeen(8)]
    await site.settled()
    both = CompanyChanged(30, (Participant(AGENT), Participant(FRIEND)))
    assert call.heard[3:] == [LookedAway(8), both]


async def test_a_transfer_may_have_been_long_ago(site: Site) -> None:
    call = site.live(CALLER)
    late(site, 8)
    site.legs.dial_began(CALLER, 1_000)
    late(site, 2_000)
    site.enters("b1", CALLER, AGENT)
    site.legs.transfer_seen("b1", 3_000)
    seen = [one for one in call.heard if isinstance(one, TransferSeen)]
    assert seen == [TransferSeen(8), TransferSeen(2_000)]
    await site.settled()


@pytest.mark.parametrize("bridged", [True, False])
async def test_a_hang_up_may_have_been_long_ago(site: Site, bridged: bool) -> None:
    call, other = site.live(CALLER), site.live(FRIEND)
    if bridged:
        site.enters("b1", CALLER, AGENT)
    before = len(call.heard)
    late(site, 400)
    site.legs.gone(CALLER)
    assert call.heard[before:] == [LookedAway(400)]
    assert other.heard == []
    await site.settled()


async def test_of_what_is_told_in_time_nothing_is_older(site: Site) -> None:
    call = site.live(CALLER)
    site.legs.dial_began(CALLER, 5)
    site.enters("b1", CALLER, AGENT, FRIEND)
    site.legs.transfer_seen("b1", 50)
    await site.settled()
    site.leaves(CALLER)
    site.legs.gone(CALLER)
    await site.settled()
    assert not [one for one in call.heard if isinstance(one, LookedAway)]
    transfers = [one.at_ms for one in call.heard if isinstance(one, TransferSeen)]
    assert transfers == [5, 30, 50]


async def test_what_was_told_later_than_it_happened_is_not_younger(site: Site) -> None:
    """It was in time again when somebody looked at what had been told before."""
    call = site.live(CALLER)
    late(site, 900)
    site.legs.dial_began(CALLER, 400)
    assert call.heard == [TransferSeen(400)]


@pytest.mark.parametrize(("awake_ms", "earliest_ms"), [(1_500, 1_500), (2_500, 2_000)])
async def test_who_stood_still_too_takes_the_earlier_moment(
    site: Site, awake_ms: int, earliest_ms: int
) -> None:
    call = site.live(CALLER)
    site.legs.awake_ms = awake_ms
    late(site, 2_000)
    site.legs.dial_began(CALLER, 2_600 + STOOD_STILL_MS)
    assert call.heard == [TransferSeen(earliest_ms)]


@pytest.mark.parametrize(
    ("told_ms", "awake_ms", "since_ms"),
    [
        (None, None, NOW_MS),
        (None, 4_000, 4_000),
        (3_000, None, 3_000),
        (3_000, 4_000, 3_000),
        (4_500, 4_000, 4_000),
    ],
)
async def test_blind_is_who_was_told_all_until_then(
    site: Site, told_ms: int | None, awake_ms: int | None, since_ms: int
) -> None:
    call = site.live(CALLER)
    site.legs.awake_ms = awake_ms
    if told_ms is not None:
        late(site, told_ms)
    assert site.legs.lost() == NOW_MS - since_ms
    assert call.heard == [LookedAway(since_ms, blind=True)]
    assert (site.legs.blind_since_ms, site.legs.away_since_ms) == (since_ms, since_ms)


async def test_who_hears_late_says_so_as_long_as_ami_is_there(site: Site) -> None:
    """Since when AMI is not there has a row; other Asterisks are still heard in time."""
    assert site.legs.hears_in_time
    late(site, NOW_MS - 1)
    assert not site.legs.hears_in_time
    assert site.ami is not None
    site.ami.connected = False
    assert site.legs.hears_in_time
    site.ami.connected = True
    late(site, NOW_MS)
    site.legs.awake_ms = NOW_MS - STOOD_STILL_MS - 1
    assert not site.legs.hears_in_time


async def test_the_end_that_another_wire_tells_may_have_been_in_other_company(site: Site) -> None:
    call = site.live(CALLER)
    site.legs.end_seen_on_other_wire(CALLER, NOW_MS)
    assert call.heard == []
    late(site, 3_000)
    site.legs.end_seen_on_other_wire(CALLER, NOW_MS)
    assert call.heard == [LookedAway(3_000, blind=True)]
