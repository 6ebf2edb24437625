"""More callers than can be told at once: the others go on, unrecorded, with a row that says why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.serving import Serving, Willing, write_config, write_whole
from asterisk_compliance.app.calls.call_task import CallTask
from asterisk_compliance.app.calls.node import Node
from asterisk_compliance.clock import monotonic_ms
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import (
    ChannelGone,
    EntryWire,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.state import Arrival, CallPhase
from asterisk_compliance.ids import ChannelId
from domain.call_builder import undecided
from values import replace

MOST = 2


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    config = write_config(tmp_path)
    text = config.read_text("utf-8").replace("[limits]", f"[limits]\nnotices_max = {MOST}")
    serving = Serving(write_whole(config, text))
    async with serving.running():
        yield serving


def calls_in(serving: Serving, first: int, last: int, **changed: Any) -> list[CallTask]:
    node = serving.node
    return [arrive(node, number, **changed) for number in range(first, last + 1)]


def arrive(node: Node, number: int, **changed: Any) -> CallTask:
    channel = ChannelId(f"1700000000.{number}")
    policy = node.policies.by_name["inbound"]
    arrival = Arrival(channel, channel, EntryWire.ARI, monotonic_ms(), policy, "inbound")
    return node.arrive(replace(arrival, **changed), Willing())


def reason(task: CallTask) -> Reason | None:
    return task.call.decision.reason if task.call.decision else None


async def hear(serving: Serving, task: CallTask) -> None:
    """The notice of this call plays to its end."""
    now, playback = monotonic_ms(), task.call.playback
    length_ms = undecided(task.call).wording.length_ms
    task.feed(PlaybackStarted(playback, now, 0))
    task.feed(PlaybackFinished(playback, True, now + length_ms, length_ms))
    await serving.until(lambda: not task.call.undecided)


async def test_one_call_more_than_can_be_told_goes_on_at_once(serving: Serving) -> None:
    *told, passed = calls_in(serving, 1, MOST + 1)
    assert [reason(task) for task in told] == [None] * MOST
    assert reason(passed) is Reason.OVERLOADED
    assert passed.call.phase is CallPhase.CONTINUING
    await serving.until(lambda: len(serving.details("call_arrived")) == MOST + 1)
    (decided,) = serving.details("decision")
    assert (decided["status"], decided["reason"]) == ("NOT_RECORDED", "OVERLOADED")


async def test_who_was_told_makes_room(serving: Serving) -> None:
    first, _second = calls_in(serving, 1, MOST)
    await hear(serving, first)
    assert first.call.phase is not CallPhase.OVER, "it lives, and is not told any more"
    (third, fourth) = calls_in(serving, 3, 4)
    assert (reason(third), reason(fourth)) == (None, Reason.OVERLOADED)


async def test_who_hangs_up_in_the_notice_makes_room(serving: Serving) -> None:
    first, _second = calls_in(serving, 1, MOST)
    first.feed(ChannelGone(monotonic_ms()))
    await serving.until(lambda: first.call.phase is CallPhase.OVER)
    (third,) = calls_in(serving, 3, 3)
    assert reason(third) is None


async def test_a_call_whose_task_fails_makes_room(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _second = calls_in(serving, 1, MOST)
    await serving.until(lambda: len(serving.details("call_arrived")) == MOST)
    monkeypatch.setattr(CallTask, "_step", None)
    first.feed(PlaybackStarted(first.call.playback, monotonic_ms(), 0))
    await serving.until(lambda: bool(serving.details("anomaly")))
    monkeypatch.undo()
    (third,) = calls_in(serving, 3, 3)
    assert reason(third) is None


async def test_calls_that_need_no_notice_do_not_count(serving: Serving) -> None:
    strangers = calls_in(serving, 1, 5, policy=Reason.POLICY_UNKNOWN)
    assert {reason(task) for task in strangers} == {Reason.POLICY_UNKNOWN}
    told = calls_in(serving, 6, 5 + MOST)
    assert {reason(task) for task in told} == {None}
    (stranger,) = calls_in(serving, 9, 9, policy=Reason.POLICY_UNKNOWN)
    assert reason(stranger) is Reason.POLICY_UNKNOWN, "it needs no notice, so nothing is missing"


async def test_how_long_a_caller_waits_for_his_dialplan_is_counted_once_a_call(
    serving: Serving,
) -> None:
    (real, synthetic) = (*calls_in(serving, 1, 1), *calls_in(serving, 2, 2, synthetic=True))
    for task in (real, synthetic):
        await hear(serving, task)
    await serving.until(lambda: real.call.phase is synthetic.call.phase is CallPhase.DIALPLAN)
    counted = serving.service._metrics.registry.get_sample_value
    assert counted("compliance_way_back_seconds_count") == 1
    assert counted("compliance_notice_start_seconds_count") == 1
