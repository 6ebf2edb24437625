"""What an agent who comes is shown, where the site wants it."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.call.commands import Deadline, Show
from asterisk_compliance.domain.call.decision import Status
from asterisk_compliance.domain.call.events import (
    CompanyChanged,
    Continued,
    DeadlinePassed,
    LeftStasis,
    PauseAsked,
    PlaybackFinished,
    PlaybackStarted,
)
from asterisk_compliance.domain.call.participants import CoverageBasis
from asterisk_compliance.domain.call.state import DialplanWiring
from asterisk_compliance.domain.policy.notice import CaptureFrom, Consent
from asterisk_compliance.ids import playback_id
from domain.leg_traces import AGENT, OTHER, STAFF, WITH_AGENT
from domain.simulator import CALL, policy
from domain.traces import IN_DIALPLAN, arrived, key, told
from values import replace

SHOWS, LISTED = DialplanWiring(shows=True), DialplanWiring(staff_known=True, shows=True)
CAME = CompanyChanged(4_000, (AGENT, OTHER))
NOT_RECORDED = (DeadlinePassed(Deadline.NOTICE), Continued(20), LeftStasis())


def shown(commands) -> list[Show]:
    return [one for one in commands if isinstance(one, Show)]


@pytest.mark.parametrize("wiring", [SHOWS, LISTED])
def test_the_first_agent_is_shown_that_he_will_be_recorded(wiring: DialplanWiring) -> None:
    met = CompanyChanged(2_000, (STAFF,))
    _, commands = told(arrived(wiring=wiring), *IN_DIALPLAN, met)
    assert shown(commands) == [Show(Status.ALLOWED, (STAFF.channel,))]


@pytest.mark.parametrize(
    ("events", "status"),
    [((), Status.RECORDING), ((PauseAsked("CARD", 3_000),), Status.PAUSED)],
)
def test_a_colleague_who_comes_is_shown_what_it_is_now(events, status) -> None:
    colleague = replace(OTHER, cover=CoverageBasis.STAFF)
    came = CompanyChanged(4_000, (AGENT, colleague))
    _, commands = told(arrived(wiring=SHOWS), *WITH_AGENT, *events, came)
    assert shown(commands) == [Show(status, (OTHER.channel,))]


def test_who_is_no_agent_is_shown_nothing() -> None:
    _, commands = told(arrived(wiring=LISTED), *IN_DIALPLAN, CompanyChanged(2_000, (STAFF,)))
    _, commands = told(arrived(wiring=LISTED), *IN_DIALPLAN, CompanyChanged(2_000, (OTHER,)))
    assert shown(commands) == []


def test_who_had_to_be_told_first_is_shown_it_then() -> None:
    call, commands = told(arrived(wiring=SHOWS), *WITH_AGENT, CAME)
    assert shown(commands) == []
    whisper = playback_id(CALL, 2)
    _, commands = told(
        call,
        PlaybackStarted(whisper, 4_100, 9_000),
        PlaybackFinished(whisper, done=True, at_ms=5_100, asterisk_ms=10_000),
    )
    assert shown(commands) == [Show(Status.RECORDING, (OTHER.channel,))]


def test_on_demand_nothing_is_recorded_until_somebody_demands_it() -> None:
    call = arrived(policy=policy(CaptureFrom.ON_DEMAND), wiring=SHOWS)
    _, commands = told(call, *IN_DIALPLAN, CompanyChanged(2_000, (AGENT,)))
    assert shown(commands) == [Show(Status.NOT_RECORDED, (AGENT.channel,))]


def test_a_call_that_is_not_recorded_shows_that() -> None:
    _, commands = told(arrived(wiring=SHOWS), *NOT_RECORDED, CompanyChanged(2_000, (AGENT,)))
    assert shown(commands) == [Show(Status.NOT_RECORDED, (AGENT.channel,))]


def test_a_refusal_is_shown_to_the_listed_staff_alone() -> None:
    asks = policy(consent=Consent.OPT_OUT)
    refused = (key("9"), Continued(20), LeftStasis())
    both = CompanyChanged(2_000, (STAFF, OTHER))
    _, commands = told(arrived(policy=asks, wiring=LISTED), *refused, both)
    assert shown(commands) == [Show(Status.REFUSED, (STAFF.channel,))]


@pytest.mark.parametrize("cover", [CoverageBasis.TOLD, CoverageBasis.REFUSED])
def test_who_came_through_us_himself_is_no_agent(cover: CoverageBasis) -> None:
    other = CompanyChanged(2_000, (replace(OTHER, cover=cover),))
    for events in (IN_DIALPLAN, NOT_RECORDED):
        _, commands = told(arrived(wiring=SHOWS), *events, other)
        assert shown(commands) == []


def test_nobody_is_shown_anything_where_the_site_does_not_want_it() -> None:
    for events in (IN_DIALPLAN, NOT_RECORDED):
        _, commands = told(arrived(), *events, CompanyChanged(2_000, (AGENT,)))
        assert shown(commands) == []
