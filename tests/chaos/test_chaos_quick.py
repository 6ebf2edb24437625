"""A few calls and one fault of each kind, through a real Asterisk; then errors are planted."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chaos.checker import check
from chaos.evidence import Evidence
from chaos.planted import PLANTED

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(170)]

TESTS = Path(__file__).parents[1]
CALLS, FAULTS, SEED = 16, 10, 4
KINDS = {
    "ami_cut",
    "ari_cut",
    "ari_stalled",
    "asterisk_killed",
    "asterisk_restarted",
    "clock_jumped",
    "disk_full",
    "service_killed",
    "service_killed_at_commit",
    "service_suspended",
}


def test_a_short_run_leaves_nothing_unexplained(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "chaos", "--seed", str(SEED), "--calls", str(CALLS)),
            *("--faults", str(FAULTS), "--out", str(tmp_path / "out")),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"seed {SEED}\n")
    found = json.loads((tmp_path / "out/summary.json").read_text())
    assert found["findings"] == []
    assert found["calls"] >= CALLS
    assert found["faults"] == dict.fromkeys(KINDS, 1)
    assert found["recordings"] >= 3, "it was hardly a run"

    for what, (plant, where) in PLANTED.items():
        copy = tmp_path / what.replace(" ", "-")
        shutil.copytree(tmp_path / "out/evidence", copy)
        plant(copy)
        assert where(check(Evidence.read(copy))), f"not found: {what}"
