"""Findings about a valid configuration: rules, wiring, sealing and retention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from asterisk_compliance.app.checks.finding import (
    OperatorFinding,
    OperatorFindingId,
    OperatorSeverity,
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
    found = [
        *_presets(settings, now),
        *_changes(settings, now, within_days),
        *_ended(settings.rule, now),
        *_warnings(settings.every_rule),
        *_home(settings),
    ]
    return sorted(found, key=lambda finding: tuple(OperatorSeverity).index(finding.severity))


def wiring_findings(settings: Settings) -> list[OperatorFinding]:
    """What cannot be seen, or cannot be mended, with what the site has wired; the gravest first."""
    found = [*_records(settings)]
    for number, asterisk in enumerate(settings.asterisk, 1):
        address = f"asterisk[{number}]"
        if asterisk.ami is None:
            what = "nobody tells who joins a call, so nobody who joins is told or kept out"
            todo = "give it [asterisk.ami]: docs/wiring.md"
            found.append(
                OperatorFinding(
                    OperatorFindingId.AMI_MISSING, OperatorSeverity.WARNING, address, what, todo
                )
            )
        if not asterisk.segments:
            what = "what Asterisk loses of a new agent after a transfer cannot be healed"
            todo = "include compliance-features.conf in features.conf, and take this out"
            segments = f"{address}.segments"
            found.append(
                OperatorFinding(
                    OperatorFindingId.SEGMENTS_OFF, OperatorSeverity.WARNING, segments, what, todo
                )
            )
        if not asterisk.staff:
            what = "a colleague cannot be told from an outsider: whoever joins is told first"
            todo = "list the endpoints of your staff: docs/legs.md"
            staff = f"{address}.staff"
            found.append(
                OperatorFinding(
                    OperatorFindingId.STAFF_MISSING, OperatorSeverity.NOTE, staff, what, todo
                )
            )
    return sorted(found, key=lambda finding: tuple(OperatorSeverity).index(finding.severity))


def sealing_findings(settings: Settings) -> list[OperatorFinding]:
    """Who can hear a recording that should not, and who may lose them all."""
    vault = settings.vault
    if vault.encryption == "off":
        what = "recordings lie in the vault as anybody could hear them who gets at the disk"
        todo = "make the officer's keys with init, and name them: docs/sealing.md"
        address = "vault.encryption"
        return [
            OperatorFinding(
                OperatorFindingId.ENCRYPTION_OFF, OperatorSeverity.WARNING, address, what, todo
            )
        ]
    if len(vault.recipients) == 1:
        what = "one private key opens every recording: when it is lost, all of them are"
        todo = "name a second recipient, kept elsewhere: docs/sealing.md"
        return [
            OperatorFinding(
                OperatorFindingId.ONE_RECIPIENT,
                OperatorSeverity.WARNING,
                "vault.recipients",
                what,
                todo,
            )
        ]
    return []


def _records(settings: Settings) -> Iterator[OperatorFinding]:
    if not settings.reconcile.cdr and not settings.reconcile.cel:
        what = "calls that never reach the service are found by nobody"
        todo = "name Asterisk's CDR or CEL files, and run reconcile every day: docs/reconcile.md"
        yield OperatorFinding(
            OperatorFindingId.CALL_RECORDS_MISSING,
            OperatorSeverity.ERROR,
            "reconcile.cdr",
            what,
            todo,
        )


def _presets(settings: Settings, now: datetime) -> Iterator[OperatorFinding]:
    for key in ("presets", "presets_by_number"):
        for name in getattr(settings.rules, key):
            preset = shipped_presets()[name]
            if all(_is_over(rule, now) for rule in preset.rules):
                what = f"every rule of {name} has ended, so nothing of it applies"
                todo = "look for a newer version of the product, or write rules of your own"
                yield OperatorFinding(
                    OperatorFindingId.RULES_EXPIRED,
                    OperatorSeverity.ERROR,
                    f"rules.{key}",
                    what,
                    todo,
                )
            if preset.about.status is PresetStatus.UNVERIFIED:
                what = f"{name} is an example that nobody has verified"
                todo = "check it with somebody who knows the law of the place: docs/policies.md"
                yield OperatorFinding(
                    OperatorFindingId.PRESET_UNVERIFIED,
                    OperatorSeverity.WARNING,
                    f"rules.{key}",
                    what,
                    todo,
                )


def _changes(settings: Settings, now: datetime, within_days: int) -> Iterator[OperatorFinding]:
    for change in changes_ahead(settings.every_rule, now, within_days):
        which, word = OperatorFindingId.RULE_ENDS, "ends"
        if change.begins:
            which, word = OperatorFindingId.RULE_BEGINS, "begins"
        todo = "ask what follows for your calls, and look at them with explain --at"
        what = f"{word} on {change.on}"
        yield OperatorFinding(which, OperatorSeverity.WARNING, f"rule {change.rule}", what, todo)


def _ended(own: Iterable[PolicyRule], now: datetime) -> Iterator[OperatorFinding]:
    for number, rule in enumerate(own, 1):
        if _is_over(rule, now):
            what = f"{rule.id} ended on {rule.valid_to}"
            todo = "take it out, if nothing has to take its place"
            yield OperatorFinding(
                OperatorFindingId.RULE_ENDED, OperatorSeverity.NOTE, f"rule[{number}]", what, todo
            )


def _warnings(rules: Iterable[PolicyRule]) -> Iterator[OperatorFinding]:
    for rule in rules:
        if rule.warning:
            todo = "nothing in the configuration takes this away: know it"
            what = " ".join(rule.warning.split())
            yield OperatorFinding(
                OperatorFindingId.RULE_WARNING, OperatorSeverity.NOTE, f"rule {rule.id}", what, todo
            )


def _home(settings: Settings) -> Iterator[OperatorFinding]:
    asks = [rule for rule in settings.every_rule if rule.match.country or rule.match.prefix]
    if asks and settings.rules.home is None:
        what = "rules ask where a number is from, and without a home country none can be read"
        todo = "set it; until then every caller meets the rules of every country"
        yield OperatorFinding(
            OperatorFindingId.HOME_MISSING, OperatorSeverity.WARNING, "rules.home", what, todo
        )


def changes_ahead(rules: Iterable[PolicyRule], now: datetime, within_days: int) -> list[RuleChange]:
    """Rules that begin or end within so many days after today, the next first."""
    found = [
        change
        for rule in rules
        for change in upcoming([rule], now.astimezone(rule.time_zone).date(), within_days)
    ]
    return sorted(found, key=lambda change: (change.on, change.rule, change.begins))


def _is_over(rule: PolicyRule, now: datetime) -> bool:
    today = now.astimezone(rule.time_zone).date()
    return rule.valid_to is not None and rule.valid_to <= today


def retention_findings(settings: Settings) -> list[OperatorFinding]:
    """The policies whose recordings are kept for ever, each with what they lack."""
    today = today_of(settings)
    notices = {notice.id: notice for notice in settings.notice}
    found = []
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
            found.append(
                OperatorFinding(
                    OperatorFindingId.RETENTION_MISSING,
                    OperatorSeverity.WARNING,
                    address,
                    what,
                    todo,
                )
            )
    return found
