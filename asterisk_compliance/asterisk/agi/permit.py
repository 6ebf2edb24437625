"""Who may open a FastAGI connection. The protocol has no login; an address is all there is.

Whoever is not permitted may try as often as he likes: that must fill neither memory nor the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import structlog

Network = IPv4Network | IPv6Network

LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.1/32"), ip_network("::1/128"))
_SOURCES = 1_024
_LINE_S = 1.0

log = structlog.get_logger()


class Permit:
    """Knows networks, and names each source from elsewhere once in the log.

    ``clock`` counts seconds.

    Attributes:
        denied: How many connections came from elsewhere.
    """

    def __init__(
        self, networks: Iterable[Network], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.denied = 0
        self._networks = tuple(networks)
        self._clock = clock
        self._named: dict[str, None] = {}
        self._quiet_until = 0.0

    def admits(self, source: str) -> bool:
        """Whether an address may go on; one that may not is counted."""
        address = _address(source)
        if address is not None and any(address in network for network in self._networks):
            return True
        self.denied += 1
        self._name(source)
        return False

    def _name(self, source: str) -> None:
        """One line a source, and one a second: a source that comes too soon waits for its turn."""
        now = self._clock()
        if source in self._named or now < self._quiet_until:
            return
        self._quiet_until = now + _LINE_S
        self._named[source] = None
        if len(self._named) > _SOURCES:
            del self._named[next(iter(self._named))]
        log.warning("agi_peer_not_permitted", source=source, denied=self.denied)


def _address(source: str) -> IPv4Address | IPv6Address | None:
    """``source`` without a scope, and as IPv4 where IPv6 only carries it."""
    try:
        address = ip_address(source.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
