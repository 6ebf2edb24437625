"""``python -m chaos``: calls, faults, and what a judge finds then.

Exit status 1 if it finds anything. The directory of the results is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import sys
from pathlib import Path

from chaos.checker import check, summary
from chaos.run import run

OUTPUT = Path(__file__).resolve().parents[2] / "chaos-output"


def main() -> int:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=20, help="at least so many calls")
    parser.add_argument("--faults", type=int, default=6)
    parser.add_argument("--seed", type=int, default=None, help="of what is broken when")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    asked = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    evidence = asyncio.run(
        run(asked.out / "evidence", calls=asked.calls, faults=asked.faults, seed=seed)
    )
    report = check(evidence)
    found = summary(evidence, report)
    (asked.out / "summary.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
