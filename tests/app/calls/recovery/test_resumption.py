"""Log, channels and spool are compared, with everything real but Asterisk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.followed_site import Task
from app.recovered_site import AGENT, AGO_MS, CALLER, HALF, LATE, OTHER_HALF, Site, running
from asterisk_compliance.app.calls.recovery import resumption as recovery
from asterisk_compliance.app.calls.recovery.resumption import policy_of
from asterisk_compliance.clock import monotonic_ms, unix_ms
from asterisk_compliance.domain.audit.rows import Detail, Draft, Kind
from asterisk_compliance.domain.call.events import (
    Bridged,
    ChannelGone,
    CompanyChanged,
    EntryWire,
    LookedAway,
    Unbridged,
)
from asterisk_compliance.domain.call.recovery import ClockSetBack
from asterisk_compliance.domain.call.replay import ReplayedCall
from asterisk_compliance.domain.call.state import CallPhase
from asterisk_compliance.domain.policy.notice import OnJoin
from asterisk_compliance.errors import AsteriskUnavailable, StoreUnavailable
from asterisk_compliance.ids import CallId, call_id, recording_id
from values import replace


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path) as site:
        yield site


# -- what an earlier life left -----------------------------------------------------------------


async def test_a_call_that_lives_is_followed_again(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    site.asterisk.lives(AGENT, "PJSIP/agent-0002")
    site.asterisk.bridge("b1", CALLER, AGENT)
    await site.node.recover()
    followed = await site.seen("call_followed")
    assert followed["unseen_ms"] >= 0
    task = site.node.live_call(call)
    assert task is not None
    await site.serving.until(lambda: task.call.participants.met)
    assert task.call.file_clock.bridged_at_ms is not None
    await site.serving.until(
        lambda: ("mute", CALLER, "0x7f00c0ffee", "both", False) in site.asterisk.asked
    )
    await site.node.recover()
    assert site.kinds(call).count("call_followed") == 1, "it is followed already"


async def test_a_call_that_is_gone_is_finished(site: Site) -> None:
    call = await site.recorded()
    site.write(call)
    await site.node.recover()
    await site.over(call)
    assert site.kinds(call)[4:] == ["call_ended", "recording_closed", "spool_removed"]
    ended = site.detail("call_ended")
    assert ended.pop("unseen_ms") >= AGO_MS
    assert ended == {"bridged_ms": None, "observed_late": True}
    assert list(site.spool.iterdir()) == []
    await site.node.recover()
    assert site.kinds(call).count("call_ended") == 1


async def hears(site: Site) -> None:
    """AMI is there from now on."""
    heard = Draft(Kind.ASTERISK_CONNECTED, unix_ms(), site.node.node, detail={"wire": "ami"})
    await site.node._rows.append(heard)


async def started_again(site: Site) -> None:
    """The rows of until now are those of a life before this one."""
    await site.node._rows.append(Draft(Kind.SERVICE_STARTED, unix_ms(), site.node.node))


async def command(site: Site, call: CallId) -> None:
    """Somebody disposed of recordings, and exported the call, while nobody followed it."""
    run = Draft(Kind.RETENTION_RUN, unix_ms(), site.node.node)
    export = Draft(Kind.CALL_EXPORTED, unix_ms(), site.node.node, call)
    await site.node._rows.append(run, export)


async def unseen_ms(site: Site, call: CallId) -> int:
    await site.node.recover()
    await site.over(call)
    return int(site.detail("call_ended")["unseen_ms"])


async def test_the_mark_of_the_life_before_says_since_when_nobody_looked(site: Site) -> None:
    await hears(site)
    call = await site.recorded()
    await command(site, call)
    await started_again(site)
    site.node.recovery._liveness.alive_unix_ms = unix_ms() - 5_000
    assert 5_000 <= await unseen_ms(site, call) < 10_000


@pytest.mark.parametrize(("before_seq", "is_blanked"), [(0, False), (10_000, True)])
async def test_a_clock_that_was_set_back_before_the_call_began_means_nothing(
    site: Site, before_seq: int, is_blanked: bool
) -> None:
    await hears(site)
    call = await site.recorded()
    await started_again(site)
    liveness = site.node.recovery._liveness
    liveness.alive_unix_ms = unix_ms() - 5_000
    liveness._set_back = (ClockSetBack(unix_ms(), 3_600_000, before_seq),)
    assert (await unseen_ms(site, call) > 3_600_000) is is_blanked


async def test_the_end_of_a_call_that_ari_tells_while_ami_is_late(site: Site) -> None:
    told, lives_on = site.here(CALLER), site.here(AGENT)
    site.asterisk.lives(AGENT)
    site.asterisk.told_s = monotonic_ms() / 1_000 - 2
    began_ms = monotonic_ms()
    await site.node.recover()
    at = next(at for at, one in enumerate(told.heard) if isinstance(one, ChannelGone))
    looked = told.heard[at - 1]
    assert isinstance(looked, LookedAway)
    assert looked.blind
    assert looked.since_ms <= began_ms - 1_900
    away = next(one for one in lives_on.heard if isinstance(one, LookedAway))
    assert away.since_ms <= began_ms - 1_900


async def test_a_life_that_never_looked_does_not_count(site: Site) -> None:
    """Nor does a command that wrote a row, not even of the call, while no service followed it."""
    await hears(site)
    call = await site.recorded()
    await started_again(site)
    await command(site, call)
    await started_again(site)
    assert await unseen_ms(site, call) >= AGO_MS


async def test_a_recording_that_must_go_goes_also_after_the_call(site: Site) -> None:
    """The service died between the withdrawal and the removal, and the call is over."""
    call = await site.recorded(
        (Kind.CONSENT, {"state": "withdrawn", "earlier": "delete"}),
        (Kind.CALL_ENDED, {"bridged_ms": 3}),
    )
    recording: dict[str, Detail] = {"recording": recording_id(call, 1)}
    await site.log(
        call, (Kind.RECORDING_CLOSED, recording), (Kind.SPOOL_REMOVED, {**recording, "files": 2})
    )
    kept = site.vault / f"{recording_id(call, 1)}.wav"
    kept.write_bytes(b"a recording")
    await site.node.recover()
    await site.over(call)
    assert site.kinds(call)[-1] == "recording_removed"
    assert not kept.exists()


async def test_a_channel_that_waits_for_us_is_left_to_who_sends_it_on(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER, app="Stasis")
    await site.node.recover()
    assert not site.node.follows(call)
    assert site.kinds(call)[-1] == "recording_started"


async def test_a_segment_that_began_while_nobody_looked_is_found_in_the_spool(site: Site) -> None:
    again: dict[str, Detail] = {"recording": "", "capture": "bridged", "others": True}
    call = await site.recorded()
    second = recording_id(call, 2)
    await site.log(call, (Kind.RECORDING_REQUESTED, {**again, "recording": second}))
    site.write(call)
    site.write(call, 2)
    site.asterisk.lives(CALLER)
    await site.node.recover()
    await site.serving.until(lambda: len(site.serving.details("recording_started")) == 2)
    assert site.serving.details("recording_started")[-1]["recording"] == second
    closed = await site.seen("recording_closed")
    assert closed["recording"] == recording_id(call, 1)


# -- what is so while we ask -------------------------------------------------------------------


async def test_without_a_connection_nothing_is_compared(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.transport = None  # type: ignore[assignment]
    await site.node.recover()
    assert site.asterisk.listed == 0
    assert not site.node.follows(call)


async def test_without_ari_nothing_is_compared(tmp_path: Path) -> None:
    async with running(tmp_path, ari=False) as site:
        call = await site.recorded()
        await site.node.recover()
        assert site.asterisk.listed == 0
        assert not site.node.follows(call)


@pytest.mark.parametrize("refused", ["channels", "bridges"])
async def test_where_ari_refuses_nobody_is_told_anything(site: Site, refused: str) -> None:
    call, told = await site.recorded(), site.here(LATE)
    site.node.ami_lost()
    away_since_ms = site.node.legs.away_since_ms
    site.asterisk.refuses[refused] = AsteriskUnavailable("gone")
    await site.node.recover()
    assert (told.heard[1:], site.node.follows(call)) == ([], False)
    assert site.node.legs.away_since_ms == away_since_ms, "it is still not known who came since"


async def test_a_store_that_cannot_be_read_is_no_reason_to_end_calls(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = site.here(CALLER)

    def refuse(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(recovery, "_unfinished", refuse)
    await site.node.recover()
    assert told.heard == []


async def test_rows_of_calls_that_are_followed_are_not_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.recorded()
    site.asterisk.lives(CALLER)
    await site.node.recover()

    def read(*_: object) -> None:
        pytest.fail("a row was read")

    monkeypatch.setattr(recovery, "decode", read)
    await site.node.recover()
    assert site.asterisk.listed == 2


async def test_of_comparisons_that_wait_one_is_enough(site: Site) -> None:
    async with site.node.recovery.turn:
        waiting = [asyncio.create_task(site.node.recover()) for _ in range(5)]
        await asyncio.wait(waiting[1:], timeout=5)
        assert all(one.done() for one in waiting[1:])
        assert not waiting[0].done()
    await waiting[0]
    assert site.asterisk.listed == 1
    await site.node.recover()
    assert site.asterisk.listed == 2


async def test_who_arrives_while_we_ask_is_not_told_that_he_is_gone(site: Site) -> None:
    late: list[Task] = []
    site.asterisk.asking = lambda: late.append(site.here(LATE)) if not late else None
    gone, there = site.here(CALLER), site.here(AGENT)
    site.asterisk.lives(AGENT)
    await site.node.recover()
    assert isinstance(gone.heard[0], ChannelGone)
    assert isinstance(there.heard[0], LookedAway)
    assert not [one for one in late[0].heard if isinstance(one, ChannelGone | LookedAway)]


async def test_a_call_that_ends_while_we_ask_is_not_finished_again(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    await site.node.recover()
    await site.seen("call_followed")
    task = site.node.live_call(call)
    assert task is not None

    def end() -> None:
        site.node.calls.pop(CALLER, None)
        site.node._by_id.pop(call, None)

    site.asterisk.asking = end
    del site.asterisk.there[CALLER]
    await site.node.recover()
    await site.serving.until(lambda: task.call.phase is CallPhase.OVER)
    await site.serving.until(lambda: not site.node.follows(call))
    assert site.kinds(call).count("call_ended") == 1


async def test_what_changes_while_we_ask_is_asked_again(site: Site) -> None:
    def moves() -> None:
        if site.asterisk.listed < 3:
            site.node.legs.changes += 1

    site.asterisk.asking = moves
    await site.node.recover()
    assert site.asterisk.listed == 3
    site.asterisk.asking = lambda: setattr(site.node.legs, "changes", site.node.legs.changes + 1)
    await site.node.recover()
    assert site.asterisk.listed == 3 + 5, "and that ends"


async def test_halves_of_a_local_channel_are_known_by_their_names(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    site.asterisk.lives(AGENT, "PJSIP/agent-0002")
    site.asterisk.lives(HALF, "Local/7@office-0001;1")
    site.asterisk.lives(OTHER_HALF, "Local/7@office-0001;2")
    site.asterisk.bridge("b1", CALLER, HALF)
    site.asterisk.bridge("b2", OTHER_HALF, AGENT)
    await site.node.recover()
    away, bridged, company = told.heard
    assert isinstance(away, LookedAway)
    assert isinstance(bridged, Bridged)
    assert isinstance(company, CompanyChanged)
    assert [peer.channel for peer in company.peers] == [AGENT]


async def test_who_is_in_no_bridge_is_told_so(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    await site.node.recover()
    assert isinstance(told.heard[1], Unbridged)
    assert isinstance(told.heard[2], CompanyChanged)
    assert told.heard[2].peers == ()


# -- AMI ---------------------------------------------------------------------------------------


async def test_ami_is_waited_for_before_anything_is_muted(site: Site) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    site.asterisk.connected = False
    recovering = asyncio.create_task(site.node.recover())
    await asyncio.sleep(0.1)
    assert (site.asterisk.listed, site.node.follows(call)) == (0, False)
    site.asterisk.connected = True
    await recovering
    assert site.node.follows(call)


async def test_ami_is_not_waited_for_for_ever(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    call = await site.recorded()
    site.asterisk.lives(CALLER)
    site.asterisk.connected = False
    monkeypatch.setattr(recovery, "_AMI_S", 0.05)
    await site.node.recover()
    assert site.node.follows(call)


# -- the policy --------------------------------------------------------------------------------


def remembered(site: Site, **changed: Any) -> ReplayedCall:
    policy = site.node.policies.by_name["inbound"]
    values: dict[str, Any] = {
        "id": call_id(0, bytes(8)),
        "channel": CALLER,
        "entry": EntryWire.ARI,
        "linkedid": CALLER,
        "policy": "inbound",
        "policy_digest": policy.digest,
    }
    return ReplayedCall(**{**values, **changed})


async def test_a_policy_that_says_the_same_is_the_same(site: Site) -> None:
    assert policy_of(site.node, remembered(site)) is site.node.policies.by_name["inbound"]


async def test_under_a_policy_that_says_something_else_whoever_joins_ends_it(site: Site) -> None:
    known = remembered(site, policy_digest="0" * 64)
    policy = site.node.policies.by_name["inbound"]
    assert policy_of(site.node, known) == replace(policy, on_join=OnJoin.STOP)


@pytest.mark.parametrize("language", ["ja", "ko"])
async def test_a_policy_that_lost_the_language_of_the_call_is_none(
    site: Site, language: str
) -> None:
    known = remembered(site, policy_digest="0" * 64)
    decision = SimpleNamespace(notice=f"standard/1/{language}")
    found = policy_of(site.node, replace(known, decision=cast("Any", decision)))
    assert (found is not None) == (language == "ja")


async def test_a_policy_that_is_gone_is_none(site: Site) -> None:
    assert policy_of(site.node, remembered(site, policy="outbound")) is None


# -- standing still ----------------------------------------------------------------------------


async def test_who_stood_still_looks_again(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    await asyncio.sleep(0.1)
    before_ms = monotonic_ms()
    time.sleep(0.3)  # noqa: ASYNC251 - that is it
    await site.serving.until(lambda: site.asterisk.listed == 1)
    await site.serving.until(lambda: len(told.heard) == 4)
    away, again = told.heard[:2]  # at once, and before who is there is told
    assert isinstance(away, LookedAway)
    assert again == away
    assert before_ms - 100 <= away.since_ms <= before_ms
    await asyncio.sleep(0.2)
    assert site.asterisk.listed == 1, "nobody stood still since"


async def test_the_longest_time_of_not_looking_counts(site: Site) -> None:
    told = site.here(CALLER)
    site.asterisk.lives(CALLER)
    site.asterisk.transport = None
    for since_ms in (3_000, 2_000, 4_000):
        site.node.gap_began(since_ms)
    site.asterisk.transport = "http"
    await site.node.recover()
    assert [one.since_ms for one in told.heard if isinstance(one, LookedAway)] == [2_000]
