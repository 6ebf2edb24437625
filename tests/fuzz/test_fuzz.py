"""A short fuzz of everything that reads a wire; then errors are planted, and each is found."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzz import planted
from fuzz.__main__ import TARGETS
from fuzz.mutators import chunks, mutated
from fuzz.planted import PLANTED, Planted
from fuzz.run import fuzz
from fuzz.sockets import SOCKETS
from fuzz.target import Target

pytestmark = pytest.mark.slow

SEED = 20_261_125
TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _nothing_is_kept() -> Iterator[None]:
    yield
    planted.forget()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_crashes_hangs_or_grows(target: type[Target]) -> None:
    result = fuzz(target, target.quick, SEED)
    assert result.findings == []
    assert result.inputs == target.quick
    assert target in SOCKETS or len(result.outcomes) > 1, "all inputs came to the same"


@pytest.mark.parametrize("error", PLANTED.values(), ids=PLANTED)
def test_a_planted_error_is_found(error: Planted) -> None:
    with error.plant():
        result = fuzz(error.target, error.inputs, SEED, patience=0.1)
    assert [one for one in result.findings if one.startswith(error.found)], result.summary


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_seed_gives_the_same_inputs(target: type[Target]) -> None:
    seeds = target().seeds

    def inputs() -> list[bytes]:
        rng = random.Random(SEED)
        return [mutated(rng, seeds, *target.kinds) for _ in range(50)]

    assert inputs() == inputs()
    assert len(set(inputs())) > 20
    assert not set(inputs()) <= set(seeds)


def test_chunks_are_the_whole_input() -> None:
    rng = random.Random(SEED)
    for length in (0, 1, 2, 50, 5_000):
        data = rng.randbytes(length)
        for _ in range(20):
            assert b"".join(chunks(rng, data)) == data


def test_shares_make_a_million() -> None:
    assert sum(target.share for target in TARGETS) == pytest.approx(1.0)


def test_the_command_tells_its_seed_and_what_it_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fuzz", "--inputs", "2000", "--seed", "7"),
            *("--only", "agi-header", "--out", str(tmp_path)),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("seed 7\n")
    report = json.loads((tmp_path / "summary.json").read_text())
    assert (report["seed"], report["findings"]) == (7, 0)
    assert report["targets"][0]["inputs"] == report["inputs"] > 100
