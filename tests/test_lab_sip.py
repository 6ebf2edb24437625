"""The test telephone against itself and a real Asterisk: what it claims to hear must be true."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from lab.asterisk import Asterisk
from lab.hearing import (
    Capture,
    NoticeHeard,
    nothing_before_notice,
    notice_not_recorded,
    parties_recorded,
    party_heard,
)
from lab.leg import CallFailed, Leg
from lab.notice_search import NoticeSearch
from lab.prompt import write_notice
from lab.rootfs import obtain
from lab.sip import Phone, address
from lab.sip_message import Message
from lab.tone_spans import find_spans
from lab.tones import AGENT, AGENT2, CALLER
from lab.wav import is_closed


@pytest.fixture
async def caller() -> AsyncIterator[Phone]:
    async with await Phone.open("caller", CALLER) as phone:
        yield phone


@pytest.fixture
async def agent() -> AsyncIterator[Phone]:
    async with await Phone.open("agent", AGENT) as phone:
        phone.answer_after = 0.05
        yield phone


async def test_each_hears_the_other_at_the_time_it_was_said(caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.answered()
    await other.answered()
    assert leg.times["invite"] < leg.times["ringing"] < leg.times["answered"]
    await leg.until_heard(0.9)
    await leg.hang_up()
    await other.ended()
    assert (leg.ended_by, other.ended_by, leg.status) == ("us", "them", 200)
    for listener, speaker in ((leg, other), (other, leg)):
        heard = listener.heard_pcm()
        said = speaker.spoke
        assert said is not None
        (span,) = find_spans(heard.pcm, speaker.phone.schedule, said[0] - 1, said[1])
        assert span.clock_start == pytest.approx(said[0], abs=0.02)
        assert heard.clock_of(span.start_s) == pytest.approx(span.clock_start, abs=0.03)


async def test_a_busy_phone_answers_486_and_a_patient_one_can_be_cancelled(
    caller: Phone, agent: Phone
) -> None:
    agent.answer_after = None
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.ringing()
    second = await caller.dial("100", agent.port)
    with pytest.raises(CallFailed, match="486"):
        await second.answered()
    await leg.hang_up()
    await other.ended()
    assert (leg.status, leg.ended_by, other.status, other.ended_by) == (487, "us", 487, "them")
    with pytest.raises(CallFailed, match="487"):
        await leg.answered()


async def test_an_incoming_call_can_be_refused_or_answered_late(
    caller: Phone, agent: Phone
) -> None:
    agent.answer_after = None
    leg = await caller.dial("100", agent.port)
    (await agent.next_call()).refuse(603)
    with pytest.raises(CallFailed, match="603"):
        await leg.answered()
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    other.answer()
    await leg.answered()
    await other.hang_up()
    await leg.ended()
    assert leg.ended_by == "them"


async def test_nobody_answers_where_nobody_listens(
    caller: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.sip.T1_S", 0.01)
    monkeypatch.setattr("lab.sip.GIVE_UP_S", 0.2)
    silent = await Phone.open("silent")
    port = silent.port
    await silent.close()
    leg = await caller.dial("100", port)
    with pytest.raises(CallFailed, match="408"):
        await leg.answered()
    assert sum(line.startswith("INVITE") for _, _, line in caller.log) > 3


async def test_lost_messages_are_made_good(
    caller: Phone, agent: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.sip.T1_S", 0.02)
    lost: set[tuple[str, str]] = set()

    def lose_each_first(phone: Phone) -> None:
        send = phone.send

        def sometimes(message: Message, to: tuple[str, int]) -> None:
            key = (phone.name, message.start)
            if key in lost:
                send(message, to)
            lost.add(key)

        monkeypatch.setattr(phone, "send", sometimes)

    lose_each_first(caller)
    lose_each_first(agent)
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.answered()
    await other.answered()
    await leg.hang_up()
    await other.ended()
    assert len(agent.legs) == 1
    assert {start.split()[0] for name, start in lost if name == "caller"} == {
        "INVITE", "ACK", "BYE",
    }  # fmt: skip


async def test_a_repeated_request_is_no_new_one(
    caller: Phone, agent: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.answer_after = None
    send = caller.send

    def twice(message: Message, to: tuple[str, int]) -> None:
        send(message, to)
        send(message, to)

    monkeypatch.setattr(caller, "send", twice)
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.until(lambda: len(caller.log) >= 4, 5)
    assert not any(line.startswith("SIP/2.0 200") for _, _, line in agent.log)
    other.answer()
    await leg.answered()
    await leg.hang_up()
    await other.ended()
    assert len(agent.legs) == 1
    assert not any(line.startswith("SIP/2.0 4") for _, _, line in agent.log)


async def test_digits_are_events_and_interrupt_the_voice(caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await other.answered()
    leg.send_digit("9")
    leg.send_digit("#")
    await other.until_heard(0.7)
    events = [packet for packet in other.media.received if packet.payload_type == 101]
    assert [packet.payload[0] for packet in events] == [9] * 9 + [11] * 9
    assert len({packet.timestamp for packet in events}) == 2
    assert [packet.payload[1] >> 7 for packet in events[:9]] == [0] * 6 + [1] * 3


async def test_hold_silences_and_resume_goes_on_by_the_clock(caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await other.answered()
    await other.until_heard(0.6)
    assert await leg.hold() == 200
    before = len(other.media.received)
    await leg.until_heard(0.4)
    assert len(other.media.received) <= before + 1
    assert await leg.resume() == 200
    await other.until_heard(0.6)
    heard = other.heard_pcm()
    said = leg.spoke
    assert said is not None
    first, second = find_spans(heard.pcm, caller.schedule, said[0] - 1, said[1])
    assert second.clock_start - first.clock_end > 0.3
    assert second.offset_s == pytest.approx(first.offset_s, abs=0.03)


async def test_a_phone_can_be_silent_and_choose_its_first_sequence_number(
    caller: Phone, agent: Phone
) -> None:
    caller.silent = True
    agent.first_sequence = 65530
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.until_heard(0.3)
    assert [packet.sequence for packet in leg.media.received[:8]] == [
        *range(65530, 65536), 0, 1,
    ]  # fmt: skip
    assert other.media.received == []
    assert leg.spoke is None


HOSTILE = [
    address('Eve "; drop', 'a "quoted", \\ name'),
    '"${CHANNEL(state)}" <sip:eve@127.0.0.1>',
    '"first\r\n second" <sip:eve@127.0.0.1>',
    '"\udcff\udc80\udcfe" <sip:eve@127.0.0.1>',
    f'"{"x" * 10_000}" <sip:eve@127.0.0.1>',
    "sip:,,,@127.0.0.1",
]


@pytest.mark.parametrize("sender", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_senders_go_out_as_given(caller: Phone, agent: Phone, sender: str) -> None:
    leg = await caller.dial("100", agent.port, from_value=sender, headers=[("X-Note", "a,b;c")])
    other = await agent.next_call()
    await leg.answered()
    assert other.dialog.remote.startswith(sender.replace("\r\n ", " "))
    await leg.hang_up()
    await other.ended()


async def test_what_a_phone_does_not_do_is_refused(caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("100", agent.port)
    await leg.answered()
    assert await leg.transfer("200") == 501


async def test_closing_a_phone_ends_its_calls(caller: Phone, agent: Phone) -> None:
    leg = await caller.dial("100", agent.port)
    other = await agent.next_call()
    await leg.answered()
    await caller.close()
    await other.ended()
    assert other.ended_by == "them"


NOTICE_S = 1.0
EXTENSIONS = """
[from-lab]
exten => told,1,Answer(,i)
 same => n,Playback(notice)
 same => n,Goto(connect,1)
exten => early,1,MixMonitor(,r(${ASTSPOOLDIR}/r-rx.wav)t(${ASTSPOOLDIR}/r-tx.wav))
 same => n,Answer(,i)
 same => n,Playback(notice)
 same => n,Dial(PJSIP/agent,20)
exten => connect,1,MixMonitor(,r(${ASTSPOOLDIR}/r-rx.wav)t(${ASTSPOOLDIR}/r-tx.wav))
 same => n,Dial(PJSIP/agent,20)
exten => other,1,Dial(PJSIP/other,20)
exten => digits,1,Answer(,i)
 same => n,Read(got,,2)
 same => n,Hangup(${IF($["${got}"="4#" | "${got}"="42"]?17:16)})
"""


class RealCall:
    """Three phones around a real Asterisk."""

    def __init__(self, asterisk: Asterisk, caller: Phone, agent: Phone, other: Phone) -> None:
        self.asterisk, self.caller, self.agent, self.other = asterisk, caller, agent, other
        self.search = NoticeSearch(write_notice(asterisk.sounds_here / "en/notice.wav", NOTICE_S))

    async def capture(self, leg: Leg, direction: str) -> Capture:
        schedules = {phone.name: phone.schedule for phone in (self.caller, self.agent, self.other)}
        path = self.asterisk.spool_here / f"r-{direction}.wav"
        async with asyncio.timeout(5):
            while not is_closed(path):  # noqa: ASYNC110  (Asterisk sends no event)
                await asyncio.sleep(0.01)
        return Capture.read(path, schedules, self.search, leg.times["invite"], time.monotonic())

    async def connected(self, exten: str) -> tuple[Leg, Leg]:
        leg = await self.caller.dial(exten, self.asterisk.sip_port)
        other = await self.agent.next_call()
        await other.answered()
        return leg, other


@pytest.fixture
async def real(caller: Phone, agent: Phone) -> AsyncIterator[RealCall]:
    async with await Phone.open("other", AGENT2) as other:
        agent.lines = 2
        phones = {phone.name: phone.port for phone in (agent, other)}
        async with Asterisk(obtain(), extensions=EXTENSIONS, phones=phones) as asterisk:
            yield RealCall(asterisk, caller, agent, other)


@pytest.mark.asterisk
async def test_a_real_call_is_told_then_recorded(real: RealCall) -> None:
    leg, other = await real.connected("told")
    await leg.until_heard(1.5)
    await leg.hang_up()
    await other.ended()
    notice = NoticeHeard.of(real.search, leg.heard_pcm())
    assert notice.completed
    assert notice.ended_at is not None
    assert notice.started_at == pytest.approx(leg.times["answered"], abs=0.1)
    assert notice.ended_at - (notice.started_at or 0) == pytest.approx(NOTICE_S, abs=0.05)
    for direction, party in (("rx", "caller"), ("tx", "agent")):
        capture = await real.capture(leg, direction)
        claims = [nothing_before_notice(capture, notice), notice_not_recorded(capture)]
        claims += parties_recorded(capture, [party], least_s=1.0)
        assert [claim for claim in claims if not claim.ok] == []
    assert party_heard(other.heard_pcm(), real.caller.schedule, notice.ended_at - 0.1).ok


@pytest.mark.asterisk
async def test_a_recording_that_began_too_early_is_found(real: RealCall) -> None:
    leg, other = await real.connected("early")
    await leg.until_heard(1.0)
    await leg.hang_up()
    await other.ended()
    notice = NoticeHeard.of(real.search, leg.heard_pcm())
    assert notice.completed
    assert not nothing_before_notice(await real.capture(leg, "rx"), notice).ok
    assert not notice_not_recorded(await real.capture(leg, "tx")).ok


@pytest.mark.asterisk
async def test_digits_reach_a_real_asterisk(real: RealCall) -> None:
    leg = await real.caller.dial("digits", real.asterisk.sip_port)
    await leg.answered()
    leg.send_digit("4")
    leg.send_digit("2")
    await leg.ended()
    assert leg.ended_by == "them"


@pytest.mark.asterisk
async def test_a_blind_and_an_attended_transfer_reach_the_third_party(real: RealCall) -> None:
    for attended in (False, True):
        leg, transferring = await real.connected("connect")
        await leg.until_heard(0.5)
        if attended:
            second = await real.agent.dial("other", real.asterisk.sip_port)
            await second.answered()
            assert await transferring.transfer_to(second) == 200
        else:
            assert await transferring.transfer("other") == 200
        third = await real.other.next_call()
        await third.answered()
        since = time.monotonic()
        await third.until_heard(1.0)
        await leg.until_heard(1.0)
        assert party_heard(third.heard_pcm(), real.caller.schedule, since - 1).ok
        assert party_heard(leg.heard_pcm(), real.other.schedule, leg.times["invite"]).ok
        await leg.hang_up()
        await third.ended()
        await transferring.ended()


@pytest.mark.asterisk
async def test_a_real_call_can_be_held_and_cancelled(real: RealCall) -> None:
    real.agent.answer_after = None
    leg = await real.caller.dial("connect", real.asterisk.sip_port)
    other = await real.agent.next_call()
    await leg.ringing()
    await leg.hang_up()
    await other.ended()
    assert (leg.status, other.status) == (487, 487)
    real.agent.answer_after = 0.05
    leg, other = await real.connected("connect")
    await leg.until_heard(0.2)
    assert await other.hold() == 200
    assert await other.resume() == 200
    await leg.until_heard(0.6)
    await other.hang_up()
    await leg.ended()
