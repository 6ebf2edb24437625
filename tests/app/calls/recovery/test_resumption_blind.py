"""Nobody told us of bridges: every call knows it, and so does the next life."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest import mock

import pytest

from app.followed_site import Task
from app.recovered_site import CALLER, Site, running
from asterisk_compliance.app.calls import leg_tracking
from asterisk_compliance.app.calls.recovery import liveness as alive
from asterisk_compliance.app.calls.recovery import resumption as recovery
from asterisk_compliance.app.calls.recovery.resumption import _blind_since, _Told
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.encoding import Row
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.domain.call.events import CompanyChanged, LookedAway


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as site:
        yield site


async def test_while_ami_is_away_nobody_looks_but_when_we_ask(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def recovered(at_ms: int) -> None:
        monkeypatch.setattr(alive, "monotonic_ms", lambda: at_ms)
        await site.node.recover()

    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    monkeypatch.setattr(leg_tracking, "monotonic_ms", lambda: 1_000)
    monkeypatch.setattr(site.node.legs, "awake_ms", None)
    site.asterisk.connected = False
    site.node.ami_lost()
    assert blind(told) == [1_000], "from now on: who ends meanwhile has to know"
    await recovered(5_000)
    assert blind(told) == [1_000, 1_000, 5_000], "we looked, and look away again"
    site.asterisk.connected = True
    await recovered(8_000)
    assert blind(told) == [1_000, 1_000, 5_000, 5_000]
    await recovered(9_000)
    assert blind(told) == [1_000, 1_000, 5_000, 5_000], "now AMI tells of everybody"


async def test_who_was_told_late_when_ami_was_lost_is_blind_since_then(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.here(CALLER)
    monkeypatch.setattr(leg_tracking, "monotonic_ms", lambda: 1_000)
    monkeypatch.setattr(site.node.legs, "awake_ms", None)
    site.asterisk.told_s = 0.25
    site.node.ami_lost()
    assert blind(told) == [250]


def blind(told: Task) -> list[int]:
    return [one.since_ms for one in told.heard if isinstance(one, LookedAway) and one.blind]


async def test_who_is_told_of_by_ami_alone_was_seen_all_the_time(site: Site) -> None:
    """ARI was gone: AMI told of bridges."""
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    await site.node.recover()
    assert isinstance(told.heard[0], LookedAway)
    assert blind(told) == []


async def test_a_connection_that_was_lost_while_we_asked_told_not_all(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    site.asterisk.asking = site.node.ami_lost
    await site.node.recover()
    assert isinstance(told.heard[-1], LookedAway)
    assert told.heard[-1].blind
    assert site.node.legs.blind_since_ms is not None


async def test_what_amis_state_tells_of_a_bridge_is_not_what_was_looked_at(site: Site) -> None:
    told = site.here(CALLER)
    site.node.ami_lost()
    site.node.legs.entered("b1", "b1", "PJSIP/agent-0002", "basic", 2_000)
    site.node.legs.entered(CALLER, "b1", "PJSIP/trunk-0001", "basic", 2_000)
    company = next(at for at, one in enumerate(told.heard) if isinstance(one, CompanyChanged))
    assert isinstance(told.heard[company + 1], LookedAway)


async def test_a_call_that_comes_while_ami_is_away_is_blind(site: Site) -> None:
    site.node.ami_lost()
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    site.asterisk.connected = False
    with mock.patch.object(recovery, "_AMI_S", 0.05):
        await site.node.recover()
    live = site.node.live_call(call)
    assert live is not None
    await site.serving.until(lambda: live.call.visibility.ami_gap_since_ms is not None)


async def test_without_ari_calls_from_now_on_are_seen(tmp_path: Path) -> None:
    async with running(tmp_path, ari=False) as site:
        site.node.ami_lost()
        site.asterisk.connected = False
        await site.node.recover()
        assert site.node.legs.blind_since_ms is not None
        site.asterisk.connected = True
        await site.node.recover()
        assert site.node.legs.blind_since_ms is None


# -- what another life did not hear -------------------------------------------------------------

HEARS, DEAF = True, False


def told(*states: tuple[int, bool]) -> list[_Told]:
    return [_Told(seq, 1_000 * seq, hears) for seq, hears in states]


def of_call(*seqs: int, followed: int = 0) -> list[Row]:
    at = "1970-01-01T00:00:{:02}.000000Z"
    rows = [
        SimpleNamespace(
            seq=seq,
            kind=Kind.CALL_FOLLOWED if seq == followed else Kind.CALL_ARRIVED,
            at=at.format(seq),
        )
        for seq in seqs
    ]
    return cast("list[Row]", rows)


@pytest.mark.parametrize(
    ("states", "rows", "since_ms"),
    [
        (told(), of_call(5), None),
        (told((1, DEAF), (2, HEARS)), of_call(5), None),
        (told((1, DEAF), (2, HEARS), (7, DEAF)), of_call(5, 8), 7_000),
        (told((1, DEAF), (2, HEARS), (7, DEAF), (8, HEARS), (10, DEAF)), of_call(5), 7_000),
        (told((1, DEAF), (2, HEARS), (7, DEAF), (8, HEARS)), of_call(5, 9, followed=9), None),
        (told((1, DEAF), (2, HEARS), (7, DEAF)), of_call(5, 9, followed=9), 9_000),
        (told((1, DEAF)), of_call(5), 5_000),
    ],
)
def test_since_when_a_call_was_not_heard_of(
    states: list[_Told], rows: list[Row], since_ms: int | None
) -> None:
    assert _blind_since(rows, states) == since_ms


async def test_ami_may_have_been_late_before_it_was_gone(site: Site) -> None:
    """It told nothing for 9 s, of which no mark says anything: the row does."""
    await site.node._rows.append(
        Draft(Kind.ASTERISK_CONNECTED, unix_ms(), site.node.node, detail={"wire": "ami"})
    )
    call = await site.recorded()
    lost: dict[str, Detail] = {"wire": "ami", "late_ms": 9_000}
    await site.node._rows.append(
        Draft(Kind.ASTERISK_DISCONNECTED, unix_ms(), site.node.node, detail=lost)
    )
    await site.node._rows.append(Draft(Kind.SERVICE_STARTED, unix_ms(), site.node.node))
    site.node.recovery._liveness.alive_unix_ms = unix_ms()
    await site.node.recover()
    assert 9_000 <= (await site.seen("call_ended"))["unseen_ms"] < 20_000
    await site.over(call)


async def test_the_next_life_knows_when_ami_was_gone(site: Site) -> None:
    call = await site.recorded()
    site.node.ami_lost()
    with mock.patch.object(recovery, "_blind_since", return_value=1_000):
        await site.node.recover()
    ended = await site.seen("call_ended")
    assert ended["unseen_ms"] > 1_000_000_000_000
    await site.over(call)
