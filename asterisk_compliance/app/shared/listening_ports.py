"""Who could reach a port of this host from elsewhere, as the kernel lists it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def open_addresses(port: int) -> list[str]:
    """The addresses beside loopback on which somebody listens at ``port``, as far as we see."""
    texts = [path.read_text(encoding="ascii") for path in _TABLES if path.exists()]
    return sorted({str(one) for text in texts for one in listening(text, port)})


def listening(table: str, port: int) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses beside loopback in ``/proc/net/tcp`` or ``tcp6`` (proc_net_tcp(5))."""
    for line in table.splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        where, _, number = local.partition(":")
        if state == _LISTENING and int(number, 16) == port:
            address = _address(where)
            if not address.is_loopback:
                yield address


def is_loopback(host: str) -> bool:
    """Whether a host of the configuration is this one, and nobody else hears what it is told."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _address(where: str) -> IPv4Address | IPv6Address:
    """Words of 32 bits, each in the order of this machine."""
    words = [int(where[at : at + 8], 16) for at in range(0, len(where), 8)]
    raw = struct.pack(f"={len(words)}I", *words)
    if len(raw) == 4:
        return IPv4Address(raw)
    found = IPv6Address(raw)
    return found.ipv4_mapped or found
