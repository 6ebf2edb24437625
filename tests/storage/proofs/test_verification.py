"""What verify finds, and names: each way to change a log behind its owner's back."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from asterisk_compliance.domain.audit.encoding import decode, encode
from asterisk_compliance.domain.audit.merkle import Frontier, leaf_hash
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.storage.log.reader import Head
from asterisk_compliance.storage.log.schema import DATABASE
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs import verification
from asterisk_compliance.storage.proofs.verdict import FAULTS_KEPT
from asterisk_compliance.storage.proofs.verification import parse_head, verify
from sample_rows import AT_MS, a_call, a_recorded_call, draft, tamper


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Thirty-three rows: three recorded calls."""
    with StoreWriter.open(tmp_path) as writer:
        for number in range(3):
            writer.commit(a_recorded_call(a_call(number), AT_MS + number))
    return tmp_path


def faults(store: Path, expect: Head | None = None) -> list[str]:
    verdict = verify(store, expect)
    assert verdict.intact is (not verdict.faults)
    return [str(fault) for fault in verdict.faults]


def rewrite(store: Path, change: Callable[[int, bytes], bytes]) -> None:
    """Rewrite every row, its leaf and the head, as one who knows the format would."""
    tamper(store, "")
    db = sqlite3.connect(store / DATABASE)
    frontier = Frontier()
    for seq, text in db.execute("SELECT seq, row FROM rows ORDER BY seq").fetchall():
        data = change(seq, text.encode())
        leaf = leaf_hash(data)
        db.execute("UPDATE rows SET row = ?, leaf = ? WHERE seq = ?", (data.decode(), leaf, seq))
        frontier.append(leaf)
    head = (frontier.size, frontier.to_bytes(), frontier.root())
    db.execute("UPDATE tree SET size = ?, frontier = ?, root = ?", head)
    db.commit()
    db.close()


def flip(store: Path, line_end: bytes, place: int) -> None:
    """Change one byte of the database file, counted from the end of the row that ends so."""
    path = store / DATABASE
    content = bytearray(path.read_bytes())
    assert content.count(line_end) == 1
    content[content.index(line_end) + len(line_end) + place] ^= 1
    path.write_bytes(content)


TREE = "the tree of the stored rows is not the one of the stored head"


def test_an_untouched_log_is_intact(store: Path) -> None:
    verdict = verify(store)
    assert verdict.intact
    assert (verdict.rows, verdict.opened) == (33, 6)
    assert verdict.head == Head(33, verdict.root)
    assert verify(store, verdict.head).intact


def test_what_is_no_row_hides_nothing_of_the_rows_beside_it_from_the_lists(store: Path) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([draft(Kind.MARK)])
    tamper(store, "UPDATE rows SET row = '{}' WHERE seq = 33")
    assert verification.projection_differences(store) == []


def test_an_empty_log_is_intact(tmp_path: Path) -> None:
    StoreWriter.open(tmp_path).close()
    verdict = verify(tmp_path)
    assert (verdict.intact, verdict.rows) == (True, 0)
    assert verify(tmp_path, verdict.head).intact


def test_a_flipped_byte_is_named(store: Path) -> None:
    tamper(store, "UPDATE rows SET row = replace(row, 'ALLOWED', 'AMLOWED') WHERE seq = 14")
    found = faults(store)
    assert found[0] == "row 14: was changed: it is not the row that was hashed"
    assert TREE in found


def test_a_byte_flipped_in_the_file_itself_is_named(store: Path) -> None:
    flip(store, b'"seq":20}', -20)  # in the nonce
    assert faults(store)[0] == "row 20: was changed: it is not the row that was hashed"


def test_a_byte_that_makes_a_row_unreadable_is_named(store: Path) -> None:
    flip(store, b'"seq":11}', -1)
    found = faults(store)
    assert found[:4] == [
        "row 11: was changed: it is not the row that was hashed",
        "row 11: not in the form of a row",
        "row 11: its value of name cannot be compared",
        "row 11: its value of number cannot be compared",
    ]


def test_a_dropped_row_is_named(store: Path) -> None:
    tamper(store, "DELETE FROM rows WHERE seq = 5")
    assert faults(store)[0] == "row 5: missing"


def test_dropped_rows_are_named(store: Path) -> None:
    tamper(store, "DELETE FROM rows WHERE seq BETWEEN 20 AND 24")
    found = faults(store)
    assert found[0] == "row 20: missing to 24"
    assert "row 22: a value of name is kept for a row that is not there" in found


def test_a_dropped_row_is_named_when_the_later_ones_moved_up(store: Path) -> None:
    tamper(store, "DELETE FROM rows WHERE seq = 5; UPDATE rows SET seq = seq - 1 WHERE seq > 5")
    found = faults(store)
    assert found[0] == "row 5: out of place: it calls itself row 6"
    assert "row 32: missing, with all that followed: the head counts 33" in found


def test_swapped_rows_are_named(store: Path) -> None:
    tamper(
        store,
        "UPDATE rows SET seq = -1 WHERE seq = 5; UPDATE rows SET seq = 5 WHERE seq = 9;"
        "UPDATE rows SET seq = 9 WHERE seq = -1",
    )
    found = faults(store)
    assert found[:2] == [
        "row 5: out of place: it calls itself row 9",
        "row 9: out of place: it calls itself row 5",
    ]
    assert TREE in found


def test_an_inserted_row_is_named(store: Path) -> None:
    tamper(
        store,
        "UPDATE rows SET seq = -seq WHERE seq > 5; UPDATE rows SET seq = 1 - seq WHERE seq < 0;"
        "INSERT INTO rows (seq, row, leaf) SELECT 6, row, leaf FROM rows WHERE seq = 3",
    )
    found = faults(store)
    assert found[:2] == [
        "row 6: out of place: it calls itself row 3",
        "row 7: out of place: it calls itself row 6",
    ]
    assert "row 33: not in the tree: the head counts 33 rows" in found


def test_an_inserted_row_with_its_own_number_and_leaf_still_shows(store: Path) -> None:
    with StoreWriter.open(store) as writer:
        forged = writer.commit([draft(Kind.MARK)])[0]
    tamper(store, "DELETE FROM rows WHERE seq = 33")
    tamper(store, "UPDATE tree SET size = 33")
    line = msgspec.structs.replace(decode(forged.data), seq=33)
    db = sqlite3.connect(store / DATABASE)
    data = encode(line)
    db.execute(
        "INSERT INTO rows (seq, row, leaf) VALUES (33, ?, ?)", (data.decode(), leaf_hash(data))
    )
    db.commit()
    db.close()
    assert faults(store)[0] == "row 33: not in the tree: the head counts 33 rows"


def test_a_truncated_tail_is_named(store: Path) -> None:
    tamper(store, "DELETE FROM rows WHERE seq >= 30")
    assert faults(store)[0] == "row 30: missing, with all that followed: the head counts 33"


def test_a_row_of_another_log_is_named(store: Path, tmp_path: Path) -> None:
    tamper(store, "UPDATE meta SET value = 'other-0' WHERE key = 'log'")
    assert "belongs to another log" in faults(store)[0]


def test_a_whole_rewrite_is_found_by_whoever_kept_an_earlier_head(store: Path) -> None:
    early = Head(12, bytes(32))
    with sqlite3.connect(store / DATABASE) as db:
        frontier = Frontier()
        for (leaf,) in db.execute("SELECT leaf FROM rows WHERE seq < 12 ORDER BY seq"):
            frontier.append(leaf)
        early = Head(12, frontier.root())
    db.close()
    assert verify(store, early).intact
    rewrite(store, lambda seq, data: data.replace(b"QUALITY", b"VOICEID") if seq == 3 else data)
    tamper(store, "UPDATE calls SET purposes = 'VOICEID&TRAINING' WHERE call = '" + a_call(0) + "'")
    assert faults(store) == []  # what a green result does not prove
    (found,) = faults(store, early)
    assert found.startswith("the first 12 rows are not those of the expected head")


def test_a_log_shorter_than_an_earlier_head_is_found(store: Path) -> None:
    assert faults(store, Head(40, bytes(32))) == ["the expected head counts 40 rows, here are 33"]
    assert "the first 0 rows" in faults(store, Head(0, bytes(32)))[0]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("UPDATE party_values SET value = '110' WHERE seq = 0 AND field = 'number'", "number"),
        ("UPDATE party_values SET salt = zeroblob(32) WHERE seq = 0 AND field = 'name'", "name"),
    ],
)
def test_a_value_that_is_not_the_committed_one_is_named(store: Path, damage: str, why: str) -> None:
    tamper(store, damage)
    assert faults(store) == [f"row 0: the value kept for {why} is not the committed one"]


def test_values_that_belong_to_no_such_row_are_named(store: Path) -> None:
    tamper(store, "UPDATE party_values SET seq = 1 WHERE seq = 0 AND field = 'name'")
    tamper(store, "UPDATE party_values SET seq = 99 WHERE seq = 11 AND field = 'name'")
    tamper(store, "UPDATE party_values SET party = 'y-9' WHERE seq = 22 AND field = 'name'")
    assert faults(store) == [
        "row 1: its value of name is kept under another party",
        "row 22: its value of name is kept under another party",
        "row 99: a value of name is kept for a row that is not there",
    ]


def test_an_erased_person_leaves_an_intact_log(store: Path) -> None:
    tamper(store, "DELETE FROM party_values WHERE seq = 11; DELETE FROM party_digests")
    verdict = verify(store)
    assert (verdict.intact, verdict.opened) == (True, 4)


def test_lists_that_say_something_else_than_the_rows_are_named(store: Path) -> None:
    first, second, third = (a_call(number) for number in range(3))
    tamper(store, f"UPDATE calls SET decision = 'NOT_RECORDED' WHERE call = '{first}'")
    tamper(store, f"DELETE FROM calls WHERE call = '{second}'")
    tamper(store, f"UPDATE recordings SET recording = 'r-x' WHERE call = '{third}'")
    assert faults(store) == [
        f"calls says something else of {first} than the rows",
        f"calls does not list {second}",
        "recordings lists r-x, of which no row speaks",
        f"recordings does not list r-{third[2:]}-1",
    ]
    assert verify(store, projected=False).intact


def test_faults_are_kept_up_to_a_bound_and_all_counted(tmp_path: Path) -> None:
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([draft(Kind.MARK)] * (FAULTS_KEPT + 5))
    tamper(tmp_path, "UPDATE rows SET leaf = zeroblob(32)")
    verdict = verify(tmp_path)
    assert (len(verdict.faults), verdict.fault_count) == (FAULTS_KEPT, FAULTS_KEPT + 5)


@pytest.mark.parametrize("text", ["", "12", "x:" + "0" * 64, "12:00", "12:" + "g" * 64])
def test_a_head_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        parse_head(text)


def test_a_head_is_read_as_it_is_printed() -> None:
    head = Head(12, bytes(range(32)))
    assert parse_head(f"{head}\n") == head


def test_lists_of_a_long_log_are_compared_by_another_process(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "FEW_ROWS", 10)
    assert faults(store) == []
    tamper(store, f"UPDATE calls SET decision = 'NOT_RECORDED' WHERE call = '{a_call(0)}'")
    said = [f"calls says something else of {a_call(0)} than the rows"]
    assert faults(store) == said
    monkeypatch.setattr(verification.sys, "executable", "/bin/false")
    assert faults(store) == said  # then we do it ourselves


def test_another_process_does_not_outlive_what_it_is_for(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "FEW_ROWS", 10)
    beside = verification.ConcurrentComparison(store, 33, wanted=True)
    process = beside._process
    assert process is not None
    beside.close()
    assert process.returncode is not None
