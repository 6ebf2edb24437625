"""What a person is told of a recording, for every level that the log can say."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.audit.projection import LEVELS
from asterisk_compliance.domain.recording.assurance_words import Recorded, recorded

SAID = {
    "requested": Recorded.OPEN,
    "dialplan": Recorded.OPEN,
    "started": Recorded.OPEN,
    "growing": Recorded.OPEN,
    "stalled": Recorded.OPEN,
    "empty": Recorded.EMPTY,
    "missing": Recorded.MISSING,
    "closed": Recorded.KEPT,
    "unjudged": Recorded.KEPT,
    "sealed": Recorded.KEPT,
    "removed": Recorded.GONE,
    "disposing": Recorded.KEPT,
    "disposed": Recorded.GONE,
}


@pytest.mark.parametrize("level", LEVELS)
def test_of_every_level_something_is_said(level: str) -> None:
    assert recorded(level) is SAID[level]


def test_there_are_no_others() -> None:
    assert set(SAID) == set(LEVELS)
    assert set(SAID.values()) == set(Recorded)
