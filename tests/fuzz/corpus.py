"""What is mutated: what a real Asterisk sent, and what our own commands send."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path

from documented import ROOT

TESTS = Path(__file__).parents[1]
WIRE = TESTS / "asterisk/fixtures/22.10.1"
RECORDS = TESTS / "storage/fixtures/22.10.1"

REQUESTS = (
    ("status", {}),
    ("mark", {"code": "TEST"}),
    ("ask", {"what": "pause", "call": "c-01a20fba7e3d3aab2903f415842a", "reason": "CARD"}),
    ("ask", {"what": "withdraw", "call": "c-01a20fba7e3d3aab2903f415842a", "everybody": "yes"}),
    ("do-not-call", {"what": "add", "number": "+81312345678"}),
)
"""What commands ask of the service, over its control socket."""

ANSWERS = (
    b"200 result=0\n",
    b"200 result=1\n",
    b"200 result=-1\n",
    b"200 result=49 endpos=4320\n",
    b"200 result=0 endpos=8000\n",
    b"200 result=1 (value)\n",
    b"200 result= (timeout)\n",
    b"100 result=0 Trying...\n",
    b"510 Invalid or unknown command\n",
    b"511 Command Not Permitted on a dead channel or intercept routine\n",
    b"520-Invalid command syntax.  Proper usage follows:\n",
    b"HANGUP\n",
)
"""What res_agi.c can say to a command."""


@cache
def _wire(pattern: str) -> tuple[bytes, ...]:
    found = tuple(path.read_bytes() for path in sorted(WIRE.glob(pattern)))
    assert found, pattern
    return found


def ari_messages() -> tuple[bytes, ...]:
    """Events, and answers over the WebSocket."""
    events = [data for data in _wire("*.json") if b'"type"' in data[:20_000]]
    assert len(events) > 15
    return tuple(events)


def rest_bodies() -> tuple[bytes, ...]:
    """The bodies of answers, as a transport hands them to whoever asked."""
    messages = (json.loads(data) for data in _wire("rest_*.json"))
    bodies = {str(one.get("message_body", "")).encode() for one in messages}
    return (*sorted(bodies), *_wire("http_*.json"))


def ami_messages() -> tuple[bytes, ...]:
    return (*_wire("ami_*.txt"), *_wire("observed_*.txt"))


def agi_headers() -> tuple[bytes, ...]:
    return _wire("agi_header.txt")


def control_requests() -> tuple[bytes, ...]:
    asked = ({"verb": verb, "arguments": arguments} for verb, arguments in REQUESTS)
    return tuple(json.dumps(one).encode() + b"\n" for one in asked)


@cache
def records() -> tuple[bytes, ...]:
    """CDRs and CEL, as Asterisk wrote them: CSV, and the SQLite that its statements make."""
    texts = [path.read_bytes()[:20_000] for path in sorted(RECORDS.glob("*.csv"))]
    bases = [_database(path.read_text("utf-8")) for path in sorted(RECORDS.glob("*.sql"))]
    assert texts
    assert bases
    return (*texts, *bases)


def _database(statements: str) -> bytes:
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.executescript(statements)
        return memory.serialize()


def configurations() -> tuple[bytes, ...]:
    text = (ROOT / "examples/compliance.toml").read_text("utf-8")
    return (re.sub(r"(?m)^recipients = .*$", 'encryption = "off"', text).encode(),)
