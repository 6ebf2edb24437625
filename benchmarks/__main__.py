"""python -m benchmarks [latency | audit-log | audit-log-sqlalchemy] [options]; none means all.

``audit-log-sqlalchemy`` needs a package that the project does not, and runs only when named.
"""

from __future__ import annotations

import sys
from importlib import import_module

ALL = ("latency", "audit-log")
NAMES = (*ALL, "audit-log-sqlalchemy")


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
    run(name, options)
    return 0


def run(name: str, options: list[str]) -> None:
    import_module(f"benchmarks.{name.replace('-', '_')}").main(options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
