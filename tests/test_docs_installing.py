"""What the pages show of an installation is what ``init`` writes."""

from __future__ import annotations

import re
from pathlib import Path

from asterisk_compliance.app.install.asterisk import OURS
from asterisk_compliance.app.install.places import InstallPaths
from asterisk_compliance.app.install.wanted import (
    RETENTION_SERVICE,
    RETENTION_TIMER,
    SERVICE,
    units,
)
from documented import page, sections
from sample_settings import settings


def shown(text: str) -> list[str]:
    """The lines of code in a page, without comments."""
    code = re.findall(r"(?m)^ {4}(.*)$", text)
    return [line for line in code if line and not line.startswith("#")]


def written(name: str) -> list[str]:
    text = units(settings(rules={"time_zone": "Asia/Tokyo"}), "asterisk", InstallPaths())[name]
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_the_unit_of_the_service_is_shown_as_it_is_written() -> None:
    assert shown(sections(page("wiring.md"), 2)["The service"]) == written(SERVICE)


def test_the_units_of_every_night_are_shown_as_they_are_written() -> None:
    hardening = written(SERVICE)
    begin, end = (
        next(number for number, line in enumerate(hardening) if line.startswith(name))
        for name in ("ProtectSystem=", "SystemCallErrorNumber=")
    )
    expected = [
        *(line for line in written(RETENTION_SERVICE) if line not in hardening[begin : end + 1]),
        *written(RETENTION_TIMER),
    ]
    lines = shown(sections(page("retention.md"), 2)["Every night"])
    assert lines[1:] == expected
    assert lines[0] == f"systemctl enable --now {RETENTION_TIMER}"


def test_every_place_of_an_installation_is_named() -> None:
    text = sections(page("wiring.md"), 2)["With init"]
    places = InstallPaths()
    for path in (places.config, places.site.state, places.sounds, Path("/etc/systemd/system")):
        assert f"`{path}`" in text
    for name in (places.ari_secret.name, places.ami_secret.name, places.manifest.name):
        assert f"`{name}`" in text
    for file, ours in OURS.items():
        assert ours in text
        assert re.search(rf"(?m)^ +{re.escape(file)} .*#include {re.escape(ours)}$", text)
