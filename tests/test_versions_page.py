"""``docs/versions.md`` says what the program and the matrix do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asterisk_compliance.domain.asterisk.version import FIRST, Ability, can
from lab.matrix import SUITES

PAGE = (Path(__file__).parents[1] / "docs/versions.md").read_text("utf-8")
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", PAGE, re.MULTILINE))


@pytest.mark.parametrize("ability", Ability)
def test_the_page_names_the_first_releases(ability: Ability) -> None:
    told = tuple((int(a), int(b)) for a, b in re.findall(r"(\d+)\.(\d+)", ROWS[ability]))
    assert told == FIRST[ability]


def test_the_page_names_what_the_matrix_runs_on() -> None:
    assert [suite for suite in SUITES if suite not in ROWS] == []
    assert f"# {', '.join(SUITES)}" in PAGE


@pytest.mark.parametrize(
    ("version", "abilities"),
    [
        ((16, 28), {Ability.MIXMONITOR_EVENTS}),
        ((20, 14), {Ability.MIXMONITOR_EVENTS, Ability.REST_BY_WEBSOCKET}),
        ((22, 0), {Ability.MIXMONITOR_EVENTS, Ability.SYNCHRONOUS}),
        ((22, 1), set(Ability) - {Ability.REST_BY_WEBSOCKET}),
        ((22, 4), set(Ability)),
        (None, set(Ability)),
    ],
)
def test_each_release_can_what_its_branch_got(
    version: tuple[int, int] | None, abilities: set[Ability]
) -> None:
    assert {one for one in Ability if can(version, one)} == abilities
