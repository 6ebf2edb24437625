"""Findings from AMI: its rights, the loaded modules, and the events that it sends us."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from asterisk_compliance.app.checks.finding import OperatorFinding, SiteFindingId, found
from asterisk_compliance.asterisk.ami.events import EVENT_NAMES, OUR_USER_EVENTS
from asterisk_compliance.asterisk.ami.probe import AmiProbe

ACTIONS = ("Getvar", "MixMonitorMute", "PlayDTMF", "Redirect", "Setvar", "StopMixMonitor")
"""What the service sends."""
RIGHT = "call"
_NAMES_SHOWN = 6
_ROUTINES = ("compliance-notice", "compliance-back", "compliance-segment", "compliance-canary")


async def ami_findings(
    probe: AmiProbe, where: str, rendering: str
) -> AsyncIterator[OperatorFinding]:
    """What is wrong for the user who is logged in.

    Args:
        probe: How to ask.
        where: In the configuration.
        rendering: The extension by which the loaded dialplan is known to be today's.
    """
    actions = await probe.actions()
    for finding in rights(actions, where):
        yield finding
    if "Getvar" in actions:
        for finding in await _routines(probe, where.rpartition(".")[0], rendering):
            yield finding


def rights(actions: Mapping[str, frozenset[str]], where: str) -> Iterator[OperatorFinding]:
    """Too few, and too many: what can be sent without the right ``call`` needs another one."""
    if missing := [name for name in ACTIONS if name not in actions]:
        what = f"the user may not send {', '.join(missing)}"
        yield found(SiteFindingId.AMI_RIGHTS_MISSING, where, what)
    beyond = {name: needs for name, needs in actions.items() if needs and RIGHT not in needs}
    if beyond:
        sure = sorted({next(iter(needs)) for needs in beyond.values() if len(needs) == 1})
        what = f"write = {','.join(sure) or 'more than call'}: the user may send {_few(beyond)}"
        yield found(SiteFindingId.AMI_RIGHTS_TOO_MANY, where, what)


def unfiltered(events: Iterable[str], where: str) -> Iterator[OperatorFinding]:
    """Events that nobody here uses; each costs time on both sides, some tell of other calls."""
    ours = f"UserEvent {OUR_USER_EVENTS}"
    others = [name for name in events if name not in EVENT_NAMES and not name.startswith(ours)]
    if others:
        what = f"events arrive that the service does not use: {_few(others)}"
        yield found(SiteFindingId.AMI_UNFILTERED, where, what)


async def _routines(probe: AmiProbe, where: str, rendering: str) -> list[OperatorFinding]:
    missing = [name for name in _ROUTINES if not await _is_loaded(probe, name)]
    if missing:
        what = f"Asterisk has not loaded {', '.join(missing)}"
        return [found(SiteFindingId.ROUTINES_NOT_LOADED, where, what)]
    if not await _is_loaded(probe, f"compliance-check,{rendering},1"):
        what = "the routines that Asterisk has loaded are not those that dialplan render makes now"
        return [found(SiteFindingId.ROUTINES_OUTDATED, where, what)]
    return []


async def _is_loaded(probe: AmiProbe, place: str) -> bool:
    return await probe.function(f"DIALPLAN_EXISTS({place})") == "1"


def _few(names: Iterable[str]) -> str:
    """Some of the names; what a peer could have made up is left out."""
    sound = sorted(one for one in names if one.replace(" ", "").isalnum() and one.isascii())
    more = ", …" if len(sound) > _NAMES_SHOWN else ""
    return ", ".join(sound[:_NAMES_SHOWN]) + more
