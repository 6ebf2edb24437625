"""What the simulation found in the service, as small as it can be shown; see planted.py too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.followed_site import AGENT, CALLER
from app.followed_site import Site as Followed
from app.recovered_site import CALLER as RECORDED
from app.recovered_site import Site, running
from asterisk_compliance.app.audit.backlog import Backlog
from asterisk_compliance.app.audit.call_rows import CallRows
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.call.commands import AppendRow
from asterisk_compliance.domain.call.events import CompanyChanged, LookedAway
from asterisk_compliance.ids import NodeName, call_id


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as made:
        yield made


async def test_who_hangs_up_while_recovery_asks_is_not_followed_for_ever(site: Site) -> None:
    """AMI's Hangup passes ARI's answers on its own wire, when the call is not followed yet."""
    call = await site.recorded()
    site.asterisk.lives(RECORDED)
    listed = site.asterisk.bridges

    async def and_hangs_up() -> object:
        site.asterisk.there.clear()
        return await listed()

    site.asterisk.bridges = and_hangs_up  # type: ignore[method-assign,assignment]
    await site.node.recover()
    await site.over(call)
    assert site.kinds(call).count(Kind.CALL_ENDED) == 1


async def test_a_call_whose_decision_the_disk_refused_gets_one_later(site: Site) -> None:
    """Its end was stored, when there was room again."""
    call = call_id(unix_ms() - 60_000, b"8 bytes!")
    arrived = {"channel": RECORDED, "entry": "ari", "leg": "caller", "linkedid": RECORDED}
    await site.log(
        call,
        (Kind.CALL_ARRIVED, {**arrived, "policy": "inbound", "policy_digest": ""}),
        (Kind.CALL_ENDED, {"bridged_ms": 0}),
    )
    await site.node.recover()
    await site.over(call)
    assert site.kinds(call) == [Kind.CALL_ARRIVED, Kind.CALL_ENDED, Kind.DECISION]


async def test_a_process_that_stood_still_does_not_date_what_happened_by_when_it_woke() -> None:
    followed = Followed()
    task = followed.live(CALLER)
    followed.legs.awake_ms = 0
    followed.at_ms = 1_000
    followed.enters("bridge", AGENT, CALLER)
    looked, company = (one for one in task.heard if isinstance(one, LookedAway | CompanyChanged))
    assert looked == LookedAway(0)
    assert isinstance(company, CompanyChanged)


async def test_a_call_whose_last_rows_are_late_is_not_ended_twice(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody follows it any more, and the log, while its disk is slow, says that it goes on."""
    call = call_id(unix_ms() - 60_000, b"8 bytes!")
    arrived = {"channel": RECORDED, "entry": "ari", "leg": "caller", "linkedid": RECORDED}
    await site.log(call, (Kind.CALL_ARRIVED, {**arrived, "policy": "", "policy_digest": ""}))
    monkeypatch.setattr(site.node, "_store_s", 0.01)
    append, late = site.node._rows.append, asyncio.get_running_loop().create_future()

    def slow(*drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
        if all(draft.kind is not Kind.CALL_ENDED for draft in drafts):
            return append(*drafts, patient=patient)
        held.append(drafts)
        return late

    held: list[tuple[Draft, ...]] = []
    monkeypatch.setattr(site.node._rows, "append", slow)
    for _ in range(2):
        await site.node.recover()
        await site.over(call)
    assert len(held) == 1
    late.set_result(await append(*held[0]))
    assert site.kinds(call).count(Kind.CALL_ENDED) == 1


async def test_a_call_is_over_when_its_last_row_is_stored() -> None:
    """Before, who compares log and channels would find it unfinished, and end it twice."""
    stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Slow:
        refuses = False

        def __init__(self) -> None:
            self.backlog = Backlog(self)

        def append(self, *drafts: Draft, patient: bool = False) -> asyncio.Future[int]:
            return stored

    call = call_id(unix_ms(), b"8 bytes!")
    rows = CallRows(Slow(), call, NodeName("pbx1"), 5.0, lambda: None, lambda *_: None)
    rows.append([rows.draft(AppendRow(Kind.CALL_ENDED))])
    over = asyncio.create_task(rows.last_ones())
    await asyncio.sleep(0)
    assert not over.done()
    stored.set_result(1)
    await asyncio.wait_for(over, 5.0)
