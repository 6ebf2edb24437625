"""A bundle of evidence: whatever is changed in it is found and named, and whose log it is."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from app.evidence_forged import Exported, flipped, packed, places, rebound, thief_of
from app.evidence_site import EvidenceSite
from asterisk_compliance import verify
from asterisk_compliance.domain.audit.checkpoint import (
    Checkpoint,
    parse_checkpoint,
    sign_checkpoint,
)
from asterisk_compliance.domain.audit.signed_note import SignerKey, sign_note
from asterisk_compliance.verify import Check, archive, canonical, told_of
from storage.signed_store import THIEF

SEED = 20_261_125


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Exported:
    return Exported(tmp_path_factory.mktemp("evidence"))


# -- what holds --------------------------------------------------------------------------------


def test_a_whole_bundle_verifies_and_says_in_words_what_it_checked(exported):
    check = Check(str(exported.path), exported.key)
    assert (check.verdict, check.wrong) == ("VERIFIED", [])
    said = "\n".join(told_of(check))
    assert f"could r-{exported.call[2:]}-1 begin: no sample is older" in said
    assert "heard notice standard/1/ja, for SERVICE, QUALITY, to its end" in said
    assert f"recording/r-{exported.call[2:]}-1.wav is what row" in said
    assert "decision: ALLOWED, NOTICE_COMPLETED" in said
    assert "that the clock of the service was right" in said


def test_without_a_key_the_origin_is_not_proven(exported):
    check = Check(str(exported.path))
    assert check.verdict == "CONSISTENT, origin not proven"
    assert not check.wrong
    assert check.not_shown[0].startswith("whose log this is")


def test_a_fingerprint_as_the_page_publishes_it_is_a_key(exported):
    fingerprint = verify.Key(exported.key).fingerprint
    assert Check(str(exported.path), fingerprint).verdict == "VERIFIED"
    assert Check(str(exported.path), fingerprint.upper()).verdict == "VERIFIED"
    assert Check(str(exported.path), "0" * 64).verdict == "NOT VERIFIED"


def test_the_directory_is_as_good_as_the_archive(exported, tmp_path):
    with zipfile.ZipFile(exported.path) as opened:
        opened.extractall(tmp_path)
    assert Check(str(tmp_path), exported.key).verdict == "VERIFIED"
    (tmp_path / "more.txt").write_text("")
    assert places(Check(str(tmp_path), exported.key)) == "more.txt"


def test_the_same_files_make_the_same_archive(exported):
    assert exported.path.read_bytes() == b"".join(piece for _, piece in archive(exported.files))
    with zipfile.ZipFile(exported.path) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == sorted(exported.files)


def test_the_verifier_that_travels_is_the_one_that_is_tested(exported):
    source = Path(verify.__file__).read_bytes()
    assert exported.files["verify.py"] == source
    assert len(source.splitlines()) < 300


ALONE = """
import runpy, sys

class NothingElse:
    def find_spec(self, name, path=None, target=None):
        allowed = {*sys.stdlib_module_names, "cryptography", "cffi", "_cffi_backend"}
        if name.partition(".")[0] not in allowed:
            raise ImportError(name)

sys.meta_path.insert(0, NothingElse())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("with_key", [True, False])
def test_it_runs_alone_with_nothing_but_cryptography(exported, tmp_path, with_key):
    with zipfile.ZipFile(exported.path) as opened:
        opened.extractall(tmp_path)
    given = ["--key", exported.key] if with_key else []
    words = [sys.executable, "-c", ALONE, str(tmp_path / "verify.py"), *given]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdict = "VERIFIED" if with_key else "CONSISTENT, origin not proven"
    assert done.stdout.splitlines()[-1].split(maxsplit=1) == ["VERDICT", verdict]
    (tmp_path / "rows.jsonl").write_bytes(exported.files["rows.jsonl"][1:])
    assert subprocess.run(words, capture_output=True, check=False).returncode == 1


# -- what was changed --------------------------------------------------------------------------

NAMES = [
    "README.txt",
    "checkpoint.txt",
    "exported.jsonl",
    "keys.jsonl",
    "manifest.json",
    "notice/.txt",
    "notice/.wav",
    "proofs.json",
    "recording/.wav",
    "report.html",
    "rows.jsonl",
    "verify.py",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_changed_byte_is_found_and_the_file_named(exported, tmp_path, name):
    """Also by somebody who makes the archive anew, check sums and all."""
    begin, _, end = name.rpartition("/" if "/" in name else "\0")
    (path,) = [one for one in exported.files if one.startswith(begin) and one.endswith(end)]
    data = exported.files[path]
    chance = random.Random(f"{SEED} {name}")
    for at in {0, len(data) - 1, *(chance.randrange(len(data)) for _ in range(20))}:
        files = {**exported.files, path: flipped(data, at, chance.randrange(8))}
        for key in (exported.key, None):
            check = Check(packed(tmp_path / "changed.zip", files), key)
            assert check.verdict == "NOT VERIFIED", (name, at)
            assert path in places(check), (name, at, check.wrong)


@pytest.mark.parametrize("name", sorted(verify.UNLISTED | {"rows.jsonl", "keys.jsonl"}))
def test_what_says_the_same_in_another_way_is_found(exported, tmp_path, name):
    """The four that no manifest lists have one form only."""
    data = exported.files[name]
    others = {
        "space": data.replace(b":", b": ", 1) if b'":' in data else data.replace(b"\n", b" \n", 1),
        "line": data + b"\n",
        "cut": data[:-1],
        "return": data.replace(b"\n", b"\r\n"),
    }
    for how, changed in others.items():
        files = {**exported.files, name: changed}
        check = Check(packed(tmp_path / "other.zip", files), exported.key)
        assert name in places(check), (name, how)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_missing_is_named(exported, tmp_path, name):
    begin, _, end = name.rpartition("/" if "/" in name else "\0")
    (path,) = [one for one in exported.files if one.startswith(begin) and one.endswith(end)]
    less = {one: data for one, data in exported.files.items() if one != path}
    assert path in places(Check(packed(tmp_path / "less.zip", less), exported.key))
    more = {**exported.files, f"{path}.more": b"more"}
    assert f"{path}.more" in places(Check(packed(tmp_path / "more.zip", more), exported.key))


def test_one_more_proof_of_nothing_is_found(exported, tmp_path):
    paths = json.loads(exported.files["proofs.json"]) | {"999": []}
    files = {**exported.files, "proofs.json": canonical(paths) + b"\n"}
    assert places(Check(packed(tmp_path / "more.zip", files), exported.key)) == "proofs.json"


def test_one_more_signature_of_nobody_is_found(exported, tmp_path):
    note = exported.files["checkpoint.txt"] + "— witness AAAAAAAA\n".encode()
    files = {**exported.files, "checkpoint.txt": note}
    assert places(Check(packed(tmp_path / "more.zip", files), exported.key)) == "checkpoint.txt"


@pytest.mark.parametrize("name", ["checkpoint.txt", "proofs.json"])
def test_base64_has_one_form(exported, tmp_path, name):
    """The last character before the filling has bits that mean nothing."""
    data = exported.files[name]
    at = data.index(b"=", data.index(b"\n\n") if name == "checkpoint.txt" else 0) - 1
    letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = data[:at] + bytes([letters[letters.index(data[at]) ^ 1]]) + data[at + 1 :]
    check = Check(packed(tmp_path / "bits.zip", {**exported.files, name: changed}), exported.key)
    assert name in places(check)


def test_any_changed_byte_of_the_archive_is_found(exported, tmp_path):
    """300 places by chance, and the whole directory at its end: nothing in it means nothing."""
    whole = exported.path.read_bytes()
    chance = random.Random(SEED)
    directory = whole.rindex(
        verify.struct.pack("<4s4H", b"PK\5\6", 0, 0, *[len(exported.files)] * 2)
    )
    begin = int.from_bytes(whole[directory + 16 : directory + 20], "little")
    found = [*(chance.randrange(begin) for _ in range(300)), *range(begin, len(whole), 7)]
    changed = tmp_path / "changed.zip"
    for at in found:
        changed.write_bytes(flipped(whole, at, chance.randrange(8)))
        assert Check(str(changed), exported.key).verdict == "NOT VERIFIED", at


@pytest.mark.parametrize(
    "trick",
    ["behind", "before", "comment", "twice", "compressed", "dated", "more", "less", "outside"],
)
def test_tricks_with_the_archive_are_found(exported, tmp_path, trick):
    whole, out = exported.path.read_bytes(), tmp_path / "trick.zip"
    files = dict(exported.files)
    form = zipfile.ZIP_DEFLATED if trick == "compressed" else zipfile.ZIP_STORED
    if trick in {"more", "outside"}:
        files["../more.txt" if trick == "outside" else "more.txt"] = b"more"
    if trick == "less":
        del files["report.html"]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", form) as archived:
        for name, data in sorted(files.items()):
            when = (1990 if trick == "dated" else 1980, 1, 1, 0, 0, 0)
            archived.writestr(zipfile.ZipInfo(name, when), data, form)
        if trick == "twice":
            with pytest.warns(UserWarning, match="Duplicate"):
                archived.writestr("rows.jsonl", files["rows.jsonl"])
        archived.comment = b"hidden" if trick == "comment" else b""
    data = {"behind": whole + b"hidden", "before": b"hidden" + whole}
    out.write_bytes(data.get(trick, made.getvalue()))
    assert Check(str(out), exported.key).verdict == "NOT VERIFIED"


def test_what_is_no_archive_at_all_is_said_to_be_none(exported, tmp_path):
    (tmp_path / "torn.zip").write_bytes(exported.path.read_bytes()[:5_000])
    check = Check(str(tmp_path / "torn.zip"), exported.key)
    assert [where for where, _ in check.wrong] == ["the archive"]


# -- whose log it is ---------------------------------------------------------------------------


def test_a_log_of_somebody_else_has_another_origin(exported, tmp_path):
    thief = thief_of(exported)
    forged = packed(tmp_path / "forged.zip", rebound(exported, thief))
    assert Check(forged).verdict == "CONSISTENT, origin not proven"
    assert Check(forged, str(thief.verifier)).verdict == "VERIFIED"
    check = Check(forged, exported.key)
    assert places(check) == "keys.jsonl"
    assert "another" in check.wrong[0][1]


def test_what_is_no_key_is_refused(exported):
    name, number, data = exported.key.split("+", 2)
    other = f"{int(number, 16) ^ 1:08x}"
    for key in (f"{name}+{other}+{data}", f"{name}+{number}+AAAA", "nonsense", ""):
        assert Check(str(exported.path), key or " ").verdict == "NOT VERIFIED", key


def test_a_log_that_only_names_our_key_is_not_ours(exported, tmp_path):
    """Our key stands in its rows; but it has signed neither the checkpoint nor the next key."""
    thief, ours = thief_of(exported), verify.read_rows(exported.files["keys.jsonl"])[0]
    ours["seq"] = 0
    replaced = {**ours, "seq": 1, "detail": {"cause": "lost", "key": str(thief.verifier)}}
    forged = rebound(exported, thief, keys=[ours, replaced])
    assert places(Check(packed(tmp_path / "lost.zip", forged), exported.key)) == "keys.jsonl"
    signature = verify.base64.b64encode(bytes(64)).decode()
    detail = {**replaced["detail"], "earlier": exported.key, "signature": signature}
    handed = {**replaced, "kind": "signing_key_rotated", "detail": detail}
    forged = rebound(exported, thief, keys=[ours, handed])
    assert places(Check(packed(tmp_path / "handed.zip", forged), exported.key)) == "keys.jsonl"
    forged = rebound(exported, thief, keys=[replaced, {**ours, "seq": 2}])
    check = Check(packed(tmp_path / "after.zip", forged), exported.key)
    assert places(check) == "checkpoint.txt", "our key is the last, and has not signed"


def test_a_checkpoint_of_another_log_of_the_same_site_is_found(exported, tmp_path):
    thief = SignerKey("elsewhere/log-1", bytes(32))
    files = rebound(exported, thief)
    head, _ = parse_checkpoint(files["checkpoint.txt"].decode())
    check = Check(packed(tmp_path / "origin.zip", files))
    assert check.wrong == [("rows.jsonl", "has rows of another call or log, or later ones")]
    other = Checkpoint("site/log-2", head.size, head.root)
    files["checkpoint.txt"] = str(sign_note(other.to_text(), thief)).encode()
    assert places(Check(packed(tmp_path / "origin.zip", files))) == "checkpoint.txt"


def test_a_checkpoint_that_somebody_else_signed_is_found(exported, tmp_path):
    head, _ = parse_checkpoint(exported.files["checkpoint.txt"].decode())
    thief = SignerKey(head.origin, THIEF.seed)
    files = {**exported.files, "checkpoint.txt": sign_checkpoint(head, thief).encode()}
    assert places(Check(packed(tmp_path / "forged.zip", files))) == "checkpoint.txt"


def test_whoever_trusts_the_key_before_a_rotation_may_trust_the_one_after(tmp_path):
    site = EvidenceSite(tmp_path)
    call, old = site.recorded_call(1), site.key
    assert site.run("audit", "key", "rotate").exit_code == 0
    assert site.key != old
    assert site.export(call, tmp_path / "rotated.zip").exit_code == 0
    for key in (old, site.key):
        assert Check(str(tmp_path / "rotated.zip"), key).verdict == "VERIFIED"
    (site.store / "signing.key").unlink()
    assert site.run("audit", "key", "replace").exit_code == 0
    assert site.export(call, tmp_path / "replaced.zip").exit_code == 0
    assert Check(str(tmp_path / "replaced.zip"), site.key).verdict == "VERIFIED"
    assert places(Check(str(tmp_path / "replaced.zip"), old)) == "keys.jsonl"
