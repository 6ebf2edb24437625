"""A person hears his recording by telephone: his own voice, once, by a code, and nobody else's."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest

from asterisk_compliance.app.access.hearing_copies import file_system
from e2e.requester import TALK_S, lender, verb
from e2e.steering import press
from lab.tone_spans import undated
from lab.tones import AGENT, CALLER, RATE
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk


async def test_he_hears_his_own_voice_whole_and_once(tmp_path):
    async with lender(tmp_path) as lent:
        code = await lent.lend()
        assert len(lent.copies()) == 1
        leg = await lent.enter(code)
        assert await lent.outcome(leg) == "HEARD"
        assert lent.heard_s(leg) > TALK_S - 0.5
        assert lent.reasons("hearing_removed") == ["HEARD"]
        assert lent.copies() == []
        kinds = [row["kind"] for row in lent.office.rows() if row["kind"].startswith("hearing")]
        assert kinds == ["hearing_lent", "hearing_begun", "hearing_completed", "hearing_removed"]

        again = await lent.enter(code)
        await lent.office.seen("hearing_refused")
        await again.hang_up()
        assert lent.heard_s(again) == 0.0
        assert lent.reasons("hearing_refused") == ["WRONG_CODE"]
        assert code not in json.dumps(lent.office.site.rows())
        assert code not in lent.office.site.service.words
        assert lent.office.site.spooled() == []
        assert len(lent.office.rows("recording_requested")) == 1


async def test_a_wrong_code_is_not_recognised_and_three_end_the_call(tmp_path):
    async with lender(tmp_path) as lent:
        code = await lent.lend()
        wrong = "0" * 8 if code[0] != "0" else "1" * 8
        leg = await lent.enter(wrong)
        await lent.office.hears(leg, "hearing-wrong")
        await lent.office.seen("hearing_refused", 1)
        for attempt in (2, 3):
            await press(leg, f"{wrong}#")
            await lent.office.seen("hearing_refused", attempt)
            if attempt == 2:  # it is asked for again behind what is said
                await asyncio.sleep(0.6)
        assert await lent.outcome(leg) == "REFUSED"
        assert lent.heard_s(leg) == 0.0
        assert len(lent.copies()) == 1
        assert [one["attempt"] for one in lent.office.details("hearing_refused")] == [1, 2, 3]


async def test_who_hangs_up_may_come_once_more(tmp_path):
    async with lender(tmp_path, talk_s=3.0) as lent:
        code = await lent.lend()
        for left in (1, 0):
            leg = await lent.enter(code)
            await lent.office.seen("hearing_begun", 2 - left)
            await leg.until_heard(0.7)
            await leg.hang_up()
            await lent.office.seen("hearing_ended", 2 - left)
            assert 0.0 < lent.heard_s(leg) < 2.5
            if left:
                assert len(lent.copies()) == 1
        assert lent.reasons("hearing_ended") == ["LEFT", "LEFT"]
        await lent.office.seen("hearing_removed")
        assert lent.reasons("hearing_removed") == ["USED_UP"]
        assert lent.copies() == []


async def test_it_expires(tmp_path):
    async with lender(tmp_path, f"expires_h = {1.5 / 3_600}\n") as lent:
        code = await lent.lend()
        await lent.office.seen("hearing_removed")
        assert lent.reasons("hearing_removed") == ["EXPIRED"]
        assert lent.copies() == []
        leg = await lent.enter(code)
        await lent.office.seen("hearing_refused")
        await leg.hang_up()
        assert lent.heard_s(leg) == 0.0


async def test_the_officer_takes_it_back_while_it_is_heard(tmp_path):
    async with lender(tmp_path, talk_s=4.0) as lent:
        leg = await lent.enter(await lent.lend())
        await lent.office.seen("hearing_begun")
        about = {"recording": lent.recording, "request": lent.request}
        assert await verb(lent.office, "lend-end", **about) == {"ended": 1}
        assert await lent.outcome(leg) == "ENDED"
        assert lent.reasons("hearing_ended") == ["TAKEN_BACK"]
        assert lent.heard_s(leg) < 3.0
        assert (await lent.command("unlend"))[0] == 1


def written_or_read(pid: int) -> dict[str, str]:
    """The regular files that a process has open, each with the kind of its file system."""
    found = {}
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            status, name = entry.stat(), entry.readlink().name
        except FileNotFoundError:  # it was closed meanwhile
            continue
        if stat.S_ISREG(status.st_mode):
            found[name] = file_system(status.st_dev)
    return found


async def test_asterisk_reads_the_copy_in_memory_and_makes_no_other(tmp_path):
    async with lender(tmp_path, talk_s=4.0) as lent:
        code = await lent.lend()
        asterisk = lent.office.site.asterisk
        before = written_or_read(asterisk.pid)
        leg = await lent.enter(code)
        await lent.office.seen("hearing_begun")
        await leg.until_heard(0.5)
        while_heard = written_or_read(asterisk.pid)
        (copy,) = lent.copies()
        assert {name: kind for name, kind in while_heard.items() if name not in before} == {
            copy: "tmpfs"
        }
        await leg.hang_up()
        await lent.office.seen("hearing_ended")
        copied = [path for path in asterisk.home.rglob("*") if path.name.startswith("l-")]
        assert [path.parent.name for path in copied] == ["memory"], "it can be heard once more"


async def test_an_erasure_ends_what_is_heard_and_leaves_no_copy(tmp_path):
    async with lender(tmp_path, talk_s=4.0) as lent:
        leg = await lent.enter(await lent.lend())
        await lent.office.seen("hearing_begun")
        about = {"right": "ERASE", "by": "PERSON", "contact": "by post", "calls": lent.call}
        request = str((await verb(lent.office, "request-open", **about))["request"])
        await verb(lent.office, "request-identify", request=request, how="CALLED_BACK")
        grant = {"verdict": "GRANTED", "reason": "LAW", "cause": "JP_CEASE_USE"}
        await verb(lent.office, "request-decide", request=request, **grant)
        assert (await verb(lent.office, "request-carry-out", request=request))["recordings"] == 1
        assert await lent.outcome(leg) == "ENDED"
        await lent.office.seen("hearing_removed")
        assert lent.copies() == []
        assert lent.reasons("hearing_removed") == ["DISPOSED"]
        assert lent.reasons("hearing_ended") == ["TAKEN_BACK"]
        assert lent.heard_s(leg) < 3.0
        status, _, err = await lent.command("lend", "--identity", str(lent.identity))
        assert (status, "not kept: disposed" in err) == (1, True)


async def test_a_service_that_dies_leaves_no_copy_and_holds_nobody(tmp_path):
    async with lender(tmp_path, "call_s = 8.0\n", talk_s=3.0) as lent:
        code = await lent.lend()
        leg = await lent.enter(code)
        await lent.office.seen("hearing_begun")
        await lent.office.site.service.kill()
        await leg.ended(10)
        await lent.office.site.service.start()
        await lent.office.seen("hearing_removed")
        assert lent.copies() == []
        assert lent.reasons("hearing_ended") == ["SERVICE_DIED"]
        assert lent.reasons("hearing_removed") == ["SERVICE_RESTARTED"]
        again = await lent.enter(code)
        await lent.office.seen("hearing_refused")
        await again.hang_up()
        assert lent.heard_s(again) == 0.0
        await lent.lend()
        assert await lent.office.site.service.stop() == 0
        assert lent.copies() == []
        assert lent.reasons("hearing_removed")[1:] == ["SERVICE_STOPPED"]


async def test_without_a_service_the_call_goes_on(tmp_path):
    async with lender(tmp_path) as lent:
        assert await lent.office.site.service.stop() == 0
        status, _, err = await lent.command("lend", "--identity", str(lent.identity))
        assert (status, "no service" in err) == (3, True)
        assert not lent.office.rows("recording_released")
        lent.cdrs = len(lent.office.site.cdrs())
        leg = await lent.office.dial("customer", "700")
        assert await lent.outcome(leg) == "UNAVAILABLE"


async def test_nobody_hears_in_a_call_that_is_recorded(tmp_path):
    async with lender(tmp_path) as lent:
        code = await lent.lend()
        leg = await lent.dial("701")
        await lent.office.hears(leg, "notice-test")
        assert await lent.outcome(leg) == "REFUSED"
        assert lent.heard_s(leg) == 0.0
        leg = await lent.enter(code, "702")
        assert await lent.outcome(leg) == "HEARD"
        strange = read_wav(lent.office.site.asterisk.spool_here / "strange.wav")[0]
        assert len(strange) < RATE


async def test_both_directions_where_the_site_says_so(tmp_path):
    async with lender(tmp_path, '[answers]\ndirections = "both"\n') as lent:
        leg = await lent.enter(await lent.lend())
        assert await lent.outcome(leg) == "HEARD"
        pcm = leg.heard_pcm().pcm
        assert min(undated(pcm, AGENT, []), undated(pcm, CALLER, [])) > TALK_S - 0.5
        assert lent.office.details("hearing_lent")[0]["directions"] == "both"


async def test_only_a_granted_request_is_lent_for(tmp_path):
    async with lender(tmp_path) as lent:
        await verb(lent.office, "request-withdraw", request=lent.request, reason="BY_PERSON")
        status, _, err = await lent.command("lend", "--identity", str(lent.identity))
        assert (status, "NO_REQUEST" in err) == (1, True)
        assert lent.office.details("use_refused")[0]["action"] == "HEAR"
        assert lent.copies() == []
        assert not lent.office.rows("recording_released")
