"""Where a number may be from, and which numbers call for help.

A caller's number is a hint and no more: it is withheld, forged, ported, roaming. What cannot be
read counts as unknown, and for an unknown caller the rules of every country apply.

``phonenumbers`` belongs to the domain: it is a pure function of the number and the tables that
come with it. It reads a table the first time a country is asked for (a few milliseconds).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from phonenumbers import (
    COUNTRY_CODE_TO_REGION_CODE,
    SUPPORTED_REGIONS,
    NumberParseException,
    PhoneNumber,
    PhoneNumberFormat,
    format_number,
    is_valid_number,
    is_valid_number_for_region,
    parse,
)

COUNTRIES: frozenset[str] = frozenset(SUPPORTED_REGIONS)
"""Countries that a number can be from: ISO 3166-1 alpha-2, so ``GB`` and not ``UK``."""

LONGEST_NUMBER = 64
"""Characters of a number that are read; E.164 has 15 digits, the rest is punctuation."""


@dataclass(frozen=True, slots=True)
class OutsideNumber:
    """The number of the party outside, as far as it can be read.

    Attributes:
        digits: E.164 without the plus; empty if unknown.
        countries: Where it may be from; empty if unknown. A free-phone number of +1 has many.
    """

    digits: str = ""
    countries: frozenset[str] = frozenset()


UNKNOWN = OutsideNumber()


def read_number(number: str, home: str) -> OutsideNumber:
    """Read a number as Asterisk has it.

    Anything that is no valid public number is :data:`UNKNOWN`: withheld, an extension, a short
    code, a number of no country (satellites), garbage. Never raises for any ``number``.

    Args:
        number: National as dialled at ``home``, or international with a plus.
        home: Country in which the Asterisk stands, from :data:`COUNTRIES`.

    Raises:
        ValueError: there is no country ``home``.
    """
    if home not in COUNTRIES:
        raise ValueError(f"there is no country {home}")
    parsed = _parse(number, home)
    if parsed is None:
        return UNKNOWN
    assert parsed.country_code is not None
    countries = frozenset(
        country
        for country in COUNTRY_CODE_TO_REGION_CODE[parsed.country_code]
        if country in COUNTRIES and is_valid_number_for_region(parsed, country)
    )
    digits = format_number(parsed, PhoneNumberFormat.E164)[1:]
    return OutsideNumber(digits, countries)


def comparable(number: str, home: str | None) -> str:
    """One form for a number, however it is written: two that are equal in it are the same.

    E.164 without the plus where the number can be read as one, else its digits; empty if it has
    none. Without ``home`` a national number and its international form differ.
    """
    read = read_number(number, home).digits if home else ""
    return read or "".join(one for one in number[:LONGEST_NUMBER] if one in "0123456789")


def _parse(number: str, home: str) -> PhoneNumber | None:
    if len(number) > LONGEST_NUMBER:
        return None
    try:
        parsed = parse(number, home)
    except NumberParseException:
        return None
    return parsed if is_valid_number(parsed) else None


def is_emergency(
    dialled: str, emergency: Collection[str], outside_prefixes: Collection[str] = ()
) -> bool:
    """Whether ``dialled`` calls for help: such a call gets no notice and is not recorded.

    The number alone counts, or one of ``outside_prefixes`` and the number: ``0`` or ``9`` for an
    outside line, in Japan ``184`` and ``186`` for withholding and sending one's number. Without
    them ``0110`` is a number like any other.

    Args:
        dialled: As dialled or as in a SIP user part, ``110;phone-context=…``.
        emergency: The numbers, digits only.
        outside_prefixes: What may stand before them, digits only.
    """
    user, _, _ = dialled[:LONGEST_NUMBER].partition(";")
    digits = user.translate(_PUNCTUATION)
    return any(digits.removeprefix(prefix) in emergency for prefix in ("", *outside_prefixes))


_PUNCTUATION = dict.fromkeys(map(ord, " -.()"))


def notations(number: str, home: str | None) -> tuple[str, ...]:
    """The digits of ``number`` in every way in which an Asterisk may have written it.

    As it was typed, E.164, national with and without its prefix, and as it is dialled from abroad.
    Without ``home``, or for what is no public number, only as it was typed.
    """
    typed = "".join(one for one in number[:LONGEST_NUMBER] if one in "0123456789")
    parsed = _parse(number, home) if home else None
    if parsed is None:
        return (typed,) if typed else ()
    international = format_number(parsed, PhoneNumberFormat.E164)[1:]
    national = format_number(parsed, PhoneNumberFormat.NATIONAL)
    written = (
        typed,
        international,
        "".join(one for one in national if one in "0123456789"),
        str(parsed.national_number),
        *(prefix + international for prefix in _FROM_ABROAD),
    )
    return tuple(dict.fromkeys(written))


_FROM_ABROAD = ("00", "010", "011")
