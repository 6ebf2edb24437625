"""A number is a hint; what cannot be read is unknown. And which numbers call for help."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asterisk_compliance.domain.phone_numbers import (
    COUNTRIES,
    UNKNOWN,
    OutsideNumber,
    is_emergency,
    read_number,
)

EMERGENCY = frozenset({"110", "119", "000"})


@pytest.mark.parametrize(
    ("number", "digits", "country"),
    [
        ("0312345678", "81312345678", "JP"),
        ("+81312345678", "81312345678", "JP"),
        ("+81 3-1234-5678", "81312345678", "JP"),
        ("０３１２３４５６７８", "81312345678", "JP"),
        ("010 1 212 555 0100", "12125550100", "US"),
        ("+14165550100", "14165550100", "CA"),
        ("+4930123456", "4930123456", "DE"),
        ("+77011234567", "77011234567", "KZ"),
    ],
)
def test_a_number_that_tells_a_country(number: str, digits: str, country: str) -> None:
    assert read_number(number, "JP") == OutsideNumber(digits, frozenset({country}))


def test_a_number_that_can_be_from_several() -> None:
    assert read_number("+18005550100", "JP").countries >= {"US", "CA", "JM"}


def test_the_same_digits_are_of_the_country_that_is_home() -> None:
    assert read_number("2125550100", "US").countries == {"US"}
    assert read_number("2125550100", "JP").countries != {"US"}


@pytest.mark.parametrize(
    "number",
    [
        "",
        "anonymous",
        "Restricted",
        "200",
        "119",
        "+1",
        "+12",
        "+999123456789",
        "+8001234567",
        "+881612345678",
        "0081312345678",
        "sip:alice@example.org",
        "+81312345678" + "0" * 10_000,
        "9" * 10_000,
        "\x00\r\n",
        "١٢٣",
    ],
)
def test_what_tells_no_country_is_unknown(number: str) -> None:
    assert read_number(number, "JP").countries == frozenset()


@given(
    st.text(max_size=80) | st.from_regex(r"\+?[0-9 ()-]{0,20}", fullmatch=True),
    st.sampled_from(sorted(COUNTRIES)),
)
def test_no_number_is_an_error(number: str, home: str) -> None:
    read = read_number(number, home)
    assert read.countries <= COUNTRIES
    assert read == UNKNOWN or (read.digits.isascii() and read.digits.isdecimal())


@pytest.mark.parametrize("home", ["", "UK", "jp", "001"])
def test_home_must_be_a_country(home: str) -> None:
    with pytest.raises(ValueError, match="country"):
        read_number("0312345678", home)


@pytest.mark.parametrize(
    ("dialled", "without_prefixes", "with_prefixes"),
    [
        ("110", True, True),
        ("1-1-0", True, True),
        (" 119 ", True, True),
        ("110;phone-context=+81", True, True),
        ("000", True, True),
        ("0110", False, True),
        ("9119", False, True),
        ("0000", False, True),
        ("184110", False, True),
        ("00110", False, False),
        ("1100", False, False),
        ("1", False, False),
        ("", False, False),
        ("0", False, False),
        ("0311011011", False, False),
        ("110" * 5_000, False, False),
    ],
)
def test_a_number_that_calls_for_help(dialled, without_prefixes, with_prefixes) -> None:
    assert is_emergency(dialled, EMERGENCY) is without_prefixes
    assert is_emergency(dialled, EMERGENCY, ("0", "9", "184")) is with_prefixes


@given(st.text(max_size=300))
def test_nothing_that_is_dialled_is_an_error(dialled: str) -> None:
    is_emergency(dialled, EMERGENCY, ("0",))
