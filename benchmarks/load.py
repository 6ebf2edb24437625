"""What a call costs under load: the dialplan alone, us, the same flow on other libraries, a floor.

Every way answers, plays the same notice of one second, goes on in the dialplan, starts MixMonitor,
waits two seconds and hangs up. The ways take turns on one Asterisk; while one runs, no other
application does. Costs are read in the steady state only. What a caller waits beside notice and
talk is measured by SIPp, outside of everything.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from asterisk_compliance.age import new_identity
from asterisk_compliance.domain.audit.encoding import milliseconds
from benchmarks.load_picture import draw
from benchmarks.processes import cost_of
from benchmarks.sipp import Callers
from benchmarks.summary import surroundings
from benchmarks.ways import DIALPLAN, EXTENSIONS, LEAST, OURS, TALK_S, WAYS, Way
from lab.site import TEST_NOTICE_S, UNSEALED, Site
from lab.wav import write_wav

OUT = Path(__file__).parent / "out"
CALL_S = TEST_NOTICE_S + TALK_S
RAMP_S = CALL_S + 1.5
"""Until as many calls end as begin."""
_WAY_BACK = frozenset({"notice_completed", "call_continued"})
RTP = "[general]\nrtpstart = 10000\nrtpend = 18000\n"
LOGS = "[logfiles]\nfull = notice,warning,error\n"
"""As Debian's Asterisk does: no line for each step of a dialplan."""


@dataclass(frozen=True, slots=True)
class Run:
    """One way at one rate, in the steady state.

    Attributes:
        calls: Ended in that time.
        asterisk_ms: Processor time of Asterisk a call; ``application_ms``: of the application.
        rss_mb: Memory of the application at the end.
        answer_p50_ms, answer_p99_ms: From INVITE to 200.
        added_p50_ms, added_p99_ms: What a caller waited from his ACK to the BYE, beside the notice
            and the two seconds of talk.
        failed: Calls that SIPp calls failed, in the whole run.
        way_back_p99_ms: Of ours, from the end of the notice to the dialplan, as its rows say.
    """

    way: str
    rate: float
    calls: int
    asterisk_ms: float
    application_ms: float
    rss_mb: float
    answer_p50_ms: float
    answer_p99_ms: float
    added_p50_ms: float
    added_p99_ms: float
    failed: int
    way_back_p99_ms: float = 0.0

    @property
    def control_p99_ms(self) -> float:
        return self.answer_p99_ms + self.added_p99_ms


async def measure(site: Site, way: Way, rate: float, seconds: float, wav: Path | None) -> Run:
    """Run one way for ``seconds`` of steady state.

    Raises:
        RuntimeError: no call ended in that time.
    """
    callers = Callers(
        site.directory / "sipp", port=free_port(), target=site.asterisk.sip_port, wav=wav
    )
    async with way.running(site) as pid:
        began = time.time()
        await callers.start(way.exten, rate, limit=int(rate * CALL_S * 4) + 50)
        await asyncio.sleep(RAMP_S)
        since = time.time() - began
        asterisk, application = cost_of(site.asterisk.pid), cost_of(pid) if pid else None
        await asyncio.sleep(seconds)
        until = time.time() - began
        asterisk_s = cost_of(site.asterisk.pid).since(asterisk)
        now = cost_of(pid) if pid else None
        waited = await callers.stop()
    ended = [ms for at, ms in waited.call if since <= at < until]
    answers = [ms for at, ms in waited.answer if since <= at < until]
    if not ended or not answers:
        raise RuntimeError(f"{way.name}: no call ended at {rate} calls/s")
    added = np.array(ended) - CALL_S * 1_000
    application_s = now.since(application) if now and application else 0.0
    return Run(
        way=way.name,
        rate=rate,
        calls=len(ended),
        asterisk_ms=asterisk_s * 1_000 / len(ended),
        application_ms=application_s * 1_000 / len(ended),
        rss_mb=now.rss_bytes / 1e6 if now else 0.0,
        answer_p50_ms=float(np.percentile(answers, 50)),
        answer_p99_ms=float(np.percentile(answers, 99)),
        added_p50_ms=float(np.percentile(added, 50)),
        added_p99_ms=float(np.percentile(added, 99)),
        failed=waited.failed,
        way_back_p99_ms=p99(ways_back(site.rows(), since + began, until + began))
        if way is OURS
        else 0.0,
    )


def ways_back(rows: Iterable[Mapping[str, Any]], since_s: float, until_s: float) -> list[float]:
    """Milliseconds from each whole notice to the dialplan, of calls that went on in that time."""
    told: dict[str, int] = {}
    found: list[float] = []
    for row in rows:
        at_ms = milliseconds(row["at"]) if row["kind"] in _WAY_BACK else 0
        if row["kind"] == "notice_completed":
            told[row["call"]] = at_ms
        elif row["kind"] == "call_continued" and since_s <= at_ms / 1_000 < until_s:
            found.append(at_ms - told.get(row["call"], at_ms))
    return found


def p99(values: Sequence[float]) -> float:
    return float(np.percentile(values, 99)) if values else 0.0


async def run_all(
    ways: Sequence[Way],
    rates: Sequence[float],
    rounds: int,
    seconds: float,
    *,
    media: bool,
    vault: str = UNSEALED,
) -> list[Run]:
    """Every way at every rate, ``rounds`` times, in turns; ``vault``: settings of that table."""
    console = Console(stderr=True)
    async with AsyncExitStack() as stack:
        site = await stack.enter_async_context(
            await Site.open(
                {},
                extensions=EXTENSIONS,
                serve=False,
                vault=vault,
                extra={"rtp.conf": RTP, "logger.conf": LOGS},
            )
        )
        (site.asterisk.spool_here / "plain").mkdir(mode=0o777)
        (site.asterisk.spool_here / "plain").chmod(0o777)
        wav = voice(site.directory)
        runs = []
        for rate in rates:
            for turn in range(rounds):
                for way in ways[turn % len(ways) :] + ways[: turn % len(ways)]:  # type: ignore[operator]
                    run = await measure(site, way, rate, seconds, wav if media else None)
                    console.print(
                        f"{way.name} at {rate:g}/s: {run.application_ms:.2f} ms, Asterisk "
                        f"{run.asterisk_ms:.2f} ms, p99 {run.control_p99_ms:.0f} ms, "
                        f"way back p99 {run.way_back_p99_ms:.0f} ms"
                    )
                    runs.append(run)
                    for file in (site.asterisk.spool_here / "plain").iterdir():
                        file.unlink()
        return runs


def medians(runs: Sequence[Run], rate: float) -> dict[str, dict[str, float]]:
    """Of each way at one rate, the median of its runs for every figure."""
    found: dict[str, dict[str, float]] = {}
    for name in dict.fromkeys(run.way for run in runs):
        mine = [asdict(run) for run in runs if run.way == name and run.rate == rate]
        numbers = {key for key, value in mine[0].items() if isinstance(value, int | float)}
        found[name] = {key: median(run[key] for run in mine) for key in sorted(numbers)}
    return found


def ratios(runs: Sequence[Run], rate: float) -> dict[str, float]:
    """What the aims are about, at one rate, and what ARI costs at least, if that was measured.

    ``application_of_<library>``: our processor time as a part of theirs; ``asterisk_of_dialplan``
    and ``least_of_dialplan``: Asterisk's, with us and with the least, as a part of the dialplan's.
    """
    of = medians(runs, rate)
    ours, plain = of[OURS.name], of[DIALPLAN.name]
    found = {
        "application_ms": ours["application_ms"],
        "asterisk_of_dialplan": ours["asterisk_ms"] / plain["asterisk_ms"],
    }
    for name in (name for name in of if name not in {OURS.name, DIALPLAN.name}):
        key = "least" if name == LEAST.name else name.split()[0].replace("-", "_")
        found[f"application_of_{key}"] = ours["application_ms"] / of[name]["application_ms"]
    if LEAST.name in of:
        found["least_of_dialplan"] = of[LEAST.name]["asterisk_ms"] / plain["asterisk_ms"]
    return found


def ceiling(runs: Sequence[Run], way: Way, limit_ms: float = 100.0) -> float | None:
    """The highest rate at which the median p99 stays below the limit, and at every lower one."""
    best = None
    for rate in sorted({run.rate for run in runs}):
        mine = [run.control_p99_ms for run in runs if run.way == way.name and run.rate == rate]
        if not mine or median(mine) >= limit_ms:
            break
        best = rate
    return best


def table(runs: Sequence[Run], rate: float) -> Table:
    shown = Table(title=f"{rate:g} calls/s, median of the runs (least to most)")
    headings = (
        "",
        "application ms/call",
        "Asterisk ms/call",
        "RSS MB",
        "INVITE to 200, p50 / p99 ms",
    )
    for heading in (*headings, "added to notice and talk, p50 / p99 ms", "failed"):
        shown.add_column(heading, justify="right" if heading else "left")
    for name, of in medians(runs, rate).items():
        mine = [run for run in runs if run.way == name and run.rate == rate]
        shown.add_row(
            name,
            _spread([run.application_ms for run in mine]),
            _spread([run.asterisk_ms for run in mine]),
            f"{of['rss_mb']:.0f}",
            f"{of['answer_p50_ms']:.1f} / {of['answer_p99_ms']:.1f}",
            f"{of['added_p50_ms']:.1f} / {of['added_p99_ms']:.1f}",
            str(sum(run.failed for run in mine)),
        )
    return shown


def _spread(values: Sequence[float]) -> str:
    return f"{median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def voice(directory: Path) -> Path:
    """What a caller says, again and again: a file with ten seconds of a tone of 1,700 Hz."""
    wav = directory / "voice.wav"
    tone = 6_000 * np.sin(2 * np.pi * 1_700 * np.arange(80_000) / 8_000)
    write_wav(wav, np.rint(tone).astype(np.int16))
    return wav


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks load", description=__doc__)
    parser.add_argument("--rates", default="80", help="calls a second, comma between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of steady state")
    parser.add_argument("--media", action="store_true", help="the callers send audio")
    parser.add_argument("--sealed", action="store_true", help="encrypt the recordings")
    parser.add_argument("--ways", default="1,2,3,4,5", help="first digits of what is dialled")
    asked = parser.parse_args(arguments)
    ways = [way for way in WAYS if way.exten[0] in asked.ways.split(",")]
    rates = [float(rate) for rate in asked.rates.split(",")]
    around = surroundings("python -m benchmarks load " + shlex.join(arguments))
    vault = f'recipients = ["{new_identity()[1]}"]' if asked.sealed else UNSEALED
    runs = asyncio.run(
        run_all(ways, rates, asked.rounds, asked.seconds, media=asked.media, vault=vault)
    )
    OUT.mkdir(exist_ok=True)
    result: dict[str, Any] = {"surroundings": around, "runs": [asdict(run) for run in runs]}
    console = Console(width=160)
    for rate in rates:
        console.print(table(runs, rate))
        if {OURS, DIALPLAN} <= set(ways):
            result.setdefault("ratios", {})[f"{rate:g}"] = ratios(runs, rate)
    result["ceiling"] = {way.name: ceiling(runs, way) for way in ways}
    (OUT / "load.json").write_text(json.dumps(result, indent=2) + "\n")
    draw(result["runs"], OUT / "load.png")
    console.print_json(data={key: result.get(key) for key in ("ratios", "ceiling")})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
