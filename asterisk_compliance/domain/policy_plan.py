"""A policy of the configuration before it is known which call asks for it. Pure.

Its own terms are only one voice: rules make them stricter, call by call. So a plan holds whatever
any call of it can need, and becomes a :class:`~asterisk_compliance.domain.notice.Policy` under the
terms of one call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from asterisk_compliance.domain.notice import (
    Announcement,
    Consent,
    Keys,
    Notice,
    OnPauseForgotten,
    OnWithdrawal,
    Policy,
    Prompt,
    Withdrawal,
    announcement_for,
)
from asterisk_compliance.domain.terms import FIELDS, CallTerms, Terms


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
    """

    name: str
    site: Terms
    notices: Mapping[Consent, Notice]
    languages: tuple[str, ...]
    keys: Keys
    grace_ms: int
    repeats_max: int
    announcements: Mapping[Announcement, Mapping[str, Prompt]]
    joined: Notice | None = None
    pause_max_ms: int = 600_000
    on_pause_forgotten: OnPauseForgotten = OnPauseForgotten.RESUME
    on_withdrawal: OnWithdrawal = OnWithdrawal.KEEP
    introduction: Mapping[str, Prompt] | None = None
    do_not_call: bool = False

    def under(self, terms: CallTerms) -> Policy:
        """The policy of a call for which ``terms`` hold."""
        asks = terms.consent is not Consent.NOTICE
        needed = announcements_needed(terms)
        refused = announcement_for(terms.on_refusal, refused=True)
        if refused is not None and refused in self.announcements:
            needed |= {refused}  # staff may end a recording at a caller's wish
        policy = Policy(
            self.name,
            self.notices[terms.consent],
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
            **{field: getattr(terms, field) for field in FIELDS},
        )
        body = msgspec.json.encode(policy, order="sorted")
        return replace(policy, digest=hashlib.sha256(body).hexdigest())
