"""What a bundle of evidence says of a call: in which order, what is not in it, and its page."""

from __future__ import annotations

import json

import pytest

from app.evidence_forged import Exported, flipped, packed, places, rebound, thief_of
from app.evidence_site import BEGAN_MS, CALLER, NOTICE, EvidenceSite
from asterisk_compliance import verify
from asterisk_compliance.domain.audit.rows import Draft, Kind
from asterisk_compliance.ids import NodeName, call_id, party_id, recording_id
from asterisk_compliance.verify import Check, canonical, read_bundle, told_of


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Exported:
    return Exported(tmp_path_factory.mktemp("evidence"))


# -- rows --------------------------------------------------------------------------------------


def test_rows_that_are_dropped_swapped_or_of_another_call_are_found(exported, tmp_path):
    lines = exported.files["rows.jsonl"].splitlines(keepends=True)
    other = json.loads(lines[3])
    other["call"] = call_id(99, bytes(8))
    wrong = {
        "dropped": [*lines[:3], *lines[4:]],
        "swapped": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "another": [*lines[:3], canonical(other) + b"\n", *lines[4:]],
    }
    for name, changed in wrong.items():
        files = {**exported.files, "rows.jsonl": b"".join(changed)}
        check = Check(packed(tmp_path / "rows.zip", files), exported.key)
        assert "rows.jsonl" in places(check), name


def test_a_row_of_another_call_is_found_even_if_the_log_has_it(exported, tmp_path):
    rows = verify.read_rows(exported.files["rows.jsonl"])
    rows[3]["call"] = call_id(99, bytes(8))
    key = thief_of(exported)
    check = Check(packed(tmp_path / "mixed.zip", rebound(exported, key, rows=rows)))
    assert check.wrong == [("rows.jsonl", "has rows of another call or log, or later ones")]


@pytest.mark.parametrize(
    "order",
    [
        ("allowed", "begun", "told"),
        ("begun", "told", "allowed"),
        ("told", "begun", "allowed"),
        ("allowed", "begun"),
        ("told", "allowed"),
    ],
    ids="-".join,
)
def test_a_recording_that_began_before_its_notice_is_found(tmp_path, order):
    site = EvidenceSite(tmp_path)
    call = site.recorded_call(1, order=order)
    out = tmp_path / "out.zip"
    claim = ("--ground", "GDPR_LEGAL_CLAIMS", "--reference", "CASE-2026-17")
    made = site.export(call, out, *claim)
    assert made.exit_code == 0, "what speaks against the site can be exported too"
    assert "warning: ORDER" in made.stderr
    check = Check(str(out), site.key)
    assert check.verdict == "NOT VERIFIED"
    assert {(where, what[:5]) for where, what in check.wrong} == {("rows.jsonl", "ORDER")}


def released(number: int, purpose: str, **more: str) -> tuple[Kind, dict[str, object]]:
    said = {"recording": recording_id(call_id(BEGAN_MS + number, bytes(8)), 1), "sealed": True}
    return Kind.RECORDING_RELEASED, {**said, "sha256": "ab" * 32, "purpose": purpose, **more}


@pytest.mark.parametrize(
    ("purpose", "ground", "wrong"),
    [
        ("SERVICE", "", False),
        ("TRAINING", "", True),
        ("TRAINING", "JP_LAW", False),
        ("DRILL", "", False),
        ("RIGHTS", "", False),
    ],
)
def test_a_use_of_what_was_not_told_is_found(tmp_path, purpose, ground, wrong):
    """Whoever wrote the row: the service would have refused it."""
    site = EvidenceSite(tmp_path)
    more = (released(1, purpose, ground=ground),) if ground else (released(1, purpose),)
    call = site.recorded_call(1, more=more)
    out = tmp_path / "out.zip"
    made = site.export(call, out)
    assert made.exit_code == 0, made.output
    assert ("warning: PURPOSE" in made.stderr) is wrong
    check = Check(str(out), site.key)
    assert check.verdict == ("NOT VERIFIED" if wrong else "VERIFIED")
    said = [(where, what.partition(":")[0]) for where, what in check.wrong]
    assert said == [("rows.jsonl", "PURPOSE")] * wrong


def test_what_the_dialplan_recorded_alone_is_bound_by_what_it_promised(tmp_path):
    site = EvidenceSite(tmp_path)
    recording = recording_id(call_id(BEGAN_MS + 1, bytes(8)), 1)
    adopted = (Kind.RECORDING_ADOPTED, {"recording": recording, "purposes": ("TRAINING",)})
    uses = (released(1, "TRAINING"), released(1, "QUALITY"))
    call = site.recorded_call(1, order=("allowed",), more=(adopted, *uses))
    out = tmp_path / "out.zip"
    why = ("--ground", "JP_LAW", "--reference", "R8-123")
    assert site.export(call, out, *why).exit_code == 0
    found = [what for _, what in Check(str(out), site.key).wrong if what.startswith("PURPOSE")]
    assert len(found) == 1


def test_the_page_says_what_was_used_and_what_was_refused(tmp_path):
    site = EvidenceSite(tmp_path)
    refused = {"action": "LISTEN", "purpose": "TRAINING", "recording": "", "refusal": "NOT_TOLD"}
    call = site.recorded_call(1, more=((Kind.USE_REFUSED, refused),))
    out = tmp_path / "out.zip"
    why = ("--ground", "GDPR_LEGAL_CLAIMS", "--reference", "CASE-2026-17")
    assert site.export(call, out, *why).exit_code == 0
    page = read_bundle(str(out))["report.html"].decode()
    assert f"{recording_id(call, 1)}, EVIDENCE, QUALITY, GDPR_LEGAL_CLAIMS (" in page
    assert "LISTEN, TRAINING (" in page
    assert ": NOT_TOLD" in page
    assert "QUALITY, because of CLAIM, on the ground GDPR_LEGAL_CLAIMS" in page
    assert "CASE-2026-17" not in page


@pytest.mark.parametrize("told_by", ["notice", "publication"])
def test_purposes_that_the_page_told_are_said_to_be_told_by_publication(tmp_path, told_by):
    site = EvidenceSite(tmp_path)
    call = site.recorded_call(1, told_by=told_by)
    out = tmp_path / "out.zip"
    assert site.export(call, out).exit_code == 0
    by_page = told_by == "publication"
    page = read_bundle(str(out))["report.html"].decode()
    assert ("by publication: the notice names the page" in page) is by_page
    check = Check(str(out), site.key)
    (decided,) = (line for line in check.checked if line.startswith("decision: "))
    assert ("NOTICE_COMPLETED, purposes told by publication (" in decided) is by_page
    assert check.verdict == "VERIFIED"


def test_what_a_bundle_says_cannot_steer_a_terminal(exported, tmp_path):
    rows = verify.read_rows(exported.files["rows.jsonl"])
    decided = next(row for row in rows if row["kind"] == "decision")
    decided["detail"]["reason"] = "\x1b[2J\u202eVERIFIED\n"
    check = Check(packed(tmp_path / "esc.zip", rebound(exported, thief_of(exported), rows=rows)))
    said = list(told_of(check))
    assert any("decision: ALLOWED, ?[2J?VERIFIED?" in line for line in said)
    assert all(line.isprintable() for line in said)


def test_rows_in_an_order_of_their_own_are_found(exported, tmp_path):
    """Whoever exports could otherwise put the notice first."""
    rows = verify.read_rows(exported.files["rows.jsonl"])
    rows[2], rows[3] = rows[3], rows[2]
    check = Check(packed(tmp_path / "order.zip", rebound(exported, thief_of(exported), rows=rows)))
    assert any("not in its place" in what for _, what in check.wrong)


def test_a_clock_that_goes_back_proves_no_order(exported, tmp_path):
    rows = verify.read_rows(exported.files["rows.jsonl"])
    told = next(row for row in rows if row["kind"] == "notice_completed")
    told["at"] = "2030-01-01T00:00:00.000Z"
    key = thief_of(exported)
    check = Check(packed(tmp_path / "back.zip", rebound(exported, key, rows=rows)))
    assert [what[:5] for _, what in check.wrong] == ["ORDER"]


def test_more_purposes_than_were_told_are_found(exported, tmp_path):
    rows = verify.read_rows(exported.files["rows.jsonl"])
    decided = next(row for row in rows if row["kind"] == "decision")
    decided["detail"]["purposes"].append("MARKETING")
    key = thief_of(exported)
    check = Check(packed(tmp_path / "more.zip", rebound(exported, key, rows=rows)))
    assert [what[:7] for _, what in check.wrong] == ["PURPOSE"]


JOINED = {"channel": "2.1", "party": "y-2", "cover": "unknown"}
TOLD = {"channel": "2.1", "notice": "standard/1/ja"}
PAUSED, RESUMED = {"mute": "others", "reason": "PARTY"}, {"mute": "none"}


def test_who_joined_is_kept_only_after_a_notice(tmp_path):
    site = EvidenceSite(tmp_path)
    joined, told = (Kind.PARTY_JOINED, JOINED), (Kind.PARTY_TOLD, TOLD)
    paused, resumed = (Kind.CAPTURE_PAUSED, PAUSED), (Kind.CAPTURE_RESUMED, RESUMED)
    good = site.recorded_call(1, more=(joined, paused, told, resumed))
    assert site.export(good, tmp_path / "good.zip").exit_code == 0
    said = "\n".join(told_of(Check(str(tmp_path / "good.zip"), site.key)))
    assert "y-2: heard notice standard/1/ja to its end" in said
    bad = site.recorded_call(2, more=(joined, paused, resumed, told))
    made = site.export(bad, tmp_path / "bad.zip")
    assert "y-2 was let be recorded before it was told" in made.stderr


# -- what is not in it -------------------------------------------------------------------------


def test_a_call_that_was_not_recorded(tmp_path):
    site = EvidenceSite(tmp_path)
    call = site.unrecorded_call(1)
    made = site.export(call, tmp_path / "none.zip", opened=False)
    assert made.exit_code == 0, made.output
    check = Check(str(tmp_path / "none.zip"), site.key)
    assert check.verdict == "VERIFIED"
    assert any("NOT_RECORDED, HANGUP_IN_NOTICE" in text for text in check.checked)
    assert not any(name.startswith("recording/") for name in check.files)
    assert b"No row of this call lets a recording begin" in check.files["report.html"]


def test_what_is_sealed_is_compared_as_it_is_and_not_opened(exported, tmp_path):
    out = tmp_path / "sealed.zip"
    assert exported.site.export(exported.call, out, opened=False).exit_code == 0
    check = Check(str(out), exported.key)
    name = f"recording/r-{exported.call[2:]}-1.wav"
    assert check.verdict == "VERIFIED"
    assert check.files[name + ".age"].startswith(b"age-encryption.org/v1")
    assert any(text.startswith(f"what {name} was") for text in check.not_shown)
    files = {**check.files, name + ".age": flipped(check.files[name + ".age"], 9_000)}
    assert name + ".age" in places(Check(packed(out, files), exported.key))


def test_a_recording_that_is_gone_is_said_to_be_gone(tmp_path):
    site = EvidenceSite(tmp_path)
    call = site.recorded_call(1)
    recording = f"r-{call[2:]}-1"
    site.tell(call, (Kind.RECORDING_REMOVED, {"recording": recording}))
    (site.vault / f"{recording}.wav.age").unlink()
    assert site.export(call, tmp_path / "gone.zip").exit_code == 0
    check = Check(str(tmp_path / "gone.zip"), site.key)
    assert check.verdict == "VERIFIED"
    assert any("the log says: removed" in text for text in check.not_shown)


def test_what_is_missing_must_be_said_to_be_missing(exported, tmp_path):
    name = f"recording/r-{exported.call[2:]}-1.wav"
    key = thief_of(exported)
    manifest = json.loads(exported.files["manifest.json"])
    manifest["files"] = [one for one in manifest["files"] if one["path"] != name]
    files = {path: data for path, data in exported.files.items() if path != name}
    less = Exported.__new__(Exported)
    less.key = exported.key
    less.files = {**files, "manifest.json": json.dumps(manifest).encode()}
    check = Check(packed(tmp_path / "less.zip", rebound(less, key)))
    assert check.wrong == [(name, "is missing, and the manifest does not say why")]


@pytest.mark.parametrize("end", [".txt", "notice.wav", "recording.wav"])
def test_a_file_that_is_not_what_its_row_says_is_found(exported, tmp_path, end):
    """By whoever exports: then the manifest fits, and the row of the export."""
    begin, _, end = end.rpartition(".")
    names = [one for one in exported.files if one.startswith(begin or "notice") and end in one]
    name = next(one for one in names if one.endswith("." + end))
    other = Exported.__new__(Exported)
    other.key = exported.key
    other.files = {**exported.files, name: flipped(exported.files[name], 60)}
    check = Check(packed(tmp_path / "other.zip", rebound(other, thief_of(exported))))
    assert places(check) == name
    other.files = {**exported.files, "recording/more.wav": b"more"}
    manifest = json.loads(other.files["manifest.json"])
    manifest["files"].append({"path": "recording/more.wav"})
    other.files["manifest.json"] = json.dumps(manifest).encode()
    check = Check(packed(tmp_path / "more.zip", rebound(other, thief_of(exported))))
    assert check.wrong == [("recording/more.wav", "is of no row")]


def test_a_bundle_of_somebody_who_was_erased_verifies_as_before(tmp_path):
    site = EvidenceSite(tmp_path)
    call = site.recorded_call(1)
    assert site.export(call, tmp_path / "before.zip").exit_code == 0
    party = party_id(call, 1)
    site.commit(Draft(Kind.PERSON_ERASED, 1, NodeName("pbx1"), call, erases=party))
    assert site.export(call, tmp_path / "after.zip").exit_code == 0
    for name in ("before.zip", "after.zip"):
        assert Check(str(tmp_path / name), site.key).verdict == "VERIFIED"


# -- the page ----------------------------------------------------------------------------------


def test_the_page_shows_what_happened_and_can_hold_no_script(exported):
    page = exported.files["report.html"].decode()
    assert page.count("<polygon") == 2
    assert "notice: 1.00 to 2.00 s" in page
    assert verify.Key(exported.key).fingerprint in page
    assert "may be captured" in page
    assert "この通話は録音されます。&lt;script&gt;" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "not found" in page


def test_the_notice_in_a_recording_is_found_and_said(tmp_path):
    site = EvidenceSite(tmp_path)
    mixed = CALLER.copy()
    mixed[4_000 : 4_000 + len(NOTICE)] += NOTICE // 2
    call = site.recorded_call(1, caller=mixed)
    made = site.export(call, tmp_path / "mixed.zip", "--json")
    assert json.loads(made.stdout)["notice_in_recording"] == {f"r-{call[2:]}-1": True}
    assert "warning: the notice is heard" in made.stderr
    files = read_bundle(str(tmp_path / "mixed.zip"))
    assert b"FOUND, from 0.50 s on" in files["report.html"]
    assert json.loads(files["manifest.json"])["notice_in_recording"] == {f"r-{call[2:]}-1": True}


def test_a_voice_alone_is_no_notice(exported):
    assert json.loads(exported.files["manifest.json"])["notice_in_recording"] == {
        f"r-{exported.call[2:]}-1": False
    }
