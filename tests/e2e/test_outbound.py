"""Real calls to customers: whom we call hears the notice before anybody can be kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from asterisk_compliance.shipped.catalogue import sounds as shipped_sounds
from e2e.office import Office, install_all, must_hold, open_office
from lab.hearing import (
    nothing_before_notice,
    notice_completed,
    notice_not_recorded,
    parties_recorded,
)
from lab.site import TEST_POLICIES

pytestmark = pytest.mark.asterisk

OUT = """
[from-lab]
; an agent calls a customer
exten => 200,1,Dial(PJSIP/customer,20,gU(compliance-callee^outbound))
 same => n,Set(CDR(accountcode)=${DIALSTATUS})
 same => n,Hangup()
; and calls him back
exten => 201,1,Dial(PJSIP/customer,20,U(compliance-callee^callback^callback))
 same => n,Hangup()
; who is put through to somebody outside
exten => 202,1,Dial(PJSIP/outside,20,U(compliance-callee^inbound))
 same => n,Hangup()
; enters twice
exten => 203,1,Dial(PJSIP/customer,20,U(told-twice))
 same => n,Hangup()
; asks him first
exten => 210,1,Dial(PJSIP/customer,20,U(compliance-callee^opt-out))
 same => n,Hangup()
exten => 211,1,Dial(PJSIP/customer,20,U(compliance-callee^opt-in))
 same => n,Hangup()
exten => 212,1,Dial(PJSIP/customer,20,U(compliance-callee^or-end))
 same => n,ExecIf($["${DIALSTATUS}"="BUSY"]?Busy(5))
 same => n,Hangup()
; an inbound call
exten => 300,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20,t)
 same => n,Hangup()

[told-twice]
exten => s,1,Gosub(compliance-callee,s,1(outbound))
 same => n,Gosub(compliance-callee,s,1(outbound))
 same => n,Return()
"""

POLICIES = (
    TEST_POLICIES
    + """
[[policy]]
name = "outbound"
notice = "test"
languages = ["en"]
"""
)

ASKING = (
    POLICIES
    + """
[[notice]]
id = "asks-out"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "To confirm your request and improve our service, we record this call. To decline, press 9."

[[notice]]
id = "asks-in"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = '''
To confirm your request and improve our service, we record this call.
Press 1 for yes, 2 for no. If you press nothing, we will not record.'''

[[policy]]
name = "opt-out"
notice = "asks-out"
languages = ["en"]
consent = "opt-out"
on_refusal = "continue-unrecorded"
grace_s = 0.6
keys = { refuse = "9" }

[[policy]]
name = "opt-in"
notice = "asks-in"
languages = ["en"]
consent = "opt-in"
grace_s = 0.6
keys = { accept = "1", refuse = "2" }

[[policy]]
name = "or-end"
notice = "asks-out"
languages = ["en"]
consent = "opt-out"
on_refusal = "end"
grace_s = 0.6
keys = { refuse = "9" }
"""
)


async def test_a_customer_is_told_before_the_bridge_and_recorded():
    async with open_office(OUT, policies=POLICIES) as office:
        agent = await office.dial("agent", "200")
        customer = await office.called("customer")
        await agent.answered()
        await office.seen("recording_growing")
        channel = await office.channel_of("customer")
        said = {
            name: await office.variable(channel, f"COMPLIANCE_{name}")
            for name in ("STATUS", "REASON", "PURPOSES", "NOTICE", "CALL_ID", "CHANNEL")
        }
        dialler = await office.channel_of("agent")
        assert await office.variable(dialler, "COMPLIANCE_STATUS") is None, "nothing is inherited"
        await customer.until_heard(1.5)
        await agent.hang_up()
        rows = await office.site.until_ended()

        call = office.rows("call_arrived")[0]["call"]
        assert said == {
            "STATUS": "RECORDING",
            "REASON": "NOTICE_COMPLETED",
            "PURPOSES": "SERVICE&QUALITY",
            "NOTICE": "test/1/en",
            "CALL_ID": call,
            "CHANNEL": channel,
        }
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
        assert office.details("call_arrived")[0]["leg"] == "callee"
        _judge_recorded(office, agent, customer)
        assert office.site.spooled() == []
        assert f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{call}" in str(office.site.cdrs())
        assert {row["call"] for row in rows if row["call"]} == {call}


def _judge_recorded(office: Office, agent, customer, prompt="notice-test"):
    """The whole notice before the bridge; the agent hears ringing; nothing older in the file."""
    notice = office.notice_to(customer, prompt)
    must_hold(notice_completed(notice))
    assert agent.times["answered"] > notice.ended_at
    assert agent.times["ringing"] < notice.started_at
    assert office.notice_to(agent, prompt).started_at is None
    frame = 0.021
    assert min(begin for begin, _ in office.heard(customer, "agent")) > notice.ended_at - frame
    assert min(begin for begin, _ in office.heard(agent, "customer")) > notice.ended_at - frame
    (file,) = office.recordings()
    capture = office.capture(file, prompt)
    must_hold(
        nothing_before_notice(capture, notice),
        notice_not_recorded(capture),
        *parties_recorded(capture, ("customer", "agent"), least_s=1.0),
    )
    closed = office.details("recording_closed")[0]
    assert closed["whole"]
    assert closed["length"] == "ok"


CALLBACK = """
[[notice]]
id = "callback"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-callback"

[[policy]]
name = "callback"
notice = "callback"
languages = ["en"]

[[rule]]
id = "back"
match = { direction = ["callback"] }
terms = { capture = "from-notice" }
"""


async def test_a_call_back_says_the_shipped_words_under_the_rules_for_call_backs():
    def install(sounds: Path) -> None:
        install_all(sounds)
        shipped = shipped_sounds() / "en/notice-callback.wav"
        (sounds / "en/notice-callback.wav").write_bytes(shipped.read_bytes())

    async with open_office(
        OUT, policies=POLICIES + CALLBACK, install_prompts=install, dialplan_s=12.0
    ) as office:
        agent = await office.dial("agent", "201")
        customer = await office.called("customer")
        await agent.answered(12)
        await customer.until_heard(1.5)
        await agent.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
        assert office.details("call_arrived")[0]["rules"] == ["back"]
        _judge_recorded(office, agent, customer, "notice-callback")


async def test_what_the_customer_answers_is_what_happens():
    expected = [
        ("210", "", ("ALLOWED", "CONSENT_NOT_REFUSED")),
        ("210", "9", ("REFUSED", "CONSENT_REFUSED")),
        ("211", "1", ("ALLOWED", "CONSENT_GIVEN")),
        ("211", "", ("REFUSED", "CONSENT_NOT_GIVEN")),
    ]
    async with open_office(OUT, policies=ASKING, dialplan_s=9.0) as office:
        for done, (exten, key, decided) in enumerate(expected, 1):
            agent = await office.dial("agent", exten)
            customer = await office.called("customer")
            await customer.until_heard(0.3)
            if key:
                customer.send_digit(key)
            await agent.answered()
            await agent.until_heard(1.2)
            assert office.heard(agent, "customer"), "they talk, recorded or not"
            await agent.hang_up()
            await office.site.until_ended(done)
            assert office.decisions()[-1] == decided
        assert len(office.recordings()) == 2
        assert office.site.spooled() == []


async def test_a_customer_who_refuses_is_let_go_and_the_agent_hears_busy():
    async with open_office(OUT, policies=ASKING, dialplan_s=9.0) as office:
        agent = await office.dial("agent", "212")
        customer = await office.called("customer")
        await customer.until_heard(0.3)
        customer.send_digit("9")
        await customer.ended()
        await agent.ended()
        await office.site.until_ended()
        assert agent.status == 486, "the dialplan went on behind Dial()"
        assert "answered" not in agent.times
        assert customer.ended_by == "them"
        assert office.notice_to(customer, "required-here").completed
        assert office.decisions() == [("REFUSED", "CONSENT_REFUSED")]
        assert office.recordings() == office.site.spooled() == []


async def test_an_agent_who_gives_up_in_the_notice_takes_the_customer_with_him():
    async with open_office(OUT, policies=POLICIES) as office:
        agent = await office.dial("agent", "200")
        customer = await office.called("customer")
        await customer.until_heard(0.4)
        await agent.hang_up()
        await customer.ended(1.0)
        assert customer.ended_by == "them"
        await office.site.until_ended()
        assert office.decisions() == [("NOT_RECORDED", "DIALLER_GONE")]
        assert office.recordings() == office.site.spooled() == []

        # The customer gives up, the next time.
        agent = await office.dial("agent", "200")
        customer = await office.called("customer")
        await customer.until_heard(0.4)
        await customer.hang_up()
        await agent.ended()
        await office.site.until_ended(2)
        assert office.decisions()[1:] == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]
        assert office.recordings() == office.site.spooled() == []


async def test_entering_twice_tells_once():
    async with open_office(OUT, policies=POLICIES) as office:
        agent = await office.dial("agent", "203")
        customer = await office.called("customer")
        await agent.answered()
        await customer.until_heard(1.5)
        channel = await office.channel_of("customer")
        assert await office.variable(channel, "COMPLIANCE_STATUS") in {"ALLOWED", "RECORDING"}
        await agent.hang_up()
        await office.site.until_ended()
        kinds = [row["kind"] for row in office.rows()]
        assert kinds.count("notice_started") == 1
        assert kinds.count("call_reentered") == 1
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
        _judge_recorded(office, agent, customer)


async def test_without_the_service_they_talk_unrecorded():
    async with open_office(OUT, policies=POLICIES, serve=False) as office:
        agent = await office.dial("agent", "200")
        customer = await office.called("customer")
        await agent.answered()
        channel = await office.channel_of("customer")
        assert await office.variable(channel, "COMPLIANCE_STATUS") == "NOT_RECORDED"
        assert await office.variable(channel, "COMPLIANCE_REASON") == "SERVICE_UNAVAILABLE"
        await customer.until_heard(1.2)
        assert office.heard(customer, "agent")
        await agent.hang_up()
        await customer.ended()
        assert office.site.spooled() == []


async def test_a_service_that_died_in_the_notice_lets_them_talk_when_it_is_back():
    """Inside U() no limit can be set: until then the customer hears silence."""
    async with open_office(OUT, policies=POLICIES) as office:
        agent = await office.dial("agent", "200")
        customer = await office.called("customer")
        await customer.until_heard(0.4)
        await office.site.service.kill()
        await office.site.service.start()
        await agent.answered(5)
        await customer.until_heard(0.5)
        await agent.hang_up()
        await office.site.until_ended()
        assert office.decisions() == [("NOT_RECORDED", "SERVICE_RESTARTED")]
        assert office.recordings() == office.site.spooled() == []


async def test_who_is_put_through_to_somebody_outside_is_kept_once_that_one_was_told():
    async with open_office(OUT, policies=POLICIES) as office:
        caller = await office.dial("customer", "300")
        agent = await office.called("agent")
        await office.seen("recording_growing")
        assert await agent.transfer("202") == 200
        outside = await office.called("outside")
        await office.seen("decision", 2)
        await outside.until_heard(2.5)
        await caller.until_heard(1.0)
        await caller.hang_up()
        await office.site.until_ended(2)

        notice = office.notice_to(outside)
        must_hold(notice_completed(notice))
        voice = office.heard(outside, "customer")
        assert min(begin for begin, _ in voice) > notice.ended_at - 0.021, "told before the bridge"
        kinds = [row["kind"] for row in office.rows()]
        assert "party_told" not in kinds, "no whisper"
        assert office.decisions() == [("ALLOWED", "NOTICE_COMPLETED")] * 2
        first = office.rows("call_arrived")[0]["call"]
        requested = office.details("recording_requested")
        assert all(first[2:] in one["recording"] for one in requested), (
            "his leg has none of its own"
        )
        joined = office.details("party_joined")
        assert joined[-1]["cover"] == "told"
        captures = [office.capture(file) for file in office.recordings()]
        assert sum(one.heard_s("agent", 1) for one in captures) > 0.5
        assert sum(one.heard_s("outside", 1) for one in captures) > 1.0
        assert sum(one.heard_s("outside", 0) for one in captures) == 0
        spoken = [
            span.clock_start
            for one in captures
            for print_ in one.voiceprints
            if print_.party == "outside"
            for span in print_.spans
        ]
        assert min(spoken) > notice.ended_at - 0.021
