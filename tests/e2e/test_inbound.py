"""The main job, and everything that can go wrong around it, on a real Asterisk."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from asterisk_compliance.storage.log.reader import StoreReader
from lab.sip import Phone, address
from lab.site import EXTENSIONS

pytestmark = pytest.mark.asterisk

UNAVAILABLE = "NOT_RECORDED:SERVICE_UNAVAILABLE::"
PAST_US = (
    EXTENSIONS
    + """
[from-lab]
exten => 200,1,Answer()
 same => n,Wait(0.2)
 same => n,Hangup()
"""
)


async def test_a_call_is_told_connected_and_recorded(scene):
    leg, agent = await scene.connect("100")
    await agent.until_heard(3)
    await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    kinds = scene.kinds()
    if kinds[5] == "recording_started":  # AMI may be quicker than ARI's answer
        kinds[5:7] = reversed(kinds[5:7])
    assert kinds == [
        "call_arrived",
        "notice_started",
        "notice_completed",
        "decision",
        "recording_requested",
        "call_continued",
        "recording_started",
        "party_joined",
        "recording_growing",
        "call_ended",
        "recording_closed",
        "spool_removed",
    ]
    closed = scene.details("recording_closed")[0]
    assert closed["whole"]
    assert closed["purposes"] == ["SERVICE", "QUALITY"]
    assert scene.site.spooled() == []
    call = scene.site.rows()[-1]["call"]
    assert scene.cdr_fields() == [f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{call}"]
    said = re.findall(
        r".* (?:NOTICE|WARNING|ERROR)\[\d+\]\[C-.*", scene.site.asterisk.log_file.read_text()
    )
    assert said == [], "a call that goes well is no line in Asterisk's log"


@pytest.mark.parametrize("after_s", [0.0, 0.2, 0.9])
async def test_a_caller_who_hangs_up_in_the_notice_is_not_recorded(scene, after_s):
    leg = await scene.caller.dial("100", scene.port)
    await leg.answered()
    if after_s:
        await leg.until_heard(after_s)
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]
    assert "recording_requested" not in scene.kinds()
    assert scene.site.spooled() == []
    assert scene.cdr_fields() == ["NOT_RECORDED:HANGUP_IN_NOTICE::"]


async def test_a_missing_prompt_means_no_recording_and_the_call_goes_on(scene):
    for prompt in scene.site.asterisk.sounds_here.rglob("notice-test.wav"):
        prompt.unlink()
    leg, agent = await scene.connect("100")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "NOTICE_FAILED")]
    assert scene.site.spooled() == []
    assert not list(scene.site.recordings.iterdir())


async def test_without_the_service_the_call_goes_on_at_once(set_the_scene):
    scene = await set_the_scene(serve=False)
    leg, agent = await scene.connect("100")
    assert agent.times["confirmed"] - leg.times["invite"] < 1.0
    await agent.until_heard(0.3)
    await leg.hang_up()
    await agent.ended()
    await _until(lambda: scene.cdr_fields() == [UNAVAILABLE])
    assert scene.site.spooled() == []


@pytest.mark.parametrize("brought", ["kept", '"', '" | "1"="1', "a)b", "${UNIQUEID}"])
async def test_what_a_channel_brings_along_does_not_stand(set_the_scene, brought):
    """Also where Asterisk cannot compare it: nothing of another decision is left."""
    scene = await set_the_scene(
        serve=False,
        extensions=f"""
[from-lab]
exten => 100,1,Set(COMPLIANCE_NOTICE={brought})
 same => n,Set(COMPLIANCE_OPTIONS=mt)
 same => n,Set(COMPLIANCE_RECORDING_ID=r-0a-1)
 same => n,Gosub(compliance-notice,s,1(inbound))
 same => n,Set(left=[${{COMPLIANCE_NOTICE}}][${{COMPLIANCE_OPTIONS}}][${{COMPLIANCE_RECORDING_ID}}])
 same => n,Set(CDR(userfield)=${{left}}${{COMPLIANCE_REASON}})
 same => n,Hangup()
""",
    )
    leg = await scene.caller.dial("100", scene.port)
    await leg.ended()
    await _until(lambda: scene.cdr_fields() == ["[][][]SERVICE_UNAVAILABLE"])
    assert scene.site.spooled() == []


async def test_who_gives_up_in_the_queue_leaves_no_file(set_the_scene):
    scene = await set_the_scene()
    scene.agent.answer_after = 30
    leg = await scene.caller.dial("100", scene.port)
    await leg.answered()
    await scene.site.rows_until(lambda rows: "recording_started" in [r["kind"] for r in rows])
    await scene.hang_up(leg)
    assert scene.kinds()[-3:] == ["call_ended", "recording_empty", "spool_removed"]
    assert scene.site.spooled() == []
    assert not list(scene.site.recordings.iterdir())


async def test_a_silent_agent_is_reported(scene):
    scene.agent.silent = True
    leg, agent = await scene.connect("102")
    await agent.until_heard(1.5)
    await scene.hang_up(leg)
    closed = scene.details("recording_closed")[0]
    assert (closed["rx"], closed["tx"], closed["whole"]) == ("heard", "silent", False)


async def test_digits_in_the_notice_change_nothing(scene):
    leg = await scene.caller.dial("102", scene.port)
    await leg.answered()
    for digit in "19#":
        leg.send_digit(digit)
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("policy=nobody-knows", "POLICY_UNKNOWN"),
        ("policy=", "POLICY_MISSING"),
        ("", "ARGUMENTS_INVALID"),
        ("policy=inbound,policy=inbound", "ARGUMENTS_INVALID"),
        ("rm -rf,policy=inbound", "ARGUMENTS_INVALID"),
        ("policy=../../etc", "ARGUMENTS_INVALID"),
        ("policy=inbound,linkedid=a b", "ARGUMENTS_INVALID"),
    ],
)
async def test_arguments_that_name_no_policy_pass_the_call_on(set_the_scene, arguments, reason):
    extensions = f"""
[from-lab]
exten => 100,1,Stasis(compliance,{arguments})
 same => n,Dial(PJSIP/agent,20)
"""
    scene = await set_the_scene(extensions=extensions)
    leg, _ = await scene.connect("100")
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", reason)]


HOSTILE = {
    "quotes": address("caller", '"a" \'b\' "c'),
    "commas": address("caller", "1,2,3),System(touch /tmp/owned)"),
    "substitution": address("caller", "${SHELL(id)} ${EXTEN} $[1+1]"),
    "newline in the number": address("12%0d%0aAction%3a%20Originate%0d%0a"),
    "eight bits": address("caller", "\xff\xfe\x80caf\xe9"),
    "escapes": address("%00%1b%5b31m%ff%fe", "%00%1b"),
    "japanese": address("caller", "山田太郎"),
    "long number": address("9" * 1_500),
    "long name": address("caller", "N" * 1_500),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_caller_changes_nothing_but_his_own_entry(scene, name):
    leg = await scene.caller.dial("102", scene.port, from_value=HOSTILE[name])
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.until_heard(0.5)
    rows = await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert scene.details("recording_closed")[0]["whole"]
    assert len(list(scene.site.recordings.glob("r-*.wav"))) == 1
    written = str(rows) + scene.site.service.words
    owned = scene.site.asterisk.build.here(Path("/tmp/owned"))
    assert not owned.exists()
    assert len(scene.site.cdrs()) == 1
    assert "1 call processed" in await scene.site.asterisk.cli("core show channels")
    for trace in ("Originate", "SHELL", "touch", "café", "太郎", "9" * 20, "NNNN", "\x1b"):
        assert trace not in written


@pytest.mark.parametrize("balanced", ["12", "12%29", "1%29%3a2", "%28%29%29%3a0%3a1"])
@pytest.mark.parametrize("exten", ["102", "101"])
async def test_behind_the_routine_no_number_holds_a_line_break(scene, exten, balanced):
    """Whatever Asterisk makes of its brackets and colons: what it cuts off is lost."""
    number = address(f"{balanced}%0d%0aAction%3a%20Originate%0d%0aX%3a%20")
    leg = await scene.caller.dial(exten, scene.port, from_value=number)
    agent = await scene.agent.next_call()
    await agent.answered()
    await scene.site.rows_until(lambda rows: "party_joined" in {row["kind"] for row in rows})
    channel = scene.details("call_arrived")[0]["channel"]
    (name,) = [
        fields[0]
        for line in (await scene.site.asterisk.cli("core show channels concise")).splitlines()
        if channel in (fields := line.split("!"))
    ]
    shown = await scene.site.asterisk.cli(f"core show channel {name}")
    (said,) = [line for line in shown.splitlines() if line.strip().startswith("Caller ID:")]
    assert ("Originate" in said) == (balanced == "12")
    assert not [line for line in shown.splitlines() if line.startswith("Action")]
    await scene.hang_up(leg)


async def test_a_forged_hangup_does_not_end_another_call(set_the_scene):
    """A number with line breaks forges an AMI event; the caller does not even come through us."""
    scene = await set_the_scene(extensions=PAST_US)
    leg, agent = await scene.connect("102")
    victim = scene.details("call_arrived")[0]["channel"]
    forged = (
        f"\r\n\r\nEvent: Hangup\r\nUniqueid: {victim}\r\nLinkedid: {victim}\r\nCause: 16\r\n\r\n"
    )
    number = "1" + forged.replace("\r\n", "%0d%0a").replace(":", "%3a").replace(" ", "%20")
    async with await Phone.open("forger") as forger:
        attack = await forger.dial("200", scene.port, from_value=address(number))
        await attack.answered()
        await attack.ended()
    await scene.site.rows_until(lambda rows: rows[-1]["detail"].get("code") == "HANGUP_FORGED")
    await agent.until_heard(1)
    assert "call_ended" not in scene.kinds()
    await scene.hang_up(leg)
    assert scene.details("recording_closed")[0]["whole"]


async def test_a_forged_shutdown_ends_no_connection(set_the_scene):
    scene = await set_the_scene(extensions=PAST_US)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    async with await Phone.open("forger") as forger:
        for _ in range(3):
            number = "1%0d%0a%0d%0aEvent%3a%20Shutdown%0d%0a%0d%0a"
            attack = await forger.dial("200", scene.port, from_value=address(number))
            await attack.answered()
            await attack.ended()
    await agent.until_heard(1)
    await scene.hang_up(leg)
    assert "asterisk_disconnected" not in scene.kinds()
    (closed,) = scene.details("recording_closed")
    assert (closed["whole"], closed["blanked_ms"]) == (True, 0)


async def test_entering_again_returns_the_standing_decision(set_the_scene):
    again = EXTENSIONS.replace(
        "exten => 102,1,Gosub(compliance-notice,s,1(inbound))",
        "exten => 102,1,Gosub(compliance-notice,s,1(inbound))\n"
        " same => n,Gosub(compliance-notice,s,1(inbound))",
    )
    scene = await set_the_scene(extensions=again)
    leg, agent = await scene.connect("102")
    await agent.until_heard(0.5)
    await scene.hang_up(leg)
    assert scene.kinds().count("notice_started") == 1
    assert scene.kinds().count("call_reentered") == 1
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    assert scene.details("recording_closed")[0]["whole"]
    call = scene.site.rows()[-1]["call"]
    assert scene.cdr_fields() == [f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{call}"]


async def test_capture_from_the_notice_on(scene):
    scene.agent.answer_after = 1.0
    leg, agent = await scene.connect("103")
    await agent.until_heard(1)
    await scene.hang_up(leg)
    closed = scene.details("recording_closed")[0]
    assert closed["length"] == "ok"
    assert closed["length_ms"] > 1_900


async def test_the_notice_speaks_the_channels_language(set_the_scene):
    japanese = EXTENSIONS.replace(
        "exten => 102,1,", "exten => 102,1,Set(CHANNEL(language)=ja_JP)\n same => n,"
    )
    scene = await set_the_scene(extensions=japanese)
    leg, _ = await scene.connect("102")
    await scene.hang_up(leg)
    assert scene.details("notice_completed")[0]["notice"] == "test/1/ja"


async def _until(holds, timeout_s=5.0):
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110 - a file of another process
            await asyncio.sleep(0.02)


async def test_a_name_and_a_number_of_ten_kilobytes(set_the_scene):
    """Longer than SIP carries here: as another ARI application can set them."""
    waiting = EXTENSIONS + "\n[from-lab]\nexten => 300,1,Answer()\n same => n,Wait(8)\n"
    scene = await set_the_scene(extensions=waiting)
    asterisk = scene.site.asterisk
    channel = {
        "endpoint": "Local/102@from-lab",
        "extension": "300",
        "context": "from-lab",
        "callerId": f'"{"N" * 10_000}" <{"9" * 10_000}>',
    }
    login = aiohttp.encode_basic_auth(asterisk.ari_user, asterisk.ari_password)
    async with (
        aiohttp.ClientSession(headers={"Authorization": login}) as session,
        session.post(f"{asterisk.ari_url}/channels", json=channel) as answer,
    ):
        assert answer.status == 200
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.hang_up()
    await scene.site.until_ended()
    assert scene.decisions() == [("ALLOWED", "NOTICE_COMPLETED")]
    with StoreReader(scene.site.store) as reader:
        stored = reader.connection.execute("SELECT length(value) FROM party_values").fetchall()
    assert stored
    assert max(length for (length,) in stored) <= 256
