"""Checks the site's ``[[rule]]`` tables, alone and with the policies that they match."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from asterisk_compliance.config.consistency import items
from asterisk_compliance.domain.call.dialplan_fallback import unfit
from asterisk_compliance.domain.policy.notice import Consent, Fallback
from asterisk_compliance.domain.policy.reachability import Reach, applying_to, reachable
from asterisk_compliance.domain.policy.rules import DEFAULT, SITE, PolicyRule, reachable_conflicts
from asterisk_compliance.domain.policy.terms import RetentionConflict
from asterisk_compliance.shipped.presets import chosen_rules, read_rules, shipped_presets

_KEYS_NEEDED: Mapping[Consent, tuple[str, ...]] = {
    Consent.NOTICE: (),
    Consent.OPT_OUT: ("refuse",),
    Consent.OPT_IN: ("refuse", "accept"),
}


def own_rules(
    raw: Mapping[str, Any], tables: Mapping[str, Any]
) -> tuple[tuple[PolicyRule, ...], list[str]]:
    """The site's ``[[rule]]`` tables, in its time zone where they name none, and every problem."""
    chosen = tables.get("rules")
    listed = raw.get("rule", [])
    if chosen is not None and isinstance(listed, list):
        zone = {"time_zone": chosen.time_zone.key}
        listed = [{**zone, **item} if isinstance(item, dict) else item for item in listed]
    return read_rules(listed)


def rule_disagreements(
    raw: Mapping[str, Any], tables: Mapping[str, Any], own: tuple[PolicyRule, ...]
) -> Iterator[str]:
    """Presets that are there twice, names that nothing has, and calls that nobody prepared for."""
    chosen = tables.get("rules")
    presets = chosen.presets if chosen else ()
    by_number = chosen.presets_by_number if chosen else ()
    yield from _doubles(raw, presets, by_number, own)
    yield from _unknown_policies(raw, own)
    rules = (*own, *chosen_rules(presets, by_number))
    for number, policy in tables.get("policy", {}).items():
        meeting = applying_to(rules, policy.name)
        reach = reachable(meeting, policy.terms)
        yield from _missing_keys(f"policy[{number}].keys", policy.keys, reach["consent"])
        if policy.fallback is Fallback.RECORD:
            yield from _unfit_for_fallback(f"policy[{number}].fallback", reach)
        for conflict in reachable_conflicts(meeting, policy.terms):
            yield f"policy[{number}]: {_conflict(conflict)}"
        yield from _promised_less(number, policy, reach["retention_min_days"], tables)


def _promised_less(
    number: int, policy: Any, minima: Reach, tables: Mapping[str, Any]
) -> Iterator[str]:
    """No call is kept for longer than its notice says, so no rule may ask for that."""
    longest = max((days for days in minima if days), default=0)
    own = (policy.notice, policy.notice_opt_out, policy.notice_opt_in, policy.notice_joined)
    for notice in tables.get("notice", {}).values():
        promised = notice.retention
        if notice.id in own and promised is not None and promised.shortest_days < longest:
            own_words = f"retention_min_days = {longest}"
            who = asked_by(minima[longest], own_words) or own_words
            yield f"policy[{number}].retention_min_days: {who}, and a notice says {promised}"


def asked_by(ids: Iterable[str], what: str) -> str:
    """Who can ask a policy for ``what``, in words; empty if the policy itself does."""
    rules = [one for one in ids if one not in {SITE, DEFAULT}]
    if len(rules) < len(tuple(ids)):
        return ""
    return f"{_named(rules)} can ask for {what}"


def _missing_keys(address: str, keys: Any, consents: Reach) -> Iterator[str]:
    """Each key once, for the strictest question that needs it."""
    said: set[str] = set()
    for consent in sorted(consents, key=tuple(Consent).index, reverse=True):
        for role in _KEYS_NEEDED[consent]:
            if not getattr(keys, role) and role not in said:
                said.add(role)
                own = f"consent = {consent} needs a key to {role}"
                yield f"{address}.{role}: {asked_by(consents[consent], consent) or own}"


def _unfit_for_fallback(address: str, reach: Mapping[str, Reach]) -> Iterator[str]:
    """The dialplan alone asks nobody, stops nothing, and cannot know which rules a call meets."""
    for field, value, ids in unfit(reach):
        what = f"{field} = {value}"
        yield f"{address}: {asked_by(ids, what) or what}, and the dialplan alone cannot do that"


def _doubles(
    raw: Mapping[str, Any],
    presets: tuple[str, ...],
    by_number: tuple[str, ...],
    own: tuple[PolicyRule, ...],
) -> Iterator[str]:
    seen: set[str] = set()
    for key, names in (("presets", presets), ("presets_by_number", by_number)):
        for number, name in enumerate(names):
            if name in seen:
                yield f"rules.{key}.{number}: {name} is there twice"
            seen.add(name)
    taken = {rule.id: name for name in seen for rule in shipped_presets()[name].rules}
    for rule in own:
        if rule.id in taken:
            address = f"rule[{_number(raw, rule.id)}].id"
            yield f"{address}: preset {taken[rule.id]} has a rule of this name"


def _unknown_policies(raw: Mapping[str, Any], own: tuple[PolicyRule, ...]) -> Iterator[str]:
    declared = [item.get("name") for item in items(raw, "policy")]
    for rule in own:
        if any(name not in declared for name in rule.match.policy or ()):
            yield f"rule[{_number(raw, rule.id)}].match.policy: there is no such policy"


def _number(raw: Mapping[str, Any], rule: str) -> int:
    ids = [item.get("id") if isinstance(item, dict) else None for item in raw["rule"]]
    return ids.index(rule) + 1


def _conflict(conflict: RetentionConflict) -> str:
    keeps, removes = conflict.longest_min_by, conflict.shortest_max_by
    return (
        f"{_named(keeps)} can ask to keep for {conflict.min_days} days, "
        f"{_named(removes)} for no more than {conflict.max_days}"
    )


def _named(ids: Iterable[str]) -> str:
    return " and ".join("the policy itself" if one == SITE else f"rule {one}" for one in ids)
