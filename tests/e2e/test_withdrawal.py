"""Who withdraws is not recorded any more, at once, and hears so."""

from __future__ import annotations

import time

import pytest

from e2e.office import Office
from e2e.steering import EXTENSIONS, Recorded, policy, press, steered
from lab.tone_spans import find_spans

pytestmark = pytest.mark.asterisk

WITHIN_S = 1.0

OTHER_WAYS = (
    EXTENSIONS
    + EXTENSIONS.replace("400", "420").replace("401", "421").replace("(inbound)", "(second)")
    + """
[compliance-alternative]
exten => s,1,Set(CDR(accountcode)=alternative)
 same => n,Dial(PJSIP/outside,20)
"""
)
ALTERNATIVE = {
    "duty": "mandatory",
    "on_refusal": "alternative",
    "on_notice_failure": "alternative",
    "on_recording_failure": "alternative",
}


def last_kept(call: Recorded) -> float:
    """When the last sound that is kept was said."""
    return max(end for spans in call.voices() for _, end in spans)


def withdrawals(office: Office) -> list[tuple[str, str]]:
    """Who withdrew, and what happens to what was recorded before."""
    rows = [row for row in office.rows("consent") if row["detail"]["state"] == "withdrawn"]
    return [(row["detail"].get("role", row["actor"]), row["detail"]["earlier"]) for row in rows]


def anomalies(office: Office) -> list[str]:
    return [one["code"] for one in office.details("anomaly")]


async def test_the_caller_withdraws_by_a_code_but_not_while_a_card_number_is_given():
    async with steered(EXTENSIONS, policy(withdrawal="on")) as office:
        call = await Recorded.begin(office)
        await press(call.agent, "*51")
        await call.is_said("PAUSED")
        await press(call.customer, "*9*")
        await office.seen("anomaly")
        assert anomalies(office) == ["WITHDRAWAL_IN_PAUSE"]
        await press(call.agent, "*52")
        await call.is_said("RECORDING")
        await call.agent.until_heard(1.4)

        pressed = await press(call.customer, "*9*")
        await call.is_said("REFUSED")
        await call.is_said("REFUSED", who="agent")
        await office.hears(call.customer, "refused")
        assert (await call.ask("start"))[:2] == (1, "REFUSED\n")
        await office.seen("anomaly", 2)
        await call.agent.until_heard(0.4)
        assert not call.customer.is_over, "the call goes on"
        await call.end()
        assert anomalies(office) == ["WITHDRAWAL_IN_PAUSE", "START_REFUSED"]
        assert withdrawals(office) == [("caller", "keep")]
        (stopped,) = office.rows("capture_stopped")
        assert stopped["detail"] == {"recording": call.recording(), "reason": "WITHDRAWN"}
        assert last_kept(call) - pressed < WITHIN_S
        assert office.notice_to(call.agent, "refused").started_at is None
        assert [path.stem for path in office.recordings()] == [call.recording()]
        assert office.details("recording_closed")[0]["length"] == "ok"


async def test_without_the_policys_word_a_code_of_the_caller_is_nothing():
    async with steered() as office:
        call = await Recorded.begin(office)
        await call.agent.until_heard(0.5)
        await press(call.customer, "*9*")
        await call.agent.until_heard(1.0)
        assert withdrawals(office) == []
        pressed = await press(call.agent, "*55")
        await call.is_said("REFUSED")
        await office.hears(call.customer, "refused")
        await call.end()
        assert withdrawals(office) == [("agent", "keep")]
        assert last_kept(call) - pressed < WITHIN_S
        assert len(office.recordings()) == 1


async def test_what_was_recorded_before_is_deleted_or_held():
    policies = policy(on_withdrawal="delete"), policy("second", on_withdrawal="hold")
    async with steered(OTHER_WAYS, *policies) as office:
        call = await Recorded.begin(office)
        await call.customer.until_heard(0.5)
        assert (await call.ask("stop"))[:2] == (0, "NOT_RECORDED\n")
        await office.seen("spool_removed")
        assert [path.stem for path in office.recordings()] == [call.recording()]
        assert (await call.ask("start"))[0] == 0
        await office.seen("recording_started", 2)
        await call.customer.until_heard(0.5)
        assert (await call.ask("withdraw"))[:2] == (0, "REFUSED\n")
        await office.seen("recording_removed", 2)
        assert office.recordings() == []
        assert office.site.spooled() == []
        await call.end()
        assert withdrawals(office) == [("staff", "delete")]
        closed = {one["recording"]: one["sha256"] for one in office.details("recording_closed")}
        removed = {one["recording"] for one in office.details("recording_removed")}
        assert set(closed) == removed == {call.recording(1), call.recording(2)}
        assert all(len(sha256) == 64 for sha256 in closed.values())

        call = await Recorded.begin(office, "420")
        await call.customer.until_heard(0.5)
        assert (await call.ask("withdraw"))[0] == 0
        await call.end()
        assert withdrawals(office)[1:] == [("staff", "hold")]
        assert [path.stem for path in office.recordings()] == [call.recording()]


async def test_where_recording_is_a_duty_who_withdraws_is_led_elsewhere_or_hung_up():
    end = {key: "end" if value == "alternative" else value for key, value in ALTERNATIVE.items()}
    async with steered(OTHER_WAYS, policy(**ALTERNATIVE), policy("second", **end)) as office:
        call = await Recorded.begin(office)
        await call.customer.until_heard(0.5)
        assert (await call.ask("withdraw"))[0] == 0
        elsewhere = await office.called("outside")
        await elsewhere.until_heard(0.3)
        assert office.notice_to(call.customer, "required-here").completed
        assert not call.customer.is_over
        await call.agent.ended()
        await call.end()
        assert office.details("call_diverted") == [{"to": "alternative"}]
        assert "alternative" in str(office.site.cdrs())
        for one in call.joined():
            assert not find_spans(
                one, office.phones["outside"].schedule, office.began, time.monotonic()
            )

        call = await Recorded.begin(office, "420")
        assert (await call.ask("withdraw"))[0] == 0
        await call.customer.ended()
        assert call.customer.ended_by == "them"
        await office.site.until_ended(2)
        assert office.notice_to(call.customer, "required-here").completed
        assert office.details("call_diverted")[1:] == [{"to": "end"}]
