"""What ``dialplan show`` prints, read back (``main/pbx.c``, ``show_dialplan_helper``).

Includes, switches and places are in it (places since Asterisk 16), globals are not, nor the label
of the first priority of an extension.
"""

from __future__ import annotations

import re

from asterisk_compliance.domain.dialplan.config_lines import ConfigLine
from asterisk_compliance.domain.dialplan.model import HINT, Context, Dialplan, Priority

_CONTEXT = re.compile(r"\[ Context '(.*)' created by '(.*)' \]")
_EXTEN = re.compile(r"  '(?P<name>.*?)'(?: \(CID match '(?P<cid>.*?)'\))? => +(?P<rest>.*)")
_MORE = re.compile(r"(?: ++\[(?P<label>.+?)\])? ++(?P<rest>(?:\d+\. |hint: ).*)")
_NUMBERED = re.compile(r"(?:(?P<number>\d{1,9})\. |hint: )(?P<rest>.*)")
_OF_ASTERISK = re.compile(r"__.*__")
"""Contexts that a module makes for itself, such as ``__func_periodic_hook_context__``."""
_LONGEST = 10_000
"""Asterisk prints no longer line."""
_NAMED = re.compile(r"  (?P<what>Include|Alt\. Switch) => +'(?P<name>.*)' *(?:\[(?P<who>.*)\])?")
_AT = re.compile(r"(.*):(\d{1,9})")


def is_shown(text: str) -> bool:
    """Whether a text is such an output, and not ``extensions.conf``."""
    return any(map(_CONTEXT.fullmatch, map(str.rstrip, text.splitlines())))


def shown_plan(text: str) -> Dialplan:
    """The dialplan that was printed; lines of other kinds are passed over."""
    plan = Dialplan(exact_labels=False)
    context: Context | None = None
    exten, cid = "", None
    for line in (one for one in text.splitlines() if len(one) <= _LONGEST):
        if opened := _CONTEXT.fullmatch(line.rstrip()):
            context, exten, cid = None, "", None
            if not _OF_ASTERISK.fullmatch(opened[1]):
                context = plan.context(opened[1])
                plan.registrars.setdefault(opened[1], opened[2])
        elif context is None:
            continue
        elif named := _NAMED.fullmatch(line.rstrip()):
            kind = context.includes if named["what"] == "Include" else context.switches
            kind.setdefault(_name(named["what"], named["name"]), _place(named["who"]))
        elif first := _EXTEN.fullmatch(line.rstrip()):
            exten, cid = first["name"], first["cid"]
            _add(context, exten, cid, "", first["rest"])
        elif exten and (more := _MORE.fullmatch(line.rstrip())):
            _add(context, exten, cid, more["label"] or "", more["rest"])
    return plan


def _name(what: str, written: str) -> str:
    return written.partition(",")[0] if what == "Include" else written


def _add(context: Context, exten: str, cid: str | None, label: str, rest: str) -> None:
    parts = _NUMBERED.fullmatch(rest)
    if parts is None:
        return
    call, who = _apart(parts["rest"])
    place = _place(who)
    if parts["number"] is None:
        context.add(Priority(context.name, exten, HINT, label, call, "", place), cid)
        return
    app, _, data = call.partition("(")
    number = int(parts["number"])
    context.add(
        Priority(context.name, exten, number, label, app, data.removesuffix(")"), place), cid
    )


def _apart(rest: str) -> tuple[str, str | None]:
    """What is executed, and in brackets at the end who wrote it."""
    call, opened, who = rest.rpartition("[")
    if opened and who.endswith("]") and who.count("]") == 1:
        return call.rstrip(), who[:-1]
    return rest.rstrip(), None


def _place(who: str | None) -> ConfigLine:
    at = _AT.fullmatch(who or "")
    return ConfigLine(at[1], int(at[2])) if at else ConfigLine(who or "dialplan show", 0)
