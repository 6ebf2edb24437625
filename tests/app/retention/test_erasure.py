"""Erasing through the service: who is meant, what is refused, and that row and effect are one."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from asterisk_compliance.app.policy.arrivals import personal_facts
from asterisk_compliance.app.retention.erasure import (
    BadErasure,
    Erasing,
    NotErasable,
    PersonSelector,
    plan,
)
from asterisk_compliance.app.retention.remainders import (
    LOGS,
    NUMBER,
    PersonalDataPlaces,
    remainders,
)
from asterisk_compliance.app.shared.control_socket import SocketPeer
from asterisk_compliance.app.shared.marks import mark_draft
from asterisk_compliance.clock import unix_ms
from asterisk_compliance.config.controller import ProvisionSettings
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.retention.erasure import KeptParty
from asterisk_compliance.ids import CallId, NodeName, PartyId, call_id, party_id
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import RowQuery, StoreReader
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries import persons

NUMBER_, OTHER, DID = "0312345678", "0398765432", "0120111222"
PEER = SocketPeer(uid=0, pid=1)
WISH = {"ground": "JP_CEASE_USE", "authority": "REQ-2026-0042"}


def a_call(number: int) -> CallId:
    return call_id(unix_ms(), number.to_bytes(8, "big"))


def arrived(call: CallId, number: str, dialled: str = DID, leg: str = "caller") -> Draft:
    return Draft(
        Kind.CALL_ARRIVED,
        unix_ms(),
        NodeName("lab"),
        call=call,
        actor="caller",
        detail={"leg": leg, "channel": "1732.1", "linkedid": "1732.1"},
        party=party_id(call, 1),
        role="caller",
        facts=personal_facts(number=number, name="Yamada", dialled=dialled),
    )


def ended(call: CallId) -> Draft:
    return Draft(Kind.CALL_ENDED, unix_ms(), NodeName("lab"), call=call)


class Desk:
    """A log with calls in it, and who erases."""

    def __init__(self, log: AuditLogStore, store: Path) -> None:
        self.log, self.store = log, store
        settings = SimpleNamespace(
            audit=SimpleNamespace(store=store),
            rules=SimpleNamespace(home="JP", time_zone=ZoneInfo("UTC")),
            provisions=ProvisionSettings(),
        )
        self.erasing = Erasing(log, lambda: cast("Settings", settings), asyncio.Lock())

    async def call(self, number: int, caller: str, *, over: bool = True, **facts: str) -> CallId:
        call = a_call(number)
        await self.log.append(arrived(call, caller, **facts), *([ended(call)] if over else []))
        return call

    async def erase(self, **wish: str) -> dict[str, Any]:
        return dict(await self.erasing.erase(PEER, {**WISH, **wish}))

    def kept(self, party: PartyId) -> tuple[str, ...]:
        with StoreReader(self.store) as reader:
            known = persons.party(reader, party)
        assert known is not None
        return known.fields

    def rows(self, kind: str) -> list[Any]:
        with StoreReader(self.store) as reader:
            return [decode(row.data) for row in reader.rows(RowQuery(kind=kind))]


@pytest.fixture
async def desk(tmp_path: Path):
    log = await AuditLogStore.open(tmp_path)
    yield Desk(log, tmp_path)
    await log.close()


async def test_every_call_of_a_number_is_erased_in_any_notation_and_nobody_else(desk: Desk) -> None:
    one = await desk.call(1, "0312345678")
    two = await desk.call(2, "+81312345678")
    called = await desk.call(3, "600", dialled="81312345678", leg="callee")
    other = await desk.call(4, OTHER)
    dialled_it = await desk.call(5, OTHER, dialled="0312345678")
    answer = await desk.erase(number="03-1234-5678")
    assert answer == {"parties": 3, "values": 9, "seq": 12, "left": 0}
    assert [desk.kept(party_id(call, 1)) for call in (one, two, called)] == [()] * 3
    assert len(desk.kept(party_id(other, 1))) == len(desk.kept(party_id(dialled_it, 1))) == 3
    rows = desk.rows("person_erased")
    assert [row.call for row in rows] == [one, two, called]
    who = rows[0].actor
    assert {row.actor for row in rows} == {who}
    assert rows[0].detail == {
        "authority": "REQ-2026-0042",
        "commit.user": rows[0].detail["commit.user"],
        "digests": 2,
        "erased": party_id(one, 1),
        "fields": ("dialled", "name", "number"),
        "ground": "JP_CEASE_USE",
        "party": who,
        "role": "staff",
    }
    assert "commit.user" not in rows[1].detail
    assert verify(desk.store).intact
    again = await desk.erase(number="03-1234-5678")
    assert (again["parties"], again["seq"]) == (0, None)
    assert len(desk.rows("person_erased")) == 3


async def test_staff_and_single_parties_can_be_erased(desk: Desk) -> None:
    call = await desk.call(1, NUMBER_)
    await desk.log.append(mark_draft("TEST", "clerk"))
    assert (await desk.erase(party=party_id(call, 1)))["parties"] == 1
    assert (await desk.erase(user="clerk"))["values"] == 1
    assert (await desk.erase(party="y-nobody"))["parties"] == 0
    assert [row.node for row in desk.rows("person_erased")] == ["lab", "service"]


async def test_a_live_call_refuses_the_whole_erasure(desk: Desk) -> None:
    over = await desk.call(1, NUMBER_)
    live = await desk.call(2, NUMBER_, over=False)
    with pytest.raises(NotErasable, match=f"LIVE_CALL: {live}") as refused:
        await desk.erase(number=NUMBER_)
    assert "nothing was erased" in refused.value.hint
    assert len(desk.kept(party_id(over, 1))) == 3
    await desk.log.append(ended(live))
    assert (await desk.erase(number=NUMBER_))["parties"] == 2


async def test_a_hold_refuses_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    call = await desk.call(1, NUMBER_)
    held = {call: ("M-1",)}
    monkeypatch.setattr(
        "asterisk_compliance.app.retention.erasure.matters_on",
        lambda reader, calls: {one: held[one] for one in calls},
    )
    with pytest.raises(NotErasable, match=f"ON_HOLD: {call}"):
        await desk.erase(number=NUMBER_)


@pytest.mark.parametrize(
    "wish",
    [
        {"number": NUMBER_, "ground": "BECAUSE"},
        {"number": NUMBER_, "authority": "he said so"},
        {"number": NUMBER_, "authority": "REQ-12345678"},
        {"number": "anonymous"},
        {"number": NUMBER_, "user": "clerk"},
        {},
    ],
)
async def test_what_makes_no_sense_erases_nobody(desk: Desk, wish: dict[str, str]) -> None:
    call = await desk.call(1, NUMBER_)
    with pytest.raises(BadErasure) as refused:
        await desk.erase(**wish)
    assert NUMBER_[-7:] not in str(refused.value)
    assert len(desk.kept(party_id(call, 1))) == 3


async def test_many_calls_are_erased_in_turns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asterisk_compliance.app.retention.erasure.PARTIES_PER_REQUEST", 3)
    monkeypatch.setattr("asterisk_compliance.app.retention.erasure.PARTIES_PER_COMMIT", 2)
    for number in range(5):
        await desk.call(number, NUMBER_)
    first, second = await asyncio.gather(desk.erase(number=NUMBER_), desk.erase(number=NUMBER_))
    assert (first["parties"], first["left"]) == (3, 2)
    assert (second["parties"], second["left"]) == (2, 0)
    assert len(desk.rows("person_erased")) == 5
    with StoreReader(desk.store) as reader:
        assert plan(reader, PersonSelector(number=NUMBER_), "JP", unix_ms()).parties == ()


# -- what remains ----------------------------------------------------------------------------

PLACES = PersonalDataPlaces(store=Path("/var/lib/it's"), jsonl=Path("/var/lib/ac/audit.jsonl"))
PARTY = KeptParty(
    PartyId("y-1"),
    NodeName("lab"),
    call=CallId("c-1"),
    channel="pbx-1732.1",
    linkedid="pbx-1732.9",
    arrived_at="2026-11-24T08:00:00.000Z",
    ended_at="2026-11-24T08:01:00.000Z",
)
EVERYWHERE = {
    "cdr", "cel", "queue_log", "asterisk_logs", "asterisk_database", "elsewhere",
    "recordings", "handed_out", "do_not_call", "rows", "json_lines", "checkpoints", "backups",
    "snapshots",
}  # fmt: skip


def found(parties: list[KeptParty], places: PersonalDataPlaces = PLACES) -> dict[str, Any]:
    return {one.id: one for one in remainders(parties, places)}


def test_everything_that_remains_is_named_with_how_to_find_it():
    listed = found([PARTY])
    assert set(listed) == EVERYWHERE
    commands = "\n".join(listed["cdr"].find)
    assert f"zgrep -nF -e pbx-1732.1 -e pbx-1732.9 {LOGS}/cdr-csv/Master.csv*" in commands
    assert "WHERE uniqueid IN ('pbx-1732.1', 'pbx-1732.9')" in commands.replace("'\"'\"'", "'")
    assert f"grep -rnF -e pbx-1732.1 -e pbx-1732.9 {LOGS}/cdr-custom" in commands
    assert listed["queue_log"].find == (f"zgrep -nF -e pbx-1732.1 {LOGS}/queue_log*",)
    assert "2026-11-24T08:00:00.000Z to 2026-11-24T08:01:00.000Z" in listed["asterisk_logs"].todo
    assert any(NUMBER in command for command in listed["asterisk_logs"].find)
    assert listed["recordings"].find == ()
    given, released, exported, evidence = listed["handed_out"].find
    assert given == "asterisk-compliance provisions list --names --call c-1"
    assert released == "asterisk-compliance audit list --kind recording_released --call c-1"
    assert "call_exported" in exported
    assert "evidence_exported" in evidence
    assert "'/var/lib/it'\"'\"'s'" in listed["backups"].find[0]


def test_configured_files_are_named_instead_of_those_of_asterisk():
    places = PersonalDataPlaces(
        store=PLACES.store,
        jsonl=PLACES.jsonl,
        cdr=(Path("/data/cdr.sqlite3"), Path("/data/m.csv")),
        cel=(Path("/data/cel.db"),),
        recordings=("r-1-1",),
    )
    listed = found([PARTY], places)
    assert [command.split()[0] for command in listed["cdr"].find] == ["sqlite3", "zgrep"]
    assert "FROM cel" in listed["cel"].find[0]
    assert listed["recordings"].find == ("asterisk-compliance calls show c-1",)
    assert "r-1-1" in listed["recordings"].todo


def test_of_staff_there_is_no_channel_to_look_for():
    listed = found([KeptParty(PartyId("y-2"), NodeName("service"))])
    assert set(listed) == EVERYWHERE
    assert listed["cdr"].find == listed["queue_log"].find == listed["handed_out"].find == ()
    assert "at all times" in listed["asterisk_logs"].todo


def test_a_hostile_id_stays_one_word_of_the_command():
    said = "x'); DROP TABLE cdr; $(rm -rf /) ; rm"
    hostile = KeptParty(PartyId("y-3"), NodeName("lab"), channel=said, linkedid="none")
    csv, sql, custom = found([hostile])["cdr"].find
    assert shlex.split(csv) == ["zgrep", "-nF", "-e", said, f"{LOGS}/cdr-csv/Master.csv*"]
    assert shlex.split(custom)[3] == said
    assert said.replace("'", "''") in shlex.split(sql)[3]
    assert len(shlex.split(sql)) == 4
