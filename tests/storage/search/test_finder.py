"""Whatever is asked for, what is found is what an unhurried look at every call would find."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.domain.phone_numbers import notations
from asterisk_compliance.ids import CallId, call_id, party_id, recording_id
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.search import conditions
from asterisk_compliance.storage.search import finder as searching
from asterisk_compliance.storage.search import sort_orders as search_sorts
from asterisk_compliance.storage.search.finder import ANY, CallFinder, CallSearch
from asterisk_compliance.storage.search.id_streams import IdSpan
from sample_rows import AT_MS, draft

CALLS = 120
HOUR_MS = 3_600_000
NUMBERS = ("0312345678", "+81 3-1234-5678", "09011112222", "")
DIDS = ("0120000111", "0120000222")
USERS = ("akira", "yoko")
AGENTS = ("PJSIP/anna", "PJSIP/200", "SIP/200")
REQUEST = "q-" + "0" * 28
ODD_QUEUE = '窓"\\口\x01,'


@dataclass(frozen=True)
class Made:
    """One call, as the rows that were written say it; one that is ``live`` has not ended."""

    call: CallId
    number: str
    dialled: str
    leg: str
    policy: str
    queue: str
    decision: str
    reason: str
    purposes: tuple[str, ...]
    notice: str
    consent: str
    levels: tuple[str, ...]
    lasted_ms: int | None
    recorded_ms: int
    user: str
    request: str
    channel: str
    joined: str
    agents: tuple[str, ...]
    live: bool

    @property
    def began_ms(self) -> int:
        return int(self.call[2:14], 16)


def channel_at(hour: int, number: int) -> str:
    """A ``uniqueid`` as Asterisk makes one."""
    return f"{AT_MS // 1_000 + hour * 3_600}.{number}"


def made(number: int, chance: random.Random) -> Made:
    decision, reason = chance.choice(
        [
            ("ALLOWED", "NOTICE_COMPLETED"),
            ("REFUSED", "CONSENT_REFUSED"),
            ("NOT_RECORDED", "NOTICE_FAILED"),
        ]
    )
    allowed = decision == "ALLOWED"
    lengths = [chance.choice([4_000, 70_000, HOUR_MS]) for _ in range(chance.randint(1, 2))]
    levels = tuple(chance.choice(["closed", "missing"]) for _ in lengths) if allowed else ()
    recorded = sum(ms for ms, level in zip(lengths, levels, strict=False) if level == "closed")
    lasted = recorded + chance.choice([0, 59_999, 60_000, 200_000])
    return Made(
        call=call_id(AT_MS + number * HOUR_MS, number.to_bytes(8)),
        number=chance.choice(NUMBERS),
        dialled=chance.choice((*DIDS, NUMBERS[0])),
        leg=chance.choice(["caller", "caller", "callee"]),
        policy=chance.choice(["inbound", "sales"]),
        queue=chance.choice(["", "support", "orders", "support", ODD_QUEUE]),
        decision=decision,
        reason=reason,
        purposes=chance.choice([("SERVICE", "QUALITY"), ("QUALITY",)]) if allowed else (),
        notice=chance.choice(["standard/1/ja", "standard/10/ja", "standard/2/en", "other/1/ja"]),
        consent=chance.choice(["", "given", "withdrawn"]),
        levels=levels,
        lasted_ms=chance.choice([lasted, lasted, None]) if number % 9 else None,
        recorded_ms=recorded,
        user=chance.choice(["", "", *USERS]),
        request=chance.choice(["", "", "", REQUEST, "q-" + "1" * 28]),
        channel=channel_at(number, 1),
        joined=chance.choice(["", channel_at(number, 2), "local-7"]),
        agents=chance.choice([(), (), AGENTS[:1], AGENTS[1:2], AGENTS[2:], AGENTS[:2]]),
        live=not number % 9,
    )


def rows_of(one: Made) -> Iterator[Draft]:
    at = one.began_ms
    values = {"number": one.number, "dialled": one.dialled}
    facts = tuple(
        PersonalFact(field, value, "".join(filter(str.isdigit, value)))
        for field, value in values.items()
        if value
    )
    arrived = {"policy": one.policy, "queue": one.queue, "leg": one.leg, "channel": one.channel}
    yield draft(
        Kind.CALL_ARRIVED, one.call, at, detail=arrived, party=party_id(one.call, 1), facts=facts
    )
    yield draft(Kind.NOTICE_COMPLETED, one.call, at, detail={"notice": one.notice})
    decided = {"status": one.decision, "reason": one.reason, "purposes": one.purposes}
    yield draft(Kind.DECISION, one.call, at, detail=decided)
    if one.consent:
        yield draft(Kind.CONSENT, one.call, at, detail={"state": "refused"})
        yield draft(Kind.CONSENT, one.call, at, detail={"state": one.consent})
    if one.user:
        staff = party_id(call_id(AT_MS, one.call[-8:].encode()), 1)
        user = (PersonalFact("user", one.user, one.user),)
        yield draft(Kind.CAPTURE_PAUSED, one.call, at, party=staff, facts=user)
    if one.joined:
        joined = {"channel": one.joined, "cover": "staff", "party": "y-1"}
        yield draft(Kind.PARTY_JOINED, one.call, at + 60_000, detail=joined)
    for place, agent in enumerate(one.agents, 3):
        came = {"channel": channel_at(0, place), "cover": "staff"}
        endpoint = (PersonalFact("endpoint", agent, agent),)
        party = party_id(one.call, place)
        yield draft(Kind.PARTY_JOINED, one.call, at, detail=came, party=party, facts=endpoint)
    ended = at + (HOUR_MS if one.lasted_ms is None else one.lasted_ms)
    late = one.lasted_ms is None
    if not one.live:
        yield draft(Kind.CALL_ENDED, one.call, ended, detail={"observed_late": late})
    left = one.recorded_ms
    closed = one.levels.count("closed")
    for segment, level in enumerate(one.levels, 1):
        detail: dict[str, Any] = {"recording": recording_id(one.call, segment)}
        kind = Kind.RECORDING_MISSING
        if level == "closed":
            closed -= 1
            length = left if not closed else 1_000
            left -= length
            kind, detail = Kind.RECORDING_CLOSED, {**detail, "length_ms": length}
        yield draft(kind, one.call, ended, detail=detail)
    if one.request:
        yield draft(Kind.REQUEST_CALL, one.call, ended, detail={"request": one.request})


HOLDS = {
    "CASE-1": {"numbered": True, "queue": "support", "since_ms": None, "until_ms": None},
    "CASE-2": {"numbered": False, "queue": "", "since_ms": AT_MS + 90 * HOUR_MS, "until_ms": None},
}


def hold_row(matter: str, call: CallId | None = None) -> Draft:
    said = HOLDS.get(matter, {"numbered": False, "queue": "", "since_ms": None, "until_ms": None})
    held = notations(NUMBERS[0], "JP") if said["numbered"] else ()
    return draft(Kind.HOLD_PLACED, call, detail={"matter": matter, **said}, held=held)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Made]]:
    store = tmp_path_factory.mktemp("searched") / "store"
    chance = random.Random(20261125)
    calls = [made(number, chance) for number in range(CALLS)]
    with StoreWriter.open(store) as writer:
        writer.commit([row for one in calls for row in rows_of(one)])
        writer.commit([hold_row("CASE-1"), hold_row("CASE-2"), hold_row("CASE-3", calls[5].call)])
        placed = writer.commit([hold_row("CASE-4")])
        writer.commit([draft(Kind.HOLD_RELEASED, detail={"hold": placed[0].seq})])
    assert not list(verify(store).faults)
    return store, calls


def digits(number: str) -> str:
    return "".join(filter(str.isdigit, number))


def fits(one: Made, said: CallSearch, calls: list[Made]) -> bool:
    """As slowly and plainly as it can be said."""
    number, dialled = digits(one.number), digits(one.dialled)
    held = {
        "CASE-1": number in notations(NUMBERS[0], "JP") or dialled in notations(NUMBERS[0], "JP"),
        "CASE-2": one.began_ms >= AT_MS + 90 * HOUR_MS,
        "CASE-3": one == calls[5],
    }
    held["CASE-1"] = held["CASE-1"] and one.queue == "support"
    lasted = one.lasted_ms
    return all(
        (
            not said.number
            or number in said.number
            or (one.leg == "callee" and dialled in said.number),
            not said.dialled or dialled in said.dialled,
            not said.agent or bool({*said.agent} & {*one.agents}),
            said.user in {"", one.user},
            said.channel in {"", one.channel, one.joined},
            said.since_ms is None or said.since_ms <= one.began_ms,
            said.until_ms is None or one.began_ms < said.until_ms,
            said.policy in {"", one.policy},
            said.queue is None or said.queue == one.queue,
            said.leg in {"", one.leg},
            said.decision in {"", one.decision},
            said.reason in {"", one.reason},
            not said.purpose or said.purpose in one.purposes,
            not said.notice or f"{one.notice}/".startswith(f"{said.notice}/"),
            said.consent in {"", one.consent},
            not said.level or said.level in one.levels,
            said.longer_ms is None or (lasted is not None and lasted >= said.longer_ms),
            said.shorter_ms is None or (lasted is not None and lasted < said.shorter_ms),
            said.recorded_longer_ms is None or one.recorded_ms >= said.recorded_longer_ms,
            said.recorded_shorter_ms is None or one.recorded_ms < said.recorded_shorter_ms,
            not said.matter or held.get(said.matter, False),
            said.request in {"", one.request} or (said.request == ANY and one.request != ""),
        )
    )


CHOICES: dict[str, list[Any]] = {
    "number": [notations(NUMBERS[0], "JP"), notations(NUMBERS[2], "JP"), ("999",)],
    "dialled": [(DIDS[0],), (DIDS[1], "7")],
    "agent": [(AGENTS[0],), AGENTS[1:], ("PJSIP/nobody",)],
    "user": [*USERS, "nobody"],
    "channel": [channel_at(7, 1), *(channel_at(at, 2) for at in range(20)), "local-7", "' OR 1"],
    "since_ms": [AT_MS, AT_MS + 40 * HOUR_MS, AT_MS + 41 * HOUR_MS + 1],
    "until_ms": [AT_MS, AT_MS + 80 * HOUR_MS, AT_MS + 1_000 * HOUR_MS],
    "policy": ["inbound", "sales", "none"],
    "queue": ["", "support", "none", ODD_QUEUE],
    "leg": ["caller", "callee"],
    "decision": ["ALLOWED", "REFUSED"],
    "reason": ["NOTICE_COMPLETED", "NOTICE_FAILED"],
    "purpose": ["SERVICE", "QUALITY", "QUALIT"],
    "notice": ["standard", "standard/1", "standard/2/en", "stand", "other/1/ja"],
    "consent": ["given", "withdrawn", "refused"],
    "level": ["closed", "missing", "sealed"],
    "longer_ms": [0, 60_000, 59_999, 60_001, HOUR_MS],
    "shorter_ms": [60_000, 61_000, 10 * HOUR_MS],
    "recorded_longer_ms": [1, 70_000, 2 * HOUR_MS],
    "recorded_shorter_ms": [1, 70_001],
    "matter": ["CASE-1", "CASE-2", "CASE-3", "CASE-4", "CASE-5"],
    "request": [REQUEST, ANY, "q-none"],
}


def searches(count: int, seed: int) -> Iterator[CallSearch]:
    """Every value alone, then mixtures of up to four."""
    for name, values in CHOICES.items():
        for value in values:
            yield CallSearch(**{name: value})
    chance = random.Random(seed)
    for _ in range(count):
        names = chance.sample(sorted(CHOICES), chance.randint(0, 4))
        yield CallSearch(**{name: chance.choice(CHOICES[name]) for name in names})


@pytest.mark.parametrize(
    ("probed", "rare", "sorts", "jumps"),
    [
        (4_000, 20_000, 20_000, 2_000),
        (1, 20_000, 20_000, 2_000),
        (1, 20_000, 20_000, 5),
        (1, 3, 20_000, 2_000),
        (8, 30, 3, 3),
        (1, 1, 20_000, 2_000),
    ],
    ids=[
        "as it is", "sorts at once", "few jumps", "nothing is rare", "too many sorts", "no count"
    ],
)  # fmt: skip
def test_what_is_found_is_what_fits(world, monkeypatch, probed, rare, sorts, jumps):
    store, calls = world
    monkeypatch.setattr(searching, "_PROBED", probed)
    monkeypatch.setattr(searching, "RARE", rare)
    monkeypatch.setattr(conditions, "RARE", rare)
    monkeypatch.setattr(search_sorts, "SORTS_MAX", sorts)
    monkeypatch.setattr(search_sorts, "JUMPS_MAX", jumps)
    found_some = 0
    with StoreReader(store) as reader:
        finder = CallFinder(reader)
        for said in searches(60, seed=probed + rare + sorts + jumps):
            wanted = [one.call for one in reversed(calls) if fits(one, said, calls)]
            page = finder.page(said, CALLS)
            assert [entry["call"] for entry in page.calls] == wanted, said
            assert not page.more
            assert finder.count(said) == len(wanted), said
            found_some += bool(wanted)
    assert found_some > 60


@pytest.mark.parametrize("size", [1, 7, 40])
def test_pages_follow_each_other_without_a_gap(world, size):
    store, calls = world
    said = CallSearch(policy="inbound", since_ms=AT_MS + 3 * HOUR_MS)
    wanted = [one.call for one in reversed(calls) if fits(one, said, calls)]
    found: list[str] = []
    with StoreReader(store) as reader:
        finder = CallFinder(reader)
        more, before = True, None
        while more:
            page = finder.page(said, size, before)
            assert len(page.calls) <= size
            found += [str(entry["call"]) for entry in page.calls]
            more, before = page.more, CallId(found[-1])
    assert found == wanted
    assert len(wanted) > size


def test_a_page_begins_behind_a_call_that_is_not_as_it_should_be(world):
    store, calls = world
    outsider = next(one for one in reversed(calls) if one.policy != "inbound")
    with StoreReader(store) as reader:
        page = CallFinder(reader).page(CallSearch(policy="inbound"), CALLS, outsider.call)
    wanted = [c.call for c in reversed(calls) if c.policy == "inbound" and c.call < outsider.call]
    assert [entry["call"] for entry in page.calls] == wanted


def test_an_empty_store_has_no_calls(tmp_path):
    StoreWriter.open(tmp_path).close()
    with StoreReader(tmp_path) as reader:
        finder = CallFinder(reader)
        for said in searches(30, seed=1):
            assert finder.page(said, 5) == ([], False)
            assert finder.count(said) == 0


def test_two_common_values_that_no_call_has_both_of_are_not_sought_call_by_call(world, monkeypatch):
    store, calls = world
    said = CallSearch(decision="REFUSED", purpose="QUALITY")
    assert sum(one.decision == "REFUSED" for one in calls) > 20
    looked_at: list[int] = []
    entries = IdSpan.entries

    def counted(span: IdSpan, sql: str, values: Any) -> Any:
        looked_at.append(len(json.loads(values[0])))
        return entries(span, sql, values)

    monkeypatch.setattr(IdSpan, "entries", counted)
    monkeypatch.setattr(searching, "_PROBED", 4)
    with StoreReader(store) as reader:
        assert CallFinder(reader).page(said, 5).calls == []
    assert sum(looked_at) == 4


def test_the_indexes_are_used(world):
    """Written a little differently, an expression is none that SQLite looks for."""
    store, _ = world
    ended = f"{conditions.ENDED} AND call < ?"
    with StoreReader(store) as reader:
        for sql, index in (
            (f"SELECT call FROM calls WHERE {conditions.SORT} = ? AND {ended}", "calls_sort"),
            (f"SELECT call FROM calls WHERE {conditions.MINUTE} = ? AND {ended}", "calls_lasted"),
            ("SELECT call FROM recordings WHERE level = ? AND call < ?", "recordings_level"),
        ):
            plan = reader.connection.execute(f"EXPLAIN QUERY PLAN {sql}", ("", "")).fetchall()
            assert index in plan[0][3]
