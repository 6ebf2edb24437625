"""Persons are erased when their time is over: not before, not who is held, and by default never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.requested_site import desk
from asterisk_compliance.app.retention.disposal import DisposalRun
from asterisk_compliance.app.retention.person_expiry import due_persons
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.ids import CallId, PartyId, party_id, recording_id
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries import persons
from retained import a_call_at, at, keep, rows_of, site
from sample_rows import NUMBER, draft

BEGAN = "2026-11-20T01:00:00.000Z"
GONE = "2026-12-24T15:00:00.000Z"
"""In Tokyo it is Christmas by then."""
DUE = "2027-01-25T15:00:00.000Z"
"""A month later, when its last day is over."""
MONTH = {"retention": {"erase_persons": "1 month"}}
CALL = a_call_at(BEGAN)
PARTY = party_id(CALL, 1)


def removed(text: str) -> Callable[[CallId], list[Draft]]:
    def rows(call: CallId) -> list[Draft]:
        detail = {"recording": recording_id(call, 1)}
        return [draft(Kind.RECORDING_REMOVED, call, at(text), detail=detail)]

    return rows


def due(settings: Settings, at_ms: int) -> list[PartyId]:
    with StoreReader(settings.audit.store) as reader:
        return [one.party for one in due_persons(reader, settings, at_ms)]


def commit(settings: Settings, *drafts: Draft) -> None:
    with StoreWriter.open(settings.audit.store) as store:
        store.commit(drafts)


@pytest.mark.parametrize(("late_ms", "expected"), [(-1_000, []), (0, [PARTY]), (1_000, [PARTY])])
def test_the_time_begins_when_the_last_recording_went(
    tmp_path: Path, late_ms: int, expected: list[PartyId]
) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)
    assert due(settings, at(DUE) + late_ms) == expected
    assert due(site(tmp_path), at(DUE) + late_ms) == [], "by default only a wish erases"


def test_while_a_recording_is_there_nobody_is_due(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN)
    settings = site(tmp_path, **MONTH)
    assert due(settings, at("2090-01-01T00:00:00.000Z")) == []
    second = {"recording": recording_id(CALL, 2)}
    commit(settings, *removed(GONE)(CALL), draft(Kind.RECORDING_REQUESTED, CALL, detail=second))
    assert due(settings, at("2090-01-01T00:00:00.000Z")) == [], "another segment is asked for"
    commit(settings, draft(Kind.RECORDING_EMPTY, CALL, at(GONE), detail=second))
    assert due(settings, at(DUE)) == [PARTY]


def test_of_an_unrecorded_call_it_begins_when_that_ended(tmp_path: Path) -> None:
    settings = site(tmp_path, retention={"erase_persons": "0 days"})
    arrived, *_ = rows_of(CALL, BEGAN)
    midnight = at("2026-11-20T15:00:00.000Z")
    commit(settings, arrived)
    assert due(settings, at(BEGAN) + 86_400_000) == [], "it may live yet"
    assert due(settings, at(BEGAN) + 86_400_001) == [PARTY], "nobody saw its end"
    commit(settings, draft(Kind.CALL_ENDED, CALL, at(BEGAN) + 73_000))
    assert due(settings, midnight - 1) == []
    assert due(settings, midnight) == [PARTY]


def test_only_the_party_of_the_call_is_meant(tmp_path: Path) -> None:
    """Staff who asked something of the call, and who received something of it, have other times."""
    keep(tmp_path, BEGAN, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)
    other = party_id(a_call_at(BEGAN, 77), 1)
    about = {"party": other, "role": "staff", "facts": (PersonalFact("user", "clerk", "clerk"),)}
    commit(settings, draft(Kind.CAPTURE_ASKED, CALL, at(BEGAN), **about))
    assert due(settings, at(DUE)) == [PARTY]


def test_a_run_erases_them_behind_rows_and_once(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)

    def run(at_ms: int) -> dict[str, int]:
        with StoreWriter.open(settings.audit.store) as store:
            one = DisposalRun.begin(
                settings, lambda *rows: store.commit(rows)[-1].seq, "clerk", at_ms
            )
            one.go_on()
            return dict(one.answer())

    assert run(at(DUE) - 1)["erased"] == 0
    assert (run(at(DUE))["erased"], run(at(DUE))["erased"]) == (1, 0)
    with StoreReader(settings.audit.store) as reader:
        (row,) = [decode(one.data) for one in reader.rows(RowQuery(kind="person_erased"))]
        stored = list(reader.rows(RowQuery(kind="retention_run")))
        runs = [decode(one.data) for one in stored]
        known = persons.party(reader, PARTY)
    assert [one.detail["persons"] for one in runs] == [0, 1, 0]
    assert row.detail == {
        "authority": f"RETENTION-{stored[1].seq}",
        "digests": 1,
        "erased": PARTY,
        "fields": ("name", "number"),
        "ground": "RETENTION_ENDED",
    }
    assert row.actor == runs[1].actor
    assert known is not None
    assert not known.is_kept
    assert verify(settings.audit.store).intact


async def test_whom_a_hold_is_about_stays_until_it_is_released(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    async with desk(tmp_path, **MONTH) as officer:
        await officer("hold", matter="CASE-1-A", number=NUMBER.value)
        assert due(officer.settings, at(DUE)) == []
        await officer("release-hold", matter="CASE-1-A")
        assert due(officer.settings, at(DUE)) == [PARTY]


async def test_a_hold_that_is_placed_after_the_plan_saves_him(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)

    def place() -> None:
        placed: dict[str, Any] = {"matter": "CASE-1-A", "numbered": False, "queue": ""}
        times = {"since_ms": None, "until_ms": None}
        store.commit([draft(Kind.HOLD_PLACED, CALL, detail=placed | times)])

    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "clerk", at(DUE)
        )
        place()
        run.go_on()
    assert run.answer()["erased"] == run.answer()["left"] == 0
    with StoreReader(settings.audit.store) as reader:
        known = persons.party(reader, PARTY)
    assert known is not None
    assert known.is_kept


async def test_who_asks_after_the_plan_stays(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    async with desk(tmp_path, **MONTH) as officer:
        loop = asyncio.get_running_loop()

        def commit(*rows: Draft) -> int:
            return asyncio.run_coroutine_threadsafe(officer.taken.append(*rows), loop).result(10)

        run = await asyncio.to_thread(DisposalRun.begin, officer.settings, commit, "clerk", at(DUE))
        await officer.open("HEAR", calls=CALL)
        await asyncio.to_thread(run.go_on)
        assert (run.answer()["erased"], run.answer()["left"]) == (0, 0)
        assert officer.rows("person_erased") == []


def test_who_was_erased_after_the_plan_is_not_erased_again(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)
    with StoreWriter.open(settings.audit.store) as store:
        one, two = (
            DisposalRun.begin(settings, lambda *rows: store.commit(rows)[-1].seq, "clerk", at(DUE))
            for _ in range(2)
        )
        one.go_on()
        two.go_on()
    assert (one.erased, two.erased) == (1, 0)
    with StoreReader(settings.audit.store) as reader:
        assert len(list(reader.rows(RowQuery(kind="person_erased")))) == 1


def test_many_go_in_one_transaction_each_with_his_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asterisk_compliance.app.retention.person_expiry.PARTIES_PER_COMMIT", 2)
    for number in range(1, 4):
        keep(tmp_path, BEGAN, number=number, besides=removed(GONE))
    settings = site(tmp_path, **MONTH)
    commits: list[int] = []
    with StoreWriter.open(settings.audit.store) as store:

        def commit(*rows: Draft) -> int:
            commits.append(len(rows))
            return store.commit(rows)[-1].seq

        run = DisposalRun.begin(settings, commit, "clerk", at(DUE))
        run.go_on(0.0)
        assert (run.answer()["erased"], run.answer()["left"]) == (2, 1)
        run.go_on()
    assert commits == [1, 2, 1]
    assert run.answer()["erased"] == 3
    assert verify(settings.audit.store).intact


async def test_who_waits_for_an_answer_about_the_call_stays(tmp_path: Path) -> None:
    keep(tmp_path, BEGAN, besides=removed(GONE))
    async with desk(tmp_path, **MONTH) as officer:
        request = await officer.open("HEAR", calls=CALL)
        assert due(officer.settings, at(DUE)) == []
        await officer("decide", request=request, verdict="REFUSED", reason="NOT_KEPT")
        await officer("answer", request=request, means="POST", given="LETTER")
        assert due(officer.settings, at(DUE)) == [PARTY]


@pytest.mark.parametrize("over", ["answer", "withdraw"])
async def test_who_asked_is_kept_for_a_time_after_the_answer(tmp_path: Path, over: str) -> None:
    year = {"requests": {"keep_requesters": "1 year"}}
    async with desk(tmp_path, **year) as officer:
        request = await officer.open("HEAR")
        if over == "withdraw":
            await officer("withdraw", request=request, reason="BY_PERSON")
        else:
            await officer("decide", request=request, verdict="REFUSED", reason="NOT_KEPT")
            assert due(officer.settings, at("2090-01-01T00:00:00.000Z")) == []
            await officer("answer", request=request, means="POST", given="LETTER")
        one = officer.request(request)
        assert one.over_ms is not None
        (found,) = _due_of(officer.settings, at("2090-01-01T00:00:00.000Z"))
        assert found[0] == one.requester
        assert due(officer.settings, found[1] - 1) == []
        assert due(officer.settings, found[1]) == [one.requester]
        assert 365 <= (found[1] - one.over_ms) // 86_400_000 <= 367
        assert due(site(tmp_path), at("2090-01-01T00:00:00.000Z")) == []


def _due_of(settings: Settings, at_ms: int) -> list[tuple[PartyId, int]]:
    with StoreReader(settings.audit.store) as reader:
        found = due_persons(reader, settings, at_ms)
        return [(one.party, one.due_ms) for one in found]
