"""An incident is what its rows say, and nothing ends it before what is due was done."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.domain.audit.encoding import Row, timestamp
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.deadlines import Regime
from asterisk_compliance.domain.incidents.notification_duties import (
    HOUR_MS,
    Category,
    NotificationDuty,
    ReportStep,
    Standing,
)
from asterisk_compliance.domain.incidents.state import (
    COUNTS,
    Incident,
    IncidentOutcome,
    IncidentPlace,
    ReportItem,
    counts_by_standing,
    hinders,
    incidents_of,
    unsaid,
    worst,
)
from asterisk_compliance.ids import NodeName
from asterisk_compliance.shipped.presets import shipped_leak_rules
from values import replace

RULES = shipped_leak_rules()
AT_MS = 1_795_507_200_000  # 2026-11-24T08:00:00Z
DAY_MS = 24 * HOUR_MS
OPENED: dict[str, Any] = {
    "categories": ("SENSITIVE",),
    "contractor": False,
    "key_affected": False,
    "known_at": timestamp(AT_MS - 1),
    "regimes": ("jp",),
    "since_at": "",
    "until_at": timestamp(AT_MS),
}
ASSESSED: dict[str, Any] = {
    **dict.fromkeys(COUNTS, 1),
    "categories": ("OTHER",),
    "digest": "ab" * 32,
    "encrypted": True,
    "incident": 0,
    "key_affected": False,
    "places": ("VAULT",),
    "recipients": ("cd" * 32,),
    "since_at": timestamp(AT_MS - 5),
    "size": 7,
    "until_at": "",
}
REPORTED: dict[str, Any] = {
    "incident": 0,
    "reference": "PPC-1",
    "sent_at": timestamp(AT_MS + 3),
    "sha256": "",
    "step": "PRELIMINARY",
}


def row(seq: int, kind: str, at_ms: int = AT_MS, **detail: Any) -> Row:
    return Row("service", timestamp(at_ms), None, detail, kind, "log", NodeName("service"), "", seq)


def folded(*rows: Row, **opened: Any) -> Incident:
    return incidents_of([row(0, Kind.INCIDENT_OPENED, **(OPENED | opened)), *rows])[0]


def test_an_incident_is_named_by_the_row_that_opened_it():
    one = incidents_of([row(5, Kind.INCIDENT_OPENED, **OPENED)])[5]
    assert (one.number, one.opened_ms, one.known_ms) == (5, AT_MS, AT_MS - 1)
    assert (one.since_ms, one.until_ms) == (None, AT_MS)
    assert one.categories == {Category.SENSITIVE}
    assert one.regimes == {Regime.JP}
    assert (one.contractor, one.key_affected, one.assessed, one.closed) == (
        False,
        False,
        None,
        None,
    )


def test_what_a_row_does_not_say_is_what_can_be_said():
    one = incidents_of([row(0, Kind.INCIDENT_OPENED)])[0]
    assert (one.known_ms, one.categories, one.regimes) == (AT_MS, frozenset(), frozenset())


def test_rows_about_what_nobody_opened_and_other_kinds_say_nothing():
    found = incidents_of(
        [
            row(0, Kind.INCIDENT_CLOSED, incident=3, outcome="NO_LEAK"),
            row(1, Kind.MARK, code="INCIDENT", incident=3),
            row(3, Kind.INCIDENT_OPENED, **OPENED),
            row(4, "a_kind_of_later", incident=3),
            row(5, Kind.INCIDENT_CLOSED, incident=4, outcome="NO_LEAK"),
        ]
    )
    assert list(found) == [3]
    assert found[3].closed is None


def test_the_last_assessment_holds():
    first = row(1, Kind.INCIDENT_ASSESSED, **ASSESSED)
    changed = ASSESSED | {"persons": 9, "key_affected": True, "categories": ("PROPERTY",)}
    second = row(2, Kind.INCIDENT_ASSESSED, AT_MS + 1, **changed)
    one, two = folded(first), folded(first, second)
    assert one.assessed is not None
    assert (one.assessed.seq, one.assessed.since_ms, one.assessed.until_ms) == (1, AT_MS - 5, None)
    assert (one.assessed.size, one.assessed.places) == (7, (IncidentPlace.VAULT,))
    assert one.assessed.recipients == ("cd" * 32,)
    assert one.categories == {Category.OTHER}
    assert two.assessed is not None
    assert (two.assessed.counts["persons"], two.assessed.at_ms) == (9, AT_MS + 1)
    assert (two.key_affected, two.categories) == (True, {Category.PROPERTY})


def test_sealed_frees_only_while_the_key_is_safe():
    assert not folded().facts().encrypted
    assert folded(row(1, Kind.INCIDENT_ASSESSED, **ASSESSED)).facts().encrypted
    reached = row(1, Kind.INCIDENT_ASSESSED, **(ASSESSED | {"key_affected": True}))
    assert not folded(reached).facts().encrypted
    plain = row(1, Kind.INCIDENT_ASSESSED, **(ASSESSED | {"encrypted": False}))
    assert not folded(plain).facts().encrypted


def test_the_persons_are_those_of_the_assessment():
    assert folded().facts().persons is None
    assert folded().facts().persons_most is None
    counted = ASSESSED | {"persons": 3, "persons_most": 8}
    found = folded(row(1, Kind.INCIDENT_ASSESSED, **counted)).facts()
    assert (found.persons, found.persons_most) == (3, 8)


def test_who_was_told_first_counts():
    again = row(2, Kind.INCIDENT_REPORTED, **(REPORTED | {"sent_at": timestamp(AT_MS + 9)}))
    one = folded(row(1, Kind.INCIDENT_REPORTED, **REPORTED), again)
    assert one.facts().told == {ReportStep.PRELIMINARY: AT_MS + 3}
    assert [told.reference for told in one.reported] == ["PPC-1", "PPC-1"]
    done = {duty.step: duty.done_ms for duty in one.duties(RULES)}
    assert done == {
        ReportStep.PRELIMINARY: AT_MS + 3,
        ReportStep.FINAL: None,
        ReportStep.PERSONS: None,
    }


def test_notes_and_the_end():
    one = folded(
        row(1, Kind.INCIDENT_NOTED, incident=0, item="CAUSE"),
        row(2, Kind.INCIDENT_NOTED, AT_MS + 1, incident=0, item="OTHER"),
        row(3, Kind.INCIDENT_CLOSED, incident=0, outcome="NO_LEAK"),
    )
    assert [(note.seq, note.item) for note in one.notes] == [
        (1, ReportItem.CAUSE),
        (2, ReportItem.OTHER),
    ]
    assert one.notes[1].at_ms == AT_MS + 1
    assert one.closed is IncidentOutcome.NO_LEAK


# -- what is due ---------------------------------------------------------------------------------


def due_ms(one: Incident, step: ReportStep) -> int:
    (found,) = [duty.due_ms for duty in one.duties(RULES) if duty.step is step]
    assert found is not None
    return found


@pytest.mark.parametrize(("after_ms", "said"), [(-1_000, 0), (-1, 0), (0, 1), (1_000, 1)])
def test_what_became_overdue_is_to_be_said(after_ms, said):
    one = folded()
    at_ms = due_ms(one, ReportStep.PRELIMINARY) + after_ms
    assert [duty.step for duty in unsaid(one, RULES, at_ms)] == [ReportStep.PRELIMINARY] * said


def said(rule: str, step: ReportStep, due_at_ms: int | None) -> dict[str, Any]:
    assert due_at_ms is not None
    return {"incident": 0, "rule": rule, "step": str(step), "due_at": timestamp(due_at_ms)}


def test_it_is_said_once():
    one = folded()
    late = due_ms(one, ReportStep.FINAL)
    assert {duty.step for duty in unsaid(one, RULES, late)} == {
        ReportStep.PRELIMINARY,
        ReportStep.FINAL,
    }
    for number, duty in enumerate(unsaid(one, RULES, late), 1):
        one = incidents_of(
            [
                row(0, Kind.INCIDENT_OPENED, **OPENED),
                *(
                    row(seq, Kind.INCIDENT_OVERDUE, **said(rule, step, at_ms))
                    for seq, (rule, step, at_ms) in enumerate(sorted(one.overdue), 1)
                ),
                row(number + 5, Kind.INCIDENT_OVERDUE, **said(duty.rule, duty.step, duty.due_ms)),
            ]
        )[0]
    assert unsaid(one, RULES, late) == ()


def test_nothing_is_said_of_what_is_closed():
    one = replace(folded(), closed=IncidentOutcome.NO_LEAK)
    assert unsaid(one, RULES, AT_MS + 400 * DAY_MS) == ()


def test_incidents_are_counted_by_their_most_urgent_duty():
    one = folded()
    preliminary, final = due_ms(one, ReportStep.PRELIMINARY), due_ms(one, ReportStep.FINAL)
    others = [folded(categories=("OTHER",)), replace(one, closed=IncidentOutcome.REPORTED)]
    enough = row(1, Kind.INCIDENT_ASSESSED, **ASSESSED)
    nothing_due = [folded(enough)]

    def counted(at_ms: int) -> dict[str, int]:
        found = counts_by_standing([one, *others, *nothing_due], RULES, at_ms, HOUR_MS)
        return {state: count for state, count in found.items() if count}

    assert counted(AT_MS) == {"open": 2, "done": 1}
    assert counted(preliminary - HOUR_MS) == {"due_soon": 2, "done": 1}
    assert counted(preliminary) == {"overdue": 2, "done": 1}
    assert counted(final) == {"overdue": 2, "done": 1}
    empty = counts_by_standing([], RULES, AT_MS, HOUR_MS)
    assert empty == {"open": 0, "due_soon": 0, "overdue": 0, "done": 0}


def test_the_worst_of_nothing_is_done():
    assert worst([], AT_MS, 0) is Standing.DONE


# -- the end -------------------------------------------------------------------------------------

LEFT = NotificationDuty("own", Regime.JP, ReportStep.FINAL, AT_MS)
EUROPE = replace(LEFT, regime=Regime.EU, step=ReportStep.NOTIFICATION)
THEM = replace(EUROPE, step=ReportStep.PERSONS)
CLIENT = replace(EUROPE, step=ReportStep.CLIENT)
DONE = replace(LEFT, done_ms=AT_MS)


@pytest.mark.parametrize(
    ("outcome", "found", "in_the_way"),
    [
        (IncidentOutcome.REPORTED, [LEFT, DONE], [LEFT]),
        (IncidentOutcome.REPORTED, [DONE], []),
        (IncidentOutcome.NOT_REPORTABLE, [LEFT], [LEFT]),
        (IncidentOutcome.NOT_REPORTABLE, [], []),
        (IncidentOutcome.NO_RISK, [LEFT, EUROPE], [LEFT]),
        (IncidentOutcome.NO_RISK, [EUROPE, THEM], []),
        (IncidentOutcome.NO_RISK, [CLIENT], [CLIENT]),
        (IncidentOutcome.NO_HIGH_RISK, [THEM, DONE], []),
        (IncidentOutcome.NO_HIGH_RISK, [THEM, EUROPE], [EUROPE]),
        (
            IncidentOutcome.NO_HIGH_RISK,
            [replace(LEFT, step=ReportStep.PERSONS)],
            [replace(LEFT, step=ReportStep.PERSONS)],
        ),
        (IncidentOutcome.NO_LEAK, [LEFT, EUROPE], []),
    ],
)
def test_what_stands_in_the_way_of_an_end(outcome, found, in_the_way):
    assert hinders(outcome, found) == tuple(in_the_way)


# -- what was said otherwise ---------------------------------------------------------------------

AMENDED: dict[str, Any] = {
    "categories": ("WRONGFUL",),
    "contractor": True,
    "incident": 0,
    "key_affected": True,
    "known_at": timestamp(AT_MS - DAY_MS),
    "not_sent": "",
    "regimes": ("eu", "jp"),
}


def test_what_was_said_otherwise_holds_from_then_on():
    one = folded(row(1, Kind.INCIDENT_AMENDED, **AMENDED))
    assert (one.known_ms, one.contractor, one.key_affected) == (AT_MS - DAY_MS, True, True)
    assert one.categories == {Category.WRONGFUL}
    assert one.regimes == {Regime.JP, Regime.EU}
    assert due_ms(one, ReportStep.PRELIMINARY) == due_ms(folded(), ReportStep.PRELIMINARY) - DAY_MS


def test_a_step_that_was_not_taken_after_all_is_open_again():
    sent = row(1, Kind.INCIDENT_REPORTED, **REPORTED)
    told = row(2, Kind.INCIDENT_REPORTED, **(REPORTED | {"step": "PERSONS"}))
    undone = row(3, Kind.INCIDENT_AMENDED, **(AMENDED | {"not_sent": "PRELIMINARY"}))
    assert set(folded(sent, told, undone).facts().told or {}) == {ReportStep.PERSONS}
    again = row(4, Kind.INCIDENT_REPORTED, **(REPORTED | {"sent_at": timestamp(AT_MS + 9)}))
    assert (folded(sent, undone, again).facts().told or {})[ReportStep.PRELIMINARY] == AT_MS + 9


def test_another_time_is_overdue_anew():
    one = folded()
    first = due_ms(one, ReportStep.PRELIMINARY)
    early = row(
        1, Kind.INCIDENT_OVERDUE, **said("jp-appi-26.20240401", ReportStep.PRELIMINARY, first)
    )
    later = AMENDED | {"known_at": timestamp(AT_MS + DAY_MS), "regimes": ("jp",)}
    two = folded(early, row(2, Kind.INCIDENT_AMENDED, **later))
    second = due_ms(two, ReportStep.PRELIMINARY)
    assert second > first
    assert unsaid(two, RULES, second - 1) == ()
    assert ReportStep.PRELIMINARY in {duty.step for duty in unsaid(two, RULES, second)}
