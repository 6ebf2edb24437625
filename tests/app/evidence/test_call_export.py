"""The row of an export, as somebody asks for it who does not tell the truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.evidence_site import EvidenceSite
from asterisk_compliance.cli.officer_action import act_with
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.ids import recording_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader

HOME = '\n[rules]\nhome = "JP"\n'


@pytest.fixture
def site(tmp_path: Path) -> EvidenceSite:
    made = EvidenceSite(tmp_path)
    made.config.write_text(made.config.read_text("utf-8") + HOME, "utf-8")
    return made


def asked(settings: Settings, call: str, **changed: str) -> Any:
    said = {
        "call": call,
        "format": "vcon",
        "sha256": "ab" * 32,
        "numbers": "",
        "opened": "",
        "action": "EXPORT",
        "purpose": "QUALITY",
        "reason": "REVIEW",
    }
    return act_with(settings, "export-call", {**said, **changed})


def exports(site: EvidenceSite) -> int:
    with StoreReader(site.store) as reader:
        return len(list(reader.rows(RowQuery(kind="call_exported"))))


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"sha256": "AB" * 32}, "no SHA-256"),
        ({"sha256": ""}, "no SHA-256"),
        ({"format": "xml"}, "no such format"),
        ({"action": "LISTEN"}, "for oneself, or handed over"),
        ({"purpose": "NOTHING"}, "no such purpose"),
        ({"reason": ""}, "no such reason"),
        ({"call": "c-1"}, "no id of a call"),
        ({"call": f"c-{'0' * 28}"}, "no row speaks"),
        ({"purpose": "TRAINING", "numbers": "yes"}, "not told"),
    ],
)
def test_what_is_no_export_has_no_row(site, changed, why):
    call = site.recorded_call(1)
    with pytest.raises(ComplianceError, match=why):
        asked(load(site.config, secrets=False), **{"call": call, **changed})
    assert exports(site) == 0


def test_a_voice_is_not_handed_over_by_the_record_of_something_else(site):
    call = site.recorded_call(1)
    words = ("--recipient", "police", "--country", "JP", "--ground", "LAW", "--reference", "R8-1")
    said = site.run("provisions", "record", call, *words, "--items", "CALL_DATA", "--json")
    number = str(json.loads(said.stdout)["provisions"][0])
    settings = load(site.config, secrets=False)
    over = {"action": "HAND_OVER", "reason": "", "provision": number}
    with pytest.raises(ComplianceError, match="NO_PROVISION"):
        asked(settings, call, **over, opened=recording_id(call, 1))
    assert exports(site) == 0
    asked(settings, call, **over)
    assert exports(site) == 1


def test_a_digest_is_told_of_what_is_kept_and_of_nothing_else(site):
    call = site.recorded_call(1)
    settings = load(site.config, secrets=False)
    with pytest.raises(ComplianceError, match="no id of a recording"):
        act_with(settings, "recording-digest", {"recording": "../store/search.key"})
    with pytest.raises(ComplianceError, match="no row speaks"):
        act_with(settings, "recording-digest", {"recording": recording_id(call, 7)})
    answer = act_with(settings, "recording-digest", {"recording": recording_id(call, 1)})
    assert len(bytes.fromhex(answer["sha512"])) == 64
