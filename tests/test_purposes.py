"""The shipped catalogue of purposes: a wording names the purposes that it means, and no other."""

import itertools

import pytest

from asterisk_compliance.domain.purposes import unnamed
from shipped import PURPOSE_TABLES, PURPOSES

LAW_CODES = {
    "SERVICE", "QUALITY", "TRAINING", "EVALUATION", "DISPUTE", "CONTRACT",
    "LEGAL", "FRAUD", "ABUSE", "IMPROVE", "ANALYTICS", "RIGHTS",
}  # fmt: skip

# What a company really says, and what it means by it.
SPOKEN = [
    ("ja", "ご用件を正確に承るため、録音しています。", "SERVICE"),
    ("ja", "通話の内容確認およびサービス向上のため、録音しております。", "SERVICE QUALITY"),
    ("ja", "応対品質の向上と正確なご案内のため録音させていただいております。", "SERVICE QUALITY"),
    ("ja", "応対をよりよくするため、録音しています。", "QUALITY"),
    ("ja", "応対品質の向上と研修のため、録音しています。", "QUALITY TRAINING"),
    ("ja", "社内教育のため、録音しています。", "TRAINING"),
    ("ja", "オペレーターの評価のため、録音しています。", "EVALUATION"),
    ("ja", "トラブル時の事実確認のため、録音しています。", "DISPUTE"),
    ("ja", "ご契約内容の確認のため、録音しています。", "CONTRACT"),
    ("ja", "ご注文内容を確認するため、録音しています。", "CONTRACT"),
    ("ja", "法令に基づき、この通話を録音しています。", "LEGAL"),
    ("ja", "不正利用を防ぐため、録音しています。", "FRAUD"),
    ("ja", "ご本人の確認のため、録音しています。", "FRAUD"),
    ("ja", "カスタマーハラスメント対策として、録音しています。", "ABUSE"),
    ("ja", "商品・サービスの改善のため、録音しています。", "IMPROVE"),
    ("ja", "商品の品質向上と商品開発のため、録音しています。", "IMPROVE"),
    ("ja", "音声認識による分析のため、録音しています。", "ANALYTICS"),
    ("ja", "個人情報の開示請求にお答えするため、録音しています。", "RIGHTS"),
    ("ja", "業務のため、録音しています。", ""),
    ("ja", "ご不明な点は、応対の質問窓口におたずねください。", ""),
    ("en", "To get your request right, we record this call.", "SERVICE"),
    ("en", "We record this call for quality assurance and training purposes.", "QUALITY TRAINING"),
    ("en", "We record this call for training and quality purposes.", "QUALITY TRAINING"),
    ("en", "To improve our service, we record this call.", "QUALITY"),
    ("en", "We record calls to train our staff.", "TRAINING"),
    ("en", "We record calls for the performance review of our agents.", "EVALUATION"),
    ("en", "So that we can settle a dispute, we record this call.", "DISPUTE"),
    ("en", "To confirm your order, we record this call.", "CONTRACT"),
    ("en", "As the law requires, this call is recorded.", "LEGAL"),
    ("en", "To prevent fraud, we record this call.", "FRAUD"),
    ("en", "To verify your identity, we record this call.", "FRAUD"),
    ("en", "To protect our staff, we record abusive calls.", "ABUSE"),
    ("en", "To improve our products and services, we record this call.", "IMPROVE"),
    ("en", "We record this call for speech analytics.", "ANALYTICS"),
    ("en", "To answer requests about your personal data, we record this call.", "RIGHTS"),
    ("en", "We record this call for business purposes.", ""),
    ("en", "Ask for a receipt to confirm the quality of our products.", ""),
]  # fmt: skip


def test_the_codes_are_those_of_the_law_page() -> None:
    assert [p.code for p in PURPOSES if p.code not in LAW_CODES] == []
    assert len(PURPOSES) == len(LAW_CODES)


def test_entries_are_complete() -> None:
    for entry in PURPOSE_TABLES:
        assert set(entry) - {"hl7"} == {"code", "label", "phrases", "dpv", "dpv_match"}
        assert set(entry["label"]) == set(entry["phrases"]) == {"ja", "en"}
        assert entry["dpv_match"] in {"exact", "broader", "close"}
        assert entry["dpv"]
        assert all(iri.startswith("https://w3id.org/dpv#") for iri in entry["dpv"])


def test_terms_that_the_vocabulary_lacks_are_not_used() -> None:
    used = {iri.partition("#")[2] for entry in PURPOSE_TABLES for iri in entry["dpv"]}
    assert not used & {"QualityAssurance", "TrainingPersonnel", "ServiceRecordManagement"}


@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_phrase_of_one_purpose_is_said_by_a_phrase_of_another(language: str) -> None:
    for one, other in itertools.permutations(PURPOSES, 2):
        named = [phrase for phrase in one.phrases[language] if other.is_named_in(phrase, language)]
        assert named == [], f"{other.code} is named by phrases of {one.code}"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_no_phrase_is_already_covered_by_a_shorter_one(language: str) -> None:
    for purpose in PURPOSES:
        for short, long in itertools.permutations(purpose.phrases[language], 2):
            assert short.replace(" ", "") not in long.replace(" ", ""), purpose.code


@pytest.mark.parametrize(("language", "wording", "meant"), SPOKEN)
def test_a_spoken_notice_names_what_it_means(language: str, wording: str, meant: str) -> None:
    said = {p.code for p in PURPOSES if p.is_named_in(wording, language)}
    assert said == set(meant.split())


@pytest.mark.parametrize("language", ["ja", "en"])
def test_every_purpose_is_spoken_of_in_the_examples(language: str) -> None:
    meant = {code for spoken, _, codes in SPOKEN if spoken == language for code in codes.split()}
    assert meant == LAW_CODES


def test_a_wording_in_one_language_does_not_name_a_purpose_in_the_other() -> None:
    missing = unnamed(PURPOSES, "応対品質の向上のため、録音しています。", "en")
    assert len(missing) == len(PURPOSES)
