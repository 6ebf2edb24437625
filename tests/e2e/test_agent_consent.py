"""Where the law asks for the agent's consent as well, his voice is kept only with it on file."""

from __future__ import annotations

import time

import pytest

from e2e.steering import Recorded, policy, steered
from lab.tone_spans import find_spans, presence
from lab.tones import AGENT2

pytestmark = pytest.mark.asterisk

EXTENSIONS = """
[from-lab]
exten => 440,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,t)
 same => n,Hangup()
exten => 441,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent2,20,t)
 same => n,Hangup()
exten => 401,1,Dial(PJSIP/agent2,20,t)
 same => n,Hangup()
"""
REQUIRED = policy(agent_consent="required", on_join="continue")


def kept_s(call: Recorded, who: str, segment: int) -> tuple[float, float]:
    """For how long a voice is heard in the left and in the right channel."""
    now = time.monotonic()
    schedule = call.office.phones[who].schedule
    left, right = (
        sum(s.end_s - s.start_s for s in find_spans(pcm, schedule, call.office.began, now))
        for pcm in call.joined(segment)
    )
    return left, right


async def test_of_an_agent_without_consent_no_file_is_ever_begun():
    async with steered(EXTENSIONS, REQUIRED, wiring='consenting = ["PJSIP/agent"]') as office:
        customer = await office.dial("customer", "441")
        agent = await office.called("agent2")
        await office.seen("party_joined")
        call = Recorded.of(office, customer, agent)
        for _ in range(4):
            assert office.site.spooled() in ([], [f"{call.recording()}-rx.wav"])
            await agent.until_heard(0.25)
        await call.end()
        (closed,) = office.details("recording_closed")
        assert (closed["rx"], closed["tx"], closed["whole"]) == ("heard", "not_kept", True)
        assert kept_s(call, "agent2", 1) == (0, 0)
        assert kept_s(call, "customer", 1)[0] > 0.7


async def test_an_agent_who_consents_is_kept_until_somebody_else_takes_over():
    async with steered(EXTENSIONS, REQUIRED, wiring='consenting = ["PJSIP/agent"]') as office:
        call = await Recorded.begin(office, "440")
        await office.seen("recording_started", 2)
        await call.agent.until_heard(1.0)
        assert {name[-6:] for name in office.site.spooled()} == {"rx.wav", "tx.wav"}
        assert await call.agent.transfer("401") == 200
        second = await office.called("agent2")
        await office.seen("party_joined", 2)
        await second.until_heard(1.2)
        await call.end()
        assert office.details("capture_paused")[0]["mute"] == "others"
        closed = [(one["recording"], one["tx"]) for one in office.details("recording_closed")]
        assert closed == [(call.recording(1), "not_kept"), (call.recording(2), "heard")]
        assert kept_s(call, "agent", 1) == (0, 0)
        assert kept_s(call, "agent", 2)[1] > 0.7
        assert kept_s(call, "customer", 2)[0] > 2.0
        for segment in (1, 2):
            assert kept_s(call, "agent2", segment) == (0, 0)
            assert not presence(call.joined(segment)[1], AGENT2).any()
