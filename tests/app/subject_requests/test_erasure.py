"""An erasure that was granted: what goes, what a hold saves, and what a failure leaves."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from app.requested_site import NUMBER, Desk, calls, desk
from asterisk_compliance.app.subject_requests.erasure import planned
from asterisk_compliance.app.subject_requests.receipts import receipt
from asterisk_compliance.app.subject_requests.steps import NotPossible
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.subject_requests.requests import RequestState
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, RecordingId, call_of, party_id, recording_id
from asterisk_compliance.storage.log.erasure import copies_left, secrets_of
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries import persons
from retained import a_call_at, keep
from sample_rows import draft

CAUSE = "JP_CEASE_USE"


def there(home: Path) -> list[str]:
    return sorted(path.stem for path in (home / "vault").iterdir())


def kept(officer: Desk, call: CallId) -> tuple[str, ...]:
    with StoreReader(officer.settings.audit.store) as reader:
        known = persons.party(reader, party_id(call, 1))
    assert known is not None
    return known.fields


def page(officer: Desk, request: str, language: str = "en") -> str:
    with StoreReader(officer.settings.audit.store) as reader:
        return receipt(reader, officer.request(request), officer.settings, language)


async def test_recordings_and_person_go_and_the_receipt_still_says_when(tmp_path: Path) -> None:
    recordings = calls(tmp_path, many=2)
    one, two = map(call_of, recordings)
    other = keep(tmp_path, "2026-11-19T01:00:00.000Z", number=9)
    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", calls=f"{one} {two}", cause=CAUSE)
        with pytest.raises(NotPossible, match="not carried out"):
            await officer("answer", request=request, means="POST", given="LETTER")
        sought = secrets_of(officer.settings.audit.store, [party_id(one, 1), party_id(two, 1)])
        done = await officer("carry-out", request=request)
        assert done == {
            "request": request,
            "recordings": 2,
            "failed": 0,
            "parties": 2,
            "left": 0,
            "done": True,
            "kept": [],
        }
        assert there(tmp_path) == [other]
        assert kept(officer, one) == kept(officer, two) == ()
        assert copies_left(officer.settings.audit.store, sought) == {}
        disposed = officer.rows("recording_disposed")
        assert [(row.detail["ground"], row.detail["rule"]) for row in disposed] == [
            ("REQUESTED", request)
        ] * 2
        erased = officer.rows("person_erased")
        assert [(row.call, row.detail["authority"], row.detail["ground"]) for row in erased] == [
            (one, request, CAUSE),
            (two, request, CAUSE),
        ]
        assert verify(officer.settings.audit.store).intact
        found = await officer.open("HEAR", number=NUMBER)
        assert list(officer.request(found).calls) == [call_of(other)], "nobody finds him by it"
        text = page(officer, request)
        assert "granted" in text
        assert text.count("recorded, the recording was erased on 20") == 2
        for call in (one, two):
            assert call in text
        assert "2026-11-20 10:00:00+09:00" in text
        with pytest.raises(NotPossible, match="nothing to carry out"):
            await officer("carry-out", request=request)
        await officer("answer", request=request, means="POST", given="LETTER")
        assert officer.request(request).state is RequestState.ANSWERED
        assert page(officer, request) == text


async def test_what_is_held_stays_and_the_answer_names_that(tmp_path: Path) -> None:
    held, free = calls(tmp_path, many=2)
    async with desk(tmp_path) as officer:
        request = await officer.known("ERASE", number=NUMBER)
        await officer("hold", matter="CASE-1-A", call=call_of(held))
        decision = {"request": request, "cause": CAUSE}
        with pytest.raises(NotPossible, match="a legal hold stands in the way"):
            await officer("decide", **decision, verdict="GRANTED", reason="LAW")
        answer = await officer("decide", **decision, verdict="IN_PART", reason="ON_HOLD")
        assert (answer["calls"], answer["held"], answer["matters"]) == (1, 1, ["CASE-1-A"])
        one = officer.request(request)
        assert (one.excepted, one.matters) == ({call_of(held)}, ("CASE-1-A",))
        await officer("carry-out", request=request)
        assert there(tmp_path) == [held]
        assert kept(officer, call_of(held)) != ()
        assert kept(officer, call_of(free)) == ()
        for language, said in (("en", "needed for legal proceedings"), ("ja", "法的手続")):
            (line,) = [one for one in page(officer, request, language).splitlines()
                       if call_of(held) in one]  # fmt: skip
            assert said in line
            assert "CASE-1-A" not in page(officer, request, language)


async def test_a_hold_after_the_decision_saves_what_is_not_gone_yet(tmp_path: Path) -> None:
    held, free = calls(tmp_path, many=2)
    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
        await officer("hold", matter="CASE-1-A", call=call_of(held))
        done = await officer("carry-out", request=request)
        assert (done["recordings"], done["kept"], done["done"]) == (1, [call_of(held)], True)
        assert there(tmp_path) == [held]
        assert kept(officer, call_of(held)) != ()
        assert kept(officer, call_of(free)) == ()
        one = officer.request(request)
        assert (one.kept, one.matters) == ({call_of(held)}, ("CASE-1-A",))
        assert "needed for legal proceedings" in page(officer, request)


@pytest.mark.parametrize("how", ["carry-out", "erase"])
async def test_nobody_places_a_hold_while_somebody_is_being_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """It would say that it holds whom the next row erases."""
    (recording,) = calls(tmp_path)
    placing: list[asyncio.Task[object]] = []
    async with desk(tmp_path) as officer, asyncio.TaskGroup() as tasks:
        append = officer.taken.append

        async def between(*drafts: Draft) -> int:
            if drafts[0].kind is Kind.PERSON_ERASED:
                wish = officer("hold", matter="CASE-1-A", call=call_of(recording))
                placing.append(tasks.create_task(wish))
                await asyncio.wait(placing, timeout=0.2)
            return await append(*drafts)

        monkeypatch.setattr(officer.taken, "append", between)
        if how == "erase":
            await officer("erase", number=NUMBER, ground=CAUSE, authority="REQ-1")
        else:
            request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
            await officer("carry-out", request=request)
        await asyncio.wait(placing)
        kinds = [row.kind for row in officer.rows() if row.kind in {"hold_placed", "person_erased"}]
        assert kinds == ["person_erased", "hold_placed"]


async def test_all_of_it_is_held(tmp_path: Path) -> None:
    (held,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.known("ERASE", number=NUMBER)
        await officer("hold", matter="CASE-1-A", number=NUMBER)
        await officer("decide", request=request, verdict="REFUSED", reason="ON_HOLD")
        assert officer.request(request).matters == ("CASE-1-A",)
        assert "needed for legal proceedings" in page(officer, request)
        assert there(tmp_path) == [held]


async def test_a_live_call_and_an_open_recording_are_waited_for(tmp_path: Path) -> None:
    calls(tmp_path)
    call = a_call_at("2026-11-20T01:00:00.000Z", 1)
    recording = recording_id(call, 2)
    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
        started = {"recording": recording}
        await officer.log.append(draft(Kind.RECORDING_STARTED, call, detail=started))
        with pytest.raises(NotPossible, match=f"not closed yet: {recording}"):
            await officer("carry-out", request=request)
        assert officer.rows("request_begun") == []
        await officer.log.append(draft(Kind.RECORDING_MISSING, call, detail=started))
        assert (await officer("carry-out", request=request))["done"]


async def test_a_call_without_an_end_is_over_after_a_day(tmp_path: Path) -> None:
    call = a_call_at("2026-11-24T03:00:00.000Z", 5)
    async with desk(tmp_path) as officer:
        arrived = {"channel": "1.1", "leg": "caller", "policy": "inbound"}
        await officer.log.append(draft(Kind.CALL_ARRIVED, call, detail=arrived))
        request = await officer.granted("ERASE", calls=call, cause=CAUSE)
        began = int(call[2:14], 16)
        store = officer.settings.audit.store
        with StoreReader(store) as reader:
            for after_ms in (0, 86_399_999):
                with pytest.raises(NotPossible, match="the call is not over"):
                    planned(reader, request, began + after_ms)
            found = planned(reader, request, began + 86_400_000)
        assert (found.recordings, found.parties) == ((), ())


async def test_a_long_one_goes_on_when_it_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls(tmp_path, many=3)
    monkeypatch.setattr("asterisk_compliance.app.retention.run.STEP_S", 0.0)
    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
        answers = [await officer("carry-out", request=request)]
        with pytest.raises(NotPossible, match="its erasure has begun"):
            await officer("withdraw", request=request, reason="BY_PERSON")
        while not answers[-1]["done"]:
            answers.append(await officer("carry-out", request=request))
        assert [(one["recordings"], one["left"]) for one in answers] == [(1, 2), (1, 1), (1, 0)]
        assert there(tmp_path) == []


async def test_what_cannot_be_removed_is_said_and_nobody_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording,) = calls(tmp_path)

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
        with monkeypatch.context() as patch:
            patch.setattr("asterisk_compliance.app.retention.disposal.remove", broken)
            done = await officer("carry-out", request=request)
        assert (done["failed"], done["left"], done["done"]) == (1, 1, False)
        assert kept(officer, call_of(recording)) != ()
        assert (await officer("carry-out", request=request))["done"]
        assert there(tmp_path) == []


@pytest.mark.parametrize("after", range(8))
async def test_whatever_row_is_not_stored_it_is_brought_to_an_end(
    tmp_path: Path, after: int
) -> None:
    """Seven appends: begun; of each recording two; the persons; carried out."""
    recordings: list[RecordingId] = calls(tmp_path, many=2)
    async with desk(tmp_path) as officer:
        request = await officer.granted("ERASE", number=NUMBER, cause=CAUSE)
        officer.taken.left = after
        if after < 7:
            with pytest.raises(StoreUnavailable):
                await officer("carry-out", request=request)
            assert not officer.request(request).carried_out
            gone = set(recordings) - set(there(tmp_path))
            rows = {str(row.detail["recording"]) for row in officer.rows("disposal_begun")}
            assert gone <= rows, "nothing goes before its row"
            officer.taken.left = 100
        assert (await officer("carry-out", request=request))["done"]
        assert there(tmp_path) == []
        assert [kept(officer, call_of(one)) for one in recordings] == [(), ()]
        assert len(officer.rows("person_erased")) == 2
        assert len(officer.rows("recording_disposed")) == 2
        assert len(officer.rows("request_carried_out")) == 1
        assert verify(officer.settings.audit.store).intact
