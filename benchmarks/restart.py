"""How soon a service that died follows all live calls again.

    python -m benchmarks restart [--calls 1000]

Callers of SIPp, without media, are told and recorded on a real Asterisk. When all of them live, the
service is killed (SIGKILL) and started again. Measured is by the clock: from the start of its
process to its connection to ARI, and from there to the last of its rows ``call_followed``.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Any

from asterisk_compliance.domain.audit.encoding import milliseconds
from benchmarks.load import RTP, free_port
from benchmarks.sipp import Callers
from benchmarks.summary import in_the_dialplan, report
from lab.site import TEST_POLICIES, UNSEALED, Site

RATE = 50.0
WITHIN_S = 120.0
_EXTENSIONS = """
[from-lab]
exten => 50,1,Gosub(compliance-notice,s,1(whole))
 same => n,Wait(600)
"""


async def measure(calls: int) -> dict[str, Any]:
    """
    Raises:
        TimeoutError: not all calls came to live, or were followed again, in time.
    """
    async with await Site.open(
        {},
        extensions=_EXTENSIONS,
        policies=TEST_POLICIES,
        vault=UNSEALED,
        extra={"rtp.conf": RTP},
    ) as site:
        directory = site.directory / "sipp"
        callers = Callers(directory, port=free_port(), target=site.asterisk.sip_port)
        await callers.start("50", RATE, limit=calls)
        await site.service.until(lambda status: in_the_dialplan(status) >= calls, WITHIN_S)
        await site.service.kill()
        killed_at = len(site.rows())
        began = time.time()
        await site.service.start(ready=False)
        rows = await site.rows_until(
            lambda rows: _of(rows[killed_at:], "call_followed") >= calls, WITHIN_S
        )
        await callers.kill()
    new = [(row["kind"], milliseconds(row["at"]) / 1_000, row) for row in rows[killed_at:]]
    connected = next(
        at for kind, at, row in new
        if kind == "asterisk_connected" and row["detail"]["wire"] == "ari"
    )  # fmt: skip
    followed = [at for kind, at, _ in new if kind == "call_followed"]
    return {
        "calls": len(followed),
        "start_to_ari_s": connected - began,
        "ari_to_first_followed_s": min(followed) - connected,
        "ari_to_last_followed_s": max(followed) - connected,
    }


def _of(rows: Sequence[dict[str, Any]], kind: str) -> int:
    return sum(row["kind"] == kind for row in rows)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks restart", description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000)
    asked = parser.parse_args(arguments)
    found = asyncio.run(measure(asked.calls))
    report("restart", found)
    return 0
