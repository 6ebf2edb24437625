"""Who sent these bytes, and when: the symmetric scheme of Standard Webhooks 1.0.

Signed is ``ID.TIMESTAMP.BODY`` by HMAC-SHA-256. A message may bear several signatures, one for each
secret that is in use, so that a secret can be exchanged without a message that nobody can check.

Norm: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import binascii
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence

from asterisk_compliance.errors import WebhookRefused

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
SECRET_BYTES = range(24, 65)
"""The norm: from 192 to 512 bits."""

_VERSION = "v1"
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def read_secret(text: str) -> bytes:
    """The key in ``whsec_`` and base64; the prefix may be missing.

    Raises:
        ValueError: it is not that, or too short or too long. The message repeats nothing of it.
    """
    try:
        secret = b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64 text behind whsec_") from None
    if len(secret) not in SECRET_BYTES:
        raise ValueError("must have 24 to 64 bytes: openssl rand -base64 32")
    return secret


def sign(secrets: Sequence[bytes], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a message that is sent at ``at_s``, in Unix seconds."""
    signed = (f"{_VERSION},{_signature(secret, message_id, str(at_s), body)}" for secret in secrets)
    return {ID: message_id, TIMESTAMP: str(at_s), SIGNATURE: " ".join(signed)}


def check(
    secrets: Sequence[bytes],
    headers: Mapping[str, str],
    body: bytes,
    *,
    now_s: float,
    tolerance_s: float,
) -> None:
    """See that one of ``secrets`` signed ``body``, and not long ago.

    Args:
        secrets: Those that count.
        headers: Of the request; how their names are written does not matter.
        body: Of the request, as it came.
        now_s: Unix seconds.
        tolerance_s: How far the sender's clock may be from ours, to either side.

    Raises:
        WebhookRefused: it is not that. Nothing of the message is to be believed.
    """
    named = {name.lower(): value for name, value in headers.items()}
    message_id, at = named.get(ID, ""), named.get(TIMESTAMP, "")
    if not (_ID.fullmatch(message_id) and _TIMESTAMP.fullmatch(at) and at.isascii()):
        raise WebhookRefused("a header of the signature is missing or malformed")
    given = [
        signature
        for version, _, signature in (
            one.partition(",") for one in named.get(SIGNATURE, "").split()
        )
        if version == _VERSION
    ]
    expected = [_signature(secret, message_id, at, body) for secret in secrets]
    if not any(
        hmac.compare_digest(one.encode(), other.encode()) for one in expected for other in given
    ):
        raise WebhookRefused("no signature is by a secret that counts")
    if abs(now_s - int(at)) > tolerance_s:
        raise WebhookRefused("it was signed at another time", hint="are the clocks right?")


def _signature(secret: bytes, message_id: str, at: str, body: bytes) -> str:
    signed = f"{message_id}.{at}.".encode() + body
    return b64encode(hmac.digest(secret, signed, "sha256")).decode()
