"""One HTTP POST: bounded in time, never redirected, and without reading the response body."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from enum import StrEnum

import aiohttp


class Obstacle(StrEnum):
    """Why something did not arrive; ``docs/audit-kinds.md`` explains each."""

    UNREACHABLE = "UNREACHABLE"
    REFUSED = "REFUSED"
    HANGS = "HANGS"
    OTHER_THERE = "OTHER_THERE"


class NotShipped(Exception):
    """Something did not arrive.

    Attributes:
        why: Tells nothing of the place.
        status: Of HTTP, where it was answered by one.
    """

    def __init__(self, why: Obstacle, status: int | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.status = status


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    within_s: float,
    tls: ssl.SSLContext | bool = True,
) -> None:
    """Send ``body``; back when the other side has taken it, with a status of 2xx.

    Args:
        session: Through which it is sent.
        url: Where to.
        body: What.
        headers: Beside those of the session.
        within_s: For all of it, from the look-up of the name to the status.
        tls: How the other side proves who it is.

    Raises:
        NotShipped: it has not, or nobody knows.
    """
    limit = aiohttp.ClientTimeout(total=within_s)
    try:
        async with session.post(
            url, data=body, headers=headers, timeout=limit, allow_redirects=False, ssl=tls
        ) as answer:
            if not 200 <= answer.status < 300:
                raise NotShipped(Obstacle.REFUSED, answer.status)
    except (aiohttp.ClientError, OSError):
        raise NotShipped(Obstacle.UNREACHABLE) from None
