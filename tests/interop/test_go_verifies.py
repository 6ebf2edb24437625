"""An implementation that is not ours verifies our notes and proofs: Go's, from Debian's package.

``golang.org/x/mod/sumdb/note`` and ``…/tlog`` are what Go's checksum database uses; the C2SP
formats were written down from them. ``go/main.go`` feeds them.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from asterisk_compliance.domain.audit import merkle
from asterisk_compliance.domain.audit.checkpoint import (
    Checkpoint,
    Consistency,
    Proof,
    open_checkpoint,
    sign_checkpoint,
)
from asterisk_compliance.domain.audit.signed_note import SignerKey, parse_note
from asterisk_compliance.storage.log.reader import StoreReader
from asterisk_compliance.storage.log.writer import StoreWriter
from asterisk_compliance.storage.proofs.prover import at_size, consistency, prove
from merkle_proofs import consistency_proof, inclusion_proof
from storage.signed_store import KEY, NEXT, add_call, handed_over, signed_store, signing

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MODULES = Path("/usr/share/gocode")
"""Where Debian's packages of Go libraries are."""
BUILD_S, RUN_S = 110, 30

Verify = Callable[[Sequence[dict[str, Any]]], list[str]]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    """Runs the Go program; it is built once."""
    go = shutil.which("go")
    if go is None or not (MODULES / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.fail("install Debian's packages golang-go and golang-golang-x-mod-dev")
    program = tmp_path_factory.mktemp("go") / "verify"
    cache = ROOT / ".cache/go"
    cache.mkdir(parents=True, exist_ok=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(program.parent),
        "GO111MODULE": "off",
        "GOPATH": str(MODULES),
        "GOCACHE": str(cache),
        "GOTOOLCHAIN": "local",
    }
    source = Path(__file__).parent / "go/main.go"
    subprocess.run(
        [go, "build", "-o", program, source], env=environment, check=True, timeout=BUILD_S
    )

    def run(checks: Sequence[dict[str, Any]]) -> list[str]:
        asked = json.dumps(list(checks)).encode()
        done = subprocess.run(
            [program], input=asked, stdout=subprocess.PIPE, check=True, timeout=RUN_S
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def _path(steps: Sequence[bytes]) -> list[str]:
    return [base64.b64encode(step).decode() for step in steps]


def included(text: str, key: SignerKey = KEY) -> dict[str, Any]:
    """What Go is asked about a proof, from the text that we hand out."""
    proof = Proof.from_text(text)
    return {
        "Key": str(key.verifier),
        "Note": proof.note,
        "Row": proof.row.decode(),
        "Index": proof.index,
        "Path": _path(proof.path),
    }


def consistent(text: str, old: str, key: SignerKey = KEY) -> dict[str, Any]:
    proof = Consistency.from_text(text)
    return {"Key": str(key.verifier), "Note": proof.note, "Old": old, "Path": _path(proof.path)}


def test_every_proof_of_small_trees(verify: Verify) -> None:
    rows = [f'{{"seq":{number}}}'.encode() for number in range(34)]
    leaves = [merkle.leaf_hash(row) for row in rows]
    notes = {
        size: sign_checkpoint(Checkpoint(KEY.name, size, merkle.root_of(leaves[:size])), KEY)
        for size in range(1, len(rows) + 1)
    }
    checks: list[dict[str, Any]] = []
    for size, note in notes.items():
        for index in range(size):
            path = tuple(inclusion_proof(leaves[:size], index))
            checks.append(included(Proof(index, path, note, rows[index]).to_text()))
            path = tuple(consistency_proof(leaves[:size], index + 1))
            made = Consistency(index + 1, path, note)
            checks.append(consistent(made.to_text(), notes[index + 1]))
    answers = verify(checks)
    assert answers == ["ok"] * len(checks)
    assert len(answers) == 34 * 35
    wrong = [{**check, "Index": check.get("Index", 0) + 1} for check in checks if "Row" in check]
    wrong += [{**check, "Path": [*check["Path"], "A" * 43 + "="]} for check in checks]
    assert all(answer.startswith("refused: ") for answer in verify(wrong))


def test_proofs_of_a_store(verify: Verify, tmp_path: Path) -> None:
    old, *_, new = signed_store(tmp_path, calls=60)
    with StoreReader(tmp_path) as reader:
        proven = prove(reader, [0, 1, 255, 256, 300, new.size - 1])
        checks = [included(proof.to_text()) for proof in proven.proofs.values()]
        later = consistency(reader, old.size, at_size(reader, new.size))
        checks.append(consistent(later.to_text(), old.note))
    assert verify(checks) == ["ok"] * 7
    thief = {**checks[0], "Key": str(SignerKey(KEY.name, bytes(32)).verifier)}
    other = {**checks[0], "Row": checks[1]["Row"]}
    changed = {**checks[0], "Note": new.note.replace(f"\n{new.size}\n", f"\n{new.size + 1}\n")}
    for answer in verify([thief, other, changed]):
        assert answer.startswith("refused: ")


def test_the_checkpoint_after_a_rotation_opens_with_either_key(
    verify: Verify, tmp_path: Path
) -> None:
    signed_store(tmp_path, calls=1)
    with StoreWriter.open(tmp_path) as writer:
        writer.commit([handed_over(KEY, NEXT)])
        writer.checkpoint(signing(NEXT, KEY))
        with StoreReader(tmp_path) as reader:
            text = prove(reader, [3]).proofs[3].to_text()
        assert verify([included(text, KEY), included(text, NEXT)]) == ["ok", "ok"]
        add_call(writer, 2, NEXT)
    with StoreReader(tmp_path) as reader:
        text = prove(reader, [3]).proofs[3].to_text()
    later = verify([included(text, KEY), included(text, NEXT)])
    assert later[0].startswith("refused: ")
    assert later[1] == "ok"


def test_go_reads_our_key_and_we_read_its_signature(verify: Verify) -> None:
    checkpoint = Checkpoint(KEY.name, 7, merkle.leaf_hash(b"x"))
    (note,) = verify([{"Sign": KEY.to_text(), "Text": checkpoint.to_text()}])
    assert note == sign_checkpoint(checkpoint, KEY)
    assert open_checkpoint(note, [KEY.verifier]) == checkpoint
    assert str(parse_note(note)) == note
