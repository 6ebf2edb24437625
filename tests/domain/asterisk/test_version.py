"""What an Asterisk can by its version, in each branch."""

from __future__ import annotations

import pytest

from asterisk_compliance.domain.asterisk.version import is_supported, lacking, version_of


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("22.10.1+dfsg+~cs6.17.60671434-1", (22, 10)),
        ("16.28.0~dfsg-0+deb11u10", (16, 28)),
        ("certified/18.9-cert4", (18, 9)),
        ("certified-20.7-cert2", (20, 7)),
        ("GIT-master-1234abc", None),
        ("unknown", None),
        ("", None),
    ],
)
def test_versions_are_read_as_asterisk_writes_them(
    text: str, version: tuple[int, int] | None
) -> None:
    assert version_of(text) == version


@pytest.mark.parametrize(
    ("version", "supported", "less"),
    [
        ((13, 38), False, 2),
        ((16, 16), False, 2),
        ((16, 17), True, 2),
        ((17, 9), False, 2),
        ((18, 2), False, 2),
        ((18, 3), True, 2),
        ((19, 0), True, 2),
        ((20, 13), True, 2),
        ((20, 14), True, 1),
        ((21, 8), True, 2),
        ((21, 9), True, 1),
        ((22, 0), True, 2),
        ((22, 3), True, 1),
        ((22, 4), True, 0),
        ((23, 0), True, 0),
        (None, True, 0),
    ],
)
def test_what_is_missing_in_which_release(
    version: tuple[int, int] | None, supported: bool, less: int
) -> None:
    assert is_supported(version) is supported
    assert len(list(lacking(version))) == less
