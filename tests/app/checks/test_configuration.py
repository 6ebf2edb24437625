"""What there is to know about a configuration that loads; every finding is made here."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.checks import configuration as module
from asterisk_compliance.app.checks.configuration import (
    changes_ahead,
    retention_findings,
    rule_findings,
    sealing_findings,
    wiring_findings,
)
from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
)
from asterisk_compliance.shipped.presets import shipped_presets
from documented import page, sections, table
from sample_settings import accepted, raw

DECEMBER = datetime(2026, 12, 20, tzinfo=UTC)
KEYS = {"accept": "1", "refuse": "9"}


def found(
    *own: dict[str, Any], now: datetime = DECEMBER, within: int = 90, **chosen: Any
) -> list[OperatorFinding]:
    value = raw() | {"rule": list(own), "rules": {"home": "JP", **chosen}}
    value["policy"][0]["keys"] = KEYS
    return rule_findings(accepted(value), now, within)


def brief(findings: list[OperatorFinding]) -> list[tuple[str, str, str]]:
    return [(finding.id, finding.severity, finding.address) for finding in findings]


def test_a_site_without_rules_has_nothing_to_know() -> None:
    assert found() == []


def test_changes_of_the_law_are_told_ahead() -> None:
    ahead = {OperatorFindingId.RULE_BEGINS, OperatorFindingId.RULE_ENDS}
    changes = [it for it in found(presets=["jp"]) if it.id in ahead]
    assert [(it.id, it.severity, it.address, it.what) for it in changes] == [
        ("RULE_ENDS", "warning", "rule jp-appi.20261102", "ends on 2027-01-17"),
        ("RULE_BEGINS", "warning", "rule jp-appi.20270117", "begins on 2027-01-17"),
    ]
    assert all("explain --at" in change.todo for change in changes)
    assert not {finding.id for finding in found(presets=["jp"], within=27)} & ahead


def test_a_day_is_that_of_the_rule_s_own_time_zone() -> None:
    """At 15:00 UTC it is the next day in Tokyo: what begins then has begun."""
    rules = accepted(
        raw() | {"rule": [{"id": "r", "valid_from": date(2026, 12, 21), "time_zone": "Asia/Tokyo"}]}
    ).every_rule
    assert len(changes_ahead(rules, DECEMBER.replace(hour=14, minute=59), 1)) == 1
    assert changes_ahead(rules, DECEMBER.replace(hour=15), 1) == []


def test_an_example_that_nobody_verified() -> None:
    (finding,) = (
        it for it in found(presets_by_number=["sg"]) if it.id is OperatorFindingId.PRESET_UNVERIFIED
    )
    assert (finding.severity, finding.address) == (
        OperatorSeverity.WARNING,
        "rules.presets_by_number",
    )
    assert finding.what.startswith("sg ")


def test_what_a_rule_warns_of() -> None:
    (finding,) = (
        it
        for it in found(presets_by_number=["us-all-party"])
        if it.id is OperatorFindingId.RULE_WARNING
    )
    assert (finding.severity, finding.address) == (OperatorSeverity.NOTE, "rule us-connecticut")
    assert "beep_s to 15" in finding.what
    assert "\n" not in finding.what


def test_a_rule_that_is_over() -> None:
    over, today = (
        {"id": name, "valid_to": day}
        for name, day in (("a", date(2026, 12, 20)), ("b", date(2026, 12, 21)))
    )
    assert brief(found(today, over, within=0)) == [("RULE_ENDED", "note", "rule[2]")]


def test_a_preset_of_which_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = shipped_presets()["jp"]
    ending = tuple(rule for rule in preset.rules if rule.valid_to)
    assert 0 < len(ending) < len(preset.rules)
    late = datetime(2040, 1, 1, tzinfo=UTC)
    assert "RULES_EXPIRED" not in {it.id for it in found(presets=["jp"], now=late)}
    shipped = {"jp": type(preset)(preset.about, ending)}
    monkeypatch.setattr(module, "shipped_presets", lambda: shipped)
    assert brief(found(presets=["jp"], now=late))[0] == ("RULES_EXPIRED", "error", "rules.presets")
    assert "RULES_EXPIRED" not in {it.id for it in found(presets=["jp"])}


@pytest.mark.parametrize("match", [{"country": ["DE"]}, {"prefix": ["49"]}])
def test_without_a_home_country_no_number_can_be_read(match: dict[str, Any]) -> None:
    own = {"id": "own", "match": match}
    assert brief(found(own, home=None)) == [("HOME_MISSING", "warning", "rules.home")]
    assert found(own) == []
    assert found({"id": "own", "match": {"queue": ["gold"]}}, home=None) == []


def test_the_gravest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    preset = shipped_presets()["jp"]
    over = tuple(rule for rule in preset.rules if rule.valid_to)
    shipped = {**shipped_presets(), "jp": type(preset)(preset.about, over)}
    monkeypatch.setattr(module, "shipped_presets", lambda: shipped)
    late = datetime(2040, 1, 1, tzinfo=UTC)
    severities = [it.severity for it in found(presets=["sg", "jp"], now=late)]
    assert severities[0] is OperatorSeverity.ERROR
    assert severities == sorted(severities, key=tuple(OperatorSeverity).index)
    assert len(set(severities)) > 2


def wiring(**asterisk: Any) -> list[tuple[str, str, str]]:
    value = raw() | {"reconcile": {"cdr": ["/var/log/asterisk/cdr-csv/Master.csv"]}}
    value["asterisk"][0] |= {"staff": ["PJSIP/1*"], **asterisk}
    return brief(wiring_findings(accepted(value)))


def test_a_site_that_has_wired_everything() -> None:
    assert wiring() == []


def test_what_cannot_be_healed_is_said() -> None:
    assert wiring(segments=False) == [("SEGMENTS_OFF", "warning", "asterisk[1].segments")]


def test_what_is_not_seen_is_said() -> None:
    assert wiring(ami=None) == [("AMI_MISSING", "warning", "asterisk[1]")]
    assert wiring(staff=[]) == [("STAFF_MISSING", "note", "asterisk[1].staff")]


def test_calls_that_never_reach_us_are_found_from_cdr_or_cel() -> None:
    (first, *_) = brief(wiring_findings(accepted(raw())))
    assert first == ("CALL_RECORDS_MISSING", "error", "reconcile.cdr")
    for key in ("cdr", "cel"):
        named = accepted(raw() | {"reconcile": {key: ["/var/log/asterisk/records"]}})
        assert "CALL_RECORDS_MISSING" not in {it.id for it in wiring_findings(named)}


def test_whether_recordings_are_encrypted_and_to_whom_is_said() -> None:
    """A second recipient is recommended; nothing at all has to be said in the configuration."""

    def found(**vault: object) -> list[tuple[str, str, str]]:
        return brief(sealing_findings(accepted(raw() | {"vault": {**raw()["vault"], **vault}})))

    one, other = (new_identity()[1] for _ in range(2))
    assert found() == [("ENCRYPTION_OFF", "warning", "vault.encryption")]
    sealed = {"encryption": "age", "recipients": [one]}
    assert found(**sealed) == [("ONE_RECIPIENT", "warning", "vault.recipients")]
    assert found(**sealed | {"recipients": [one, other]}) == []


def test_every_finding_is_documented_with_its_severity_and_no_other() -> None:
    lines = table(sections(page("commands.md"), 2)["asterisk-compliance check"])[1:]
    documented = {line[0].strip("`"): line[1].strip("`") for line in lines}
    assert set(documented) == set(map(str, OperatorFindingId))
    for one, severity in documented.items():
        assert severity in set(OperatorSeverity), one


@pytest.mark.parametrize(
    ("tables", "lacking"),
    [
        ({}, "SERVICE and QUALITY"),
        ({"purpose": [{"code": "SERVICE", "retention": "1 day"}]}, "QUALITY"),
        ({"purpose": [{"code": c, "retention": "1 day"} for c in ("SERVICE", "QUALITY")]}, ""),
        ({"policy": [raw()["policy"][0] | {"retention_max_days": 9}]}, ""),
        ({"notice": [raw()["notice"][0] | {"retention": "1 day"}]}, ""),
    ],
)
def test_recordings_that_nothing_ever_makes_due_are_said(
    tables: dict[str, Any], lacking: str
) -> None:
    found = retention_findings(accepted(raw() | tables))
    address = "policy[1].retention_max_days"
    assert brief(found) == ([("RETENTION_MISSING", "warning", address)] if lacking else [])
    assert not lacking or found[0].what.endswith(f"no period for {lacking}")
