"""Who hears whom, as the bridges and the Local channels say it; checked against a slow oracle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.app.calls.bridges import Bridges
from asterisk_compliance.ids import ChannelId

CALLER, AGENT, FRIEND, BOSS = (ChannelId(f"1700000000.{number}") for number in range(1, 5))
ONE, TWO, THREE, FOUR = (ChannelId(f"1700000000.{number}") for number in range(11, 15))
"""Halves of Local channels."""


@pytest.fixture
def bridges() -> Bridges:
    return Bridges()


def name_of(channel: ChannelId) -> str:
    half = f"Local/7@office-0000000{channel[-1]};{1 + int(channel[-1]) % 2}"
    return half if channel in {ONE, TWO, THREE, FOUR} else f"PJSIP/desk-0000000{channel[-1]}"


def put(bridges: Bridges, bridge: str, *channels: ChannelId) -> None:
    for channel in channels:
        bridges.enter(channel, bridge, name_of(channel))


def test_two_in_a_bridge_hear_each_other(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER, AGENT)
    assert bridges.company(CALLER) == {AGENT: "PJSIP/desk-00000002"}
    assert bridges.company(AGENT) == {CALLER: "PJSIP/desk-00000001"}


def test_who_is_alone_or_nowhere_hears_nobody(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER)
    put(bridges, "b2", AGENT)
    assert bridges.company(CALLER) == {}
    assert bridges.company(FRIEND) == {}
    assert bridges.reached(None) == []
    assert bridges.reached("b3") == []


def test_company_through_a_local_channel(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    put(bridges, "b1", CALLER, ONE)
    put(bridges, "b2", TWO, AGENT)
    assert set(bridges.company(CALLER)) == {AGENT}
    assert set(bridges.company(AGENT)) == {CALLER}
    assert set(bridges.reached("b1")) == set(bridges.reached("b2")) == {CALLER, ONE, TWO, AGENT}


def test_company_through_a_chain_of_two_local_channels(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    bridges.join_halves(THREE, FOUR)
    put(bridges, "b1", CALLER, ONE)
    put(bridges, "b2", TWO, THREE)
    put(bridges, "b3", FOUR, AGENT, FRIEND)
    assert set(bridges.company(CALLER)) == {AGENT, FRIEND}
    assert set(bridges.company(FRIEND)) == {CALLER, AGENT}
    bridges.leave(THREE)
    assert bridges.company(CALLER) == {}
    assert set(bridges.company(AGENT)) == {FRIEND}


def test_a_ring_of_local_channels_ends(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    bridges.join_halves(THREE, FOUR)
    put(bridges, "b1", CALLER, ONE, THREE)
    put(bridges, "b2", TWO, FOUR, AGENT)
    assert set(bridges.company(CALLER)) == {AGENT}
    assert sorted(bridges.reached("b1")) == sorted(set(bridges.reached("b1")))


def test_a_local_channel_whose_other_half_is_in_no_bridge_leads_nowhere(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    put(bridges, "b1", CALLER, ONE)
    assert bridges.company(CALLER) == {}


def test_who_leaves_is_not_heard_any_more(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER, AGENT, FRIEND)
    bridges.leave(AGENT)
    bridges.leave(AGENT)
    assert set(bridges.company(CALLER)) == {FRIEND}
    assert bridges.company(AGENT) == {}
    assert bridges.bridge_of(AGENT) is None
    assert bridges.members("b1") == {CALLER, FRIEND}


def test_who_enters_elsewhere_has_left(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER, AGENT)
    put(bridges, "b2", AGENT, FRIEND)
    assert bridges.company(CALLER) == {}
    assert set(bridges.company(AGENT)) == {FRIEND}
    assert bridges.bridge_of(AGENT) == "b2"


def test_an_empty_bridge_is_forgotten(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER)
    bridges.leave(CALLER)
    assert bridges.members("b1") == set()
    assert bridges._bridges == {}


def test_a_channel_that_is_gone_leads_nowhere(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    put(bridges, "b1", CALLER, ONE)
    put(bridges, "b2", TWO, AGENT)
    bridges.forget(TWO)
    put(bridges, "b2", TWO)  # the id of another channel by now
    assert bridges.company(CALLER) == {}
    assert bridges._halves == {}


def test_nothing_is_known_any_more(bridges: Bridges) -> None:
    bridges.join_halves(ONE, TWO)
    put(bridges, "b1", CALLER, AGENT)
    bridges.clear()
    assert bridges.company(CALLER) == {}
    assert bridges.bridge_of(CALLER) is None
    put(bridges, "b1", CALLER, ONE)
    put(bridges, "b2", TWO, AGENT)
    assert bridges.company(CALLER) == {}


@pytest.mark.parametrize(
    "name",
    [
        "CBAnn/7001-00000001;1",
        "CBRec/conf-7001-uid-1",
        "Announcer/ARI-00000002;1",
        "Recorder/ARI-00000003;1",
        "Snoop/1700000000.2-00000004",
        "Bridge/b1-input",
        "Message/ast_msg_queue",
    ],
)
def test_what_a_conference_brings_along_is_no_person(bridges: Bridges, name: str) -> None:
    put(bridges, "b1", CALLER, AGENT)
    bridges.enter(FRIEND, "b1", name)
    assert set(bridges.company(CALLER)) == {AGENT}
    assert FRIEND in bridges.reached("b1")


@pytest.mark.parametrize("name", ["PJSIP/Snoop-0000001a", "SIP/CBAnn/1", "PJSIP/Local/x-1"])
def test_an_endpoint_with_such_a_name_is_a_person(bridges: Bridges, name: str) -> None:
    put(bridges, "b1", CALLER)
    bridges.enter(AGENT, "b1", name)
    assert bridges.company(CALLER) == {AGENT: name}


def test_a_bridge_is_of_the_kind_it_was_last_said_to_be(bridges: Bridges) -> None:
    put(bridges, "b1", CALLER)
    assert bridges.is_basic(CALLER)
    bridges.enter(AGENT, "b1", name_of(AGENT), basic=False)
    assert not bridges.is_basic(CALLER)
    put(bridges, "b1", FRIEND)
    assert not bridges.is_basic(FRIEND)
    assert not bridges.is_basic(BOSS)


# -- against a slow oracle ---------------------------------------------------------------------

PEOPLE = [CALLER, AGENT, FRIEND, BOSS]
HALVES = [ONE, TWO, THREE, FOUR]
PAIRS = [(ONE, TWO), (THREE, FOUR)]
events = st.lists(
    st.one_of(
        st.tuples(
            st.just("enter"), st.sampled_from(PEOPLE + HALVES), st.sampled_from(["b1", "b2", "b3"])
        ),
        st.tuples(st.just("leave"), st.sampled_from(PEOPLE + HALVES), st.just("")),
        st.tuples(st.just("forget"), st.sampled_from(PEOPLE + HALVES), st.just("")),
        st.tuples(st.just("join"), st.sampled_from([ONE, THREE]), st.just("")),
    ),
    max_size=30,
)


def heard_by(
    channel: ChannelId, where: dict[ChannelId, str], joined: set[tuple[ChannelId, ChannelId]]
) -> set[ChannelId]:
    """Sound goes from a channel to all in its bridge, and from a half to the other half."""
    if channel not in where:
        return set()
    edges = {(a, b) for a in where for b in where if where[a] == where[b]}
    edges |= {
        pair for one, two in joined if {one, two} <= set(where) for pair in ((one, two), (two, one))
    }
    heard = {channel}
    while True:
        more = {b for a, b in edges if a in heard} - heard
        if not more:
            return heard & set(PEOPLE) - {channel}
        heard |= more


@given(events)
def test_company_is_who_can_be_heard(happened: list[tuple[str, ChannelId, str]]) -> None:
    bridges = Bridges()
    where: dict[ChannelId, str] = {}
    joined: set[tuple[ChannelId, ChannelId]] = set()
    for what, channel, bridge in happened:
        match what:
            case "enter":
                bridges.enter(channel, bridge, name_of(channel))
                where[channel] = bridge
            case "leave":
                bridges.leave(channel)
                where.pop(channel, None)
            case "forget":
                bridges.forget(channel)
                where.pop(channel, None)
                joined = {pair for pair in joined if channel not in pair}
            case "join":
                pair = next(pair for pair in PAIRS if channel in pair)
                bridges.join_halves(*pair)
                joined.add(pair)
        for person in PEOPLE:
            assert set(bridges.company(person)) == heard_by(person, where, joined)
        for one in ("b1", "b2", "b3"):
            assert bridges.members(one) == {a for a in where if where[a] == one}
