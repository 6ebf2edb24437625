"""The documentation says what can be set and asked: every setting, the example, every command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner

from asterisk_compliance.age import new_identity
from asterisk_compliance.app.policy.prompts import policies_for
from asterisk_compliance.cli.main import app
from asterisk_compliance.config.settings import load
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.shipped.catalogue import shipped_purposes
from documented import ROOT, TABLES, page, pages, sections, settings, table, text_of

EXAMPLE = ROOT / "examples/compliance.toml"
TEXTS_OF_A_SITE = {"[publication]", "[[publication.recipient]]"}
"""Tables of which the example shows what could stand there: nobody has a default address."""
PROGRAM = "asterisk-compliance"


def test_every_table_of_the_configuration_is_documented_and_no_other():
    documented = {heading for heading in sections(page("configuration.md"), 2) if "[" in heading}
    assert documented == set(TABLES)


@pytest.mark.parametrize("heading", TABLES)
def test_every_setting_is_documented_with_its_default_and_no_other(heading):
    cells = table(sections(page("configuration.md"), 2)[heading])[1:]
    documented = {line[0].strip("`"): line[2] for line in cells}
    assert documented == settings(TABLES[heading])
    assert all(line[1] and line[3] for line in cells)


def test_every_purpose_and_every_word_of_a_policy_is_named():
    text = page("configuration.md")
    for value in [
        *shipped_purposes(),
        *(f'"{word}"' for words in (CaptureFrom, Consent, OnProblem) for word in words),
    ]:
        assert f"`{value}`" in text


# -- the example configuration -----------------------------------------------------------------


def installed(tmp_path: Path, text: str) -> Path:
    """The example on this machine: its paths below ``tmp_path``, prompts and secrets in place."""
    home = tmp_path / "home"
    for path in sorted(set(re.findall(r'"(/[a-z][^"]*)"', text)), key=len, reverse=True):
        text = text.replace(f'"{path}"', f'"{home}{path}"')
    for name in ("ari", "ami", "crm"):
        secret = home / f"etc/asterisk-compliance/{name}.secret"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("A" * 32 + "\n")  # a password, and 24 bytes in base64
    sounds = home / "usr/local/share/asterisk-compliance/sounds"
    assert CliRunner().invoke(app, ["sounds", "install", str(sounds)]).exit_code == 0
    for who in ("OFFICER", "DEPUTY"):
        text = text.replace(f"AGE1-OF-THE-{who}", new_identity()[1])
    config = tmp_path / "compliance.toml"
    config.write_text(text, "utf-8")
    return config


def _with_everything(text: str) -> str:
    """The example with every setting that is commented out taken in."""
    return re.sub(r"(?m)^#(?=[\w\[])", "", text)


@pytest.mark.parametrize("variant", [str, _with_everything])
def test_the_example_configuration_loads(tmp_path, variant):
    config = installed(tmp_path, variant(text_of(EXAMPLE)))
    loaded = load(config)
    policies = policies_for(loaded.asterisk[0], loaded, str(config))
    assert set(policies.by_name) == {"inbound", "direct"}


def test_the_example_configuration_does_not_load_before_it_names_the_officer(tmp_path):
    """A key that stood there would be taken over, and nobody would have its other half."""
    text = text_of(EXAMPLE)
    config = installed(tmp_path, text)
    config.write_text(re.sub(r"(?m)^recipients = .*", "", config.read_text()))
    with pytest.raises(ConfigError, match="asterisk-compliance init makes the officer's keys"):
        load(config)
    assert not re.search(r"age1[0-9a-z]{10}", text)


def _shown_defaults(text: str) -> Iterator[tuple[str, str, str]]:
    """Table, setting and value of each line of the example that is commented out."""
    heading = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"#?(\[+[\w.]+\]+)", line):
            heading = re.sub(r"(?<=wording\.)\w+", "LANGUAGE", match[1])
        elif match := re.fullmatch(r"#(\w+)(?:\.\w+)? = (.+)", line):
            yield heading, match[1], match[2]


def test_the_example_configuration_has_every_setting_and_shows_the_defaults():
    text = text_of(EXAMPLE)
    for heading, model in TABLES.items():
        for name in settings(model):
            assert re.search(rf"(?m)^[#(].*\b{name}\b|^{name} =", text), f"{heading} {name}"
    of_a_site = (TABLES[heading].model_fields for heading in ("[[purpose]]", "[[role]]"))
    optional = {"page", "published", *(name for fields in of_a_site for name in fields)}
    for heading, name, value in _shown_defaults(text):
        default = settings(TABLES[heading])[name]
        if heading in TEXTS_OF_A_SITE:
            continue
        if default not in {"none", "required"} and name not in optional:
            assert default == f"`{value}`", f"{heading} {name}"


# -- commands ----------------------------------------------------------------------------------


def _commands() -> dict[str, set[str]]:
    """Every command, with its options."""
    found: dict[str, set[str]] = {}

    def walk(command: object, name: str) -> None:
        options = {
            option
            for parameter in command.params  # type: ignore[attr-defined]
            for option in getattr(parameter, "opts", [])
            if option.startswith("-") and "completion" not in option and option != "--help"
        }
        group = command if isinstance(command, TyperGroup) else None
        if group is None or options:
            found[name] = options
        for child in group.list_commands(context) if group else ():
            walk(group.get_command(context, child), f"{name} {child}")

    whole = typer.main.get_command(app)
    context = typer.Context(whole)
    walk(whole, PROGRAM)
    return found


COMMANDS = _commands()


def test_every_command_is_documented_and_no_other():
    assert set(sections(page("commands.md"), 2)) == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_documented_and_no_other(command):
    body = sections(page("commands.md"), 2)[command]
    documented = {
        option
        for line in re.findall(r"(?m)^- (.*)$", body)
        for option in re.findall(r"`(--?[a-z-]+)`", line.partition(":")[0])
    }
    assert documented == COMMANDS[command]


def _spoken(text: str) -> Iterator[list[str]]:
    """The words after the program's name, for each use of it in code."""
    spans = re.findall(r"`([^`\n]+)`", text)
    lines = re.findall(r"(?m)^(?: {4}|\$ )?(\S*asterisk-compliance [a-z-].*)$", text)
    for code in [*spans, *lines]:
        for match in re.finditer(rf"(?<!-u)(?:^|[\s/$=]){PROGRAM} ([^|#;`>]+)", code):
            words = re.split(r"\s{3,}", match[1])[0]
            yield words.replace("'", " ").split()


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_command_that_a_page_speaks_of_exists(path):
    for words in _spoken(text_of(path)):
        if words[0] in _PROSE:
            continue
        fits = [name for name in COMMANDS if f"{PROGRAM} {' '.join(words)} ".startswith(f"{name} ")]
        command = max(fits, key=len, default=PROGRAM)
        assert command != PROGRAM or words[0].startswith("-"), " ".join(words)
        options = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert options <= COMMANDS[command] | OF_ALL, " ".join(words)


OF_ALL = {"--help", "--install-completion", "--show-completion", "-"}
"""What is no option of ours."""
_PROSE = frozenset({"is"})
"""What follows the program's name where a page speaks of the program, not of a command."""
