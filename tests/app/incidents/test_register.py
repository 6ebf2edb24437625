"""Incidents in a real store: rows, reminders that are said once, and drafts that hide nothing."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import generate_latest

from asterisk_compliance.app.checks.duties import incident_findings, leak_rules_ahead
from asterisk_compliance.app.incidents import register as shell
from asterisk_compliance.app.incidents.assessment import reached, supposed
from asterisk_compliance.app.incidents.register import (
    Incidents,
    NoSuchIncident,
    NotClosable,
    known,
    notes,
    the,
)
from asterisk_compliance.app.incidents.report import (
    Reader,
    ReportFormat,
    ReportPage,
    last_of,
    page,
    render,
)
from asterisk_compliance.app.incidents.rows import BadIncident, handed_over, list_digest
from asterisk_compliance.app.shared.control_socket import SocketPeer
from asterisk_compliance.app.shared.metrics import Metrics
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.incidents.exposure import Window
from asterisk_compliance.domain.incidents.state import IncidentPlace, ReportItem
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.proofs.verification import verify
from retained import at, keep, site
from values import replace

OFFICER = SocketPeer(uid=0, pid=1)
BEGAN = "2026-11-20T01:00:00.000Z"
NOW = "2026-11-24T08:00:00.000Z"
FIVE_DAYS = "2026-11-28T15:00:00.000Z"
THIRTY_DAYS = "2026-12-23T15:00:00.000Z"


@dataclass
class Desk:
    """An officer, a clock that stands, and the log."""

    settings: Settings
    log: AuditLogStore
    at_ms: int

    @property
    def incidents(self) -> Incidents:
        """As a new life of the service makes it."""
        return Incidents(self.log, lambda: self.settings, lambda: self.at_ms)

    async def do(self, verb: str, **arguments: str) -> Any:
        return await self.incidents.verbs()[verb](OFFICER, arguments)

    async def opened(self, **arguments: str) -> str:
        answer = await self.do("incident-open", **({"categories": "SENSITIVE"} | arguments))
        return str(answer["incident"])

    async def assessed(self, number: str, *places: IncidentPlace, **arguments: str) -> Any:
        found = reached(self.settings, Window(), places or tuple(IncidentPlace), self.at_ms)
        said = {"incident": number, "found": handed_over(found)}
        return await self.do("incident-assess", **(said | arguments))

    def one(self, number: str) -> shell.Known:
        return the(known(self.settings), number)

    def rows(self, kind: Kind) -> list[Row]:
        with StoreReader(self.settings.audit.store) as reader:
            return [decode(stored.data) for stored in reader.rows(RowQuery(kind=kind))]


@asynccontextmanager
async def desk(home: Path, **tables: Any) -> AsyncIterator[Desk]:
    settings = site(home, **tables)
    log = await AuditLogStore.open(settings.audit.store)
    try:
        yield Desk(settings, log, at(NOW))
    finally:
        await log.close()


def sealed(draft: Draft) -> Draft:
    if draft.kind is Kind.RECORDING_CLOSED:
        return replace(draft, detail=dict(draft.detail) | {"encryption": "age"})
    return draft


# -- the rows ------------------------------------------------------------------------------------


async def test_from_the_first_hour_to_the_end(tmp_path: Path) -> None:
    recording = keep(tmp_path, BEGAN)
    async with desk(tmp_path) as one:
        number = await one.opened(since=BEGAN, key_affected="yes")
        answer = await one.assessed(number)
        assert set(answer) == {"seq"}
        found = one.one(number)
        assert found.incident.assessed is not None
        assert found.incident.assessed.counts["recordings"] == 1
        assert {duty.step for duty in found.duties} == {"PRELIMINARY", "FINAL", "PERSONS"}
        with pytest.raises(NotClosable, match="jp FINAL, jp PERSONS, jp PRELIMINARY"):
            await one.do("incident-close", incident=number, outcome="REPORTED")
        for step in ("PRELIMINARY", "PERSONS", "FINAL"):
            await one.do("incident-report", incident=number, step=step, reference="PPC-1")
        await one.do("incident-close", incident=number, outcome="REPORTED")
        with pytest.raises(NotClosable, match="closed"):
            await one.assessed(number)
        (row,) = one.rows(Kind.INCIDENT_ASSESSED)
        assert row.detail["digest"] == list_digest(
            reached(one.settings, Window(), tuple(IncidentPlace), one.at_ms)
        )
        assert recording not in json.dumps(row.detail), "a row names none of what was reached"
    assert verify(tmp_path / "store").intact


async def test_the_text_of_a_note_stands_beside_its_row(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        secret = "山田さんの声が流出した"
        await one.do("incident-note", incident=number, item="CAUSE", text=f" {secret}\n")
        (row,) = one.rows(Kind.INCIDENT_NOTED)
        assert "commit.text" in row.detail
        assert secret not in str(row)
        assert notes(one.settings, one.one(number).incident) == {row.seq: secret}


async def test_what_was_wrong_is_put_right(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        await one.do("incident-report", incident=number, step="FINAL")
        await one.do("incident-amend", incident=number, known=BEGAN, not_sent="FINAL")
        found = one.one(number).incident
        assert (found.known_ms, found.reported) == (at(BEGAN), ())
        assert {str(each) for each in found.categories} == {"SENSITIVE"}
        await one.do("incident-amend", incident=number, regimes="jp,eu", contractor="yes")
        found = one.one(number).incident
        assert (found.known_ms, sorted(found.regimes)) == (at(BEGAN), ["eu", "jp"])
        assert found.contractor
        await one.do("incident-close", incident=number, outcome="NO_LEAK")
        with pytest.raises(NotClosable):
            await one.do("incident-amend", incident=number, known=NOW)


async def test_what_would_follow_is_said_and_not_written(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN)
    async with desk(tmp_path) as one:
        number = await one.opened(categories="OTHER")
        assert one.one(number).duties, "nobody looked yet, so it counts as too many"
        before = one.one(number).incident
        found = reached(one.settings, Window(), tuple(IncidentPlace), one.at_ms)
        assert supposed(before, found, {}, one.at_ms).duties == ()
        worse = supposed(before, found, {"categories": "PROPERTY"}, one.at_ms)
        assert {duty.step for duty in worse.duties} == {"PRELIMINARY", "FINAL", "PERSONS"}
        assert one.one(number).incident == before


async def test_whom_we_called_and_how_a_number_is_written_make_no_second_person(
    tmp_path: Path,
) -> None:
    """Two calls from our own line to two customers, one of whom called us, written otherwise."""

    def called(customer: str) -> Callable[[Draft], Draft]:
        facts = (PersonalFact("number", "0398765432"), PersonalFact("dialled", customer))

        def more(draft: Draft) -> Draft:
            if draft.kind is not Kind.CALL_ARRIVED:
                return draft
            return replace(draft, detail=dict(draft.detail) | {"leg": "callee"}, facts=facts)

        return more

    keep(tmp_path, BEGAN, number=1)  # +81312345678 called us
    keep(tmp_path, BEGAN, number=2, more=called("03-1234-5678"))
    keep(tmp_path, BEGAN, number=3, more=called("0311112222"))
    found = reached(site(tmp_path), Window(), tuple(IncidentPlace), at(NOW))
    assert (found.persons_least, found.persons, found.persons_most) == (2, 2, 3)
    assert found.named == 3


async def test_files_that_move_or_have_no_text_for_a_name_stop_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings = [keep(tmp_path, BEGAN, number=number) for number in (1, 2, 3)]
    vault = tmp_path / "vault"
    (vault / f"{recordings[0]}.part").write_bytes(b"")
    (vault / os.fsdecode(b"\xff.wav")).write_bytes(b"")
    listed = os.scandir

    @contextmanager
    def scan(directory: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
        with listed(directory) as entries:
            there = sorted(entries, key=lambda entry: not entry.name.endswith(".part"))
        (vault / f"{recordings[0]}.part").unlink(missing_ok=True)
        yield iter(there)

    monkeypatch.setattr(os, "scandir", scan)
    found = reached(site(tmp_path), Window(), [IncidentPlace.VAULT], at(NOW))
    assert {one.what for one in found.reached} == {*recordings, "\\xff.wav"}
    assert (found.lost, found.strangers) == ((), ("\\xff.wav",))
    assert list_digest(found)


async def test_whoever_handles_data_for_a_client_is_freed_by_telling_him(tmp_path: Path) -> None:
    async with desk(tmp_path, incidents={"contractor": True, "client": "Client K.K."}) as one:
        number = await one.opened()
        assert {duty.step for duty in one.one(number).duties if duty.is_open} > {"CLIENT"}
        await one.do("incident-report", incident=number, step="CLIENT", sent=NOW)
        assert not [duty for duty in one.one(number).duties if duty.is_open]
        await one.do("incident-close", incident=number, outcome="REPORTED")


async def test_sealed_recordings_need_no_report_while_the_key_is_safe(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, more=sealed)
    (tmp_path / "vault").joinpath(next(iter((tmp_path / "vault").iterdir())).name).rename(
        tmp_path / "vault" / "moved"
    )
    (tmp_path / "vault" / "moved").unlink()
    async with desk(tmp_path) as one:
        number = await one.opened()
        await one.assessed(number, IncidentPlace.VAULT)
        assert one.rows(Kind.INCIDENT_ASSESSED)[-1].detail["lost"] == 1
        assert [duty for duty in one.one(number).duties if duty.is_open], "lost is no secret kept"
        name = reached(one.settings, Window(), [IncidentPlace.VAULT], one.at_ms).lost[0]
        (tmp_path / "vault" / f"{name}.wav.age").write_bytes(b"age")
        await one.assessed(number, IncidentPlace.VAULT)
        assert {duty.freed for duty in one.one(number).duties} == {"ENCRYPTED"}
        await one.assessed(number, IncidentPlace.VAULT, key_affected="yes")
        assert {duty.freed for duty in one.one(number).duties} == {None}
        await one.assessed(number, key_affected="no")
        assert {duty.freed for duty in one.one(number).duties} == {None}, "numbers are in plain"


@pytest.mark.parametrize(
    ("verb", "arguments", "error"),
    [
        ("incident-open", {"known": "2026-11-24T08:00:00.001Z"}, BadIncident),
        ("incident-open", {"since": NOW, "until": NOW}, BadIncident),
        ("incident-open", {"categories": "SENSITIVE,AWFUL"}, BadIncident),
        ("incident-open", {"regimes": "mars"}, BadIncident),
        ("incident-open", {"known": "yesterday"}, BadIncident),
        ("incident-open", {"contractor": "perhaps"}, BadIncident),
        ("incident-assess", {"found": "{}"}, BadIncident),
        ("incident-assess", {"found": "[" * 60_000}, BadIncident),
        ("incident-report", {"step": "RUMOUR"}, BadIncident),
        ("incident-report", {"step": ""}, BadIncident),
        ("incident-report", {"step": "FINAL", "sent": FIVE_DAYS}, BadIncident),
        ("incident-report", {"step": "FINAL", "sha256": "x"}, BadIncident),
        ("incident-report", {"step": "FINAL", "reference": "A-0312345678"}, BadIncident),
        ("incident-report", {"step": "FINAL,PRELIMINARY"}, BadIncident),
        ("incident-report", {"step": "FINAL", "sent": "2026-11-24T07:59:59.999Z"}, BadIncident),
        ("incident-amend", {}, BadIncident),
        ("incident-amend", {"known": "2026-11-24T08:00:00.001Z"}, BadIncident),
        ("incident-amend", {"categories": "AWFUL"}, BadIncident),
        ("incident-amend", {"not_sent": "FINAL"}, BadIncident),
        ("incident-amend", {"not_sent": "FINAL,PERSONS"}, BadIncident),
        ("incident-amend", {"contractor": "yes", "incident": "99"}, NoSuchIncident),
        ("incident-report", {"step": "FINAL", "incident": "99"}, NoSuchIncident),
        ("incident-report", {"step": "FINAL", "incident": "-1"}, NoSuchIncident),
        ("incident-note", {"text": " \n"}, BadIncident),
        ("incident-note", {"text": "x" * 8_001}, BadIncident),
        ("incident-note", {"text": "x", "item": "GOSSIP"}, BadIncident),
        ("incident-note", {"text": "x", "item": "CAUSE,OTHER"}, BadIncident),
        ("incident-close", {"outcome": "FORGOTTEN"}, BadIncident),
        ("incident-close", {"outcome": "NO_LEAK,NO_RISK"}, BadIncident),
        ("incident-close", {"outcome": ""}, BadIncident),
    ],
)
async def test_what_makes_no_sense_writes_nothing(
    tmp_path: Path, verb: str, arguments: dict[str, str], error: type[Exception]
) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        with pytest.raises(error):
            await one.do(verb, **({"incident": number} | arguments))
        with StoreReader(one.settings.audit.store) as reader:
            assert reader.head().size == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found | {"counts": {}},
        lambda found: found | {"counts": found["counts"] | {"persons": -1}},
        lambda found: found | {"counts": found["counts"] | {"persons": "1"}},
        lambda found: found | {"size": -1},
        lambda found: found | {"digest": "ab"},
        lambda found: found | {"places": ["MOON"]},
        lambda found: found | {"recipients": ["+81312345678"]},
        lambda found: found | {"since_at": NOW, "until_at": BEGAN},
        lambda found: found | {"note": "a text"},
    ],
)
async def test_an_assessment_that_is_none_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        found = json.loads(
            handed_over(reached(one.settings, Window(), tuple(IncidentPlace), one.at_ms))
        )
        with pytest.raises(BadIncident):
            await one.do("incident-assess", incident=number, found=json.dumps(spoil(found)))
        await one.do("incident-assess", incident=number, found=json.dumps(found))


# -- reminders -----------------------------------------------------------------------------------


def shown(metrics: Metrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    prefix = 'compliance_incidents{state="'
    pairs = (line.removeprefix(prefix).split('"} ') for line in lines if line.startswith(prefix))
    return {state: float(count) for state, count in pairs if float(count)}


async def test_it_is_said_once_that_something_became_overdue(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number, metrics = await one.opened(), Metrics()
        due = at(FIVE_DAYS)
        for moment, rows, state in (
            (due - 1_000, 0, "due_soon"),
            (due - 1, 0, "due_soon"),
            (due, 1, "overdue"),
            (due + 1_000, 1, "overdue"),
        ):
            one.at_ms = moment
            await one.incidents.look(metrics)  # each time in a new life of the service
            assert len(one.rows(Kind.INCIDENT_OVERDUE)) == rows
            assert shown(metrics) == {state: 1}
        incidents = one.incidents
        assert incidents.standing == {}
        await incidents.look(metrics)
        assert incidents.standing == {"open": 0, "due_soon": 0, "overdue": 1, "done": 0}
        (row,) = one.rows(Kind.INCIDENT_OVERDUE)
        assert row.detail == {
            "due_at": FIVE_DAYS,
            "incident": int(number),
            "rule": "jp-appi-26.20240401",
            "step": "PRELIMINARY",
        }
        assert row.actor == "service"


@pytest.mark.parametrize(("after_ms", "late"), [(-1_000, 0), (-1, 0), (0, 1), (1_000, 1)])
async def test_check_says_of_how_many_somebody_was_not_told_in_time(
    tmp_path: Path, after_ms: int, late: int
) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        await one.opened(regimes="own")
        now_ms = at(FIVE_DAYS) + after_ms
        found = incident_findings(one.settings, now_ms)
        assert [finding.id for finding in found] == ["INCIDENTS_OVERDUE"] * late
        assert [finding.what for finding in found] == [
            "leaks of which somebody was not told in time: 1"
        ] * late
        await one.do("incident-close", incident=number, outcome="NO_LEAK")
        assert incident_findings(one.settings, now_ms) == []
    assert incident_findings(site(tmp_path, audit={"store": str(tmp_path / "none")}), 0) == []


@pytest.mark.parametrize(
    ("now", "seen"),
    [
        ("2026-12-17T14:59:59.000Z", False),  # the last second of the day before, in Tokyo
        ("2026-12-17T15:00:00.000Z", True),
        ("2027-01-16T14:59:59.000Z", True),
        ("2027-01-16T15:00:00.000Z", False),  # it is in force
    ],
)
def test_a_law_about_leaks_that_changes_is_seen_ahead(
    tmp_path: Path, now: str, *, seen: bool
) -> None:
    found = leak_rules_ahead(site(tmp_path), at(now), 30)
    assert [one.id for one in found] == ["jp-appi-26.20270117"] * seen
    assert leak_rules_ahead(site(tmp_path, incidents={"regimes": ["eu"]}), at(now), 30) == []


async def test_nothing_becomes_overdue_of_what_is_being_closed(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number, incidents = await one.opened(), one.incidents
        one.at_ms = at(THIRTY_DAYS)
        close = incidents.verbs()["incident-close"]
        said = {"incident": number, "outcome": "NO_LEAK"}
        await asyncio.gather(close(OFFICER, said), incidents.look(Metrics()))
        assert one.rows(Kind.INCIDENT_OVERDUE) == []


async def test_what_passed_while_nobody_ran_is_said_at_the_start(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number, metrics = await one.opened(), Metrics()
        one.at_ms = at(THIRTY_DAYS)
        minding = asyncio.create_task(one.incidents.watch(metrics))
        try:
            async with asyncio.timeout(10):
                while len(one.rows(Kind.INCIDENT_OVERDUE)) < 2:  # noqa: ASYNC110  rows tell nobody
                    await asyncio.sleep(0.01)
        finally:
            minding.cancel()
        steps = [row.detail["step"] for row in one.rows(Kind.INCIDENT_OVERDUE)]
        assert steps == ["PRELIMINARY", "FINAL"]
        await one.do("incident-close", incident=number, outcome="NO_LEAK")
        await one.incidents.look(metrics)
        assert shown(metrics) == {}


async def test_a_log_that_cannot_be_read_ends_no_watch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "LOOK_S", 0.0)
    async with desk(tmp_path) as one:
        await one.opened()
        metrics, incidents = Metrics(), one.incidents
        there = one.settings
        one.settings = there.model_copy(
            update={"audit": there.audit.model_copy(update={"store": tmp_path / "nowhere"})}
        )
        minding = asyncio.create_task(incidents.watch(metrics))
        try:
            async with asyncio.timeout(10):
                await asyncio.sleep(0.05)
                assert not minding.done()
                one.settings = there
                while not shown(metrics):  # noqa: ASYNC110  a metric tells nobody
                    await asyncio.sleep(0.01)
        finally:
            minding.cancel()


# -- drafts --------------------------------------------------------------------------------------


async def drafted(
    one: Desk, number: str, language: str, reader: Reader = Reader.AUTHORITY
) -> ReportPage:
    found = one.one(number)
    texts = notes(one.settings, found.incident)
    return page(one.settings, found, texts, language=language, reader=reader, now_ms=one.at_ms)


@pytest.mark.parametrize("language", ["ja", "en"])
async def test_a_draft_fills_in_what_is_known_and_names_what_is_not(
    tmp_path: Path, language: str
) -> None:
    keep(tmp_path, BEGAN)
    async with desk(tmp_path) as one:
        number = await one.opened()
        first = await drafted(one, number, language)
        assert set(first.missing) == set(ReportItem) - {ReportItem.OTHER}
        await one.assessed(number)
        second = await drafted(one, number, language)
        assert set(second.missing) == set(ReportItem) - {
            ReportItem.OTHER,
            ReportItem.DATA,
            ReportItem.PERSONS,
        }
        for item in second.missing:
            await one.do("incident-note", incident=number, item=item, text=f"all about {item}")
        third = await drafted(one, number, language)
        assert third.missing == ()
        for form in ReportFormat:
            text = render(third, form)
            assert all(f"all about {item}" in text for item in second.missing)
            assert [
                text.index(section.heading.partition(" ")[2]) for section in third.sections
            ] == (
                sorted(text.index(section.heading.partition(" ")[2]) for section in third.sections)
            )
            assert "jp-appi-26.20240401" in text
            assert all(f"{day} (JST)" in text for day in ("2026-11-26", "2026-11-28"))
            assert third.words["missing_text"][:12] not in text


@pytest.mark.parametrize(
    ("due", "home", "site", "said"),
    [
        ("2026-11-28T15:00:00.000Z", "Asia/Tokyo", "UTC", "2026-11-28 (JST)"),
        ("2026-11-28T15:00:00.001Z", "Asia/Tokyo", "Asia/Tokyo", "2026-11-29 00:00 JST"),
        ("2026-11-28T14:59:00.000Z", "Asia/Tokyo", "Asia/Tokyo", "2026-11-28 23:59 JST"),
        ("2028-02-29T15:00:00.000Z", "Asia/Tokyo", "UTC", "2028-02-29 (JST)"),
        ("2026-11-27T08:00:00.000Z", "UTC", "Asia/Tokyo", "2026-11-27 17:00 JST"),
        ("2026-03-29T22:00:00.000Z", "Europe/Berlin", "UTC", "2026-03-29 (CEST)"),
        ("2026-10-25T23:00:00.000Z", "Europe/Berlin", "UTC", "2026-10-25 (CET)"),
        ("2026-10-25T01:30:00.000Z", "UTC", "Europe/Berlin", "2026-10-25 02:30 CET"),
        ("2026-10-25T00:30:00.000Z", "UTC", "Europe/Berlin", "2026-10-25 02:30 CEST"),
    ],
)
def test_people_are_told_the_last_day_and_not_the_first_that_is_too_late(due, home, site, said):
    assert last_of(at(due), ZoneInfo(home), ZoneInfo(site)) == said


async def test_nothing_that_somebody_wrote_is_markup(tmp_path: Path) -> None:
    async with desk(tmp_path, controller={"name": "<b>K.K.", "contact": "a@b"}) as one:
        number = await one.opened()
        evil = "# x <script>alert(1)</script> [a](javascript:b) {{ 7*7 }} | `c`"
        await one.do("incident-note", incident=number, item="CAUSE", text=evil)
        found = await drafted(one, number, "en")
        html, markdown = render(found, ReportFormat.HTML), render(found, ReportFormat.MARKDOWN)
        assert "<script>" not in html
        assert "<b>" not in html
        assert "&lt;script&gt;" in html
        assert "{{ 7*7 }}" in html
        assert "\\# x \\<script\\>alert(1)\\</script\\> \\[a\\](javascript:b)" in markdown
        assert "\\| \\`c\\`" in markdown


async def test_a_client_is_told_who_he_is_and_what_is_sealed(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, more=sealed)
    (only,) = (tmp_path / "vault").iterdir()
    only.rename(only.with_name(f"{only.name}.age"))
    async with desk(tmp_path, incidents={"contractor": True, "client": "Client K.K."}) as one:
        number = await one.opened()
        await one.assessed(number, IncidentPlace.VAULT)
        found = await drafted(one, number, "en", Reader.CLIENT)
        assert found.lead.startswith("To Client K.K.")
        assert found.words["conditions"] in found.sections[-1].lines
        assert all("not needed: everything was sealed" in duty[-1] for duty in found.duties)
        other = await drafted(one, number, "en")
        assert other.lead == ""


async def test_a_draft_says_what_was_done_and_that_a_note_was_erased(tmp_path: Path) -> None:
    async with desk(tmp_path) as one:
        number = await one.opened()
        await one.do("incident-report", incident=number, step="PERSONS", reference="MAIL-1")
        await one.do("incident-note", incident=number, item="CAUSE", text="x")
        (row,) = one.rows(Kind.INCIDENT_NOTED)
        party = str(row.detail["party"])
        erase = Draft(
            Kind.PERSON_ERASED,
            one.at_ms,
            row.node,
            detail={"erased": party},
            erases=party,  # type: ignore[arg-type]
        )
        await one.log.append(erase)
        found = await drafted(one, number, "en")
        lines = {section.item: section.lines for section in found.sections}
        assert lines[ReportItem.CAUSE] == ("(erased)",)
        assert lines[ReportItem.MEASURES] == ("The persons were told on 2026-11-24 17:00 JST.",)
        assert any("MAIL-1" in line for line in lines[ReportItem.OTHER])
        assert any(cells[-1].startswith("done ") for cells in found.duties)
