"""What ``asterisk_compliance`` exports: there, documented, and imported when asked for."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import asterisk_compliance
from documented import page

EXPORTS = [name for name in asterisk_compliance.__all__ if name != "__version__"]


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_there_documented_and_explains_itself(name):
    found = getattr(asterisk_compliance, name)
    assert found.__name__.endswith(name)  # longer in its own room, where it says of what
    assert inspect.getdoc(found)
    assert f"`{name}`" in page("developers.md")


def test_what_is_no_export_is_an_attribute_error():
    assert not hasattr(asterisk_compliance, "Service")
    assert set(EXPORTS) <= set(dir(asterisk_compliance))


@pytest.mark.parametrize(
    "asked", ["import asterisk_compliance", "from asterisk_compliance import *"]
)
def test_nothing_is_imported_before_it_is_asked_for(asked):
    program = (
        f"import sys; before = set(sys.modules)\n{asked}\nprint(*sorted(set(sys.modules) - before))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    found = said.stdout.split()
    assert found == ["asterisk_compliance"] or "*" in asked
    assert ("asterisk_compliance.api.site" in found) == ("*" in asked)


def test_reading_and_verifying_need_no_asterisk():
    program = (
        "import sys\nfrom asterisk_compliance import AuditLog, verify_webhook, check_proof\n"
        "print(*(name for name in sys.modules if name in {'aiohttp', 'panoramisk', 'pydantic'}))"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    assert said.stdout.split() == []
