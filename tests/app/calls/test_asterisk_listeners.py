"""What AMI tells of a channel's end is believed when ARI no longer shows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import MappingProxyType

import pytest

from app.recovered_site import CALLER, Asterisk, Site, running
from asterisk_compliance.app.calls import asterisk_listeners as ears
from asterisk_compliance.app.calls.asterisk_listeners import AmiEventRouter, AriEventRouter
from asterisk_compliance.asterisk.ami.events import Hangup
from asterisk_compliance.asterisk.ari.events import Channel, ChannelDestroyed
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call.commands import CaptureOptions, HandOver
from asterisk_compliance.domain.call.decision import Reason, Status
from asterisk_compliance.domain.call.events import ChannelGone, LookedAway
from asterisk_compliance.errors import AsteriskUnavailable
from asterisk_compliance.ids import ChannelId, call_id

HANGUP = Hangup(CALLER, CALLER, 16)
RECORDED = HandOver(
    call_id(1_700_000_000_000, b"8 bytes!"),
    Status.ALLOWED,
    Reason.NOTICE_COMPLETED,
    start=True,
    options=CaptureOptions(),
)
FORGED = {"code": "HANGUP_FORGED", "channel": CALLER}


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setattr(ears, "_SHOWN_STILL_S", (0.01, 0.02, 0.03))
    async with running(tmp_path) as site:
        yield site


def looked_at(asterisk: Asterisk, shown: int, monkeypatch: pytest.MonkeyPatch) -> list[ChannelId]:
    """Show the channel so many times; returns who is looked at."""
    looks: list[ChannelId] = []
    there = MappingProxyType(dict(asterisk.there))

    async def channel(channel: ChannelId) -> Channel | None:
        looks.append(channel)
        return there.get(channel) if len(looks) <= shown else None

    monkeypatch.setattr(asterisk, "channel", channel)
    return looks


@pytest.mark.parametrize("shown", range(4))
async def test_a_channel_that_ari_shows_a_moment_longer_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch, shown: int
) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    looks = looked_at(site.asterisk, shown, monkeypatch)
    AmiEventRouter(site.node).on_event(HANGUP, 12.5)
    await site.serving.until(lambda: told.heard != [])
    assert told.heard == [ChannelGone(12_500)]
    assert looks == [CALLER] * (shown + 1)
    assert site.serving.details("anomaly") == []


async def test_a_channel_that_ari_goes_on_to_show_was_not_hung_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    looks = looked_at(site.asterisk, 99, monkeypatch)
    AmiEventRouter(site.node).on_event(HANGUP, 12.5)
    await site.serving.until(lambda: site.serving.details("anomaly") == [FORGED])
    assert (told.heard, looks) == ([], [CALLER] * 4)


async def test_who_cannot_be_asked_again_does_not_say_that_the_channel_is_gone(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    looks: list[ChannelId] = []

    async def channel(channel: ChannelId) -> Channel | None:
        looks.append(channel)
        if len(looks) > 1:
            raise AsteriskUnavailable("gone")
        return site.asterisk.there[channel]

    monkeypatch.setattr(site.asterisk, "channel", channel)
    AmiEventRouter(site.node).on_event(HANGUP, 12.5)
    await site.serving.until(lambda: site.serving.details("anomaly") == [FORGED])
    assert (told.heard, len(looks)) == ([], 4)


async def test_a_call_that_ends_while_we_look_again_was_not_forged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.here(CALLER)
    site.asterisk.lives(CALLER)
    looks = looked_at(site.asterisk, 99, monkeypatch)
    AmiEventRouter(site.node).on_event(HANGUP, 12.5)
    await asyncio.sleep(0)
    del site.node.calls[CALLER]
    await site.serving.until(lambda: len(looks) == 4)
    site.node.row(Kind.ANOMALY, code="LATER")  # it comes behind any other
    await site.serving.until(lambda: site.serving.details("anomaly") != [])
    assert site.serving.details("anomaly") == [{"code": "LATER"}]


async def test_whom_ari_calls_gone_while_ami_is_late_may_have_had_company(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.told_s = 11.0
    site.asterisk.lives(CALLER)
    gone = ChannelDestroyed("compliance", "", site.asterisk.there[CALLER], 16)
    AriEventRouter(site.node).on_event(gone, 12.5)
    assert told.heard == [LookedAway(11_000, blind=True), ChannelGone(12_500)]


async def test_where_ari_cannot_be_asked_ami_is_believed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(channel: ChannelId) -> None:
        raise AsteriskUnavailable("gone")

    told = site.here(CALLER)
    monkeypatch.setattr(site.asterisk, "channel", refuses)
    AmiEventRouter(site.node).on_event(HANGUP, 12.5)
    await site.serving.until(lambda: told.heard == [ChannelGone(12_500)])


async def test_on_a_site_without_ari_ami_is_believed(tmp_path: Path) -> None:
    async with running(tmp_path, ari=False) as site:
        told = site.here(CALLER)
        AmiEventRouter(site.node).on_event(HANGUP, 13.5)
        await site.serving.until(lambda: told.heard == [ChannelGone(13_500)])


@pytest.mark.parametrize(
    ("version", "asked"), [("16.28.0", "S"), ("22.10.1", ""), ("unknown", "S"), (None, "S")]
)
async def test_mixmonitor_is_asked_to_keep_the_directions_together_where_it_may_not(
    site: Site, version: str | None, asked: str
) -> None:
    if version is not None:
        AriEventRouter(site.node).on_connected("websocket", version)
    assert site.node.encode(RECORDED).rpartition(",")[2] == f"mbt{asked}"
