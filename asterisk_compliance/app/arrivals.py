"""From what a channel brings along to an arrival: the policy it asks for, and who calls.

Everything here can be chosen by a caller, or garbled by a dialplan: it is bounded, and it goes
nowhere but into the table of persons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from asterisk_compliance.domain.decision import Reason
from asterisk_compliance.domain.notice import Policy
from asterisk_compliance.domain.rows import PersonalFact

LONGEST_VALUE = 256
"""Characters kept of a number or a name; SIP allows more than anybody needs."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_LINKEDID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_DIALLED = re.compile(r"[0-9+*#]{0,40}")
_KEYS = frozenset({"policy", "linkedid", "dialled"})


def parse_arguments(arguments: Sequence[str]) -> Mapping[str, str] | Reason:
    """Read ``policy=``, ``linkedid=`` and ``dialled=``: what ``Stasis()`` or ``AGI()`` was given.

    Returns:
        The values, or why they cannot be used.
    """
    values: dict[str, str] = {}
    for argument in arguments:
        key, equals, value = argument.partition("=")
        if not equals or key not in _KEYS or key in values:
            return Reason.ARGUMENTS_INVALID
        values[key] = value
    if not values.get("policy"):
        return Reason.POLICY_MISSING
    if not _NAME.fullmatch(values["policy"]):
        return Reason.ARGUMENTS_INVALID
    if not _LINKEDID.fullmatch(values.setdefault("linkedid", "none")):
        return Reason.ARGUMENTS_INVALID
    if not _DIALLED.fullmatch(values.setdefault("dialled", "")):
        return Reason.ARGUMENTS_INVALID
    return values


def find_policy(
    arguments: Mapping[str, str] | Reason, policies: Mapping[str, Policy]
) -> Policy | Reason:
    if isinstance(arguments, Reason):
        return arguments
    return policies.get(arguments["policy"], Reason.POLICY_UNKNOWN)


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
