"""The notice in somebody else's application: the rules are those of the service."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.own_application import (
    CHANNEL,
    Telephone,
    configuration,
    event,
    many_turns,
    of_channel,
    playback,
    rows,
    stasis_start,
)
from asterisk_compliance import (
    ComplianceError,
    ConfigError,
    Decision,
    Next,
    NoticeFlow,
    Reason,
    RequestRefused,
    Site,
    Status,
    StoreLocked,
)
from asterisk_compliance.api import notice_flow
from asterisk_compliance.api import site as own_site
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.ids import party_id
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from sample_rows import a_call, draft

PROMPT_S = 12.0


@pytest.fixture
def phone() -> Telephone:
    return Telephone()


class Clock:
    """The monotonic clock of the events, moved by hand."""

    def __init__(self) -> None:
        self.ms = 1_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    moved = Clock()
    monkeypatch.setattr(own_site, "monotonic_ms", moved)
    return moved


async def decided(flow: NoticeFlow) -> Decision:
    async with asyncio.timeout(5.0):
        return await flow.decision()


async def heard(site: Site, phone: Telephone, clock: Clock, lasts_s: float = PROMPT_S) -> None:
    """The notice plays for so long, on both clocks."""
    asked = await phone.until("play")
    site.hear(event("PlaybackStarted", 1.0, playback=playback(asked, "playing")))
    clock.ms += round(lasts_s * 1_000)
    site.hear(event("PlaybackFinished", 1.0 + lasts_s, playback=playback(asked, "done")))


async def test_who_heard_the_whole_notice_may_be_recorded(tmp_path, phone, clock):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        assert not flow.is_decided
        await heard(site, phone, clock)
        decision = await decided(flow)
        assert (decision.status, decision.reason) == (Status.ALLOWED, Reason.NOTICE_COMPLETED)
        assert decision.allowed
        assert decision.purposes == ("SERVICE", "QUALITY")
        assert rows(tmp_path, "decision")[0][1]["status"] == "ALLOWED", "durable when it is told"
        site.hear(of_channel("ChannelEnteredBridge"))
        clock.ms += 7_000
        site.hear(of_channel("ChannelLeftBridge"))
        site.hear(of_channel("ChannelDestroyed", cause=16))
    assert phone.kinds == ["answer", "play", "subscribe"]
    assert phone.asked[1][3].endswith("/ja/notice-standard")
    assert [kind for kind, _ in rows(tmp_path)] == [
        "call_arrived",
        "notice_started",
        "notice_completed",
        "decision",
        "call_ended",
    ]
    assert rows(tmp_path, "call_arrived")[0][1]["entry"] == "application"
    assert rows(tmp_path, "call_ended")[0][1]["bridged_ms"] == 7_000


@pytest.mark.parametrize("lasts_s", [0.0, 5.0])
async def test_done_is_not_heard(tmp_path, phone, clock, lasts_s):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        await heard(site, phone, clock, lasts_s)
        decision = await decided(flow)
    assert (decision.status, decision.reason) == (Status.NOT_RECORDED, Reason.NOTICE_CUT_SHORT)


async def test_who_hangs_up_in_the_notice_is_not_recorded(tmp_path, phone):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        await phone.until("play")
        for kind in ("ChannelHangupRequest", "StasisEnd"):
            site.hear(of_channel(kind))
        decision = await decided(flow)
        site.hear(of_channel("ChannelDestroyed", cause=16))
    assert decision.reason is Reason.HANGUP_IN_NOTICE
    assert [kind for kind, _ in rows(tmp_path)][-2:] == ["decision", "call_ended"]
    assert rows(tmp_path, "call_ended")[0][1]["bridged_ms"] is None, "nobody told of a bridge"


async def test_a_key_that_consents_is_asked_for_by_the_policy(tmp_path, phone, clock):
    policy = 'consent = "opt-in"\non_refusal = "end"'
    async with Site.open(configuration(tmp_path, policy=policy)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        asked = await phone.until("play")
        site.hear(event("PlaybackStarted", 1.0, playback=playback(asked, "playing")))
        site.hear(of_channel("ChannelDtmfReceived", digit="1", duration_ms=80))
        clock.ms += 20_000
        site.hear(event("PlaybackFinished", 21.0, playback=playback(asked, "done")))
        assert (await decided(flow)).reason is Reason.CONSENT_GIVEN
        other = site.tell(stasis_start("1795507200.8"), policy="inbound", actions=phone)
        await phone.until("play", 2)
        site.hear(of_channel("ChannelDtmfReceived", "1795507200.8", digit="2", duration_ms=80))
        said = await phone.until("play", 3)  # that it must be recorded
        assert said[3].endswith("/ja/required-here")
        site.hear(event("PlaybackFinished", 30.0, playback=playback(said, "done")))
        refused = await decided(other)
        assert (refused.reason, refused.next) == (Reason.CONSENT_REFUSED, Next.END)
        assert "stop_playback" in phone.kinds


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RequestRefused("play", 500), Reason.ASTERISK_REFUSED),
        (RequestRefused("play", 404), Reason.HANGUP_IN_NOTICE),
        (OSError("gone"), Reason.CONNECTION_LOST),
    ],
)
async def test_a_request_that_fails_is_no_notice(tmp_path, phone, error, reason):
    phone.refuses["play"] = error
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        assert (await decided(flow)).reason is reason


async def test_a_request_that_hangs_is_given_up(tmp_path, phone, monkeypatch):
    monkeypatch.setattr(own_site, "REQUEST_S", 0.05)
    phone.hangs = "answer"
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        assert (await decided(flow)).reason is Reason.CONNECTION_LOST


async def test_requests_of_one_channel_come_one_after_the_other(tmp_path, phone):
    phone.hangs = "answer"
    async with Site.open(configuration(tmp_path)) as site:
        site.tell(stasis_start(), policy="inbound", actions=phone)
        await phone.until("answer")
        await many_turns()
        assert phone.kinds == ["answer"]


async def test_a_policy_that_is_none_is_a_decision(tmp_path, phone):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="outbound", actions=phone)
        assert (await decided(flow)).reason is Reason.POLICY_UNKNOWN
    assert phone.kinds == ["subscribe"]


async def test_what_is_not_durable_is_never_told(tmp_path, phone, clock):
    """It was decided, and ended in the same turn, before its row was on its way."""
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        asked = await phone.until("play")
        site.hear(event("PlaybackStarted", 1.0, playback=playback(asked, "playing")))
        await many_turns()
        clock.ms += round(PROMPT_S * 1_000)
        site.hear(event("PlaybackFinished", 1.0 + PROMPT_S, playback=playback(asked, "done")))
        site._lives[flow].cancel()
        with pytest.raises(ComplianceError, match="undecided"):
            await decided(flow)
    assert "decision" not in [kind for kind, _ in rows(tmp_path)]


async def test_nobody_is_told_twice(tmp_path, phone, clock):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        assert site.tell(stasis_start(), policy="inbound", actions=phone) is flow
        await heard(site, phone, clock)
        assert (await decided(flow)).allowed
        site.hear(of_channel("StasisEnd"))
        assert site.tell(stasis_start(), policy="inbound", actions=phone) is flow
        assert (await decided(flow)).allowed
    assert phone.kinds.count("play") == 1


async def test_what_is_no_event_of_ours_changes_nothing(tmp_path, phone):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        for other in ({}, {"type": "ChannelVarset"}, {"type": "StasisEnd"}, {"type": 1}):
            site.hear(other)
        for kind in ("StasisEnd", "ChannelEnteredBridge"):
            site.hear(of_channel(kind, "1795507200.99"))
        site.hear(event("ChannelEnteredBridge", channel=None))
        await phone.until("play")
        await many_turns()
        assert not flow.is_decided
        with pytest.raises(ValueError, match="no StasisStart"):
            site.tell(of_channel("StasisEnd"), policy="inbound", actions=phone)
        with pytest.raises(ValueError, match="pbx1"):
            site.tell(stasis_start(), policy="inbound", actions=phone, node="pbx2")


# -- the log ---------------------------------------------------------------------------------------


async def test_the_end_of_the_site_is_a_decision_too(tmp_path, phone):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        await phone.until("play")
    assert (await flow.decision()).reason is Reason.SERVICE_STOPPING
    with StoreWriter.open(tmp_path / "store"):
        pass  # nobody holds it any more


async def test_an_error_in_the_block_closes_the_log_and_comes_out(tmp_path, phone):
    with pytest.raises(KeyError, match="mine"):  # noqa: PT012 - the block is what is tested
        async with Site.open(configuration(tmp_path)) as site:
            site.tell(stasis_start(), policy="inbound", actions=phone)
            raise KeyError("mine")
    assert [reason for _, reason in rows(tmp_path, "decision")]
    with StoreWriter.open(tmp_path / "store"):
        pass


async def test_one_process_owns_a_log(tmp_path):
    config = configuration(tmp_path)
    async with Site.open(config):
        with pytest.raises(StoreLocked):
            async with Site.open(config):
                pass


async def test_a_configuration_that_is_wrong_is_refused_whole(tmp_path):
    config = configuration(tmp_path, policy="capture = 'sometimes'")
    with pytest.raises(ConfigError, match=r"policy\[1\].capture"):
        async with Site.open(config):
            pass


async def test_a_decision_that_cannot_be_stored_is_none_to_record_by(tmp_path, phone, clock):
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        await phone.until("play")
        with closing(sqlite3.connect(tmp_path / "store" / DATABASE)) as db:
            db.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON rows BEGIN SELECT RAISE(FAIL, 'no'); END"
            )
            await heard(site, phone, clock)
            decision = await decided(flow)
            db.execute("DROP TRIGGER refuse")
    assert (decision.status, decision.reason) == (Status.NOT_RECORDED, Reason.STORE_FAILED)


async def test_what_an_earlier_life_left_is_decided_and_ended(tmp_path, phone):
    """As if the process had died in the notice; a call that the service led is left to it."""
    ours, theirs = a_call(1), a_call(2)
    with StoreWriter.open(tmp_path / "store") as writer:
        for call, entry in ((ours, "application"), (theirs, "ari")):
            arrived: dict[str, Any] = {"channel": CHANNEL, "entry": entry, "leg": "caller"}
            writer.commit(
                [
                    draft(
                        Kind.CALL_ARRIVED,
                        call,
                        actor=Actor.CALLER,
                        party=party_id(call, 1),
                        detail=arrived | {"linkedid": "none", "policy": "inbound"},
                    )
                ]
            )
    async with Site.open(configuration(tmp_path)):
        pass
    assert [kind for kind, _ in rows(tmp_path)] == [
        *("call_arrived", "call_arrived", "decision", "call_ended"),
    ]
    assert rows(tmp_path, "decision")[0][1]["reason"] == "SERVICE_RESTARTED"
    assert rows(tmp_path, "call_ended")[0][1]["observed_late"] is True


async def test_a_defect_is_told_to_who_waits(tmp_path, phone, monkeypatch):
    async def broken(*_: object) -> None:
        raise AssertionError("a defect")

    monkeypatch.setattr(notice_flow.CallTask, "run", broken)
    async with Site.open(configuration(tmp_path)) as site:
        flow = site.tell(stasis_start(), policy="inbound", actions=phone)
        with pytest.raises(ComplianceError, match="undecided"):
            await decided(flow)


def test_the_store_is_named(tmp_path: Path) -> None:
    async def opened() -> Path:
        async with Site.open(str(configuration(tmp_path))) as site:
            return site.store

    assert asyncio.run(opened()) == tmp_path / "store"
