"""Recorded only while somebody asks for it; and tones that say so."""

from __future__ import annotations

import time

import numpy as np
import pytest

from e2e.steering import BEEP_HZ, EXTENSIONS, Recorded, Times, policy, press, run_cli, steered
from lab.leg import Leg
from lab.tone_spans import amplitudes
from lab.tones import FRAME, RATE

pytestmark = pytest.mark.asterisk

ASKS = """
[[notice]]
id = "asks"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = \"\"\"To confirm your request and improve our service, we record this call. \\
To decline, press 9.\"\"\"
"""
REFUSABLE = (
    ASKS
    + policy("refusable", "asks", capture="on-demand", consent="opt-out", grace_s=0.3)
    + '[policy.keys]\nrefuse = "9"\n'
)


async def test_a_recording_on_demand_begins_and_ends_when_somebody_asks():
    extensions = EXTENSIONS + EXTENSIONS.replace("400", "420").replace("inbound", "refusable")
    async with steered(extensions, policy(capture="on-demand"), REFUSABLE) as office:
        office.phones["agent"].answer_after = None
        customer = await office.dial("customer", "400")
        agent = await office.phones["agent"].next_call()
        call = office.rows("call_arrived")[0]["call"]
        assert (await run_cli(office, "calls", "start", call))[0] == 1, "nobody is there"
        assert [one["code"] for one in office.details("anomaly")] == ["START_REFUSED"]
        agent.answer()
        await office.seen("party_joined")
        call = Recorded.of(office, customer, agent)
        await agent.until_heard(1.2)
        assert office.site.spooled() == []
        assert office.rows("recording_requested") == []

        started = await press(agent, "*53")
        await office.seen("recording_started")
        await agent.until_heard(1.4)
        stopped = await press(agent, "*54")
        await office.seen("spool_removed")
        assert office.site.spooled() == []
        await call.is_said("NOT_RECORDED")
        assert (await call.ask("stop"))[0] == 0, "it is so already"
        again = time.monotonic()
        assert (await call.ask("start"))[0] == 0
        await office.seen("recording_started", 2)
        await agent.until_heard(1.4)
        assert (await call.ask("start"))[0] == 0, "it runs already"
        await call.end()

        kinds = [row["kind"] for row in office.rows() if row["kind"].startswith("recording_")]
        assert [kind for kind in kinds if kind != "recording_growing"] == [
            "recording_requested",
            "recording_started",
            "recording_closed",
        ] * 2
        asked = [(row["actor"], row["detail"]["what"]) for row in office.rows("capture_asked")]
        assert asked[:2] == [("agent", "start"), ("agent", "stop")]
        assert [what for _, what in asked] == ["start", "stop", "start"]
        assert office.rows("capture_asked")[2]["detail"]["role"] == "staff"
        first, second = spans(call, 1), spans(call, 2)
        assert min(begin for begin, _ in first) > started - 0.1
        assert max(end for _, end in first) < stopped + 0.3
        assert min(begin for begin, _ in second) > again
        assert all(one["whole"] for one in office.details("recording_closed"))

        office.phones["agent"].answer_after = 0.05
        customer = await office.dial("customer", "420")
        await customer.answered()
        customer.send_digit("9")
        await office.called("agent")
        call = office.rows("call_arrived")[1]["call"]
        status, out, _ = await run_cli(office, "calls", "start", call)
        assert (status, out) == (1, "REFUSED\n")
        assert [one["code"] for one in office.details("anomaly")][-1] == "START_REFUSED"
        assert office.site.spooled() == []


def spans(call: Recorded, segment: int) -> list[Times]:
    """When what a recording holds was said, by whomever."""
    return [span for spans in call.voices(segment) for span in spans]


async def test_both_hear_a_tone_again_and_again_and_none_is_in_the_file():
    async with steered(EXTENSIONS, policy(beep_s=2)) as office:
        call = await Recorded.begin(office)
        await call.agent.until_heard(5.0)
        await call.end()
        bridged = call.agent.times["confirmed"]
        heard = beeps(call.customer, bridged), beeps(call.agent, bridged)
        for times in heard:
            assert len(times) >= 2
            assert np.diff(times) == pytest.approx(2.0, abs=0.3)
        for pcm in call.joined():
            assert not tone(pcm).any()
        assert office.details("recording_closed")[0]["whole"]


def tone(pcm: np.ndarray) -> np.ndarray:
    """For each 20 ms whether the beep is in it."""
    return amplitudes(pcm, (BEEP_HZ,), FRAME, FRAME)[0] > 500


def beeps(leg: Leg, since: float) -> list[float]:
    """When each beep began, by the clock. Frames in which nothing arrived tell nothing."""
    heard = leg.heard_pcm()
    there = tone(heard.pcm)
    frames = heard.pcm[: len(there) * FRAME].reshape(-1, FRAME)
    arrived = np.flatnonzero(np.count_nonzero(frames, axis=1) > FRAME // 2)
    begins = arrived[there[arrived] & ~np.concatenate(([False], there[arrived][:-1]))] * FRAME
    return [at for at in map(heard.clock_of, begins / RATE) if at > since]
