"""The documentation says what the code does: closed lists, names, links, the example dialplan."""

from __future__ import annotations

import functools
import re
from collections import Counter
from dataclasses import fields
from enum import StrEnum

import pytest

import asterisk_compliance
from asterisk_compliance.app.access.release import DrillProblem
from asterisk_compliance.app.checks.finding import OperatorFindingId, SiteFindingId
from asterisk_compliance.app.dialplan.rendering import render_default
from asterisk_compliance.app.dialplan.variables import (
    CANARY_VARIABLE,
    HEARING_VARIABLE,
    LAST_CALL_VARIABLE,
    MAY_CALL_VARIABLE,
    MIXMONITOR_ID_VARIABLE,
    PAST_CALLS_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
    SEGMENT_VARIABLE,
    SHOWN_VARIABLE,
)
from asterisk_compliance.app.recordings.storage_monitor import PlaceProblem
from asterisk_compliance.app.retention.remainders import PersonalDataPlaces, remainders
from asterisk_compliance.app.service import ari_user_events as live_facts
from asterisk_compliance.app.shared.http_post import Obstacle
from asterisk_compliance.app.shared.marks import Mark
from asterisk_compliance.app.shared.metrics import FLAWS
from asterisk_compliance.app.shared.troubles import Trouble
from asterisk_compliance.app.subject_requests.deadline_watch import STATES as REQUEST_STATES
from asterisk_compliance.domain.access.hearing_state import HearingOutcome, HearingReason, LoanEnd
from asterisk_compliance.domain.access.purpose_limitation import (
    OWN_CODES,
    Action,
    UseGround,
    UseReason,
    UseRefusal,
)
from asterisk_compliance.domain.access.purpose_limitation import SOURCES as USE_SOURCES
from asterisk_compliance.domain.audit.rows import Actor, Kind
from asterisk_compliance.domain.call.canary import CanaryReason
from asterisk_compliance.domain.call.decision import DIALPLAN_REASONS, Reason, Status
from asterisk_compliance.domain.deadlines import Basis, Regime
from asterisk_compliance.domain.dialplan.findings import DialplanFindingId, severity_of
from asterisk_compliance.domain.incidents.notification_duties import (
    Category,
    Freed,
    ReportStep,
    Standing,
)
from asterisk_compliance.domain.incidents.state import IncidentOutcome as LeakOutcome
from asterisk_compliance.domain.incidents.state import IncidentPlace as LeakPlace
from asterisk_compliance.domain.incidents.state import ReportItem
from asterisk_compliance.domain.policy.matching import Match
from asterisk_compliance.domain.policy.rules import PolicyRule
from asterisk_compliance.domain.policy.terms import PolicyTerms
from asterisk_compliance.domain.reconciliation.findings import (
    ReconciliationFindingId as ReconcileFindingId,
)
from asterisk_compliance.domain.recording.interruption_reasons import PauseReason, StopReason
from asterisk_compliance.domain.recording.verdict import AudioDirection, Length
from asterisk_compliance.domain.retention.erasure import ErasureGround, Hindrance
from asterisk_compliance.domain.retention.schedule import RetentionGround as DisposalGround
from asterisk_compliance.domain.subject_requests import codes as request_codes
from asterisk_compliance.domain.third_parties.provisions import (
    SOURCES,
    AbroadBasis,
    ProvidedItem,
    ProvisionGround,
    ProvisionProblem,
)
from asterisk_compliance.domain.third_parties.provisions_received import ReceivedGround
from asterisk_compliance.shipped.catalogue import shipped_purposes
from asterisk_compliance.shipped.presets import About
from documented import (
    PACKAGE,
    ROOT,
    TABLES,
    anomaly_codes,
    details,
    first_arguments,
    first_cells,
    keyword_values,
    logged,
    metrics,
    page,
    pages,
    sections,
    table,
    text_of,
    without_code,
)
from lab.asterisk import Asterisk
from lab.rootfs import obtain

NOT_OURS = frozenset(
    """
    app_exec app_mixmonitor app_playback app_stack app_stasis cdr_csv cdr_sqlite3_custom
    cel_sqlite3_custom chan_pjsip chan_rtp hand_over res_cdrel_custom
    mixmonitor_start res_rtp_multicast
    erased_at last_day last_durable_s party_digests party_values record_conference res_agi res_ari
    res_stasis send_pai send_rpid set_var tree_blocks audit_log content_hash created_at lawful_basis
    updated_at
    """.split()  # noqa: SIM905 - easier to read
)
"""Names with an underscore that the pages mention and that are no kind, detail or setting."""
NOT_OUR_CODES = frozenset(
    {
        "COMPLIANCE_CDR",
        "COMPLIANCE_SHOW_NAME",
        "DIALSTATUS",
        "DYNAMIC_FEATURES",
        "GOSUB_RETVAL",
        "MIXMONITOR_FILENAME",
        "PLAYBACKSTATUS",
        "PREDIAL_HOOK_RET",
    }
)
"""Names in capitals that the pages mention and that are no code of ours."""


# -- closed lists ------------------------------------------------------------------------------

KINDS_PAGE = "audit-kinds.md"
REQUEST_CODES = {
    str(code)
    for codes in (Basis, *vars(request_codes).values())
    if isinstance(codes, type) and issubclass(codes, StrEnum) and codes not in {StrEnum, Regime}
    for code in codes
}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("Statuses", set(Status)),
        ("Reasons", {*Reason, *DIALPLAN_REASONS}),
        ("Pause reasons", set(PauseReason)),
        ("Stop reasons", set(StopReason)),
        ("Marks", set(Mark)),
        ("Grounds", set(ErasureGround)),
        ("Shipping problems", set(Obstacle)),
        ("Canary reasons", set(CanaryReason)),
        ("Grounds of disposal", set(DisposalGround)),
        ("Hearing reasons", set(HearingReason)),
        ("Ends of loans", set(LoanEnd)),
        ("Actions of use", set(Action)),
        ("Reasons of use", set(UseReason)),
        ("Grounds of use", set(UseGround)),
        ("Refusals of use", set(UseRefusal)),
        ("Codes of requests", REQUEST_CODES),
        ("Leak categories", set(Category)),
        ("Leak places", set(LeakPlace)),
        ("Leak steps", set(ReportStep)),
        ("Leak outcomes", set(LeakOutcome)),
        ("Report items", set(ReportItem)),
    ],
)
def test_a_closed_list_is_documented_whole_and_nothing_else(section, values):
    assert first_cells(sections(page(KINDS_PAGE), 2)[section]) == set(map(str, values))


def test_every_actor_is_documented():
    documented = first_cells(sections(page(KINDS_PAGE), 2)["Actors"])
    assert {name for name in documented if "…" not in name} == set(map(str, Actor))


def test_every_verdict_value_is_documented():
    values = sections(page(KINDS_PAGE), 2)["Verdict values"]
    headings = {"length", "rx", "tx", "problem"}
    documented = first_cells(values) - headings
    assert documented == {*map(str, Length), *map(str, AudioDirection), *keyword_values("problem")}


def test_every_finding_about_a_dialplan_is_documented_with_its_severity_and_an_example():
    bodies = sections(page("findings.md"), 3)
    assert list(bodies) == list(map(str, DialplanFindingId)), "in the order of the list"
    for one in DialplanFindingId:
        said, *example = bodies[one].strip().split("\n\n    ")
        assert said.startswith(f"{severity_of(one).capitalize()}. "), one
        assert len(example) == 1, one


def test_every_storage_problem_is_documented():
    body = sections(page(KINDS_PAGE), 2)["Storage problems"]
    assert first_cells(body) - {"problem"} == set(map(str, PlaceProblem))


def test_every_state_of_consent_is_documented():
    body = sections(page(KINDS_PAGE), 3)[Kind.CONSENT]
    (line,) = re.findall(r"(?m)^- `state`: (.*)$", body)
    assert set(re.findall(r"`([^`]+)`", line)) == first_arguments("consent_row")


def test_every_anomaly_code_is_documented():
    documented = first_cells(sections(page(KINDS_PAGE), 2)["Anomaly codes"])
    assert documented == anomaly_codes()


def test_every_kind_is_documented_and_written_by_the_code():
    documented = set(sections(page(KINDS_PAGE), 3))
    assert documented == set(map(str, Kind))
    assert set(details()) == documented, "a kind that nothing writes, or that we do not see"


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_is_documented_with_its_details_and_actor(kind):
    body = sections(page(KINDS_PAGE), 3)[kind]
    bullets = re.findall(r"(?m)^- ((?:`[^`]+`(?:, )?)+):", body)
    documented = {name for names in bullets for name in re.findall(r"`([^`]+)`", names)}
    assert documented == details()[kind]
    assert "Actor" in body
    if not documented:
        assert "No details." in body


# -- names and links ---------------------------------------------------------------------------


@functools.cache
def _known_names() -> set[str]:
    return {
        *map(str, Kind),
        *(name for names in details().values() for name in names),
        *(name for model in TABLES.values() for name in model.model_fields),
        *(
            field.name
            for shape in (PolicyTerms, Match, PolicyRule, About)
            for field in fields(shape)
        ),
        *map(str, AudioDirection),
        *map(str, Standing),
        *REQUEST_STATES,
        *keyword_values("evidence"),
        *first_arguments("consent_row"),
        *metrics(),
        *_remainders(),
        *(name for said in logged() for name in (said.event, *said.keys)),
        *FLAWS,
        *asterisk_compliance.__all__,
        *vars(asterisk_compliance.AriActions),
        *vars(asterisk_compliance.NoticeFlow),
        asterisk_compliance.__name__,
        live_facts.EVENT,
        *NOT_OURS,
    }


@functools.cache
def _known_codes() -> set[str]:
    return {
        *map(
            str,
            [
                *Status,
                *Reason,
                *DIALPLAN_REASONS,
                *PauseReason,
                *StopReason,
                *Mark,
                *ErasureGround,
                *Hindrance,
                *DisposalGround,
                *Action,
                *UseReason,
                *UseGround,
                *UseRefusal,
                *Category,
                *LeakPlace,
                *ReportStep,
                *LeakOutcome,
                *ReportItem,
                *Freed,
                *ProvisionGround,
                *ReceivedGround,
                *ProvisionProblem,
                *AbroadBasis,
                *ProvidedItem,
                *shipped_purposes(),
            ],
        ),
        *REQUEST_CODES,
        *anomaly_codes(),
        *map(
            str,
            [*OperatorFindingId, *Trouble, *CanaryReason, *Obstacle, *PlaceProblem, *DrillProblem],
        ),
        *OWN_CODES,
        *map(str, [*ReconcileFindingId, *DialplanFindingId, *SiteFindingId]),
        *keyword_values("problem"),
        *RESULT_VARIABLES,
        RESULT_VARIABLE,
        MIXMONITOR_ID_VARIABLE,
        SEGMENT_VARIABLE,
        SHOWN_VARIABLE,
        LAST_CALL_VARIABLE,
        PAST_CALLS_VARIABLE,
        MAY_CALL_VARIABLE,
        CANARY_VARIABLE,
        HEARING_VARIABLE,
        *map(str, [*HearingReason, *HearingOutcome, *LoanEnd]),
        *NOT_OUR_CODES,
    }


def _remainders() -> set[str]:
    return {one.id for one in remainders([], PersonalDataPlaces(ROOT, ROOT))}


def test_every_word_of_a_provision_is_documented_with_its_source():
    body = sections(page("provisions.md"), 2)
    grounds, bases = re.split(r"\*\*Abroad\*\*", body["Grounds"])
    assert first_cells(grounds) == set(map(str, ProvisionGround))
    assert first_cells(bases) == set(map(str, AbroadBasis))
    assert first_cells(body["Items"]) == set(map(str, ProvidedItem))
    assert first_cells(body["What is wrong with a record"]) == set(map(str, ProvisionProblem))
    assert first_cells(body["What others provide to you"]) == set(map(str, ReceivedGround))
    lines = {cells[0].strip("`"): cells[2] for cells in table(grounds)[1:]}
    assert lines == {str(ground): source for ground, source in SOURCES.items()}


def test_every_ground_of_use_is_documented_with_its_source():
    lines = table(sections(page(KINDS_PAGE), 2)["Grounds of use"])[1:]
    documented = {cells[0].strip("`"): cells[2] for cells in lines}
    assert documented == {str(ground): source for ground, source in USE_SOURCES.items()}


def test_everything_that_an_erasure_leaves_is_documented():
    remains = sections(page("erasure.md"), 2)["What remains outside"]
    assert first_cells(remains) - {"id"} == _remainders()
    hindered = sections(page("erasure.md"), 2)["What stands in the way"]
    assert first_cells(hindered) == set(map(str, Hindrance))


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_speaks_of_no_kind_setting_or_code_that_is_not_there(path):
    spans = re.findall(r"`([^`\n]+)`", text_of(path))
    names = {span for span in spans if re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", span)}
    codes = {span for span in spans if re.fullmatch(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)*", span)}
    codes |= set(re.findall(r"\bCOMPLIANCE_[A-Z_]+\b", text_of(path)))
    if path.is_relative_to(ROOT / "docs") or path.name in {"README.md", "CHANGELOG.md"}:
        assert names <= _known_names()
    assert {c for c in codes if "_" in c or path.name == KINDS_PAGE} <= _known_codes()


def _anchor(heading: str) -> str:
    """As GitHub makes it."""
    kept = re.sub(r"[^\w\- ]", "", heading.lower())
    return kept.replace(" ", "-")


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (path.parent / file).resolve() if file else path
        assert goal.exists(), f"{target}"
        if anchor:
            headings = re.findall(r"(?m)^#+ +(.+)$", text_of(goal))
            assert anchor in map(_anchor, headings), f"{target}"


def test_the_japanese_readme_shows_the_same_commands_links_and_tables():
    english, japanese = (text_of(ROOT / name) for name in ("README.md", "README.ja.md"))
    for pattern in (
        r"(?ms)^```\w+\n.*?^```",
        r"\]\((?!README)([^)\s]+)\)",
        r"(?m)^#+ ",
        r"(?m)^\|",
    ):
        found = Counter(re.findall(pattern, english))
        assert found == Counter(re.findall(pattern, japanese))
        assert found.total() > 3


def test_decisions_are_numbered_without_gaps_and_say_what_would_change_our_mind():
    decisions = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        headings = list(sections(text_of(path), 2))
        assert headings[0] == "Context", path.name
        assert "Choice" in headings
        assert headings[-1] == "What would change our mind"


def test_pages_that_the_code_points_to_exist():
    examples = [
        path for path in (ROOT / "examples").rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]
    for path in [*PACKAGE.rglob("*.py"), *(ROOT / "dialplan").iterdir(), *examples]:
        for name in re.findall(r"\bdocs/[\w./-]+\.md", text_of(path)):
            assert (ROOT / name).exists(), f"{path.name}: {name}"


# -- the example dialplan ----------------------------------------------------------------------


def test_the_dialplan_page_names_every_variable_of_the_contract():
    text = page("dialplan.md")
    for name in (*RESULT_VARIABLES, RESULT_VARIABLE, MIXMONITOR_ID_VARIABLE, "COMPLIANCE_CDR"):
        assert f"`{name}`" in text


@pytest.mark.asterisk
async def test_the_example_dialplan_loads_into_a_real_asterisk():
    extensions = text_of(ROOT / "examples/extensions.conf")
    ours = {"compliance.conf": render_default()}
    async with Asterisk(obtain(), extensions=extensions, extra=ours) as asterisk:
        for number in ("0312345678", "0312345679", "0312345680"):
            shown = await asterisk.cli(f"dialplan show {number}@from-trunk")
            assert "Gosub(compliance-notice" in shown
            assert "Hangup()" in shown
        for context in ("compliance-notice", "compliance-notice-agi", "compliance-back"):
            shown = await asterisk.cli(f"dialplan show {context}")
            assert "1. " in shown
            assert "'T' =>" in shown
            assert len(re.findall(r"(?m)\d+\. \w+\(", shown)) == _priorities(context)
        complaints = re.findall(r"(?m)^.*(?:WARNING|ERROR).*$", asterisk.log_file.read_text())
        about = re.compile("extensions.conf|compliance|pbx_config|pbx.c|priority", re.IGNORECASE)
        assert [line for line in complaints if about.search(line)] == []


def _priorities(context: str) -> int:
    """How many priorities the rendered routine has."""
    body = re.search(rf"(?ms)^\[{context}\]$(.*?)(?=^\[|\Z)", render_default())
    assert body is not None
    return len(re.findall(r"(?m)^(?:exten =>| same =>)", body[1]))
