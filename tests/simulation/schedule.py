"""What happens in a run: calls and faults, from a seed, as values that can be read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

POLICIES = ("inbound", "early", "stops", "asks")
NOTICE_S, RING_S = 1.0, 0.2
PARTIES = ("PJSIP/agent-1", "PJSIP/agent-2", "PJSIP/guest-1", "PJSIP/guest-2")


class Step(StrEnum):
    """What people do in a running call."""

    TRANSFER = "transfer"
    JOIN = "join"
    LEAVE = "leave"
    PAUSE = "Pause"
    RESUME = "Resume"
    WITHDRAW = "Withdraw"


class Fault(StrEnum):
    """What happens to machines and wires."""

    KILL = "the service is killed"
    KILL_AT_COMMIT = "the service is killed at a commit"
    STOP = "the service is stopped"
    ARI_DROP = "ARI is cut"
    ARI_STALL = "ARI stalls"
    AMI_DROP = "AMI is cut"
    AMI_STALL = "AMI stalls"
    ASTERISK = "Asterisk is killed"
    FREEZE = "the service stands still"
    STORE_FAILS = "the store fails"
    STORE_SLOW = "the store is slow"
    CLOCK = "somebody sets the clock"
    CRASHES = "the service is killed, and killed again when it has just started"
    AMI_REFUSES = "AMI refuses an action"
    SOUND_HANGS = "sounds begin, and never end"


ANY = frozenset(Fault) - {Fault.AMI_STALL}
"""What chance may choose; what is not there has schedules of its own."""


@dataclass(frozen=True)
class Move:
    """``after_s`` is counted from the first bridge of the call."""

    after_s: float
    step: Step
    who: str = ""


@dataclass(frozen=True)
class Call:
    """One caller.

    Attributes:
        at_s: When he calls.
        gives_up_s: When he hangs up, from then on.
        press_s: When he presses the refusing key, from the beginning of the notice; 0: he does not.
        queue_s: How long he waits for an agent; some never get one.
    """

    at_s: float
    policy: str
    gives_up_s: float
    press_s: float
    queue_s: float
    agent: str
    conference: bool
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class Blow:
    """A fault: when, and how long, or how many callbacks or commits later."""

    at_s: float
    fault: Fault
    for_s: float = 0.0
    count: int = 0


@dataclass(frozen=True)
class Schedule:
    seed: int
    calls: tuple[Call, ...]
    blows: tuple[Blow, ...] = ()
    kinds: frozenset[Fault] = field(default_factory=frozenset)

    @property
    def until_s(self) -> float:
        """When the last caller has hung up, and everything works again."""
        ends = [call.at_s + call.gives_up_s for call in self.calls]
        return max([*ends, *(blow.at_s + blow.for_s for blow in self.blows)]) + 0.5


def schedule(seed: int, among: Iterable[Fault] = ()) -> Schedule:
    """The schedule of a seed; with faults of some kinds ``among`` it only."""
    chance = random.Random(seed)
    some = sorted(among)
    most = min(len(some), chance.choice((1, 1, 2))) if some else chance.choice((0, 1, 1, 2, 2, 3))
    kinds = frozenset(chance.sample(some or sorted(ANY), most))
    calls = tuple(_call(chance) for _ in range(chance.choice((1, 1, 1, 2, 3))))
    blows = [
        _blow(chance, chance.choice(sorted(kinds)), calls)
        for _ in range(chance.choice((1, 2, 3)) if kinds else 0)
    ]
    return Schedule(seed, calls, tuple(sorted(blows, key=lambda blow: blow.at_s)), kinds)


def ami_stalls(seed: int) -> Schedule:
    """Somebody comes, goes, or hangs up while nothing arrives over AMI."""
    chance = random.Random(seed)
    call = _with_a_guest(chance, (1.0, 3.0), (3.0, 6.0), (4.0, 10.0))
    at_s = call.at_s + chance.uniform(1.0, 5.0)
    stall = Blow(round(at_s, 3), Fault.AMI_STALL, round(chance.choice((1.0, 3.0, 7.0)), 3))
    return Schedule(seed, (call,), (stall,), frozenset({stall.fault}))


def set_back_while_dead(seed: int) -> Schedule:
    """Somebody comes and goes while the service is dead, and the clock is set back meanwhile."""
    chance = random.Random(seed)
    call = _with_a_guest(chance, (2.0, 5.0), (5.0, 6.0), (6.0, 12.0))
    at_s, dead_s = chance.uniform(3.0, 6.0), chance.uniform(4.0, 7.0)
    death = Blow(round(at_s, 3), chance.choice((Fault.KILL, Fault.STOP)), round(dead_s, 3))
    set_at_s = at_s + chance.uniform(0.2, dead_s - 0.3)
    back = Blow(round(set_at_s, 3), Fault.CLOCK, -round(chance.uniform(2.5, dead_s), 3))
    return Schedule(seed, (call,), (death, back), frozenset({death.fault, back.fault}))


def _with_a_guest(
    chance: random.Random,
    comes_s: tuple[float, float],
    goes_s: tuple[float, float],
    ends_s: tuple[float, float],
) -> Call:
    """A call that is transferred to somebody untold, and on to an agent; each within that time."""
    moves = (
        Move(round(chance.uniform(*comes_s), 3), Step.TRANSFER, "PJSIP/guest-1"),
        Move(round(chance.uniform(*goes_s), 3), Step.TRANSFER, "PJSIP/agent-2"),
    )
    return Call(
        round(chance.uniform(1.0, 2.0), 3),
        chance.choice(("stops", "inbound")),
        round(chance.uniform(*ends_s), 3),
        press_s=0.0,
        queue_s=0.1,
        agent="PJSIP/agent-1",
        conference=False,
        moves=moves,
    )


def _call(chance: random.Random) -> Call:
    policy = chance.choice(("inbound", "inbound", *POLICIES))
    lives = chance.random()
    gives_up_s = chance.uniform(0.05, 1.3) if lives < 0.25 else chance.uniform(1.5, 8.0)
    press_s = chance.uniform(0.1, 0.9) if policy == "asks" and chance.random() < 0.4 else 0.0
    conference = chance.random() < 0.15
    moves = []
    at_s = 0.0
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        at_s += chance.choice((0.05, 0.3, 1.2)) * chance.uniform(0.5, 1.5)
        moves.append(Move(round(at_s, 3), *_step(chance)))
    return Call(
        round(chance.uniform(0.3, 2.0), 3),
        policy,
        round(gives_up_s, 3),
        round(press_s, 3),
        round(chance.choice((0.0, 0.1, 0.1, 1.0, 1.0, 60.0)) * chance.uniform(0.2, 1.0), 3),
        chance.choice((*PARTIES[:2], *PARTIES[:2], *PARTIES)),
        conference,
        tuple(moves),
    )


def _step(chance: random.Random) -> tuple[Step, str]:
    step = chance.choice((Step.TRANSFER, Step.JOIN, Step.TRANSFER, *Step))
    who = chance.choice(PARTIES) if step in {Step.TRANSFER, Step.JOIN} else ""
    return step, who


def _blow(chance: random.Random, fault: Fault, calls: tuple[Call, ...]) -> Blow:
    call = chance.choice(calls)
    for_s = chance.choice((0.05, 0.5, 2.0)) * chance.uniform(0.3, 1.0)
    if fault is Fault.CLOCK:
        for_s = chance.choice((-30.0, -2.0, 1.0, 20.0))
    if fault is Fault.STORE_SLOW:
        for_s *= 2
    at_s = chance.choice(_moments(call, abs(for_s))) + chance.uniform(-0.05, 0.08)
    if chance.random() < 0.4:
        at_s = call.at_s + chance.uniform(-0.1, min(call.gives_up_s + 1.0, 6.0))
    count = chance.choice((0, 0, chance.randrange(6), chance.randrange(40)))
    return Blow(round(max(0.05, at_s), 3), fault, round(for_s, 3), count)


def _moments(call: Call, for_s: float) -> list[float]:
    """When something is about to happen, or to be over just as the fault is."""
    told_s, ends_s = call.at_s + NOTICE_S, call.at_s + call.gives_up_s
    bridged_s = told_s + call.queue_s + RING_S
    moves = [bridged_s + move.after_s for move in call.moves]
    just_over_s = ends_s - for_s - 0.1
    return [call.at_s, told_s, told_s, bridged_s, *moves, just_over_s, just_over_s, ends_s]
