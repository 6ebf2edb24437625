"""Whether prompts are enough for every call that the rules can make of a policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from asterisk_compliance.config.rules import asked_by
from asterisk_compliance.config.settings import LimitSettings
from asterisk_compliance.domain.disclosure.phrase_patterns import EXPRESSIONS, fold, keys_spoken
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    Withdrawal,
    announcement_for,
)
from asterisk_compliance.domain.policy.plan import PolicyPlan
from asterisk_compliance.domain.policy.reachability import Reach


def announcements_reached(reach: Mapping[str, Reach]) -> Mapping[Announcement, str]:
    """What may have to be said, and which rules can ask for it; empty if the policy itself does."""
    can_refuse = Withdrawal.ON in reach["withdrawal"] or set(reach["consent"]) - {Consent.NOTICE}
    fields = ["on_notice_failure", "on_recording_failure", *(["on_refusal"] if can_refuse else [])]
    found: dict[Announcement, str] = {}
    for field in fields:
        for kind, why in _said(field, reach[field]):
            if not why or kind not in found:
                found[kind] = why
    return found


def may_be_refused(reach: Mapping[str, Reach]) -> set[Announcement]:
    """What is said where somebody of the staff ends the recording at a caller's wish."""
    return {kind for kind, _ in _said("on_refusal", reach["on_refusal"])}


def _said(field: str, values: Reach) -> Iterator[tuple[Announcement, str]]:
    for value, ids in values.items():
        kind = announcement_for(value, refused=field == "on_refusal")
        if kind is not None:
            yield kind, asked_by(ids, f"{field} = {value}")


def unspoken_keys(plan: PolicyPlan, reach: Mapping[str, Reach], address: str) -> Iterator[str]:
    """A key that refuses or accepts is worth nothing if the notice does not say it."""
    said: set[tuple[str, str, str]] = set()
    for consent in sorted(reach["consent"], key=tuple(Consent).index):
        why = asked_by(reach["consent"][consent], consent)
        notice = plan.notices[consent]
        for language in plan.languages:
            wording = notice.wordings.get(language)
            if wording is None or language not in EXPRESSIONS:
                continue
            spoken = keys_spoken(fold(wording.text), EXPRESSIONS[language])
            for key in sorted(_keys_asked(plan, consent) - spoken):
                if (notice.id, language, key) not in said:
                    said.add((notice.id, language, key))
                    what = f'notice "{notice.id}" does not say key {key} in {language}'
                    yield f"{address}.keys: {what}" + (f": {why}" if why else "")


def _keys_asked(plan: PolicyPlan, consent: Consent) -> set[str]:
    match consent:
        case Consent.NOTICE:
            return set()
        case Consent.OPT_OUT:
            return {plan.keys.refuse}
        case Consent.OPT_IN:
            return {plan.keys.refuse, plan.keys.accept}


def too_long(limits: LimitSettings, plan: PolicyPlan, reach: Mapping[str, Reach]) -> Iterator[str]:
    """The routine's own limit must not end a notice that plays well, nor what follows it."""
    margin_ms = round(limits.notice_margin_s * 1_000)
    said: set[str] = set()
    for consent in reach["consent"]:
        asks = consent is not Consent.NOTICE
        fields = ["on_notice_failure", *(["on_refusal"] if asks else [])]
        kinds = {kind for field in fields for kind, _ in _said(field, reach[field])}
        prompts = [prompt for kind in kinds for prompt in plan.announcements.get(kind, {}).values()]
        after_ms = max((prompt.length_ms + margin_ms for prompt in prompts), default=0)
        after_ms += plan.grace_ms if asks else 0
        first = (plan.introduction or {}).values()
        before_ms = max((prompt.length_ms + margin_ms for prompt in first), default=0)
        notice = plan.notices[consent]
        for wording in notice.wordings.values():
            needed_s = (before_ms + wording.length_ms + margin_ms + after_ms) / 1_000
            label = notice.label(wording.language)
            problem = (
                f"limits.dialplan_s: policy {plan.name} needs {needed_s:.1f} s for notice {label}"
                ", its margin, the grace and an announcement"
            )
            if needed_s > limits.dialplan_s and problem not in said:
                said.add(problem)
                yield problem
