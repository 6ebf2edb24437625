"""What runs beside the calls of a service cannot end them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.serving import Serving, write_config


@pytest.fixture
async def serving(tmp_path: Path) -> AsyncIterator[Serving]:
    serving = Serving(write_config(tmp_path))
    async with serving.running():
        yield serving


async def test_a_defect_in_what_runs_beside_the_calls_is_a_row_and_not_the_end(
    serving: Serving,
) -> None:
    node = serving.node

    async def defect() -> None:
        raise PermissionError("a defect")

    done = []

    async def work() -> None:
        done.append(True)

    node.spawn(defect())
    await serving.until(lambda: serving.details("anomaly") == [{"code": "INTERNAL_ERROR"}])
    node.spawn(work())
    await serving.until(lambda: bool(done))
    assert "service_stopped" not in [row["kind"] for row in serving.rows()]
