"""Rules about recorded and called parties: have they heard the notice by then?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from asterisk_compliance.domain.dialplan.actions import (
    Act,
    AnswerApplication,
    assignments,
    destinations,
    dial_options,
)
from asterisk_compliance.domain.dialplan.expectations import DialplanExpectations
from asterisk_compliance.domain.dialplan.expressions import options
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId, at
from asterisk_compliance.domain.dialplan.path_walker import InformedLevel, Visit, is_notice
from asterisk_compliance.domain.dialplan.rules.paths import PathRule, Ways

_RECORDERS: Final = frozenset({"mixmonitor", "monitor", "record"})
_SPIES: Final = {"chanspy": 1, "extenspy": 1, "meetme": 1, "page": 1}
_ONE_TOUCH: Final = frozenset("wWxX")
_BRIDGE: Final = "default_bridge"
_FEATURES: Final = frozenset({"automon", "automixmon"})
_PROGRAMS: Final = frozenset({"agi", "audiosocket", "deadagi", "eagi", "externalivr", "stasis"})


def recorder(act: Act, site: DialplanExpectations) -> str:
    """What an application records with, in words; empty if it records nothing."""
    if act.app in _RECORDERS:
        return f"{act.app}()"
    if act.app == "queue" and act.argument(0) in site.recording_queues:
        return "monitor-format of the queue"
    if act.app == "confbridge" and (act.argument(1) or _BRIDGE) in site.recording_bridges:
        return "record_conference of the conference"
    if act.app in _SPIES:
        letters = {one.letter for one in options(act.argument(_SPIES[act.app]))}
        return f"option r of {act.app}()" if "r" in letters else ""
    touched = sorted({one.letter for one in dial_options(act)} & _ONE_TOUCH)
    if touched:
        return f"one-touch recording (option {', '.join(touched)})"
    return next(filter(None, (_by_setting(*one, site) for one in assignments(act))), "")


def _by_setting(name: str, value: str, site: DialplanExpectations) -> str:
    squeezed = name.replace(" ", "").lower()
    if squeezed == "confbridge(bridge,record_conference)":
        return (
            "record_conference of the conference"
            if value.strip().lower() in {"yes", "true"}
            else ""
        )
    if squeezed in {f"featuremap({one})" for one in _FEATURES}:
        return "one-touch recording (FEATUREMAP)" if value.strip() else ""
    feature = starts_recording(value, site) if name == "DYNAMIC_FEATURES" else ""
    return f"the feature {feature}" if feature else ""


def starts_recording(features: str, site: DialplanExpectations) -> str:
    """The first of some features, joined by ``#``, that records; empty if none does."""
    for one in features.split("#"):
        does = (site.features or {}).get(one.strip(), "").lower().replace(" ", "")
        if any(f",{app}" in does for app in _RECORDERS):
            return one.strip()
    return ""


def _recorded(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    what = recorder(act, ways.site)
    if not what or visit.step.exten == "h":
        return
    level = visit.state.level
    if act.answer is AnswerApplication.ALLOWED and level is InformedLevel.TOLD:
        level = InformedLevel.ALLOWED
    if _tells_the_callee(ways, act):
        level = max(level, InformedLevel.TOLD)
    step, origin = visit.step, _from(ways, visit)
    match level:
        case InformedLevel.UNTOLD:
            why = f"{what} records {origin} who has heard no notice"
            yield at(step, DialplanFindingId.RECORDED_UNTOLD, why)
        case InformedLevel.TOLD:
            why = f"{what} records {origin} who may have refused: nothing asks for the decision"
            yield at(step, DialplanFindingId.DECISION_NOT_ASKED, why)
        case _:
            why = f"{what} records beside us, where no row, seal or retention reaches"
            yield at(step, DialplanFindingId.RECORDED_TWICE, why)


def _from(ways: Ways, visit: Visit) -> str:
    origin = ways.walk.origins[visit]
    return "a caller" if origin is visit.step else f"a caller from {origin.address}"


def _tells_the_callee(ways: Ways, act: Act) -> bool:
    return any(
        one.letter in "UM"
        and ("macro-" if one.letter == "M" else "") + one.argument.split("^")[0]
        in ways.telling_the_callee
        for one in dial_options(act)
    )


def _unknowable(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    """What could record or call somebody, and nobody can tell from the dialplan."""
    for one in destinations(act):
        if one.startswith("$") and "/" not in one:
            yield at(
                visit.step,
                DialplanFindingId.NOT_FOLLOWED,
                f"whom {one} rings is only known in the call",
            )
    if act.app == "queue" and "$" in act.argument(0) and ways.site.recording_queues:
        what = "which queue it is, and whether that records, is only known in the call"
        yield at(visit.step, DialplanFindingId.NOT_FOLLOWED, what)
    if "$" in act.app:
        what = f"what {act.app} executes is only known in the call"
        yield at(visit.step, DialplanFindingId.NOT_FOLLOWED, what)
    if act.app in _PROGRAMS and not is_notice(act, ways.site):
        what = f"what {act.app}({act.argument(0)}) does with the call, that program alone knows"
        yield at(visit.step, DialplanFindingId.NOT_FOLLOWED, what)


def _dialled_outside(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    outside = [one for one in destinations(act) if ways.site.is_outside(one)]
    emergency = visit.step.exten in ways.site.emergency
    if outside and not emergency and not _tells_the_callee(ways, act):
        what = f"{outside[0]} is somebody outside, and is not told before he can talk"
        if any(one.letter == "A" for one in dial_options(act)):
            what += "; option A proves nothing"
        yield at(visit.step, DialplanFindingId.OUTSIDE_NOT_TOLD, what)


RECORDING_RULES: Final[tuple[PathRule, ...]] = (_recorded, _dialled_outside, _unknowable)
