"""The page about recording says what callers are told and what is done, from one configuration."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.app.disclosure import page_files as publishing_files
from asterisk_compliance.app.disclosure.page import page_of
from asterisk_compliance.app.disclosure.page_files import LANGUAGES, as_html, differs, files_of
from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.policy.prompts import policies_for, purposes_of
from asterisk_compliance.config.settings import parse
from asterisk_compliance.domain.disclosure.published_page import PublishedPage, read_lines
from asterisk_compliance.domain.policy.notice import Consent, ToldBy
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped import catalogue
from sample_settings import raw
from values import replace

STANDARD, POINTING = "standard", "pointing"
PUBLISHED = {"page": "https://www.example.jp/recording", "published": date(2026, 12, 1)}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site") / "sounds"
    shutil.copytree(str(catalogue.sounds()), directory)
    return directory


def notice(name: str, prompt: str, *purposes: str, **changed: Any) -> dict[str, Any]:
    wording = {language: {"prompt": prompt} for language in LANGUAGES}
    return {"id": name, "version": "1", "purposes": purposes, "wording": wording, **changed}


NOTICES = [
    notice(STANDARD, "notice-standard", "SERVICE", "QUALITY"),
    notice(
        POINTING,
        "notice-published",
        "QUALITY",
        "TRAINING",
        purposes_told_by="publication",
    ),
    notice("asked", "notice-opt-in", "SERVICE", "QUALITY", retention="1 year"),
    notice("nobody-plays-it", "notice-short", "SERVICE", "QUALITY"),
]


def policy(name: str, of: str, **changed: Any) -> dict[str, Any]:
    return {"name": name, "notice": of, "languages": ["ja", "en"], **changed}


POLICIES = [policy("inbound", STANDARD), policy("web", POINTING)]
KEYS = {"accept": "1", "refuse": "2"}


def configured(sounds: Path, **tables: Any) -> Configuration:
    value = raw() | {"notice": NOTICES, "policy": POLICIES}
    value["controller"] |= PUBLISHED
    value["asterisk"][0]["sounds_here"] = str(sounds)
    for name, table in tables.items():
        value[name] = value[name] | table if isinstance(value.get(name), dict) else table
    settings = parse(value, secrets=False)
    policies = {one.node: policies_for(one, settings, "t") for one in settings.asterisk}
    return Configuration(Path("t"), settings, "0" * 64, policies)


def published(sounds: Path, **tables: Any) -> PublishedPage:
    return page_of(configured(sounds, **tables))


def lines(page: PublishedPage, language: str = "en") -> tuple[str, ...]:
    return read_lines(as_html(page, language).decode())


# -- the same purposes -------------------------------------------------------------------------


def told_by_policies(configuration: Configuration) -> set[str]:
    """What a call of any policy can be recorded for, as the service has it."""
    return {
        str(code)
        for policies in configuration.policies.values()
        for name, plan in policies.plans.items()
        for consent in policies.reach(name)["consent"]
        for notice in filter(None, (plan.notices[consent], plan.joined))
        for code in notice.purposes
    }


def said_by_prompts(configuration: Configuration) -> set[str]:
    """What the words say, in each language alike; or the page in their place."""
    said: set[str] = set()
    purposes = purposes_of(configuration.settings).values()
    for policies in configuration.policies.values():
        for name, plan in policies.plans.items():
            heard = [plan.notices[consent] for consent in policies.reach(name)["consent"]]
            for notice in (*heard, *filter(None, [plan.joined])):
                assert notice.wordings
                for language, wording in notice.wordings.items():
                    named = {
                        str(one.code) for one in purposes if one.is_named_in(wording.text, language)
                    }
                    left = notice.told_by is ToldBy.PUBLICATION
                    assert named == (set() if left else set(map(str, notice.purposes)))
                    said |= set(map(str, notice.purposes)) if left else named
    return said


def on_page(page: PublishedPage, language: str) -> set[str]:
    """The purposes whose labels stand as rows of the table that people read."""
    shown = lines(page, language)
    return {one.code for one in page.purposes if one.label[language] in shown}


@pytest.mark.parametrize(
    "policies",
    [
        POLICIES,
        POLICIES[:1],
        POLICIES[1:],
        [policy("sales", STANDARD, consent="opt-in", notice_opt_in="asked", keys=KEYS)],
        [policy("inbound", STANDARD, notice_joined="all")],
    ],
)
def test_page_prompts_and_policies_name_the_same_purposes(
    sounds: Path, policies: list[dict[str, Any]]
) -> None:
    everybody = notice("all", "joined", "SERVICE", "QUALITY")
    configuration = configured(sounds, policy=policies, notice=[*NOTICES, everybody])
    page = page_of(configuration)
    active = told_by_policies(configuration)
    assert active
    assert {one.code for one in page.purposes} == active
    assert said_by_prompts(configuration) == active
    for language in LANGUAGES:
        assert on_page(page, language) == active
    assert {code for one in page.notices for code in one.purposes} == active


def test_a_purpose_that_a_policy_gains_or_loses_is_gained_or_lost_by_the_page(sounds: Path) -> None:
    before = published(sounds, policy=POLICIES[:1])
    after = published(sounds, policy=POLICIES)
    assert [one.code for one in before.purposes] == ["SERVICE", "QUALITY"]
    assert [one.code for one in after.purposes] == ["SERVICE", "QUALITY", "TRAINING"]
    assert "staff training" not in lines(before)
    assert "staff training" in lines(after)


def test_a_notice_that_only_a_rule_can_ask_for_is_published(sounds: Path) -> None:
    abroad = {"id": "abroad", "match": {"direction": ["outbound"]}, "terms": {"consent": "opt-in"}}
    asks = [policy("inbound", STANDARD, notice_opt_in="asked", keys=KEYS)]
    with_rule = published(sounds, policy=asks, rule=[abroad])
    assert {one.id: one.asks for one in with_rule.notices} == {
        STANDARD: (Consent.NOTICE,),
        "asked": (Consent.OPT_IN,),
    }
    assert [one.id for one in published(sounds, policy=asks).notices] == [STANDARD]
    assert any("only if you press" in line for line in lines(with_rule))


# -- what it says of each ----------------------------------------------------------------------


def test_a_purpose_is_shown_with_the_words_by_which_it_is_told(sounds: Path) -> None:
    service, quality, training = published(sounds).purposes
    assert service.said == {"en": ("get your request right",), "ja": ("ご用件を正確に",)}
    assert (service.told_by, quality.told_by) == (("notice",), ("notice", "publication"))
    assert (training.told_by, training.said) == (("publication",), {})
    assert service.dpv == ("https://w3id.org/dpv#CustomerCare",)
    shown = lines(published(sounds))
    assert "“get your request right”" in shown
    assert shown.count("Published on this page") == 2
    assert not any("CustomerCare" in line for line in shown), "that is for machines"


def test_the_words_of_a_notice_are_those_that_the_log_knows(sounds: Path) -> None:
    configuration = configured(sounds)
    page = page_of(configuration)
    known = {
        (entry.notice.id, entry.wording.language): entry.wording
        for entry in configuration.policies["pbx1"].registered
    }
    for one in page.notices:
        for language in LANGUAGES:
            wording = known[one.id, language]
            assert (one.words[language], one.sha256[language]) == (
                wording.text,
                wording.text_digest,
            )
            assert wording.text in lines(page, language)
    assert "nobody-plays-it" not in {one.id for one in page.notices}


def test_a_legal_basis_is_shown_where_one_is_configured(sounds: Path) -> None:
    based = {"basis": {"QUALITY": "legitimate-interests"}, "interests": {"en": "a good service"}}
    page = published(sounds, publication=based)
    (quality,) = (one for one in page.purposes if one.code == "QUALITY")
    assert quality.basis_dpv == "https://w3id.org/dpv#LegitimateInterest"
    assert "legitimate interests" in lines(page)
    assert "Our legitimate interests: a good service" in lines(page)
    assert "Legal basis" not in lines(published(sounds))


PERIOD = [{"code": "QUALITY", "retention": "6 months"}]


@pytest.mark.parametrize(
    ("tables", "kept"),
    [
        ({}, ("", "", "")),
        ({"purpose": PERIOD}, ("6 months", "", "")),
        (
            {"policy": [policy("inbound", STANDARD, retention_max_days=90)]},
            ("", "", "90 days"),
        ),
        (
            {
                "policy": [
                    policy("inbound", STANDARD, retention_max_days=90, retention_min_days=30),
                    policy("other", STANDARD, retention_max_days=400, retention_min_days=7),
                ]
            },
            ("", "7 days", "400 days"),
        ),
        (
            {
                "policy": [
                    policy("inbound", STANDARD, retention_max_days=90, retention_min_days=30),
                    policy("other", STANDARD),
                ]
            },
            ("", "", ""),
        ),
        (
            {"policy": [policy("s", STANDARD, consent="opt-in", notice_opt_in="asked", keys=KEYS)]},
            ("", "", "1 year"),
        ),
        (
            {"policy": [policy("inbound", STANDARD, notice_joined="asked")]},
            ("", "", "1 year"),
        ),
    ],
)
def test_a_period_holds_for_every_recording_of_the_purpose(
    sounds: Path, tables: dict[str, Any], kept: tuple[str, str, str]
) -> None:
    (quality,) = (one for one in published(sounds, **tables).purposes if one.code == "QUALITY")
    assert (quality.kept.needed, quality.kept.at_least, quality.kept.at_most) == kept


def test_a_period_is_said_in_words(sounds: Path) -> None:
    limits = [policy("inbound", STANDARD, retention_max_days=1, retention_min_days=1)]
    page = published(sounds, purpose=PERIOD, policy=limits)
    for said in ("6 months for this purpose", "at least 1 day", "at most 1 day"):
        assert said in lines(page)
    for said in ("この目的のために6か月間", "少なくとも1日間", "長くても1日間"):
        assert said in lines(page, "ja")
    assert "not fixed" not in lines(page, "en")[lines(page).index("service quality") :]
    assert "not fixed" in lines(published(sounds))


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ({}, ("14 days", False, "")),
        ({"regime": "eu"}, ("1 month", True, "")),
        ({"regime": "eu", "promise": "10 days"}, ("10 days", False, "")),
        ({"regime": "eu", "promise": "2 months"}, ("1 month", True, "")),
        ({"promise": "5 days", "fee": "JPY 500"}, ("5 days", False, "JPY 500")),
    ],
)
def test_how_soon_people_are_answered_and_what_it_costs(
    sounds: Path, requests: dict[str, Any], said: tuple[str, bool, str]
) -> None:
    page = published(sounds, requests=requests)
    asked = page.requests
    assert (asked.answered_within, asked.by_law, asked.fee) == said
    assert (said[2] or "none") in lines(page)


def test_measures_are_those_of_the_configuration(sounds: Path) -> None:
    plain = published(sounds)
    assert plain.measures == ("nameless", "used-for")
    deposited = published(sounds, audit={"checkpoints_to": ["stdout"]})
    assert deposited.measures == ("log-deposited", "nameless", "used-for")
    vault = {"encryption": "age", "recipients": [_recipient()]}
    sealed = published(sounds, vault=vault, publication={"security": {"en": ["A locked room."]}})
    assert "encrypted" in sealed.measures
    assert "A locked room." in lines(sealed)
    assert "The telephone system holds no key" in " ".join(lines(sealed))
    assert "The telephone system holds no key" not in " ".join(lines(plain))


def _recipient() -> str:
    from asterisk_compliance.age import new_identity

    return new_identity()[1]


ABROAD = {
    "name": {"ja": "米国社", "en": "US Inc."},
    "country": "US",
    "items": {"en": "recordings", "ja": "録音"},
    "why": {"en": "transcription", "ja": "文字起こし"},
}


def test_third_parties_are_named_or_said_to_be_none(sounds: Path) -> None:
    shown = lines(published(sounds, publication={"recipient": [ABROAD]}))
    assert {"US Inc.", "United States (US)", "recordings", "transcription"} <= set(shown)
    japanese = lines(published(sounds, publication={"recipient": [ABROAD]}), "ja")
    assert "アメリカ合衆国 (US)" in japanese
    assert any("no third party" in line for line in lines(published(sounds)))
    assert not any("no third party" in line for line in shown)


def test_everything_that_a_site_says_is_there_in_its_language(sounds: Path) -> None:
    said = {
        "name": {"ja": "見本社", "en": "Sample K.K."},
        "address": {"ja": "東京都", "en": "Tokyo"},
        "representative": {"ja": "見本 一郎"},
        "procedure": {"en": "Write to us."},
        "complaints": {"en": "The desk."},
        "authority": {"en": "The commission."},
        "hearing_number": "03-0000-0001",
    }
    log = {"fingerprint": "ab" * 32}
    page = published(sounds, publication=said, controller=log)
    shown = " ".join(lines(page))
    for text in ("Sample K.K.", "Tokyo", "Write to us.", "The desk.", "The commission."):
        assert text in shown
    assert "見本 一郎" in shown, "in another language, rather than not at all"
    for text in ("03-0000-0001", "ab" * 32, "www.example.jp", "privacy@example.jp"):
        assert text in shown
        assert text in " ".join(lines(page, "ja"))
    assert "2026-12-01" in lines(page)
    assert "2026年12月1日" in lines(page, "ja")
    assert "見本社" in " ".join(lines(page, "ja"))
    assert "Example K.K." in lines(published(sounds)), (
        "[controller] says it where nothing else does"
    )


# -- as files ----------------------------------------------------------------------------------


def test_the_same_configuration_makes_the_same_bytes(sounds: Path) -> None:
    assert files_of(published(sounds)) == files_of(published(sounds))
    assert list(files_of(published(sounds))) == [
        "recording.ja.html",
        "recording.en.html",
        "recording.json",
    ]
    assert list(files_of(published(sounds), ["en"])) == ["recording.en.html", "recording.json"]


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, Mapping[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


HOSTILE = '<script src="https://elsewhere.example/x.js">alert(1)</script>{{ page }}{0} & "'


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_needs_no_script_and_no_other_file(sounds: Path, language: str) -> None:
    texts = {"address": {language: HOSTILE}, "procedure": {language: HOSTILE}}
    page = published(
        sounds,
        publication=texts | {"name": {language: HOSTILE}},
        controller={"contact": HOSTILE},
    )
    html = as_html(page, language).decode()
    tags = _Tags(html).seen
    loading = {"script", "link", "img", "iframe", "object", "embed", "video", "audio", "form"}
    assert not {tag for tag, _ in tags} & loading
    for _, attributes in tags:
        assert not {name for name in attributes if name.startswith("on")}
        assert not {"src", "href", "action", "style"} & attributes.keys()
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert " ".join(HOSTILE.split()) in read_lines(html), "as text"


def test_who_is_asked_reads_that_a_consent_can_be_taken_back(sounds: Path) -> None:
    asked = [policy("s", STANDARD, consent="opt-in", notice_opt_in="asked", keys=KEYS)]
    based = {"basis": {"QUALITY": "consent"}}
    for page in (published(sounds, policy=asked), published(sounds, publication=based)):
        assert any(line.startswith("to take back your consent") for line in lines(page))
        assert any(line.startswith("同意の撤回") for line in lines(page, "ja"))
    assert not any("take back" in line for line in lines(published(sounds)))


def test_words_in_another_language_say_in_which(sounds: Path) -> None:
    page = published(sounds)
    notices = (replace(page.notices[0], words={"de": "Hallo.", "en": "Hello."}),)
    html = as_html(replace(page, notices=notices), "ja").decode()
    assert '<blockquote lang="en"><p>Hello.</p>' in html


def test_on_a_telephone_every_cell_says_what_it_is(sounds: Path) -> None:
    based = {"basis": {"QUALITY": "contract"}, "recipient": [ABROAD]}
    html = as_html(published(sounds, publication=based), "en").decode()
    cells = [attributes for tag, attributes in _Tags(html).seen if tag == "td"]
    heads = {"How the call says it", "Legal basis", "Kept", "Country", "What", "Why"}
    assert {attributes.get("data-label") for attributes in cells} == heads
    assert "@media (max-width: 34rem)" in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_can_be_read_aloud_and_printed(sounds: Path, language: str) -> None:
    html = as_html(published(sounds), language).decode()
    tags = _Tags(html).seen
    names = [tag for tag, _ in tags]
    assert ("html", {"lang": language}) in tags
    assert names.count("main") == names.count("h1") == names.count("title") == 1
    assert not {"h3", "h4", "h5", "h6"} & set(names), "no level is left out"
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in tags if tag == "th")
    assert {"thead", "tbody", "dl", "ul"} <= set(names)
    assert "@page" in html
    assert "@media print" in html


def test_both_languages_have_the_same_words() -> None:
    words = publishing_files._words()

    def shape(value: Any) -> Any:
        return {key: shape(one) for key, one in value.items()} if isinstance(value, dict) else None

    japanese, english = (dict(words[language]) for language in LANGUAGES)
    plural = {"days", "months", "years"}
    assert {*english.pop("periods")} - plural == {*japanese.pop("periods")}
    assert shape(japanese) == shape(english)
    assert len(japanese["rights"]) == len(english["rights"])


# -- a published copy --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["recording.ja.html", "recording.en.html", "recording.json"])
def test_a_copy_of_it_does_not_differ_and_one_of_another_configuration_does(
    sounds: Path, name: str
) -> None:
    page = published(sounds)
    copy = files_of(page)[name]
    assert differs(name, copy, page) == []
    for other in (
        published(sounds, policy=POLICIES[:1]),
        published(sounds, purpose=PERIOD),
        published(sounds, controller={"published": date(2026, 12, 2)}),
        published(sounds, controller={"contact": "other@example.jp"}),
    ):
        assert differs(name, copy, other) != []


def test_what_differs_is_said(sounds: Path) -> None:
    copy = files_of(published(sounds))
    now = published(sounds, purpose=PERIOD)
    assert differs("j", copy["recording.json"], now) == ["purposes[2].kept.needed: differs"]
    found = differs("e", copy["recording.en.html"], now)
    assert found == ["-not fixed", "+6 months for this purpose"]


def test_a_copy_in_the_frame_of_the_site_does_not_differ(sounds: Path) -> None:
    page = published(sounds)
    copy = files_of(page)["recording.ja.html"].decode()
    body = copy[copy.index("<main") : copy.index("</main>") + 7]
    laid_out = body.replace("<p>", "<p  class=x>\n  ")
    framed = f"<!doctype html><nav>Menu</nav>{laid_out}<footer>Imprint</footer>"
    assert differs("f", framed.encode(), page) == []
    assert differs("f", framed.replace("利用目的", "目的").encode(), page) != []


def test_json_that_was_laid_out_anew_does_not_differ(sounds: Path) -> None:
    page = published(sounds)
    value = json.loads(files_of(page)["recording.json"])
    assert differs("j", json.dumps(value).encode(), page) == []
    value["purposes"].pop()
    assert differs("j", json.dumps(value).encode(), page) != []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff", "is not UTF-8 text"),
        (b"<html><p>Welcome</p></html>", "has no part of ours"),
        (b"Welcome", "is neither HTML nor JSON"),
        (b"", "is neither HTML nor JSON"),
        (b"[" * 100_000, "is neither HTML nor JSON"),
        (b" " * ((1 << 20) + 1), "is longer than"),
    ],
)
def test_what_is_no_copy_of_it_is_said_to_be_none(
    sounds: Path, content: bytes, problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        differs("copy", content, published(sounds))


def test_a_page_without_a_date_or_a_key_says_neither(sounds: Path) -> None:
    page = replace(published(sounds), published="")
    assert "Published" not in lines(page)
    assert "Fingerprint of the key (SHA-256)" not in lines(page)
