"""python -m benchmarks [load | latency | audit-log | sealing | search | quick | …] [options].

Without a name all run but three: ``quick`` is a part of ``load``; ``audit-log-sqlalchemy`` and
``flame`` need packages that the project does not.
"""

from __future__ import annotations

import sys
from importlib import import_module

ALL = (
    *("load", "latency", "audit-log", "sealing", "retention", "search"),
    *("live-calls", "restart", "recorded", "cold"),
)
NAMES = (*ALL, "quick", "flame", "audit-log-sqlalchemy")


def main(arguments: list[str]) -> int:
    if not arguments:
        for name in ALL:
            print(f"== {name}", flush=True)
            run(name, [])
        return 0
    name, *options = arguments
    if name in {"-h", "--help"}:
        print(__doc__)
        return 0
    if name not in NAMES:
        print(f"error: no benchmark {name}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    return run(name, options)


def run(name: str, options: list[str]) -> int:
    """The benchmark's exit status; most have nothing to fail."""
    return import_module(f"benchmarks.{name.replace('-', '_')}").main(options) or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
