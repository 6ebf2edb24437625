"""What the package ships as rules: presets of places, emergency numbers, duties after a leak.

A preset is a file of ``data/presets``: rules, each with its source and with how sure that is;
those under ``examples`` nobody has verified. ``docs/policies.md`` explains both, and how a site
writes rules of its own in the same form.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from asterisk_compliance.domain.incidents.notification_duties import LeakRule
from asterisk_compliance.domain.phone_numbers import COUNTRIES
from asterisk_compliance.domain.policy.matching import Match
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.errors import ConfigError


class PresetStatus(StrEnum):
    REVIEWED = "reviewed"
    """Written from sources, each with its mark. Still no legal advice."""
    UNVERIFIED = "unverified"
    """An example. To be checked before it is used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The head of a preset's file.

    Attributes:
        read_on: When its sources were read.
        place: The numbers of parties who may be there.
        about: What it takes for granted and what was not checked.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    title: str
    status: PresetStatus
    read_on: date
    place: Match
    about: str


@dataclass(frozen=True, slots=True)
class Preset:
    """The rules of one place.

    Attributes:
        rules: For a site at that place: they apply wherever the other party is.
    """

    about: About
    rules: tuple[PolicyRule, ...]

    def by_number(self) -> tuple[PolicyRule, ...]:
        """For a site elsewhere: they apply to parties who may be there, as numbers tell.

        What a rule itself says about country or prefix stands.
        """
        place = self.about.place
        return tuple(
            replace(
                rule,
                match=replace(
                    rule.match,
                    country=rule.match.country or place.country,
                    prefix=rule.match.prefix or place.prefix,
                ),
            )
            for rule in self.rules
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EmergencyNumber:
    """``default``: it is one at every site; else only where a site names one of ``countries``."""

    number: Annotated[str, Field(pattern=r"^[0-9]{2,5}$")]
    countries: frozenset[str]
    default: bool
    source: str


_STRICT = ConfigDict(extra="forbid", strict=True)
# A tuple of one: pydantic hands its configuration on to a plain dataclass only from outside.
_RULE: TypeAdapter[tuple[PolicyRule]] = TypeAdapter(tuple[PolicyRule], config=_STRICT)
_ABOUT: TypeAdapter[tuple[About]] = TypeAdapter(tuple[About], config=_STRICT)
_NUMBER: TypeAdapter[tuple[EmergencyNumber]] = TypeAdapter(tuple[EmergencyNumber], config=_STRICT)
_LEAK: TypeAdapter[tuple[LeakRule]] = TypeAdapter(tuple[LeakRule], config=_STRICT)
_T = TypeVar("_T")


def read_rules(raw: Any, address: str = "rule") -> tuple[tuple[PolicyRule, ...], list[str]]:
    """Rules from the tables of a TOML file.

    Args:
        raw: A list of tables, as ``tomllib`` reads ``[[rule]]``.
        address: What problems call the list.

    Returns:
        The rules that are right, and every problem: ``rule[2].terms.consent: what is wrong``.
    """
    if not isinstance(raw, list):
        return (), [f"{address}: must be a list of tables: write [[{address}]]"]
    rules: list[PolicyRule] = []
    problems: list[str] = []
    for number, item in enumerate(raw, 1):
        found = _read(_RULE, item, f"{address}[{number}]", problems)
        if found and found[0].id in {rule.id for rule in rules}:
            problems.append(f"{address}[{number}].id: is there twice")
        rules += found
    return tuple(rules), problems


def parse_preset(text: str, source: str) -> Preset:
    """Check a preset's file completely.

    Raises:
        ConfigError: with every problem.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(source, [f"is not TOML: {error}"]) from error
    problems = [f"{key}: is not a setting" for key in raw if key not in {"preset", "rule"}]
    heads = _read(_ABOUT, raw.get("preset", {}), "preset", problems)
    rules, wrong = read_rules(raw.get("rule", []))
    problems += wrong
    if problems:
        raise ConfigError(source, problems)
    return Preset(heads[0], rules)


@cache
def shipped_presets() -> Mapping[str, Preset]:
    """By name: those that were written from sources, and the examples."""
    found = [parse_preset(file.read_text("utf-8"), file.name) for file in _preset_files()]
    return {preset.about.name: preset for preset in found}


def chosen_rules(presets: Iterable[str], by_number: Iterable[str]) -> tuple[PolicyRule, ...]:
    """The rules of shipped presets: for every call, and by the number of the party outside.

    Raises:
        KeyError: there is no such preset.
    """
    shipped = shipped_presets()
    chosen = [shipped[name].rules for name in presets]
    chosen += [shipped[name].by_number() for name in by_number]
    return tuple(rule for rules in chosen for rule in rules)


@cache
def shipped_emergency_numbers() -> tuple[EmergencyNumber, ...]:
    raw = tomllib.loads((_data() / "emergency.toml").read_text("utf-8"))
    problems: list[str] = []
    numbers = [
        number
        for position, item in enumerate(raw["number"], 1)
        for number in _read(_NUMBER, item, f"number[{position}]", problems)
    ]
    assert not problems, problems
    return tuple(numbers)


def emergency_numbers(countries: Iterable[str] = ()) -> frozenset[str]:
    """The numbers that call for help at a site: the defaults, and those of ``countries``.

    Raises:
        ValueError: one of ``countries`` is no country.
    """
    wanted = frozenset(countries)
    if not wanted <= COUNTRIES:
        raise ValueError(f"there is no country {', '.join(sorted(wanted - COUNTRIES))}")
    return frozenset(
        entry.number
        for entry in shipped_emergency_numbers()
        if entry.default or entry.countries & wanted
    )


@cache
def shipped_leak_rules() -> tuple[LeakRule, ...]:
    """What laws ask after a leak; a rule for each revision."""
    raw = tomllib.loads((_data() / "leak_duties.toml").read_text("utf-8"))
    problems: list[str] = []
    rules = [
        rule
        for position, item in enumerate(raw["rule"], 1)
        for rule in _read(_LEAK, item, f"rule[{position}]", problems)
    ]
    assert not problems, problems
    return tuple(rules)


def _data() -> Traversable:
    return files("asterisk_compliance") / "data"


def _preset_files() -> Iterator[Traversable]:
    presets = _data() / "presets"
    for directory in (presets, presets / "examples"):
        found = (file for file in directory.iterdir() if file.name.endswith(".toml"))
        yield from sorted(found, key=lambda file: file.name)


def _read(
    shape: TypeAdapter[tuple[_T]], raw: Any, address: str, problems: list[str]
) -> tuple[_T, ...]:
    """One value, or none and its problems. By way of JSON, in which a truth is no number."""
    try:
        return shape.validate_json(json.dumps([raw], default=lambda moment: moment.isoformat()))
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False, include_context=False):
            where = ".".join([address, *map(str, problem["loc"][1:])])
            problems.append(f"{where}: {_in_words(problem['type'], problem['msg'])}")
        return ()


def _in_words(kind: str, message: str) -> str:
    match kind:
        case "unexpected_keyword_argument":
            return "is not a setting"
        case "missing" | "missing_keyword_only_argument":
            return "is missing"
        case "zoneinfo_str":
            return "is no time zone"
        case _:
            return message.removeprefix("Value error, ")
