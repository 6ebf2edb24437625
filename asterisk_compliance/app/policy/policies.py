"""Which policy holds for a call: the one that its dialplan names, as the rules change it.

A policy is built once for each set of terms that occurs. A call then costs one look at the rules
and one in a dictionary, or only the latter where no rule can match the policy.

Also here: which notices the parties of a policy can hear, and what a policy promises for calls
that the dialplan records while the service is down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from asterisk_compliance.app.policy.arrivals import facts_of
from asterisk_compliance.config.settings import (
    AsteriskSettings,
    NoticeSettings,
    PolicySettings,
    Settings,
)
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.dialplan_fallback import Promise, promises
from asterisk_compliance.domain.disclosure.publication import NOT_PUBLISHED, Publication
from asterisk_compliance.domain.phone_numbers import comparable
from asterisk_compliance.domain.policy.notice import (
    Consent,
    Fallback,
    Notice,
    Policy,
    ToldBy,
    Wording,
)
from asterisk_compliance.domain.policy.plan import PolicyPlan
from asterisk_compliance.domain.policy.reachability import Reach, applying_to, lowest, reachable
from asterisk_compliance.domain.policy.rules import PolicyRule, resolve
from asterisk_compliance.domain.policy.terms import CallTerms, settled
from asterisk_compliance.ids import NodeName


@dataclass(frozen=True, slots=True)
class RegisteredNotice:
    """One wording as it goes into the content store: its words and its prompt's bytes."""

    notice: Notice
    wording: Wording
    audio: bytes


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """What holds for one call.

    Attributes:
        policy: Or the reason why there is none.
        rules: Ids of the rules that applied, sorted.
        published: The purposes stand on their page, on the day of the call.
    """

    policy: Policy | Reason
    rules: tuple[str, ...] = ()
    published: bool = True


class Policies:
    """What one Asterisk's calls can ask for.

    Attributes:
        by_name: The policies where no rule applies but those that apply to every call.
        plans: The same, before the terms of a call are known.
        said: Prompts to which rows point and which are no notices, as bytes.
        publication: The page on which purposes are published.
    """

    def __init__(
        self,
        plans: Mapping[str, PolicyPlan],
        registered: Sequence[RegisteredNotice],
        rules: Sequence[PolicyRule] = (),
        home: str | None = None,
        said: Sequence[bytes] = (),
        publication: Publication = NOT_PUBLISHED,
    ) -> None:
        self.plans = plans
        self.registered = tuple(registered)
        self.said = tuple(said)
        self.publication = publication
        self._rules = {name: applying_to(rules, name) for name in plans}
        self.by_name = {
            name: plan.under(settled(lowest(self._rules[name], plan.site)))
            for name, plan in plans.items()
        }
        self._home = home
        self._built: dict[tuple[str, CallTerms], Policy] = {}

    @property
    def longest_prompt_ms(self) -> int:
        """Of a notice, and of what is said before it."""
        said = (plan.introduction or {} for plan in self.plans.values())
        first = max((one.length_ms for prompts in said for one in prompts.values()), default=0)
        notices = (entry.wording.length_ms for entry in self.registered)
        return max(first, *notices, 0)

    def with_digest(self, name: str, digest: str) -> Policy | None:
        """The policy of this name that said just this, if a call of this configuration had it."""
        built = (policy for (of, _), policy in self._built.items() if of == name)
        known = (self.by_name[name], *built) if name in self.by_name else ()
        return next((policy for policy in known if policy.digest == digest), None)

    @property
    def home(self) -> str | None:
        """Country of the site, if it is known."""
        return self._home

    def comparable(self, number: str) -> str:
        """A number in the form in which it is compared with others of this site."""
        return comparable(number, self._home)

    def reach(self, name: str) -> Mapping[str, Reach]:
        """What each field of a policy can be, call by call."""
        return reachable(self._rules[name], self.plans[name].site)

    def apply(
        self,
        asked: Mapping[str, str] | Reason,
        *,
        number: str,
        dialled: str,
        language: str,
        at: datetime | None = None,
    ) -> AppliedPolicy:
        """What holds for an arriving call.

        Args:
            asked: What the routine passed, or what is wrong with it.
            number: The caller's, as Asterisk has it.
            dialled: As Asterisk has it.
            language: The channel's.
            at: Now, unless it is given.
        """
        if isinstance(asked, Reason):
            return AppliedPolicy(asked)
        name = asked["policy"]
        if name not in self.plans:
            return AppliedPolicy(Reason.POLICY_UNKNOWN)
        rules = self._rules[name]
        now = at or datetime.now(UTC)
        published = self.publication.holds_at(now)
        if not rules:
            return AppliedPolicy(self.by_name[name], published=published)
        facts = facts_of(
            asked,
            number=number,
            dialled=dialled,
            language=language,
            home=self._home,
            at=now,
        )
        resolution = resolve(rules, facts, self.plans[name].site)
        if resolution.conflicts:
            return AppliedPolicy(Reason.RULES_CONFLICT, resolution.applied)
        return AppliedPolicy(self._policy(name, resolution.terms), resolution.applied, published)

    def _policy(self, name: str, terms: CallTerms) -> Policy:
        built = self._built.get((name, terms))
        if built is None:
            built = self._built[name, terms] = self.plans[name].under(terms)
        return built


def digest_of(rules: Sequence[PolicyRule]) -> str:
    """SHA-256, hex, over the rules; in which order they stand does not count."""
    body = msgspec.json.encode(
        sorted(rules, key=lambda rule: rule.id), enc_hook=_zone, order="sorted"
    )
    return hashlib.sha256(body).hexdigest()


def _zone(value: object) -> str:
    assert isinstance(value, ZoneInfo)
    return value.key


def notices_heard(
    settings: Settings, policy: PolicySettings, consents: Iterable[Consent] | None = None
) -> tuple[NoticeSettings, ...]:
    """The notices of a policy, as the configuration has them, in its order.

    Args:
        settings: Right ones.
        policy: One of them.
        consents: What is asked of its callers; unless given, whatever its rules can ask.
    """
    if consents is None:
        consents = reachable(applying_to(settings.every_rule, policy.name), policy.terms)["consent"]
    heard = {policy.notice_joined, *map(policy.notice_for, consents)}
    return tuple(notice for notice in settings.notice if notice.id in heard)


def relies_on_page(notices: Iterable[NoticeSettings]) -> bool:
    """Whether somebody who hears these is told the purposes by publication."""
    return any(notice.purposes_told_by is ToldBy.PUBLICATION for notice in notices)


class Rendered(NamedTuple):
    """A promise, and what the dialplan needs besides.

    Attributes:
        sound: What it plays: an absolute path without extension.
        margin_ms: So much longer than its prompt a playback takes at most.
    """

    promise: Promise
    sound: str
    margin_ms: int


def promised(asterisk: AsteriskSettings, settings: Settings, policies: Policies) -> list[Rendered]:
    """What the dialplan of one Asterisk promises; nothing, unless a policy says ``record``."""
    return list(_promised(NodeName(asterisk.node), settings, policies))


def _promised(node: NodeName, settings: Settings, policies: Policies) -> Iterator[Rendered]:
    margin_ms = round(settings.limits.notice_margin_s * 1_000)
    for chosen in settings.policy:
        if chosen.fallback is Fallback.RECORD:
            policy = policies.by_name[chosen.name]
            for promise in promises(node, policy):
                media = policy.notice.wordings[promise.language].media
                yield Rendered(promise, media.removeprefix("sound:"), margin_ms)
