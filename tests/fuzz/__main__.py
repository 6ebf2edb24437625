"""``python -m fuzz``: a million wrong inputs for everything of ours that reads a wire.

Exit status 1 if anything crashed, hung or grew.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from pathlib import Path

from fuzz.askers import (
    AgiAnswers,
    AgiHeaders,
    Configurations,
    ControlRequests,
    Records,
)
from fuzz.run import fuzz
from fuzz.sockets import SOCKETS
from fuzz.wires import AmiReading, AriAnswers, AriDecoding

OUTPUT = Path(__file__).resolve().parents[2] / "fuzz-output"
TARGETS = (
    AriDecoding,
    AriAnswers,
    AmiReading,
    AgiHeaders,
    AgiAnswers,
    ControlRequests,
    Records,
    Configurations,
    *SOCKETS,
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=20_000, help="for all targets together")
    parser.add_argument("--seed", type=int, default=None, help="of the inputs")
    parser.add_argument("--only", choices=[target.name for target in TARGETS], action="append")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    asked = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    print(f"seed {seed}", flush=True)
    results = []
    for target in TARGETS:
        if asked.only and target.name not in asked.only:
            continue
        results.append(fuzz(target, max(50, round(asked.inputs * target.share)), seed).summary)
        print(json.dumps(results[-1]), flush=True)
    total = {
        "seed": seed,
        "inputs": sum(result["inputs"] for result in results),
        "findings": sum(len(result["findings"]) for result in results),
        "slowest_ms": max(result["slowest_ms"] for result in results),
        "cpu_s": round(sum(os.times()[:2]), 1),
    }
    print(json.dumps(total))
    asked.out.mkdir(parents=True, exist_ok=True)
    report = {**total, "targets": results}
    (asked.out / "summary.json").write_text(json.dumps(report, indent=2) + "\n")
    return 1 if total["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
