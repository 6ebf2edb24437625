"""Purposes that are told by the published page: from which day on, by which words, what follows."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from asterisk_compliance.domain.audit.rows import Kind
from asterisk_compliance.domain.call import machine as rules
from asterisk_compliance.domain.call.commands import AnswerCommand, AppendRow, HandOver, Play
from asterisk_compliance.domain.call.decision import Next, Reason, Status
from asterisk_compliance.domain.call.events import StartAsked
from asterisk_compliance.domain.call.replay import replay_call
from asterisk_compliance.domain.disclosure.publication import (
    NOT_PUBLISHED,
    LegalBasis,
    Publication,
    page_published_on,
    purposes_left_out,
)
from asterisk_compliance.domain.policy.explanation import explain, told_by_publication
from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent, OnProblem, Policy, ToldBy
from asterisk_compliance.domain.policy.rules import resolve
from domain.simulated_death import stored
from domain.simulator import CALL, LIMITS, arrival, policy
from domain.traces import IN_DIALPLAN, TOLD, told
from values import replace

TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
PAGE = "https://www.example.jp/recording"
SINCE = date(2026, 12, 1)
MOMENT = timedelta(microseconds=1)


def relying(**changed: object) -> Policy:
    """A policy whose notice leaves its purposes to the page."""
    return replace(told_by_page(policy()), **changed)


def told_by_page(one: Policy) -> Policy:
    return replace(one, notice=replace(one.notice, told_by=ToldBy.PUBLICATION))


def decided(commands: tuple[object, ...]) -> AppendRow:
    (row,) = (c for c in commands if isinstance(c, AppendRow) and c.kind is Kind.DECISION)
    return row


# -- from which day on -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "which"),
    [
        ((-2,), 0),
        ((-2, -1), 1),
        ((-1, 0, 1), 1),
        ((-1, 1, 2), 0),
        ((1, 2), 0),
    ],
)
def test_the_page_of_a_day_is_the_last_one_that_was_loaded_until_then(
    days: tuple[int, ...], which: int
) -> None:
    pages = [(SINCE + timedelta(days=day), number) for number, day in enumerate(days)]
    assert page_published_on(pages, SINCE) == which


@pytest.mark.parametrize("zone", [UTC, TOKYO, NEW_YORK])
@pytest.mark.parametrize("seen_from", [UTC, TOKYO, NEW_YORK])
def test_it_begins_with_midnight_of_the_site(zone: ZoneInfo, seen_from: ZoneInfo) -> None:
    midnight = datetime(2026, 12, 1, tzinfo=zone)
    site = zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
    page = Publication(PAGE, SINCE, site)
    assert not page.holds_at((midnight - MOMENT).astimezone(seen_from))
    assert page.holds_at(midnight.astimezone(seen_from))
    assert page.holds_at((midnight + timedelta(days=400)).astimezone(seen_from))


@pytest.mark.parametrize("day", [date(2026, 3, 8), date(2026, 11, 1)])
def test_a_day_of_another_length_begins_at_its_midnight(day: date) -> None:
    """The days on which New York's clocks are set."""
    page = Publication(PAGE, day, NEW_YORK)
    midnight = datetime(day.year, day.month, day.day, tzinfo=NEW_YORK)
    assert page.holds_at(midnight.astimezone(UTC))
    assert not page.holds_at(midnight.astimezone(UTC) - MOMENT)


@pytest.mark.parametrize(
    "page", [NOT_PUBLISHED, Publication(PAGE, None), Publication("", date(2000, 1, 1))]
)
def test_without_a_page_or_a_date_it_never_begins(page: Publication) -> None:
    assert not page.holds_at(datetime(2999, 1, 1, tzinfo=UTC))


# -- what follows for a call -------------------------------------------------------------------


@pytest.mark.parametrize("consent", Consent)
def test_before_that_day_the_call_is_decided_at_once_and_hears_no_notice(consent: Consent) -> None:
    call, commands = rules.arrive(
        CALL, arrival(policy=relying(consent=consent), published=False), LIMITS
    )
    assert call.decision is not None
    assert (call.decision.status, call.decision.reason) == (
        Status.NOT_RECORDED,
        Reason.NOT_PUBLISHED,
    )
    assert not any(isinstance(command, Play) for command in commands)
    assert decided(commands).detail["told_by"] == ""
    (handed,) = (c for c in commands if isinstance(c, HandOver))
    assert not handed.start


@pytest.mark.parametrize(
    ("what", "sound", "then"),
    [
        (OnProblem.TELL, "not-recorded", Next.CONTINUE),
        (OnProblem.ALTERNATIVE, "required", Next.ALTERNATIVE),
        (OnProblem.END, "required", Next.END),
    ],
)
def test_what_its_policy_says_of_a_notice_that_fails_happens(
    what: OnProblem, sound: str, then: Next
) -> None:
    terms = told_by_page(policy(on_problem=what))
    _, commands = rules.arrive(CALL, arrival(policy=terms, published=False), LIMITS)
    assert [c for c in commands if isinstance(c, AnswerCommand)] == [AnswerCommand()]
    (said,) = (c for c in commands if isinstance(c, Play))
    assert said.media == f"sound:/prompts/ja/{sound}"
    (handed,) = (c for c in commands if isinstance(c, HandOver))
    assert handed.next is then


def test_nobody_can_ask_for_a_recording_of_it_later() -> None:
    terms = relying(capture=CaptureFrom.ON_DEMAND)
    call, _ = rules.arrive(CALL, arrival(policy=terms, published=False), LIMITS)
    call, _ = told(call, *IN_DIALPLAN[2:])
    after, commands = rules.step(call, StartAsked(at_ms=2_000))
    assert not after.capture.is_wanted
    assert all(getattr(c, "kind", None) is not Kind.RECORDING_REQUESTED for c in commands)


def test_from_that_day_on_it_is_recorded_and_the_row_says_by_what_it_was_told() -> None:
    call, _ = rules.arrive(CALL, arrival(policy=relying(), published=True), LIMITS)
    call, commands = told(call, *TOLD)
    row = decided(commands)
    assert (row.detail["status"], row.detail["told_by"]) == ("ALLOWED", "publication")
    assert row.detail["purposes"] == ("SERVICE",)


@pytest.mark.parametrize("published", [False, True])
def test_a_policy_whose_words_say_its_purposes_needs_no_page(published: bool) -> None:
    call, _ = rules.arrive(CALL, arrival(published=published), LIMITS)
    _, commands = told(call, *TOLD)
    assert decided(commands).detail["told_by"] == "notice"


def test_a_notice_for_who_joins_that_relies_on_the_page_makes_its_policy_rely_on_it() -> None:
    plain = policy()
    joined = replace(plain.notice, id="joined", told_by=ToldBy.PUBLICATION)
    terms = replace(plain, joined=joined)
    assert terms.told_by is ToldBy.PUBLICATION
    assert replace(plain, joined=plain.notice).told_by is ToldBy.NOTICE
    call, _ = rules.arrive(CALL, arrival(policy=terms, published=False), LIMITS)
    assert call.decision is not None
    assert call.decision.reason is Reason.NOT_PUBLISHED


@pytest.mark.parametrize(
    ("said", "remembered"),
    [
        ({"told_by": "publication"}, ToldBy.PUBLICATION),
        ({"told_by": ""}, None),
        ({}, None),
    ],
)
def test_the_log_remembers_it(said: dict[str, str], remembered: ToldBy | None) -> None:
    """Rows of older versions do not say it."""
    detail = {"status": "ALLOWED", "reason": "NOTICE_COMPLETED", **said}
    arrived = {"channel": "1795507200.1", "entry": "ari"}
    rows = (AppendRow(Kind.CALL_ARRIVED, arrived), AppendRow(Kind.DECISION, detail))
    known = replay_call(stored(row, 0, seq) for seq, row in enumerate(rows))
    assert known is not None
    assert known.decision is not None
    assert known.decision.told_by is remembered


# -- in words ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (Publication(PAGE, SINCE), f"Its purposes are told by publication, at {PAGE}."),
        (
            Publication(PAGE, date(2027, 1, 1)),
            "Not recorded: its purposes are published from 2027-01-01 on.",
        ),
        (
            Publication(PAGE),
            "Not recorded: its purposes are told by publication, and no page is published.",
        ),
    ],
)
def test_what_follows_is_explained_beside_the_notice(page: Publication, said: str) -> None:
    at = datetime(2026, 12, 24, tzinfo=UTC)
    facts = CallFacts("inbound", CallDirection.INBOUND, at)
    told = told_by_publication(page, at)
    explained = explain(resolve([], facts), facts, [], notice="pointing", purposes=told)
    assert told == said
    shown = list(explained.lines())
    assert shown[shown.index("notice = pointing") + 1] == f"    {said}"
    plain = list(replace(explained, purposes="").lines())
    assert plain[plain.index("notice = pointing") + 1] == ""


# -- by which words ----------------------------------------------------------------------------

ALL_THREE = {
    "ja": "このお電話は、当社で録音しています。利用目的は、当社のウェブサイトで公表しています。",
    "en": "We record this call. What we use recordings for is published on our website.",
}


@pytest.mark.parametrize(
    ("language", "wording", "lacking"),
    [
        ("ja", ALL_THREE["ja"], []),
        ("en", ALL_THREE["en"], []),
        ("ja", "利用目的は、当社のウェブサイトで公表しています。", ["that the call is recorded"]),
        ("en", "What we do is published on our website.", ["that the call is recorded"]),
        ("ja", "録音しています。目的は、ホームページにあります。", ["by whom"]),
        ("en", "This call is recorded. The website says why.", ["by whom"]),
        ("ja", "当社で録音しています。", ["where the purposes are published"]),
        ("en", "We record this call.", ["where the purposes are published"]),
        ("de", "", ["by whom", "where the purposes are published"]),
        ("de", "Die Muster GmbH nimmt auf, siehe muster.de.", []),
    ],
)
def test_what_a_notice_that_points_to_the_page_must_say(
    language: str, wording: str, lacking: list[str]
) -> None:
    found = purposes_left_out(
        wording, language, controllers=["", "Muster GmbH"], pages=["", "muster.de"]
    )
    assert list(found) == lacking


def test_a_name_and_a_phrase_of_the_site_count_in_any_width_and_case() -> None:
    wording = "録音しています。ＡＣＭＥです。目的は、録音のご案内にあります。"
    assert (
        list(purposes_left_out(wording, "ja", controllers=["Acme"], pages=["録音のご案内"])) == []
    )


def test_every_basis_has_a_term_of_its_own() -> None:
    terms = {basis.dpv for basis in LegalBasis}
    assert len(terms) == len(LegalBasis)
    assert all(term.startswith("https://w3id.org/dpv#") for term in terms)
