"""A notice that cannot be played, or does not say what it must, is refused before a call comes."""

from __future__ import annotations

import hashlib
import shutil
import wave
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.app.policy.prompts import policies_for, purposes_of
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    CaptureFrom,
    Consent,
    ConsentKeys,
    OnProblem,
    Prompt,
)
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue
from sample_settings import raw, settings

SAYS_ALL = "ご用件の確認と応対品質の向上のため、録音しています。"


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    """The shipped prompts, as a site installs them."""
    for language in ("ja", "en"):
        (tmp_path / language).mkdir()
        for name in ("notice-standard.wav", "notice-short.wav"):
            source = catalogue.sounds() / language / name
            (tmp_path / language / name).write_bytes(source.read_bytes())
    return tmp_path


def write_prompt(path: Path, seconds: float = 1.0, *, channels: int = 1, rate: int = 8_000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"\x01\x02" * channels * round(seconds * rate))
    return path


def loaded(sounds: Path, **tables: Any) -> Policies:
    value = raw()
    value["asterisk"][0]["sounds_here"] = str(sounds)
    read = settings(asterisk=value["asterisk"], **tables)
    return policies_for(read.asterisk[0], read, "compliance.toml")


def problems(sounds: Path, **tables: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(sounds, **tables)
    assert str(caught.value).startswith("compliance.toml: ")
    return caught.value.problems


def notice(**wordings: dict[str, str]) -> list[dict[str, Any]]:
    purposes = ["SERVICE", "QUALITY"]
    return [{"id": "standard", "version": "1", "purposes": purposes, "wording": wordings}]


def policy(*languages: str, **changed: Any) -> list[dict[str, Any]]:
    return [{"name": "inbound", "notice": "standard", "languages": languages, **changed}]


def ja_only(**wording: str) -> dict[str, Any]:
    return {"notice": notice(ja=wording), "policy": policy("ja")}


def test_shipped_prompts_bring_their_words(sounds: Path) -> None:
    policies = loaded(sounds)
    heard = policies.by_name["inbound"].wording_for("ja")
    shipped = catalogue.shipped_prompts()["notice-standard", "ja"]
    file = sounds / "ja" / "notice-standard.wav"
    assert heard.text == shipped.text
    assert heard.length_ms == shipped.length_ms
    assert heard.audio_digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert heard.text_digest == hashlib.sha256(shipped.text.encode()).hexdigest()
    assert policies.longest_prompt_ms == shipped.length_ms


def test_asterisk_is_asked_for_its_own_path_and_no_extension(sounds: Path) -> None:
    heard = loaded(sounds).by_name["inbound"].wording_for("en")
    assert heard.media == "sound:/usr/share/asterisk/sounds/compliance/en/notice-standard"


def test_everything_that_is_played_is_registered(sounds: Path) -> None:
    registered = loaded(sounds).registered
    assert [entry.wording.language for entry in registered] == ["ja", "en"]
    for entry in registered:
        assert hashlib.sha256(entry.audio).hexdigest() == entry.wording.audio_digest


def test_a_site_without_notices_has_no_longest_prompt() -> None:
    assert Policies({}, ()).longest_prompt_ms == 0


def test_a_wording_of_the_sites_own(sounds: Path) -> None:
    write_prompt(sounds / "ja" / "own" / "greeting.wav", 2.5)
    policies = loaded(sounds, **ja_only(prompt="own/greeting", text=SAYS_ALL))
    heard = policies.by_name["inbound"].wording_for("ja")
    assert (heard.text, heard.length_ms) == (SAYS_ALL, 2_500)


def test_a_purpose_that_is_not_said_is_named_with_notice_and_language(sounds: Path) -> None:
    write_prompt(sounds / "ja" / "own.wav")
    text = "応対品質の向上のため、録音しています。"
    assert problems(sounds, **ja_only(prompt="own", text=text)) == [
        'notice[1].wording.ja: notice "standard" does not say purpose SERVICE in ja'
    ]


def test_every_language_must_say_every_purpose(sounds: Path) -> None:
    spoken = {"prompt": "notice-standard", "text": "Hello."}
    said = problems(sounds, notice=notice(ja=spoken, en=spoken))
    assert said == [
        f'notice[1].wording.{language}: notice "standard" does not say purpose {code} in {language}'
        for language in ("ja", "en")
        for code in ("SERVICE", "QUALITY")
    ]


def test_the_shipped_words_must_say_the_purposes_too(sounds: Path) -> None:
    asked = notice(ja={"prompt": "notice-standard"})
    asked[0]["purposes"] = ["SERVICE", "TRAINING"]
    assert problems(sounds, notice=asked, policy=policy("ja")) == [
        'notice[1].wording.ja: notice "standard" does not say purpose TRAINING in ja'
    ]


def test_a_purpose_that_nobody_defined(sounds: Path) -> None:
    asked = notice(ja={"prompt": "notice-standard"})
    asked[0]["purposes"] = ["SERVICE", "MARS"]
    assert problems(sounds, notice=asked, policy=policy("ja")) == [
        "notice[1].purposes: there is no purpose MARS"
    ]


def test_a_changed_prompt_needs_its_words(sounds: Path) -> None:
    write_prompt(sounds / "ja" / "notice-standard.wav")
    said = "notice[1].wording.ja.text: is missing, and the prompt is not a shipped one"
    assert problems(sounds) == [said]


def test_a_prompt_of_the_sites_own_needs_its_words(sounds: Path) -> None:
    write_prompt(sounds / "ja" / "own.wav")
    said = "notice[1].wording.ja.text: is missing, and the prompt is not a shipped one"
    assert problems(sounds, **ja_only(prompt="own")) == [said]


def test_another_languages_prompt_cannot_stand_in(sounds: Path) -> None:
    shutil.copy(sounds / "en" / "notice-standard.wav", sounds / "ja" / "notice-standard.wav")
    assert [problem.split(":")[0] for problem in problems(sounds)] == ["notice[1].wording.ja.text"]


def test_a_missing_prompt(sounds: Path) -> None:
    file = sounds / "en" / "notice-standard.wav"
    file.unlink()
    assert problems(sounds) == [f"notice[1].wording.en.prompt: {file}: No such file or directory"]


def with_a_title(wav: bytes) -> bytes:
    """As a studio's program writes it."""
    title = b"LIST" + (16).to_bytes(4, "little") + b"INFOINAM" + (4).to_bytes(4, "little") + b"Take"
    return wav[:36] + title + wav[36:]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda file: file.write_bytes(b"ID3"), "is not a WAV file"),
        (lambda file: file.write_bytes(b"x" * 1_000), "is not 16-bit mono PCM at 8000 Hz"),
        (lambda file: write_prompt(file, channels=2), "is not 16-bit mono PCM at 8000 Hz"),
        (lambda file: write_prompt(file, rate=16_000), "is not 16-bit mono PCM at 8000 Hz"),
        (
            lambda file: file.write_bytes(write_prompt(file).read_bytes()[:-2]),
            "does not state its size, or holds more than sound",
        ),
        (
            lambda file: file.write_bytes(with_a_title(write_prompt(file).read_bytes())),
            "does not state its size, or holds more than sound",
        ),
    ],
)
def test_a_prompt_that_is_no_prompt(sounds: Path, change, why: str) -> None:
    file = sounds / "ja" / "notice-standard.wav"
    change(file)
    assert problems(sounds) == [f"notice[1].wording.ja.prompt: {file}: {why}"]


def test_a_wide_prompt_must_be_as_long(sounds: Path) -> None:
    """Asterisk plays it to callers with a wideband codec; the length of the other is expected."""
    narrow = write_prompt(sounds / "ja" / "own.wav", 2.0)
    wide = write_prompt(narrow.with_suffix(".wav16"), 2.02, rate=16_000)
    loaded(sounds, **ja_only(prompt="own", text=SAYS_ALL))
    write_prompt(wide, 1.0, rate=16_000)
    said = f"notice[1].wording.ja.prompt: {wide} is not as long as its 8 kHz file"
    assert problems(sounds, **ja_only(prompt="own", text=SAYS_ALL)) == [said]


def test_the_dialplan_must_wait_for_the_longest_prompt(sounds: Path) -> None:
    limits = {"notice_margin_s": 3, "dialplan_s": 13.9}
    (problem,) = problems(sounds, limits=limits)
    assert problem == (
        "limits.dialplan_s: policy inbound needs 14.0 s for notice standard/1/ja, its margin, "
        "the grace and an announcement"
    )
    loaded(sounds, limits={"notice_margin_s": 3, "dialplan_s": 14})


@pytest.mark.parametrize(
    ("changed", "needed_s"),
    [
        ({"grace_s": 2.5, "on_refusal": "continue-unrecorded"}, 9.22 + 3 + 2.5),
        ({"grace_s": 2.5}, 9.22 + 3 + 2.5 + 4.08 + 3),
        ({"grace_s": 0, "on_refusal": "end"}, 9.22 + 3 + 4.68 + 3),
        ({"grace_s": 0, "on_notice_failure": "tell"}, 9.22 + 3 + 4.58 + 3),
    ],
)
def test_the_dialplan_must_wait_for_what_follows_the_notice(
    asking: Path, changed: dict[str, Any], needed_s: float
) -> None:
    tables = asks("opt-out", "ja", keys={"refuse": "9"}, **changed)
    loaded(asking, **tables, limits={"dialplan_s": needed_s + 0.01})
    (problem,) = problems(asking, **tables, limits={"dialplan_s": needed_s - 0.01})
    assert problem.startswith(f"limits.dialplan_s: policy inbound needs {needed_s:.1f} s for ")


# -- policies that ask -------------------------------------------------------------------------

LONG = {"dialplan_s": 60}


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """All shipped prompts."""
    for language in ("ja", "en"):
        shutil.copytree(str(catalogue.sounds() / language), tmp_path / language)
    return tmp_path


def asks(consent: str, *languages: str, **changed: Any) -> dict[str, Any]:
    """A policy that asks by the shipped prompt for it."""
    wordings = {language: {"prompt": f"notice-{consent}"} for language in languages}
    return {"notice": notice(**wordings), "policy": policy(*languages, consent=consent, **changed)}


def test_a_policy_that_asks(asking: Path) -> None:
    tables = asks(
        "opt-in",
        "ja",
        "en",
        keys={"accept": "1", "refuse": "2", "repeat": "*", "language": "#"},
        grace_s=4.5,
        repeats_max=2,
        on_refusal="end",
        on_notice_failure="tell",
    )
    asked = loaded(asking, **tables, limits=LONG).by_name["inbound"]
    assert asked.consent is Consent.OPT_IN
    assert asked.keys == ConsentKeys(accept="1", refuse="2", repeat="*", language="#")
    assert (asked.grace_ms, asked.repeats_max) == (4_500, 2)
    assert (asked.on_refusal, asked.on_notice_failure) == (OnProblem.END, OnProblem.TELL)
    media = "sound:/usr/share/asterisk/sounds/compliance"
    assert {kind: dict(prompts) for kind, prompts in asked.announcements.items()} == {
        Announcement.NOT_RECORDED: {
            "ja": Prompt(f"{media}/ja/not-recorded", 4_580),
            "en": Prompt(f"{media}/en/not-recorded", 3_480),
        },
        Announcement.REQUIRED: {
            "ja": Prompt(f"{media}/ja/required-here", 4_680),
            "en": Prompt(f"{media}/en/required-here", 4_760),
        },
    }


def test_a_policy_that_does_not_ask_waits_for_no_answer(sounds: Path) -> None:
    """And needs no announcement about a refusal that cannot be."""
    told = loaded(sounds, policy=policy("ja", on_refusal="tell", grace_s=9)).by_name["inbound"]
    assert (told.grace_ms, told.repeats_max, told.announcements) == (0, 0, {})


@pytest.mark.parametrize(
    ("setting", "what", "kind", "prompt"),
    [
        ("on_refusal", "tell", "refused", "refused"),
        ("on_refusal", "alternative", "required", "required-here"),
        ("on_refusal", "end", "required", "required-here"),
        ("on_notice_failure", "tell", "not_recorded", "not-recorded"),
        ("on_notice_failure", "alternative", "required", "required-here"),
        ("on_notice_failure", "end", "required", "required-here"),
    ],
)
def test_what_a_policy_says_must_be_there_in_every_language(
    asking: Path, setting: str, what: str, kind: str, prompt: str
) -> None:
    tables = asks("opt-out", "ja", "en", keys={"refuse": "9"}, **{setting: what})
    file = asking / "en" / f"{prompt}.wav"
    file.unlink()
    assert problems(asking, **tables, limits=LONG) == [
        f"policy[1].announcements.{kind}: {file}: No such file or directory"
    ]
    silent = asks("opt-out", "ja", "en", keys={"refuse": "9"}, on_refusal="continue-unrecorded")
    loaded(asking, **silent, limits=LONG)


def test_an_announcement_of_the_sites_own(asking: Path) -> None:
    write_prompt(asking / "ja" / "own" / "no.wav", 1.5)
    own = {"refused": "own/no"}
    tables = asks("opt-out", "ja", keys={"refuse": "9"}, on_refusal="tell", announcements=own)
    said = loaded(asking, **tables, limits=LONG).by_name["inbound"].announcements
    assert said[Announcement.REFUSED]["ja"].length_ms == 1_500


@pytest.mark.parametrize(
    ("consent", "keys", "unsaid"),
    [
        ("opt-out", {"refuse": "8"}, ["8"]),
        ("opt-in", {"accept": "1", "refuse": "9"}, ["9"]),
        ("opt-in", {"accept": "3", "refuse": "4"}, ["3", "4"]),
        ("opt-out", {"refuse": "9", "accept": "1", "repeat": "*", "language": "#"}, []),
    ],
)
def test_the_notice_must_say_the_keys(
    asking: Path, consent: str, keys: dict[str, str], unsaid: list[str]
) -> None:
    """Those that decide, in every language; the others are a convenience."""
    tables = asks(consent, "ja", "en", keys=keys)
    if not unsaid:
        loaded(asking, **tables, limits=LONG)
        return
    assert problems(asking, **tables, limits=LONG) == [
        f'policy[1].keys: notice "standard" does not say key {key} in {language}'
        for language in ("ja", "en")
        for key in unsaid
    ]


def test_keys_in_a_language_that_we_cannot_read_are_the_sites_own_duty(asking: Path) -> None:
    write_prompt(asking / "fr" / "own.wav")
    phrases = [{"code": code, "phrases": {"fr": ["enregistr"]}} for code in ("SERVICE", "QUALITY")]
    own = notice(fr={"prompt": "own", "text": "Nous enregistrons."})
    silent = {"on_refusal": "continue-unrecorded"}
    asked = policy("fr", consent="opt-out", keys={"refuse": "9"}, **silent)
    loaded(asking, purpose=phrases, notice=own, policy=asked, limits=LONG)


def test_all_problems_are_said_at_once(sounds: Path) -> None:
    (sounds / "ja" / "notice-standard.wav").unlink()
    write_prompt(sounds / "en" / "notice-standard.wav", 30.0)
    asked = notice(
        ja={"prompt": "notice-standard"}, en={"prompt": "notice-standard", "text": "Hi."}
    )
    asked[0]["purposes"] = ["SERVICE", "MARS"]
    assert [problem.split(": ")[0] for problem in problems(sounds, notice=asked)] == [
        "notice[1].purposes",
        "notice[1].wording.ja.prompt",
        "notice[1].wording.en",
        "limits.dialplan_s",
    ]


def test_a_policy_is_named_by_everything_in_it(sounds: Path) -> None:
    def digest(**tables: Any) -> str:
        return loaded(sounds, **tables).by_name["inbound"].digest

    shorter = notice(ja={"prompt": "notice-short"}, en={"prompt": "notice-short"})
    digests = [
        digest(),
        digest(policy=policy("en", "ja")),
        digest(policy=policy("ja", "en", capture=CaptureFrom.NOTICE)),
        digest(notice=shorter),
        digest(policy=policy("ja", "en", on_refusal="end")),
    ]
    assert len(set(digests)) == len(digests)
    assert digest() == digests[0]


def test_a_site_adds_phrases_and_purposes() -> None:
    own = [
        {"code": "SERVICE", "label": {"fr": "service"}, "phrases": {"ja": ["ご用命"], "fr": ["x"]}},
        {"code": "VIP", "phrases": {"en": ["very important"]}, "dpv": ["https://w3id.org/dpv#X"]},
    ]
    purposes = purposes_of(settings(purpose=own))
    shipped = catalogue.shipped_purposes()[PurposeCode("SERVICE")]
    service = purposes[PurposeCode("SERVICE")]
    assert service.phrases["ja"] == (*shipped.phrases["ja"], "ご用命")
    assert service.phrases["en"] == shipped.phrases["en"]
    assert service.phrases["fr"] == ("x",)
    assert service.label == {**shipped.label, "fr": "service"}
    assert service.dpv == shipped.dpv
    assert purposes[PurposeCode("VIP")].dpv == ("https://w3id.org/dpv#X",)
    assert "ご用命" not in shipped.phrases["ja"]
