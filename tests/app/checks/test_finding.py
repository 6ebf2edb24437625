"""Every finding about a site is documented with its severity, says what to do, and is made here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asterisk_compliance.app.checks.finding import (
    OperatorFindingId,
    SiteFindingId,
    found,
    severity_of,
)
from documented import page, sections, table

TESTS = Path(__file__).parents[2]


def documented() -> dict[str, str]:
    lines = [
        line
        for name, body in sections(page("check.md"), 2).items()
        if name.startswith("Findings ")
        for line in table(body)[1:]
    ]
    return {line[0].strip("`"): line[1].strip("`") for line in lines}


def test_every_finding_is_documented_with_its_severity_and_no_other() -> None:
    assert documented() == {str(one): str(severity_of(one)) for one in SiteFindingId}


@pytest.mark.parametrize("which", SiteFindingId)
def test_every_finding_says_what_to_do(which: SiteFindingId) -> None:
    one = found(which, "somewhere", "something")
    assert one.todo
    assert one.severity is severity_of(which)
    assert found(which, "somewhere", "something", "else").todo == "else"
    pages = re.findall(r"docs/([\w-]+\.md)", one.todo)
    assert all(page(name) for name in pages)


def test_an_id_means_one_thing() -> None:
    assert not set(map(str, SiteFindingId)) & set(map(str, OperatorFindingId))


def test_every_finding_is_produced_by_a_test() -> None:
    texts = [path.read_text("utf-8") for path in TESTS.rglob("test_*.py")]
    made = {name for text in texts for name in re.findall(r"\bIt\.([A-Z_]+)", text)}
    made |= {name for text in texts for name in re.findall(r'"([A-Z_]+)"', text)}
    assert set(map(str, SiteFindingId)) <= made
