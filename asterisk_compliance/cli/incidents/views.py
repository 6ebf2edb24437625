"""What the incidents commands show: values for programs, lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asterisk_compliance.app.incidents.register import Known, notes, remind_ms
from asterisk_compliance.app.incidents.report import last_of
from asterisk_compliance.app.incidents.rows import list_digest
from asterisk_compliance.cli.output import print_line, say, stdout, table
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.incidents.exposure import Assessment
from asterisk_compliance.domain.incidents.notification_duties import (
    NotificationDuty,
    Standing,
    standing,
)
from asterisk_compliance.domain.incidents.state import worst
from asterisk_compliance.shipped.presets import shipped_leak_rules

COLUMNS = ("incident", "known", "categories", "persons", "next step", "until", "state")
DUTY_COLUMNS = ("law", "step", "until", "because", "rule", "state")
REACHED_COLUMNS = ("what", "call", "forms")
RELEASE_COLUMNS = ("row", "at", "who", "what", "action", "purpose")
SHOWN = 100
"""Lines of a table; ``--json`` has them all."""


def print_entries(found: Iterable[dict[str, Any]]) -> None:
    """A table, a line for each incident."""
    stdout().print(table(COLUMNS, map(_line, found)))


def print_details(found: dict[str, Any]) -> None:
    """Everything about one incident."""
    for name in ("incident", "known_at", "categories", "regimes", "contractor", "key_affected",
                 "assessed", "reported", "overdue_said", "closed"):  # fmt: skip
        if name == "assessed" and found[name]:
            print_line("assessed:")
            for each, value in found[name].items():
                print_line(f"  {each}: {_text(value)}")
        else:
            print_line(f"{name}: {_text(found[name])}")
    stdout().print(table(DUTY_COLUMNS, map(_duty_line, found["duties"])))
    for rule in found["rules"]:
        print_line(f"{rule['rule']}: {rule['text']}")
        if rule["warning"]:
            print_line(f"  beware: {rule['warning']}")
        for source in rule["sources"]:
            print_line(f"  {source}")
    for line in found["notes"]:
        print_line(f"{line['at']} {line['item']}: {_text(line['text'])}")


def entry(one: Known, settings: Settings) -> dict[str, Any]:
    """One incident in a list, and what is to be done next."""
    incident = one.incident
    left = [duty for duty in one.duties if duty.is_open]
    found = incident.assessed
    return {
        "incident": incident.number,
        "known_at": timestamp(incident.known_ms),
        "categories": sorted(incident.categories),
        "persons": found.counts["persons"] if found else None,
        "next": left[0].step if left else None,
        "due_at": _at(left[0].due_ms) if left else None,
        "by": _by(left[0], settings) if left else None,
        "state": worst(one.duties, unix_ms(), remind_ms(settings)),
        "closed": incident.closed,
    }


def details(one: Known, settings: Settings) -> dict[str, Any]:
    """What a list does not say of it."""
    incident = one.incident
    found = incident.assessed
    texts = notes(settings, incident)
    return {
        "regimes": sorted(incident.regimes),
        "contractor": incident.contractor,
        "key_affected": incident.key_affected,
        "since_at": _at(incident.since_ms),
        "until_at": _at(incident.until_ms),
        "duties": [_duty(duty, settings) for duty in one.duties],
        "rules": _rules(one),
        "assessed": None
        if found is None
        else {
            **found.counts,
            "at": timestamp(found.at_ms),
            "digest": found.digest,
            "encrypted": found.encrypted,
            "places": found.places,
            "recipients": found.recipients,
            "since_at": _at(found.since_ms),
            "until_at": _at(found.until_ms),
        },
        "reported": [
            {
                "at": timestamp(told.sent_ms),
                "reference": told.reference,
                "sha256": told.sha256,
                "step": told.step,
            }
            for told in incident.reported
        ],
        "overdue_said": sorted({f"{rule} {step}" for rule, step, _ in incident.overdue}),
        "notes": [
            {"at": timestamp(said.at_ms), "item": said.item, "text": texts.get(said.seq)}
            for said in incident.notes
        ],
    }


def _rules(one: Known) -> list[dict[str, Any]]:
    """What the rules behind its duties ask, what must be known of them, and how sure that is."""
    asking = {duty.rule for duty in one.duties}
    return [
        {
            "rule": rule.id,
            "text": rule.text,
            "warning": rule.warning,
            "sources": [f"{each.ref}: {each.statute} ({each.checked})" for each in rule.source],
        }
        for rule in shipped_leak_rules()
        if rule.id in asking
    ]


def pressing(one: Known, settings: Settings) -> list[dict[str, Any]]:
    """The steps of an incident that is not closed which are due soon, or overdue."""
    if one.incident.closed is not None:
        return []
    found = [_duty(duty, settings) for duty in one.duties]
    urgent = {Standing.DUE_SOON, Standing.OVERDUE}
    return [{"incident": one.incident.number, **duty} for duty in found if duty["state"] in urgent]


def _duty(duty: NotificationDuty, settings: Settings) -> dict[str, Any]:
    return {
        "aim_at": _at(duty.aim_ms),
        "because": duty.because,
        "by": _by(duty, settings),
        "done_at": _at(duty.done_ms),
        "due_at": _at(duty.due_ms),
        "freed": duty.freed,
        "guideline": duty.guideline,
        "in_doubt": duty.in_doubt,
        "regime": duty.regime,
        "rule": duty.rule,
        "state": standing(duty, unix_ms(), remind_ms(settings)),
        "step": duty.step,
    }


def assessment(found: Assessment, known: Known) -> dict[str, Any]:
    """What was found, whole, and which steps are to be taken."""
    return {
        **found.counts(),
        "digest": list_digest(found),
        "documents_handed_out": [
            {
                "actor": one.actor,
                "at": _at(one.at_ms),
                "call": one.call,
                "kind": one.what,
                "seq": one.seq,
            }
            for one in found.documents
        ],
        "duties": [duty.step for duty in known.duties if duty.is_open],
        "encrypted": found.all_sealed,
        "lost_recordings": found.lost,
        "places": found.places,
        "reached": [one.as_json() for one in found.reached],
        "recipients": found.recipients,
        "releases": [
            {
                "action": one.action,
                "actor": one.actor,
                "at": _at(one.at_ms),
                "purpose": one.purpose,
                "recording": one.recording,
                "seq": one.seq,
            }
            for one in found.releases
        ],
        "since_at": _at(found.window.since_ms),
        "size": found.size,
        "stranger_files": found.strangers,
        "until_at": _at(found.window.until_ms),
    }


def print_assessment(found: Assessment, known: Known, settings: Settings) -> None:
    _print_some(
        REACHED_COLUMNS, [(one.what, one.call, ", ".join(one.forms)) for one in found.reached]
    )
    given: list[tuple[object, ...]] = [
        (one.seq, _at(one.at_ms), one.actor, one.recording, one.action, one.purpose)
        for one in found.releases
    ]
    given += [(one.seq, _at(one.at_ms), one.actor, one.call, one.what, None)
              for one in found.documents]  # fmt: skip
    if given:
        _print_some(RELEASE_COLUMNS, sorted(given, key=lambda line: str(line[1])))
    for word, names in (("stranger", found.strangers), ("lost", found.lost)):
        for name in names[:SHOWN]:
            print_line(f"{word}: {name}")
    for name, count in found.counts().items():
        print_line(f"{name}: {count}")
    duties = [_duty(duty, settings) for duty in known.duties]
    stdout().print(table(DUTY_COLUMNS, map(_duty_line, duties)))
    if known.incident.facts().encrypted:
        say("everything was sealed: that holds while the identities of its keys are elsewhere")


def _print_some(columns: tuple[str, ...], lines: list[tuple[object, ...]]) -> None:
    stdout().print(table(columns, lines[:SHOWN]))
    if len(lines) > SHOWN:
        say(f"{len(lines) - SHOWN:,} more")


def _line(entry: dict[str, Any]) -> tuple[object, ...]:
    state = entry["closed"] or entry["state"]
    categories = ", ".join(entry["categories"])
    return (entry["incident"], entry["known_at"], categories, entry["persons"], entry["next"],
            entry["by"], state)  # fmt: skip


def _duty_line(duty: dict[str, Any]) -> tuple[object, ...]:
    because = ", ".join(duty["because"]) or "in doubt"
    return duty["regime"], duty["step"], duty["by"], because, duty["rule"], duty["state"]


def _by(duty: NotificationDuty, settings: Settings) -> str | None:
    """Until when there is time, as people say it."""
    if duty.due_ms is None:
        return None
    rule = next(one for one in shipped_leak_rules() if one.id == duty.rule)
    return last_of(duty.due_ms, rule.time_zone, settings.rules.time_zone)


def _at(ms: int | None) -> str | None:
    return None if ms is None else timestamp(ms)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(one)}" for name, one in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_text, value))
    return "" if value is None else str(value)
