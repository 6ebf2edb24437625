"""What agrees gives nothing; each thing that does not gives the finding that is meant for it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from asterisk_compliance.domain.asterisk.call_records import Cdr, RoutineStatement, Unreadable
from asterisk_compliance.domain.audit.call_record import LoggedDecision
from asterisk_compliance.domain.reconciliation.comparison import (
    LATE_MS,
    FilePlace,
    FoundFile,
    View,
)
from asterisk_compliance.domain.reconciliation.findings import (
    EXPLAINED,
    WORDS,
    ReconciliationFinding,
    ReconciliationFindingId,
)
from domain.reconciled_world import (
    BEGIN_MS,
    NOW_MS,
    World,
    add_emergency,
    add_fallback,
    add_outage,
    add_recorded,
    channel_of,
    id_of,
    recording_of,
    spool_file,
    vault_file,
    worlds,
)
from values import replace

# -- the property ------------------------------------------------------------------------------


def rows_lost(world, call):
    world.forget(call)


def bypassed(world, call):
    number = world.cdr_of(call)
    world.forget(call)
    world.cdrs[number] = replace(world.cdrs[number], statements=())


def bypassed_in_cel(world, call):
    world.cel.append(Cdr("1795507000.7", "1795507000.7", "in", answered=True))


def cdr_lost(world, call):
    del world.cdrs[world.cdr_of(call)]


def cdr_says(**changed):
    def mutate(world, call):
        number = world.cdr_of(call)
        (said,) = world.cdrs[number].statements
        world.cdrs[number] = replace(world.cdrs[number], statements=(replace(said, **changed),))

    return mutate


def never_adopted(world, call):
    world.cdrs.append(
        Cdr("1795507000.9", statements=(RoutineStatement("ALLOWED", "FALLBACK_NOTICE"),))
    )


def alone_and_never_adopted(world, call):
    name = f"d-{'0' * 16}-1795507000.9-rx.wav"
    world.files.append(FoundFile(FilePlace.SPOOL, name, alone_ms=1_795_507_000_000))


def cdrs_garbled(world, call):
    world.cdrs.append(Unreadable("Master.csv", 3, 2, "why"))


def rows_gone(*kinds):
    return lambda world, call: world.without_rows(call, *kinds)


def decided_twice(world, call):
    world.add_row(call, "decision", status="ALLOWED", reason="NOTICE_COMPLETED")


def verdict_lost(world, call):
    world.without_rows(call, "recording_closed")
    world.files = [file for file in world.files if file.call != call]


def file_gone(world, call):
    del world.vault[recording_of(call)]
    world.files.remove(vault_file(call))


def file_changed(world, call):
    world.vault[recording_of(call)] = "cd" * 32


def strange_file(world, call):
    world.files.append(spool_file(id_of(999)))


def strange_segment(world, call):
    recording = f"r-{call[2:]}-2"
    world.files.append(FoundFile(FilePlace.VAULT, f"{recording}.wav", recording, call))


def foreign_files(world, call):
    world.files.append(FoundFile(FilePlace.VAULT, count=2))


def set_aside_without_a_row(world, call):
    file = spool_file(id_of(999))
    world.files.append(replace(file, place=FilePlace.QUARANTINE))


def spool_left(world, call):
    world.files.append(spool_file(call))


def part_left(world, call):
    part = replace(vault_file(call), name=f"{recording_of(call)}.part", whole=False)
    world.files.append(part)


def removed_and_there(world, call):
    world.add_row(call, "recording_removed", recording=recording_of(call))


MUTATIONS = [
    (rows_lost, "CDR_WITHOUT_ROW"),
    (bypassed, "CALL_NEVER_TOLD"),
    (bypassed_in_cel, "CALL_NEVER_TOLD"),
    (cdr_lost, "ROW_WITHOUT_CDR"),
    (cdr_says(status="NOT_RECORDED"), "DECISION_DIFFERS"),
    (cdr_says(reason="CONSENT_GIVEN"), "DECISION_DIFFERS"),
    (cdr_says(call=id_of(999)), "CDR_WITHOUT_ROW"),
    (never_adopted, "FALLBACK_NOT_ADOPTED"),
    (alone_and_never_adopted, "FILE_UNKNOWN"),
    (cdrs_garbled, "CDR_UNREADABLE"),
    (rows_gone("decision"), "CALL_WITHOUT_DECISION"),
    (decided_twice, "CALL_WITH_TWO_DECISIONS"),
    (rows_gone("call_ended"), "CALL_NOT_ENDED"),
    (verdict_lost, "RECORDING_NOT_CONCLUDED"),
    (strange_file, "FILE_UNKNOWN"),
    (strange_segment, "FILE_UNKNOWN"),
    (foreign_files, "FILE_UNKNOWN"),
    (set_aside_without_a_row, "FILE_UNKNOWN"),
    (spool_left, "FILE_LEFT"),
    (part_left, "FILE_LEFT"),
    (removed_and_there, "FILE_LEFT"),
    (file_gone, "FILE_MISSING"),
    (file_changed, "FILE_CHANGED"),
    (rows_gone("notice_completed"), "FILE_WITHOUT_NOTICE"),
]


@given(made=worlds())
def test_what_agrees_gives_nothing(made):
    world, _ = made
    assert world.unexplained() == []


@settings(max_examples=20)
@pytest.mark.parametrize(("mutate", "finding"), MUTATIONS)
@given(made=worlds())
def test_each_disagreement_gives_its_finding_and_no_other(mutate, finding, made):
    world, call = made
    mutate(world, call)
    assert world.unexplained() == [finding]


def test_every_finding_is_met_here_and_has_words():
    met = {finding for _, finding in MUTATIONS} | EXPLAINED
    assert met == set(ReconciliationFindingId) == set(WORDS)
    for words in WORDS.values():
        assert all(words)
        assert not any(text.endswith(".") for text in words)


# -- what is explained -------------------------------------------------------------------------


def test_what_the_dialplan_recorded_alone_is_explained_when_it_is_adopted():
    world = World()
    add_fallback(world, 1)
    assert [finding.id for finding in world.compare()] == ["FALLBACK_NOTICE"]


def test_a_file_that_the_dialplan_records_alone_may_be_of_a_live_call():
    name = f"d-{'0' * 16}-{channel_of(1)}-rx.wav"
    made_ms = int(channel_of(1).partition(".")[0]) * 1_000
    world = World(files=[FoundFile(FilePlace.SPOOL, name, alone_ms=made_ms)])
    assert world.unexplained(now_ms=made_ms + LATE_MS - 1) == []
    assert world.unexplained(now_ms=made_ms + LATE_MS) == ["FILE_UNKNOWN"]
    assert world.unexplained(since_ms=made_ms + 1) == []
    world.files = [replace(world.files[0], place=FilePlace.QUARANTINE)]
    assert world.unexplained(now_ms=made_ms) == ["FILE_UNKNOWN"]
    world.set_aside.add(name)
    assert world.unexplained(now_ms=made_ms) == []


def test_outages_and_emergencies_are_explained_and_counted_once_a_call():
    world = World()
    for number, add in enumerate((add_outage, add_emergency)):
        add(world, number)
    late = replace(
        world.cdrs[1],
        channel=channel_of(9),
        statements=(RoutineStatement("NOT_RECORDED", "SERVICE_TIMED_OUT"),),
    )
    world.cdrs += [late, late, world.cdrs[0]]
    found = world.compare()
    assert [finding.id for finding in found] == [
        "SERVICE_UNAVAILABLE", "EMERGENCY", "SERVICE_TIMED_OUT",
    ]  # fmt: skip
    assert all(finding.explained for finding in found)


def test_a_file_that_was_set_aside_with_a_row_is_explained():
    world = World()
    file = replace(spool_file(id_of(9)), place=FilePlace.QUARANTINE)
    world.files = [file]
    world.set_aside = {file.name}
    (found,) = world.compare()
    assert (found.id, found.file) == ("FILE_QUARANTINED", f"quarantine/{file.name}")


# -- CDRs and CEL ------------------------------------------------------------------------------


def untold(number: int, **changed: object) -> Cdr:
    values = {"context": "in", "answered": True, "started_ms": BEGIN_MS, **changed}
    return Cdr(channel_of(number), **values)  # type: ignore[arg-type]


def test_only_calls_of_the_named_contexts_must_be_told():
    world = World(cdrs=[untold(1), untold(2, context="internal")])
    assert world.unexplained() == ["CALL_NEVER_TOLD"] * 2
    (found,) = world.compare(contexts=frozenset({"internal"}))
    assert found.channel == channel_of(2)


def test_calls_of_the_doctor_must_be_told_nothing_unless_somebody_names_their_context():
    world = World(cel=[untold(1, context="compliance-check")])
    assert world.unexplained() == []
    (found,) = world.compare(contexts=frozenset({"compliance-check"}))
    assert found.channel == channel_of(1)


def test_legs_of_one_call_are_one_finding():
    linked = {"linkedid": channel_of(1)}
    world = World(cdrs=[untold(1, **linked), untold(2, **linked)], cel=[untold(1, **linked)])
    (found,) = world.compare()
    assert (found.channel, found.at_ms) == (channel_of(1), BEGIN_MS)


def test_unreadable_records_are_one_finding_for_each_file_and_reason():
    one = Unreadable("cel.csv", 3, 2, "why")
    found = World(cel=[one, replace(one, why="another"), replace(one, where="other.csv")]).compare()
    assert [(finding.file, finding.detail) for finding in found] == [
        ("cel.csv", "2 from record 3 on: why"),
        ("cel.csv", "2 from record 3 on: another"),
        ("other.csv", "2 from record 3 on: why"),
    ]


def test_a_call_whose_rows_were_lost_is_not_found_twice():
    world = World()
    call = add_recorded(world, 1)
    world.forget(call)
    world.cel.append(untold(1))
    assert world.unexplained() == ["CDR_WITHOUT_ROW"]


def test_a_live_call_in_cel_may_yet_be_told():
    live = untold(1, over=False, started_ms=NOW_MS - LATE_MS + 1)
    assert World(cel=[live]).unexplained() == []
    old = replace(live, started_ms=NOW_MS - LATE_MS)
    assert World(cel=[old]).unexplained() == ["CALL_NEVER_TOLD"]


def test_records_outside_of_the_time_find_nothing_but_still_count_as_there():
    world = World()
    call = add_recorded(world, 1)
    at = BEGIN_MS + 60_000
    world.cdrs[0] = replace(world.cdrs[0], started_ms=at - 1)
    world.cdrs.append(untold(3, started_ms=at - 1))
    world.cel.append(untold(4, started_ms=at + 60_000))
    assert world.unexplained(since_ms=at, until_ms=at + 60_000) == []
    del world.cdrs[0]
    world.cdrs[0] = replace(world.cdrs[0], covers_from_ms=at)
    (found,) = world.compare(since_ms=at, until_ms=at + 60_000)
    assert (found.id, found.call) == ("ROW_WITHOUT_CDR", call)


def test_a_record_without_a_time_is_always_looked_at():
    assert View(NOW_MS, since_ms=1).covers(None)
    assert World(cdrs=[untold(1, started_ms=None)]).unexplained(since_ms=NOW_MS) == [
        "CALL_NEVER_TOLD"
    ]


def test_what_may_be_a_number_is_not_printed():
    world = World(cdrs=[replace(untold(1), channel="0312345678") for _ in range(2)])
    found = world.compare()
    assert [finding.id for finding in found] == ["CALL_NEVER_TOLD"] * 2, "nothing tells them apart"
    assert "0312345678" not in str(found)
    assert "is not printed" in found[0].detail


def test_a_record_without_any_id_says_no_more_than_that():
    (found,) = World(cdrs=[replace(untold(1), channel="")]).compare()
    assert found == ReconciliationFinding(ReconciliationFindingId.CALL_NEVER_TOLD, at_ms=BEGIN_MS)


@pytest.mark.parametrize(
    ("status", "reentered", "differs"),
    [("RECORDING", True, False), ("PAUSED", True, False), ("RECORDING", False, True)],
)
def test_a_call_that_came_again_was_told_how_it_stood_then(status, reentered, differs):
    world = World()
    call = add_recorded(world, 1)
    cdr_says(status=status)(world, call)
    if reentered:
        world.add_row(call, "call_reentered")
    assert world.unexplained() == (["DECISION_DIFFERS"] if differs else [])


def test_a_call_that_came_again_keeps_its_reason():
    world = World()
    call = add_recorded(world, 1)
    cdr_says(reason="CONSENT_GIVEN")(world, call)
    world.add_row(call, "call_reentered")
    assert world.unexplained() == ["DECISION_DIFFERS"]


def test_a_refused_call_that_came_again_is_not_recorded():
    world = World()
    call = add_recorded(world, 1)
    cdr_says(status="RECORDING")(world, call)
    world.add_row(call, "call_reentered")
    world.without_rows(call, "decision")
    world.add_row(call, "decision", status="REFUSED", reason="NOTICE_COMPLETED")
    (found,) = (finding for finding in world.compare() if not finding.explained)
    assert found.detail == "CDR: RECORDING:NOTICE_COMPLETED; row: REFUSED:NOTICE_COMPLETED"


def test_a_call_that_is_gone_when_it_is_looked_at_again_differs(monkeypatch):
    world = World()
    call = add_recorded(world, 1)
    cdr_says(status="RECORDING")(world, call)
    monkeypatch.setattr(World, "call", lambda *_: None)
    decided = LoggedDecision("ALLOWED", "NOTICE_COMPLETED")
    monkeypatch.setattr(World, "decision", lambda *_: decided)
    assert "DECISION_DIFFERS" in world.unexplained()
