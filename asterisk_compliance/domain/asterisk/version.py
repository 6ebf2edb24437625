"""What an Asterisk can do, by its version (docs/versions.md). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

Version: TypeAlias = tuple[int, int]

_VERSION = re.compile(r"(?:certified[/-])?(\d{1,3})\.(\d{1,3})")


class Ability(StrEnum):
    """What not every Asterisk can. Without the first none is supported."""

    MIXMONITOR_EVENTS = "says over AMI what becomes of a recording"
    REST_BY_WEBSOCKET = "answers ARI requests over the WebSocket"
    NAMED_FILTERS = "filters AMI's events by name"
    SYNCHRONOUS = "keeps both directions of a recording together unasked"


FIRST: Final[Mapping[Ability, tuple[Version, ...]]] = {
    Ability.MIXMONITOR_EVENTS: ((16, 17), (18, 3)),
    Ability.REST_BY_WEBSOCKET: ((20, 14), (21, 9), (22, 4)),
    Ability.NAMED_FILTERS: ((22, 1),),
    Ability.SYNCHRONOUS: ((22, 0),),
}
"""First release of each branch; a branch that is not named never could, later ones all can."""

_INSTEAD: Final = {
    Ability.REST_BY_WEBSOCKET: (
        "no requests over the WebSocket: they go by HTTP, for twice the processor time"
    ),
    Ability.NAMED_FILTERS: "no eventfilter by name: write them as regular expressions",
}


def version_of(text: str) -> Version | None:
    """``None`` of what has no number, such as a build from git: it is taken to be able to all."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None


def can(version: Version | None, ability: Ability) -> bool:
    """Whether it is one of these releases, later in its branch, or of a later branch."""
    firsts = FIRST[ability]
    if version is None or version[0] > firsts[-1][0]:
        return True
    return any(version[0] == first[0] and version >= first for first in firsts)


def is_supported(version: Version | None) -> bool:
    return can(version, Ability.MIXMONITOR_EVENTS)


def lacking(version: Version | None) -> Iterator[str]:
    """What the service does in another way, because this Asterisk is older."""
    for ability, instead in _INSTEAD.items():
        if not can(version, ability):
            yield instead
