"""Pauses on real calls: nobody is kept meanwhile, and no digit is anywhere.

A card number is given in both ways that telephones have, as tones in the voice path and as RFC 4733
events; a tone detector looks for it in every file, a search for its digits in everything else.
"""

from __future__ import annotations

import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from e2e.office import Office
from e2e.steering import (
    EXTENSIONS,
    Recorded,
    Times,
    dictate,
    policy,
    press,
    silences,
    steered,
    wall_s,
)
from lab.asterisk import Asterisk
from lab.dtmf import heard_digits
from lab.leg import Leg
from lab.proxy import Cable
from lab.tone_spans import find_spans
from lab.tones import RATE
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

CARD = "4929104683570026"
NEAR_S = 0.1
"""How much a span in the file may differ from the time between the rows; what is blanked with a
margin before it comes on top. A phone that was held up leaves frames out, which blurs the edges."""
_MARGIN_S = 0.1

PAYMENT = (
    EXTENSIONS
    + """
exten => 410,1,Gosub(compliance-notice,s,1(whole))
 same => n,Gosub(compliance-pause,s,1(dialplan))
 same => n,Read(DIGITS,,16,,1,5)
 same => n,Gosub(compliance-resume,s,1(dialplan))
 same => n,Dial(PJSIP/agent,20,gb(compliance-agent^s^1))
 same => n,Hangup()
exten => 411,1,Gosub(compliance-notice,s,1(inbound))
 same => n,UserEvent(CompliancePause,Call: c-01890000000000000000000000aa,Reason: CARD)
 same => n,UserEvent(CompliancePause,Call: ${COMPLIANCE_CALL_ID},Reason: BORED)
 same => n,UserEvent(CompliancePause,Call: ${COMPLIANCE_CALL_ID},Reason: PRIVATE)
 same => n,Dial(PJSIP/agent,20,gb(compliance-agent^s^1))
 same => n,Hangup()
"""
)


async def give_card(leg: Leg) -> None:
    """The number in tones, and again in events."""
    await dictate(leg, CARD)
    await press(leg, CARD)


async def no_digit_is_anywhere(office: Office) -> None:
    """In no file of the service, no file of the spool, and no answer of its socket."""
    parts = [CARD[at : at + 6].encode() for at in range(len(CARD) - 5)]
    status = json.dumps(await office.site.service.status()).encode()
    files = {path: path.read_bytes() for path in office.site.directory.rglob("*") if path.is_file()}
    files |= {path: path.read_bytes() for path in office.site.asterisk.spool_here.iterdir()}
    names = {path.name for path in files}
    assert {"service.log", "audit.jsonl"} <= names
    assert any(name.endswith(".wav") for name in names)
    for path, body in [*files.items(), (Path("status"), status)]:
        assert not [part for part in parts if part in body], path.name
    for path in files:
        if path.suffix == ".wav":
            assert [heard_digits(pcm) for pcm in read_wav(path)] == [""] * len(read_wav(path))


def the_pause(call: Recorded) -> tuple[float, float]:
    """Begin and end by the rows, on the clock of the tones."""
    (paused,), (resumed,) = (call.office.rows(f"capture_{what}") for what in ("paused", "resumed"))
    ahead = time.time() - time.monotonic()
    return wall_s(paused) - ahead, wall_s(resumed) - ahead


def within(begin: float, end: float, spans: list[Times]) -> list[Times]:
    """Those that reach into this time."""
    return [span for span in spans if span[1] > begin and span[0] < end]


def judge_pause(call: Recorded) -> None:
    """One silence in both channels, as long as the pause, and the voices go on behind it.

    What came in while the wish was on its way to Asterisk is blanked with a margin before it. The
    file has no time for frames that neither phone sent.
    """
    began, ended = the_pause(call)
    longest_s = max(end - begin for begin, end in silences(call.joined()))
    longer_s = longest_s - (ended - began)
    closed = call.office.details("recording_closed")[0]
    left_out_s = max(0, closed["expected_ms"] - closed["length_ms"]) / 1_000
    assert -NEAR_S - left_out_s < longer_s < _MARGIN_S + NEAR_S
    for spans in call.voices():
        assert within(began + NEAR_S, ended - NEAR_S, spans) == []
        assert spans[0][1] < began
        assert spans[-1][0] < ended + NEAR_S
        assert spans[-1][1] > ended + 0.5


async def test_the_agent_pauses_by_a_code_while_a_card_number_is_given():
    async with steered() as office:
        call = await Recorded.begin(office, until="recording_growing")
        await call.is_said("RECORDING")
        await call.is_said("RECORDING", who="agent")
        pressed = await press(call.agent, "*51")
        await call.is_said("PAUSED")
        await call.is_said("PAUSED", who="agent")
        await give_card(call.customer)
        spooled = call.spooled()
        await press(call.agent, "*52")
        await call.is_said("RECORDING")
        await call.is_said("RECORDING", who="agent")
        await call.customer.until_heard(1.4)
        await call.end()
        assert CARD in heard_digits(call.agent.heard_pcm().pcm), "it was said on the line"
        assert {heard_digits(pcm) for pcm in spooled.values()} == {""}
        await no_digit_is_anywhere(office)
        judge_pause(call)
        assert the_pause(call)[0] - pressed < 0.1, "muted as soon as the last key is let go"
        customer = office.phones["customer"].schedule
        raw = find_spans(spooled["rx"], customer, office.began, time.monotonic())
        assert max(span.clock_end for span in raw) - pressed < 0.1, "in Asterisk's own file, too"
        (paused,), (resumed,) = office.rows("capture_paused"), office.rows("capture_resumed")
        assert (paused["actor"], resumed["actor"]) == ("agent", "agent")
        assert paused["detail"] == {"recording": call.recording(), "mute": "all", "reason": "CARD"}
        assert resumed["detail"] == {"recording": call.recording(), "mute": "none"}
        assert office.details("recording_closed")[0]["whole"]


async def test_a_step_of_the_dialplan_pauses_while_it_reads_a_card_number():
    async with steered(PAYMENT, policy(), policy("whole", capture="from-notice")) as office:
        customer = await office.dial("customer", "410")
        await office.seen("capture_paused")
        await give_card(customer)
        agent = await office.called("agent")
        await office.seen("capture_resumed")
        call = Recorded.of(office, customer, agent)
        assert await office.variable(call.channel, "DIGITS") == CARD, "the dialplan has it"
        await call.is_said("RECORDING")
        await agent.until_heard(1.4)
        await call.end()
        await no_digit_is_anywhere(office)
        (paused,), (resumed,) = office.rows("capture_paused"), office.rows("capture_resumed")
        assert (paused["actor"], resumed["actor"]) == ("dialplan", "dialplan")
        ended = the_pause(call)[1]
        kept = [span for spans in call.voices() for span in spans]
        assert kept
        assert min(begin for begin, _ in kept) > ended - NEAR_S


async def test_two_pause_and_each_resumes_for_himself():
    async with steered() as office:
        call = await Recorded.begin(office)
        assert await call.ask("pause", "--reason", "PRIVATE") == (0, "PAUSED\n", "")
        await press(call.agent, "*51")
        await office.seen("capture_paused", 2)
        assert await call.ask("resume") == (0, "PAUSED\n", "")
        assert await call.ask("resume") == (0, "PAUSED\n", ""), "he has resumed already"
        await call.is_said("PAUSED")
        await call.is_said("PAUSED", who="agent")
        await press(call.agent, "*52")
        await office.seen("capture_resumed", 2)
        assert (await call.ask("resume"))[0] == 0
        await press(call.agent, "*52")
        await call.customer.until_heard(1.4)
        await call.end()
        paused, resumed = office.rows("capture_paused"), office.rows("capture_resumed")
        assert [row["detail"]["reason"] for row in paused] == ["PRIVATE", "CARD"]
        assert [row["detail"]["mute"] for row in resumed] == ["all", "none"]
        assert [row["actor"] for row in (paused[1], resumed[1])] == ["agent", "agent"]
        for row in (paused[0], resumed[0]):
            assert row["detail"]["role"] == "staff"
            assert row["actor"] == row["detail"]["party"]
        ahead = time.time() - time.monotonic()
        began, ended = wall_s(paused[0]) - ahead, wall_s(resumed[1]) - ahead
        for spans in call.voices():
            assert within(began + NEAR_S, ended - NEAR_S, spans) == []
            assert spans[-1][1] > ended


async def test_an_event_of_the_dialplan_pauses_before_anybody_is_there():
    async with steered(PAYMENT) as office:
        call = await Recorded.begin(office, "411")
        await call.is_said("PAUSED")
        await call.is_said("PAUSED", who="agent")
        await call.agent.until_heard(0.5)
        assert (await call.ask("resume", "--everybody"))[0] == 0
        await call.agent.until_heard(1.4)
        await call.end()
        assert office.details("capture_paused")[0]["reason"] == "PRIVATE"
        assert office.rows("capture_paused")[0]["actor"] == "dialplan"
        kinds = [row["kind"] for row in office.rows()]
        assert kinds.index("capture_paused") < kinds.index("party_joined")
        ended = the_pause(call)[1]
        for spans in call.voices():
            assert min(begin for begin, _ in spans) > ended - NEAR_S


async def test_a_forgotten_pause_ends_as_the_policy_says():
    resume = policy(pause_max_s=1)
    end = policy("whole", pause_max_s=1, on_pause_forgotten="end")
    extensions = EXTENSIONS + EXTENSIONS.replace("400", "420").replace("(inbound)", "(whole)")
    async with steered(extensions, resume, end) as office:
        call = await Recorded.begin(office)
        await call.customer.until_heard(1.4)
        assert (await call.ask("pause"))[0] == 0
        await office.seen("anomaly")
        await office.seen("capture_resumed")
        await call.customer.until_heard(1.2)
        await call.end()
        assert office.details("anomaly") == [
            {"code": "PAUSE_FORGOTTEN", "recording": call.recording()}
        ]
        began, ended = the_pause(call)
        assert ended - began == pytest.approx(1.0, abs=0.1)
        assert office.rows("capture_resumed")[0]["actor"] == "service"
        judge_pause(call)

        call = await Recorded.begin(office, "420")
        await call.customer.until_heard(1.4)
        assert (await call.ask("pause"))[0] == 0
        await office.seen("capture_stopped")
        await call.is_said("NOT_RECORDED")
        await call.customer.until_heard(0.4)
        await call.end()
        (stopped,) = office.details("capture_stopped")
        assert stopped == {"recording": call.recording(), "reason": "PAUSE_FORGOTTEN"}
        paused = wall_s(office.rows("capture_paused")[-1]) - (time.time() - time.monotonic())
        for spans in call.voices():
            assert max(end for _, end in spans) < paused + NEAR_S


async def test_where_asterisk_cannot_be_asked_to_pause_nothing_more_is_kept():
    """Who asked is told that it is no pause, and what was said all the same is not in the vault."""
    async with AsyncExitStack() as stack:
        cables = []

        async def through(asterisk: Asterisk) -> dict[str, int]:
            cables.append(await stack.enter_async_context(Cable(asterisk.ports.ami)))
            return {"ami": cables[0].port}

        office = await stack.enter_async_context(steered(through=through))
        call = await Recorded.begin(office)
        await call.customer.until_heard(1.4)
        cables[0].cut()
        await office.seen("asterisk_disconnected")
        status, out, _ = await call.ask("pause")
        assert (status, out) == (1, "FAILED\n")
        await dictate(call.customer, CARD)
        await call.end()
        await no_digit_is_anywhere(office)
        assert office.details("capture_stopped")[0]["reason"] == "MUTE_FAILED"
        assert office.details("anomaly")[0]["code"] == "CAPTURE_NOT_STOPPED"
        (paused,), (ended,) = office.rows("capture_paused"), office.rows("call_ended")
        begin, end = silences(call.joined())[-1]
        assert end > len(call.joined()[0]) / RATE - 0.021, "to its end"
        assert end - begin > wall_s(ended) - wall_s(paused) - NEAR_S


async def test_a_pause_outlives_a_transfer_until_staff_end_it():
    async with steered() as office:
        call = await Recorded.begin(office)
        await call.customer.until_heard(1.4)
        await press(call.agent, "*51")
        await call.is_said("PAUSED")
        assert await call.agent.transfer("401") == 200
        second = await office.called("agent2")
        await office.seen("party_told")
        await call.is_said("PAUSED")
        call.agent_channel = await office.channel_of("agent2")
        await call.is_said("PAUSED", who="agent")
        assert (await call.ask("resume", "--everybody"))[0] == 0
        await office.seen("recording_started", 2)
        await second.until_heard(1.8)
        await call.end()
        began, ended = the_pause(call)
        for spans in call.voices():
            assert spans
            assert [one for one in spans if one[1] > began + NEAR_S] == []
        kept = call.voices(2, others="agent2")
        for spans in kept:
            assert min(begin for begin, _ in spans) > ended - NEAR_S
            assert sum(end - begin for begin, end in spans) > 0.8
