"""A policy of the configuration before it is known which call asks for it. Pure.

Its own terms are only one voice: rules make them stricter, call by call. So a plan holds whatever
any call of it can need, and becomes a :class:`~asterisk_compliance.domain.policy.notice.Policy`
under the terms of one call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.policy.notice import (
    Announcement,
    Consent,
    ConsentKeys,
    Notice,
    OnPauseForgotten,
    OnWithdrawal,
    Policy,
    Prompt,
    Withdrawal,
    announcement_for,
)
from asterisk_compliance.domain.policy.terms import FIELDS, CallTerms, PolicyTerms
from asterisk_compliance.domain.purposes import PurposeCode
from asterisk_compliance.domain.retention.schedule import StatedRetention, told


def announcements_needed(terms: CallTerms) -> frozenset[Announcement]:
    """What may have to be said to a party whose call is not recorded, or not any more."""
    needed = {
        announcement_for(terms.on_notice_failure, refused=False),
        announcement_for(terms.on_recording_failure, refused=False),
    }
    if terms.consent is not Consent.NOTICE or terms.withdrawal is Withdrawal.ON:
        needed.add(announcement_for(terms.on_refusal, refused=True))
    return frozenset(filter(None, needed))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyPlan:
    """Everything about a policy but the terms of the call.

    Attributes:
        site: What the policy itself asks.
        notices: By what is asked of the party: a question needs other words than a notice.
        grace_ms, repeats_max: Where the party is asked; else they mean nothing.
        announcements: By kind and language; all that any call of it can need.
        needed: How long purposes need a recording, where the configuration says it.
    """

    name: str
    site: PolicyTerms
    notices: Mapping[Consent, Notice]
    languages: tuple[str, ...]
    keys: ConsentKeys
    grace_ms: int
    repeats_max: int
    announcements: Mapping[Announcement, Mapping[str, Prompt]]
    joined: Notice | None = None
    pause_max_ms: int = 600_000
    on_pause_forgotten: OnPauseForgotten = OnPauseForgotten.RESUME
    on_withdrawal: OnWithdrawal = OnWithdrawal.KEEP
    introduction: Mapping[str, Prompt] | None = None
    do_not_call: bool = False
    needed: Mapping[PurposeCode, Period] = field(default_factory=dict)

    def under(self, terms: CallTerms) -> Policy:
        """The policy of a call for which ``terms`` hold."""
        asks = terms.consent is not Consent.NOTICE
        needed = announcements_needed(terms)
        refused = announcement_for(terms.on_refusal, refused=True)
        if refused is not None and refused in self.announcements:
            needed |= {refused}  # staff may end a recording at a caller's wish
        notice = self.notices[terms.consent]
        policy = Policy(
            self.name,
            notice,
            self.languages,
            digest="",
            keys=self.keys,
            grace_ms=self.grace_ms if asks else 0,
            repeats_max=self.repeats_max if asks else 0,
            announcements={kind: self.announcements[kind] for kind in sorted(needed)},
            joined=self.joined,
            pause_max_ms=self.pause_max_ms,
            on_pause_forgotten=self.on_pause_forgotten,
            on_withdrawal=self.on_withdrawal,
            introduction=self.introduction,
            do_not_call=self.do_not_call,
            retention=self._told(notice, terms).texts(),
            **{name: getattr(terms, name) for name in FIELDS},
        )
        body = msgspec.json.encode(policy, order="sorted")
        return replace(policy, digest=hashlib.sha256(body).hexdigest())

    def _told(self, notice: Notice, terms: CallTerms) -> StatedRetention:
        return told(
            notice.purposes,
            self.needed,
            min_days=terms.retention_min_days,
            max_days=terms.retention_max_days,
            promised=(notice.retention, self.joined.retention if self.joined else None),
        )
