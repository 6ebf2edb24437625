"""Every finding about a dialplan: a few lines that make it, and the same lines mended."""

from __future__ import annotations

import re
from typing import Any

import pytest

from asterisk_compliance.app.dialplan.rendering import ASKED, TEMPLATE
from asterisk_compliance.domain.dialplan.expectations import OURS
from asterisk_compliance.domain.dialplan.findings import REMEDIES, DialplanFindingId, severity_of
from asterisk_compliance.shipped import catalogue
from domain.checked_dialplan import TOLD, brief, call, found, ids
from domain.dialplan_cases import CASES, TELEPHONE, Case

IN_FILES = {DialplanFindingId.INCLUDE_MISSING, DialplanFindingId.NOT_READ}
"""Made where files are read (``tests/app/dialplan/test_reading.py``)."""


def addresses(findings: list[Any], wanted: DialplanFindingId) -> list[str]:
    return [one.address for one in findings if one.id is wanted]


@pytest.mark.parametrize("one", CASES, ids=lambda one: f"{one.id.name}-{one.broken[-40:]}")
def test_a_dialplan_that_is_broken_and_the_same_one_mended(one: Case) -> None:
    routines = one.id is not DialplanFindingId.ROUTINE_MISSING
    assert one.at in addresses(found(one.broken, routines=routines, **one.said), one.id)
    said = {} if one.mended == one.broken else one.said
    assert addresses(found(one.mended, **said), one.id) == []


def test_every_finding_is_made_by_a_case() -> None:
    assert {one.id for one in CASES} | IN_FILES == set(DialplanFindingId)


@pytest.mark.parametrize("one", DialplanFindingId)
def test_every_finding_says_how_grave_it_is_and_what_to_do(one: DialplanFindingId) -> None:
    assert severity_of(one) in {"error", "warning", "note"}
    assert REMEDIES[one]


def test_every_routine_of_ours_is_known() -> None:
    text = (catalogue.dialplan() / TEMPLATE).read_text(encoding="utf-8")
    named = set(re.findall(r'(?m)^\[(compliance-[\w-]+)\]|routine\("(compliance[\w-]+)"', text))
    asked = {f"compliance-{one.lower()}" for one in ASKED}
    assert {one for pair in named for one in pair if one} | asked == OURS


def test_a_dialplan_that_is_right_has_nothing_to_say() -> None:
    assert found(call(TOLD, "Queue(support)", "Hangup()")) == []


def test_the_gravest_comes_first_and_each_once() -> None:
    text = call("Answer()", TOLD, "Set(COMPLIANCE_X=1)", "Set(CDR(userfield)=x)")
    assert brief(found(text)) == [
        ("VARIABLE_SET", "from-trunk,0312345678,3"),
        ("USERFIELD_OVERWRITTEN", "from-trunk,0312345678,4"),
        ("ANSWER_WAITS", "from-trunk,0312345678,1"),
    ]


def test_a_place_is_the_line_of_the_file() -> None:
    (finding,) = found(call("NoOp()", "MixMonitor(a.wav)"))
    assert (str(finding.place), finding.severity) == ("extensions.conf:3", "error")
    assert "who has heard no notice" in finding.what
    assert "Gosub(compliance-notice" in finding.todo


def test_a_global_variable_is_named_with_its_line() -> None:
    (finding,) = found("[globals]\nA=1\nCOMPLIANCE_STATUS=ALLOWED")
    assert str(finding.place) == "extensions.conf:3"


def test_without_a_configuration_no_policy_is_unknown_and_no_routine_old() -> None:
    text = call("Gosub(compliance-notice,s,1(nobody))") + "\n[compliance-back]\nexten => x,1,NoOp()"
    assert ids(text) == {"POLICY_UNKNOWN", "ROUTINE_OLD"}
    assert ids(text, policies=None) == set()


def test_routines_that_nothing_calls_must_be_there_too() -> None:
    (finding,) = found(call(TELEPHONE), routines=False)
    assert (finding.id, finding.address) == (DialplanFindingId.ROUTINE_MISSING, "")
    assert str(finding.place) == "extensions.conf:2"
    (finding,) = found("", routines=False)
    assert str(finding.place) == "extensions.conf"


def test_features_count_only_where_they_are_wanted_and_were_read() -> None:
    assert ids("", features={}) == {"FEATURES_MISSING"}
    assert ids("", features={}, segments=False) == ids("", features=None) == set()


@pytest.mark.parametrize(
    ("destination", "outside"),
    [
        ("PJSIP/1001", False),
        ("PJSIP/2001", True),
        ("PJSIP/1001@trunk", True),
        ("SIP/trunk/03", True),
        ("IAX2/03", True),
        ("${TRUNK}/03", True),
        ("PJSIP/${EXTEN}", False),
        ("Local/03@out", False),
        ("${WHOEVER}", False),
        ("", False),
    ],
)
def test_who_is_outside(destination: str, outside: bool) -> None:
    assert ("OUTSIDE_NOT_TOLD" in ids(call(f"Dial({destination},30)"))) is outside


def test_without_a_list_of_staff_an_endpoint_is_a_telephone_of_the_site() -> None:
    assert "OUTSIDE_NOT_TOLD" not in ids(call("Dial(PJSIP/2001)"), staff=())
    assert "OUTSIDE_NOT_TOLD" in ids(call("Dial(PJSIP/2001@trunk)"), staff=())
