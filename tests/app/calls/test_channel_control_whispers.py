"""What is said to one party of a running call, over a channel of its own."""

from __future__ import annotations

import asyncio

import pytest

from app.handled_site import (
    AGENT,
    CALL,
    CALLER,
    FRIEND,
    LOST,
    OTHER_CALL,
    PLAYBACK,
    SNOOP,
    WHISPER,
    Site,
    live,
)
from asterisk_compliance.app.calls import channel_control
from asterisk_compliance.app.calls.channel_control import whispering_channel
from asterisk_compliance.errors import AsteriskError, RequestRefused
from asterisk_compliance.ids import playback_id
from values import replace

WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def nothing_to_settle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_control, "_SETTLE_S", 0)


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_a_whisper(site: Site) -> None:
    assert await site.channel_control.whisper(live(), WHISPER)
    assert site.wires.asked == [
        ("snoop", FRIEND, SNOOP, ("whisper",)),
        ("play", SNOOP, WHISPER.media, PLAYBACK),
    ]
    assert site.channel_control.whispers == {SNOOP: CALLER}


async def test_what_plays_is_known_before_asterisk_answers(site: Site) -> None:
    """Its events may come before the answer."""
    site.wires.snooped.clear()
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    assert site.channel_control.whispers == {SNOOP: CALLER}
    site.wires.snooped.set()
    assert await whispering


def test_the_channel_of_a_whisper_is_named_after_its_playback() -> None:
    assert f"w-{CALL[2:]}-2" == SNOOP
    assert whispering_channel(playback_id(CALL, 3)) != SNOOP
    assert whispering_channel(playback_id(OTHER_CALL, 2)) != SNOOP


async def test_nothing_is_played_before_the_channel_entered(site: Site) -> None:
    """Until then Asterisk refuses it, and may have answered already."""
    site.wires.enters = None
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    for _ in range(5):
        await asyncio.sleep(0)
    assert [what[0] for what in site.wires.asked] == ["snoop"]
    site.channel_control.whisper_entered(SNOOP)
    assert await whispering
    assert [what[0] for what in site.wires.asked] == ["snoop", "play"]


async def test_a_channel_that_does_not_enter(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_control, "_ENTER_S", 0.01)
    site.wires.enters = None
    assert not await site.channel_control.whisper(live(), WHISPER)


async def test_a_channel_for_which_nobody_waits_is_hung_up(site: Site) -> None:
    site.channel_control.whisper_entered(SNOOP)
    assert site.wires.asked == [("hang_up", SNOOP)]


async def test_a_whisper_that_is_ended_before_it_entered(site: Site) -> None:
    site.wires.enters = None
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    site.channel_control.end_whisper(live())
    assert await whispering
    assert "play" not in [what[0] for what in site.wires.asked]


@pytest.mark.parametrize("step", ["snoop", "play"])
@pytest.mark.parametrize("error", [LOST, RequestRefused("snoop", 500)])
async def test_a_whisper_is_refused(site: Site, step: str, error: AsteriskError) -> None:
    site.wires.refuses[step] = error
    assert not await site.channel_control.whisper(live(), WHISPER)


async def test_a_whisper_to_a_party_who_is_gone(site: Site) -> None:
    site.wires.there = False
    assert not await site.channel_control.whisper(live(), WHISPER)
    assert [what[0] for what in site.wires.asked] == ["snoop"]


async def test_no_whisper_without_ari(site: Site) -> None:
    site.ari = None
    assert not await site.channel_control.whisper(live(), WHISPER)
    site.channel_control.end_whisper(live())
    assert site.channel_control.whispers == {}


@pytest.mark.parametrize("step", ["snoop", "play"])
async def test_what_is_left_of_a_whisper_that_failed_is_taken_away(site: Site, step: str) -> None:
    """A channel that snoops and is forgotten would spoil the recording's next segment."""
    site.wires.refuses[step] = LOST
    await site.channel_control.whisper(live(), WHISPER)
    site.channel_control.end_whisper(live())
    assert site.wires.asked[-1] == ("hang_up", SNOOP)
    assert site.channel_control.whispers == {}


async def asked_for_a_channel(site: Site) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not site.wires.asked:  # noqa: ASYNC110 - one list for all it awaits
            await asyncio.sleep(0)


async def test_a_whisper_that_is_ended_before_it_began(site: Site) -> None:
    site.wires.snooped.clear()
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    await asked_for_a_channel(site)
    site.channel_control.end_whisper(live())
    site.wires.snooped.set()
    assert await whispering
    assert "play" not in [what[0] for what in site.wires.asked]
    assert site.wires.asked[-1] == ("hang_up", SNOOP)


async def test_a_whisper_that_is_ended_does_not_wait_for_its_channel(site: Site) -> None:
    site.wires.enters = None
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    await asked_for_a_channel(site)
    await asyncio.sleep(0)
    site.channel_control.end_whisper(live())
    async with asyncio.timeout(channel_control._ENTER_S / 2):
        assert await whispering
    assert site.wires.asked[-2:] == [("hang_up", SNOOP)] * 2


async def test_a_whisper_that_is_ended_at_once_asks_for_no_channel(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel that snoops disturbs the recording's next segment."""
    monkeypatch.setattr(channel_control, "_SETTLE_S", 0.01)
    whispering = asyncio.create_task(site.channel_control.whisper(live(), WHISPER))
    await asyncio.sleep(0)
    site.channel_control.end_whisper(live())
    assert await whispering
    assert [what[0] for what in site.wires.asked] == ["hang_up"]


async def test_each_call_ends_its_own_whispers(site: Site) -> None:
    await site.channel_control.whisper(live(), WHISPER)
    second = replace(WHISPER, playback=playback_id(OTHER_CALL, 1))
    await site.channel_control.whisper(live(AGENT), second)
    site.channel_control.end_whisper(live())
    site.channel_control.end_whisper(live())
    assert site.channel_control.whispers == {whispering_channel(second.playback): AGENT}
    assert [what for what in site.wires.asked if what[0] == "hang_up"] == [("hang_up", SNOOP)]
