"""The demo itself: exit status, and what it leaves behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.asterisk

TESTS = Path(__file__).parents[1]
EXPECTED = {
    "inbound": ("ALLOWED", "NOTICE_COMPLETED", True),
    "hangup": ("NOT_RECORDED", "HANGUP_IN_NOTICE", False),
    "missing-prompt": ("NOT_RECORDED", "NOTICE_FAILED", False),
    "service-stopped": ("NOT_RECORDED", "SERVICE_UNAVAILABLE", False),
}


def run(*arguments, check=True):
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(
        [sys.executable, *arguments],
        check=check,
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
    )


def test_the_demo_shows_what_it_says_and_keeps_it(tmp_path):
    output = tmp_path / "out"
    run("-m", "lab.demo", "--out", output, "--talk", "1.5")
    summary = json.loads((output / "summary.json").read_text())
    told = {
        call["name"]: (call["decision"], call["reason"], call["capture"] is not None)
        for call in summary["calls"]
    }
    assert told == EXPECTED
    inbound = summary["calls"][0]
    assert inbound["notice"]["completed"]
    assert inbound["notice"]["ended_at"] <= inbound["capture"]["first_sample_at"]
    assert inbound["recording"].endswith(".wav.age")
    assert (output / inbound["recording"]).stat().st_size > 20_000
    assert all(call["audit"]["verified"] for call in summary["calls"])
    assert all(claim["holds"] for call in summary["calls"] for claim in call["claims"])
    assert (output / "inbound.png").read_bytes().startswith(b"\x89PNG")
    config = ("--config", output / "compliance.toml")
    verified = run("-m", "asterisk_compliance", "audit", "verify", *config)
    assert "INTACT" in verified.stdout
    key = ("--identity", output / "officer/officer.key")
    drill = run("-m", "asterisk_compliance", "recordings", "drill", *key, *config)
    assert "opened" in drill.stdout
    bundle, public = output / "evidence.zip", output / "log-key.pub"
    evidence = run("-m", "asterisk_compliance", "evidence", "verify", bundle, "--key", public)
    assert evidence.stdout.splitlines()[-1].split() == ["VERDICT", "VERIFIED"]
    assert run("-m", "asterisk_compliance", "status", *config, check=False).returncode == 3


def test_the_demo_replaces_nothing_that_is_not_its_own(tmp_path):
    (tmp_path / "compliance.toml").write_text("precious")
    refused = run("-m", "lab.demo", "--out", tmp_path, check=False)
    assert refused.returncode == 2
    assert (tmp_path / "compliance.toml").read_text() == "precious"
