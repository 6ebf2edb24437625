"""Rules on a real Asterisk: the number decides who is asked, and a reload reaches new calls."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from lab.prompt import write_notice
from lab.sip import address
from lab.site import install_test_prompts

pytestmark = pytest.mark.asterisk

TOKYO, BERLIN = "0312345678", "+4930123456"
BY_NUMBER = """
[rules]
home = "JP"
time_zone = "Asia/Tokyo"
presets = ["jp"]
presets_by_number = ["eu-explicit"]
"""
TELLS = "To confirm your request and improve our service, we record this call."
ASKS = "Press 1 for yes, 2 for no. If you press nothing, we will not record."
POLICIES = f"""
[[notice]]
id = "told"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "{TELLS}"

[[notice]]
id = "asked"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-asks"
text = "{TELLS} {ASKS}"

[[policy]]
name = "inbound"
notice = "told"
notice_opt_in = "asked"
languages = ["en"]
grace_s = 2.5
on_refusal = "continue-unrecorded"
keys = {{ accept = "1", refuse = "2" }}
"""


def install_prompts(sounds: Path) -> None:
    install_test_prompts(sounds)
    write_notice(sounds / "en/notice-asks.wav", 0.8, 9)


@pytest.fixture
async def scene(set_the_scene):
    return await set_the_scene(
        policies=BY_NUMBER + POLICIES, install_prompts=install_prompts, dialplan_s=10.0
    )


async def call_from(scene, number):
    """Dial, say nothing, and reach the agent."""
    leg = await scene.caller.dial("102", scene.port, from_value=address(number))
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.until_heard(0.6)
    return leg


async def over(scene, leg, calls):
    await leg.hang_up()
    await scene.site.until_ended(calls)


def arrived(scene):
    """The rules that applied to each call, and the digest of what they made."""
    return [(detail["rules"], detail["policy_digest"]) for detail in scene.details("call_arrived")]


def recorded(scene):
    return len(list(scene.site.recordings.glob("r-*.wav")))


async def reload(scene, change):
    """Write the configuration anew, ask the service to read it, and return what it said then."""
    config = scene.site.service.config
    before = len(scene.details("config_loaded")) + len(scene.details("config_refused"))
    config.write_text(change(config.read_text()))
    os.kill(scene.site.service.pid, signal.SIGHUP)
    kinds = {"config_loaded", "config_refused"}
    rows = await scene.site.rows_until(
        lambda rows: sum(row["kind"] in kinds for row in rows) > before
    )
    return next(row["kind"] for row in reversed(rows) if row["kind"] in kinds)


async def test_berlin_is_asked_and_tokyo_is_told(scene):
    await over(scene, await call_from(scene, BERLIN), 1)
    assert scene.decisions() == [("REFUSED", "CONSENT_NOT_GIVEN")]
    assert recorded(scene) == 0
    await over(scene, await call_from(scene, TOKYO), 2)
    assert scene.decisions()[1] == ("ALLOWED", "NOTICE_COMPLETED")
    assert recorded(scene) == 1
    (berlin, asked), (tokyo, told) = arrived(scene)
    assert "eu-consent" in berlin
    assert not [rule for rule in tokyo if rule.startswith("eu-")]
    assert set(tokyo) < set(berlin)
    assert asked != told
    heard = [detail["notice"] for detail in scene.details("notice_completed")]
    assert heard == ["asked/1/en", "told/1/en"]


async def test_who_withholds_the_number_is_asked(scene):
    await over(scene, await call_from(scene, "anonymous"), 1)
    assert scene.decisions() == [("REFUSED", "CONSENT_NOT_GIVEN")]
    assert "eu-consent" in arrived(scene)[0][0]


async def test_a_live_call_keeps_its_policy_and_the_next_one_has_the_new(scene):
    live = await scene.caller.dial("102", scene.port, from_value=address(BERLIN))
    await scene.site.rows_until(lambda rows: rows[-1]["kind"] == "notice_completed")
    assert await reload(scene, lambda text: text.replace(BY_NUMBER, "")) == "config_loaded"
    assert "decision" not in scene.kinds(), "it waits for an answer still"
    live.send_digit("1")
    agent = await scene.agent.next_call()
    await agent.answered()
    await over(scene, live, 1)
    assert scene.decisions() == [("ALLOWED", "CONSENT_GIVEN")]

    def broken(text):
        return text.replace('notice = "told"', 'notice = "nothing"')

    assert await reload(scene, broken) == "config_refused"
    (refused,) = scene.details("config_refused")
    assert refused == {"problems": 1}
    assert "reload_refused" in scene.site.service.words

    await over(scene, await call_from(scene, BERLIN), 2)
    assert scene.decisions()[1] == ("ALLOWED", "NOTICE_COMPLETED")
    (under_rules, asked), (without, told) = arrived(scene)
    assert "eu-consent" in under_rules
    assert without == []
    assert asked != told
    assert scene.details("config_loaded")[1]["policies"] == [f"inbound:{told}"]
