"""Policy x answer x moment, on a real Asterisk: a file exists exactly where the policy allows."""

from __future__ import annotations

import pytest

from lab.hearing import NoticeHeard
from lab.notice_search import NoticeSearch
from lab.prompt import write_notice
from lab.site import EXTENSIONS, install_test_prompts
from lab.wav import read_wav

pytestmark = pytest.mark.asterisk

WORDING = {
    "en": "To confirm your request and improve our service, we record this call. {keys}",
    "ja": "ご用件の確認と応対品質の向上のため、録音しています。{keys}",
}
KEYS = {
    "opt-out": {"en": "To decline, press 9.", "ja": "録音を望まれないときは、9を押してください。"},
    "opt-in": {
        "en": "Press 1 for yes, 2 for no. If you press nothing, we will not record.",
        "ja": "よろしければ1を、望まれないときは2を押してください。押されないときは録音しません。",
    },
}
REFUSE = {"opt-out": "9", "opt-in": "2"}
ANNOUNCEMENT_S = 0.5
EXTEN = {"ari": "102", "agi": "104"}
ROUTINE = {"ari": "compliance-notice", "agi": "compliance-notice-agi"}
BOTH = (
    EXTENSIONS
    + """
[from-lab]
exten => 104,1,Gosub(compliance-notice-agi,s,1(inbound))
 same => n,Dial(PJSIP/agent,20)
 same => n,Hangup()
"""
)


def policies(consent, **more):
    """One notice, one policy ``inbound`` that asks."""
    said = {
        language: text.format(keys=KEYS[consent][language]) for language, text in WORDING.items()
    }
    extra = "\n".join(f"{key} = {value}" for key, value in more.items())
    accept = 'accept = "1"\n' if consent == "opt-in" else ""
    return f"""
[[notice]]
id = "test"
version = "1"
purposes = ["SERVICE", "QUALITY"]
[notice.wording.en]
prompt = "notice-test"
text = "{said["en"]}"
[notice.wording.ja]
prompt = "notice-test"
text = "{said["ja"]}"

[[policy]]
name = "inbound"
notice = "test"
languages = ["en", "ja"]
consent = "{consent}"
grace_s = 0.6
{extra}
[policy.keys]
{accept}refuse = "{REFUSE[consent]}"
repeat = "*"
language = "#"
"""


def install_prompts(sounds):
    install_test_prompts(sounds)
    for seed, name in enumerate(("refused", "not-recorded", "required-here"), 10):
        for language in ("en", "ja"):
            write_notice(sounds / language / f"{name}.wav", ANNOUNCEMENT_S, seed)


@pytest.fixture
async def ask(set_the_scene):
    async def set_up(consent, **more):
        return await set_the_scene(
            policies=policies(consent, **more),
            install_prompts=install_prompts,
            dialplan_s=9.0,
            extensions=BOTH,
        )

    return set_up


@pytest.fixture(params=EXTEN)
def entry(request):
    return request.param


async def call_with(scene, entry, keys, *, moment):
    """Dial, press ``keys`` during the notice or in the grace after it, and reach the agent."""
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    if moment == "during":
        await leg.until_heard(0.3)
    else:  # Asterisk sends nothing after the notice
        await scene.site.rows_until(lambda rows: rows[-1]["kind"] == "notice_completed")
    for key in keys:
        leg.send_digit(key)
    agent = await scene.agent.next_call()
    await agent.answered()
    await agent.until_heard(0.6)
    await leg.hang_up()


def recorded(scene):
    return len(list(scene.site.recordings.glob("r-*.wav")))


DURING, AFTER = "during", "after"
MATRIX = [
    ("opt-out", "", DURING, "ALLOWED", "CONSENT_NOT_REFUSED", "not_refused"),
    ("opt-out", "9", DURING, "REFUSED", "CONSENT_REFUSED", "refused"),
    ("opt-out", "9", AFTER, "REFUSED", "CONSENT_REFUSED", "refused"),
    ("opt-out", "5", DURING, "ALLOWED", "CONSENT_NOT_REFUSED", "not_refused"),
    ("opt-in", "", DURING, "REFUSED", "CONSENT_NOT_GIVEN", "expired"),
    ("opt-in", "1", DURING, "ALLOWED", "CONSENT_GIVEN", "given"),
    ("opt-in", "1", AFTER, "ALLOWED", "CONSENT_GIVEN", "given"),
    ("opt-in", "2", DURING, "REFUSED", "CONSENT_REFUSED", "refused"),
    ("opt-in", "2", AFTER, "REFUSED", "CONSENT_REFUSED", "refused"),
    ("opt-in", "12", DURING, "REFUSED", "CONSENT_REFUSED", "refused"),
]


@pytest.mark.parametrize(("consent", "keys", "moment", "status", "reason", "state"), MATRIX)
async def test_what_the_caller_answers_is_what_happens(
    ask, consent, keys, moment, status, reason, state
):
    """By both entries, one after the other."""
    scene = await ask(consent)
    for calls, entry in enumerate(EXTEN, 1):
        await call_with(scene, entry, keys, moment=moment)
        await scene.site.until_ended(calls)
    assert [detail["entry"] for detail in scene.details("call_arrived")] == list(EXTEN)
    assert scene.decisions() == [(status, reason)] * 2
    assert [detail["state"] for detail in scene.details("consent")] == [state] * 2
    assert recorded(scene) == (2 if status == "ALLOWED" else 0)
    assert scene.site.spooled() == []
    assert all(fields.startswith(f"{status}:{reason}:") for fields in scene.cdr_fields())


async def test_consent_during_the_prompt_counts_only_when_it_completed(ask, entry):
    scene = await ask("opt-in")
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    leg.send_digit("1")
    await leg.until_heard(0.3)
    assert "decision" not in scene.kinds()
    await scene.hang_up(leg)
    assert scene.decisions() == [("NOT_RECORDED", "HANGUP_IN_NOTICE")]
    assert not recorded(scene)


async def test_repeat_and_language_play_the_notice_again(ask, entry):
    scene = await ask("opt-out", repeats_max=2)
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    leg.send_digit("#")
    await scene.site.rows_until(lambda rows: [r["kind"] for r in rows].count("notice_started") == 2)
    await leg.until_heard(0.3)
    leg.send_digit("*")
    agent = await scene.agent.next_call()
    await agent.answered()
    await scene.hang_up(leg)
    heard = [detail["notice"] for detail in scene.details("notice_started")]
    assert heard == ["test/1/en", "test/1/ja", "test/1/ja"]
    assert scene.details("notice_completed")[0]["notice"] == "test/1/ja"
    assert scene.decisions() == [("ALLOWED", "CONSENT_NOT_REFUSED")]


@pytest.mark.parametrize("what", ["continue-unrecorded", "tell", "alternative", "end"])
async def test_what_a_refusal_leads_to(ask, entry, what):
    scene = await ask("opt-out", on_refusal=f'"{what}"')
    enter = f"exten => {EXTEN[entry]},1,Gosub({ROUTINE[entry]},s,1(inbound))"
    offered = BOTH.replace(
        enter,
        f'{enter}\n same => n,GotoIf($["${{COMPLIANCE_NEXT}}"="alternative"]?other,1)',
    )
    await scene.site.asterisk.reload_extensions(
        offered + "\nexten => other,1,Hangup(17)\n" + scene.site.dialplan
    )
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    await leg.until_heard(0.3)
    pressed_at = len(leg.media.received)
    leg.send_digit("9")
    if what in {"continue-unrecorded", "tell"}:
        agent = await scene.agent.next_call()
        await agent.answered()
        told = agent.times["confirmed"] - leg.times["answered"] > 0.3 + ANNOUNCEMENT_S
        assert told == (what == "tell")
        await leg.hang_up()
    else:
        await leg.ended(5)
        assert leg.ended_by == "them"
        assert len(leg.media.received) - pressed_at >= ANNOUNCEMENT_S / 0.02 - 5, "he was told"
    await scene.site.until_ended()
    assert scene.decisions() == [("REFUSED", "CONSENT_REFUSED")]
    assert not recorded(scene)


async def test_the_digits_are_in_nothing_that_we_keep(ask, entry):
    """A key that means nothing to us may be anything, a card number too."""
    scene = await ask("opt-out")
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    for key in "48484":
        leg.send_digit(key)
    agent = await scene.agent.next_call()
    await agent.answered()
    await scene.hang_up(leg)
    written = [str(row["detail"]) for row in scene.site.rows()] + [scene.site.service.words]
    assert not any("'4'" in text or "48484" in text or "digit" in text for text in written)


@pytest.mark.parametrize("moment", ["asked", "told"])
async def test_who_hangs_up_later_has_not_agreed(ask, entry, moment):
    """While he is asked, or while he is told what follows from his no."""
    scene = await ask("opt-out")
    leg = await scene.caller.dial(EXTEN[entry], scene.port)
    await leg.answered()
    if moment == "told":
        leg.send_digit("9")
    wanted = {"asked": "notice_completed", "told": "decision"}[moment]
    await scene.site.rows_until(lambda rows: rows[-1]["kind"] == wanted)
    await scene.hang_up(leg)
    decided = {
        "asked": ("NOT_RECORDED", "HANGUP_IN_NOTICE"),
        "told": ("REFUSED", "CONSENT_REFUSED"),
    }
    assert scene.decisions() == [decided[moment]]
    assert not recorded(scene)


async def test_a_prompt_that_keys_interrupt_is_heard_to_its_end(ask):
    """Over FastAGI a key stops the prompt; it goes on where it was."""
    scene = await ask("opt-in")
    leg = await scene.caller.dial(EXTEN["agi"], scene.port)
    await leg.answered()
    for _ in range(3):
        await leg.until_heard(0.15)
        leg.send_digit("1")
    agent = await scene.agent.next_call()
    await agent.answered()
    heard = leg.heard_pcm()
    await scene.hang_up(leg)
    assert scene.decisions() == [("ALLOWED", "CONSENT_GIVEN")]
    lasted_ms = scene.details("notice_completed")[0]["lasted_ms"]
    assert 960 <= lasted_ms <= 1_100
    prompt = read_wav(scene.site.asterisk.sounds_here / "en" / "notice-test.wav")[0]
    assert NoticeHeard.of(NoticeSearch(prompt), heard).completed
