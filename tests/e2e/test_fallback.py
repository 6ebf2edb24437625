"""The service is not there, and the dialplan tells and records alone; later that is adopted."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from asterisk_compliance.app.reconciliation import Reconciliation, Sources
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.reconciliation.comparison import View
from asterisk_compliance.errors import StoreError
from lab.hearing import NoticeHeard, nothing_before_notice, notice_completed
from lab.parties import EXTENSIONS, OTHERS, POLICIES, TOLD, Stage, must_hold
from lab.wav import read_wav, write_wav

pytestmark = pytest.mark.asterisk


def alone(policy: str) -> str:
    return f'name = "{policy}"\nfallback = "record"\n'


ALONE = POLICIES
for _policy in ("inbound", "whole"):
    ALONE = ALONE.replace(f'name = "{_policy}"\n', alone(_policy))

CALLS = (
    EXTENSIONS
    + """
[from-lab]
exten => 101,1,Gosub(compliance-notice-agi,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 103,1,Gosub(compliance-notice,s,1(whole))
 same => n,Dial(PJSIP/agent,20)
exten => 105,1,Set(CHANNEL(language)=ja_JP)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 106,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 107,1,Gosub(compliance-notice,s,1(stopping))
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 108,1,Set(TIMEOUT(absolute)=1)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 109,1,Dial(PJSIP/agent,20,U(compliance-callee^inbound))
exten => 110,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
exten => 111,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Read(key,,1,,,20)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
"""
)
TOLD_ALONE = "ALLOWED:FALLBACK_NOTICE:SERVICE&QUALITY:"
NOT_THERE = "NOT_RECORDED:SERVICE_UNAVAILABLE::"
ROWS = [
    "call_arrived",
    "decision",
    "recording_adopted",
    "call_ended",
    "recording_closed",
    "spool_removed",
]


async def on_stage(**options: object) -> AsyncIterator[Stage]:
    chosen = {"policies": ALONE, "extensions": CALLS, "serve": False, **options}
    async with Stage.set_up(**chosen) as stage:
        yield stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Nobody serves."""
    async for stage in on_stage():
        yield stage


@pytest.fixture
async def served() -> AsyncIterator[Stage]:
    """The service is there, and nobody waits for it for long."""
    limits = "notice_margin_s = 1.0"
    async for stage in on_stage(serve=True, dialplan_s=2.0, limits=limits):
        yield stage


async def cdr_says(stage, *said):
    async with asyncio.timeout(5):
        while len(lines := stage.site.cdrs()) < len(said):  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)
    assert [line[-1] for line in lines] == list(said)


def heard_by(stage, leg, language="en"):
    return NoticeHeard.of(stage.search(language), leg.heard_pcm())


def found(stage):
    """What a comparison finds, explained or not."""
    settings = load(stage.site.service.config, secrets=False)
    sources = Sources(cdr=(stage.site.asterisk.cdr_file,), settings=settings)
    now_ms = time.time_ns() // 1_000_000
    comparing = Reconciliation(stage.site.store, sources, View(now_ms=now_ms))
    list(comparing.findings())
    return dict(comparing.found)


def must_be_adopted(stage, heard=None):
    """The caller's voice and nobody else's, nothing of it before the notice that he heard."""
    kept = stage.kept()
    (capture,) = kept.segments.values()
    must_hold(kept.no_notice(), kept.nothing_of("agent"))
    if heard is not None:
        must_hold(kept.nothing_of("caller", heard.ended_at), nothing_before_notice(capture, heard))
    assert kept.seconds("caller", TOLD, 0, time.monotonic()) > 0.7
    assert kept.seconds("caller", OTHERS, 0, time.monotonic()) == 0
    (closed,) = stage.details("recording_closed")
    assert (closed["rx"], closed["tx"], closed["whole"]) == ("heard", "not_kept", True)
    assert closed["purposes"] == ["SERVICE", "QUALITY"]
    assert stage.site.spooled() == []


# -- told, recorded, adopted -------------------------------------------------------------------


@pytest.mark.parametrize("exten", ["101", "102", "103"])
async def test_what_the_dialplan_recorded_alone_is_adopted(stage, exten):
    caller, agent = await stage.connect(exten)
    await agent.until_heard(1.2)
    heard = heard_by(stage, caller)
    assert notice_completed(heard).ok
    await caller.hang_up()
    await cdr_says(stage, TOLD_ALONE)
    (name,) = stage.site.spooled()
    assert name.startswith("d-")
    await stage.site.service.start()
    await stage.row("spool_removed")
    must_be_adopted(stage, heard)
    assert [row["kind"] for row in stage.rows()] == ROWS
    (adopted,) = stage.details("recording_adopted")
    assert (adopted["file"], adopted["level"]) == (name, "dialplan")
    assert adopted["notice"] == "test/1/en"
    assert found(stage) == {"FALLBACK_NOTICE": 1}


async def test_each_language_has_its_own_notice(stage):
    caller, agent = await stage.connect("105")
    await agent.until_heard(0.3)
    assert notice_completed(heard_by(stage, caller, "ja")).ok
    assert heard_by(stage, caller, "en").started_at is None
    await caller.hang_up()
    await stage.site.service.start()
    await stage.row("recording_adopted", notice="test/1/ja")


async def test_a_service_that_hangs_knows_the_call_and_gets_its_recording(served):
    """It wakes up in mid-call, has not recorded, and adopts what was recorded without it."""
    stage = served
    stage.site.service.suspend()
    caller, agent = await stage.connect("102")
    await agent.until_heard(1.0)
    assert heard_by(stage, caller).ended_at is not None
    stage.site.service.resume()
    await stage.row("decision")
    await agent.until_heard(0.5)
    await caller.hang_up()
    await stage.row("spool_removed")
    must_be_adopted(stage)
    (arrived,) = stage.rows("call_arrived")
    (decided,) = stage.rows("decision")
    (adopted,) = stage.rows("recording_adopted")
    assert arrived["call"] == decided["call"] == adopted["call"]
    assert decided["detail"]["status"] == "NOT_RECORDED"
    assert len(stage.rows("call_ended")) == 1
    await cdr_says(stage, TOLD_ALONE)
    assert found(stage) == {"FALLBACK_NOTICE": 1}


async def test_a_service_that_comes_back_waits_for_the_end_of_the_call(stage):
    caller, agent = await stage.connect("102")
    await agent.until_heard(0.5)
    await stage.site.service.start()
    await agent.until_heard(0.7)
    assert len(stage.site.spooled()) == 1
    assert stage.rows() == []
    await caller.hang_up()
    await stage.row("spool_removed")
    must_be_adopted(stage)


async def test_asterisk_dies_with_a_call_that_the_dialplan_records(stage):
    """The file ends without a header: its length follows from its size, and the row says so."""
    caller, agent = await stage.connect("102")
    await agent.until_heard(3.0)
    await stage.site.asterisk.kill()
    await stage.site.asterisk.start()
    await stage.site.service.start()
    await stage.row("spool_removed")
    (closed,) = stage.details("recording_closed")
    assert (closed["header_closed"], closed["whole"]) == (False, False)
    assert stage.site.spooled() == []
    caller.abandon()
    agent.abandon()


async def test_a_caller_whom_nobody_answers_leaves_an_empty_recording(stage):
    stage.phones["agent"].answer_after = None
    caller = await stage.caller.dial("102", stage.port)
    await stage.phones["agent"].next_call()
    await caller.hang_up()
    await stage.site.service.start()
    await stage.row("spool_removed")
    assert len(stage.rows("recording_empty")) == 1
    assert stage.site.spooled() == []


@pytest.mark.parametrize("seen", ["recording_adopted", "recording_closed"])
async def test_dying_in_the_middle_decides_once(stage, seen):
    """Killed as soon as a row of the adoption is durable, three times, and begun again.

    The first time its file cannot be renamed, so that it dies before that.
    """
    caller, agent = await stage.connect("102")
    await agent.until_heard(1.2)
    await caller.hang_up()
    await cdr_says(stage, TOLD_ALONE)
    spool = stage.site.asterisk.spool_here
    mode = spool.stat().st_mode
    for number in range(3):
        spool.chmod(mode & ~0o222 if number == 0 else mode)
        await stage.site.service.start(ready=False)
        await there(stage, "recording_adopted" if number == 0 else seen)
        await stage.site.service.kill()
    await stage.site.service.start()
    await stage.row("spool_removed")
    must_be_adopted(stage)
    for kind in ("call_arrived", "decision", "recording_adopted", "recording_closed"):
        assert len(stage.rows(kind)) == 1, kind


async def there(stage, kind):
    """Wait for a row in a log that may not be there yet."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(StoreError):
                if stage.rows(kind):
                    return
            await asyncio.sleep(0.005)


# -- entered again -----------------------------------------------------------------------------


async def test_entered_again_the_recording_stands_without_a_second_notice(stage):
    caller, agent = await stage.connect("106")
    await agent.until_heard(0.3)
    assert agent.times["confirmed"] - caller.times["invite"] < 2.0
    await caller.hang_up()
    await cdr_says(stage, TOLD_ALONE)
    assert len(stage.site.spooled()) == 1


async def test_a_service_that_is_back_takes_over_what_the_dialplan_began(stage):
    """Entered again: told again, recorded by the service, and what was recorded alone ends."""
    caller = await stage.caller.dial("111", stage.port)
    await caller.answered()
    async with asyncio.timeout(5):
        while not stage.site.spooled():  # noqa: ASYNC110 - a directory of another process
            await asyncio.sleep(0.02)
    await stage.site.service.start()
    caller.send_digit("1")
    agent = await stage.answered("agent")
    await agent.until_heard(0.7)
    await caller.hang_up()
    await stage.row("recording_adopted")
    await stage.row("spool_removed", 2)
    assert [one["reason"] for one in stage.details("decision")] == [
        "NOTICE_COMPLETED",
        "FALLBACK_NOTICE",
    ]
    assert len(stage.details("recording_empty")) == 1, "nobody was bridged before"


# -- not recorded ------------------------------------------------------------------------------


async def test_a_caller_who_hangs_up_in_the_notice_is_not_recorded(stage):
    caller = await stage.caller.dial("103", stage.port)
    await caller.answered()
    await caller.until_heard(0.6)
    await caller.hang_up()
    await cdr_says(stage, "NOT_RECORDED:HANGUP_IN_NOTICE::")
    assert stage.site.spooled() == []


@pytest.mark.parametrize("exten", ["102", "101"])
async def test_without_its_prompt_nobody_is_recorded(stage, exten):
    (stage.site.asterisk.sounds_here / "en/notice-test.wav").unlink()
    caller, agent = await stage.connect(exten)
    await agent.until_heard(0.3)
    await caller.hang_up()
    await cdr_says(stage, NOT_THERE)
    assert stage.site.spooled() == []


async def test_a_prompt_that_ends_too_early_is_no_notice(stage):
    prompt = stage.site.asterisk.sounds_here / "en/notice-test.wav"
    write_wav(prompt, read_wav(prompt)[0][:6_000])
    caller, agent = await stage.connect("103")
    await agent.until_heard(0.3)
    await caller.hang_up()
    await cdr_says(stage, NOT_THERE)
    assert stage.site.spooled() == []


async def test_another_languages_sound_in_its_place_is_no_notice(stage):
    """Asterisk looks into a directory of the channel's language first, below any path."""
    nested = stage.site.asterisk.sounds_here / "ja/ja/notice-test.wav"
    nested.parent.mkdir()
    sound = read_wav(stage.site.asterisk.sounds_here / "en/notice-test.wav")[0]
    write_wav(nested, sound[:4_000])
    caller, agent = await stage.connect("105")
    await agent.until_heard(0.3)
    assert heard_by(stage, caller, "ja").started_at is None
    await caller.hang_up()
    await cdr_says(stage, NOT_THERE)
    assert stage.site.spooled() == []


@pytest.mark.parametrize(
    ("exten", "said"),
    [
        ("142", NOT_THERE),
        ("107", NOT_THERE),
        ("110", "NOT_RECORDED:EMERGENCY::"),
        ("109", f";{NOT_THERE}"),
    ],
)
async def test_whom_the_dialplan_does_not_record(stage, exten, said):
    """A policy that needs the service; who was refused before; an emergency; a callee."""
    caller, agent = await stage.connect(exten)
    await agent.until_heard(0.5)
    assert agent.times["confirmed"] - caller.times["invite"] < 0.9
    assert heard_by(stage, caller).started_at is None
    assert heard_by(stage, agent).started_at is None
    await caller.hang_up()
    await cdr_says(stage, said)
    assert stage.site.spooled() == []


async def test_a_limit_of_the_site_ends_the_notice_and_the_call(stage):
    caller = await stage.caller.dial("108", stage.port)
    await caller.ended(5)
    await cdr_says(stage, NOT_THERE)
    assert stage.site.spooled() == []


# -- not adopted -------------------------------------------------------------------------------


async def test_what_nobody_promised_is_set_aside(stage):
    caller, agent = await stage.connect("102")
    await agent.until_heard(0.5)
    await caller.hang_up()
    await cdr_says(stage, TOLD_ALONE)
    spool = stage.site.asterisk.spool_here
    (name,) = stage.site.spooled()
    other = f"d-{'0' * 16}{name[18:]}"
    (spool / name).rename(spool / other)
    await stage.site.service.start()
    rows = await stage.site.rows_until(lambda rows: rows[-1]["kind"] == "file_quarantined")
    assert rows[-1]["detail"]["file"] == other
    assert stage.rows() == []
    aside = stage.site.recordings / "quarantine" / other
    assert aside.stat().st_mode & 0o077 == 0
    await stage.site.rows_until(lambda _: stage.site.spooled() == [])
    assert found(stage) == {"FALLBACK_NOT_ADOPTED": 1, "FILE_QUARANTINED": 1}
