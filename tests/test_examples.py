"""The folders of ``examples/``: whole, loadable, without a finding, and shown by the pages."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from asterisk_compliance.app.checks.dialplan import checked
from asterisk_compliance.app.dialplan.rendering import render_for
from asterisk_compliance.app.policy.prompts import policies_for
from asterisk_compliance.config.settings import Settings, load
from asterisk_compliance.shipped import catalogue
from documented import ROOT, page, sections, text_of
from lab.example import Scenario, files, prompts
from lab.prompt import write_notice
from test_docs_interface import EXAMPLE, installed

FOLDERS = sorted(path.parent for path in ROOT.glob("examples/*/extensions.conf"))
each = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def configured(tmp_path: Path, folder: Path) -> Settings:
    """The example configuration, with FastAGI and the folder's notices, policies and rules in the
    place of its own, as it would be installed; a prompt that does not ship is there too.
    """
    policies = text_of(folder / "policies.toml")
    text = re.sub(
        r"(?ms)^\[\[notice\]\].*?(?=^\[emergency\])", lambda _: f"{policies}\n", text_of(EXAMPLE)
    )
    config = installed(tmp_path, text.replace("#[asterisk.agi]", "[asterisk.agi]"))
    settings = load(config)
    for asterisk in settings.asterisk:
        for name in prompts(policies):
            for language in ("ja", "en"):
                if (name, language) not in catalogue.shipped_prompts():
                    write_notice(asterisk.sounds_path / language / f"{name}.wav")
        policies_for(asterisk, settings, str(config))
    return settings


BLOCK = r"(?:^    .*\n(?:\n(?=    ))?)+"


def lines_of(block: str) -> str:
    """An indented block, as it would stand in a file."""
    return re.sub(r"(?m)^    ", "", block).rstrip("\n")


@each
def test_an_example_is_whole(folder):
    there = {path.name for path in folder.iterdir()}
    assert there >= {"README.md", "extensions.conf", "policies.toml", "scenario.toml"}
    readme = text_of(folder / "README.md")
    assert [
        name for name in there - {"README.md", "scenario.toml"} if f"]({name})" not in readme
    ] == []
    assert Scenario.read(folder).call


@each
def test_its_policies_load_and_its_dialplan_has_the_findings_that_it_says(tmp_path, folder):
    settings = configured(tmp_path, folder)
    site = tmp_path / "etc"
    site.mkdir()
    shipped = catalogue.dialplan() / "compliance-features.conf"
    ours = {
        "compliance.conf": render_for(settings, settings.asterisk[0]),
        shipped.name: shipped.read_text("utf-8"),
    }
    for name, text in (files(folder) | ours).items():
        (site / name).write_text(text, "utf-8")
    found = checked(str(site / "extensions.conf"), settings, settings.asterisk[0], "")
    assert sorted(one.id for one in found) == sorted(Scenario.read(folder).findings)


def test_every_example_has_its_recipe_which_shows_its_lines():
    shown: Counter[str] = Counter()
    for title, body in sections(page("recipes.md"), 2).items():
        linked = re.findall(r"\]\(\.\./examples/([\w-]+)/README\.md\)", body)
        shown.update(linked)
        there = "\n".join(
            text_of(path) for name in linked for path in (ROOT / "examples" / name).iterdir()
        )
        blocks = map(lines_of, re.findall(rf"(?m){BLOCK}", body))
        assert [block for block in blocks if block not in there] == [], title
    assert shown == Counter(folder.name for folder in FOLDERS)


def test_the_page_about_freepbx_shows_the_files_of_its_example():
    """All of those that are the administrator's own, in which nobody else writes."""
    folder = ROOT / "examples/freepbx"
    text = page("freepbx.md")
    own = {
        path.name: text_of(path)
        for path in folder.glob("*.conf")
        if "Do not copy it" not in text_of(path)
    }
    shown = re.findall(rf"(?m)^(.*):\n\n({BLOCK})", text)
    for name, there in own.items():
        blocks = [lines_of(block) for before, block in shown if f"`{name}`" in before]
        assert blocks, f"{name} is not shown"
        assert [block for block in blocks if block not in there] == [], name
