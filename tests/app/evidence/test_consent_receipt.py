"""A consent receipt: the fields of ISO/IEC TS 27560, in terms of the DPV that there are."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import msgspec
import pytest

from app.evidence.test_vcon import CALL, FACTS, NOTICE, OTHER, SITE
from asterisk_compliance.app.evidence.call_facts import ConsentAnswer, ExportedCall, ExportParty
from asterisk_compliance.app.evidence.consent_receipt import (
    MANDATORY,
    NoReceipt,
    known_terms,
    missing_fields,
    must_be_configured,
    receipt,
    terms_of,
)
from asterisk_compliance.domain.third_parties.provisions import Provision
from asterisk_compliance.ids import PartyId
from asterisk_compliance.shipped.catalogue import shipped_purposes
from sample_settings import settings as sample
from values import replace


def test_a_receipt_has_every_mandatory_field_of_27560_and_only_terms_that_exist():
    document = receipt(sample(**SITE), FACTS)
    assert missing_fields(document) == []
    assert len(MANDATORY) == 25
    terms = set(terms_of(document))
    assert terms <= known_terms()
    assert "https://w3id.org/dpv#ServiceOptimisation" in terms
    assert "https://w3id.org/dpv/loc#JP" in terms
    assert json.loads(msgspec.json.encode(document)) == document


def test_what_is_a_term_is_a_link_to_a_reader_of_json_ld_and_not_a_text():
    document = receipt(sample(**SITE), FACTS)
    linked = {name for name, said in document["@context"].items() if isinstance(said, dict)}
    assert _members_with_terms(document) - {"@type"} == linked


def _members_with_terms(made: Any) -> set[str]:
    """Names of the members whose text, or one of whose texts, is a term of the vocabulary."""
    if isinstance(made, list):
        return set().union(*map(_members_with_terms, made))
    if not isinstance(made, dict):
        return set()
    found = set()
    for name, value in made.items():
        texts = value if isinstance(value, list) else [value]
        if any(isinstance(one, str) and set(terms_of(one)) for one in texts):
            found.add(name)
        if name != "@context":
            found |= _members_with_terms(value)
    return found


@pytest.mark.parametrize("field", sorted(MANDATORY))
def test_a_receipt_without_a_mandatory_field_is_noticed(field):
    document = receipt(sample(**SITE), FACTS)
    path = MANDATORY[field]
    _take_out(document, path)
    assert field in missing_fields(document)


def _take_out(made: Any, path: tuple[str, ...]) -> None:
    if isinstance(made, list):
        for one in made:
            _take_out(one, path)
    elif len(path) == 1:
        made.pop(path[0], None)
    elif path[0] in made:
        _take_out(made[path[0]], path[1:])


def test_one_purpose_without_its_term_is_missing_though_the_other_has_one():
    facts = replace(FACTS, notices=(replace(NOTICE, purposes=("QUALITY", "OWN")),))
    own = {"code": "OWN", "label": {"ja": "x"}, "phrases": {"ja": ["x"]}}
    settings = sample(**SITE, purpose=[own])
    with pytest.raises(NoReceipt, match="purpose"):
        receipt(settings, facts)
    strange = {**own, "dpv": ["https://w3id.org/dpv#QualityAssurance"]}
    with pytest.raises(NoReceipt, match="QualityAssurance"):
        receipt(sample(**SITE, purpose=[strange]), facts)


@pytest.mark.parametrize(
    ("tables", "field"),
    [
        ({**SITE, "rules": {}}, "jurisdiction"),
        ({**SITE, "publication": {}}, "party address"),
        ({**SITE, "export": {}}, "storage locations"),
    ],
)
def test_what_the_configuration_does_not_say_is_named(tables, field):
    with pytest.raises(NoReceipt, match=field) as caught:
        receipt(sample(**tables), FACTS)
    assert "docs/export.md" in caught.value.hint


def test_all_that_every_receipt_needs_is_asked_for_at_once():
    with pytest.raises(NoReceipt) as caught:
        must_be_configured(sample())
    assert str(caught.value) == (
        "a receipt needs home in [rules], address in [publication], storage_country in [export]"
    )
    must_be_configured(sample(**SITE))


def test_who_is_responsible_is_named_in_the_language_of_the_notice():
    named = {**SITE, "publication": {**SITE["publication"], "name": {"ja": "株式会社例"}}}
    record = receipt(sample(**named), FACTS)["dpv:hasRecordOfActivity"]
    controller = record["dpv:hasDataController"]
    assert controller["dpv:hasName"] == "株式会社例"
    assert controller["dct:identifier"] == "Example K.K."


def test_of_a_call_without_a_notice_there_is_no_receipt():
    with pytest.raises(NoReceipt, match="nobody was told"):
        receipt(sample(**SITE), replace(FACTS, notices=()))


def status(facts: ExportedCall) -> list[list[str]]:
    record = receipt(sample(**SITE), facts)["dpv:hasRecordOfActivity"]
    return [one["@type"] for one in record["dpv:hasConsentStatus"]]


def test_who_was_told_and_stayed_is_not_said_to_have_consented():
    assert status(FACTS) == [["dpv:ConsentUnknown", "dpv:ImpliedConsent"]]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("given", "dpv:ConsentGiven"),
        ("not_refused", "dpv:ConsentGiven"),
        ("refused", "dpv:ConsentRefused"),
        ("expired", "dpv:ConsentRequestDeferred"),
        ("withdrawn", "dpv:ConsentWithdrawn"),
    ],
)
def test_every_answer_is_an_event_of_the_receipt(state, said):
    answers = (ConsentAnswer(5, "2026-11-24T08:00:06.000Z", state),)
    assert status(replace(FACTS, answers=answers))[0][0] == said


def test_of_whom_no_row_names_a_party_the_call_does():
    unknown = replace(FACTS, parties=(ExportParty("", "1.1"),))
    record = receipt(sample(**SITE), unknown)["dpv:hasRecordOfActivity"]
    assert record["dpv:hasDataSubject"]["dct:identifier"] == f"{CALL}/told"


def test_a_receipt_says_how_long_each_purpose_was_told_to_keep_it():
    record = receipt(sample(**SITE), FACTS)["dpv:hasRecordOfActivity"]
    kept = {
        process["dpv:hasPurpose"]["dct:identifier"]: process["dpv:hasStorageCondition"][1]
        for process in record["dpv:hasProcess"]
    }
    assert kept["QUALITY"]["dpv:hasDuration"] == "P6M"
    assert kept["SERVICE"]["dpv:hasDuration"] == "P400D"
    none = replace(FACTS, recordings=())
    record = receipt(sample(**SITE), none)["dpv:hasRecordOfActivity"]
    condition = record["dpv:hasProcess"][0]["dpv:hasStorageCondition"][1]
    assert condition["dpv:hasDuration"] == {"@type": "dpv:IndeterminateDuration"}


def test_a_receipt_names_third_parties_as_far_as_they_are_published_or_logged():
    given = Provision(
        number=20,
        call=CALL,
        recipient=PartyId(OTHER),
        country="US",
        ground="CONSENT",
        abroad="CONSENT",
        items=("RECORDING",),
        day=date(2026, 11, 25),
        made=date(2026, 11, 25),
        keep_until=date(2029, 11, 25),
        needs_record=True,
    )
    published = {
        "name": {"en": "BPO Inc."},
        "country": "DE",
        "items": {"en": "x"},
        "why": {"en": "x"},
    }
    tables = {**SITE, "publication": {**SITE["publication"], "recipient": [published]}}
    document = receipt(sample(**tables), replace(FACTS, provisions=(given,)))
    (process, _) = document["dpv:hasRecordOfActivity"]["dpv:hasProcess"]
    assert [one["dct:identifier"] for one in process["dpv:hasRecipient"]] == [
        "Example K.K.",
        "BPO Inc.",
        OTHER,
    ]


def test_every_term_of_every_shipped_purpose_is_in_the_vendored_list():
    terms = {term for purpose in shipped_purposes().values() for term in purpose.dpv}
    assert len(terms) > 12
    assert terms <= known_terms()
    assert "https://w3id.org/dpv#QualityAssurance" not in known_terms()
