"""The demo's bundle of evidence, made as an officer makes one, and checked as a stranger does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from asterisk_compliance.cli.evidence.bundle import BundleSelection, export
from asterisk_compliance.domain.access.purpose_limitation import Action, Use, UseReason
from lab.hearing import Claim

BUNDLE, KEY = "evidence.zip", "log-key.pub"


def export_evidence(output: Path, call: str) -> Claim:
    """Leave a bundle about a call, and the log's public key beside it.

    Returns:
        Whether the ``verify.py`` in it says that all of it holds.
    """
    use = Use(Action.EVIDENCE, "QUALITY", UseReason.OWN_TEST)
    wanted = BundleSelection(call, use, (output / "officer/officer.key").read_text())
    bundle, key = output / BUNDLE, output / KEY
    said = export(output / "compliance.toml", bundle, wanted, lambda _: None)
    key.write_text(f"{said['key']}\n")
    with zipfile.ZipFile(bundle) as archive, tempfile.TemporaryDirectory() as unpacked:
        archive.extractall(unpacked)
        words = [sys.executable, f"{unpacked}/verify.py", "--key", str(key)]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
    last = (done.stdout.splitlines() or [done.stderr])[-1]
    verdict = last.removeprefix("VERDICT").strip()
    measured = f"{said['files']} files, {verdict}"
    return Claim("the evidence of this call verifies", verdict == "VERIFIED", measured)
