"""The simulated Asterisk tells what the real one tells."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab.asterisk import Asterisk
from lab.versions import mutes_by_id
from simulation.contract import SCRIPTS, Script
from simulation.labs import against_the_real_one, against_the_simulated_one


@pytest.mark.asterisk
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_both_tell_the_same(script: Script, real: Asterisk, tmp_path: Path) -> None:
    simulated = against_the_simulated_one(
        script, tmp_path, seed=0, mutes_by_id=mutes_by_id(real.build)
    )
    assert simulated == asyncio.run(against_the_real_one(script, real))
