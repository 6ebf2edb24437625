"""No audio reaches the disk: the caller is not left to believe that the call is recorded."""

from __future__ import annotations

import pytest

from e2e.steering import EXTENSIONS, policy, steered

pytestmark = pytest.mark.asterisk

WAYS = ("continue-unrecorded", "tell", "alternative", "end")
STRICT = {"duty": "mandatory", "on_refusal": "end", "on_notice_failure": "end"}


async def test_a_recording_that_does_not_grow_is_dealt_with_as_the_policy_says():
    extensions = "[compliance-alternative]\nexten => s,1,Dial(PJSIP/outside,20)\n\n[from-lab]\n"
    policies = []
    for number, way in enumerate(WAYS):
        name = f"way-{number}"
        policies.append(policy(name, on_recording_failure=way, **(STRICT if number >= 2 else {})))
        extensions += EXTENSIONS.replace("400", f"43{number}").replace("inbound", name)
    async with steered(extensions, *policies, limits="growth_s = 2.5") as office:
        office.site.asterisk.spool_here.chmod(0o2570)  # MixMonitor says that it began all the same
        office.phones["agent"].lines = 2 * len(WAYS)
        legs = [await office.dial("customer", f"43{number}") for number in range(len(WAYS))]
        for _ in WAYS:
            await office.called("agent")
        await office.seen("recording_stalled", len(WAYS))
        go_on, told, alternative, ended = legs
        await ended.ended()
        elsewhere = await office.called("outside")
        await elsewhere.until_heard(0.3)
        await office.hears(told, "not-recorded")
        await go_on.until_heard(0.3)
        await told.until_heard(0.3)
        assert [leg.is_over for leg in (go_on, told, alternative)] == [False] * 3
        assert office.notice_to(alternative, "required-here").completed
        assert office.notice_to(ended, "required-here").completed
        for prompt in ("not-recorded", "required-here"):
            assert office.notice_to(go_on, prompt).started_at is None
        lasting = [row["detail"] for row in office.rows("call_arrived")]
        channels = [one["channel"] for one in lasting if one["policy"] != "way-3"]
        said = [await office.variable(channel, "COMPLIANCE_STATUS") for channel in channels]
        assert said == ["FAILED"] * 3
        assert sorted(one["to"] for one in office.details("call_diverted")) == [
            "alternative",
            "end",
        ]
        reasons = [one["reason"] for one in office.details("capture_stopped")]
        assert reasons == ["NOT_GROWING"] * 3
        for leg in (go_on, told, alternative):
            await leg.hang_up()
        await office.site.until_ended(len(WAYS))
        assert len(office.rows("recording_missing")) == len(WAYS)
        assert office.recordings() == []
