"""Wrong bytes out of right ones: what was recorded, changed at random places.

Everything follows from the ``random.Random`` that is given: one seed, one sequence of inputs.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

HUGE = 200_000
"""Bytes of the longest field; a rare one, the others are short."""
DEEPEST = 20_000
"""Deeper than any Python goes: a decoder in C may go 1,000 deep until 3.11, and 10,000 since."""

PIECES = (
    b"\x00", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xc0\xaf", b'"', b"\\", b"{", b"}", b"[", b"]", b",",
    b":", b": ", b"=", b"%", b"%0d%0a", b"${X}", b"'", b"(", b")", b"-", b"1e999", b"NaN", b"-0",
    b"\\ud800", b"\\u0000", b"null", b"true", b"Event: Hangup", b"Response: Success",
    b"Response: Follows", b"ActionID: ", b"200 result=", b"HANGUP\n", b"510 ", b"520-", b"100 ",
)  # fmt: skip
"""What means something in one of the protocols, or in none."""
_DIGITS = re.compile(rb"[0-9]+")
NUMBERS = (0, -1, 2**31, 0x110000, 2**63, 2**64, 10**400, -(10**30), 1e308, -1e308, 0.1, 5e-324)
STRANGE: tuple[Any, ...] = (None, True, False, "", "x", [], {}, [[]], {"": {}}, "\x00", "\ud7ff")


def mutated(rng: random.Random, seeds: Sequence[bytes], *kinds: Mutator) -> bytes:
    """One input: a recorded one with one to four changes; now and then as it was recorded."""
    data = rng.choice(seeds)
    if rng.random() < 0.02:
        return data
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(kinds)(rng, data, seeds)
    return data


def chunks(rng: random.Random, data: bytes) -> Iterator[bytes]:
    """The same bytes, as they may arrive: whole, in a few pieces, or one by one."""
    if rng.random() < 0.5 or len(data) < 2:
        yield data
        return
    most = 1 if len(data) < 400 and rng.random() < 0.1 else max(1, len(data) // rng.randint(1, 8))
    at = 0
    while at < len(data):
        until = at + rng.randint(1, most)
        yield data[at:until]
        at = until


# -- bytes -------------------------------------------------------------------------------------


def _span(rng: random.Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    begin = rng.randint(0, len(data))
    return begin, min(len(data), begin + rng.randint(0, longest))


def flip(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def truncate(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    begin = rng.randint(0, len(data))
    return data[:begin] if rng.random() < 0.7 else data[begin:]


def duplicate(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    begin, end = _span(rng, data)
    return data[:end] + data[begin:end] * rng.randint(1, 4) + data[end:]


def delete(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    begin, end = _span(rng, data)
    return data[:begin] + data[end:]


def splice(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def insert(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice(PIECES) * rng.choice((1, 1, 1, 2, 7)) + data[at:]


def noise(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    begin, end = _span(rng, data, 16)
    return data[:begin] + rng.randbytes(rng.randint(1, 16)) + data[end:]


def swell(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    at = rng.randint(0, len(data))
    length = rng.choice((HUGE // 8, HUGE) if rng.random() < 0.02 else (10, 100, 1_000, 5_000))
    piece = rng.choice(
        (b"A", b"0", b"9", b" ", b"\xe3\x81\x82", b"[", b'{"a":', b"a: b\r\n", b"\n")
    )
    return data[:at] + piece * (length // len(piece)) + data[at:]


def number(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """Another number in the place of one."""
    found = list(_DIGITS.finditer(data[:10_000]))
    if not found:
        return flip(rng, data, seeds)
    where = rng.choice(found)
    return data[: where.start()] + str(rng.choice(NUMBERS)).encode() + data[where.end() :]


BYTES = (number, flip, truncate, duplicate, delete, splice, insert, noise, swell)


# -- JSON --------------------------------------------------------------------------------------


def _value(rng: random.Random) -> Any:
    match rng.randrange(5):
        case 0:
            return rng.choice(NUMBERS)
        case 1:
            return "A" * rng.choice((1, 300, 3_000))
        case 2:
            return "2026-11-24T22:07:45.777" + rng.choice(("", "Z", "+9999", "+0000", "-2359", "x"))
        case 3:
            return rng.choice(("0001-01-01T00:00:00.000+2359", "9999-12-31T23:59:59.999-2359"))
        case _:
            return rng.choice(STRANGE)


def _place(rng: random.Random, value: Any) -> Any:
    """A container somewhere inside of ``value``."""
    while True:
        inner = value.values() if isinstance(value, dict) else value
        deeper = [one for one in inner if isinstance(one, dict | list) and one]
        if not deeper or rng.random() < 0.4:
            return value
        value = rng.choice(deeper)


def structure(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A key is missing, is there twice, or has a value of another type; bytes if it is no JSON."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError):
        return rng.choice(BYTES)(rng, data, seeds)
    if not isinstance(whole, dict | list) or not whole:
        return json.dumps([whole]).encode()
    place = _place(rng, whole)
    key: Any = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
    match rng.randrange(5):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[rng.choice(("type", "id", "channel", "", "request_id", "x" * 300))] = _value(rng)
        case 2:
            place[key] = _nested(rng, place[key])
        case 3 if isinstance(place[key], str):
            at = rng.randint(0, len(place[key]))
            piece = rng.choice(PIECES).decode("utf-8", "replace")
            place[key] = place[key][:at] + piece + place[key][at:]
        case _:
            place[key] = _value(rng)
    try:
        text = json.dumps(whole, ensure_ascii=rng.random() < 0.5)
    except RecursionError:
        return data
    if rng.random() < 0.15:  # a key twice, the second time with another value
        text = text.replace("{", "{" + f'"{key}": {json.dumps(_value(rng))}, ', 1)
    return text.encode("utf-8", "surrogatepass")


def _nested(rng: random.Random, value: Any) -> Any:
    for _ in range(rng.choice((2, 10, 100))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def deep(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """As deep as a decoder may go, and deeper, in the place of a value or around everything."""
    depth = rng.choice((50, 500, 1_100, DEEPEST))
    begin, end = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    nest = begin * depth + (b"1" + end * depth if rng.random() < 0.8 else b"")
    at = data.find(b":", rng.randint(0, len(data)))
    if at < 0:
        return nest
    return data[: at + 1] + nest + b',"b":' + data[at + 1 :]


JSON = (structure, structure, structure, structure, structure, structure, deep, *BYTES)


# -- lines of a header, its name and its value ------------------------------------------------


def lines_of(ending: bytes) -> tuple[Mutator, ...]:
    """Changes of whole lines, for a protocol with this end of a line."""

    def change(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
        lines = data.split(ending)
        at = rng.randrange(len(lines))
        match rng.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randint(0, len(lines)), lines[at])
            case 2:
                lines.insert(at, rng.choice(rng.choice(seeds).split(ending)))
            case 3:
                rng.shuffle(lines)
            case 4:
                lines[at] = lines[at].partition(b": ")[0] + b": " + rng.choice(PIECES)
            case 5:
                number = str(rng.choice(NUMBERS)).encode()
                lines[at] = lines[at].partition(b": ")[0] + b": " + number
            case _:
                name, colon, value = lines[at].partition(b": ")
                lines[at] = name + colon + value * rng.choice((0, 2, 50))
        return ending.join(lines)

    return (change, change, change, change, *BYTES)


Mutator = Callable[[random.Random, bytes, Sequence[bytes]], bytes]
