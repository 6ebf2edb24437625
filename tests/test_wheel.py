"""The wheel works outside the checkout: it brings templates, prompts and purposes."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """``asterisk-compliance``, installed from the wheel into an empty environment."""
    directory = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory]
    subprocess.run([*build, CHECKOUT], check=True, capture_output=True, timeout=120)
    (wheel,) = directory.glob("*.whl")
    venv.create(directory / "venv", with_pip=True)
    python = directory / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    subprocess.run(install, check=True, capture_output=True, timeout=300)
    return directory / "venv/bin/asterisk-compliance"


def run(command, *arguments, check=True):
    clean = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    return subprocess.run(
        [command, *arguments],
        check=check,
        capture_output=True,
        text=True,
        cwd="/",
        env=clean,
        timeout=60,
    )


@pytest.mark.timeout(400)
def test_the_wheel_brings_all_it_needs(command, tmp_path):
    assert run(command, "--version").stdout.startswith("asterisk-compliance 0.")
    prompts = json.loads(run(command, "sounds", "list", "--json").stdout)
    assert {(p["id"], p["language"]) for p in prompts} >= {
        ("notice-standard", "ja"),
        ("notice-standard", "en"),
    }
    run(command, "sounds", "install", str(tmp_path))
    assert (tmp_path / "ja/notice-standard.wav16").stat().st_size > 100_000
    assert (
        run(command, "dialplan", "render").stdout
        == (CHECKOUT / "dialplan/compliance.conf").read_text()
    )
    assert "compliancesegment => D" in run(command, "dialplan", "features").stdout
    checked = run(command, "serve", "--config", "/nowhere.toml", check=False)
    assert checked.returncode == 2
    assert checked.stderr.startswith("error: /nowhere.toml")
    assert "hint:" in checked.stderr


@pytest.mark.timeout(400)
def test_the_wheel_finds_the_purposes(command):
    python = command.with_name("python")
    program = "from asterisk_compliance import catalogue; print(len(catalogue.shipped_purposes()))"
    said = subprocess.run(
        [python, "-c", program], check=True, capture_output=True, text=True, cwd="/", timeout=60
    )
    assert said.stdout.strip() == "12"
