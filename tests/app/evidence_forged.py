"""Bundles of evidence as somebody makes them who wants to deceive."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

from app.evidence_site import EvidenceSite
from asterisk_compliance import verify
from asterisk_compliance.domain.audit.checkpoint import Checkpoint, sign_checkpoint
from asterisk_compliance.domain.audit.merkle import leaf_hash, root_of
from asterisk_compliance.domain.audit.signed_note import SignerKey
from asterisk_compliance.verify import Check, archive, canonical, read_bundle
from merkle_proofs import inclusion_proof


class Exported:
    """One bundle of a recorded call, opened, and what is needed to make others of it."""

    def __init__(self, home: Path) -> None:
        self.site = EvidenceSite(home)
        self.call = self.site.recorded_call(1)
        self.path = home / "evidence.zip"
        made = self.site.export(self.call, self.path)
        assert made.exit_code == 0, made.output
        self.key = self.site.key
        self.files = read_bundle(str(self.path))


def packed(path: Path, files: dict[str, bytes]) -> str:
    path.write_bytes(b"".join(piece for _, piece in archive(files)))
    return str(path)


def places(check: Check) -> str:
    return " ".join(where for where, _ in check.wrong)


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def rebound(exported: Exported, key: SignerKey, **changed: list[dict]) -> dict[str, bytes]:
    """What somebody makes who signs a log of his own: all proofs hold, for whoever trusts him.

    ``changed``: rows for ``rows`` or ``keys``, instead of those that there are.
    """
    files = dict(exported.files)
    (named,) = verify.read_rows(files["keys.jsonl"])
    named["detail"]["key"] = str(key.verifier)
    rows = changed.get("rows", verify.read_rows(files["rows.jsonl"]))
    (row,) = verify.read_rows(files["exported.jsonl"])
    named["seq"] = 0
    row["seq"] = rows[-1]["seq"] + 1
    files["rows.jsonl"] = b"".join(canonical(one) + b"\n" for one in rows)
    keys = changed.get("keys", [named])
    files["keys.jsonl"] = b"".join(canonical(one) + b"\n" for one in keys)
    manifest = json.loads(files["manifest.json"])
    for one in manifest["files"]:
        one |= {
            "sha256": sha256(files[one["path"]]).hexdigest(),
            "bytes": len(files[one["path"]]),
        }
    files["manifest.json"] = json.dumps(manifest).encode()
    row["detail"]["manifest"] = sha256(files["manifest.json"]).hexdigest()
    files["exported.jsonl"] = canonical(row) + b"\n"
    everything = {one["seq"]: canonical(one) for one in (*keys, *rows, row)}
    leaves = [leaf_hash(everything.get(seq, b"-")) for seq in range(row["seq"] + 1)]
    proofs = {
        str(seq): [verify.base64.b64encode(step).decode() for step in inclusion_proof(leaves, seq)]
        for seq in everything
    }
    files["proofs.json"] = canonical(proofs) + b"\n"
    head = Checkpoint(key.name, len(leaves), root_of(leaves))
    files["checkpoint.txt"] = sign_checkpoint(head, key).encode()
    return files


def thief_of(exported: Exported) -> SignerKey:
    """A key of somebody else, under the name of the log's."""
    return SignerKey(verify.Key(exported.key).name, bytes(32))
