"""Which modules are needed, held to everything that the rendered dialplan uses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from asterisk_compliance.app.dialplan.rendering import render_default
from asterisk_compliance.domain.asterisk import modules as asterisk_modules
from asterisk_compliance.domain.asterisk.modules import (
    ARI_MODULES,
    keeps_records,
    names_used,
    needed_by,
    not_running,
)

TEMPLATE = Path(__file__).parents[3] / "dialplan/compliance.conf.j2"
BUILT_IN = frozenset({"Answer", "Goto", "GotoIf", "Hangup", "MSet", "Set", "Wait"})
"""Applications of Asterisk itself."""
LONGEST_OPTION = 2
"""Letters of applications' options stand before parentheses too."""
LABELS = set(re.findall(r"n\((\w+)\)", TEMPLATE.read_text("utf-8")))


def test_every_application_and_function_of_our_routines_has_its_module() -> None:
    known = set(asterisk_modules._MODULE_OF) | BUILT_IN
    used = {name for name in names_used(render_default()) if len(name) > LONGEST_OPTION}
    assert used - known - LABELS == set()
    in_template = set(re.findall(r"([A-Za-z_]+)\(", TEMPLATE.read_text("utf-8")))
    assert set(asterisk_modules._MODULE_OF) - in_template == set()


def test_a_tone_needs_one_more() -> None:
    assert "func_periodic_hook" not in needed_by("exten => s,1,Wait(1)", tones=False)
    assert "func_periodic_hook" in needed_by("exten => s,1,Wait(1)", tones=True)
    assert "func_periodic_hook" in needed_by("exten => s,1,MixMonitor(,B(15))", tones=False)


@pytest.mark.parametrize("status", ["Not Running", "Unknown"])
def test_what_does_not_run_is_named(status: str) -> None:
    there = {f"{name}.so": "Running" for name in ARI_MODULES}
    assert list(not_running(set(ARI_MODULES), there)) == []
    there["res_stasis.so"] = status
    del there["app_stasis.so"]
    assert list(not_running(set(ARI_MODULES), there)) == ["app_stasis", "res_stasis"]


def test_what_is_used_on_sip_channels_alone_is_asked_of_a_site_that_has_them() -> None:
    needed = {"res_pjsip_header_funcs"}
    assert list(not_running(needed, {})) == []
    assert list(not_running(needed, {"chan_pjsip.so": "Running"})) == ["res_pjsip_header_funcs"]


def test_records_are_kept_by_any_module_that_writes_them() -> None:
    assert keeps_records({"cel_custom.so": "Running"})
    assert not keeps_records({"cdr_csv.so": "Not Running", "app_cdr.so": "Running"})
