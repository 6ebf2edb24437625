"""Our calls are told who is on the line with them, when ARI agrees.

The node is a simple one of our own. Its ARI knows what is really so; AMI can be forged.
"""

from __future__ import annotations

import asyncio

import pytest

from app.followed_site import AGENT, CALLEE, CALLER, FRIEND, ONE, TWO, Site
from asterisk_compliance.app.calls import leg_tracking as module
from asterisk_compliance.app.calls.leg_tracking import (
    LONGEST_ENDPOINT,
    STOOD_STILL_MS,
    EndpointDirectory,
)
from asterisk_compliance.domain.call.decision import Decision, Reason, Status
from asterisk_compliance.domain.call.events import (
    Bridged,
    CompanyChanged,
    DiallerGone,
    TransferSeen,
    Unbridged,
)
from asterisk_compliance.domain.call.participants import CoverageBasis, Participant
from asterisk_compliance.domain.call.state import CallerConsent
from asterisk_compliance.domain.policy.notice import OnJoin
from asterisk_compliance.errors import AsteriskError, AsteriskUnavailable, RequestRefused
from asterisk_compliance.ids import ChannelId
from values import replace


@pytest.fixture(autouse=True)
def short_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AMI_LAG_S", 0.01)


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_a_call_is_told_that_it_is_bridged_and_to_whom(site: Site) -> None:
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    assert caller.heard == [Bridged(10), CompanyChanged(20, (Participant(AGENT),))]
    site.leaves(CALLER)
    await site.settled()
    assert caller.heard[2:] == [Unbridged(30), CompanyChanged(30, (), two_party=False)]


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("PJSIP/anna-0000002a", "PJSIP/anna"),
        ("PJSIP/anna-desk-0000002a", "PJSIP/anna-desk"),
        ("Local/100@agents-00000001;2", "Local/100@agents"),
        ("odd", "odd"),
        (f"PJSIP/{'x' * 500}-1", f"PJSIP/{'x' * (LONGEST_ENDPOINT - 6)}"),
    ],
)
def test_of_who_comes_the_endpoint_is_known(name: str, endpoint: str) -> None:
    assert EndpointDirectory().peer(AGENT, name).endpoint == endpoint


async def test_each_of_our_calls_in_a_bridge_is_told(site: Site) -> None:
    site.live(CALLER)
    site.live(FRIEND)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.companies(FRIEND) == [{CALLER, AGENT}]


async def test_nobody_is_told_the_same_twice(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.said(AGENT, "b1")
    site.said(CALLER, "b1")
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}]


async def test_bridges_without_a_call_of_ours_cost_nothing(site: Site) -> None:
    site.enters("b1", AGENT, FRIEND)
    site.leaves(AGENT, FRIEND)
    await site.settled()
    assert site.truth.asked == []


async def test_a_newcomer_mutes_at_once_and_is_told_when_ari_has_confirmed_it(site: Site) -> None:
    """Until then it may be forged, and more than a mute could not be taken back."""
    call = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    assert site.truth.asked == []
    site.enters("b1", FRIEND)
    assert call.heard[-1] == TransferSeen(site.at_ms)
    assert site.companies(CALLER) == [{AGENT}]
    await site.settled()
    assert site.truth.asked == ["b1"]
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.forged() == []


@pytest.mark.parametrize("why", ["staff", "told", "policy"])
async def test_a_newcomer_who_may_be_kept_is_told_at_once(why: str) -> None:
    """Nothing would follow but to go on."""
    site = Site(EndpointDirectory(staff=("PJSIP/trunk",) if why == "staff" else ()))
    call = site.live(CALLER, on_join=OnJoin.CONTINUE if why == "policy" else OnJoin.RENOTIFY)
    if why == "told":
        site.live(FRIEND, ALLOWED)
    site.enters("b1", CALLER, AGENT)
    site.enters("b1", FRIEND)
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert not any(isinstance(event, TransferSeen) for event in call.heard)
    await site.settled()
    assert site.truth.asked == ["b1"]


@pytest.mark.parametrize("who", [AGENT, FRIEND])
async def test_who_left_is_told_when_ari_has_confirmed_it(site: Site, who: ChannelId) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.truth.answers.clear()
    site.leaves(who)
    await asyncio.sleep(0.02)
    assert site.companies(CALLER)[-1] == {AGENT, FRIEND}
    site.truth.answers.set()
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT, FRIEND} - {who}
    assert site.forged() == []


async def test_the_last_who_left_is_confirmed_too(site: Site) -> None:
    """To be alone lifts every mute: a forged end must not do that."""
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.said_left(AGENT)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}]
    assert site.forged() == [AGENT]
    site.leaves(AGENT)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, set()]


async def test_a_bridge_that_is_gone_holds_nobody(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.leaves_in_truth(CALLER)
    site.leaves(AGENT)
    site.said_left(CALLER)
    await site.settled()
    assert "b1" not in site.truth.where
    assert site.companies(CALLER)[-1] == set()
    assert site.forged() == []


@pytest.mark.parametrize(
    "error", [AsteriskUnavailable("no connection"), RequestRefused("bridge", 500)]
)
async def test_ami_is_believed_where_ari_cannot_be_asked(site: Site, error: AsteriskError) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    site.truth.refuses = error
    site.leaves(FRIEND)
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT}


async def test_a_site_without_ari_believes_ami(site: Site) -> None:
    site.ari = None
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT, FRIEND)
    site.leaves(AGENT)
    site.leaves(FRIEND)
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}, {FRIEND}, set()]


# -- conferences, parking, Local channels --------------------------------------------------------


async def test_parked_is_in_nobodys_company(site: Site) -> None:
    site.live(CALLER)
    site.live(FRIEND)
    site.enters("b1", CALLER, AGENT)
    for parked in (CALLER, FRIEND):
        site.leaves_in_truth(parked)
        site.truth.where.setdefault("lot", []).append(parked)
        site.said(parked, "lot", "holding")
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, set()]
    assert site.companies(FRIEND) == []
    assert site.forged() == []


async def test_back_from_the_parking_lot(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.leaves(CALLER, AGENT)
    site.said(CALLER, "lot", "holding")
    site.said_left(CALLER)
    site.enters("b2", CALLER, FRIEND)
    await site.settled()
    assert site.companies(CALLER)[-1] == {FRIEND}


async def test_a_conference_is_no_bridge_of_two(site: Site) -> None:
    site.live(CALLER)
    for channel in (CALLER, AGENT):
        site.truth.where.setdefault("b1", []).append(channel)
        site.said(channel, "b1", "base")
    (told,) = [one for one in site.calls[CALLER].heard if isinstance(one, CompanyChanged)]
    assert not told.two_party


async def test_company_through_a_local_channel(site: Site) -> None:
    site.live(CALLER)
    site.legs.joined_halves(ONE, TWO)
    site.enters("b1", CALLER, ONE)
    site.enters("b2", TWO, AGENT)
    site.enters("b2", FRIEND)
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT, FRIEND}]
    assert site.truth.asked == ["b2"]
    site.leaves(FRIEND)
    await site.settled()
    assert site.companies(CALLER)[-1] == {AGENT}
    site.leaves(TWO)
    await site.settled()
    assert site.companies(CALLER)[-1] == set()
    assert site.forged() == []


async def test_a_forged_newcomer_behind_a_local_channel_is_found(site: Site) -> None:
    site.live(CALLER)
    site.legs.joined_halves(ONE, TWO)
    site.enters("b1", CALLER, ONE)
    site.enters("b2", TWO, AGENT)
    site.said(FRIEND, "b2")
    await site.settled()
    assert site.companies(CALLER) == [{AGENT}, {AGENT}]
    assert site.forged() == [FRIEND]


async def test_a_transfer_to_another_bridge(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.leaves(AGENT, CALLER)
    site.enters("b2", CALLER, FRIEND)
    assert FRIEND not in site.companies(CALLER)[-1]
    await site.settled()
    assert site.companies(CALLER)[-1] == {FRIEND}
    assert site.forged() == []


async def test_a_channel_that_is_gone_is_forgotten(site: Site) -> None:
    site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.leaves(CALLER)
    site.legs.gone(CALLER)
    await site.settled()
    del site.calls[CALLER]
    site.leaves(AGENT)
    site.legs.gone(AGENT)
    await site.settled()
    assert site.legs._told.keys() <= {CALLER}
    assert site.legs._bridges._where == {}


# -- who they are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("PJSIP/agent-*", "PJSIP/agent-7-0000001a", True),
        ("PJSIP/agent-7", "PJSIP/agent-7-0000001a", True),
        ("PJSIP/agent-7", "PJSIP/agent-77-0000001a", False),
        ("PJSIP/agent-*", "PJSIP/agent-0000001a", False),
        ("PJSIP/agent", "PJSIP/agent-0000001a", True),
        ("PJSIP/agent-?", "PJSIP/agent-12-0000001a", False),
        ("PJSIP/agent-*", "pjsip/agent-7-0000001a", False),
        ("PJSIP/agent-*", "SIP/agent-7-0000001a", False),
        ("PJSIP/agent-*", "PJSIP/trunk-PJSIP/agent-7-1", False),
        ("PJSIP/*", "PJSIP/trunk-0000001a", True),
        ("Local/7@office", "Local/7@office-0000001a;1", True),
        ("Local/*@office", "Local/7@office-0000001a;2", True),
        ("Local/7@office", "Local/7@office-two-0000001a;1", False),
        ("Console/dsp", "Console/dsp", True),
    ],
)
def test_the_pattern_of_an_endpoint(pattern: str, name: str, matches: bool) -> None:
    as_staff = EndpointDirectory(staff=("PJSIP/nobody", pattern)).peer(AGENT, name)
    assert as_staff == Participant(AGENT, CoverageBasis.STAFF if matches else CoverageBasis.UNKNOWN)
    consenting = EndpointDirectory(consenting=(pattern,)).peer(AGENT, name)
    assert consenting == Participant(AGENT, CoverageBasis.UNKNOWN, consenting=matches)


async def test_staff_is_staff(site: Site) -> None:
    site = Site(EndpointDirectory(staff=("PJSIP/agent-*",), consenting=("PJSIP/agent-7",)))
    site.live(CALLER)
    site.live(AGENT, ALLOWED)
    site.enters("b1", CALLER, AGENT, FRIEND)
    await site.settled()
    assert site.peers(CALLER) == (
        Participant(AGENT, CoverageBasis.STAFF, consenting=True),
        Participant(FRIEND),
    )


ALLOWED = Decision(Status.ALLOWED, Reason.NOTICE_COMPLETED)


@pytest.mark.parametrize(
    ("decision", "withdrawn", "peer"),
    [
        (None, False, Participant(FRIEND)),
        (ALLOWED, False, Participant(FRIEND, CoverageBasis.TOLD, consenting=True)),
        (ALLOWED, True, Participant(FRIEND, CoverageBasis.REFUSED)),
        (
            Decision(Status.REFUSED, Reason.CONSENT_REFUSED),
            False,
            Participant(FRIEND, CoverageBasis.REFUSED),
        ),
        (Decision(Status.NOT_RECORDED, Reason.NOTICE_FAILED), False, Participant(FRIEND)),
    ],
)
async def test_who_entered_our_routine_himself_is_known_by_his_decision(
    site: Site, decision: Decision | None, withdrawn: bool, peer: Participant
) -> None:
    site.live(CALLER)
    friend = site.live(FRIEND, decision)
    friend.call = replace(friend.call, consent=CallerConsent(withdrawn=withdrawn))
    site.enters("b1", FRIEND, CALLER)
    assert site.peers(CALLER) == (peer,)


# -- who may come, and who dialled ---------------------------------------------------------------


async def test_a_call_that_dials_may_get_company(site: Site) -> None:
    caller = site.live(CALLER)
    site.legs.dial_began(CALLER, 5)
    site.legs.dial_began(AGENT, 6)
    site.legs.dial_began(None, 7)
    assert caller.heard == [TransferSeen(5)]


async def test_what_a_process_that_stood_still_hears_of_a_transfer_is_as_old_as_it_can_be(
    site: Site,
) -> None:
    """It mutes what has come in since, though the call may be over before anybody looks."""
    caller = site.live(CALLER)
    site.enters("b1", CALLER, AGENT)
    site.legs.awake_ms = 1_000
    site.legs.transfer_seen("b1", 1_000 + STOOD_STILL_MS)
    site.legs.transfer_seen("b1", 3_000)
    site.leaves(CALLER)
    site.legs.dial_began(CALLER, 4_000)
    seen = [one.at_ms for one in caller.heard if isinstance(one, TransferSeen)]
    assert seen == [1_000 + STOOD_STILL_MS, 1_000, 1_000]
    await site.settled()


async def test_a_transfer_concerns_all_who_hear_the_bridge(site: Site) -> None:
    site.live(CALLER)
    site.live(FRIEND)
    site.legs.joined_halves(ONE, TWO)
    site.enters("b1", CALLER, ONE)
    site.enters("b2", TWO, AGENT)
    site.legs.transfer_seen("b2", 50)
    site.legs.transfer_seen(None, 60)
    site.legs.transfer_seen("b9", 70)
    assert [one for one in site.calls[CALLER].heard if isinstance(one, TransferSeen)] == [
        TransferSeen(50)
    ]
    assert site.calls[FRIEND].heard == []


async def test_a_dialler_who_gives_up_ends_the_callees_notice(site: Site) -> None:
    callee = site.live(CALLEE)
    site.legs.watch_dialler(CALLEE, CALLER)
    assert site.truth.subscribed == [CALLER]
    await asyncio.sleep(0)
    site.legs.dialler_hung_up(FRIEND, 80)
    assert callee.heard == []
    site.legs.dialler_hung_up(CALLER, 90)
    site.legs.dialler_hung_up(CALLER, 91)
    assert callee.heard == [DiallerGone(90)]


async def test_a_dialler_who_was_gone_already(site: Site) -> None:
    """Nobody will say so again."""
    callee = site.live(CALLEE)
    site.truth.subscription = 422
    site.legs.watch_dialler(CALLEE, CALLER)
    await asyncio.sleep(0)
    assert [type(event) for event in callee.heard] == [DiallerGone]
    site.legs.dialler_hung_up(CALLER, 90)
    assert len(callee.heard) == 1


async def test_a_dialler_who_is_gone_when_we_look_ends_it_too(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(channel: ChannelId) -> asyncio.Future[None]:
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        answer.set_exception(RequestRefused("subscribe", 422))
        return answer

    monkeypatch.setattr(site.truth, "subscribe", gone)
    callee = site.live(CALLEE)
    site.legs.watch_dialler(CALLEE, CALLER)
    await asyncio.sleep(0)
    assert [type(one) for one in callee.heard] == [DiallerGone]


@pytest.mark.parametrize("dialler", ["", CALLEE])
async def test_nobody_to_watch(site: Site, dialler: ChannelId) -> None:
    callee = site.live(CALLEE)
    site.legs.watch_dialler(CALLEE, ChannelId(dialler))
    site.legs.dialler_hung_up(ChannelId(dialler), 90)
    assert (site.truth.subscribed, callee.heard) == ([], [])


async def test_without_ari_no_dialler_is_watched(site: Site) -> None:
    site.ari = None
    callee = site.live(CALLEE)
    site.legs.watch_dialler(CALLEE, CALLER)
    site.legs.dialler_hung_up(CALLER, 90)
    assert callee.heard == []
