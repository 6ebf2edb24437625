"""A wording says its purposes, or it does not; a policy finds the wording for a channel."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.policy.notice import CaptureFrom, Notice, Policy, Wording
from asterisk_compliance.domain.purposes import Purpose, PurposeCode, unnamed

QUALITY = Purpose(
    PurposeCode("QUALITY"),
    label={"en": "quality"},
    phrases={"en": ("improve our service",), "ja": ("応対品質の向上", "サービス品質")},
)
TRAINING = Purpose(PurposeCode("TRAINING"), label={}, phrases={"en": ("train our staff",)})


@pytest.mark.parametrize(
    ("wording", "language"),
    [
        ("We record to improve our service.", "en"),
        ("TO IMPROVE\n  OUR   SERVICE", "en"),
        ("To ｉｍｐｒｏｖｅ our service", "en"),
        ("応対品質の　向上のため", "ja"),
        ("ｻｰﾋﾞｽ品質のため", "ja"),
    ],
)
def test_a_purpose_is_named_whatever_the_width_case_and_space(wording: str, language: str) -> None:
    assert QUALITY.is_named_in(wording, language)


@pytest.mark.parametrize(
    ("wording", "language"),
    [
        ("We record this call.", "en"),
        ("to improve our service", "ja"),
        ("to improve our service", "fr"),
        ("", "en"),
    ],
)
def test_a_purpose_is_not_named(wording: str, language: str) -> None:
    assert not QUALITY.is_named_in(wording, language)


def test_the_purposes_that_a_wording_does_not_say() -> None:
    assert unnamed([QUALITY, TRAINING], "to improve our service", "en") == ("TRAINING",)
    assert unnamed([QUALITY, TRAINING], "nothing", "en") == ("QUALITY", "TRAINING")
    assert unnamed([], "nothing", "en") == ()


def wording(language: str) -> Wording:
    return Wording(language, "words", f"sound:/s/{language}/n", 1_000, "t" * 64, "a" * 64)


@pytest.mark.parametrize(
    ("channel_language", "heard"),
    [
        ("ja", "ja"),
        ("ja_JP", "ja"),
        ("JA-jp", "ja"),
        ("en_GB.UTF-8", "en"),
        ("fr", "en"),
        ("", "en"),
        ("_", "en"),
        ("jam", "en"),
        ("de", "en"),
    ],
)
def test_the_wording_for_a_channel(channel_language: str, heard: str) -> None:
    """German has a wording, but this policy does not offer it."""
    wordings = {language: wording(language) for language in ("ja", "en", "de")}
    notice = Notice("standard", "2", (PurposeCode("QUALITY"),), wordings)
    policy = Policy("inbound", notice, ("en", "ja"), CaptureFrom.BRIDGED, "p" * 64)
    assert policy.wording_for(channel_language).language == heard


def test_a_notice_is_named_with_version_and_language() -> None:
    assert Notice("standard", "2", (), {}).label("ja") == "standard/2/ja"
