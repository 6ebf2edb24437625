"""Taking a message of a webhook: who sent it, and which rows are in it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from asterisk_compliance.domain.audit.encoding import Row, decode
from asterisk_compliance.domain.audit.webhook_signature import check, read_secret
from asterisk_compliance.errors import WebhookRefused


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    *,
    secrets: Sequence[str],
    tolerance_s: float = 300.0,
) -> list[Row]:
    """The rows of a message that one of ``secrets`` signed, in their order.

    A row can come again: keep the ``seq`` of the last one that you have dealt with, for each
    ``log``, and pass over what is not larger.

    Args:
        body: Of the request, as it came, before anybody read JSON in it.
        headers: Of the request.
        secrets: ``whsec_…``; two while one replaces the other.
        tolerance_s: How far the sender's clock may be from ours, to either side.

    Raises:
        WebhookRefused: it is not from whom it says, is too old, or holds something else than rows.
        ValueError: a secret is none.
    """
    keys = [read_secret(secret) for secret in secrets]
    check(keys, headers, body, now_s=time.time(), tolerance_s=tolerance_s)
    try:
        return [decode(line) for line in body.splitlines()]
    except ValueError as error:
        raise WebhookRefused(f"it holds something else than rows: {error}") from None
