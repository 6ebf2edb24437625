"""Reads a log: how calls were decided, and whether a row was changed since.

read_log.py /var/lib/asterisk-compliance/store [PUBLIC-KEY]
"""

import sys
from collections import Counter

from asterisk_compliance import AuditLog


def main(store: str, key: str = "") -> int:
    with AuditLog.open(store) as log:
        decisions = Counter(
            (row.detail["status"], row.detail["reason"]) for row in log.rows(kind="decision")
        )
        for (status, reason), calls in decisions.most_common():
            print(calls, status, reason)
        verdict = log.verify(key=key)
    for fault in verdict.faults:
        print(fault)
    print(verdict.rows, "rows,", verdict.level if verdict.intact else "NOT INTACT")
    return 0 if verdict.intact else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
