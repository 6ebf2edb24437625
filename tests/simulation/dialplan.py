"""The site's dialplan, and our routines (dialplan/compliance.conf.j2), as coroutines."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from asterisk_compliance.app.dialplan.variables import (
    FEATURE_OF_SEGMENTS,
    MIXMONITOR_ID_VARIABLE,
    RESULT_VARIABLE,
    RESULT_VARIABLES,
    SEGMENT_VARIABLE,
)
from simulation.asterisk import Asterisk, Bridge, Channel
from simulation.recorder import Party
from simulation.schedule import RING_S

LIMIT_S = 20.0
DIGIT_S, QUIET_S = 0.08, 0.04
"""How long the digit lasts that begins a segment, and the silence before it begins."""


@dataclass
class Held:
    """A channel's stay in ``Stasis()``; ``until_s`` is ``None`` while it lasts."""

    channel: str
    since_s: float
    until_s: float | None = None
    taken_back: bool = False


@dataclass
class Dialplan:
    """What one Asterisk executes.

    Attributes:
        held: Every stay in Stasis.
        begun_uncovered: Recordings that began while their party had not been told.
        said: What the routine wrote into the CDR, by channel.
    """

    asterisk: Asterisk
    held: list[Held] = field(default_factory=list)
    begun_uncovered: list[str] = field(default_factory=list)
    said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.asterisk.ami.on_digit = self._digit

    # -- routines of ours --------------------------------------------------------------------

    async def compliance_notice(self, channel: Channel, policy: str) -> str:
        variables = channel.variables
        if variables.get("COMPLIANCE_CHANNEL") != channel.id:
            variables.update(dict.fromkeys(RESULT_VARIABLES, ""))
            variables[MIXMONITOR_ID_VARIABLE] = ""
        variables[RESULT_VARIABLE] = ""
        late = "SERVICE_UNAVAILABLE"
        stay = Held(channel.id, self.asterisk.now_s)
        self.held.append(stay)
        arguments = (f"policy={policy}", f"linkedid={channel.linkedid}", "dialled=", "queue=")
        try:
            async with asyncio.timeout(LIMIT_S):
                await self.asterisk.stasis(channel, *arguments, "direction=")
        except TimeoutError:
            late, stay.taken_back = "SERVICE_TIMED_OUT", True
        finally:
            stay.until_s = self.asterisk.now_s
        self._take_apart(channel)
        if not variables["COMPLIANCE_STATUS"]:
            variables["COMPLIANCE_STATUS"], variables["COMPLIANCE_REASON"] = "NOT_RECORDED", late
        words = ("COMPLIANCE_STATUS", "COMPLIANCE_REASON", "COMPLIANCE_CALL_ID")
        self.said[channel.id] = ":".join(variables[word] for word in words)
        return variables["COMPLIANCE_NEXT"]

    def _take_apart(self, channel: Channel) -> None:
        variables = channel.variables
        result = variables.pop(RESULT_VARIABLE, "")
        if not result:
            return
        values = [*result.split(","), *[""] * len(RESULT_VARIABLES)]
        variables.update(zip(RESULT_VARIABLES, values, strict=False))
        channel.features = FEATURE_OF_SEGMENTS in variables["COMPLIANCE_FEATURES"]
        flags = variables["COMPLIANCE_OPTIONS"]
        if flags and variables["COMPLIANCE_CHANNEL"] == channel.id:
            self._monitor(channel, variables["COMPLIANCE_RECORDING_ID"], flags)
        variables["COMPLIANCE_OPTIONS"] = ""

    def _monitor(self, channel: Channel, recording: str, flags: str) -> None:
        if not channel.party.covered:
            self.begun_uncovered.append(recording)
        channel.variables[MIXMONITOR_ID_VARIABLE] = self.asterisk.monitor(
            channel, recording, bridged="b" in flags, others="t" in flags
        )

    def _digit(self, channel: Channel, digit: str) -> None:
        bridge = channel.bridge
        if digit == "D" and channel.features and bridge is not None and bridge.kind == "basic":
            self.asterisk.spawn(self._segment(channel))

    async def _segment(self, channel: Channel) -> None:
        self.asterisk.heard()
        channel.feature_runs = True
        try:
            await asyncio.sleep(DIGIT_S)
            what = channel.variables.get(SEGMENT_VARIABLE, "").split("-")
            channel.variables[SEGMENT_VARIABLE] = ""
            if channel.hung_up or len(what) < 4 or "m" not in what[3]:
                return
            running = channel.variables.get(MIXMONITOR_ID_VARIABLE, "")
            for monitor in [one for one in channel.monitors if one.id == running]:
                self.asterisk.stop_monitor(channel, monitor)
            channel.variables[MIXMONITOR_ID_VARIABLE] = ""
            await asyncio.sleep(QUIET_S)
            if not channel.hung_up:
                self._monitor(channel, f"r-{what[1]}-{what[2]}", what[3])
        finally:
            self.asterisk.heard()
            channel.feature_runs = False

    def asks(self, channel: Channel, what: str) -> None:
        """``UserEvent(CompliancePause,Call: ...)`` and its like."""
        call = channel.variables.get("COMPLIANCE_CALL_ID", "")
        headers = {"UserEvent": f"Compliance{what}", "Call": call, "By": "agent"}
        self.asterisk.ami.event("UserEvent", self.asterisk.ami.of(channel), headers)

    # -- the site's --------------------------------------------------------------------------

    async def dial(self, channel: Channel, party: Party, *, kind: str = "basic") -> Channel:
        """Ring somebody, and stand in a bridge with them until somebody hangs up."""
        asterisk = self.asterisk
        other = asterisk.channel(party, party.name, linkedid=channel.linkedid)
        both = asterisk.ami.of(channel), asterisk.ami.of(other, "Dest")
        asterisk.ami.event("DialBegin", *both)
        await asyncio.sleep(RING_S)
        if channel.hung_up or other.hung_up:
            return other
        asterisk.ami.event("DialEnd", *both, DialStatus="ANSWER")
        bridge = asterisk.bridge(kind)
        asterisk.enter_bridge(other, bridge)
        asterisk.enter_bridge(channel, bridge)
        return other

    def join(self, bridge: Bridge, party: Party) -> Channel:
        """Somebody comes into a bridge that is there."""
        other = self.asterisk.channel(party, party.name)
        self.asterisk.enter_bridge(other, bridge)
        return other

    def transfer(self, agent: Channel, caller: Channel, target: Party) -> asyncio.Task[Channel]:
        """Blind: the agent sends the caller on, and is gone."""
        asterisk, bridge = self.asterisk, agent.bridge
        assert bridge is not None
        asterisk.ami.event(
            "BlindTransfer",
            asterisk.ami.of(agent, "Transferer"),
            asterisk.ami.of(caller, "Transferee"),
            {"BridgeUniqueid": bridge.id},
            Result="Success",
        )
        asterisk.leave_bridge(caller)
        asterisk.hang_up(agent)
        return asterisk.spawn(self.dial(caller, target))
