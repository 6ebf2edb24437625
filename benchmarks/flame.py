"""Where the service's time goes under load: a flame graph, and a table by module.

Needs py-spy, which the project does not: ``pip install py-spy``. It looks 250 times a second at
what the thread does that holds the interpreter; what waits is left out, and so is SQLite.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import CALL_S, OUT, RAMP_S, free_port
from benchmarks.sipp import Callers
from benchmarks.ways import EXTENSIONS, OURS
from lab.site import UNSEALED, Site

PACKAGE = "asterisk_compliance/"
_FRAME = re.compile(rf" \({PACKAGE}([\w/]+)\.py(?::\d+)?\)$")
_TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*<')
_LOOKS = ("--rate", "250", "--threads", "--gil")


def by_module(stacks: Iterable[str]) -> Counter[str]:
    """Samples by the module of ours that was at work, or that had called who was.

    ``stacks``: lines of py-spy's raw format: frames from the outside in, a semicolon between, and
    the number of samples.
    """
    found: Counter[str] = Counter()
    for line in stacks:
        stack, _, samples = line.rpartition(" ")
        frames = stack.split(";")
        ours = [match[1] for frame in frames if (match := _FRAME.search(frame))]
        thread = " (log's thread)" if "audit-log" in frames[0] else ""
        found[(ours[-1] if ours else "the loop itself") + thread] += int(samples)
    return found


def table(found: Counter[str], most: int = 25) -> Table:
    shown = Table(title="where the time goes")
    shown.add_column("module")
    shown.add_column("of the samples", justify="right")
    for name, samples in found.most_common(most):
        shown.add_row(name, f"{samples / found.total():.1%}")
    return shown


async def record(rate: float, seconds: float, spy: str) -> Counter[str]:
    OUT.mkdir(exist_ok=True)
    async with AsyncExitStack() as stack:
        opened = await Site.open({}, extensions=EXTENSIONS, serve=False, vault=UNSEALED)
        site = await stack.enter_async_context(opened)
        callers = Callers(
            site.directory / "sipp", port=free_port(), target=site.asterisk.sip_port, wav=None
        )
        pid = await stack.enter_async_context(OURS.running(site))
        assert pid is not None
        await callers.start(OURS.exten, rate, limit=int(rate * CALL_S * 4) + 50)
        await asyncio.sleep(RAMP_S)
        raw = OUT / "flame.txt"
        for file, form in ((OUT / "flame.svg", "flamegraph"), (raw, "raw")):
            await _spied(spy, pid, seconds, form, file)
        await callers.stop()
    svg = OUT / "flame.svg"
    svg.write_text(_TITLE.sub(rf"\g<1>{rate:g} calls a second, by --gil<", svg.read_text()))
    return by_module(raw.read_text().splitlines())


async def _spied(spy: str, pid: int, seconds: float, form: str, file: Path) -> None:
    words = ("record", "--pid", str(pid), "--duration", str(round(seconds)), "--format", form)
    process = await asyncio.create_subprocess_exec(
        spy, *words, *_LOOKS, "--output", str(file), stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(seconds + 60):
        if await process.wait():
            raise RuntimeError("py-spy failed: it needs root, or a kernel that lets it look")


def main(arguments: Sequence[str] = ()) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks flame", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="calls a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args(arguments)
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        print("error: py-spy is missing\nhint: pip install py-spy", file=sys.stderr)
        return 2
    Console(width=100).print(table(asyncio.run(record(asked.rate, asked.seconds, spy))))
    print(OUT / "flame.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
