"""Which policies record while the service is not there, and what their dialplan is given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from asterisk_compliance.app.policy.policies import Policies
from asterisk_compliance.config.settings import AsteriskSettings, Settings
from asterisk_compliance.domain.call.dialplan_fallback import Promise, promises
from asterisk_compliance.domain.policy.notice import Fallback
from asterisk_compliance.ids import NodeName


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
