"""A store of an earlier version is brought up, and the process dies in the middle of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_killed_anywhere_the_log_is_the_same_and_the_next_start_ends_it(tmp_path: Path) -> None:
    """``killed_migration.py`` kills itself with SIGKILL again and again, and begins again."""
    script = Path(__file__).parents[1] / "killed_migration.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=110
    )
    assert ran.returncode == 0, ran.stderr
    killed, versions = map(int, ran.stdout.split())
    assert killed > 50
    assert versions == 5, "it was killed in each of four steps, and behind them"
