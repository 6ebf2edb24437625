"""Legal holds as the staff places and releases them: what is refused, and who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.app.retention.legal_holds import (
    BadHold,
    NoSuchHold,
    SamePerson,
    listed,
    place,
    release,
)
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.errors import ComplianceError
from asterisk_compliance.storage.log.legal_holds import is_held, matters_on
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from retained import a_call_at, keep, site

BEGAN = "2026-11-24T01:00:00.000Z"
CALL = a_call_at(BEGAN)
NUMBER = "03-1234-5678"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    keep(tmp_path, BEGAN)
    return site(tmp_path)


def placed(settings: Settings, user: str = "tanaka", **arguments: str) -> Any:
    said = {"matter": "CASE-2026-17", **arguments}
    with StoreWriter.open(settings.audit.store) as store:
        return place(settings, lambda *rows: store.commit(rows)[-1].seq, user, said)


def released(settings: Settings, user: str, **arguments: str) -> Any:
    said = {"matter": "CASE-2026-17", **arguments}
    with StoreWriter.open(settings.audit.store) as store:
        return release(settings, lambda *rows: store.commit(rows)[-1].seq, user, said)


def holds(settings: Settings, *, everything: bool = False) -> list[Any]:
    with StoreReader(settings.audit.store) as reader:
        return listed(reader, released=everything)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "this is no hold"),
        ({"since": "2026-11-25T00:00:00.000Z", "until": "2026-11-25T00:00:00.000Z"}, "no hold"),
        ({"matter": "Tanaka", "call": CALL}, "no matter"),
        ({"matter": "CASE-31234567890", "call": CALL}, "no matter"),
        ({"matter": "CASE-12345678", "number": NUMBER}, "no matter"),
        ({"number": "nobody"}, "no digit"),
        ({"queue": "Mr. Tanaka"}, "no queue"),
        ({"call": "c-1"}, "no id of a call"),
        ({"since": "yesterday"}, "no time"),
        ({"since": "2026-11-24"}, "no time"),
        ({"until": "1969-12-31T00:00:00.000Z"}, "no time"),
        ({"call": a_call_at(BEGAN, 77)}, "no row speaks of this call"),
    ],
)
def test_what_makes_no_sense_or_could_name_a_person_is_refused(settings, arguments, why):
    with pytest.raises(BadHold, match=why) as caught:
        placed(settings, **arguments)
    assert caught.value.exit_code == 2
    assert holds(settings) == []


def test_a_hold_is_a_row_without_any_number(settings, tmp_path):
    answer = placed(settings, number=NUMBER, since="2026-01-01T00:00:00.000Z")
    assert answer["calls"] == 1
    with StoreReader(settings.audit.store) as reader:
        row = decode(list(reader.rows())[answer["hold"]].data)
        assert is_held(reader, CALL)
        assert matters_on(reader, [CALL]) == {CALL: ("CASE-2026-17",)}
        assert matters_on(reader, [a_call_at(BEGAN, 5)]) == {}
    detail = dict(row.detail)
    assert row.actor == detail.pop("party")
    assert detail.pop("role") == "staff"
    assert len(detail.pop("commit.user")) == 64
    assert detail == {
        "matter": "CASE-2026-17",
        "numbered": True,
        "queue": "",
        "since_ms": 1_767_225_600_000,
        "until_ms": None,
    }
    written = b"".join(one.read_bytes() for one in (tmp_path / "store").iterdir() if one.is_file())
    assert NUMBER.encode() not in written
    assert verify(settings.audit.store).fault_count == 0


def test_holds_are_listed_until_they_are_released_and_not_forgotten(settings):
    one = placed(settings, call=CALL)["hold"]
    two = placed(settings, queue="sales")["hold"]
    (first, second) = holds(settings)
    assert (first["hold"], first["call"], first["calls"], first["numbered"]) == (
        one,
        CALL,
        1,
        False,
    )
    assert (second["hold"], second["queue"], second["since"]) == (two, "sales", None)
    assert released(settings, "tanaka", hold=str(two)) == {"released": [two]}
    assert [each["hold"] for each in holds(settings)] == [one]
    assert [each["released_at"] is None for each in holds(settings, everything=True)] == [
        True,
        False,
    ]
    assert released(settings, "tanaka") == {"released": [one]}
    assert holds(settings) == []


@pytest.mark.parametrize("arguments", [{"matter": "CASE-2026-18"}, {"hold": "9"}])
def test_what_is_not_held_cannot_be_released(settings, arguments):
    placed(settings, call=CALL)
    with pytest.raises(NoSuchHold):
        released(settings, "tanaka", **arguments)
    released(settings, "tanaka")
    with pytest.raises(NoSuchHold):
        released(settings, "tanaka")


def test_where_two_are_needed_who_placed_it_does_not_release_it(tmp_path):
    keep(tmp_path, BEGAN)
    settings = site(tmp_path, retention={"release_by_second": True})
    placed(settings, "tanaka", call=CALL)
    placed(settings, "sato", queue="sales")
    for user in ("tanaka", "sato"):
        with pytest.raises(SamePerson):
            released(settings, user)
    assert len(holds(settings)) == 2, "nothing was released by halves"
    assert len(released(settings, "suzuki")["released"]) == 2


def test_rebuilding_the_projections_keeps_the_holds(settings):
    placed(settings, number=NUMBER)
    with StoreWriter.open(settings.audit.store) as store:
        store.rebuild()
    assert holds(settings)[0]["calls"] == 1


def test_every_refusal_says_what_to_do():
    for error in (BadHold("x", hint="y"), NoSuchHold("x"), SamePerson("x")):
        assert isinstance(error, ComplianceError)
        assert error.hint
