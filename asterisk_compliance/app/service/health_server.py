"""``GET /health`` and ``GET /metrics`` for a monitor on this host."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from asterisk_compliance.errors import ComplianceError

CLOSE_S = 0.5

log = structlog.get_logger()


class CannotListen(ComplianceError):
    exit_code = 2
    hint = "is the port of [health] taken by something else?"


@contextlib.asynccontextmanager
async def health_server(
    host: str, port: int, health: Callable[[], Mapping[str, Any]], registry: CollectorRegistry
) -> AsyncIterator[None]:
    """Answer while the block runs: 200 or 503 as ``health()["ok"]`` says, and the metrics.

    Raises:
        CannotListen: somebody else has the port.
    """

    async def on_health(_request: web.Request) -> web.Response:
        answer = health()
        return web.Response(
            body=msgspec.json.encode(answer),
            status=200 if answer["ok"] else 503,
            content_type="application/json",
        )

    async def on_metrics(_request: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=generate_latest(registry), headers=headers)

    app = web.Application(client_max_size=0)
    app.add_routes([web.get("/health", on_health), web.get("/metrics", on_metrics)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise CannotListen(f"{host}:{port}: {error.strerror}") from None
        log.info("health_listening", host=host, port=port)
        yield
    finally:
        await runner.cleanup()
