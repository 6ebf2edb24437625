"""What others hear of live calls: which rows, what of them, and what a slow Asterisk costs.

That Asterisk passes them on is seen by ``tests/e2e/test_developers.py``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from asterisk_compliance.app.service import ari_user_events as live_facts
from asterisk_compliance.app.service.ari_user_events import EVENT, LIVE_KINDS, AriUserEventPublisher
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.errors import AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId, party_id
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_call, a_recorded_call, draft
from sample_settings import accepted, asterisk

CALL, CANARY, OVER = a_call(1), a_call(2), a_call(3)


@dataclass
class Asterisk:
    """The node, as far as facts need it: who lives, and what it is asked to tell.

    Attributes:
        told: Application and fact, in the order of the requests.
        answers: What becomes of each request, by application; ``None`` is nothing.
    """

    node: str = "pbx1"
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, Exception | str | None] = field(default_factory=dict)

    @property
    def ari(self) -> Asterisk:
        return self

    def live_call(self, call: str) -> Any:
        synthetic = {CALL: False, CANARY: True}.get(call)
        if synthetic is None:
            return None
        return SimpleNamespace(call=SimpleNamespace(channel=ChannelId("17.4"), synthetic=synthetic))

    def user_event(self, application: str, name: str, fact: dict[str, Any]) -> asyncio.Future[None]:
        assert name == EVENT
        self.told.append((application, fact))
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer = self.answers.get(application, "")
        if isinstance(answer, Exception):
            done.set_exception(answer)
        elif answer is not None:
            done.set_result(None)
        return done

    def of(self, application: str) -> list[str]:
        return [fact["kind"] for to, fact in self.told if to == application]


class Site:
    def __init__(self, *tell: str) -> None:
        ari = {"user": "compliance", "secret_env": "ARI_SECRET", "tell": list(tell)}
        settings = accepted(asterisk(ari=ari)).asterisk
        self.asterisk = Asterisk()
        self.metrics = Metrics()
        self.facts = AriUserEventPublisher([self.asterisk], settings, self.metrics)  # type: ignore[list-item]

    def number(self, name: str, application: str) -> float:
        labels = {"node": "pbx1", "application": application}
        return self.metrics.registry.get_sample_value(f"compliance_{name}_total", labels) or 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.facts.run())
        yield
        for _ in range(200):
            await asyncio.sleep(0)
        assert not task.done()
        task.cancel()


@pytest.fixture
def store(tmp_path):
    with StoreWriter.open(tmp_path / "store") as writer:
        yield writer


async def test_what_becomes_of_a_live_call_is_told_in_order(store):
    site = Site("crm", "panel")
    stored = store.commit(a_recorded_call(CALL))
    async with site.running():
        site.facts.observe(stored)
    kinds = site.asterisk.of("crm")
    assert kinds == site.asterisk.of("panel")
    assert kinds == [
        *("call_arrived", "notice_started", "notice_completed", "decision", "recording_requested"),
        *("call_continued", "recording_started", "recording_growing", "call_ended"),
    ]
    _, arrived = site.asterisk.told[0]
    detail = arrived.pop("detail")
    assert detail.keys() >= {"channel", "linkedid", "policy"}
    assert not [name for name in detail if name.startswith(("commit.", "party", "role"))]
    assert arrived == {
        "seq": 0,
        "at": "2026-11-24T08:00:00.000Z",
        "kind": "call_arrived",
        "node": "pbx1",
        "call": CALL,
        "channel": "17.4",
        "actor": "caller",
    }
    assert site.number("facts_told", "crm") == 9


async def test_staff_are_staff_and_no_commitment_is_told(store):
    site = Site("crm")
    party = party_id(CALL, 9)
    row = draft(Kind.CAPTURE_PAUSED, CALL, actor=party, party=party, role="staff")
    async with site.running():
        site.facts.observe(store.commit([row]))
    ((_, fact),) = site.asterisk.told
    assert fact["actor"] == "staff"
    assert party not in str(fact)


@pytest.mark.parametrize(
    "row",
    [
        draft(Kind.DECISION, CANARY),
        draft(Kind.DECISION, OVER),
        draft(Kind.MARK),
        draft(Kind.RECORDING_CLOSED, CALL),
    ],
    ids=["synthetic", "over", "no call", "not live"],
)
async def test_nothing_else_is_told(store, row):
    site = Site("crm")
    async with site.running():
        site.facts.observe(store.commit([row]))
    assert site.asterisk.told == []


async def test_one_request_is_under_way_and_the_oldest_of_too_many_is_forgotten(store, monkeypatch):
    monkeypatch.setattr(live_facts, "QUEUE_FACTS", 10)
    site = Site("slow", "crm")
    site.asterisk.answers["slow"] = None
    rows = [draft(Kind.CALL_FOLLOWED, CALL, detail={"unseen_ms": n}) for n in range(30)]
    async with site.running():
        for row in rows:
            site.facts.observe(store.commit([row]))
            for _ in range(5):
                await asyncio.sleep(0)
        slow = site.facts._listeners["pbx1"][0]
        waiting = [fact["detail"]["unseen_ms"] for fact in slow._facts]
    assert site.asterisk.of("slow") == ["call_followed"]
    assert len(site.asterisk.of("crm")) == 30
    assert waiting == list(range(20, 30))
    assert site.number("facts_not_told", "slow") == 19


@pytest.mark.parametrize(
    "why", [RequestRefused("user_event", 404, "Not Found"), AsteriskUnavailable("gone")]
)
async def test_what_nobody_hears_is_counted_and_said_once(store, why, capsys):
    site = Site("crm")
    site.asterisk.answers["crm"] = why
    async with site.running():
        site.facts.observe(store.commit([draft(Kind.DECISION, CALL)] * 3))
    async with site.running():
        del site.asterisk.answers["crm"]
        site.facts.observe(store.commit([draft(Kind.DECISION, CALL)]))
    assert site.number("facts_not_told", "crm") == 3
    assert site.number("facts_told", "crm") == 1
    said = "".join(capsys.readouterr())
    assert (said.count("facts_not_told"), said.count("facts_told_again")) == (1, 1)


async def test_where_nobody_is_named_no_row_is_read(store):
    site = Site()
    site.facts.observe([SimpleNamespace(data=b"not read")])  # type: ignore[list-item]


def test_every_live_kind_is_about_a_call() -> None:
    assert Kind.DECISION in LIVE_KINDS
    assert not LIVE_KINDS & {Kind.MARK, Kind.CONFIG_LOADED, Kind.RECORDING_SEALED}
    assert set(Actor) == {"service", "caller", "agent", "dialplan", "asterisk"}
