"""ARI without its WebSocket: who only looks must not take the application from the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asterisk_compliance.asterisk.ari.address import AriAddress, AriLimits
from asterisk_compliance.asterisk.ari.transport import HttpTransport
from asterisk_compliance.errors import AsteriskUnavailable


@asynccontextmanager
async def plain_http(address: AriAddress, limits: AriLimits) -> AsyncIterator[HttpTransport]:
    """Requests over HTTP, each with its time limit; what they raise names no secret."""
    async with address.session(limits) as session:
        transport = HttpTransport(session, address.url.rstrip("/"), limits.request_s)
        try:
            yield transport
        finally:
            transport.fail_all(AsteriskUnavailable("nobody asks ARI any more"))
            await transport.close()
