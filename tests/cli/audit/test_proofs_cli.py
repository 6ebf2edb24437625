"""Proofs, checkpoints and keys on the command line, and what verify says about them."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asterisk_compliance.cli.audit.commands import app
from asterisk_compliance.domain.audit.checkpoint import Checkpoint, Proof, sign_checkpoint
from asterisk_compliance.domain.audit.merkle import leaf_hash
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.errors import ComplianceError, LogBroken, StoreUnavailable
from asterisk_compliance.storage.log.checkpoints import StoredCheckpoint
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.signing_key import load_key
from sample_rows import draft
from storage.signed_store import KEY, THIEF, rewrite, signed_store

VKEY = str(KEY.verifier)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def checkpoints(store: Path) -> list[StoredCheckpoint]:
    return signed_store(store)


def invoke(*args: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in args])


def run(store: Path | None, *args: object, code: int = 0) -> Result:
    where = [] if store is None else ["--store", store]
    result = invoke(*args, *where)
    assert result.exit_code == code, (result.output, result.exception)
    return result


def refused(*args: object) -> ComplianceError:
    """The error that ``main`` turns into ``error:``, ``hint:`` and an exit status."""
    result = invoke(*args)
    assert isinstance(result.exception, ComplianceError), result.output
    return result.exception


# -- verify ----------------------------------------------------------------------------------------


def test_verify_says_which_level_it_found_and_what_that_does_not_prove(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    with StoreWriter.open(store) as writer:
        writer.commit([draft(Kind.MARK)])
    signed = run(store, "verify")
    assert signed.stdout.splitlines()[-3:] == [
        f"key   {KEY.verifier.fingerprint} (as the log names it)",
        "signed    34 rows, 3 checkpoints",
        "INTACT, level: signed",
    ]
    assert "whoever holds the signing key did not rewrite" in signed.stderr
    assert "Nor whose key it is" in signed.stderr
    kept = tmp_path / "kept.checkpoint"
    kept.write_text(checkpoints[1].note)
    anchored = run(store, "verify", "--key", VKEY, "--checkpoint", kept)
    assert "(given)" in anchored.stdout
    assert "anchored  23 rows, elsewhere" in anchored.stdout
    assert anchored.stdout.splitlines()[-1] == "INTACT, level: anchored elsewhere"
    assert "of the rows from 23 on none was rewritten" in anchored.stderr
    assert "Nor whose key it is" not in anchored.stderr
    said = json.loads(run(store, "verify", "--json", "--checkpoint", tmp_path).stdout)
    assert (said["level"], said["anchored_rows"]) == ("anchored elsewhere", 23)
    assert (said["signed_rows"], said["checkpoints"], said["origin"]) == (34, 3, KEY.name)


def test_verify_finds_a_rewrite_by_the_keys_holder(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text(checkpoints[0].note)
    rewrite(store, lambda seq, data: data.replace(b'"tx":"heard"', b'"tx":"silent"'), KEY)
    with StoreWriter.open(store) as writer:
        writer.rebuild()
    run(store, "verify", "--key", VKEY)
    result = run(store, "verify", "--key", VKEY, "--checkpoint", kept, code=1)
    assert "FAULT the first 12 rows are not those of the checkpoint from elsewhere" in result.stdout
    assert result.stdout.splitlines()[-1] == "BROKEN"


@pytest.mark.parametrize(
    "args",
    [
        ("--key", "nonsense"),
        ("--key", "name+00000000+AAAA"),
        ("--checkpoint", "/none/there"),
        ("--checkpoint", "{empty}"),
    ],
)
def test_verify_refuses_what_is_no_key_and_no_checkpoint(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path, args: tuple[str, str]
) -> None:
    (tmp_path / "empty").mkdir()
    option, value = args
    run(store, "verify", option, value.format(empty=tmp_path / "empty"), code=2)


# -- proofs ----------------------------------------------------------------------------------------


def test_a_row_is_proven_without_the_log(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    proof = tmp_path / "row.tlog-proof"
    proof.write_text(run(store, "prove", 12).stdout)
    result = run(None, "verify-proof", proof, "--key", VKEY)
    lines = result.stdout.splitlines()
    assert lines[:3] == [f"origin  {KEY.name}", "rows  34", "seq  12"]
    assert lines[3].startswith('row  {"actor":"caller"')
    assert lines[-1] == "PROVEN"
    unproven = run(None, "verify-proof", proof)
    assert unproven.stdout.splitlines()[-1] == "CONSISTENT, origin not proven"
    said = json.loads(run(None, "verify-proof", proof, "--json", "--key", VKEY).stdout)
    assert (said["seq"], said["origin_proven"]) == (12, True)
    said = json.loads(run(store, "prove", 12, "--json").stdout)
    assert (said["size"], said["key"], said["row"]["seq"]) == (34, VKEY, 12)
    assert said["proof"] == proof.read_text()


def test_a_proof_of_something_else_is_refused(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    text = run(store, "prove", 12).stdout
    good = Proof.from_text(text)
    other = Proof.from_text(run(store, "prove", 13).stdout)
    changed = good.row.replace(b"inbound", b"outbound")
    proof = tmp_path / "proof"
    for wrong in (
        Proof(good.index, good.path, good.note, other.row),
        Proof(other.index, good.path, good.note, other.row),
        Proof(good.index, good.path, good.note, changed),
        Proof(good.index, good.path[:-1], good.note, good.row),
    ):
        proof.write_text(wrong.to_text())
        error = refused("verify-proof", proof, "--key", VKEY)
        assert "does not stand in the log at this place" in str(error)
        assert error.exit_code == 1
    alone = sign_checkpoint(Checkpoint(KEY.name, 1, leaf_hash(good.row)), KEY)
    proof.write_text(Proof(0, (), alone, good.row).to_text())  # there, but not as row 12
    assert "does not stand in the log" in str(refused("verify-proof", proof, "--key", VKEY))
    proof.write_text(text)
    assert "not signed by the key" in str(refused("verify-proof", proof, "--key", THIEF.verifier))
    proof.write_text("hello")
    assert "not a proof" in str(refused("verify-proof", proof))


def test_a_row_beyond_the_newest_checkpoint_is_not_proven(
    store: Path, checkpoints: list[StoredCheckpoint]
) -> None:
    error = refused("prove", 34, "--store", store)
    assert isinstance(error, StoreUnavailable)
    assert "audit checkpoint now" in error.hint


def test_two_checkpoints_are_proven_to_be_of_one_log(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    old, proof = tmp_path / "old", tmp_path / "proof"
    old.write_text(checkpoints[0].note)
    text = run(store, "consistency", old).stdout
    assert text == run(store, "consistency", 12, 34).stdout
    assert json.loads(run(store, "consistency", old, 23, "--json").stdout)["size"] == 23
    proof.write_text(text)
    result = run(None, "verify-proof", proof, "--checkpoint", old, "--key", VKEY)
    assert result.stdout.splitlines() == [
        f"origin  {KEY.name}",
        "old  12",
        "rows  34",
        "PROVEN",
    ]
    run(None, "verify-proof", proof, code=2)  # against which one?
    old.write_text(checkpoints[1].note)
    error = refused("verify-proof", proof, "--checkpoint", old, "--key", VKEY)
    assert "is not the beginning" in str(error)


def test_a_checkpoint_of_another_log_is_not_consistent(
    store: Path, checkpoints: list[StoredCheckpoint], tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text(signed_store(tmp_path / "other", calls=2)[0].note)
    error = refused("consistency", old, "--store", store)
    assert "are not those of" in str(error)
    assert error.exit_code == 1
    old.write_text(signed_store(tmp_path / "longer", calls=4)[-1].note)
    assert "counts 45 rows, here are 34" in str(refused("consistency", old, "--store", store))
    old.write_text("nonsense")
    run(store, "consistency", old, code=2)


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_are_listed_and_shown(store: Path, checkpoints: list[StoredCheckpoint]) -> None:
    listed = json.loads(run(store, "checkpoint", "list", "--json").stdout)
    assert [(one["size"], one["note"]) for one in listed] == [
        (one.size, one.note) for one in checkpoints
    ]
    assert [one["size"] for one in listed][-2:] == [23, 34]
    table = run(store, "checkpoint", "list", "--limit", 1).stdout
    assert listed[-1]["root"] in table
    assert listed[0]["root"] not in table
    assert run(store, "checkpoint", "show").stdout == checkpoints[-1].note
    assert run(store, "checkpoint", "show", 12).stdout == checkpoints[0].note
    assert json.loads(run(store, "checkpoint", "show", "--json").stdout) == listed[-1]


def test_a_log_without_checkpoints_says_how_to_get_one(tmp_path: Path) -> None:
    StoreWriter.open(tmp_path).close()
    assert "audit checkpoint now" in refused("checkpoint", "show", "--store", tmp_path).hint
    assert "no key yet" in str(refused("key", "show", "--store", tmp_path))


# -- without a service -----------------------------------------------------------------------------

CONFIG = """
[controller]
name = "Example K.K."
contact = "privacy@example.jp"
[[asterisk]]
node = "pbx1"
spool = "/var/spool/asterisk/compliance"
sounds = "/usr/share/asterisk/sounds/compliance"
ari = {{ user = "compliance", secret_env = "ARI_SECRET" }}
[[notice]]
id = "standard"
version = "1"
purposes = ["SERVICE"]
wording.ja.prompt = "notice-standard"
[[policy]]
name = "inbound"
notice = "standard"
languages = ["ja"]
[audit]
store = "{home}/store"
site = "example.jp"
[vault]
recordings = "{home}/recordings"
encryption = "off"
[service]
socket = "{home}/control.sock"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    text = CONFIG.format(home=tmp_path)
    tomllib.loads(text)
    file = tmp_path / "compliance.toml"
    file.write_text(text)
    return file


def keyed(*args: object) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(None, "key", *args, "--json").stdout)
    return said


def test_keys_are_made_shown_and_rotated(config: Path, store: Path) -> None:
    first = keyed("new", "--config", config)
    path = store / "signing.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert first == {k: v for k, v in keyed("show", "--config", config).items() if k != "history"}
    second = keyed("rotate", "--config", config)
    assert second["fingerprint"] == load_key(path).verifier.fingerprint != first["fingerprint"]
    shown = run(None, "key", "show", "--config", config)
    assert second["key"] in shown.stdout
    assert first["fingerprint"] in shown.stderr
    history = keyed("show", "--config", config)["history"]
    assert [(one["key"], one["vouched"]) for one in history] == [
        (first["key"], False),
        (second["key"], True),
    ]
    run(store, "verify", "--key", first["key"])


def test_a_lost_key_is_replaced_and_said_to_be_so(config: Path, store: Path) -> None:
    first = keyed("new", "--config", config)
    assert "a file already" in str(refused("key", "replace", "--config", config))
    (store / "signing.key").unlink()
    second = keyed("replace", "--config", config)
    assert "has not vouched for it" in run(None, "key", "show", "--config", config).stderr
    run(store, "verify", "--key", second["key"])
    run(store, "verify", "--key", first["key"], code=1)


def test_no_command_about_keys_prints_a_secret(config: Path, store: Path) -> None:
    said = ""
    for command in ("new", "show", "rotate", "show"):
        for extra in ([], ["--json"]) if command == "show" else ([],):
            result = invoke("key", command, "--config", config, *extra)
            said += result.stdout + result.stderr
    for _ in range(2):
        secret = (store / "signing.key").read_text().split("+", 4)[-1].strip()
        assert secret not in said
        assert "PRIVATE" not in said


def test_checkpoint_now_signs_what_is_there(config: Path, store: Path) -> None:
    keyed("new", "--config", config)
    with StoreWriter.open(store) as writer:
        writer.commit([draft(Kind.MARK)])
    note = run(None, "checkpoint", "now", "--config", config).stdout
    assert note.split("\n")[1] == "2"
    assert note == run(None, "checkpoint", "now", "--config", config).stdout


def test_a_log_that_was_rewritten_is_not_written_to(config: Path, store: Path) -> None:
    keyed("new", "--config", config)
    rewrite(store, lambda seq, data: data.replace(b"first", b"worst"))
    error = refused("checkpoint", "now", "--config", config)
    assert isinstance(error, LogBroken)
    assert "not the one that was signed" in str(error)
