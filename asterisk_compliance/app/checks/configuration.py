"""Findings about a valid configuration: rules, wiring, sealing and retention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
    found,
)
from asterisk_compliance.app.retention.plan import today_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.policy.rules import PolicyRule, RuleChange, upcoming
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import is_dated, told
from asterisk_compliance.shipped.presets import PresetStatus, shipped_presets


def rule_findings(settings: Settings, now: datetime, within_days: int) -> list[OperatorFinding]:
    """What is to be known about the rules of a configuration, the gravest first.

    Args:
        settings: Right ones.
        now: Any time zone; days are those of each rule's own.
        within_days: How far ahead changes are told.
    """
    findings = [
        *_presets(settings, now),
        *_changes(settings, now, within_days),
        *_ended(settings.rule, now),
        *_warnings(settings.every_rule),
        *_home(settings),
    ]
    return sorted(findings, key=lambda finding: tuple(OperatorSeverity).index(finding.severity))


def wiring_findings(settings: Settings) -> list[OperatorFinding]:
    """What cannot be seen, or cannot be mended, with what the site has wired; the gravest first."""
    findings = [*_records(settings)]
    for number, asterisk in enumerate(settings.asterisk, 1):
        address = f"asterisk[{number}]"
        if asterisk.ami is None:
            what = "nobody tells who joins a call, so nobody who joins is told or kept out"
            todo = "give it [asterisk.ami]: docs/wiring.md"
            findings.append(found(OperatorFindingId.AMI_MISSING, address, what, todo))
        if not asterisk.segments:
            what = "what Asterisk loses of a new agent after a transfer cannot be healed"
            todo = "include compliance-features.conf in features.conf, and take this out"
            segments = f"{address}.segments"
            findings.append(found(OperatorFindingId.SEGMENTS_OFF, segments, what, todo))
        if not asterisk.staff:
            what = "no staff endpoints are set: everyone who joins a call hears the notice first"
            todo = "list the endpoints of your staff: docs/legs.md"
            staff = f"{address}.staff"
            findings.append(found(OperatorFindingId.STAFF_MISSING, staff, what, todo))
    return sorted(findings, key=lambda finding: tuple(OperatorSeverity).index(finding.severity))


def sealing_findings(settings: Settings) -> list[OperatorFinding]:
    """Who can hear a recording that should not, and who may lose them all."""
    vault = settings.vault
    if vault.encryption == "off":
        what = "recordings lie in the vault as anybody could hear them who gets at the disk"
        todo = "make the officer's keys with init, and name them: docs/sealing.md"
        address = "vault.encryption"
        return [found(OperatorFindingId.ENCRYPTION_OFF, address, what, todo)]
    if len(vault.recipients) == 1:
        what = "only one private key opens the recordings: if it is lost, every recording is lost"
        todo = "add a second recipient, and keep its key elsewhere: docs/sealing.md"
        return [found(OperatorFindingId.ONE_RECIPIENT, "vault.recipients", what, todo)]
    return []


def _records(settings: Settings) -> Iterator[OperatorFinding]:
    if not settings.reconcile.cdr and not settings.reconcile.cel:
        what = "calls that never reach the service stay unnoticed"
        todo = "name Asterisk's CDR or CEL files, and run reconcile every day: docs/reconcile.md"
        yield found(OperatorFindingId.CALL_RECORDS_MISSING, "reconcile.cdr", what, todo)


def _presets(settings: Settings, now: datetime) -> Iterator[OperatorFinding]:
    for key in ("presets", "presets_by_number"):
        for name in getattr(settings.rules, key):
            preset = shipped_presets()[name]
            if all(_is_over(rule, now) for rule in preset.rules):
                what = f"every rule of {name} has ended, so nothing of it applies"
                todo = "look for a newer version of the product, or write rules of your own"
                yield found(OperatorFindingId.RULES_EXPIRED, f"rules.{key}", what, todo)
            if preset.about.status is PresetStatus.UNVERIFIED:
                what = f"{name} is an example that nobody has verified"
                todo = "check it with somebody who knows the law of the place: docs/policies.md"
                yield found(OperatorFindingId.PRESET_UNVERIFIED, f"rules.{key}", what, todo)


def _changes(settings: Settings, now: datetime, within_days: int) -> Iterator[OperatorFinding]:
    for change in changes_ahead(settings.every_rule, now, within_days):
        which, word = OperatorFindingId.RULE_ENDS, "ends"
        if change.begins:
            which, word = OperatorFindingId.RULE_BEGINS, "begins"
        todo = "ask what follows for your calls, and look at them with explain --at"
        what = f"{word} on {change.on}"
        yield found(which, f"rule {change.rule}", what, todo)


def _ended(own: Iterable[PolicyRule], now: datetime) -> Iterator[OperatorFinding]:
    for number, rule in enumerate(own, 1):
        if _is_over(rule, now):
            what = f"{rule.id} ended on {rule.valid_to}"
            todo = "take it out, if nothing has to take its place"
            yield found(OperatorFindingId.RULE_ENDED, f"rule[{number}]", what, todo)


def _warnings(rules: Iterable[PolicyRule]) -> Iterator[OperatorFinding]:
    for rule in rules:
        if rule.warning:
            todo = "nothing in the configuration takes this away: know it"
            what = " ".join(rule.warning.split())
            yield found(OperatorFindingId.RULE_WARNING, f"rule {rule.id}", what, todo)


def _home(settings: Settings) -> Iterator[OperatorFinding]:
    asks = [rule for rule in settings.every_rule if rule.match.country or rule.match.prefix]
    if asks and settings.rules.home is None:
        what = "rules ask where a number is from, and without a home country none can be read"
        todo = "set it; until then every caller meets the rules of every country"
        yield found(OperatorFindingId.HOME_MISSING, "rules.home", what, todo)


def changes_ahead(rules: Iterable[PolicyRule], now: datetime, within_days: int) -> list[RuleChange]:
    """Rules that begin or end within so many days after today, the next first."""
    changes = [
        change
        for rule in rules
        for change in upcoming([rule], now.astimezone(rule.time_zone).date(), within_days)
    ]
    return sorted(changes, key=lambda change: (change.on, change.rule, change.begins))


def _is_over(rule: PolicyRule, now: datetime) -> bool:
    today = now.astimezone(rule.time_zone).date()
    return rule.valid_to is not None and rule.valid_to <= today


def retention_findings(settings: Settings) -> list[OperatorFinding]:
    """The policies whose recordings are kept for ever, each with what they lack."""
    today = today_of(settings)
    notices = {notice.id: notice for notice in settings.notice}
    findings = []
    for number, policy in enumerate(settings.policy, 1):
        notice = notices[policy.notice]
        codes = [PurposeCode(code) for code in notice.purposes]
        promised: Period | None = notice.retention
        said = told(codes, {}, min_days=None, max_days=None, promised=(promised,))
        if not is_dated(policy.name, said, today):
            lacking = " and ".join(code for code in codes if code not in today.needed)
            what = f"nothing says how long recordings are kept: no period for {lacking}"
            todo = "say it with each purpose, or set a maximum: docs/retention.md"
            address = f"policy[{number}].retention_max_days"
            findings.append(found(OperatorFindingId.RETENTION_MISSING, address, what, todo))
    return findings
