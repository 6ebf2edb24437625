"""Erasing a person: nothing of him is left in any file, and the log still verifies."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import SALT_BYTES
from asterisk_compliance.domain.audit.rows import Draft, Kind, PersonalFact
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, NodeName, PartyId, call_id, party_id
from asterisk_compliance.storage.log import erasure, schema
from asterisk_compliance.storage.log import personal_data as personal
from asterisk_compliance.storage.log.audit_log import AuditLogStore
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries import persons
from sample_rows import AT_MS, tamper
from storage.earlier import as_before

NUMBER, NAME, OTHER = "0312345678", "Yamada Hanako", "0398765432"


def a_call(number: int) -> CallId:
    return call_id(AT_MS, number.to_bytes(8, "big"))


def arrival(call: CallId, number: str, name: str, dialled: str = "0120111222") -> Draft:
    facts = (
        PersonalFact("number", number, number),
        PersonalFact("name", name),
        PersonalFact("dialled", dialled, dialled),
    )
    detail = {"leg": "caller", "channel": "1732.1", "linkedid": "1732.1"}
    return Draft(
        Kind.CALL_ARRIVED,
        AT_MS,
        NodeName("lab"),
        call=call,
        actor="caller",
        detail=detail,
        party=party_id(call, 1),
        role="caller",
        facts=facts,
    )


def tombstone(call: CallId) -> Draft:
    detail = {"authority": "REQ-1", "erased": party_id(call, 1), "ground": "JP_CEASE_USE"}
    return Draft(
        Kind.PERSON_ERASED,
        AT_MS + 1,
        NodeName("lab"),
        call=call,
        detail=detail,
        erases=party_id(call, 1),
    )


def written(store: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file())


def counts(store: Path, party: PartyId) -> tuple[int, int]:
    with StoreReader(store) as reader:
        known = persons.party(reader, party)
        assert known is not None
        return len(known.fields), known.digests


def test_values_salts_and_digests_go_with_the_row_and_the_log_verifies(tmp_path: Path) -> None:
    one, two = a_call(1), a_call(2)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(one, NUMBER, NAME), arrival(two, OTHER, "Suzuki")])
        assert counts(tmp_path, party_id(one, 1)) == (3, 2)
        assert verify(tmp_path).opened == 6
        sought = erasure.secrets_of(tmp_path, [party_id(one, 1)])
        assert len(sought) == 3 + 2, "three salts, and what nobody else has: number and name"
        assert sum(erasure.copies_left(tmp_path, sought).values()) > 0
        store.commit([tombstone(one)])
        assert counts(tmp_path, party_id(one, 1)) == (0, 0)
        assert counts(tmp_path, party_id(two, 1)) == (3, 2)
        assert erasure.copies_left(tmp_path, sought) == {}, "while the store is open"
        assert (tmp_path / f"{DATABASE}-wal").stat().st_size == 0
        assert NUMBER.encode() not in written(tmp_path)
        assert NAME.encode() not in written(tmp_path)
        assert OTHER.encode() in written(tmp_path)
        verdict = verify(tmp_path)
        assert (verdict.intact, verdict.opened) == (True, 3)
    with StoreReader(tmp_path) as reader:
        known = persons.party(reader, party_id(one, 1))
    assert known is not None
    assert known.erased_at == "2026-11-24T08:00:00.001Z"


def test_a_crash_leaves_row_and_values_or_neither(tmp_path: Path, monkeypatch) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(call, NUMBER, NAME)])

        def dies(*_: object) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        monkeypatch.setattr("asterisk_compliance.storage.log.projections.apply", dies)
        behind = arrival(a_call(2), OTHER, "Suzuki")
        with pytest.raises(StoreUnavailable):
            store.commit([tombstone(call), behind])
        assert counts(tmp_path, party_id(call, 1)) == (3, 2)
    assert verify(tmp_path).rows == 1


def test_an_erased_party_gets_no_value_any_more(tmp_path: Path) -> None:
    """A row that was on its way when the person was erased."""
    call = a_call(1)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(call, NUMBER, NAME)])
        store.commit([tombstone(call)])
        store.commit([arrival(call, NUMBER, NAME)])
        assert counts(tmp_path, party_id(call, 1)) == (0, 0)
        assert NUMBER.encode() not in written(tmp_path)
        store.commit([tombstone(call)])
    assert verify(tmp_path).intact


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            "INSERT INTO party_digests (digest, party, field) VALUES (x'00', '{}', 'number')",
            "party {} was erased, and something is kept of it",
        ),
        (
            "UPDATE parties SET erased_at = 'x' WHERE party <> '{}'",
            "party {other} is marked as erased, and no row says so",
        ),
    ],
)
def test_verify_notices_what_no_tombstone_explains(tmp_path: Path, change: str, fault: str) -> None:
    one, two = a_call(1), a_call(2)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(one, NUMBER, NAME), arrival(two, OTHER, "Suzuki"), tombstone(one)])
    assert verify(tmp_path).intact
    tamper(tmp_path, change.format(party_id(one, 1)))
    faults = [each.what for each in verify(tmp_path).faults]
    assert faults == [fault.format(party_id(one, 1), other=party_id(two, 1))]


# -- the bytes -------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_copy_stays_in_unused_parts_of_pages(tmp_path: Path) -> None:
    """Calls come and are erased in any order, with short and long names: rows move a lot.

    In a table whose rows move, and with ``secure_delete`` alone, a few copies stay.
    """
    chance = random.Random(7)
    db, key = schema.open_for_writing(tmp_path), secrets.token_bytes(32)
    db.execute("PRAGMA synchronous = OFF")  # nobody is killed here
    live: dict[CallId, list[bytes]] = {}
    gone: list[bytes] = []
    for number in range(3_000):
        call = a_call(number)
        name = f"Yamada {number:05d}" + "x" * chance.choice([0, 3, 20, 200, 900])
        draft = arrival(call, f"0{number:05d}{chance.randrange(10**5):05d}", name)
        salts = {fact: chance.randbytes(SALT_BYTES) for fact in draft.facts}
        db.execute("BEGIN")
        personal.keep(db, key, number * 7, draft, salts)
        live[call] = [*salts.values(), draft.facts[0].value.encode(), name.encode()]
        if chance.random() < 0.3:
            erased = chance.choice(list(live))
            gone += live.pop(erased)
            erasure.apply(db, tombstone(erased))
        db.execute("COMMIT")
    assert erasure.wipe(db)
    db.close()
    assert len(gone) > 4_000
    left = written(tmp_path)
    assert [one for one in gone if one in left] == []


def test_writing_anew_leaves_nothing(tmp_path: Path) -> None:
    """What is found all the same is reached so: here a copy is planted in a free page."""
    planted = secrets.token_bytes(32)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(a_call(1), NUMBER, NAME)])
        store._db.execute("PRAGMA secure_delete = OFF")
        store._db.execute("CREATE TABLE planted (it BLOB)")
        store._db.execute("INSERT INTO planted VALUES (?)", (planted,))
        store._db.execute("DROP TABLE planted")
        assert erasure.wipe(store._db)
        assert erasure.copies_left(tmp_path, [planted]) == {DATABASE: 1}
        store.write_anew()
        assert erasure.copies_left(tmp_path, [planted]) == {}
    assert verify(tmp_path).intact


def test_a_copy_over_the_edge_of_two_reads_is_found(tmp_path: Path) -> None:
    for before in (0, erasure._CHUNK_BYTES - 5, 3 * erasure._CHUNK_BYTES - 1):
        (tmp_path / "file").write_bytes(b"." * before + b"0312345678" + b"." * 99)
        assert erasure.copies_left(tmp_path, [b"0312345678", b"none"]) == {"file": 1}


async def test_a_reader_delays_the_end_of_the_bytes_and_not_the_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    def wipe(db: sqlite3.Connection) -> bool:
        tried.append(really(db))
        return tried[-1]

    really = erasure.wipe
    monkeypatch.setattr(erasure, "wipe", wipe)
    monkeypatch.setattr("asterisk_compliance.storage.log.audit_log.WIPE_AGAIN_S", 0.02)
    call = a_call(1)
    log = await AuditLogStore.open(tmp_path)
    try:
        await log.append(arrival(call, NUMBER, NAME))
        sought = erasure.secrets_of(tmp_path, [party_id(call, 1)])
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as reading:
            reading.execute("BEGIN")
            assert reading.execute("SELECT count(*) FROM party_values").fetchone() == (3,)
            tried.clear()
            await log.append(tombstone(call))
            assert counts(tmp_path, party_id(call, 1)) == (0, 0)
            async with asyncio.timeout(5):
                while len(tried) < 4:  # noqa: ASYNC110 - of the writer's thread
                    await asyncio.sleep(0.01)
            assert not any(tried)
            assert erasure.copies_left(tmp_path, sought), "the reader still sees it"
        assert await asyncio.to_thread(erasure.until_gone, tmp_path, sought, 5.0) == {}
    finally:
        await log.close()


# -- opening ---------------------------------------------------------------------------------


def opened(store: Path, party: PartyId) -> list[tuple[str, str, str]]:
    with StoreReader(store) as reader:
        known = persons.party(reader, party)
        assert known is not None
        return [(one.field, one.state, one.value) for one in persons.openings(reader, known)]


def test_commitments_open_until_they_are_erased(tmp_path: Path) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(call, NUMBER, NAME)])
        assert opened(tmp_path, party_id(call, 1)) == [
            ("dialled", "opened", "0120111222"),
            ("name", "opened", NAME),
            ("number", "opened", NUMBER),
        ]
        store.commit([tombstone(call)])
        states = [(field, state) for field, state, _ in opened(tmp_path, party_id(call, 1))]
        assert states == [(field, "erased") for field in ("dialled", "name", "number")]


def test_what_was_changed_or_taken_away_is_said(tmp_path: Path) -> None:
    call = a_call(1)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(call, NUMBER, NAME)])
    tamper(tmp_path, f"UPDATE party_values SET value = '{OTHER}' WHERE field = 'number'")
    tamper(tmp_path, "DELETE FROM party_values WHERE field = 'name'")
    states = [(field, state) for field, state, _ in opened(tmp_path, party_id(call, 1))]
    assert states == [("dialled", "opened"), ("name", "missing"), ("number", "wrong")]


def test_the_values_of_an_older_store_still_open_and_can_be_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = a_call(1)
    with monkeypatch.context() as patch:
        as_before(patch, schema._ERASABLE)
        with StoreWriter.open(tmp_path) as store:
            store.commit([arrival(call, NUMBER, NAME)])
    with StoreWriter.open(tmp_path) as store:
        assert verify(tmp_path).opened == 3
        store.commit([tombstone(call)])
    assert NUMBER.encode() not in written(tmp_path)
    assert NAME.encode() not in written(tmp_path)
    assert verify(tmp_path).intact


_TEXT = st.text(st.characters(codec=None), max_size=40)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(_TEXT, _TEXT, _TEXT), min_size=1, max_size=5), st.data())
def test_what_was_committed_opens_until_it_is_erased_whatever_it_was(
    people: list[tuple[str, str, str]], data: st.DataObject
) -> None:
    """Any text that a caller can choose, also one without a UTF-8 form."""
    calls = [a_call(number) for number in range(len(people))]
    with TemporaryDirectory() as directory, StoreWriter.open(Path(directory)) as store:
        store.commit([arrival(call, *facts) for call, facts in zip(calls, people, strict=True)])
        erased = data.draw(st.sets(st.sampled_from(calls)))
        store.commit([tombstone(call) for call in sorted(erased)])
        for call, facts in zip(calls, people, strict=True):
            kept = {field: value for field, _, value in opened(Path(directory), party_id(call, 1))}
            states = {state for _, state, _ in opened(Path(directory), party_id(call, 1))}
            assert states == ({"erased"} if call in erased else {"opened"})
            if call not in erased:
                cleaned = [one.encode("utf-8", "replace").decode() for one in facts]
                assert [kept["number"], kept["name"], kept["dialled"]] == cleaned
        verdict = verify(Path(directory))
        assert verdict.intact
        assert verdict.opened == 3 * (len(calls) - len(erased))


def found(store: Path, keys: dict[str, Iterable[str]]) -> list[tuple[str, frozenset[str]]]:
    with StoreReader(store) as reader:
        return [(one.party, one.found_by) for one in persons.found_by(reader, keys)]


def test_parties_are_found_by_keyed_digests(tmp_path: Path) -> None:
    one, two = a_call(1), a_call(2)
    with StoreWriter.open(tmp_path) as store:
        store.commit([arrival(one, NUMBER, NAME), arrival(two, OTHER, "S", dialled=NUMBER)])
    keys: dict[str, Iterable[str]] = {"number": [NUMBER, "81312345678"], "dialled": [NUMBER]}
    assert found(tmp_path, keys) == [
        (party_id(one, 1), frozenset({"number"})),
        (party_id(two, 1), frozenset({"dialled"})),
    ]
    assert found(tmp_path, {"number": ["1"]}) == []
    with StoreReader(tmp_path) as reader:
        assert persons.party(reader, "y-none") is None
