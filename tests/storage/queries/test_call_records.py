"""Asterisk's records, as a real Asterisk wrote them, and as it can write them."""

from __future__ import annotations

import csv
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from asterisk_compliance.domain.asterisk.call_records import (
    Cdr,
    CelEvent,
    RoutineStatement,
    Unreadable,
    calls_of,
)
from asterisk_compliance.errors import ConfigError
from asterisk_compliance.storage.queries import call_records as cdr
from asterisk_compliance.storage.queries.call_records import (
    check_cdr_columns,
    check_cel_columns,
    read_cdrs,
    read_cel,
)

REAL = (Path(__file__).parents[1] / "fixtures") / "22.10.1"
"""Seven calls through the lab: told; hung up in the notice; not told; an emergency; the callee
told; both told; the service down."""

ID, CALL = "1795560209.0", "c-01a20fba7e3d3aab2903f415842a"
FIELD = f"ALLOWED:NOTICE_COMPLETED:SERVICE&QUALITY:{CALL}"
STATEMENT = RoutineStatement("ALLOWED", "NOTICE_COMPLETED", CALL)
FIRST_MS = 1_795_560_209_000

SAID = [
    ["NOTICE_COMPLETED"],
    ["HANGUP_IN_NOTICE"],
    [],
    ["EMERGENCY"],
    ["NOTICE_COMPLETED"],
    ["NOTICE_COMPLETED", "NOTICE_COMPLETED"],
    ["SERVICE_UNAVAILABLE"],
]
IDS = [f"17955602{end}" for end in ("09.0", "11.2", "11.3", "11.4", "12.6", "14.8", "17.10")]
ANSWERED = [True] * 6 + [False]


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def database(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "records.db"
    with sqlite3.connect(path) as db:
        db.executescript(script)
    db.close()
    return path


# -- as a real Asterisk wrote them -------------------------------------------------------------


def real_records(name: str, tmp_path: Path) -> list[Cdr | Unreadable]:
    match name:
        case "sqlite":
            return list(read_cdrs(database(tmp_path, (REAL / "cdr.sql").read_text())))
        case "custom":
            columns = "uniqueid linkedid dcontext start answer billsec disposition userfield"
            return list(read_cdrs(REAL / "cdr-custom.csv", columns.split()))
        case _:
            return list(read_cdrs(REAL / "Master.csv"))


@pytest.mark.parametrize("name", ["csv", "custom", "sqlite"])
def test_every_format_says_the_same(name: str, tmp_path: Path) -> None:
    records = real_records(name, tmp_path)
    cdrs = [record for record in records if isinstance(record, Cdr)]
    assert cdrs == records
    assert [one.channel for one in cdrs] == IDS
    assert [one.answered for one in cdrs] == ANSWERED
    assert [[said.reason for said in one.statements] for one in cdrs] == SAID
    assert {one.context for one in cdrs} == {"from-lab"}
    assert cdrs[0].statements == (STATEMENT,)
    assert cdrs[0].started_ms == FIRST_MS
    lasted_ms = 0 if name == "custom" else 1_000
    assert [one.covers_from_ms for one in cdrs] == [FIRST_MS + lasted_ms, *[None] * 6]


@pytest.mark.parametrize("name", ["csv", "sqlite"])
def test_calls_from_cel(name: str, tmp_path: Path) -> None:
    if name == "csv":
        path = REAL / "cel-custom.csv"
    else:
        path = database(tmp_path, (REAL / "cel.sql").read_text())
    events = [event for event in read_cel(path) if isinstance(event, CelEvent)]
    calls = list(calls_of(events))
    assert [call.linkedid for call in calls] == IDS
    assert {(call.context, call.over) for call in calls} == {("from-lab", True)}
    assert all(call.answered for call in calls), "CEL says so of the last call's agent, too"
    assert calls[5].others == ("1795560215.9",)
    assert calls[0].started_ms == FIRST_MS


def test_no_name_and_no_number_is_taken_out() -> None:
    everything = [*read_cdrs(REAL / "Master.csv"), *read_cel(REAL / "cel-custom.csv")]
    assert "caller" not in str(everything)
    assert "PJSIP" not in str(everything)


# -- the columns of Master.csv -----------------------------------------------------------------

BASE = ["", "0312345678", "102", "in", '"A ""B"", C" <0312345678>', "PJSIP/a", "PJSIP/b", "Dial"]
BASE += ["x,y", "2026-11-24 08:00:00", "", "2026-11-24 08:00:05", "5", "5", "ANSWERED", "DOC"]
NEW = ["", "1795560209.7", "12"]


def master(tmp_path: Path, *lines: list[str], end: str = "\n") -> Path:
    path = tmp_path / "Master.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(lines)
        file.write(end.removeprefix("\n"))
    return path


@pytest.mark.parametrize(
    ("added", "channel", "linkedid", "said"),
    [
        ([ID], ID, "", False),
        ([FIELD], "", "", True),
        ([""], "", "", False),
        ([ID, FIELD], ID, "", True),
        (NEW, "", "1795560209.7", False),
        ([ID, *NEW], ID, "1795560209.7", False),
        ([FIELD, *NEW], "", "1795560209.7", True),
        ([ID, FIELD, *NEW], ID, "1795560209.7", True),
    ],
)
@pytest.mark.usefixtures("utc")
def test_what_cdr_conf_adds_is_recognised(
    tmp_path: Path, added: list[str], channel: str, linkedid: str, *, said: bool
) -> None:
    (found,) = read_cdrs(master(tmp_path, [*BASE, *added]))
    assert isinstance(found, Cdr)
    assert (found.channel, found.linkedid) == (channel, linkedid)
    assert found.statements == ((STATEMENT,) if said else ())
    assert (found.context, found.answered) == ("in", True)
    began = FIRST_MS if channel else 1_795_507_200_000
    assert (found.started_ms, found.covers_from_ms) == (began, began + 5_000)


def test_records_that_cannot_be_compared_are_counted_and_come_last(tmp_path: Path) -> None:
    good = [*BASE, ID, FIELD]
    path = master(tmp_path, BASE, good, ["a", "b"], BASE, [*good, "x", "y", "z", "!"])
    found = list(read_cdrs(path))
    assert isinstance(found[0], Cdr)
    assert found[0].covers_from_ms is not None, "the first that can be compared"
    assert [(one.first, one.count, one.where) for one in found[1:]] == [  # type: ignore[union-attr]
        (1, 2, str(path)),
        (3, 2, str(path)),
    ]


def test_a_line_that_is_being_written_is_left_out(tmp_path: Path) -> None:
    path = master(tmp_path, [*BASE, ID, FIELD], end='"","0312')
    assert len(list(read_cdrs(path))) == 1


def test_a_name_with_line_breaks_is_one_record(tmp_path: Path) -> None:
    broken = [*BASE[:4], '"A\r\nB" <1>', *BASE[5:], ID, FIELD]
    found = list(read_cdrs(master(tmp_path, broken, broken)))
    assert [one.statements for one in found if isinstance(one, Cdr)] == [(STATEMENT,)] * 2


def test_a_quotation_mark_that_is_never_closed_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "Master.csv"
    path.write_text('"' + "x" * 200_000 + "\n\n", "utf-8")
    (found,) = read_cdrs(path)
    assert isinstance(found, Unreadable)


def test_bytes_that_are_no_text_do_not_end_it(tmp_path: Path) -> None:
    path = master(tmp_path, [*BASE, ID, FIELD])
    path.write_bytes(path.read_bytes().replace(b"A ", b"\xff\x00"))
    (found,) = read_cdrs(path)
    assert isinstance(found, Cdr)


# -- other formats -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "line", "answered"),
    [
        ("uniqueid disposition", [ID, "ANSWERED"], True),
        ("uniqueid disposition", [ID, " answered"], True),
        ("uniqueid disposition", [ID, "8"], True),
        ("uniqueid disposition", [ID, "NO ANSWER"], False),
        ("uniqueid billsec", [ID, "0.25"], True),
        ("uniqueid billsec", [ID, "0"], False),
        ("uniqueid billsec", [ID, "-"], False),
        ("uniqueid answer", [ID, "2026-11-24 08:00:00"], True),
        ("uniqueid answer", [ID, ""], False),
    ],
)
def test_whether_a_call_was_answered(
    tmp_path: Path, columns: str, line: list[str], *, answered: bool
) -> None:
    (found,) = read_cdrs(master(tmp_path, line), columns.split())
    assert isinstance(found, Cdr)
    assert found.answered is answered


@pytest.mark.parametrize(
    ("start", "at_ms"),
    [
        ("2026-11-24 08:00:00", 1_795_507_200_000),
        ("2026-11-24T08:00:00+09:00", 1_795_474_800_000),
        ("1795507200.250000", 1_795_507_200_250),
        ("yesterday", None),
        ("1e400", None),
        ("", None),
    ],
)
@pytest.mark.usefixtures("utc")
def test_the_time_of_a_record_without_an_id(tmp_path: Path, start: str, at_ms: int | None) -> None:
    (found,) = read_cdrs(
        master(tmp_path, [FIELD, "8", start]), ["userfield", "disposition", "start"]
    )
    assert isinstance(found, Cdr)
    assert (found.started_ms, found.covers_from_ms) == (at_ms, at_ms)


def test_a_custom_file_with_other_columns_than_named(tmp_path: Path) -> None:
    (found,) = read_cdrs(master(tmp_path, [ID, "8", "more"]), ["uniqueid", "disposition"])
    assert isinstance(found, Unreadable)


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ("uniqueid disposition src", ""),
        ("userfield billsec", ""),
        ("src disposition", "name one of linkedid, uniqueid, userfield"),
        ("uniqueid src", "name one of answer, billsec, disposition"),
        ("uniqueid uniqueid disposition", "uniqueid stands there twice"),
    ],
)
def test_columns_of_cdrs_are_checked(columns: str, wrong: str) -> None:
    assert check_cdr_columns(columns.split()) == wrong


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ("eventtype uniqueid name", ""),
        ("name", "name eventtype and uniqueid"),
        ("eventtype eventtype uniqueid", "eventtype stands there twice"),
    ],
)
def test_columns_of_cel_are_checked(columns: str, wrong: str) -> None:
    assert check_cel_columns(columns.split()) == wrong


@pytest.mark.usefixtures("utc")
def test_cel_with_columns_of_its_own(tmp_path: Path) -> None:
    path = master(tmp_path, ["ANSWER", "chosen", "2026-11-24 08:00:00"], ["x"])
    event, wrong = read_cel(path, ["eventtype", "uniqueid", "eventtime"])
    assert event == CelEvent("ANSWER", "chosen", "chosen", "", 1_795_507_200_000)
    assert isinstance(wrong, Unreadable)


# -- SQLite ------------------------------------------------------------------------------------


def test_more_records_than_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdr, "_PAGE", 2)
    found = list(read_cdrs(database(tmp_path, (REAL / "cdr.sql").read_text())))
    assert [one.channel for one in found if isinstance(one, Cdr)] == IDS


def test_reading_does_not_keep_asterisk_from_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cdr, "_PAGE", 1)
    path = database(tmp_path, (REAL / "cdr.sql").read_text())
    records = read_cdrs(path)
    next(records)
    with sqlite3.connect(path, timeout=0) as db:
        db.execute("DELETE FROM cdr WHERE AcctId > 2")
    db.close()
    assert len(list(records)) == 1


def test_names_of_columns_do_not_depend_on_case_and_other_values_are_no_matter(
    tmp_path: Path,
) -> None:
    script = (
        "CREATE TABLE cdr (UniqueId, Disposition, src BLOB);"
        f"INSERT INTO cdr VALUES ('{ID}', 8, x'00'), (NULL, 'BUSY', 1);"
    )
    found = list(read_cdrs(database(tmp_path, script)))
    assert [(one.channel, one.answered) for one in found if isinstance(one, Cdr)] == [
        (ID, True),
        ("", False),
    ]


def test_tables_without_what_is_needed(tmp_path: Path) -> None:
    script = (
        "CREATE TABLE cdr (src); INSERT INTO cdr VALUES (1); CREATE TABLE cel AS SELECT * FROM cdr;"
    )
    path = database(tmp_path, script)
    for found in (*read_cdrs(path), *read_cel(path)):
        assert isinstance(found, Unreadable)


def test_files_that_are_none(tmp_path: Path) -> None:
    other = database(tmp_path, "CREATE TABLE calls (x)")
    with pytest.raises(ConfigError, match="has no table cdr"):
        list(read_cdrs(other))
    other.write_bytes(b"SQLite format 3\x00" + b"x" * 5000)
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_cdrs(other))
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        list(read_cel(tmp_path))
