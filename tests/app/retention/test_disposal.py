"""Disposal: the row, the removal, the proof, the row; and what stands in its way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.app.retention.disposal import DisposalOutcome, DisposalRun
from asterisk_compliance.app.retention.legal_holds import place, release
from asterisk_compliance.app.retention.plan import plan, today_of
from asterisk_compliance.config.settings import Settings
from asterisk_compliance.domain.audit.encoding import decode
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.domain.reconciliation.comparison import Comparison, View
from asterisk_compliance.errors import StoreUnavailable
from asterisk_compliance.ids import CallId, RecordingId, call_of, spool_name
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.verification import verify
from asterisk_compliance.storage.queries.reconciliation import (
    ReconcileReader,
    scratch,
    stored,
    vault_files,
)
from asterisk_compliance.storage.recordings import disposal
from retained import a_call_at, at, keep, site
from sample_rows import NODE
from values import replace

BEGAN = "2026-11-24T01:00:00.000Z"
DUE = "2026-12-24T15:00:00.000Z"


def disposed(settings: Settings, when: str = DUE, shift_ms: int = 0) -> dict[str, int]:
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", at(when) + shift_ms
        )
        run.go_on()
        return dict(run.answer())


def rows(settings: Settings, *kinds: str) -> list[Any]:
    with StoreReader(settings.audit.store) as reader:
        every = [decode(stored.data) for stored in reader.rows()]
    return [row for row in every if row.kind in kinds]


def files(home: Path) -> list[str]:
    return sorted(path.name for name in ("vault", "spool") for path in (home / name).iterdir())


@pytest.mark.parametrize("ending", [".wav", ".wav.age"])
def test_what_is_due_goes_with_everything_that_was_made_of_it(tmp_path: Path, ending: str) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN, content=b"audio")
    vault = tmp_path / "vault"
    (vault / f"{recording}.wav").rename(vault / f"{recording}{ending}")
    (vault / f"{recording}-Tanaka.txt").write_bytes(b"what was said")
    (tmp_path / "spool" / spool_name(recording, "tx")).write_bytes(b"spooled")
    other = keep(tmp_path, BEGAN, ("QUALITY=9 years",), number=2)

    assert disposed(settings, DUE, -1)["disposed"] == 0
    assert len(files(tmp_path)) == 4
    assert disposed(settings) == {
        "disposed": 1,
        "held": 0,
        "failed": 0,
        "gone": 0,
        "erased": 0,
        "left": 0,
    }

    assert files(tmp_path) == [f"{other}.wav"]
    (row,) = rows(settings, "recording_disposed")
    digest = sha256(b"audio").hexdigest()
    assert row.detail == {
        "as_logged": True,
        "due_at": DUE,
        "files": (
            f"* {sha256(b'what was said').hexdigest()}",
            f"-tx.wav {sha256(b'spooled').hexdigest()}",
            f"{ending} {digest}",
        ),
        "ground": "NOT_NEEDED",
        "period": "30 days",
        "recording": recording,
        "rule": "QUALITY",
    }
    assert row.call == call_of(recording)
    begun, run = rows(settings, "disposal_begun")[0], rows(settings, "retention_run")[-1]
    assert begun.detail == {k: v for k, v in row.detail.items() if k != "as_logged"}
    assert begun.actor == row.actor == run.actor == run.detail["party"]
    assert (run.detail["due"], run.detail["held"], run.detail["kept"]) == (1, 0, 2)
    assert verify(settings.audit.store).fault_count == 0


def test_it_is_done_once(tmp_path: Path) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN)
    assert disposed(settings)["disposed"] == 1
    assert disposed(settings)["disposed"] == 0
    assert len(rows(settings, "recording_disposed")) == 1


@pytest.mark.slow
def test_killed_at_every_line_it_is_brought_to_an_end(tmp_path: Path) -> None:
    """``killed_disposal.py`` kills itself with SIGKILL at every line, and begins again."""
    script = Path(__file__).parents[1] / "killed_disposal.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=110
    )
    assert ran.returncode == 0, ran.stderr
    lines, untouched, begun, gone = map(int, ran.stdout.split())
    assert lines > 60
    assert min(untouched, begun, gone) > 5, "it was killed in front of and behind every step"


def test_what_is_missing_is_disposed_of_and_the_row_says_that_nothing_was_there(
    tmp_path: Path,
) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    (tmp_path / "vault" / f"{recording}.wav").unlink()
    assert disposed(settings)["disposed"] == 1
    (row,) = rows(settings, "recording_disposed")
    assert (row.detail["files"], row.detail["as_logged"]) == ((), False)


def test_a_file_that_was_changed_goes_and_the_row_says_that_it_was_another(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    (tmp_path / "vault" / f"{recording}.wav").write_bytes(b"another")
    disposed(settings)
    (row,) = rows(settings, "recording_disposed")
    assert row.detail["as_logged"] is False
    assert row.detail["files"] == (f".wav {sha256(b'another').hexdigest()}",)


def test_a_file_that_cannot_be_removed_is_a_row_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)

    def refuses(path: Path, *, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refuses)
        answer = disposed(settings)
    assert (answer["failed"], answer["disposed"]) == (1, 0)
    (row,) = rows(settings, "disposal_failed")
    assert row.detail == {"problem": "DISK", "recording": recording}
    assert files(tmp_path) == [f"{recording}.wav"]
    assert rows(settings, "recording_disposed") == []
    assert disposed(settings)["disposed"] == 1
    assert files(tmp_path) == []
    assert len(rows(settings, "disposal_begun")) == 1


def test_what_can_still_be_opened_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN)
    monkeypatch.setattr(Path, "unlink", lambda path, *, missing_ok=False: None)
    assert disposed(settings)["failed"] == 1
    assert rows(settings, "recording_disposed") == []


def test_without_a_row_nothing_is_removed(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    with StoreWriter.open(settings.audit.store) as store:

        def commit(*rows: Draft) -> int:
            if rows[0].kind is not Kind.RETENTION_RUN:
                raise StoreUnavailable("the disk is full")
            return store.commit(rows)[-1].seq

        run = DisposalRun.begin(settings, commit, "officer", at(DUE))
        with pytest.raises(StoreUnavailable):
            run.go_on()
    assert files(tmp_path) == [f"{recording}.wav"]
    assert len(run.left) == 1


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    settings = site(tmp_path)
    for number in range(1, 4):
        keep(tmp_path, BEGAN, number=number)
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", at(DUE)
        )
        lefts = []
        while run.left:
            run.go_on(0.0)
            lefts.append(len(run.left))
    assert lefts == [2, 1, 0]
    assert run.done == {DisposalOutcome.DISPOSED: 3}
    assert len(rows(settings, "recording_disposed")) == 3


@pytest.mark.parametrize("begun_only", [True, False])
def test_a_later_start_of_the_service_takes_up_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun_only: bool
) -> None:
    """What could not be judged, and what was withdrawn, would else be dealt with again."""
    settings = site(tmp_path)

    def unjudged(row: Draft) -> Draft:
        if row.kind is not Kind.RECORDING_CLOSED:
            return row
        detail = {"recording": row.detail["recording"], "problem": "DISK"}
        return replace(row, kind=Kind.RECORDING_UNJUDGED, detail=detail)

    def withdrawn(call: CallId) -> list[Draft]:
        detail = {"state": "withdrawn", "earlier": "delete"}
        return [Draft(Kind.CONSENT, at(BEGAN), NODE, call=call, detail=detail)]

    def without_end(row: Draft) -> Draft:
        row = unjudged(row)
        return replace(row, kind=Kind.MARK) if row.kind is Kind.SPOOL_REMOVED else row

    keep(tmp_path, BEGAN, number=1, more=without_end)
    keep(tmp_path, BEGAN, number=2, besides=withdrawn)
    with monkeypatch.context() as patched:
        if begun_only:
            patched.setattr(Path, "unlink", lambda path, *, missing_ok=False: None)
        disposed(settings)
    with StoreReader(settings.audit.store) as reader:
        left = reader.unfinished(NODE)
    assert left == ([a_call_at(BEGAN, 2)] if begun_only else [])


# -- holds --------------------------------------------------------------------------------------


def hold(settings: Settings, user: str = "officer", **arguments: str) -> dict[str, Any]:
    with StoreWriter.open(settings.audit.store) as store:
        said = {"matter": "CASE-2026-17", **arguments}
        return dict(place(settings, lambda *rows: store.commit(rows)[-1].seq, user, said))


def free(settings: Settings, user: str = "officer", **arguments: str) -> dict[str, Any]:
    with StoreWriter.open(settings.audit.store) as store:
        said = {"matter": "CASE-2026-17", **arguments}
        return dict(release(settings, lambda *rows: store.commit(rows)[-1].seq, user, said))


@pytest.mark.parametrize(
    "criteria",
    [
        {"number": "03-1234-5678"},
        {"since": "2026-11-24T00:00:00.000Z"},
        {"until": "2026-11-25T00:00:00.000Z", "queue": ""},
    ],
)
def test_a_hold_beats_disposal_until_it_is_released(
    tmp_path: Path, criteria: dict[str, str]
) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    assert hold(settings, **criteria)["calls"] == 1
    assert disposed(settings)["disposed"] == 0
    found = plan(settings.audit.store, today_of(settings), at(DUE))
    assert [one.matters for one in found.held] == [("CASE-2026-17",)]
    assert found.due == ()
    assert files(tmp_path) == [f"{recording}.wav"]
    free(settings)
    assert disposed(settings)["disposed"] == 1


def test_every_hold_on_a_call_must_be_released(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    hold(settings, call=call_of(recording))
    hold(settings, matter="TAX-2026-1", since="2026-01-01T00:00:00.000Z")
    free(settings)
    assert disposed(settings)["disposed"] == 0
    free(settings, matter="TAX-2026-1")
    assert disposed(settings)["disposed"] == 1


def test_calls_that_do_not_exist_yet_are_held(tmp_path: Path) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN, number=9)
    assert hold(settings, number="+81 3 1234 5678", since="2026-11-25T00:00:00.000Z")["calls"] == 0
    later = keep(tmp_path, "2026-11-26T01:00:00.000Z")
    assert disposed(settings, "2027-12-24T15:00:00.000Z")["disposed"] == 1
    assert files(tmp_path) == [f"{later}.wav"]


def test_a_hold_by_queue(tmp_path: Path) -> None:
    settings = site(tmp_path)

    def in_queue(queue: str) -> Any:
        def more(row: Draft) -> Draft:
            if row.kind is not Kind.CALL_ARRIVED:
                return row
            return replace(row, detail={**row.detail, "queue": queue})

        return more

    keep(tmp_path, BEGAN, number=1, more=in_queue("sales"))
    keep(tmp_path, BEGAN, number=2, more=in_queue("support"))
    keep(tmp_path, BEGAN, number=3, more=in_queue(""))
    keep(tmp_path, BEGAN, number=4)  # of a version that did not say the queue: in doubt it holds
    assert hold(settings, queue="sales")["calls"] == 2
    assert disposed(settings)["disposed"] == 2
    assert len(files(tmp_path)) == 2


def test_a_hold_that_is_placed_in_the_middle_of_a_run_is_seen(tmp_path: Path) -> None:
    settings = site(tmp_path)
    for number in (1, 2):
        keep(tmp_path, BEGAN, number=number)
    with StoreWriter.open(settings.audit.store) as store:

        def commit(*rows: Draft) -> int:
            return store.commit(rows)[-1].seq

        run = DisposalRun.begin(settings, commit, "officer", at(DUE))
        run.go_on(0.0)
        place(
            settings, commit, "officer", {"matter": "CASE-1", "since": "2026-01-01T00:00:00.000Z"}
        )
        run.go_on()
    assert run.done == {DisposalOutcome.DISPOSED: 1, DisposalOutcome.HELD: 1}
    assert len(files(tmp_path)) == 1


def test_what_was_begun_is_held_while_it_is_there_and_finished_when_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda path, *, missing_ok=False: None)
        disposed(settings)
    hold(settings, call=call_of(recording))
    assert disposed(settings)["disposed"] == 0
    assert files(tmp_path) == [f"{recording}.wav"]
    (tmp_path / "vault" / f"{recording}.wav").unlink()  # as if it had died behind the removal
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", at(DUE)
        )
        found = plan(settings.audit.store, today_of(settings), at(DUE))
        run.left = list(found.held)
        run.go_on()
    assert run.done == {DisposalOutcome.DISPOSED: 1}


def test_what_somebody_else_removed_meanwhile_gets_no_second_row(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    with StoreWriter.open(settings.audit.store) as store:
        run = DisposalRun.begin(
            settings, lambda *rows: store.commit(rows)[-1].seq, "officer", at(DUE)
        )
        removed = run.left[0]
        draft = Draft(
            Kind.RECORDING_REMOVED, 0, NODE, call=removed.call, detail={"recording": recording}
        )
        store.commit([draft])
        run.go_on()
    assert run.done == {DisposalOutcome.GONE: 1}
    assert rows(settings, "disposal_begun") == []


# -- reconcile ----------------------------------------------------------------------------------


def findings(settings: Settings) -> Sequence[Any]:
    with StoreReader(settings.audit.store) as reader, scratch() as temporary:
        log = ReconcileReader(reader, temporary)
        comparison = Comparison(View(at(DUE)), log, temporary.new_keys)
        vault = settings.vault.recordings
        calls = comparison.calls(
            log.calls(None, None), lambda *one: stored(vault, *one, digests=True)
        )
        return [*calls, *comparison.files(vault_files(vault))]


def test_a_disposed_recording_is_no_missing_one(tmp_path: Path) -> None:
    settings = site(tmp_path)
    keep(tmp_path, BEGAN)
    assert findings(settings) == []
    disposed(settings)
    assert findings(settings) == []


def test_a_disposal_that_was_interrupted_is_no_missing_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda path, *, missing_ok=False: None)
        disposed(settings)
    assert findings(settings) == []
    (tmp_path / "vault" / f"{recording}.wav").unlink()
    assert findings(settings) == []


def test_a_file_that_comes_back_is_found(tmp_path: Path) -> None:
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    disposed(settings)
    (tmp_path / "vault" / f"{recording}.wav").write_bytes(b"from a backup")
    assert [finding.id for finding in findings(settings)] == ["FILE_LEFT"]


# -- files --------------------------------------------------------------------------------------


def test_a_pipe_or_a_link_in_the_spool_goes_and_nobody_waits_for_it(tmp_path: Path) -> None:
    """Asterisk writes there; a pipe would be opened for ever, a link be read."""
    settings = site(tmp_path)
    recording = keep(tmp_path, BEGAN)
    secret = tmp_path / "secret"
    secret.write_bytes(b"nobody's recording")
    rx, tx = (tmp_path / "spool" / spool_name(recording, leg) for leg in ("rx", "tx"))
    os.mkfifo(rx)
    tx.symlink_to(secret)
    (tmp_path / "vault" / f"{recording}-note").symlink_to(tmp_path / "nowhere")
    assert disposed(settings)["disposed"] == 1
    assert files(tmp_path) == []
    assert secret.exists()
    nothing = sha256().hexdigest()
    (row,) = rows(settings, "recording_disposed")
    assert {"-rx.wav " + nothing, "-tx.wav " + nothing, "* " + nothing} < set(row.detail["files"])


def test_only_files_of_this_very_recording_are_its_own(tmp_path: Path) -> None:
    first = RecordingId("r-" + "0" * 28 + "-1")
    names = [f"{first}.wav", f"{first}-rx.wav", f"{first}0.wav", f"{first}a", f"x{first}.wav"]
    for name in names:
        (tmp_path / name).touch()
    found = disposal.files_of({first}, [tmp_path, tmp_path / "missing"])
    assert [path.name for path in found[first]] == sorted(names[:2])
    assert disposal.files_of(set(), [tmp_path]) == {}


def test_a_vault_that_cannot_be_listed_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="cannot list"):
        disposal.files_of(set(), [tmp_path / "file"])
