"""The draft of a report about a leak: nine items, what is known filled in, what is missing named.

The items are those of APPI Enforcement Rules, Article 8(1); they cover what GDPR Article 33(3)
asks. The words are in ``data/incident_report.toml``. What somebody wrote down is escaped.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, StrictUndefined

from asterisk_compliance.app.incidents.register import Known
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.incidents.notification_duties import (
    LeakRule,
    NotificationDuty,
    ReportStep,
)
from asterisk_compliance.domain.incidents.state import Assessed, Incident, ReportItem
from asterisk_compliance.domain.periods import day_of, end_of
from asterisk_compliance.shipped.presets import shipped_leak_rules

_HERE = Path(__file__).parent
_MARKED = re.compile(r"[\\`*_{}\[\]<>|~&]|^[-+#=]|^\d+(?=[.)])")


class ReportFormat(StrEnum):
    MARKDOWN = "md"
    HTML = "html"


class Reader(StrEnum):
    """For whom it is."""

    AUTHORITY = "authority"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class ReportSection:
    """One of the nine items; ``missing`` says how to fill it, and is empty where it is filled."""

    item: ReportItem
    heading: str
    lines: tuple[str, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class ReportPage:
    """What a template shows."""

    language: str
    words: Mapping[str, Any]
    title: str
    lead: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[ReportSection, ...]
    duties: tuple[tuple[str, ...], ...]

    @property
    def missing(self) -> tuple[ReportItem, ...]:
        return tuple(one.item for one in self.sections if one.missing)


@cache
def words(language: str) -> Mapping[str, Any]:
    """The words of a language: ``ja`` or ``en``."""
    text = (files("asterisk_compliance") / "data" / "incident_report.toml").read_text("utf-8")
    said: Mapping[str, Any] = tomllib.loads(text)[language]
    return said


def languages() -> tuple[str, ...]:
    return ("ja", "en")


def page(
    settings: Settings,
    known: Known,
    texts: Mapping[int, str],
    *,
    language: str,
    reader: Reader,
    now_ms: int,
) -> ReportPage:
    """Put a draft together.

    Args:
        settings: Who is responsible.
        known: The incident.
        texts: Of its notes, by the number of the row; one that is not there was erased.
        language: ``ja`` or ``en``.
        reader: For whom it is.
        now_ms: Now, Unix milliseconds.
    """
    said = words(language)
    one, zone = known.incident, settings.rules.time_zone
    lead = said["client_lead"].format(client=settings.incidents.client or said["missing"])
    facts = (
        (said["sent_by"], settings.controller.name),
        (said["contact"], settings.controller.contact),
        (said["number"], str(one.number)),
        (said["known"], local(one.known_ms, zone)),
        (said["made"], local(now_ms, zone)),
    )
    return ReportPage(
        language,
        said,
        said[f"title_{reader}"],
        lead if reader is Reader.CLIENT else "",
        facts,
        tuple(_section(said, one, item, texts, zone) for item in ReportItem),
        tuple(_duty(said, duty, zone) for duty in known.duties),
    )


def render(page: ReportPage, form: ReportFormat) -> str:
    """The page as Markdown or HTML."""
    template = (_HERE / f"incident_report.{form}.j2").read_text("utf-8")
    html = form is ReportFormat.HTML
    environment = Environment(
        autoescape=html,  # noqa: S701 - Markdown is escaped by its own filter
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _markdown
    return environment.from_string(template).render(page=page)


def _markdown(text: object) -> str:
    """Text that stays text: on one line, and nothing of it is markup."""
    return _MARKED.sub(_escaped, " ".join(str(text).split()))


def _escaped(match: re.Match[str]) -> str:
    said = match[0]
    return f"{said}\\" if said.isdigit() else f"\\{said}"


def _section(
    said: Mapping[str, Any],
    one: Incident,
    item: ReportItem,
    texts: Mapping[int, str],
    zone: ZoneInfo,
) -> ReportSection:
    noted = [texts.get(note.seq, said["erased"]) for note in one.notes if note.item is item]
    lines = (*_derived(said, one, item, zone), *noted)
    heading = said["items"][item]
    enough = bool(noted) or item is ReportItem.OTHER or (bool(lines) and item in _BY_ITSELF)
    missing = "" if enough else said["missing_text"].format(number=one.number, item=item)
    return ReportSection(item, heading, lines, missing)


_BY_ITSELF = frozenset({ReportItem.DATA, ReportItem.PERSONS, ReportItem.MEASURES})
"""Items that the log can say alone."""


def _derived(
    said: Mapping[str, Any], one: Incident, item: ReportItem, zone: ZoneInfo
) -> Iterator[str]:
    """What the log says of an item."""
    found = one.assessed
    match item:
        case ReportItem.OUTLINE:
            named = ", ".join(said["category"][category] for category in sorted(one.categories))
            yield f"{said['categories']}: {named}"
            yield from (said["not_assessed"],) if found is None else _outline(said, found, zone)
        case ReportItem.DATA if found is not None:
            if found.counts["recordings"]:
                yield said["voice"]
            if found.counts["values"]:
                yield said["stored"].format(**found.counts)
        case ReportItem.PERSONS if found is not None:
            yield said["persons"].format(**found.counts)
        case ReportItem.MEASURES:
            for told in one.reported:
                if told.step is ReportStep.PERSONS:
                    yield said["persons_told"].format(at=local(told.sent_ms, zone))
        case ReportItem.OTHER:
            yield from _other(said, one, zone)
        case _:
            pass


def _outline(said: Mapping[str, Any], found: Assessed, zone: ZoneInfo) -> Iterator[str]:
    since = said["always"] if found.since_ms is None else local(found.since_ms, zone)
    until = said["still"] if found.until_ms is None else local(found.until_ms, zone)
    yield said["window"].format(since=since, until=until)
    yield said["reached"].format(**found.counts)
    if found.counts["documents"]:
        yield said["documents"].format(**found.counts)
    if found.counts["copies_before"]:
        yield said["copies"].format(**found.counts)


def _other(said: Mapping[str, Any], one: Incident, zone: ZoneInfo) -> Iterator[str]:
    found = one.assessed
    if found is not None:
        if one.facts().encrypted:
            yield said["conditions"]
        if found.recipients:
            yield f"{said['keys']}: {', '.join(found.recipients)}"
        at = local(found.at_ms, zone)
        yield said["looked"].format(size=found.size, at=at, digest=found.digest)
    for told in one.reported:
        what = f"{said['earlier']}: {said['step'][told.step]}, {local(told.sent_ms, zone)}"
        yield f"{what}, {told.reference}" if told.reference else what


def _duty(said: Mapping[str, Any], duty: NotificationDuty, zone: ZoneInfo) -> tuple[str, ...]:
    rule = next(one for one in shipped_leak_rules() if one.id == duty.rule)
    because = ", ".join(said["category"][one] for one in duty.because) or said["in_doubt"]
    basis = f"{rule.source[0].statute} ({duty.rule}): {because}"
    return (
        duty.regime,
        said["step"][duty.step],
        _until(said, duty, rule, zone),
        basis,
        _state(said, duty, zone),
    )


def _until(said: Mapping[str, Any], duty: NotificationDuty, rule: LeakRule, zone: ZoneInfo) -> str:
    if duty.due_ms is None:
        return str(said["no_number"])
    due = last_of(duty.due_ms, rule.time_zone, zone)
    if duty.aim_ms is not None:
        aim = last_of(duty.aim_ms, rule.time_zone, zone)
        return str(said["guideline"].format(aim=aim, due=due))
    return str(said["by"].format(due=due))


def last_of(due_ms: int, home: ZoneInfo, zone: ZoneInfo) -> str:
    """Until when there is time, for people: the last day, or else the moment at which it is over.

    Args:
        due_ms: The first moment that is too late, Unix milliseconds.
        home: Of the law, whose days are counted.
        zone: Of the site.
    """
    last = day_of(due_ms - 1, home)
    if end_of(last, home) != due_ms:
        return local(due_ms, zone)
    return f"{last} ({datetime.fromtimestamp(due_ms // 1_000 - 1, home):%Z})"


def local(ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(ms // 1_000, zone).strftime("%Y-%m-%d %H:%M %Z")


def _state(said: Mapping[str, Any], duty: NotificationDuty, zone: ZoneInfo) -> str:
    if duty.done_ms is not None:
        return str(said["done"].format(done=local(duty.done_ms, zone)))
    if duty.freed is not None:
        return str(said["freed"].format(freed=said["freed_by"][duty.freed]))
    return str(said["open"])
