"""The test telephone against itself, over loopback: what it claims to hear must be true."""

from collections.abc import AsyncIterator

import pytest

from lab.leg import CallFailed
from lab.sip import Phone, address
from lab.sip_message import Message
from lab.tone_spans import find_spans
from lab.tones import AGENT, CALLER


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
