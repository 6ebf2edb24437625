"""The linter for wordings: the examples of its page are judged as the page says, and more."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.disclosure.phrase_patterns import (
    EXPRESSIONS,
    fold,
    keys_spoken,
    sentences,
)
from asterisk_compliance.domain.disclosure.wording_lint import (
    HINTS,
    LONGEST_MS,
    LintSeverity,
    PromptKind,
    lint,
)
from asterisk_compliance.domain.purposes import Purpose, PurposeCode
from shipped import PURPOSES

PAGE = (Path(__file__).parents[3] / "docs/wording.md").read_text("utf-8")
LANGUAGES = ("ja", "en")
TOLD = [purpose for purpose in PURPOSES if purpose.code in {"SERVICE", "QUALITY"}]
GOOD = {
    "ja": "ご用件の確認と応対品質の向上のため、録音しています。",
    "en": "To confirm your request and improve our service, we record this call.",
}
NINE = {"digits": {"refuse": "9"}}
YES_NO = {"kind": PromptKind.QUESTION, "digits": {"accept": "1", "refuse": "2"}}
PUBLISHED = {"purposes": [], "pointers": {}}
CONTEXT = {"W05": NINE, "W06": NINE, "W13": YES_NO, "W15": PUBLISHED}
"""What the page says about the policy behind the examples of a finding."""
LENGTHS = {"bad": {"ja": 17_420, "en": 14_500}, "good": {"ja": 4_300, "en": 3_820}}
"""Of the examples of W04."""


def documented() -> dict[str, str]:
    """The section of each finding in the page, by id."""
    parts = re.split(r"(?m)^### (W\d\d): .*$|^## .*$", PAGE)
    return {code: body for code, body in zip(parts[1::2], parts[2::2], strict=True) if code}


def examples() -> list[tuple[str, str, str, str]]:
    """(id, good or bad, language, wording)."""
    return [
        (code, verdict, language, wording)
        for code, body in documented().items()
        for verdict, *wordings in re.findall(r"(?m)^\| (bad|good) \| (.*?) \| (.*?) \|$", body)
        for language, wording in zip(LANGUAGES, wordings, strict=True)
    ]


EXAMPLES = examples()


def ids(wording, language="ja", **changed):
    return [f.id for f in lint(wording, language, **({"purposes": TOLD} | changed))]


def errors(wording, language="ja", **changed):
    return [
        code for code in ids(wording, language, **changed) if HINTS[code][0] is LintSeverity.ERROR
    ]


# -- the page ----------------------------------------------------------------------------------


def test_every_finding_is_documented_with_its_severity_and_no_other():
    sections = documented()
    assert sorted(sections) == sorted(HINTS)
    for code, body in sections.items():
        assert body.lstrip().lower().startswith(HINTS[code][0]), code


def test_every_finding_has_good_and_bad_examples_in_each_language():
    found = {example[:3] for example in EXAMPLES}
    assert found == set(product(set(HINTS) - {"W14"}, ("bad", "good"), LANGUAGES))


@pytest.mark.parametrize(("code", "verdict", "language", "wording"), EXAMPLES)
def test_an_example_of_the_page(code, verdict, language, wording):
    context = dict(CONTEXT.get(code, {}))
    if code == "W04":
        context["length_ms"] = LENGTHS[verdict][language]
    if verdict == "bad":
        assert code in ids(wording, language, **context)
        assert set(errors(wording, language, **context)) <= {code, "W02"}
    else:
        assert code not in ids(wording, language, **context)
        assert errors(wording, language, **context) == []


def test_a_finding_says_what_and_what_to_do():
    (finding,) = (
        f for f in lint(GOOD["ja"], "ja", purposes=TOLD, length_ms=12_001) if f.id == "W04"
    )
    assert finding.severity is LintSeverity.ERROR
    assert finding.what == "it takes 12.0 s"
    assert "12 s" in finding.hint


# -- what is told ------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_limit_belongs_to_what_is_allowed(language):
    assert errors(GOOD[language], language, length_ms=LONGEST_MS) == []
    assert errors(GOOD[language], language, length_ms=LONGEST_MS + 1) == ["W04"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [PromptKind.NOTICE, PromptKind.QUESTION])
def test_a_notice_is_for_a_purpose(language, kind):
    assert "W02" in errors(GOOD[language], language, purposes=[], kind=kind)


def test_each_purpose_has_a_finding_of_its_own():
    said = [f.what for f in lint("録音しています。", "ja", purposes=TOLD) if f.id == "W02"]
    assert said == ["purpose SERVICE is not said", "purpose QUALITY is not said"]


def test_one_purpose_before_and_one_after():
    wording = "ご用件の確認のため録音しています。応対品質の向上のためでもあります。"
    assert errors(wording) == ["W03"]


def test_a_purpose_without_the_word_for_recording_is_missing_only_that():
    assert errors("ご用件の確認と応対品質の向上のため、うかがいます。") == ["W01"]


def test_a_site_can_have_purposes_of_its_own():
    own = Purpose(PurposeCode("SAFETY"), label={}, phrases={"ja": ("安全の確認",)})
    assert errors("安全の確認のため、録音しています。", purposes=[own]) == []
    assert errors(GOOD["ja"], purposes=[own]) == ["W02"]


@pytest.mark.parametrize(
    ("language", "wording"),
    [
        ("ja", "ただいま、録音を止めています。"),
        ("ja", "お待ちください。"),
        ("ja", "録音が必要なため、お電話では承れません。ここで終話します。"),
        ("en", "Please wait."),
        ("en", "We cannot help you on the phone, and will end this call now."),
    ],
)
def test_an_announcement_needs_no_purpose_and_may_say_that_the_call_ends(language, wording):
    assert ids(wording, language, purposes=[], kind=PromptKind.ANNOUNCEMENT) == []


def test_an_announcement_that_is_for_a_purpose_says_it():
    assert ids("お待ちください。", kind=PromptKind.ANNOUNCEMENT) == ["W02", "W02"]


# -- keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "wording", "keys"),
    [
        ("ja", "9を押してください", "9"),
        ("ja", "９番を押してください", "9"),
        ("ja", "九を押してください", "9"),
        ("ja", "きゅうを押してください", "9"),
        ("ja", "いいえなら、にを押してください", "2"),
        ("ja", "はいならイチを、いいえならニを押してください", "1 2"),
        ("ja", "はいは一、いいえは二を押してください", "1 2"),
        ("ja", "1か2を押してください", "1 2"),
        ("ja", "シャープを押してください", "#"),
        ("ja", "＊を押してください", "*"),
        ("ja", "米印のボタンを、またはゼロを押してください", "0"),
        ("ja", "9日で消去します", ""),
        ("ja", "もう一度押してください", ""),
        ("ja", "2回押してください", ""),
        ("ja", "上に番号を押してください", ""),
        ("ja", "フリーダイヤル0120-123-456におかけください", ""),
        ("ja", "24時間以内に押してください", ""),
        ("en", "Press 9.", "9"),
        ("en", "press nine", "9"),
        ("en", "Press 1 for yes, 2 for no.", "1 2"),
        ("en", "Press one for yes, two for no.", "1 2"),
        ("en", "Press the number nine or zero.", "0 9"),
        ("en", "Press star or #.", "* #"),
        ("en", "We delete it after 9 days.", ""),
        ("en", "Press any key within 9 seconds.", ""),
        ("en", "Press one of the keys.", ""),
        ("en", "Dial 1-800-555 or 0120 123.", ""),
        ("en", "Nine people listen. Press any key.", ""),
    ],
)
def test_keys_that_a_wording_names(language, wording, keys):
    assert keys_spoken(fold(wording), EXPRESSIONS[language]) == set(keys.split())


def test_a_digit_that_is_not_pressed_is_no_way_to_decline():
    wording = (
        "To confirm your request and improve our service, we record this call and keep it 9 days."
    )
    assert errors(wording, "en", **NINE) == ["W05", "W06"]


def test_an_apostrophe_is_an_apostrophe():
    wording = GOOD["en"] + " If you don\N{RIGHT SINGLE QUOTATION MARK}t want that, press 9."
    assert errors(wording, "en", **NINE) == []


def test_the_policy_has_another_key():
    wording = GOOD["ja"] + "望まれないときは、8を押してください。"
    assert errors(wording, **NINE) == ["W05", "W10"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_without_keys_still_says_how_to_decline(language):
    assert errors(GOOD[language], language, kind=PromptKind.QUESTION) == ["W06"]


# -- tone --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "more"),
    [
        ("ja", "録音にご同意いただけない場合は、ご利用いただけません。"),
        ("ja", "ご同意のない方のご用件は、お受けできません。"),
        ("ja", "お電話を続けられた場合、同意したものとみなします。"),
        ("ja", "ご容赦願います。"),
        ("ja", "ご承知おきください。"),
        ("en", "If you don’t agree, we cannot help you."),
        ("en", "Callers who stay are deemed to agree."),
        ("en", "You agree to this."),
        ("en", "By staying on the line you accept it."),
    ],
)
def test_pressure(language, more):
    assert errors(f"{GOOD[language]} {more}", language) == ["W07"]


@pytest.mark.parametrize(
    ("language", "more"),
    [
        ("ja", "迷惑行為や嫌がらせへの対策ではありません。あらかじめご了承ください。"),
        ("en", "Please accept that."),
    ],
)
def test_words_that_only_look_like_a_way_to_decline(language, more):
    assert errors(f"{GOOD[language]} {more}", language) == ["W07"]


@pytest.mark.parametrize(
    ("language", "more"),
    [
        ("ja", "業界No.1の安心です。"),
        ("ja", "録音は絶対に漏れません。"),
        ("ja", "１００％安全です。"),
        ("en", "Our world-class team will listen."),
        ("en", "It is completely secure."),
        ("en", "Your data is 100% safe."),
    ],
)
def test_superlatives(language, more):
    assert errors(f"{GOOD[language]} {more}", language) == ["W08"]


@pytest.mark.parametrize(
    "placeholder",
    ["{", "{period}", "｛会社｝", "[name]", "<name>", "○○", "〇〇", "XX", "TODO", "%s"],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders(placeholder, language):
    assert errors(f"{placeholder}です。{GOOD[language]}", language) == ["W09"]


def test_a_year_in_kanji_is_no_placeholder():
    assert errors(GOOD["ja"] + "二〇〇〇年から続けています。") == []


# -- any language, any text --------------------------------------------------------------------


def test_an_unknown_language_is_said_and_the_rest_is_looked_at():
    dienst = Purpose(PurposeCode("SERVICE"), label={}, phrases={"de": ("Ihr Anliegen",)})
    wording = "Um Ihr Anliegen zu klären, zeichnen wir auf."
    assert ids(wording, "de", purposes=[dienst]) == ["W14"]
    assert ids("{Firma}", "de", purposes=[dienst], length_ms=13_000) == ["W02", "W04", "W09", "W14"]


def test_sentences():
    assert sentences("一つ。二つ！　三つ?") == ("一つ", "二つ！　三つ")
    assert sentences(fold("One. Two at 9.5 s! No.1")) == ("one", " two at 9.5 s", " no.1")
    assert sentences(" 。. ") == ()


words = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from([wording for *_, wording in EXAMPLES]),
        st.sampled_from(
            ["9", "press", "押", "録音", "record", "。", ". ", "{", "は", "Ⅸ", "९", "²"]
        ),
    ),
    max_size=8,
).map("".join)


@given(
    wording=words,
    language=st.sampled_from(["ja", "en", "de", ""]),
    purposes=st.lists(st.sampled_from(PURPOSES), max_size=3),
    length_ms=st.none() | st.integers(),
    kind=st.sampled_from(PromptKind),
    digits=st.none() | st.dictionaries(st.text(max_size=3), st.text(max_size=2), max_size=3),
)
def test_it_never_raises_and_is_ordered_and_stable(**given_values):
    wording, language = given_values.pop("wording"), given_values.pop("language")
    found = lint(wording, language, **given_values)
    assert found == lint(wording, language, **given_values)
    assert [f.id for f in found] == sorted(f.id for f in found)
    for finding in found:
        assert (finding.severity, finding.hint) == HINTS[finding.id]


@given(words, st.sampled_from(LANGUAGES))
def test_more_purposes_and_more_length_never_make_a_wording_better(wording, language):
    few = errors(wording, language, purposes=TOLD[:1], length_ms=1_000)
    many = errors(wording, language, purposes=TOLD, length_ms=20_000)
    assert set(few) <= set(many)


@pytest.mark.parametrize(
    "part", ["{", "[", "<", "press ", "9", "押", "一", "望まれ", "don't ", "に", "a。"]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_long_wording_takes_no_longer_than_its_length(part, language):
    started = perf_counter()
    lint(part * 50_000, language, purposes=TOLD)
    assert perf_counter() - started < 5
