"""What an export reads in the rows of a call: who came, who was told what, what became of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.evidence_site import BEGAN_MS, EvidenceSite
from asterisk_compliance.app.evidence.call_evidence import logged_evidence
from asterisk_compliance.app.evidence.call_facts import ExportedCall, facts_of
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.ids import CallId, call_id, recording_id

AGENT, COLLEAGUE = "1.20", "1.30"


@pytest.fixture
def site(tmp_path: Path) -> EvidenceSite:
    return EvidenceSite(tmp_path)


def joined(channel: str, cover: str = "staff") -> tuple[Kind, dict[str, Any]]:
    return Kind.PARTY_JOINED, {"channel": channel, "cover": cover}


def read(site: EvidenceSite, call: CallId) -> ExportedCall:
    return facts_of(logged_evidence(site.store, call))


def test_who_came_and_went_again_is_one_party_and_the_recording_begins_with_the_first(site):
    more = (joined(AGENT), joined(COLLEAGUE, "unknown"), joined(AGENT))
    facts = read(site, site.recorded_call(1, more=more))
    assert [(one.channel, one.cover) for one in facts.parties] == [
        ("1.1", ""),
        (AGENT, "staff"),
        (COLLEAGUE, "unknown"),
    ]
    (recording,) = facts.recordings
    assert recording.start == facts.parties[1].joined_at


def test_a_notice_is_told_of_whoever_heard_it(site):
    told = {"channel": COLLEAGUE, "notice": "joined/2/en", "purposes": ("SERVICE",)}
    more = (joined(AGENT), joined(COLLEAGUE, "unknown"), (Kind.PARTY_TOLD, told))
    facts = read(site, site.recorded_call(1, more=more))
    assert [(one.party, one.label, one.language) for one in facts.notices] == [
        (0, "standard/1/ja", "ja"),
        (2, "joined/2/en", "en"),
    ]
    assert facts.told_by == "notice"
    assert facts.told == ("SERVICE", "QUALITY"), "what somebody else heard tells the caller nothing"


def test_a_recording_that_nobody_came_to_begins_when_it_was_begun(site):
    facts = read(site, site.recorded_call(1))
    (recording,) = facts.recordings
    (started,) = [
        row.at
        for row in logged_evidence(site.store, facts.call).rows
        if row.kind == Kind.RECORDING_STARTED
    ]
    assert recording.start == started
    assert recording.is_kept
    assert recording.sealed


def test_the_last_answer_counts_and_rows_of_others_change_nothing(site):
    answers = tuple((Kind.CONSENT, {"state": state}) for state in ("given", "withdrawn"))
    call = site.recorded_call(1, more=answers)
    facts = read(site, call)
    assert facts.state == "withdrawn"
    site.tell(call, (Kind.RECORDING_RELEASED, {"recording": recording_id(call, 1)}))
    assert read(site, call) == facts


def test_what_the_dialplan_recorded_alone_says_who_proves_its_notice(site):
    call = CallId(f"c-{'3' * 28}")
    recording = recording_id(call, 1)
    adopted = {"recording": recording, "notice": "standard/1/ja", "purposes": ("QUALITY",)}
    site.tell(
        call,
        (Kind.CALL_ARRIVED, {"policy": "inbound", "channel": "1.5", "entry": "dialplan"}),
        (Kind.RECORDING_ADOPTED, {**adopted, "capture": "from-notice", "others": False}),
        (Kind.CALL_ENDED, {}),
        (Kind.RECORDING_CLOSED, {"recording": recording, "sha256": "ab" * 32, "length_ms": 900}),
    )
    facts = read(site, call)
    (notice,), (kept,) = facts.notices, facts.recordings
    assert notice.by_dialplan
    assert facts.told == ("QUALITY",)
    assert (kept.others, kept.sealed, kept.kept_sha256) == (False, False, "ab" * 32)
    assert facts.status == ""


@pytest.mark.parametrize(
    ("more", "heard"),
    [
        ((joined(AGENT),), (1,)),
        ((joined(AGENT, "assumed"), joined(COLLEAGUE, "told")), (1, 2)),
        ((joined(AGENT), joined(COLLEAGUE, "unknown")), (1,)),
        ((joined(COLLEAGUE, "refused"),), ()),
        ((joined(COLLEAGUE, "unknown"), joined(COLLEAGUE, "told")), (1,)),
    ],
)
def test_who_is_in_a_recording_is_who_was_kept(site, more, heard):
    (recording,) = read(site, site.recorded_call(1, more=more)).recordings
    assert recording.others
    assert recording.heard == heard


def test_who_came_after_a_recording_had_ended_is_not_in_it(site):
    name = recording_id(call_id(BEGAN_MS + 1, bytes(8)), 1)
    stopped = (Kind.CAPTURE_STOPPED, {"recording": name, "reason": "WITHDRAWN"})
    more = (joined(AGENT), stopped, joined(COLLEAGUE))
    facts = read(site, site.recorded_call(1, more=more))
    (recording,) = facts.recordings
    assert [one.channel for one in facts.parties] == ["1.1", AGENT, COLLEAGUE]
    assert recording.heard == (1,)


def test_where_the_others_were_lost_in_the_end_nobody_else_is_in_it(site):
    call = CallId(f"c-{'4' * 28}")
    recording = recording_id(call, 1)
    site.tell(
        call,
        (Kind.CALL_ARRIVED, {"policy": "inbound", "channel": "1.5"}),
        (Kind.RECORDING_REQUESTED, {"recording": recording, "others": True}),
        joined(AGENT),
        (Kind.CALL_ENDED, {}),
        (
            Kind.RECORDING_CLOSED,
            {"recording": recording, "sha256": "ab" * 32, "length_ms": 900, "tx": "not_kept"},
        ),
    )
    (kept,) = read(site, call).recordings
    assert (kept.others, kept.heard) == (False, ())
