"""What was told and answered in one call, as a consent receipt in JSON-LD.

The fields are those of ISO/IEC TS 27560:2023, in the terms of the W3C Data Privacy Vocabulary 2.3,
as its guide maps them (https://w3id.org/dpv/guides/consent-27560). :data:`MANDATORY` lists those
that a record must have; a receipt that would lack one is refused, and the message says what to
configure. Every term is looked up in the vendored list of the vocabulary before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from asterisk_compliance.app.evidence.call_facts import ExportedCall, ExportNotice
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.periods import Period, Unit
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import read_told
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.shipped.catalogue import shipped_purposes

CONTEXT: Final[Mapping[str, str]] = {
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
LINKED: Final = (
    "dct:conformsTo",
    "dpv:hasJurisdiction",
    "dpv:hasLegalBasis",
    "dpv:hasLocation",
    "skos:broader",
)
"""Members whose text is an IRI; that of all others is text to a reader of JSON-LD."""
RECEIPT: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt-record"
RECORD: Final = "https://w3id.org/dpv/schema/dpv-27560#record"
MANDATORY: Final[Mapping[str, tuple[str, ...]]] = {
    "schema version": ("dct:conformsTo",),
    "receipt id": ("dct:identifier",),
    "record id": ("dpv:hasRecordOfActivity", "dct:identifier"),
    "pii principal id": ("dpv:hasRecordOfActivity", "dpv:hasDataSubject", "dct:identifier"),
    "privacy notice": ("dpv:hasRecordOfActivity", "dpv:hasNotice", "dct:identifier"),
    "language": ("dpv:hasRecordOfActivity", "dpv:hasNotice", "dct:language"),
    "jurisdiction": ("dpv:hasRecordOfActivity", "dpv:hasJurisdiction"),
    "purpose": ("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasPurpose"),
    "pii information": ("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasPersonalData"),
    "pii type": (
        *("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasPersonalData"),
        "skos:broader",
    ),
    "pii controllers": ("dpv:hasRecordOfActivity", "dpv:hasDataController"),
    "storage locations": (
        *("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasStorageCondition"),
        "dpv:hasLocation",
    ),
    "retention period": (
        *("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasStorageCondition"),
        "dpv:hasDuration",
    ),
    "recipient third parties": ("dpv:hasRecordOfActivity", "dpv:hasProcess", "dpv:hasRecipient"),
    "withdrawal method": (
        *("dpv:hasRecordOfActivity", "dpv:hasConsentControl"),
        "dpv:isExercisedAt",
    ),
    "party id": ("dpv:hasRecordOfActivity", "dpv:hasDataController", "dct:identifier"),
    "party address": ("dpv:hasRecordOfActivity", "dpv:hasDataController", "dpv:hasAddress"),
    "party name": ("dpv:hasRecordOfActivity", "dpv:hasDataController", "dpv:hasName"),
    "party contact": ("dpv:hasRecordOfActivity", "dpv:hasDataController", "dpv:hasContact"),
    "party type": ("dpv:hasRecordOfActivity", "dpv:hasDataController", "@type"),
    "event time": ("dpv:hasRecordOfActivity", "dpv:hasConsentStatus", "dpv:isIndicatedAtTime"),
    "validity duration": ("dpv:hasRecordOfActivity", "dpv:hasConsentStatus", "dpv:hasDuration"),
    "entity id": ("dpv:hasRecordOfActivity", "dpv:hasConsentStatus", "dpv:isIndicatedBy"),
    "event type": ("dpv:hasRecordOfActivity", "dpv:hasConsentStatus", "@type"),
    "event state": ("dpv:hasRecordOfActivity", "dpv:hasConsentStatus", "@type"),
}
"""The mandatory fields of a record, and of a receipt that is a copy of one: where each stands."""
_STATES: Final[Mapping[str, tuple[str, str]]] = {
    "given": ("dpv:ConsentGiven", "dpv:ExplicitlyExpressedConsent"),
    "not_refused": ("dpv:ConsentGiven", "dpv:ImpliedConsent"),
    "refused": ("dpv:ConsentRefused", "dpv:ExplicitlyExpressedConsent"),
    "expired": ("dpv:ConsentRequestDeferred", "dpv:ExplicitlyExpressedConsent"),
    "withdrawn": ("dpv:ConsentWithdrawn", "dpv:ExplicitlyExpressedConsent"),
}
"""States of rows ``consent``: state and type. Silence where a yes was needed is no decision."""
_NOBODY_ASKED: Final = ("dpv:ConsentUnknown", "dpv:ImpliedConsent")
"""Who was told and stayed on the line: whether that is consent, the law of the place says."""
_ISO_UNIT: Final = {Unit.DAY: "D", Unit.MONTH: "M", Unit.YEAR: "Y"}


class NoReceipt(ComplianceError):
    """There is nothing to give a receipt of, or the configuration does not say enough."""

    exit_code = 1


@cache
def known_terms() -> frozenset[str]:
    """Every IRI of the vendored list: DPV 2.3 and its lists of data and places."""
    text = (files("asterisk_compliance") / "data" / "dpv-2.3.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return frozenset(f"{CONTEXT[line.partition(':')[0]]}{line.partition(':')[2]}" for line in lines)


def receipt(settings: Settings, facts: ExportedCall) -> dict[str, Any]:
    """The receipt of a call, with the whole record in it.

    Raises:
        NoReceipt: nobody was told anything, a mandatory field would be missing, or a purpose has
            no term of the vocabulary.
    """
    if not facts.told:
        raise NoReceipt("nobody was told anything in this call", hint="there is no receipt of that")
    made = {
        "@context": _context(),
        "@id": f"urn:asterisk-compliance:receipt:{facts.log}:{facts.call}",
        "@type": "dpv:ConsentReceipt",
        "dct:conformsTo": RECEIPT,
        "dct:created": facts.changed_at,
        "dct:identifier": f"{facts.call}-receipt",
        "dpv:hasRecordOfActivity": _record(settings, facts),
    }
    if missing := missing_fields(made):
        raise NoReceipt(f"a receipt would lack: {', '.join(missing)}", hint=_PAGE)
    if strange := sorted(set(terms_of(made)) - known_terms()):
        raise NoReceipt(
            f"no term of the vocabulary: {' '.join(strange)}", hint="dpv of [[purpose]]"
        )
    return made


_PAGE: Final = "docs/export.md says from where each field is"


def must_be_configured(settings: Settings) -> None:
    """Look before any call is read, so that it is said once.

    Raises:
        NoReceipt: every setting that a receipt of any call needs and that says nothing.
    """
    needed = {
        "home in [rules]": settings.rules.home,
        "address in [publication]": settings.publication.address,
        "storage_country in [export]": settings.export.storage_country,
    }
    if missing := [name for name, said in needed.items() if not said]:
        raise NoReceipt(f"a receipt needs {', '.join(missing)}", hint=_PAGE)


def purposes_as_jsonld(settings: Settings, facts: ExportedCall) -> dict[str, Any]:
    """What was told, in the terms of the vocabulary: what a vCon has of it.

    Whoever gets a vCon does not learn from it who else got something of the call.
    """
    return {
        "@context": _context(),
        "@id": f"urn:asterisk-compliance:record:{facts.log}:{facts.call}",
        "@type": "dpv:DataProcessingRecord",
        "dpv:hasProcess": list(_processes(settings, replace(facts, provisions=()))),
    }


def _context() -> dict[str, Any]:
    return {**CONTEXT, **{name: {"@id": name, "@type": "@id"} for name in LINKED}}


def missing_fields(made: Mapping[str, Any]) -> list[str]:
    """The mandatory fields that a receipt lacks, sorted."""
    return sorted(name for name, path in MANDATORY.items() if not _has(made, path))


def _has(made: Any, path: tuple[str, ...], *, any_of: bool = False) -> bool:
    """Whether something stands at ``path``: in every branch, but conditions share their members."""
    if isinstance(made, list):
        branches = [_has(one, path) for one in made]
        return any(branches) if any_of else bool(branches) and all(branches)
    if not path:
        return bool(made)
    if not isinstance(made, Mapping) or path[0] not in made:
        return False
    return _has(made[path[0]], path[1:], any_of=path[0] == "dpv:hasStorageCondition")


def terms_of(made: Any) -> Iterator[str]:
    """Every IRI of the vocabulary that stands in a document: members, types and values."""
    if isinstance(made, Mapping):
        for key, value in made.items():
            if key not in {"@context", "dct:conformsTo"}:
                yield from terms_of(key)
                yield from terms_of(value)
    elif isinstance(made, list):
        for one in made:
            yield from terms_of(one)
    elif isinstance(made, str):
        prefix, _, name = made.partition(":")
        if prefix in {"dpv", "loc", "pd"}:
            yield f"{CONTEXT[prefix]}{name}"
        elif made.startswith("https://w3id.org/dpv"):
            yield made


# -- the record -----------------------------------------------------------------------------------


def _record(settings: Settings, facts: ExportedCall) -> dict[str, Any]:
    controller = _controller(settings, _language(facts))
    made: dict[str, Any] = {
        "@id": f"urn:asterisk-compliance:record:{facts.log}:{facts.call}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": RECORD,
        "dct:identifier": str(facts.call),
        "dpv:hasConsentControl": _withdrawal(settings),
        "dpv:hasConsentStatus": list(_events(facts)),
        "dpv:hasDataController": controller,
        "dpv:hasDataSubject": _subject(facts),
        "dpv:hasNotice": [_notice(one) for one in facts.notices if one.party == 0],
        "dpv:hasProcess": list(_processes(settings, facts)),
    }
    if settings.rules.home:
        made["dpv:hasJurisdiction"] = f"loc:{settings.rules.home}"
    return made


def _language(facts: ExportedCall) -> str:
    return next((one.language for one in reversed(facts.notices) if one.party == 0), "")


def _subject(facts: ExportedCall) -> dict[str, Any]:
    return {"@type": "dpv:DataSubject", "dct:identifier": _principal(facts)}


def _principal(facts: ExportedCall) -> str:
    """The told party, by the id of this call for it; of whom no row names one, by the call."""
    return facts.parties[0].id or f"{facts.call}/told"


def _controller(settings: Settings, language: str) -> dict[str, Any]:
    addresses = settings.publication.address
    address = addresses.get(language) or next(iter(addresses.values()), "")
    name = settings.controller.name
    said = {
        "@type": "dpv:DataController",
        "dct:identifier": name,
        "dpv:hasAddress": address,
        "dpv:hasContact": settings.controller.contact,
        "dpv:hasName": settings.publication.name.get(language, name),
    }
    return {key: value for key, value in said.items() if value}


def _withdrawal(settings: Settings) -> dict[str, Any]:
    where = settings.controller.page or settings.controller.contact
    return {"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": where}


def _notice(notice: ExportNotice) -> dict[str, Any]:
    return {
        "@type": ["dpv:ConsentNotice", "dpv:OralNotice"],
        "dct:date": notice.at,
        "dct:identifier": notice.label,
        "dct:language": notice.language,
        "dct:description": f"wording sha-256 {notice.text_digest}, audio {notice.audio_digest}",
    }


def _events(facts: ExportedCall) -> Iterator[dict[str, Any]]:
    """What was answered; where nobody was asked, that a notice was heard, and no more."""
    for answer in facts.answers:
        yield _event(facts, answer.at, _STATES[answer.state])
    if not facts.answers:
        heard = [one.at for one in facts.notices if one.party == 0]
        yield _event(facts, heard[-1], _NOBODY_ASKED)


def _event(facts: ExportedCall, at: str, said: tuple[str, str]) -> dict[str, Any]:
    return {
        "@type": list(said),
        "dpv:hasDuration": {"@type": "dpv:UntilEventDuration", "dct:description": "withdrawal"},
        "dpv:isIndicatedAtTime": at,
        "dpv:isIndicatedBy": _principal(facts),
    }


def _processes(settings: Settings, facts: ExportedCall) -> Iterator[dict[str, Any]]:
    """One for each purpose that was told."""
    own = {purpose.code: purpose.dpv for purpose in settings.purpose}
    shipped = shipped_purposes()
    for code in facts.told:
        known = shipped.get(PurposeCode(code))
        terms = [*(own.get(code) or ()), *(known.dpv if known is not None else ())]
        process: dict[str, Any] = {
            "@type": "dpv:Process",
            "dpv:hasPersonalData": [
                {"@type": "dpv:PersonalData", "skos:broader": term}
                for term in ("pd:VoiceCommunicationRecording", "pd:CallLog", "pd:TelephoneNumber")
            ],
            "dpv:hasRecipient": list(_recipients(settings, facts)),
            "dpv:hasStorageCondition": list(_storage(settings, facts, code)),
        }
        if terms:
            process["dpv:hasPurpose"] = {
                "@type": "dpv:Purpose",
                "dct:identifier": code,
                "skos:broader": terms,
            }
        if basis := settings.publication.basis.get(code):
            process["dpv:hasLegalBasis"] = basis.dpv.replace(CONTEXT["dpv"], "dpv:")
        yield process


def _storage(settings: Settings, facts: ExportedCall, code: str) -> Iterator[dict[str, Any]]:
    if settings.export.storage_country:
        where = f"loc:{settings.export.storage_country}"
        yield {"@type": "dpv:StorageLocation", "dpv:hasLocation": where}
    yield {"@type": "dpv:StorageDuration", "dpv:hasDuration": _duration(facts, code)}


def _duration(facts: ExportedCall, code: str) -> Any:
    """As it was told for the first recording; who was not recorded was told for how long too."""
    told = read_told(next((one.retention for one in facts.recordings), ()))
    period = told.purposes.get(PurposeCode(code)) or told.at_most or told.notice
    return _iso(period) if period is not None else {"@type": "dpv:IndeterminateDuration"}


def _iso(period: Period) -> str:
    return f"P{period.count}{_ISO_UNIT[period.unit]}"


def _recipients(settings: Settings, facts: ExportedCall) -> Iterator[dict[str, Any]]:
    """The controller, those it published, and those that the log knows of, never by name."""
    yield {"@type": "dpv:Recipient", "dct:identifier": settings.controller.name}
    for one in settings.publication.recipient:
        name = next(iter(one.name.values()))
        yield {
            "@type": "dpv:ThirdParty",
            "dct:identifier": name,
            "dpv:hasLocation": f"loc:{one.country}",
        }
    for given in facts.provisions:
        yield {
            "@type": "dpv:ThirdParty",
            "dct:date": given.day.isoformat(),
            "dct:identifier": given.recipient,
            "dpv:hasLocation": f"loc:{given.country}",
        }
