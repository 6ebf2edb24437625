"""The programs of ``examples/developers`` run, and are what the page shows.

Those that need an Asterisk run in ``tests/e2e/test_developers.py``.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from base64 import b64encode
from functools import partial
from pathlib import Path

import pytest

from app.serving import Serving, write_config, write_whole
from documented import page

EXAMPLES = Path(__file__).parents[2] / "examples/developers"
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()


def test_the_page_shows_the_programs_that_run():
    shown = re.findall(r"(?ms)^```python\n(.*?)^```$", page("developers.md"))
    programs = {path.name: path.read_text() for path in sorted(EXAMPLES.glob("*.py"))}
    assert len(programs) == 4
    for name, text in programs.items():
        assert f"(../examples/developers/{name})" in page("developers.md")
        parts = [part for part in shown if part in text]
        assert parts, f"{name}: the page shows nothing of it"
    assert [part for part in shown if not any(part in text for text in programs.values())] == []


@pytest.fixture
def port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_the_receiver_takes_what_a_service_sends_and_each_row_once(tmp_path, port):
    config = write_config(tmp_path)
    (tmp_path / "secret.webhook").write_text(SECRET)
    table = f"""
[[webhook]]
name = "crm"
url = "http://127.0.0.1:{port}/rows"
secret_file = "{tmp_path}/secret.webhook"
retry_max_s = 0.5
"""
    write_whole(config, config.read_text() + table)
    last, lines = tmp_path / "last-seq", tmp_path / "lines"
    command = [sys.executable, str(EXAMPLES / "webhook_receiver.py"), str(port), str(last)]
    for _ in range(2):
        with lines.open("ab") as out:
            receiver = subprocess.Popen(  # noqa: ASYNC220 - begun at once
                command, stdout=out, env=os.environ | {"WEBHOOK_SECRET": SECRET}
            )
        try:
            serving = Serving(config)
            async with serving.running():
                size = len(serving.rows())
                await serving.until(partial(_has, last, size))
        finally:
            receiver.terminate()
            receiver.wait(10)
        (tmp_path / "store/webhooks/crm.json").unlink(missing_ok=True)  # sends it all again
    seqs = [int(line.split()[0]) for line in lines.read_text().splitlines()]
    assert seqs == list(range(len(seqs)))
    assert "service_started" in lines.read_text()


def _has(last: Path, size: int) -> bool:
    return last.exists() and int(last.read_text()) >= size - 1


def test_the_receiver_refuses_what_somebody_else_sends(tmp_path, port):
    command = [
        sys.executable,
        str(EXAMPLES / "webhook_receiver.py"),
        str(port),
        str(tmp_path / "n"),
    ]
    environment = os.environ | {"WEBHOOK_SECRET": SECRET}
    ask = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--retry", "30"]
    ask += [
        "--retry-connrefused",
        "--retry-delay",
        "1",
        "-d",
        "{}",
        f"http://127.0.0.1:{port}/rows",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as receiver:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=True)
        receiver.terminate()
        receiver.wait(10)
    assert said.stdout == "400"
    assert not (tmp_path / "n").exists()
