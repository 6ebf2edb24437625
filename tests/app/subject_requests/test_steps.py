"""The steps of requests: what is found, what rows say, what is refused, and what granting does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.requested_site import CALLED, NOW, NUMBER, OFFICER, WHO, calls, desk
from asterisk_compliance.app.subject_requests.answer_rows import answering_verbs
from asterisk_compliance.app.subject_requests.receipts import receipt, receipt_digest
from asterisk_compliance.app.subject_requests.search import MOST_CALLS, BadRequest
from asterisk_compliance.app.subject_requests.steps import NoSuchRequest, NotPossible
from asterisk_compliance.app.subject_requests.views import shown
from asterisk_compliance.domain.audit.encoding import timestamp
from asterisk_compliance.domain.audit.rows import Kind, PersonalFact
from asterisk_compliance.domain.subject_requests.requests import RequestState
from asterisk_compliance.ids import call_of, is_request_id, party_id, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries import persons
from asterisk_compliance.storage.queries.subject_requests import corrections
from retained import a_call_at, at, keep, rows_of
from sample_rows import NAME, an_unrecorded_call, draft
from values import replace

DUE = "2026-12-08T15:00:00.000Z"
NOBODYS = "q-0193a5c2f7e14b6d90f1a2b3c4d5"


async def test_a_request_finds_the_calls_of_its_number_and_names_nobody(tmp_path: Path) -> None:
    one, two = map(call_of, calls(tmp_path, many=2))
    did = PersonalFact("dialled", "+81312345678", "81312345678")
    keep(
        tmp_path, CALLED, number=3, more=lambda row: replace(row, facts=(did,) if row.facts else ())
    )
    async with desk(tmp_path) as officer:
        answer = await officer("open", right="ERASE", number=NUMBER, **WHO)
        request = answer["request"]
        assert is_request_id(request)
        assert answer == {
            "basis": "PROMISE",
            "calls": 2,
            "due_at": DUE,
            "fee": "",
            "going": 0,
            "last_day": "2026-12-08",
            "request": request,
        }
        assert officer.request(request).calls == {one: party_id(one, 1), two: party_id(two, 1)}
        first, second, found, *about = officer.rows()[-5:]
        assert [row.kind for row in (first, second, found)] == [
            "request_opened",
            "request_requester",
            "request_searched",
        ]
        said = {name: first.detail[name] for name in ("right", "received_at", "regime", "legal_at")}
        assert said == {"right": "ERASE", "received_at": NOW, "regime": "jp", "legal_at": None}
        assert (found.detail["found"], found.detail["new"], found.detail["by"]) == (2, 2, "NUMBER")
        assert [(row.call, row.detail["party"]) for row in about] == [
            (one, party_id(one, 1)),
            (two, party_id(two, 1)),
        ]
        assert {row.actor for row in about} == {found.actor}
        with StoreReader(officer.settings.audit.store) as reader:
            requester = persons.party(reader, str(first.detail["requester"]))
            assert requester is not None
            values = {each.field: each.value for each in persons.openings(reader, requester)}
            assert values == {"name": WHO["name"], "contact": WHO["contact"]}
            everything = b"".join(row.data for row in reader.rows())
        for secret in ("12345678", WHO["contact"], NAME.value, WHO["name"]):
            assert secret.encode() not in everything
        assert verify(officer.settings.audit.store).intact


async def test_a_search_is_narrowed_by_time_and_calls_are_named_too(tmp_path: Path) -> None:
    early, late = a_call_at(CALLED, 1), a_call_at("2026-11-21T01:00:00.000Z", 2)
    calls(tmp_path)
    keep(tmp_path, "2026-11-21T01:00:00.000Z", number=2)
    async with desk(tmp_path) as officer:
        for since, until, found in (
            ("2026-11-20T01:00:00.001Z", "", [late]),
            (CALLED, "", [early, late]),
            (CALLED, "2026-11-21T01:00:00.000Z", [early]),
            ("2026-11-22T00:00:00.000Z", "", []),
        ):
            request = await officer.open("HEAR", number=NUMBER, since=since, until=until)
            assert list(officer.request(request).calls) == found
        request = await officer.open("HEAR", calls=f"{early}")
        assert officer.request(request).calls == {early: party_id(early, 1)}
        answer = await officer("search", request=request, calls=f"{party_id(late, 1)} {early}")
        assert (answer["calls"], answer["new"]) == (2, 1)
        assert [row.call for row in officer.rows("request_call")[-2:]] == [early, late]
        assert list(officer.request(request).calls) == [early, late]
        answer = await officer("search", request=request, number="0399999999")
        assert (answer["calls"], answer["new"]) == (0, 0), "that nothing was found is a row too"
        assert officer.rows("request_searched")[-1].detail["found"] == 0


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"right": "SING"}, "no such right"),
        ({"by": "DOG"}, "no such by"),
        ({"regime": "us"}, "no such regime"),
        ({"contact": " "}, "--contact"),
        ({"contact": "x" * 257}, "at most 256"),
        ({"agent": "Suzuki"}, "--agent"),
        ({"by": "AGENT"}, "--agent"),
        ({"received": "2026-11-24T03:00:00.001Z"}, "after now"),
        ({"calls": "c-1"}, "no such call"),
        ({"calls": "c-0193a5c2f7e14b6d90f1a2b3c4d5"}, "no such call"),
        ({"calls": "y-0193a5c2f7e14b6d90f1a2b3c4d5-1"}, "no such call"),
        ({"since": CALLED}, "a time alone"),
        ({"since": "yesterday", "number": NUMBER}, "this is no time"),
        ({"until": "2026-11-24", "number": NUMBER}, "this is no time"),
        ({"received": "now"}, "this is no time"),
        ({"number": "nobody"}, "no digit"),
    ],
)
async def test_what_makes_no_sense_opens_nothing(
    tmp_path: Path, wish: dict[str, str], says: str
) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        with pytest.raises(Exception, match=says) as refused:
            await officer("open", **{"right": "HEAR", **WHO, **wish})
        assert getattr(refused.value, "exit_code", None) == 2
        assert officer.rows("request_opened") == []


async def test_a_party_of_the_staff_is_nobody_in_a_call(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.open("HEAR")
        staff = officer.rows("request_opened")[0].actor
        with pytest.raises(BadRequest):
            await officer("search", request=request, calls=staff)
        with pytest.raises(BadRequest, match="say what to look for"):
            await officer("search", request=request)


async def test_a_request_has_no_more_calls_than_can_be_dealt_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_CALLS == 1_000
    monkeypatch.setattr("asterisk_compliance.app.subject_requests.search.MOST_CALLS", 2)
    monkeypatch.setattr("asterisk_compliance.app.subject_requests.steps.MOST_CALLS", 2)
    recordings = calls(tmp_path, many=3)
    async with desk(tmp_path) as officer:
        with pytest.raises(BadRequest, match="at most 2"):
            await officer.open("HEAR", number=NUMBER)
        request = await officer.open("HEAR", calls=f"{call_of(recordings[0])}")
        await officer("search", request=request, calls=f"{call_of(recordings[1])}")
        with pytest.raises(BadRequest, match="at most 2"):
            await officer("search", request=request, calls=f"{call_of(recordings[2])}")


async def test_it_is_said_what_goes_before_the_answer_is_due(tmp_path: Path) -> None:
    """What is told keeps the one until the 20th of December, the other until the 8th."""
    one = call_of(keep(tmp_path, CALLED))
    two = call_of(keep(tmp_path, CALLED, ("SERVICE=17 days",), number=2))
    three = call_of(keep(tmp_path, CALLED, ("SERVICE=18 days",), number=3))
    async with desk(tmp_path) as officer:
        for right, calls_of, going in (
            ("COPY", f"{one} {two} {three}", 1),
            ("HEAR", two, 1),
            ("HEAR", three, 0),
            ("ERASE", two, 0),
            ("COPY", "", 0),
        ):
            answer = await officer("open", right=right, calls=calls_of, **WHO)
            assert (answer["due_at"], answer["going"]) == (DUE, going)
        request = answer["request"]
        answer = await officer("search", request=request, calls=two)
        assert answer["going"] == 1
        answer = await officer("search", request=request, calls=f"{two} {three}")
        assert answer["going"] == 0, "that was said before"
        with StoreReader(officer.settings.audit.store) as reader:
            known = shown(reader, officer.request(request), officer.settings, officer.now_ms)
        until = [at for call in known["calls"] for at in call["kept_until"].values()]
        assert until == ["2026-12-07T15:00:00.000Z", DUE]


@pytest.mark.parametrize(
    ("decision", "hint"),
    [
        ({"verdict": "GRANTED", "reason": "LAW"}, "--cause: one of PURPOSE_FULFILLED, "),
        ({"verdict": "REFUSED", "reason": "LAW"}, "--ground: one of JP_RIGHTS_OF_OTHERS, "),
        ({"verdict": "REFUSED", "reason": "GOODWILL"}, "--reason: to grant "),
        ({"verdict": "IN_PART", "reason": "NOT_KEPT", "cause": "ORDER"}, "--except names each"),
    ],
)
async def test_who_cannot_decide_so_is_told_what_he_can_do(
    tmp_path: Path, decision: dict[str, str], hint: str
) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.known("ERASE", number=NUMBER)
        with pytest.raises(NotPossible) as refused:
            await officer("decide", request=request, **decision)
        assert refused.value.hint.startswith(hint)
        with pytest.raises(NotPossible) as refused:
            await officer("answer", request=request, means="POST", given="LETTER")
        assert refused.value.hint == "requests decide"
        own = await officer.known("COPY", number=NUMBER, regime="own")
        with pytest.raises(NotPossible) as refused:
            await officer("decide", request=own, verdict="REFUSED", reason="LAW")
        assert refused.value.hint == "this regime has no grounds"


async def test_what_was_found_behind_a_refusal_is_decided_before_it_is_answered(
    tmp_path: Path,
) -> None:
    (recording,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.known("COPY", number="0399999999")
        await officer("decide", request=request, verdict="REFUSED", reason="NOT_KEPT")
        await officer("search", request=request, number="0388888888")
        assert officer.request(request).verdict == "REFUSED", "nothing new was found"
        await officer("search", request=request, calls=call_of(recording))
        with pytest.raises(NotPossible, match="it is not decided"):
            await officer("answer", request=request, means="POST", given="LETTER")
        await officer("decide", request=request, verdict="GRANTED", reason="LAW")
        assert officer.request(request).granted == {call_of(recording)}


async def test_due_and_fee_are_of_the_regime(tmp_path: Path) -> None:
    requests = {"fee": "JPY 500", "promise": "7 days"}
    async with desk(tmp_path, requests=requests) as officer:
        for right, regime, fee, due, basis in (
            ("COPY", "jp", "JPY 500", "2026-12-01T15:00:00.000Z", "PROMISE"),
            ("HEAR", "", "JPY 500", "2026-12-01T15:00:00.000Z", "PROMISE"),
            ("ERASE", "jp", "", "2026-12-01T15:00:00.000Z", "PROMISE"),
            ("COPY", "own", "JPY 500", "2026-12-01T15:00:00.000Z", "PROMISE"),
            ("COPY", "eu", "", "2026-12-01T15:00:00.000Z", "PROMISE"),
        ):
            answer = await officer("open", right=right, regime=regime, **WHO)
            assert [answer[name] for name in ("fee", "due_at", "basis")] == [fee, due, basis]
            free = await officer("open", right=right, regime=regime, free="yes", **WHO)
            assert free["fee"] == ""
        assert officer.rows("request_opened")[-1].detail["legal_at"] == "2026-12-24T15:00:00.000Z"


async def test_the_laws_time_is_made_longer_once_and_a_promise_never(tmp_path: Path) -> None:
    async with desk(tmp_path, requests={"regime": "eu"}) as officer:
        request = await officer.open("COPY", received=CALLED)
        longer = {"request": request, "reason": "COMPLEX", "means": "MAIL"}
        with pytest.raises(BadRequest, match="no such reason"):
            await officer("extend", **{**longer, "reason": "LAZY"})
        officer.now_ms = at("2026-12-20T14:59:59.999Z")
        answer = await officer("extend", **longer)
        assert answer["due_at"] == "2027-02-20T15:00:00.000Z"
        assert officer.request(request).due_ms == at(answer["due_at"])
        with pytest.raises(NotPossible, match="longer already"):
            await officer("extend", **longer)
        officer.now_ms += 1
        other = await officer.open("COPY", received=CALLED)
        with pytest.raises(NotPossible, match="its time is over"):
            await officer("extend", **{**longer, "request": other})
        promise = await officer.open("COPY", regime="jp")
        with pytest.raises(NotPossible, match="kept or broken"):
            await officer("extend", **{**longer, "request": promise})


async def test_an_agent_shows_his_authority_and_nobody_else_has_one(tmp_path: Path) -> None:
    calls(tmp_path)
    async with desk(tmp_path) as officer:
        agent = await officer.open("HEAR", number=NUMBER, by="AGENT", agent="Suzuki")
        with pytest.raises(BadRequest, match="no such authority"):
            await officer("identify", request=agent, how="LETTER")
        await officer("identify", request=agent, how="LETTER", authority="MANDATE")
        one = officer.request(agent)
        assert (one.by, one.how, one.authority) == ("AGENT", "LETTER", "MANDATE")
        person = await officer.open("HEAR", number=NUMBER)
        with pytest.raises(BadRequest, match="no agent asks"):
            await officer("identify", request=person, how="LETTER", authority="LAW")
        with pytest.raises(BadRequest, match="no such how"):
            await officer("identify", request=person, how="PASSPORT_COPY")


async def test_a_step_of_nobody_or_out_of_order_is_refused(tmp_path: Path) -> None:
    async with desk(tmp_path) as officer:
        with pytest.raises(BadRequest, match="no id of a request"):
            await officer("identify", request="c-1", how="LETTER")
        with pytest.raises(NoSuchRequest):
            await officer("identify", request=NOBODYS, how="LETTER")
        request = await officer.open("HEAR")
        before = len(officer.rows())
        with pytest.raises(NotPossible, match="is not decided"):
            await officer("answer", request=request, means="POST", given="LETTER")
        decision = {"request": request, "verdict": "GRANTED", "reason": "CODE"}
        with pytest.raises(NotPossible, match="nobody noted how"):
            await officer("decide", **decision)
        with pytest.raises(BadRequest, match="no such verdict"):
            await officer("decide", **{**decision, "verdict": "MAYBE"})
        assert len(officer.rows()) == before


# -- what granting does ------------------------------------------------------------------------


async def test_a_granted_stop_of_use_is_a_row_on_each_call_until_it_is_taken_back(
    tmp_path: Path,
) -> None:
    one, two = map(call_of, calls(tmp_path, many=2))
    async with desk(tmp_path) as officer:
        request = await officer.known("STOP_USE", number=NUMBER)
        with pytest.raises(BadRequest, match="no such purpose"):
            await officer("decide", request=request, verdict="GRANTED", reason="LAW",
                          purposes="TELEPATHY")  # fmt: skip
        answer = await officer("decide", request=request, verdict="GRANTED", reason="LAW",
                               purposes="QUALITY")  # fmt: skip
        assert answer["calls"] == 2
        stopped = officer.rows("use_stopped")
        assert [row.call for row in stopped] == [one, two]
        assert {row.detail["request"] for row in stopped} == {request}
        assert {row.detail["purposes"] for row in stopped} == {("QUALITY",)}
        who = officer.rows("request_decided")[0]
        assert {row.actor for row in stopped} == {who.actor}
        await officer("answer", request=request, means="POST", given="LETTER")
        answer = await officer("withdraw", request=request, reason="BY_PERSON")
        assert answer["resumed"] == 2
        resumed = officer.rows("use_resumed")
        assert [(row.call, row.detail["purposes"]) for row in resumed] == [
            (one, ("QUALITY",)),
            (two, ("QUALITY",)),
        ]
        with pytest.raises(NotPossible, match="answered or withdrawn"):
            await officer("withdraw", request=request, reason="BY_PERSON")


async def test_in_part_leaves_calls_out(tmp_path: Path) -> None:
    one, two = map(call_of, calls(tmp_path, many=2))
    async with desk(tmp_path) as officer:
        request = await officer.known("STOP_USE", number=NUMBER)
        part = {"request": request, "verdict": "IN_PART", "reason": "LAW", "except": one,
                "ground": "JP_NO_CAUSE"}  # fmt: skip
        await officer("decide", **part)
        assert [row.call for row in officer.rows("use_stopped")] == [two]
        refused = await officer.known("STOP_USE", number=NUMBER)
        await officer("decide", request=refused, verdict="REFUSED", reason="LAW",
                      ground="JP_NO_CAUSE")  # fmt: skip
        assert len(officer.rows("use_stopped")) == 1
        await officer("withdraw", request=refused, reason="OPENED_IN_ERROR")
        assert officer.rows("use_resumed") == []


async def test_a_correction_is_a_value_beside_the_call_and_goes_with_the_person(
    tmp_path: Path,
) -> None:
    one, two = map(call_of, calls(tmp_path, many=2))
    text = "I said two, not three"
    async with desk(tmp_path) as officer:
        await officer(
            "erase", party=party_id(two, 1), ground="PURPOSE_FULFILLED", authority="REQ-1"
        )
        with pytest.raises(BadRequest, match="at most 4000"):
            await officer.granted("CORRECT", calls=one, text="x" * 4_001)
        request = await officer.granted("CORRECT", calls=f"{one} {two}", text=text)
        rows = officer.rows("call_annotated")
        requester = officer.request(request).requester
        assert [row.call for row in rows] == [one, two]
        assert [row.detail["party"] for row in rows] == [party_id(one, 1), requester]
        assert all(text not in str(row) for row in rows)

        def said() -> list[str]:
            with StoreReader(officer.settings.audit.store) as reader:
                return [each.text for call in (one, two) for each in corrections(reader, call)]

        assert said() == [text, text]
        await officer(
            "erase", party=party_id(one, 1), ground="PURPOSE_FULFILLED", authority="REQ-1"
        )
        assert said() == ["", text]
        await officer("erase", party=requester, ground="PURPOSE_FULFILLED", authority="REQ-1")
        assert said() == ["", ""]
        assert verify(officer.settings.audit.store).intact


# -- the answer --------------------------------------------------------------------------------


async def test_an_answer_says_what_was_given_and_only_a_true_receipt(tmp_path: Path) -> None:
    (recording,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.granted("COPY", number=NUMBER)
        answer = {"request": request, "means": "POST"}
        for wrong, says in (
            ({"given": ""}, "say what was given"),
            ({"given": "MONEY"}, "no such given"),
            ({"given": "LETTER", "means": "OWL"}, "no such means"),
            ({"given": "RECEIPT"}, "has a digest"),
            ({"given": "LETTER", "receipt": "ab" * 32}, "has a digest"),
            ({"given": "LETTER", "package": "ab" * 32}, "no package"),
            ({"given": "PACKAGE", "package": "x"}, "no SHA-256"),
        ):
            with pytest.raises(BadRequest, match=says):
                await officer("answer", **{**answer, **wrong})
        with pytest.raises(NotPossible, match="does not say what the log says"):
            await officer("answer", **answer, given="RECEIPT", receipt="ab" * 32)
        with StoreReader(officer.settings.audit.store) as reader:
            page = receipt(reader, officer.request(request), officer.settings, "en")
        assert request in page
        assert f"{call_of(recording)}  2026-11-20 10:00:00+09:00, recorded, the recording" in page
        done = await officer("answer", **answer, given="RECEIPT PACKAGE", package="ab" * 32,
                             receipt=receipt_digest(page))  # fmt: skip
        assert (done["late"], done["ours"]) == (False, False)
        (row,) = officer.rows("request_answered")
        said = {name: row.detail[name] for name in ("given", "means", "package", "receipt")}
        assert said == {
            "given": ("PACKAGE", "RECEIPT"),
            "means": "POST",
            "package": "ab" * 32,
            "receipt": receipt_digest(page),
        }
        assert officer.request(request).state is RequestState.ANSWERED


async def test_of_a_file_it_is_said_whether_it_is_a_package_of_this_request(
    tmp_path: Path,
) -> None:
    (recording,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        verb = answering_verbs(officer.taken, lambda: officer.settings)["answer-packaged"]
        theirs, other = [await officer.granted("COPY", number=NUMBER) for _ in range(2)]
        for request, digest in ((theirs, "ab" * 32), (other, "cd" * 32)):
            made = {"request": request, "sha256": digest, "recordings": recording}
            await verb(OFFICER, made | {"directions": "own"})
        answer = {"request": theirs, "means": "POST", "given": "PACKAGE"}
        ours = await officer("answer", **answer, package="ab" * 32)
        assert ours["ours"] is True
        strange = await officer("answer", **answer | {"request": other}, package="ab" * 32)
        assert strange["ours"] is False


async def test_a_late_answer_says_so_from_its_very_moment(tmp_path: Path) -> None:
    async with desk(tmp_path) as officer:
        for late_ms, expected in ((-1, False), (0, True)):
            officer.now_ms = at(NOW)
            request = await officer.open("HEAR")
            await officer("decide", request=request, verdict="REFUSED", reason="NOT_KEPT")
            officer.now_ms = officer.request(request).due_ms + late_ms
            assert timestamp(officer.now_ms - late_ms) == DUE
            answer = await officer("answer", request=request, means="POST", given="LETTER")
            assert answer["late"] is expected


@pytest.mark.parametrize(("language", "word"), [("en", "not said"), ("ja", "お答えできません")])
async def test_a_receipt_tells_a_stranger_nothing_of_a_call(
    tmp_path: Path, language: str, word: str
) -> None:
    (recording,) = calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.open("HEAR", number=NUMBER)
        await officer("decide", request=request, verdict="REFUSED", reason="NOT_IDENTIFIED")
        with StoreReader(officer.settings.audit.store) as reader:
            page = receipt(reader, officer.request(request), officer.settings, language)
    assert word in page
    assert call_of(recording) not in page


@pytest.mark.parametrize(
    ("kind", "english", "japanese"),
    [
        (Kind.RECORDING_REQUESTED, "a recording is not finished yet", "終わっていません"),
        (Kind.RECORDING_GROWING, "a recording is not finished yet", "終わっていません"),
        (Kind.RECORDING_MISSING, "a recording was begun, and is not there", "残っていません"),
        (Kind.RECORDING_EMPTY, "not recorded", "録音なし"),
        (Kind.RECORDING_UNJUDGED, "recorded, the recording is kept", "録音を保有しています"),
    ],
)
async def test_a_receipt_says_no_only_where_that_is_known(
    tmp_path: Path, kind: Kind, english: str, japanese: str
) -> None:
    call = a_call_at(CALLED, 8)
    async with desk(tmp_path) as officer:
        arrived, *_ = rows_of(call, CALLED)
        recording = {"recording": recording_id(call, 1)}
        asked = draft(Kind.RECORDING_REQUESTED, call, detail=recording)
        await officer.log.append(arrived, asked, draft(kind, call, detail=recording))
        request = await officer.known("HEAR", calls=call)
        for language, said in (("en", english), ("ja", japanese)):
            with StoreReader(officer.settings.audit.store) as reader:
                page = receipt(reader, officer.request(request), officer.settings, language)
            (line,) = [one for one in page.splitlines() if call in one]
            assert said in line
            denies = kind is Kind.RECORDING_EMPTY
            assert ("not recorded" in line or "録音なし" in line) is denies


@pytest.mark.parametrize("regime", ["jp", "eu", "own"])
async def test_who_gets_less_than_he_asked_for_is_told_that_he_can_complain(
    tmp_path: Path, regime: str
) -> None:
    one, two = map(call_of, calls(tmp_path, many=2))
    async with desk(tmp_path) as officer:

        async def page(language: str, verdict: str, **decision: str) -> str:
            request = await officer.known("COPY", calls=f"{one} {two}", regime=regime)
            await officer("decide", request=request, verdict=verdict, **decision)
            with StoreReader(officer.settings.audit.store) as reader:
                return receipt(reader, officer.request(request), officer.settings, language)

        for language, word in (("en", "complain"), ("ja", "ご不服")):
            assert word not in await page(language, "GRANTED", reason="LAW")
            for decision in (
                {"verdict": "REFUSED", "reason": "NOT_KEPT"},
                {"verdict": "IN_PART", "reason": "NOT_KEPT", "except": one},
            ):
                assert (word in await page(language, **decision)) is (regime != "own")


async def test_a_receipt_says_when_each_recording_went_and_what_it_costs(tmp_path: Path) -> None:
    call = a_call_at(CALLED, 8)
    async with desk(tmp_path, requests={"fee": "JPY 500"}) as officer:
        rows = list(rows_of(call, CALLED)[:1])
        for segment, day in ((1, 21), (2, 22)):
            gone = {"recording": recording_id(call, segment)}
            at_ms = at(f"2026-11-{day}T01:00:00.000Z")
            rows.append(draft(Kind.RECORDING_REMOVED, call, at_ms, detail=gone))
        await officer.log.append(*rows)
        request = await officer.known("HEAR", calls=call)
        with StoreReader(officer.settings.audit.store) as reader:
            page = receipt(reader, officer.request(request), officer.settings, "en")
        (line,) = [one for one in page.splitlines() if call in one]
        gone_on = "the recording was erased on"
        assert line.endswith(
            f"recorded, {gone_on} 2026-11-21 10:00:00+09:00, {gone_on} 2026-11-22 10:00:00+09:00"
        )
        assert "Fee: JPY 500" in page
        free = await officer.known("STOP_USE", calls=call)
        with StoreReader(officer.settings.audit.store) as reader:
            assert "Fee" not in receipt(reader, officer.request(free), officer.settings, "en")


async def test_a_receipt_says_where_nothing_was_found_and_what_was_withdrawn_or_stopped(
    tmp_path: Path,
) -> None:
    (recording,) = calls(tmp_path)
    call = call_of(recording)
    unrecorded = a_call_at(CALLED, 8)
    async with desk(tmp_path) as officer:
        await officer.log.append(*an_unrecorded_call(unrecorded, at(CALLED)))

        def page(request: str) -> str:
            with StoreReader(officer.settings.audit.store) as reader:
                return receipt(reader, officer.request(request), officer.settings, "en")

        nothing = await officer.known("HEAR", number="0399999999")
        assert "Decided: not yet" in page(nothing)
        assert "none that we know" in page(nothing)
        await officer("withdraw", request=nothing, reason="BY_PERSON")
        assert "Decided: withdrawn" in page(nothing)
        stopped = await officer.known("STOP_USE", calls=f"{call} {unrecorded}")
        await officer("decide", request=stopped, verdict="IN_PART", reason="NOT_KEPT",
                      **{"except": unrecorded})  # fmt: skip
        lines = {line.split()[0]: line for line in page(stopped).splitlines() if "  c-" in line}
        assert lines[call].endswith("recorded, the recording is kept, is not used any longer")
        assert lines[unrecorded].endswith("not recorded, left out of the answer")


async def test_two_officers_do_not_decide_the_same_twice(tmp_path: Path) -> None:
    import asyncio

    calls(tmp_path)
    async with desk(tmp_path) as officer:
        request = await officer.known("COPY", number=NUMBER)
        decision: dict[str, Any] = {"request": request, "verdict": "GRANTED", "reason": "LAW"}
        done = await asyncio.gather(
            officer("decide", **decision), officer("decide", **decision), return_exceptions=True
        )
        assert sorted(type(one).__name__ for one in done) == ["NotPossible", "dict"]
        assert len(officer.rows("request_decided")) == 1
        assert OFFICER.user not in str(officer.rows())
