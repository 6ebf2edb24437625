"""Every page is in the index; what the pages for administrators say of presets, and show as
configuration, is so."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

import pytest

from asterisk_compliance.app.install.asterisk import OURS
from asterisk_compliance.domain.policy.terms import FIELDS, PolicyTerms
from asterisk_compliance.shipped.presets import PresetStatus, shipped_presets
from documented import ROOT, page, pages, sections, table, text_of
from sample_settings import accepted, raw

INDEX = "README.md"
COUNTRIES = "countries.md"


def test_every_page_is_in_the_index_once_and_says_what_it_is_for():
    there = {str(path.relative_to(ROOT / "docs")) for path in pages() if path.parent.name == "docs"}
    named = [cells[0] for cells in table(page(INDEX)) if cells[0] != "page"]
    first = [re.findall(r"\]\(([^)]+)\)", cell) for cell in named]
    once = [link for cell in first for link in cell]
    assert there - {INDEX} <= set(once)
    assert sorted(once) == sorted(set(once)), "in two parts"
    assert all(len(cells) == 2 and cells[1] for cells in table(page(INDEX)))


def test_the_readme_leads_to_the_index():
    for name in ("README.md", "README.ja.md"):
        assert "](docs/README.md)" in text_of(ROOT / name)


# -- the first hour ----------------------------------------------------------------------------

HOURS = ("first-hour.md", "first-hour.ja.md")


@pytest.mark.parametrize("name", HOURS)
def test_the_first_hour_names_the_lines_that_init_names(name):
    lines = {cells[0].strip("`"): cells[2].strip("`") for cells in table(page(name))}
    for file, ours in OURS.items():
        assert lines[file] == f"#include {ours}"
    assert "same => n,Gosub(compliance-notice,s,1(inbound))" in page(name)


def test_the_japanese_first_hour_shows_the_same_commands_links_and_tables():
    english, japanese = map(page, HOURS)
    for pattern in (r"(?m)^    .+$", r"\]\((?!#)([^)\s]+)\)", r"(?m)^#+ ", r"(?m)^\|"):
        found = [Counter(re.findall(pattern, text)) for text in (english, japanese)]
        said = [{key.replace("みなと商会", "Minato"): n for key, n in one.items()} for one in found]
        assert said[0] == said[1], pattern
        assert found[0].total() > 5


# -- by country --------------------------------------------------------------------------------

ADDED = {"us-connecticut-tone"}
"""No place of its own: named beside another preset."""


def asked(terms: PolicyTerms) -> list[tuple[str, object]]:
    values = ((name, getattr(terms, name)) for name in FIELDS)
    return [(name, value) for name, value in values if value is not None]


def _section(preset: str) -> str:
    (line,) = [cells for cells in table(page(COUNTRIES)) if cells[1:2] == [f"`{preset}`"]]
    title = re.findall(r"\[(.+)\]", line[0])[0]
    return " | ".join(line) + sections(page(COUNTRIES), 2)[title]


@pytest.mark.parametrize("preset", shipped_presets().values(), ids=lambda preset: preset.about.name)
def test_a_country_says_what_its_preset_does_and_how_sure_that_is(preset):
    name = preset.about.name
    said = page(COUNTRIES) if name in ADDED else _section(name)
    assert f"`{name}`" in said
    assert ("not verified" in said) == (preset.about.status is PresetStatus.UNVERIFIED) or (
        name == "us-all-party"  # its section names the example beside it
    )
    for rule in preset.rules:
        for term, value in asked(rule.terms):
            assert f"`{term}` = {value}" in said, (rule.id, term)
        assert f"`{rule.id}`" in said or preset.about.status is PresetStatus.UNVERIFIED
        for source in rule.source:
            assert source.checked in said, (rule.id, source)


def test_no_country_is_named_that_has_no_preset():
    named = {cells[1].strip("`") for cells in table(page(COUNTRIES)) if cells[0].startswith("[")}
    assert named == set(shipped_presets()) - ADDED


# -- what is shown as configuration ------------------------------------------------------------


@pytest.mark.parametrize(
    "shown",
    [
        block
        for name in (COUNTRIES, "own-voice.md")
        for block in re.findall(r"(?ms)^```toml\n(.*?)^```", page(name))
        if "[[notice]]" in block or "[rules]" in block
    ],
)
def test_a_configuration_that_a_page_shows_is_accepted(shown):
    value = raw()
    for name, entries in tomllib.loads(shown).items():
        value[name] = entries
    if "policy" not in tomllib.loads(shown):
        value["policy"][0]["notice"] = value["notice"][0]["id"]
    assert accepted(value)
