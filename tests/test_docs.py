"""The documentation says what the code does: closed lists, settings, commands, links, examples."""

from __future__ import annotations

import ast
import re
import types
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typer.testing import CliRunner

from asterisk_compliance.app.dialplan import render_default
from asterisk_compliance.app.marks import Mark
from asterisk_compliance.app.prompts import policies_for
from asterisk_compliance.app.result import (
    MIXMONITOR_ID_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
)
from asterisk_compliance.catalogue import shipped_purposes
from asterisk_compliance.cli.main import app
from asterisk_compliance.config import Settings, load
from asterisk_compliance.domain.decision import DIALPLAN_REASONS, Reason, Status
from asterisk_compliance.domain.notice import CaptureFrom
from asterisk_compliance.domain.recording import Direction, Length
from asterisk_compliance.domain.rows import Actor, Kind
from lab.asterisk import Asterisk
from lab.rootfs import obtain

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asterisk_compliance"
EXAMPLE = ROOT / "examples/compliance.toml"
PROGRAM = "asterisk-compliance"

NOT_OURS = frozenset(
    """
    read_only format_wav res_ari res_stasis res_agi chan_pjsip user_version party_values
    party_digests app_stack app_stasis app_mixmonitor app_exec mixmonitor_start from_notice
    service_stopped service_started hand_over
    """.split()  # noqa: SIM905 - easier to read
)
"""Names with an underscore that the pages mention and that are no kind, detail or setting."""
NOT_OUR_CODES = frozenset(
    """
    ANSWER SUCCESS ARG1 ARRAY AGIEXITONHANGUP GOSUB_RETVAL MIXMONITOR_FILENAME UNIQUEID EPOCH
    STASISSTATUS FAILED DIR LANGUAGE NAME CALL FIELD COMPLIANCE_CDR SIZE README DELETE FILE
    CHANGELOG LICENSES
    """.split()  # noqa: SIM905 - easier to read
)
"""Names in capitals that the pages mention and that are no code of ours."""


# -- reading pages -----------------------------------------------------------------------------


def pages() -> list[Path]:
    """Every page of the project, wherever it is."""
    skipped = {"demo-output", "dist", "build", "node_modules"}
    found = [
        path
        for path in ROOT.rglob("*.md")
        if not any(part.startswith(".") or part in skipped for part in path.relative_to(ROOT).parts)
    ]
    assert len(found) > 10
    return sorted(found)


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


def page(name: str) -> str:
    return text_of(ROOT / "docs" / name)


def sections(text: str, level: int) -> dict[str, str]:
    """What stands under each heading of ``level``; the heading without back quotes is the key."""
    parts = re.split(rf"(?m)^{'#' * level} +(.+)$", text)[1:]
    bodies = dict(zip(parts[::2], parts[1::2], strict=True))
    higher = re.compile(rf"(?m)^{'#' * (level - 1)} ") if level > 1 else re.compile(r"(?!)")
    return {key.replace("`", ""): higher.split(body)[0] for key, body in bodies.items()}


def table(text: str) -> list[list[str]]:
    """The cells of the table lines in ``text``, without headings and rules."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
        if not set(line) <= set("|- ")
    ]


def first_cells(text: str) -> set[str]:
    """Names in back quotes in the first cell of each line of the tables in ``text``."""
    return {name for cells in table(text) for name in re.findall(r"`([^`]+)`", cells[0])}


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"(?ms)^```.*?^```$|^    .*?$", "", text))


# -- closed lists ------------------------------------------------------------------------------

KINDS_PAGE = "audit-kinds.md"


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("Statuses", set(Status)),
        ("Reasons", {*Reason, *DIALPLAN_REASONS}),
        ("Marks", set(Mark)),
    ],
)
def test_a_closed_list_is_documented_whole_and_nothing_else(section, values):
    assert first_cells(sections(page(KINDS_PAGE), 2)[section]) == set(map(str, values))


def test_every_actor_is_documented():
    documented = first_cells(sections(page(KINDS_PAGE), 2)["Actors"])
    assert {name for name in documented if "…" not in name} == set(map(str, Actor))


def test_every_verdict_value_is_documented():
    values = sections(page(KINDS_PAGE), 2)["Verdict values"]
    headings = {"length", "rx", "tx", "problem"}
    documented = first_cells(values) - headings
    assert documented == {*map(str, Length), *map(str, Direction), *_keyword_values("problem")}


def test_every_anomaly_code_is_documented():
    documented = first_cells(sections(page(KINDS_PAGE), 2)["Anomaly codes"])
    assert documented == _anomaly_codes()


def test_every_kind_is_documented_and_written_by_the_code():
    documented = set(sections(page(KINDS_PAGE), 3))
    assert documented == set(map(str, Kind))
    assert set(_details()) == documented, "a kind that nothing writes, or that we do not see"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_is_documented_with_its_details_and_actor(kind):
    body = sections(page(KINDS_PAGE), 3)[kind]
    bullets = re.findall(r"(?m)^- ((?:`[^`]+`(?:, )?)+):", body)
    documented = {name for names in bullets for name in re.findall(r"`([^`]+)`", names)}
    assert documented == _details()[kind]
    assert "Actor" in body
    if not documented:
        assert "No details." in body


def _calls() -> Iterator[ast.Call]:
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Call):
                yield node


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


def _keyword_values(name: str) -> set[str]:
    """The texts that calls in the package give to a keyword."""
    return {
        keyword.value.value
        for call in _calls()
        for keyword in call.keywords
        if keyword.arg == name
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


def _kind_of(call: ast.Call) -> str | None:
    """The ``Kind`` among the positional arguments of a call, unless it only looks something up."""
    if _called(call) not in {"AppendRow", "Draft", "_draft", "row", "recording_row"}:
        return None
    for argument in call.args:
        match argument:
            case ast.Attribute(value=ast.Name(id="Kind"), attr=name):
                return str(Kind[name])
    return None


@cache
def _details() -> Mapping[str, set[str]]:
    """Which details the package gives to rows of each kind, as far as its text tells."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in _calls():
        if _called(call) == "anomaly_row":
            found[Kind.ANOMALY] |= {"code", *(k.arg for k in call.keywords if k.arg)}
        kind = _kind_of(call)
        if kind is None:
            continue
        dictionaries = [a for a in call.args if isinstance(a, ast.Dict)]
        dictionaries += [k.value for k in call.keywords if isinstance(k.value, ast.Dict)]
        names = {
            key.value
            for dictionary in dictionaries
            for key in dictionary.keys
            if isinstance(key, ast.Constant)
        }
        if _called(call) in {"_draft", "row", "recording_row"}:
            names |= {k.arg for k in call.keywords if k.arg and k.arg != "call"}
        if _called(call) == "recording_row":
            names.add("recording")
        found[kind] |= names
    return found


def _anomaly_codes() -> set[str]:
    codes = {
        call.args[0].value
        for call in _calls()
        if _called(call) == "anomaly_row" and isinstance(call.args[0], ast.Constant)
    }
    for call in _calls():
        if _kind_of(call) == Kind.ANOMALY:
            codes |= {
                keyword.value.value
                for keyword in call.keywords
                if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
            }
    assert codes
    return codes


# -- settings ----------------------------------------------------------------------------------


def _nested(annotation: object) -> tuple[type[BaseModel], str] | None:
    """The table inside an annotation, and whether it is one, ``many``, or ``named`` by a key."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "one"
    origin = typing.get_origin(annotation)
    for argument in typing.get_args(annotation):
        inner = _nested(argument)
        if inner is not None:
            if origin is tuple:
                return inner[0], "many"
            named = origin not in {typing.Union, types.UnionType, typing.Annotated}
            return inner[0], "named" if named else inner[1]
    return None


def _tables(model: type[BaseModel], address: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every table of the configuration, by its heading in ``docs/configuration.md``."""
    for name, field in model.model_fields.items():
        inner = _nested(field.annotation)
        if inner is None:
            continue
        path = f"{address}.{name}" if address else name
        match inner[1]:
            case "many":
                yield f"[[{path}]]", inner[0]
            case "named":
                yield f"[{path}.LANGUAGE]", inner[0]
            case _:
                yield f"[{path}]", inner[0]
        yield from _tables(inner[0], path)


TABLES = dict(_tables(Settings))


def _settings(model: type[BaseModel]) -> dict[str, str]:
    """Each setting and its default, as the page writes it."""
    return {
        name: _default(field.get_default() if not field.is_required() else PydanticUndefined)
        for name, field in model.model_fields.items()
        if _nested(field.annotation) is None
    }


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    match value:
        case None:
            return "none"
        case str() | Path():
            return f'`"{value}"`'
        case tuple():
            return "`[]`"
        case dict():
            return "`{}`"
        case _:
            return f"`{value}`"


def test_every_table_of_the_configuration_is_documented_and_no_other():
    documented = {heading for heading in sections(page("configuration.md"), 2) if "[" in heading}
    assert documented == set(TABLES)


@pytest.mark.parametrize("heading", TABLES)
def test_every_setting_is_documented_with_its_default_and_no_other(heading):
    cells = table(sections(page("configuration.md"), 2)[heading])[1:]
    documented = {line[0].strip("`"): line[2] for line in cells}
    assert documented == _settings(TABLES[heading])
    assert all(line[1] and line[3] for line in cells)


def test_every_purpose_and_capture_is_named():
    text = page("configuration.md")
    for value in [*shipped_purposes(), *(f'"{capture}"' for capture in CaptureFrom)]:
        assert f"`{value}`" in text


# -- the example configuration -----------------------------------------------------------------


def _installed(tmp_path: Path, text: str) -> Path:
    """The example on this machine: its paths below ``tmp_path``, prompts and secrets in place."""
    home = tmp_path / "home"
    for path in sorted(set(re.findall(r'"(/[a-z][^"]*)"', text)), key=len, reverse=True):
        text = text.replace(f'"{path}"', f'"{home}{path}"')
    for name in ("ari", "ami"):
        secret = home / f"etc/asterisk-compliance/{name}.secret"
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("secret\n")
    sounds = home / "usr/local/share/asterisk-compliance/sounds"
    assert CliRunner().invoke(app, ["sounds", "install", str(sounds)]).exit_code == 0
    config = tmp_path / "compliance.toml"
    config.write_text(text, "utf-8")
    return config


def _with_everything(text: str) -> str:
    """The example with every setting that is commented out taken in."""
    return re.sub(r"(?m)^#(?=[\w\[])", "", text)


@pytest.mark.parametrize("variant", [str, _with_everything])
def test_the_example_configuration_loads(tmp_path, variant):
    config = _installed(tmp_path, variant(text_of(EXAMPLE)))
    settings = load(config)
    policies = policies_for(settings.asterisk[0], settings, str(config))
    assert set(policies.by_name) == {"inbound", "direct"}


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
        for name in _settings(model):
            assert re.search(rf"(?m)^[#(].*\b{name}\b|^{name} =", text), f"{heading} {name}"
    optional = {"page", "published", *TABLES["[[purpose]]"].model_fields}
    for heading, name, value in _shown_defaults(text):
        default = _settings(TABLES[heading])[name]
        if default != "none" and name not in optional:
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
        children = getattr(command, "commands", None)
        if children is None or options:
            found[name] = options
        for child, inner in (children or {}).items():
            walk(inner, f"{name} {child}")

    walk(typer.main.get_command(app), PROGRAM)
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
        for match in re.finditer(rf"(?:^|[\s/$=]){PROGRAM} ([^|#;`]+)", code):
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
        assert options <= COMMANDS[command] | {"--help", "-"}, " ".join(words)


_PROSE = frozenset({"is"})
"""What follows the program's name where a page speaks of the program, not of a command."""


# -- names and links ---------------------------------------------------------------------------


def _known_names() -> set[str]:
    return {
        *map(str, Kind),
        *(name for names in _details().values() for name in names),
        *(name for model in TABLES.values() for name in model.model_fields),
        *_keyword_values("evidence"),
        *NOT_OURS,
    }


def _known_codes() -> set[str]:
    return {
        *map(str, [*Status, *Reason, *DIALPLAN_REASONS, *Mark, *shipped_purposes()]),
        *_anomaly_codes(),
        *_keyword_values("problem"),
        *RESULT_VARIABLES,
        RESULT_VARIABLE,
        MIXMONITOR_ID_VARIABLE,
        *NOT_OUR_CODES,
    }


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_speaks_of_no_kind_setting_or_code_that_is_not_there(path):
    spans = re.findall(r"`([^`\n]+)`", text_of(path))
    names = {span for span in spans if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", span)}
    codes = {span for span in spans if re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*", span)}
    codes |= set(re.findall(r"\bCOMPLIANCE_[A-Z_]+\b", text_of(path)))
    if path.is_relative_to(ROOT / "docs") or path.name in {"README.md", "CHANGELOG.md"}:
        assert names <= _known_names()
    assert {c for c in codes if "_" in c or path.name == KINDS_PAGE} <= _known_codes()


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), f"{target}"
        if anchor:
            headings = re.findall(r"(?m)^#+ +(.+)$", text_of(goal))
            assert anchor in map(_anchor, headings), f"{target}"


def test_decisions_are_numbered_without_gaps_and_say_what_would_change_our_mind():
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = list(sections(text_of(path), 2))
        assert headings[0] == "Context", path.name
        assert "Choice" in headings
        assert headings[-1] == "What would change our mind"


def test_pages_that_the_code_points_to_exist():
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "dialplan").iterdir(), *ROOT.glob("examples/*")]:
        for name in re.findall(r"\bdocs/[\w./-]+\.md", text_of(path)):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


# -- the example dialplan ----------------------------------------------------------------------


def test_the_dialplan_page_names_every_variable_of_the_contract():
    text = page("dialplan.md")
    for name in (*RESULT_VARIABLES, RESULT_VARIABLE, MIXMONITOR_ID_VARIABLE, "COMPLIANCE_CDR"):
        assert f"`{name}`" in text


@pytest.mark.asterisk
async def test_the_example_dialplan_loads_into_a_real_asterisk():
    extensions = text_of(ROOT / "examples/extensions.conf")
    ours = {"compliance.conf": render_default()}
    async with Asterisk(obtain(), extensions=extensions, extra=ours) as asterisk:
        for number in ("0312345678", "0312345679", "0312345680"):
            shown = await asterisk.cli(f"dialplan show {number}@from-trunk")
            assert "Gosub(compliance-notice" in shown
            assert "Hangup()" in shown
        for context in ("compliance-notice", "compliance-notice-agi", "compliance-back"):
            shown = await asterisk.cli(f"dialplan show {context}")
            assert "1. " in shown
            assert "'T' =>" in shown
            assert len(re.findall(r"(?m)\d+\. \w+\(", shown)) == _priorities(context)
        complaints = re.findall(r"(?m)^.*(?:WARNING|ERROR).*$", asterisk.log_file.read_text())
        about = re.compile("extensions.conf|compliance|pbx_config|pbx.c|priority", re.IGNORECASE)
        assert [line for line in complaints if about.search(line)] == []


def _priorities(context: str) -> int:
    """How many priorities the rendered routine has."""
    body = re.search(rf"(?ms)^\[{context}\]$(.*?)(?=^\[|\Z)", render_default())
    assert body is not None
    return len(re.findall(r"(?m)^(?:exten =>| same =>)", body[1]))
