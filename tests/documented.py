"""What the pages of the documentation say, and what the code says, in a form to compare."""

from __future__ import annotations

import ast
import json
import re
import types
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import sample_settings
from asterisk_compliance.app.audit.metered_log import MeteredLog
from asterisk_compliance.app.calls.playing_notices import NoticeSlots
from asterisk_compliance.app.recordings.storage_monitor import StorageWatch
from asterisk_compliance.app.service.live_gauges import LiveGauges
from asterisk_compliance.app.service.node_assembly import AsteriskNode
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.config.settings import PolicySettings, Settings
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.periods import Period
from asterisk_compliance.domain.policy.terms import DEFAULTS, FIELDS

if typing.TYPE_CHECKING:
    from asterisk_compliance.app.calls.node import Node
    from asterisk_compliance.asterisk.agi.server import FastAgiServer

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "asterisk_compliance"


# -- reading pages -----------------------------------------------------------------------------


@cache
def pages() -> Sequence[Path]:
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


# -- what the code writes ---------------------------------------------------------------------


@cache
def _calls() -> tuple[ast.Call, ...]:
    """Every call in the package, parsed once."""
    return tuple(
        node
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Call)
    )


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


@cache
def keyword_values(name: str) -> set[str]:
    """The texts that calls in the package give to a keyword."""
    return {
        keyword.value.value
        for call in _calls()
        for keyword in call.keywords
        if keyword.arg == name
        and isinstance(keyword.value, ast.Constant)
        and isinstance(keyword.value.value, str)
    }


@cache
def first_arguments(name: str) -> set[str]:
    """The texts that calls of ``name`` in the package begin with."""
    return {
        call.args[0].value
        for call in _calls()
        if _called(call) == name
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


class Logged(typing.NamedTuple):
    """An event that the program can say: its name, if it stands there, its level, its keys."""

    event: str
    level: str
    keys: frozenset[str]


def logged() -> list[Logged]:
    """Every such event in the package."""
    loggers = {"log", "_log", "get_logger()"}
    levels = {"debug", "info", "warning", "error", "exception", "critical", "log"}
    found = []
    for call in _calls():
        match call:
            case ast.Call(func=ast.Attribute(value=logger, attr=level), args=[*_, event]) if (
                level in levels and ast.unparse(logger).rpartition(".")[2] in loggers
            ):
                name = event.value if isinstance(event, ast.Constant) else ""
                keys = frozenset(one.arg for one in call.keywords if one.arg) - {"exc_info"}
                found.append(Logged(str(name), level, keys))
            case _:
                pass
    return found


OF_A_RECORDING = ("recording_row", "of_recording")
"""Functions that make a row with the id of a recording."""


def _kind_of(call: ast.Call) -> str | None:
    """The ``Kind`` among the positional arguments of a call, unless it only looks something up."""
    if _called(call) not in {"AppendRow", "Draft", "_draft", "row", *OF_A_RECORDING}:
        return None
    for argument in call.args:
        match argument:
            case ast.Attribute(value=ast.Name(id="Kind"), attr=name):
                return str(Kind[name])
    return None


@cache
def details() -> Mapping[str, set[str]]:
    """Which details the package gives to rows of each kind, as far as its text tells."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in _calls():
        if _called(call) == "anomaly_row":
            found[Kind.ANOMALY] |= {"code", *(k.arg for k in call.keywords if k.arg)}
        if _called(call) == "consent_row":
            found[Kind.CONSENT] |= {"state", *(k.arg for k in call.keywords if k.arg)}
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
        spread = [
            value
            for d in dictionaries
            for key, value in zip(d.keys, d.values, strict=True)
            if key is None
        ]
        spread += [k.value for k in call.keywords if k.arg is None]
        if any(isinstance(one, ast.Call) and _called(one) == "unseen_detail" for one in spread):
            names.add("unseen_ms")
        if _called(call) in {"_draft", "row", *OF_A_RECORDING}:
            names |= {k.arg for k in call.keywords if k.arg and k.arg != "call"}
        if _called(call) in OF_A_RECORDING:
            names.add("recording")
        found[kind] |= names
    return found


@cache
def anomaly_codes() -> set[str]:
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


# -- metrics ---------------------------------------------------------------------------------


class _Nowhere:
    """Rows that nobody wrote, and a connection that nobody made."""

    size, waiting, stuck_s = 0, 0, 0.0
    transport, connected = None, False
    denied = refused = 0
    ignored: typing.ClassVar[Mapping[str, int]] = {}


class _Idle:
    node, calls = "pbx1", types.MappingProxyType({})
    ari = ami = _Nowhere
    events = types.MappingProxyType({("ari", "StasisStart"): 1})


@cache
def metrics() -> Mapping[str, set[str]]:
    """The labels of every metric of ours, with one Asterisk that is configured."""
    ours = Metrics()
    idle = AsteriskNode(typing.cast("Node", _Idle), typing.cast("FastAgiServer", _Nowhere))
    nobody = typing.cast("MeteredLog", _Nowhere)
    storage = StorageWatch(sample_settings.settings(), nobody, [])
    storage.places[0].free_bytes = 0  # somebody has looked
    collectors = [
        *ours.registry._collector_to_names,
        LiveGauges(lambda: [idle], nobody, NoticeSlots(1, ours)),
        storage,
    ]
    found: dict[str, set[str]] = {}
    for collector in collectors:
        for family in collector.collect():
            seen = {label for sample in family.samples for label in sample.labels} - {"le"}
            found[family.name] = set(getattr(collector, "_labelnames", seen))
    return {name: labels for name, labels in found.items() if not name.startswith("process_")}


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


def settings(model: type[BaseModel]) -> dict[str, str]:
    """Each setting and its default, as the page writes it.

    A policy that does not say a term leaves it to the default of that term.
    """
    terms = FIELDS if model is PolicySettings else ()
    return {
        name: _default(
            getattr(DEFAULTS, name)
            if name in terms
            else PydanticUndefined
            if field.is_required()
            else field.get_default()
        )
        for name, field in model.model_fields.items()
        if _nested(field.annotation) is None
    }


def _default(value: object) -> str:
    if value is PydanticUndefined:
        return "required"
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case str() | Path() | Period():
            return f'`"{value}"`'
        case ZoneInfo():
            return f'`"{value.key}"`'
        case tuple():
            return f"`{json.dumps([str(one) for one in value])}`"
        case dict():
            return "`{}`"
        case _:
            return f"`{value}`"
