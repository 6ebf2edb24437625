"""The channel's own limit of time: ours while the service is asked, the site's before and after."""

from __future__ import annotations

import asyncio

import pytest

pytestmark = pytest.mark.asterisk

AFTER = """
 same => n,Set(left=${TIMEOUT(absolute)})
 same => n,Wait(1)
 same => n,Set(CDR(userfield)=ON:${left}:${COMPLIANCE_STATUS}:${COMPLIANCE_REASON})
 same => n,Hangup()
exten => T,1,Set(CDR(userfield)=LIMIT)
 same => n,Hangup()
"""


async def field(scene):
    """What stands in the only CDR."""
    async with asyncio.timeout(15):
        while not scene.cdr_fields():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.05)
    (only,) = scene.cdr_fields()
    return only


@pytest.mark.parametrize("of_site", [0, 2.5, 100])
async def test_the_sites_own_limit_runs_on_behind_the_notice(set_the_scene, of_site):
    """Ours is 5 s here: nothing is left of it, and the site's is shorter by what was waited."""
    scene = await set_the_scene(
        extensions=f"""
[from-lab]
exten => 100,1,Set(TIMEOUT(absolute)={of_site})
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(CDR(userfield)=${{COMPLIANCE_REASON}}:${{TIMEOUT(absolute)}})
 same => n,Hangup()
"""
    )
    leg = await scene.caller.dial("100", scene.port)
    await leg.ended()
    reason, left_s = (await field(scene)).split(":")
    assert reason == "NOTICE_COMPLETED"
    waited_s = leg.times["ended"] - leg.times["invite"]
    off_s = of_site and of_site - waited_s - float(left_s)
    assert -1.1 < off_s < 1.1, "give or take the second of EPOCH"
    assert (float(left_s) > 0) is (of_site > 0)


async def test_a_limit_that_passes_in_the_first_lines_has_passed(set_the_scene):
    scene = await set_the_scene(
        serve=False,
        extensions="""
[from-lab]
exten => 100,1,Answer()
 same => n,Set(TIMEOUT(absolute)=0.02)
 same => n,Gosub(compliance-notice,s,1(inbound${FILTER(a,${SHELL(sleep 0.2)})}))
"""
        + AFTER,
    )
    leg = await scene.caller.dial("100", scene.port)
    await leg.ended()
    ended_by_limit = {"LIMIT", "NOT_RECORDED:SERVICE_TIMED_OUT::"}  # T is not always reached
    assert await field(scene) in ended_by_limit


async def test_a_limit_of_a_routine_that_was_left_is_none_of_the_next(set_the_scene):
    """Who is redirected out of a notice leaves what the routine had noted behind."""
    scene = await set_the_scene(
        extensions="""
[from-lab]
exten => 100,1,Set(TIMEOUT(absolute)=4)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Hangup()
exten => 200,1,Set(TIMEOUT(absolute)=0)
 same => n,Wait(4)
 same => n,Gosub(compliance-notice,s,1(inbound))
"""
        + AFTER,
    )
    leg = await scene.caller.dial("100", scene.port)
    await leg.answered()
    await scene.site.rows_until(lambda rows: "notice_started" in [row["kind"] for row in rows])
    channels = await scene.site.asterisk.cli("core show channels concise")
    scene.site.service.suspend()  # else its `continue` may overtake the redirect
    await scene.site.asterisk.cli(
        f"channel redirect {channels.split('!')[0].strip()} from-lab,200,1"
    )
    async with asyncio.timeout(5):
        while "!200!" not in await scene.site.asterisk.cli("core show channels concise"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    scene.site.service.resume()
    await leg.ended(15)
    assert (await field(scene)).startswith("ON:0:")


async def test_a_variable_of_the_sites_with_a_name_of_ours_is_no_limit(set_the_scene):
    scene = await set_the_scene(
        serve=False,
        extensions="""
[globals]
compliance_site=Tokyo
[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
"""
        + AFTER,
    )
    leg = await scene.caller.dial("100", scene.port)
    await leg.ended()
    assert await field(scene) == "ON:0:NOT_RECORDED:SERVICE_UNAVAILABLE"


async def test_without_the_module_that_filters_numbers_the_call_goes_on(set_the_scene):
    scene = await set_the_scene(
        serve=False,
        extensions="""
[from-lab]
exten => 100,1,Gosub(compliance-notice,s,1(inbound))
"""
        + AFTER,
    )
    await scene.site.asterisk.cli("module unload func_callerid.so")
    leg = await scene.caller.dial("100", scene.port)
    await leg.ended()
    assert await field(scene) == "ON:0:NOT_RECORDED:SERVICE_UNAVAILABLE"
