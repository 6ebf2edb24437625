"""A call as a vCon: what each part says, by the rules of the drafts and by their own schema."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from asterisk_compliance.app.evidence.call_facts import (
    ConsentAnswer,
    ExportedCall,
    ExportNotice,
    ExportParty,
    Recording,
)
from asterisk_compliance.app.evidence.vcon import Audio, Material, date_time, token, vcon
from asterisk_compliance.app.evidence.vcon_rules import broken
from asterisk_compliance.domain.third_parties.provisions import Provision
from asterisk_compliance.ids import PartyId, call_id, party_id, recording_id
from sample_settings import settings as sample
from values import replace

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "vectors/vcon-core-03.schema.json").read_text("utf-8")
)
BEGAN_MS = 1_795_507_200_000
CALL = call_id(BEGAN_MS, bytes(range(8)))
ME, AGENT, OTHER = (party_id(CALL, number) for number in (1, 2, 3))
WORDS, SHA = "この通話は録音されます。", "ab" * 32
NOTICE = ExportNotice(
    row=3,
    at="2026-11-24T08:00:03.100Z",
    party=0,
    label="standard/1/ja",
    purposes=("SERVICE", "QUALITY"),
    text_digest="11" * 32,
    audio_digest="22" * 32,
    length_ms=2_000,
    lasted_ms=2_001,
    by_dialplan=False,
)
RECORDING = Recording(
    id=recording_id(CALL, 1),
    level="sealed",
    start="2026-11-24T08:00:04.000Z",
    bridged=True,
    others=True,
    heard=(1,),
    sealed=True,
    length_ms=61_240,
    sha256=SHA,
    kept_sha256="cd" * 32,
    retention=("QUALITY=6 months", "SERVICE", "max=400 days"),
)
BARE = Material()
FACTS = ExportedCall(
    call=CALL,
    log="f00d",
    leg="caller",
    policy="inbound",
    arrived_at="2026-11-24T08:00:00.000Z",
    ended_at="2026-11-24T08:01:10.500Z",
    changed_at="2026-11-24T08:01:12.000Z",
    status="ALLOWED",
    reason="NOTICE_COMPLETED",
    told_by="notice",
    decided_at="2026-11-24T08:00:03.101Z",
    parties=(
        ExportParty(ME, "1.1"),
        ExportParty(AGENT, "1.2", "staff", "2026-11-24T08:00:04.000Z"),
    ),
    notices=(NOTICE,),
    answers=(),
    recordings=(RECORDING,),
    provisions=(),
    rows=(0, 1, 3, 4, 9),
)
SITE: dict[str, Any] = {
    "rules": {"home": "JP", "time_zone": "Asia/Tokyo"},
    "publication": {
        "address": {"ja": "東京都千代田区1-1", "en": "1-1 Chiyoda, Tokyo"},
        "basis": {"QUALITY": "legitimate-interests"},
    },
    "export": {"storage_country": "JP"},
}


def made(facts: ExportedCall = FACTS, material: Material = BARE, **export: str) -> Any:
    """As it is written down, and read again."""
    tables = {**SITE, "export": {**SITE["export"], **export}}
    built = vcon(sample(**tables), facts, material)
    assert broken(built) == []
    text = msgspec.json.encode(built, order="sorted")
    read = json.loads(text)
    jsonschema.validate(read, SCHEMA, cls=jsonschema.Draft7Validator)
    return read


def attached(document: Any, purpose: str) -> list[Any]:
    return [one["body"] for one in document["attachments"] if one["purpose"] == purpose]


# -- the container ----------------------------------------------------------------------------


def test_it_names_its_drafts_and_where_all_of_it_stands_in_the_log():
    document = made()
    assert document["vcon"] == "0.4.0"
    (log,) = attached(document, "audit_log")
    assert log["call"] == CALL
    assert log["rows"] == [0, 1, 3, 4, 9]
    assert log["decision"] == {
        "status": "ALLOWED",
        "reason": "NOTICE_COMPLETED",
        "purposes_told_by": "notice",
    }
    assert log["drafts"] == [
        "draft-ietf-vcon-vcon-core-03",
        "draft-howe-vcon-consent-00",
        "draft-howe-vcon-lawful-basis-02",
    ]
    assert document["created_at"] == "2026-11-24T08:01:10.500Z"
    assert document["updated_at"] == "2026-11-24T08:01:12Z"
    assert document["analysis"] == []


def test_the_same_rows_give_the_same_bytes_and_another_call_another_id():
    settings = sample(**SITE)
    one, two = (
        msgspec.json.encode(vcon(settings, FACTS, Material()), order="sorted") for _ in "ab"
    )
    assert one == two
    ids = {
        made(replace(FACTS, **change))["uuid"]
        for change in (
            {},
            {"log": "beef"},
            {"call": call_id(BEGAN_MS, bytes(8))},
            {"call": call_id(BEGAN_MS + 1, bytes(range(8)))},
        )
    }
    assert len(ids) == 4
    read = uuid.UUID(made()["uuid"])
    assert (read.version, read.variant) == (8, uuid.RFC_4122)
    assert read.int >> 80 == BEGAN_MS


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-11-24T08:00:00.000Z", "2026-11-24T08:00:00Z"),
        ("2026-11-24T08:00:00.120Z", "2026-11-24T08:00:00.120Z"),
    ],
)
def test_a_date_has_no_fraction_that_is_zero(at, said):
    assert date_time(at) == said


# -- who --------------------------------------------------------------------------------------


def test_nobody_is_named_unless_somebody_asked_for_it():
    document = made()
    assert document["parties"] == [
        {"uuid": ME, "name": "anonymous"},
        {"name": "Example K.K.", "type": "organization", "validation": "none"},
        {"uuid": AGENT, "name": "anonymous"},
    ]
    assert document["redacted"] == {"type": "parties recordings"}


def test_a_number_and_a_name_stand_only_where_they_belong():
    numbers = {ME: {"number": "+81312345678", "name": "山田 太郎"}, OTHER: {"number": "1"}}
    document = made(material=Material(numbers=numbers))
    told, _, agent = document["parties"]
    assert told == {
        "uuid": ME,
        "tel": "+81312345678",
        "name": "山田 太郎",
        "validation": "none",
    }
    assert agent["name"] == "anonymous"
    assert "parties" not in document["redacted"]["type"]


# -- what was said ----------------------------------------------------------------------------


def test_a_recording_is_referred_to_by_its_digests_left_the_told_party_right_the_others():
    audio = {RECORDING.id: Audio(sha512=b"\1" * 64)}
    (dialog,) = made(material=Material(audio=audio))["dialog"]
    assert dialog["parties"] == [0, 2]
    assert "originator" not in dialog, "whoever stands first has called"
    assert dialog["duration"] == 61.24
    assert dialog["filename"] == f"{RECORDING.id}.wav.age"
    assert dialog["content_hash"] == [
        token("sha512", b"\1" * 64),
        token("sha256", bytes.fromhex("cd" * 32)),
    ]
    assert dialog["party_history"] == [
        {"party": 2, "time": "2026-11-24T08:00:04Z", "event": "join"}
    ]
    assert "url" not in dialog


def test_where_it_can_be_fetched_stands_in_it_and_nothing_is_redacted_then():
    document = made(recording_url="https://vault.example/{recording}.wav.age")
    (dialog,) = document["dialog"]
    assert dialog["url"] == f"https://vault.example/{RECORDING.id}.wav.age"
    assert document["redacted"] == {"type": "parties"}


def test_an_opened_recording_is_in_it_byte_for_byte():
    sound = bytes(range(256)) * 3 + b"\xff"
    document = made(material=Material(audio={RECORDING.id: Audio(body=sound)}))
    (dialog,) = document["dialog"]
    padded = dialog["body"] + "=" * (-len(dialog["body"]) % 4)
    assert base64.urlsafe_b64decode(padded) == sound
    assert (dialog["encoding"], dialog["mediatype"]) == ("base64url", "audio/x-wav")
    assert document["redacted"] == {"type": "parties"}


THREE = (*FACTS.parties, ExportParty(OTHER, "1.3", "told", "2026-11-24T08:00:30.000Z"))


@pytest.mark.parametrize(
    ("others", "heard", "parties", "expected"),
    [
        (False, (1,), FACTS.parties, [0, None]),
        (True, (), FACTS.parties[:1], [0, 1]),
        (True, (), FACTS.parties, [0, None]),
        (True, (1,), THREE, [0, 2]),
        (True, (1, 2), THREE, [0, [2, 3]]),
    ],
)
def test_a_channel_names_who_is_in_it(others, heard, parties, expected):
    recording = replace(RECORDING, others=others, heard=heard)
    facts = replace(FACTS, recordings=(recording,), parties=parties)
    assert made(facts)["dialog"][0]["parties"] == expected


def test_what_is_not_sealed_is_referred_to_as_the_sound_that_it_is():
    plain = replace(RECORDING, level="closed", sealed=False, kept_sha256=SHA)
    (dialog,) = made(replace(FACTS, recordings=(plain,)))["dialog"]
    assert (dialog["filename"], dialog["mediatype"]) == (f"{RECORDING.id}.wav", "audio/x-wav")
    assert dialog["content_hash"] == [token("sha256", bytes.fromhex(SHA))]


def test_who_was_called_did_not_call():
    assert made(replace(FACTS, leg="callee"))["dialog"][0]["originator"] == 1


def test_a_call_of_which_nothing_is_kept_has_a_dialog_without_content():
    gone = replace(FACTS, recordings=(replace(RECORDING, level="disposed"),))
    (dialog,) = made(gone)["dialog"]
    assert (dialog["type"], dialog["recordings"]) == ("recording-set", [])
    assert dialog["duration"] == 70.5
    assert attached(made(gone), "audit_log")[0]["recordings"] == [
        {"recording": RECORDING.id, "level": "disposed"}
    ]
    gave_up = replace(FACTS, recordings=(), status="NOT_RECORDED", reason="HANGUP_IN_NOTICE")
    (dialog,) = made(gave_up)["dialog"]
    assert (dialog["type"], dialog["disposition"]) == ("incomplete", "hung-up")


# -- what goes with it ------------------------------------------------------------------------


def test_the_notice_is_in_it_with_its_words_and_digests():
    words = Material(words={NOTICE.text_digest: WORDS})
    (notice,) = attached(made(material=words), "notice")
    assert notice["wording"] == WORDS
    assert (notice["id"], notice["version"], notice["language"]) == ("standard", "1", "ja")
    assert (notice["wording_sha256"], notice["audio_sha256"]) == ("11" * 32, "22" * 32)
    assert notice["proven_by"] == "service"
    by_dialplan = replace(FACTS, notices=(replace(NOTICE, by_dialplan=True),))
    assert attached(made(by_dialplan), "notice")[0]["proven_by"] == "dialplan"


@pytest.mark.parametrize(
    ("state", "status", "granted"),
    [
        ("given", "granted", True),
        ("not_refused", "granted", True),
        ("refused", "denied", False),
        ("expired", "denied", False),
        ("withdrawn", "revoked", False),
    ],
)
def test_an_answer_is_a_consent_with_the_fields_that_the_draft_demands(state, status, granted):
    answered = replace(FACTS, answers=(ConsentAnswer(5, "2026-11-24T08:00:06.000Z", state),))
    document = made(answered)
    (whole,) = [one for one in document["attachments"] if one["purpose"] == "consent"]
    assert whole.keys() >= {"expiration", "party", "dialog", "consents"}
    assert whole["consents"] == whole["body"]["consents"]
    assert {one["purpose"] for one in whole["consents"]} == {"recording", "SERVICE", "QUALITY"}
    assert {one["status"] for one in whole["consents"]} == {status}
    assert document["extensions"] == ["consent", "lawful_basis"]
    (basis,) = attached(document, "lawful_basis")
    assert basis["lawful_basis"] == "consent"
    assert {one["granted"] for one in basis["purpose_grants"]} == {granted}
    assert {one["granted_at"] for one in basis["purpose_grants"]} == {"2026-11-24T08:00:06Z"}


def test_where_nobody_was_asked_nothing_claims_a_consent():
    document = made()
    assert attached(document, "consent") == []
    (basis,) = attached(document, "lawful_basis")
    assert basis["lawful_basis"] == "legitimate_interests"
    assert [one["purpose"] for one in basis["purpose_grants"]] == ["QUALITY"]
    assert basis["expiration"] is None
    assert basis["proof_mechanisms"][0]["proof_data"] == {"log": "f00d", "row": 3}


def test_without_a_configured_basis_none_is_made_up():
    document = vcon(sample(), FACTS, Material())
    assert attached(document, "lawful_basis") == []
    assert "extensions" not in document


def test_a_vcon_does_not_tell_who_else_got_something():
    given = Provision(
        number=20,
        call=CALL,
        recipient=PartyId(OTHER),
        country="US",
        ground="LAW",
        abroad="",
        items=("CALL_DATA",),
        day=date(2026, 11, 25),
        made=date(2026, 11, 25),
        keep_until=date(2029, 11, 25),
        needs_record=False,
    )
    assert made(replace(FACTS, provisions=(given,))) == made()


# -- the rules --------------------------------------------------------------------------------


def breaking(change: Any) -> list[str]:
    built = json.loads(msgspec.json.encode(vcon(sample(**SITE), FACTS, Material())))
    change(built)
    return broken(built)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda v: v.pop("parties"), "parties"),
        (lambda v: v.update(uuid="1"), "uuid"),
        (lambda v: v.update(created_at="2026-11-24 08:00"), "created_at"),
        (lambda v: v.update(updated_at="2026-11-24T08:00:00.000Z"), "updated_at"),
        (lambda v: v["redacted"].clear(), "redacted.type"),
        (lambda v: v.pop("redacted"), "dialog[0].body"),
        (lambda v: v["dialog"][0].update(type="text"), "dialog[0].type"),
        (lambda v: v["dialog"][0].pop("start"), "dialog[0].start"),
        (lambda v: v["dialog"][0].update(parties=[0, 9]), "dialog[0].parties"),
        (lambda v: v["dialog"][0].update(parties=[0, [1, -1]]), "dialog[0].parties"),
        (lambda v: v["dialog"][0].update(originator=3), "dialog[0].parties"),
        (lambda v: v["dialog"][0].update(recordings=[]), "dialog[0].recordings"),
        (lambda v: v["dialog"][0].update(disposition="busy"), "dialog[0].disposition"),
        (lambda v: v["dialog"][0].update(duration="1"), "dialog[0].duration"),
        (lambda v: v["dialog"][0].update(content_hash=["md5-x"]), "dialog[0].content_hash"),
        (lambda v: v["dialog"][0].update(url="http://x/"), "dialog[0].url"),
        (
            lambda v: (v["dialog"][0].update(url="https://x/"), v["dialog"][0].pop("content_hash")),
            "dialog[0].content_hash",
        ),
        (lambda v: v["dialog"][0].update(body="x", encoding="base64"), "dialog[0].encoding"),
        (
            lambda v: v["dialog"][0].update(body="+/", encoding="base64url"),
            "dialog[0].body",
        ),
        (
            lambda v: v["dialog"][0].update(body="x", url="https://x/", encoding="none"),
            "dialog[0].body",
        ),
        (lambda v: v["dialog"][0]["party_history"][0].update(event="left"), "event"),
        (lambda v: v["dialog"][0]["party_history"][0].update(party=9), "dialog[0].parties"),
        (lambda v: v["dialog"][0].update(mediatype="wav"), "dialog[0].mediatype"),
        (lambda v: v["attachments"][0].update(party=7), "attachments[0].party"),
        (lambda v: v["attachments"][0].update(dialog=7), "attachments[0].dialog"),
        (lambda v: v["attachments"][0].pop("start"), "attachments[0].start"),
        (lambda v: v["attachments"][0].pop("mediatype"), "attachments[0].mediatype"),
    ],
)
def test_what_breaks_a_rule_of_the_draft_is_found_by_its_place(change, place):
    assert breaking(lambda _: None) == []
    assert any(place in problem for problem in breaking(change))


def test_a_set_may_not_name_dialogs_that_are_not_there():
    def set_of(built: Any) -> None:
        built["dialog"].append(
            {"type": "recording-set", "start": built["created_at"], "recordings": [5]}
        )

    assert any("there is no such dialog" in one for one in breaking(set_of))
