"""To whom recordings are encrypted is said in the configuration, or that they are not."""

from __future__ import annotations

from typing import Any

import pytest

from asterisk_compliance.age import new_identity
from sample_settings import accepted, problems, raw

IDENTITY, ONE = new_identity()
OTHER = new_identity()[1]
PLACE = {"recordings": "/var/lib/asterisk-compliance/recordings"}


def vault(**said: Any) -> dict[str, Any]:
    return raw() | {"vault": PLACE | said}


def test_recordings_are_encrypted_to_whom_it_says() -> None:
    told = accepted(vault(recipients=[ONE, OTHER])).vault
    assert (told.encryption, told.recipients) == ("age", (ONE, OTHER))


def test_encryption_is_off_only_where_it_says_so() -> None:
    assert accepted(vault(encryption="off")).vault.recipients == ()
    (problem,) = problems(vault())
    assert problem.startswith("vault: recipients: is missing: asterisk-compliance init")
    assert 'encryption = "off"' in problem


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"recipients": []}, "vault: recipients: is missing"),
        ({"recipients": [ONE], "encryption": "off"}, "vault: recipients: they stand beside"),
        ({"recipients": [ONE, ONE.upper()]}, "vault: recipients: one is there twice"),
        ({"recipients": ["age1nonsense"]}, "vault.recipients.0: is no public key of age"),
        ({"recipients": [ONE, IDENTITY]}, "vault.recipients.1: is a private key"),
        ({"recipients": [ONE], "encryption": "gpg"}, "vault.encryption: "),
        ({"recipients": [ONE], "sealers": 0}, "vault.sealers: "),
        ({"recipients": [ONE], "seal_s": 0}, "vault.seal_s: "),
    ],
)
def test_what_a_vault_may_not_say(said: dict[str, Any], problem: str) -> None:
    (found,) = problems(vault(**said))
    assert found.startswith(problem)
    assert IDENTITY[:30] not in found


def test_no_notice_can_have_the_purpose_of_a_drill() -> None:
    purpose = {"code": "DRILL", "label": {"ja": "x"}, "phrases": {"ja": ["x"]}}
    assert problems(raw() | {"purpose": [purpose]}) == [
        "purpose[1].code: this code is the service's own"
    ]
