"""The phone keeps working: the service stopped, hung, killed, replaced, while calls go on."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from asterisk_compliance.app.shared.control_socket import ask
from asterisk_compliance.domain.asterisk.version import Ability
from lab.proxy import Cable
from lab.service import ServiceProcess
from lab.site import EXTENSIONS
from lab.versions import can

pytestmark = pytest.mark.asterisk

LIMIT_S = 3.0
"""The routine's own limit in these tests: longer than the notice and its margin."""

NO_WATCHDOG = "watchdog_s = 60"
"""What the dialplan does alone; test_watchdog.py has the rest."""

TIMED_OUT = "NOT_RECORDED:SERVICE_TIMED_OUT::"


async def test_a_service_that_hangs_before_the_call_holds_nobody(set_the_scene):
    scene = await set_the_scene(dialplan_s=LIMIT_S + 1.0, limits=NO_WATCHDOG)
    scene.site.service.suspend()
    leg = await scene.caller.dial("102", scene.port)
    agent = await scene.agent.next_call(LIMIT_S + 3)
    await agent.answered()
    waited = agent.times["confirmed"] - leg.times["invite"]
    assert LIMIT_S < waited < LIMIT_S + 2.0
    await _and_what_it_does_late_harms_nothing(scene, leg, agent)
    assert scene.decisions() == [("NOT_RECORDED", "TAKEN_BACK")]


async def test_a_service_that_hangs_in_the_notice_holds_nobody(set_the_scene):
    scene = await set_the_scene(dialplan_s=LIMIT_S + 1.0, limits=NO_WATCHDOG)
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    await leg.until_heard(0.4)
    scene.site.service.suspend()
    agent = await scene.agent.next_call(LIMIT_S + 3)
    await agent.answered()
    await _and_what_it_does_late_harms_nothing(scene, leg, agent)
    assert scene.decisions() == [("NOT_RECORDED", "NOTICE_TIMED_OUT")]


async def _and_what_it_does_late_harms_nothing(scene, leg, agent):
    """The service wakes up, works off its old events, and the live call does not notice."""
    await agent.until_heard(0.5)
    scene.site.service.resume()
    await scene.site.rows_until(lambda rows: "decision" in [row["kind"] for row in rows])
    await scene.site.service.until(lambda status: status["nodes"][0]["ari"], 10)
    await agent.until_heard(1.0)
    await leg.until_heard(0.5)
    assert not leg.is_over
    assert not agent.is_over
    await scene.hang_up(leg)
    assert "recording_requested" not in scene.kinds()
    assert scene.site.spooled() == []
    assert scene.cdr_fields() == [TIMED_OUT]


@pytest.mark.parametrize("service", ["running", "hung", "stopped"])
async def test_an_emergency_call_waits_for_nobody(set_the_scene, service):
    out = (
        EXTENSIONS
        + """
[from-lab]
exten => 110,1,Gosub(compliance-notice,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
"""
    )
    scene = await set_the_scene(extensions=out, serve=service != "stopped")
    if service == "hung":
        scene.site.service.suspend()
    leg, agent = await scene.connect("110")
    assert agent.times["confirmed"] - leg.times["invite"] < 0.5
    await leg.hang_up()
    await agent.ended()
    async with asyncio.timeout(5):
        while not scene.site.cdrs():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)
    assert scene.cdr_fields() == ["NOT_RECORDED:EMERGENCY::"]
    assert scene.site.spooled() == []
    if service == "hung":
        scene.site.service.resume()


async def test_a_hung_service_leaves_the_sites_own_limit_alone(set_the_scene):
    limited = EXTENSIONS.replace(
        "exten => 102,1,", "exten => 102,1,Set(TIMEOUT(absolute)=7)\n same => n,"
    )
    scene = await set_the_scene(extensions=limited, dialplan_s=LIMIT_S + 1.0, limits=NO_WATCHDOG)
    scene.site.service.suspend()
    leg = await scene.caller.dial("102", scene.port)
    agent = await scene.agent.next_call(LIMIT_S + 3)
    await agent.answered()
    await leg.ended(8)
    lasted = leg.times["ended"] - leg.times["invite"]
    assert 5.5 < lasted < 8.5, "the site's 7 s, give or take the second of EPOCH"


async def test_no_file_for_a_callee_when_the_service_dies_before_his_leg(set_the_scene):
    """The caller may be recorded; nothing of that is inherited by the leg that was told nothing."""
    callee_too = EXTENSIONS.replace(
        "Dial(PJSIP/agent,20)", "Dial(PJSIP/agent,20,U(compliance-notice^inbound))"
    )
    scene = await set_the_scene(extensions=callee_too)
    scene.agent.answer_after = 1.0
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    await scene.site.rows_until(lambda rows: "recording_started" in [r["kind"] for r in rows])
    await scene.site.service.kill()
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.until_heard(1.0)
    call = next(row["call"] for row in scene.site.rows() if row["call"])
    assert scene.site.spooled() == [f"r-{call[2:]}-1-rx.wav", f"r-{call[2:]}-1-tx.wav"]
    await leg.hang_up()
    await agent.ended()


async def test_sigterm_lets_a_notice_finish_and_takes_no_new_call(set_the_scene):
    scene = await set_the_scene()
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    stopping = asyncio.create_task(scene.site.service.stop())
    agent = await scene.agent.next_call()
    assert await stopping == 0
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    rows = scene.site.rows()
    assert rows[-1]["kind"] == "service_stopped"
    assert rows[-1]["detail"]["live_calls"] == 1
    await agent.answered()
    await leg.hang_up()


async def test_sigterm_releases_a_notice_that_takes_too_long(set_the_scene):
    scene = await set_the_scene(limits="stop_s = 0.3")
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    await leg.until_heard(0.2)
    assert await scene.site.service.stop() == 0
    agent = await scene.agent.next_call()
    await agent.answered()
    assert scene.decisions() == [("NOT_RECORDED", "SERVICE_STOPPING")]
    assert scene.site.rows()[-1]["kind"] == "service_stopped"
    assert scene.site.spooled() == []
    await leg.hang_up()


async def test_a_channel_that_is_gone_when_we_hear_of_it(scene):
    scene.site.service.suspend()
    leg = await scene.caller.dial("102", scene.port)
    await _until_channels(scene, "Stasis(")
    await leg.hang_up()
    await _until_channels(scene, "0 active channels")
    scene.site.service.resume()
    await scene.site.until_ended()
    assert scene.decisions() == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]
    assert scene.site.spooled() == []


async def _until_channels(scene, said, timeout_s=5.0):
    """Wait until Asterisk's list of channels says so."""
    async with asyncio.timeout(timeout_s):
        listing = ""
        while said not in listing:
            listing = await scene.site.asterisk.cli("core show channels")


async def test_a_callees_leg_in_the_routine_hears_its_own_notice(set_the_scene):
    """Inside Dial's U() Asterisk starts Stasis() twice; one notice, one decision a leg."""
    callee_too = EXTENSIONS.replace(
        "Dial(PJSIP/agent,20)", "Dial(PJSIP/agent,20,U(compliance-notice^inbound))"
    )
    scene = await set_the_scene(extensions=callee_too)
    leg, agent = await scene.connect("102")
    await leg.until_heard(2.5)
    await agent.until_heard(1.0)
    await leg.hang_up()
    await scene.site.until_ended(calls=2)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")] * 2
    assert scene.kinds().count("notice_started") == 2


async def test_a_second_service_with_the_same_application_ends_the_first(scene):
    """Asterisk gives the application to the newer one; the older must not pretend to work."""
    config = scene.site.directory / "second.toml"
    state = scene.site.directory / "state"
    text = scene.site.service.config.read_text()
    for name in ("store", "recordings", "run/control.sock"):
        text = text.replace(f"{state}/{name}", f"{state}/second-{name.replace('/', '-')}")
    agi_port, other_port = scene.site.asterisk.ports.spare[:2]
    config.write_text(text.replace(f"port = {agi_port}", f"port = {other_port}"))
    second = ServiceProcess(
        config, gid=scene.site.asterisk.build.gid, log=state.parent / "second.log"
    )
    try:
        await second.start()
        assert await scene.site.service.ended() == 2
        assert "took the Stasis application 'compliance'" in scene.site.service.words
        assert "hint: stop the other service" in scene.site.service.words
    finally:
        await second.kill()


async def test_a_second_service_on_the_same_store_is_told_who_holds_it(scene):
    second = ServiceProcess(
        scene.site.service.config,
        gid=scene.site.asterisk.build.gid,
        log=scene.site.directory / "second.log",
    )
    await second.start(ready=False)
    assert await second.ended() == 3
    assert f"process {scene.site.service.pid}" in second.words
    status = await scene.site.service.status()
    assert status is not None
    websocket = can(scene.site.asterisk.build, Ability.REST_BY_WEBSOCKET)
    assert status["nodes"][0]["ari"] == ("websocket" if websocket else "http")


async def test_a_caller_stranded_by_a_crash_is_released_by_the_next_start(set_the_scene):
    scene = await set_the_scene(dialplan_s=20.0)
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    await scene.site.service.kill()
    await leg.until_heard(0.3)
    await scene.site.service.start()
    agent = await scene.agent.next_call(5)
    await agent.answered()
    await agent.until_heard(0.3)
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "SERVICE_RESTARTED")]
    assert len({row["call"] for row in scene.site.rows() if row["call"]}) == 1
    assert scene.site.spooled() == []


async def test_the_connection_returns_after_asterisk_restarts(scene):
    await scene.site.asterisk.kill()
    await scene.site.service.until(lambda s: not s["nodes"][0]["ari"], 10)
    await scene.site.asterisk.start()
    await scene.site.service.until(lambda s: s["nodes"][0]["ari"] and s["nodes"][0]["ami"], 15)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]


async def test_a_lost_ari_connection_in_the_notice_releases_the_caller(set_the_scene):
    """Nothing is heard meanwhile; after the reconnect the caller goes on, unrecorded."""
    async with AsyncExitStack() as stack:
        scene, cables = await _with_cables(set_the_scene, stack, dialplan_s=20.0)
        leg = await scene.caller.dial("102", scene.port)
        await leg.answered()
        await leg.until_heard(0.3)
        cables["ari"].cut()
        await scene.site.service.until(lambda s: not s["nodes"][0]["ari"], 5)
        cables["ari"].plug()
        agent = await scene.agent.next_call(8)
        await agent.answered()
        await agent.until_heard(0.5)
        await scene.hang_up(leg)
        assert scene.decisions() == [("NOT_RECORDED", "CONNECTION_LOST")]
        assert scene.site.spooled() == []


async def test_without_ami_the_end_of_a_call_is_seen_over_ari(set_the_scene):
    async with AsyncExitStack() as stack:
        scene, cables = await _with_cables(set_the_scene, stack)
        leg, agent = await scene.connect("102")
        cables["ami"].cut()
        await scene.site.service.until(lambda s: not s["nodes"][0]["ami"], 5)
        await agent.until_heard(0.5)
        await scene.hang_up(leg)
        assert scene.details("recording_closed")[0]["rx"] == "heard"


async def test_a_call_that_begins_without_ami_is_recorded_and_judged(set_the_scene):
    async with AsyncExitStack() as stack:
        scene, cables = await _with_cables(set_the_scene, stack)
        cables["ami"].cut()
        await scene.site.service.until(lambda s: not s["nodes"][0]["ami"], 5)
        leg, agent = await scene.connect("102")
        await agent.until_heard(1.0)
        await scene.hang_up(leg)
        assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
        closed = scene.details("recording_closed")[0]
        assert closed["length"] == "unknown", "nobody told us of bridges"
        assert (closed["rx"], closed["tx"]) == ("heard", "not_kept"), "nor who was in them"


async def _with_cables(set_the_scene, stack, **options):
    cables = {}

    async def through(asterisk):
        for wire, port in (("ari", asterisk.ports.ari), ("ami", asterisk.ports.ami)):
            cables[wire] = await stack.enter_async_context(Cable(port))
        return {wire: cable.port for wire, cable in cables.items()}

    return await set_the_scene(through=through, **options), cables


async def test_the_control_socket_knows_who_asks(scene):
    socket = scene.site.directory / "state/run/control.sock"
    answer = await asyncio.to_thread(ask, socket, "mark", {"code": "INSPECTION"})
    assert answer is not None
    row = scene.site.rows()[answer["seq"]]
    assert row["kind"] == "mark"
    assert row["actor"] == row["detail"]["party"]
    assert "root" not in str(row)
    assert socket.stat().st_mode & 0o777 == 0o660
    assert socket.parent.stat().st_mode & 0o007 == 0
