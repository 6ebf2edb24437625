"""What is written about observing is what the code says and reads."""

from __future__ import annotations

import re

from asterisk_compliance.asterisk.ami import observed_events as ami_observed
from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.observation.values import End, InformedState, Recorder, Where
from documented import first_cells, page, sections

ALSO_HEARD = {"BridgeEnter", "BridgeLeave", "Hangup", "MixMonitorStart", "MixMonitorStop"}


def test_every_observed_value_is_documented_on_both_pages():
    told = set(map(str, InformedState))
    assert first_cells(sections(page("audit-kinds.md"), 2)["Observed values"]) == told
    assert first_cells(sections(page("observing.md"), 2)["What it says"]) == told


def test_every_word_of_both_rows_is_documented():
    kinds = sections(page("audit-kinds.md"), 3)
    for kind, words in (
        (Kind.RECORDING_OBSERVED, [*Recorder, *Where]),
        (Kind.OBSERVED_ENDED, [*End]),
    ):
        assert {str(word) for word in words} <= set(re.findall(r"`([a-z]+)`", kinds[kind]))


def test_the_filters_let_through_what_is_read_and_nothing_else():
    text = page("observing.md")
    names = set(re.findall(r"eventfilter\(action\(include\),name\((\w+)\)", text))
    assert names == ALSO_HEARD | set(ami_observed._READERS)
    variables = set(re.findall(r"header\(Variable\),method\(exact\)\) = (\w+)", text))
    assert variables == ami_observed.PLAYED
