"""The FastAGI entry: the same call through the same domain, on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from lab.site import EXTENSIONS

pytestmark = pytest.mark.asterisk


async def test_a_call_is_told_and_recorded(scene):
    leg, agent = await scene.connect("101")
    await agent.until_heard(2.5)
    await scene.hang_up(leg)
    assert scene.details("call_arrived")[0]["entry"] == "agi"
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert scene.details("recording_closed")[0]["whole"]
    call = scene.site.rows()[-1]["call"]
    assert scene.cdr_fields() == [f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{call}"]


@pytest.mark.parametrize("after_s", [0.0, 0.5])
async def test_a_caller_who_hangs_up_in_the_notice_is_not_recorded(scene, after_s):
    leg = await scene.caller.dial("101", scene.port)
    await leg.answered()
    if after_s:
        await leg.until_heard(after_s)
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]
    assert scene.site.spooled() == []
    assert scene.cdr_fields() == ["NOT_RECORDED:HANGUP_IN_NOTICE::"]


async def test_a_missing_prompt_means_no_recording_and_the_call_goes_on(scene):
    for prompt in scene.site.asterisk.sounds_here.rglob("notice-test.wav"):
        prompt.unlink()
    leg, agent = await scene.connect("101")
    await agent.until_heard(0.3)
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "NOTICE_FAILED")]
    assert scene.site.spooled() == []


async def test_without_the_service_the_call_goes_on(set_the_scene):
    scene = await set_the_scene(serve=False)
    leg, agent = await scene.connect("101")
    await leg.hang_up()
    await agent.ended()
    assert scene.site.spooled() == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("notice?policy=nobody-knows", "POLICY_UNKNOWN"),
        ("notice", "POLICY_MISSING"),
        ("elsewhere?policy=inbound", "ARGUMENTS_INVALID"),
        ("notice?policy=inbound&more=1", "ARGUMENTS_INVALID"),
    ],
)
async def test_a_url_that_names_no_policy_passes_the_call_on(set_the_scene, url, reason):
    scene = await set_the_scene()
    port = scene.site.asterisk.ports.spare[0]
    await scene.site.asterisk.reload_extensions(
        f"[from-lab]\nexten => 100,1,AGI(agi://127.0.0.1:{port}/{url})\n"
        " same => n,Dial(PJSIP/agent,20)\n"
    )
    leg, _ = await scene.connect("100")
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", reason)]


async def test_a_hung_service_holds_nobody(set_the_scene):
    scene = await set_the_scene(dialplan_s=4.0)
    scene.site.service.suspend()
    leg = await scene.caller.dial("101", scene.port)
    agent = await scene.agent.next_call(8)
    await agent.answered()
    scene.site.service.resume()
    await scene.site.service.until(lambda status: bool(status["nodes"][0]["ari"]), 10)
    await agent.until_heard(1.0)
    assert not leg.is_over
    await leg.hang_up()
    await agent.ended()
    assert scene.site.spooled() == []
    assert "recording_requested" not in scene.kinds()


async def test_hostile_peers_do_not_keep_a_call_waiting(scene):
    """Peers that connect and close, say nothing, send garbage or a header without an end."""
    port = scene.site.asterisk.ports.spare[0]
    peers = []
    for number in range(40):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        peers.append(writer)
        match number % 4:
            case 0:
                writer.close()
            case 1:
                pass
            case 2:
                writer.write(b"GET / HTTP/1.1\r\n\r\n\n\n" * 10)
            case 3:
                writer.write(b"agi_x: " + b"y" * 60_000)
    leg = await scene.caller.dial("101", scene.port)
    agent = await scene.agent.next_call(5)
    await agent.answered()
    await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    for writer in peers:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def test_entering_again_returns_the_standing_decision(set_the_scene):
    again = EXTENSIONS.replace(
        "exten => 101,1,", "exten => 101,1,Gosub(compliance-notice-agi,s,1(inbound))\n same => n,"
    )
    scene = await set_the_scene(extensions=again)
    leg, agent = await scene.connect("101")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    assert scene.kinds().count("notice_started") == 1
    call = scene.site.rows()[-1]["call"]
    assert scene.cdr_fields() == [f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{call}"]
