"""Reads from a new channel which policy it asks for, and who calls.

A caller can choose all of this, and a dialplan can garble it. So it is bounded, compared only with
what rules ask for, and stored only in the table of persons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from asterisk_compliance.domain.audit.rows import PersonalFact
from asterisk_compliance.domain.call.decision import Reason
from asterisk_compliance.domain.call.events import Leg
from asterisk_compliance.domain.phone_numbers import UNKNOWN, read_number
from asterisk_compliance.domain.policy.matching import CallDirection, CallFacts

LONGEST_VALUE = 256
"""Characters kept of a number or a name; SIP allows more than anybody needs."""

_DEFAULTS = {
    "linkedid": "none",
    "dialled": "",
    "direction": "inbound",
    "queue": "",
    "leg": Leg.CALLER,
    "dialler": "",
}
_SHAPES = {
    "policy": re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"),
    "linkedid": re.compile(r"[A-Za-z0-9_.-]{1,128}"),
    "dialled": re.compile(r"[0-9+*#]{0,40}"),
    "direction": re.compile("|".join(CallDirection)),
    "queue": re.compile(r"[A-Za-z0-9_.-]{0,64}"),
    "leg": re.compile("|".join(Leg)),
    "dialler": re.compile(r"[A-Za-z0-9_.-]{0,128}"),
}
_WE_CALL = frozenset({CallDirection.OUTBOUND, CallDirection.CALLBACK})


def parse_arguments(arguments: Sequence[str]) -> Mapping[str, str] | Reason:
    """Read what ``Stasis()`` or ``AGI()`` was given: ``policy=``, and, where they are there,
    ``linkedid=``, ``dialled=``, ``direction=``, ``queue=``, ``leg=`` and ``dialler=``.

    Returns:
        All seven values, or why they cannot be used.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in _SHAPES or key in values:
            return Reason.ARGUMENTS_INVALID
        values[key] = value
    if not values.get("policy"):
        return Reason.POLICY_MISSING
    values = _DEFAULTS | values
    values["direction"] = values["direction"] or CallDirection.INBOUND
    if not all(shape.fullmatch(values[key]) for key, shape in _SHAPES.items()):
        return Reason.ARGUMENTS_INVALID
    return values


def facts_of(
    arguments: Mapping[str, str],
    *,
    number: str,
    dialled: str,
    language: str,
    home: str | None,
    at: datetime,
) -> CallFacts:
    """What rules may ask about a call.

    The party outside is whoever calls us, or whom we call. Without ``home`` its number cannot be
    read, and is unknown.

    Args:
        arguments: ``policy``, ``direction`` and ``queue``, as of :func:`parse_arguments`.
        number: The caller's, as Asterisk has it.
        dialled: As Asterisk has it.
        language: The channel's.
        home: The country of the site.
        at: When the call arrived.
    """
    direction = CallDirection(arguments["direction"])
    outside = dialled if direction in _WE_CALL else number
    read = read_number(outside, home) if home else UNKNOWN
    return CallFacts(
        policy=arguments["policy"],
        direction=direction,
        at=at,
        did=dialled,
        queue=arguments["queue"],
        number=read.digits,
        countries=read.countries,
        language=language,
    )


def outside_number(arguments: Mapping[str, str], number: str) -> str:
    """The party outside is whoever calls us, or whom we call.

    Args:
        arguments: As of :func:`parse_arguments`; none of a channel that brought none.
        number: The channel's own, as Asterisk has it.
    """
    called = arguments.get("direction") in _WE_CALL or arguments.get("leg") == Leg.CALLEE
    return arguments.get("dialled", "") if called else number


def personal_facts(*, number: str, name: str, dialled: str) -> tuple[PersonalFact, ...]:
    """What identifies the caller, each with the form by which it can be searched."""
    values = {"number": number, "name": name, "dialled": dialled}
    return tuple(
        PersonalFact(field, bounded, _search_key(field, bounded))
        for field, value in values.items()
        if (bounded := value[:LONGEST_VALUE])
    )


def _search_key(field: str, value: str) -> str | None:
    if field == "name":
        return None
    return "".join(character for character in value if character in "0123456789") or None
