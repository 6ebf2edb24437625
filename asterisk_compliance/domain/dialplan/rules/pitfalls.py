"""Rules about pitfalls: a dialplan removes by accident what our routine relies on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from asterisk_compliance.domain.dialplan.actions import Act, assignments, local_names
from asterisk_compliance.domain.dialplan.control_flow import Move
from asterisk_compliance.domain.dialplan.expectations import CALLEE, NOTICES, OURS
from asterisk_compliance.domain.dialplan.findings import DialplanFinding, DialplanFindingId, at
from asterisk_compliance.domain.dialplan.model import Priority
from asterisk_compliance.domain.dialplan.path_walker import FRESH, InformedLevel, Visit, is_notice
from asterisk_compliance.domain.dialplan.rules.paths import PathRule, Ways

_SILENT: Final = frozenset({"log", "noop", "set", "verbose"})


def _userfield(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    on = ways.targets.constants.get("COMPLIANCE_CDR", "").lower() != "no"
    names = {name.replace(" ", "").lower() for name, _ in assignments(act)}
    if on and "cdr(userfield)" in names and visit.state.level > InformedLevel.UNTOLD:
        what = "it takes our decision out of the CDR, by which reconcile finds what is missing"
        yield at(visit.step, DialplanFindingId.USERFIELD_OVERWRITTEN, what)


def _by_hand(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    if not is_notice(act, ways.site):
        return
    what = "the notice is entered past our routine: without its time limit, CDR and recording"
    yield at(visit.step, DialplanFindingId.NOTICE_BY_HAND, what)
    if act.app != "stasis" and not visit.state.agi_exits:
        what = "a server that hangs holds the caller beyond every limit: AGIEXITONHANGUP is not set"
        yield at(visit.step, DialplanFindingId.AGI_HOLDS, what)


def _wrong_leg(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    for edge in ways.targets.edges(visit.step):
        name = edge.target.context if edge.target else ""
        if edge.move is Move.GO and name in OURS:
            what = f"{name} comes back from a Gosub(), and a Goto() gives it nowhere to"
        elif name in NOTICES and (visit.state.on_leg or edge.move is Move.CALLED_LEG):
            what = f"inside of Dial() the limit of {name} hangs up both parties: use {CALLEE}"
        elif name == CALLEE and edge.move is Move.CALL and not visit.state.on_leg:
            what = f"{CALLEE} has no time limit: it is for the leg that Dial() calls with U()"
        else:
            continue
        yield at(visit.step, DialplanFindingId.ROUTINE_MISUSED, what)


def _taken_away(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    """What our routine has set on the channel, and the site takes away again."""
    told = visit.state.level > InformedLevel.UNTOLD
    for name, value in assignments(act):
        squeezed = name.replace(" ", "").lower()
        if squeezed == "channel(hangup_handler_wipe)":
            what = "it takes away every hangup handler of this channel, whoever has set it"
            yield at(visit.step, DialplanFindingId.HANDLERS_WIPED, what)
        if told and name == "DYNAMIC_FEATURES" and name not in value:
            what = "it takes our features away: no withdrawal by keys, and no new segment"
            yield at(visit.step, DialplanFindingId.FEATURES_OVERWRITTEN, what)
    if told and act.app == "stopmixmonitor" and not act.argument(0):
        what = "without an id it stops every recording of this channel, ours too"
        yield at(visit.step, DialplanFindingId.RECORDING_STOPPED, what)


def _listens(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    if act.app in {"chanspy", "extenspy"}:
        what = "who listens in is in no bridge: no row says so, and nobody is told"
        yield at(visit.step, DialplanFindingId.LISTENS_UNSEEN, what)


def _short_limit(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    for name, value in assignments(act):
        limit = value.strip()
        if name.replace(" ", "").lower() != "timeout(absolute)" or not limit.isdigit():
            continue
        if 0 < int(limit) < ways.site.limit_s and visit.state.level is InformedLevel.UNTOLD:
            what = f"{limit} s can pass before the notice has ended: then nothing is recorded"
            yield at(visit.step, DialplanFindingId.LIMIT_SHORT, what)


def _before_notice(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    if visit.state != FRESH:
        return
    if act.app == "answer" and "i" not in act.argument(1) and _notice_follows(ways, visit.step):
        what = "Answer() waits up to 500 ms for the caller's first audio before the notice"
        yield at(visit.step, DialplanFindingId.ANSWER_WAITS, what)
    if act.app == "playback" and "noanswer" in act.argument(1):
        what = "it is played before the call is answered, where not every network lets it be heard"
        yield at(visit.step, DialplanFindingId.EARLY_MEDIA, what)


def _notice_follows(ways: Ways, step: Priority) -> bool:
    behind = ways.targets.behind(step)
    while behind is not None and behind.app.lower() in _SILENT:
        behind = ways.targets.behind(behind)
    following = ways.targets.edges(behind) if behind is not None else []
    return any(edge.target and edge.target.context in NOTICES for edge in following)


def _frame_left(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    entry, step = visit.entry, visit.step
    if entry is None or act.app not in {"goto", "gotoif", "gotoiftime"}:
        return
    for edge in ways.targets.edges(step):
        if edge.target and edge.target.context not in {"", step.context, entry.step.context, *OURS}:
            for there in ways.targets.find(step, edge.target).steps:
                if not _comes_back(ways, there):
                    what = f"it leaves the subroutine {entry.step.address} and never comes back"
                    yield at(step, DialplanFindingId.FRAME_LEFT, what)


def _local_outside(ways: Ways, visit: Visit, act: Act) -> Iterator[DialplanFinding]:
    names = () if visit.in_gosub else local_names(act)
    if names and ways.is_entered(ways.walk.origins[visit]):
        what = f"outside of a Gosub() LOCAL({names[0]}) sets nothing: ${{{names[0]}}} stays empty"
        yield at(visit.step, DialplanFindingId.LOCAL_SETS_NOTHING, what)


def _comes_back(ways: Ways, begin: Priority) -> bool:
    """Whether a ``Return()`` can be reached, or nothing where people talk."""
    return begin in ways.coming_back or begin not in ways.talking


TRAP_RULES: Final[tuple[PathRule, ...]] = (
    _userfield,
    _by_hand,
    _wrong_leg,
    _taken_away,
    _listens,
    _short_limit,
    _before_notice,
    _frame_left,
    _local_outside,
)
