"""Exactly what was there in the window was reached, in the form in which it was there then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.audit.encoding import Row, timestamp
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.incidents.exposure import (
    Assessment,
    FileSeen,
    KnownBy,
    OnDisk,
    Seen,
    Window,
    assess,
)
from asterisk_compliance.domain.incidents.recording_lifecycle import KINDS, Form, Lifecycles
from asterisk_compliance.domain.incidents.state import COUNTS, IncidentPlace
from asterisk_compliance.ids import CallId, NodeName, call_id, party_id, recording_id

AT_MS = 1_795_507_200_000  # 2026-11-24T08:00:00Z
KEYS = ("ab" * 32,)
END = AT_MS + 10_000_000


def a_call(number: int) -> CallId:
    return call_id(AT_MS, number.to_bytes(8))


def name(number: int, segment: int = 1) -> str:
    return recording_id(a_call(number), segment)


class Log:
    """Rows as they are told, in order; times in ms after ``AT_MS``."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def say(self, kind: str, after_ms: int, call: CallId | None = None, **detail: Any) -> Log:
        at = timestamp(AT_MS + after_ms)
        seq = len(self.rows)
        node = NodeName("pbx1")
        self.rows.append(Row("y-staff", at, call, detail, kind, "log", node, "", seq))
        return self

    def arrived(self, number: int, after_ms: int = 0, **detail: Any) -> Log:
        said = {"party": party_id(a_call(number), 1), "commit.number": "x"} | detail
        return self.say(Kind.CALL_ARRIVED, after_ms, a_call(number), **said)

    def of(self, kind: str, after_ms: int, number: int = 1, **detail: Any) -> Log:
        said = {"recording": name(number)} | detail
        return self.say(kind, after_ms, a_call(number), **said)

    def recorded(self, number: int = 1, *, age: bool = True, begin: int = 100) -> Log:
        """Requested at 100, in the vault at 200, out of the spool at 210."""
        self.of(Kind.RECORDING_REQUESTED, begin, number)
        encryption = "age" if age else "off"
        self.of(Kind.RECORDING_CLOSED, begin + 100, number, encryption=encryption)
        if age:
            self.of(Kind.RECORDING_SEALED, begin + 100, number, recipients=KEYS)
        return self.of(Kind.SPOOL_REMOVED, begin + 110, number)


def at(after_ms: int) -> int:
    return AT_MS + after_ms


def found(
    log: Log,
    since: int | None = None,
    until: int | None = None,
    *,
    places: Any = tuple(IncidentPlace),
    files: tuple[FileSeen, ...] | None = None,
    numbers: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
    looked: int | None = None,
) -> Assessment:
    lives = Lifecycles()
    for row in log.rows:
        lives.take(row)
    if files is None:  # the disk is as the log says
        files = tuple(
            FileSeen(f"{one}.wav.age" if life.sealed else f"{one}.wav", one,
                     OnDisk.SEALED if life.sealed else OnDisk.PLAIN, AT_MS)
            for one, life in lives.recordings.items()
            if life.vault_since is not None and life.vault_until is None
        )  # fmt: skip
    known = KnownBy(dict(numbers or {}), dict(names or {}))
    window = Window(None if since is None else at(since), None if until is None else at(until))
    seen = Seen(END if looked is None else at(looked), files)
    return assess(lives, seen, window, places, known, len(log.rows))


def forms(one: Assessment) -> dict[str, tuple[Form, ...]]:
    return {reached.what: reached.forms for reached in one.reached}


# -- one recording, through its life -------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (0, 100, ()),
        (0, 101, (Form.SPOOLED,)),
        (150, 160, (Form.SPOOLED,)),
        (150, 201, (Form.SEALED, Form.SPOOLED)),
        (209, 210, (Form.SEALED, Form.SPOOLED)),
        (210, 211, (Form.SEALED,)),
        (499, 500, (Form.SEALED,)),
        (500, 600, ()),
        (None, None, (Form.SEALED, Form.SPOOLED)),
    ],
)
def test_a_sealed_recording_from_its_request_to_its_disposal(since, until, expected):
    log = Log().arrived(1).recorded().of(Kind.DISPOSAL_BEGUN, 450)
    log.of(Kind.RECORDING_DISPOSED, 500)
    one = found(log, since, until)
    assert forms(one).get(name(1), ()) == expected
    assert one.all_sealed is (expected == (Form.SEALED,)) or IncidentPlace.STORE in one.places


@pytest.mark.parametrize("begun", [1, 99, 100])
@pytest.mark.parametrize("removal", [Kind.RECORDING_REMOVED, Kind.RECORDING_DISPOSED])
def test_what_was_removed_before_was_not_reached(begun, removal):
    log = Log().arrived(1).recorded().of(removal, 300)
    assert found(log, 299, 299 + begun).reached
    assert not found(log, 300, 300 + begun).reached


def test_where_nothing_is_encrypted_it_is_plain():
    one = found(Log().arrived(1).recorded(age=False), 300)
    assert forms(one) == {name(1): (Form.PLAIN,)}
    assert not one.all_sealed
    assert one.recipients == ()


def test_an_earlier_version_did_not_say_how_it_was_kept():
    log = Log().arrived(1).of(Kind.RECORDING_REQUESTED, 1).of(Kind.RECORDING_CLOSED, 2)
    assert forms(found(log.of(Kind.SPOOL_REMOVED, 3), 3)) == {name(1): (Form.PLAIN,)}


def test_the_keys_are_those_to_which_it_was_sealed():
    one = found(Log().arrived(1).recorded(), 300, places=[IncidentPlace.VAULT])
    assert one.recipients == KEYS
    assert one.all_sealed
    assert one.reached[0].as_json() == {
        "call": a_call(1),
        "forms": (Form.SEALED,),
        "recipients": KEYS,
        "what": name(1),
    }


def test_nothing_reached_is_not_sealed():
    assert not found(Log(), places=[IncidentPlace.VAULT]).all_sealed


@pytest.mark.parametrize(
    ("kinds", "reached"),
    [
        ((Kind.RECORDING_MISSING,), False),
        ((Kind.RECORDING_GROWING, Kind.RECORDING_MISSING), True),
        ((Kind.RECORDING_EMPTY, Kind.SPOOL_REMOVED), False),
        ((Kind.RECORDING_UNJUDGED,), True),
        ((), True),
    ],
)
def test_what_came_to_nothing_was_never_there(kinds, reached):
    log = Log().arrived(1).of(Kind.RECORDING_REQUESTED, 100)
    for number, kind in enumerate(kinds):
        log.of(kind, 110 + number)
    assert bool(found(log, 0, 1_000).reached) is reached


def test_what_cannot_be_judged_stays_in_the_spool_until_it_is_disposed_of():
    log = Log().arrived(1).of(Kind.RECORDING_REQUESTED, 100).of(Kind.RECORDING_UNJUDGED, 200)
    assert forms(found(log, 900)) == {name(1): (Form.SPOOLED,)}
    log.of(Kind.RECORDING_DISPOSED, 950)
    assert forms(found(log, 900, 960)) == {name(1): (Form.SPOOLED,)}
    assert not found(log, 950).reached


def test_what_the_dialplan_recorded_alone_was_there_since_its_call_began():
    log = Log().arrived(1, 5_000).of(Kind.RECORDING_ADOPTED, 5_000)
    assert forms(found(log, 0, 1)) == {name(1): (Form.SPOOLED,)}


def test_a_loan_is_plain_until_it_is_removed():
    log = Log().arrived(1).recorded()
    log.of(Kind.HEARING_LENT, 300, loan="l-1").say(Kind.HEARING_REMOVED, 400, loan="l-1")
    log.say(Kind.HEARING_REMOVED, 410, loan="l-2")
    hearing = [IncidentPlace.HEARING]
    assert forms(found(log, 399, 400, places=hearing)) == {name(1): (Form.LENT,)}
    assert not found(log, 400, places=hearing).reached
    assert found(log, 399).counts()["lent"] == 1


def test_a_release_in_the_window_is_plain_and_says_to_whom():
    log = Log().arrived(1).recorded()
    log.of(Kind.RECORDING_RELEASED, 250, purpose="QUALITY", action="LISTEN")
    log.of(Kind.RECORDING_RELEASED, 300, purpose="DRILL")
    one = found(log, 300, 301)
    assert [(r.purpose, r.action, r.actor, r.seq) for r in one.releases] == [
        ("DRILL", "", "y-staff", 6)
    ]
    assert forms(one) == {name(1): (Form.RELEASED, Form.SEALED)}
    assert not one.all_sealed
    assert one.copies_before == 1
    assert found(log, 301).copies_before == 1
    assert found(log, 301).releases == ()
    assert found(log).copies_before == 0


def test_only_the_places_where_somebody_was():
    log = Log().arrived(1).recorded().of(Kind.RECORDING_RELEASED, 300, purpose="QUALITY")
    assert forms(found(log, places=[IncidentPlace.SPOOL])) == {name(1): (Form.SPOOLED,)}
    assert forms(found(log, places=[IncidentPlace.VAULT])) == {name(1): (Form.SEALED,)}
    assert forms(found(log, places=[IncidentPlace.RELEASES])) == {name(1): (Form.RELEASED,)}
    assert forms(found(log, places=[IncidentPlace.STORE])) == {}


# -- files ---------------------------------------------------------------------------------------


def a_file(number: int, kind: OnDisk, ending: str = ".wav") -> FileSeen:
    return FileSeen(f"{name(number)}{ending}", name(number), kind, AT_MS)


def test_a_file_of_no_call_is_set_aside_and_was_in_the_spool_before():
    aside = f"{name(9)}-rx.wav"
    log = Log().say(Kind.CONFIG_LOADED, 0, encryption="age", recipients=KEYS)
    log.say(Kind.FILE_QUARANTINED, 500, file=aside)
    files = (FileSeen(f"{aside}.age", name(9), OnDisk.SEALED, AT_MS),)
    assert forms(found(log, 0, 500, files=files)) == {aside: (Form.SPOOLED,)}
    after = found(log, 500, files=files)
    assert forms(after) == {aside: (Form.SEALED,)}
    assert (after.recipients, after.strangers) == (KEYS, ())
    assert (after.persons_least, after.persons, after.persons_most) == (1, 1, 1)
    log.say(Kind.CONFIG_LOADED, 600, encryption="off")
    log.say(Kind.FILE_QUARANTINED, 700, file="x.wav")
    assert forms(found(log, 700, files=files))["x.wav"] == (Form.PLAIN,)


@pytest.mark.parametrize(
    ("file", "form"),
    [
        (a_file(1, OnDisk.PLAIN), Form.PLAIN),  # a plain copy beside the sealed one
        (a_file(1, OnDisk.SPOOLED, "-rx.wav"), Form.SPOOLED),  # came back into the spool
        (a_file(2, OnDisk.SEALED, ".wav.age"), Form.SEALED),  # no row knows it
        (FileSeen("notes.txt", "", OnDisk.PLAIN, AT_MS), Form.PLAIN),
    ],
)
def test_a_file_that_the_log_does_not_account_for_was_reached(file, form):
    sealed = a_file(1, OnDisk.SEALED, ".wav.age")
    one = found(Log().arrived(1).recorded(), 300, files=(sealed, file))
    assert form in forms(one)[file.recording or file.name]
    assert one.strangers == (file.name,)


def test_a_file_that_is_there_later_than_the_window_was_not():
    late = FileSeen("notes.txt", "", OnDisk.PLAIN, at(900))
    assert not found(Log(), 0, 900, files=(late,)).reached
    assert found(Log(), 0, 901, files=(late,)).reached


def test_a_disposed_recording_that_came_back_was_reached():
    log = Log().arrived(1).recorded().of(Kind.RECORDING_DISPOSED, 300)
    one = found(log, 400, files=(a_file(1, OnDisk.SEALED, ".wav.age"),))
    assert forms(one) == {name(1): (Form.SEALED,)}
    assert one.strangers == (f"{name(1)}.wav.age",)


def test_what_moves_while_it_is_looked_is_no_stranger():
    log = Log().arrived(1).of(Kind.RECORDING_REQUESTED, 100)
    part = a_file(1, OnDisk.PLAIN, ".part")
    spooled = a_file(1, OnDisk.SPOOLED, "-rx.wav")
    assert found(log, files=(part, spooled)).strangers == ()
    log.recorded().of(Kind.RECORDING_REMOVED, 300)
    assert found(log, files=(spooled,), looked=205).strangers == ()
    assert found(log, files=(a_file(1, OnDisk.SEALED),), looked=205).strangers == ()
    assert found(log, files=(a_file(1, OnDisk.SEALED),), looked=301).strangers != ()


@pytest.mark.parametrize(
    ("rows", "looked", "lost"),
    [
        ((), 300, True),
        ((), 200, False),
        (((Kind.RECORDING_REMOVED, 400),), 300, False),
        (((Kind.DISPOSAL_BEGUN, 400),), 300, False),
    ],
)
def test_what_is_not_there_any_more_is_lost(rows, looked, lost):
    log = Log().arrived(1).recorded()
    for kind, after in rows:
        log.of(kind, after)
    one = found(log, 290, 295, files=(), looked=looked)
    assert one.lost == ((name(1),) if lost else ())
    assert found(log, 290, files=(), looked=looked, places=[IncidentPlace.SPOOL]).lost == ()
    sealed = found(log, 290, 295, files=(), looked=looked, places=[IncidentPlace.VAULT])
    assert sealed.all_sealed is not lost


def test_of_a_stranger_nobody_knows_whether_it_is_encrypted():
    log = Log().arrived(1).recorded()
    ours = a_file(1, OnDisk.SEALED, ".wav.age")
    other = FileSeen("copy.age", "", OnDisk.SEALED, AT_MS)
    assert found(log, 300, places=[IncidentPlace.VAULT], files=(ours,)).all_sealed
    assert not found(log, 300, places=[IncidentPlace.VAULT], files=(ours, other)).all_sealed


@pytest.mark.parametrize("kind", [Kind.CALL_EXPORTED, Kind.EVIDENCE_EXPORTED])
def test_a_document_that_was_handed_out_in_the_window_reached_its_call(kind):
    log = Log().arrived(1).arrived(2, synthetic=True).recorded()
    log.say(kind, 300, a_call(1)).say(kind, 300, a_call(2))
    released = [IncidentPlace.RELEASES]
    one = found(log, 300, 301, places=released)
    assert [(each.call, each.what, each.actor) for each in one.documents] == [
        (a_call(1), str(kind), "y-staff")
    ]
    assert (one.counts()["documents"], persons(one)) == (1, (1, 1, 1))
    for since, until in ((0, 300), (301, 400)):
        assert found(log, since, until, places=released).documents == ()
    assert found(log, 300, 301, places=[IncidentPlace.VAULT]).documents == ()
    both = found(log, 300, 301, places=[IncidentPlace.VAULT, IncidentPlace.RELEASES])
    assert [one.forms for one in both.reached] == [(Form.SEALED,)]
    assert not both.all_sealed


# -- persons -------------------------------------------------------------------------------------

RELEASES = [IncidentPlace.VAULT]


def numbers(**known: str) -> dict[str, str]:
    return {party_id(a_call(int(key[1:])), 1): digest for key, digest in known.items()}


def persons(one: Assessment) -> tuple[int, int, int]:
    return one.persons_least, one.persons, one.persons_most


def test_one_number_is_one_person_and_who_has_none_counts_once_each():
    log = Log()
    for number in (1, 2, 3, 4):
        log.arrived(number).recorded(number)
    known = numbers(n1="a", n2="a", n3="b")
    assert persons(found(log, 300, places=RELEASES, numbers=known)) == (2, 3, 4)
    assert persons(found(log, 300, places=RELEASES)) == (1, 4, 4)
    assert persons(found(log, 0, 50, places=RELEASES, numbers=known)) == (0, 0, 0)


def test_whoever_joined_is_counted_unless_the_site_brought_him():
    log = Log().arrived(1).recorded()
    for number, cover in enumerate(("staff", "assumed", "told", "unknown", "refused"), 2):
        party = party_id(a_call(1), number)
        log.say(Kind.PARTY_JOINED, 120, a_call(1), party=party, cover=cover)
    assert persons(found(log, 300, places=RELEASES, numbers=numbers(n1="a"))) == (1, 4, 4)


def test_a_call_in_two_recordings_counts_once():
    log = Log().arrived(1).recorded()
    second = name(1, 2)
    log.of(Kind.RECORDING_REQUESTED, 220, recording=second)
    assert persons(found(log, numbers=numbers(n1="a"))) == (1, 1, 1)


def test_a_recording_of_a_call_that_no_row_speaks_of_holds_somebody():
    assert persons(found(Log(), files=(a_file(7, OnDisk.SEALED),))) == (1, 1, 1)
    files = (
        FileSeen("a.wav", "", OnDisk.PLAIN, AT_MS),
        FileSeen("b.wav", "", OnDisk.PLAIN, AT_MS),
    )
    assert persons(found(Log(), files=files)) == (1, 2, 2)


def test_a_synthetic_call_is_nobody():
    log = Log().arrived(1, synthetic=True).recorded()
    one = found(log)
    assert (one.reached, persons(one), one.named) == ((), (0, 0, 0), 0)


@pytest.mark.parametrize(
    ("since", "until", "named"),
    [(0, 10, 0), (0, 11, 1), (499, 500, 1), (500, None, 0), (None, None, 1)],
)
def test_numbers_and_names_lie_in_the_store_until_they_are_erased(since, until, named):
    log = Log().arrived(1, 10)
    log.say(Kind.CALL_ARRIVED, 10, a_call(2), party=party_id(a_call(2), 1))  # nobody knows who
    log.say(Kind.PERSON_ERASED, 500, erased=party_id(a_call(1), 1))
    one = found(log, since, until, places=[IncidentPlace.STORE])
    assert (one.named, one.persons) == (named, named)
    assert found(log, since, until, places=[IncidentPlace.VAULT]).named == 0


def test_whom_we_called_is_named_by_what_was_dialled():
    log = Log()
    for number, leg in ((1, "callee"), (2, "caller")):
        party = party_id(a_call(number), 1)
        said = {"party": party, "commit.dialled": "x", "leg": leg}
        log.say(Kind.CALL_ARRIVED, 10, a_call(number), **said)
    one = found(log, places=[IncidentPlace.STORE])
    assert (one.named, one.persons) == (1, 1), "what a caller dialled is our own number"


def test_who_asks_and_who_receives_is_named_too_and_known_by_his_name():
    log = Log().arrived(1, 10)
    asks = [party_id(a_call(number), 1) for number in (7, 8)]
    gets = party_id(a_call(9), 1)
    for party in asks:
        log.say(Kind.REQUEST_REQUESTER, 20, party=party, **{"commit.contact": "x"})
    log.say(Kind.PROVISION_RECIPIENT, 20, a_call(1), party=gets, **{"commit.name": "x"})
    store = [IncidentPlace.STORE]
    one = found(log, places=store, numbers=numbers(n1="a"), names=dict.fromkeys(asks, "yamada"))
    assert (one.named, persons(one)) == (4, (1, 3, 4))
    assert persons(found(log, 0, 20, places=store)) == (1, 1, 1)
    log.say(Kind.PERSON_ERASED, 500, erased=gets)
    assert found(log, 500, places=store).named == 3


def test_the_store_and_the_recording_are_of_the_same_person():
    one = found(Log().arrived(1).recorded(), 300)
    assert persons(one) == (1, 1, 1)
    assert not one.all_sealed, "a number lies there in plain"


# -- all of it -----------------------------------------------------------------------------------


def test_it_counts_what_a_row_says():
    one = found(Log().arrived(1).recorded(), 300)
    assert set(one.counts()) == set(COUNTS)
    assert one.counts()["recordings"] == one.counts()["sealed"] == one.counts()["calls"] == 1


def test_rows_without_a_recording_and_unknown_kinds_change_nothing():
    log = Log().say(Kind.RECORDING_CLOSED, 1, a_call(1)).say("of_later", 2, a_call(1))
    log.of(Kind.RECORDING_STARTED, 3)
    assert not found(log, files=()).reached
    assert Kind.RECORDING_STARTED not in KINDS


@given(st.data())
def test_a_longer_window_reaches_no_less(data):
    log = Log()
    for number in range(1, data.draw(st.integers(1, 4)) + 1):
        begin = data.draw(st.integers(0, 500))
        log.arrived(number).recorded(number, age=data.draw(st.booleans()), begin=begin)
        if data.draw(st.booleans()):
            log.of(Kind.RECORDING_DISPOSED, begin + data.draw(st.integers(111, 900)), number)
    a, b, c, d = sorted(data.draw(st.lists(st.integers(0, 1_500), min_size=4, max_size=4)))
    short, long = found(log, b, c), found(log, a, d)
    assert {one.what for one in short.reached} <= {one.what for one in long.reached}
    assert short.persons <= long.persons
    assert long.persons_least <= long.persons <= long.persons_most
