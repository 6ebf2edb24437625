"""Which notices the parties of a policy can hear, and by what these tell their purposes."""

from __future__ import annotations

from collections.abc import Iterable

from asterisk_compliance.config.settings import NoticeSettings, PolicySettings, Settings
from asterisk_compliance.domain.policy.notice import Consent, ToldBy
from asterisk_compliance.domain.policy.reachability import applying_to, reachable


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
