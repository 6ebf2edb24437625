"""The page about recording, from the same configuration as the prompts.

What stands in it is what calls are told and what is done: the purposes of the notices that callers
can hear, with the phrases by which these name them, and how long recordings are kept. The same
configuration makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from asterisk_compliance.app.policy.configuration import Configuration
from asterisk_compliance.app.policy.policies import notices_heard
from asterisk_compliance.app.policy.prompts import needed_for, purposes_of
from asterisk_compliance.config.settings import NoticeSettings, PolicySettings, Settings
from asterisk_compliance.domain.deadlines import LEGAL, SUIT, Regime
from asterisk_compliance.domain.disclosure.published_page import (
    Controller,
    PublishedLog,
    PublishedNotice,
    PublishedPage,
    PublishedPeriod,
    PublishedPurpose,
    PublishedRecipient,
    Requests,
)
from asterisk_compliance.domain.periods import Period, days
from asterisk_compliance.domain.policy.notice import Consent, ToldBy, Wording
from asterisk_compliance.domain.policy.reachability import applying_to, lowest, reachable
from asterisk_compliance.domain.purposes import Purpose, PurposeCode


@dataclass(slots=True)
class _Heard:
    """A notice that callers can hear, by which policies, and what these ask."""

    notice: NoticeSettings
    wordings: Mapping[str, Wording]
    policies: list[PolicySettings] = field(default_factory=list)
    asks: set[Consent] = field(default_factory=set)

    @property
    def by_publication(self) -> bool:
        return self.notice.purposes_told_by is ToldBy.PUBLICATION


def page_of(configuration: Configuration) -> PublishedPage:
    """What the site has to publish."""
    settings = configuration.settings
    controller, own = settings.controller, settings.publication
    heard = list(_heard(configuration))
    return PublishedPage(
        address=controller.page,
        published=controller.published.isoformat() if controller.published else "",
        controller=Controller(
            name=own.name or dict.fromkeys(("en", "ja"), controller.name),
            address=own.address,
            representative=own.representative,
            contact=controller.contact,
        ),
        purposes=tuple(_purposes(settings, heard)),
        interests=own.interests,
        notices=tuple(map(_notice, heard)),
        requests=_requests(settings),
        measures=tuple(sorted(_measures(settings))),
        security=own.security,
        recipients=tuple(PublishedRecipient(**one.model_dump()) for one in own.recipient),
        complaints=own.complaints,
        authority=own.authority,
        log=PublishedLog(
            site=settings.audit.site or urlsplit(controller.page).hostname or "",
            fingerprint=controller.fingerprint,
        ),
    )


def _heard(configuration: Configuration) -> Iterator[_Heard]:
    """In the order of the configuration; a notice that no policy plays is not published."""
    settings = configuration.settings
    wordings: dict[str, dict[str, Wording]] = {}
    for policies in configuration.policies.values():
        for entry in policies.registered:
            wordings.setdefault(entry.notice.id, {})[entry.wording.language] = entry.wording
    found = {one.id: _Heard(one, wordings.get(one.id, {})) for one in settings.notice}
    for policy in settings.policy:
        reach = reachable(applying_to(settings.every_rule, policy.name), policy.terms)
        for notice in notices_heard(settings, policy):
            found[notice.id].policies.append(policy)
            found[notice.id].asks |= {
                consent for consent in reach["consent"] if policy.notice_for(consent) == notice.id
            }
    return (one for one in found.values() if one.policies)


def _notice(heard: _Heard) -> PublishedNotice:
    notice = heard.notice
    return PublishedNotice(
        id=notice.id,
        version=notice.version,
        purposes=notice.purposes,
        told_by=notice.purposes_told_by,
        asks=tuple(consent for consent in Consent if consent in heard.asks),
        words={language: one.text for language, one in sorted(heard.wordings.items())},
        sha256={language: one.text_digest for language, one in sorted(heard.wordings.items())},
    )


def _purposes(settings: Settings, heard: Sequence[_Heard]) -> Iterator[PublishedPurpose]:
    known = purposes_of(settings)
    for code in dict.fromkeys(code for one in heard for code in one.notice.purposes):
        purpose = known[PurposeCode(code)]
        telling = [one for one in heard if code in one.notice.purposes]
        basis = settings.publication.basis.get(code)
        yield PublishedPurpose(
            code=code,
            label=dict(sorted(purpose.label.items())),
            said=_said(purpose, telling),
            told_by=tuple(sorted({str(one.notice.purposes_told_by) for one in telling})),
            dpv=purpose.dpv,
            basis=basis or "",
            basis_dpv=basis.dpv if basis else "",
            kept=_kept(settings, code, telling),
        )


def _said(purpose: Purpose, telling: Iterable[_Heard]) -> Mapping[str, tuple[str, ...]]:
    """The longest phrase of the purpose in each of its notices."""
    said: dict[str, dict[str, None]] = {}
    for one in telling:
        for language, wording in sorted(one.wordings.items()):
            phrase = purpose.phrase_in(wording.text, language)
            if phrase and not one.by_publication:
                said.setdefault(language, {})[phrase] = None
    return {language: tuple(phrases) for language, phrases in sorted(said.items())}


def _kept(settings: Settings, code: str, telling: Sequence[_Heard]) -> PublishedPeriod:
    """What holds for every recording that may serve a purpose, whichever policy made it."""
    policies = {policy.name: policy for one in telling for policy in one.policies}
    floors = [
        lowest(applying_to(settings.every_rule, policy.name), policy.terms)
        for policy in policies.values()
    ]
    least = [floor.retention_min_days for floor in floors]
    most = [
        _most(settings, policy, floor.retention_max_days)
        for policy, floor in zip(policies.values(), floors, strict=True)
    ]
    return PublishedPeriod(
        needed=str(needed_for(settings).get(PurposeCode(code), "")),
        at_least=str(days(min(filter(None, least)))) if all(least) else "",
        at_most=str(_longest(most) or ""),
    )


def _most(settings: Settings, policy: PolicySettings, max_days: int | None) -> Period | None:
    """The longest that any recording of a policy is kept: by its maximum, and by its notices."""
    notices = {notice.id: notice for notice in settings.notice}
    always = [days(max_days)] if max_days else []
    if policy.notice_joined and (promised := notices[policy.notice_joined].retention):
        always.append(promised)
    ends: list[Period | None] = []
    for consent in reachable(applying_to(settings.every_rule, policy.name), policy.terms)[
        "consent"
    ]:
        own = notices[policy.notice_for(consent)].retention
        ends.append(min([*always, *filter(None, [own])], key=_days, default=None))
    return _longest(ends)


def _longest(periods: Iterable[Period | None]) -> Period | None:
    """``None`` if one of them has no end."""
    found = list(periods)
    return None if None in found else max(filter(None, found), key=_days)


def _days(period: Period) -> int:
    return period.shortest_days


def _requests(settings: Settings) -> Requests:
    """The law's time where it has one and we promise no shorter one."""
    asked = settings.requests
    legal = LEGAL.get(asked.regime)
    promise = asked.promise or (None if legal else SUIT[Regime.JP])
    times = [period for period in (legal, promise) if period is not None]
    within = min(times, key=_days)
    return Requests(
        procedure=settings.publication.procedure,
        answered_within=str(within),
        by_law=within == legal,
        fee=asked.fee,
        hearing_number=settings.publication.hearing_number,
    )


def _measures(settings: Settings) -> Iterator[str]:
    """What this program does for security under this configuration."""
    yield from ("used-for", "nameless")
    if settings.vault.encryption == "age":
        yield "encrypted"
    if settings.audit.checkpoints_to:
        yield "log-deposited"
