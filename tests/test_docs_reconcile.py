"""The page of ``reconcile`` explains every finding, and says of each whether it is explained."""

from __future__ import annotations

from asterisk_compliance.domain.reconciliation.findings import EXPLAINED, ReconciliationFindingId
from documented import page, sections, table

FINDINGS = table(sections(page("reconcile.md"), 2)["Findings"])[1:]


def test_every_finding_is_explained_and_no_other():
    documented = [line[0].strip("`") for line in FINDINGS]
    assert sorted(documented) == sorted(ReconciliationFindingId)
    for line in FINDINGS:
        assert len(line) == 4
        assert all(line), f"{line[0]}: what it means, and what to do"


def test_it_says_which_findings_do_not_change_the_status():
    said = {line[0].strip("`") for line in FINDINGS if line[1] == "yes"}
    assert said == set(EXPLAINED)
    assert {line[1] for line in FINDINGS} == {"yes", "no"}
