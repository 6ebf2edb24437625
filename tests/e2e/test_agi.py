"""The FastAGI entry: the same call through the same domain, on a real Asterisk."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from pathlib import Path

import pytest

from e2e import steering
from e2e.steering import Recorded, press, steered
from e2e.test_pause import judge_pause
from e2e.test_transfers import told_then_kept
from lab import parties
from lab.parties import Stage
from lab.sip import Phone
from lab.site import EXTENSIONS, TEST_POLICIES

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


async def test_two_thousand_silent_peers_keep_no_call_out_and_fill_no_memory(scene):
    """While they connect, a call is told, connected and recorded as ever."""
    port = scene.site.asterisk.ports.spare[0]
    before = resident_bytes(scene.site.service.pid)
    with contextlib.ExitStack() as opened:

        def connect():
            for _ in range(2_000):
                peer = opened.enter_context(socket.socket())
                peer.connect(("127.0.0.1", port))

        connecting = asyncio.create_task(asyncio.to_thread(connect))
        leg, agent = await scene.connect("101")
        await connecting
        grown = resident_bytes(scene.site.service.pid) - before
        assert agent.times["confirmed"] - leg.times["answered"] < 3.0
        await agent.until_heard(1.0)
        await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert scene.details("recording_closed")[0]["whole"]
    assert grown < 16 * 1024 * 1024


async def test_a_peer_from_elsewhere_is_turned_away(scene):
    """It may listen on an address that others reach; ``permit`` says who is Asterisk."""
    port = scene.site.asterisk.ports.spare[0]
    for _ in range(3):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, local_addr=("127.0.0.2", 0)
        )
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
    assert scene.site.service.words.count("agi_peer_not_permitted") == 1


async def with_settings(set_the_scene, settings):
    """A scene whose ``[asterisk.agi]`` says this as well."""
    scene = await set_the_scene(serve=False)
    config = scene.site.service.config
    table = "[asterisk.agi]\n"
    config.write_text(config.read_text().replace(table, table + settings))
    await scene.site.service.start()
    return scene


async def test_an_asterisk_that_is_not_permitted_lets_its_calls_go_on(set_the_scene):
    scene = await with_settings(set_the_scene, 'permit = ["192.0.2.0/24"]\n')
    leg, agent = await scene.connect("101")
    await leg.hang_up()
    await agent.ended()
    assert "call_arrived" not in scene.kinds()
    await until_cdrs(scene, ["NOT_RECORDED:SERVICE_UNAVAILABLE::"])


async def test_one_call_too_many_goes_on_and_the_others_are_recorded(set_the_scene):
    scene = await with_settings(set_the_scene, "connections_max = 1\n")
    scene.agent.lines = 2
    first = await scene.caller.dial("101", scene.port)
    await first.answered()
    await first.until_heard(0.2)
    async with await Phone.open("second") as phone:
        second = await phone.dial("101", scene.port)
        agent = await scene.agent.next_call(2)
        await agent.answered()
        await second.hang_up()
        await agent.ended()
    await (await scene.agent.next_call()).until_heard(0.5)
    await scene.hang_up(first)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert sorted(scene.cdr_fields())[1] == "NOT_RECORDED:SERVICE_UNAVAILABLE::"


async def until_cdrs(scene, fields):
    async with asyncio.timeout(5):
        while scene.cdr_fields() != fields:  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)


RULES = """
[rules]
home = "JP"
time_zone = "Asia/Tokyo"

[[rule]]
id = "site-sales"
text = "Sales keeps what was agreed."
match = { queue = ["sales-1"] }
terms = { retention_min_days = 30 }

[[rule]]
id = "site-colleagues"
text = "Colleagues are heard with a tone."
match = { direction = ["internal"], did = ["101"] }
terms = { beep_s = 15 }
"""


@pytest.mark.parametrize(
    ("arguments", "rules"),
    [
        ("inbound", []),
        ("inbound,sales-1", ["site-sales"]),
        ("inbound,sales-1,internal", ["site-colleagues", "site-sales"]),
        ("inbound,a&policy=whole%2", []),
    ],
)
async def test_rules_ask_for_the_queue_and_the_direction(set_the_scene, arguments, rules):
    enter = "Gosub(compliance-notice-agi,s,1({}))"
    extensions = EXTENSIONS.replace(enter.format("inbound"), enter.format(arguments))
    scene = await set_the_scene(extensions=extensions, policies=RULES + TEST_POLICIES)
    leg, _ = await scene.connect("101")
    await scene.hang_up(leg)
    (arrived,) = scene.details("call_arrived")
    assert (arrived["policy"], sorted(arrived["rules"])) == ("inbound", rules)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]


def over_agi(extensions):
    return extensions.replace("compliance-notice,", "compliance-notice-agi,")


async def test_a_call_that_came_over_fastagi_is_paused_like_any_other():
    async with steered(over_agi(steering.EXTENSIONS)) as office:
        call = await Recorded.begin(office, until="recording_growing")
        assert office.details("call_arrived")[0]["entry"] == "agi"
        await press(call.agent, "*51")
        await call.is_said("PAUSED")
        await call.customer.until_heard(0.8)
        await press(call.agent, "*52")
        await call.is_said("RECORDING")
        await call.customer.until_heard(0.8)
        await call.end()
        judge_pause(call)


async def test_who_takes_over_a_call_that_came_over_fastagi_is_told():
    async with Stage.set_up(extensions=over_agi(parties.EXTENSIONS)) as stage:
        caller, agent = await stage.connect("102")
        assert stage.details("call_arrived")[0]["entry"] == "agi"
        await agent.until_heard(0.8)
        assert await agent.transfer("202") == 200
        agent2 = await stage.answered("agent2")
        await stage.row("recording_started", 2)
        await agent2.until_heard(1.2)
        told_then_kept(stage, await stage.end(caller), caller, agent2)


def resident_bytes(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4_096


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
